//! The types of objects in Intune that can be required, and where Microsoft Graph keeps them.
//!
//! Types and their bases are those of Graph's metadata (microsoftgraph/msgraph-metadata), of beta where
//! v1.0 does not have them; only those that concern Windows. Collections are named here and not
//! addressed: that is the client's affair.

/// A collection of Graph that has objects which are assigned to groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntuneCollection {
    /// `deviceManagement/deviceConfigurations`
    DeviceConfigurations,
    /// `deviceManagement/deviceCompliancePolicies`
    DeviceCompliancePolicies,
    /// `deviceManagement/compliancePolicies`
    CompliancePolicies,
    /// `deviceManagement/configurationPolicies`
    ConfigurationPolicies,
    /// `deviceManagement/groupPolicyConfigurations`
    GroupPolicyConfigurations,
    /// `deviceManagement/intents`
    Intents,
    /// `deviceManagement/deviceHealthScripts`
    DeviceHealthScripts,
    /// `deviceManagement/windowsFeatureUpdateProfiles`
    FeatureUpdateProfiles,
    /// `deviceManagement/windowsQualityUpdateProfiles`
    QualityUpdateProfiles,
    /// `deviceManagement/windowsQualityUpdatePolicies`
    QualityUpdatePolicies,
    /// `deviceManagement/windowsDriverUpdateProfiles`
    DriverUpdateProfiles,
    /// `deviceManagement/deviceEnrollmentConfigurations`
    EnrollmentConfigurations,
    /// `deviceManagement/windowsAutopilotDeploymentProfiles`
    AutopilotProfiles,
    /// `deviceManagement/intuneBrandingProfiles`
    BrandingProfiles,
    /// `deviceAppManagement/mobileApps`
    MobileApps,
}

/// A type of object that can be required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntuneType {
    /// Its name in Graph, without the namespace.
    pub name: &'static str,
    /// Where its objects are.
    pub collection: IntuneCollection,
    /// Whether the collection has objects of other types too, so that an answer must say that it is
    /// this one.
    pub is_derived: bool,
    /// Whether only the beta version of Graph has it.
    pub in_beta_only: bool,
}

impl IntuneType {
    /// Every type that is known, the general ones of a collection first.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        TYPES
    }

    /// The type of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TYPES.iter().find(|one| one.name == name)
    }
}

const fn any(name: &'static str, collection: IntuneCollection) -> IntuneType {
    IntuneType {
        name,
        collection,
        is_derived: false,
        in_beta_only: false,
    }
}

const fn derived(name: &'static str, collection: IntuneCollection) -> IntuneType {
    IntuneType {
        is_derived: true,
        ..any(name, collection)
    }
}

const fn beta(of: IntuneType) -> IntuneType {
    IntuneType {
        in_beta_only: true,
        ..of
    }
}

use IntuneCollection::{
    AutopilotProfiles, BrandingProfiles, CompliancePolicies, ConfigurationPolicies,
    DeviceCompliancePolicies, DeviceConfigurations, DeviceHealthScripts, DriverUpdateProfiles,
    EnrollmentConfigurations, FeatureUpdateProfiles, GroupPolicyConfigurations, Intents,
    MobileApps, QualityUpdatePolicies, QualityUpdateProfiles,
};

const TYPES: &[IntuneType] = &[
    any("deviceConfiguration", DeviceConfigurations),
    derived("editionUpgradeConfiguration", DeviceConfigurations),
    derived("sharedPCConfiguration", DeviceConfigurations),
    derived("windows10CustomConfiguration", DeviceConfigurations),
    derived(
        "windows10EndpointProtectionConfiguration",
        DeviceConfigurations,
    ),
    derived(
        "windows10EnterpriseModernAppManagementConfiguration",
        DeviceConfigurations,
    ),
    derived("windows10GeneralConfiguration", DeviceConfigurations),
    derived(
        "windows10SecureAssessmentConfiguration",
        DeviceConfigurations,
    ),
    derived(
        "windowsDefenderAdvancedThreatProtectionConfiguration",
        DeviceConfigurations,
    ),
    derived(
        "windowsUpdateForBusinessConfiguration",
        DeviceConfigurations,
    ),
    beta(derived(
        "windows10DeviceFirmwareConfigurationInterface",
        DeviceConfigurations,
    )),
    beta(derived(
        "windows10EasEmailProfileConfiguration",
        DeviceConfigurations,
    )),
    beta(derived(
        "windows10NetworkBoundaryConfiguration",
        DeviceConfigurations,
    )),
    beta(derived("windows10VpnConfiguration", DeviceConfigurations)),
    beta(derived(
        "windowsDeliveryOptimizationConfiguration",
        DeviceConfigurations,
    )),
    beta(derived(
        "windowsDomainJoinConfiguration",
        DeviceConfigurations,
    )),
    beta(derived(
        "windowsHealthMonitoringConfiguration",
        DeviceConfigurations,
    )),
    beta(derived(
        "windowsIdentityProtectionConfiguration",
        DeviceConfigurations,
    )),
    beta(derived("windowsKioskConfiguration", DeviceConfigurations)),
    beta(derived("windowsWifiConfiguration", DeviceConfigurations)),
    beta(derived(
        "windowsWifiEnterpriseEAPConfiguration",
        DeviceConfigurations,
    )),
    beta(derived(
        "windowsWiredNetworkConfiguration",
        DeviceConfigurations,
    )),
    any("deviceCompliancePolicy", DeviceCompliancePolicies),
    derived("windows10CompliancePolicy", DeviceCompliancePolicies),
    derived("windows81CompliancePolicy", DeviceCompliancePolicies),
    beta(any("deviceManagementCompliancePolicy", CompliancePolicies)),
    beta(any(
        "deviceManagementConfigurationPolicy",
        ConfigurationPolicies,
    )),
    beta(any("groupPolicyConfiguration", GroupPolicyConfigurations)),
    beta(any("deviceManagementIntent", Intents)),
    beta(any("deviceHealthScript", DeviceHealthScripts)),
    beta(any("windowsFeatureUpdateProfile", FeatureUpdateProfiles)),
    beta(any("windowsQualityUpdateProfile", QualityUpdateProfiles)),
    beta(any("windowsQualityUpdatePolicy", QualityUpdatePolicies)),
    beta(any("windowsDriverUpdateProfile", DriverUpdateProfiles)),
    any("deviceEnrollmentConfiguration", EnrollmentConfigurations),
    derived(
        "windows10EnrollmentCompletionPageConfiguration",
        EnrollmentConfigurations,
    ),
    beta(derived(
        "deviceComanagementAuthorityConfiguration",
        EnrollmentConfigurations,
    )),
    beta(any("windowsAutopilotDeploymentProfile", AutopilotProfiles)),
    beta(derived(
        "activeDirectoryWindowsAutopilotDeploymentProfile",
        AutopilotProfiles,
    )),
    beta(derived(
        "azureADWindowsAutopilotDeploymentProfile",
        AutopilotProfiles,
    )),
    beta(any("intuneBrandingProfile", BrandingProfiles)),
    any("mobileApp", MobileApps),
    derived("microsoftStoreForBusinessApp", MobileApps),
    derived("webApp", MobileApps),
    derived("win32LobApp", MobileApps),
    derived("windowsAppX", MobileApps),
    derived("windowsMicrosoftEdgeApp", MobileApps),
    derived("windowsMobileMSI", MobileApps),
    derived("windowsUniversalAppX", MobileApps),
    derived("windowsWebApp", MobileApps),
    beta(derived("officeSuiteApp", MobileApps)),
    beta(derived("winGetApp", MobileApps)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_each_collection_a_general_one() {
        let names: BTreeSet<&str> = TYPES.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), TYPES.len());
        let collections = |only: fn(&&IntuneType) -> bool| -> BTreeSet<IntuneCollection> {
            let types = TYPES.iter().filter(only);
            types.map(|one| one.collection).collect()
        };
        assert_eq!(collections(|_| true), collections(|one| !one.is_derived));
        assert_eq!(IntuneType::named("WindowsUpdate"), None);
        let ring = IntuneType::named("windowsUpdateForBusinessConfiguration").unwrap();
        assert!(ring.is_derived && !ring.in_beta_only);
    }
}
