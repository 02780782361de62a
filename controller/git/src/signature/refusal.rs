//! Why a signature is not accepted.

use std::fmt::Display;

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use jiff::Timestamp;

use crate::remote::Fetched;

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("it is not signed")]
    Unsigned,
    /// The key is none of those that are trusted.
    #[error("it is signed with {key}, which is not trusted{detail}")]
    UnknownKey {
        /// The key, as far as the signature names it.
        key: String,
        /// More about it, after a comma; may be empty.
        detail: String,
    },
    /// The key does not count at that time.
    #[error("it is signed with {key}, which {detail}")]
    Expired {
        /// The key.
        key: String,
        /// From when or until when it counts.
        detail: String,
    },
    /// The key was revoked.
    #[error("it is signed with {key}, which was revoked")]
    Revoked {
        /// The key.
        key: String,
    },
    /// The signature is not one of this content by this key.
    #[error("the signature of {key} does not fit: {detail}")]
    Wrong {
        /// The key that it says it is of.
        key: String,
        /// What does not fit.
        detail: String,
    },
    /// It is no signature that can be read.
    #[error("its signature cannot be read: {detail}")]
    Unreadable {
        /// What is wrong with it.
        detail: String,
    },
}

impl Refusal {
    /// The stable code under which this is documented.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Unsigned => Code::NotSigned,
            Self::UnknownKey { .. } => Code::SignerUnknown,
            Self::Expired { .. } => Code::SignerExpired,
            Self::Revoked { .. } => Code::SignerRevoked,
            Self::Wrong { .. } => Code::SignatureWrong,
            Self::Unreadable { .. } => Code::SignatureUnreadable,
        }
    }

    /// How to mend it, without a full stop.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Unsigned => {
                "sign it with `git commit -S` or `git tag -s`, by a key that is trusted"
            }
            Self::UnknownKey { .. } => {
                "have one of the trusted people sign it, or add the key to those that are trusted"
            }
            Self::Expired { .. } => {
                "sign it anew with a key that counts, or give the key with its new time"
            }
            Self::Revoked { .. } => {
                "find out who signed with it, and sign what is right with another key"
            }
            Self::Wrong { .. } => "find out who changed it, and sign what is right anew",
            Self::Unreadable { .. } => "sign it anew with SSH or OpenPGP",
        }
    }

    pub(super) fn unreadable(detail: impl Into<String>) -> Self {
        Self::Unreadable {
            detail: detail.into(),
        }
    }
}

/// Why nobody can be said to have signed a revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The signature, or its absence, is not accepted.
    #[error("{revision} is not accepted: {refusal}")]
    Refused {
        /// The revision, as people are told.
        revision: String,
        /// Why.
        refusal: Refusal,
    },
    /// The revision cannot be read out of its mirror.
    #[error("the mirror of `{address}` cannot be read: {detail}")]
    Unreadable {
        /// Where the revision is from.
        address: String,
        /// What failed.
        detail: String,
    },
}

impl VerifyError {
    /// The stable code under which this is documented.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused { refusal, .. } => refusal.code(),
            Self::Unreadable { .. } => Code::MirrorNotUsable,
        }
    }

    /// What it asks of the caller.
    #[must_use]
    pub const fn consequence(&self) -> Consequence {
        match self {
            Self::Refused { .. } => Consequence::FixInput,
            Self::Unreadable { .. } => Consequence::Retry,
        }
    }

    /// How to mend it, without a full stop.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Refused { refusal, .. } => refusal.remedy(),
            Self::Unreadable { .. } => "nothing needs to be done; it is fetched anew",
        }
    }

    pub(super) fn unreadable(fetched: &Fetched, error: &impl Display) -> Self {
        Self::Unreadable {
            address: fetched.address.to_string(),
            detail: error.to_string(),
        }
    }
}

/// A moment as people read it.
pub(super) fn shown(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
