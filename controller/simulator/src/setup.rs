//! What a person prepared at the site before anything connects, and how the world behaves.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use diarchy_clock::Clock;
use serde::{Deserialize, Serialize};

use crate::mishap::Mishap;
use crate::sign_in::SignIn;

/// A co-management workload, in the order of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Workload {
    CompliancePolicies,
    ResourceAccess,
    DeviceConfiguration,
    WindowsUpdatePolicies,
    EndpointProtection,
    ClientApps,
    OfficeClickToRun,
}

impl Workload {
    /// All seven.
    pub const ALL: [Self; 7] = [
        Self::CompliancePolicies,
        Self::ResourceAccess,
        Self::DeviceConfiguration,
        Self::WindowsUpdatePolicies,
        Self::EndpointProtection,
        Self::ClientApps,
        Self::OfficeClickToRun,
    ];

    /// Its bit in the client's capability flags; set means Intune.
    #[must_use]
    pub fn bit(self) -> u8 {
        match self {
            Self::CompliancePolicies => 2,
            Self::ResourceAccess => 4,
            Self::DeviceConfiguration => 8,
            Self::WindowsUpdatePolicies => 16,
            Self::EndpointProtection => 32,
            Self::ClientApps => 64,
            Self::OfficeClickToRun => 128,
        }
    }

    /// What the site calls it in the names of its pilot policies (`CoMgmtSettingsPilotCP`). Only CP
    /// and WUP are known from the field; the others follow their pattern.
    pub(crate) fn policy_suffix(self) -> &'static str {
        match self {
            Self::CompliancePolicies => "CP",
            Self::ResourceAccess => "RAP",
            Self::DeviceConfiguration => "DCP",
            Self::WindowsUpdatePolicies => "WUP",
            Self::EndpointProtection => "EP",
            Self::ClientApps => "CA",
            Self::OfficeClickToRun => "C2R",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// A name that is no workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a co-management workload")]
pub struct UnknownWorkload(pub String);

impl FromStr for Workload {
    type Err = UnknownWorkload;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|workload| workload.to_string() == name)
            .ok_or_else(|| UnknownWorkload(name.to_owned()))
    }
}

/// Where a workload stands in the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Slider {
    ConfigurationManager,
    /// Intune, for the members of the workload's pilot collection.
    PilotIntune,
    Intune,
}

/// A workload's slider, and the collection on its Staging tab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliderSetup {
    pub slider: Slider,
    pub pilot_collection: Option<String>,
}

/// Something in Intune that is assigned to people and devices: a policy, a profile, an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntuneObject {
    /// Where Graph keeps it: `deviceManagement/deviceConfigurations`.
    pub collection: String,
    pub id: String,
    pub name: String,
    /// The type that an answer names; none where the collection has only one.
    pub odata_type: Option<String>,
    /// Whether v1.0 of Graph does not have it.
    pub beta_only: bool,
    pub assignments: Vec<IntuneAssignment>,
}

/// An assignment of something in Intune.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntuneAssignment {
    pub target: IntuneTarget,
    /// `required`, `uninstall` and others, where the collection has such.
    pub intent: Option<String>,
}

/// Whom something in Intune is assigned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum IntuneTarget {
    /// An Entra group, by id.
    Group(String),
    ExcludedGroup(String),
    AllDevices,
    AllUsers,
}

impl From<IntuneTarget> for IntuneAssignment {
    fn from(target: IntuneTarget) -> Self {
        Self {
            target,
            intent: None,
        }
    }
}

/// What a person prepared at the site. Two worlds of the same setup are the same world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    pub seed: u64,
    /// Machines and phones; the services hold some more records than that (duplicates).
    pub devices: u32,
    /// The name in the marks `diarchy: <fleet>/<workload>`.
    pub fleet: String,
    /// Three letters or digits.
    pub site_code: String,
    pub tenant_id: String,
    /// Absent workloads stand at Configuration Manager; resource access is always Intune's.
    pub workloads: BTreeMap<Workload, SliderSetup>,
    pub enrollment_pilot_collection: Option<String>,
    /// Pilot collections exist but bear no mark, and every slider stands at Configuration Manager.
    pub unprepared: bool,
    /// Ids of Entra groups that exist, with some devices as (nested) members.
    pub entra_groups: Vec<String>,
    /// Ids of collections that exist, each with a query rule and members.
    pub collections: Vec<String>,
    /// What is in Intune, unless the site is unprepared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intune: Vec<IntuneObject>,
    /// What befalls devices after a move. A stored world keeps those that it began with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mishaps: Vec<Mishap>,
}

impl Setup {
    /// A site with nothing staged yet.
    #[must_use]
    pub fn new(seed: u64, devices: u32) -> Self {
        Self {
            seed,
            devices,
            fleet: "contoso".to_owned(),
            site_code: "PS1".to_owned(),
            tenant_id: "7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10".to_owned(),
            workloads: BTreeMap::new(),
            enrollment_pilot_collection: None,
            unprepared: false,
            entra_groups: Vec::new(),
            collections: Vec::new(),
            intune: Vec::new(),
            mishaps: Vec::new(),
        }
    }

    /// Stages `workload` at Pilot Intune with `collection`.
    #[must_use]
    pub fn with_pilot(mut self, workload: Workload, collection: &str) -> Self {
        self.workloads.insert(
            workload,
            SliderSetup {
                slider: Slider::PilotIntune,
                pilot_collection: Some(collection.to_owned()),
            },
        );
        self
    }

    /// Whether `other` describes the same devices and the same site, however it is prepared.
    #[must_use]
    pub fn is_same_site(&self, other: &Self) -> bool {
        let place = |setup: &Self| {
            (
                setup.seed,
                setup.devices,
                setup.fleet.clone(),
                setup.site_code.clone(),
                setup.tenant_id.clone(),
            )
        };
        place(self) == place(other)
    }

    /// Where `workload` stands when the world begins.
    pub(crate) fn slider(&self, workload: Workload) -> Slider {
        if workload == Workload::ResourceAccess {
            return Slider::Intune;
        }
        match self.workloads.get(&workload) {
            Some(setup) if !self.unprepared => setup.slider,
            _ => Slider::ConfigurationManager,
        }
    }

    /// The workloads that have a pilot collection, with its id.
    pub(crate) fn pilots(&self) -> impl Iterator<Item = (Workload, &str)> {
        self.workloads
            .iter()
            .filter_map(|(workload, setup)| Some((*workload, setup.pilot_collection.as_deref()?)))
    }

    /// The mark that a person writes into the Comment of a workload's pilot collection.
    pub(crate) fn mark(&self, workload: Workload) -> String {
        format!("diarchy: {}/{workload}", self.fleet)
    }

    /// The mark of the collection for automatic enrolment.
    pub(crate) fn enrollment_mark(&self) -> String {
        format!("diarchy: {}/Enrollment", self.fleet)
    }
}

/// Published throttling limits, on the world's own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Requests per window to Graph's device classes (managed and eligible devices).
    pub graph_devices: u32,
    pub graph_devices_writes: u32,
    /// Requests per window to Graph's other classes.
    pub graph_other: u32,
    pub graph_other_writes: u32,
    pub graph_window: Duration,
    pub graph_global: u32,
    pub graph_global_window: Duration,
    /// Requests per second and client address to the AdminService.
    pub admin_service: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            graph_devices: 2000,
            graph_devices_writes: 200,
            graph_other: 1000,
            graph_other_writes: 100,
            graph_window: Duration::from_secs(20),
            graph_global: 130_000,
            graph_global_window: Duration::from_secs(10),
            admin_service: 200,
        }
    }
}

/// A span of time from which each occasion draws its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Duration,
    pub to: Duration,
}

impl Span {
    /// From `from` to `to` seconds.
    #[must_use]
    pub fn seconds(from: u64, to: u64) -> Self {
        Self {
            from: Duration::from_secs(from),
            to: Duration::from_secs(to),
        }
    }
}

/// How long things take, on the world's own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency {
    /// From a request to refresh a collection until its members have changed.
    pub collection_evaluation: Span,
    /// How often collections with incremental updates look at themselves.
    pub incremental_evaluation: Duration,
    /// How often a client asks for policy, each at its own phase.
    pub policy_poll: Duration,
    /// From the poll until the client acts by the new policy.
    pub policy_evaluation: Span,
    /// From a switch until the MDM sync that the client starts because of it.
    pub switch_sync: Span,
    /// How often a client syncs with Intune otherwise, each at its own phase.
    pub sync_interval: Duration,
    /// From a switch until the site has the state message about it.
    pub state_message: Span,
    /// From coming back online until the client has polled.
    pub comeback: Span,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            collection_evaluation: Span::seconds(30, 120),
            incremental_evaluation: Duration::from_mins(5),
            policy_poll: Duration::from_hours(1),
            policy_evaluation: Span::seconds(60, 600),
            switch_sync: Span::seconds(60, 300),
            sync_interval: Duration::from_hours(8),
            state_message: Span::seconds(300, 900),
            comeback: Span::seconds(30, 300),
        }
    }
}

/// How `clientIdentifier` is written in Graph; the format is not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientIdentifier {
    /// `GUID:` and upper case, as the site writes it.
    Prefixed,
    Upper,
    Lower,
}

/// What a look-up by key answers on the wmi route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLookup {
    /// A `value` array of one element, as field clients see it.
    Array,
    Object,
}

/// How a method refuses a rule that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRule {
    /// A success status with a `ReturnValue` other than 0.
    ReturnValue,
    /// An error status with a body.
    ErrorBody,
}

/// Answers to what is not documented; a client must live with either.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent open question about the services"
)]
pub struct Behaviour {
    /// Whether the wmi route honours `$top`, `$skip`, `$select`, `$orderby` and `$count`.
    pub wmi_query_options: bool,
    /// Rows per page of the wmi route, with `@odata.nextLink`; none: all rows in one response.
    pub admin_page_size: Option<u32>,
    /// Whether a look-up of a collection returns `CollectionRules` at all.
    pub collection_rules: bool,
    /// Whether the site's records have `AADDeviceID` and `AADTenantID`.
    pub aad_device_id: bool,
    /// Whether `SMS_Client_ComanagementState` has the undocumented columns.
    pub comanagement_details: bool,
    pub client_identifier: ClientIdentifier,
    pub key_lookup: KeyLookup,
    /// 200 or 201.
    pub method_status: u16,
    pub bad_rule: BadRule,
    /// 429 or 503.
    pub admin_throttle_status: u16,
    /// Rows per page of Graph unless `$top` says otherwise; at most 999.
    pub graph_page_size: u32,
    /// Whether Graph answers an empty page with a nextLink once in a while.
    pub empty_pages: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            wmi_query_options: true,
            admin_page_size: None,
            collection_rules: true,
            aad_device_id: true,
            comanagement_details: true,
            client_identifier: ClientIdentifier::Prefixed,
            key_lookup: KeyLookup::Array,
            method_status: 201,
            bad_rule: BadRule::ReturnValue,
            admin_throttle_status: 429,
            graph_page_size: 250,
            empty_pages: true,
        }
    }
}

/// Everything [`crate::start`] needs.
#[derive(Debug, Clone)]
pub struct Options {
    pub setup: Setup,
    pub clock: Clock,
    pub limits: Limits,
    pub latency: Latency,
    pub behaviour: Behaviour,
    /// How the site lets callers in.
    pub sign_in: SignIn,
    /// Where the write log, the clock and the certificates are kept; none: in memory only.
    pub directory: Option<PathBuf>,
}

impl Options {
    /// Published limits, realistic delays, the likeliest behaviour, nothing kept.
    #[must_use]
    pub fn new(setup: Setup, clock: Clock) -> Self {
        Self {
            setup,
            clock,
            limits: Limits::default(),
            latency: Latency::default(),
            behaviour: Behaviour::default(),
            sign_in: SignIn::default(),
            directory: None,
        }
    }
}
