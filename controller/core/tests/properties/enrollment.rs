//! The pilot of automatic enrolment: who joins it, and what of that waits for a person.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::accept::{Acceptance, Accepted, Approved, Basis, WaitReason, accept};
use diarchy_core::due::{Brakes, due};
use diarchy_core::engine::Engine;
use diarchy_core::plan::{self, Plan};
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::workload::{Authority, Workload, WorkloadSet};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::plain::{assignment, listed, movable, pilot};
use crate::world::{Device, World, now};

const WORKLOAD: Workload = Workload::ClientApps;

/// A device with a client that could be enrolled.
fn enrollable(id: &str) -> Device {
    let mut device = movable(id);
    device.insert("intune".to_owned(), Value::Null);
    device.insert("mdm".to_owned(), Value::Null);
    device.insert("coManagementPolicyPresent".to_owned(), json!(false));
    device.insert("enrollmentPilot".to_owned(), json!(false));
    device
}

/// Ten devices that are co-managed, and these that the policy's pilot group names.
fn fleet(enrolling: &[&str]) -> World {
    let co_managed = (0..10).map(|at| {
        let mut device = movable(&format!("m{at}"));
        device.insert("enrollmentPilot".to_owned(), json!(false));
        device
    });
    let mut policy = pilot(&[WORKLOAD]);
    policy.enrollment_group = Some("first".to_owned());
    World {
        devices: co_managed
            .chain(enrolling.iter().map(|id| enrollable(id)))
            .collect(),
        groups: vec![
            listed("first", enrolling.iter().copied()),
            listed("moving", [""; 0]),
        ],
        policy: Some(policy),
        assignments: vec![assignment("apps", WORKLOAD, "moving", Authority::Intune)],
    }
}

fn set(world: &mut World, id: &str, field: &str, value: Value) {
    let device = world
        .devices
        .iter_mut()
        .find(|device| device["id"] == id)
        .unwrap();
    device.insert(field.to_owned(), value);
}

/// One pass, at a time, after what was accepted before and with what was approved.
fn pass<T>(
    world: &World,
    before: Option<&Accepted>,
    approvals: &[Approved],
    see: impl FnOnce(&Engine<'_>, &Plan, Acceptance) -> T,
) -> T {
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, now());
    let plan = Plan::new(&engine);
    let acceptance = accept(
        &engine,
        &plan,
        Basis {
            revision: "r1",
            before,
            approvals,
            is_whole: true,
            agreed: &BTreeSet::new(),
            under_way: &RulesUnderWay::nothing(),
        },
    );
    see(&engine, &plan, acceptance)
}

fn baseline(world: &World) -> Accepted {
    let mut nobody = world.clone();
    nobody.policy.as_mut().unwrap().enrollment_group = None;
    for group in &mut nobody.groups {
        group.devices.clear();
    }
    let before = Accepted::default();
    pass(&nobody, Some(&before), &[], |_, _, acceptance| {
        acceptance.accepted.unwrap()
    })
}

#[test]
fn at_first_contact_they_wait_under_the_digest_of_what_was_shown() {
    let world = fleet(&["e0", "e1"]);
    pass(&world, None, &[], |engine, plan, acceptance| {
        let waiting = acceptance.waiting.unwrap();
        assert_eq!(waiting.reason, WaitReason::NoBaseline);
        assert_eq!(waiting.enrolling, plan.enrolling);
        assert_eq!(waiting.digest, plan.digest(engine));
        assert_ne!(waiting.digest, plan::digest(&[], &[], engine));
        assert!(acceptance.enrolling.is_empty());
        assert_eq!(acceptance.accepted, None);
    });
}

#[test]
fn what_a_person_approved_joins_and_does_not_wait_again() {
    let world = fleet(&["e0", "e1"]);
    let approved = Approved {
        changes: BTreeSet::new(),
        enrolling: ["e0".to_owned(), "e1".to_owned()].into(),
        revision: "r1".to_owned(),
        expires: now() + SignedDuration::from_hours(1),
    };
    let accepted = pass(&world, None, &[approved], |_, plan, acceptance| {
        assert_eq!(acceptance.waiting, None);
        assert_eq!(acceptance.enrolling, plan.enrolling);
        acceptance.accepted.unwrap()
    });
    // The approval is over, and the site has not evaluated its collection yet.
    pass(&world, Some(&accepted), &[], |_, plan, acceptance| {
        assert_eq!(acceptance.waiting, None);
        assert_eq!(acceptance.enrolling, plan.enrolling);
        assert_eq!(acceptance.accepted.unwrap().unasked, []);
    });
}

#[test]
fn they_count_as_devices_that_change() {
    // 20 % of ten co-managed devices.
    for (joining, moving, waits) in [(2, 0, false), (3, 0, true), (1, 1, false), (2, 1, true)] {
        let ids: Vec<String> = (0..joining).map(|at| format!("e{at}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut world = fleet(&ids);
        let before = baseline(&world);
        world.groups[1] = listed("moving", (0..moving).map(|at| format!("m{at}")));
        pass(&world, Some(&before), &[], |_, plan, acceptance| {
            let reason = acceptance.waiting.map(|waiting| waiting.reason);
            assert_eq!(
                reason,
                waits.then_some(WaitReason::MaxChangedDevices),
                "{joining} join, {moving} move"
            );
            assert_eq!(
                acceptance.enrolling.len() + acceptance.cleared.len(),
                if waits { 0 } else { joining + moving }
            );
            assert_eq!(plan.guardrails[0].exceeded, waits);
        });
    }
}

#[test]
fn those_that_passed_unasked_count_for_a_day() {
    let mut world = fleet(&["e0", "e1"]);
    let before = baseline(&world);
    let after = pass(&world, Some(&before), &[], |_, _, acceptance| {
        assert_eq!(acceptance.waiting, None);
        acceptance.accepted.unwrap()
    });
    assert_eq!(after.unasked.len(), 2);
    world.groups[1] = listed("moving", ["m0"]);
    pass(&world, Some(&after), &[], |_, plan, acceptance| {
        assert_eq!(acceptance.waiting.unwrap().changes.len(), 1);
        assert_eq!(acceptance.enrolling, plan.enrolling);
    });
}

#[test]
fn who_has_joined_stays_whatever_the_policy_says() {
    let mut world = fleet(&["e0"]);
    set(&mut world, "e0", "enrollmentPilot", json!(true));
    for group in [Some("moving".to_owned()), Some("missing".to_owned()), None] {
        world.policy.as_mut().unwrap().enrollment_group = group;
        let (desired, inventory) = (world.desired(), world.inventory());
        let engine = Engine::new(&desired, &inventory, now());
        let plan = Plan::new(&engine);
        assert!(plan.is_empty());
        assert!(
            !plan
                .not_enrolling
                .iter()
                .any(|(row, _)| inventory.id(*row) == "e0")
        );
    }
}

#[test]
fn a_plan_without_them_is_digested_as_ever() {
    let world = fleet(&[]);
    let mut without = world.clone();
    without.policy.as_mut().unwrap().enrollment_group = None;
    assert_eq!(world.document()["digest"], without.document()["digest"]);
    assert!(without.document().get("enrollment").is_none());
}

#[test]
fn the_pace_is_shared_and_what_was_asked_already_costs_nothing() {
    let mut world = fleet(&["e0", "e1", "e2"]);
    world.groups[1] = listed("moving", ["m0", "m1"]);
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, now());
    let plan = Plan::new(&engine);
    let steps = diarchy_core::steps::steps(
        &engine,
        &diarchy_core::rules::RulesUnderWay::default(),
        &plan.changes,
        &plan.hand_overs,
    );
    let counts = |left: usize, asked: bool| {
        let first = plan.enrolling[0];
        let due = due(
            &engine,
            &steps,
            &plan.enrolling,
            &Brakes {
                contradicted: WorkloadSet::EMPTY,
                left,
                is_asked: &|_| asked,
                is_enrolling: &|row| asked && row == first,
                moves: &BTreeMap::new(),
            },
        );
        (due.steps.len(), due.enrolling.len(), due.changes)
    };
    assert_eq!(counts(0, false), (0, 0, 0));
    assert_eq!(counts(3, false), (2, 1, 3));
    assert_eq!(counts(100, false), (2, 3, 5));
    assert_eq!(counts(0, true), (2, 1, 0));
    assert_eq!(counts(1, true), (2, 2, 1));
}
