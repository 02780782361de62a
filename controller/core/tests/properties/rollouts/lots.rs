//! Whom steps admit while devices come, go and cannot be moved for a while.

use std::collections::BTreeSet;

use diarchy_core::amount::Amount;
use diarchy_core::desired::Step;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::{Device, Hand, admitted, staged, step};

/// How many devices there are.
const DEVICES: usize = 12;

/// What changes before a pass: which devices are in sight, can be moved, are selected, are online, and
/// follow, each a bit; and how far the step goes.
type Churn = (u16, u16, u16, u16, u16, u32);

fn churn() -> impl Strategy<Value = Churn> {
    // Most are as they should be.
    let most = || (any::<u16>(), any::<u16>()).prop_map(|(one, other)| one | other);
    (most(), most(), most(), most(), any::<u16>(), 0..14_u32)
}

fn config() -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok();
    Config {
        cases: asked.and_then(|text| text.parse().ok()).unwrap_or(512),
        failure_persistence: None,
        ..Config::default()
    }
}

/// One step of so many devices that never ends.
fn only(devices: Amount) -> Vec<Step> {
    vec![Step {
        devices,
        ..step(0, 100_000)
    }]
}

const fn has(bits: u16, at: usize) -> bool {
    bits & 1 << at != 0
}

/// Sets what the pass sees of `all`, which are in the order of their lots.
fn set(hand: &mut Hand, all: &mut [Device], churn: &Churn) {
    let (known, own, selected, online, _, devices) = *churn;
    for (at, device) in all.iter_mut().enumerate() {
        device.is_own = has(own, at);
        device.is_selected = has(selected, at);
        device.is_online = has(online, at);
    }
    let known = all.iter().enumerate().filter(|(at, _)| has(known, *at));
    hand.devices = known.map(|(_, device)| device.clone()).collect();
    hand.rollout.steps = only(Amount::Count(devices));
}

/// Takes over what the pass has sent, and lets those follow that do.
fn keep(hand: &Hand, all: &mut [Device], follow: u16) {
    for (at, device) in all.iter_mut().enumerate() {
        if let Some(seen) = hand.devices.iter().find(|seen| seen.id == device.id) {
            device.is_sent = seen.is_sent;
        }
        if device.is_sent && has(follow, at) {
            device.arrive();
        }
    }
}

proptest! {
    #![proptest_config(config())]

    /// Who was moved is admitted whenever it is seen, and whatever else happens.
    #[test]
    fn who_was_moved_is_never_dropped(passes in vec(churn(), 1..12)) {
        let mut hand = Hand::new(DEVICES, staged(&only(Amount::Count(0))));
        let mut all = hand.devices.clone();
        for churn in &passes {
            set(&mut hand, &mut all, churn);
            let moved: Vec<usize> = hand.moved();
            let turn = hand.pass();
            for at in moved {
                prop_assert!(turn.admitted.contains(&at), "{}", hand.devices[at].id);
            }
            keep(&hand, &mut all, churn.4);
        }
    }

    /// A step takes in as many as it has room for, and no more; those first that were let in before, then
    /// by lot. Devices are in the order of their lots here.
    #[test]
    fn a_step_is_filled_and_never_overfilled(passes in vec(churn(), 1..12)) {
        let mut hand = Hand::new(DEVICES, staged(&only(Amount::Count(0))));
        let mut all = hand.devices.clone();
        for churn in &passes {
            set(&mut hand, &mut all, churn);
            let before = hand.progress.as_ref().map(|one| one.admitted.clone()).unwrap_or_default();
            let moved: BTreeSet<usize> = hand.moved().into_iter().collect();
            let is_drawn_before = |at: &usize| before.contains(&hand.devices[*at].id);
            let room = usize::try_from(churn.5).unwrap();
            let inside = moved.iter().filter(|at| hand.devices[**at].is_selected).count();
            let free = (0..hand.devices.len()).filter(|at| {
                let device = &hand.devices[*at];
                device.is_selected && device.is_own && !moved.contains(at)
            });
            let (first, then): (Vec<usize>, Vec<usize>) = free.partition(is_drawn_before);
            let drawn = first.into_iter().chain(then).take(room.saturating_sub(inside));
            let expected: BTreeSet<usize> = moved.iter().copied().chain(drawn).collect();
            prop_assert_eq!(&hand.pass().admitted, &expected);
            keep(&hand, &mut all, churn.4);
        }
    }

    /// With no memory at all, a larger step has everybody that a smaller one has.
    #[test]
    fn a_larger_step_has_all_of_a_smaller_one(one in 0..=10_000_u16, other in 0..=10_000_u16) {
        let drawn = |points| {
            let mut hand = Hand::new(40, staged(&only(Amount::BasisPoints(points))));
            let turn = hand.look();
            let ids = turn.admitted.iter().map(|at| hand.devices[*at].id.clone());
            ids.collect::<BTreeSet<String>>()
        };
        prop_assert!(drawn(one.min(other)).is_subset(&drawn(one.max(other))));
    }
}

#[test]
fn the_place_of_a_device_in_the_inventory_is_no_lot() {
    let mut hand = Hand::new(40, staged(&only(Amount::percent(25))));
    let drawn = |hand: &mut Hand| {
        let turn = hand.look();
        let ids = admitted(&turn)
            .into_iter()
            .map(|at| hand.devices[at].id.clone());
        ids.collect::<BTreeSet<String>>()
    };
    let first = drawn(&mut hand);
    hand.progress = None;
    hand.devices.reverse();
    assert_eq!(drawn(&mut hand), first);
    assert_eq!(first.len(), 10);
}
