//! A plan as counts and a few examples: what people are shown, wherever the devices are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::desired::{Assignment, AssignmentIndex, Force, FrozenBy, Mode, OnFailure};
use crate::digest::Digest;
use crate::engine::Engine;
use crate::guardrail::Judgement;
use crate::plan::Plan;
use crate::requirement::Unmet;
use crate::resource::ObjectName;
use crate::rollout;
use crate::tally::Tally;
use crate::workload::{Authority, Slider, Workload};

/// A plan as counts and a few examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// The fleet.
    pub fleet: ObjectName,
    /// The digest of the changes.
    pub digest: Digest,
    /// Devices in the inventory.
    pub devices: usize,
    /// Devices that can be moved.
    pub eligible: usize,
    /// Devices and workloads that would move to Intune.
    pub joining: usize,
    /// Devices and workloads that would move to Configuration Manager.
    pub leaving: usize,
    /// Devices and workloads that would pass to another assignment's collection.
    pub handed_over: usize,
    /// Devices and workloads that would stay where an assignment that is gone has put them.
    pub retained: usize,
    /// Every workload, in their order.
    pub workloads: Vec<WorkloadLine>,
    /// Every assignment, by name.
    pub assignments: Vec<AssignmentLine>,
    /// What would change, but for something.
    pub blocked: Vec<BlockedLine>,
    /// Of automatic enrolment, where the policy has devices join its pilot.
    pub enrollment: Option<EnrollmentLine>,
    /// What the guardrails say of the changes.
    pub guardrails: Vec<Judgement>,
    /// Why nothing of it would be written for now.
    pub still: Vec<Still>,
}

/// What becomes of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadLine {
    /// The workload.
    pub workload: Workload,
    /// Where the policy wants its slider; null where it is not managed.
    pub slider: Option<Slider>,
    /// Counts; null unless the slider leaves it to assignments.
    pub counts: Option<WorkloadCounts>,
}

/// Counts of devices for one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadCounts {
    /// Devices that the site's pilot collection has.
    pub in_pilot: usize,
    /// Devices that would move to Intune.
    pub joining: usize,
    /// Devices that would move to Configuration Manager.
    pub leaving: usize,
    /// Devices that would pass to another assignment's collection.
    pub handed_over: usize,
    /// Devices that would change but do not.
    pub blocked: usize,
}

impl WorkloadCounts {
    /// Devices that the pilot collection would have then.
    #[must_use]
    pub fn then_in_pilot(&self) -> usize {
        (self.in_pilot + self.joining).saturating_sub(self.leaving)
    }
}

/// What becomes of one assignment's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentLine {
    /// Its name within the fleet's namespace.
    pub name: String,
    /// Its workload.
    pub workload: Workload,
    /// Who it wants to have authority.
    pub authority: Authority,
    /// Higher wins.
    pub priority: i32,
    /// How far it counts.
    pub state: AssignmentState,
    /// Members of its group.
    pub selected: usize,
    /// Those that can be moved.
    pub eligible: usize,
    /// Devices that would move because of it.
    pub moving: usize,
    /// Devices that would change because of it, but for something.
    pub blocked: usize,
    /// Of those, devices of which something is not known.
    pub held: usize,
    /// What its rollout does when it fails, where it would move anybody to who shall have authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// What of what it requires is not ready, or not known to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<Unmet>,
}

/// How far an assignment counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AssignmentState {
    /// It is carried out.
    InForce,
    /// It is for a workload that Diarchy does not manage.
    NoEffect,
    /// It is only watched; it would move at most so many devices.
    Observing(usize),
    /// git suspends it.
    Suspended,
    /// A person has paused it.
    Paused,
    /// What it requires is not ready, or not known to be.
    WaitsForRequires,
    /// It is invalid.
    Invalid,
}

/// Devices that would change, but for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockedLine {
    /// What stands in the way, in a word.
    pub reason: String,
    /// The workload.
    pub workload: Workload,
    /// The assignment concerned; null where there are several.
    pub because: Option<String>,
    /// How many devices.
    pub devices: usize,
    /// One of them, by id.
    pub example: String,
}

/// What becomes of the pilot of automatic enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentLine {
    /// Its collection.
    pub collection: String,
    /// Devices that would join.
    pub joining: usize,
    /// By reason, devices that would join, but for it.
    pub blocked: BTreeMap<String, usize>,
}

/// Why nothing of a plan would be written for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Still {
    /// The fleet is suspended.
    Suspended,
    /// The fleet is only watched.
    Observed,
    /// A freeze is open.
    Frozen {
        /// What it is called.
        name: String,
        /// The first moment after it.
        to: Timestamp,
    },
}

impl PlanSummary {
    /// Sums up `plan`, which `engine` made, with the counts of `tally`.
    #[must_use]
    pub fn new(plan: &Plan, engine: &Engine<'_>, tally: &Tally) -> Self {
        Self {
            fleet: engine.desired().fleet.clone(),
            digest: plan.digest(engine),
            devices: plan.devices,
            eligible: plan.eligible,
            joining: plan.count_to(Authority::Intune),
            leaving: plan.count_to(Authority::ConfigurationManager),
            handed_over: plan.hand_overs.len(),
            retained: plan.retained,
            workloads: Workload::ALL
                .into_iter()
                .map(|workload| of_workload(workload, plan, engine, tally))
                .collect(),
            assignments: of_assignments(plan, engine, tally),
            blocked: blocked(plan, engine),
            enrollment: enrollment(plan, engine),
            guardrails: plan.guardrails.clone(),
            still: still(engine),
        }
    }

    /// Devices that would join the pilot of automatic enrolment.
    #[must_use]
    pub fn enrolling(&self) -> usize {
        self.enrollment.as_ref().map_or(0, |line| line.joining)
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes_nothing() && self.handed_over == 0
    }

    /// Whether no device would change its authority, nor join the pilot of automatic enrolment.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.joining + self.leaving + self.enrolling() == 0
    }

    /// What going back would undo of what rollouts would move, and what it would not, in a sentence.
    #[must_use]
    pub fn undone(&self) -> Option<String> {
        let rollouts: Vec<_> = self
            .assignments
            .iter()
            .filter_map(|line| Some((line.name.as_str(), line.on_failure?)))
            .collect();
        rollout::foretold(&rollouts)
    }
}

fn of_workload(
    workload: Workload,
    plan: &Plan,
    engine: &Engine<'_>,
    tally: &Tally,
) -> WorkloadLine {
    let slider = engine.desired().slider(workload);
    let counts = tally.workloads[workload.index()];
    let is_staged = slider == Some(Slider::PilotIntune);
    WorkloadLine {
        workload,
        slider,
        counts: is_staged.then(|| WorkloadCounts {
            in_pilot: counts.assigned,
            joining: plan.count_of(workload, Authority::Intune),
            leaving: plan.count_of(workload, Authority::ConfigurationManager),
            handed_over: plan.handed_over(workload),
            blocked: counts.blocked,
        }),
    }
}

fn of_assignments(plan: &Plan, engine: &Engine<'_>, tally: &Tally) -> Vec<AssignmentLine> {
    let assignments = engine.desired().assignments.iter().enumerate();
    assignments
        .map(|(at, assignment)| {
            let counts = tally.assignments[at];
            AssignmentLine {
                name: assignment.name.name.clone(),
                workload: assignment.workload,
                authority: assignment.authority,
                priority: assignment.priority,
                state: state(engine, assignment, counts.watched),
                selected: counts.selected,
                eligible: counts.eligible,
                moving: plan.count_because(engine, AssignmentIndex(at)),
                blocked: counts.blocked,
                held: counts.held,
                on_failure: on_failure(plan, assignment, AssignmentIndex(at)),
                unmet: assignment.unmet.clone(),
            }
        })
        .collect()
}

/// What the rollout of the assignment does when it fails. Who only leaves by it is not moved by the
/// rollout, and would not go back with it.
fn on_failure(plan: &Plan, assignment: &Assignment, index: AssignmentIndex) -> Option<OnFailure> {
    let rollout = assignment.rollout.as_ref()?;
    let mut changes = plan.changes.iter();
    let moves = changes.any(|change| change.because == index && change.to == assignment.authority);
    (moves && !rollout.steps.is_empty()).then_some(rollout.on_failure)
}

fn state(engine: &Engine<'_>, assignment: &Assignment, watched: usize) -> AssignmentState {
    match assignment.force {
        Force::Observing => AssignmentState::Observing(watched),
        Force::Frozen(FrozenBy::Suspend) => AssignmentState::Suspended,
        Force::Frozen(FrozenBy::Pause) => AssignmentState::Paused,
        Force::Frozen(FrozenBy::Requires) => AssignmentState::WaitsForRequires,
        Force::Frozen(FrozenBy::Invalid) => AssignmentState::Invalid,
        Force::InForce if engine.desired().slider(assignment.workload).is_none() => {
            AssignmentState::NoEffect
        }
        Force::InForce => AssignmentState::InForce,
    }
}

fn blocked(plan: &Plan, engine: &Engine<'_>) -> Vec<BlockedLine> {
    let mut causes: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for blocked in &plan.blocked {
        let cause = (blocked.reason.name(), blocked.workload, blocked.because);
        causes.entry(cause).or_insert((0, blocked.row)).0 += 1;
    }
    let name = |index| engine.desired().assignment(index).name.name.clone();
    causes
        .into_iter()
        .map(
            |((reason, workload, because), (devices, example))| BlockedLine {
                reason: reason.to_owned(),
                workload,
                because: because.map(name),
                devices,
                example: engine.inventory().id(example).to_owned(),
            },
        )
        .collect()
}

fn enrollment(plan: &Plan, engine: &Engine<'_>) -> Option<EnrollmentLine> {
    let policy = engine.desired().policy.as_ref()?;
    let collection = policy.enrollment_pilot.as_ref()?.collection.clone();
    let mut blocked = BTreeMap::new();
    for (_, reason) in &plan.not_enrolling {
        *blocked.entry(reason.name().to_owned()).or_default() += 1;
    }
    Some(EnrollmentLine {
        collection,
        joining: plan.enrolling.len(),
        blocked,
    })
}

fn still(engine: &Engine<'_>) -> Vec<Still> {
    let desired = engine.desired();
    let suspended = desired.suspend.then_some(Still::Suspended);
    let observed = (desired.mode == Mode::Observe).then_some(Still::Observed);
    let freeze = desired.guardrails.open_freeze(engine.now());
    let frozen = freeze.map(|freeze| Still::Frozen {
        name: freeze.name.clone(),
        to: freeze.to,
    });
    suspended
        .into_iter()
        .chain(observed)
        .chain(frozen)
        .collect()
}
