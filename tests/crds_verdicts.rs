//! What the API server and `diarchy validate` say of the same document.
//!
//! Whatever `validate` lets pass, a cluster must take: else a revision that was found right cannot be
//! applied. The other way round, a cluster refuses what a schema and its rules can express; the rest
//! is in [`ONLY_VALIDATE`].

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Value, json};

use crate::bench::{stderr, stdout};
use crate::cluster::{Namespace, with_definitions};
use crate::crds_documents::{change, changed, largest};
use crate::crds_rule_cases;
use crate::crds_values::instead_of;
use crate::repository::Repository;

/// The kinds that stand in repositories.
const KINDS: [&str; 5] = [
    "Fleet",
    "GitSource",
    "CoManagementPolicy",
    "DeviceGroup",
    "WorkloadAssignment",
];

/// What only `validate` can know of: the end of a place, or all places; a code; which values, or all
/// of them; and why.
const ONLY_VALIDATE: [(&str, &str, &[&str], &str); 8] = [
    (
        "",
        "DIA13",
        &[],
        "other resources are not part of the document",
    ),
    (
        "timeZone",
        "DIA1111",
        &[],
        "the time zones there are would make a long list",
    ),
    (
        "",
        "DIA1213",
        &[],
        "the cost of comparing steps cannot be bounded",
    ),
    (
        "",
        "DIA1112",
        &["999999999999999999999d"],
        "a pattern does not add up",
    ),
    (
        "",
        "DIA1113",
        &["0.0000000001ns"],
        "a pattern does not round",
    ),
    ("", "DIA1108", &["1.0"], "JSON does not tell 1.0 from 1"),
    (
        "",
        "DIA1112",
        &["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00"],
        "the last day that can be added to and taken from",
    ),
    (
        "",
        "DIA1112",
        &[
            "https://x:99999",
            "https://x%20y",
            "https://x\u{a0}y",
            "https://x/\u{a0}",
            "https://x/\u{2028}",
            "http://127.0.0.256",
        ],
        "a pattern is no parser of addresses",
    ),
];

/// How many documents of a test stand in one file, each on a line of its own.
const BATCH: usize = 200;
const SEPARATOR: &str = "\n---\n";

/// Why the server refuses documents, by their names. Those that it takes are not there.
fn refused_by_server(namespace: &Namespace, documents: &[Value]) -> BTreeMap<String, String> {
    // Several commands at a time, since each waits for its answers one by one.
    thread::scope(|scope| {
        let running: Vec<_> = documents
            .chunks(documents.len().div_ceil(8).max(1))
            .map(|batch| {
                scope.spawn(|| {
                    let output = namespace.apply(batch).arg("--dry-run=server").output();
                    namespace.refusals(&stderr(&output.unwrap()))
                })
            })
            .collect();
        let refusals = running.into_iter().map(|one| one.join().unwrap());
        refusals.flatten().collect()
    })
}

/// The codes for which `diarchy validate` refuses documents, by their names. Each document stands in
/// a fleet of its own beside what it refers to, and on a line of its own.
fn refused_by_validate(documents: &[Value]) -> BTreeMap<String, Vec<String>> {
    let repository = Repository::folder();
    for (file, batch) in documents.chunks(BATCH).enumerate() {
        let (mut cases, mut beside) = (Vec::new(), Vec::new());
        for (at, document) in batch.iter().enumerate() {
            let within = |mut document: Value| {
                document["metadata"]["namespace"] = format!("case-{file}-{at}").into();
                document.to_string()
            };
            cases.push(within(document.clone()));
            beside.push(within(changed("DeviceGroup", "laptops", &[])));
            beside.push(within(changed("DeviceGroup", "pilots", &[])));
            if document["kind"] != "Fleet" {
                beside.push(within(changed("Fleet", "contoso", &[])));
            }
        }
        repository.write(&format!("{file}.yaml"), cases.join(SEPARATOR));
        repository.write(&format!("beside-{file}.yaml"), beside.join(SEPARATOR));
    }
    let output = repository.run("validate", &["--working-tree", "-o", "json"]);
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let mut refusals: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in answer["findings"].as_array().unwrap() {
        let file = finding["file"].as_str().unwrap().strip_suffix(".yaml");
        let line = usize::try_from(finding["line"].as_u64().unwrap()).unwrap();
        if finding["severity"] == "error"
            && let Ok(file) = file.unwrap().parse::<usize>()
        {
            let document = &documents[file * BATCH + (line - 1) / 2];
            let code = finding["code"].as_str().unwrap().to_owned();
            refusals.entry(name_of(document)).or_default().push(code);
        }
    }
    refusals
}

fn name_of(document: &Value) -> String {
    document["metadata"]["name"].as_str().unwrap().to_owned()
}

/// A document that may be wrong, and what is written where.
struct Trial {
    document: Value,
    place: String,
    value: Value,
}

impl Trial {
    /// Whether `validate` may refuse it for these reasons where the server cannot.
    fn is_for_validate(&self, codes: &[String]) -> bool {
        let written = match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        codes.iter().all(|code| {
            ONLY_VALIDATE.iter().any(|(place, of, values, _)| {
                self.place.ends_with(place)
                    && code.starts_with(of)
                    && (values.is_empty() || values.contains(&written.as_str()))
            })
        })
    }
}

/// Asserts that both say the same of every trial. How many they refused.
fn assert_same_verdicts(trials: &[Trial]) -> usize {
    let namespace = with_definitions().namespace();
    let documents: Vec<Value> = trials.iter().map(|trial| trial.document.clone()).collect();
    let by_server = refused_by_server(&namespace, &documents);
    let by_validate = refused_by_validate(&documents);
    let mut differences = Vec::new();
    for trial in trials {
        let name = name_of(&trial.document);
        let (what, value) = (&trial.document["kind"], &trial.value);
        let what = format!("{what} {} = {value}", trial.place);
        match (by_server.get(&name), by_validate.get(&name)) {
            (Some(cause), None) => differences.push(format!("only the server: {what}: {cause}")),
            (None, Some(codes)) if !trial.is_for_validate(codes) => {
                differences.push(format!("only validate: {what}: {codes:?}"));
            }
            _ => {}
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    by_server.len()
}

/// Every place in a value, itself first, with what stands there.
fn places<'v>(pointer: &str, value: &'v Value) -> Vec<(String, &'v Value)> {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, part)| (key.clone(), part))
            .collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(at, part)| (at.to_string(), part)).collect()
        }
        _ => Vec::new(),
    };
    let inner = parts
        .into_iter()
        .flat_map(|(key, part)| places(&format!("{pointer}/{key}"), part));
    std::iter::once((pointer.to_owned(), value))
        .chain(inner)
        .collect()
}

/// Documents that name every field, with another value at one place, or nothing there at all.
fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in KINDS {
        let whole = largest(kind);
        for (place, value) in places("/spec", &whole["spec"]) {
            let nothing = std::iter::once(Value::Null);
            for value in nothing.chain(instead_of(value)) {
                let mut document = whole.clone();
                change(&mut document, &place, &value);
                trials.push(Trial {
                    document,
                    place: place.clone(),
                    value,
                });
            }
        }
    }
    named(trials)
}

/// Gives every document a name of its own; that of a fleet is part of what it is.
fn named(mut trials: Vec<Trial>) -> Vec<Trial> {
    for (at, trial) in trials.iter_mut().enumerate() {
        if trial.place != "/metadata/name" {
            trial.document["metadata"]["name"] = format!("case-{at}").into();
        }
    }
    trials
}

#[test]
fn a_value_is_refused_by_both_or_by_none() {
    let trials = trials();
    let refused = assert_same_verdicts(&trials);
    println!("{} documents, {refused} refused", trials.len());
    assert!(refused > 500 && trials.len() - refused > 100, "{refused}");
}

#[test]
fn the_cases_of_a_rule_are_judged_by_both_alike() {
    let mut trials = Vec::new();
    for case in crds_rule_cases::all() {
        if KINDS.contains(&case.kind) && !case.of_stored {
            for changes in case.accepted.iter().chain(&case.refused) {
                trials.push(Trial {
                    document: changed(case.kind, "", changes),
                    place: case.path.clone(),
                    value: json!(changes.iter().map(|(_, value)| value).collect::<Vec<_>>()),
                });
            }
        }
    }
    let refused = assert_same_verdicts(&named(trials));
    assert!(refused > 50, "{refused}");
}

#[test]
fn what_a_document_says_of_itself_is_judged_by_both_alike() {
    let long = |length: usize| "x".repeat(length);
    let labels = [
        json!({ "team": "workplace" }),
        json!({ "contoso.com/team": "" }),
        json!({ "contoso.com/team": "a.b_c-D" }),
        json!({ "Contoso.com/team": "x" }),
        json!({ "a b": "x" }),
        json!({ "team": "a b" }),
        json!({ "team": "-a" }),
        json!({ "": "x" }),
        json!({ "/team": "x" }),
        json!({ "contoso.com/": "x" }),
        json!({ "a/b/c": "x" }),
        json!({ long(63): long(63) }),
        json!({ long(64): "x" }),
        json!({ "team": long(64) }),
        json!({ format!("{}/x", long(254)): "x" }),
    ];
    let names = [
        "a", "a.b", "a-b.c", "A", "a_b", "a..b", "-a", "a-", "a b", "é",
    ];
    let mut trials = Vec::new();
    let mut add = |place: &str, value: Value| {
        let mut document = changed("DeviceGroup", "", &[]);
        change(&mut document, place, &value);
        trials.push(Trial {
            document,
            place: place.to_owned(),
            value,
        });
    };
    for value in labels {
        add("/metadata/labels", value.clone());
        add("/metadata/annotations", value);
    }
    add(
        "/metadata/annotations",
        json!({ "notes": long(256 * 1024 - 5) }),
    );
    add(
        "/metadata/annotations",
        json!({ "notes": long(256 * 1024 - 4) }),
    );
    for name in names {
        add("/metadata/name", json!(name));
    }
    add("/metadata/name", json!(long(253)));
    add("/metadata/name", json!(long(254)));
    assert!(assert_same_verdicts(&named(trials)) > 20);
}

/// The server takes an empty value for one that was left out where there is a default, and refuses it
/// elsewhere. In a repository it is a slip everywhere.
#[test]
fn an_empty_value_is_refused_by_validate() {
    let mut documents = Vec::new();
    let mut where_ = BTreeMap::new();
    for kind in KINDS {
        let whole = largest(kind);
        for (place, _) in places("/spec", &whole["spec"]) {
            let mut document = whole.clone();
            *document.pointer_mut(&place).unwrap() = Value::Null;
            let name = format!("case-{}", documents.len());
            document["metadata"]["name"] = name.clone().into();
            where_.insert(name, format!("{kind} {place}"));
            documents.push(document);
        }
    }
    let refused = refused_by_validate(&documents);
    let taken: Vec<&String> = where_
        .iter()
        .filter_map(|(name, place)| (!refused.contains_key(name)).then_some(place))
        .collect();
    assert!(taken.is_empty(), "{taken:#?}");
}
