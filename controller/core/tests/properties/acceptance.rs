//! What may be written unasked, and what waits for a person.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::accept::{
    Accepted, Approved, ApprovedChange, Basis, Unasked, WaitReason, accept,
};
use diarchy_core::amount::Amount;
use diarchy_core::desired::Guardrails;
use diarchy_core::engine::Engine;
use diarchy_core::plan::{self, Change, Plan};
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::workload::{Authority, Workload, WorkloadSet};
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::history::{DEVICES, Fleet, Ledger, WORKLOADS, all_pairs, approvable, event};
use crate::world::{made_up, now};

/// A day, in minutes.
const DAY: i64 = 24 * 60;

fn apps(devices: impl IntoIterator<Item = usize>) -> impl Iterator<Item = (usize, usize)> {
    devices.into_iter().map(|device| (device, 0))
}

fn numbers(range: std::ops::Range<usize>) -> Vec<usize> {
    range.collect()
}

/// A fleet with this many devices at Intune, as git wants and as was accepted.
fn with_at_intune(devices: usize) -> Fleet {
    let mut fleet = Fleet::default();
    fleet.ask(apps(0..devices));
    fleet.approve_for(DAY);
    let (cleared, waiting) = fleet.judged();
    assert_eq!((cleared, waiting), (numbers(0..devices), vec![]));
    fleet.carry_out();
    assert_eq!(fleet.judged(), (vec![], vec![]));
    // What was approved does not come back in what follows.
    fleet.let_pass(2 * DAY);
    fleet
}

fn reason(fleet: &mut Fleet) -> Option<WaitReason> {
    fleet.pass(|_, _, acceptance| acceptance.waiting.as_ref().map(|waiting| waiting.reason))
}

// ---- Made-up histories ----

fn histories() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(made_up::config(1_500).cases)
    }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn whatever_happens_nothing_is_written_that_must_wait(events in vec(event(), 1..14)) {
        let mut fleet = Fleet::default();
        let mut ledger = Ledger::default();
        for event in &events {
            fleet.happen(event);
            let cleared = step(&mut fleet, &mut ledger).map_err(TestCaseError::fail)?;
            if let Some(minutes) = event.approved_for {
                let waits = reason(&mut fleet);
                fleet.approve_for(minutes);
                if waits.is_none() {
                    fleet.approvals.pop();
                }
            }
            for (at, (pair, to)) in cleared.into_iter().enumerate() {
                if event.carried_out >> (at % 64) & 1 == 1 {
                    fleet.place(pair, to == Authority::Intune);
                }
            }
        }
    }
}

type Cleared = Vec<((usize, usize), Authority)>;

/// One pass, judged once more by the ledger. What is cleared, by pair.
fn step(fleet: &mut Fleet, ledger: &mut Ledger) -> Result<Cleared, String> {
    let (desired, inventory) = (fleet.desired(), fleet.world.inventory());
    let engine = Engine::new(&desired, &inventory, fleet.now);
    let plan = Plan::new(&engine);
    let judge = |before: Option<&Accepted>| accept(&engine, &plan, fleet.basis(before));
    let acceptance = judge(fleet.accepted.as_ref());
    let kept = serde_json::to_string(&fleet.accepted).unwrap();
    let kept: Option<Accepted> = serde_json::from_str(&kept).unwrap();
    if judge(kept.as_ref()) != acceptance {
        return Err("remembered, it is another".to_owned());
    }
    let waiting: Vec<Change> = acceptance
        .waiting
        .iter()
        .flat_map(|waiting| waiting.changes.clone())
        .collect();
    parts(&plan.changes, &acceptance.cleared, &waiting)?;
    ledger.check(fleet, &engine, &plan, &acceptance)?;
    let pair = |change: &Change| {
        let id = inventory.id(change.row);
        let device = fleet.world.devices.iter().position(|d| d["id"] == id);
        let workload = WORKLOADS.iter().position(|w| *w == change.workload);
        ((device.unwrap(), workload.unwrap()), change.to)
    };
    let cleared = acceptance.cleared.iter().map(pair).collect();
    fleet.accepted = acceptance.accepted;
    Ok(cleared)
}

/// Every change of the plan is in one of the two, and each of them is in the plan's order.
fn parts(changes: &[Change], cleared: &[Change], waiting: &[Change]) -> Result<(), String> {
    let (mut one, mut other) = (cleared.iter().peekable(), waiting.iter().peekable());
    for change in changes {
        if one.next_if_eq(&change).is_none() && other.next_if_eq(&change).is_none() {
            return Err(format!("{change:?} is in neither part, or out of order"));
        }
    }
    match (one.next(), other.next()) {
        (None, None) => Ok(()),
        extra => Err(format!("{extra:?} is in no plan, or in both parts")),
    }
}

#[test]
fn every_change_is_cleared_or_waits() {
    // By number: which pairs were accepted before and which are approved, and the limits.
    let beside = (any::<[u32; 4]>(), 0..5_u32, 0..5_u32, any::<bool>());
    made_up::check(3_000, beside, |world, (bits, changed, leaving, known)| {
        let mut desired = world.desired();
        desired.guardrails = Guardrails {
            max_changed_devices: Amount::Count(*changed),
            max_leaving: Amount::Count(*leaving),
            ..Guardrails::default()
        };
        let inventory = world.inventory();
        let engine = Engine::new(&desired, &inventory, now());
        let plan = Plan::new(&engine);
        let bit = |row: usize, workload: Workload, of: usize| {
            bits[of] >> ((row * 7 + workload.index()) % 32) & 1 == 1
        };
        let mut before = Accepted::default();
        for row in 0..inventory.rows() {
            let all = Workload::ALL.into_iter();
            let set: WorkloadSet = all.filter(|workload| bit(row, *workload, 0)).collect();
            before
                .intune
                .insert(inventory.first_id(row).to_owned(), set);
            if bit(row, Workload::ClientApps, 1) {
                before.unasked.push(Unasked {
                    at: now() - SignedDuration::from_hours(i64::try_from(row).unwrap()),
                    device: inventory.first_id(row).to_owned(),
                    to: Authority::Intune,
                });
            }
        }
        let approvals = [Approved {
            changes: plan
                .changes
                .iter()
                .filter(|change| bit(change.row, change.workload, 2))
                .map(|change| approvable(change, &engine))
                .collect(),
            enrolling: BTreeSet::new(),
            revision: "r1".to_owned(),
            expires: now() + SignedDuration::from_hours(1),
        }];
        let basis = Basis {
            revision: "r1",
            before: known.then_some(&before),
            approvals: &approvals,
            is_whole: true,
            agreed: &BTreeSet::new(),
            under_way: &RulesUnderWay::nothing(),
        };
        let acceptance = accept(&engine, &plan, basis);
        if acceptance != accept(&engine, &plan, basis) {
            return Err("the same inputs give something else".to_owned());
        }
        let waiting = acceptance.waiting.as_ref();
        if waiting.is_some_and(|w| w.digest != plan::digest(&w.changes, &w.enrolling, &engine)) {
            return Err("the digest is of something else".to_owned());
        }
        let waiting = waiting.map_or(&[][..], |waiting| &waiting.changes);
        parts(&plan.changes, &acceptance.cleared, waiting)
    });
}

// ---- No baseline ----

#[test]
fn without_a_baseline_everything_waits() {
    let mut fleet = Fleet::default();
    fleet.ask(apps([3]));
    assert_eq!(fleet.judged(), (vec![], vec![3]));
    assert_eq!(fleet.accepted, None);
    assert_eq!(reason(&mut fleet), Some(WaitReason::NoBaseline));
}

#[test]
fn what_was_approved_first_is_cleared_and_is_the_baseline() {
    let mut fleet = Fleet::default();
    fleet.ask(apps(0..15));
    fleet.approve_for(DAY);
    assert_eq!(fleet.judged(), (numbers(0..15), vec![]));
    let accepted = fleet.accepted.clone().unwrap();
    let expected: BTreeMap<String, WorkloadSet> = (0..15)
        .map(|at| (format!("d{at:02}"), WorkloadSet::from_iter([WORKLOADS[0]])))
        .collect();
    assert_eq!(
        accepted.intune.into_iter().collect::<BTreeMap<_, _>>(),
        expected
    );
    assert_eq!(accepted.unasked, []);
    // It stays cleared when the approval has run out, until the site has it.
    fleet.let_pass(DAY + 1);
    assert_eq!(fleet.judged(), (numbers(0..15), vec![]));
}

#[test]
fn devices_that_come_later_than_the_first_approval_are_judged_by_the_limits() {
    let mut fleet = Fleet::default();
    fleet.ask(apps(0..15));
    fleet.approve_for(DAY);
    fleet.revision.at_intune = apps(0..DEVICES).collect();
    assert_eq!(fleet.judged(), (numbers(0..15), numbers(15..20)));
    assert_eq!(reason(&mut fleet), Some(WaitReason::MaxChangedDevices));
}

#[test]
fn where_nothing_changes_there_is_a_baseline() {
    let mut fleet = Fleet::with_baseline();
    fleet.ask(apps([3]));
    assert_eq!(fleet.judged(), (vec![3], vec![]));
}

/// In a cluster a fleet may arrive a while before its assignments.
#[test]
fn a_fleet_that_asks_for_nobody_yet_has_no_baseline() {
    let mut fleet = Fleet::default();
    assert_eq!(fleet.judged(), (vec![], vec![]));
    assert_eq!(fleet.accepted, None);
    fleet.ask(apps([3]));
    assert_eq!(fleet.judged(), (vec![], vec![3]));
    assert_eq!(reason(&mut fleet), Some(WaitReason::NoBaseline));
}

/// Lost state, and a site that cannot be read at first: that is nothing to compare with.
#[test]
fn what_could_not_be_read_is_no_baseline() {
    let mut fleet = Fleet::default();
    for pair in apps(0..DEVICES) {
        fleet.place(pair, true);
    }
    let read = fleet.world.clone();
    for device in &mut fleet.world.devices {
        device.insert("assignedUnread".to_owned(), json!(WORKLOADS));
    }
    assert_eq!(fleet.judged(), (vec![], vec![]));
    fleet.world = read;
    assert_eq!(fleet.judged(), (vec![], numbers(0..DEVICES)));
}

/// Services that answered with nothing, or not at all, have shown no end state.
#[test]
fn a_site_that_tells_of_no_co_management_for_a_moment_is_no_baseline() {
    let mut fleet = Fleet::default();
    fleet.ask(apps([3]));
    let known = fleet.world.clone();
    for device in &mut fleet.world.devices {
        device.insert("coManagementPolicyPresent".to_owned(), json!(false));
    }
    assert_eq!(fleet.judged(), (vec![], vec![]));
    assert_eq!(fleet.accepted, None);
    fleet.world = known;
    assert_eq!(fleet.judged(), (vec![], vec![3]));
    assert_eq!(reason(&mut fleet), Some(WaitReason::NoBaseline));
}

#[test]
fn a_first_pass_that_read_nothing_is_no_baseline() {
    let mut fleet = Fleet::default();
    let known = std::mem::take(&mut fleet.world.devices);
    fleet.reads_all = false;
    fleet.pass(|_, _, _| ());
    assert_eq!(fleet.accepted, None);
    fleet.world.devices = known;
    fleet.reads_all = true;
    fleet.ask(apps([3]));
    assert_eq!(fleet.judged(), (vec![], vec![3]));
    assert_eq!(reason(&mut fleet), Some(WaitReason::NoBaseline));
}

/// With a baseline, too: what was never known to be with Configuration Manager was not accepted to
/// be there.
#[test]
fn a_collection_that_is_read_for_the_first_time_is_judged() {
    let mut fleet = Fleet::default();
    fleet.world.policy = Some(crate::world::plain::pilot(&WORKLOADS[1..]));
    for pair in apps(0..DEVICES) {
        fleet.place(pair, true);
    }
    assert_eq!(fleet.judged(), (vec![], vec![]));
    fleet.world.policy = Some(crate::world::plain::pilot(&WORKLOADS));
    fleet.ask([]);
    assert_eq!(fleet.judged(), (vec![], numbers(0..DEVICES)));
}

/// What waits beside the first approval goes on waiting in the passes after it.
#[test]
fn who_would_leave_beside_the_first_approval_waits_on() {
    let mut fleet = Fleet::default();
    fleet.ask(apps(0..5));
    fleet.approve_for(DAY);
    for pair in apps(5..15) {
        fleet.place(pair, true);
    }
    assert_eq!(fleet.judged(), (numbers(0..5), numbers(5..15)));
    assert_eq!(fleet.judged(), (numbers(0..5), numbers(5..15)));
}

// ---- The limits ----

#[test]
fn over_the_limit_everything_new_waits_and_what_was_accepted_goes_on() {
    let mut fleet = with_at_intune(3);
    fleet.ask(apps(0..5));
    assert_eq!(fleet.judged(), (vec![3, 4], vec![]));
    fleet.ask(apps(0..8));
    assert_eq!(fleet.judged(), (vec![3, 4], vec![5, 6, 7]));
    assert_eq!(reason(&mut fleet), Some(WaitReason::MaxChangedDevices));
    fleet.ask(apps(0..7));
    assert_eq!(fleet.judged(), (vec![3, 4, 5, 6], vec![]));
}

#[test]
fn over_the_limit_of_those_who_leave_only_they_wait() {
    let mut fleet = with_at_intune(10);
    fleet.ask(apps(3..12));
    assert_eq!(fleet.judged(), (vec![10, 11], vec![0, 1, 2]));
    assert_eq!(reason(&mut fleet), Some(WaitReason::MaxLeaving));
}

#[test]
fn over_both_limits_everything_waits() {
    let mut fleet = with_at_intune(10);
    fleet.ask(apps(3..15));
    let waiting = [0, 1, 2, 10, 11, 12, 13, 14];
    assert_eq!(fleet.judged(), (vec![], waiting.to_vec()));
}

#[test]
fn a_limit_may_be_reached() {
    let mut fleet = Fleet::with_baseline();
    fleet.ask(apps(0..4));
    assert_eq!(fleet.judged(), (numbers(0..4), vec![]));
    let mut fleet = with_at_intune(10);
    fleet.ask(apps(2..10));
    assert_eq!(fleet.judged(), (vec![0, 1], vec![]));
}

#[test]
fn a_limit_of_nobody_lets_nobody_through() {
    let mut fleet = Fleet::with_baseline();
    fleet.limit(Amount::Count(0), Amount::Count(0));
    assert_eq!(fleet.judged(), (vec![], vec![]));
    fleet.ask(apps([7]));
    assert_eq!(fleet.judged(), (vec![], vec![7]));
}

#[test]
fn a_device_that_changes_several_workloads_counts_once() {
    let mut fleet = Fleet::with_baseline();
    fleet.ask(all_pairs().filter(|(device, _)| *device < 4));
    assert_eq!(fleet.judged(), (vec![0, 0, 1, 1, 2, 2, 3, 3], vec![]));
    // And once in a day, too.
    fleet.carry_out();
    fleet.ask([]);
    fleet.revision.max_leaving = Amount::Count(4);
    let waits = vec![0, 0, 1, 1, 2, 2, 3, 3];
    assert_eq!(fleet.judged(), (vec![], waits));
}

#[test]
fn many_small_steps_add_up_within_a_day() {
    let mut fleet = Fleet::with_baseline();
    for device in 0..4 {
        fleet.let_pass(60);
        fleet.ask(apps(0..=device));
        assert_eq!(fleet.judged(), (vec![device], vec![]));
        fleet.carry_out();
    }
    fleet.let_pass(60);
    fleet.ask(apps(0..5));
    assert_eq!(fleet.judged(), (vec![], vec![4]));
    // The first of the four was 4 hours before.
    fleet.let_pass(DAY - 4 * 60 - 1);
    assert_eq!(fleet.judged(), (vec![], vec![4]));
    fleet.let_pass(1);
    assert_eq!(fleet.judged(), (vec![4], vec![]));
}

#[test]
fn those_who_leave_add_up_within_a_day() {
    let mut fleet = with_at_intune(10);
    for device in 0..2 {
        fleet.ask(apps(device + 1..10));
        assert_eq!(fleet.judged(), (vec![device], vec![]));
        fleet.carry_out();
        fleet.let_pass(60);
    }
    fleet.ask(apps(3..11));
    assert_eq!(fleet.judged(), (vec![10], vec![2]));
    assert_eq!(reason(&mut fleet), Some(WaitReason::MaxLeaving));
    fleet.let_pass(DAY);
    assert_eq!(fleet.judged(), (vec![2, 10], vec![]));
}

// ---- What was accepted ----

#[test]
fn drift_is_corrected_and_not_judged() {
    let mut fleet = with_at_intune(12);
    for device in 0..DEVICES {
        let is_there = !fleet.is_placed((device, 0));
        fleet.place((device, 0), is_there);
    }
    assert_eq!(fleet.judged(), (numbers(0..DEVICES), vec![]));
    assert_eq!(fleet.accepted.as_ref().unwrap().unasked, []);
    // Another revision that wants the same corrects it just as well.
    fleet.limit(Amount::Count(0), Amount::Count(0));
    assert_eq!(fleet.judged(), (numbers(0..DEVICES), vec![]));
}

#[test]
fn what_was_accepted_for_a_device_holds_when_it_joins_anew() {
    let mut fleet = with_at_intune(12);
    let all: BTreeSet<_> = fleet.revision.at_intune.clone();
    for device in &mut fleet.world.devices {
        let id = device["id"].as_str().unwrap().to_owned();
        device.insert("firstId".to_owned(), json!(id));
        device.insert("id".to_owned(), json!(format!("again-{id}")));
        device.insert("assigned".to_owned(), json!({}));
    }
    fleet.ask(all);
    assert_eq!(fleet.judged(), (numbers(0..12), vec![]));
}

/// A service that has lost sight of devices while git changes its mind has nobody agree to that.
#[test]
fn who_is_lost_sight_of_when_git_changes_its_mind_is_judged_when_seen_again() {
    let mut fleet = with_at_intune(10);
    let known = fleet.world.clone();
    for device in &mut fleet.world.devices {
        device.remove("configurationManager");
        device.insert("assigned".to_owned(), json!({}));
    }
    fleet.ask([]);
    assert_eq!(fleet.judged(), (vec![], vec![]));
    fleet.world = known;
    assert_eq!(fleet.judged(), (vec![], numbers(0..10)));
    assert_eq!(reason(&mut fleet), Some(WaitReason::MaxLeaving));
}

/// A revision that takes back what another has sent is judged once the site has evaluated what was sent:
/// that the devices are not there yet is no end that anybody has agreed to.
#[test]
fn who_is_on_the_way_when_git_changes_its_mind_is_judged_when_there() {
    let mut fleet = Fleet::with_baseline();
    fleet.ask(apps(0..4));
    assert_eq!(fleet.judged(), (numbers(0..4), vec![]));
    // The rules are made, and no membership shows them.
    for row in 0..4 {
        fleet.under_way.arrives(row, WORKLOADS[0], None);
    }
    fleet.ask([]);
    assert_eq!(fleet.judged(), (vec![], vec![]));
    fleet.under_way = RulesUnderWay::nothing();
    for device in 0..4 {
        fleet.place((device, 0), true);
    }
    assert_eq!(fleet.judged(), (vec![], numbers(0..4)));
    assert_eq!(reason(&mut fleet), Some(WaitReason::MaxLeaving));
}

/// The same the other way: who is on the way back is not at Intune by anybody's agreement.
#[test]
fn who_is_on_the_way_back_when_git_changes_its_mind_is_judged_when_there() {
    let mut fleet = with_at_intune(10);
    fleet.limit(Amount::Count(1), Amount::ALL);
    fleet.ask(apps(2..10));
    fleet.approve_for(DAY);
    assert_eq!(fleet.judged(), (vec![0, 1], vec![]));
    fleet.let_pass(2 * DAY);
    for row in 0..2 {
        fleet.under_way.leaves(row, WORKLOADS[0], None);
    }
    fleet.ask(apps(0..10));
    assert_eq!(fleet.judged(), (vec![], vec![]));
    fleet.under_way = RulesUnderWay::nothing();
    for device in 0..2 {
        fleet.place((device, 0), false);
    }
    assert_eq!(fleet.judged(), (vec![], vec![0, 1]));
    assert_eq!(reason(&mut fleet), Some(WaitReason::MaxChangedDevices));
}

// ---- Guardrails that change ----

#[test]
fn a_loosened_guardrail_helps_only_the_revisions_after_it() {
    let mut fleet = with_at_intune(10);
    fleet.limit(Amount::ALL, Amount::ALL);
    fleet.revision.at_intune = apps(5..10).collect();
    assert_eq!(fleet.judged(), (vec![], numbers(0..5)));
    // It does not help another revision either, unless that one was accepted.
    fleet.let_pass(DAY);
    fleet.ask(apps(4..10));
    assert_eq!(fleet.judged(), (vec![], numbers(0..4)));
    fleet.approve_for(DAY);
    assert_eq!(fleet.judged(), (numbers(0..4), vec![]));
    fleet.carry_out();
    fleet.ask([]);
    assert_eq!(fleet.judged(), (numbers(4..10), vec![]));
}

/// The revision that loosens a guardrail does not profit once its changes come a pass later, for
/// instance because the service that knows its devices answers again.
#[test]
fn a_loosened_guardrail_does_not_help_the_same_revision_later() {
    let mut fleet = with_at_intune(10);
    let known = fleet.world.clone();
    for device in &mut fleet.world.devices {
        device.remove("intune");
    }
    fleet.limit(Amount::ALL, Amount::ALL);
    fleet.revision.at_intune.clear();
    assert_eq!(fleet.judged(), (vec![], vec![]));
    fleet.world = known;
    assert_eq!(fleet.judged(), (vec![], numbers(0..10)));
}

#[test]
fn a_tightened_guardrail_counts_at_once() {
    let mut fleet = with_at_intune(10);
    fleet.limit(Amount::Count(1), Amount::Count(0));
    fleet.revision.at_intune = apps(1..10).collect();
    assert_eq!(fleet.judged(), (vec![], vec![0]));
    fleet.revision.at_intune = apps(0..12).collect();
    assert_eq!(fleet.judged(), (vec![], vec![10, 11]));
    fleet.revision.at_intune = apps(0..11).collect();
    assert_eq!(fleet.judged(), (vec![10], vec![]));
}

// ---- Approvals ----

/// A fleet in which the changes of eight devices wait, and how an approval names them.
fn eight_wait() -> (Fleet, BTreeSet<ApprovedChange>) {
    let mut fleet = Fleet::with_baseline();
    fleet.ask(apps(0..8));
    assert_eq!(fleet.judged(), (vec![], numbers(0..8)));
    let change = |at: usize| ApprovedChange {
        device: format!("d{at:02}"),
        workload: WORKLOADS[0],
        to: Authority::Intune,
    };
    (fleet, (0..8).map(change).collect())
}

/// What an approval of `changes` for `revision` clears a minute before it expires after `minutes`.
fn cleared_by(change: impl Fn(&mut Approved)) -> Vec<usize> {
    let (mut fleet, changes) = eight_wait();
    let mut approved = Approved {
        changes,
        enrolling: BTreeSet::new(),
        revision: fleet.revision.name.clone(),
        expires: fleet.now + SignedDuration::from_mins(1),
    };
    change(&mut approved);
    fleet.approvals.push(approved);
    let (cleared, waiting) = fleet.judged();
    assert_eq!(cleared.len() + waiting.len(), 8);
    cleared
}

#[test]
fn an_approval_counts_for_its_own_changes_revision_and_time() {
    assert_eq!(cleared_by(|_| ()), numbers(0..8));
    let none: [usize; 0] = [];
    assert_eq!(
        cleared_by(|approved| approved.revision = "r0".to_owned()),
        none
    );
    assert_eq!(cleared_by(|approved| approved.expires = now()), none);
    let changed = |change: fn(&mut ApprovedChange)| {
        cleared_by(|approved| {
            let changes = approved.changes.iter().cloned();
            let others = changes.map(|mut one| {
                change(&mut one);
                one
            });
            approved.changes = others.collect();
        })
    };
    assert_eq!(changed(|one| one.device += "x"), none);
    assert_eq!(changed(|one| one.workload = WORKLOADS[1]), none);
    assert_eq!(changed(|one| one.to = one.to.other()), none);
}

#[test]
fn an_approval_clears_a_smaller_plan_and_not_what_came_since() {
    let (mut fleet, _) = eight_wait();
    fleet.approve_for(DAY);
    fleet.revision.at_intune = apps(2..8).chain(apps(10..15)).collect();
    assert_eq!(fleet.judged(), (numbers(2..8), numbers(10..15)));
}

#[test]
fn what_was_approved_does_not_use_up_the_limit() {
    let (mut fleet, _) = eight_wait();
    fleet.approve_for(DAY);
    assert_eq!(fleet.judged(), (numbers(0..8), vec![]));
    fleet.carry_out();
    fleet.ask(apps(0..12));
    assert_eq!(fleet.judged(), (numbers(8..12), vec![]));
}
