//! What is not ready of something that is required, and what gets on from there.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::obstacle::WayOn;

/// Something that an assignment requires and that is not ready, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unmet {
    /// What is required.
    pub what: String,
    /// What it lacks.
    #[serde(flatten)]
    pub lack: Lack,
}

/// What something that is required lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lack", rename_all_fields = "camelCase")]
pub enum Lack {
    /// It is of a kind that is not carried out in this version, so that nobody can say.
    NotCarriedOut,
    /// Nobody has looked: there is no estate to look at, or no loop that could remember a yes.
    NotLookedAt,
    /// It is not in Intune.
    NotFound,
    /// It is something else than was asked for.
    OtherType {
        /// What it is.
        of: String,
    },
    /// It is not assigned to the group.
    NotAssigned {
        /// The group, by id.
        group: String,
    },
    /// The group is excluded from it.
    Excluded {
        /// The group, by id.
        group: String,
    },
    /// Only the beta version of Graph tells, which the fleet does not use.
    InBetaOnly,
    /// The credentials lack a permission.
    Forbidden {
        /// The permission.
        needs: String,
    },
    /// It could not be read.
    Unread {
        /// Why.
        why: String,
    },
    /// No person has attested it.
    NotAttested {
        /// What to approve.
        digest: Digest,
    },
}

impl Lack {
    /// It in a word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotCarriedOut => "NotCarriedOut",
            Self::NotLookedAt => "NotLookedAt",
            Self::NotFound => "NotFound",
            Self::OtherType { .. } => "OtherType",
            Self::NotAssigned { .. } => "NotAssigned",
            Self::Excluded { .. } => "Excluded",
            Self::InBetaOnly => "InBetaOnly",
            Self::Forbidden { .. } => "Forbidden",
            Self::Unread { .. } => "Unread",
            Self::NotAttested { .. } => "NotAttested",
        }
    }

    /// What a person approves to attest it.
    #[must_use]
    pub const fn digest(&self) -> Option<Digest> {
        match self {
            Self::NotAttested { digest } => Some(*digest),
            _ => None,
        }
    }
}

impl Unmet {
    /// What gets on from there.
    #[must_use]
    pub fn way_on(&self) -> WayOn {
        WayOn::Person(match &self.lack {
            Lack::NotCarriedOut => {
                "prepare Intune by hand and delete it from `requires`".to_owned()
            }
            Lack::NotLookedAt => {
                "ask where the estate is read and the loop's state is known: `plan --live`, `--state`, `up`, or a cluster".to_owned()
            }
            Lack::NotFound => "make it in Intune, or correct `id`".to_owned(),
            Lack::OtherType { of } => format!("write `graph: {of}`, or correct `id`"),
            Lack::NotAssigned { group } => format!("assign it to group {group} in Intune"),
            Lack::Excluded { group } => format!("exclude group {group} from it no more in Intune"),
            Lack::InBetaOnly => {
                "`intune.beta: true` on the fleet, or `attest` instead of `graph`".to_owned()
            }
            Lack::Forbidden { needs } => format!("grant {needs}"),
            Lack::Unread { .. } => return WayOn::Estate,
            Lack::NotAttested { digest } => format!("diarchy approve {digest}"),
        })
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, lack } = self;
        match lack {
            Lack::NotCarriedOut => {
                write!(
                    f,
                    "{what} is of a kind that is not carried out yet, so that nobody can say whether it is ready"
                )
            }
            Lack::NotLookedAt => write!(f, "{what} was not looked at"),
            Lack::NotFound => write!(f, "{what} is not in Intune"),
            Lack::OtherType { of } => write!(f, "{what} is something else in Intune: {of}"),
            Lack::NotAssigned { group } => write!(f, "{what} is not assigned to group {group}"),
            Lack::Excluded { group } => write!(f, "group {group} is excluded from {what}"),
            Lack::InBetaOnly => {
                write!(
                    f,
                    "{what} is told of by the beta version of Microsoft Graph only, which the fleet does not use"
                )
            }
            Lack::Forbidden { needs } => write!(f, "{what} may not be read: that takes {needs}"),
            Lack::Unread { why } => write!(f, "{what} could not be read: {why}"),
            Lack::NotAttested { digest } => {
                write!(
                    f,
                    "nobody has attested {what}: it waits for an approval of {digest}"
                )
            }
        }
    }
}
