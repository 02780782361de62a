//! What people have not approved keeps within the guardrails, and nothing is written before there is
//! anything that they have.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_simulator::Workload;
use jiff::{SignedDuration, Timestamp};

use super::asked::decided_with;
use super::site::Site;
use super::steps::is_at_intune;
use super::{Check, Moment, Write};
use crate::history::{Deed, History};

/// A change of authority: the device's number, the workload, and whether it goes to Intune.
type Change = (u32, Workload, bool);

/// A change that was written: the pass from which on it was asked for, and the pass that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Written {
    asked: usize,
    /// Whether it was surely not asked for before.
    is_sure: bool,
    wrote: usize,
    change: Change,
}

#[derive(Debug, Default)]
pub struct Rails {
    /// Since which pass each change is part of the end that is asked for, and whether it surely is.
    asked: BTreeMap<Change, (usize, bool)>,
    /// The first write of each of them.
    written: BTreeMap<((usize, bool), Change), usize>,
    /// Until somebody approves: the changes that were asked for in every pass.
    all_along: Option<BTreeSet<Change>>,
    /// What was written before anybody approved anything.
    unapproved: Option<(usize, BTreeSet<Change>)>,
    approvals: BTreeSet<usize>,
    /// What a person may have approved: for a day, and for that revision.
    approved: Vec<Approved>,
    /// What a person may have approved and no commit has taken back since. That something is suspended
    /// takes nothing back.
    accepted: BTreeSet<Change>,
}

/// What a person may have approved at once.
#[derive(Debug)]
struct Approved {
    at: Timestamp,
    revision: Option<usize>,
    changes: BTreeSet<Change>,
}

impl Check for Rails {
    fn begin(&mut self, moment: &Moment<'_>, _found: &mut Vec<String>) {
        let first_deed = match moment.number {
            0 => 0,
            number => moment.history.passes[number - 1].deeds,
        };
        let deeds = &moment.history.deeds[first_deed..moment.pass.deeds];
        if deeds
            .iter()
            .any(|done| matches!(done.deed, Deed::ApprovePlan))
        {
            self.approvals.insert(moment.number);
            self.accepted.extend(self.asked.keys().copied());
            self.approved.push(Approved {
                at: moment.pass.began,
                revision: moment.pass.revision,
                changes: self.asked.keys().copied().collect(),
            });
        }
        // What may be wanted counts from when it may have been, and is not known to have come at once.
        let mut wanted = BTreeMap::new();
        let workloads = moment.repository().map_or(&[][..], |one| &one.pilots);
        let mut moving = BTreeSet::new();
        for truth in &moment.pass.truths {
            for workload in workloads {
                let Some(to_intune) = moment.in_the_end(truth, *workload) else {
                    wanted.insert((truth.device, *workload, true), false);
                    wanted.insert((truth.device, *workload, false), false);
                    continue;
                };
                let change = (truth.device, *workload, to_intune);
                wanted.insert(change, true);
                let is_held = truth
                    .resource_id
                    .is_some_and(|id| moment.site.is_held(*workload, id));
                if truth.follows_sliders && to_intune && !is_held {
                    moving.insert(change);
                }
            }
        }
        self.accepted
            .retain(|change| !moment.pass.is_clean || !is_taken_back(moment, *change));
        // A pass that did not see everything may not have seen either that something is wanted no more.
        self.asked.retain(|change, (_, is_sure)| {
            let is_wanted = wanted.contains_key(change);
            *is_sure &= is_wanted;
            is_wanted || !moment.pass.is_clean
        });
        for (change, is_sure) in wanted {
            let known = self.asked.entry(change);
            known
                .and_modify(|(_, was_sure)| *was_sure &= is_sure)
                .or_insert((moment.number, is_sure));
        }
        match &mut self.all_along {
            Some(all) => all.retain(|change| moving.contains(change)),
            None => self.all_along = Some(moving),
        }
    }

    fn write(&mut self, moment: &Moment<'_>, write: &Write, found: &mut Vec<String>) {
        let Some(change) = change(moment, write) else {
            return;
        };
        let (device, workload, to_intune) = change;
        let truth = moment
            .pass
            .truths
            .iter()
            .find(|truth| truth.device == device);
        let end = truth.and_then(|truth| moment.in_the_end(truth, workload));
        if end == Some(!to_intune) && !moment.pass.may_hide() {
            found.push(format!(
                "pass {}, entry {}: {change:?} would only be undone later",
                moment.number,
                write.entry + 1
            ));
        }
        if self.approvals.is_empty() && self.unapproved.is_none() {
            let all_along = self.all_along.clone().unwrap_or_default();
            self.unapproved = Some((moment.number, all_along));
        }
        let day = SignedDuration::from_hours(24);
        let is_approved = self.approved.iter().any(|approved| {
            approved.revision == moment.pass.revision
                && moment.pass.began.duration_since(approved.at) < day
                && approved.changes.contains(&change)
        });
        if let Some(asked) = self.asked.get(&change)
            && !is_approved
            && !self.accepted.contains(&change)
            && !may_go_back(moment, write)
        {
            self.written
                .entry((*asked, change))
                .or_insert(moment.number);
        }
    }

    fn end(&mut self, history: &History, _site: &Site, found: &mut Vec<String>) {
        if let Some((pass, all_along)) = &self.unapproved
            && let Some((_, change)) = self.written.keys().find(|(_, one)| all_along.contains(one))
        {
            found.push(format!(
                "pass {pass}: written before anything was approved, although {change:?} waited"
            ));
        }
        let unasked: Vec<Written> = self
            .written
            .iter()
            .map(|(((asked, is_sure), change), wrote)| Written {
                asked: *asked,
                is_sure: *is_sure,
                wrote: *wrote,
                change: *change,
            })
            .filter(|one| {
                !self
                    .approvals
                    .iter()
                    .any(|at| one.asked < *at && *at <= one.wrote)
            })
            .collect();
        together(history, &unasked, found);
        in_a_day(history, &unasked, found);
    }
}

/// Whether the end that is asked for is surely another, and would be if nothing was suspended.
fn is_taken_back(moment: &Moment<'_>, (device, workload, to_intune): Change) -> bool {
    let mut truths = moment.pass.truths.iter();
    let Some(truth) = truths.find(|truth| truth.device == device) else {
        return false;
    };
    let assignments = moment.repository().map(|one| &one.assignments);
    let may_ask_again = assignments.into_iter().flatten().any(|(name, one)| {
        decided_with(workload).contains(&one.workload)
            && !moment.is_in_force(name, one)
            && moment.selects(one, truth)
    });
    !may_ask_again && moment.in_the_end(truth, workload) == Some(!to_intune)
}

/// Whether a rollout may take the device back, which its spec has agreed to.
fn may_go_back(moment: &Moment<'_>, write: &Write) -> bool {
    let owner = moment.site.owned.get(&write.collection);
    let assignments = moment.repository().map(|one| &one.assignments);
    let asking = owner.and_then(|owned| assignments?.get(&owned.owner));
    let rollout = asking.and_then(|one| one.rollout.as_ref());
    !write.adds && rollout.is_some_and(|rollout| rollout.rolls_back)
}

/// The change of authority that a write makes, if it makes one.
fn change(moment: &Moment<'_>, write: &Write) -> Option<Change> {
    let workload = moment.site.owned.get(&write.collection)?.workload;
    let truth = moment.device(write.resource)?;
    // A rule that never makes a member changes nothing, and neither does one that has not made one yet.
    let is_withdrawn = moment.is_withdrawn(write) && !is_at_intune(truth, workload);
    let changes = !truth.outside_limiting_collection && !is_withdrawn;
    let device = changes.then_some(truth.device)?;
    let is_foreign = moment.site.is_foreign(workload, write.resource);
    let holders = moment.site.holders(workload, write.resource).count();
    let changes = !is_foreign && holders == usize::from(!write.adds);
    changes.then_some((device, workload, write.adds))
}

/// The devices of some changes, those that go back apart.
fn devices<'w>(
    changes: impl Iterator<Item = &'w Written> + Clone,
) -> [(&'static str, BTreeSet<u32>); 2] {
    let leaving = changes.clone().filter(|one| !one.change.2);
    [
        (
            "maxChangedDevices",
            changes.map(|one| one.change.0).collect(),
        ),
        ("maxLeaving", leaving.map(|one| one.change.0).collect()),
    ]
}

/// What was asked for at once is judged at once.
fn together(history: &History, unasked: &[Written], found: &mut Vec<String>) {
    let passes: BTreeSet<usize> = unasked.iter().map(|one| one.asked).collect();
    for pass in passes
        .into_iter()
        .filter(|pass| history.passes[*pass].is_clean)
    {
        let same = unasked
            .iter()
            .filter(|one| one.asked == pass && one.is_sure);
        let last = same.clone().map(|one| one.wrote).max().unwrap_or(pass);
        for (rail, devices) in devices(same) {
            let most = most(history, rail, pass, last);
            if devices.len() > most {
                found.push(format!(
                    "{} devices that were asked for at once (pass {pass}) were moved unasked, and {rail} is {most}",
                    devices.len()
                ));
            }
        }
    }
}

/// What was surely accepted within a day keeps within what a day may bring.
fn in_a_day(history: &History, unasked: &[Written], found: &mut Vec<String>) {
    let day = SignedDuration::from_hours(24);
    for first in unasked {
        let began = history.passes[first.asked].began;
        let is_within = |one: &&Written| {
            one.asked >= first.asked && history.passes[one.wrote].ended.duration_since(began) < day
        };
        let within = unasked.iter().filter(is_within);
        let last = within
            .clone()
            .map(|one| one.wrote)
            .max()
            .unwrap_or(first.wrote);
        for (rail, devices) in devices(within) {
            let most = most(history, rail, first.asked, last);
            if devices.len() > most {
                found.push(format!(
                    "from pass {} to {last}, within a day, {} devices were moved unasked, and {rail} is {most}",
                    first.asked,
                    devices.len()
                ));
                return;
            }
        }
    }
}

/// The most that a guardrail can have allowed from one pass to another: a revision is held to its own limit
/// and to one before it.
fn most(history: &History, rail: &str, first: usize, last: usize) -> usize {
    let limit = |number: usize| {
        let fleet = &history.revisions[number].fleet;
        if rail == "maxLeaving" {
            fleet.max_leaving
        } else {
            fleet.max_changed
        }
    };
    let valid = |number: &usize| !history.revisions[*number].is_broken;
    let in_force = history.passes[first..=last]
        .iter()
        .filter_map(|pass| pass.revision);
    in_force
        .map(|number| {
            let before = (0..number).filter(valid).map(limit).max();
            limit(number).min(before.unwrap_or(usize::MAX))
        })
        .max()
        .unwrap_or(usize::MAX)
}
