//! Every rule of the definitions, as the API server carries it out and as the user sees it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bench::stderr;
use crate::cluster::{ADMIN, Namespace, ok, with_definitions};
use crate::crds_documents::{Change, KINDS, changed};
use crate::crds_rule_cases::{Case, all};

/// A rule as the server holds it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    kind: String,
    path: String,
    message: String,
}

impl Rule {
    fn is_that_of(&self, case: &Case) -> bool {
        self.kind == case.kind && self.path == case.path && self.message.contains(case.says)
    }
}

/// The rules of the definitions that the server serves.
fn rules() -> BTreeSet<Rule> {
    let mut get = with_definitions().kubectl(&ADMIN);
    get.args(["get", "customresourcedefinitions", "-o", "json"]);
    let definitions: Value = serde_json::from_str(&ok(&mut get)).unwrap();
    let mut rules = BTreeSet::new();
    for definition in definitions["items"].as_array().unwrap() {
        let spec = &definition["spec"];
        if spec["group"] == "diarchy.dev" {
            let kind = spec["names"]["kind"].as_str().unwrap();
            for version in spec["versions"].as_array().unwrap() {
                collect(kind, "", &version["schema"]["openAPIV3Schema"], &mut rules);
            }
        }
    }
    rules
}

fn collect(kind: &str, path: &str, schema: &Value, into: &mut BTreeSet<Rule>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        into.insert(Rule {
            kind: kind.to_owned(),
            path: path.to_owned(),
            message: rule["message"].as_str().unwrap().to_owned(),
        });
    }
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        collect(kind, &format!("{path}.{name}"), part, into);
    }
    if schema["items"].is_object() {
        collect(kind, &format!("{path}[]"), &schema["items"], into);
    }
}

#[test]
fn every_rule_has_cases() {
    let (rules, cases) = (rules(), all());
    let untested: Vec<_> = rules
        .iter()
        .filter(|rule| cases.iter().filter(|case| rule.is_that_of(case)).count() != 1)
        .collect();
    assert!(untested.is_empty(), "not one case each: {untested:#?}");
    for case in &cases {
        let meant = rules.iter().filter(|rule| rule.is_that_of(case)).count();
        assert_eq!(meant, 1, "{} {}: {}", case.kind, case.path, case.says);
        assert!(
            !case.accepted.is_empty() && !case.refused.is_empty(),
            "{}",
            case.says
        );
    }
    assert!(rules.iter().all(|rule| KINDS.contains(&rule.kind.as_str())));
}

/// The documents of all cases that are, or are not, of objects that are stored already. Each has the
/// place of its case.
fn documents(
    cases: &[Case],
    of_stored: bool,
    lists: impl Fn(&Case) -> &Vec<Vec<Change>>,
) -> Vec<(usize, Value)> {
    let mut documents = Vec::new();
    for (at, case) in cases
        .iter()
        .enumerate()
        .filter(|(_, case)| case.of_stored == of_stored)
    {
        for (number, changes) in lists(case).iter().enumerate() {
            let name = format!("case-{at:02}-{number:02}");
            documents.push((at, changed(case.kind, &name, changes)));
        }
    }
    documents
}

/// Stores the objects that are about to be changed.
fn store(namespace: &Namespace, documents: &[(usize, Value)], cases: &[Case]) {
    let originals: Vec<Value> = documents
        .iter()
        .map(|(at, document)| {
            changed(
                cases[*at].kind,
                document["metadata"]["name"].as_str().unwrap(),
                &[],
            )
        })
        .collect();
    ok(&mut namespace.apply(&originals));
}

fn values(documents: &[(usize, Value)]) -> Vec<Value> {
    documents
        .iter()
        .map(|(_, document)| document.clone())
        .collect()
}

#[test]
fn a_rule_lets_pass_what_it_should() {
    let namespace = with_definitions().namespace();
    let cases = all();
    for of_stored in [false, true] {
        let documents = documents(&cases, of_stored, |case| &case.accepted);
        if of_stored {
            store(&namespace, &documents, &cases);
        }
        ok(namespace
            .apply(&values(&documents))
            .arg("--warnings-as-errors"));
    }
}

#[test]
fn a_rule_refuses_what_it_should_and_says_why() {
    let namespace = with_definitions().namespace();
    let cases = all();
    let mut told = BTreeSet::new();
    for of_stored in [false, true] {
        let documents = documents(&cases, of_stored, |case| &case.refused);
        if of_stored {
            store(&namespace, &documents, &cases);
        }
        let output = namespace.apply(&values(&documents)).output().unwrap();
        let refusals = namespace.refusals(&stderr(&output));
        for (at, document) in documents {
            let name = document["metadata"]["name"].as_str().unwrap();
            let (case, refusal) = (&cases[at], refusals.get(name));
            let refusal = refusal.unwrap_or_else(|| panic!("not refused: {document:#}"));
            assert!(refusal.contains(case.says), "{}: {refusal}", case.says);
            told.insert(format!("{} {refusal}", case.kind));
        }
    }
    insta::assert_snapshot!(told.into_iter().collect::<String>());
}
