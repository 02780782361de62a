//! The lengths that the schema asks for, judged for documents that no API server has seen.

use std::sync::OnceLock;

use diarchy_core::code::Code;
use diarchy_core::finding::FieldPath;
use diarchy_core::resource::Kind;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde::Serialize;
use serde_json::Value;

use super::Findings;
use crate::{CoManagementPolicy, DeviceGroup, Fleet, GitSource, WorkloadAssignment};

/// Reports texts and lists that are longer or shorter than the schema allows, unless something is
/// wrong with them anyhow.
pub(super) fn judge(findings: &mut Findings, kind: Kind, spec: &impl Serialize) {
    let Some(schema) = schema(kind) else { return };
    // A spec is made of structs, lists and texts, which always have a JSON form.
    let Ok(value) = serde_json::to_value(spec) else {
        return;
    };
    walk(findings, &FieldPath::of("spec"), schema, &value);
}

fn schema(kind: Kind) -> Option<&'static JSONSchemaProps> {
    static FLEET: OnceLock<Option<JSONSchemaProps>> = OnceLock::new();
    static GROUP: OnceLock<Option<JSONSchemaProps>> = OnceLock::new();
    static POLICY: OnceLock<Option<JSONSchemaProps>> = OnceLock::new();
    static ASSIGNMENT: OnceLock<Option<JSONSchemaProps>> = OnceLock::new();
    static SOURCE: OnceLock<Option<JSONSchemaProps>> = OnceLock::new();
    match kind {
        Kind::Fleet => FLEET.get_or_init(of_spec::<Fleet>),
        Kind::DeviceGroup => GROUP.get_or_init(of_spec::<DeviceGroup>),
        Kind::CoManagementPolicy => POLICY.get_or_init(of_spec::<CoManagementPolicy>),
        Kind::WorkloadAssignment => ASSIGNMENT.get_or_init(of_spec::<WorkloadAssignment>),
        Kind::GitSource => SOURCE.get_or_init(of_spec::<GitSource>),
        _ => return None,
    }
    .as_ref()
}

fn of_spec<K: CustomResourceExt>() -> Option<JSONSchemaProps> {
    let version = K::crd().spec.versions.into_iter().next()?;
    let root = version.schema?.open_api_v3_schema?;
    root.properties?.remove("spec")
}

fn walk(findings: &mut Findings, path: &FieldPath, schema: &JSONSchemaProps, value: &Value) {
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            let allowed = (schema.min_length, schema.max_length);
            judge_length(findings, path, allowed, length, "characters");
        }
        Value::Array(items) => {
            let allowed = (schema.min_items, schema.max_items);
            judge_length(findings, path, allowed, items.len(), "items");
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                for (at, item) in items.iter().enumerate() {
                    walk(findings, &path.index(at), schema, item);
                }
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let schema = schema.properties.as_ref().and_then(|all| all.get(key));
                if let Some(schema) = schema {
                    walk(findings, &path.key(key.clone()), schema, field);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn judge_length(
    findings: &mut Findings,
    path: &FieldPath,
    (least, most): (Option<i64>, Option<i64>),
    length: usize,
    unit: &str,
) {
    let limit = |limit: Option<i64>| limit.and_then(|limit| usize::try_from(limit).ok());
    let (problem, remedy) = match (limit(least), limit(most)) {
        (_, Some(most)) if length > most => (
            format!("there are {length} {unit}, and at most {most} are allowed"),
            format!("leave at most {most} {unit}"),
        ),
        (Some(least), _) if length < least => (
            format!("there are {length} {unit}, and at least {least} must be there"),
            "write what is meant, or leave the whole entry out".to_owned(),
        ),
        _ => return,
    };
    if !findings.mentions(path) {
        findings.add(Code::OutOfRange, path, problem, remedy);
    }
}
