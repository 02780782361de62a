//! A rollout that hurts stops, and stays so until somebody says otherwise.

use diarchy_core::rollout::Phase;
use diarchy_simulator::{MishapKind, Truth, Workload};
use jiff::SignedDuration;

use super::eras::{Era, Eras};
use super::steps::{has_been, is_at_intune, of, rollout_of};
use super::{Check, Moment, Write};
use crate::history::{Deed, Pass};
use crate::repository::{Assignment, Rollout};

#[derive(Debug, Default)]
pub struct Stops {
    eras: Eras,
}

impl Check for Stops {
    fn begin(&mut self, moment: &Moment<'_>, found: &mut Vec<String>) {
        self.eras.begin(moment);
        let Some(repository) = moment.repository() else {
            return;
        };
        for (name, one) in &repository.assignments {
            let (Some(rollout), Some(era)) = (&one.rollout, self.eras.get_mut(name)) else {
                continue;
            };
            if says(moment, name, "retry") {
                era.stopped = None;
                // How well they do before they move again is what they are compared with from now on.
                era.begun.clear();
            }
            must_stop(moment, (name, one, rollout), era, found);
            let phase = moment.pass.rollout(name).map(|one| one.phase);
            if matches!(phase, Some(Phase::Halted | Phase::RolledBack)) && era.stopped.is_none() {
                era.stopped = Some(moment.number);
            }
        }
    }

    fn write(&mut self, moment: &Moment<'_>, write: &Write, found: &mut Vec<String>) {
        let Some((name, one, _)) = rollout_of(moment, write) else {
            return;
        };
        let (Some(truth), Some(era)) = (moment.device(write.resource), self.eras.get_mut(name))
        else {
            return;
        };
        let begins = moment.site.is_held(one.workload, write.resource) != one.to_intune;
        let is_new = era.moved.insert(truth.device);
        if begins && is_new && has_recovered(moment, truth, one.workload) {
            era.begun.insert(truth.device, moment.number);
        }
        // The pass that stops it moves nobody either.
        if begins && is_new && era.stopped.is_some() && !era.is_blurred {
            found.push(format!(
                "pass {}, entry {}: {} was moved for {name}, which had stopped in pass {:?}",
                moment.number,
                write.entry + 1,
                truth.name,
                era.stopped
            ));
        }
    }
}

/// Whether what befell the device at Intune before must be over: it has not been there for three days.
fn has_recovered(moment: &Moment<'_>, truth: &Truth, workload: Workload) -> bool {
    let span = SignedDuration::from_hours(72);
    let passes = moment.history.passes[..=moment.number].iter().rev();
    passes
        .take_while(|pass| moment.pass.began.duration_since(pass.began) < span)
        .filter_map(|pass| of(&pass.truths, truth.device))
        .all(|truth| !is_at_intune(truth, workload))
}

/// The pass before, and the deeds since.
fn since_last<'h>(moment: &Moment<'h>) -> (Option<&'h Pass>, &'h [crate::history::Done]) {
    let last = moment
        .number
        .checked_sub(1)
        .map(|last| &moment.history.passes[last]);
    let first = last.map_or(0, |last| last.deeds);
    (last, &moment.history.deeds[first..moment.pass.deeds])
}

/// Whether a person has said so of a rollout since the pass before.
fn says(moment: &Moment<'_>, name: &str, what: &str) -> bool {
    let (_, deeds) = since_last(moment);
    deeds
        .iter()
        .any(|done| matches!(&done.deed, Deed::Say(of, said) if of == name && *said == what))
}

/// What must have stopped in this pass, and what it must say then.
fn must_stop(
    moment: &Moment<'_>,
    (name, one, rollout): (&str, &Assignment, &Rollout),
    era: &Era,
    found: &mut Vec<String>,
) {
    let Some(now) = moment.pass.rollout(name).map(|one| one.phase) else {
        return;
    };
    let (last, _) = since_last(moment);
    let before = last
        .and_then(|last| last.rollout(name))
        .map(|one| one.phase);
    let is_moving = matches!(
        before,
        Some(Phase::Waiting | Phase::Progressing | Phase::Soaking | Phase::AwaitingApproval)
    );
    if era.began == moment.number || era.is_blurred || !is_moving || !moment.is_in_force(name, one)
    {
        return;
    }
    let expected = if rollout.rolls_back {
        Phase::RolledBack
    } else {
        Phase::Halted
    };
    let failed = failed(moment, (name, one), era);
    let has_failed =
        rollout.max_failures.is_some_and(|most| failed.len() > most) && moment.pass.is_clean;
    let retried = says(moment, name, "retry");
    if now != expected && says(moment, name, "abort") && !moment.pass.may_hide() {
        found.push(format!(
            "pass {}: {name} was aborted, and is {now:?}",
            moment.number
        ));
    } else if now != expected && has_failed && !retried {
        found.push(format!(
            "pass {}: {name} goes on ({now:?}) although {failed:?} have failed",
            moment.number
        ));
    }
}

/// Devices of the rollout that everybody must have seen to have failed.
fn failed(moment: &Moment<'_>, (name, one): (&str, &Assignment), era: &Era) -> Vec<String> {
    let judges = moment
        .repository()
        .is_some_and(|repository| repository.judges_compliance);
    let has_failed = |truth: &&Truth| {
        let befell = truth.mishaps.iter().any(|mishap| {
            mishap.workload == one.workload
                && match mishap.what {
                    MishapKind::ClientUnhealthy => true,
                    MishapKind::NotCompliant | MishapKind::ComplianceError => judges,
                    MishapKind::Silent => false,
                }
        });
        let moved_for_long = |truth: &Truth| truth.online && is_at_intune(truth, one.workload);
        let since = era
            .begun
            .get(&truth.device)
            .map(|pass| &moment.history.passes[*pass]);
        let hours = since.map_or(0, |pass| {
            moment.pass.began.duration_since(pass.began).as_hours()
        });
        befell
            && hours > 12
            && one.to_intune
            && truth.follows_sliders
            && !truth.outside_limiting_collection
            && moment.is_own(name, truth, one.workload)
            && has_been(moment, truth.device, 12, moved_for_long)
    };
    let moved = era
        .begun
        .keys()
        .filter_map(|device| of(&moment.pass.truths, *device));
    moved
        .filter(has_failed)
        .map(|truth| truth.name.clone())
        .collect()
}
