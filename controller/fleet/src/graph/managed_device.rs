//! Intune's record of a device, and of one that could get there.

use diarchy_core::fact::Fact;
use diarchy_core::inventory::{ClientHealth, Compliance, JoinType, ReportedError};
use diarchy_core::workload::{Workload, WorkloadSet};
use jiff::Timestamp;

use crate::paging::Entity;
use crate::record::Record;

/// A `managedDevice` (Graph: managedDevice; the properties marked beta are unread on v1.0).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManagedDevice {
    /// Intune's id.
    pub id: Fact<String>,
    /// The Entra device id, in lower case; absent when all zero.
    pub entra_id: Fact<String>,
    /// Whether it reports an all-zero Entra device id.
    pub unregistered: bool,
    /// The computer name.
    pub name: Fact<String>,
    /// The manufacturer's serial number.
    pub serial_number: Fact<String>,
    /// Who made it.
    pub manufacturer: Fact<String>,
    /// What they call it.
    pub model: Fact<String>,
    /// `Windows` and so on.
    pub operating_system: Fact<String>,
    /// Dotted numbers.
    pub os_version: Fact<String>,
    /// Whose it is: Company or Personal.
    pub ownership: Fact<&'static str>,
    /// The device category.
    pub category: Fact<String>,
    /// The primary user's id in Entra.
    pub user_id: Fact<String>,
    /// The primary user's principal name.
    pub user: Fact<String>,
    /// When it enrolled.
    pub enrolled_at: Fact<Timestamp>,
    /// When it last talked to Intune.
    pub last_sync: Fact<Timestamp>,
    /// What its compliance was last judged to be.
    pub compliance: Fact<Compliance>,
    /// What went wrong when it was to be judged.
    pub error: Fact<ReportedError>,
    /// Whether Intune manages it as an MDM; false for a record that only Configuration Manager's
    /// client or Defender keeps there.
    pub enrolled: Fact<bool>,
    /// Whether it has Configuration Manager's client, as Intune sees it.
    pub has_client: Fact<bool>,
    /// How it is joined (beta).
    pub join_type: Fact<JoinType>,
    /// The shape of its case (beta).
    pub chassis: Fact<&'static str>,
    /// Enterprise, Professional and so on (beta).
    pub sku_family: Fact<String>,
    /// How its Configuration Manager client does (beta).
    pub client_health: Fact<ClientHealth>,
    /// When its Configuration Manager client last synchronised (beta).
    pub client_last_sync: Fact<Timestamp>,
    /// Its Configuration Manager client's id, in lower case without `GUID:` (beta).
    pub client_id: Fact<String>,
    /// Its Configuration Manager client's version (beta).
    pub client_version: Fact<String>,
    /// The workloads that the device reports at Intune.
    pub observed: Fact<WorkloadSet>,
    /// The workloads it says nothing about; two of them are in beta only.
    pub observed_unread: WorkloadSet,
}

const SELECT: &str = "id,deviceName,azureADDeviceId,serialNumber,manufacturer,model,\
operatingSystem,osVersion,managementAgent,managedDeviceOwnerType,deviceCategoryDisplayName,userId,\
userPrincipalName,enrolledDateTime,lastSyncDateTime,complianceState,\
configurationManagerClientEnabledFeatures";
const SELECT_BETA: &str = ",joinType,chassisType,skuFamily,configurationManagerClientHealthState,\
configurationManagerClientInformation";

/// Whether a management agent includes an MDM, and whether it includes Configuration Manager's client
/// (Graph: managementAgentType). `configurationManagerClient` alone is a record uploaded by tenant
/// attach. `unknown` and members of the future are not understood: neither yes nor no.
const AGENTS: &[(&str, (bool, bool))] = &[
    ("eas", (false, false)),
    ("mdm", (true, false)),
    ("easMdm", (true, false)),
    ("intuneClient", (true, false)),
    ("easIntuneClient", (true, false)),
    ("configurationManagerClient", (false, true)),
    ("configurationManagerClientMdm", (true, true)),
    ("configurationManagerClientMdmEas", (true, true)),
    ("jamf", (false, false)),
    ("googleCloudDevicePolicyController", (true, false)),
    ("microsoft365ManagedMdm", (true, false)),
    ("msSense", (false, false)),
    ("intuneAosp", (true, false)),
    ("google", (false, false)),
];

const OWNERS: &[(&str, Option<&str>)] = &[
    ("company", Some("Company")),
    ("personal", Some("Personal")),
    ("unknown", None),
    ("unknownFutureValue", None),
];

/// What a compliance state says of a device, and which error it reports (Graph: complianceState).
const COMPLIANCE: &[(&str, (Compliance, Option<ReportedError>))] = &[
    ("unknown", (Compliance::Unknown, None)),
    ("compliant", (Compliance::Compliant, None)),
    ("noncompliant", (Compliance::NonCompliant, None)),
    // Policies contradict each other, or could not be evaluated: nobody has judged it.
    (
        "conflict",
        (Compliance::Unknown, Some(ReportedError::ComplianceConflict)),
    ),
    (
        "error",
        (Compliance::Unknown, Some(ReportedError::ComplianceError)),
    ),
    ("inGracePeriod", (Compliance::InGracePeriod, None)),
    ("configManager", (Compliance::ConfigurationManager, None)),
];

const JOINS: &[(&str, Option<JoinType>)] = &[
    ("unknown", None),
    ("azureADJoined", Some(JoinType::EntraJoined)),
    ("azureADRegistered", Some(JoinType::Registered)),
    ("hybridAzureADJoined", Some(JoinType::HybridJoined)),
];

const CHASSIS: &[(&str, Option<&str>)] = &[
    ("unknown", None),
    ("desktop", Some("Desktop")),
    ("laptop", Some("Laptop")),
    ("worksWorkstation", Some("Workstation")),
    ("enterpriseServer", Some("Server")),
    ("phone", Some("Phone")),
    ("tablet", Some("Tablet")),
    ("mobileOther", None),
    ("mobileUnknown", None),
];

const HEALTH: &[(&str, ClientHealth)] = &[
    ("unknown", ClientHealth::Unknown),
    // Installed, and not yet heard to be well.
    ("installed", ClientHealth::Unknown),
    ("healthy", ClientHealth::Healthy),
    ("installFailed", ClientHealth::Unhealthy),
    ("updateFailed", ClientHealth::Unhealthy),
    ("communicationError", ClientHealth::Unhealthy),
];

/// The property of `configurationManagerClientEnabledFeatures` for each workload.
const FEATURES: [(Workload, &str); 7] = [
    (Workload::CompliancePolicies, "compliancePolicy"),
    (Workload::ResourceAccess, "resourceAccess"),
    (Workload::DeviceConfiguration, "deviceConfiguration"),
    (Workload::WindowsUpdatePolicies, "windowsUpdateForBusiness"),
    (Workload::EndpointProtection, "endpointProtection"),
    (Workload::ClientApps, "modernApps"),
    (Workload::OfficeClickToRun, "officeApps"),
];

impl ManagedDevice {
    /// The properties to ask for.
    pub(crate) fn select(beta: bool) -> String {
        format!("{SELECT}{}", if beta { SELECT_BETA } else { "" })
    }
}

impl Entity for ManagedDevice {
    const NAME: &'static str = "managedDevice";

    fn read(record: &mut Record) -> Self {
        let agent = record.word("managementAgent", AGENTS);
        let judged = record.word("complianceState", COMPLIANCE);
        let mut device = Self {
            id: record.text_or_number("id"),
            unregistered: record.is_zero_guid("azureADDeviceId"),
            entra_id: record.guid("azureADDeviceId"),
            name: record.text("deviceName"),
            serial_number: record.text("serialNumber"),
            manufacturer: record.text("manufacturer"),
            model: record.text("model"),
            operating_system: record.text("operatingSystem"),
            os_version: record.text("osVersion"),
            ownership: settled(record.word("managedDeviceOwnerType", OWNERS)),
            category: record.text("deviceCategoryDisplayName"),
            user_id: record.text("userId").map(|id| id.to_ascii_lowercase()),
            user: record.text("userPrincipalName"),
            enrolled_at: record.time("enrolledDateTime"),
            last_sync: record.time("lastSyncDateTime"),
            compliance: judged.map(|(compliance, _)| compliance),
            error: settled(judged.map(|(_, error)| error)),
            enrolled: agent.map(|(mdm, _)| mdm),
            has_client: agent.map(|(_, client)| client),
            join_type: settled(record.word("joinType", JOINS)),
            chassis: settled(record.word("chassisType", CHASSIS)),
            sku_family: record.text("skuFamily"),
            ..Self::default()
        };
        device.read_client(record);
        (device.observed, device.observed_unread) = features(record);
        device
    }

    fn key(&self) -> Option<String> {
        self.id.as_ref().known().cloned()
    }
}

impl ManagedDevice {
    fn read_client(&mut self, record: &mut Record) {
        const STATE: &str = "configurationManagerClientHealthState";
        const INFORMATION: &str = "configurationManagerClientInformation";
        match record.object(STATE) {
            Fact::Known(mut state) => {
                self.client_health = state.word("state", HEALTH);
                self.client_last_sync = state.time("lastSyncDateTime");
                record.absorb(STATE, state);
            }
            Fact::Absent => {
                self.client_health = Fact::Absent;
                self.client_last_sync = Fact::Absent;
            }
            Fact::Unread => {}
        }
        match record.object(INFORMATION) {
            Fact::Known(mut information) => {
                self.client_id = information.guid("clientIdentifier");
                self.client_version = information.text("clientVersion");
                record.absorb(INFORMATION, information);
            }
            Fact::Absent => {
                self.client_id = Fact::Absent;
                self.client_version = Fact::Absent;
            }
            Fact::Unread => {}
        }
    }
}

/// A word that says that nothing is known is no value.
fn settled<T>(fact: Fact<Option<T>>) -> Fact<T> {
    match fact {
        Fact::Known(value) => Fact::read(value),
        Fact::Absent => Fact::Absent,
        Fact::Unread => Fact::Unread,
    }
}

fn features(record: &mut Record) -> (Fact<WorkloadSet>, WorkloadSet) {
    const NAME: &str = "configurationManagerClientEnabledFeatures";
    match record.object(NAME) {
        Fact::Known(mut features) => {
            let (mut moved, mut unread) = (WorkloadSet::EMPTY, WorkloadSet::EMPTY);
            for (workload, name) in FEATURES {
                match features.flag(name) {
                    Fact::Known(true) => moved.insert(workload),
                    Fact::Known(false) => {}
                    Fact::Absent | Fact::Unread => unread.insert(workload),
                }
            }
            record.absorb(NAME, features);
            (Fact::Known(moved), unread)
        }
        // A device that reports nothing does not report that all is with Configuration Manager.
        Fact::Absent => (Fact::Absent, WorkloadSet::ALL),
        Fact::Unread => (Fact::Unread, WorkloadSet::ALL),
    }
}

/// Where a device stands on the way into co-management, as Intune sees it
/// (Graph: comanagementEligibleType).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Eligibility {
    /// It has arrived.
    CoManaged,
    /// It could.
    Eligible,
    /// It could once it is joined.
    NotJoined,
    /// It could once its Windows is newer.
    NeedsOsUpdate,
    /// It cannot.
    Ineligible,
    /// It is about to.
    Scheduled,
}

const ELIGIBILITY: &[(&str, Eligibility)] = &[
    ("comanaged", Eligibility::CoManaged),
    ("eligible", Eligibility::Eligible),
    ("eligibleButNotAzureAdJoined", Eligibility::NotJoined),
    ("needsOsUpdate", Eligibility::NeedsOsUpdate),
    ("ineligible", Eligibility::Ineligible),
    ("scheduledForEnrollment", Eligibility::Scheduled),
];

/// A `comanagementEligibleDevice` (Graph, beta).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EligibleDevice {
    /// Intune's id for it.
    pub id: Fact<String>,
    /// The computer name.
    pub name: Fact<String>,
    /// Where it stands.
    pub status: Fact<Eligibility>,
}

impl Entity for EligibleDevice {
    const NAME: &'static str = "comanagementEligibleDevice";

    fn read(record: &mut Record) -> Self {
        Self {
            id: record.text_or_number("id"),
            name: record.text("deviceName"),
            status: record.word("status", ELIGIBILITY),
        }
    }

    fn key(&self) -> Option<String> {
        self.id.as_ref().known().cloned()
    }
}
