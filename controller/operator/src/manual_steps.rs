//! What a person has to do at the console, which no service lets a program do.

use diarchy_core::consequence::Consequence;
use diarchy_core::desired::{AutomaticEnrollment, Desired, Policy};
use diarchy_core::inference::ShownSlider;
use diarchy_core::workload::{Slider, Workload};
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::site::pilot::PilotState;

use crate::summary::Shown;

/// What a person has to do at the console, as exact steps.
pub fn manual_steps(desired: &Desired, readings: &Readings, shown: &Shown) -> Vec<String> {
    let Some(policy) = &desired.policy else {
        return Vec::new();
    };
    let mut steps: Vec<String> = enrollment_step(policy, shown).into_iter().collect();
    for workload in Workload::ASSIGNABLE {
        let Some(slider) = policy.slider(workload) else {
            continue;
        };
        if shown.sliders[workload.index()] == ShownSlider::Contradicted {
            let place = match slider {
                Slider::ConfigurationManager => "Configuration Manager",
                Slider::PilotIntune => "Pilot Intune",
                Slider::Intune => "Intune",
            };
            steps.push(format!(
                "Administration > Cloud Services > Cloud Attach > Properties > Workloads: move {} to {place} (would move {} devices)",
                workload.console_name(),
                shown.contradicting[workload.index()],
            ));
        }
    }
    let Ok(state) = &readings.site.state else {
        return steps;
    };
    for (staged, pilot) in &state.pilots {
        let id = pilot.id.as_str();
        match &pilot.state {
            PilotState::NotMarked => steps.push(format!(
                "Assets and Compliance > Device Collections > {id} > Properties: write `diarchy: {}/{staged}` into the Comment, so that Diarchy may write to it",
                desired.fleet.name
            )),
            PilotState::Unsafe(hazards) => {
                let hazards: Vec<String> = hazards.iter().map(ToString::to_string).collect();
                steps.push(format!(
                    "Assets and Compliance > Device Collections > {id}: the pilot collection of {staged} is not safe to write to: {}",
                    hazards.join("; ")
                ));
            }
            PilotState::Unreadable(error) if error.consequence() == Consequence::FixInput => {
                steps.push(format!(
                    "The pilot collection {id} of {staged} cannot be read: {error}"
                ));
            }
            // What passes by itself is tried again, and nobody has to do anything.
            PilotState::Marked | PilotState::Unreadable(_) => {}
        }
    }
    steps
}

/// What a person has to do about automatic enrolment.
fn enrollment_step(policy: &Policy, shown: &Shown) -> Option<String> {
    if shown.enrollment != ShownSlider::Contradicted {
        return None;
    }
    let setting = match policy.enrollment.automatic? {
        AutomaticEnrollment::None => "None",
        AutomaticEnrollment::Pilot => "Pilot",
        AutomaticEnrollment::All => "All",
    };
    Some(format!(
        "Administration > Cloud Services > Cloud Attach > Properties > Enablement: set Automatic enrollment in Intune to {setting} ({} devices are about to enrol)",
        shown.scheduled.unwrap_or_default(),
    ))
}
