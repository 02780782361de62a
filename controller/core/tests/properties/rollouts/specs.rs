//! What becomes of devices when something else is asked for.

use diarchy_core::desired::{OnFailure, Rollout};
use diarchy_core::rollout::{Act, Phase};
use diarchy_core::workload::Authority;

use super::{Hand, admitted, approved_step, staged, step};

/// Two of six have arrived, and two more are admitted, of whom one was written to.
fn half_way() -> Hand {
    let rollout = Rollout {
        max_concurrency: Some(diarchy_core::amount::Amount::Count(1)),
        ..staged(&[step(2, 0), step(4, 24), step(6, 0)])
    };
    let mut hand = Hand::new(6, rollout);
    for _ in 0..2 {
        hand.pass_and_arrive();
    }
    hand.pass();
    assert_eq!(
        (hand.moved(), hand.at()),
        (vec![0, 1, 2], (1, Phase::Progressing))
    );
    hand
}

#[test]
fn another_spec_keeps_the_devices_that_were_moved_and_no_others() {
    let mut hand = half_way();
    hand.commit("second", staged(&[step(1, 24), step(6, 0)]));
    assert_eq!(admitted(&hand.pass()), [0, 1, 2]);
    assert_eq!(hand.at(), (0, Phase::Progressing));
}

#[test]
fn another_spec_goes_on_at_the_last_step_that_they_fill() {
    for (steps, at, inside) in [
        (vec![step(3, 24), step(6, 0)], 0, vec![0, 1, 2]),
        (vec![step(1, 24), step(3, 24), step(6, 0)], 1, vec![0, 1, 2]),
        (vec![step(1, 24), step(4, 24), step(6, 0)], 0, vec![0, 1, 2]),
        (vec![step(5, 24), step(6, 0)], 0, vec![0, 1, 2, 3, 4]),
        (vec![step(2, 24)], 0, vec![0, 1, 2]),
    ] {
        let mut hand = half_way();
        hand.commit("second", staged(&steps));
        assert_eq!(admitted(&hand.pass()), inside, "{steps:?}");
        assert_eq!(hand.at().0, at, "{steps:?}");
    }
}

#[test]
fn who_was_taken_out_since_comes_to_another_spec_as_a_new_one() {
    let mut hand = half_way();
    let taken = &mut hand.devices[1];
    (taken.is_placed, taken.has_arrived, taken.is_out) = (false, false, true);
    let steps = [step(1, 24), step(3, 24), step(6, 0)];
    hand.commit("second", staged(&steps));
    assert_eq!(admitted(&hand.pass()), [0, 2]);
    assert_eq!(hand.at(), (0, Phase::Progressing));
}

#[test]
fn another_spec_is_approved_anew_where_it_goes_on() {
    let steps = [step(1, 0), approved_step(3), step(6, 0)];
    let mut hand = half_way();
    hand.approve(1);
    hand.commit("second", staged(&steps));
    hand.pass();
    hand.arrive();
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::AwaitingApproval));
}

#[test]
fn what_was_written_to_since_the_last_pass_was_moved() {
    let mut hand = Hand::new(3, staged(&[step(2, 24), step(3, 0)]));
    hand.pass();
    hand.commit("second", staged(&[step(1, 24), step(3, 0)]));
    assert_eq!(admitted(&hand.pass()), [0, 1]);
}

#[test]
fn a_halted_rollout_goes_on_with_another_spec() {
    let mut hand = half_way();
    hand.say(Act::Abort);
    hand.pass();
    hand.commit("second", staged(&[step(3, 24), step(6, 0)]));
    let turn = hand.pass();
    assert_eq!(
        (admitted(&turn), turn.limits.may_move),
        (vec![0, 1, 2], true)
    );
}

#[test]
fn after_a_rollback_another_spec_begins_where_its_devices_are() {
    let mut hand = half_way();
    hand.rollout.on_failure = OnFailure::Rollback;
    hand.say(Act::Abort);
    hand.pass();
    // One was taken back by now, one is still placed and one on its way.
    (hand.devices[0].is_placed, hand.devices[0].has_arrived) = (false, false);
    hand.commit("second", staged(&[step(1, 24), step(6, 0)]));
    assert_eq!(admitted(&hand.pass()), [1, 2]);
    assert_eq!(hand.at(), (0, Phase::Progressing));
}

#[test]
fn after_a_rollback_nobody_who_was_not_moved_fills_a_step_of_another_spec() {
    let mut hand = half_way();
    hand.rollout.on_failure = OnFailure::Rollback;
    hand.say(Act::Abort);
    hand.pass();
    for device in &mut hand.devices {
        (device.is_placed, device.is_sent, device.has_arrived) = (false, false, false);
    }
    hand.pass();
    hand.commit("second", staged(&[step(1, 24), step(2, 24), step(6, 0)]));
    assert_eq!(admitted(&hand.pass()), [0]);
    assert_eq!(hand.at().0, 0);
}

#[test]
fn what_was_said_of_one_spec_and_heard_is_not_heard_again_by_the_next() {
    let mut hand = half_way();
    hand.say(Act::Abort);
    hand.pass();
    hand.commit("second", staged(&[step(3, 24), step(6, 0)]));
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Progressing));
}

#[test]
fn another_authority_begins_with_nobody() {
    let mut hand = half_way();
    hand.authority = Authority::ConfigurationManager;
    for device in &mut hand.devices {
        (device.is_placed, device.is_sent, device.has_arrived) = (false, false, false);
    }
    hand.commit("back", staged(&[step(1, 24), step(6, 0)]));
    assert_eq!(admitted(&hand.pass()), [0]);
    assert_eq!(hand.progress().admitted.len(), 1);
}

/// The site's own collections say who is in when everything else is lost.
#[test]
fn without_memory_those_that_are_placed_are_in() {
    let mut hand = half_way();
    hand.devices[2].arrive();
    hand.rollout = staged(&[step(2, 24), step(6, 0)]);
    hand.say(Act::Promote);
    hand.progress = None;
    let turn = hand.restart().pass();
    assert_eq!(admitted(&turn), [0, 1, 2]);
    // What people have said was of something that is not known any more.
    assert_eq!(hand.at().0, 0);
}

#[test]
fn who_was_out_of_sight_while_the_spec_changed_is_still_in() {
    let mut hand = half_way();
    let missing = hand.devices.remove(0);
    hand.commit("second", staged(&[step(2, 24), step(6, 0)]));
    hand.pass();
    hand.devices.insert(0, missing);
    assert_eq!(admitted(&hand.pass()), [0, 1, 2]);
}

#[test]
fn what_was_said_about_one_spec_and_not_heard_is_not_about_the_next() {
    let mut hand = half_way();
    hand.say(Act::Promote);
    hand.commit("second", staged(&[step(3, 24), step(6, 0)]));
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Progressing));
    hand.say(Act::Promote);
    hand.pass();
    assert_eq!(hand.at().0, 1);
}
