//! `Fleet`: one Configuration Manager hierarchy and one Intune tenant.

use diarchy_core::desired::Mode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::guardrails::GuardrailsSpec;
use crate::per_workload::PerWorkload;
use crate::reference::LocalRef;
use crate::status::ObservedSlider;
use crate::text::{DurationText, Endpoint, Guid, SiteCode};

/// What Diarchy shall do with an estate, and how it reaches it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "diarchy.dev",
    version = "v1alpha1",
    kind = "Fleet",
    doc = "One Configuration Manager hierarchy plus one Intune tenant, and the devices that either knows.",
    namespaced,
    status = "FleetStatus",
    derive = "PartialEq",
    shortname = "fl",
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
        json_path = ".status.devices.total",
        name = "Devices",
        type_ = "integer"
    ),
    printcolumn(
        json_path = ".status.devices.coManaged",
        name = "Co-managed",
        type_ = "integer"
    ),
    printcolumn(
        json_path = ".status.waitingPlan.changes",
        name = "Waiting",
        type_ = "integer"
    ),
    printcolumn(
        json_path = ".metadata.creationTimestamp",
        name = "Age",
        type_ = "date"
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetSpec {
    /// The kill switch: while true nothing is written to this estate. Default false.
    #[serde(default)]
    pub suspend: bool,
    /// `Enforce` acts; `Observe` writes nothing and reports what it would do. Default `Enforce`.
    #[serde(default)]
    pub mode: Mode,
    /// The Configuration Manager side.
    pub configuration_manager: ConfigurationManagerSpec,
    /// The Intune side.
    pub intune: IntuneSpec,
    /// What must be set as the tenant's MDM authority before anything may enrol; reported when it
    /// is something else. Default `Intune`.
    #[serde(default)]
    pub mdm_authority: MdmAuthority,
    /// How the two inventories are read.
    #[serde(default)]
    pub inventory: InventorySpec,
    /// Whether clients are asked to poll their policy after a change. Default `Never`.
    #[serde(default)]
    pub notify_clients: NotifyClients,
    /// Limits on what may change without a person's yes.
    #[serde(default)]
    pub guardrails: GuardrailsSpec,
}

/// How a Configuration Manager site is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigurationManagerSpec {
    /// The AdminService of each SMS Provider of the top site, tried in order, or the address of the
    /// cloud management gateway: `https://cm01.contoso.com/AdminService`. At least one. Only https,
    /// but for a loopback host.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub admin_service: Vec<Endpoint>,
    /// The top site's code, 3 letters or digits: `PS1`.
    pub site_code: SiteCode,
    /// A Secret whose `ca.crt` signs the site's certificate. Default: the well-known roots.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub ca_bundle_ref: Option<LocalRef>,
    /// A Secret with `username` and `password`, or with `token`.
    pub credentials_ref: LocalRef,
}

/// How an Intune tenant is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IntuneSpec {
    /// The Entra tenant's id, a GUID.
    pub tenant_id: Guid,
    /// Where Microsoft Graph is. In a cluster one of the controller's `--allowed-endpoints`. Only
    /// https, but for a loopback host. Default `https://graph.microsoft.com`.
    #[serde(default = "graph_endpoint")]
    pub endpoint: Endpoint,
    /// Who issues tokens. Only https, but for a loopback host. Default
    /// `https://login.microsoftonline.com`.
    #[serde(default = "login_authority")]
    pub authority: Endpoint,
    /// A Secret with `clientId` and `clientSecret`, or with `clientId`, `tls.crt` and `tls.key`.
    /// Default: workload identity, by a token for `serviceAccountName`.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub credentials_ref: Option<LocalRef>,
    /// The service account of this namespace that workload identity uses. Default empty: that of
    /// the namespace, `default`.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::service_account")]
    pub service_account_name: String,
    /// Whether beta endpoints of Microsoft Graph may be used. Without them two workloads cannot be
    /// observed and count as moved when assigned. Default true.
    #[serde(default = "yes")]
    pub beta: bool,
}

/// What a tenant's MDM authority must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum MdmAuthority {
    /// Microsoft Intune, which co-management needs.
    #[default]
    Intune,
}

/// How inventories are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InventorySpec {
    /// How long between two passes, above 0. Default `5m`.
    #[serde(default = "five_minutes")]
    #[x_kube(validation = Rule::new(crate::rules::POSITIVE_DURATION).message("a pass needs some time: write a duration above 0, like 5m"))]
    pub interval: DurationText,
    /// How old a device's last report may be before it counts as stale. Default `30d`.
    #[serde(default = "thirty_days")]
    pub stale_after: DurationText,
    /// How lately a device must have been heard of to count as online. Default `24h`.
    #[serde(default = "a_day")]
    pub online_within: DurationText,
}

impl Default for InventorySpec {
    fn default() -> Self {
        Self {
            interval: five_minutes(),
            stale_after: thirty_days(),
            online_within: a_day(),
        }
    }
}

/// Whether clients are asked to poll their policy after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum NotifyClients {
    /// They poll when they would anyhow, within the hour.
    #[default]
    Never,
    /// They are asked, spread over time.
    Paced,
}

fn graph_endpoint() -> Endpoint {
    "https://graph.microsoft.com".into()
}

fn login_authority() -> Endpoint {
    "https://login.microsoftonline.com".into()
}

const fn yes() -> bool {
    true
}

fn five_minutes() -> DurationText {
    "5m".into()
}

fn thirty_days() -> DurationText {
    "30d".into()
}

fn a_day() -> DurationText {
    "24h".into()
}

/// What is known of a fleet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetStatus {
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
    pub devices: Option<FleetDevices>,
    /// How far enrolment has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<EnrollmentCounts>,
    /// The 20 most frequent errors of enrolment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub enrollment_errors: Vec<EnrollmentError>,
    /// Numbers of devices by workload.
    #[serde(default, skip_serializing_if = "PerWorkload::is_empty")]
    pub workloads: PerWorkload<WorkloadCounts>,
    /// A plan that a person must approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_plan: Option<WaitingPlan>,
    /// Up to 20 of the devices that somebody else has changed, and that are not back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub drift: Vec<DriftingDevice>,
    /// The tenant's MDM authority as read: `Intune`, `ConfigurationManager`, `Office365`, `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub mdm_authority: Option<String>,
    /// The site's version, such as `2503`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub site_version: Option<String>,
    /// The last inventory; rewritten when it turns stale or fresh, or hourly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_inventory: Option<LastInventory>,
}

/// Numbers of a fleet's devices. A device may count in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetDevices {
    /// All that either service knows.
    pub total: u32,
    /// With a client, and enrolled in Intune.
    pub co_managed: u32,
    /// Known to Configuration Manager only.
    pub configuration_manager_only: u32,
    /// Known to Intune only.
    pub intune_only: u32,
    /// Enrolled with somebody else's device management.
    pub third_party_mdm: u32,
    /// Enrolled in Intune first, so that they ignore the sliders.
    pub enrolled_first: u32,
    /// Records of one service that fit several of the other, or none for certain.
    pub unmatched: u32,
    /// Not heard of for longer than `inventory.staleAfter`.
    pub stale: u32,
}

/// How far enrolment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EnrollmentCounts {
    /// Devices that could be co-managed.
    pub eligible: u32,
    /// Told to enrol.
    pub scheduled: u32,
    /// Enrolling.
    pub initiated: u32,
    /// Enrolled.
    pub enrolled: u32,
    /// Failed.
    pub failed: u32,
}

/// One error of enrolment, and how many devices met it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EnrollmentError {
    /// The code as an unsigned number, such as 2149056536.
    pub code: i64,
    /// Its name, such as `MENROLL_E_USERLICENSE`; empty when it has none.
    #[schemars(length(max = 128))]
    pub name: String,
    /// How many devices met it.
    pub devices: u32,
}

/// Numbers of devices for one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadCounts {
    /// Where the slider stands, as far as the devices tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slider: Option<ObservedSlider>,
    /// Devices that shall be Intune's.
    pub desired: u32,
    /// Devices that the pilot collection has.
    pub assigned: u32,
    /// Devices that report to be Intune's.
    pub observed: u32,
    /// Assigned devices that are offline.
    pub offline: u32,
    /// Devices that neither join nor leave because something about them is not known.
    pub held: u32,
    /// Devices that something other than Diarchy put into the pilot collection.
    pub foreign: u32,
    /// Devices of owned collections whose assignment is gone.
    pub retained: u32,
    /// Devices that somebody else has changed, and that are not back.
    #[serde(skip_serializing_if = "is_none")]
    pub drifting: u32,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_none(devices: &u32) -> bool {
    *devices == 0
}

/// A device that somebody else has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftingDevice {
    /// Its name, or its id if it has none.
    #[schemars(length(max = 256))]
    pub device: String,
    /// The workload.
    #[schemars(length(max = 64))]
    pub workload: String,
    /// How: `TakenOut`, `PutIn`, `Rejoined` or `ReportsOtherwise`.
    #[schemars(length(max = 64))]
    pub kind: String,
    /// Who should have authority.
    #[schemars(length(max = 64))]
    pub wanted: String,
    /// When it was found.
    #[schemars(schema_with = "crate::schema::time")]
    pub since: Time,
}

/// A plan that a person must approve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingPlan {
    /// What an approval names.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// How many changes it has.
    #[serde(default)]
    pub changes: u32,
    /// How many of them hand a device back to Configuration Manager.
    #[serde(default)]
    pub leaving: u32,
    /// Why it waits, such as `MaxChangedDevices`.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Since when.
    #[schemars(schema_with = "crate::schema::time")]
    pub since: Time,
}

/// The last inventory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastInventory {
    /// When it was complete.
    #[schemars(schema_with = "crate::schema::time")]
    pub time: Time,
    /// How long it took, such as `41s`.
    #[schemars(length(max = 64))]
    pub duration: String,
    /// How many devices it had.
    #[serde(default)]
    pub devices: u32,
}
