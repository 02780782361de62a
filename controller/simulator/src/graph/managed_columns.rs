//! The properties of a managedDevice.

use serde_json::{Value, json};

use crate::columns::{Column, Context, Shown, always, shown};
use crate::graph::managed_devices::Managed;
use crate::moment::{DAY, NEVER, text};
use crate::world::device::Kind;

fn null<R>(_: &Context<'_>, _: &R) -> Value {
    Value::Null
}

fn no<R>(_: &Context<'_>, _: &R) -> Value {
    Value::Bool(false)
}

fn zero<R>(_: &Context<'_>, _: &R) -> Value {
    json!(0)
}

fn never<R>(_: &Context<'_>, _: &R) -> Value {
    json!(NEVER)
}

fn nothing<R>(_: &Context<'_>, _: &R) -> Value {
    json!([])
}

fn empty<R>(_: &Context<'_>, _: &R) -> Value {
    json!("")
}

/// The address of a network card, a function of the device.
fn mac(context: &Context<'_>, card: &str, device: usize) -> Value {
    let bits = context.world.chance.bits(card, device);
    json!(format!(
        "{:012X}",
        (bits & 0x0000_FCFF_FFFF_FFFF) | 0x0200_0000_0000
    ))
}

pub(super) static MANAGED: &[Column<Managed>] = &[
    always("id", "Edm.String", |_, row| {
        json!(row.record.id.to_string())
    }),
    always("userId", "Edm.String", |c, row| {
        json!(
            row.user(c)
                .map_or(String::new(), |user| user.id.to_string())
        )
    }),
    always("deviceName", "Edm.String", |c, row| {
        json!(row.device(c).name)
    }),
    always("managedDeviceOwnerType", "Edm.String", |c, row| {
        json!(if row.device(c).personal {
            "personal"
        } else {
            "company"
        })
    }),
    always("enrolledDateTime", "Edm.DateTimeOffset", |_, row| {
        json!(text(row.record.enrolled))
    }),
    always("lastSyncDateTime", "Edm.DateTimeOffset", |_, row| {
        json!(text(row.synced))
    }),
    always("operatingSystem", "Edm.String", |c, row| {
        json!(row.device(c).phone_system().unwrap_or("Windows"))
    }),
    always("complianceState", "Edm.String", |c, row| {
        json!(row.compliance(c))
    }),
    always("jailBroken", "Edm.String", |_, _| json!("Unknown")),
    always("managementAgent", "Edm.String", |c, row| {
        json!(if row.co_managed(c) {
            "configurationManagerClientMdm"
        } else {
            "mdm"
        })
    }),
    always("osVersion", "Edm.String", |c, row| {
        json!(row.device(c).os_version())
    }),
    always("easActivated", "Edm.Boolean", no),
    always("easDeviceId", "Edm.String", empty),
    always("easActivationDateTime", "Edm.DateTimeOffset", never),
    always("azureADRegistered", "Edm.Boolean", |c, row| {
        json!(row.device(c).kind != Kind::Unregistered)
    }),
    always("deviceEnrollmentType", "Edm.String", |c, row| {
        json!(row.enrollment_type(c))
    }),
    always("activationLockBypassCode", "Edm.String", null),
    always("emailAddress", "Edm.String", |c, row| {
        json!(
            row.user(c)
                .map_or(String::new(), |user| user.principal_name)
        )
    }),
    always("azureADDeviceId", "Edm.String", |c, row| {
        json!(row.entra_id(c))
    }),
    always("deviceRegistrationState", "Edm.String", |_, _| {
        json!("registered")
    }),
    always("deviceCategoryDisplayName", "Edm.String", |c, row| {
        json!(row.device(c).category.unwrap_or("Unknown"))
    }),
    always("isSupervised", "Edm.Boolean", no),
    always(
        "exchangeLastSuccessfulSyncDateTime",
        "Edm.DateTimeOffset",
        never,
    ),
    always("exchangeAccessState", "Edm.String", |_, _| json!("none")),
    always("exchangeAccessStateReason", "Edm.String", |_, _| {
        json!("none")
    }),
    always("remoteAssistanceSessionErrorDetails", "Edm.String", null),
    shown(
        "remoteAssistanceSessionUrl",
        "Edm.String",
        Shown::ById,
        null,
    ),
    always("isEncrypted", "Edm.Boolean", |c, row| {
        json!(!c.world.chance.per_mille("not encrypted", row.device, 40))
    }),
    always("userPrincipalName", "Edm.String", |c, row| {
        json!(
            row.user(c)
                .map_or(String::new(), |user| user.principal_name)
        )
    }),
    always("model", "Edm.String", |c, row| {
        json!(row.device(c).model.name)
    }),
    always("manufacturer", "Edm.String", |c, row| {
        json!(row.device(c).model.manufacturer)
    }),
    always("imei", "Edm.String", empty),
    always(
        "complianceGracePeriodExpirationDateTime",
        "Edm.DateTimeOffset",
        |_, _| json!("9999-12-31T23:59:59Z"),
    ),
    always("serialNumber", "Edm.String", |c, row| {
        json!(row.device(c).serial)
    }),
    always("phoneNumber", "Edm.String", empty),
    always("androidSecurityPatchLevel", "Edm.String", empty),
    always("userDisplayName", "Edm.String", |c, row| {
        let name = row
            .user(c)
            .map(|user| format!("{} {}", user.first, user.last));
        json!(name.unwrap_or_default())
    }),
    always(
        "configurationManagerClientEnabledFeatures",
        "graph.configurationManagerClientEnabledFeatures",
        |c, row| row.enabled_features(c),
    ),
    always("wiFiMacAddress", "Edm.String", |c, row| {
        mac(c, "wifi", row.device)
    }),
    always(
        "deviceHealthAttestationState",
        "graph.deviceHealthAttestationState",
        null,
    ),
    always("subscriberCarrier", "Edm.String", empty),
    always("meid", "Edm.String", empty),
    always("totalStorageSpaceInBytes", "Edm.Int64", |c, row| {
        json!(if c.world.chance.bits("disk", row.device) & 1 == 0 {
            254_060_527_616_i64
        } else {
            510_770_802_688
        })
    }),
    always("freeStorageSpaceInBytes", "Edm.Int64", |c, row| {
        json!(
            c.world
                .chance
                .between("free", row.device, 8_000_000_000, 240_000_000_000)
        )
    }),
    always("managedDeviceName", "Edm.String", |c, row| {
        json!(format!(
            "{}_Windows_{}",
            row.device(c).serial,
            text(row.record.enrolled)
        ))
    }),
    always("partnerReportedThreatState", "Edm.String", |_, _| {
        json!("unknown")
    }),
    always("requireUserEnrollmentApproval", "Edm.Boolean", null),
    always(
        "managementCertificateExpirationDate",
        "Edm.DateTimeOffset",
        |_, row| json!(text(row.record.enrolled + 1095 * DAY)),
    ),
    always("managementState", "Edm.String", |_, _| json!("managed")),
    always("enrollmentProfileName", "Edm.String", |c, row| {
        json!(if row.device(c).kind == Kind::EnrolledFirst {
            "Autopilot"
        } else {
            ""
        })
    }),
    always(
        "deviceActionResults",
        "Collection(graph.deviceActionResult)",
        nothing,
    ),
    shown("ethernetMacAddress", "Edm.String", Shown::ById, |c, row| {
        mac(c, "ethernet", row.device)
    }),
    shown("iccid", "Edm.String", Shown::ById, null),
    shown("notes", "Edm.String", Shown::ById, null),
    shown("physicalMemoryInBytes", "Edm.Int64", Shown::ById, |_, _| {
        json!(17_179_869_184_i64)
    }),
    shown("udid", "Edm.String", Shown::ById, null),
    shown("aadRegistered", "Edm.Boolean", Shown::Beta, |c, row| {
        json!(row.device(c).kind != Kind::Unregistered)
    }),
    shown("autopilotEnrolled", "Edm.Boolean", Shown::Beta, |c, row| {
        json!(row.device(c).kind == Kind::EnrolledFirst)
    }),
    shown(
        "azureActiveDirectoryDeviceId",
        "Edm.String",
        Shown::Beta,
        |c, row| json!(row.entra_id(c)),
    ),
    shown("bootstrapTokenEscrowed", "Edm.Boolean", Shown::BetaById, no),
    shown("chassisType", "Edm.String", Shown::Beta, |c, row| {
        json!(row.device(c).model.chassis.graph())
    }),
    shown(
        "chromeOSDeviceInfo",
        "Collection(graph.chromeOSDeviceProperty)",
        Shown::Beta,
        nothing,
    ),
    shown(
        "cloudPcRemoteActionResults",
        "Collection(graph.cloudPcRemoteActionResult)",
        Shown::Beta,
        nothing,
    ),
    shown(
        "configurationManagerClientHealthState",
        "graph.configurationManagerClientHealthState",
        Shown::Beta,
        |c, row| row.health(c),
    ),
    shown(
        "configurationManagerClientInformation",
        "graph.configurationManagerClientInformation",
        Shown::Beta,
        |c, row| {
            row.client_identifier(c).map_or(Value::Null, |id| {
            json!({"clientIdentifier": id, "isBlocked": false, "clientVersion": row.device(c).client_version})
        })
        },
    ),
    shown(
        "deviceFirmwareConfigurationInterfaceManaged",
        "Edm.Boolean",
        Shown::Beta,
        no,
    ),
    shown("deviceType", "Edm.String", Shown::Beta, |c, row| {
        json!(row.device_type(c))
    }),
    shown(
        "enrolledByUserPrincipalName",
        "Edm.String",
        Shown::Beta,
        |c, row| json!(row.user(c).map(|user| user.principal_name)),
    ),
    shown(
        "hardwareInformation",
        "graph.hardwareInformation",
        Shown::BetaById,
        |c, row| json!({"serialNumber": row.device(c).serial, "model": row.device(c).model.name}),
    ),
    shown("joinType", "Edm.String", Shown::Beta, |c, row| {
        json!(row.join_type(c))
    }),
    shown("lostModeState", "Edm.String", Shown::Beta, |_, _| {
        json!("disabled")
    }),
    shown("managementFeatures", "Edm.String", Shown::Beta, |_, _| {
        json!("none")
    }),
    shown("ownerType", "Edm.String", Shown::Beta, |c, row| {
        json!(if row.device(c).personal {
            "personal"
        } else {
            "company"
        })
    }),
    shown(
        "preferMdmOverGroupPolicyAppliedDateTime",
        "Edm.DateTimeOffset",
        Shown::Beta,
        never,
    ),
    shown(
        "processorArchitecture",
        "Edm.String",
        Shown::Beta,
        |c, row| {
            json!(if row.device(c).kind == Kind::Phone {
                "arM64"
            } else {
                "x64"
            })
        },
    ),
    shown(
        "retireAfterDateTime",
        "Edm.DateTimeOffset",
        Shown::Beta,
        never,
    ),
    shown(
        "roleScopeTagIds",
        "Collection(Edm.String)",
        Shown::Beta,
        nothing,
    ),
    shown("securityPatchLevel", "Edm.String", Shown::Beta, null),
    shown("skuFamily", "Edm.String", Shown::Beta, |c, row| {
        json!(if row.device(c).kind == Kind::Phone {
            ""
        } else {
            "Enterprise"
        })
    }),
    shown("skuNumber", "Edm.Int32", Shown::Beta, |c, row| {
        json!(if row.device(c).kind == Kind::Phone {
            0
        } else {
            4
        })
    }),
    shown("specificationVersion", "Edm.String", Shown::Beta, null),
    shown(
        "usersLoggedOn",
        "Collection(graph.loggedOnUser)",
        Shown::Beta,
        |c, row| {
            row.user(c).map_or_else(|| json!([]), |user| {
            json!([{"userId": user.id.to_string(), "lastLogOnDateTime": text(row.synced)}])
        })
        },
    ),
    shown(
        "windowsActiveMalwareCount",
        "Edm.Int32",
        Shown::BetaById,
        zero,
    ),
    shown(
        "windowsRemediatedMalwareCount",
        "Edm.Int32",
        Shown::BetaById,
        zero,
    ),
];
