//! Whether a pilot collection may be written to.

use std::collections::BTreeSet;
use std::fmt;

use diarchy_core::consequence::Consequence;
use diarchy_core::fact::Fact;
use diarchy_core::workload::Staged;

use crate::error::EstateError;

use super::collection::{Collection, CollectionId, DEVICES, Deployment, Rule};
use super::mark::Mark;

/// What was found at a workload's pilot collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PilotState {
    /// It carries the mark and nothing depends on it but the pilot: it may be written to.
    Marked,
    /// No person has given leave.
    NotMarked,
    /// It carries the mark, and changing its members would change more than the pilot.
    Unsafe(Vec<Hazard>),
    /// It, or what has to be known to judge it, could not be read, or it is not there.
    Unreadable(EstateError),
}

impl PilotState {
    /// Its name as a status shows it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Marked => "Marked",
            Self::NotMarked => "NotMarked",
            Self::Unsafe(_) => "Unsafe",
            Self::Unreadable(_) => "Unreadable",
        }
    }
}

/// Why changing a collection's members would change more than the pilot, or might.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hazard {
    /// It is no collection of devices.
    NotOfDevices,
    /// The product made it.
    BuiltIn,
    /// These collections are limited by it.
    Limits(BTreeSet<CollectionId>),
    /// These collections include it.
    IncludedBy(BTreeSet<CollectionId>),
    /// These collections exclude it.
    ExcludedBy(BTreeSet<CollectionId>),
    /// It has maintenance windows.
    MaintenanceWindow,
    /// This is deployed to it.
    Deployments(BTreeSet<String>),
    /// This could not be found out.
    Unknown(&'static str),
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &BTreeSet<CollectionId>| {
            let shown: Vec<&str> = ids.iter().take(5).map(CollectionId::as_str).collect();
            let more = ids.len().saturating_sub(shown.len());
            match more {
                0 => shown.join(", "),
                more => format!("{} and {more} more", shown.join(", ")),
            }
        };
        match self {
            Self::NotOfDevices => f.write_str("it is not a device collection"),
            Self::BuiltIn => f.write_str("it is a built-in collection"),
            Self::Limits(ids) => write!(f, "it limits {}", list(ids)),
            Self::IncludedBy(ids) => write!(f, "it is included by {}", list(ids)),
            Self::ExcludedBy(ids) => write!(f, "it is excluded by {}", list(ids)),
            Self::MaintenanceWindow => f.write_str("it has a maintenance window"),
            Self::Deployments(names) => {
                let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
                write!(f, "{} is deployed to it", shown.join(", "))
            }
            Self::Unknown(what) => write!(f, "{what} could not be read"),
        }
    }
}

/// A collection, and its rules as they were read.
pub(crate) type RulesRead = (CollectionId, Result<Fact<Vec<Rule>>, EstateError>);

/// What has to be known of a site to judge its pilot collections.
pub(crate) struct Surroundings<'a> {
    /// Every collection, as listed.
    pub collections: &'a [Collection],
    /// The rules of those that have include or exclude rules; unread where they were not told.
    pub rules: &'a [RulesRead],
}

impl Surroundings<'_> {
    /// What kept the rules of another collection than `id` from being read, if that passes by itself:
    /// nothing is said of `id` then. Who may not read them never learns them, which is a hazard.
    pub(crate) fn passing(&self, id: &CollectionId) -> Option<&EstateError> {
        self.rules
            .iter()
            .filter(|(other, _)| other != id)
            .filter_map(|(_, rules)| rules.as_ref().err())
            .find(|error| error.consequence() != Consequence::FixInput)
    }
}

/// Whether `collection` carries the mark of `fleet` for `workload`.
pub(crate) fn is_marked(collection: &Collection, fleet: &str, staged: Staged) -> bool {
    let wanted = Mark::Pilot {
        fleet: fleet.to_owned(),
        staged,
    };
    let comment = collection.comment.as_ref().known();
    comment.is_some_and(|comment| Mark::all_in(comment).any(|mark| mark == wanted))
}

/// Everything that speaks against writing to the collection `id`.
pub(crate) fn hazards(
    id: &CollectionId,
    collection: &Collection,
    surroundings: &Surroundings<'_>,
    deployments: &[Deployment],
) -> Vec<Hazard> {
    let mut hazards = own_hazards(collection);
    hazards.extend(limits(id, surroundings));
    hazards.extend(referred_to(id, surroundings));
    let others: BTreeSet<String> = deployments
        .iter()
        .filter(|deployment| !deployment.is_co_management())
        .map(|deployment| {
            let name = deployment.name.as_ref().known();
            name.map_or_else(|| "something without a name".to_owned(), Clone::clone)
        })
        .collect();
    if !others.is_empty() {
        hazards.push(Hazard::Deployments(others));
    }
    hazards
}

fn own_hazards(collection: &Collection) -> Vec<Hazard> {
    let mut hazards = Vec::new();
    match collection.kind {
        Fact::Known(DEVICES) => {}
        Fact::Known(_) => hazards.push(Hazard::NotOfDevices),
        Fact::Absent | Fact::Unread => hazards.push(Hazard::Unknown("its type")),
    }
    match collection.built_in {
        Fact::Known(false) => {}
        Fact::Known(true) => hazards.push(Hazard::BuiltIn),
        Fact::Absent | Fact::Unread => hazards.push(Hazard::Unknown("whether it is built in")),
    }
    match collection.maintenance_windows {
        Fact::Known(0) => {}
        Fact::Known(_) => hazards.push(Hazard::MaintenanceWindow),
        Fact::Absent | Fact::Unread => {
            hazards.push(Hazard::Unknown("its number of maintenance windows"));
        }
    }
    if collection.limiting.as_ref().known().is_none() {
        hazards.push(Hazard::Unknown("its limiting collection"));
    }
    hazards
}

fn limits(id: &CollectionId, surroundings: &Surroundings<'_>) -> Vec<Hazard> {
    let mut limited = BTreeSet::new();
    let mut unknown = false;
    for other in surroundings.collections {
        match (&other.limiting, &other.id) {
            (Fact::Known(limiting), Fact::Known(other)) if limiting == id => {
                limited.insert(other.clone());
            }
            // Only built-in collections have none.
            (Fact::Known(_) | Fact::Absent, _) => {}
            (Fact::Unread, _) => unknown = true,
        }
    }
    let mut hazards = Vec::new();
    if !limited.is_empty() {
        hazards.push(Hazard::Limits(limited));
    }
    if unknown {
        hazards.push(Hazard::Unknown("the limiting collection of another"));
    }
    hazards
}

fn referred_to(id: &CollectionId, surroundings: &Surroundings<'_>) -> Vec<Hazard> {
    let (mut including, mut excluding) = (BTreeSet::new(), BTreeSet::new());
    let mut unknown = false;
    for (other, rules) in surroundings.rules {
        if other == id {
            continue;
        }
        let Ok(Fact::Known(rules)) = rules else {
            unknown = true;
            continue;
        };
        for rule in rules {
            match rule {
                Rule::Include(included) if included == id => {
                    including.insert(other.clone());
                }
                Rule::Exclude(excluded) if excluded == id => {
                    excluding.insert(other.clone());
                }
                Rule::Unknown => unknown = true,
                _ => {}
            }
        }
    }
    let mut hazards = Vec::new();
    if !including.is_empty() {
        hazards.push(Hazard::IncludedBy(including));
    }
    if !excluding.is_empty() {
        hazards.push(Hazard::ExcludedBy(excluding));
    }
    if unknown {
        hazards.push(Hazard::Unknown(
            "the rules of a collection that includes others",
        ));
    }
    hazards
}
