//! What one pass decides while rollouts are under way: who is asked, about what, and what is begun.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::accept::{Acceptance, Accepted, Basis, WaitReason, accept};
use diarchy_core::amount::Amount;
use diarchy_core::circumstances::Circumstances;
use diarchy_core::decision::Decision;
use diarchy_core::desired::{
    AssignmentIndex, Desired, Force, FrozenBy, Guardrails, OnFailure, Rollout, Window,
};
use diarchy_core::due::{Brakes, Wait, due, waiting};
use diarchy_core::engine::Engine;
use diarchy_core::obstacle::Obstacle;
use diarchy_core::plan::{Change, Plan};
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{
    Act, Heeded, Look, Moves, Progress, Rejected, Rollouts, Said, Signals, spec_digest,
};
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::steps::{Step as SiteStep, steps};
use diarchy_core::workload::{Authority, Workload, WorkloadSet};
use jiff::SignedDuration;
use serde_json::json;

use crate::world::plain::{assignment, hold, in_two_steps, listed, movable, pilot};
use crate::world::{NAMESPACE, World, now};

const WORKLOAD: Workload = Workload::ClientApps;

fn ids(devices: std::ops::Range<usize>) -> Vec<String> {
    devices.map(|at| format!("d{at:03}")).collect()
}

/// A hundred devices, of which an assignment called `apps` is about the first `selected`.
fn fleet(selected: usize) -> World {
    World {
        devices: ids(0..100).iter().map(|id| movable(id)).collect(),
        groups: vec![listed("some", ids(0..selected))],
        policy: Some(pilot(&[WORKLOAD])),
        assignments: vec![assignment("apps", WORKLOAD, "some", Authority::Intune)],
    }
}

fn rollout(first: Amount) -> Rollout {
    Rollout {
        on_failure: OnFailure::Rollback,
        ..in_two_steps(first)
    }
}

/// What git asks, with a rollout that begins with one device.
fn desired(world: &World, rollout: &Rollout) -> Desired {
    let mut desired = world.desired();
    desired.guardrails = Guardrails {
        max_changed_devices: Amount::percent(20),
        max_leaving: Amount::percent(2),
        ..Guardrails::default()
    };
    desired.assignments[0].rollout = Some(rollout.clone());
    desired
}

fn name() -> ObjectName {
    ObjectName::new(NAMESPACE, "apps")
}

/// What is remembered between passes.
#[derive(Default)]
struct Memory {
    rollouts: Rollouts,
    accepted: Option<Accepted>,
    /// First ids of devices that something was sent for and not proved.
    sent: BTreeSet<String>,
    said: Said,
}

/// One pass: what it decides, and what of it is cleared.
fn pass<T>(
    world: &World,
    rollout: &Rollout,
    memory: &mut Memory,
    see: impl FnOnce(&Decision<'_>, &Acceptance) -> T,
) -> T {
    let (desired, inventory) = (desired(world, rollout), world.inventory());
    let signals = Signals {
        look: Look {
            now: now(),
            last: None,
            longest_gap: SignedDuration::from_hours(1),
        },
        is_sent: &|row, _, _| memory.sent.contains(inventory.first_id(row)),
        is_evidence: &|_, _| true,
        rules: &RulesUnderWay::nothing(),
        is_outside: &|_, _| false,
        contradicted: WorkloadSet::EMPTY,
        is_approved: &|_| false,
        said: &memory.said,
    };
    let engine = Engine::new(&desired, &inventory, now());
    let decision = Decision::new(engine, &memory.rollouts, &signals);
    let basis = Basis {
        revision: "r1",
        before: memory.accepted.as_ref(),
        approvals: &[],
        is_whole: true,
        agreed: &decision.returning,
        under_way: &RulesUnderWay::nothing(),
    };
    let acceptance = accept(&decision.engine, &decision.end, basis);
    let seen = see(&decision, &acceptance);
    memory.rollouts = decision.survey.rollouts;
    memory.accepted = acceptance.accepted;
    seen
}

/// A memory in which everything stays with Configuration Manager, and that was accepted.
fn baseline() -> Memory {
    let mut memory = Memory {
        accepted: Some(Accepted::default()),
        ..Memory::default()
    };
    let nobody = fleet(0);
    pass(&nobody, &rollout(Amount::Count(1)), &mut memory, |_, _| ());
    assert!(memory.accepted.is_some());
    memory
}

/// What may be sent now.
fn cleared(decision: &Decision<'_>, acceptance: &Acceptance) -> Vec<Change> {
    decision.cleared_now(&acceptance.cleared)
}

#[test]
fn a_selector_that_is_too_wide_waits_however_small_its_first_step_is() {
    let mut memory = baseline();
    let first = rollout(Amount::Count(1));
    pass(&fleet(50), &first, &mut memory, |decision, acceptance| {
        let waiting = acceptance.waiting.as_ref().unwrap();
        assert_eq!(waiting.reason, WaitReason::MaxChangedDevices);
        assert_eq!(waiting.changes.len(), 50);
        assert_eq!(decision.now.changes.len(), 1);
        assert_eq!(cleared(decision, acceptance), []);
    });
}

#[test]
fn an_end_that_was_accepted_is_gone_to_step_by_step_without_another_yes() {
    let mut memory = baseline();
    let first = rollout(Amount::Count(3));
    let mut world = fleet(20);
    let begun = pass(&world, &first, &mut memory, |decision, acceptance| {
        assert_eq!(acceptance.waiting, None);
        cleared(decision, acceptance)
    });
    assert_eq!(begun.len(), 3);
    // They have arrived, and a person is in a hurry.
    for change in &begun {
        let device = &mut world.devices[change.row];
        hold(device, WORKLOAD, &[world.assignments[0].reference()]);
        device.insert("observed".to_owned(), json!([WORKLOAD.name()]));
    }
    memory.said = [(name(), Heeded::from([(Act::Promote, "now".to_owned())]))].into();
    let rest = pass(&world, &first, &mut memory, |decision, acceptance| {
        assert_eq!(acceptance.waiting, None);
        cleared(decision, acceptance)
    });
    assert_eq!(rest.len(), 17);
}

#[test]
fn going_back_asks_nobody_and_handing_back_as_many_otherwise_does() {
    let first = rollout(Amount::ALL);
    let mut world = fleet(20);
    let mut memory = baseline();
    let moved = pass(&world, &first, &mut memory, cleared);
    assert_eq!(moved.len(), 20);
    memory.sent = ids(0..20).into_iter().collect();
    for device in &mut world.devices[..20] {
        hold(device, WORKLOAD, &[world.assignments[0].reference()]);
        device.insert("observed".to_owned(), json!([]));
    }
    memory.said = [(name(), Heeded::from([(Act::Abort, "now".to_owned())]))].into();
    let back = pass(&world, &first, &mut memory, |decision, acceptance| {
        assert_eq!(acceptance.waiting, None);
        assert_eq!(decision.returning.len(), 20);
        cleared(decision, acceptance)
    });
    assert_eq!(back.len(), 20);
    let goes_back = |change: &Change| change.to == Authority::ConfigurationManager;
    assert!(back.iter().all(goes_back), "{back:?}");

    // The same devices, whom somebody takes out of the group instead.
    let mut memory = baseline();
    pass(&fleet(20), &first, &mut memory, cleared);
    let mut emptied = world.clone();
    emptied.groups[0].devices.clear();
    pass(&emptied, &first, &mut memory, |decision, acceptance| {
        let waiting = acceptance.waiting.as_ref().unwrap();
        assert_eq!(waiting.reason, WaitReason::MaxLeaving);
        assert_eq!(cleared(decision, acceptance), []);
    });
}

/// A carve-out that has not admitted anybody yet leaves devices to an assignment that it will win over in
/// the end: they are not moved there and back.
#[test]
fn what_would_be_undone_in_the_end_is_not_begun() {
    let mut world = fleet(10);
    world
        .assignments
        .push(assignment("base", WORKLOAD, "some", Authority::Intune));
    world.groups.push(listed("others", ids(0..10)));
    let carved = &mut world.assignments[0];
    carved.authority = Authority::ConfigurationManager;
    carved.group = "others".to_owned();
    carved.priority = 10;
    let mut memory = baseline();
    let first = rollout(Amount::Count(1));
    pass(&world, &first, &mut memory, |decision, acceptance| {
        assert_eq!(decision.end.changes, []);
        assert_eq!(decision.now.changes.len(), 9);
        assert_eq!(cleared(decision, acceptance), []);
    });
}

#[test]
fn no_more_are_sent_than_are_borne_on_their_way() {
    let world = fleet(10);
    let mut memory = baseline();
    let mut all = rollout(Amount::ALL);
    all.max_concurrency = Some(Amount::Count(3));
    // Two are on their way; one of those that wait is offline and costs nothing.
    memory.sent = ids(0..2).into_iter().collect();
    let mut world = world;
    world.devices[9].insert("online".to_owned(), json!(false));
    pass(&world, &all, &mut memory, |decision, acceptance| {
        assert_eq!(cleared(decision, acceptance).len(), 10);
        braked(decision, acceptance, |engine, steps, brakes| {
            let due = due(engine, steps, &[], brakes);
            let rows: Vec<usize> = due.steps.iter().map(|step| step.pair().0).collect();
            assert_eq!(rows, [0, 1, 2, 9]);
            let waits = waiting(engine, steps, brakes);
            assert_eq!(waits.len(), 6);
            assert!(waits.iter().all(|(_, wait)| *wait == Wait::MaxConcurrency));
        });
    });
}

/// What `see` makes of the steps that are cleared and of what they are held against.
fn braked<T>(
    decision: &Decision<'_>,
    acceptance: &Acceptance,
    see: impl FnOnce(&Engine<'_>, &[SiteStep], &Brakes<'_>) -> T,
) -> T {
    let cleared = cleared(decision, acceptance);
    let steps = steps(&decision.engine, &RulesUnderWay::default(), &cleared, &[]);
    see(&decision.engine, &steps, &brakes(&decision.survey.moves))
}

/// No pace, and nothing that was sent before.
fn brakes(moves: &BTreeMap<AssignmentIndex, Moves>) -> Brakes<'_> {
    Brakes {
        contradicted: WorkloadSet::EMPTY,
        left: 100,
        is_asked: &|_| false,
        is_enrolling: &|_| false,
        moves,
    }
}

/// How many steps a pass sends.
fn sent(world: &World, rollout: &Rollout, memory: &mut Memory) -> usize {
    pass(world, rollout, memory, |decision, acceptance| {
        braked(decision, acceptance, |engine, steps, brakes| {
            due(engine, steps, &[], brakes).steps.len()
        })
    })
}

/// A few clients never speak of the workloads that came last, however long they are waited for.
#[test]
fn who_never_speaks_of_the_workload_takes_nobodys_place() {
    let mut world = fleet(5);
    let mut memory = baseline();
    let mut all = rollout(Amount::ALL);
    all.max_concurrency = Some(Amount::Count(1));
    let own = world.assignments[0].reference();
    let silent = &mut world.devices[0];
    hold(silent, WORKLOAD, &[own]);
    silent.insert("observed".to_owned(), json!([]));
    silent.insert("observedUnread".to_owned(), json!([WORKLOAD.name()]));
    assert_eq!(sent(&world, &all, &mut memory), 1);
    // Of one of which nothing was read, nobody knows whether it is still on its way.
    world.devices[0].remove("observed");
    world.devices[0].remove("observedUnread");
    assert_eq!(sent(&world, &all, &mut memory), 0);
}

/// Two assignments have the device, and neither asks for it any more: the window of either counts.
#[test]
fn who_leaves_waits_for_the_window_of_each_that_has_it() {
    let mut world = fleet(2);
    world
        .assignments
        .push(assignment("base", WORKLOAD, "some", Authority::Intune));
    let holders: Vec<String> = world
        .assignments
        .iter()
        .map(crate::world::Assignment::reference)
        .collect();
    hold(&mut world.devices[50], WORKLOAD, &holders);
    let inventory = world.inventory();
    for windowed in 0..2 {
        let mut desired = world.desired();
        let closed = Window {
            days: Vec::new(),
            from: "22:00".parse().unwrap(),
            to: "23:00".parse().unwrap(),
            time_zone: jiff::tz::TimeZone::UTC,
        };
        desired.assignments[windowed].rollout = Some(Rollout {
            window: Some(closed),
            ..rollout(Amount::ALL)
        });
        let engine = Engine::new(&desired, &inventory, now());
        let mut changes: Vec<Change> = Plan::new(&engine).changes;
        changes.retain(|change| change.row == 50);
        assert_eq!(changes.len(), 1);
        let steps = steps(&engine, &RulesUnderWay::default(), &changes, &[]);
        let moves = BTreeMap::new();
        let brakes = brakes(&moves);
        assert_eq!(due(&engine, &steps, &[], &brakes).steps, []);
        let waits = waiting(&engine, &steps, &brakes);
        assert_eq!(waits[0].1, Wait::OutsideWindow);
        let found = Circumstances::default().obstacles(&engine, (50, WORKLOAD), &|_| true);
        let is_window = |obstacle: &Obstacle| matches!(obstacle, Obstacle::OutsideWindow { .. });
        assert!(found.iter().any(is_window), "{found:?}");
    }
}

#[test]
fn who_has_left_intune_takes_nobodys_place() {
    let mut world = fleet(5);
    let mut memory = baseline();
    let mut all = rollout(Amount::ALL);
    all.max_concurrency = Some(Amount::Count(1));
    // It was moved, and was taken out of Intune before it said so: nobody hears of it again.
    let own = world.assignments[0].reference();
    let retired = &mut world.devices[0];
    hold(retired, WORKLOAD, &[own]);
    retired.insert("intune".to_owned(), json!({ "enrolled": false }));
    assert_eq!(sent(&world, &all, &mut memory), 1);
    // Of whom it is not known whether it is enrolled, it is not known either what it does.
    world.devices[0].remove("intune");
    assert_eq!(sent(&world, &all, &mut memory), 0);
}

/// Twenty devices that were moved and have arrived, in a rollout that is complete.
fn moved(memory: &mut Memory) -> World {
    let mut world = fleet(20);
    let at_once = rollout(Amount::ALL);
    pass(&world, &at_once, memory, |_, acceptance| {
        assert_eq!(acceptance.waiting, None);
    });
    let own = world.assignments[0].reference();
    for device in &mut world.devices[..20] {
        hold(device, WORKLOAD, std::slice::from_ref(&own));
        device.insert("observed".to_owned(), json!([WORKLOAD.name()]));
    }
    pass(&world, &at_once, memory, |decision, _| {
        assert_eq!(decision.end.changes, []);
    });
    world
}

/// What waits and what is cleared of a pass over `world`.
fn judged(world: &World, memory: &mut Memory) -> (Option<(WaitReason, usize)>, usize) {
    pass(
        world,
        &rollout(Amount::ALL),
        memory,
        |decision, acceptance| {
            let waiting = acceptance.waiting.as_ref();
            let waiting = waiting.map(|waiting| (waiting.reason, waiting.changes.len()));
            (waiting, cleared(decision, acceptance).len())
        },
    )
}

#[test]
fn a_group_that_is_emptied_hands_nobody_back_unasked() {
    let mut memory = baseline();
    let mut world = moved(&mut memory);
    world.groups = vec![listed("some", ids(0..0))];
    let waits = Some((WaitReason::MaxLeaving, 20));
    assert_eq!(judged(&world, &mut memory), (waits, 0));
}

#[test]
fn a_group_that_is_gone_moves_nobody_and_its_rollout_is_where_it_was() {
    let mut memory = baseline();
    let mut world = moved(&mut memory);
    let before = memory.rollouts.clone();
    let groups = std::mem::take(&mut world.groups);
    assert_eq!(judged(&world, &mut memory), (None, 0));
    world.groups = groups;
    assert_eq!(judged(&world, &mut memory), (None, 0));
    let admitted = |rollouts: &Rollouts| rollouts[&name()].admitted.clone();
    assert_eq!(admitted(&memory.rollouts), admitted(&before));
}

#[test]
fn devices_that_an_inventory_lost_are_neither_moved_nor_forgotten() {
    let mut memory = baseline();
    let mut world = moved(&mut memory);
    let all = world.devices.clone();
    world.devices.truncate(5);
    assert_eq!(judged(&world, &mut memory), (None, 0));
    world.devices = all;
    assert_eq!(judged(&world, &mut memory), (None, 0));
    // Collections that came back empty would be filled again, as was accepted.
    for device in &mut world.devices {
        hold(device, WORKLOAD, &[]);
    }
    assert_eq!(judged(&world, &mut memory), (None, 20));
}

#[test]
fn a_lost_end_state_asks_again_however_far_a_rollout_is() {
    let mut memory = baseline();
    let mut world = moved(&mut memory);
    world.groups = vec![listed("some", ids(0..25))];
    memory.accepted = None;
    let waits = Some((WaitReason::NoBaseline, 5));
    assert_eq!(judged(&world, &mut memory), (waits, 0));
    // So it does when what rollouts had done is lost, too.
    memory.rollouts = Rollouts::new();
    assert_eq!(judged(&world, &mut memory), (waits, 0));
}

/// What only a status says to have been rolled back is known again for the spec that it is about.
#[test]
fn only_the_spec_that_was_rolled_back_is_restored() {
    let at = AssignmentIndex(0);
    let with_priority = |priority| {
        let mut desired = fleet(1).desired();
        desired.assignments[0].priority = priority;
        desired
    };
    let rejected = Rejected {
        spec: spec_digest(&with_priority(0), at).unwrap(),
        step: 1,
        since: now(),
    };
    let heeded = Heeded::from([(Act::Retry, "once".to_owned())]);
    let restored = |desired: &Desired| Progress::restored(desired, at, rejected, heeded.clone());
    let same = restored(&with_priority(0)).unwrap();
    assert_eq!(same.rejected(), Some(rejected.spec));
    assert_eq!((same.step, same.stage.since()), (1, rejected.since));
    assert_eq!(same.heeded, heeded);
    assert!(same.admitted.is_empty() && same.courses.is_empty());
    assert_eq!(restored(&with_priority(1)), None);
    // A group that is missing, or an assignment that cannot be read, is no other spec.
    let mut missing = with_priority(1);
    missing.assignments[0].group = None;
    assert!(restored(&missing).is_some());
    let mut wrong = with_priority(1);
    wrong.assignments[0].force = Force::Frozen(FrozenBy::Invalid);
    assert!(restored(&wrong).is_some());
}
