//! Assignments that git no longer has and whose last good version said `onDelete: Revert`.
//!
//! Each goes on as an assignment in force that nobody is a member of: what it placed leaves, by the
//! same rules, guardrails, windows and freezes as everything else. Once its collections are empty it
//! is forgotten.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::desired::{Assignment, Desired, Force, Group, GroupIndex, OnDelete, Rollout};
use diarchy_core::resource::ObjectName;
use diarchy_core::workload::{Authority, Workload};
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
                reverts: assignment.on_delete == OnDelete::Revert
                    && assignment.authority == Authority::Intune,
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
    let (mut desired, mut uids) = (desired.clone(), uids.clone());
    let nobody = GroupIndex(desired.groups.len());
    let namespace = desired.fleet.namespace.clone();
    desired.groups.push(Group {
        name: ObjectName::new(namespace, "(nobody)"),
        selector: None,
        devices: Vec::new(),
        include: Vec::new(),
        exclude: Vec::new(),
    });
    for (text, last) in &memory.reverting {
        let Some((namespace, name)) = text.split_once('/') else {
            continue;
        };
        let name = ObjectName::new(namespace, name);
        uids.insert(name.clone(), last.uid.clone());
        desired.assignments.push(Assignment {
            name,
            workload: last.workload,
            group: Some(nobody),
            group_name: "(nobody)".to_owned(),
            authority: Authority::Intune,
            priority: i32::MIN,
            force: Force::InForce,
            admit_when: None,
            rollout: None::<Rollout>,
            on_delete: OnDelete::Revert,
        });
    }
    desired.assignments.sort_by(|a, b| a.name.cmp(&b.name));
    (Cow::Owned(desired), Cow::Owned(uids))
}
