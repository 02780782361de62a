//! How steps begin and end.

use diarchy_core::amount::Amount;
use diarchy_core::desired::{Rollout, Step};
use diarchy_core::duration::Span;
use diarchy_core::rollout::{Act, Phase};

use super::{Hand, admitted, approved_step, staged, step};

#[test]
fn a_step_admits_its_share_of_the_selected_rounded_up() {
    let share = Step {
        devices: Amount::percent(25),
        ..step(0, 1)
    };
    let mut hand = Hand::new(10, staged(&[share, step(10, 0)]));
    hand.devices[9].is_selected = false;
    assert_eq!(admitted(&hand.pass()), [0, 1, 2]);
    hand.devices[9].is_selected = true;
    assert_eq!(admitted(&hand.pass()), [0, 1, 2]);
}

#[test]
fn a_device_that_cannot_be_moved_is_not_admitted() {
    let mut hand = Hand::new(4, staged(&[step(2, 1), step(4, 0)]));
    hand.devices[0].is_own = false;
    assert_eq!(admitted(&hand.pass()), [1, 2]);
    // Nor does it take the place of another once it can.
    hand.devices[0].is_own = true;
    assert_eq!(admitted(&hand.pass()), [1, 2]);
}

#[test]
fn a_step_is_watched_for_its_soak_once_its_devices_have_arrived() {
    let mut hand = Hand::new(4, staged(&[step(1, 3), step(4, 0)]));
    hand.pass();
    hand.watch(5);
    assert_eq!(hand.at(), (0, Phase::Progressing));
    hand.arrive();
    hand.watch(3);
    assert_eq!(hand.at(), (0, Phase::Soaking));
    let turn = hand.later(30).pass();
    assert_eq!(hand.at(), (1, Phase::Progressing));
    assert_eq!(admitted(&turn), [0, 1, 2, 3]);
}

#[test]
fn the_last_step_ends_in_completion_after_its_own_soak() {
    let mut hand = Hand::new(2, staged(&[step(1, 0), step(2, 1)]));
    hand.pass_and_arrive();
    hand.pass_and_arrive();
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::Soaking));
    hand.later(60).pass();
    assert_eq!(hand.at(), (1, Phase::Complete));
}

#[test]
fn nobody_comes_in_beyond_a_step_that_must_be_approved() {
    let mut hand = Hand::new(3, staged(&[approved_step(1), step(3, 0)]));
    hand.pass_and_arrive();
    assert_eq!(admitted(&hand.pass()), [0]);
    assert_eq!(hand.at(), (0, Phase::AwaitingApproval));
    let awaited = hand.progress().awaits().unwrap();
    hand.watch(200);
    assert_eq!(hand.at(), (0, Phase::AwaitingApproval));
    hand.approved.insert(awaited);
    assert_eq!(admitted(&hand.pass()), [0, 1, 2]);
}

#[test]
fn an_approval_that_was_given_before_is_not_waited_for() {
    let mut hand = Hand::new(3, staged(&[approved_step(1), step(3, 0)]));
    hand.approve(0);
    hand.pass_and_arrive();
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::Progressing));
}

#[test]
fn the_approval_of_one_step_is_not_that_of_another() {
    let mut hand = Hand::new(3, staged(&[approved_step(1), approved_step(2), step(3, 0)]));
    hand.approve(1);
    hand.pass_and_arrive();
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::AwaitingApproval));
    // Nor is the same step of another spec.
    hand.spec = "other";
    hand.approve(0);
    hand.spec = "first";
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::AwaitingApproval));
}

#[test]
fn every_step_that_must_be_approved_waits_for_its_own() {
    let mut hand = Hand::new(3, staged(&[approved_step(1), approved_step(2), step(3, 0)]));
    hand.approve(0);
    hand.pass_and_arrive();
    hand.pass_and_arrive();
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::AwaitingApproval));
}

#[test]
fn a_promotion_ends_a_step_without_reports_or_soak() {
    let mut hand = Hand::new(3, staged(&[step(1, 24), step(3, 0)]));
    hand.pass();
    hand.say(Act::Promote);
    assert_eq!(admitted(&hand.pass()), [0, 1, 2]);
    // It was said once.
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::Progressing));
}

#[test]
fn a_promotion_is_no_approval() {
    let mut hand = Hand::new(3, staged(&[approved_step(1), step(3, 0)]));
    hand.pass();
    hand.say(Act::Promote);
    assert_eq!(admitted(&hand.pass()), [0]);
    assert_eq!(hand.at(), (0, Phase::AwaitingApproval));
    hand.later(1).say(Act::Promote);
    assert_eq!(admitted(&hand.pass()), [0]);
    assert_eq!(hand.at(), (0, Phase::AwaitingApproval));
}

#[test]
fn as_many_of_the_online_devices_must_arrive_as_the_spec_says() {
    let rollout = Rollout {
        min_observed: Some(Amount::percent(50)),
        ..staged(&[step(5, 0), step(6, 0)])
    };
    let mut hand = Hand::new(6, rollout);
    hand.pass();
    hand.devices[0].arrive();
    hand.devices[1].arrive();
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Progressing));
    hand.devices[2].arrive();
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::Progressing));
}

#[test]
fn nine_of_ten_must_arrive_where_the_spec_does_not_say() {
    let mut hand = Hand::new(11, staged(&[step(10, 0), step(11, 0)]));
    hand.pass();
    for at in 0..8 {
        hand.devices[at].arrive();
    }
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Progressing));
    hand.devices[8].arrive();
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::Progressing));
}

#[test]
fn devices_that_were_there_before_prove_nothing_about_the_move() {
    let rollout = Rollout {
        min_observed: Some(Amount::Count(1)),
        ..staged(&[step(2, 0), step(3, 0)])
    };
    let mut hand = Hand::new(3, rollout);
    hand.devices[0].has_arrived = true;
    hand.pass();
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Progressing));
    hand.devices[1].arrive();
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::Progressing));
}

/// A membership that somebody else has made, and a report that comes only now.
#[test]
fn a_device_that_arrives_without_a_write_of_ours_lets_the_step_end() {
    let mut hand = Hand::new(2, staged(&[step(1, 0), step(2, 0)]));
    hand.look();
    hand.devices[0].has_arrived = true;
    hand.look();
    assert_eq!(hand.at(), (1, Phase::Progressing));
}

#[test]
fn devices_that_are_offline_neither_prove_anything_nor_hold_a_step_up() {
    let mut hand = Hand::new(4, staged(&[step(3, 0), step(4, 0)]));
    hand.devices[0].is_online = false;
    hand.devices[1].is_online = false;
    let turn = hand.pass();
    assert_eq!(hand.moved(), [0, 1, 2]);
    assert_eq!(turn.counts.offline, 2);
    // One of three is all that can be expected.
    hand.arrive();
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::Progressing));
}

#[test]
fn a_step_of_devices_that_are_all_offline_does_not_end_by_itself() {
    let mut hand = Hand::new(4, staged(&[step(2, 0), step(4, 0)]));
    hand.devices[0].is_online = false;
    hand.devices[1].is_online = false;
    hand.pass();
    hand.watch(100);
    assert_eq!(hand.at(), (0, Phase::Progressing));
}

#[test]
fn no_more_online_devices_are_on_their_way_than_the_spec_bears() {
    let rollout = Rollout {
        max_concurrency: Some(Amount::Count(2)),
        ..staged(&[step(5, 0)])
    };
    let mut hand = Hand::new(5, rollout);
    hand.devices[1].is_online = false;
    hand.pass();
    assert_eq!(hand.moved(), [0, 1, 2]);
    let turn = hand.pass();
    assert_eq!((turn.counts.in_flight, turn.limits.more), (2, 0));
    hand.devices[0].arrive();
    hand.pass();
    assert_eq!(hand.moved(), [0, 1, 2, 3]);
    // Two are on their way, and a third that was written while it was offline.
    hand.devices[1].is_online = true;
    let turn = hand.pass();
    assert_eq!((turn.counts.in_flight, turn.limits.more), (3, 0));
}

/// As after everything that was remembered is lost.
#[test]
fn a_device_that_is_placed_and_has_not_reported_is_on_its_way() {
    let rollout = Rollout {
        max_concurrency: Some(Amount::Count(1)),
        ..staged(&[step(2, 0)])
    };
    let mut hand = Hand::new(2, rollout);
    hand.devices[0].is_placed = true;
    let turn = hand.pass();
    assert_eq!((turn.counts.in_flight, turn.limits.more), (1, 0));
    assert_eq!(hand.moved(), [0]);
}

/// Somebody takes it out by hand: it is moved anew, when there is room.
#[test]
fn a_device_that_fell_out_is_not_on_its_way() {
    let rollout = Rollout {
        max_concurrency: Some(Amount::Count(1)),
        ..staged(&[step(2, 0)])
    };
    let mut hand = Hand::new(2, rollout);
    hand.pass_and_arrive();
    hand.devices[0].is_placed = false;
    hand.devices[0].has_arrived = false;
    let turn = hand.look();
    assert_eq!((turn.counts.in_flight, turn.limits.more), (0, 1));
}

#[test]
fn what_is_not_in_force_stands_still() {
    let rollout = Rollout {
        progress_deadline: Some(Span::hours(1)),
        max_failures: Some(Amount::Count(0)),
        ..staged(&[step(1, 1), step(3, 0)])
    };
    let mut hand = Hand::new(3, rollout);
    hand.pass();
    hand.is_in_force = false;
    hand.pass();
    let before = hand.progress().clone();
    hand.say(Act::Promote);
    let turn = hand.watch(100);
    assert_eq!((hand.progress(), admitted(&turn)), (&before, vec![0]));
    // What people have said meanwhile is heard when it goes on.
    hand.is_in_force = true;
    hand.pass();
    assert_eq!(hand.at(), (1, Phase::Progressing));
}

/// Who is offline blocks nobody: after the last step there is nobody left to wait for a proof.
#[test]
fn the_last_step_ends_although_all_who_are_to_move_are_offline() {
    let mut hand = Hand::new(3, staged(&[step(3, 0)]));
    hand.devices[0].has_arrived = true;
    hand.devices[1].is_online = false;
    hand.devices[2].is_online = false;
    hand.pass();
    assert_eq!(hand.at(), (0, Phase::Complete));
    // An earlier one waits: who comes next would be moved on no evidence at all.
    let mut hand = Hand::new(3, staged(&[step(2, 0), step(3, 0)]));
    hand.devices[0].has_arrived = true;
    hand.devices[1].is_online = false;
    hand.pass();
    hand.pass();
    assert_eq!(hand.at().0, 0);
}

/// A step whose devices have all become somebody else's would wait for ever for one that reports.
#[test]
fn who_is_lost_makes_room_for_another() {
    let mut hand = Hand::new(3, staged(&[step(1, 0), step(3, 0)]));
    hand.pass_and_arrive();
    hand.devices[0].is_lost = true;
    hand.devices[0].is_own = false;
    assert_eq!(admitted(&hand.pass()), [0, 1]);
    hand.arrive();
    hand.pass();
    assert_eq!(hand.at().0, 1);
}

/// Who waits for what never comes stays in, lest it is let in and out for ever.
#[test]
fn who_is_lost_on_the_way_stays_in_and_is_waited_for_no_more() {
    let mut hand = Hand::new(3, staged(&[step(1, 0), step(3, 0)]));
    assert_eq!(admitted(&hand.pass()), [0]);
    hand.devices[0].is_sent = false;
    hand.devices[0].is_lost = true;
    assert_eq!(admitted(&hand.pass()), [0, 1]);
    assert_eq!(admitted(&hand.pass()), [0, 1]);
    hand.devices[1].arrive();
    hand.pass();
    assert_eq!(hand.at().0, 1);
}

/// What another spec's group lacks goes back; should it come again, it comes with its lot.
#[test]
fn who_left_the_group_with_a_commit_is_not_admitted_when_it_comes_again() {
    let mut hand = Hand::new(4, staged(&[step(2, 60), step(4, 0)]));
    hand.pass_and_arrive();
    hand.commit("narrower", staged(&[step(1, 60), step(4, 0)]));
    hand.devices[1].is_selected = false;
    hand.pass();
    hand.devices[1].is_placed = false;
    hand.devices[1].has_arrived = false;
    hand.pass();
    hand.commit("as before", staged(&[step(1, 60), step(4, 0)]));
    hand.devices[1].is_selected = true;
    assert_eq!(admitted(&hand.pass()), [0]);
}

#[test]
fn who_comes_into_the_group_later_comes_in_with_its_step() {
    let mut hand = Hand::new(4, staged(&[step(2, 0), step(4, 0)]));
    hand.devices[0].is_selected = false;
    hand.pass();
    assert_eq!(hand.moved(), [1, 2]);
    hand.devices[0].is_selected = true;
    hand.pass();
    assert_eq!(hand.moved(), [1, 2]);
    hand.arrive();
    hand.pass();
    assert_eq!(hand.moved(), [0, 1, 2, 3]);
}
