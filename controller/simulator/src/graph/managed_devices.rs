//! Intune's devices.

use serde_json::{Value, json};

use crate::columns::Context;
use crate::graph::managed_columns::MANAGED;
use crate::graph::{Listing, Request};
use crate::http::Answer;
use crate::moment::{DAY, Moment, text};
use crate::setup::{ClientIdentifier, Workload};
use crate::world::device::{Device, IntuneRecord, Kind, Trust};
use crate::world::people::{Person, person};
use uuid::Uuid;

/// One record of Intune.
pub(super) struct Managed {
    pub(super) device: usize,
    pub(super) record: IntuneRecord,
    pub(super) synced: Moment,
    capabilities: u8,
    /// An older record of the same machine.
    duplicate: bool,
}

impl Managed {
    /// The record at `place`: the devices, and after them the records that Intune did not forget.
    pub(super) fn at(context: &Context<'_>, place: usize) -> Option<Self> {
        let world = context.world;
        let count = world.devices.len();
        if let Some(device) = place.checked_sub(count) {
            let record = world.devices[device].intune_duplicate.clone()?;
            return Some(Self {
                device,
                synced: record.enrolled + 40 * DAY,
                record,
                capabilities: 5,
                duplicate: true,
            });
        }
        let device = &world.devices[place];
        let record = world.intune_record(device)?;
        let (synced, capabilities) = world.last_sync(device, &record);
        Some(Self {
            device: place,
            record,
            synced,
            capabilities,
            duplicate: false,
        })
    }

    pub(super) fn device<'a>(&self, context: &Context<'a>) -> &'a Device {
        &context.world.devices[self.device]
    }

    pub(super) fn user(&self, context: &Context<'_>) -> Option<Person> {
        let user = self.device(context).user?;
        Some(person(context.world.chance, user))
    }

    /// Whether a Configuration Manager client works beside Intune.
    pub(super) fn co_managed(&self, context: &Context<'_>) -> bool {
        let device = self.device(context);
        device.kind.has_client() && (device.kind.has_policy() || device.kind == Kind::EnrolledFirst)
    }

    pub(super) fn entra_id(&self, context: &Context<'_>) -> String {
        let device = self.device(context);
        device
            .entra
            .as_ref()
            .filter(|_| device.kind != Kind::Unregistered && !self.duplicate)
            .map_or(Uuid::nil(), |entra| entra.device_id)
            .to_string()
    }

    pub(super) fn client_identifier(&self, context: &Context<'_>) -> Option<String> {
        let device = self.device(context);
        if !self.co_managed(context) || device.no_client_id_in_intune || self.duplicate {
            return None;
        }
        let id = context.world.resources[device.resource?].client_id;
        let upper = id.to_string().to_uppercase();
        Some(match context.behaviour.client_identifier {
            ClientIdentifier::Prefixed => format!("GUID:{upper}"),
            ClientIdentifier::Upper => upper,
            ClientIdentifier::Lower => id.to_string(),
        })
    }

    pub(super) fn compliance(&self, context: &Context<'_>) -> &'static str {
        let intune_rules = self.capabilities & Workload::CompliancePolicies.bit() != 0;
        if self.co_managed(context) && !intune_rules {
            return "configManager";
        }
        context.world.verdict(self.device(context), self.synced)
    }

    /// Whether Entra lets it pass: until it was found wanting, and its days of grace are over.
    pub(super) fn counts_as_compliant(&self, context: &Context<'_>) -> bool {
        self.compliance(context) != "noncompliant"
    }

    pub(super) fn enabled_features(&self, context: &Context<'_>) -> Value {
        if !self.co_managed(context) {
            return Value::Null;
        }
        let intune = |workload: Workload| self.capabilities & workload.bit() != 0;
        let mut features = json!({
            "inventory": false,
            "modernApps": intune(Workload::ClientApps),
            "resourceAccess": intune(Workload::ResourceAccess),
            "deviceConfiguration": intune(Workload::DeviceConfiguration),
            "compliancePolicy": intune(Workload::CompliancePolicies),
            "windowsUpdateForBusiness": intune(Workload::WindowsUpdatePolicies),
        });
        if context.beta {
            let silent = context.world.is_silent(self.device);
            let value = |workload| {
                if silent {
                    Value::Null
                } else {
                    json!(intune(workload))
                }
            };
            features["endpointProtection"] = value(Workload::EndpointProtection);
            features["officeApps"] = value(Workload::OfficeClickToRun);
        }
        features
    }

    pub(super) fn health(&self, context: &Context<'_>) -> Value {
        if !self.co_managed(context) {
            return Value::Null;
        }
        let device = self.device(context);
        let (state, code) = if context.world.is_ill(device, self.synced) {
            // The name of the management point could not be resolved; an Edm.Int32, hence the sign.
            ("communicationError", 0x8007_2EE7_u32.cast_signed())
        } else {
            ("healthy", 0)
        };
        // The client's last talk with its management point, as far as Intune heard of it.
        let talked = context.world.rhythm(device).last_poll(self.synced);
        json!({"state": state, "errorCode": code, "lastSyncDateTime": text(talked)})
    }

    pub(super) fn enrollment_type(&self, context: &Context<'_>) -> &'static str {
        match self.device(context).kind {
            Kind::Phone | Kind::WorkplaceJoined => "userEnrollment",
            Kind::IntuneOnly | Kind::EnrolledFirst => "windowsAzureADJoin",
            _ => "windowsCoManagement",
        }
    }

    pub(super) fn join_type(&self, context: &Context<'_>) -> &'static str {
        match self.device(context).entra.as_ref().map(|entra| entra.trust) {
            Some(Trust::Hybrid) => "hybridAzureADJoined",
            Some(Trust::Entra) => "azureADJoined",
            Some(Trust::Workplace) => "azureADRegistered",
            None => "unknown",
        }
    }

    pub(super) fn device_type(&self, context: &Context<'_>) -> &'static str {
        match self.device(context).phone_system() {
            Some("iOS") => "iPhone",
            Some(_) => "androidEnterprise",
            None => "windowsRT",
        }
    }
}

/// GET managedDevices.
pub(super) fn list(request: &Request<'_>) -> Answer {
    let context = request.context;
    let listing = Listing {
        type_name: "managedDevice",
        columns: MANAGED,
        places: context.world.devices.len() * 2,
        at: &|place| Managed::at(&context, place),
    };
    request.list("deviceManagement/managedDevices", &listing)
}

/// GET managedDevices/{id}.
pub(super) fn by_id(request: &Request<'_>, id: &str) -> Answer {
    let context = request.context;
    let found = (0..context.world.devices.len() * 2)
        .filter_map(|place| Managed::at(&context, place))
        .find(|row| row.record.id.to_string().eq_ignore_ascii_case(id));
    match found {
        Some(row) => request.one(
            "deviceManagement/managedDevices",
            "managedDevice",
            MANAGED,
            &row,
        ),
        None => request.error(404, "ResourceNotFound", "The device was not found."),
    }
}
