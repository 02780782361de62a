//! A plan as `diarchy plan -o json` prints it.

use serde::Serialize;

use crate::desired::AssignmentIndex;
use crate::digest::Digest;
use crate::engine::{BlockReason, Engine};
use crate::guardrail::Judgement;
use crate::plan::difference::{Difference, digest_of};
use crate::plan::{Change, Plan};
use crate::resource::Kind;
use crate::workload::{Authority, Workload};

/// A plan with names instead of numbers, in the form and order that its readers rely on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument<'a> {
    digest: Digest,
    counts: Counts,
    changes: Vec<Difference>,
    blocked: Vec<BlockedEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment: Option<EnrollmentEntry<'a>>,
    retained: usize,
    foreign: usize,
    not_in_force: usize,
    guardrails: &'a [Judgement],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    devices: usize,
    eligible: usize,
    changes: usize,
    joining: usize,
    leaving: usize,
    handed_over: usize,
    blocked: usize,
    held: usize,
}

/// Who would join the pilot of automatic enrolment.
#[derive(Debug, Serialize)]
struct EnrollmentEntry<'a> {
    because: String,
    joining: Vec<&'a str>,
    blocked: Vec<EnrollmentBlocked<'a>>,
}

#[derive(Debug, Serialize)]
struct EnrollmentBlocked<'a> {
    device: &'a str,
    reason: BlockReason,
}

#[derive(Debug, Serialize)]
struct BlockedEntry<'a> {
    device: &'a str,
    workload: Workload,
    reason: BlockReason,
    because: Option<String>,
}

impl<'a> PlanDocument<'a> {
    /// The document of `plan`, which `engine` made.
    #[must_use]
    pub fn new(plan: &'a Plan, engine: &'a Engine<'a>) -> Self {
        let changes = plan.changes.iter().map(|change| named(change, engine));
        Self::of(changes.collect(), &plan.enrolling, plan, engine)
    }

    /// The document of what a change of revision makes different, where `plan` is that of the new
    /// one: its changes and the rows that join the pilot of automatic enrolment are the differences,
    /// all else is the plan's.
    #[must_use]
    pub fn of(
        changes: Vec<Difference>,
        enrolling: &[usize],
        plan: &'a Plan,
        engine: &'a Engine<'a>,
    ) -> Self {
        let inventory = engine.inventory();
        let enrolling: Vec<&str> = enrolling.iter().map(|row| inventory.id(*row)).collect();
        let name = |index: AssignmentIndex| engine.desired().assignment(index).name.as_assignment();
        let joining = changes
            .iter()
            .filter(|change| change.to == Authority::Intune);
        let joining = joining.count();
        Self {
            digest: digest_of(&changes, &enrolling),
            counts: Counts {
                devices: plan.devices,
                eligible: plan.eligible,
                changes: changes.len(),
                joining,
                leaving: changes.len() - joining,
                handed_over: plan.hand_overs.len(),
                blocked: plan.blocked.len(),
                held: plan.held(),
            },
            changes,
            blocked: plan
                .blocked
                .iter()
                .map(|blocked| BlockedEntry {
                    device: engine.inventory().id(blocked.row),
                    workload: blocked.workload,
                    reason: blocked.reason,
                    because: blocked.because.map(name),
                })
                .collect(),
            enrollment: enrollment(enrolling, plan, engine),
            retained: plan.retained,
            foreign: plan.foreign,
            not_in_force: plan.not_in_force,
            guardrails: &plan.guardrails,
        }
    }
}

/// Who would join the pilot of automatic enrolment, where the policy asks for that.
fn enrollment<'a>(
    joining: Vec<&'a str>,
    plan: &Plan,
    engine: &'a Engine<'a>,
) -> Option<EnrollmentEntry<'a>> {
    let policy = engine.desired().policy.as_ref()?;
    policy.enrollment_pilot.as_ref()?;
    Some(EnrollmentEntry {
        because: format!("{}/{}", Kind::CoManagementPolicy, policy.name),
        joining,
        blocked: plan
            .not_enrolling
            .iter()
            .map(|(row, reason)| EnrollmentBlocked {
                device: engine.inventory().id(*row),
                reason: *reason,
            })
            .collect(),
    })
}

/// A change with names instead of numbers.
pub(super) fn named(change: &Change, engine: &Engine<'_>) -> Difference {
    Difference {
        device: engine.inventory().id(change.row).to_owned(),
        workload: change.workload,
        from: change.to.other(),
        to: change.to,
        because: engine
            .desired()
            .assignment(change.because)
            .name
            .as_assignment(),
    }
}
