//! What no service reports and devices give away.
//!
//! A device that was enrolled in Intune before Configuration Manager knew it ignores the sliders and
//! keeps every workload at Intune (memdocs: comanage/autopilot-enrollment.md). Nothing says so; it
//! shows by contradicting slider and collection.

use crate::desired::{AutomaticEnrollment, Policy};
use crate::fact::Fact;
use crate::inventory::Device;
use crate::workload::{Slider, Workload, WorkloadSet};

/// Where the devices show a slider to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShownSlider {
    /// Most devices report what the slider and their collections say.
    AsDesired,
    /// Most devices report otherwise: somebody has moved the slider, or moved it and not said so.
    Contradicted,
    /// Too few devices report anything.
    Unknown,
}

/// Fewer reports than this show nothing about a setting.
const LEAST_REPORTS: usize = 5;

/// How the devices show automatic enrolment to be set, where the policy wants it to be `desired`.
///
/// No call tells the setting. What shows it are devices that are about to enrol (`scheduled`): with
/// None there are none, and with Pilot only members of the pilot collection (`pilot_members`). That
/// no device is about to enrol shows nothing. `None` is what could not be read.
#[must_use]
pub fn shown_enrollment(
    desired: AutomaticEnrollment,
    scheduled: Option<usize>,
    pilot_members: Option<usize>,
) -> ShownSlider {
    let allowed = match desired {
        AutomaticEnrollment::All => Some(usize::MAX),
        AutomaticEnrollment::Pilot => pilot_members,
        AutomaticEnrollment::None => Some(0),
    };
    match (scheduled, allowed) {
        (None | Some(0), _) | (_, None) => ShownSlider::Unknown,
        (Some(scheduled), Some(allowed)) => {
            if scheduled >= allowed.saturating_add(LEAST_REPORTS) {
                ShownSlider::Contradicted
            } else if scheduled <= allowed {
                ShownSlider::AsDesired
            } else {
                ShownSlider::Unknown
            }
        }
    }
}

/// For each workload, by [`Workload::index`], whether devices contradict the policy's slider.
///
/// Reports that a write of ours may have overtaken are left out, as `is_in_flight` says.
#[must_use]
pub fn shown_sliders(
    policy: &Policy,
    devices: &[Device],
    is_in_flight: &dyn Fn(&Device, Workload) -> bool,
) -> [ShownSlider; 7] {
    Workload::ALL.map(|workload| {
        let reports = reports(policy, devices, workload, is_in_flight);
        if reports.agreeing + reports.contradicting < LEAST_REPORTS {
            ShownSlider::Unknown
        } else if reports.contradicting > reports.agreeing {
            ShownSlider::Contradicted
        } else {
            ShownSlider::AsDesired
        }
    })
}

/// For each workload, by [`Workload::index`], how many devices report otherwise than slider and
/// collection say: those that a slider in its place would move.
#[must_use]
pub fn count_contradicting(
    policy: &Policy,
    devices: &[Device],
    is_in_flight: &dyn Fn(&Device, Workload) -> bool,
) -> [usize; 7] {
    Workload::ALL.map(|workload| reports(policy, devices, workload, is_in_flight).contradicting)
}

/// How many devices report what slider and collection say, and how many otherwise.
struct Reports {
    agreeing: usize,
    contradicting: usize,
}

fn reports(
    policy: &Policy,
    devices: &[Device],
    workload: Workload,
    is_in_flight: &dyn Fn(&Device, Workload) -> bool,
) -> Reports {
    let mut reports = Reports {
        agreeing: 0,
        contradicting: 0,
    };
    for device in devices {
        let expected = expected_at_intune(policy, device, workload);
        let Some((expected, reported)) = expected.zip(reported(device, workload)) else {
            continue;
        };
        if is_in_flight(device, workload) {
            continue;
        }
        if expected == reported {
            reports.agreeing += 1;
        } else {
            reports.contradicting += 1;
        }
    }
    reports
}

/// Marks the devices that ignore the sliders: every report of theirs that slider and collection say
/// should be Configuration Manager's says Intune's, and there is at least one.
///
/// Workloads whose slider most devices contradict prove nothing about one of them.
pub fn infer_enrolled_first(
    policy: &Policy,
    devices: &mut [Device],
    is_in_flight: &dyn Fn(&Device, Workload) -> bool,
) {
    let shown = shown_sliders(policy, devices, is_in_flight);
    let telling: WorkloadSet = Workload::ASSIGNABLE
        .into_iter()
        .filter(|workload| shown[workload.index()] != ShownSlider::Contradicted)
        .collect();
    for device in devices {
        let mut proofs = telling.iter().filter_map(|workload| {
            let expected = expected_at_intune(policy, device, workload)?;
            (!expected && !is_in_flight(device, workload))
                .then(|| reported(device, workload))
                .flatten()
        });
        let ignores = proofs
            .next()
            .is_some_and(|first| first && proofs.all(|at_intune| at_intune));
        device.enrolled_first = Fact::Known(ignores);
    }
}

/// Whether slider and collection together give the workload to Intune on this device.
fn expected_at_intune(policy: &Policy, device: &Device, workload: Workload) -> Option<bool> {
    match policy.slider(workload)? {
        Slider::Intune => Some(true),
        Slider::ConfigurationManager => Some(false),
        Slider::PilotIntune if device.assigned_unread.contains(workload) => None,
        Slider::PilotIntune => match &device.assigned {
            Fact::Unread => None,
            Fact::Absent => Some(false),
            Fact::Known(assigned) => Some(
                assigned
                    .get(&workload)
                    .is_some_and(|holders| !holders.is_empty()),
            ),
        },
    }
}

fn reported(device: &Device, workload: Workload) -> Option<bool> {
    if device.observed_unread.contains(workload) {
        return None;
    }
    let observed = device.observed.as_ref().known()?;
    Some(observed.contains(workload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Enrollment, Prerequisites, WorkloadSlider};
    use crate::resource::ObjectName;

    fn policy(workloads: &[(Workload, Slider)]) -> Policy {
        let mut policy = Policy {
            name: ObjectName::new("contoso", "contoso"),
            enrollment: Enrollment::default(),
            enrollment_pilot: None,
            prerequisites: Prerequisites::default(),
            workloads: Default::default(),
        };
        for (workload, slider) in workloads {
            policy.workloads[workload.index()] = Some(WorkloadSlider {
                slider: *slider,
                pilot_collection: None,
            });
        }
        policy
    }

    fn device(id: usize, observed: &[Workload]) -> Device {
        Device {
            id: format!("d{id}"),
            assigned: Fact::Absent,
            observed: Fact::Known(observed.iter().copied().collect()),
            ..Device::default()
        }
    }

    #[test]
    fn one_that_contradicts_everything_ignores_the_sliders() {
        let policy = policy(&[
            (Workload::ClientApps, Slider::PilotIntune),
            (Workload::OfficeClickToRun, Slider::ConfigurationManager),
        ]);
        let mut devices: Vec<Device> = (0..9).map(|id| device(id, &[])).collect();
        devices.push(device(
            9,
            &[Workload::ClientApps, Workload::OfficeClickToRun],
        ));
        devices.push(device(10, &[Workload::ClientApps]));
        infer_enrolled_first(&policy, &mut devices, &|_, _| false);
        let inferred: Vec<&str> = devices
            .iter()
            .filter(|device| device.enrolled_first == Fact::Known(true))
            .map(|device| device.id.as_str())
            .collect();
        assert_eq!(inferred, ["d9"]);
    }

    #[test]
    fn more_devices_about_to_enrol_than_a_setting_lets_contradict_it() {
        use AutomaticEnrollment::{All, None as Nobody, Pilot};
        use ShownSlider::{AsDesired, Contradicted, Unknown};
        for (desired, scheduled, members, shown) in [
            (All, Some(900), None, AsDesired),
            (All, Some(0), None, Unknown),
            (All, None, None, Unknown),
            (Pilot, Some(20), Some(20), AsDesired),
            (Pilot, Some(24), Some(20), Unknown),
            (Pilot, Some(25), Some(20), Contradicted),
            (Pilot, Some(25), None, Unknown),
            (Nobody, Some(0), None, Unknown),
            (Nobody, Some(4), None, Unknown),
            (Nobody, Some(5), None, Contradicted),
        ] {
            let found = shown_enrollment(desired, scheduled, members);
            assert_eq!(found, shown, "{desired:?} {scheduled:?} {members:?}");
        }
    }

    #[test]
    fn a_slider_that_somebody_moved_is_held_against_no_device() {
        let policy = policy(&[(Workload::ClientApps, Slider::PilotIntune)]);
        let mut devices: Vec<Device> = (0..9)
            .map(|id| device(id, &[Workload::ClientApps]))
            .collect();
        let shown = shown_sliders(&policy, &devices, &|_, _| false);
        assert_eq!(
            shown[Workload::ClientApps.index()],
            ShownSlider::Contradicted
        );
        infer_enrolled_first(&policy, &mut devices, &|_, _| false);
        assert!(
            devices
                .iter()
                .all(|d| d.enrolled_first == Fact::Known(false))
        );
    }
}
