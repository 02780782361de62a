//! Whom rollouts admit, while groups grow, steps grow, and devices come, go and change their names.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test program: what is impossible fails the test"
)]

mod world;

use std::collections::BTreeSet;

use diarchy_core::admission::{Admissions, admit};
use diarchy_core::amount::Amount;
use diarchy_core::desired::{OnFailure, Rollout, Step};
use diarchy_core::duration::Span;
use diarchy_core::engine::{Admitted, Engine};
use diarchy_core::plan::Plan;
use diarchy_core::resource::ObjectName;
use diarchy_core::workload::{Authority, Workload};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use world::plain::{assignment, hold, listed, movable, pilot};
use world::{NAMESPACE, World, made_up, now};

const WORKLOAD: Workload = Workload::ClientApps;

fn rollout(first: Amount) -> Rollout {
    let step = |devices| Step {
        devices,
        soak: Span::hours(1),
        approval_required: false,
    };
    Rollout {
        steps: vec![step(first), step(Amount::ALL)],
        max_concurrency: None,
        max_failures: None,
        min_observed: None,
        progress_deadline: None,
        on_failure: OnFailure::Halt,
        window: None,
    }
}

fn name(of: &str) -> ObjectName {
    ObjectName::new(NAMESPACE, of)
}

/// Devices `ids`, all of them in the group of one assignment called `called`.
fn fleet(called: &str, ids: impl IntoIterator<Item = String>) -> World {
    let ids: Vec<String> = ids.into_iter().collect();
    World {
        devices: ids.iter().map(|id| movable(id)).collect(),
        groups: vec![listed("all", ids)],
        policy: Some(pilot(&[WORKLOAD])),
        assignments: vec![assignment(called, WORKLOAD, "all", Authority::Intune)],
    }
}

fn ids(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|at| format!("d{at:03}"))
}

/// What one pass admits.
struct Pass {
    /// By assignment, in the order of their names, the first ids of the devices it has admitted.
    rows: Vec<BTreeSet<String>>,
    /// What is remembered of it.
    after: Admissions,
    /// First ids of the devices that the plan changes.
    changing: BTreeSet<String>,
    /// By assignment, the first ids of its group's members, and of those that can be moved.
    selected: Vec<(BTreeSet<String>, BTreeSet<String>)>,
}

/// One pass in which every rollout starts with `first`.
fn pass(world: &World, first: Amount, before: &Admissions) -> Pass {
    let mut desired = world.desired();
    for assignment in &mut desired.assignments {
        assignment.rollout = Some(rollout(first));
    }
    let inventory = world.inventory();
    let engine = Engine::new(&desired, &inventory, now());
    let (admitted, after) = admit(&engine, before);
    let named = |rows: &mut dyn Iterator<Item = usize>| -> BTreeSet<String> {
        rows.map(|row| inventory.first_id(row).to_owned()).collect()
    };
    let Admitted::Rows(rows) = &admitted else {
        panic!("a rollout that begins has not admitted everybody");
    };
    let rows = rows
        .iter()
        .map(|rows| named(&mut rows.as_ref().unwrap().ones()))
        .collect();
    let selected = desired
        .assignments
        .iter()
        .map(|assignment| {
            let Some(group) = assignment.group else {
                return (BTreeSet::new(), BTreeSet::new());
            };
            let members = engine.groups().members(group).certain();
            let can_move = |row: &usize| engine.eligibility().judge(*row).is_none();
            (
                named(&mut members.ones()),
                named(&mut members.ones().filter(can_move)),
            )
        })
        .collect();
    let engine = engine.admitting(admitted);
    let plan = Plan::new(&engine);
    let changing = named(&mut plan.changes.iter().map(|change| change.row));
    Pass {
        rows,
        after,
        changing,
        selected,
    }
}

/// The only rollout's admitted devices, at first sight.
fn drawn(world: &World, first: Amount) -> BTreeSet<String> {
    pass(world, first, &Admissions::new()).rows.remove(0)
}

fn amounts() -> impl Strategy<Value = Amount> {
    prop_oneof![
        (0..=10_000_u16).prop_map(Amount::BasisPoints),
        (0..20_u32).prop_map(Amount::Count),
    ]
}

/// The world in which one device less is in sight, by number, or cannot be moved for now.
fn without_some(world: &World, gone: usize, stuck: usize) -> World {
    let mut world = world.clone();
    let count = world.devices.len().max(1);
    if let Some(device) = world.devices.get_mut(stuck % count) {
        device.insert("coManagementPolicyPresent".to_owned(), json!(false));
    }
    if gone < world.devices.len() {
        world.devices.remove(gone);
    }
    world
}

/// In whatever order steps and memberships come, nobody who was admitted is dropped.
#[test]
fn who_was_admitted_stays_admitted() {
    let passes = vec((amounts(), 0..14_usize, 0..14_usize), 1..6);
    made_up::check(1_500, passes, |world, passes| {
        let mut before = Admissions::new();
        for (first, gone, stuck) in passes {
            let now = pass(&without_some(world, *gone, *stuck), *first, &before);
            for (assignment, ids) in &before {
                if !ids.is_subset(&now.after[assignment]) {
                    return Err(format!("{assignment} had {ids:?}, now {:?}", now.after));
                }
            }
            for (assignment, rows) in now.after.values().zip(&now.rows) {
                if !rows.is_subset(assignment) {
                    return Err(format!("{rows:?} are not remembered in {assignment:?}"));
                }
            }
            before = now.after;
        }
        // All of them are in sight again, and all that were admitted count.
        let everybody: BTreeSet<String> = world
            .devices
            .iter()
            .map(|device| device["id"].as_str().unwrap().to_owned())
            .collect();
        let last = pass(world, Amount::Count(0), &before);
        for (remembered, rows) in before.values().zip(&last.rows) {
            let in_sight: BTreeSet<_> = remembered.intersection(&everybody).cloned().collect();
            if !in_sight.is_subset(rows) {
                return Err(format!("{in_sight:?} were admitted, now only {rows:?}"));
            }
        }
        Ok(())
    });
}

/// A step is a share of the selected, rounded up, drawn among those that can be moved; who is
/// admitted already counts, and nobody is admitted beyond it.
#[test]
fn a_step_is_filled_as_far_as_its_members_can_be_moved() {
    let passes = vec((amounts(), 0..14_usize, 0..14_usize), 1..4);
    made_up::check(1_500, passes, |world, passes| {
        let mut before = Admissions::new();
        for (first, gone, stuck) in passes {
            let world = without_some(world, *gone, *stuck);
            // What a rollout of no devices admits was admitted before.
            let already = pass(&world, Amount::Count(0), &before);
            let now = pass(&world, *first, &before);
            for (at, rows) in now.rows.iter().enumerate() {
                let (selected, movable) = &now.selected[at];
                let had = &already.rows[at];
                let counted = had.intersection(selected).count();
                let free = movable.difference(had).count();
                let wanted = match first {
                    Amount::Count(count) => *count as usize,
                    Amount::BasisPoints(points) => {
                        (selected.len() * usize::from(*points)).div_ceil(10_000)
                    }
                };
                let expected = wanted.saturating_sub(counted).min(free);
                let new: BTreeSet<_> = rows.difference(had).cloned().collect();
                if !had.is_subset(rows) || new.len() != expected || !new.is_subset(movable) {
                    return Err(format!(
                        "assignment {at}, {first:?} of {selected:?}, of whom {movable:?} can be moved: {had:?} grew by {new:?}, not by {expected}"
                    ));
                }
            }
            before = now.after;
        }
        Ok(())
    });
}

proptest! {
    #![proptest_config(made_up::config(64))]

    /// With no memory at all, a larger step has everybody that a smaller one has.
    #[test]
    fn a_larger_step_has_all_of_a_smaller_one(small in 0..=10_000_u16, large in 0..=10_000_u16) {
        let (small, large) = (small.min(large), small.max(large));
        let world = fleet("apps", ids(0..60));
        let few = drawn(&world, Amount::BasisPoints(small));
        let many = drawn(&world, Amount::BasisPoints(large));
        prop_assert!(few.is_subset(&many));
    }

    /// A group that grows under a growing step keeps those that it had, and fills up with others.
    #[test]
    fn a_growing_group_keeps_the_admitted(sizes in vec(0..20_usize, 1..5), first in 1..=10_000_u16) {
        let mut before = Admissions::new();
        let mut size = 0;
        for more in sizes {
            size += more;
            let now = pass(&fleet("apps", ids(0..size)), Amount::BasisPoints(first), &before);
            let had = before.get(&name("apps")).cloned().unwrap_or_default();
            prop_assert!(had.is_subset(&now.rows[0]));
            prop_assert_eq!(now.rows[0].len(), (size * usize::from(first)).div_ceil(10_000));
            before = now.after;
        }
    }

    /// Names, serial numbers, places in the file and new ids are no lots.
    #[test]
    fn lots_depend_on_the_first_id_alone(first in 0..=10_000_u16, renamed in vec(any::<bool>(), 60)) {
        let world = fleet("apps", ids(0..60));
        let mut again = world.clone();
        for (device, is_new) in again.devices.iter_mut().zip(renamed) {
            let id = device["id"].as_str().unwrap().to_owned();
            device.insert("name".to_owned(), json!(format!("RENAMED-{id}")));
            if is_new {
                let new = format!("new-{}", id.chars().rev().collect::<String>());
                again.groups[0].devices.push(new.clone());
                device.insert("id".to_owned(), json!(new));
                device.insert("firstId".to_owned(), json!(id));
            }
        }
        let first = Amount::BasisPoints(first);
        prop_assert_eq!(drawn(&world, first), drawn(&again, first));
    }
}

#[test]
fn every_assignment_draws_lots_of_its_own() {
    let half = Amount::percent(50);
    let drawn_as = |called| drawn(&fleet(called, ids(0..200)), half);
    let (one, other) = (drawn_as("apps"), drawn_as("apps-again"));
    assert_eq!((one.len(), other.len()), (100, 100));
    // Fifty would be expected; that it is within six standard deviations depends on nothing random.
    let both = one.intersection(&other).count();
    assert!((29..=71).contains(&both), "{both} in both");
}

#[test]
fn lots_do_not_prefer_those_that_come_first() {
    let drawn = drawn(&fleet("apps", ids(0..200)), Amount::percent(50));
    let first_half: BTreeSet<String> = ids(0..100).collect();
    let from_it = drawn.intersection(&first_half).count();
    assert!((29..=71).contains(&from_it), "{from_it} of the first half");
}

/// What the site's collections say stays true when everything that was remembered is lost.
#[test]
fn devices_that_it_has_placed_are_admitted_without_memory() {
    let mut world = fleet("apps", ids(0..40));
    let placed: BTreeSet<String> = ids(0..7).collect();
    let holder = [world.assignments[0].reference()];
    for device in world.devices.iter_mut().take(7) {
        hold(device, WORKLOAD, &holder);
    }
    let now = pass(&world, Amount::percent(10), &Admissions::new());
    assert_eq!(now.rows[0], placed);
    assert_eq!(now.after[&name("apps")], placed);
    assert_eq!(now.changing, BTreeSet::new());
    // They fill the step first.
    let now = pass(&world, Amount::percent(25), &Admissions::new());
    assert!(placed.is_subset(&now.rows[0]));
    assert_eq!(now.rows[0].len(), 10);
    assert_eq!(now.changing.len(), 3);
}

#[test]
fn devices_that_somebody_else_placed_are_not_admitted() {
    let mut world = fleet("apps", ids(0..10));
    let holders = [
        "foreign".to_owned(),
        world.assignments[0].reference() + "#retained",
    ];
    for device in &mut world.devices {
        hold(device, WORKLOAD, &holders);
    }
    assert_eq!(drawn(&world, Amount::Count(0)), BTreeSet::new());
}

#[test]
fn only_the_admitted_change() {
    let now = pass(
        &fleet("apps", ids(0..40)),
        Amount::percent(25),
        &Admissions::new(),
    );
    assert_eq!(now.changing.len(), 10);
    assert_eq!(now.changing, now.rows[0]);
}

#[test]
fn an_assignment_without_a_rollout_admits_everybody() {
    let world = fleet("apps", ids(0..5));
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, now());
    let (admitted, after) = admit(&engine, &Admissions::new());
    assert_eq!(after, Admissions::new());
    let engine = engine.admitting(admitted);
    assert_eq!(Plan::new(&engine).changes.len(), 5);
}
