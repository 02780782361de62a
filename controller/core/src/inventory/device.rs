//! One device as both services together know it: a line of an inventory file.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fact::Fact;
use crate::resource::{Kind, ObjectName};
use crate::workload::{Workload, WorkloadSet};

macro_rules! device {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)+) => {
        /// Everything read about one device; what could not be read is [`Fact::Unread`].
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
        #[serde(rename_all = "camelCase")]
        pub struct Device {
            /// Entra device id, else `cm:<ResourceID>` or `intune:<managedDevice id>`.
            pub id: String,
            /// The first id this device was ever known by, if another: what rollouts hash.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub first_id: Option<String>,
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Fact::is_unread")]
                pub $field: Fact<$type>,
            )+
            /// Pilot workloads whose collection could not be read, so that [`Device::assigned`]
            /// says nothing about them.
            #[serde(default, skip_serializing_if = "WorkloadSet::is_empty")]
            pub assigned_unread: WorkloadSet,
            /// Workloads that the device's report says nothing about.
            #[serde(default, skip_serializing_if = "WorkloadSet::is_empty")]
            pub observed_unread: WorkloadSet,
            /// Fields of somebody else's making, kept on re-export.
            #[serde(flatten)]
            pub other: BTreeMap<String, serde_json::Value>,
        }
    };
}

device! {
    /// Its computer name; not unique.
    name: String,
    /// The manufacturer's serial number.
    serial_number: String,
    /// Who made it.
    manufacturer: String,
    /// The model, as the manufacturer calls it.
    model: String,
    /// Laptop, Desktop, Convertible and so on.
    chassis: String,
    /// Dotted numbers, such as `10.0.22631.4317`.
    os_version: String,
    /// Whether it runs a server operating system.
    server: bool,
    /// Enterprise, Professional and so on.
    os_edition: String,
    /// Company or Personal.
    ownership: String,
    /// The primary user's country.
    country: String,
    /// The primary user's city.
    city: String,
    /// The primary user's department.
    department: String,
    /// The primary user's principal name.
    primary_user: String,
    /// Intune's device category.
    category: String,
    /// The ConfigMgr site it is assigned to.
    site_code: String,
    /// The Active Directory site.
    ad_site: String,
    /// The ConfigMgr client's version.
    client_version: String,
    /// The ConfigMgr client's own id, in lower case, which tells a machine from others.
    client_id: String,
    /// How it is joined.
    join_type: JoinType,
    /// How well its ConfigMgr client does.
    client_health: ClientHealth,
    /// What its compliance was last judged to be.
    compliance: Compliance,
    /// What Intune reports of it as gone wrong.
    reported_error: ReportedError,
    /// When it enrolled in Intune.
    enrolled_at: Timestamp,
    /// When it last talked to Intune.
    last_sync: Timestamp,
    /// The ConfigMgr collections it is a member of, by id; never a pilot or an owned one.
    config_mgr_collections: Vec<String>,
    /// The Entra groups it is a member of, by id.
    entra_groups: Vec<String>,
    /// Free attributes.
    labels: BTreeMap<String, Option<String>>,
    /// The site's record of it.
    configuration_manager: SiteRecord,
    /// Intune's record of it.
    intune: IntuneRecord,
    /// Whose device management it is enrolled with.
    mdm: Mdm,
    /// Whether it was enrolled in Intune first and ignores the sliders; inferred.
    enrolled_first: bool,
    /// Whether the co-management policy has reached it.
    co_management_policy_present: bool,
    /// Whether it was heard of lately.
    online: bool,
    /// Who holds it in each workload's pilot collection.
    assigned: BTreeMap<Workload, Vec<Holder>>,
    /// The workloads that the device itself reports at Intune.
    observed: WorkloadSet,
    /// Whether it is a member of the collection for automatic enrolment, where the policy has one
    /// that devices join.
    enrollment_pilot: bool,
}

/// The site's record of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct SiteRecord {
    /// The site's number for it, which changes when it is re-imaged.
    #[serde(default, skip_serializing_if = "Fact::is_unread")]
    pub resource_id: Fact<u32>,
    /// Whether the client is installed.
    #[serde(default, skip_serializing_if = "Fact::is_unread")]
    pub client: Fact<bool>,
}

/// Intune's record of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct IntuneRecord {
    /// Intune's id for it, which changes when it re-enrols.
    #[serde(default, skip_serializing_if = "Fact::is_unread")]
    pub id: Fact<String>,
    /// Whether it is enrolled.
    #[serde(default, skip_serializing_if = "Fact::is_unread")]
    pub enrolled: Fact<bool>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name {
            $($(#[$word_doc])* $word,)+
        }

        impl $name {
            /// Each of them.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// Its name as users write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$word => stringify!($word),)+ }
            }
        }
    };
}

words! {
    /// How a device is known to the directories.
    JoinType {
        /// Active Directory and Entra.
        HybridJoined,
        /// Entra only.
        EntraJoined,
        /// Active Directory only.
        DomainJoined,
        /// Registered with Entra by its user; does not count for co-management.
        Registered,
        /// Neither.
        None,
    }
}

words! {
    /// How well a ConfigMgr client does.
    ClientHealth {
        /// It checks in and passes its own checks.
        Healthy,
        /// It failed its checks.
        Unhealthy,
        /// It has not checked in for long.
        Inactive,
        /// The site cannot say.
        Unknown,
    }
}

words! {
    /// What a device's compliance was last judged to be.
    Compliance {
        /// It meets its policies.
        Compliant,
        /// It does not.
        NonCompliant,
        /// It does not, and has some days left.
        InGracePeriod,
        /// Configuration Manager judges it.
        ConfigurationManager,
        /// Nobody has judged it.
        Unknown,
    }
}

words! {
    /// What Intune reports of a device as gone wrong.
    ReportedError {
        /// Its compliance policies could not be evaluated.
        ComplianceError,
        /// Its compliance policies contradict each other.
        ComplianceConflict,
    }
}

words! {
    /// Whose device management a device is enrolled with.
    Mdm {
        /// Microsoft Intune.
        Intune,
        /// Somebody else's.
        ThirdParty,
    }
}

/// What makes a device a member of a workload's pilot collection.
///
/// As text: `WorkloadAssignment/<namespace>/<name>` for the collection that Diarchy owns for an
/// assignment, the same with `#retained` when that assignment was deleted and made anew since, and
/// `foreign` for anything else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// Something that Diarchy did not make, and never touches.
    Foreign,
    /// The owned collection of this assignment, which may be gone by now.
    Owned(ObjectName),
    /// The owned collection of an earlier assignment of this name.
    Retained(ObjectName),
}

const FOREIGN: &str = "foreign";
const RETAINED: &str = "#retained";

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str(FOREIGN),
            Self::Owned(name) => write!(f, "{}/{name}", Kind::WorkloadAssignment),
            Self::Retained(name) => write!(f, "{}/{name}{RETAINED}", Kind::WorkloadAssignment),
        }
    }
}

/// A text that names no holder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `foreign` nor `WorkloadAssignment/<namespace>/<name>`")]
pub struct InvalidHolder(pub String);

impl FromStr for Holder {
    type Err = InvalidHolder;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == FOREIGN {
            return Ok(Self::Foreign);
        }
        let invalid = || InvalidHolder(text.to_owned());
        let (reference, retained) = match text.strip_suffix(RETAINED) {
            Some(reference) => (reference, true),
            None => (text, false),
        };
        let mut parts = reference.split('/');
        let (Some(kind), Some(namespace), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid());
        };
        if kind != Kind::WorkloadAssignment.name() || namespace.is_empty() || name.is_empty() {
            return Err(invalid());
        }
        let name = ObjectName::new(namespace, name);
        Ok(if retained {
            Self::Retained(name)
        } else {
            Self::Owned(name)
        })
    }
}

impl Serialize for Holder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Holder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_unread_and_null_is_absent() {
        let device: Device =
            serde_json::from_str(r#"{"id":"d1","name":null,"country":"FR"}"#).unwrap();
        assert_eq!(device.name, Fact::Absent);
        assert_eq!(device.country, Fact::Known("FR".into()));
        assert_eq!(device.city, Fact::Unread);
    }

    #[test]
    fn what_was_read_is_written_again_with_fields_of_others() {
        let line = r#"{"id":"d1","name":null,"labels":{"ring":"early"},"intune":{"enrolled":true},"assigned":{"ClientApps":["foreign","WorkloadAssignment/contoso/apps#retained"]},"observed":["ClientApps"],"assetTag":"A-17"}"#;
        let device: Device = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&device).unwrap(), line);
    }

    #[test]
    fn a_holder_is_refused_unless_it_is_one() {
        for text in [
            "",
            "Foreign",
            "WorkloadAssignment/contoso",
            "WorkloadAssignment//x",
            "Fleet/a/b",
            "WorkloadAssignment/a/b/c",
        ] {
            assert!(text.parse::<Holder>().is_err(), "{text}");
        }
    }
}
