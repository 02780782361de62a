//! The site's clients and their way into co-management, as Intune lists them (beta only).

use serde_json::{Value, json};

use crate::columns::{Column, Context, always};
use crate::graph::{Listing, Request};
use crate::http::Answer;
use crate::world::device::{Device, Kind};
use crate::world::people::{Person, person};

/// A client of the site and its way into co-management.
struct Eligible {
    device: usize,
    status: &'static str,
    enrolled: bool,
}

impl Eligible {
    fn at(context: &Context<'_>, place: usize) -> Option<Self> {
        let device = &context.world.devices[place];
        if !device.kind.has_client() {
            return None;
        }
        let enrolled = context.world.intune_record(device).is_some();
        let status = match device.kind {
            Kind::Server | Kind::ThirdPartyMdm => "ineligible",
            Kind::TooOld => "needsOsUpdate",
            Kind::DomainJoined | Kind::WorkplaceJoined => "eligibleButNotAzureAdJoined",
            _ if enrolled => "comanaged",
            Kind::Scheduled => "scheduledForEnrollment",
            _ => "eligible",
        };
        Some(Self {
            device: place,
            status,
            enrolled,
        })
    }

    fn device<'a>(&self, context: &Context<'a>) -> &'a Device {
        &context.world.devices[self.device]
    }

    fn user(&self, context: &Context<'_>) -> Option<Person> {
        let user = self.device(context).user?;
        Some(person(context.world.chance, user))
    }
}

fn null<R>(_: &Context<'_>, _: &R) -> Value {
    Value::Null
}

static ELIGIBLE: &[Column<Eligible>] = &[
    always("id", "Edm.String", |c, row| {
        json!(c.world.chance.guid("eligible", row.device).to_string())
    }),
    always("deviceName", "Edm.String", |c, row| {
        json!(row.device(c).name)
    }),
    always("deviceType", "Edm.String", |_, _| json!("windowsRT")),
    always("clientRegistrationStatus", "Edm.String", |_, row| {
        json!(if row.enrolled {
            "registered"
        } else {
            "notRegistered"
        })
    }),
    always("ownerType", "Edm.String", |c, row| {
        json!(if row.device(c).personal {
            "personal"
        } else {
            "company"
        })
    }),
    always("managementAgents", "Edm.String", |_, row| {
        json!(if row.enrolled {
            "configurationManagerClientMdm"
        } else {
            "configurationManagerClient"
        })
    }),
    always("managementState", "Edm.String", |_, _| json!("managed")),
    always("referenceId", "Edm.String", |c, row| {
        let resource = row
            .device(c)
            .resource
            .map(|place| c.world.resources[place].client_id.to_string());
        json!(resource)
    }),
    always("mdmStatus", "Edm.String", null),
    always("osVersion", "Edm.String", |c, row| {
        json!(row.device(c).os_version())
    }),
    always("osDescription", "Edm.String", |c, row| {
        json!(row.device(c).caption())
    }),
    always("serialNumber", "Edm.String", |c, row| {
        json!(row.device(c).serial)
    }),
    always("manufacturer", "Edm.String", |c, row| {
        json!(row.device(c).model.manufacturer)
    }),
    always("model", "Edm.String", |c, row| {
        json!(row.device(c).model.name)
    }),
    always("entitySource", "Edm.Int32", |_, _| json!(1)),
    always("userId", "Edm.String", |c, row| {
        json!(row.user(c).map(|user| user.id.to_string()))
    }),
    always("userName", "Edm.String", |c, row| {
        json!(
            row.user(c)
                .map(|user| format!("{} {}", user.first, user.last))
        )
    }),
    always("userEmail", "Edm.String", |c, row| {
        json!(row.user(c).map(|user| user.principal_name))
    }),
    always("upn", "Edm.String", |c, row| {
        json!(row.user(c).map(|user| user.principal_name))
    }),
    always("status", "Edm.String", |_, row| json!(row.status)),
];

/// GET comanagementEligibleDevices.
pub(super) fn list(request: &Request<'_>) -> Answer {
    let context = request.context;
    let listing = Listing {
        type_name: "comanagementEligibleDevice",
        columns: ELIGIBLE,
        places: context.world.devices.len(),
        at: &|place| Eligible::at(&context, place),
    };
    request.list("deviceManagement/comanagementEligibleDevices", &listing)
}
