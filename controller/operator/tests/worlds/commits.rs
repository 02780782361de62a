//! What people commit.

use std::collections::BTreeSet;

use diarchy_simulator::Truth;
use jiff::{SignedDuration, Timestamp};

use crate::draw::Draw;
use crate::fleet::{add_assignment, rollout, serial, without_contradiction};
use crate::repository::Repository;

/// Another revision than `before`, by one change or two; now and then one with a mistake.
pub fn next(draw: &mut Draw, before: &Repository, truths: &[Truth], now: Timestamp) -> Repository {
    let mut next = before.clone();
    // Whoever sees that a revision was refused mends it.
    if before.is_broken {
        next.is_broken = false;
        return next;
    }
    for _ in 0..draw.between(1, 2) {
        match draw.below(10) {
            0..3 => change_group(draw, &mut next, truths),
            3..7 => change_assignment(draw, &mut next),
            7 => add_or_delete(draw, &mut next),
            8 => change_guardrails(draw, &mut next, now),
            _ => next.is_broken = true,
        }
    }
    without_contradiction(&mut next);
    next
}

fn change_group(draw: &mut Draw, next: &mut Repository, truths: &[Truth]) {
    let names: Vec<_> = next.groups.keys().cloned().collect();
    let name = draw.pick(&names);
    let Some(group) = next.groups.get_mut(name) else {
        return;
    };
    match draw.below(5) {
        0 | 1 => {
            group.digits.insert(draw.below(10));
        }
        2 if group.digits.len() > 1 => {
            let digits: Vec<_> = group.digits.iter().copied().collect();
            group.digits.remove(draw.pick(&digits));
        }
        3 => group.digits = (0..10).filter(|_| draw.happens(80)).chain([3]).collect(),
        _ => {
            group.serials = serial(draw, truths).into_iter().collect();
        }
    }
}

fn change_assignment(draw: &mut Draw, next: &mut Repository) {
    let names: Vec<_> = next.assignments.keys().cloned().collect();
    if names.is_empty() {
        return add_assignment(draw, next, 0);
    }
    let name = draw.pick(&names).clone();
    let others: BTreeSet<_> = next.assignments.values().map(|one| one.priority).collect();
    let Some(one) = next.assignments.get_mut(&name) else {
        return;
    };
    match draw.below(8) {
        0 => one.to_intune = !one.to_intune,
        1 => {
            let priority = draw.below(200);
            if !others.contains(&priority) {
                one.priority = priority;
            }
        }
        2 => one.rollout = draw.happens(70).then(|| rollout(draw)),
        3 => one.suspended = !one.suspended,
        4 => one.observes = !one.observes,
        5 => one.reverts = !one.reverts,
        6 => {
            if let Some(step) = one
                .rollout
                .iter_mut()
                .flat_map(|r| &mut r.steps)
                .next_back()
            {
                step.soak_hours += 6;
            }
        }
        _ => {
            let groups: Vec<_> = next.groups.keys().cloned().collect();
            one.group.clone_from(draw.pick(&groups));
        }
    }
}

fn add_or_delete(draw: &mut Draw, next: &mut Repository) {
    let number = draw.below(4);
    if next.assignments.remove(&format!("a{number}")).is_none() {
        add_assignment(draw, next, number);
    }
}

fn change_guardrails(draw: &mut Draw, next: &mut Repository, now: Timestamp) {
    let fleet = &mut next.fleet;
    match draw.below(6) {
        0 => fleet.max_changed = draw.between(2, 40),
        1 => fleet.max_leaving = draw.between(1, 20),
        2 => fleet.suspended = !fleet.suspended,
        3 => fleet.observes = !fleet.observes,
        _ => {
            let hours =
                |count: usize| SignedDuration::from_hours(i64::try_from(count).expect("few hours"));
            let from = now + hours(draw.below(24));
            let to = from + hours(draw.between(12, 72));
            fleet.freeze = (fleet.freeze.is_none() || draw.happens(50)).then_some((from, to));
        }
    }
}
