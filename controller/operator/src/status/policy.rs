//! The status of a `CoManagementPolicy`.

use diarchy_core::engine::Engine;
use diarchy_core::inference::ShownSlider;
use diarchy_core::tally::EnrollmentTally;
use diarchy_core::workload::{Staged, Workload};
use diarchy_crds::co_management_policy::{
    CoManagementPolicyStatus, CollectionState, EnrollmentStatus, ObservedEnrollment, SliderStatus,
};
use diarchy_fleet::site::pilot::PilotState;

use super::judged::Judged;
use super::trouble::Trouble;
use super::{Known, observed_slider, small};
use crate::condition::merge;
use crate::report::FleetReport;
use crate::summary::{self, Shown};

pub(super) fn status(
    known: &Known<'_>,
    trouble: Option<Trouble<'_>>,
    old: &CoManagementPolicyStatus,
) -> CoManagementPolicyStatus {
    let Known {
        readings,
        shown,
        report,
        ..
    } = *known;
    let engine = known.engine();
    let pilots = summary::pilot_states(readings);
    let sliders = Workload::ASSIGNABLE.into_iter().filter_map(|workload| {
        let desired = engine.desired().slider(workload)?;
        let status = SliderStatus {
            desired: Some(desired),
            observed: Some(observed_slider(desired, shown, workload)),
            collection: pilots.get(&workload.into()).map(collection_state),
        };
        Some((workload, status))
    });
    let judged = judge(report, trouble);
    CoManagementPolicyStatus {
        conditions: merge(&old.conditions, judged.truths().to_vec(), report.at),
        sliders: sliders.collect(),
        enrollment: enrollment(engine, pilots.get(&Staged::Enrollment), shown),
        manual_steps: report.manual_steps.clone(),
        ..CoManagementPolicyStatus::default()
    }
}

fn judge(report: &FleetReport, trouble: Option<Trouble<'_>>) -> Judged {
    if let Some(step) = report.manual_steps.first() {
        return Judged::by_person("ManualStepNeeded", step.clone());
    }
    match trouble {
        Some(trouble) => trouble.of_dependent(),
        None => Judged::ready(
            "InPlace",
            "sliders and pilot collections are in their places".to_owned(),
        ),
    }
}

/// What is known of automatic enrolment, where the policy says something of it.
fn enrollment(
    engine: &Engine<'_>,
    pilot: Option<&PilotState>,
    shown: &Shown,
) -> Option<EnrollmentStatus> {
    let desired = engine.desired().policy.as_ref()?.enrollment.automatic?;
    let counts = EnrollmentTally::new(engine).unwrap_or_default();
    Some(EnrollmentStatus {
        desired: Some(desired),
        observed: Some(match shown.enrollment {
            ShownSlider::AsDesired => ObservedEnrollment::AsDesired,
            ShownSlider::Contradicted => ObservedEnrollment::Contradicted,
            ShownSlider::Unknown => ObservedEnrollment::Unknown,
        }),
        collection: pilot.map(collection_state),
        members: small(counts.members),
        joining: small(counts.joining),
        blocked: small(counts.blocked),
    })
}

fn collection_state(state: &PilotState) -> CollectionState {
    match state {
        PilotState::Marked => CollectionState::Marked,
        PilotState::NotMarked => CollectionState::NotMarked,
        PilotState::Unsafe(_) => CollectionState::Unsafe,
        PilotState::Unreadable(_) => CollectionState::Unreadable,
    }
}
