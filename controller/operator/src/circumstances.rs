//! What a pass has found to keep its fleet from moving, for whoever asks why.

use std::collections::BTreeSet;

use diarchy_core::circumstances::Circumstances;
use diarchy_core::due::{self, Brakes};
use diarchy_core::inference::ShownSlider;
use diarchy_core::obstacle::Obstacle;
use diarchy_core::steps::Step;
use diarchy_core::workload::{Staged, Workload};
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::site::pilot::PilotState;

use crate::context::Decided;
use crate::hold::Hold;
use crate::memory::{FleetMemory, Waiting};
use crate::summary::{self, Shown};
use crate::write;

/// What a pass has found, after it has written what was due.
pub fn found(
    decided: &Decided<'_>,
    readings: &Readings,
    memory: &FleetMemory,
    shown: &Shown,
    left: usize,
) -> Circumstances {
    let engine = &decided.engine;
    let inventory = engine.inventory();
    let workloads: Vec<Workload> = engine.desired().pilot_workloads().collect();
    let pairs = |is_meant: &dyn Fn(usize, Workload) -> bool| -> BTreeSet<(usize, Workload)> {
        let rows = 0..inventory.rows();
        rows.flat_map(|row| workloads.iter().map(move |workload| (row, *workload)))
            .filter(|(row, workload)| is_meant(*row, *workload))
            .collect()
    };
    let brakes = Brakes {
        left,
        is_sent: &|step| write::was_sent(engine, step, memory),
        is_enrolling: &|_| true,
        moves: &decided.moves,
    };
    let held_back = due::waiting(engine, &decided.steps, &brakes);
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
        sent: pairs(&|row, workload| {
            let first_id = inventory.first_id(row);
            memory.last_write(first_id, workload).is_some()
        }),
        outside: pairs(&|row, workload| {
            let resource = inventory.resource_id(row);
            let staged = Staged::Workload(workload);
            resource.is_some_and(|resource| decided.rules.is_outside(staged, resource))
        }),
    }
}

/// Workloads for which a person must move the slider, or see to the pilot collection.
fn by_hand(workloads: &[Workload], readings: &Readings, shown: &Shown) -> BTreeSet<Workload> {
    let pilots = summary::pilot_states(readings);
    let needs_person = |workload: &&Workload| {
        let pilot = pilots.get(&Staged::Workload(**workload));
        shown.sliders[workload.index()] == ShownSlider::Contradicted
            || matches!(pilot, Some(PilotState::NotMarked | PilotState::Unsafe(_)))
    };
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
