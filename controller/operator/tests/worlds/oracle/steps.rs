//! A rollout moves no more devices than its step has, and no more at once than it bears.

use diarchy_simulator::{Act, Truth, Workload};
use jiff::SignedDuration;

use super::eras::Eras;
use super::{Check, Moment, Write};
use crate::history::Deed;
use crate::repository::{Assignment, Rollout};

#[derive(Debug, Default)]
pub struct Steps {
    eras: Eras,
}

impl Check for Steps {
    fn begin(&mut self, moment: &Moment<'_>, _found: &mut Vec<String>) {
        self.eras.begin(moment);
    }

    fn write(&mut self, moment: &Moment<'_>, write: &Write, found: &mut Vec<String>) {
        let Some((name, one, rollout)) = rollout_of(moment, write) else {
            return;
        };
        let (Some(truth), Some(era)) = (moment.device(write.resource), self.eras.get_mut(name))
        else {
            return;
        };
        // Who was in before, or was taken out by hand, comes in again whatever the step.
        let is_put_back = moment.site.was_taken(&write.collection, write.resource)
            || era.were_in.contains(&truth.device);
        if is_put_back || !era.moved.insert(truth.device) || moment.pass.may_hide() {
            return;
        }
        // Who was taken over by another, has left Intune, or is out of reach takes nobody's place. A new
        // record is out of reach until the limiting collection is evaluated.
        let fills = |device: &&u32| {
            of(&moment.pass.truths, **device).is_some_and(|truth| {
                truth.intune_id.is_some()
                    && !truth.outside_limiting_collection
                    && !was_reimaged(moment, **device)
                    && moment.is_own(name, truth, one.workload)
            })
        };
        let moved = era.moved.iter().filter(fills).count();
        if let Some(most) = era.most(rollout)
            && moved > most
        {
            found.push(format!(
                "pass {}, entry {}: {moved} devices were moved for {name}, whose step {} has {most}",
                moment.number,
                write.entry + 1,
                era.step + 1
            ));
        }
        let begins = !moment.site.is_held(one.workload, write.resource);
        if let Some(most) = rollout.max_concurrency
            && begins
            && !era.is_blurred
        {
            // The device itself is placed only afterwards. One that is offline takes nobody's place.
            let itself = usize::from(is_surely_online(moment, truth.device));
            let others = era.moved.iter();
            let under_way = itself
                + others
                    .filter(|device| is_under_way(moment, (name, one), **device))
                    .count();
            if itself > 0 && under_way > most {
                found.push(format!(
                    "pass {}, entry {}: {under_way} online devices are on their way for {name}, and maxConcurrency is {most}",
                    moment.number,
                    write.entry + 1
                ));
            }
        }
    }
}

/// The rollout that a write is part of: the one of the collection's owner for one that puts a device in,
/// and for one that takes it out the one that alone can ask for it.
pub fn rollout_of<'h>(
    moment: &Moment<'h>,
    write: &Write,
) -> Option<(&'h str, &'h Assignment, &'h Rollout)> {
    let owned = moment.site.owned.get(&write.collection)?;
    let (name, one) = if write.adds {
        let (name, one) = moment
            .repository()?
            .assignments
            .get_key_value(&owned.owner)?;
        (!owned.is_gone && one.to_intune).then_some((name.as_str(), one))?
    } else {
        let truth = moment.device(write.resource)?;
        let holder = moment.repository()?.assignments.get(&owned.owner);
        let holder_asks = holder.is_some_and(|one| {
            let goes_back = one
                .rollout
                .as_ref()
                .is_some_and(|rollout| rollout.rolls_back);
            one.to_intune && moment.selects(one, truth) && !goes_back
        });
        let mut candidates = moment.candidates(truth, owned.workload);
        let only = candidates
            .pop()
            .filter(|_| candidates.is_empty() && holder_asks)?;
        (!only.assignment.to_intune).then_some((only.name, only.assignment))?
    };
    let rollout = one
        .rollout
        .as_ref()
        .filter(|_| one.workload == owned.workload)?;
    Some((name, one, rollout))
}

/// Whether a device of a rollout is surely on its way: the loop knows that it is online, and cannot have
/// heard that it has arrived.
fn is_under_way(moment: &Moment<'_>, (name, one): (&str, &Assignment), device: u32) -> bool {
    let Some(truth) = of(&moment.pass.truths, device) else {
        return false;
    };
    let Some(resource) = truth.resource_id else {
        return false;
    };
    // A rule that somebody took away has to be made anew, and the device is on its way no more.
    let is_placed = moment.site.is_placed(one.workload, name, resource);
    one.to_intune
        && is_placed
        && moment.is_own(name, truth, one.workload)
        && truth.follows_sliders
        && !truth.outside_limiting_collection
        && !truth.reported.contains(&one.workload)
        && !truth.silent.contains(&one.workload)
        && is_surely_online(moment, device)
}

/// Whether the device was given a new record at the site before the pass.
fn was_reimaged(moment: &Moment<'_>, device: u32) -> bool {
    let mut deeds = moment.history.deeds[..moment.pass.deeds].iter();
    deeds.any(
        |done| matches!(done.deed, Deed::Estate(Act::Reimage { device: one }) if one == device),
    )
}

/// Whether the loop must know that the device is online.
fn is_surely_online(moment: &Moment<'_>, device: u32) -> bool {
    has_been(moment, device, 72, |truth| truth.online)
}

pub fn of(truths: &[Truth], device: u32) -> Option<&Truth> {
    truths.iter().find(|truth| truth.device == device)
}

/// Whether something was true of a device in every pass of the last so many hours, and of one before.
pub fn has_been(
    moment: &Moment<'_>,
    device: u32,
    hours: i64,
    is_so: impl Fn(&Truth) -> bool,
) -> bool {
    let span = SignedDuration::from_hours(hours);
    for pass in moment.history.passes[..=moment.number].iter().rev() {
        if !of(&pass.truths, device).is_some_and(&is_so) {
            return false;
        }
        if moment.pass.began.duration_since(pass.began) >= span {
            return true;
        }
    }
    false
}

/// Whether Intune has the workload on the device, in truth.
pub fn is_at_intune(truth: &Truth, workload: Workload) -> bool {
    truth.actual.contains(&workload)
}
