//! Assignments that cannot be read any more: gone with `onDelete: Revert`, or wrong by themselves.
//!
//! See [`StandIn`]. Once the collections of one that is gone are empty, it is forgotten.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::desired::{Desired, StandIn, Unreadable, Window};
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::Said;
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
    /// When writes for it may be made: its devices go back in the same hours.
    #[serde(default)]
    pub window: Option<Window>,
}

/// The assignments that exist, with what tells each from others of its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Existing {
    /// The uids of those that can be read.
    pub uids: BTreeMap<ObjectName, String>,
    /// The uids of those that are wrong by themselves: only their last good version is known.
    pub invalid: BTreeMap<ObjectName, String>,
    /// The uids of those whose devices stay where they are when they go, whatever they said.
    pub abandoned: BTreeSet<String>,
    /// What people want of their rollouts.
    pub said: Said,
}

/// Notes which assignments there are, and which have gone that take their devices back.
pub fn note(desired: &Desired, existing: &Existing, memory: &mut FleetMemory) {
    let Existing {
        uids,
        invalid,
        abandoned,
        said: _,
    } = existing;
    let mut present: BTreeMap<String, LastGood> = desired
        .assignments
        .iter()
        .filter_map(|assignment| {
            let uid = uids.get(&assignment.name)?.clone();
            let last = LastGood {
                workload: assignment.workload,
                reverts: assignment.reverts() && !abandoned.contains(&uid),
                window: assignment.window().cloned(),
                uid,
            };
            Some((assignment.name.to_string(), last))
        })
        .collect();
    let known = std::mem::take(&mut memory.last_good);
    for (name, last) in known {
        if present.contains_key(&name) {
            continue;
        }
        let exists = named(&name).and_then(|name| invalid.get(&name)) == Some(&last.uid);
        if exists {
            present.insert(name, last);
        } else if last.reverts && !abandoned.contains(&last.uid) {
            memory.reverting.insert(name, last);
        }
    }
    memory.last_good = present;
    // Made anew, it is another assignment, and what the old one placed is retained.
    let FleetMemory {
        reverting,
        last_good,
        ..
    } = memory;
    reverting.retain(|name, last| !last_good.contains_key(name) && !abandoned.contains(&last.uid));
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

/// What git asks, with those that stand in for what is being reverted or cannot be read, and
/// everybody's uids.
pub fn with_stand_ins<'a>(
    desired: &'a Desired,
    uids: &'a BTreeMap<ObjectName, String>,
    memory: &FleetMemory,
) -> (Cow<'a, Desired>, Cow<'a, BTreeMap<ObjectName, String>>) {
    let gone = memory.reverting.iter().map(|one| {
        let window = one.1.window.clone();
        (one, Unreadable::Gone { window })
    });
    let invalid = memory
        .last_good
        .iter()
        .filter(|(text, _)| {
            named(text).is_some_and(|name| desired.find_assignment(&name).is_none())
        })
        .map(|one| (one, Unreadable::Invalid));
    let unreadable: Vec<(StandIn, &str)> = gone
        .chain(invalid)
        .filter_map(|((text, last), why)| {
            let stand_in = StandIn {
                name: named(text)?,
                workload: last.workload,
                why,
            };
            Some((stand_in, last.uid.as_str()))
        })
        .collect();
    if unreadable.is_empty() {
        return (Cow::Borrowed(desired), Cow::Borrowed(uids));
    }
    let mut uids = uids.clone();
    uids.extend(
        unreadable
            .iter()
            .map(|(one, uid)| (one.name.clone(), (*uid).to_owned())),
    );
    let stand_ins = unreadable.into_iter().map(|(one, _)| one);
    (
        Cow::Owned(desired.with_stand_ins(stand_ins)),
        Cow::Owned(uids),
    )
}

/// The name of an assignment, from how it is remembered.
fn named(text: &str) -> Option<ObjectName> {
    let (namespace, name) = text.split_once('/')?;
    Some(ObjectName::new(namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_before_windows_were_is_still_read() {
        let kept = r#"{"uid":"u1","workload":"ClientApps","reverts":true}"#;
        let last: LastGood = serde_json::from_str(kept).unwrap();
        assert_eq!(last.window, None);
    }
}
