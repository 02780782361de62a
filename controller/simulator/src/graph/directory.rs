//! Entra: the tenant, its devices, users and groups.

use serde_json::{Value, json};

use crate::columns::{Column, Context, Shown, always, shown};
use crate::graph::managed_devices::Managed;
use crate::graph::{Listing, Request};
use crate::http::Answer;
use crate::moment::{DAY, text};
use crate::world::device::{Device, EntraDevice, Kind, Trust};
use crate::world::people::{Person, person};

struct Tenant;

static TENANT: &[Column<Tenant>] = &[
    always("id", "Edm.String", |c, _| json!(c.world.setup.tenant_id)),
    always("displayName", "Edm.String", |_, _| json!("Contoso")),
    always("tenantType", "Edm.String", |_, _| json!("AAD")),
    always("countryLetterCode", "Edm.String", |_, _| json!("FR")),
    always("mobileDeviceManagementAuthority", "Edm.String", |_, _| {
        json!("intune")
    }),
    always("onPremisesSyncEnabled", "Edm.Boolean", |_, _| json!(true)),
    always(
        "verifiedDomains",
        "Collection(graph.verifiedDomain)",
        |_, _| {
            json!([{"name": "contoso.com", "isDefault": true, "isInitial": false, "type": "Managed",
                "capabilities": "Email, Intune"}])
        },
    ),
];

/// GET organization.
pub(super) fn organization(request: &Request<'_>) -> Answer {
    let listing = Listing {
        type_name: "organization",
        columns: TENANT,
        places: 1,
        at: &|_| Some(Tenant),
    };
    request.list("organization", &listing)
}

/// A device object of Entra.
struct Joined {
    device: usize,
    entra: EntraDevice,
    managed: bool,
}

impl Joined {
    fn at(context: &Context<'_>, place: usize) -> Option<Self> {
        let device = &context.world.devices[place];
        Some(Self {
            device: place,
            entra: device.entra.clone()?,
            managed: context.world.intune_record(device).is_some(),
        })
    }

    fn device<'a>(&self, context: &Context<'a>) -> &'a Device {
        &context.world.devices[self.device]
    }
}

fn null<R>(_: &Context<'_>, _: &R) -> Value {
    Value::Null
}

static JOINED: &[Column<Joined>] = &[
    always("id", "Edm.String", |_, row| {
        json!(row.entra.object_id.to_string())
    }),
    always("deletedDateTime", "Edm.DateTimeOffset", null),
    always("accountEnabled", "Edm.Boolean", |_, _| json!(true)),
    always(
        "alternativeSecurityIds",
        "Collection(graph.alternativeSecurityId)",
        |_, _| json!([]),
    ),
    always(
        "approximateLastSignInDateTime",
        "Edm.DateTimeOffset",
        |c, row| {
            let seen = c.world.rhythm(row.device(c)).last_online(c.world.now);
            // Entra notes a sign-in only now and then.
            json!(text(seen - seen.rem_euclid(5 * DAY)))
        },
    ),
    always("complianceExpirationDateTime", "Edm.DateTimeOffset", null),
    always("deviceCategory", "Edm.String", |c, row| {
        json!(row.device(c).category)
    }),
    always("deviceId", "Edm.String", |_, row| {
        json!(row.entra.device_id.to_string())
    }),
    always("deviceMetadata", "Edm.String", null),
    always("deviceOwnership", "Edm.String", |c, row| {
        json!(if row.device(c).personal {
            "Personal"
        } else {
            "Company"
        })
    }),
    always("deviceVersion", "Edm.Int32", |_, _| json!(2)),
    always("displayName", "Edm.String", |c, row| {
        json!(row.device(c).name)
    }),
    always("enrollmentProfileName", "Edm.String", null),
    always("enrollmentType", "Edm.String", |_, row| {
        json!(row.managed.then_some("OnPremiseCoManaged"))
    }),
    always("isCompliant", "Edm.Boolean", |c, row| {
        json!(Managed::at(c, row.device).map(|managed| managed.counts_as_compliant(c)))
    }),
    always("isManaged", "Edm.Boolean", |c, row| {
        json!((row.managed || row.device(c).kind == Kind::ThirdPartyMdm).then_some(true))
    }),
    always("isManagementRestricted", "Edm.Boolean", null),
    always("isRooted", "Edm.Boolean", null),
    always("managementType", "Edm.String", |_, row| {
        json!(row.managed.then_some("MDM"))
    }),
    always("manufacturer", "Edm.String", |c, row| {
        json!(row.device(c).model.manufacturer)
    }),
    always("mdmAppId", "Edm.String", |c, row| {
        let intune = row
            .managed
            .then_some("0000000a-0000-0000-c000-000000000000");
        let other = (row.device(c).kind == Kind::ThirdPartyMdm)
            .then_some("8b5f1e9c-3d7a-4c57-9a39-5a0f3cf6b1de");
        json!(intune.or(other))
    }),
    always("model", "Edm.String", |c, row| {
        json!(row.device(c).model.name)
    }),
    always(
        "onPremisesLastSyncDateTime",
        "Edm.DateTimeOffset",
        |c, row| {
            json!(
                (row.entra.trust == Trust::Hybrid)
                    .then(|| text(c.world.now - c.world.now.rem_euclid(DAY)))
            )
        },
    ),
    always("onPremisesSecurityIdentifier", "Edm.String", null),
    always("onPremisesSyncEnabled", "Edm.Boolean", |_, row| {
        json!((row.entra.trust == Trust::Hybrid).then_some(true))
    }),
    always("operatingSystem", "Edm.String", |c, row| {
        json!(row.device(c).phone_system().unwrap_or("Windows"))
    }),
    always("operatingSystemVersion", "Edm.String", |c, row| {
        json!(row.device(c).os_version())
    }),
    always("physicalIds", "Collection(Edm.String)", |_, row| {
        json!([format!("[GID]:g:{}", row.entra.object_id.simple())])
    }),
    always("profileType", "Edm.String", |_, row| {
        json!(if row.entra.trust == Trust::Workplace {
            Value::Null
        } else {
            json!("RegisteredDevice")
        })
    }),
    always("registrationDateTime", "Edm.DateTimeOffset", |c, row| {
        let days = c.world.chance.between("registered", row.device, 900, 1400);
        json!(text(c.world.now - c.world.now.rem_euclid(DAY) - days * DAY))
    }),
    always("systemLabels", "Collection(Edm.String)", |_, _| json!([])),
    always("trustType", "Edm.String", |_, row| {
        json!(match row.entra.trust {
            Trust::Hybrid => "ServerAd",
            Trust::Entra => "AzureAd",
            Trust::Workplace => "Workplace",
        })
    }),
    shown(
        "alternativeNames",
        "Collection(Edm.String)",
        Shown::Beta,
        |_, _| json!([]),
    ),
    shown("domainName", "Edm.String", Shown::Beta, null),
    shown(
        "extensionAttributes",
        "graph.onPremisesExtensionAttributes",
        Shown::Beta,
        |c, row| {
            let mut attributes: serde_json::Map<_, _> = (1..=15)
                .map(|number| (format!("extensionAttribute{number}"), Value::Null))
                .collect();
            attributes.insert("extensionAttribute1".to_owned(), json!(row.device(c).ring));
            Value::Object(attributes)
        },
    ),
    shown(
        "hostnames",
        "Collection(Edm.String)",
        Shown::Beta,
        |_, _| json!([]),
    ),
    shown("kind", "Edm.String", Shown::Beta, null),
    shown("name", "Edm.String", Shown::Beta, null),
    shown("platform", "Edm.String", Shown::Beta, null),
    shown("status", "Edm.String", Shown::Beta, null),
];

/// GET devices.
pub(super) fn devices(request: &Request<'_>) -> Answer {
    let context = request.context;
    let listing = Listing {
        type_name: "device",
        columns: JOINED,
        places: context.world.devices.len(),
        at: &|place| Joined::at(&context, place),
    };
    request.list("devices", &listing)
}

static USERS: &[Column<Person>] = &[
    always("id", "Edm.String", |_, row| json!(row.id.to_string())),
    always("accountEnabled", "Edm.Boolean", |_, _| json!(true)),
    always("businessPhones", "Collection(Edm.String)", |_, _| json!([])),
    always("displayName", "Edm.String", |_, row| {
        json!(format!("{} {}", row.first, row.last))
    }),
    always("givenName", "Edm.String", |_, row| json!(row.first)),
    always("surname", "Edm.String", |_, row| json!(row.last)),
    always("mail", "Edm.String", |_, row| json!(row.principal_name)),
    always("userPrincipalName", "Edm.String", |_, row| {
        json!(row.principal_name)
    }),
    always("country", "Edm.String", |_, row| json!(row.country)),
    always("city", "Edm.String", |_, row| {
        json!(row.country.map(|_| row.place.city))
    }),
    always("department", "Edm.String", |_, row| json!(row.department)),
    always("officeLocation", "Edm.String", |_, row| {
        json!(row.place.city)
    }),
    always("usageLocation", "Edm.String", |_, row| {
        json!(row.place.country)
    }),
    always("jobTitle", "Edm.String", null),
    always("mobilePhone", "Edm.String", null),
    always("preferredLanguage", "Edm.String", null),
];

/// GET users.
pub(super) fn users(request: &Request<'_>) -> Answer {
    let context = request.context;
    let world = context.world;
    let listing = Listing {
        type_name: "user",
        columns: USERS,
        places: world.devices.len(),
        // The device that everybody got first has its user's number.
        at: &|place| {
            let own = world.devices[place].user == Some(place);
            own.then(|| person(world.chance, place))
        },
    };
    request.list("users", &listing)
}

/// A group: those that selectors mention, each with one nested in it.
struct Group {
    id: String,
    name: String,
}

impl Group {
    fn at(context: &Context<'_>, place: usize) -> Option<Self> {
        let mentioned = &context.world.setup.entra_groups;
        let count = mentioned.len();
        if let Some(id) = mentioned.get(place) {
            return Some(Self {
                id: id.clone(),
                name: format!("Devices {}", place + 1),
            });
        }
        let parent = place.checked_sub(count).filter(|parent| *parent < count)?;
        Some(Self {
            id: context
                .world
                .chance
                .guid("nested group", parent)
                .to_string(),
            name: format!("Devices {} - nested", parent + 1),
        })
    }
}

static GROUPS: &[Column<Group>] = &[
    always("id", "Edm.String", |_, row| json!(row.id)),
    always("createdDateTime", "Edm.DateTimeOffset", |_, _| {
        json!("2023-03-14T08:00:00Z")
    }),
    always("description", "Edm.String", null),
    always("displayName", "Edm.String", |_, row| json!(row.name)),
    always("groupTypes", "Collection(Edm.String)", |_, _| json!([])),
    always("isAssignableToRole", "Edm.Boolean", null),
    always("mailEnabled", "Edm.Boolean", |_, _| json!(false)),
    always("mailNickname", "Edm.String", |_, row| {
        json!(row.name.replace(' ', ""))
    }),
    always("membershipRule", "Edm.String", null),
    always("membershipRuleProcessingState", "Edm.String", null),
    always("onPremisesSecurityIdentifier", "Edm.String", null),
    always("onPremisesSyncEnabled", "Edm.Boolean", null),
    always("securityEnabled", "Edm.Boolean", |_, _| json!(true)),
];

/// GET groups.
pub(super) fn groups(request: &Request<'_>) -> Answer {
    let context = request.context;
    let listing = Listing {
        type_name: "group",
        columns: GROUPS,
        places: context.world.setup.entra_groups.len() * 2,
        at: &|place| Group::at(&context, place),
    };
    request.list("groups", &listing)
}

/// GET groups/{id}/transitiveMembers/graph.device, an advanced query.
pub(super) fn device_members(request: &Request<'_>, id: &str) -> Answer {
    let eventual = request
        .call
        .header("consistencylevel")
        .is_some_and(|level| level.eq_ignore_ascii_case("eventual"));
    if !eventual || request.call.option("$count") != Some("true") {
        let message =
            "Request with $filter or OData cast needs ConsistencyLevel eventual and $count=true.";
        return request.error(400, "Request_UnsupportedQuery", message);
    }
    let context = request.context;
    let world = context.world;
    let groups = world.setup.entra_groups.len();
    let Some(place) = (0..groups * 2).find(|place| {
        Group::at(&context, *place).is_some_and(|group| group.id.eq_ignore_ascii_case(id))
    }) else {
        let message = format!("Resource '{id}' does not exist.");
        return request.error(404, "Request_ResourceNotFound", &message);
    };
    // The nested group holds a third of its parent's twelfth.
    let (parent, nested) = (place % groups, place >= groups);
    let listing = Listing {
        type_name: "device",
        columns: JOINED,
        places: world.devices.len(),
        at: &|device| {
            let number = device.wrapping_mul(131).wrapping_add(parent);
            let share = if nested { 27 } else { 83 };
            world
                .chance
                .per_mille("group member", number, share)
                .then(|| Joined::at(&context, device))
                .flatten()
        },
    };
    request.list("devices", &listing)
}
