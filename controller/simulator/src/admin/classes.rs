//! The classes of the site that are about devices, as tables.

use serde_json::{Value, json};

use crate::columns::{Column, Context, Shown, always, shown};
use crate::moment::{HOUR, text};
use crate::site::resources::{Resource, resource_id};
use crate::world::Operation;
use crate::world::device::{Device, Kind, Trust};
use crate::world::people::person;

/// The site itself.
pub(super) struct SiteRow;

pub(super) static SITE: &[Column<SiteRow>] = &[
    always("SiteCode", "Edm.String", |c, _| json!(c.world.site.code)),
    always("SiteName", "Edm.String", |_, _| {
        json!("Contoso Primary Site")
    }),
    always("ServerName", "Edm.String", |_, _| json!("cm01.contoso.com")),
    always("ReportingSiteCode", "Edm.String", |_, _| json!("")),
    always("Status", "Edm.Int32", |_, _| json!(1)),
    always("Type", "Edm.Int32", |_, _| json!(2)),
    always("Version", "Edm.String", |_, _| json!("5.00.9132.1000")),
    always("BuildNumber", "Edm.Int32", |_, _| json!(9132)),
    always("TimeZoneInfo", "Edm.String", |_, _| json!("0 0 0 0")),
];

/// A record of a device.
pub(super) struct Record {
    place: usize,
}

impl Record {
    /// All records, obsolete ones too.
    pub(super) fn all<'a>(context: &Context<'a>) -> impl Iterator<Item = Self> + use<'a> {
        (0..context.world.resources.len()).map(|place| Self { place })
    }

    /// Records whose client is at work.
    pub(super) fn clients<'a>(context: &Context<'a>) -> impl Iterator<Item = Self> + use<'a> {
        let context = *context;
        Self::all(&context).filter(move |row| {
            !row.resource(&context).obsolete && row.device(&context).kind.has_client()
        })
    }

    fn resource<'a>(&self, context: &Context<'a>) -> &'a Resource {
        &context.world.resources[self.place]
    }

    pub(super) fn device<'a>(&self, context: &Context<'a>) -> &'a Device {
        &context.world.devices[self.resource(context).device]
    }

    pub(super) fn id(&self) -> u32 {
        resource_id(self.place)
    }

    /// When the client last had to do with the site.
    pub(super) fn last_active(&self, context: &Context<'_>) -> i64 {
        if self.resource(context).obsolete {
            return self.resource(context).created + 100 * HOUR;
        }
        let device = self.device(context);
        context.world.rhythm(device).last_poll(context.world.now)
    }

    /// Whether its client was heard of lately. One that is ill is as active as any other.
    fn active(&self, context: &Context<'_>) -> bool {
        let silent = context.world.now - self.last_active(context);
        !self.resource(context).obsolete
            && self.device(context).kind.has_client()
            && silent < 7 * 24 * HOUR
    }

    /// Whether the last check that the client made of itself failed.
    fn fails_check(&self, context: &Context<'_>) -> bool {
        let device = self.device(context);
        if self.resource(context).obsolete {
            return device.unhealthy;
        }
        context.world.is_known_ill(device)
    }

    /// When the client last checked itself: every day, and when something new is to be found.
    fn last_check(&self, context: &Context<'_>) -> i64 {
        let daily = self.last_active(context) - 5 * HOUR;
        if self.resource(context).obsolete {
            return daily;
        }
        let told = context.world.told_health(self.device(context));
        told.map_or(daily, |told| told.max(daily))
    }

    /// The Entra device, if the record says; the case of the digits is anybody's guess.
    fn entra_id(&self, context: &Context<'_>) -> Option<String> {
        let device = self.device(context);
        if device.no_entra_at_site || self.resource(context).obsolete {
            return None;
        }
        let id = device.entra.as_ref()?.device_id.to_string();
        let upper = context
            .world
            .chance
            .per_mille("upper case", device.number, 100);
        Some(if upper { id.to_uppercase() } else { id })
    }

    fn client_id(&self, context: &Context<'_>) -> String {
        let id = self.resource(context).client_id.to_string();
        format!("GUID:{}", id.to_uppercase())
    }

    pub(super) fn user_name(&self, context: &Context<'_>) -> Option<String> {
        let user = person(context.world.chance, self.device(context).user?);
        user.principal_name.split('@').next().map(str::to_owned)
    }
}

fn null<R>(_: &Context<'_>, _: &R) -> Value {
    Value::Null
}

fn zero<R>(_: &Context<'_>, _: &R) -> Value {
    json!(0)
}

fn no<R>(_: &Context<'_>, _: &R) -> Value {
    json!(false)
}

fn nothing<R>(_: &Context<'_>, _: &R) -> Value {
    json!([])
}

fn site<R>(context: &Context<'_>, _: &R) -> Value {
    json!(context.world.site.code)
}

fn has_client(context: &Context<'_>, row: &Record) -> bool {
    row.device(context).kind.has_client()
}

pub(super) static R_SYSTEM: &[Column<Record>] = &[
    always("ResourceID", "Edm.Int64", |_, row| json!(row.id())),
    always("ResourceType", "Edm.Int64", |_, _| json!(5)),
    always("Name", "Edm.String", |c, row| json!(row.device(c).name)),
    always("NetbiosName", "Edm.String", |c, row| {
        json!(row.device(c).name)
    }),
    always("Active", "Edm.Int32", |c, row| {
        json!(i32::from(!row.resource(c).obsolete))
    }),
    always("ADSiteName", "Edm.String", |c, row| {
        json!(row.device(c).place.ad_site)
    }),
    always("AgentName", "Collection(Edm.String)", |_, _| {
        json!(["SMS_AD_SYSTEM_DISCOVERY_AGENT", "Heartbeat Discovery"])
    }),
    always("AlwaysInternet", "Edm.Int32", zero),
    always("Build", "Edm.String", |c, row| {
        json!(format!("10.0.{}", row.device(c).build.number))
    }),
    always("Client", "Edm.Int32", |c, row| {
        // A machine without a client has no value here, as discovery leaves it.
        has_client(c, row)
            .then_some(1)
            .map_or(Value::Null, Value::from)
    }),
    always("ClientType", "Edm.Int32", |c, row| {
        json!(has_client(c, row).then_some(1))
    }),
    always("ClientVersion", "Edm.String", |c, row| {
        json!(has_client(c, row).then_some(row.device(c).client_version))
    }),
    always("CreationDate", "Edm.DateTimeOffset", |c, row| {
        json!(text(row.resource(c).created))
    }),
    always("Decommissioned", "Edm.Int32", |c, row| {
        json!(i32::from(row.resource(c).obsolete))
    }),
    always("DistinguishedName", "Edm.String", |c, row| {
        json!(format!(
            "CN={},OU=Workstations,DC=contoso,DC=com",
            row.device(c).name
        ))
    }),
    always("EASDeviceID", "Edm.String", null),
    always("HardwareID", "Edm.String", |c, row| {
        let bits = c.world.chance.bits("hardware", row.device(c).number);
        json!(format!("2:{bits:016X}"))
    }),
    always("InternetEnabled", "Edm.Int32", zero),
    always("IPAddresses", "Collection(Edm.String)", |c, row| {
        let bits = c
            .world
            .chance
            .bits("address", row.device(c).number)
            .to_be_bytes();
        json!([format!("10.{}.{}.{}", bits[0] % 64, bits[1], bits[2])])
    }),
    always("IPSubnets", "Collection(Edm.String)", nothing),
    always("IsAssignedToUser", "Edm.Boolean", no),
    always("IsVirtualMachine", "Edm.Boolean", |c, row| {
        json!(row.device(c).model.name == "Virtual Machine")
    }),
    always("LastLogonTimestamp", "Edm.DateTimeOffset", |c, row| {
        json!(text(row.last_active(c)))
    }),
    always("LastLogonUserDomain", "Edm.String", |c, row| {
        json!(row.user_name(c).map(|_| "CONTOSO"))
    }),
    always("LastLogonUserName", "Edm.String", |c, row| {
        json!(row.user_name(c))
    }),
    always("MACAddresses", "Collection(Edm.String)", nothing),
    always("MDMDeviceCategory", "Edm.String", null),
    always("Obsolete", "Edm.Int32", |c, row| {
        json!(i32::from(row.resource(c).obsolete))
    }),
    always("OperatingSystemNameandVersion", "Edm.String", |c, row| {
        json!(if row.device(c).kind == Kind::Server {
            "Microsoft Windows NT Server 10.0"
        } else {
            "Microsoft Windows NT Workstation 10.0"
        })
    }),
    always("PreviousSMSUUID", "Edm.String", null),
    always("PrimaryGroupID", "Edm.Int64", |_, _| json!(515)),
    always("ResourceDomainORWorkgroup", "Edm.String", |_, _| {
        json!("CONTOSO")
    }),
    always("ResourceNames", "Collection(Edm.String)", |c, row| {
        json!([format!("{}.contoso.com", row.device(c).name)])
    }),
    always("SMBIOSGUID", "Edm.String", |c, row| {
        let id = c
            .world
            .chance
            .guid("smbios", row.device(c).number)
            .to_string();
        json!(id.to_uppercase())
    }),
    always("SMSAssignedSites", "Collection(Edm.String)", |c, _| {
        json!([c.world.site.code])
    }),
    always("SMSInstalledSites", "Collection(Edm.String)", |c, row| {
        json!(
            has_client(c, row)
                .then(|| c.world.site.code.clone())
                .into_iter()
                .collect::<Vec<_>>()
        )
    }),
    always("SMSUniqueIdentifier", "Edm.String", |c, row| {
        json!(has_client(c, row).then(|| row.client_id(c)))
    }),
    always("SystemRoles", "Collection(Edm.String)", nothing),
    always("Unknown", "Edm.Int32", null),
    always("UserAccountControl", "Edm.Int64", |_, _| json!(4096)),
    always("VirtualMachineHostName", "Edm.String", null),
    always("WipeStatus", "Edm.Int32", null),
    shown("AADDeviceID", "Edm.String", Shown::EntraId, |c, row| {
        json!(row.entra_id(c))
    }),
    shown("AADTenantID", "Edm.String", Shown::EntraId, |c, row| {
        json!(row.entra_id(c).map(|_| c.world.setup.tenant_id.clone()))
    }),
];

pub(super) static COMBINED: &[Column<Record>] = &[
    always("ResourceID", "Edm.Int64", |_, row| json!(row.id())),
    always("ResourceType", "Edm.Int32", |_, _| json!(5)),
    always("Name", "Edm.String", |c, row| json!(row.device(c).name)),
    always("SiteCode", "Edm.String", site),
    always("SMSID", "Edm.String", |c, row| {
        json!(has_client(c, row).then(|| row.client_id(c)))
    }),
    always("ADLastLogonTime", "Edm.DateTimeOffset", |c, row| {
        json!(text(row.last_active(c)))
    }),
    always("ADSiteName", "Edm.String", |c, row| {
        json!(row.device(c).place.ad_site)
    }),
    always("ClientActiveStatus", "Edm.Int32", |c, row| {
        json!(has_client(c, row).then(|| i32::from(row.active(c))))
    }),
    always("ClientCertType", "Edm.Int32", |_, _| json!(1)),
    always("ClientCheckPass", "Edm.Int32", |c, row| {
        json!(has_client(c, row).then(|| if row.fails_check(c) { 2 } else { 1 }))
    }),
    always("ClientEdition", "Edm.Int32", zero),
    always("ClientRemediationSuccess", "Edm.Int32", null),
    always("ClientType", "Edm.Int32", |c, row| {
        json!(has_client(c, row).then_some(1))
    }),
    always("ClientVersion", "Edm.String", |c, row| {
        json!(has_client(c, row).then_some(row.device(c).client_version))
    }),
    always("DeviceAccessState", "Edm.Int32", null),
    always("DeviceCategory", "Edm.String", |c, row| {
        json!(row.device(c).category)
    }),
    always("DeviceOS", "Edm.String", |c, row| {
        json!(if row.device(c).kind == Kind::Server {
            "Microsoft Windows NT Server 10.0"
        } else {
            "Microsoft Windows NT Workstation 10.0"
        })
    }),
    always("DeviceOwner", "Edm.Int32", |c, row| {
        json!(if row.device(c).personal { 2 } else { 1 })
    }),
    always("DeviceType", "Edm.String", null),
    always("Domain", "Edm.String", |_, _| json!("CONTOSO")),
    always("IsActive", "Edm.Boolean", |c, row| json!(row.active(c))),
    always("IsAlwaysInternet", "Edm.Boolean", no),
    always("IsApproved", "Edm.Int32", |_, _| json!(1)),
    always("IsBlocked", "Edm.Boolean", no),
    always("IsClient", "Edm.Boolean", |c, row| {
        json!(has_client(c, row))
    }),
    always("IsInternetEnabled", "Edm.Boolean", no),
    always("IsObsolete", "Edm.Boolean", |c, row| {
        json!(row.resource(c).obsolete)
    }),
    always("IsVirtualMachine", "Edm.Boolean", |c, row| {
        json!(row.device(c).model.name == "Virtual Machine")
    }),
    always("LastActiveTime", "Edm.DateTimeOffset", |c, row| {
        json!(has_client(c, row).then(|| text(row.last_active(c))))
    }),
    always("LastClientCheckTime", "Edm.DateTimeOffset", |c, row| {
        json!(has_client(c, row).then(|| text(row.last_check(c))))
    }),
    always("LastDDR", "Edm.DateTimeOffset", |c, row| {
        json!(has_client(c, row).then(|| text(row.last_active(c) - 30 * HOUR)))
    }),
    always("LastHardwareScan", "Edm.DateTimeOffset", |c, row| {
        json!(has_client(c, row).then(|| text(row.last_active(c) - 60 * HOUR)))
    }),
    always("LastInstallationError", "Edm.Int32", null),
    always("LastMPServerName", "Edm.String", |c, row| {
        json!(has_client(c, row).then_some("cm01.contoso.com"))
    }),
    always("LastPolicyRequest", "Edm.DateTimeOffset", |c, row| {
        json!(has_client(c, row).then(|| text(row.last_active(c))))
    }),
    always("LastSoftwareScan", "Edm.DateTimeOffset", null),
    always("LastStatusMessage", "Edm.DateTimeOffset", |c, row| {
        json!(has_client(c, row).then(|| text(row.last_active(c) - HOUR)))
    }),
    always("PolicyApplicationStatus", "Edm.String", null),
    // The column exists and few records have it: hardware inventory is where serial numbers are.
    always("SerialNumber", "Edm.String", |c, row| {
        let known = c
            .world
            .chance
            .per_mille("serial at site", row.device(c).number, 100);
        json!(known.then(|| row.device(c).serial.clone()))
    }),
    always("Status", "Edm.Int32", |_, _| json!(1)),
    always("Unknown", "Edm.Boolean", |_, _| json!(false)),
    always("UserDomainName", "Edm.String", |c, row| {
        json!(row.user_name(c).map(|_| "CONTOSO"))
    }),
    always("UserName", "Edm.String", |c, row| {
        json!(row.user_name(c).map(|name| format!("CONTOSO\\{name}")))
    }),
    always("WipeStatus", "Edm.Int32", null),
    shown("AADDeviceID", "Edm.String", Shown::EntraId, |c, row| {
        json!(row.entra_id(c))
    }),
    shown("AADTenantID", "Edm.String", Shown::EntraId, |c, row| {
        json!(row.entra_id(c).map(|_| c.world.setup.tenant_id.clone()))
    }),
    shown("CoManaged", "Edm.Boolean", Shown::Undocumented, |c, row| {
        let device = row.device(c);
        json!(device.kind.has_policy() && c.world.intune_record(device).is_some())
    }),
];

/// Whether the device is enrolled with anybody.
fn enrolled(context: &Context<'_>, row: &Record) -> bool {
    let device = row.device(context);
    device.kind == Kind::ThirdPartyMdm || context.world.intune_record(device).is_some()
}

/// The capability bits as sites have them: the documented ones, and some that nobody explains.
fn workloads(context: &Context<'_>, row: &Record) -> Value {
    const UNEXPLAINED: i64 = 8192;
    const INTUNE_IS_AUTHORITY: i64 = 2_147_479_807;
    let device = row.device(context);
    if device.kind == Kind::EnrolledFirst {
        return json!(INTUNE_IS_AUTHORITY);
    }
    if !device.kind.has_policy() || !enrolled(context, row) {
        return Value::Null;
    }
    json!(UNEXPLAINED | i64::from(context.world.known_to_site(device)))
}

pub(super) static STATE: &[Column<Record>] = &[
    always("MachineId", "Edm.Int64", |_, row| json!(row.id())),
    always("ResourceId", "Edm.Int64", |_, row| json!(row.id())),
    always("MDMEnrolled", "Edm.Int32", |c, row| {
        json!(i32::from(enrolled(c, row)))
    }),
    always("Authority", "Edm.String", |c, row| {
        let other = row.device(c).kind == Kind::ThirdPartyMdm;
        json!(enrolled(c, row).then_some(if other { "AirWatchMDM" } else { "Intune" }))
    }),
    always("ComgmtPolicyPresent", "Edm.Int32", |c, row| {
        json!(i32::from(row.device(c).kind.has_policy()))
    }),
    shown(
        "MDMProvisioned",
        "Edm.Int32",
        Shown::Undocumented,
        |c, row| json!(i32::from(enrolled(c, row))),
    ),
    shown(
        "EnrollmentStatusCode",
        "Edm.Int64",
        Shown::Undocumented,
        |c, row| {
            json!(match row.device(c).kind {
                Kind::EnrollmentFails => row.device(c).enrollment_error,
                Kind::TooOld => 2_147_942_450,
                _ => 0,
            })
        },
    ),
    shown(
        "EnrollmentErrorDetail",
        "Edm.String",
        Shown::Undocumented,
        |c, row| {
            json!(
                (row.device(c).kind == Kind::EnrollmentFails)
                    .then(|| row.device(c).enrollment_error.to_string())
            )
        },
    ),
    shown(
        "HybridAADJoined",
        "Edm.Int32",
        Shown::Undocumented,
        |c, row| {
            let hybrid =
                row.device(c).entra.as_ref().map(|entra| entra.trust) == Some(Trust::Hybrid);
            json!(i32::from(hybrid))
        },
    ),
    shown("AADJoined", "Edm.Int32", Shown::Undocumented, |c, row| {
        let joined = row.device(c).entra.as_ref().map(|entra| entra.trust) == Some(Trust::Entra);
        json!(i32::from(joined))
    }),
    shown("mdmworkloads", "Edm.Int64", Shown::Undocumented, workloads),
];

pub(super) static OPERATIONS: &[Column<Operation>] = &[
    always("ID", "Edm.Int64", |_, row| json!(row.id)),
    always("OperationID", "Edm.Int64", |_, row| json!(row.id)),
    always("Type", "Edm.Int64", |_, row| json!(row.kind)),
    always("TargetCollectionID", "Edm.String", |_, row| {
        json!(row.collection)
    }),
    always("State", "Edm.Int64", |c, row| {
        let over = c.world.now - row.requested > HOUR;
        json!(if over { 2 } else { 1 })
    }),
    always("RequestedTime", "Edm.DateTimeOffset", |_, row| {
        json!(text(row.requested))
    }),
    always("TotalClients", "Edm.Int64", |_, row| {
        json!(row.reached + row.offline)
    }),
    always("CompletedClients", "Edm.Int64", |_, row| json!(row.reached)),
    always("FailedClients", "Edm.Int64", zero),
    always("OfflineClients", "Edm.Int64", |_, row| json!(row.offline)),
    always("NotApplicableClients", "Edm.Int64", zero),
    always("UnknownClients", "Edm.Int64", zero),
];
