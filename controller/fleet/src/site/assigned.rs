//! Who put each device into each pilot collection.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::fact::Fact;
use diarchy_core::inventory::Holder;
use diarchy_core::resource::ObjectName;
use diarchy_core::workload::{Workload, WorkloadSet};

use super::collection::Rule;
use super::state::{Owned, Pilot, SiteState};

/// The holders of each device, by the site's number for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Devices that are in no pilot collection are not here.
    pub holders: BTreeMap<u32, BTreeMap<Workload, Vec<Holder>>>,
    /// Workloads of whose pilot collection nothing is known.
    pub unread: WorkloadSet,
    /// The members of the collection for automatic enrolment; absent where there is none to join.
    pub enrollment: Fact<BTreeSet<u32>>,
    /// Memberships that no rule explains any more: they end at the next evaluation.
    pub leaving: u64,
}

impl SiteState {
    /// Who holds each device. `uids` are those of the assignments that exist now: an owned
    /// collection of another uid under the same name holds retained devices.
    #[must_use]
    pub fn assigned(&self, uids: &BTreeMap<ObjectName, String>) -> Assigned {
        let mut assigned = Assigned {
            enrollment: Fact::Absent,
            ..Assigned::default()
        };
        for (&staged, pilot) in &self.pilots {
            let Some(workload) = staged.workload() else {
                assigned.enrollment = match &pilot.members {
                    Some(members) => Fact::Known(members.clone()),
                    None => Fact::Unread,
                };
                continue;
            };
            let owned: Vec<&Owned> = self
                .owned
                .values()
                .filter(|owned| owned.staged == staged && self.includes(owned) != Some(false))
                .collect();
            let (Some(members), true) = (
                &pilot.members,
                owned.iter().all(|owned| owned.members.is_some()),
            ) else {
                assigned.unread.insert(workload);
                continue;
            };
            for &resource in members {
                let mut holders: Vec<Holder> = owned
                    .iter()
                    .filter(|owned| holds(owned.members.as_ref(), resource))
                    .map(|owned| holder(owned, uids))
                    .collect();
                match foreign(pilot, resource, holders.is_empty()) {
                    Foreign::Yes => holders.push(Holder::Foreign),
                    Foreign::No => {}
                    Foreign::Leaving => assigned.leaving += 1,
                }
                holders.sort();
                holders.dedup();
                if !holders.is_empty() {
                    assigned
                        .holders
                        .entry(resource)
                        .or_default()
                        .insert(workload, holders);
                }
            }
        }
        assigned
    }
}

fn holds(set: Option<&BTreeSet<u32>>, resource: u32) -> bool {
    set.is_some_and(|set| set.contains(&resource))
}

fn holder(owned: &Owned, uids: &BTreeMap<ObjectName, String>) -> Holder {
    match uids.get(&owned.owner) {
        Some(uid) if *uid != owned.uid => Holder::Retained(owned.owner.clone()),
        _ => Holder::Owned(owned.owner.clone()),
    }
}

enum Foreign {
    Yes,
    No,
    Leaving,
}

/// Whether something that Diarchy did not make has `resource` in `pilot`. `alone`: no owned
/// collection has it.
fn foreign(pilot: &Pilot, resource: u32, alone: bool) -> Foreign {
    let Some(rules) = &pilot.rules else {
        // Only what nothing else explains can be told to be foreign.
        return if alone { Foreign::Yes } else { Foreign::No };
    };
    let included = pilot.foreign_includes.values();
    if rules.contains(&Rule::Direct(resource))
        || included
            .clone()
            .any(|members| holds(members.as_ref(), resource))
    {
        return Foreign::Yes;
    }
    if !alone {
        return Foreign::No;
    }
    // What cannot be looked into may be the reason.
    let opaque = rules
        .iter()
        .any(|rule| matches!(rule, Rule::Query | Rule::Unknown))
        || included.clone().any(Option::is_none);
    if opaque {
        Foreign::Yes
    } else {
        Foreign::Leaving
    }
}
