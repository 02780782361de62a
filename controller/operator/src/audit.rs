//! The audit trail: every change asked for, sent and observed, never rewritten.

use diarchy_core::drift::{DriftEnd, DriftKind};
use diarchy_core::rollout::{Counts, Phase};
use diarchy_core::workload::{Authority, Workload};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When, by the loop's clock.
    pub at: Timestamp,
    /// The fleet, `namespace/name`.
    pub fleet: String,
    /// The revision in force.
    pub revision: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "event"
)]
pub enum Event {
    /// A new revision is in force.
    RevisionAccepted,
    /// A revision does not validate; the last good one stays in force.
    RevisionRefused {
        /// The revision that was refused.
        refused: String,
        /// How many errors it has.
        errors: usize,
    },
    /// A decision was written down, with what it was made from.
    Decided {
        /// A digest of the file that has both.
        inputs: String,
        /// A digest of what came of it.
        outcome: String,
    },
    /// A change is asked for: git wants it, and nothing keeps it from being sent.
    Asked {
        /// The device's id.
        device: String,
        /// The workload.
        workload: Workload,
        /// Who shall get authority; the same as before for a hand-over.
        to: Authority,
        /// The assignment that asks.
        because: String,
    },
    /// A device is asked into the pilot of automatic enrolment.
    AskedToEnroll {
        /// The device's id.
        device: String,
        /// The policy that asks.
        because: String,
    },
    /// A request is about to leave.
    Sending {
        /// What it does, in words.
        request: String,
        /// The site's numbers of the devices that it is about.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        resources: Vec<u32>,
    },
    /// A request was answered, or its answer was lost.
    Sent {
        /// What it does, in words.
        request: String,
        /// What came of it.
        outcome: String,
    },
    /// A device reports to be where it should be, after a write of ours.
    Observed {
        /// The device's id.
        device: String,
        /// The workload.
        workload: Workload,
        /// Who has authority by its own report.
        authority: Authority,
    },
    /// The site has devices otherwise than is remembered: what is remembered is older than what was
    /// done, and no end state is known any more.
    Forgotten {
        /// How many devices.
        devices: usize,
    },
    /// A device stands otherwise than it was left, by nothing that was done here.
    Drifted {
        /// The device's id.
        device: String,
        /// The workload.
        workload: Workload,
        /// How.
        kind: DriftKind,
        /// Who should have authority.
        wanted: Authority,
    },
    /// A device drifts no more.
    DriftEnded {
        /// The device's id.
        device: String,
        /// The workload.
        workload: Workload,
        /// How it drifted.
        kind: DriftKind,
        /// Since when.
        since: Timestamp,
        /// What has ended it.
        end: DriftEnd,
    },
    /// Most devices contradict the slider of a workload: somebody has moved it. Nothing is written for
    /// that workload.
    SliderMoved {
        /// The workload.
        workload: Workload,
        /// How many devices contradict it.
        devices: usize,
    },
    /// The devices show the slider of a workload to stand where it should again.
    SliderMovedBack {
        /// The workload.
        workload: Workload,
        /// Since when they showed otherwise.
        since: Timestamp,
    },
    /// Something waits for a person.
    Waiting {
        /// What to approve.
        digest: String,
        /// Why.
        reason: String,
        /// How many changes wait.
        changes: usize,
    },
    /// A rollout begins, goes on to another step, waits, stops or ends.
    Rollout {
        /// The assignment.
        assignment: String,
        /// What it does now.
        phase: Phase,
        /// At which step, from 1.
        step: usize,
        /// Of how many.
        of: usize,
        /// How many of its devices did what then.
        #[serde(default)]
        counts: Counts,
        /// Why it has stopped.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        why: Option<String>,
    },
    /// Something that an assignment requires has come to be ready.
    RequirementMet {
        /// The assignment.
        assignment: String,
        /// What it requires.
        what: String,
    },
    /// Something that an assignment requires is ready no more, or not known to be.
    RequirementUnmet {
        /// The assignment.
        assignment: String,
        /// What it requires.
        what: String,
        /// Why.
        why: String,
    },
    /// A person has attested what no service tells.
    Attested {
        /// The assignment that requires it.
        assignment: String,
        /// What is attested.
        text: String,
        /// The digest that was approved.
        digest: String,
        /// Who.
        approver: String,
    },
    /// A person said yes.
    Approved {
        /// To what.
        digest: String,
        /// Who.
        approver: String,
    },
    /// Nothing is written in this pass, and why.
    Stopped {
        /// Why, in words.
        why: String,
    },
}
