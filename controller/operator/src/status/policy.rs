//! The status of a `CoManagementPolicy`.

use diarchy_core::engine::Engine;
use diarchy_core::inference::ShownSlider;
use diarchy_core::tally::EnrollmentTally;
use diarchy_core::workload::{Staged, Workload};
use diarchy_crds::co_management_policy::{
    CoManagementPolicyStatus, CollectionState, EnrollmentStatus, ObservedEnrollment, SliderStatus,
};
use diarchy_fleet::site::pilot::PilotState;

use super::{Known, observed_slider, small};
use crate::condition::{ConditionKind, Truth, merge};
use crate::summary::{self, Shown};

pub(super) fn status(
    known: &Known<'_>,
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
    let ready = Truth {
        kind: ConditionKind::Ready,
        holds: report.manual_steps.is_empty(),
        reason: if report.manual_steps.is_empty() {
            "InPlace"
        } else {
            "ManualStepNeeded"
        },
        message: report
            .manual_steps
            .first()
            .cloned()
            .unwrap_or_else(|| "sliders and pilot collections are in their places".to_owned()),
    };
    CoManagementPolicyStatus {
        conditions: merge(&old.conditions, vec![ready], report.at),
        sliders: sliders.collect(),
        enrollment: enrollment(engine, pilots.get(&Staged::Enrollment), shown),
        manual_steps: report.manual_steps.clone(),
        ..CoManagementPolicyStatus::default()
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
