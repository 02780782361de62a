//! The status of a `WorkloadAssignment`.

use diarchy_core::tally::AssignmentTally;
use diarchy_crds::workload_assignment::{AssignmentDevices, WorkloadAssignmentStatus};
use jiff::Timestamp;

use super::small;
use super::standing::Standing;
use crate::condition::{ConditionKind, Truth, merge};

pub(super) fn status(
    now: Timestamp,
    standing: &Standing<'_>,
    counts: AssignmentTally,
    outside: usize,
    old: &WorkloadAssignmentStatus,
) -> WorkloadAssignmentStatus {
    let [ready, stalled, reconciling] = standing.judge().truths();
    let truths = vec![ready, converged(counts, outside), stalled, reconciling];
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
