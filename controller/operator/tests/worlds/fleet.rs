//! A world as it begins: devices, the site, and the first revision.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_simulator::{Mishap, MishapKind, Setup, Slider, SliderSetup, Truth, Workload};
use jiff::Timestamp;

use crate::draw::Draw;
use crate::repository::{Assignment, Fleet, Group, Repository, Rollout, Step, pilot};

/// When every world begins: a Monday.
pub fn beginning() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().expect("a time")
}

/// Which workloads a world is about. DeviceConfiguration never goes without EndpointProtection.
const PILOTS: [&[Workload]; 6] = [
    &[Workload::WindowsUpdatePolicies],
    &[Workload::ClientApps],
    &[Workload::WindowsUpdatePolicies, Workload::OfficeClickToRun],
    &[Workload::DeviceConfiguration, Workload::EndpointProtection],
    &[Workload::EndpointProtection],
    &[
        Workload::DeviceConfiguration,
        Workload::EndpointProtection,
        Workload::ClientApps,
    ],
];

/// The site and its devices.
pub fn setup(draw: &mut Draw, seed: u64) -> Setup {
    let devices = u32::try_from(draw.between(10, 48)).expect("few");
    let mut setup = Setup::new(seed, devices);
    for workload in *draw.pick(&PILOTS) {
        setup = setup.with_pilot(*workload, &pilot(*workload));
    }
    if draw.happens(60) {
        let everybody = SliderSetup {
            slider: Slider::Intune,
            pilot_collection: None,
        };
        setup
            .workloads
            .insert(Workload::CompliancePolicies, everybody);
    }
    if draw.happens(45) {
        let pilots = pilots(&setup);
        setup.mishaps.push(Mishap {
            workload: *draw.pick(&pilots),
            share: u32::try_from(draw.between(50, 600)).expect("a share"),
            what: *draw.pick(&MishapKind::ALL),
        });
    }
    setup
}

/// How many rules may change in an hour, in some worlds. It is drawn apart, so that whatever else a seed
/// decides stays as it is.
fn pace(seed: u64) -> Option<usize> {
    let mut draw = Draw::new(!seed);
    draw.happens(25).then(|| draw.between(2, 12))
}

fn pilots(setup: &Setup) -> Vec<Workload> {
    let staged = setup.workloads.iter();
    staged
        .filter(|(_, setup)| setup.pilot_collection.is_some())
        .map(|(workload, _)| *workload)
        .collect()
}

/// The first revision.
pub fn first(draw: &mut Draw, seed: u64, setup: &Setup, truths: &[Truth]) -> Repository {
    let mut repository = Repository {
        fleet: Fleet {
            suspended: false,
            observes: false,
            max_changed: draw.between(3, 30),
            max_leaving: draw.between(2, 12),
            pace: pace(seed),
            freeze: None,
        },
        pilots: pilots(setup),
        judges_compliance: setup.workloads.contains_key(&Workload::CompliancePolicies),
        groups: BTreeMap::new(),
        assignments: BTreeMap::new(),
        is_broken: false,
    };
    for number in 0..draw.between(1, 3) {
        let group = group(draw, truths, number);
        repository.groups.insert(format!("g{number}"), group);
    }
    for number in 0..draw.between(1, 4) {
        add_assignment(draw, &mut repository, number);
    }
    if let Some(first) = repository.assignments.values_mut().next() {
        (first.to_intune, first.suspended, first.observes) = (true, false, false);
    }
    without_contradiction(&mut repository);
    repository
}

/// A group of some of the devices; the first ones may be left out of later ones.
fn group(draw: &mut Draw, truths: &[Truth], number: usize) -> Group {
    let digits: BTreeSet<usize> = (0..draw.between(1, 6)).map(|_| draw.below(10)).collect();
    let serials = (0..draw.below(3))
        .filter_map(|_| serial(draw, truths))
        .collect();
    Group {
        digits,
        serials,
        without: (number > 0 && draw.happens(20)).then(|| "g0".to_owned()),
    }
}

/// The serial number of some device. One that two records have names neither of them.
pub fn serial(draw: &mut Draw, truths: &[Truth]) -> Option<String> {
    let truth = draw.pick(truths);
    let is_one = truth.intune_duplicate_id.is_none();
    is_one.then(|| truth.serial_number.clone())
}

/// Adds an assignment, if there is room for one with this number.
pub fn add_assignment(draw: &mut Draw, repository: &mut Repository, number: usize) {
    let groups: Vec<_> = repository.groups.keys().cloned().collect();
    let assignment = Assignment {
        workload: *draw.pick(&repository.pilots),
        group: draw.pick(&groups).clone(),
        to_intune: draw.happens(75),
        // One that comes back has another place in the order than it had.
        priority: draw.below(50) * 4 + number,
        suspended: draw.happens(8),
        observes: draw.happens(8),
        reverts: draw.happens(50),
        rollout: draw.happens(65).then(|| rollout(draw)),
    };
    repository
        .assignments
        .insert(format!("a{number}"), assignment);
}

/// Some steps before everybody.
pub fn rollout(draw: &mut Draw) -> Rollout {
    let mut devices = 0;
    let steps = (0..draw.between(1, 2))
        .map(|_| {
            devices += draw.between(1, 5);
            Step {
                devices,
                soak_hours: 6 * draw.between(1, 5),
                needs_approval: draw.happens(25),
            }
        })
        .collect();
    let from = draw.between(0, 14);
    Rollout {
        steps,
        max_concurrency: draw.happens(35).then(|| draw.between(1, 4)),
        max_failures: draw.happens(65).then(|| draw.below(3)),
        deadline_hours: draw.between(24, 48),
        rolls_back: draw.happens(50),
        window: draw.happens(20).then(|| (from, draw.between(from + 7, 23))),
    }
}

/// DeviceConfiguration to Intune and EndpointProtection to Configuration Manager for the very same group
/// is a mistake (DIA1306): the second one goes to Intune too.
pub fn without_contradiction(repository: &mut Repository) {
    let configured: BTreeSet<String> = repository
        .assignments
        .values()
        .filter(|one| one.workload == Workload::DeviceConfiguration && one.to_intune)
        .map(|one| one.group.clone())
        .collect();
    for one in repository.assignments.values_mut() {
        if one.workload == Workload::EndpointProtection && configured.contains(&one.group) {
            one.to_intune = true;
        }
    }
}
