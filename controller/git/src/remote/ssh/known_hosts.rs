//! Whose host key is believed.

use std::borrow::Cow;
use std::str::FromStr as _;

use ring::hmac;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::remote::credentials::known_hosts_unusable;
use crate::remote::error::FetchError;

/// What is known of one host.
#[derive(Debug, Clone)]
pub struct KnownHost {
    /// As it stands in the file, such as `[git.contoso.com]:2222`.
    name: String,
    keys: Vec<KnownKey>,
}

#[derive(Debug, Clone)]
struct KnownKey {
    line: usize,
    key: PublicKey,
    revoked: bool,
}

impl KnownHost {
    /// Finds the lines about `name` in the text of a `known_hosts` file.
    ///
    /// # Errors
    ///
    /// [`FetchError::Credentials`] for a line that cannot be read.
    pub fn find(text: &str, name: &str) -> Result<Self, FetchError> {
        let name = name.to_lowercase();
        let mut keys = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.first().is_none_or(|word| word.starts_with('#')) {
                continue;
            }
            let entry = Entry::from_str(&words.join(" "))
                .map_err(|_| known_hosts_unusable(number, "it cannot be read"))?;
            if !is_about(entry.host_patterns(), &name) {
                continue;
            }
            if entry.marker() == Some(&Marker::CertAuthority) {
                let problem = "certificates of hosts are not read, only their keys";
                return Err(known_hosts_unusable(number, problem));
            }
            keys.push(KnownKey {
                line: number,
                key: entry.public_key().clone(),
                revoked: entry.marker() == Some(&Marker::Revoked),
            });
        }
        Ok(Self { name, keys })
    }

    /// The kinds of key to ask the host for: those that are known of it, so that a host with
    /// several keys shows one that can be compared.
    pub fn algorithms(&self) -> Cow<'static, [Algorithm]> {
        let strong = |algorithm: &&Algorithm| **algorithm != (Algorithm::Rsa { hash: None });
        let every = russh::Preferred::DEFAULT.key;
        let known: Vec<Algorithm> = every
            .iter()
            .filter(strong)
            .filter(|algorithm| self.believed().any(|key| is_of(key, algorithm)))
            .cloned()
            .collect();
        if known.is_empty() {
            return every.iter().filter(strong).cloned().collect();
        }
        known.into()
    }

    fn believed(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys
            .iter()
            .filter(|known| !known.revoked)
            .map(|known| &known.key)
    }

    /// Judges the key that the host shows.
    ///
    /// # Errors
    ///
    /// [`FetchError::HostKey`] for one that is not known, that differs, or that was revoked.
    pub fn judge(&self, shown: &PublicKey) -> Result<(), FetchError> {
        let same = |known: &&KnownKey| known.key.key_data() == shown.key_data();
        let seen = format!("it shows {}", named(shown));
        if let Some(known) = self.keys.iter().filter(|it| it.revoked).find(same) {
            let detail = format!("{seen}, which line {} of `known_hosts` revokes", known.line);
            return Err(self.refused(detail, BETWEEN));
        }
        if self.keys.iter().any(|known| same(&known)) {
            return Ok(());
        }
        let other = self.keys.iter().find(|known| !known.revoked);
        Err(match other {
            Some(known) => self.refused(
                format!(
                    "{seen}, and line {} of `known_hosts` has {}",
                    known.line,
                    named(&known.key)
                ),
                BETWEEN,
            ),
            None => self.refused(
                format!("{seen}, and `known_hosts` has no key of it"),
                "compare it with what its owner publishes, and add its line to `known_hosts`",
            ),
        })
    }

    /// What is said when the host has no key of a known kind.
    pub fn no_common(&self, theirs: &[String]) -> FetchError {
        let known: Vec<String> = self.believed().map(named).collect();
        self.refused(
            format!(
                "it has keys of the kinds {}, and `known_hosts` has {}",
                theirs.join(", "),
                known.join(", ")
            ),
            BETWEEN,
        )
    }

    fn refused(&self, detail: String, remedy: &str) -> FetchError {
        FetchError::HostKey {
            host: self.name.clone(),
            detail,
            remedy: remedy.to_owned(),
        }
    }
}

const BETWEEN: &str =
    "somebody may be in between: find out why it changed before you change `known_hosts`";

/// A key as `ssh-keygen -l` names it.
pub fn named(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

fn is_of(key: &PublicKey, algorithm: &Algorithm) -> bool {
    match algorithm {
        // One key signs with every hash.
        Algorithm::Rsa { .. } => key.algorithm().is_rsa(),
        other => key.algorithm() == *other,
    }
}

fn is_about(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            hmac::verify(&key, name.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let (no, yes): (Vec<&str>, Vec<&str>) = patterns
                .iter()
                .map(String::as_str)
                .partition(|pattern| pattern.starts_with('!'));
            let fits = |pattern: &str| is_fitting(&pattern.to_lowercase(), name);
            yes.iter().any(|pattern| fits(pattern)) && !no.iter().any(|pattern| fits(&pattern[1..]))
        }
    }
}

/// Whether `*` (any text) and `?` (one character) make `pattern` fit `name`.
fn is_fitting(pattern: &str, name: &str) -> bool {
    diarchy_core::glob::matches(pattern, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G2sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn key(text: &str) -> PublicKey {
        PublicKey::from_openssh(text).unwrap()
    }

    fn judged(text: &str, name: &str) -> Result<(), FetchError> {
        KnownHost::find(text, name).unwrap().judge(&key(ED25519))
    }

    #[test]
    fn a_known_key_is_found_however_the_host_is_written() {
        for line in [
            format!("git.contoso.com {ED25519}"),
            format!("# x\n\n  git.contoso.com\t{ED25519} comment"),
            format!("10.0.0.1,GIT.contoso.com {ED25519}"),
            format!("*.contoso.com,!other.contoso.com {ED25519}"),
            format!("git.contoso.com {OTHER}\ngit.contoso.com {ED25519}"),
        ] {
            assert_eq!(judged(&line, "git.contoso.com"), Ok(()), "{line}");
        }
        let port = format!("[git.contoso.com]:2222 {ED25519}");
        assert_eq!(judged(&port, "[git.contoso.com]:2222"), Ok(()));
        // `ssh-keygen -H` wrote this for `example.com`.
        let hashed = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= ssh-ed25519 \
                      AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
        let host = KnownHost::find(hashed, "example.com").unwrap();
        assert_eq!(host.keys.len(), 1);
        assert!(
            KnownHost::find(hashed, "example.org")
                .unwrap()
                .keys
                .is_empty()
        );
    }

    #[test]
    fn what_was_seen_is_said() {
        let seen = named(&key(ED25519));
        for (text, says) in [
            (String::new(), "has no key of it"),
            (format!("other.contoso.com {ED25519}"), "has no key of it"),
            (
                format!("*.com,!git.contoso.com {ED25519}"),
                "has no key of it",
            ),
            (
                format!("\ngit.contoso.com {OTHER}"),
                "line 2 of `known_hosts` has",
            ),
            (
                format!("git.contoso.com {ED25519}\n@revoked * {ED25519}"),
                "line 2 of `known_hosts` revokes",
            ),
        ] {
            let error = judged(&text, "git.contoso.com").unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(&seen), "{error}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        for line in [
            "git.contoso.com",
            "git.contoso.com ssh-ed25519 AAAA",
            "@cert-authority git.contoso.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
        ] {
            let error = KnownHost::find(&format!("\n{line}"), "git.contoso.com").unwrap_err();
            assert!(error.to_string().contains("line 2"), "{error}");
        }
    }

    #[test]
    fn a_host_is_asked_for_a_key_that_can_be_compared() {
        let text = format!("h {ED25519}");
        let host = KnownHost::find(&text, "h").unwrap();
        assert_eq!(*host.algorithms(), [Algorithm::Ed25519]);
        let nothing = KnownHost::find("", "h").unwrap().algorithms();
        assert!(nothing.len() > 4);
        assert!(!nothing.contains(&Algorithm::Rsa { hash: None }));
    }
}
