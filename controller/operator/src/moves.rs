//! From steps to what the lever is asked for.

use std::collections::BTreeMap;

use diarchy_core::desired::AssignmentIndex;
use diarchy_core::engine::Engine;
use diarchy_core::resource::ObjectName;
use diarchy_core::steps::Step;
use diarchy_core::workload::Workload;
use diarchy_fleet::site::lever::MembershipChange;

use crate::site_rules::{Held, SiteRules};

/// What the lever is asked for: one entry for each workload and assignment, in order.
pub fn membership_changes(
    engine: &Engine<'_>,
    steps: &[Step],
    rules: &SiteRules,
    uids: &BTreeMap<ObjectName, String>,
) -> Vec<MembershipChange> {
    let mut changes: BTreeMap<(Workload, AssignmentIndex), MembershipChange> = BTreeMap::new();
    for step in steps {
        let (row, workload) = step.pair();
        let asking = step.because();
        let name = &engine.desired().assignment(asking).name;
        let (Some(resource), Some(uid)) = (engine.inventory().resource_id(row), uids.get(name))
        else {
            continue;
        };
        let change = changes
            .entry((workload, asking))
            .or_insert_with(|| MembershipChange {
                workload,
                assignment: name.clone(),
                uid: uid.clone(),
                add: Vec::new(),
                remove: BTreeMap::new(),
            });
        let is_of = |held: &Held, index: AssignmentIndex| {
            let name = &engine.desired().assignment(index).name;
            held.assignment == *name && uids.get(name) == Some(&held.uid)
        };
        let goes = |held: &&Held| match step {
            Step::Place { .. } => false,
            Step::TakeOut { but, .. } => !but.is_some_and(|kept| is_of(held, kept)),
            Step::Withdraw { assignment, .. } => is_of(held, *assignment),
        };
        if let Step::Place { .. } = step {
            change.add.push(resource);
        }
        for held in rules.holding(workload, resource).iter().filter(goes) {
            change
                .remove
                .entry(held.collection.clone())
                .or_default()
                .push(resource);
        }
    }
    changes.into_values().collect()
}
