//! The site's records of devices, one type for each class.

use diarchy_core::fact::Fact;
use diarchy_core::inventory::{ClientHealth, Mdm};
use jiff::Timestamp;

use crate::paging::Entity;
use crate::record::{Record, guid};

fn resource_key(resource: Fact<u32>) -> Option<String> {
    resource.known().map(|id| id.to_string())
}

/// A site of the hierarchy (memdocs: `SMS_Site`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SiteInfo {
    /// Its code.
    pub code: Fact<String>,
    /// Its version, such as `5.00.9135.1000`.
    pub version: Fact<String>,
}

impl Entity for SiteInfo {
    const NAME: &'static str = "SMS_Site";

    fn read(record: &mut Record) -> Self {
        Self {
            code: record.text("SiteCode"),
            version: record.text("Version"),
        }
    }

    fn key(&self) -> Option<String> {
        self.code.as_ref().known().cloned()
    }
}

/// The discovery record of a device (memdocs: `SMS_R_System`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct System {
    /// The site's number for it.
    pub resource_id: Fact<u32>,
    /// The computer name.
    pub name: Fact<String>,
    /// The client's id, in lower case without `GUID:`.
    pub client_id: Fact<String>,
    /// The Entra device id, where the site's build has it.
    pub entra_id: Fact<String>,
    /// Whether it carries an all-zero Entra device id.
    pub unregistered: bool,
    /// Whether the client is installed.
    pub client: Fact<bool>,
    /// The client's version.
    pub client_version: Fact<String>,
    /// Replaced by a newer record of the same machine.
    pub obsolete: Fact<bool>,
    /// Taken out of service.
    pub decommissioned: Fact<bool>,
    /// A placeholder for machines the site does not know.
    pub placeholder: Fact<bool>,
    /// The operating system, as discovery names it.
    pub operating_system: Fact<String>,
    /// The Active Directory site.
    pub ad_site: Fact<String>,
    /// Where it lies in Active Directory, if it was found there.
    pub distinguished_name: Fact<String>,
    /// The ConfigMgr sites it is assigned to.
    pub assigned_sites: Fact<Vec<String>>,
}

impl Entity for System {
    const NAME: &'static str = "SMS_R_System";

    fn read(record: &mut Record) -> Self {
        Self {
            resource_id: record.unsigned("ResourceID"),
            name: record.text("Name"),
            client_id: record.guid("SMSUniqueIdentifier"),
            unregistered: record.is_zero_guid("AADDeviceID"),
            entra_id: record.guid("AADDeviceID"),
            client: record.flag("Client"),
            client_version: record.text("ClientVersion"),
            obsolete: record.flag("Obsolete"),
            decommissioned: record.flag("Decommissioned"),
            placeholder: record.flag("Unknown"),
            operating_system: record.text("OperatingSystemNameandVersion"),
            ad_site: record.text("ADSiteName"),
            distinguished_name: record.text("DistinguishedName"),
            assigned_sites: record.texts("SMSAssignedSites"),
        }
    }

    fn key(&self) -> Option<String> {
        resource_key(self.resource_id)
    }
}

/// The console's row for a device (memdocs: `SMS_CombinedDeviceResources`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CombinedResource {
    /// The site's number for it.
    pub resource_id: Fact<u32>,
    /// The Entra device id, where the site's build has it.
    pub entra_id: Fact<String>,
    /// The serial number.
    pub serial_number: Fact<String>,
    /// The site it is assigned to.
    pub site_code: Fact<String>,
    /// Whose it is: Company or Personal.
    pub owner: Fact<&'static str>,
    /// The device category.
    pub category: Fact<String>,
    /// Whether the client has been active lately.
    pub active: Fact<bool>,
    /// How the client does.
    pub check: Fact<i64>,
    /// The full build, where the site's build of the class has it.
    pub os_build: Fact<String>,
    /// When the site last heard of it, in any way.
    pub last_contact: Fact<Timestamp>,
}

impl Entity for CombinedResource {
    const NAME: &'static str = "SMS_CombinedDeviceResources";

    fn read(record: &mut Record) -> Self {
        let contacts = [
            "LastActiveTime",
            "LastPolicyRequest",
            "LastStatusMessage",
            "LastDDR",
        ]
        .map(|name| record.time(name));
        Self {
            resource_id: record.unsigned("ResourceID"),
            entra_id: record.guid("AADDeviceID"),
            serial_number: record.text("SerialNumber"),
            site_code: record.text("SiteCode"),
            owner: owner(record),
            category: record.text("DeviceCategory"),
            active: record.flag("ClientActiveStatus"),
            check: record.number("ClientCheckPass"),
            os_build: record.text("DeviceOSBuild"),
            last_contact: latest(contacts),
        }
    }

    fn key(&self) -> Option<String> {
        resource_key(self.resource_id)
    }
}

/// 1 is the company's, 2 the user's.
fn owner(record: &mut Record) -> Fact<&'static str> {
    match record.number("DeviceOwner") {
        Fact::Known(1) => Fact::Known("Company"),
        Fact::Known(2) => Fact::Known("Personal"),
        Fact::Known(_) | Fact::Absent => Fact::Absent,
        Fact::Unread => Fact::Unread,
    }
}

/// The latest of several moments; unread only if none of them was read.
pub(crate) fn latest<const N: usize>(moments: [Fact<Timestamp>; N]) -> Fact<Timestamp> {
    let newest = moments.into_iter().filter_map(Fact::known).max();
    match newest {
        Some(time) => Fact::Known(time),
        None if moments.iter().all(Fact::is_unread) => Fact::Unread,
        None => Fact::Absent,
    }
}

impl CombinedResource {
    /// How its client does. 1 is a check passed, 2 one failed.
    #[must_use]
    pub fn client_health(&self) -> Fact<ClientHealth> {
        match (self.active, self.check) {
            (Fact::Unread, _) | (Fact::Known(true), Fact::Unread) => Fact::Unread,
            (Fact::Absent, _) => Fact::Absent,
            (Fact::Known(false), _) => Fact::Known(ClientHealth::Inactive),
            (Fact::Known(true), Fact::Known(1)) => Fact::Known(ClientHealth::Healthy),
            (Fact::Known(true), Fact::Known(2)) => Fact::Known(ClientHealth::Unhealthy),
            (Fact::Known(true), Fact::Known(_) | Fact::Absent) => {
                Fact::Known(ClientHealth::Unknown)
            }
        }
    }
}

/// What the client reported about co-management (memdocs: comanage/how-to-monitor.md).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComanagementState {
    /// The site's number for the device, if the row names it.
    pub resource_id: Fact<u32>,
    /// The client's id, if the row names the device by it.
    pub client_id: Fact<String>,
    /// Whether it is enrolled with an MDM.
    pub enrolled: Fact<bool>,
    /// With whose.
    pub authority: Fact<Mdm>,
    /// Whether the co-management policy has reached it.
    pub policy_present: Fact<bool>,
    /// Whether enrolment was begun (not documented; seen on the class's SQL twin).
    pub provisioned: Fact<bool>,
    /// Why enrolment failed, if it did (not documented, see above).
    pub error: Fact<u32>,
}

impl Entity for ComanagementState {
    const NAME: &'static str = "SMS_Client_ComanagementState";

    fn read(record: &mut Record) -> Self {
        let machine = record.text_or_number("MachineId");
        let machine_number = machine.as_ref().known().and_then(|id| id.parse().ok());
        let client_id = machine.as_ref().known().and_then(|id| guid(id));
        Self {
            resource_id: match (record.unsigned("ResourceID"), machine_number) {
                (Fact::Known(id), _) | (_, Some(id)) => Fact::Known(id),
                (unknown, None) => unknown,
            },
            client_id: client_id.unwrap_or_default(),
            enrolled: record.flag("MDMEnrolled"),
            authority: authority(record),
            policy_present: record.flag("ComgmtPolicyPresent"),
            provisioned: record.flag("MDMProvisioned"),
            error: enrollment_error(record),
        }
    }

    fn key(&self) -> Option<String> {
        resource_key(self.resource_id).or_else(|| self.client_id.as_ref().known().cloned())
    }
}

impl ComanagementState {
    /// Enrolled, and reached by the policy: the documented rule.
    #[must_use]
    pub fn co_managed(&self) -> Fact<bool> {
        match (self.enrolled, self.policy_present) {
            (Fact::Known(false), _) | (_, Fact::Known(false)) => Fact::Known(false),
            (Fact::Known(true), Fact::Known(true)) => Fact::Known(true),
            (Fact::Unread, _) | (_, Fact::Unread) => Fact::Unread,
            _ => Fact::Absent,
        }
    }
}

/// Anything that is not Intune is somebody else's MDM.
fn authority(record: &mut Record) -> Fact<Mdm> {
    record.text("Authority").map_or_absent(|name| {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "none" | "unknown" | "0" => None,
            _ if name.contains("intune") => Some(Mdm::Intune),
            _ => Some(Mdm::ThirdParty),
        }
    })
}

trait MapOrAbsent<T> {
    fn map_or_absent<U>(self, convert: impl FnOnce(T) -> Option<U>) -> Fact<U>;
}

impl<T> MapOrAbsent<T> for Fact<T> {
    fn map_or_absent<U>(self, convert: impl FnOnce(T) -> Option<U>) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::read(convert(value)),
            Self::Absent => Fact::Absent,
            Self::Unread => Fact::Unread,
        }
    }
}

/// The failure among two undocumented properties: an HRESULT has its highest bit set, also when it
/// is written as a negative number; anything else is progress.
fn enrollment_error(record: &mut Record) -> Fact<u32> {
    let names = ["EnrollmentErrorDetail", "EnrollmentStatusCode"];
    let codes = names.map(|name| {
        record.text_or_number(name).map_or_absent(|text| {
            let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                Some(digits) => i64::from_str_radix(digits, 16).ok()?,
                None => text.parse().ok()?,
            };
            let code = u32::try_from(number)
                .or_else(|_| i32::try_from(number).map(i32::cast_unsigned))
                .ok()?;
            (code & 0x8000_0000 != 0).then_some(code)
        })
    });
    match codes {
        [Fact::Known(code), _] | [_, Fact::Known(code)] => Fact::Known(code),
        [Fact::Unread, Fact::Unread] => Fact::Unread,
        _ => Fact::Absent,
    }
}

/// A device's case (hardware inventory: `SMS_G_System_SYSTEM_ENCLOSURE`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Enclosure {
    /// The site's number for the device.
    pub resource_id: Fact<u32>,
    /// The shape.
    pub chassis: Fact<&'static str>,
    /// Its serial number.
    pub serial_number: Fact<String>,
    pub(crate) group: Fact<i64>,
}

impl Entity for Enclosure {
    const NAME: &'static str = "SMS_G_System_SYSTEM_ENCLOSURE";

    fn read(record: &mut Record) -> Self {
        Self {
            resource_id: record.unsigned("ResourceID"),
            chassis: chassis(record),
            serial_number: record.text("SerialNumber"),
            group: record.number("GroupID"),
        }
    }

    /// A device may have several: a docking station is one too.
    fn key(&self) -> Option<String> {
        let resource = self.resource_id.known()?;
        let group = self.group.known()?;
        Some(format!("{resource}/{group}"))
    }
}

/// The shape by its number in the SMBIOS specification, of which there may be several, the first
/// being the device's own.
fn chassis(record: &mut Record) -> Fact<&'static str> {
    let numbers = match record.text_or_number("ChassisTypes") {
        Fact::Known(text) => text,
        Fact::Absent => return Fact::Absent,
        Fact::Unread => return Fact::Unread,
    };
    let first = numbers
        .split(|c: char| !c.is_ascii_digit())
        .find_map(|number| number.parse::<u32>().ok());
    Fact::read(first.and_then(|number| {
        Some(match number {
            3..=7 | 15 | 16 | 35 => "Desktop",
            13 => "AllInOne",
            8..=10 | 14 => "Laptop",
            11 => "Phone",
            30 => "Tablet",
            31 => "Convertible",
            32 => "Detachable",
            17 | 23 | 28 => "Server",
            _ => return None,
        })
    }))
}

/// Who made a device (hardware inventory: `SMS_G_System_COMPUTER_SYSTEM`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComputerSystem {
    /// The site's number for the device.
    pub resource_id: Fact<u32>,
    /// Who made it.
    pub manufacturer: Fact<String>,
    /// What they call it.
    pub model: Fact<String>,
}

impl Entity for ComputerSystem {
    const NAME: &'static str = "SMS_G_System_COMPUTER_SYSTEM";

    fn read(record: &mut Record) -> Self {
        Self {
            resource_id: record.unsigned("ResourceID"),
            manufacturer: record.text("Manufacturer"),
            model: record.text("Model"),
        }
    }

    fn key(&self) -> Option<String> {
        resource_key(self.resource_id)
    }
}

/// A device's Windows (hardware inventory: `SMS_G_System_OPERATING_SYSTEM`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OperatingSystem {
    /// The site's number for the device.
    pub resource_id: Fact<u32>,
    /// Such as `Microsoft Windows 11 Enterprise`.
    pub caption: Fact<String>,
    /// Such as `10.0.22631`.
    pub version: Fact<String>,
    /// 1 is a workstation, 2 a domain controller, 3 a server.
    pub product_type: Fact<i64>,
}

impl Entity for OperatingSystem {
    const NAME: &'static str = "SMS_G_System_OPERATING_SYSTEM";

    fn read(record: &mut Record) -> Self {
        Self {
            resource_id: record.unsigned("ResourceID"),
            caption: record.text("Caption"),
            version: record.text("Version"),
            product_type: record.number("ProductType"),
        }
    }

    fn key(&self) -> Option<String> {
        resource_key(self.resource_id)
    }
}

/// A device's firmware (hardware inventory: `SMS_G_System_PC_BIOS`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bios {
    /// The site's number for the device.
    pub resource_id: Fact<u32>,
    /// The manufacturer's serial number.
    pub serial_number: Fact<String>,
}

impl Entity for Bios {
    const NAME: &'static str = "SMS_G_System_PC_BIOS";

    fn read(record: &mut Record) -> Self {
        Self {
            resource_id: record.unsigned("ResourceID"),
            serial_number: record.text("SerialNumber"),
        }
    }

    fn key(&self) -> Option<String> {
        resource_key(self.resource_id)
    }
}
