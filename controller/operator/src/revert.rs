//! Assignments that git no longer has and whose last good version said `onDelete: Revert`.
//!
//! See [`Desired::with_reverting`]. Once its collections are empty an assignment is forgotten.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::desired::Desired;
use diarchy_core::resource::ObjectName;
use diarchy_core::workload::Workload;
use diarchy_fleet::site::state::SiteState;
use serde::{Deserialize, Serialize};

use crate::memory::FleetMemory;

/// What is kept of the last good version of an assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGood {
    /// Which assignment of its name it is.
    pub uid: String,
    /// Its workload.
    pub workload: Workload,
    /// Whether its devices go back when it goes.
    pub reverts: bool,
}

/// Notes which assignments there are, and which have gone that take their devices back.
pub fn note(desired: &Desired, uids: &BTreeMap<ObjectName, String>, memory: &mut FleetMemory) {
    let present: BTreeMap<String, LastGood> = desired
        .assignments
        .iter()
        .filter_map(|assignment| {
            let last = LastGood {
                uid: uids.get(&assignment.name)?.clone(),
                workload: assignment.workload,
                reverts: assignment.reverts(),
            };
            Some((assignment.name.to_string(), last))
        })
        .collect();
    let known = std::mem::replace(&mut memory.last_good, present);
    for (name, last) in known {
        if last.reverts && !memory.last_good.contains_key(&name) {
            memory.reverting.insert(name, last);
        }
    }
    // Made anew, it is another assignment, and what the old one placed is retained.
    let FleetMemory {
        reverting,
        last_good,
        ..
    } = memory;
    reverting.retain(|name, _| !last_good.contains_key(name));
}

/// Forgets the assignments whose collections are empty.
pub fn forget(state: &SiteState, memory: &mut FleetMemory) {
    let in_use: BTreeSet<&str> = state
        .owned
        .values()
        .filter(|owned| {
            let has = |set: &Option<BTreeSet<u32>>| set.as_ref().is_none_or(|set| !set.is_empty());
            has(&owned.members) || has(&owned.direct)
        })
        .map(|owned| owned.uid.as_str())
        .collect();
    memory
        .reverting
        .retain(|_, last| in_use.contains(last.uid.as_str()));
}

/// What git asks, with the assignments that are being reverted, and everybody's uids.
pub fn with_reverting<'a>(
    desired: &'a Desired,
    uids: &'a BTreeMap<ObjectName, String>,
    memory: &FleetMemory,
) -> (Cow<'a, Desired>, Cow<'a, BTreeMap<ObjectName, String>>) {
    if memory.reverting.is_empty() {
        return (Cow::Borrowed(desired), Cow::Borrowed(uids));
    }
    let gone: Vec<(ObjectName, &LastGood)> = memory
        .reverting
        .iter()
        .filter_map(|(text, last)| {
            let (namespace, name) = text.split_once('/')?;
            Some((ObjectName::new(namespace, name), last))
        })
        .collect();
    let mut uids = uids.clone();
    uids.extend(
        gone.iter()
            .map(|(name, last)| (name.clone(), last.uid.clone())),
    );
    let gone = gone.into_iter().map(|(name, last)| (name, last.workload));
    (Cow::Owned(desired.with_reverting(gone)), Cow::Owned(uids))
}
