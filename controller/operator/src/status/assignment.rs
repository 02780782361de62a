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
    old: &WorkloadAssignmentStatus,
) -> WorkloadAssignmentStatus {
    let assignment = engine.desired().assignment(index);
    let now: Timestamp = engine.now();
    let truths = vec![
        assignment_ready(assignment.force),
        Truth {
            kind: ConditionKind::Converged,
            holds: counts.pending == 0,
            reason: if counts.pending == 0 {
                "Converged"
            } else {
                "DevicesPending"
            },
            message: format!("{} of {} devices observed", counts.observed, counts.desired),
        },
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
