//! Whom rollouts admit, while groups grow, steps grow, and devices come, go and change their names.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::amount::Amount;
use diarchy_core::desired::AssignmentIndex;
use diarchy_core::engine::{Admitted, Engine, Kept, Verdict};
use diarchy_core::plan::Plan;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{Look, Rollouts, Said, Signals, spec_digest, survey};
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::ternary::Ternary;
use diarchy_core::workload::{Authority, Workload, WorkloadSet};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::world::plain::{assignment, hold, in_two_steps, listed, movable, pilot};
use crate::world::{NAMESPACE, World, made_up, now};

const WORKLOAD: Workload = Workload::ClientApps;

fn name(of: &str) -> ObjectName {
    ObjectName::new(NAMESPACE, of)
}

static NOTHING: RulesUnderWay = RulesUnderWay::nothing();
static UNSAID: Said = Said::new();

/// A first look, when nothing was sent, said or approved.
fn quiet() -> Signals<'static> {
    Signals {
        look: Look {
            now: now(),
            last: None,
            longest_gap: jiff::SignedDuration::from_hours(1),
        },
        is_sent: &|_, _, _| false,
        is_evidence: &|_, _| true,
        rules: &NOTHING,
        is_outside: &|_, _| false,
        contradicted: WorkloadSet::EMPTY,
        is_approved: &|_| false,
        said: &UNSAID,
    }
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

/// What is known of earlier passes.
#[derive(Clone, Default)]
struct Before {
    rollouts: Rollouts,
    /// By first id, what was written.
    sent: BTreeSet<(String, Workload, Authority)>,
}

impl Before {
    /// By assignment, the first ids of the devices that its rollout has admitted.
    fn admitted(&self) -> BTreeMap<ObjectName, BTreeSet<String>> {
        let rollouts = self.rollouts.iter();
        rollouts
            .map(|(name, progress)| (name.clone(), progress.admitted.clone()))
            .collect()
    }
}

/// What one pass admits.
struct Pass {
    /// By assignment, in the order of their names, the first ids of the devices it has admitted.
    rows: Vec<BTreeSet<String>>,
    /// What is known after it, with a write for everybody who was admitted.
    after: Before,
    /// First ids of the devices that the plan changes.
    changing: BTreeSet<String>,
    /// By assignment, of whom there is something to say.
    sets: Vec<Sets>,
}

/// First ids of devices that one assignment has something to do with.
struct Sets {
    /// Those that its group has.
    selected: BTreeSet<String>,
    /// Those that its group may have.
    possible: BTreeSet<String>,
    /// Those that it may draw.
    own: BTreeSet<String>,
    /// Those that it has placed.
    placed: BTreeSet<String>,
    /// Those that are another's, or have left Intune.
    lost: BTreeSet<String>,
}

/// One pass in which every rollout starts with `first`.
fn pass(world: &World, first: Amount, before: &Before) -> Pass {
    let mut desired = world.desired();
    for assignment in &mut desired.assignments {
        assignment.rollout = Some(in_two_steps(first));
    }
    let inventory = world.inventory();
    let engine = Engine::new(&desired, &inventory, now());
    let named = |rows: &mut dyn Iterator<Item = usize>| -> BTreeSet<String> {
        rows.map(|row| inventory.first_id(row).to_owned()).collect()
    };
    let sets = (0..desired.assignments.len())
        .map(AssignmentIndex)
        .map(|index| {
            let workload = desired.assignment(index).workload;
            let in_force = desired.assignment(index).force.is_in_force()
                && spec_digest(&desired, index).is_some();
            let rows = |is_meant: &dyn Fn(usize) -> bool| {
                named(&mut (0..inventory.rows()).filter(|row| is_meant(*row)))
            };
            let contains = |row: usize| engine.contains(index, row);
            Sets {
                selected: rows(&|row| contains(row).is_certain()),
                possible: rows(&|row| contains(row).is_possible()),
                own: rows(&|row| {
                    in_force && contains(row).is_certain() && is_own(&engine, index, row)
                }),
                lost: rows(&|row| is_lost(&engine, index, row)),
                placed: rows(&|row| {
                    let asks_for_it = desired.assignment(index).authority == Authority::Intune;
                    let holding = engine.holding(row, workload);
                    asks_for_it && holding.is_some_and(|holding| holding.is_placed_by(index))
                }),
            }
        })
        .collect();
    let signals = Signals {
        is_sent: &|row, workload, authority| {
            let first = inventory.first_id(row).to_owned();
            before.sent.contains(&(first, workload, authority))
        },
        ..quiet()
    };
    let (engine, survey) = survey(engine, &before.rollouts, &signals);
    let Admitted::Rows(rows) = &survey.admitted else {
        panic!("a rollout that begins has not admitted everybody");
    };
    let rows: Vec<BTreeSet<String>> = rows
        .iter()
        .map(|rows| named(&mut rows.as_ref().unwrap().ones()))
        .collect();
    let mut sent = before.sent.clone();
    for (assignment, ids) in desired.assignments.iter().zip(&rows) {
        let (workload, authority) = (assignment.workload, assignment.authority);
        sent.extend(ids.iter().map(|id| (id.clone(), workload, authority)));
    }
    let plan = Plan::new(&engine);
    let changing = named(&mut plan.changes.iter().map(|change| change.row));
    Pass {
        rows,
        after: Before {
            rollouts: survey.rollouts,
            sent,
        },
        changing,
        sets,
    }
}

/// Whether the assignment decides about a device that can be moved, as the rules are without rollouts.
fn is_own(engine: &Engine<'_>, index: AssignmentIndex, row: usize) -> bool {
    let assignment = engine.desired().assignment(index);
    let is_won = match engine.verdict(row, assignment.workload) {
        Verdict::Kept(Kept::AsAsked(winner)) | Verdict::HandOver { to: winner } => winner == index,
        Verdict::Change { to, because } => because == index && to == assignment.authority,
        _ => false,
    };
    is_won && engine.eligibility().judge(row).is_none()
}

/// Whether another assignment decides about a device, or it is known to have left Intune.
fn is_lost(engine: &Engine<'_>, index: AssignmentIndex, row: usize) -> bool {
    let decides = match engine.verdict(row, engine.desired().assignment(index).workload) {
        Verdict::Kept(Kept::AsAsked(one)) | Verdict::HandOver { to: one } => Some(one),
        Verdict::Change { because, .. } => Some(because),
        _ => None,
    };
    decides.is_some_and(|one| one != index) || engine.inventory().enrolled.get(row) == Ternary::No
}

/// The only rollout's admitted devices, at first sight.
fn drawn(world: &World, first: Amount) -> BTreeSet<String> {
    pass(world, first, &Before::default()).rows.remove(0)
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
        let mut before = Before::default();
        for (first, gone, stuck) in passes {
            let now = pass(&without_some(world, *gone, *stuck), *first, &before);
            let after = now.after.admitted();
            for (assignment, ids) in before.admitted() {
                if !ids.is_subset(&after[&assignment]) {
                    return Err(format!("{assignment} had {ids:?}, now {after:?}"));
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
        let names = world.desired().assignments;
        let remembered = before.admitted();
        for ((name, rows), sets) in names
            .iter()
            .map(|one| &one.name)
            .zip(&last.rows)
            .zip(&last.sets)
        {
            let Some(remembered) = remembered.get(name) else {
                continue;
            };
            // Whom the group has left is nobody's to admit.
            let everybody: BTreeSet<String> =
                everybody.intersection(&sets.possible).cloned().collect();
            let in_sight: BTreeSet<_> = remembered.intersection(&everybody).cloned().collect();
            if !in_sight.is_subset(rows) {
                return Err(format!("{in_sight:?} were admitted, now only {rows:?}"));
            }
        }
        Ok(())
    });
}

/// A step is a share of the selected, rounded up, drawn among those that it may move; who was placed
/// already counts unless another has it by now, and nobody is admitted beyond it.
#[test]
fn a_step_is_filled_as_far_as_its_members_can_be_moved() {
    made_up::check(3_000, amounts(), |world, first| {
        let now = pass(world, *first, &Before::default());
        for (at, (rows, sets)) in now.rows.iter().zip(&now.sets).enumerate() {
            let Sets {
                selected,
                own,
                placed,
                lost,
                ..
            } = sets;
            let counted = placed.intersection(selected);
            let counted = counted.filter(|id| !lost.contains(*id)).count();
            // With everybody placed it begins at its last step, which has everybody.
            if counted == selected.len() {
                continue;
            }
            let free = own.difference(placed).count();
            let wanted = match first {
                Amount::Count(count) => *count as usize,
                Amount::BasisPoints(points) => {
                    (selected.len() * usize::from(*points)).div_ceil(10_000)
                }
            };
            let expected = wanted.saturating_sub(counted).min(free);
            let new: BTreeSet<_> = rows.difference(placed).cloned().collect();
            if !placed.is_subset(rows) || new.len() != expected || !new.is_subset(own) {
                return Err(format!(
                    "assignment {at}, {first:?} of {selected:?}, of whom {own:?} may be drawn: {placed:?} grew by {new:?}, not by {expected}"
                ));
            }
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
        let mut before = Before::default();
        let mut size = 0;
        for more in sizes {
            size += more;
            let now = pass(&fleet("apps", ids(0..size)), Amount::BasisPoints(first), &before);
            let admitted = before.admitted();
            let had = admitted.get(&name("apps")).cloned().unwrap_or_default();
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
    let now = pass(&world, Amount::percent(10), &Before::default());
    assert_eq!(now.rows[0], placed);
    assert_eq!(now.after.admitted()[&name("apps")], placed);
    assert_eq!(now.changing, BTreeSet::new());
    // They fill the step first.
    let now = pass(&world, Amount::percent(25), &Before::default());
    assert!(placed.is_subset(&now.rows[0]));
    assert_eq!(now.rows[0].len(), 10);
    assert_eq!(now.changing.len(), 3);
}

/// Somebody else has taken it out: to another spec it comes as a new one, and the same one keeps it.
#[test]
fn who_was_taken_out_is_not_in_when_the_spec_changes() {
    let mut world = fleet("apps", ids(0..3));
    let holder = [world.assignments[0].reference()];
    hold(&mut world.devices[1], WORKLOAD, &holder);
    let first = pass(&world, Amount::Count(1), &Before::default());
    assert_eq!(first.rows[0], ids(1..2).collect());
    hold(&mut world.devices[1], WORKLOAD, &[]);
    let before = Before {
        rollouts: first.after.rollouts,
        sent: BTreeSet::new(),
    };
    let same = pass(&world, Amount::Count(1), &before);
    assert_eq!(same.rows[0], first.rows[0]);
    let another = pass(&world, Amount::Count(0), &before);
    assert_eq!(another.rows[0], BTreeSet::new());
}

/// What is remembered may be lost after a rule was made, and before the site evaluates it.
#[test]
fn who_is_on_the_way_by_a_rule_fills_the_step_first() {
    let world = fleet("apps", ids(0..40));
    let mut rules = RulesUnderWay::nothing();
    let sent: Vec<usize> = (0..7).collect();
    for row in &sent {
        rules.arrives(*row, WORKLOAD, Some(AssignmentIndex(0)));
    }
    let desired = {
        let mut desired = world.desired();
        desired.assignments[0].rollout = Some(in_two_steps(Amount::percent(25)));
        desired
    };
    let inventory = world.inventory();
    let signals = Signals {
        rules: &rules,
        ..quiet()
    };
    let engine = Engine::new(&desired, &inventory, now());
    let (_, survey) = survey(engine, &Rollouts::new(), &signals);
    let Admitted::Rows(rows) = &survey.admitted else {
        panic!("a rollout that begins has not admitted everybody");
    };
    let rows = rows[0].as_ref().unwrap();
    assert!(sent.iter().all(|row| rows.contains(*row)), "{rows}");
    assert_eq!(rows.count_ones(..), 10);
}

/// Whose EndpointProtection cannot come takes no turn of those who could move.
#[test]
fn who_waits_for_what_never_comes_costs_nothing() {
    let workloads = [Workload::DeviceConfiguration, Workload::EndpointProtection];
    let mut world = fleet("configuration", ids(0..3));
    world.policy = Some(pilot(&workloads));
    world.assignments[0].workload = workloads[0];
    let mut desired = world.desired();
    desired.assignments[0].rollout = Some(in_two_steps(Amount::ALL));
    let inventory = world.inventory();
    let moved = |signals: &Signals<'_>| -> Vec<usize> {
        let engine = Engine::new(&desired, &inventory, now());
        let (_, survey) = survey(engine, &Rollouts::new(), signals);
        survey.moves[&AssignmentIndex(0)].moved.ones().collect()
    };
    assert_eq!(moved(&quiet()), [] as [usize; 0]);
    for unreachable in workloads {
        let beyond = Signals {
            is_outside: &|row, workload| (row, workload) == (1, unreachable),
            ..quiet()
        };
        assert_eq!(moved(&beyond), [1]);
    }
}

/// A rule that never makes a member would keep everybody else back: nothing will ever be seen of it.
#[test]
fn who_is_placed_and_out_of_reach_takes_nobodys_place() {
    let mut world = fleet("apps", ids(0..3));
    let holders = [world.assignments[0].reference()];
    hold(&mut world.devices[1], WORKLOAD, &holders);
    let mut desired = world.desired();
    desired.assignments[0].rollout = Some(in_two_steps(Amount::Count(1)));
    let inventory = world.inventory();
    let admitted = |signals: &Signals<'_>| {
        let engine = Engine::new(&desired, &inventory, now());
        let (_, survey) = survey(engine, &Rollouts::new(), signals);
        let Admitted::Rows(rows) = survey.admitted else {
            panic!("a rollout that begins has not admitted everybody");
        };
        rows[0].as_ref().map(|rows| rows.count_ones(..))
    };
    assert_eq!(admitted(&quiet()), Some(1));
    let beyond = Signals {
        is_outside: &|row, workload| (row, workload) == (1, WORKLOAD),
        ..quiet()
    };
    assert_eq!(admitted(&beyond), Some(2));
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
        &Before::default(),
    );
    assert_eq!(now.changing.len(), 10);
    assert_eq!(now.changing, now.rows[0]);
}

#[test]
fn an_assignment_without_a_rollout_admits_everybody() {
    let world = fleet("apps", ids(0..5));
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, now());
    let signals = quiet();
    let (engine, survey) = survey(engine, &Rollouts::new(), &signals);
    assert_eq!(survey.rollouts, Rollouts::new());
    assert_eq!(Plan::new(&engine).changes.len(), 5);
}
