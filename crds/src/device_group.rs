//! `DeviceGroup`: a selection of devices.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::reference::LocalRef;
use crate::selector::GroupSelectorSpec;

/// Which devices a group has: the selector's devices or `devices` or members of `include`, and not
/// members of `exclude`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "diarchy.dev",
    version = "v1alpha1",
    kind = "DeviceGroup",
    doc = "A selection of a fleet's devices, by what is known of them, by name, or out of other groups.",
    namespaced,
    status = "DeviceGroupStatus",
    derive = "PartialEq",
    shortname = "dg",
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
    printcolumn(json_path = ".status.members", name = "Members", type_ = "integer"),
    printcolumn(json_path = ".status.unknown", name = "Unknown", type_ = "integer"),
    printcolumn(json_path = ".status.eligible", name = "Eligible", type_ = "integer"),
    printcolumn(
        json_path = ".metadata.creationTimestamp",
        name = "Age",
        type_ = "date"
    )
)]
#[x_kube(validation = Rule::new("has(self.selector) || size(self.devices) > 0 || size(self.include) > 0").message("a group without `selector`, `devices` and `include` has nobody: write at least one of them"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceGroupSpec {
    /// The fleet whose devices it selects; immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("`fleetRef` cannot change: delete the group and make another"))]
    pub fleet_ref: LocalRef,
    /// Which devices, by what is known of them. Default: none.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub selector: Option<GroupSelectorSpec>,
    /// Devices by name, serial number or id, without regard to case. One that fits several devices,
    /// or none, has nobody and is reported. Default none.
    #[serde(default)]
    #[schemars(
        length(max = 10_000),
        inner(length(min = 1, max = 256), regex(pattern = r"\S"))
    )]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub devices: Vec<String>,
    /// Groups of the same fleet whose members it has. Default none.
    #[serde(default)]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub include: Vec<LocalRef>,
    /// Groups of the same fleet whose members it does not have, whatever else says so. Default none.
    #[serde(default)]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub exclude: Vec<LocalRef>,
}

/// What is known of a group.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceGroupStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`; `Reconciling` and `Stalled` only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The last `diarchy.dev/requestedAt` that a pass has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile_at: Option<String>,
    /// How many devices it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
    /// How many devices it may or may not have, because something about them is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<u32>,
    /// How many of its devices can be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible: Option<u32>,
    /// Of the sorted ids of its devices: changes when, and only when, they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
    /// Some of its devices, by name; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub examples: Vec<String>,
}
