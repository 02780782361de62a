//! What an assignment requires to be ready, and what is told of what is not.

use diarchy_core::requirement::IntuneType;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::text::{Guid, Name, Statement};

/// Something that must be ready first: a resource of the same namespace, an object of Intune, or what a
/// person attests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("(has(self.kind) ? 1 : 0) + (has(self.graph) ? 1 : 0) + (has(self.attest) ? 1 : 0) == 1")
        .message("one thing is required: write exactly one of `kind`, `graph` and `attest`"),
    validation = Rule::new("has(self.kind) == has(self.name)")
        .message("`kind` and `name` belong together"),
    validation = Rule::new("has(self.graph) == has(self.id)")
        .message("`graph` and `id` belong together"),
    validation = Rule::new("has(self.graph) || !has(self.assignedTo)")
        .message("`assignedTo` is for an object of Intune: write `graph` and `id`, or leave it out")
)]
pub struct RequiresSpec {
    /// The kind of a resource, one of those that prepare Intune.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    #[schemars(schema_with = "crate::schema::estate_kind")]
    pub kind: Option<String>,
    /// Its name.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    pub name: Option<Name>,
    /// The type of an object of Intune, as Microsoft Graph names it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    #[schemars(schema_with = "graph_type")]
    pub graph: Option<String>,
    /// Its id.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    pub id: Option<Guid>,
    /// The Entra group that it must be assigned to, by object id. Default: it need not be assigned.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    pub assigned_to: Option<Guid>,
    /// What no service tells, on one line: a person attests it with `diarchy approve`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::present::some"
    )]
    pub attest: Option<Statement>,
}

fn graph_type(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = IntuneType::all().iter().map(|one| one.name).collect();
    json_schema!({ "type": "string", "enum": names })
}

/// Something that is required and not ready, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnmetRequirement {
    /// What is required.
    #[schemars(length(max = 512))]
    pub what: String,
    /// What it lacks, such as `NotFound`.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// The same as a sentence.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// What to approve, where a person is to attest it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
}
