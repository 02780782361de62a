//! One value for each workload, as an object with a field for each.

use diarchy_core::workload::Workload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One value for each workload that has one.
///
/// A struct and not a map, so that the API server refuses a name that is no workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "PascalCase",
    deny_unknown_fields,
    bound(deserialize = "T: Deserialize<'de>")
)]
pub struct PerWorkload<T> {
    /// Compliance policies.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub compliance_policies: Option<T>,
    /// Resource access policies: read, so that it can be refused by its name, and no part of the
    /// schema.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(skip)]
    pub resource_access: Option<T>,
    /// Device configuration.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub device_configuration: Option<T>,
    /// Windows Update policies.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub windows_update_policies: Option<T>,
    /// Endpoint Protection.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub endpoint_protection: Option<T>,
    /// Client apps.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub client_apps: Option<T>,
    /// Office Click-to-Run apps.
    #[serde(
        default,
        deserialize_with = "crate::present::some",
        skip_serializing_if = "Option::is_none"
    )]
    pub office_click_to_run: Option<T>,
}

impl<T> Default for PerWorkload<T> {
    fn default() -> Self {
        Self {
            compliance_policies: None,
            resource_access: None,
            device_configuration: None,
            windows_update_policies: None,
            endpoint_protection: None,
            client_apps: None,
            office_click_to_run: None,
        }
    }
}

impl<T> PerWorkload<T> {
    /// The value for `workload`.
    pub const fn get(&self, workload: Workload) -> Option<&T> {
        match workload {
            Workload::CompliancePolicies => self.compliance_policies.as_ref(),
            Workload::ResourceAccess => self.resource_access.as_ref(),
            Workload::DeviceConfiguration => self.device_configuration.as_ref(),
            Workload::WindowsUpdatePolicies => self.windows_update_policies.as_ref(),
            Workload::EndpointProtection => self.endpoint_protection.as_ref(),
            Workload::ClientApps => self.client_apps.as_ref(),
            Workload::OfficeClickToRun => self.office_click_to_run.as_ref(),
        }
    }

    /// The place of the value for `workload`.
    pub const fn get_mut(&mut self, workload: Workload) -> &mut Option<T> {
        match workload {
            Workload::CompliancePolicies => &mut self.compliance_policies,
            Workload::ResourceAccess => &mut self.resource_access,
            Workload::DeviceConfiguration => &mut self.device_configuration,
            Workload::WindowsUpdatePolicies => &mut self.windows_update_policies,
            Workload::EndpointProtection => &mut self.endpoint_protection,
            Workload::ClientApps => &mut self.client_apps,
            Workload::OfficeClickToRun => &mut self.office_click_to_run,
        }
    }

    /// What there is, in the workloads' order.
    pub fn iter(&self) -> impl Iterator<Item = (Workload, &T)> {
        Workload::ALL
            .into_iter()
            .filter_map(|workload| Some((workload, self.get(workload)?)))
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl<T> FromIterator<(Workload, T)> for PerWorkload<T> {
    fn from_iter<I: IntoIterator<Item = (Workload, T)>>(values: I) -> Self {
        let mut all = Self::default();
        for (workload, value) in values {
            *all.get_mut(workload) = Some(value);
        }
        all
    }
}
