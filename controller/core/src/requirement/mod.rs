//! What must be ready before an assignment may move anybody, and whether it is.
//!
//! An assignment whose requirements are not all known to be ready is frozen, as one that is suspended:
//! it moves nobody, what it moved stays, and its rollout stands still. So it begins: [`assemble`] freezes
//! every assignment that requires anything, and only [`Desired::with_requirements`] lets it go, by what
//! was looked at. Who has not looked moves nobody.
//!
//! [`assemble`]: crate::desired::assemble

mod lack;
mod readiness;
mod types;

pub use lack::{Lack, Unmet};
pub use readiness::{Ready, Turned};
pub use types::{IntuneCollection, IntuneType};

use std::collections::BTreeMap;
use std::fmt;

use crate::desired::{AssignmentIndex, Desired, Force, FrozenBy};
use crate::digest::Digest;
use crate::resource::{Kind, ObjectName};
use crate::rollout::{Rollouts, Said, only_goes_back};

/// Something that must be ready before an assignment may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requires {
    /// A resource of the same namespace that prepares Intune.
    Resource {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// An object of Intune, whoever made it.
    Intune {
        /// Which one.
        object: IntuneObject,
        /// The Entra group that it must be assigned to, by id in lower case; none where it is enough
        /// that it is there.
        assigned_to: Option<String>,
    },
    /// What no service tells: a person says so.
    Attested(String),
}

/// An object of Intune, by type and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntuneObject {
    /// Its type.
    pub of: &'static IntuneType,
    /// Its id, in lower case.
    pub id: String,
}

/// Whom an object is assigned to, as one assignment of it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The members of an Entra group, by id in lower case.
    Group(String),
    /// Not the members of this one, whatever else is said.
    ExcludedGroup(String),
    /// Every device.
    AllDevices,
    /// Every user.
    AllUsers,
    /// Something that says nothing about a group, or takes the object away.
    Other,
}

/// What was found of an object that is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    There {
        /// Its type in Graph, without the namespace, where the answer names one.
        of: Option<String>,
        /// Whom it is assigned to.
        targets: Vec<Target>,
    },
    /// It is not there.
    Missing,
    /// It could not be read.
    Unread {
        /// Why.
        why: String,
        /// The permission that it takes, where that is what is missing.
        needs: Option<&'static str>,
    },
}

/// What is known of everything that a fleet's assignments require.
pub struct Known<'a> {
    /// The objects of Intune that were looked at.
    pub objects: &'a BTreeMap<IntuneObject, Found>,
    /// The uids of assignments: an attestation is for one of them, and not for a namesake made later.
    pub uids: &'a BTreeMap<ObjectName, String>,
    /// Whether a person has attested what has this digest.
    pub is_attested: &'a dyn Fn(&Digest) -> bool,
    /// How far rollouts are.
    pub rollouts: &'a Rollouts,
    /// What people want of them.
    pub said: &'a Said,
}

/// The digest of what a person attests: of the assignment with its uid, and of the text.
#[must_use]
pub fn attestation_digest(assignment: &ObjectName, uid: &str, text: &str) -> Digest {
    let lines = [
        "attest".to_owned(),
        assignment.to_string(),
        uid.to_owned(),
        format!("{text:?}"),
    ];
    Digest::of_lines(lines.iter().map(String::as_str))
}

impl Desired {
    /// The same, with every assignment that only waits for what it requires in force where all of that
    /// is ready. What is not ready is noted at each, whatever else keeps it.
    #[must_use]
    pub fn with_requirements(&self, known: &Known<'_>) -> Self {
        let mut desired = self.clone();
        for (at, assignment) in desired.assignments.iter_mut().enumerate() {
            let requires = assignment.requires.iter();
            assignment.unmet = requires
                .filter_map(|one| one.unmet(&assignment.name, self.beta, known))
                .collect();
            // What was rolled back asks for nobody: it only takes its devices back, which needs
            // nothing of Intune.
            let is_free = assignment.unmet.is_empty()
                || only_goes_back(self, AssignmentIndex(at), known.rollouts, known.said);
            if assignment.force == Force::Frozen(FrozenBy::Requires) && is_free {
                assignment.force = Force::InForce;
            }
        }
        desired
    }

    /// The objects of Intune that its assignments require, each once.
    pub fn required_objects(&self) -> impl Iterator<Item = &IntuneObject> {
        let requires = self.assignments.iter().flat_map(|one| &one.requires);
        let objects: std::collections::BTreeSet<&IntuneObject> = requires
            .filter_map(|one| match one {
                Requires::Intune { object, .. } => Some(object),
                Requires::Resource { .. } | Requires::Attested(_) => None,
            })
            .collect();
        objects.into_iter()
    }

    /// What its assignments require a person to attest: the assignment, the text, and the digest that
    /// stands for both. Those without a uid are not known to the loop yet.
    pub fn attestations<'a>(
        &'a self,
        uids: &'a BTreeMap<ObjectName, String>,
    ) -> impl Iterator<Item = (&'a ObjectName, &'a str, Digest)> {
        self.assignments.iter().flat_map(move |assignment| {
            let name = &assignment.name;
            let requires = assignment.requires.iter();
            requires.filter_map(move |one| match one {
                Requires::Attested(text) => {
                    let digest = attestation_digest(name, uids.get(name)?, text);
                    Some((name, text.as_str(), digest))
                }
                Requires::Resource { .. } | Requires::Intune { .. } => None,
            })
        })
    }
}

impl Requires {
    /// As it is noted before anybody has looked.
    #[must_use]
    pub fn not_looked_at(&self) -> Unmet {
        Unmet {
            what: self.to_string(),
            lack: match self {
                Self::Resource { .. } => Lack::NotCarriedOut,
                Self::Intune { .. } | Self::Attested(_) => Lack::NotLookedAt,
            },
        }
    }

    fn unmet(&self, assignment: &ObjectName, beta: bool, known: &Known<'_>) -> Option<Unmet> {
        let lack = match self {
            Self::Resource { .. } => Some(Lack::NotCarriedOut),
            Self::Intune { object, .. } if object.of.in_beta_only && !beta => {
                Some(Lack::InBetaOnly)
            }
            Self::Intune {
                object,
                assigned_to,
            } => match known.objects.get(object) {
                None => Some(Lack::NotLookedAt),
                Some(found) => found.lack(object.of, assigned_to.as_deref()),
            },
            Self::Attested(text) => match known.uids.get(assignment) {
                None => Some(Lack::NotLookedAt),
                Some(uid) => {
                    let digest = attestation_digest(assignment, uid, text);
                    let attested = (known.is_attested)(&digest);
                    (!attested).then_some(Lack::NotAttested { digest })
                }
            },
        };
        let what = self.to_string();
        lack.map(|lack| Unmet { what, lack })
    }
}

impl Found {
    /// What an object that was found like this lacks.
    fn lack(&self, wanted: &IntuneType, assigned_to: Option<&str>) -> Option<Lack> {
        match self {
            Self::Missing => Some(Lack::NotFound),
            Self::Unread { why, needs } => Some(match needs {
                Some(needs) => Lack::Forbidden {
                    needs: (*needs).to_owned(),
                },
                None => Lack::Unread { why: why.clone() },
            }),
            Self::There { of, targets } => {
                if wanted.is_derived {
                    match of {
                        Some(of) if of == wanted.name => {}
                        Some(of) => return Some(Lack::OtherType { of: of.clone() }),
                        None => {
                            let why = "the answer does not tell its type".to_owned();
                            return Some(Lack::Unread { why });
                        }
                    }
                }
                lack_of_targets(targets, assigned_to?)
            }
        }
    }
}

/// Intune lets an excluded group outweigh every group that is included.
fn lack_of_targets(targets: &[Target], group: &str) -> Option<Lack> {
    let group = || group.to_owned();
    if targets.contains(&Target::ExcludedGroup(group())) {
        return Some(Lack::Excluded { group: group() });
    }
    let reaches = |target: &Target| match target {
        Target::AllDevices | Target::AllUsers => true,
        Target::Group(id) => *id == group(),
        Target::ExcludedGroup(_) | Target::Other => false,
    };
    let is_assigned = targets.iter().any(reaches);
    (!is_assigned).then(|| Lack::NotAssigned { group: group() })
}

impl fmt::Display for Requires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource { kind, name } => write!(f, "{kind} {name}"),
            Self::Intune { object, .. } => write!(f, "{} {}", object.of.name, object.id),
            Self::Attested(text) => write!(f, "\"{text}\""),
        }
    }
}
