//! The status of a `Fleet`.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::convergence::Missing;
use diarchy_core::engine::Engine;
use diarchy_core::tally::{Tally, WorkloadTally};
use diarchy_core::workload::Workload;
use diarchy_crds::fleet::{
    DriftingDevice as DriftingDeviceStatus, EnrollmentCounts, EnrollmentError, FleetDevices,
    FleetStatus, LastInventory, WaitingPlan, WorkloadCounts,
};
use diarchy_crds::status::EXAMPLES;
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::join::JoinReport;
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::judged::Judged;
use super::trouble::Trouble;
use super::{Known, observed_slider, small};
use crate::condition::{ConditionKind, Truth, merge};
use crate::report::{DriftingDevice, FleetReport};
use crate::summary::Shown;

/// How often the time of an inventory is rewritten when nothing else has changed.
const HOURLY: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn status(
    known: &Known<'_>,
    trouble: Option<Trouble<'_>>,
    tally: &Tally,
    old: &FleetStatus,
) -> FleetStatus {
    let Known {
        readings,
        found,
        shown,
        report,
        ..
    } = *known;
    let engine = known.engine();
    FleetStatus {
        conditions: merge(&old.conditions, fleet_truths(report, trouble), report.at),
        devices: Some(devices(engine, found)),
        enrollment: Some(EnrollmentCounts {
            eligible: number(found.enrollment.eligible),
            scheduled: number(found.enrollment.scheduled),
            initiated: number(found.enrollment.initiated),
            enrolled: number(found.enrollment.enrolled),
            failed: number(found.enrollment.failed),
        }),
        enrollment_errors: found
            .enrollment_errors
            .iter()
            .take(EXAMPLES)
            .map(|error| EnrollmentError {
                code: error.code.into(),
                name: error.name.unwrap_or_default().to_owned(),
                devices: number(Some(error.devices)),
            })
            .collect(),
        workloads: engine
            .desired()
            .pilot_workloads()
            .map(|workload| {
                let counts = tally.workloads[workload.index()];
                let drifting = report.drift.count(workload);
                let counts = workload_counts(engine, workload, counts, drifting, shown);
                (workload, counts)
            })
            .collect(),
        waiting_plan: report.waiting.as_ref().map(|waiting| WaitingPlan {
            digest: waiting.digest.clone(),
            changes: small(waiting.changes),
            leaving: small(waiting.leaving),
            reason: waiting.reason.to_owned(),
            since: Time(waiting.since),
        }),
        drift: report.drift.examples.iter().map(drifting).collect(),
        mdm_authority: mdm_authority(readings),
        site_version: readings.site_version().map(ToOwned::to_owned),
        last_inventory: Some(last_inventory(old, readings, report)),
        ..FleetStatus::default()
    }
}

/// The time of the last inventory is rewritten when its size changes, or hourly.
fn last_inventory(old: &FleetStatus, readings: &Readings, report: &FleetReport) -> LastInventory {
    let now = LastInventory {
        time: Time(readings.began),
        duration: format!("{:#}", SignedDuration::from_secs(readings.took.as_secs())),
        devices: small(report.devices),
    };
    match &old.last_inventory {
        Some(last)
            if last.devices == now.devices
                && readings.began.duration_since(last.time.0) < HOURLY =>
        {
            last.clone()
        }
        _ => now,
    }
}

fn fleet_truths(report: &FleetReport, trouble: Option<Trouble<'_>>) -> Vec<Truth> {
    let [ready, stalled, reconciling] = judge(report, trouble).truths();
    vec![ready, converged(report), stalled, reconciling]
}

fn judge(report: &FleetReport, trouble: Option<Trouble<'_>>) -> Judged {
    if let Some(waiting) = &report.waiting {
        let message = format!(
            "{} changes wait for an approval of {} ({})",
            waiting.changes, waiting.digest, waiting.reason
        );
        return Judged::by_person("AwaitingApproval", message);
    }
    let step = report.manual_steps.first();
    if let Some(mut trouble) = trouble {
        trouble.needs_person |= step.is_some();
        return trouble.of_fleet("EstateNotReadable");
    }
    if let Some(step) = step {
        return Judged::by_person("ManualStepNeeded", step.clone());
    }
    match &report.stopped {
        Some(why) => Judged::ready("NothingWritten", why.clone()),
        None => Judged::ready("CarriedOut", format!("{} is in force", report.revision)),
    }
}

/// How many assignments are named.
const MOST_NAMED: usize = 20;

fn converged(report: &FleetReport) -> Truth {
    let mut missing: BTreeMap<Missing, usize> = BTreeMap::new();
    for workload in report.convergence.values() {
        for (why, count) in &workload.missing {
            *missing.entry(*why).or_default() += count;
        }
    }
    if !report.unmet.is_empty() {
        let waits: BTreeSet<&str> = report
            .unmet
            .iter()
            .map(|one| one.assignment.name.as_str())
            .collect();
        let waits: Vec<&str> = waits.into_iter().take(MOST_NAMED).collect();
        return Truth {
            kind: ConditionKind::Converged,
            holds: false,
            reason: "DependencyNotReady",
            message: format!(
                "assignments wait for what they require: {}",
                waits.join(", ")
            ),
        };
    }
    let holds = report.is_converged();
    Truth {
        kind: ConditionKind::Converged,
        holds,
        reason: if holds { "Converged" } else { "DevicesMissing" },
        message: if holds {
            "every online device is observed where it should be".to_owned()
        } else {
            let why: Vec<String> = missing
                .iter()
                .map(|(why, count)| format!("{count} {}", why.told()))
                .collect();
            format!(
                "not observed where they should be, of online devices and workloads: {}",
                why.join(", ")
            )
        },
    }
}

fn devices(engine: &Engine<'_>, found: &JoinReport) -> FleetDevices {
    let counts = found.devices;
    FleetDevices {
        total: number(Some(counts.total)),
        co_managed: number(Some(counts.co_managed)),
        configuration_manager_only: number(Some(counts.configuration_manager_only)),
        intune_only: number(Some(counts.intune_only)),
        third_party_mdm: number(Some(counts.third_party_mdm)),
        enrolled_first: small(engine.inventory().enrolled_first.yes().count_ones(..)),
        unmatched: number(Some(counts.unmatched)),
        stale: number(Some(counts.stale)),
    }
}

fn workload_counts(
    engine: &Engine<'_>,
    workload: Workload,
    counts: WorkloadTally,
    drifting: usize,
    shown: &Shown,
) -> WorkloadCounts {
    let slider = engine.desired().slider(workload);
    WorkloadCounts {
        slider: slider.map(|slider| observed_slider(slider, shown, workload)),
        desired: small(counts.desired),
        assigned: small(counts.assigned),
        observed: small(counts.observed),
        offline: small(counts.offline),
        held: small(counts.held),
        foreign: small(counts.foreign),
        retained: small(counts.retained),
        drifting: small(drifting),
    }
}

fn drifting(one: &DriftingDevice) -> DriftingDeviceStatus {
    DriftingDeviceStatus {
        device: one.device.clone(),
        workload: one.workload.to_string(),
        kind: one.drift.kind.to_string(),
        wanted: one.drift.wanted.to_string(),
        since: Time(one.drift.since),
    }
}

fn mdm_authority(readings: &Readings) -> Option<String> {
    let organization = readings.graph.organization.as_ref().ok()?;
    let authority = organization.mdm_authority.as_ref().known()?;
    Some(authority.name().to_owned())
}

/// A number that a service may not have told; then 0.
fn number(told: Option<u64>) -> u32 {
    told.map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX))
}
