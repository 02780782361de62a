//! New definitions over objects that are stored already, as docs/upgrading.md promises it.
//!
//! Under a group of its own, each test has definitions that are older than the present ones: with
//! fewer fields, and with fewer rules.

use serde_json::{Value, json};

use crate::bench::{root, stderr};
use crate::cluster::{ADMIN, Namespace, ok, with_definitions};
use crate::crds::definitions;
use crate::crds_documents::{self, changed, largest};

/// Fields that the older definitions do not have: optional ones, as any that is added must be.
const ADDED: [(&str, &str); 6] = [
    ("Fleet", "/spec/notifyClients"),
    ("Fleet", "/spec/guardrails/freeze"),
    ("DeviceGroup", "/spec/exclude"),
    ("WorkloadAssignment", "/spec/admitWhen"),
    ("WorkloadAssignment", "/spec/rollout/window"),
    ("WorkloadAssignment", "/status/rejectedSpec"),
];

const KINDS: [&str; 4] = [
    "Fleet",
    "DeviceGroup",
    "CoManagementPolicy",
    "WorkloadAssignment",
];

/// A group of one test, with definitions and objects of its own.
struct Installed {
    group: String,
    namespace: Namespace<'static>,
}

impl Installed {
    /// With the present definitions after `age` has made them older.
    fn of_age(age: impl Fn(&mut Value)) -> Self {
        let installed = Self {
            group: format!("test-{:08x}.diarchy.dev", rand::random::<u32>()),
            namespace: with_definitions().namespace(),
        };
        installed.install(age);
        installed
    }

    /// Applies the present definitions over those that are there.
    fn upgrade(&self) {
        self.install(|_| ());
    }

    fn install(&self, age: impl Fn(&mut Value)) {
        let definitions = definitions().into_iter().map(|mut definition| {
            let mut spec = definition["spec"].take();
            age(&mut spec);
            spec["group"] = self.group.as_str().into();
            // No other test shall take these for the real ones.
            let kind = spec["names"]["kind"].as_str().unwrap().to_owned();
            spec["names"] = names_of_old(&kind);
            let name = self.name_of_old(&kind);
            json!({
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": { "name": name },
                "spec": spec,
            })
        });
        let definitions: Vec<Value> = definitions.collect();
        ok(&mut self.namespace.apply(&definitions));
        let texts: Vec<String> = definitions.iter().map(Value::to_string).collect();
        let mut wait = self.namespace.kubectl(&ADMIN);
        wait.args(["wait", "--for=condition=Established", "--timeout=60s", "-f"]);
        ok(wait.arg(self.namespace.file(&texts.join("\n---\n"))));
    }

    /// A definition's name.
    fn name_of_old(&self, kind: &str) -> String {
        format!("old{}s.{}", kind.to_lowercase(), self.group)
    }

    fn own(&self, mut document: Value) -> Value {
        document["apiVersion"] = format!("{}/v1alpha1", self.group).into();
        document["kind"] = format!("Old{}", document["kind"].as_str().unwrap()).into();
        document
    }

    fn get(&self, kind: &str) -> Value {
        let kind = format!("old{}.{}", kind.to_lowercase(), self.group);
        let mut get = self.namespace.kubectl(&ADMIN);
        let shown = ok(get.args(["get", &kind, "contoso", "-o", "json"]));
        serde_json::from_str(&shown).unwrap()
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let names = crds_documents::KINDS.map(|kind| self.name_of_old(kind));
        let mut delete = self.namespace.kubectl(&ADMIN);
        delete.args([
            "delete",
            "customresourcedefinitions",
            "--ignore-not-found",
            "--wait=false",
        ]);
        drop(delete.args(names).output());
    }
}

fn names_of_old(kind: &str) -> Value {
    let singular = format!("old{}", kind.to_lowercase());
    json!({
        "kind": format!("Old{kind}"),
        "listKind": format!("Old{kind}List"),
        "singular": singular,
        "plural": format!("{singular}s"),
    })
}

/// Where a field's schema is within a definition's spec.
fn place_in_schema(field: &str) -> (String, String) {
    let (parent, name) = field.rsplit_once('/').unwrap();
    let parent = parent.replace('/', "/properties/");
    (
        format!("/versions/0/schema/openAPIV3Schema{parent}"),
        name.to_owned(),
    )
}

fn without_added_fields(spec: &mut Value) {
    let kind = spec["names"]["kind"].as_str().unwrap().to_owned();
    for (_, field) in ADDED.iter().filter(|(of, _)| *of == kind) {
        let (parent, name) = place_in_schema(field);
        let parent = spec.pointer_mut(&parent).unwrap();
        let removed = parent["properties"].as_object_mut().unwrap().remove(&name);
        assert!(removed.is_some(), "{kind} has no {field}");
        // A default of the whole object names its fields too.
        if let Some(default) = parent.get_mut("default") {
            default.as_object_mut().unwrap().remove(&name);
        }
        // Nor did a rule know of it.
        if let Some(rules) = parent.get_mut("x-kubernetes-validations") {
            let rules = rules.as_array_mut().unwrap();
            rules.retain(|rule| !rule["rule"].as_str().unwrap().contains(&name));
        }
    }
}

fn without_rules(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.remove("x-kubernetes-validations");
            fields.values_mut().for_each(without_rules);
        }
        Value::Array(items) => items.iter_mut().for_each(without_rules),
        _ => {}
    }
}

/// A document as somebody wrote it before there were these fields.
fn before(kind: &str) -> Value {
    let mut document = largest(kind);
    for (_, field) in ADDED.iter().filter(|(of, _)| *of == kind) {
        let (parent, name) = field.rsplit_once('/').unwrap();
        if let Some(Value::Object(parent)) = document.pointer_mut(parent) {
            parent.remove(name);
        }
    }
    document
}

#[test]
fn what_was_stored_before_stays_as_it_was_and_gets_the_new_defaults() {
    let installed = Installed::of_age(without_added_fields);
    let documents = KINDS.map(|kind| installed.own(before(kind)));
    ok(&mut installed.namespace.apply(&documents));
    let mut state = installed.own(before("WorkloadAssignment"));
    state.as_object_mut().unwrap().remove("spec");
    state["status"] = json!({ "devices": { "selected": 3 }, "rollout": { "phase": "Soaking" } });
    ok(installed
        .namespace
        .apply(&[state])
        .args(["--subresource", "status"]));
    let stored = KINDS.map(|kind| installed.get(kind));
    assert_eq!(stored[0]["spec"].get("notifyClients"), None);

    installed.upgrade();

    let mut added = KINDS.map(|kind| installed.get(kind));
    // The new fields that have defaults show them; nothing else differs, not even a version.
    for (object, field) in [
        (0, "/spec/notifyClients"),
        (0, "/spec/guardrails/freeze"),
        (1, "/spec/exclude"),
    ] {
        let (parent, name) = field.rsplit_once('/').unwrap();
        let parent = added[object].pointer_mut(parent).unwrap();
        let default = parent.as_object_mut().unwrap().remove(name);
        assert!(default.is_some(), "{field} has no default");
    }
    assert_eq!(added, stored);
    // And they can be written from now on.
    let documents = KINDS.map(|kind| installed.own(largest(kind)));
    ok(&mut installed.namespace.apply(&documents));
}

#[test]
fn what_a_new_rule_refuses_stays_until_it_is_changed() {
    let installed = Installed::of_age(without_rules);
    let nobody = || {
        installed.own(changed(
            "DeviceGroup",
            "contoso",
            &[("/spec/devices", json!([]))],
        ))
    };
    ok(&mut installed.namespace.apply(&[nobody()]));

    installed.upgrade();

    assert_eq!(installed.get("DeviceGroup")["spec"]["devices"], json!([]));
    // What says nothing of the group's devices is as free as before.
    let mut state = nobody();
    state.as_object_mut().unwrap().remove("spec");
    state["status"] = json!({ "members": 0 });
    ok(installed
        .namespace
        .apply(&[state])
        .args(["--subresource", "status"]));
    let mut labelled = nobody();
    labelled["metadata"]["labels"] = json!({ "team": "workplace" });
    ok(&mut installed.namespace.apply(&[labelled.clone()]));
    // A change of what the rule is about must obey it; so must a new object.
    labelled["spec"]["exclude"] = json!([{ "name": "pilots" }]);
    let mut new = nobody();
    new["metadata"]["name"] = "fabrikam".into();
    for document in [labelled, new] {
        let output = installed.namespace.apply(&[document]).output().unwrap();
        assert!(
            stderr(&output).contains("has nobody"),
            "{}",
            stderr(&output)
        );
    }
    let mended = installed.own(changed("DeviceGroup", "contoso", &[]));
    ok(&mut installed.namespace.apply(&[mended]));
}

#[test]
fn going_back_hides_new_fields_until_the_next_write_loses_them() {
    let installed = Installed::of_age(|_| ());
    let documents = KINDS.map(|kind| installed.own(largest(kind)));
    ok(&mut installed.namespace.apply(&documents));
    let window = || installed.get("WorkloadAssignment")["spec"]["rollout"]["window"].take();
    assert_ne!(window(), Value::Null);

    installed.install(without_added_fields);
    assert_eq!(window(), Value::Null);
    installed.upgrade();
    assert_ne!(window(), Value::Null, "it was hidden, not lost");

    installed.install(without_added_fields);
    let resource = format!("oldworkloadassignment.{}/contoso", installed.group);
    let mut label = installed.namespace.kubectl(&ADMIN);
    ok(label.args(["label", &resource, "team=workplace"]));
    installed.upgrade();
    assert_eq!(window(), Value::Null);
}

#[test]
fn the_page_about_upgrading_shows_the_command_that_is_tested() {
    let page = std::fs::read_to_string(root().join("docs/upgrading.md")).unwrap();
    let command = "diarchy crds | kubectl apply --server-side -f -";
    assert!(page.lines().any(|line| line == command), "{page}");
}
