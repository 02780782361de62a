//! The directory: the tenant, its devices, users and groups.

use std::collections::BTreeMap;

use diarchy_core::fact::Fact;
use diarchy_core::inventory::JoinType;

use crate::paging::Entity;
use crate::record::Record;

/// Who manages mobile devices of a tenant (Graph: mdmAuthority).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MdmAuthority {
    /// Intune, which co-management needs.
    Intune,
    /// Configuration Manager's retired hybrid mode.
    ConfigurationManager,
    /// Basic Mobility and Security of Office 365.
    Office365,
    /// Not set.
    Unknown,
}

impl MdmAuthority {
    /// Its name as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intune => "Intune",
            Self::ConfigurationManager => "ConfigurationManager",
            Self::Office365 => "Office365",
            Self::Unknown => "Unknown",
        }
    }
}

const AUTHORITIES: &[(&str, MdmAuthority)] = &[
    ("unknown", MdmAuthority::Unknown),
    ("intune", MdmAuthority::Intune),
    ("sccm", MdmAuthority::ConfigurationManager),
    ("office365", MdmAuthority::Office365),
];

/// The tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: Fact<String>,
    /// The authority that is set.
    pub mdm_authority: Fact<MdmAuthority>,
}

impl Entity for Organization {
    const NAME: &'static str = "organization";

    fn read(record: &mut Record) -> Self {
        Self {
            id: record.text("id"),
            mdm_authority: record.word("mobileDeviceManagementAuthority", AUTHORITIES),
        }
    }

    fn key(&self) -> Option<String> {
        self.id.as_ref().known().cloned()
    }
}

/// A device in the directory. Its object id is what groups hold; its device id is what Intune and
/// Configuration Manager know it by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntraDevice {
    /// The object id, in lower case.
    pub object_id: Fact<String>,
    /// The device id, in lower case.
    pub device_id: Fact<String>,
    /// How it is joined.
    pub join_type: Fact<JoinType>,
    /// `extensionAttribute1` to `15` that have a value (beta).
    pub extension_attributes: Fact<BTreeMap<String, Option<String>>>,
}

/// The documented values of `trustType`, which is a plain text.
const TRUST_TYPES: &[(&str, JoinType)] = &[
    ("Workplace", JoinType::Registered),
    ("AzureAd", JoinType::EntraJoined),
    ("ServerAd", JoinType::HybridJoined),
];

impl EntraDevice {
    pub(crate) const fn select(beta: bool) -> &'static str {
        if beta {
            "id,deviceId,trustType,extensionAttributes"
        } else {
            "id,deviceId,trustType"
        }
    }
}

impl Entity for EntraDevice {
    const NAME: &'static str = "device";

    fn read(record: &mut Record) -> Self {
        Self {
            object_id: record.guid("id"),
            device_id: record.guid("deviceId"),
            join_type: record.word("trustType", TRUST_TYPES),
            extension_attributes: extension_attributes(record),
        }
    }

    fn key(&self) -> Option<String> {
        self.object_id.as_ref().known().cloned()
    }
}

fn extension_attributes(record: &mut Record) -> Fact<BTreeMap<String, Option<String>>> {
    const NAME: &str = "extensionAttributes";
    match record.object(NAME) {
        Fact::Known(mut attributes) => {
            let mut labels = BTreeMap::new();
            for number in 1..=15 {
                let name = format!("extensionAttribute{number}");
                match attributes.text(&name) {
                    Fact::Known(value) => {
                        labels.insert(name, Some(value));
                    }
                    Fact::Absent => {
                        labels.insert(name, None);
                    }
                    // One that was not served would look like one that does not exist.
                    Fact::Unread => return Fact::Unread,
                }
            }
            record.absorb(NAME, attributes);
            Fact::Known(labels)
        }
        Fact::Absent => Fact::Known(BTreeMap::new()),
        Fact::Unread => Fact::Unread,
    }
}

/// A user of the directory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct User {
    /// The object id, in lower case.
    pub id: Fact<String>,
    /// The principal name, as written.
    pub principal_name: Fact<String>,
    /// The country.
    pub country: Fact<String>,
    /// The city.
    pub city: Fact<String>,
    /// The department.
    pub department: Fact<String>,
}

impl User {
    pub(crate) const SELECT: &'static str = "id,userPrincipalName,country,city,department";
}

impl Entity for User {
    const NAME: &'static str = "user";

    fn read(record: &mut Record) -> Self {
        Self {
            id: record.guid("id"),
            principal_name: record.text("userPrincipalName"),
            country: record.text("country"),
            city: record.text("city"),
            department: record.text("department"),
        }
    }

    fn key(&self) -> Option<String> {
        self.id.as_ref().known().cloned()
    }
}

/// A group's id.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Group {
    pub id: Fact<String>,
}

impl Entity for Group {
    const NAME: &'static str = "group";

    fn read(record: &mut Record) -> Self {
        Self {
            id: record.guid("id"),
        }
    }

    fn key(&self) -> Option<String> {
        self.id.as_ref().known().cloned()
    }
}

/// A device in a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Member {
    /// The object id, in lower case.
    pub id: Fact<String>,
    /// The device id, in lower case.
    pub device_id: Fact<String>,
}

impl Entity for Member {
    const NAME: &'static str = "member";

    fn read(record: &mut Record) -> Self {
        Self {
            id: record.guid("id"),
            device_id: record.guid("deviceId"),
        }
    }

    fn key(&self) -> Option<String> {
        self.id
            .as_ref()
            .known()
            .or(self.device_id.as_ref().known())
            .cloned()
    }
}
