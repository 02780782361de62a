//! The protocol of rollouts, explored in a small world to its last state: whatever happens, in
//! whatever order, promises are kept, and there is a way on.
//!
//! With `DIARCHY_LONG` set, worlds are larger, and more goes wrong in them.

use std::time::Instant;

use diarchy_core::amount::Amount;
use diarchy_core::desired::{OnFailure, Rollout, Step};
use diarchy_core::duration::Span;
use diarchy_core::rollout::Act;
use diarchy_core::workload::Authority;
use stateright::{Checker, HasDiscoveries, Model};

use crate::protocol::{Action, Mishap, Walk, World};

fn step(devices: Amount, soak: u64, approval_required: bool) -> Step {
    Step {
        devices,
        soak: Span::hours(soak),
        approval_required,
    }
}

fn count(devices: u32) -> Amount {
    Amount::Count(devices)
}

fn rollout(steps: Vec<Step>) -> Rollout {
    Rollout {
        steps,
        max_concurrency: Some(count(1)),
        max_failures: Some(count(0)),
        min_observed: None,
        progress_deadline: Some(Span::hours(2)),
        on_failure: OnFailure::Rollback,
        window: None,
    }
}

/// A careful spec and a hasty one, both of which go back on the first failure.
fn rolling_back(devices: usize, authority: Authority) -> World {
    let careful = rollout(vec![step(count(1), 1, true), step(Amount::ALL, 0, false)]);
    let hasty = rollout(vec![
        step(count(1), 0, false),
        step(count(2), 1, false),
        step(Amount::ALL, 0, false),
    ]);
    World::new(devices, authority, vec![careful, hasty])
}

/// One that halts, bears some failures and moves two at a time, and one that goes back.
fn halting(devices: usize) -> World {
    let halting = Rollout {
        max_concurrency: Some(count(2)),
        max_failures: Some(Amount::percent(50)),
        min_observed: Some(Amount::percent(50)),
        on_failure: OnFailure::Halt,
        ..rollout(vec![
            step(Amount::percent(30), 1, false),
            step(count(2), 0, true),
            step(Amount::ALL, 1, false),
        ])
    };
    let hasty = rollout(vec![step(count(2), 0, false), step(Amount::ALL, 0, false)]);
    World::new(devices, Authority::Intune, vec![halting, hasty])
}

/// `usual`, or `long` where there is time.
fn most(usual: u8, long: u8) -> u8 {
    match std::env::var_os("DIARCHY_LONG") {
        Some(_) => long,
        None => usual,
    }
}

/// Explores `world`, and fails with a short way to where it breaks a promise.
fn keeps_its_promises(name: &str, world: World) {
    let begun = Instant::now();
    let checker = world
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "{name}: {} unique states, at most {} actions deep, in {:.1?}",
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed()
    );
    if let Some((promise, path)) = checker.discoveries().into_iter().next() {
        panic!("{name}: not so: {promise}: {:?}", path.into_actions());
    }
}

#[test]
fn promises_are_kept_whatever_happens_to_two_devices() {
    let mut mishaps = Mishap::ALL.to_vec();
    if most(0, 1) == 0 {
        // It more than doubles the states, so that only some go together with it.
        mishaps.retain(|mishap| *mishap != Mishap::Missing);
    }
    let world = rolling_back(2, Authority::Intune);
    keeps_its_promises("two devices", world.with(most(2, 3), &mishaps));
}

#[test]
fn promises_are_kept_while_devices_are_missing() {
    let mishaps = [Mishap::Missing, Mishap::Commit, Mishap::Act];
    let world = rolling_back(2, Authority::Intune);
    keeps_its_promises("missing", world.with(most(2, 3), &mishaps));
}

#[test]
fn promises_are_kept_whatever_happens_to_devices_that_are_taken_out() {
    let world = rolling_back(2, Authority::ConfigurationManager);
    keeps_its_promises("taken out", world.with(most(1, 2), &Mishap::ALL));
}

#[test]
fn promises_are_kept_whatever_happens_to_three_devices() {
    let world = rolling_back(3, Authority::Intune);
    keeps_its_promises("three devices", world.with(most(1, 2), &Mishap::ALL));
    let world = halting(3);
    keeps_its_promises("three that halt", world.with(most(1, 2), &Mishap::ALL));
}

#[test]
fn promises_are_kept_whatever_happens_to_four_devices() {
    let world = halting(4);
    let mishaps = [Mishap::Offline, Mishap::Commit, Mishap::Act];
    keeps_its_promises("four devices", world.with(most(1, 2), &mishaps));
}

/// From wherever it has come, once nothing more goes wrong and who must approve does, it comes to
/// rest and stays there. In a world with finitely many states, every fair run therefore does.
#[test]
fn it_comes_to_rest_once_nothing_more_goes_wrong() {
    let worlds = [
        ("two devices", rolling_back(2, Authority::Intune)),
        (
            "taken out",
            rolling_back(2, Authority::ConfigurationManager),
        ),
        ("two that halt", halting(2)),
    ];
    for (name, world) in worlds {
        let world = world.with(most(1, 2), &Mishap::ALL);
        let walk = Walk::new(&world, &[], |_| true);
        println!("{name}: {} states", walk.states.len());
        let is_at_rest = |state: &_| world.is_at_rest(state);
        if let Some(at) = walk.never_reaches(is_at_rest) {
            panic!("{name}: never at rest after {:?}", walk.way_to(at));
        }
        if let Some(at) = walk.leaves(is_at_rest) {
            panic!(
                "{name}: at rest, and not to stay, after {:?}",
                walk.way_to(at)
            );
        }
    }
}

/// From wherever it has come, a person who retries gets it to its end, once nothing more goes wrong.
#[test]
fn a_person_who_retries_completes_it() {
    let mishaps = [
        Mishap::Offline,
        Mishap::Illness,
        Mishap::Crash,
        Mishap::Commit,
        Mishap::Act,
    ];
    for (name, world) in [
        ("two devices", rolling_back(2, Authority::Intune)),
        ("two that halt", halting(2)),
    ] {
        let world = world.with(most(1, 2), &mishaps);
        let walk = Walk::new(&world, &[Action::Say(Act::Retry)], |_| true);
        println!("{name}: {} states", walk.states.len());
        if let Some(at) = walk.never_reaches(|state| world.is_complete(state)) {
            panic!("{name}: never complete after {:?}", walk.way_to(at));
        }
    }
}

/// Where devices follow and never report, a person who promotes and retries still gets on.
#[test]
fn a_person_leads_on_where_nobody_reports() {
    let world = rolling_back(2, Authority::Intune).with(most(1, 2), &[Mishap::Act]);
    let people = [Act::Promote, Act::Retry].map(Action::Say);
    let walk = Walk::new(&world, &people, |action| {
        !matches!(action, Action::Report(_))
    });
    println!("nobody reports: {} states", walk.states.len());
    if let Some(at) = walk.never_reaches(|state| world.has_ended(state)) {
        panic!("no way on after {:?}", walk.way_to(at));
    }
}
