//! The status of a `WorkloadAssignment`.

use diarchy_core::desired::{AssignmentIndex, Force, FrozenBy};
use diarchy_core::engine::Engine;
use diarchy_core::tally::AssignmentTally;
use diarchy_crds::workload_assignment::{AssignmentDevices, WorkloadAssignmentStatus};
use jiff::Timestamp;

use super::small;
use crate::condition::{ConditionKind, Truth, merge};

pub(super) fn status(
    engine: &Engine<'_>,
    index: AssignmentIndex,
    counts: AssignmentTally,
    outside: usize,
    old: &WorkloadAssignmentStatus,
) -> WorkloadAssignmentStatus {
    let assignment = engine.desired().assignment(index);
    let now: Timestamp = engine.now();
    let truths = vec![
        assignment_ready(assignment.force),
        converged(counts, outside),
    ];
    WorkloadAssignmentStatus {
        conditions: merge(&old.conditions, truths, now),
        devices: Some(AssignmentDevices {
            selected: small(counts.selected),
            eligible: small(counts.eligible),
            admitted: small(counts.admitted),
            desired: small(counts.desired),
            assigned: small(counts.assigned),
            observed: small(counts.observed),
            offline: small(counts.offline),
            pending: small(counts.pending),
            failed: 0,
            held: small(counts.held),
        }),
        ..WorkloadAssignmentStatus::default()
    }
}

/// `outside` of the devices that are pending can never arrive, until a person changes the pilot's
/// limiting collection.
fn converged(counts: AssignmentTally, outside: usize) -> Truth {
    let holds = counts.pending <= outside;
    let observed = format!("{} of {} devices observed", counts.observed, counts.desired);
    let message = match outside {
        0 => observed,
        _ => format!("{observed}; the pilot's limiting collection lacks {outside} of them"),
    };
    Truth {
        kind: ConditionKind::Converged,
        holds,
        reason: if holds { "Converged" } else { "DevicesPending" },
        message,
    }
}

fn assignment_ready(force: Force) -> Truth {
    let (holds, reason, message) = match force {
        Force::InForce => (true, "InForce", "it is carried out"),
        Force::Observing => (true, "Observing", "it only watches"),
        Force::Frozen(FrozenBy::Suspend) => (true, "Suspended", "git suspends it"),
        Force::Frozen(FrozenBy::Pause) => (true, "Paused", "a person paused it"),
        Force::Frozen(FrozenBy::Invalid) => (false, "Invalid", "it is wrong and stands still"),
        Force::Frozen(FrozenBy::Requires) => (
            false,
            "DependencyNotReady",
            "what it requires cannot be judged yet",
        ),
    };
    Truth {
        kind: ConditionKind::Ready,
        holds,
        reason,
        message: message.to_owned(),
    }
}
