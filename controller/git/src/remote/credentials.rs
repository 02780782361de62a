//! What a server is shown, and what a server must show.

use std::collections::BTreeMap;

use super::address::{Address, Kind};
use super::error::FetchError;
use super::secret::Secret;

/// The keys of a Secret, as files or as a cluster holds them.
const USERNAME: &str = "username";
const PASSWORD: &str = "password";
const TOKEN: &str = "token";
const IDENTITY: &str = "identity";
const IDENTITY_PUB: &str = "identity.pub";
const KNOWN_HOSTS: &str = "known_hosts";
const CA: &str = "ca.crt";

/// Credentials for a repository, and whom it is believed to be. The default is nobody and the
/// system's own roots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) token: Option<Secret>,
    pub(crate) identity: Option<Secret>,
    pub(crate) identity_pub: Option<String>,
    pub(crate) known_hosts: Option<String>,
    pub(crate) ca: Option<String>,
}

/// Who asks over https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Login<'c> {
    Nobody,
    Basic(&'c str, &'c Secret),
    Bearer(&'c Secret),
}

impl Credentials {
    /// Every key that is read.
    pub const KEYS: [&'static str; 7] = [
        USERNAME,
        PASSWORD,
        TOKEN,
        IDENTITY,
        IDENTITY_PUB,
        KNOWN_HOSTS,
        CA,
    ];

    /// Credentials from the keys of a Secret: `username` and `password`, or `token`, for https;
    /// `identity`, perhaps `identity.pub`, and `known_hosts` for ssh, with `password` as what the
    /// identity is encrypted with; `ca.crt` as the only authority believed. Other keys are left
    /// alone.
    ///
    /// # Errors
    ///
    /// [`FetchError::Credentials`] for a value that is no text.
    pub fn from_keys<K, V>(keys: impl IntoIterator<Item = (K, V)>) -> Result<Self, FetchError>
    where
        K: AsRef<str>,
        V: Into<Vec<u8>>,
    {
        let mut texts = BTreeMap::new();
        for (key, value) in keys {
            let key = key.as_ref();
            if Self::KEYS.contains(&key) {
                let text = String::from_utf8(value.into())
                    .map_err(|_| unusable(key, "it is no text", "write it as UTF-8"))?;
                texts.insert(key.to_owned(), text);
            }
        }
        // A file often ends in a line break that is no part of the word in it.
        let mut word = |key: &str| {
            let text = texts.remove(key)?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        };
        Ok(Self {
            username: word(USERNAME),
            password: word(PASSWORD).map(Secret::new),
            token: word(TOKEN).map(Secret::new),
            identity: texts.remove(IDENTITY).map(Secret::new),
            identity_pub: texts.remove(IDENTITY_PUB),
            known_hosts: texts.remove(KNOWN_HOSTS),
            ca: texts.remove(CA),
        })
    }

    /// Whether nothing was given at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Judges whether what is needed to fetch `address` is there.
    ///
    /// # Errors
    ///
    /// [`FetchError::Credentials`] with the key that is missing or too much.
    pub fn fit(&self, address: &Address) -> Result<(), FetchError> {
        match address.kind() {
            Kind::Https(_) => self.login().map(drop),
            Kind::Ssh(_) => self.ssh().map(drop),
        }
    }

    pub(crate) fn login(&self) -> Result<Login<'_>, FetchError> {
        match (&self.username, &self.password, &self.token) {
            (None, None, None) => Ok(Login::Nobody),
            (Some(username), Some(password), None) => Ok(Login::Basic(username, password)),
            // Many servers look at the password alone; a name is sent all the same.
            (None, Some(password), None) => Ok(Login::Basic("git", password)),
            (None, None, Some(token)) => Ok(Login::Bearer(token)),
            (Some(_), None, None) => Err(unusable(
                USERNAME,
                "there is no `password` to it",
                "add `password`, or give `token` alone",
            )),
            (_, _, Some(_)) => Err(unusable(
                TOKEN,
                "there is a `username` or a `password` too",
                "give `username` and `password`, or `token`, not both",
            )),
        }
    }

    /// The private key and the known hosts.
    pub(crate) fn ssh(&self) -> Result<(&Secret, &str), FetchError> {
        let identity = self.identity.as_ref().ok_or_else(|| {
            unusable(
                IDENTITY,
                "it is missing, and ssh needs it",
                "give a private key as `identity`, such as ssh-keygen makes",
            )
        })?;
        let known_hosts = self.known_hosts.as_deref().ok_or_else(|| {
            unusable(
                KNOWN_HOSTS,
                "it is missing, and without it nobody knows who answers",
                "give the server's line as `known_hosts`, as `ssh-keyscan` prints it, after comparing it with what its owner publishes",
            )
        })?;
        Ok((identity, known_hosts))
    }

    /// `text` without any of these secrets, in whatever form a server may echo them.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        use base64::prelude::{BASE64_STANDARD, Engine as _};

        let mut text = text.to_owned();
        if let Ok(Login::Basic(username, password)) = self.login() {
            let header = BASE64_STANDARD.encode(format!("{username}:{}", password.reveal()));
            text = Secret::new(header).hidden_in(&text);
        }
        for secret in [&self.password, &self.token, &self.identity]
            .into_iter()
            .flatten()
        {
            text = secret.hidden_in(&text);
        }
        text
    }
}

pub(crate) fn unusable(
    key: &str,
    problem: impl Into<String>,
    remedy: impl Into<String>,
) -> FetchError {
    FetchError::Credentials {
        key: key.to_owned(),
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

pub(crate) fn ca_unusable(problem: impl Into<String>) -> FetchError {
    unusable(
        CA,
        problem,
        "give certificates as PEM, each with its BEGIN and END line",
    )
}

pub(crate) fn identity_unusable(problem: impl Into<String>, remedy: &str) -> FetchError {
    unusable(IDENTITY, problem, remedy)
}

pub(crate) fn known_hosts_unusable(line: usize, problem: &str) -> FetchError {
    unusable(
        KNOWN_HOSTS,
        format!("line {line}: {problem}"),
        "write lines as `ssh-keyscan` prints them: host, key type, key",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[(&str, &str)]) -> Credentials {
        Credentials::from_keys(keys.iter().map(|(key, value)| (*key, *value))).unwrap()
    }

    #[test]
    fn a_login_is_either_a_password_or_a_token() {
        let basic = keys(&[
            ("username", "me\n"),
            ("password", "hunter2\r\n"),
            ("other", "x"),
        ]);
        let hunter2 = Secret::new("hunter2");
        assert_eq!(basic.login(), Ok(Login::Basic("me", &hunter2)));
        let bearer = keys(&[("token", "hunter2\n")]);
        assert_eq!(bearer.login(), Ok(Login::Bearer(&hunter2)));
        assert_eq!(keys(&[("other", "x")]).login(), Ok(Login::Nobody));
        for both in [
            &[("token", "a"), ("password", "b")][..],
            &[("token", "a"), ("username", "b")],
            &[("username", "b")],
        ] {
            assert!(keys(both).login().is_err(), "{both:?}");
        }
    }

    #[test]
    fn ssh_needs_a_key_and_known_hosts() {
        let address = Address::parse("git@h:x").unwrap();
        for (given, missing) in [
            (&[("known_hosts", "h ssh-ed25519 A")][..], "`identity`"),
            (&[("identity", "k")], "`known_hosts`"),
        ] {
            let error = keys(given).fit(&address).unwrap_err();
            assert!(error.to_string().starts_with(missing), "{error}");
        }
        let both = keys(&[("identity", "k"), ("known_hosts", "h")]);
        assert_eq!(both.fit(&address), Ok(()));
    }

    #[test]
    fn nothing_secret_is_printed_or_echoed() {
        let secret = keys(&[
            ("username", "me"),
            ("password", "hunter2"),
            ("identity", "KEY"),
        ]);
        let shown = format!("{secret:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("KEY"),
            "{shown}"
        );
        assert_eq!(
            secret.hidden_in("Basic bWU6aHVudGVyMg== is me:hunter2"),
            "Basic [hidden] is me:[hidden]"
        );
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let error = Credentials::from_keys([("token", vec![0xFF])]).unwrap_err();
        assert!(error.to_string().contains("`token`"), "{error}");
    }
}
