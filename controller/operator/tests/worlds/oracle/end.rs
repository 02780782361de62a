//! Where everything is in the end.

use diarchy_core::rollout::Phase;
use diarchy_simulator::{MishapKind, Truth, Workload};

use super::rules::Candidate;
use super::site::Site;
use super::{Check, Moment};
use crate::history::History;
use crate::repository::Assignment;

pub struct End;

impl Check for End {
    fn end(&mut self, history: &History, site: &Site, found: &mut Vec<String>) {
        let (Some(number), Some(pass)) =
            (history.passes.len().checked_sub(1), history.passes.last())
        else {
            return;
        };
        let moment = Moment {
            history,
            number,
            pass,
            site,
        };
        if !history.is_at_rest {
            found.push(format!("it never rests: {:?}", pass.report));
        }
        for (name, one) in moment.repository().iter().flat_map(|one| &one.assignments) {
            if let Some(stuck) = stuck(&moment, name, one) {
                found.push(format!(
                    "{name} is {stuck:?} in the end, and no device is a reason for it"
                ));
            }
        }
        let workloads = moment.repository().map_or(&[][..], |one| &one.pilots);
        for truth in &history.truths {
            for workload in workloads
                .iter()
                .filter(|workload| !is_contradicted(history, **workload))
            {
                if let Some(expected) = expected(&moment, truth, *workload)
                    && expected != truth.actual.contains(workload)
                {
                    found.push(format!(
                        "in the end {} is {}at Intune for {workload}: {truth:?}",
                        truth.name,
                        if expected { "not " } else { "" }
                    ));
                }
            }
        }
    }
}

/// Where a rollout has come to a stand without having ended, although nobody keeps it from going on: no
/// device is silent, and none is out of reach.
fn stuck(moment: &Moment<'_>, name: &str, one: &Assignment) -> Option<Phase> {
    let phase = moment.pass.rollout(name)?.phase;
    let has_ended = matches!(phase, Phase::Complete | Phase::Halted | Phase::RolledBack);
    if has_ended || !moment.is_in_force(name, one) {
        return None;
    }
    let selected = moment
        .history
        .truths
        .iter()
        .filter(|truth| moment.selects(one, truth));
    let is_placed = |resource| moment.site.is_placed(one.workload, name, resource);
    // Whom it has placed and another one decides about by now is waited for no more.
    let is_anothers = |truth: &Truth| {
        let deciding = moment.deciding(truth, one.workload);
        deciding
            .first()
            .is_some_and(|first| first.name != name && first.is_in_force)
    };
    let own: Vec<_> = selected
        .filter(|truth| {
            moment.is_own(name, truth, one.workload)
                || truth.resource_id.is_some_and(is_placed) && !is_anothers(truth)
        })
        .collect();
    // A rollout without anybody to move waits for somebody to come.
    let can_move = |truth: &&&Truth| {
        // What people put in, nobody takes out.
        let stays = |resource| {
            moment.site.is_foreign(one.workload, resource)
                || stays_along(moment, one.workload, resource)
        };
        truth.follows_sliders
            && !truth.outside_limiting_collection
            && (one.to_intune || !truth.resource_id.is_some_and(stays))
    };
    // One that was enrolled before it had the client never follows, and nobody knows.
    let is_reason = own
        .iter()
        .any(|truth| is_silent(truth, one.workload) || !truth.online || truth.enrolled_first);
    (own.iter().filter(can_move).count() > 0 && !is_reason).then_some(phase)
}

/// Whether the device never says that Intune has the workload.
fn is_silent(truth: &Truth, workload: Workload) -> bool {
    let mut mishaps = truth.mishaps.iter();
    mishaps.any(|one| one.what == MishapKind::Silent) || truth.silent.contains(&workload)
}

/// Whether so many devices never report the workload that its slider may seem to have been moved, which
/// stops it.
fn is_contradicted(history: &History, workload: Workload) -> bool {
    let truths = history.truths.iter();
    let there = truths.filter(|truth| truth.actual.contains(&workload));
    let (silent, others): (Vec<_>, Vec<_>) =
        there.partition(|truth| !truth.reported.contains(&workload));
    silent.len() > others.len() / 2
}

/// Whether DeviceConfiguration is at Intune, with which EndpointProtection stays there although nobody asks.
fn stays_along(moment: &Moment<'_>, workload: Workload, resource: u32) -> bool {
    let configuration = Workload::DeviceConfiguration;
    workload == Workload::EndpointProtection
        && moment.is_piloted(configuration)
        && moment.site.is_held(configuration, resource)
}

/// Whether Intune shall have the workload, for a device of which that can be told.
fn expected(moment: &Moment<'_>, truth: &Truth, workload: Workload) -> Option<bool> {
    let resource = truth.resource_id?;
    if !truth.follows_sliders || truth.outside_limiting_collection || !truth.online {
        return None;
    }
    // Whom people had put into a pilot before the world began may be there by whatever rule.
    let first = moment.history.passes.first()?;
    let was_there =
        |first: &Truth| first.device == truth.device && first.actual.contains(&workload);
    if first.truths.iter().any(was_there) {
        return None;
    }
    let deciding = moment.deciding(truth, workload);
    // A rollout that has stopped, and one that waits for devices that never report, is its own reason.
    let is_done = |one: &Candidate<'_>| {
        let phase = moment.pass.rollout(one.name).map(|one| one.phase);
        one.is_in_force && (one.assignment.rollout.is_none() || phase == Some(Phase::Complete))
    };
    if !deciding.iter().all(is_done) {
        return None;
    }
    // Devices that never report stay on their way, and keep back as many as may be there at once.
    let is_full = |one: &Candidate<'_>| {
        let rollout = one.assignment.rollout.as_ref();
        let waited_for = moment.history.truths.iter().filter(|truth| {
            let is_placed = |resource| moment.site.is_placed(workload, one.name, resource);
            is_silent(truth, workload) && truth.resource_id.is_some_and(is_placed)
        });
        rollout
            .and_then(|rollout| rollout.max_concurrency)
            .is_some_and(|most| waited_for.count() >= most)
    };
    if deciding.iter().any(is_full) {
        return None;
    }
    let is_held = moment.site.is_held(workload, resource);
    let stays_along = stays_along(moment, workload, resource);
    match deciding.first() {
        Some(winner) if winner.assignment.to_intune => Some(true),
        // What people put in, nobody takes out.
        Some(_) => Some(moment.site.is_foreign(workload, resource) || stays_along && is_held),
        None => {
            // A rollout that has stopped lets nobody go either.
            let has_stopped = |owner: &str| {
                let rollout = moment.pass.rollout(owner);
                rollout.is_some_and(|rollout| rollout.phase != Phase::Complete)
            };
            let mut holders = moment.site.holders(workload, resource);
            if holders.any(|one| one.reverts && one.has_successor || has_stopped(&one.owner)) {
                return None;
            }
            let stays = moment.site.is_foreign(workload, resource)
                || moment
                    .site
                    .holders(workload, resource)
                    .any(|one| !moment.gives_back(one));
            Some(is_held && (stays || stays_along))
        }
    }
}
