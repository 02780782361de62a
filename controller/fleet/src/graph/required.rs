//! Objects of Intune that something requires: whether each is there, and whom it is assigned to.
//!
//! Nothing else of Intune's policies, profiles and apps is read: one request for each object and one for
//! its assignments. Versions and permissions are those of Graph's metadata and of its list of
//! permissions (microsoft-graph-devx-content: permissions.json), least privileged first.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::fact::Fact;
use diarchy_core::requirement::{Found, IntuneCollection, IntuneObject, IntuneType, Target};
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::{Map, Value};
use url::Url;

use super::{AT_ONCE, GraphClient};
use crate::address::endpoint_under;
use crate::error::{EstateError, Service};
use crate::http::Endpoint;
use crate::paging::Entity;
use crate::record::Record;

/// What Graph puts before the names of its types.
const NAMESPACE: &str = "microsoft.graph.";

/// One assignment of an object.
#[derive(Debug, Clone, PartialEq)]
struct Assigned {
    id: Fact<String>,
    /// Nothing where it cannot be told whom it is about.
    target: Option<Target>,
}

impl Entity for Assigned {
    const NAME: &'static str = "assignment";

    fn read(record: &mut Record) -> Self {
        let id = record.text("id");
        let intent = record.text("intent");
        Self {
            target: target(record, intent.as_ref().known().map(String::as_str)),
            id,
        }
    }

    fn key(&self) -> Option<String> {
        self.id.as_ref().known().cloned()
    }
}

/// Whom an assignment is about. One that takes the object away (`uninstall` of apps, `remove` of
/// profiles) gives it to nobody.
fn target(record: &mut Record, intent: Option<&str>) -> Option<Target> {
    let mut target = record.object("target").known()?;
    let of = type_name(&mut target)?;
    let takes_away = matches!(intent, Some("uninstall" | "remove"));
    Some(match of.as_str() {
        "exclusionGroupAssignmentTarget" => Target::ExcludedGroup(target.guid("groupId").known()?),
        _ if takes_away => Target::Other,
        "groupAssignmentTarget" => Target::Group(target.guid("groupId").known()?),
        "allDevicesAssignmentTarget" => Target::AllDevices,
        "allLicensedUsersAssignmentTarget" => Target::AllUsers,
        _ => Target::Other,
    })
}

/// The type that something says it is of, without the namespace.
fn type_name(record: &mut Record) -> Option<String> {
    let written = record.text("@odata.type").known()?;
    let name = written.trim_start_matches('#').strip_prefix(NAMESPACE)?;
    Some(name.to_owned())
}

impl GraphClient {
    /// What there is of each of `objects`.
    pub async fn required(
        &self,
        objects: &BTreeSet<IntuneObject>,
    ) -> BTreeMap<IntuneObject, Found> {
        // Boxed, since the compiler does not see that the futures of such a stream can be sent.
        let reads = objects.iter().cloned().map(|object| {
            let read = async move {
                let found = self.find(&object).await;
                (object, found)
            };
            read.boxed()
        });
        stream::iter(reads)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    /// What there is of one.
    pub async fn find(&self, object: &IntuneObject) -> Found {
        match self.look_at(object).await {
            Ok(found) => found,
            Err(EstateError::NotFound { .. }) => Found::Missing,
            Err(error @ EstateError::Forbidden { needs, .. }) => Found::Unread {
                why: error.to_string(),
                needs: Some(needs),
            },
            Err(error) => Found::Unread {
                why: format!("{}: {error}", error.code()),
                needs: None,
            },
        }
    }

    async fn look_at(&self, object: &IntuneObject) -> Result<Found, EstateError> {
        let [one, assignments] = endpoints(object.of.collection);
        let body = self.get(self.object_url(object, ""), one, &[]).await?;
        let unusable = |detail: &str| EstateError::unusable(Service::Graph, one.template, detail);
        let body: Map<String, Value> =
            serde_json::from_slice(&body).map_err(|_| unusable("an object that cannot be read"))?;
        let mut record = Record::new(body);
        if record.guid("id").known().as_deref() != Some(object.id.as_str()) {
            return Err(unusable("another object than was asked for"));
        }
        let url = self.object_url(object, "/assignments");
        let assigned = self.list::<Assigned>(url, assignments, &[]).await?;
        super::complete(&assigned, assignments)?;
        let targets = assigned.items.into_iter().map(|one| one.target);
        let targets = targets.collect::<Option<Vec<_>>>().ok_or_else(|| {
            let detail = "an assignment that does not tell its target";
            EstateError::unusable(Service::Graph, assignments.template, detail)
        })?;
        Ok(Found::There {
            of: type_name(&mut record),
            targets,
        })
    }

    fn object_url(&self, object: &IntuneObject, below: &str) -> Url {
        let IntuneObject { of, id } = object;
        let version = self.version_for(of);
        let path = format!("{version}/{}/{id}{below}", path(of.collection));
        endpoint_under(&self.base, &path)
    }

    /// A general type stands for all in its collection, of which v1.0 does not have each.
    const fn version_for(&self, of: &IntuneType) -> &'static str {
        match (of.in_beta_only, of.is_derived) {
            (true, _) => "beta",
            (false, true) => "v1.0",
            (false, false) => self.version(),
        }
    }
}

/// Where a collection is, and what reading one of it and its assignments takes.
macro_rules! collections {
    ($($collection:ident: $path:literal needs $permission:literal;)+) => {
        /// Where Graph keeps a collection, below the version.
        #[must_use]
        pub const fn path(collection: IntuneCollection) -> &'static str {
            match collection {
                $(IntuneCollection::$collection => $path,)+
            }
        }

        /// The calls that read one of the collection, and its assignments.
        const fn endpoints(collection: IntuneCollection) -> [Endpoint; 2] {
            match collection {
                $(IntuneCollection::$collection => [
                    Endpoint {
                        template: concat!("/", $path, "/{id}"),
                        needs: concat!("the application permission ", $permission),
                    },
                    Endpoint {
                        template: concat!("/", $path, "/{id}/assignments"),
                        needs: concat!("the application permission ", $permission),
                    },
                ],)+
            }
        }
    };
}

collections! {
    DeviceConfigurations: "deviceManagement/deviceConfigurations"
        needs "DeviceManagementConfiguration.Read.All";
    DeviceCompliancePolicies: "deviceManagement/deviceCompliancePolicies"
        needs "DeviceManagementConfiguration.Read.All";
    CompliancePolicies: "deviceManagement/compliancePolicies"
        needs "DeviceManagementConfiguration.Read.All";
    ConfigurationPolicies: "deviceManagement/configurationPolicies"
        needs "DeviceManagementConfiguration.Read.All";
    GroupPolicyConfigurations: "deviceManagement/groupPolicyConfigurations"
        needs "DeviceManagementConfiguration.Read.All";
    Intents: "deviceManagement/intents" needs "DeviceManagementConfiguration.Read.All";
    DeviceHealthScripts: "deviceManagement/deviceHealthScripts"
        needs "DeviceManagementConfiguration.Read.All";
    FeatureUpdateProfiles: "deviceManagement/windowsFeatureUpdateProfiles"
        needs "DeviceManagementConfiguration.Read.All";
    QualityUpdateProfiles: "deviceManagement/windowsQualityUpdateProfiles"
        needs "DeviceManagementConfiguration.Read.All";
    QualityUpdatePolicies: "deviceManagement/windowsQualityUpdatePolicies"
        needs "DeviceManagementConfiguration.Read.All";
    DriverUpdateProfiles: "deviceManagement/windowsDriverUpdateProfiles"
        needs "DeviceManagementConfiguration.Read.All";
    EnrollmentConfigurations: "deviceManagement/deviceEnrollmentConfigurations"
        needs "DeviceManagementServiceConfig.Read.All";
    AutopilotProfiles: "deviceManagement/windowsAutopilotDeploymentProfiles"
        needs "DeviceManagementServiceConfig.Read.All";
    BrandingProfiles: "deviceManagement/intuneBrandingProfiles" needs "DeviceManagementApps.Read.All";
    MobileApps: "deviceAppManagement/mobileApps" needs "DeviceManagementApps.Read.All";
}
