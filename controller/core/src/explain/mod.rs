//! Why a device is where it is: every step of a decision, down to the clause that settled it.

mod enrollment;
mod sentence;
mod trace;

pub use enrollment::EnrollmentExplanation;
pub use trace::{ClauseTrace, EntryTrace, GroupTrace};

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::desired::{AssignmentIndex, Force};
use crate::engine::{BlockReason, Engine, Ineligible, Outcome, Verdict};
use crate::obstacle::Obstacle;
use crate::requirement::Unmet;
use crate::resource::ObjectName;
use crate::selector::TextKey;
use crate::ternary::Ternary;
use crate::workload::{Authority, Slider, Workload};

/// Everything that decides about one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Its id.
    pub device: String,
    /// Its name, where one was read.
    pub name: Option<String>,
    /// The fleet.
    pub fleet: ObjectName,
    /// Whether it can be moved.
    pub eligible: bool,
    /// Why not.
    pub ineligible: Option<Ineligible>,
    /// One entry for each workload asked for.
    pub workloads: Vec<WorkloadExplanation>,
    /// Of automatic enrolment, where the policy has devices join its pilot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<EnrollmentExplanation>,
}

/// Everything that decides about one device and one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadExplanation {
    /// The workload.
    pub workload: Workload,
    /// Where the policy wants its slider.
    pub slider: Option<Slider>,
    /// Who should have authority; null where that is not managed or cannot be said.
    pub desired: Option<Authority>,
    /// Who has it by the site's collections; null where they were not read.
    pub assigned: Option<Authority>,
    /// Who holds the device in the pilot collection; null where it was not read.
    pub holders: Option<Vec<String>>,
    /// Who has it by the device's own report; null where that says nothing.
    pub observed: Option<Authority>,
    /// What would become of it, in a word: Unmanaged, Settled, Kept, Change, HandOver, Blocked.
    pub verdict: Cow<'static, str>,
    /// Why, in a word, where it is blocked.
    pub reason: Option<Cow<'static, str>>,
    /// The assignment that decides, as a plan names it.
    pub because: Option<String>,
    /// The same as a sentence.
    pub summary: String,
    /// What keeps the device from moving now, the first being the reason; empty where nothing does, or
    /// where only the rules are known and not what a loop has found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitExplanation>,
    /// The assignments that were looked at, in the order in which they are.
    pub assignments: Vec<AssignmentTrace>,
}

/// One thing that keeps a device from moving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitExplanation {
    /// What it is.
    #[serde(flatten)]
    pub obstacle: Obstacle,
    /// The same as a sentence, without a full stop.
    pub message: String,
    /// What gets on from there.
    pub way_on: String,
}

impl From<&Obstacle> for WaitExplanation {
    fn from(obstacle: &Obstacle) -> Self {
        Self {
            obstacle: obstacle.clone(),
            message: obstacle.to_string(),
            way_on: obstacle.way_on().to_string(),
        }
    }
}

/// What one assignment has to say about one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentTrace {
    /// The assignment, as a plan names it.
    pub assignment: String,
    /// The workload it is for: another one only where DeviceConfiguration decides for
    /// EndpointProtection.
    pub workload: Workload,
    /// Who it wants to have authority.
    pub authority: Authority,
    /// Higher wins.
    pub priority: i32,
    /// How far it counts.
    pub force: Cow<'static, str>,
    /// What of what it requires is not ready, or not known to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<Unmet>,
    /// Whether its group contains the device.
    pub contains: Ternary,
    /// Whether its own collection has the device; null where that was not read.
    pub placed: Option<bool>,
    /// Whether its rollout has admitted the device.
    pub admitted: bool,
    /// The clauses of `admitWhen`, where there are any.
    pub admit_when: Vec<ClauseTrace>,
    /// How its group comes to contain the device or not; null where the group is missing.
    pub group: Option<GroupTrace>,
}

/// Explains the device in `row`: all workloads, or those asked for.
#[must_use]
pub fn explain(engine: &Engine<'_>, row: usize, workloads: &[Workload]) -> Explanation {
    let inventory = engine.inventory();
    let ineligible = engine.eligibility().judge(row);
    Explanation {
        device: inventory.id(row).to_owned(),
        name: inventory
            .text(TextKey::Name)
            .get(row)
            .known()
            .map(ToString::to_string),
        fleet: engine.desired().fleet.clone(),
        eligible: ineligible.is_none(),
        ineligible,
        workloads: workloads
            .iter()
            .map(|workload| explain_workload(engine, row, *workload))
            .collect(),
        enrollment: enrollment::explain(engine, row),
    }
}

fn explain_workload(engine: &Engine<'_>, row: usize, workload: Workload) -> WorkloadExplanation {
    let verdict = engine.verdict(row, workload);
    let holding = engine.holding(row, workload);
    let name = |index: AssignmentIndex| engine.desired().assignment(index).name.as_assignment();
    let assigned = holding.map(|holding| {
        if holding.is_empty() {
            Authority::ConfigurationManager
        } else {
            Authority::Intune
        }
    });
    let holders = engine.inventory().assigned(workload).get(row).known();
    WorkloadExplanation {
        workload,
        slider: engine.desired().slider(workload),
        desired: desired(engine, row, workload, &verdict, assigned),
        assigned,
        holders: holders.map(|holders| holders.iter().map(ToString::to_string).collect()),
        observed: observed(engine, row, workload),
        verdict: verdict_word(&verdict).into(),
        reason: match &verdict {
            Verdict::Blocked { reason, .. } => Some(reason.name().into()),
            _ => None,
        },
        because: because(&verdict).map(name),
        summary: sentence::summary(engine, row, workload, &verdict),
        waits: Vec::new(),
        assignments: considered(engine, row, workload)
            .map(|index| trace_assignment(engine, row, workload, index))
            .collect(),
    }
}

/// The assignments whose say matters for `workload`: its own, and those of DeviceConfiguration for
/// EndpointProtection. Those that do not concern the device are left out unless nothing else is
/// there to explain why nobody asks for it.
fn considered<'e>(
    engine: &'e Engine<'_>,
    row: usize,
    workload: Workload,
) -> impl Iterator<Item = AssignmentIndex> + 'e {
    let configuration: &[AssignmentIndex] = if workload == Workload::EndpointProtection {
        engine.assignments_of(Workload::DeviceConfiguration)
    } else {
        &[]
    };
    let all: Vec<_> = engine
        .assignments_of(workload)
        .iter()
        .chain(configuration)
        .copied()
        .collect();
    let concerns = |index: &AssignmentIndex| {
        engine.contains(*index, row).is_possible()
            || engine
                .holding(row, workload)
                .is_some_and(|holding| holding.is_placed_by(*index))
    };
    let some = all.iter().any(concerns);
    let concerned: Vec<_> = all
        .into_iter()
        .filter(|index| !some || concerns(index))
        .collect();
    concerned.into_iter()
}

fn trace_assignment(
    engine: &Engine<'_>,
    row: usize,
    workload: Workload,
    index: AssignmentIndex,
) -> AssignmentTrace {
    let assignment = engine.desired().assignment(index);
    AssignmentTrace {
        assignment: assignment.name.as_assignment(),
        workload: assignment.workload,
        authority: assignment.authority,
        priority: assignment.priority,
        force: Cow::Borrowed(match assignment.force {
            Force::InForce => "InForce",
            Force::Frozen(_) => "Frozen",
            Force::Observing => "Observing",
        }),
        unmet: assignment.unmet.clone(),
        contains: engine.contains(index, row),
        placed: engine
            .holding(row, workload)
            .map(|holding| holding.is_placed_by(index)),
        admitted: engine.has_admitted(index, row),
        admit_when: assignment
            .admit_when
            .as_ref()
            .map(|selector| trace::clauses(engine, row, selector))
            .unwrap_or_default(),
        group: assignment
            .group
            .map(|group| trace::group(engine, row, group)),
    }
}

/// Who should have authority, as git asks; nobody can say while something about it is not known.
fn desired(
    engine: &Engine<'_>,
    row: usize,
    workload: Workload,
    verdict: &Verdict,
    assigned: Option<Authority>,
) -> Option<Authority> {
    match verdict {
        Verdict::Unmanaged => None,
        Verdict::Blocked { reason, .. } => match reason {
            BlockReason::AdmitWhen => assigned,
            BlockReason::Ineligible(_) | BlockReason::Foreign => engine.asked(row, workload),
            BlockReason::AmbiguousAssignment | BlockReason::Unread | BlockReason::Held => None,
        },
        Verdict::Settled(authority) | Verdict::Change { to: authority, .. } => Some(*authority),
        Verdict::HandOver { .. } => Some(Authority::Intune),
        Verdict::Kept(_) => assigned,
    }
}

fn observed(engine: &Engine<'_>, row: usize, workload: Workload) -> Option<Authority> {
    match engine.inventory().observed(workload).get(row) {
        Ternary::Yes => Some(Authority::Intune),
        Ternary::No => Some(Authority::ConfigurationManager),
        Ternary::Unknown => None,
    }
}

const fn verdict_word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Unmanaged => "Unmanaged",
        Verdict::Settled(_) => "Settled",
        Verdict::Kept(_) => "Kept",
        Verdict::Change { .. } => "Change",
        Verdict::HandOver { .. } => "HandOver",
        Verdict::Blocked { .. } => "Blocked",
    }
}

fn because(verdict: &Verdict) -> Option<AssignmentIndex> {
    match verdict {
        Verdict::Change { because, .. } => Some(*because),
        Verdict::HandOver { to } => Some(*to),
        Verdict::Blocked { because, .. } => *because,
        Verdict::Kept(crate::engine::Kept::AsAsked(winner)) => Some(*winner),
        Verdict::Kept(_) | Verdict::Unmanaged | Verdict::Settled(_) => None,
    }
}

impl Engine<'_> {
    /// Which assignment wins the device for `workload`, where its pilot collection was read.
    #[must_use]
    pub fn outcome(&self, row: usize, workload: Workload) -> Option<Outcome> {
        self.holding(row, workload)?;
        Some(self.contest(row, workload).outcome)
    }
}
