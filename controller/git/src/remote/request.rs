//! What one fetch is asked for, and what it answers with.

use std::path::PathBuf;
use std::time::Duration;

use diarchy_crds::git_source::{GitReference, GitSourceSpec};
use git2::Reference;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::credentials::Credentials;
use super::error::FetchError;
use super::secret::Secret;

/// Which revision is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wanted {
    /// What the server's `HEAD` points to.
    Head,
    /// This branch.
    Branch(String),
    /// This tag.
    Tag(String),
    /// This commit, by its whole id.
    Commit(String),
    /// A branch, a tag or a whole commit id, looked for in this order.
    Any(String),
}

impl Wanted {
    /// What a source follows; one that says nothing follows `HEAD`.
    #[must_use]
    pub fn of(reference: &GitReference) -> Self {
        let GitReference {
            branch,
            tag,
            commit,
        } = reference;
        match (branch, tag, commit) {
            (_, _, Some(id)) => Self::Commit(id.to_string()),
            (_, Some(name), None) => Self::Tag(name.to_string()),
            (Some(name), None, None) => Self::Branch(name.to_string()),
            (None, None, None) => Self::Head,
        }
    }

    /// As a person says it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Head => "HEAD",
            Self::Branch(name) | Self::Tag(name) | Self::Commit(name) | Self::Any(name) => name,
        }
    }

    /// The references that it may mean, best first.
    pub(crate) fn references(&self) -> Vec<String> {
        match self {
            Self::Head => vec!["HEAD".to_owned()],
            Self::Branch(name) => vec![format!("refs/heads/{name}")],
            Self::Tag(name) => vec![format!("refs/tags/{name}")],
            Self::Commit(_) => Vec::new(),
            Self::Any(name) if name == "HEAD" => vec!["HEAD".to_owned()],
            Self::Any(name) if name.starts_with("refs/") => vec![name.clone()],
            Self::Any(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        }
        .into_iter()
        // What is no name of a reference exists nowhere, and would break the protocol's lines.
        .filter(|name| name == "HEAD" || Reference::is_valid_name(name))
        .collect()
    }

    /// The commit that it may mean.
    pub(crate) fn commit(&self) -> Option<git2::Oid> {
        match self {
            Self::Commit(id) | Self::Any(id) if id.len() == 40 => id.parse().ok(),
            _ => None,
        }
    }
}

/// What a fetch may take at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Of real time, for everything.
    pub timeout: Duration,
    /// Of bytes that the server sends.
    pub pack_bytes: u64,
    /// Of objects that it sends.
    pub objects: u32,
    /// Of bytes that the process may take for itself.
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(1),
            pack_bytes: 256 << 20,
            objects: 500_000,
            memory_bytes: 1 << 30,
        }
    }
}

/// One fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// Where the repository is.
    pub address: Address,
    /// Which revision.
    pub wanted: Wanted,
    /// The folder that the mirror is kept in. One mirror holds what one set of credentials was let
    /// read of one repository; it is made where it is missing.
    pub mirror: PathBuf,
    /// Who asks.
    pub credentials: Credentials,
    /// How much is taken.
    pub limits: Limits,
    /// Whether what the mirror holds is thrown away first, because it could not be read.
    pub afresh: bool,
}

impl FetchRequest {
    /// What a source asks for.
    ///
    /// # Errors
    ///
    /// [`FetchError::Address`] for a URL that cannot be fetched.
    pub fn for_source(
        source: &GitSourceSpec,
        credentials: Credentials,
        mirror: PathBuf,
    ) -> Result<Self, FetchError> {
        Ok(Self {
            address: Address::parse(source.url.as_str())?,
            wanted: Wanted::of(&source.reference),
            mirror,
            credentials,
            limits: Limits {
                timeout: source.timeout(),
                ..Limits::default()
            },
            afresh: false,
        })
    }
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fetched {
    /// Where from.
    pub address: Address,
    /// The bare repository that holds it.
    pub mirror: PathBuf,
    /// The commit's whole id.
    pub commit: String,
    /// The tag's name, and the id of its object where it has one: a tag that can be signed.
    pub tag: Option<FetchedTag>,
    /// How people are told: `main@sha1:…`, `v1.0@sha1:…` or `sha1:…`.
    pub revision: String,
}

/// A tag that was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedTag {
    /// Its name, without `refs/tags/`.
    pub name: String,
    /// The id of the tag object; `None` for a light-weight tag, which is only a name for a commit.
    pub object: Option<String>,
}

/// What crosses to the process that fetches, over its standard input and nowhere else.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wire {
    address: Address,
    wanted: Wanted,
    mirror: PathBuf,
    limits: Limits,
    afresh: bool,
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
    identity: Option<String>,
    identity_pub: Option<String>,
    known_hosts: Option<String>,
    ca: Option<String>,
}

impl From<&FetchRequest> for Wire {
    fn from(request: &FetchRequest) -> Self {
        let Credentials {
            username,
            password,
            token,
            identity,
            identity_pub,
            known_hosts,
            ca,
        } = request.credentials.clone();
        let revealed = |secret: Option<Secret>| secret.map(|secret| secret.reveal().to_owned());
        Self {
            address: request.address.clone(),
            wanted: request.wanted.clone(),
            mirror: request.mirror.clone(),
            limits: request.limits,
            afresh: request.afresh,
            username,
            password: revealed(password),
            token: revealed(token),
            identity: revealed(identity),
            identity_pub,
            known_hosts,
            ca,
        }
    }
}

impl From<Wire> for FetchRequest {
    fn from(wire: Wire) -> Self {
        Self {
            address: wire.address,
            wanted: wire.wanted,
            mirror: wire.mirror,
            limits: wire.limits,
            afresh: wire.afresh,
            credentials: Credentials {
                username: wire.username,
                password: wire.password.map(Secret::new),
                token: wire.token.map(Secret::new),
                identity: wire.identity.map(Secret::new),
                identity_pub: wire.identity_pub,
                known_hosts: wire.known_hosts,
                ca: wire.ca,
            },
        }
    }
}

/// What the process that fetches writes to its standard output, as one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    Fetched(Fetched),
    Failed(FetchError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_crosses_between_processes_whole() {
        let request = FetchRequest {
            address: Address::parse("https://h/x.git").unwrap(),
            wanted: Wanted::Tag("v1".to_owned()),
            mirror: "/m".into(),
            credentials: Credentials::from_keys(Credentials::KEYS.map(|key| (key, key))).unwrap(),
            limits: Limits::default(),
            afresh: true,
        };
        let text = serde_json::to_string(&Wire::from(&request)).unwrap();
        let wire: Wire = serde_json::from_str(&text).unwrap();
        assert_eq!(FetchRequest::from(wire), request);
    }

    #[test]
    fn names_that_no_reference_has_are_asked_for_nowhere() {
        for name in ["a\nb", "a b", "", "../x", "a..b"] {
            for wanted in [
                Wanted::Branch(name.to_owned()),
                Wanted::Tag(name.to_owned()),
                Wanted::Any(name.to_owned()),
            ] {
                assert_eq!(wanted.references(), Vec::<String>::new(), "{wanted:?}");
            }
        }
        assert_eq!(
            Wanted::Any("v1".to_owned()).references(),
            ["refs/heads/v1", "refs/tags/v1"]
        );
    }

    #[test]
    fn a_source_becomes_a_request() {
        let source = |reference: serde_json::Value| -> GitSourceSpec {
            serde_json::from_value(serde_json::json!({
                "url": "git@h:x.git", "ref": reference, "timeout": "30s",
            }))
            .unwrap()
        };
        for (reference, wanted) in [
            (
                serde_json::json!({ "branch": "main" }),
                Wanted::Branch("main".to_owned()),
            ),
            (
                serde_json::json!({ "tag": "v1" }),
                Wanted::Tag("v1".to_owned()),
            ),
            (
                serde_json::json!({ "commit": "4e7c" }),
                Wanted::Commit("4e7c".to_owned()),
            ),
        ] {
            let source = source(reference);
            let request =
                FetchRequest::for_source(&source, Credentials::default(), "/m".into()).unwrap();
            assert_eq!(request.wanted, wanted);
            assert_eq!(request.address.as_str(), "git@h:x.git");
            assert_eq!(request.limits.timeout, Duration::from_secs(30));
        }
    }

    #[test]
    fn a_commit_is_named_by_its_whole_id() {
        let id = "4e7c9f861a9a77094d93887aa82b54fd5cfecbf0";
        assert!(Wanted::Commit(id.to_owned()).commit().is_some());
        assert!(Wanted::Commit(id[..12].to_owned()).commit().is_none());
        assert!(Wanted::Branch(id.to_owned()).commit().is_none());
    }
}
