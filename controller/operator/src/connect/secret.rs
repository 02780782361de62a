//! Secrets: names, keys, and bytes that are never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use diarchy_core::resource::ObjectName;
use diarchy_fleet::{EstateError, Secret};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::OperatorError;

/// Where Secrets are: a folder, or a cluster's, watched.
pub trait Secrets: Send + Sync {
    /// A Secret as it is now.
    ///
    /// # Errors
    ///
    /// [`OperatorError::SecretMissing`] when it is not there, [`OperatorError::SecretUnreadable`] or
    /// [`OperatorError::SecretUnread`] when that is not known.
    fn get(&self, name: &ObjectName) -> Result<SecretData, OperatorError>;
}

/// Where Secrets come from: how one that is missing comes to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Files in a folder.
    Folder,
    /// Objects of a cluster.
    Cluster,
}

impl Source {
    /// How the Secret `name`, or a key of it, comes to be there.
    #[must_use]
    pub fn remedy(self, name: &ObjectName) -> String {
        match self {
            Self::Folder => {
                "put it there, one file for each key, or name another folder with --secrets"
                    .to_owned()
            }
            Self::Cluster => format!(
                "make it with `kubectl create secret generic {} --namespace {}`, with a --from-literal or --from-file for each key",
                name.name, name.namespace
            ),
        }
    }
}

/// What a Secret holds.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretData {
    name: ObjectName,
    source: Source,
    keys: BTreeMap<String, Vec<u8>>,
}

impl fmt::Debug for SecretData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretData")
            .field("name", &self.name)
            .field("source", &self.source)
            .field("keys", &self.keys.keys())
            .finish()
    }
}

impl SecretData {
    /// The Secret `name` with these keys.
    #[must_use]
    pub const fn new(name: ObjectName, source: Source, keys: BTreeMap<String, Vec<u8>>) -> Self {
        Self { name, source, keys }
    }

    /// Its namespace and name.
    #[must_use]
    pub const fn name(&self) -> &ObjectName {
        &self.name
    }

    /// Every key with its bytes.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let keys = self.keys.iter();
        keys.map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// Whether it has a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// The bytes under a key, of which there are some.
    pub(super) fn bytes(&self, key: &str) -> Result<&[u8], OperatorError> {
        let Some(bytes) = self.keys.get(key) else {
            return Err(self.lacks(format!("key `{key}` of Secret {}", self.name)));
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(self.unusable(format!("key `{key}` is empty"), "write the value there"));
        }
        Ok(bytes)
    }

    /// The text under a key, without the line break that a file often ends in.
    pub(super) fn text(&self, key: &str) -> Result<String, OperatorError> {
        let text = std::str::from_utf8(self.bytes(key)?).map_err(|_| {
            self.unusable(
                format!("key `{key}` is no text"),
                "store the value as UTF-8",
            )
        })?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The text under a key, never to be shown.
    pub(super) fn secret(&self, key: &str) -> Result<Secret, OperatorError> {
        self.text(key).map(Secret::new)
    }

    /// Something that is not in this Secret.
    pub(super) fn lacks(&self, what: String) -> OperatorError {
        OperatorError::SecretMissing {
            what,
            place: format!("it has {}", self.listed()),
            remedy: self.source.remedy(&self.name),
        }
    }

    /// Something about this Secret that a person has to mend.
    pub(super) fn unusable(&self, detail: String, remedy: impl Into<String>) -> OperatorError {
        OperatorError::SecretNotUsable {
            secret: self.name.to_string(),
            detail,
            remedy: remedy.into(),
        }
    }

    /// `error`, which comes from what stands in this Secret.
    pub(super) fn blame(&self, error: EstateError) -> OperatorError {
        OperatorError::Credential {
            secret: self.name.to_string(),
            error,
        }
    }

    /// Its keys, in words.
    pub(super) fn listed(&self) -> String {
        if self.keys.is_empty() {
            return "no key".to_owned();
        }
        let keys: Vec<String> = self.keys.keys().map(|key| format!("`{key}`")).collect();
        keys.join(", ")
    }
}

/// Tells credentials from others, without holding them.
///
/// It is made of every key of every Secret, and of nothing else: a version that changes with an
/// annotation would have a refused password tried again. It is a hash with a key of this process, so
/// that nobody who sees it can try passwords against it.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

impl Fingerprint {
    /// The fingerprint of `secrets` and of an identity that needs none.
    #[must_use]
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a SecretData>, identity: &str) -> Self {
        static KEY: OnceLock<[Uuid; 2]> = OnceLock::new();
        let mut hash = Sha256::new();
        for part in KEY.get_or_init(|| [Uuid::new_v4(), Uuid::new_v4()]) {
            hash.update(part.as_bytes());
        }
        let mut add = |bytes: &[u8]| {
            // With its length in front no two lists of parts read the same.
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        add(identity.as_bytes());
        for secret in secrets {
            add(secret.name.to_string().as_bytes());
            add(&(secret.keys.len() as u64).to_be_bytes());
            for (key, value) in &secret.keys {
                add(key.as_bytes());
                add(value);
            }
        }
        Self(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(keys: &[(&str, &str)]) -> SecretData {
        let keys = keys.iter();
        SecretData::new(
            ObjectName::new("contoso", "cm-admin"),
            Source::Folder,
            keys.map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
                .collect(),
        )
    }

    #[test]
    fn every_key_counts_and_nothing_is_shown() {
        let of = |keys: &[(&str, &str)]| Fingerprint::of([&secret(keys)], "");
        let one = of(&[("password", "hunter2"), ("username", "svc")]);
        assert_eq!(one, of(&[("username", "svc"), ("password", "hunter2")]));
        for other in [
            of(&[("password", "hunter3"), ("username", "svc")]),
            of(&[("password", "hunter2")]),
            of(&[("password", "hunter2"), ("username", "svc"), ("retry", "1")]),
            of(&[("passwor", "dhunter2"), ("username", "svc")]),
            Fingerprint::of([], ""),
            Fingerprint::of([&secret(&[]), &secret(&[])], ""),
            Fingerprint::of([], "someone"),
        ] {
            assert_ne!(one, other);
        }
        let shown = format!("{one:?} {:?}", secret(&[("password", "hunter2")]));
        assert!(
            !shown.contains("hunter2") && shown.contains("password"),
            "{shown}"
        );
    }

    #[test]
    fn what_is_missing_or_empty_or_no_text_is_named() {
        let data = secret(&[("username", "svc\r\n"), ("empty", " \n")]);
        assert_eq!(data.text("username").unwrap(), "svc");
        let missing = data.text("password").unwrap_err().to_string();
        assert!(missing.contains("`password`") && missing.contains("contoso/cm-admin"));
        assert!(missing.contains("`empty`, `username`"), "{missing}");
        let empty = data.text("empty").unwrap_err().to_string();
        assert!(empty.contains("`empty` is empty"), "{empty}");
        let keys = [("password".to_owned(), vec![0xff, 0xfe])].into();
        let data = SecretData::new(ObjectName::new("contoso", "x"), Source::Cluster, keys);
        let binary = data.text("password").unwrap_err().to_string();
        assert!(binary.contains("no text"), "{binary}");
    }
    #[test]
    fn what_is_missing_is_put_where_it_was_looked_for() {
        let name = ObjectName::new("contoso", "cm-admin");
        for (source, part, other) in [
            (Source::Folder, "--secrets", "kubectl"),
            (
                Source::Cluster,
                "`kubectl create secret generic cm-admin --namespace contoso`",
                "--secrets",
            ),
        ] {
            let data = SecretData::new(name.clone(), source, BTreeMap::new());
            let remedy = data.text("password").unwrap_err().remedy();
            assert!(remedy.contains(part) && !remedy.contains(other), "{remedy}");
        }
    }
}
