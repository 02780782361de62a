//! Statuses: what is known of each resource, written only when it says something new.

use diarchy_core::desired::{AssignmentIndex, Force, FrozenBy, GroupIndex};
use diarchy_core::digest::Digest;
use diarchy_core::engine::Engine;
use diarchy_core::inference::ShownSlider;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_core::selector::TextKey;
use diarchy_core::tally::{AssignmentTally, Tally, WorkloadTally};
use diarchy_core::workload::{Slider, Workload};
use diarchy_crds::co_management_policy::{CoManagementPolicyStatus, CollectionState, SliderStatus};
use diarchy_crds::device_group::DeviceGroupStatus;
use diarchy_crds::fleet::{
    EnrollmentCounts, EnrollmentError, FleetDevices, FleetStatus, LastInventory, WaitingPlan,
    WorkloadCounts,
};
use diarchy_crds::status::{EXAMPLES, ObservedSlider};
use diarchy_crds::workload_assignment::{AssignmentDevices, WorkloadAssignmentStatus};
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::join::JoinReport;
use diarchy_fleet::site::pilot::PilotState;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::condition::{ConditionKind, Truth, merge};
use crate::context::{Decided, FleetPass};
use crate::error::OperatorError;
use crate::memory::FleetMemory;
use crate::report::FleetReport;
use crate::summary::{self, Shown};

/// How often the time of an inventory is rewritten when nothing else has changed.
const HOURLY: SignedDuration = SignedDuration::from_hours(1);

/// Reports the statuses of a fleet and all that belongs to it.
///
/// # Errors
///
/// [`OperatorError::State`] when they cannot be written.
pub fn report(
    pass: &FleetPass<'_>,
    decided: &Decided<'_>,
    readings: &Readings,
    found: &JoinReport,
    memory: &FleetMemory,
    shown: &Shown,
    report: &FleetReport,
) -> Result<(), OperatorError> {
    let engine = &decided.engine;
    let desired = engine.desired();
    let evidence = summary::is_evidence(engine, memory);
    let tally = Tally::new(engine, &evidence);
    let fleet = fleet(pass, engine, readings, found, &tally, shown, report)?;
    pass.store.report(Kind::Fleet, &desired.fleet, &fleet)?;
    if let Some(policy) = &desired.policy {
        let status = policy_status(pass, &policy.name, engine, readings, shown, report)?;
        pass.store
            .report(Kind::CoManagementPolicy, &policy.name, &status)?;
    }
    for (at, group) in desired.groups.iter().enumerate() {
        let status = group_status(pass, engine, GroupIndex(at), &group.name)?;
        pass.store.report(Kind::DeviceGroup, &group.name, &status)?;
    }
    for (at, assignment) in desired.assignments.iter().enumerate() {
        let index = AssignmentIndex(at);
        let status = assignment_status(pass, engine, index, tally.assignments[at])?;
        pass.store
            .report(Kind::WorkloadAssignment, &assignment.name, &status)?;
    }
    Ok(())
}

fn fleet(
    pass: &FleetPass<'_>,
    engine: &Engine<'_>,
    readings: &Readings,
    found: &JoinReport,
    tally: &Tally,
    shown: &Shown,
    report: &FleetReport,
) -> Result<FleetStatus, OperatorError> {
    let name = &engine.desired().fleet;
    let old: FleetStatus = pass.store.status(Kind::Fleet, name)?.unwrap_or_default();
    Ok(FleetStatus {
        conditions: merge(&old.conditions, fleet_truths(report), report.at),
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
                (workload, workload_counts(engine, workload, counts, shown))
            })
            .collect(),
        waiting_plan: report.waiting.as_ref().map(|waiting| WaitingPlan {
            digest: waiting.digest.clone(),
            changes: small(waiting.changes),
            leaving: small(waiting.leaving),
            reason: waiting.reason.to_owned(),
            since: Time(waiting.since),
        }),
        mdm_authority: mdm_authority(readings),
        site_version: readings.site_version().map(ToOwned::to_owned),
        last_inventory: Some(last_inventory(&old, readings, report)),
        ..FleetStatus::default()
    })
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

fn fleet_truths(report: &FleetReport) -> Vec<Truth> {
    let (holds, reason, message) = if let Some(waiting) = &report.waiting {
        let message = format!(
            "{} changes wait for an approval of {} ({})",
            waiting.changes, waiting.digest, waiting.reason
        );
        (false, "AwaitingApproval", message)
    } else if let Some(problem) = report.problems.first() {
        (false, "EstateNotReadable", problem.clone())
    } else if let Some(step) = report.manual_steps.first() {
        (false, "ManualStepNeeded", step.clone())
    } else if let Some(why) = &report.stopped {
        (true, "NothingWritten", why.clone())
    } else {
        (
            true,
            "CarriedOut",
            format!("{} is in force", report.revision),
        )
    };
    let stalled = Truth {
        kind: ConditionKind::Stalled,
        holds: report.waiting.is_some() || !report.manual_steps.is_empty(),
        reason,
        message: message.clone(),
    };
    let ready = Truth {
        kind: ConditionKind::Ready,
        holds,
        reason,
        message,
    };
    vec![ready, converged(report), stalled]
}

fn converged(report: &FleetReport) -> Truth {
    let missing: usize = report
        .convergence
        .values()
        .map(|workload| workload.online - workload.converged)
        .sum();
    let holds = report.is_converged();
    Truth {
        kind: ConditionKind::Converged,
        holds,
        reason: if holds { "Converged" } else { "DevicesMissing" },
        message: if holds {
            "every online device is observed where it should be".to_owned()
        } else {
            format!("{missing} online devices and workloads are not observed where they should be")
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
    }
}

fn observed_slider(desired: Slider, shown: &Shown, workload: Workload) -> ObservedSlider {
    match shown.sliders[workload.index()] {
        ShownSlider::AsDesired => ObservedSlider::from(desired),
        ShownSlider::Contradicted => ObservedSlider::Contradicted,
        ShownSlider::Unknown => ObservedSlider::Unknown,
    }
}

fn mdm_authority(readings: &Readings) -> Option<String> {
    let organization = readings.graph.organization.as_ref().ok()?;
    let authority = organization.mdm_authority.as_ref().known()?;
    Some(authority.name().to_owned())
}

fn policy_status(
    pass: &FleetPass<'_>,
    name: &ObjectName,
    engine: &Engine<'_>,
    readings: &Readings,
    shown: &Shown,
    report: &FleetReport,
) -> Result<CoManagementPolicyStatus, OperatorError> {
    let old: CoManagementPolicyStatus = pass
        .store
        .status(Kind::CoManagementPolicy, name)?
        .unwrap_or_default();
    let pilots = summary::pilot_states(readings);
    let sliders = Workload::ASSIGNABLE.into_iter().filter_map(|workload| {
        let desired = engine.desired().slider(workload)?;
        let status = SliderStatus {
            desired: Some(desired),
            observed: Some(observed_slider(desired, shown, workload)),
            collection: pilots.get(&workload).map(|state| match state {
                PilotState::Marked => CollectionState::Marked,
                PilotState::NotMarked => CollectionState::NotMarked,
                PilotState::Unsafe(_) => CollectionState::Unsafe,
                PilotState::Unreadable(_) => CollectionState::Unreadable,
            }),
        };
        Some((workload, status))
    });
    let ready = Truth {
        kind: ConditionKind::Ready,
        holds: report.manual_steps.is_empty(),
        reason: if report.manual_steps.is_empty() {
            "InPlace"
        } else {
            "ManualStepNeeded"
        },
        message: report
            .manual_steps
            .first()
            .cloned()
            .unwrap_or_else(|| "sliders and pilot collections are in their places".to_owned()),
    };
    Ok(CoManagementPolicyStatus {
        conditions: merge(&old.conditions, vec![ready], report.at),
        sliders: sliders.collect(),
        manual_steps: report.manual_steps.clone(),
        ..CoManagementPolicyStatus::default()
    })
}

fn group_status(
    pass: &FleetPass<'_>,
    engine: &Engine<'_>,
    index: GroupIndex,
    name: &ObjectName,
) -> Result<DeviceGroupStatus, OperatorError> {
    let old: DeviceGroupStatus = pass
        .store
        .status(Kind::DeviceGroup, name)?
        .unwrap_or_default();
    let inventory = engine.inventory();
    let members = engine.groups().members(index);
    let rows = || members.certain().ones();
    let names = inventory.text(TextKey::Name);
    let mut status = DeviceGroupStatus {
        members: Some(small(members.count_certain())),
        unknown: Some(small(members.count_unknown())),
        eligible: Some(small(
            rows()
                .filter(|row| engine.eligibility().judge(*row).is_none())
                .count(),
        )),
        digest: Some(Digest::of_lines(rows().map(|row| inventory.id(row))).to_string()),
        examples: rows()
            .take(EXAMPLES)
            .map(|row| {
                let name = names.get(row).known();
                name.map_or_else(|| inventory.id(row).to_owned(), ToString::to_string)
            })
            .collect(),
        ..DeviceGroupStatus::default()
    };
    let ready = Truth {
        kind: ConditionKind::Ready,
        holds: true,
        reason: "Evaluated",
        message: format!("{} members", members.count_certain()),
    };
    status.conditions = merge(&old.conditions, vec![ready], engine.now());
    Ok(status)
}

fn assignment_status(
    pass: &FleetPass<'_>,
    engine: &Engine<'_>,
    index: AssignmentIndex,
    counts: AssignmentTally,
) -> Result<WorkloadAssignmentStatus, OperatorError> {
    let assignment = engine.desired().assignment(index);
    let old: WorkloadAssignmentStatus = pass
        .store
        .status(Kind::WorkloadAssignment, &assignment.name)?
        .unwrap_or_default();
    let now: Timestamp = engine.now();
    let truths = vec![
        assignment_ready(assignment.force),
        Truth {
            kind: ConditionKind::Converged,
            holds: counts.pending == 0,
            reason: if counts.pending == 0 {
                "Converged"
            } else {
                "DevicesPending"
            },
            message: format!("{} of {} devices observed", counts.observed, counts.desired),
        },
    ];
    Ok(WorkloadAssignmentStatus {
        conditions: merge(&old.conditions, truths, now),
        devices: Some(AssignmentDevices {
            selected: small(counts.selected),
            eligible: small(counts.eligible),
            admitted: small(counts.admitted),
            desired: small(counts.desired),
            assigned: small(counts.assigned),
            observed: small(counts.observed),
            offline: small(counts.offline),
            pending: small(counts.pending),
            failed: 0,
            held: small(counts.held),
        }),
        ..WorkloadAssignmentStatus::default()
    })
}

fn assignment_ready(force: Force) -> Truth {
    let (holds, reason, message) = match force {
        Force::InForce => (true, "InForce", "it is carried out"),
        Force::Observing => (true, "Observing", "it only watches"),
        Force::Frozen(FrozenBy::Suspend) => (true, "Suspended", "git suspends it"),
        Force::Frozen(FrozenBy::Pause) => (true, "Paused", "a person paused it"),
        Force::Frozen(FrozenBy::Requires) => (
            false,
            "DependencyNotReady",
            "what it requires cannot be judged yet",
        ),
    };
    Truth {
        kind: ConditionKind::Ready,
        holds,
        reason,
        message: message.to_owned(),
    }
}

/// A number of devices as statuses carry it.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A number that a service may not have told; then 0.
fn number(told: Option<u64>) -> u32 {
    told.map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX))
}
