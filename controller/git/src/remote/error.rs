//! What can go wrong with a repository on another machine, typed by what it asks of the caller.

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a repository could not be fetched.
///
/// It crosses from the process that fetches to the one that asked, so it says everything in words
/// and holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FetchError {
    /// The address is of a kind that is not fetched.
    #[error("`{address}` cannot be fetched: {problem}")]
    Address {
        /// As far as it may be shown.
        address: String,
        /// What is wrong with it.
        problem: String,
        /// How to mend it.
        remedy: String,
    },
    /// Credentials, a CA or known hosts cannot be used.
    #[error("`{key}` for the repository cannot be used: {problem}")]
    Credentials {
        /// The key of the Secret that is meant.
        key: String,
        /// What is wrong with it, without its value.
        problem: String,
        /// How to mend it.
        remedy: String,
    },
    /// No connection, or one that broke.
    #[error("{host} cannot be reached: {detail}")]
    Unreachable {
        /// Which server.
        host: String,
        /// What failed.
        detail: String,
    },
    /// The server does not know who is asking.
    #[error("{host} refused the credentials: {detail}")]
    Refused {
        /// Which server.
        host: String,
        /// In its own words.
        detail: String,
        /// How to mend it.
        remedy: String,
    },
    /// The server knows who is asking, and that is not enough.
    #[error("{host} does not let these credentials read `{address}`: {detail}")]
    Forbidden {
        /// Which server.
        host: String,
        /// The repository.
        address: String,
        /// In its own words.
        detail: String,
    },
    /// The server has no such repository, or does not say so to everybody.
    #[error("{host} has no repository `{address}`: {detail}")]
    NotFound {
        /// Which server.
        host: String,
        /// The repository.
        address: String,
        /// In its own words.
        detail: String,
    },
    /// The server asks for patience.
    #[error("{host} asks to wait{}", until.map(|until| format!(" until {until}")).unwrap_or_default())]
    Throttled {
        /// Which server.
        host: String,
        /// When it may be asked again, where it says so.
        until: Option<Timestamp>,
    },
    /// An answer came that is not git's, or stops in the middle.
    #[error("{host} gave an answer that cannot be used: {detail}")]
    Answer {
        /// Which server.
        host: String,
        /// What came.
        detail: String,
    },
    /// The server's certificate is not trusted.
    #[error("the certificate of {host} is not trusted: {detail}")]
    Trust {
        /// Which server.
        host: String,
        /// What is wrong with the certificate.
        detail: String,
    },
    /// The server's host key is not the known one.
    #[error("the host key of {host} is not trusted: {detail}")]
    HostKey {
        /// Which server, as `known_hosts` names it.
        host: String,
        /// What was seen.
        detail: String,
        /// How to mend it.
        remedy: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("`{address}` has no revision `{reference}`{detail}")]
    NoRevision {
        /// The repository.
        address: String,
        /// What was asked for.
        reference: String,
        /// More about it, after a comma; may be empty.
        detail: String,
    },
    /// What the server sends is more than is taken.
    #[error("`{address}` is too large: {detail}")]
    TooLarge {
        /// The repository.
        address: String,
        /// Which limit it is over.
        detail: String,
    },
    /// It was not done in the time allowed.
    #[error("`{address}` was not fetched within {allowed}")]
    TooSlow {
        /// The repository.
        address: String,
        /// The time allowed, such as `60s`.
        allowed: String,
    },
    /// The mirror cannot be written or read.
    #[error("the mirror of the repository cannot be used: {detail}")]
    Mirror {
        /// What failed.
        detail: String,
    },
    /// The process that fetched ended without an answer.
    #[error("the fetch of `{address}` ended without an answer: {detail}")]
    Stopped {
        /// The repository.
        address: String,
        /// How it ended.
        detail: String,
    },
}

impl FetchError {
    /// The stable code under which this is documented.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Address { .. } => Code::GitAddress,
            Self::Credentials { .. } => Code::GitCredentials,
            Self::Unreachable { .. } => Code::GitUnreachable,
            Self::Refused { .. } => Code::GitRefused,
            Self::Forbidden { .. } => Code::GitForbidden,
            Self::NotFound { .. } => Code::GitNotFound,
            Self::Throttled { .. } => Code::GitThrottled,
            Self::Answer { .. } => Code::GitAnswer,
            Self::Trust { .. } => Code::GitTrust,
            Self::HostKey { .. } => Code::GitHostKey,
            Self::NoRevision { .. } => Code::RevisionNotFound,
            Self::TooLarge { .. } => Code::GitTooLarge,
            Self::TooSlow { .. } => Code::GitTooSlow,
            Self::Mirror { .. } => Code::MirrorNotUsable,
            Self::Stopped { .. } => Code::FetchStopped,
        }
    }

    /// What it asks of the caller.
    #[must_use]
    pub const fn consequence(&self) -> Consequence {
        match self {
            Self::Address { .. }
            | Self::Credentials { .. }
            | Self::Refused { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Trust { .. }
            | Self::HostKey { .. }
            | Self::NoRevision { .. }
            | Self::TooLarge { .. } => Consequence::FixInput,
            Self::Throttled {
                until: Some(until), ..
            } => Consequence::WaitUntil(*until),
            Self::Throttled { until: None, .. }
            | Self::Unreachable { .. }
            | Self::Answer { .. }
            | Self::TooSlow { .. }
            | Self::Mirror { .. }
            | Self::Stopped { .. } => Consequence::Retry,
        }
    }

    /// How to mend it, without a full stop.
    #[must_use]
    pub fn remedy(&self) -> &str {
        match self {
            Self::Address { remedy, .. }
            | Self::Credentials { remedy, .. }
            | Self::Refused { remedy, .. }
            | Self::HostKey { remedy, .. } => remedy,
            Self::Unreachable { .. } => {
                "check the host's name, the port and any proxy; it is tried again"
            }
            Self::Forbidden { .. } => "give the account or the deploy key read access to it",
            Self::NotFound { .. } => {
                "check the address; many servers also say so when the credentials may not read it"
            }
            Self::Throttled { .. } => "nothing needs to be done; it is tried again",
            Self::Answer { .. } => {
                "check that the address is the one that `git clone` takes, and that no proxy answers instead"
            }
            Self::Trust { .. } => {
                "give the root of its issuer as `ca.crt`, or call the server by the name in its certificate"
            }
            Self::NoRevision { .. } => "name a branch, a tag or a whole commit id that it has",
            Self::TooLarge { .. } => {
                "keep the fleet in a repository of its own, without large files"
            }
            Self::TooSlow { .. } => {
                "allow more time, or see what keeps the server; it is tried again"
            }
            Self::Mirror { .. } => {
                "check that the disk has room and that this user may write there; it is tried again"
            }
            Self::Stopped { .. } => "see whether the machine is short of memory; it is tried again",
        }
    }
}

/// Text of somebody else's as a part of one line: nothing that controls a terminal, and not too long.
pub(crate) fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words
        .join(" ")
        .chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect();
    let line = line.trim_end_matches('.');
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_crosses_between_processes_whole() {
        let error = FetchError::Throttled {
            host: "h".to_owned(),
            until: Some("2026-11-23T08:00:00Z".parse().unwrap()),
        };
        let text = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<FetchError>(&text).unwrap(), error);
        assert_eq!(
            error.consequence(),
            Consequence::WaitUntil("2026-11-23T08:00:00Z".parse().unwrap())
        );
    }

    #[test]
    fn what_a_server_says_stays_on_its_line() {
        assert_eq!(one_line("a\n\n b\x1b[2J."), "a b\u{FFFD}[2J");
        assert!(one_line(&"x".repeat(1000)).chars().count() < 310);
    }
}
