//! What a pass found and did: for whoever watches.

use std::collections::BTreeMap;

use diarchy_core::convergence::WorkloadConvergence;
use diarchy_core::drift::{Drift, DriftKind};
use diarchy_core::requirement::Unmet;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{Counts, Phase};
use diarchy_core::tally::{EnrollmentTally, WorkloadTally};
use diarchy_core::workload::Workload;
use jiff::Timestamp;
use serde::Serialize;

/// What a pass over one fleet found and did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetReport {
    /// The fleet.
    pub fleet: ObjectName,
    /// The revision in force.
    pub revision: String,
    /// When the pass ended, by the loop's clock.
    pub at: Timestamp,
    /// Devices in the inventory.
    pub devices: usize,
    /// Devices that can be moved.
    pub eligible: usize,
    /// How far each managed workload is.
    pub convergence: BTreeMap<Workload, WorkloadConvergence>,
    /// Counts for each pilot workload.
    pub workloads: BTreeMap<Workload, WorkloadTally>,
    /// What waits for a person.
    pub waiting: Option<WaitingReport>,
    /// How far the rollouts of assignments in force are.
    pub rollouts: Vec<RolloutReport>,
    /// What assignments wait for that they require.
    pub unmet: Vec<UnmetReport>,
    /// Why nothing was written in this pass.
    pub stopped: Option<String>,
    /// What a person has to do at the console.
    pub manual_steps: Vec<String>,
    /// What could not be read or done.
    pub problems: Vec<String>,
    /// What this estate does not have, of what not every estate has: it stays unknown.
    pub lacking: Vec<String>,
    /// Membership changes that were sent in this pass.
    pub sent: usize,
    /// Requests to the site that this took.
    pub requests: usize,
    /// Hand-overs between assignments that are under way.
    pub handing_over: usize,
    /// Counts for the pilot of automatic enrolment, where the policy has devices join it.
    pub enrollment: Option<EnrollmentTally>,
    /// Devices on their way into that pilot: those that its limiting collection lacks left out.
    pub enrolling: usize,
    /// By assignment, the online devices that it asks for and that the limiting collection of its pilot
    /// lacks: they are never waited for.
    #[serde(skip)]
    pub outside: BTreeMap<ObjectName, usize>,
    /// Whether the site's devices and the rules of the owned collections were read.
    #[serde(skip)]
    pub has_read_rules: bool,
    /// What somebody else has changed, and is so still.
    pub drift: DriftReport,
    /// Until when a service asks to wait.
    pub throttled_until: Option<Timestamp>,
}

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingReport {
    /// What to approve.
    pub digest: String,
    /// Why, in a word.
    pub reason: &'static str,
    /// How many changes wait.
    pub changes: usize,
    /// How many of them hand a device back to Configuration Manager.
    pub leaving: usize,
    /// Since when.
    pub since: Timestamp,
}

/// What somebody else has changed, and is so still.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// How many devices drift.
    pub devices: usize,
    /// How many of them for each workload, and how.
    pub counts: BTreeMap<Workload, BTreeMap<DriftKind, usize>>,
    /// Up to 20 of them.
    pub examples: Vec<DriftingDevice>,
}

impl DriftReport {
    /// How many devices drift for `workload`.
    #[must_use]
    pub fn count(&self, workload: Workload) -> usize {
        let counts = self.counts.get(&workload).into_iter();
        counts.flat_map(BTreeMap::values).sum()
    }
}

/// A device that drifts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftingDevice {
    /// Its name, or its id if it has none.
    pub device: String,
    /// The workload.
    pub workload: Workload,
    /// How, and since when.
    #[serde(flatten)]
    pub drift: Drift,
}

/// What one assignment waits for that it requires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnmetReport {
    /// The assignment.
    pub assignment: ObjectName,
    /// What it is, and what it lacks.
    #[serde(flatten)]
    pub unmet: Unmet,
}

/// How far one rollout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutReport {
    /// The assignment.
    pub assignment: ObjectName,
    /// Its workload.
    pub workload: Workload,
    /// The step, from 1.
    pub step: usize,
    /// Of how many.
    pub of: usize,
    /// What it does there.
    pub phase: Phase,
    /// How many of its devices do what.
    pub counts: Counts,
    /// While the next step waits for a person: what to approve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Why it has stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl FleetReport {
    /// Whether nothing is required that is not ready, every rollout is complete, every online device is observed where it should be, and
    /// nothing is left to do.
    #[must_use]
    pub fn is_converged(&self) -> bool {
        let mut rollouts = self.rollouts.iter();
        self.is_at_rest()
            && self.unmet.is_empty()
            && rollouts.all(|rollout| rollout.phase == Phase::Complete)
    }

    /// Whether nothing more happens by itself, since rollouts have halted or gone back. Where one has
    /// halted, its devices are waited for no more; where one has gone back, they are.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        let has_ended =
            |phase| matches!(phase, Phase::Complete | Phase::Halted | Phase::RolledBack);
        let has_halted = |workload| {
            let mut rollouts = self.rollouts.iter();
            rollouts.any(|one| one.workload == workload && one.phase == Phase::Halted)
        };
        let mut workloads = self.convergence.iter();
        self.is_quiet()
            && self.rollouts.iter().all(|one| has_ended(one.phase))
            && self.rollouts.iter().any(|one| one.phase.needs_person())
            && workloads.all(|(workload, counts)| counts.is_converged() || has_halted(*workload))
    }

    /// Whether every online device is observed where it should be for now.
    fn is_at_rest(&self) -> bool {
        let mut workloads = self.convergence.values();
        self.is_quiet() && workloads.all(WorkloadConvergence::is_converged)
    }

    /// Whether nobody is waited for, and nothing went wrong.
    fn is_quiet(&self) -> bool {
        self.waiting.is_none()
            && self.problems.is_empty()
            && self.handing_over == 0
            && self.enrolling == 0
    }
}

/// What a pass over everything found and did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassReport {
    /// The revision in force; `None` while there has never been a valid one.
    pub revision: Option<String>,
    /// Why the newest revision is not in force.
    pub refused: Option<RefusedRevision>,
    /// One for each fleet.
    pub fleets: Vec<FleetReport>,
    /// Fleets that could not be looked at, and why.
    pub failures: Vec<(ObjectName, String)>,
}

/// A revision that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRevision {
    /// Which.
    pub revision: String,
    /// Whether it could not be had at all, so that nobody knows what it says.
    pub unread: bool,
    /// What is wrong with it, line by line.
    pub findings: Vec<String>,
}

impl PassReport {
    /// Whether every fleet is converged on the newest revision.
    #[must_use]
    pub fn is_converged(&self) -> bool {
        self.revision.is_some()
            && self.refused.is_none()
            && self.failures.is_empty()
            && self.fleets.iter().all(FleetReport::is_converged)
    }

    /// Whether nothing more happens by itself, since rollouts have halted or gone back.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.revision.is_some()
            && self.refused.is_none()
            && self.failures.is_empty()
            && self.fleets.iter().any(FleetReport::has_stopped)
            && self
                .fleets
                .iter()
                .all(|fleet| fleet.has_stopped() || fleet.is_converged())
    }
}
