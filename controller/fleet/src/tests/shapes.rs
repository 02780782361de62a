//! Worst-case shapes of every answer: no panic, and no lost device.

use diarchy_core::fact::Fact;
use diarchy_core::inventory::{Compliance, ReportedError};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use url::Url;

use super::{empty_readings, joined};
use crate::error::{EstateError, Service};
use crate::graph::directory::{EntraDevice, Member, Organization, User};
use crate::graph::managed_device::{EligibleDevice, ManagedDevice};
use crate::paging::{Entity, Listing, Pages};
use crate::record::Record;
use crate::site::collection::{Collection, Deployment, Membership};
use crate::site::resources::{
    Bios, ComanagementState, CombinedResource, ComputerSystem, Enclosure, OperatingSystem,
    SiteInfo, System,
};

/// Properties that some class of either service has, nested ones included.
const PROPERTIES: &[&str] = &[
    "deviceName",
    "azureADDeviceId",
    "serialNumber",
    "manufacturer",
    "model",
    "operatingSystem",
    "osVersion",
    "managementAgent",
    "managedDeviceOwnerType",
    "deviceCategoryDisplayName",
    "userId",
    "userPrincipalName",
    "enrolledDateTime",
    "lastSyncDateTime",
    "complianceState",
    "joinType",
    "chassisType",
    "skuFamily",
    "configurationManagerClientEnabledFeatures",
    "configurationManagerClientHealthState",
    "configurationManagerClientInformation",
    "status",
    "mobileDeviceManagementAuthority",
    "deviceId",
    "trustType",
    "extensionAttributes",
    "country",
    "city",
    "department",
    "Name",
    "SMSUniqueIdentifier",
    "AADDeviceID",
    "Client",
    "ClientVersion",
    "Obsolete",
    "Decommissioned",
    "Unknown",
    "OperatingSystemNameandVersion",
    "ADSiteName",
    "DistinguishedName",
    "SMSAssignedSites",
    "SerialNumber",
    "SiteCode",
    "DeviceOwner",
    "DeviceCategory",
    "ClientActiveStatus",
    "ClientCheckPass",
    "DeviceOSBuild",
    "LastActiveTime",
    "LastPolicyRequest",
    "LastStatusMessage",
    "LastDDR",
    "MachineId",
    "MDMEnrolled",
    "Authority",
    "ComgmtPolicyPresent",
    "MDMProvisioned",
    "EnrollmentErrorDetail",
    "EnrollmentStatusCode",
    "ChassisTypes",
    "GroupID",
    "Manufacturer",
    "Model",
    "Caption",
    "Version",
    "ProductType",
    "CollectionID",
    "Comment",
    "CollectionType",
    "IsBuiltIn",
    "LimitToCollectionID",
    "IncludeExcludeCollectionsCount",
    "ServiceWindowsCount",
    "MemberCount",
    "LastRefreshTime",
    "LastChangeTime",
    "CollectionRules",
    "SoftwareName",
    "DeploymentID",
    "state",
    "clientIdentifier",
    "compliancePolicy",
    "officeApps",
    "extensionAttribute1",
    "somethingNew",
    "@odata.type",
    "@odata.etag",
];

/// Values that belong to some property, and so are wrong for most.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_i64..4).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "",
            " ",
            "Windows",
            "iOS",
            "unknownFutureValue",
            "configManager",
            "configurationManagerClientMdm",
            "00000000-0000-0000-0000-000000000000",
            "0a1b2c3d-0000-4000-8000-00000000000f",
            "GUID:0A1B2C3D-0000-4000-8000-00000000000F",
            "0001-01-01T00:00:00Z",
            "2026-11-23T11:00:00Z",
            "20261123110000.000000+000",
            "20261123110000.000000+99999999999",
            "9999-12-31T23:59:59.9999999Z",
            "PS100021",
            "0x80180018",
            "-2145910760",
            "hybridAzureADJoined",
            "10, 12",
            "{8}",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(PROPERTIES), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().map(named).collect())),
        ]
    })
}

fn named((name, value): (&str, Value)) -> (String, Value) {
    (name.to_owned(), value)
}

fn entity() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((prop::sample::select(PROPERTIES), value()), 0..30)
        .prop_map(|fields| fields.into_iter().map(named).collect())
}

/// Reads entities in either paging style.
fn read<T: Entity>(entities: &[Map<String, Value>], page: usize) -> Listing<T> {
    let first = Url::parse("https://service/list").unwrap();
    let mut pages = Pages::<T>::new(Service::Graph, "/list", &first);
    let chunks: Vec<_> = entities.chunks(page).collect();
    for (at, chunk) in chunks.iter().enumerate() {
        let mut body = json!({ "@odata.context": "x", "value": chunk });
        if at + 1 < chunks.len() {
            body["@odata.nextLink"] = json!(format!("https://service/list?skip={at}"));
        }
        let next = pages.take(body.to_string().as_bytes()).unwrap();
        assert_eq!(next.is_some(), at + 1 < chunks.len());
    }
    pages.listing
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_shape_of_any_class_panics_or_loses_an_entity(
        entities in prop::collection::vec(entity(), 1..8),
        page in 1_usize..8,
    ) {
        macro_rules! all {
            ($($class:ty),+) => { $({
                let listing = read::<$class>(&entities, page);
                let keyed: std::collections::BTreeSet<_> =
                    listing.items.iter().filter_map(Entity::key).collect();
                let unkeyed = listing.items.iter().filter(|item| item.key().is_none()).count();
                prop_assert_eq!(listing.items.len(), keyed.len() + unkeyed);
                prop_assert!(listing.items.len() <= entities.len());
                prop_assert!(!listing.items.is_empty());
            })+ };
        }
        all!(ManagedDevice, EligibleDevice, Organization, EntraDevice, User, Member, SiteInfo,
            System, CombinedResource, ComanagementState, Enclosure, ComputerSystem,
            OperatingSystem, Bios, Collection, Membership, Deployment);
    }

    #[test]
    fn no_device_is_lost_whatever_the_rest_of_it_looks_like(
        intune in prop::collection::vec(entity(), 0..6),
        site in prop::collection::vec(entity(), 0..6),
        page in 1_usize..8,
    ) {
        let numbered = |entities: Vec<Map<String, Value>>, key: &str| -> Vec<Map<String, Value>> {
            entities.into_iter().enumerate().map(|(at, mut entity)| {
                let id = if key == "id" { json!(format!("i{at}")) } else { json!(at) };
                entity.insert(key.to_owned(), id);
                entity
            }).collect()
        };
        let intune = numbered(intune, "id");
        let site = numbered(site, "ResourceID");
        let mut readings = empty_readings();
        readings.graph.managed_devices = Ok(read(&intune, page));
        readings.graph.devices = Ok(read(&intune, page));
        readings.site.systems = Ok(read(&site, page));
        readings.site.resources = Ok(read(&site, page));
        readings.site.states = Ok(read(&site, page));
        readings.site.enclosures = Ok(read(&site, page));
        readings.site.operating_systems = Ok(read(&site, page));
        readings.site.bios = Ok(read(&site, page));
        let joined = joined(&readings);
        let left_out = joined.report.left_out.len();
        let site_rows = joined.devices.iter()
            .filter(|device| device.configuration_manager.as_ref().known().is_some()).count();
        let intune_rows = joined.devices.iter()
            .filter(|device| device.intune.as_ref().known().is_some()).count();
        // A tie between duplicates leaves one device of which nothing is known.
        let unknown = joined.devices.iter().filter(|device| {
            matches!(&device.intune, Fact::Known(record) if record.id.is_unread())
        }).count();
        prop_assert_eq!(site_rows + intune_rows - unknown + left_out, site.len() + intune.len());
        for device in &joined.devices {
            let line = serde_json::to_string(device).unwrap();
            prop_assert_eq!(&serde_json::from_str::<diarchy_core::inventory::Device>(&line).unwrap().id, &device.id);
        }
    }

    #[test]
    fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200), json in value()) {
        let first = Url::parse("https://service/list").unwrap();
        for body in [body, json.to_string().into_bytes(), json!({ "value": json }).to_string().into_bytes()] {
            let mut pages = Pages::<ManagedDevice>::new(Service::Graph, "/list", &first);
            let _ = pages.take(&body);
        }
    }
}

fn take(body: &Value) -> Result<Option<Url>, EstateError> {
    let first = Url::parse("https://service/list").unwrap();
    Pages::<ManagedDevice>::new(Service::Graph, "/list", &first).take(body.to_string().as_bytes())
}

#[test]
fn a_list_that_is_none_is_an_error() {
    for body in [
        json!({}),
        json!([]),
        json!({ "value": null }),
        json!({ "value": {} }),
        json!({ "value": "x" }),
        json!({ "error": { "code": "x" } }),
        json!({ "value": [], "@odata.nextLink": 5 }),
        json!({ "value": [], "@odata.nextLink": "/relative" }),
        json!({ "value": [], "@odata.nextLink": "https://elsewhere/list?2" }),
        json!({ "value": [], "@odata.nextLink": "http://service/list?2" }),
        json!({ "value": [], "@odata.nextLink": "https://service/list" }),
    ] {
        assert!(take(&body).is_err(), "{body}");
    }
    assert_eq!(
        take(&json!({ "value": [], "@odata.nextLink": null })),
        Ok(None)
    );
}

#[test]
fn pages_without_end_are_noticed() {
    let first = Url::parse("https://service/list").unwrap();
    let mut pages = Pages::<ManagedDevice>::new(Service::Graph, "/list", &first);
    let mut error = None;
    for at in 0..1000 {
        let next = format!("https://service/list?{at}");
        let body = json!({ "value": [{ "id": "same" }], "@odata.nextLink": next }).to_string();
        if let Err(found) = pages.take(body.as_bytes()) {
            error = Some(found);
            break;
        }
    }
    assert!(error.unwrap().to_string().contains("pages without end"));
    assert_eq!(pages.listing.items.len(), 1);
}

#[test]
fn a_truncated_page_is_an_error_and_not_a_shorter_list() {
    let whole = json!({ "value": [{ "id": "a" }, { "id": "b" }] }).to_string();
    let first = Url::parse("https://service/list").unwrap();
    for length in 0..whole.len() {
        let mut pages = Pages::<ManagedDevice>::new(Service::Graph, "/list", &first);
        assert!(pages.take(&whole.as_bytes()[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_compliance_that_could_not_be_judged_is_an_error_that_intune_reports() {
    use ReportedError::{ComplianceConflict, ComplianceError};
    for (state, compliance, error) in [
        (
            json!("error"),
            Fact::Known(Compliance::Unknown),
            Fact::Known(ComplianceError),
        ),
        (
            json!("conflict"),
            Fact::Known(Compliance::Unknown),
            Fact::Known(ComplianceConflict),
        ),
        (
            json!("compliant"),
            Fact::Known(Compliance::Compliant),
            Fact::Absent,
        ),
        // Whose policies Configuration Manager judges has none in Intune that could fail.
        (
            json!("configManager"),
            Fact::Known(Compliance::ConfigurationManager),
            Fact::Absent,
        ),
        (Value::Null, Fact::Absent, Fact::Absent),
        // A word of the future may be an error, or none.
        (json!("somethingNew"), Fact::Unread, Fact::Unread),
    ] {
        let fields = [("complianceState".to_owned(), state)];
        let device = ManagedDevice::read(&mut Record::new(fields.into_iter().collect()));
        assert_eq!((device.compliance, device.error), (compliance, error));
    }
    let device = ManagedDevice::read(&mut Record::default());
    assert!(device.compliance.is_unread() && device.error.is_unread());
}
