//! The status of a `WorkloadAssignment`.

use std::collections::BTreeMap;

use diarchy_core::circumstances::soak_ends;
use diarchy_core::desired::{Force, FrozenBy, Rollout};
use diarchy_core::engine::Engine;
use diarchy_core::explain::WaitExplanation;
use diarchy_core::obstacle::Obstacle;
use diarchy_core::requirement::Unmet;
use diarchy_core::rollout::{Failure, Phase, Progress};
use diarchy_core::tally::AssignmentTally;
use diarchy_crds::requires::UnmetRequirement;
use diarchy_crds::workload_assignment::{
    AssignmentDevices, DeviceFailure, RolloutStatus, WaitingDevices, WorkloadAssignmentStatus,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::small;
use super::standing::Standing;
use crate::condition::{ConditionKind, Truth, merge};
use crate::summary;

/// How many things that devices wait for are told.
const MOST_WAITS: usize = 20;

/// How many devices that failed are named.
const MOST_FAILURES: usize = 20;

/// How long a message about something that is required may be: services have many words.
const LONGEST_MESSAGE: usize = 1024;

/// What is told of an assignment.
pub(super) struct Told<'a> {
    /// Whether it is carried out.
    pub standing: Standing<'a>,
    /// Numbers of its devices.
    pub counts: AssignmentTally,
    /// Of the devices that are pending, those that can never arrive until a person changes the pilot's
    /// limiting collection.
    pub outside: usize,
    /// How it goes out.
    pub rollout: Option<&'a Rollout>,
    /// What its devices wait for, and how many.
    pub waits: &'a [(Obstacle, usize)],
}

fn waiting((obstacle, devices): &(Obstacle, usize)) -> WaitingDevices {
    let explained = WaitExplanation::from(obstacle);
    WaitingDevices {
        reason: obstacle.name().to_owned(),
        devices: small(*devices),
        message: explained.message,
        way_on: explained.way_on,
    }
}

pub(super) fn status(
    engine: &Engine<'_>,
    told: &Told<'_>,
    old: &WorkloadAssignmentStatus,
) -> WorkloadAssignmentStatus {
    let Told {
        standing, counts, ..
    } = told;
    let [ready, stalled, reconciling] = standing.judge().truths();
    let progress = standing.rollout.map(|(progress, _)| progress);
    let truths = vec![ready, converged(told), stalled, reconciling];
    let failures: BTreeMap<&String, Failure> = progress
        .map(|progress| progress.failures().collect())
        .unwrap_or_default();
    WorkloadAssignmentStatus {
        conditions: merge(&old.conditions, truths, engine.now()),
        devices: Some(AssignmentDevices {
            selected: small(counts.selected),
            eligible: small(counts.eligible),
            admitted: small(counts.admitted),
            desired: small(counts.desired),
            assigned: small(counts.assigned),
            observed: small(counts.observed),
            offline: small(counts.offline),
            pending: small(counts.pending),
            failed: small(failures.len()),
            held: small(counts.held),
        }),
        rollout: progress
            .zip(told.rollout)
            .map(|(progress, rollout)| rollout_status(progress, rollout)),
        rejected_spec: progress
            .and_then(Progress::rejected)
            .map(|digest| digest.to_string()),
        failures: named(engine, &failures),
        waits: told.waits.iter().take(MOST_WAITS).map(waiting).collect(),
        requires: standing.unmet.iter().map(unmet).collect(),
        ..WorkloadAssignmentStatus::default()
    }
}

fn unmet(unmet: &Unmet) -> UnmetRequirement {
    UnmetRequirement {
        what: unmet.what.clone(),
        reason: unmet.lack.name().to_owned(),
        message: unmet.to_string().chars().take(LONGEST_MESSAGE).collect(),
        digest: unmet.lack.digest().map(|digest| digest.to_string()),
    }
}

fn rollout_status(progress: &Progress, rollout: &Rollout) -> RolloutStatus {
    let step = rollout.steps.get(progress.step);
    let until = step.and_then(|step| soak_ends(progress, step.soak.length()));
    RolloutStatus {
        step: small(progress.step + 1),
        of: small(rollout.steps.len()),
        phase: progress.phase(),
        since: Some(whole_seconds(progress.stage.since())),
        until: until.map(whole_seconds),
        digest: progress.awaits().map(|digest| digest.to_string()),
    }
}

/// A moment as the API has it, without parts of a second.
fn whole_seconds(moment: Timestamp) -> Time {
    Time(Timestamp::from_second(moment.as_second()).unwrap_or(moment))
}

/// Some of the devices that failed, by name.
fn named(engine: &Engine<'_>, failures: &BTreeMap<&String, Failure>) -> Vec<DeviceFailure> {
    if failures.is_empty() {
        return Vec::new();
    }
    let inventory = engine.inventory();
    let failed = (0..inventory.rows()).filter_map(|row| {
        let failure = failures.get(&inventory.first_id(row).to_owned())?;
        Some((row, failure))
    });
    failed
        .take(MOST_FAILURES)
        .map(|(row, failure)| DeviceFailure {
            device: summary::device_name(inventory, row),
            reason: failure.reason.name().to_owned(),
            since: Some(whole_seconds(failure.since)),
        })
        .collect()
}

fn converged(told: &Told<'_>) -> Truth {
    let Told {
        standing,
        counts,
        outside,
        ..
    } = told;
    let phase = standing.rollout.map(|(progress, _)| progress.phase());
    let reason = match phase {
        Some(Phase::Halted) => Some("Halted"),
        Some(Phase::RolledBack) => Some("RolledBack"),
        Some(Phase::Complete) | None => None,
        Some(_) => Some("RolloutInProgress"),
    };
    // One that is not in force has come as far as it goes for now, unless it only waits.
    let reason = match standing.force {
        Force::InForce => reason,
        Force::Frozen(FrozenBy::Requires) => Some("DependencyNotReady"),
        Force::Frozen(_) | Force::Observing => None,
    };
    let holds = reason.is_none() && counts.pending <= *outside;
    let observed = format!("{} of {} devices observed", counts.observed, counts.desired);
    let message = match outside {
        0 => observed,
        _ => format!("{observed}; the pilot's limiting collection lacks {outside} of them"),
    };
    Truth {
        kind: ConditionKind::Converged,
        holds,
        reason: match reason {
            Some(reason) => reason,
            None if holds => "Converged",
            None => "DevicesPending",
        },
        message,
    }
}
