//! Counts of devices, by workload and by assignment: what statuses and tables show.

use serde::Serialize;

use crate::desired::{AssignmentIndex, Force};
use crate::engine::{BlockReason, Engine, Enrolling, Kept, Verdict};
use crate::ternary::Ternary;
use crate::workload::{Authority, Workload};

/// Counts of devices for one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadTally {
    /// Devices that the site's pilot collection has.
    pub assigned: usize,
    /// Devices that would be at Intune in the end.
    pub desired: usize,
    /// Devices that report Intune, of those that should be there.
    pub observed: usize,
    /// Devices that should be at Intune, do not report it, and are not online.
    pub offline: usize,
    /// Devices that would move to Intune.
    pub joining: usize,
    /// Devices that would move to Configuration Manager.
    pub leaving: usize,
    /// Devices that would pass to another assignment's collection.
    pub handed_over: usize,
    /// Devices that would change but do not.
    pub blocked: usize,
    /// Of those, devices of which something is not known.
    pub held: usize,
    /// Devices that something Diarchy did not make holds.
    pub foreign: usize,
    /// Devices that assignments which are gone hold.
    pub retained: usize,
}

/// Counts of devices for one assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentTally {
    /// Members of its group.
    pub selected: usize,
    /// Those that can be moved.
    pub eligible: usize,
    /// Those that its rollout has admitted.
    pub admitted: usize,
    /// Devices that are, or would be, where it wants them because of it.
    pub desired: usize,
    /// Of those, devices that the site's collections have there.
    pub assigned: usize,
    /// Of those, devices that report it.
    pub observed: usize,
    /// Of those that do not report it yet, devices that are not online.
    pub offline: usize,
    /// Of those that do not report it yet, devices that are online.
    pub pending: usize,
    /// Devices that would change because of it, but for something.
    pub blocked: usize,
    /// Of those, devices of which something is not known.
    pub held: usize,
    /// Devices that would move because of it.
    pub changing: usize,
    /// The most devices that would move if it did more than watch: some may be others' to win.
    pub watched: usize,
}

/// Counts of devices for the pilot of automatic enrolment: of those that the policy's group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentTally {
    /// Devices that are in the collection.
    pub members: usize,
    /// Devices that would join it.
    pub joining: usize,
    /// Devices that would join it, but for something.
    pub blocked: usize,
}

impl EnrollmentTally {
    /// Counts the devices of `engine`'s fleet; `None` where the policy has no device join.
    #[must_use]
    pub fn new(engine: &Engine<'_>) -> Option<Self> {
        let policy = engine.desired().policy.as_ref()?;
        policy.enrollment_pilot.as_ref()?;
        let mut tally = Self::default();
        for row in 0..engine.inventory().rows() {
            match engine.enrolling(row) {
                Enrolling::NotAsked => {}
                Enrolling::Member => tally.members += 1,
                Enrolling::Joins => tally.joining += 1,
                Enrolling::Blocked(_) => tally.blocked += 1,
            }
        }
        Some(tally)
    }
}

/// Counts of devices for a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// By [`Workload::index`].
    pub workloads: [WorkloadTally; 7],
    /// By [`AssignmentIndex`].
    pub assignments: Vec<AssignmentTally>,
}

impl Tally {
    /// Counts the devices of `engine`'s fleet. A device's report counts only where `is_evidence`
    /// says that it is newer than our last write for it.
    #[must_use]
    pub fn new(engine: &Engine<'_>, is_evidence: &dyn Fn(usize, Workload) -> bool) -> Self {
        let mut tally = Self {
            workloads: [WorkloadTally::default(); 7],
            assignments: (0..engine.desired().assignments.len())
                .map(|index| count_selected(engine, AssignmentIndex(index)))
                .collect(),
        };
        let workloads: Vec<Workload> = engine.desired().pilot_workloads().collect();
        for row in 0..engine.inventory().rows() {
            for workload in &workloads {
                if engine.is_touched(row, *workload) {
                    tally.count(engine, row, *workload, is_evidence(row, *workload));
                }
            }
        }
        tally
    }

    fn count(&mut self, engine: &Engine<'_>, row: usize, workload: Workload, is_evidence: bool) {
        let verdict = engine.verdict(row, workload);
        let holding = engine.holding(row, workload);
        let is_assigned = holding.is_some_and(|holding| !holding.is_empty());
        let report = if is_evidence {
            engine.inventory().observed(workload).get(row)
        } else {
            Ternary::Unknown
        };
        let is_online = engine.inventory().online.yes().contains(row);
        let counts = &mut self.workloads[workload.index()];
        counts.assigned += usize::from(is_assigned);
        counts.foreign += usize::from(holding.is_some_and(|holding| holding.foreign));
        counts.retained += usize::from(holding.is_some_and(|h| !h.retained.is_empty()));
        match &verdict {
            Verdict::Change {
                to: Authority::Intune,
                ..
            } => counts.joining += 1,
            Verdict::Change { .. } => counts.leaving += 1,
            Verdict::HandOver { .. } => counts.handed_over += 1,
            Verdict::Blocked { reason, .. } => {
                counts.blocked += 1;
                counts.held += usize::from(*reason == BlockReason::Held);
            }
            Verdict::Kept(_) | Verdict::Unmanaged | Verdict::Settled(_) => {}
        }
        let ends_at_intune = match &verdict {
            Verdict::Change { to, .. } => *to == Authority::Intune,
            _ => is_assigned,
        };
        if ends_at_intune {
            counts.desired += 1;
            counts.observed += usize::from(report == Ternary::Yes);
            counts.offline += usize::from(report != Ternary::Yes && !is_online);
        }
        self.count_assignment(engine, row, workload, &verdict, is_evidence);
    }

    fn count_assignment(
        &mut self,
        engine: &Engine<'_>,
        row: usize,
        workload: Workload,
        verdict: &Verdict,
        is_evidence: bool,
    ) {
        let (index, is_asked) = match verdict {
            Verdict::Kept(Kept::AsAsked(index)) | Verdict::HandOver { to: index } => (*index, true),
            Verdict::Change { to, because } => (
                *because,
                *to == engine.desired().assignment(*because).authority,
            ),
            Verdict::Blocked {
                because: Some(index),
                ..
            } => (*index, false),
            _ => return,
        };
        let assignment = engine.desired().assignment(index);
        if assignment.workload != workload {
            return;
        }
        let counts = &mut self.assignments[index.0];
        counts.changing += usize::from(matches!(verdict, Verdict::Change { .. }));
        if let Verdict::Blocked { reason, .. } = verdict {
            counts.blocked += 1;
            counts.held += usize::from(*reason == BlockReason::Held);
        }
        if !is_asked {
            return;
        }
        let holding = engine.holding(row, workload);
        let is_there = match assignment.authority {
            Authority::Intune => holding.is_some_and(|holding| holding.is_placed_by(index)),
            Authority::ConfigurationManager => {
                holding.is_some_and(crate::engine::Holding::is_empty)
            }
        };
        let report = engine.inventory().observed(workload).get(row);
        let wanted = Ternary::from(assignment.authority == Authority::Intune);
        let is_observed = is_evidence && report == wanted;
        // What no report ever says counts as it was assigned, for the fleet too.
        let has_arrived = is_observed || is_there && is_evidence && report != !wanted;
        let is_online = engine.inventory().online.yes().contains(row);
        // Nobody waits for what can never be moved.
        let is_eligible = engine.eligibility().judge(row).is_none();
        counts.desired += 1;
        counts.assigned += usize::from(is_there);
        counts.observed += usize::from(is_observed);
        counts.offline += usize::from(!is_observed && !is_online);
        counts.pending += usize::from(!has_arrived && is_online && is_eligible);
    }
}

fn count_selected(engine: &Engine<'_>, index: AssignmentIndex) -> AssignmentTally {
    let mut counts = AssignmentTally::default();
    let assignment = engine.desired().assignment(index);
    let Some(group) = assignment.group else {
        return counts;
    };
    for row in engine.groups().members(group).certain().ones() {
        let is_eligible = engine.eligibility().judge(row).is_none();
        counts.selected += 1;
        counts.eligible += usize::from(is_eligible);
        counts.admitted += usize::from(is_eligible && engine.has_admitted(index, row));
        let is_there = engine
            .holding(row, assignment.workload)
            .map(|holding| holding.is_empty() == (assignment.authority != Authority::Intune));
        counts.watched += usize::from(
            assignment.force == Force::Observing && is_eligible && is_there == Some(false),
        );
    }
    counts
}
