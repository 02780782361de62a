//! Where a repository on another machine is.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::error::FetchError;

/// Who logs in where an address names nobody: the one account that every git host has.
const GIT: &str = "git";
const SSH_PORT: u16 = 22;

/// The address of a repository on another machine, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Address {
    /// As it was written, and as it may be shown.
    text: String,
    kind: Kind,
}

/// How a repository is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Over https; over http only to the machine itself.
    Https(Url),
    /// Over ssh.
    Ssh(SshAddress),
}

/// A repository behind ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshAddress {
    pub user: String,
    pub host: String,
    pub port: u16,
    /// As it is given to `git-upload-pack`.
    pub path: String,
}

impl Address {
    /// Whether `place` names a repository on another machine rather than a folder: anything with a
    /// scheme but `file`, and `user@host:path`.
    #[must_use]
    pub fn is_remote(place: &str) -> bool {
        match place.split_once("://") {
            Some((scheme, _)) => !scheme.eq_ignore_ascii_case("file"),
            None => scp_like(place).is_some(),
        }
    }

    /// Reads `https://host/path`, `ssh://[user@]host[:port]/path` or `[user@]host:path`.
    ///
    /// # Errors
    ///
    /// [`FetchError::Address`] for anything else, for http to another machine, and for an address
    /// that carries a password.
    pub fn parse(text: &str) -> Result<Self, FetchError> {
        let text = text.trim();
        let kind = match scp_like(text).filter(|_| !text.contains("://")) {
            Some(ssh) => Kind::Ssh(ssh),
            None => with_scheme(text)?,
        };
        Ok(Self {
            text: text.to_owned(),
            kind,
        })
    }

    pub(crate) const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, and the port where it is not the usual one.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.kind {
            Kind::Https(url) => host_of(url),
            Kind::Ssh(ssh) => ssh.known_as(),
        }
    }
}

impl SshAddress {
    /// How `known_hosts` names the server: the host alone on the usual port, `[host]:port` on another.
    pub(crate) fn known_as(&self) -> String {
        if self.port == SSH_PORT {
            self.host.clone()
        } else {
            format!("[{}]:{}", self.host, self.port)
        }
    }
}

/// The host and, where it is not the scheme's own, the port of a URL.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// `[user@]host:path`, as git and scp write it: a colon before the first slash.
fn scp_like(text: &str) -> Option<SshAddress> {
    let (authority, path) = text.split_once(':')?;
    let (user, host) = authority.split_once('@')?;
    let plain = |part: &str| !part.is_empty() && !part.contains(['/', ' ', '@']);
    (plain(user) && plain(host) && !path.is_empty()).then(|| SshAddress {
        user: user.to_owned(),
        host: host.to_owned(),
        port: SSH_PORT,
        path: path.to_owned(),
    })
}

fn with_scheme(text: &str) -> Result<Kind, FetchError> {
    const LIKE: &str =
        "write it like https://git.contoso.com/fleet.git or git@git.contoso.com:fleet.git";
    let refused = |shown: &str, problem: &str, remedy: &str| FetchError::Address {
        address: shown.to_owned(),
        problem: problem.to_owned(),
        remedy: remedy.to_owned(),
    };
    let Ok(url) = Url::parse(text) else {
        // What is no URL may hold a password anywhere.
        return Err(refused("the address", "it is no URL", LIKE));
    };
    if url.password().is_some() || (url.scheme() != "ssh" && !url.username().is_empty()) {
        return Err(refused(
            &host_of(&url),
            "the address carries a user name or a password",
            "take them out, and give them as `username` and `password` or as `token`",
        ));
    }
    if !url.has_host() || url.path().trim_matches('/').is_empty() {
        return Err(refused(text, "it names no repository of a host", LIKE));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(text, "it has more than a path", LIKE));
    }
    match url.scheme() {
        "https" => Ok(Kind::Https(url)),
        "http" if diarchy_crds::is_loopback(&url) => Ok(Kind::Https(url)),
        "http" => Err(refused(
            text,
            "without TLS anybody on the way may read and change it",
            "write https://; only a loopback host may do with http",
        )),
        "ssh" => Ok(Kind::Ssh(ssh(&url))),
        _ => Err(refused(text, "only https and ssh are spoken", LIKE)),
    }
}

fn ssh(url: &Url) -> SshAddress {
    let user = if url.username().is_empty() {
        GIT
    } else {
        url.username()
    };
    let host = url.host_str().unwrap_or_default();
    let path = percent_decoded(url.path());
    SshAddress {
        user: percent_decoded(user),
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(SSH_PORT),
        // `ssh://host/~user/path` is relative to a home, as git has it.
        path: match path.strip_prefix("/~") {
            Some(home) => format!("~{home}"),
            None => path,
        },
    }
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.text
    }
}

impl TryFrom<String> for Address {
    type Error = FetchError;

    fn try_from(text: String) -> Result<Self, FetchError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(text: &str) -> (String, String, u16, String) {
        match Address::parse(text).unwrap().kind {
            Kind::Ssh(ssh) => (ssh.user, ssh.host, ssh.port, ssh.path),
            Kind::Https(_) => panic!("{text} is https"),
        }
    }

    fn parts(user: &str, host: &str, port: u16, path: &str) -> (String, String, u16, String) {
        (user.to_owned(), host.to_owned(), port, path.to_owned())
    }

    #[test]
    fn addresses_are_read_as_git_reads_them() {
        for (text, expected) in [
            ("ssh://git@h/a/b.git", parts("git", "h", 22, "/a/b.git")),
            ("ssh://h:2222/a%20b", parts("git", "h", 2222, "/a b")),
            ("ssh://fleet@[::1]:7/~/x", parts("fleet", "::1", 7, "~/x")),
            (
                "git@h.example:a/b.git",
                parts("git", "h.example", 22, "a/b.git"),
            ),
            ("me@h:/srv/x.git", parts("me", "h", 22, "/srv/x.git")),
        ] {
            assert_eq!(ssh(text), expected, "{text}");
        }
        let https = Address::parse("https://git.contoso.com:8443/a/b.git").unwrap();
        assert_eq!(https.host(), "git.contoso.com:8443");
        assert!(Address::parse("http://127.0.0.1:8080/a.git").is_ok());
    }

    #[test]
    fn folders_are_no_addresses() {
        for place in [
            ".",
            "/srv/fleet.git",
            "a/b:c",
            "file:///srv/fleet.git",
            "c:fleet",
        ] {
            assert!(!Address::is_remote(place), "{place}");
        }
        for place in [
            "https://h/x",
            "http://h/x",
            "ssh://h/x",
            "git@h:x",
            "git://h/x",
        ] {
            assert!(Address::is_remote(place), "{place}");
        }
    }

    #[test]
    fn what_cannot_be_fetched_is_refused() {
        for text in [
            "http://git.contoso.com/fleet.git",
            "git://git.contoso.com/fleet.git",
            "ftp://git.contoso.com/fleet.git",
            "https://git.contoso.com",
            "https://git.contoso.com/x?y=z",
            "ssh://git@host",
            "https:///x",
            "nonsense",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(
                matches!(error, FetchError::Address { .. }),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_shown() {
        for text in [
            "https://me:hunter2@git.contoso.com/fleet.git",
            "https://hunter2@git.contoso.com/fleet.git",
            "ssh://me:hunter2@git.contoso.com/fleet.git",
            "https://me:hunter2@[/fleet.git",
        ] {
            let error = Address::parse(text).unwrap_err();
            let shown = format!("{error} {error:?} {}", error.remedy());
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
