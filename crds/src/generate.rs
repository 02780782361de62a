//! The custom resource definitions, and their YAML.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::{Number, Value};
use serde_saphyr::ser_options;

use crate::{
    Approval, CoManagementPolicy, DeviceGroup, Fleet, FleetRecord, GitSource, WorkloadAssignment,
};

/// Every definition, each after those that its resources refer to.
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![
        Fleet::crd(),
        DeviceGroup::crd(),
        CoManagementPolicy::crd(),
        WorkloadAssignment::crd(),
        Approval::crd(),
        GitSource::crd(),
        FleetRecord::crd(),
    ];
    for definition in &mut definitions {
        for version in &mut definition.spec.versions {
            let schema = version.schema.as_mut();
            if let Some(schema) = schema.and_then(|schema| schema.open_api_v3_schema.as_mut()) {
                tidy(schema);
            }
        }
    }
    definitions
}

/// Takes out what a derive says and an API server does not know or should not do.
fn tidy(schema: &mut JSONSchemaProps) {
    // A field is there or it is not: nothing here is written as null.
    schema.nullable = None;
    // Formats of integers that Kubernetes does not know; `minimum` says the same.
    if schema
        .format
        .as_deref()
        .is_some_and(|format| format.starts_with("uint"))
    {
        schema.format = None;
    }
    // The longest that RFC 3339 comes to, for times whose type says nothing of it.
    if schema.format.as_deref() == Some("date-time") {
        schema.max_length = schema.max_length.or(Some(64));
    }
    // A paragraph is one line for `kubectl explain`, however the source wraps it.
    if let Some(description) = &mut schema.description {
        *description = unwrap_lines(description);
    }
    for part in parts(schema) {
        tidy(part);
    }
}

/// The schemas that a schema is made of.
fn parts(schema: &mut JSONSchemaProps) -> impl Iterator<Item = &mut JSONSchemaProps> {
    let properties = schema
        .properties
        .iter_mut()
        .flat_map(|all| all.values_mut());
    let items: Vec<&mut JSONSchemaProps> = match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => vec![item],
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().collect(),
        None => Vec::new(),
    };
    let values = match &mut schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(value)) => Some(&mut **value),
        _ => None,
    };
    properties.chain(items).chain(values)
}

fn unwrap_lines(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Why a definition has no YAML.
#[derive(Debug, thiserror::Error)]
#[error("the definition of {name} has no YAML form")]
pub struct NotYaml {
    /// The definition.
    name: String,
    source: serde_saphyr::ser::Error,
}

/// The YAML of every definition, with the name of the file that holds it, such as
/// `fleets.diarchy.dev.yaml`. Always the same, byte for byte.
///
/// # Errors
///
/// If the YAML library cannot write a definition, which a test shows not to happen.
pub fn yaml() -> Result<Vec<(String, String)>, NotYaml> {
    all().iter().map(file).collect()
}

fn file(definition: &CustomResourceDefinition) -> Result<(String, String), NotYaml> {
    let name = definition.metadata.name.clone().unwrap_or_default();
    // Long lines stay whole, so that a changed word is a changed line and not a paragraph.
    let options = ser_options! { prefer_block_scalars: false };
    let text = serde_json::to_value(definition)
        .map_err(serde_saphyr::ser::Error::custom)
        .and_then(|value| serde_saphyr::to_string_with_options(&Node::from(value), options));
    match text {
        Ok(text) => Ok((format!("{name}.yaml"), text)),
        Err(source) => Err(NotYaml { name, source }),
    }
}

/// A value with its keys in order, whatever order the JSON library is built to keep, and with whole
/// numbers written as such.
#[derive(Serialize)]
#[serde(untagged)]
enum Node {
    Scalar(Value),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Map(
                fields
                    .into_iter()
                    .map(|(key, field)| (key, Self::from(field)))
                    .collect(),
            ),
            Value::Number(number) => Self::Scalar(whole(&number).unwrap_or(Value::Number(number))),
            scalar => Self::Scalar(scalar),
        }
    }
}

/// A number without decimals as an integer: limits are typed as floats.
fn whole(number: &Number) -> Option<Value> {
    let text = number.to_string();
    let integer: i64 = text.strip_suffix(".0")?.parse().ok()?;
    Some(integer.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn crds_on_disk_are_those_generated() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let generated = yaml().unwrap();
        if std::env::var_os("UPDATE").is_some() {
            for (name, text) in &generated {
                fs::write(folder.join(name), text).unwrap();
            }
        }
        let mut on_disk: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| Path::new(name).extension().is_some_and(|it| it == "yaml"))
            .collect();
        on_disk.sort();
        let mut names: Vec<String> = generated.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        assert_eq!(on_disk, names, "delete what is not generated any more");
        for (name, text) in generated {
            let found = fs::read_to_string(folder.join(&name)).unwrap();
            assert!(
                found == text,
                "{name} differs from the types: run `UPDATE=1 cargo test --release -p diarchy-crds \
                 crds_on_disk` or `diarchy crds --output crds`"
            );
        }
    }

    #[test]
    fn yaml_reads_back_as_what_was_written() {
        for (definition, (_, text)) in all().into_iter().zip(yaml().unwrap()) {
            let read: CustomResourceDefinition = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(read, definition);
        }
    }

    /// Every schema with its path, the root first.
    fn walk<'a>(
        path: &str,
        schema: &'a JSONSchemaProps,
        visit: &mut impl FnMut(&str, &'a JSONSchemaProps),
    ) {
        visit(path, schema);
        for (name, part) in schema.properties.iter().flatten() {
            walk(&format!("{path}.{name}"), part, visit);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            walk(&format!("{path}[]"), item, visit);
        }
    }

    fn visit_all(mut visit: impl FnMut(&str, &JSONSchemaProps)) {
        for definition in all() {
            let version = &definition.spec.versions[0];
            let schema = version.schema.as_ref().unwrap();
            let root = schema.open_api_v3_schema.as_ref().unwrap();
            walk(&definition.spec.names.kind, root, &mut visit);
        }
    }

    #[test]
    fn every_list_and_every_text_is_bounded() {
        visit_all(|path, schema| match schema.type_.as_deref() {
            Some("array") => {
                assert!(schema.max_items.is_some(), "{path} has no maxItems");
                assert!(
                    schema.x_kubernetes_list_type.is_some(),
                    "{path} has no list type"
                );
            }
            // Written by the API server's own rules.
            Some("string") if path.matches('.').count() == 1 => {}
            Some("string") => assert!(
                schema.max_length.is_some() || schema.enum_.is_some(),
                "{path} has no maxLength"
            ),
            Some("object" | "integer" | "boolean") => {}
            None => assert_eq!(schema.x_kubernetes_int_or_string, Some(true), "{path}"),
            Some(other) => panic!("{path} is of type {other}"),
        });
    }

    #[test]
    fn every_schema_is_structural() {
        visit_all(|path, schema| {
            assert!(schema.additional_properties.is_none(), "{path}");
            assert!(schema.nullable.is_none(), "{path}");
            assert!(schema.any_of.is_none() && schema.one_of.is_none(), "{path}");
            assert!(schema.all_of.is_none() && schema.not.is_none(), "{path}");
            assert!(schema.ref_path.is_none(), "{path}");
            assert!(
                schema.x_kubernetes_preserve_unknown_fields.is_none(),
                "{path}"
            );
            let values = schema.enum_.iter().flatten();
            assert!(values.clone().all(|value| value.0.is_string()), "{path}");
            assert!(
                schema
                    .format
                    .as_deref()
                    .is_none_or(|it| ["int32", "int64", "date-time"].contains(&it)),
                "{path}"
            );
        });
    }

    #[test]
    fn every_field_explains_itself() {
        visit_all(|path, schema| {
            let own = ["apiVersion", "kind", "metadata"]
                .iter()
                .any(|it| path.ends_with(it));
            if !path.ends_with("[]") && (!own || path.matches('.').count() > 1) {
                assert!(schema.description.is_some(), "{path} has no description");
            }
        });
    }

    #[test]
    fn every_rule_says_how_to_mend_it() {
        let mut rules = 0;
        visit_all(|path, schema| {
            for rule in schema.x_kubernetes_validations.iter().flatten() {
                rules += 1;
                assert!(rule.message.is_some(), "{path}: {}", rule.rule);
                let depth = |open: char, close: char| {
                    let count = |c: char| rule.rule.chars().filter(|it| *it == c).count();
                    count(open) == count(close)
                };
                assert!(depth('(', ')') && depth('[', ']'), "{path}: {}", rule.rule);
            }
        });
        assert!(rules > 20, "only {rules} rules");
    }

    #[test]
    fn what_must_not_change_is_immutable() {
        let mut immutable = Vec::new();
        visit_all(|path, schema| {
            let rules = schema.x_kubernetes_validations.iter().flatten();
            if rules.into_iter().any(|rule| rule.rule == "self == oldSelf") {
                immutable.push(path.to_owned());
            }
        });
        assert_eq!(
            immutable,
            [
                "DeviceGroup.spec.fleetRef",
                "CoManagementPolicy.spec.fleetRef",
                "WorkloadAssignment.spec.fleetRef",
                "WorkloadAssignment.spec.workload",
                "Approval.spec",
            ]
        );
    }

    #[test]
    fn no_workload_is_offered_that_cannot_be_assigned() {
        visit_all(|path, schema| {
            assert!(!path.contains("ResourceAccess"), "{path}");
            for value in schema.enum_.iter().flatten() {
                assert_ne!(value.0, "ResourceAccess", "{path}");
            }
        });
    }

    #[test]
    fn every_kind_has_its_names_and_columns() {
        for (definition, short) in all().into_iter().zip(["fl", "dg", "cmp", "wa", "ap", "gs"]) {
            let names = &definition.spec.names;
            assert_eq!(names.short_names, Some(vec![short.to_owned()]));
            assert_eq!(names.categories, Some(vec!["diarchy".to_owned()]));
            assert_eq!(definition.spec.scope, "Namespaced");
            let version = &definition.spec.versions[0];
            assert!(version.subresources.as_ref().unwrap().status.is_some());
            let columns = version.additional_printer_columns.as_ref().unwrap();
            let columns: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            assert_eq!(columns[..2], ["Ready", "Status"]);
            assert_eq!(columns.last(), Some(&"Age"));
        }
    }

    #[test]
    fn defaults_are_those_that_the_types_have() {
        let schema = |kind: &str| {
            let definition = all()
                .into_iter()
                .find(|it| it.spec.names.kind == kind)
                .unwrap();
            serde_json::to_value(&definition.spec.versions[0].schema).unwrap()
        };
        let fleet = schema("Fleet");
        let at = |pointer: &str| {
            let path = format!("/openAPIV3Schema/properties/spec/properties/{pointer}/default");
            fleet
                .pointer(&path)
                .unwrap_or_else(|| panic!("{path}"))
                .clone()
        };
        assert_eq!(at("suspend"), false);
        assert_eq!(at("mode"), "Enforce");
        assert_eq!(at("notifyClients"), "Never");
        assert_eq!(at("inventory")["staleAfter"], "30d");
        assert_eq!(at("guardrails")["maxChangedDevices"], "20%");
        assert_eq!(at("guardrails/properties/maxChangesPerHour"), 20_000);
        assert_eq!(
            at("intune/properties/endpoint"),
            "https://graph.microsoft.com"
        );
        assert_eq!(at("intune/properties/beta"), true);
    }
}
