//! Pieces of schema that no derive writes.

use diarchy_core::resource::Kind;
use diarchy_core::selector::Key;
use diarchy_core::workload::Workload;
use schemars::{JsonSchema as _, Schema, SchemaGenerator, json_schema};

use crate::text::{AmountText, NAME_PATTERN};

/// The kinds that an assignment may require: what prepares Intune before a switch.
pub const ESTATE_KINDS: [Kind; 8] = [
    Kind::UpdateRing,
    Kind::FeatureUpdate,
    Kind::CompliancePolicy,
    Kind::ConditionalAccessPolicy,
    Kind::AutopilotProfile,
    Kind::CoManagementSettings,
    Kind::CompanyPortal,
    Kind::EndpointAnalytics,
];

/// A workload that can be assigned; the word for the others is no value of it.
pub(crate) fn assignable_workload(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Workload::ASSIGNABLE.map(Workload::name) })
}

/// A kind that an assignment may require.
pub(crate) fn estate_kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ESTATE_KINDS.map(Kind::name) })
}

/// The pattern of a percentage above 0%.
const POSITIVE_PERCENT_PATTERN: &str =
    r"^(100(\.0{1,2})?|(0?[1-9]|[1-9][0-9])(\.[0-9]{1,2})?|0{1,2}\.(0[1-9]|[1-9][0-9]?))%$";

/// A number of devices that is not none. By its form and not by a rule: what a rule costs whose
/// value may be a number or a text, older API servers cannot bound.
pub(crate) fn positive_amount(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = AmountText::json_schema(generator);
    schema.insert("minimum".into(), 1.into());
    schema.insert("pattern".into(), POSITIVE_PERCENT_PATTERN.into());
    schema
}

/// The name of a service account; empty is none.
pub(crate) fn service_account(_: &mut SchemaGenerator) -> Schema {
    let pattern = NAME_PATTERN.trim_start_matches('^').trim_end_matches('$');
    json_schema!({ "type": "string", "maxLength": 253, "pattern": format!("^({pattern})?$") })
}

/// A moment: meta/v1.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// The conditions of a status: meta/v1, a map by type, with the limits of the original.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "description": "What the condition is about, such as `Ready`.",
                    "type": "string",
                    "maxLength": 316,
                },
                "status": {
                    "description": "Whether it holds.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "observedGeneration": {
                    "description": "The generation of the spec that it was judged by.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When its status last changed.",
                    "type": "string",
                    "format": "date-time",
                    "maxLength": 64,
                },
                "reason": {
                    "description": "Why, as one word in CamelCase.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why, in a sentence.",
                    "type": "string",
                    "maxLength": 32768,
                },
            },
        },
    })
}

/// What a requirement may look at.
pub(crate) fn attribute(_: &mut SchemaGenerator) -> Schema {
    let mut names = Key::names();
    names.retain(|name| !name.starts_with("labels/"));
    json_schema!({
        "type": "string",
        "maxLength": 128,
        "pattern": format!("^({}|labels/[\\s\\S]+)$", names.join("|")),
    })
}
