//! What a change of revision makes different, against end states looked up one by one.

use std::collections::BTreeMap;

use diarchy_core::engine::Engine;
use diarchy_core::plan::{Difference, Plan, differences};
use diarchy_core::workload::{Authority, Workload};
use proptest::collection::vec;

use crate::world::plain::holders;
use crate::world::{Standing, World, made_up, now};

/// One thing that a new revision does otherwise, by number.
fn edit(world: &mut World, (what, at): (u8, usize)) {
    let count = world.assignments.len();
    match (what, world.assignments.get_mut(at % count.max(1))) {
        (0, Some(assignment)) => assignment.authority = assignment.authority.other(),
        (1, Some(assignment)) => assignment.priority += 1,
        (2, Some(assignment)) => assignment.standing = Standing::Suspended,
        (3, Some(assignment)) => assignment.standing = Standing::InForce,
        (4, Some(assignment)) => assignment.standing = Standing::Observing,
        (5, Some(_)) => drop(world.assignments.remove(at % count)),
        (6, _) => drop(world.groups.pop()),
        (7, _) => {
            if let Some(policy) = &mut world.policy {
                policy.sliders[Workload::WindowsUpdatePolicies.index()] = None;
            }
        }
        _ => {}
    }
}

/// By device id and workload, who would have authority in the end.
type Ends = BTreeMap<(String, Workload), Authority>;

/// What every device's memberships say, and then what the plan does about them.
fn ends(world: &World, plan: &Plan, engine: &Engine<'_>) -> Ends {
    let mut ends = Ends::new();
    for device in &world.devices {
        for workload in Workload::ALL {
            let authority = if holders(device, workload).is_empty() {
                Authority::ConfigurationManager
            } else {
                Authority::Intune
            };
            let id = device["id"].as_str().unwrap().to_owned();
            ends.insert((id, workload), authority);
        }
    }
    for change in &plan.changes {
        let id = engine.inventory().id(change.row).to_owned();
        ends.insert((id, change.workload), change.to);
    }
    ends
}

fn found(old: &World, new: &World) -> (Vec<Difference>, Ends, Ends) {
    let inventory = old.inventory();
    let (old_desired, new_desired) = (old.desired(), new.desired());
    let old_engine = Engine::new(&old_desired, &inventory, now());
    let new_engine = Engine::new(&new_desired, &inventory, now());
    let (old_plan, new_plan) = (Plan::new(&old_engine), Plan::new(&new_engine));
    (
        differences((&old_plan, &old_engine), (&new_plan, &new_engine)),
        ends(old, &old_plan, &old_engine),
        ends(new, &new_plan, &new_engine),
    )
}

#[test]
fn differences_are_the_pairs_whose_end_differs() {
    let edits = vec((0..8_u8, 0..12_usize), 1..5);
    made_up::check(3_000, edits, |old, edits| {
        let mut new = old.clone();
        for each in edits {
            edit(&mut new, *each);
        }
        let (found, before, after) = found(old, &new);
        let expected: Vec<_> = before
            .iter()
            .filter(|(pair, from)| after[*pair] != **from)
            .map(|((device, workload), from)| {
                let to = after[&(device.clone(), *workload)];
                (device.clone(), *workload, *from, to)
            })
            .collect();
        let mut got: Vec<_> = found
            .iter()
            .map(|one| (one.device.clone(), one.workload, one.from, one.to))
            .collect();
        let in_order = got.is_sorted_by_key(|(device, workload, ..)| (device.clone(), *workload));
        got.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        if got != expected || !in_order {
            return Err(format!("found {got:#?}, but it is {expected:#?}"));
        }
        for one in &found {
            let is_named = |world: &World| {
                world
                    .assignments
                    .iter()
                    .any(|assignment| assignment.reference() == one.because)
            };
            if !is_named(old) && !is_named(&new) {
                return Err(format!("nobody is called {}", one.because));
            }
        }
        Ok(())
    });
}

#[test]
fn there_and_back_is_the_reverse() {
    let edits = vec((0..8_u8, 0..12_usize), 1..5);
    made_up::check(500, edits, |old, edits| {
        let mut new = old.clone();
        for each in edits {
            edit(&mut new, *each);
        }
        let reversed = |found: Vec<Difference>| {
            let turn = |one: Difference| (one.device, one.workload, one.to, one.from);
            found.into_iter().map(turn).collect::<Vec<_>>()
        };
        let there: Vec<_> = found(old, &new)
            .0
            .into_iter()
            .map(|one| (one.device, one.workload, one.from, one.to))
            .collect();
        let back = reversed(found(&new, old).0);
        let none = found(old, old).0;
        if there == back && none.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "there {there:?}, back {back:?}, to itself {none:?}"
            ))
        }
    });
}
