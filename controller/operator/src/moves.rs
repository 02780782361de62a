//! From steps to what the lever is asked for.

use std::collections::BTreeMap;

use diarchy_core::desired::AssignmentIndex;
use diarchy_core::engine::Engine;
use diarchy_core::resource::ObjectName;
use diarchy_core::steps::Step;
use diarchy_core::workload::Workload;
use diarchy_fleet::site::lever::MembershipChange;
use diarchy_fleet::site::state::SiteState;

/// What the lever is asked for: one entry for each workload and assignment, in order.
pub fn membership_changes(
    engine: &Engine<'_>,
    steps: &[Step],
    state: &SiteState,
    uids: &BTreeMap<ObjectName, String>,
) -> Vec<MembershipChange> {
    let mut changes: BTreeMap<(Workload, AssignmentIndex), MembershipChange> = BTreeMap::new();
    for step in steps {
        let (row, workload) = step.pair();
        let asking = match step {
            Step::Place { assignment, .. } => *assignment,
            Step::TakeOut { because, .. } => *because,
        };
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
        match step {
            Step::Place { .. } => change.add.push(resource),
            Step::TakeOut { but, .. } => {
                let kept = but.map(|index| &engine.desired().assignment(index).name);
                for owned in state.holding(workload, resource) {
                    let stays = kept.is_some_and(|kept| {
                        owned.assignment == *kept && uids.get(kept) == Some(&owned.uid)
                    });
                    if !stays {
                        change
                            .remove
                            .entry(owned.id.clone())
                            .or_default()
                            .push(resource);
                    }
                }
            }
        }
    }
    changes.into_values().collect()
}
