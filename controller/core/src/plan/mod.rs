//! What would change: the plan.

mod difference;
mod document;
mod summary;

pub use difference::{Difference, differences};
pub use document::PlanDocument;
pub use summary::{
    AssignmentLine, AssignmentState, BlockedLine, EnrollmentLine, PlanSummary, Still,
    WorkloadCounts, WorkloadLine,
};

use std::collections::BTreeSet;

use crate::desired::AssignmentIndex;
use crate::digest::Digest;
use crate::due::Due;
use crate::engine::{BlockReason, Engine, Enrolling, Kept, StayReason, Verdict};
use crate::guardrail::{self, Judgement};
use crate::steps::Step;
use crate::workload::{Authority, Workload};

/// One device that would change its authority for one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// The device's row in the inventory.
    pub row: usize,
    /// The workload.
    pub workload: Workload,
    /// Who would have authority; now it is the other one.
    pub to: Authority,
    /// The assignment that asks for it, or that holds it when nobody in force asks.
    pub because: AssignmentIndex,
}

/// One device that would pass to another assignment's collection, with Intune before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandOver {
    /// The device's row in the inventory.
    pub row: usize,
    /// The workload.
    pub workload: Workload,
    /// The assignment it would pass to.
    pub to: AssignmentIndex,
}

/// One device that would change, but for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// The device's row in the inventory.
    pub row: usize,
    /// The workload.
    pub workload: Workload,
    /// What stands in the way.
    pub reason: BlockReason,
    /// The assignment concerned, unless there are several.
    pub because: Option<AssignmentIndex>,
}

/// What would change for a fleet, each list by device id and then by workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Changes of authority.
    pub changes: Vec<Change>,
    /// Changes of owned collection only.
    pub hand_overs: Vec<HandOver>,
    /// What would change but does not.
    pub blocked: Vec<Blocked>,
    /// Rows of devices that would join the pilot of automatic enrolment.
    pub enrolling: Vec<usize>,
    /// Rows of devices that would join it, but for something.
    pub not_enrolling: Vec<(usize, BlockReason)>,
    /// Devices and workloads that would still be held by an assignment that is gone.
    pub retained: usize,
    /// Devices and workloads that something Diarchy did not make holds.
    pub foreign: usize,
    /// Devices and workloads that only assignments not in force hold.
    pub not_in_force: usize,
    /// Devices in the inventory.
    pub devices: usize,
    /// Devices that can be moved.
    pub eligible: usize,
    /// What the guardrails say of the changes.
    pub guardrails: Vec<Judgement>,
}

impl Plan {
    /// The plan that `engine`'s rules make.
    #[must_use]
    pub fn new(engine: &Engine<'_>) -> Self {
        let mut plan = Self {
            changes: Vec::new(),
            hand_overs: Vec::new(),
            blocked: Vec::new(),
            enrolling: Vec::new(),
            not_enrolling: Vec::new(),
            retained: 0,
            foreign: 0,
            not_in_force: 0,
            devices: engine.inventory().rows(),
            eligible: engine.eligibility().count(),
            guardrails: Vec::new(),
        };
        let workloads: Vec<Workload> = engine.desired().pilot_workloads().collect();
        for row in 0..plan.devices {
            for workload in &workloads {
                if engine.is_touched(row, *workload) {
                    plan.add(engine, row, *workload);
                }
            }
            match engine.enrolling(row) {
                Enrolling::Joins => plan.enrolling.push(row),
                Enrolling::Blocked(reason) => plan.not_enrolling.push((row, reason)),
                Enrolling::NotAsked | Enrolling::Member => {}
            }
        }
        plan.judge(engine);
        plan
    }

    fn judge(&mut self, engine: &Engine<'_>) {
        let co_managed = engine.eligibility().count_co_managed();
        let guardrails = &engine.desired().guardrails;
        self.guardrails = guardrail::judge(&self.changes, &self.enrolling, guardrails, co_managed);
    }

    /// Cuts the plan down to what is `due`: the next pass instead of the end state.
    pub fn keep(&mut self, engine: &Engine<'_>, due: &Due) {
        let pairs: BTreeSet<(usize, Workload)> = due.steps.iter().map(Step::pair).collect();
        self.changes
            .retain(|change| pairs.contains(&(change.row, change.workload)));
        self.hand_overs
            .retain(|hand_over| pairs.contains(&(hand_over.row, hand_over.workload)));
        self.enrolling.clone_from(&due.enrolling);
        self.judge(engine);
    }

    fn add(&mut self, engine: &Engine<'_>, row: usize, workload: Workload) {
        let verdict = engine.verdict(row, workload);
        if let Some(holding) = engine.holding(row, workload) {
            let moves = matches!(verdict, Verdict::Change { .. } | Verdict::HandOver { .. });
            self.foreign += usize::from(holding.foreign);
            self.retained += usize::from(!holding.retained.is_empty() && !moves);
        }
        match verdict {
            Verdict::Change { to, because } => self.changes.push(Change {
                row,
                workload,
                to,
                because,
            }),
            Verdict::HandOver { to } => self.hand_overs.push(HandOver { row, workload, to }),
            Verdict::Blocked { reason, because } => self.blocked.push(Blocked {
                row,
                workload,
                reason,
                because,
            }),
            Verdict::Kept(Kept::HeldBy(StayReason::NotInForce)) => self.not_in_force += 1,
            Verdict::Kept(_) | Verdict::Unmanaged | Verdict::Settled(_) => {}
        }
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes_nothing() && self.hand_overs.is_empty()
    }

    /// Whether no device would change its authority, nor join the pilot of automatic enrolment.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.changes.is_empty() && self.enrolling.is_empty()
    }

    /// How many changes there are to `authority`.
    #[must_use]
    pub fn count_to(&self, authority: Authority) -> usize {
        self.changes
            .iter()
            .filter(|change| change.to == authority)
            .count()
    }

    /// How many changes there are to `authority` for one workload.
    #[must_use]
    pub fn count_of(&self, workload: Workload, authority: Authority) -> usize {
        self.changes
            .iter()
            .filter(|change| change.workload == workload && change.to == authority)
            .count()
    }

    /// How many changes to its own workload an assignment asks for, or brings about by holding devices
    /// that nobody asks for any more.
    #[must_use]
    pub fn count_because(&self, engine: &Engine<'_>, because: AssignmentIndex) -> usize {
        let workload = engine.desired().assignment(because).workload;
        self.changes
            .iter()
            .filter(|change| change.workload == workload && change.because == because)
            .count()
    }

    /// How many devices would be handed over for one workload.
    #[must_use]
    pub fn handed_over(&self, workload: Workload) -> usize {
        self.hand_overs
            .iter()
            .filter(|hand_over| hand_over.workload == workload)
            .count()
    }

    /// How many devices and workloads are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.blocked
            .iter()
            .filter(|blocked| blocked.reason == BlockReason::Held)
            .count()
    }

    /// The digest of the changes, without clock or counts: what a person approves.
    #[must_use]
    pub fn digest(&self, engine: &Engine<'_>) -> Digest {
        digest(&self.changes, &self.enrolling, engine)
    }
}

/// The digest of some changes, and of rows that join the pilot of automatic enrolment, each in the
/// order of a plan.
#[must_use]
pub fn digest(changes: &[Change], enrolling: &[usize], engine: &Engine<'_>) -> Digest {
    let named: Vec<_> = changes
        .iter()
        .map(|change| document::named(change, engine))
        .collect();
    let enrolling: Vec<&str> = enrolling
        .iter()
        .map(|row| engine.inventory().id(*row))
        .collect();
    difference::digest_of(&named, &enrolling)
}
