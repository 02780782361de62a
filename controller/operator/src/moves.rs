//! From steps to what the lever is asked for.

use std::collections::BTreeMap;

use diarchy_core::desired::AssignmentIndex;
use diarchy_core::engine::Engine;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_core::steps::Step;
use diarchy_core::workload::{Staged, Workload};
use diarchy_fleet::site::lever::MembershipChange;
use uuid::Uuid;

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
                staged: workload.into(),
                owner: name.clone(),
                uid: uid.clone(),
                add: Vec::new(),
                remove: BTreeMap::new(),
            });
        let is_of = |held: &Held, index: AssignmentIndex| {
            let name = &engine.desired().assignment(index).name;
            held.owner == *name && uids.get(name) == Some(&held.uid)
        };
        let goes = |held: &&Held| match step {
            Step::Place { .. } => false,
            Step::TakeOut { but, .. } => !but.is_some_and(|kept| is_of(held, kept)),
            Step::Withdraw { assignment, .. } => is_of(held, *assignment),
        };
        if let Step::Place { .. } = step {
            change.add.push(resource);
        }
        for held in rules.holding(workload.into(), resource).iter().filter(goes) {
            change
                .remove
                .entry(held.collection.clone())
                .or_default()
                .push(resource);
        }
    }
    changes.into_values().collect()
}

/// The devices in these rows, into the pilot of automatic enrolment; nothing without a policy.
pub fn enrollment(
    engine: &Engine<'_>,
    enrolling: &[usize],
    installation: &str,
) -> Option<MembershipChange> {
    let policy = engine.desired().policy.as_ref()?;
    let add: Vec<u32> = enrolling
        .iter()
        .filter_map(|row| engine.inventory().resource_id(*row))
        .collect();
    (!add.is_empty()).then(|| MembershipChange {
        staged: Staged::Enrollment,
        owner: policy.name.clone(),
        uid: policy_uid(&policy.name, installation),
        add,
        remove: BTreeMap::new(),
    })
}

/// A policy's uid where no API server gives it one. Devices never leave the pilot of enrolment, so a
/// policy that was deleted and made anew may go on with the collections of the old one.
fn policy_uid(policy: &ObjectName, installation: &str) -> String {
    let name = format!("{installation}/{}/{policy}", Kind::CoManagementPolicy);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}
