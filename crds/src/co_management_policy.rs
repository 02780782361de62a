//! `CoManagementPolicy`: where a fleet's sliders stand.

use diarchy_core::desired::AutomaticEnrollment;
use diarchy_core::inventory::JoinType;
use diarchy_core::workload::Slider;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::per_workload::PerWorkload;
use crate::reference::LocalRef;
use crate::status::ObservedSlider;
use crate::text::{CollectionId, VersionText};

/// Where a fleet's sliders stand, and what a device must have to be moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "diarchy.dev",
    version = "v1alpha1",
    kind = "CoManagementPolicy",
    plural = "comanagementpolicies",
    doc = "Where a fleet's co-management sliders stand, and what a device must have to be moved. One per fleet.",
    namespaced,
    status = "CoManagementPolicyStatus",
    derive = "PartialEq",
    shortname = "cmp",
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
    printcolumn(
        json_path = ".spec.enrollment.automatic",
        name = "Enrollment",
        type_ = "string"
    ),
    printcolumn(
        json_path = ".metadata.creationTimestamp",
        name = "Age",
        type_ = "date"
    )
)]
#[x_kube(
    validation = Rule::new(crate::rules::distinct_collections())
        .message("a collection stands in the policy twice: give each workload, and enrolment, a collection of its own"),
    validation = Rule::new(crate::rules::endpoint_protection_not_behind())
        .message("the EndpointProtection slider stands behind DeviceConfiguration's, which moves it too: write at least the same slider")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CoManagementPolicySpec {
    /// The fleet whose sliders these are; immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("`fleetRef` cannot change: delete the policy and make another"))]
    pub fleet_ref: LocalRef,
    /// How devices come to be enrolled in Intune. Absent: nothing is compared, and nobody joins.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub enrollment: Option<EnrollmentSpec>,
    /// What a device must have to be moved.
    #[serde(default)]
    pub prerequisites: PrerequisitesSpec,
    /// Where each workload's slider stands. Absent: not managed by Diarchy, nothing is written.
    #[serde(default)]
    pub workloads: PerWorkload<WorkloadSliderSpec>,
}

/// How devices come to be enrolled in Intune.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.automatic != 'Pilot' || !has(self.pilotGroupRef) || has(self.pilotCollection)").message("`pilotGroupRef` needs the collection that its devices join: write `pilotCollection`"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrollmentSpec {
    /// Automatic enrolment as set in the console: compared and reported. Default `None`.
    #[serde(default)]
    pub automatic: AutomaticEnrollment,
    /// With `Pilot`: the group whose devices join `pilotCollection`. They never leave it, since
    /// leaving does not unenrol.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub pilot_group_ref: Option<LocalRef>,
    /// With `Pilot`: the collection whose devices enrol, by its id.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub pilot_collection: Option<CollectionId>,
}

/// What a device must have to be moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrerequisitesSpec {
    /// The oldest Windows, at least Windows 10 1709. Default `10.0.16299`.
    #[serde(default = "oldest_windows")]
    #[x_kube(validation = Rule::new(crate::rules::not_older_than_co_management()).message("co-management needs Windows 10 1709: write 10.0.16299 or later"))]
    pub minimum_os_version: VersionText,
    /// The ways of being joined that count; at least one. Default `HybridJoined`, `EntraJoined`.
    #[serde(default = "join_types")]
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub join_types: Vec<JoinType>,
}

impl Default for PrerequisitesSpec {
    fn default() -> Self {
        Self {
            minimum_os_version: oldest_windows(),
            join_types: join_types(),
        }
    }
}

fn oldest_windows() -> VersionText {
    diarchy_core::desired::OLDEST_WINDOWS.into()
}

fn join_types() -> Vec<JoinType> {
    diarchy_core::desired::Prerequisites::default().join_types
}

/// Where one workload's slider stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.slider != 'PilotIntune' || has(self.pilotCollection)")
        .message("`PilotIntune` needs the collection on the Staging tab: write `pilotCollection`"),
    validation = Rule::new("self.slider == 'PilotIntune' || !has(self.pilotCollection)")
        .message("only `PilotIntune` has a `pilotCollection`: leave it out")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadSliderSpec {
    /// Its position.
    pub slider: Slider,
    /// The collection on the Staging tab, by its id, such as `PS100021`: needed with `PilotIntune`
    /// and refused otherwise. No other workload, nor enrolment, may have it too.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub pilot_collection: Option<CollectionId>,
}

/// What is known of a policy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoManagementPolicyStatus {
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
    /// The sliders, desired and observed.
    #[serde(default, skip_serializing_if = "PerWorkload::is_empty")]
    pub sliders: PerWorkload<SliderStatus>,
    /// Automatic enrolment, desired and observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<EnrollmentStatus>,
    /// What a person must do in the console, each with the number of devices that it would move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub manual_steps: Vec<String>,
}

/// One slider, desired and observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SliderStatus {
    /// Where it shall stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<Slider>,
    /// Where it stands, as far as the devices tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedSlider>,
    /// The state of its pilot collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<CollectionState>,
}

/// Automatic enrolment, desired and observed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EnrollmentStatus {
    /// How it shall be set in the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<AutomaticEnrollment>,
    /// How it is set, as far as the devices tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedEnrollment>,
    /// The state of its pilot collection, where devices join one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<CollectionState>,
    /// Devices of the pilot group that the collection has.
    pub members: u32,
    /// Devices of the pilot group that would join it.
    pub joining: u32,
    /// Devices of the pilot group that would join it, but for something.
    pub blocked: u32,
}

/// How automatic enrolment is set in the console, as far as the devices tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ObservedEnrollment {
    /// What the devices show agrees with the policy.
    AsDesired,
    /// More devices are about to enrol than the policy's setting would let.
    Contradicted,
    /// No device is about to enrol, which any setting may bring about.
    Unknown,
}

/// Whether a pilot collection may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CollectionState {
    /// It has Diarchy's mark, and is safe.
    Marked,
    /// It has no mark: nothing is written.
    NotMarked,
    /// It has the mark, but also something that makes writing to it unsafe.
    Unsafe,
    /// It could not be read.
    Unreadable,
}
