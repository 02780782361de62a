//! What an assignment requires to be ready.

use diarchy_core::code::Code;
use diarchy_core::finding::FieldPath;
use diarchy_core::requirement::{IntuneObject, IntuneType, Requires};
use diarchy_core::resource::Kind;

use super::{Findings, each, forms};
use crate::requires::RequiresSpec;
use crate::schema::ESTATE_KINDS;
use crate::text::{Guid, Name, Statement};

/// Reads what must be ready. What cannot be judged in this version freezes the assignment, which is told.
pub(super) fn read(
    findings: &mut Findings,
    path: &FieldPath,
    specs: &[RequiresSpec],
) -> Option<Vec<Requires>> {
    let requires = each(path, specs, |path, spec| one(findings, path, spec))?;
    let frozen = requires.iter().find_map(|one| match one {
        Requires::Resource { kind, .. } => Some(*kind),
        Requires::Intune { .. } | Requires::Attested(_) => None,
    });
    if let Some(kind) = frozen {
        findings.add(
            Code::FrozenByRequires,
            path,
            format!(
                "kind `{kind}` is not carried out yet, so that nobody can say whether it is ready, and \
                 the assignment stays frozen"
            ),
            "prepare Intune by hand and require what you made there with `graph` and `id`, or leave the \
             assignment frozen",
        );
    }
    Some(requires)
}

/// Reads one of the three forms.
fn one(findings: &mut Findings, path: &FieldPath, spec: &RequiresSpec) -> Option<Requires> {
    let RequiresSpec {
        kind,
        name,
        graph,
        id,
        assigned_to,
        attest,
    } = spec;
    match (kind, name, graph, id, attest) {
        (Some(kind), Some(name), None, None, None) if assigned_to.is_none() => {
            resource(findings, path, kind, name)
        }
        (None, None, Some(of), Some(id), None) => {
            object(findings, path, of, id, assigned_to.as_ref())
        }
        (None, None, None, None, Some(text)) if assigned_to.is_none() => {
            attested(findings, &path.key("attest"), text)
        }
        _ => {
            findings.add(
                Code::RequiresForm,
                path,
                "this is none of what can be required, or more than one of them",
                "write `kind` and `name`, or `graph` and `id` with or without `assignedTo`, or `attest` \
                 alone",
            );
            None
        }
    }
}

fn resource(
    findings: &mut Findings,
    path: &FieldPath,
    written: &str,
    name: &Name,
) -> Option<Requires> {
    forms::name(findings, &path.key("name"), name.as_str());
    let kind = ESTATE_KINDS.into_iter().find(|kind| kind.name() == written);
    if kind.is_none() {
        findings.add(
            Code::UnknownValue,
            &path.key("kind"),
            format!("`{written}` is no kind that prepares Intune"),
            format!("write one of {}", ESTATE_KINDS.map(Kind::name).join(", ")),
        );
    }
    let name = name.to_string();
    kind.map(|kind| Requires::Resource { kind, name })
}

fn object(
    findings: &mut Findings,
    path: &FieldPath,
    written: &str,
    id: &Guid,
    assigned_to: Option<&Guid>,
) -> Option<Requires> {
    const GROUP: &str = "write the object id of the group, as Entra's overview page of it shows it";
    forms::object_guid(
        findings,
        &path.key("id"),
        id,
        "write the id of the object, as its address in the Intune admin center shows it",
    );
    if let Some(group) = assigned_to {
        forms::object_guid(findings, &path.key("assignedTo"), group, GROUP);
    }
    let of = IntuneType::named(written);
    if of.is_none() {
        let known: Vec<&str> = IntuneType::all().iter().map(|one| one.name).collect();
        findings.add(
            Code::UnknownValue,
            &path.key("graph"),
            format!("`{written}` is no type of object that can be required"),
            format!("write one of {}", known.join(", ")),
        );
    }
    let lower = |guid: &Guid| guid.as_str().to_ascii_lowercase();
    of.map(|of| Requires::Intune {
        object: IntuneObject { of, id: lower(id) },
        assigned_to: assigned_to.map(lower),
    })
}

fn attested(findings: &mut Findings, path: &FieldPath, text: &Statement) -> Option<Requires> {
    let written = text.as_str();
    if written.is_empty() {
        // Its length is judged with all others.
        return None;
    }
    if written.trim() != written || written.chars().any(char::is_control) {
        forms::invalid(
            findings,
            path,
            format!("{written:?} is not one line of text"),
            "write what a person attests on one line, without blanks at its ends",
        );
        return None;
    }
    Some(Requires::Attested(written.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixtures::{ASSIGNMENT, read_with};
    use super::*;
    use crate::WorkloadAssignment;

    const ID: &str = "0D7C2A34-9a0b-4b55-8f4e-2f1f9f2f6a01";
    const GROUP: &str = "5f1c0a52-58f7-4a1c-9f0e-0f3f0a7b9d11";

    fn read_one(entry: &Value) -> (Vec<String>, Vec<Requires>) {
        let changes = [("/spec/requires", json!([entry]))];
        let outcome = read_with::<WorkloadAssignment>(ASSIGNMENT, &changes);
        let assignments = outcome.resources.assignments.iter();
        let requires = assignments.flat_map(|one| one.requires.clone()).collect();
        (outcome.list(), requires)
    }

    #[test]
    fn reads_each_of_its_forms() {
        let object = IntuneObject {
            of: IntuneType::named("windowsUpdateForBusinessConfiguration").unwrap(),
            id: ID.to_lowercase(),
        };
        let ring = json!({ "graph": object.of.name, "id": ID });
        let read = |entry| read_one(&entry);
        assert_eq!(
            read(ring),
            (
                Vec::new(),
                vec![Requires::Intune {
                    object: object.clone(),
                    assigned_to: None
                }]
            )
        );
        let assigned = json!({ "graph": object.of.name, "id": ID, "assignedTo": GROUP });
        assert_eq!(
            read(assigned).1,
            [Requires::Intune {
                object,
                assigned_to: Some(GROUP.to_owned())
            }]
        );
        assert_eq!(
            read(json!({ "attest": "the helpdesk knows" })),
            (
                Vec::new(),
                vec![Requires::Attested("the helpdesk knows".to_owned())]
            )
        );
        assert_eq!(
            read(json!({ "kind": "UpdateRing", "name": "broad" })),
            (
                vec!["FrozenByRequires spec.requires".to_owned()],
                vec![Requires::Resource {
                    kind: Kind::UpdateRing,
                    name: "broad".to_owned()
                }]
            )
        );
    }

    #[test]
    fn refuses_what_is_none_of_them() {
        let ring = "windowsUpdateForBusinessConfiguration";
        let form = "RequiresForm spec.requires[0]";
        for (entry, expected) in [
            (json!({}), form),
            (json!({ "kind": "UpdateRing" }), form),
            (json!({ "name": "broad" }), form),
            (json!({ "graph": ring }), form),
            (json!({ "id": ID }), form),
            (json!({ "assignedTo": GROUP }), form),
            (json!({ "attest": "x", "assignedTo": GROUP }), form),
            (
                json!({ "kind": "UpdateRing", "name": "a", "attest": "x" }),
                form,
            ),
            (
                json!({ "kind": "UpdateRing", "name": "a", "assignedTo": GROUP }),
                form,
            ),
            (
                json!({ "kind": "UpdateRing", "name": "a", "graph": ring, "id": ID }),
                form,
            ),
            (json!({ "graph": ring, "id": ID, "attest": "x" }), form),
            (
                json!({ "graph": "updateRing", "id": ID }),
                "UnknownValue spec.requires[0].graph",
            ),
            (
                json!({ "graph": ring, "id": "1" }),
                "InvalidFormat spec.requires[0].id",
            ),
            (
                json!({ "graph": ring, "id": ID, "assignedTo": "all" }),
                "InvalidFormat spec.requires[0].assignedTo",
            ),
            (
                json!({ "attest": "" }),
                "OutOfRange spec.requires[0].attest",
            ),
            (
                json!({ "attest": "a".repeat(257) }),
                "OutOfRange spec.requires[0].attest",
            ),
            (
                json!({ "attest": " x" }),
                "InvalidFormat spec.requires[0].attest",
            ),
            (
                json!({ "attest": "x\ny" }),
                "InvalidFormat spec.requires[0].attest",
            ),
        ] {
            assert_eq!(
                read_one(&entry),
                (vec![expected.to_owned()], Vec::new()),
                "{entry}"
            );
        }
        assert_eq!(
            read_one(&json!({ "attest": "ä".repeat(256) })).0,
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_unknown_type_is_told_which_there_are() {
        let changes = [("/spec/requires", json!([{ "graph": "ring", "id": ID }]))];
        let outcome = read_with::<WorkloadAssignment>(ASSIGNMENT, &changes);
        let remedy = &outcome.findings[0].remedy;
        assert!(
            remedy.contains("windowsUpdateForBusinessConfiguration, "),
            "{remedy}"
        );
    }
}
