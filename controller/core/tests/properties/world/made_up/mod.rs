//! Random worlds, small enough that everything in them collides with everything else.

mod clauses;
mod devices;
mod vocabulary;

use diarchy_core::inventory::JoinType;
use diarchy_core::workload::{Authority, Slider, Workload};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use self::clauses::{admission_clause, group_clause};
use self::devices::devices;
use self::vocabulary::{NAMES, texts};
use super::reduced::reduced;
use super::{Assignment, Group, Policy, Standing, World};

/// `cases` a run, or as many as the environment's `PROPTEST_CASES` says.
pub fn config(cases: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok();
    Config {
        cases: asked.and_then(|text| text.parse().ok()).unwrap_or(cases),
        failure_persistence: None,
        // Worlds are reduced by leaving things out, which is quicker and goes further.
        max_shrink_iters: 0,
        ..Config::default()
    }
}

fn workload() -> BoxedStrategy<Workload> {
    prop_oneof![
        4 => Just(Workload::DeviceConfiguration),
        4 => Just(Workload::EndpointProtection),
        3 => Just(Workload::WindowsUpdatePolicies),
        1 => Just(Workload::OfficeClickToRun),
    ]
    .boxed()
}

/// The group `g<at>`, which may refer to those before it and to one that does not exist.
fn group(at: usize) -> BoxedStrategy<Group> {
    let reference = || {
        prop_oneof![
            9 => (0..at.max(1)).prop_map(move |to| if to < at { format!("g{to}") } else { "missing".to_owned() }),
            1 => Just("missing".to_owned()),
        ]
    };
    let entry = prop_oneof![
        3 => (0..12_usize).prop_map(|device| format!("D{device}")),
        1 => texts(&NAMES),
        1 => Just("nobody".to_owned()),
    ];
    // How many references a group has depends on whether there is anything to refer to.
    let most = if at == 0 { 1 } else { 2 };
    (
        option::weighted(0.75, vec(group_clause(), 1..3)),
        prop_oneof![1 => Just(Vec::new()), 1 => vec(entry, 1..7)],
        prop_oneof![2 => Just(Vec::new()), 1 => vec(reference(), 1..=most)],
        prop_oneof![3 => Just(Vec::new()), 1 => vec(reference(), 1..=most)],
    )
        .prop_map(move |(selector, devices, include, exclude)| Group {
            name: format!("g{at}"),
            selector,
            devices,
            include,
            exclude,
        })
        .boxed()
}

fn standing() -> BoxedStrategy<Standing> {
    prop_oneof![
        10 => Just(Standing::InForce),
        1 => Just(Standing::Suspended),
        1 => Just(Standing::Paused),
        1 => Just(Standing::Requiring),
        2 => Just(Standing::Observing),
        1 => Just(Standing::ObservingSuspended),
    ]
    .boxed()
}

fn assignment(at: usize, groups: usize) -> BoxedStrategy<Assignment> {
    let group = prop_oneof![
        12 => (0..groups.max(1)).prop_map(|group| format!("g{group}")),
        1 => Just("missing".to_owned()),
    ];
    (
        workload(),
        group,
        prop_oneof![3 => Just(Authority::Intune), 2 => Just(Authority::ConfigurationManager)],
        select(vec![-1, 0, 0, 100]),
        standing(),
        option::weighted(0.3, vec(admission_clause(), 1..3)),
    )
        .prop_map(
            move |(workload, group, authority, priority, standing, admit_when)| Assignment {
                name: format!("a{at}"),
                workload,
                group,
                authority,
                priority,
                standing,
                admit_when: admit_when.filter(|_| authority == Authority::Intune),
            },
        )
        .boxed()
}

fn slider(pilot: u32) -> BoxedStrategy<Option<Slider>> {
    prop_oneof![
        pilot => Just(Some(Slider::PilotIntune)),
        1 => Just(Some(Slider::ConfigurationManager)),
        1 => Just(Some(Slider::Intune)),
        1 => Just(None),
    ]
    .boxed()
}

fn policy() -> BoxedStrategy<Policy> {
    (
        slider(20),
        slider(20),
        slider(12),
        slider(1),
        prop_oneof![6 => Just("10.0.16299"), 1 => Just("10.0.22631.4317"), 1 => Just("11")],
        prop_oneof![
            4 => Just(vec![JoinType::HybridJoined, JoinType::EntraJoined]),
            1 => Just(vec![JoinType::HybridJoined]),
            1 => Just(vec![JoinType::EntraJoined]),
        ],
        option::weighted(
            0.3,
            prop_oneof![
                9 => (0..6_usize).prop_map(|group| format!("g{group}")),
                1 => Just("missing".to_owned()),
            ],
        ),
    )
        .prop_map(
            |(configuration, protection, updates, office, minimum_os, join_types, enrollment)| {
                let mut sliders = [None; 7];
                sliders[Workload::DeviceConfiguration.index()] = configuration;
                // It may not stand behind DeviceConfiguration's; `None` is the least.
                sliders[Workload::EndpointProtection.index()] = protection.max(configuration);
                sliders[Workload::WindowsUpdatePolicies.index()] = updates;
                sliders[Workload::OfficeClickToRun.index()] = office;
                Policy {
                    sliders,
                    minimum_os: minimum_os.to_owned(),
                    join_types,
                    enrollment_group: enrollment,
                }
            },
        )
        .boxed()
}

/// Leaves out every assignment that validation would refuse beside those before it.
fn without_contradictions(assignments: Vec<Assignment>) -> Vec<Assignment> {
    let enforced = |assignment: &Assignment| {
        !matches!(
            assignment.standing,
            Standing::Observing | Standing::ObservingSuspended
        )
    };
    let tied = |one: &Assignment, other: &Assignment| {
        one.workload == Workload::EndpointProtection
            && one.authority == Authority::ConfigurationManager
            && other.workload == Workload::DeviceConfiguration
            && other.authority == Authority::Intune
    };
    let mut kept: Vec<Assignment> = Vec::new();
    for assignment in assignments {
        let contradicts = kept.iter().any(|other| {
            enforced(other)
                && enforced(&assignment)
                && other.group == assignment.group
                && (tied(other, &assignment)
                    || tied(&assignment, other)
                    || (other.workload == assignment.workload
                        && other.priority == assignment.priority
                        && other.authority != assignment.authority))
        });
        if !contradicts {
            kept.push(assignment);
        }
    }
    kept
}

/// Checks `property` on `cases` worlds, with as much of what `and` makes up beside each, and tells
/// the least world in which it does not hold.
pub fn check<T: std::fmt::Debug>(
    cases: u32,
    and: impl Strategy<Value = T>,
    property: impl Fn(&World, &T) -> Result<(), String>,
) {
    let failure = TestRunner::new(config(cases)).run(&(world(), and), |(world, beside)| {
        let Err(first) = property(&world, &beside) else {
            return Ok(());
        };
        let least = reduced(world, |smaller| property(smaller, &beside).is_err());
        let problem = property(&least, &beside).err().unwrap_or(first);
        let told = format!("\n{problem}\nwith {beside:?}, in\n{}", least.told());
        Err(TestCaseError::fail(told))
    });
    match failure {
        Ok(()) => {}
        Err(TestError::Fail(reason, _)) => panic!("{reason}"),
        Err(TestError::Abort(reason)) => panic!("no worlds: {reason}"),
    }
}

/// A whole world that validation lets pass, but for groups that do not exist.
pub fn world() -> impl Strategy<Value = World> {
    (0..7_usize, 0..11_usize)
        .prop_flat_map(|(groups, assignments)| {
            (
                (0..groups).map(group).collect::<Vec<_>>(),
                (0..assignments)
                    .map(|at| assignment(at, groups))
                    .collect::<Vec<_>>()
                    .prop_map(without_contradictions),
                option::weighted(0.97, policy()),
            )
        })
        .prop_flat_map(|(groups, assignments, policy)| {
            devices(&assignments).prop_map(move |devices| World {
                devices,
                groups: groups.clone(),
                policy: policy.clone(),
                assignments: assignments.clone(),
            })
        })
}
