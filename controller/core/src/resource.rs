//! What resources are called.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The API group of every kind.
pub const GROUP: &str = "diarchy.dev";
/// The API version of every kind.
pub const VERSION: &str = "v1alpha1";

/// A kind of the API group [`GROUP`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One ConfigMgr hierarchy and one Intune tenant.
    Fleet,
    /// A selection of devices.
    DeviceGroup,
    /// Where a fleet's sliders stand.
    CoManagementPolicy,
    /// Who has authority over a workload for a group.
    WorkloadAssignment,
    /// A person's yes to a waiting plan.
    Approval,
    /// A repository delivered into a cluster.
    GitSource,
    /// A one-off action on devices.
    RemoteAction,
    /// Internal progress shards.
    FleetRecord,
    /// An update ring in Intune.
    UpdateRing,
    /// A feature update profile in Intune.
    FeatureUpdate,
    /// A compliance policy in Intune.
    CompliancePolicy,
    /// A Conditional Access policy in Entra.
    ConditionalAccessPolicy,
    /// An Autopilot deployment profile.
    AutopilotProfile,
    /// Autopilot into co-management.
    CoManagementSettings,
    /// Branding and apps of the Company Portal.
    CompanyPortal,
    /// What Endpoint analytics says of a group.
    EndpointAnalytics,
}

/// How far a kind has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Read from repositories and carried out.
    Served,
    /// Part of the API, not carried out yet.
    Planned,
    /// Made by people or by Diarchy, never read from a repository.
    NeverInGit,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::Fleet,
        Self::DeviceGroup,
        Self::CoManagementPolicy,
        Self::WorkloadAssignment,
        Self::Approval,
        Self::GitSource,
        Self::RemoteAction,
        Self::FleetRecord,
        Self::UpdateRing,
        Self::FeatureUpdate,
        Self::CompliancePolicy,
        Self::ConditionalAccessPolicy,
        Self::AutopilotProfile,
        Self::CoManagementSettings,
        Self::CompanyPortal,
        Self::EndpointAnalytics,
    ];

    /// Its name as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fleet => "Fleet",
            Self::DeviceGroup => "DeviceGroup",
            Self::CoManagementPolicy => "CoManagementPolicy",
            Self::WorkloadAssignment => "WorkloadAssignment",
            Self::Approval => "Approval",
            Self::GitSource => "GitSource",
            Self::RemoteAction => "RemoteAction",
            Self::FleetRecord => "FleetRecord",
            Self::UpdateRing => "UpdateRing",
            Self::FeatureUpdate => "FeatureUpdate",
            Self::CompliancePolicy => "CompliancePolicy",
            Self::ConditionalAccessPolicy => "ConditionalAccessPolicy",
            Self::AutopilotProfile => "AutopilotProfile",
            Self::CoManagementSettings => "CoManagementSettings",
            Self::CompanyPortal => "CompanyPortal",
            Self::EndpointAnalytics => "EndpointAnalytics",
        }
    }

    /// How far it has come.
    #[must_use]
    pub const fn stage(self) -> Stage {
        match self {
            Self::Fleet
            | Self::DeviceGroup
            | Self::CoManagementPolicy
            | Self::WorkloadAssignment
            | Self::GitSource => Stage::Served,
            Self::Approval | Self::FleetRecord => Stage::NeverInGit,
            Self::RemoteAction
            | Self::UpdateRing
            | Self::FeatureUpdate
            | Self::CompliancePolicy
            | Self::ConditionalAccessPolicy
            | Self::AutopilotProfile
            | Self::CoManagementSettings
            | Self::CompanyPortal
            | Self::EndpointAnalytics => Stage::Planned,
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A resource's namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The tenant.
    pub namespace: String,
    /// The name within it.
    pub name: String,
}

impl ObjectName {
    /// The name `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// How a plan names an assignment: `WorkloadAssignment/<namespace>/<name>`.
    #[must_use]
    pub fn as_assignment(&self) -> String {
        format!("{}/{self}", Kind::WorkloadAssignment)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A text that is no name of a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of a resource; write it as namespace/name")]
pub struct InvalidObjectName(pub String);

impl FromStr for ObjectName {
    type Err = InvalidObjectName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                Ok(Self::new(namespace, name))
            }
            _ => Err(InvalidObjectName(text.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for ObjectName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Serialize for ObjectName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
