//! Nothing is written that nobody asked for, and nothing while it must not be.

use diarchy_simulator::{Cause, Effect, Truth, Workload};
use jiff::{SignedDuration, Timestamp};

use super::rules::Candidate;
use super::site::Owned;
use super::{Check, Moment, Write};

/// Each write by itself.
pub struct Asked;

impl Check for Asked {
    fn begin(&mut self, moment: &Moment<'_>, found: &mut Vec<String>) {
        let pass = moment.pass;
        let mut entries = moment.history.log[pass.log.0..pass.log.1].iter();
        let writes = |cause: &Cause| matches!(cause, Cause::Write { .. });
        let performed = |effect: &Effect| !matches!(effect, Effect::Refused { .. });
        let Some(first) = entries.find(|one| writes(&one.cause) && performed(&one.effect)) else {
            return;
        };
        if let Some(why) = stop(moment, first.at) {
            found.push(format!(
                "pass {}: a write at {} while {why}",
                moment.number, first.at
            ));
        }
    }

    fn write(&mut self, moment: &Moment<'_>, write: &Write, found: &mut Vec<String>) {
        let wrong = wrong(moment, write);
        if let Some(wrong) = wrong {
            found.push(format!(
                "pass {}, entry {}: {write:?} by {:?}: {wrong}",
                moment.number,
                write.entry + 1,
                moment.site.owned.get(&write.collection),
            ));
        }
    }
}

/// What keeps every write back from the beginning of a pass until `at`.
fn stop(moment: &Moment<'_>, at: Timestamp) -> Option<&'static str> {
    let Some(repository) = moment.repository() else {
        return Some("there is no revision");
    };
    // The log tells milliseconds: within the last one a freeze may have ended.
    let at = at + SignedDuration::from_millis(1);
    let frozen = |(from, to): (Timestamp, Timestamp)| from <= moment.pass.began && at <= to;
    if repository.fleet.suspended || moment.pass.fleet_suspended {
        Some("the fleet is suspended")
    } else if repository.fleet.observes {
        Some("the fleet is observed")
    } else if repository.fleet.freeze.is_some_and(frozen) {
        Some("a freeze is open")
    } else {
        None
    }
}

fn wrong(moment: &Moment<'_>, write: &Write) -> Option<String> {
    let Some(owned) = moment.site.owned.get(&write.collection) else {
        return Some("the collection is nobody's".to_owned());
    };
    let Some(truth) = moment.device(write.resource) else {
        return Some("the site has no such device".to_owned());
    };
    // A rule that never made a member may go: it changes nothing for the device.
    if !write.adds && truth.outside_limiting_collection {
        return None;
    }
    // That a device was enrolled before it had the client, no service tells: only what it does shows it.
    if !truth.follows_sliders && !truth.enrolled_first && !moment.is_withdrawn(write) {
        return Some(format!("{} cannot be moved", truth.name));
    }
    // A rule that would move whom something keeps where it is goes before it is evaluated.
    if moment.is_withdrawn(write) && moment.is_kept_back(truth, owned.workload) {
        return None;
    }
    let because = if write.adds {
        additions(moment, owned, truth)
    } else {
        removals(moment, owned, truth, write.resource)
    };
    if because.is_empty() {
        return Some("no commit asks for it".to_owned());
    }
    let at = moment.history.log[write.entry].at;
    let is_open = |candidate: &Candidate<'_>| {
        let rollout = candidate.assignment.rollout.as_ref();
        rollout.is_none_or(|rollout| {
            each_hour(moment.pass.began, at).any(|hour| rollout.is_open(hour))
        })
    };
    let open = because.iter().any(|reason| match reason {
        Reason::Of(candidate) => is_open(candidate),
        Reason::Gone => true,
    });
    (!open).then(|| "the window is closed".to_owned())
}

/// Moments from the first to the last, none further from the next than a window is short.
fn each_hour(first: Timestamp, last: Timestamp) -> impl Iterator<Item = Timestamp> {
    let mut next = Some(first);
    std::iter::from_fn(move || {
        let now = next.take()?;
        next = (now < last).then(|| last.min(now + SignedDuration::from_mins(1)));
        Some(now)
    })
}

/// Why something may be written.
enum Reason<'h> {
    /// This assignment asks for it.
    Of(Candidate<'h>),
    /// An assignment that is gone had said that its devices go back.
    Gone,
}

/// The assignments that may have the device put into a collection of theirs: the collection's owner, if it
/// may win the device.
fn additions<'h>(moment: &Moment<'h>, owned: &Owned, truth: &Truth) -> Vec<Reason<'h>> {
    if owned.is_gone {
        return Vec::new();
    }
    let workloads = decided_with(owned.workload);
    let candidates = workloads
        .iter()
        .flat_map(|workload| moment.candidates(truth, *workload));
    candidates
        .filter(|one| one.name == owned.owner && one.is_in_force && one.assignment.to_intune)
        .map(Reason::Of)
        .collect()
}

/// EndpointProtection goes to Intune with DeviceConfiguration.
pub fn decided_with(workload: Workload) -> Vec<Workload> {
    match workload {
        Workload::EndpointProtection => vec![workload, Workload::DeviceConfiguration],
        _ => vec![workload],
    }
}

/// Why the device may be taken out of a collection: another wins it, or nobody asks for it any more.
fn removals<'h>(
    moment: &Moment<'h>,
    owned: &Owned,
    truth: &Truth,
    resource: u32,
) -> Vec<Reason<'h>> {
    let workloads = decided_with(owned.workload);
    let winners = workloads
        .iter()
        .flat_map(|workload| moment.candidates(truth, *workload));
    let mut reasons: Vec<_> = winners
        .filter(|one| one.is_in_force)
        .filter(|one| !one.assignment.to_intune || owned.is_gone || one.name != owned.owner)
        // DeviceConfiguration takes EndpointProtection to Intune and not back.
        .filter(|one| one.assignment.workload == owned.workload || one.assignment.to_intune)
        .map(Reason::Of)
        .collect();
    // A rule beside those that stay changes nothing for the device, and they may not be seen. What is gone
    // lets go of all it has.
    let is_kept = !owned.is_gone
        && !moment.pass.may_hide()
        && (moment.site.is_foreign(owned.workload, resource)
            || moment
                .site
                .holders(owned.workload, resource)
                .any(|other| !moment.gives_back(other)));
    if !is_kept {
        reasons.extend(leaving(moment, owned, truth));
    }
    reasons
}

/// Why the owner itself lets the device go: its group has it no more, or its rollout goes back.
fn leaving<'h>(moment: &Moment<'h>, owned: &Owned, truth: &Truth) -> Option<Reason<'h>> {
    if owned.is_gone {
        return owned.reverts.then_some(Reason::Gone);
    }
    let (name, one) = moment
        .repository()?
        .assignments
        .get_key_value(&owned.owner)?;
    let goes_back = one
        .rollout
        .as_ref()
        .is_some_and(|rollout| rollout.rolls_back);
    // EndpointProtection stays with DeviceConfiguration only as long as no other takes that.
    let may_be_overruled = one.workload != owned.workload
        && moment
            .candidates(truth, one.workload)
            .first()
            .is_some_and(|first| first.name != owned.owner);
    // Before DeviceConfiguration goes, its rollout may let a device go again that it has not moved.
    let is_not_moved = one.workload != owned.workload
        && one.rollout.is_some()
        && !truth
            .resource_id
            .is_some_and(|resource| moment.site.is_held(one.workload, resource));
    // A rollout that begins anew may be about fewer devices than rules were made for.
    let asks = moment.selects(one, truth) && one.to_intune && !may_be_overruled && !is_not_moved;
    (!asks || goes_back).then_some(Reason::Of(Candidate {
        name,
        assignment: one,
        is_sure: false,
        is_in_force: true,
    }))
}
