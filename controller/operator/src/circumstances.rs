//! What a pass has found to keep its fleet from moving, for whoever asks why.

use std::collections::BTreeSet;

use diarchy_core::circumstances::Circumstances;
use diarchy_core::inventory::Inventory;
use diarchy_core::obstacle::Obstacle;
use diarchy_core::steps::Step;
use diarchy_core::workload::{Staged, Workload};
use diarchy_fleet::inventory::Readings;

use crate::context::Decided;
use crate::hold::Hold;
use crate::memory::{FleetMemory, Waiting};
use crate::site_rules::SiteRules;
use crate::summary::{self, Shown};
use crate::write;

/// What a pass has found, after it has written what was due.
pub fn found(
    decided: &Decided<'_>,
    readings: &Readings,
    memory: &FleetMemory,
    shown: &Shown,
) -> Circumstances {
    let engine = &decided.engine;
    let inventory = engine.inventory();
    let workloads: Vec<Workload> = engine.desired().pilot_workloads().collect();
    let held_back = write::held_back(decided);
    let waiting = decided.acceptance.waiting.as_ref().map(|waiting| {
        let changes = waiting.changes.iter();
        let changes = changes.map(|change| (change.row, change.workload));
        (waiting.digest, changes.collect())
    });
    Circumstances {
        fleet: decided
            .hold
            .as_ref()
            .and_then(|hold| obstacle(hold, memory)),
        waiting,
        by_hand: by_hand(&workloads, readings, shown),
        rollouts: memory.rollouts(),
        held_back: held_back
            .into_iter()
            .map(|(step, wait)| (Step::pair(step), wait))
            .collect(),
        sent: sent(inventory, memory),
        outside: outside(inventory, &workloads, &decided.sight.rules),
    }
}

/// What was sent and is not proved yet. Most devices have nothing under way.
fn sent(inventory: &Inventory, memory: &FleetMemory) -> BTreeSet<(usize, Workload)> {
    let rows = 0..inventory.rows();
    let writes = rows.filter_map(|row| Some((row, memory.writes.get(inventory.first_id(row))?)));
    writes
        .flat_map(|(row, writes)| writes.keys().map(move |workload| (row, *workload)))
        .collect()
}

/// Rules that never become memberships.
fn outside(
    inventory: &Inventory,
    workloads: &[Workload],
    rules: &SiteRules,
) -> BTreeSet<(usize, Workload)> {
    if !rules.has_outside() {
        return BTreeSet::new();
    }
    let rows = 0..inventory.rows();
    let devices = rows.filter_map(|row| Some((row, inventory.resource_id(row)?)));
    devices
        .flat_map(|(row, resource)| {
            let lacks = move |workload: &&Workload| {
                rules.is_outside(Staged::Workload(**workload), resource)
            };
            let lacking = workloads.iter().filter(lacks);
            lacking.map(move |workload| (row, *workload))
        })
        .collect()
}

/// Workloads for which a person must move the slider, or see to the pilot collection.
fn by_hand(workloads: &[Workload], readings: &Readings, shown: &Shown) -> BTreeSet<Workload> {
    let pilots = summary::pilot_states(readings);
    let needs_person = |workload: &&Workload| summary::needs_console(**workload, shown, &pilots);
    workloads.iter().filter(needs_person).copied().collect()
}

/// What keeps a pass from writing, as an obstacle. A fleet that is claimed first is on its way.
fn obstacle(hold: &Hold, memory: &FleetMemory) -> Option<Obstacle> {
    let waiting: Option<&Waiting> = memory.waiting.as_ref();
    let digest = waiting.map(|waiting| waiting.digest);
    match hold {
        Hold::Suspended => Some(Obstacle::FleetSuspended),
        Hold::Observing => Some(Obstacle::FleetObserving),
        Hold::Frozen { name, until } => Some(Obstacle::Frozen {
            name: name.clone(),
            until: *until,
        }),
        Hold::SiteUnread(_) => Some(Obstacle::SiteUnread),
        Hold::Shrunk { .. } => digest.map(|digest| Obstacle::MaxInventoryShrink { digest }),
        Hold::HeldBy(_) => digest.map(|digest| Obstacle::ClaimedByAnother { digest }),
        Hold::Unclaimed { .. } => None,
    }
}
