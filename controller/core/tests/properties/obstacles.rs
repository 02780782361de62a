//! Why a device is not moving: one answer, in one order, and always a way on.

use std::collections::BTreeSet;

use diarchy_core::amount::Amount;
use diarchy_core::circumstances::Circumstances;
use diarchy_core::desired::{Desired, Force, FrozenBy, Rollout, Step, Window};
use diarchy_core::digest::Digest;
use diarchy_core::due::Wait;
use diarchy_core::duration::Span;
use diarchy_core::engine::Engine;
use diarchy_core::obstacle::{Obstacle, WayOn};
use diarchy_core::requirement::{Lack, Unmet};
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{Heeded, Progress, Stage, StopReason, step_digest};
use diarchy_core::workload::{Authority, Workload};

use crate::world::plain::{self, assignment, hold, listed, movable, pilot};
use crate::world::{NAMESPACE, World, now};

const WORKLOAD: Workload = Workload::ClientApps;

/// One device that one assignment would move.
fn one() -> World {
    World {
        devices: vec![movable("d0")],
        groups: vec![listed("all", ["d0".to_owned()])],
        policy: Some(pilot(&[WORKLOAD])),
        assignments: vec![assignment("apps", WORKLOAD, "all", Authority::Intune)],
    }
}

/// What stands in its way.
fn obstacles(desired: &Desired, circumstances: &Circumstances, is_admitted: bool) -> Vec<Obstacle> {
    let inventory = one().inventory();
    let engine = Engine::new(desired, &inventory, now());
    circumstances.obstacles(&engine, (0, WORKLOAD), &|_| is_admitted)
}

fn not_ready() -> Obstacle {
    let unmet = Unmet {
        what: "UpdateRing broad".to_owned(),
        lack: Lack::NotCarriedOut,
    };
    Obstacle::DependencyNotReady { unmet }
}

fn digest() -> Digest {
    Digest::of_lines(["a plan"])
}

fn staged(window: Option<Window>) -> Rollout {
    let steps = [
        Step {
            devices: Amount::percent(5),
            soak: Span::hours(4),
            approval_required: true,
        },
        Step {
            devices: Amount::ALL,
            soak: Span::hours(0),
            approval_required: false,
        },
    ];
    Rollout {
        window,
        ..plain::staged(&steps)
    }
}

/// A rollout of the assignment that has come so far.
fn at(stage: Stage) -> Circumstances {
    let mut progress = Progress::new(digest(), Authority::Intune, now(), Heeded::new());
    progress.stage = stage;
    let name = ObjectName::new(NAMESPACE, "apps");
    Circumstances {
        rollouts: [(name, progress)].into(),
        ..Circumstances::default()
    }
}

#[test]
fn nothing_stands_in_the_way_of_what_is_sent_now() {
    let desired = one().desired();
    assert_eq!(obstacles(&desired, &Circumstances::default(), true), []);
}

#[test]
fn several_are_told_in_one_order() {
    let mut desired = one().desired();
    let closed = Window {
        days: Vec::new(),
        from: "22:00".parse().unwrap(),
        to: "23:00".parse().unwrap(),
        time_zone: jiff::tz::TimeZone::UTC,
    };
    desired.assignments[0].rollout = Some(staged(Some(closed)));
    let pair = (0, WORKLOAD);
    let circumstances = Circumstances {
        fleet: Some(Obstacle::FleetSuspended),
        waiting: Some((digest(), BTreeSet::from([pair]))),
        by_hand: BTreeSet::from([WORKLOAD]),
        held_back: [(pair, Wait::MaxConcurrency)].into(),
        ..at(Stage::Halted {
            since: now(),
            reason: StopReason::Aborted,
        })
    };
    let opens = "2026-11-22T22:00:00Z".parse().ok();
    assert_eq!(
        obstacles(&desired, &circumstances, true),
        [
            Obstacle::FleetSuspended,
            Obstacle::ManualStepNeeded,
            Obstacle::AwaitingApproval { digest: digest() },
            Obstacle::Halted,
            Obstacle::OutsideWindow { opens },
            Obstacle::MaxConcurrency,
        ]
    );
}

#[test]
fn a_rollout_says_what_the_next_step_waits_for() {
    let mut desired = one().desired();
    desired.assignments[0].rollout = Some(staged(None));
    let since = now();
    let soaking = at(Stage::Soaking { since });
    let until = "2026-11-22T12:00:00Z".parse().ok();
    let not_admitted = Obstacle::NotAdmitted {
        step: 1,
        of: 2,
        until,
    };
    assert_eq!(obstacles(&desired, &soaking, false), [not_admitted]);
    // Who is in waits for nothing of it.
    assert_eq!(obstacles(&desired, &soaking, true), []);
    let awaiting = at(Stage::AwaitingApproval { since });
    let digest = step_digest(&digest(), 0);
    assert_eq!(
        obstacles(&desired, &awaiting, false),
        [Obstacle::StepAwaitingApproval { digest }]
    );
}

#[test]
fn who_would_ask_and_may_not_is_told() {
    for (force, obstacle) in [
        (Force::Frozen(FrozenBy::Suspend), Obstacle::Suspended),
        (Force::Frozen(FrozenBy::Pause), Obstacle::Paused),
        (Force::Frozen(FrozenBy::Invalid), Obstacle::Invalid),
        (Force::Frozen(FrozenBy::Requires), not_ready()),
        (Force::Observing, Obstacle::Observing),
    ] {
        let mut desired = one().desired();
        desired.assignments[0].force = force;
        if let Obstacle::DependencyNotReady { unmet } = &obstacle {
            desired.assignments[0].unmet = vec![unmet.clone()];
        }
        let found = obstacles(&desired, &Circumstances::default(), true);
        assert_eq!(found, [obstacle], "{force:?}");
    }
}

#[test]
fn a_device_that_is_there_and_has_not_said_so_is_waited_for() {
    let mut world = one();
    let holder = [world.assignments[0].reference()];
    hold(&mut world.devices[0], WORKLOAD, &holder);
    world.devices[0].insert("observed".to_owned(), serde_json::json!([]));
    world.devices[0].insert("online".to_owned(), serde_json::json!(false));
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, now());
    let found = Circumstances::default().obstacles(&engine, (0, WORKLOAD), &|_| true);
    assert_eq!(found, [Obstacle::NotReported { online: false }]);
}

/// From each of them some stated act of a person, the passing of time, or the estate leads on; who is to
/// act is told what to do.
#[test]
fn each_has_a_way_on() {
    let until = now();
    let all = [
        Obstacle::FleetSuspended,
        Obstacle::FleetObserving,
        Obstacle::MaxInventoryShrink { digest: digest() },
        Obstacle::ClaimedByAnother { digest: digest() },
        Obstacle::Frozen {
            name: "audit".to_owned(),
            until,
        },
        Obstacle::SiteUnread,
        Obstacle::Invalid,
        not_ready(),
        Obstacle::Suspended,
        Obstacle::Paused,
        Obstacle::Observing,
        Obstacle::ManualStepNeeded,
        Obstacle::AwaitingApproval { digest: digest() },
        Obstacle::Halted,
        Obstacle::RolledBack,
        Obstacle::StepAwaitingApproval { digest: digest() },
        Obstacle::NotAdmitted {
            step: 1,
            of: 2,
            until: None,
        },
        Obstacle::OutsideWindow { opens: Some(until) },
        Obstacle::MaxConcurrency,
        Obstacle::MaxChangesPerHour,
        Obstacle::OutsideLimitingCollection,
        Obstacle::Pending,
        Obstacle::NotReported { online: true },
    ];
    for obstacle in &all {
        match obstacle.way_on() {
            WayOn::Person(act) => assert!(act.len() > 10, "{obstacle:?}: {act}"),
            WayOn::Time(_) | WayOn::Estate => {}
        }
        // As it is told to machines and back.
        let text = serde_json::to_string(obstacle).unwrap();
        assert_eq!(serde_json::from_str::<Obstacle>(&text).unwrap(), *obstacle);
        assert!(text.contains("\"reason\""), "{text}");
    }
    let mut backwards = all.to_vec();
    backwards.reverse();
    Obstacle::sort(&mut backwards);
    assert_eq!(backwards, all);
}

#[test]
fn an_assignment_says_what_its_devices_wait_for_in_force_or_not() {
    let world = one();
    let inventory = world.inventory();
    let of = |desired: &Desired, circumstances: &Circumstances, is_admitted: bool| {
        let engine = Engine::new(desired, &inventory, now());
        let counted = circumstances.by_assignment(&engine, &|_, _| is_admitted);
        let of_one = counted.into_values().flatten();
        of_one
            .map(|(obstacle, devices)| (obstacle.name(), devices))
            .collect::<Vec<_>>()
    };
    let mut desired = world.desired();
    desired.assignments[0].rollout = Some(staged(None));
    let moving = at(Stage::Moving { since: now() });
    assert_eq!(of(&desired, &moving, false), [("NotAdmitted", 1)]);
    assert_eq!(of(&desired, &moving, true), []);
    let frozen = Circumstances {
        fleet: Some(Obstacle::FleetSuspended),
        ..moving.clone()
    };
    assert_eq!(of(&desired, &frozen, false), [("FleetSuspended", 1)]);
    for (force, says) in [
        (Force::Frozen(FrozenBy::Suspend), "Suspended"),
        (Force::Frozen(FrozenBy::Pause), "Paused"),
        (Force::Observing, "Observing"),
    ] {
        desired.assignments[0].force = force;
        assert_eq!(of(&desired, &moving, false), [(says, 1)]);
    }
}
