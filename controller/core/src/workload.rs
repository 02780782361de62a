//! Workloads, and who may have authority over them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the seven parts of a device's management that Configuration Manager can hand to Intune.
///
/// The order is the one in which every list, plan and status names them.
/// (memdocs: comanage/workloads.md)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Workload {
    /// Whether the device may reach company resources.
    CompliancePolicies,
    /// VPN, Wi-Fi, e-mail and certificate profiles; always Intune's on sites from 2203.
    ResourceAccess,
    /// Device configuration; moving it moves [`Workload::EndpointProtection`] too.
    DeviceConfiguration,
    /// Windows Update for Business.
    WindowsUpdatePolicies,
    /// Defender and its companions.
    EndpointProtection,
    /// Applications and scripts.
    ClientApps,
    /// Microsoft 365 Apps.
    OfficeClickToRun,
}

impl Workload {
    /// All of them, in their order.
    pub const ALL: [Self; 7] = [
        Self::CompliancePolicies,
        Self::ResourceAccess,
        Self::DeviceConfiguration,
        Self::WindowsUpdatePolicies,
        Self::EndpointProtection,
        Self::ClientApps,
        Self::OfficeClickToRun,
    ];

    /// Those that a policy or an assignment may name: all but [`Workload::ResourceAccess`], which
    /// no slider moves any more (memdocs: resource-access-deprecation-faq.yml).
    pub const ASSIGNABLE: [Self; 6] = [
        Self::CompliancePolicies,
        Self::DeviceConfiguration,
        Self::WindowsUpdatePolicies,
        Self::EndpointProtection,
        Self::ClientApps,
        Self::OfficeClickToRun,
    ];

    /// Its place in the order, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CompliancePolicies => "CompliancePolicies",
            Self::ResourceAccess => "ResourceAccess",
            Self::DeviceConfiguration => "DeviceConfiguration",
            Self::WindowsUpdatePolicies => "WindowsUpdatePolicies",
            Self::EndpointProtection => "EndpointProtection",
            Self::ClientApps => "ClientApps",
            Self::OfficeClickToRun => "OfficeClickToRun",
        }
    }

    /// Its name as the Configuration Manager console shows it.
    #[must_use]
    pub const fn console_name(self) -> &'static str {
        match self {
            Self::CompliancePolicies => "Compliance policies",
            Self::ResourceAccess => "Resource access policies",
            Self::DeviceConfiguration => "Device configuration",
            Self::WindowsUpdatePolicies => "Windows Update policies",
            Self::EndpointProtection => "Endpoint Protection",
            Self::ClientApps => "Client apps",
            Self::OfficeClickToRun => "Office Click-to-Run apps",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no workload; the workloads are {names}", names = Workload::ALL.map(Workload::name).join(", "))]
pub struct UnknownWorkload(pub String);

impl FromStr for Workload {
    type Err = UnknownWorkload;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|workload| workload.name() == text)
            .ok_or_else(|| UnknownWorkload(text.to_owned()))
    }
}

/// What a collection on the console's Staging tab is for: whose members enrol by themselves, or for
/// whose members a workload is Intune's (memdocs: comanage/how-to-switch-workloads.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Staged {
    /// Automatic enrolment.
    Enrollment,
    /// A workload.
    Workload(Workload),
}

impl Staged {
    const ENROLLMENT: &'static str = "Enrollment";

    /// Its name, as marks have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enrollment => Self::ENROLLMENT,
            Self::Workload(workload) => workload.name(),
        }
    }

    /// The workload, unless it is enrolment.
    #[must_use]
    pub const fn workload(self) -> Option<Workload> {
        match self {
            Self::Enrollment => None,
            Self::Workload(workload) => Some(workload),
        }
    }
}

impl From<Workload> for Staged {
    fn from(workload: Workload) -> Self {
        Self::Workload(workload)
    }
}

impl fmt::Display for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Staged {
    type Err = UnknownWorkload;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::ENROLLMENT {
            return Ok(Self::Enrollment);
        }
        text.parse().map(Self::Workload)
    }
}

/// Who manages a workload on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Authority {
    /// The Configuration Manager site.
    ConfigurationManager,
    /// Microsoft Intune.
    Intune,
}

impl Authority {
    /// Its name as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigurationManager => "ConfigurationManager",
            Self::Intune => "Intune",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::ConfigurationManager => Self::Intune,
            Self::Intune => Self::ConfigurationManager,
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a workload stands at the site, from the most to the least with Configuration Manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Slider {
    /// Configuration Manager keeps the workload on every device.
    ConfigurationManager,
    /// The members of the workload's pilot collection are Intune's.
    PilotIntune,
    /// Every co-managed Windows device is Intune's.
    Intune,
}

impl Slider {
    /// Its name as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigurationManager => "ConfigurationManager",
            Self::PilotIntune => "PilotIntune",
            Self::Intune => "Intune",
        }
    }
}

impl fmt::Display for Slider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of workloads, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct WorkloadSet(u8);

impl WorkloadSet {
    /// None of them.
    pub const EMPTY: Self = Self(0);
    /// All seven.
    pub const ALL: Self = Self(0b111_1111);

    /// Whether it has `workload`.
    #[must_use]
    pub const fn contains(self, workload: Workload) -> bool {
        self.0 & (1 << workload.index()) != 0
    }

    /// Adds `workload`.
    pub const fn insert(&mut self, workload: Workload) {
        self.0 |= 1 << workload.index();
    }

    /// Takes `workload` out.
    pub const fn remove(&mut self, workload: Workload) {
        self.0 &= !(1 << workload.index());
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// How many it has, 0 to 7.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.count_ones() as usize
    }

    /// What it has, in the workloads' order.
    pub fn iter(self) -> impl Iterator<Item = Workload> {
        Workload::ALL
            .into_iter()
            .filter(move |workload| self.contains(*workload))
    }
}

impl FromIterator<Workload> for WorkloadSet {
    fn from_iter<I: IntoIterator<Item = Workload>>(workloads: I) -> Self {
        let mut set = Self::EMPTY;
        workloads
            .into_iter()
            .for_each(|workload| set.insert(workload));
        set
    }
}

impl Serialize for WorkloadSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for WorkloadSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Workload>::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_what_they_name() {
        for workload in Workload::ALL {
            assert_eq!(workload.name().parse(), Ok(workload));
        }
        assert!("Compliance".parse::<Workload>().is_err());
    }

    #[test]
    fn a_set_lists_its_workloads_in_order() {
        let set = WorkloadSet::from_iter([Workload::ClientApps, Workload::CompliancePolicies]);
        assert_eq!(
            serde_json::to_string(&set).unwrap(),
            r#"["CompliancePolicies","ClientApps"]"#
        );
    }
}
