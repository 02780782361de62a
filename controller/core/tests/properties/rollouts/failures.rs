//! What counts as a failure, and how many are borne.

use diarchy_core::amount::Amount;
use diarchy_core::desired::Rollout;
use diarchy_core::duration::Span;
use diarchy_core::fact::Fact;
use diarchy_core::inventory::ClientHealth::{Healthy, Unhealthy};
use diarchy_core::inventory::ReportedError::{ComplianceConflict, ComplianceError};
use diarchy_core::rollout::{FailureReason, Phase, StopReason};

use super::{Hand, staged, step};

/// Two devices in one step, that may take four hours.
fn waiting() -> Hand {
    let rollout = Rollout {
        progress_deadline: Some(Span::hours(4)),
        ..staged(&[step(2, 1)])
    };
    let mut hand = Hand::new(2, rollout);
    hand.pass();
    hand.pass();
    hand
}

fn failures(hand: &Hand) -> Vec<FailureReason> {
    let failures = hand.progress().failures();
    failures.map(|(_, failure)| failure.reason).collect()
}

const LATE: FailureReason = FailureReason::ProgressDeadlineExceeded;

#[test]
fn a_device_that_takes_too_long_fails() {
    let mut hand = waiting();
    hand.devices[0].arrive();
    hand.watch(3);
    hand.later(59).pass();
    assert_eq!(failures(&hand), []);
    let turn = hand.later(1).pass();
    assert_eq!(failures(&hand), [LATE]);
    assert_eq!(turn.counts.failed, 1);
}

#[test]
fn a_device_that_arrives_late_has_not_failed_any_more() {
    let mut hand = waiting();
    hand.watch(5);
    assert_eq!(failures(&hand), [LATE, LATE]);
    hand.arrive();
    hand.pass();
    assert_eq!(failures(&hand), []);
}

#[test]
fn only_time_in_which_a_device_is_online_counts() {
    let mut hand = waiting();
    hand.watch(3);
    hand.devices[0].is_online = false;
    hand.watch(50);
    hand.devices[0].is_online = true;
    hand.pass();
    hand.later(30).pass();
    assert_eq!(failures(&hand), [LATE]);
    // The half hours in which it went and came are not known to be spent online.
    hand.watch(1);
    assert_eq!(failures(&hand), [LATE, LATE]);
}

#[test]
fn time_between_two_processes_does_not_count() {
    let mut hand = waiting();
    hand.watch(2);
    hand.later(30).restart().pass();
    hand.watch(1);
    assert_eq!(failures(&hand), []);
    hand.watch(1);
    assert_eq!(failures(&hand), [LATE, LATE]);
}

#[test]
fn restarting_again_and_again_fails_nobody() {
    let mut hand = waiting();
    for _ in 0..500 {
        hand.later(50).restart().pass();
    }
    assert_eq!(failures(&hand), []);
}

#[test]
fn time_in_which_nobody_looked_does_not_count() {
    let mut hand = waiting();
    hand.later(600).pass();
    hand.watch(3);
    assert_eq!(failures(&hand), []);
    hand.watch(1);
    assert_eq!(failures(&hand), [LATE, LATE]);
}

#[test]
fn time_in_which_the_assignment_is_suspended_does_not_count() {
    let mut hand = waiting();
    hand.watch(2);
    hand.is_in_force = false;
    hand.watch(100);
    hand.is_in_force = true;
    hand.watch(2);
    assert_eq!(failures(&hand), []);
    hand.watch(1);
    assert_eq!(failures(&hand), [LATE, LATE]);
}

#[test]
fn time_in_which_a_device_is_out_of_sight_does_not_count() {
    let mut hand = waiting();
    hand.watch(2);
    let missing = hand.devices.pop().unwrap();
    hand.devices[0].arrive();
    hand.watch(100);
    hand.devices.push(missing);
    hand.watch(2);
    assert_eq!(failures(&hand), []);
    hand.watch(1);
    assert_eq!(failures(&hand), [LATE]);
}

#[test]
fn a_clock_that_goes_back_fails_nobody() {
    let mut hand = waiting();
    hand.watch(2);
    hand.later(-6_000).pass();
    hand.watch(1);
    assert_eq!(failures(&hand), []);
}

#[test]
fn a_device_that_nothing_was_sent_to_does_not_fail() {
    let mut hand = waiting();
    hand.devices[1].is_sent = false;
    hand.progress = None;
    hand.look();
    for _ in 0..20 {
        hand.later(30).look();
    }
    assert_eq!(failures(&hand), [LATE]);
}

#[test]
fn a_device_that_gets_worse_after_its_move_fails_until_it_recovers() {
    let mut hand = waiting();
    hand.arrive();
    hand.pass();
    hand.devices[1].client = Unhealthy;
    hand.pass();
    assert_eq!(failures(&hand), [FailureReason::ClientUnhealthy]);
    hand.devices[1].client = Healthy;
    hand.pass();
    assert_eq!(failures(&hand), []);
}

#[test]
fn an_error_that_is_reported_after_the_move_fails_until_it_is_gone() {
    let mut hand = waiting();
    hand.arrive();
    hand.pass();
    for (error, failed) in [
        (Fact::Known(ComplianceError), true),
        // What was not read is no error, and no reason to forget one that was there before.
        (Fact::Unread, false),
        (Fact::Known(ComplianceConflict), true),
        (Fact::Absent, false),
    ] {
        hand.devices[1].error = error;
        hand.pass();
        let expected: &[FailureReason] = if failed {
            &[FailureReason::ReportedError]
        } else {
            &[]
        };
        assert_eq!(failures(&hand), expected, "{error:?}");
    }
}

#[test]
fn an_error_that_was_there_before_the_move_or_may_have_been_fails_nobody() {
    for before in [Fact::Known(ComplianceError), Fact::Unread] {
        let mut hand = Hand::new(2, staged(&[step(2, 1)]));
        hand.devices[1].error = before;
        hand.pass();
        hand.arrive();
        hand.devices[1].error = Fact::Known(ComplianceError);
        hand.pass();
        assert_eq!(failures(&hand), [], "{before:?}");
    }
}

#[test]
fn a_device_that_was_ill_before_its_move_does_not_fail() {
    let mut hand = Hand::new(2, staged(&[step(2, 1)]));
    hand.look();
    // It fell ill after it was admitted, and before it was moved.
    hand.devices[1].client = Unhealthy;
    hand.pass();
    hand.arrive();
    hand.pass();
    assert_eq!(failures(&hand), []);
}

#[test]
fn what_a_device_that_is_offline_was_said_of_stays() {
    let mut hand = waiting();
    hand.devices[1].client = Unhealthy;
    hand.pass();
    hand.devices[1].is_online = false;
    hand.devices[1].client = Healthy;
    let turn = hand.pass();
    assert_eq!(failures(&hand), [FailureReason::ClientUnhealthy]);
    // Of the online ones, nobody has failed.
    assert_eq!((turn.counts.failed, turn.counts.online), (0, 1));
}

/// Of so many online devices, this many percent, and how many may fail.
#[test]
fn as_many_failures_are_borne_as_the_percentage_has_whole_devices() {
    for (devices, percent, borne) in [(10, 10, 1), (10, 19, 1), (10, 20, 2), (9, 10, 0), (3, 0, 0)]
    {
        let rollout = Rollout {
            max_failures: Some(Amount::percent(percent)),
            ..staged(&[step(10, 24)])
        };
        let mut hand = Hand::new(devices, rollout);
        hand.pass_and_arrive();
        for at in 0..borne {
            hand.devices[at].client = Unhealthy;
        }
        hand.pass();
        assert_eq!(hand.at(), (0, Phase::Soaking), "{percent} % of {devices}");
        hand.devices[borne].client = Unhealthy;
        let turn = hand.pass();
        let (failed, of) = (borne + 1, devices);
        let reason = StopReason::MaxFailures { failed, of };
        assert_eq!(turn.progress.stage.stopped(), Some(reason));
    }
}

#[test]
fn offline_devices_are_not_counted_among_those_that_may_fail() {
    let rollout = Rollout {
        max_failures: Some(Amount::percent(50)),
        ..staged(&[step(4, 24)])
    };
    let mut hand = Hand::new(4, rollout);
    hand.pass_and_arrive();
    hand.devices[0].client = Unhealthy;
    hand.devices[2].is_online = false;
    hand.devices[3].is_online = false;
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Soaking));
    hand.devices[1].is_online = false;
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Halted));
}
