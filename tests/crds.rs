//! The custom resource definitions in a cluster: accepted, served, and enough for the example.

use std::process::Command;

use serde_json::Value;

use crate::bench::{copy_example, root};
use crate::cluster::{ADMIN, Namespace, ok, with_definitions};
use crate::crds_documents::{KINDS, smallest};
use crate::repository::Repository;

fn get(arguments: &[&str]) -> Value {
    let mut get = with_definitions().kubectl(&ADMIN);
    let shown = ok(get.arg("get").args(arguments).args(["-o", "json"]));
    serde_json::from_str(&shown).unwrap()
}

/// The definitions of group `diarchy.dev` that the server has.
pub fn definitions() -> Vec<Value> {
    let Value::Array(mut all) = get(&["customresourcedefinitions"])["items"].take() else {
        panic!("no list of definitions");
    };
    all.retain(|definition| definition["spec"]["group"] == "diarchy.dev");
    all
}

/// That they are applied without a warning is asserted where they are: without it no test here runs.
#[test]
fn the_definitions_are_structural_and_served() {
    let definitions = definitions();
    let kinds: Vec<&str> = definitions
        .iter()
        .map(|definition| definition["spec"]["names"]["kind"].as_str().unwrap())
        .collect();
    // The one that only the controller writes is beside those of users.
    let users: Vec<&str> = kinds
        .iter()
        .copied()
        .filter(|kind| *kind != "FleetRecord")
        .collect();
    assert_eq!(users, KINDS);
    assert_eq!(kinds.len(), KINDS.len() + 1, "{kinds:?}");
    for definition in &definitions {
        let name = &definition["metadata"]["name"];
        let status = |kind: &str| {
            let conditions = definition["status"]["conditions"].as_array().unwrap();
            let condition = conditions
                .iter()
                .find(|condition| condition["type"] == kind);
            condition.map(|condition| condition["status"].as_str().unwrap())
        };
        assert_eq!(status("Established"), Some("True"), "{name}");
        assert_eq!(status("NamesAccepted"), Some("True"), "{name}");
        // Said only of what is not.
        assert_eq!(status("NonStructuralSchema"), None, "{name}");
        assert_eq!(status("Terminating"), None, "{name}");
        assert_eq!(
            definition["status"]["storedVersions"],
            serde_json::json!(["v1alpha1"])
        );
    }
}

#[test]
fn the_smallest_document_of_every_kind_is_accepted() {
    let namespace = with_definitions().namespace();
    let documents: Vec<Value> = KINDS.map(smallest).into();
    ok(namespace.apply(&documents).arg("--warnings-as-errors"));
}

/// The example, whose documents are put into the test's namespace.
fn example(namespace: &Namespace) -> Repository {
    let repository = Repository::folder();
    copy_example(repository.path());
    repository.edit(
        "fleet.yaml",
        "namespace: contoso\n",
        &format!("namespace: {}\n", namespace.name),
    );
    repository
}

fn documents_in(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| match path.extension() {
            _ if path.is_dir() => documents_in(&path),
            Some(yaml) if yaml == "yaml" => {
                let text = std::fs::read_to_string(&path).unwrap();
                text.lines()
                    .filter(|line| line.starts_with("kind: "))
                    .count()
            }
            _ => 0,
        })
        .sum()
}

fn apply(namespace: &Namespace, repository: &Repository) -> Command {
    let mut apply = namespace.kubectl(&ADMIN);
    apply
        .args(["apply", "--server-side", "--warnings-as-errors"])
        .args(["--recursive", "-f"])
        .arg(repository.path());
    apply
}

#[test]
fn every_document_of_the_example_is_accepted() {
    let namespace = with_definitions().namespace();
    let applied = ok(&mut apply(&namespace, &example(&namespace)));
    let documents = documents_in(&root().join("examples/contoso"));
    assert!(documents > 20, "{documents}");
    assert_eq!(applied.lines().count(), documents, "{applied}");
    let mut get = namespace.kubectl(&ADMIN);
    let stored = ok(get.args(["get", "diarchy", "-o", "name"]));
    assert_eq!(stored.lines().count(), documents, "{stored}");
}

/// GitOps tools apply again and again: nothing may change by that.
#[test]
fn applying_the_example_again_changes_nothing() {
    let namespace = with_definitions().namespace();
    let repository = example(&namespace);
    let versions = || {
        ok(&mut apply(&namespace, &repository));
        let mut get = namespace.kubectl(&ADMIN);
        get.args(["get", "diarchy", "-o"]);
        ok(get.arg("jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion} {.metadata.generation}{\"\\n\"}{end}"))
    };
    assert_eq!(versions(), versions());
}
