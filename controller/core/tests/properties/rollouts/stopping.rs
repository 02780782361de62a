//! What stopping does, and what gets on from there.

use std::collections::BTreeSet;

use diarchy_core::amount::Amount;
use diarchy_core::desired::{OnFailure, Rollout};
use diarchy_core::duration::Span;
use diarchy_core::inventory::ClientHealth::{Healthy, Unhealthy};
use diarchy_core::rollout::{Act, Heeded, Phase, Progress, Stage, StopReason};

use super::{Hand, admitted, approved_step, staged, step};

/// Two devices of four have arrived in the first step, and are watched.
fn watched(on_failure: OnFailure) -> Hand {
    let rollout = Rollout {
        max_failures: Some(Amount::Count(0)),
        on_failure,
        ..staged(&[step(2, 24), step(4, 0)])
    };
    let mut hand = Hand::new(4, rollout);
    hand.pass_and_arrive();
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Soaking));
    hand
}

#[test]
fn a_rollout_that_halts_stays_so_and_keeps_its_devices() {
    let mut hand = watched(OnFailure::Halt);
    hand.devices[1].client = Unhealthy;
    hand.pass();
    hand.devices[1].client = Healthy;
    let turn = hand.watch(100);
    assert_eq!(hand.at(), (0, Phase::Halted));
    assert_eq!((admitted(&turn), turn.limits.may_move), (vec![0, 1], false));
    assert_eq!(turn.progress.rejected(), None);
}

#[test]
fn a_person_who_retries_lets_a_halted_rollout_go_on() {
    let mut hand = watched(OnFailure::Halt);
    hand.devices[1].client = Unhealthy;
    hand.pass();
    hand.say(Act::Retry);
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Halted), "it is as ill as before");
    hand.devices[1].client = Healthy;
    hand.later(1).say(Act::Retry);
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Soaking));
    assert_eq!(hand.progress().failures().count(), 0);
}

#[test]
fn a_device_that_was_late_has_all_its_time_again_after_a_retry() {
    let rollout = Rollout {
        max_failures: Some(Amount::Count(0)),
        progress_deadline: Some(Span::hours(4)),
        ..staged(&[step(1, 24)])
    };
    let mut hand = Hand::new(1, rollout);
    hand.pass();
    hand.watch(6);
    assert_eq!(hand.at(), (0, Phase::Halted));
    hand.say(Act::Retry);
    hand.pass();
    hand.watch(3);
    assert_eq!(hand.at(), (0, Phase::Progressing));
    hand.watch(1);
    assert_eq!(hand.at(), (0, Phase::Halted));
}

#[test]
fn a_rollout_that_rolls_back_keeps_nobody_whom_it_has_moved() {
    let mut hand = watched(OnFailure::Rollback);
    hand.devices[1].client = Unhealthy;
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::RolledBack));
    let turn = hand.pass();
    assert_eq!((admitted(&turn), turn.limits.may_move), (vec![], false));
    assert_eq!(turn.progress.rejected(), Some(hand.digest()));
    // What it says of why stays.
    let reason = StopReason::MaxFailures { failed: 1, of: 2 };
    assert_eq!(turn.progress.stage.stopped(), Some(reason));
}

#[test]
fn who_was_admitted_and_not_moved_yet_is_not_admitted_after_a_rollback() {
    let rollout = Rollout {
        max_concurrency: Some(Amount::Count(1)),
        on_failure: OnFailure::Rollback,
        ..staged(&[step(2, 24), step(3, 0)])
    };
    let mut hand = Hand::new(3, rollout);
    hand.pass();
    assert_eq!(hand.moved(), [0]);
    hand.say(Act::Abort);
    hand.pass();
    assert!(admitted(&hand.pass()).is_empty());
    assert_eq!(hand.progress().admitted, BTreeSet::new());
}

#[test]
fn who_was_written_to_out_of_sight_goes_back_too() {
    let rollout = Rollout {
        on_failure: OnFailure::Rollback,
        ..staged(&[step(2, 24), step(3, 0)])
    };
    let mut hand = Hand::new(3, rollout);
    hand.pass();
    let mut missing = hand.devices.remove(0);
    hand.say(Act::Abort);
    hand.pass();
    missing.arrive();
    hand.devices.insert(0, missing);
    assert!(admitted(&hand.pass()).is_empty());
}

#[test]
fn what_an_earlier_spec_had_moved_stays_when_a_later_one_rolls_back() {
    let mut hand = Hand::new(4, staged(&[step(2, 0)]));
    hand.pass_and_arrive();
    hand.pass();
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Complete));
    let rollout = Rollout {
        on_failure: OnFailure::Rollback,
        ..staged(&[step(3, 24), step(4, 0)])
    };
    hand.commit("second", rollout);
    // An older report shows again: that is nothing that the second spec did.
    hand.devices[0].has_arrived = false;
    hand.pass();
    hand.arrive();
    assert_eq!(hand.moved(), [0, 1, 2]);
    hand.say(Act::Abort);
    hand.pass();
    assert_eq!(admitted(&hand.pass()), [0, 1]);
}

#[test]
fn what_was_rolled_back_is_not_tried_again() {
    let mut hand = watched(OnFailure::Rollback);
    hand.say(Act::Abort);
    hand.pass();
    for device in &mut hand.devices {
        (device.is_placed, device.has_arrived) = (false, false);
        device.is_own = false;
    }
    hand.later(1).say(Act::Promote);
    hand.later(1).say(Act::Abort);
    hand.restart();
    let turn = hand.watch(100);
    assert_eq!(hand.at(), (0, Phase::RolledBack));
    assert!(admitted(&turn).is_empty());
}

#[test]
fn what_only_a_status_remembers_to_be_rolled_back_moves_nobody_until_a_person_retries() {
    let mut hand = watched(OnFailure::Rollback);
    hand.pass_and_arrive();
    // What was remembered is lost, while one device has not gone back.
    let mut progress = Progress::new(hand.digest(), hand.authority, hand.now, Heeded::new());
    progress.stage = Stage::RolledBack {
        since: hand.now,
        reason: StopReason::Forgotten,
    };
    hand.progress = Some(progress);
    for at in 0..hand.devices.len() {
        hand.devices[at].is_placed = at == 0;
        hand.devices[at].is_sent = false;
        hand.devices[at].has_arrived = at == 0;
    }
    for _ in 0..3 {
        let turn = hand.later(60).pass();
        assert_eq!(hand.at(), (0, Phase::RolledBack));
        assert_eq!(admitted(&turn), [0], "who is placed stays, alone");
        assert!(!turn.limits.may_move && hand.devices.iter().all(|one| !one.is_sent));
    }
    hand.say(Act::Retry);
    assert_eq!(admitted(&hand.pass()), [0, 1]);
    hand.pass_and_arrive();
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Soaking));
}

#[test]
fn a_person_who_retries_begins_anew_after_a_rollback() {
    let mut hand = watched(OnFailure::Rollback);
    hand.say(Act::Abort);
    hand.pass();
    for device in &mut hand.devices {
        (device.is_placed, device.has_arrived) = (false, false);
    }
    hand.say(Act::Retry);
    assert_eq!(admitted(&hand.pass()), [0, 1]);
    assert_eq!(hand.at(), (0, Phase::Waiting));
    hand.pass_and_arrive();
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Soaking));
}

/// A person who retries before anybody was taken back finds who failed still failing.
#[test]
fn a_person_who_retries_at_once_is_not_told_that_all_is_well() {
    let mut hand = watched(OnFailure::Rollback);
    hand.devices[1].client = Unhealthy;
    hand.pass();
    hand.say(Act::Retry);
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::RolledBack));
}

#[test]
fn devices_on_their_way_are_taken_up_again_by_a_retry() {
    let rollout = Rollout {
        on_failure: OnFailure::Rollback,
        ..staged(&[step(1, 24), step(3, 0)])
    };
    let mut hand = Hand::new(3, rollout);
    // By lot, another one comes in first.
    hand.devices[0].is_own = false;
    hand.pass();
    assert_eq!(hand.moved(), [1]);
    hand.say(Act::Abort);
    hand.pass();
    hand.devices[0].is_own = true;
    hand.say(Act::Retry);
    assert_eq!(admitted(&hand.pass()), [1]);
}

#[test]
fn what_is_complete_halts_and_takes_nobody_back() {
    let rollout = Rollout {
        max_failures: Some(Amount::Count(0)),
        on_failure: OnFailure::Rollback,
        min_observed: Some(Amount::Count(1)),
        ..staged(&[step(2, 0)])
    };
    let mut hand = Hand::new(2, rollout);
    hand.pass();
    hand.devices[0].arrive();
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Complete));
    hand.devices[1].client = Unhealthy;
    assert_eq!(admitted(&hand.pass()), [0, 1]);
    assert_eq!(hand.at(), (0, Phase::Halted));
}

#[test]
fn a_person_aborts_at_any_stage() {
    let mut moving = Hand::new(3, staged(&[step(1, 1), step(3, 0)]));
    moving.pass();
    let soaking = watched(OnFailure::Halt);
    let mut awaiting = Hand::new(3, staged(&[approved_step(1), step(3, 0)]));
    awaiting.pass_and_arrive();
    awaiting.pass();
    for mut hand in [moving, soaking, awaiting] {
        hand.say(Act::Abort);
        let turn = hand.pass();
        assert_eq!(turn.progress.phase(), Phase::Halted);
        assert_eq!(turn.progress.stage.stopped(), Some(StopReason::Aborted));
    }
}

#[test]
fn of_what_is_said_between_two_passes_the_most_careful_counts() {
    for (other, steps) in [
        (Act::Promote, [step(4, 24)].as_slice()),
        (Act::Promote, &[step(1, 24), step(4, 0)]),
        (Act::Retry, &[step(1, 24), step(4, 0)]),
    ] {
        let mut hand = Hand::new(4, staged(steps));
        hand.pass();
        hand.say(Act::Abort);
        hand.say(other);
        hand.pass();
        assert_eq!(hand.at(), (0, Phase::Halted), "{other:?}, {steps:?}");
    }
}

#[test]
fn what_people_said_is_done_once() {
    let mut hand = watched(OnFailure::Halt);
    hand.say(Act::Abort);
    hand.pass();
    hand.later(1).say(Act::Retry);
    hand.pass();
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Soaking));
}
