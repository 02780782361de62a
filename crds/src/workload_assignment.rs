//! `WorkloadAssignment`: who has authority over a workload for a group of devices.

use diarchy_core::desired::{Mode, OnDelete};
use diarchy_core::rollout::Phase;
use diarchy_core::workload::{Authority, Workload};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::LocalRef;
use crate::requires::{RequiresSpec, UnmetRequirement};
use crate::rollout::RolloutSpec;
use crate::selector::AdmissionSelectorSpec;

/// Who shall have authority over a workload for a group of devices, and how it goes out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "diarchy.dev",
    version = "v1alpha1",
    kind = "WorkloadAssignment",
    doc = "Who shall have authority over a workload for a group of devices, and how it goes out.",
    namespaced,
    status = "WorkloadAssignmentStatus",
    derive = "PartialEq",
    shortname = "wa",
    category = "diarchy",
    printcolumn(
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        name = "Ready",
        type_ = "string"
    ),
    printcolumn(
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        name = "Status",
        type_ = "string"
    ),
    printcolumn(json_path = ".spec.workload", name = "Workload", type_ = "string"),
    printcolumn(json_path = ".spec.authority", name = "Authority", type_ = "string"),
    printcolumn(json_path = ".status.rollout.phase", name = "Phase", type_ = "string"),
    printcolumn(
        json_path = ".status.devices.desired",
        name = "Desired",
        type_ = "integer"
    ),
    printcolumn(
        json_path = ".status.devices.assigned",
        name = "Assigned",
        type_ = "integer"
    ),
    printcolumn(
        json_path = ".status.devices.observed",
        name = "Observed",
        type_ = "integer"
    ),
    printcolumn(
        json_path = ".status.devices.failed",
        name = "Failed",
        type_ = "integer",
        priority = 1
    ),
    printcolumn(
        json_path = ".metadata.creationTimestamp",
        name = "Age",
        type_ = "date"
    )
)]
#[x_kube(validation = Rule::new("!has(self.admitWhen) || self.authority == 'Intune'").message("`admitWhen` is only for authority `Intune`: leave it out"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadAssignmentSpec {
    /// The fleet whose devices are meant; immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("`fleetRef` cannot change: delete the assignment and make another"))]
    pub fleet_ref: LocalRef,
    /// The workload; immutable. Any but resource access, which is always Intune's.
    #[schemars(schema_with = "crate::schema::assignable_workload")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("`workload` cannot change: make another assignment for the other workload"))]
    pub workload: Workload,
    /// The group of devices.
    pub group_ref: LocalRef,
    /// Who shall have authority: `Intune`, or `ConfigurationManager` to carve a group out of a wider
    /// assignment.
    pub authority: Authority,
    /// Where several assignments have a device, the highest wins. Default 0.
    #[serde(default)]
    #[schemars(range(min = -2_147_483_648, max = 2_147_483_647))]
    pub priority: i64,
    /// `Enforce` acts; `Observe` neither asks nor takes back, and reports what it would do. Default
    /// `Enforce`.
    #[serde(default)]
    pub mode: Mode,
    /// While true the assignment is frozen: devices stay where it put them, and it writes nothing.
    /// Default false.
    #[serde(default)]
    pub suspend: bool,
    /// What must hold of a device when it would join, with authority `Intune` only; it never makes a
    /// device leave. Unknown is not yet. Default: nothing.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub admit_when: Option<AdmissionSelectorSpec>,
    /// What must be ready before anything moves, and stay so while anything does: who was moved stays.
    /// Default: nothing.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub requires: Vec<RequiresSpec>,
    /// How it goes out. Default: all at once, still under the guardrails.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub rollout: Option<RolloutSpec>,
    /// What happens to its devices when it is deleted: `Retain` leaves them where they are, `Revert`
    /// hands them back to Configuration Manager. Default `Retain`.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// What is known of an assignment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadAssignmentStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` and `Converged`; `Reconciling` and `Stalled` only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The last `diarchy.dev/requestedAt` that a pass has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile_at: Option<String>,
    /// Numbers of devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<AssignmentDevices>,
    /// What it requires that is not ready, or not known to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub requires: Vec<UnmetRequirement>,
    /// How far the rollout has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
    /// The digest of what was rolled back: of fleet, workload, group and its definition, authority,
    /// priority and rollout. It is not tried again until that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub rejected_spec: Option<String>,
    /// Some of the devices that failed; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub failures: Vec<DeviceFailure>,
    /// What devices wait for that are not where they shall be: of several things the first, in one
    /// order, with how many devices wait for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub waits: Vec<WaitingDevices>,
}

/// Numbers of an assignment's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AssignmentDevices {
    /// Devices of its group.
    pub selected: u32,
    /// Those that can be moved.
    pub eligible: u32,
    /// Those that the rollout has let in.
    pub admitted: u32,
    /// Those that shall be where it says.
    pub desired: u32,
    /// Those that the site's collections put there.
    pub assigned: u32,
    /// Those that report it themselves.
    pub observed: u32,
    /// Those assigned that are offline.
    pub offline: u32,
    /// Those assigned and online that have not reported yet.
    pub pending: u32,
    /// Those that took too long, do worse than before their move, or are reported with a new error.
    pub failed: u32,
    /// Those that neither join nor leave because something about them is not known.
    pub held: u32,
}

/// How far a rollout has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// The step, from 1.
    #[serde(default)]
    pub step: u32,
    /// How many steps there are, the implied last one included.
    #[serde(default)]
    pub of: u32,
    /// What it does there.
    pub phase: Phase,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub since: Option<Time>,
    /// Until when at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub until: Option<Time>,
    /// While the next step waits for a person: what to approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
}

/// What devices wait for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingDevices {
    /// What stands in their way, such as `NotAdmitted`.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// How many devices.
    pub devices: u32,
    /// The same in words.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// What gets on from there.
    #[schemars(length(max = 1024))]
    pub way_on: String,
}

/// A device that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceFailure {
    /// Its name, or its id if it has none.
    #[schemars(length(max = 256))]
    pub device: String,
    /// Why: `ProgressDeadlineExceeded`, `ClientUnhealthy`, `NotCompliant` or `ReportedError`.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub since: Option<Time>,
}
