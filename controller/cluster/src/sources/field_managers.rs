//! Who holds which field of an object, as the API server keeps account of it.
//!
//! Everybody who writes is a field manager. One that used server-side Apply has said what it wants to
//! hold, and is let be. One that only edited has not: git's word goes before it.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::core::Status;
use serde_json::{Map, Value};

/// Who applies what git has, as field managers are named.
pub const MANAGER: &str = "diarchy-source";

const SPEC: &str = "f:spec";

/// A field that somebody else has applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldField {
    /// Where it is, in the server's words: `.spec.priority`.
    pub path: String,
    /// By whom.
    pub by: String,
}

impl fmt::Display for HeldField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.path.trim_start_matches('.');
        write!(f, "{field} is held by {}", self.by)
    }
}

/// The fields that others have applied and that an apply would change; none if all were only edited.
///
/// `refusal` is the server's answer to an apply without force. For a field that was edited it says
/// how and when (`using`), for one that was applied only by whom.
pub fn applied_by_others(refusal: &Status) -> Vec<HeldField> {
    let causes = refusal.details.as_ref().map(|details| &details.causes[..]);
    let mut fields: Vec<HeldField> = Vec::new();
    for cause in causes.unwrap_or_default() {
        if cause.message.contains("\" using ") {
            continue;
        }
        let by = cause.message.trim_start_matches("conflict with ");
        match fields.iter_mut().find(|field| field.path == cause.field) {
            Some(field) => field.by = format!("{} and {by}", field.by),
            None => fields.push(HeldField {
                path: cause.field.clone(),
                by: by.to_owned(),
            }),
        }
    }
    fields
}

/// Whether this is the refusal of an apply because of fields of others.
pub fn is_conflict(refusal: &Status) -> bool {
    let causes = refusal.details.as_ref().map(|details| &details.causes[..]);
    refusal.is_conflict()
        && causes
            .unwrap_or_default()
            .iter()
            .any(|cause| cause.reason == "FieldManagerConflict")
}

/// The account in which whatever others have edited in the spec belongs to us, so that the next apply
/// takes out what git does not have. None if nobody has edited it.
pub fn taken_over(entries: &[ManagedFieldsEntry]) -> Option<Vec<ManagedFieldsEntry>> {
    let own = entries.iter().position(is_own)?;
    let mut entries = entries.to_vec();
    let mut taken = Map::new();
    for entry in &mut entries {
        let is_edit = entry.operation.as_deref() == Some("Update") && entry.subresource.is_none();
        if is_edit
            && let Some(FieldsV1(Value::Object(fields))) = &mut entry.fields_v1
            && let Some(Value::Object(spec)) = fields.remove(SPEC)
        {
            unite(&mut taken, spec);
        }
    }
    if taken.is_empty() {
        return None;
    }
    if let Some(FieldsV1(Value::Object(fields))) = &mut entries[own].fields_v1 {
        let spec = fields
            .entry(SPEC)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(spec) = spec {
            unite(spec, taken);
        }
    }
    // An entry without a field is none.
    entries.retain(|entry| match &entry.fields_v1 {
        Some(FieldsV1(Value::Object(fields))) => !fields.is_empty(),
        _ => true,
    });
    Some(entries)
}

/// Others who have applied a part of the spec.
pub fn others(entries: &[ManagedFieldsEntry]) -> Vec<&str> {
    entries
        .iter()
        .filter(|entry| entry.operation.as_deref() == Some("Apply") && !is_own(entry))
        .filter(|entry| {
            let fields = entry.fields_v1.as_ref();
            fields.is_some_and(|fields| fields.0.get(SPEC).is_some())
        })
        .filter_map(|entry| entry.manager.as_deref())
        .collect()
}

fn is_own(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(MANAGER)
        && entry.operation.as_deref() == Some("Apply")
        && entry.subresource.is_none()
}

/// Adds the fields of `other`, which are kept as a tree.
fn unite(fields: &mut Map<String, Value>, other: Map<String, Value>) {
    for (name, below) in other {
        match (fields.get_mut(&name), below) {
            (Some(Value::Object(known)), Value::Object(below)) => unite(known, below),
            (Some(_), _) => {}
            (None, below) => {
                fields.insert(name, below);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::response::{StatusCause, StatusDetails};
    use serde_json::json;

    use super::*;

    fn refusal(messages: &[&str]) -> Status {
        let causes = messages.iter().map(|message| StatusCause {
            reason: "FieldManagerConflict".to_owned(),
            message: (*message).to_owned(),
            field: ".spec.priority".to_owned(),
        });
        let details = StatusDetails {
            name: "office".to_owned(),
            group: "diarchy.dev".to_owned(),
            kind: "workloadassignments".to_owned(),
            uid: String::new(),
            causes: causes.collect(),
            retry_after_seconds: 0,
        };
        Status::failure("Apply failed", "Conflict")
            .with_code(409)
            .with_details(details)
    }

    #[test]
    fn an_edit_is_told_from_an_apply() {
        let edit =
            "conflict with \"kubectl-edit\" using diarchy.dev/v1alpha1 at 2026-11-25T10:00:00Z";
        let apply = "conflict with \"console\"";
        assert!(is_conflict(&refusal(&[edit])));
        assert_eq!(applied_by_others(&refusal(&[edit])), []);
        let held = |messages: &[&str]| -> Vec<String> {
            let fields = applied_by_others(&refusal(messages));
            fields.iter().map(ToString::to_string).collect()
        };
        let by_console = "spec.priority is held by \"console\"";
        assert_eq!(held(&[edit, apply]), [by_console]);
        // A field may have several holders.
        let another = "conflict with \"other\"";
        assert_eq!(
            held(&[apply, another]),
            [format!("{by_console} and \"other\"")]
        );
        assert!(!is_conflict(&refusal(&[])));
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            operation: Some(operation.to_owned()),
            fields_v1: Some(FieldsV1(fields)),
            ..ManagedFieldsEntry::default()
        }
    }

    #[test]
    fn what_was_edited_in_the_spec_is_taken_over_and_nothing_else() {
        let own = entry(MANAGER, "Apply", json!({ "f:spec": { "f:a": {} } }));
        let edit = entry(
            "kubectl-edit",
            "Update",
            json!({ "f:metadata": { "f:labels": { "f:x": {} } }, "f:spec": { "f:b": { "f:c": {} } } }),
        );
        let bare = entry(
            "other",
            "Update",
            json!({ "f:spec": { "f:b": { "f:d": {} } } }),
        );
        let console = entry("console", "Apply", json!({ "f:spec": { "f:e": {} } }));
        let entries = [own.clone(), edit, bare, console.clone()];
        let taken = taken_over(&entries).unwrap();
        assert_eq!(
            taken,
            [
                entry(
                    MANAGER,
                    "Apply",
                    json!({ "f:spec": { "f:a": {}, "f:b": { "f:c": {}, "f:d": {} } } })
                ),
                entry(
                    "kubectl-edit",
                    "Update",
                    json!({ "f:metadata": { "f:labels": { "f:x": {} } } })
                ),
                console.clone(),
            ]
        );
        assert_eq!(others(&entries), ["console"]);
        assert_eq!(taken_over(&[own, console]), None);
        assert_eq!(taken_over(&[]), None);
    }
}
