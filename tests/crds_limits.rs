//! What the definitions allow a field to hold, and how the API server says that it holds something
//! else.

use serde_json::{Value, json};

use crate::bench::stderr;
use crate::cluster::{ok, with_definitions};
use crate::crds_documents::{Change, changed};

/// A kind, what is changed in its smallest document, and what the server says of it.
type Case = (&'static str, Change, &'static str);

/// A kind, a place, how to make what stands there, and how long it may be.
type Limit<T> = (&'static str, &'static str, fn(T) -> Value, usize);

fn names(number: usize) -> Value {
    (0..number)
        .map(|at| json!({ "name": format!("group-{at}") }))
        .collect()
}

fn texts(number: usize) -> Value {
    (0..number).map(|at| json!(format!("PC-{at:05}"))).collect()
}

fn clauses(number: usize, values: usize) -> Value {
    let clause = json!({ "key": "name", "operator": "In", "values": texts(values) });
    json!({ "matchAttributes": vec![clause; number] })
}

fn freezes(number: usize) -> Value {
    let freeze =
        json!({ "name": "a", "from": "2026-12-15T00:00:00Z", "to": "2027-01-05T00:00:00Z" });
    json!(vec![freeze; number])
}

fn steps(number: usize) -> Value {
    (1..=number)
        .map(|devices| json!({ "devices": devices }))
        .collect()
}

fn addresses(number: usize) -> Value {
    (0..number)
        .map(|at| json!(format!("https://cm{at:02}/AdminService")))
        .collect()
}

/// Lists, by how many items they may have.
fn lists() -> Vec<Limit<usize>> {
    vec![
        (
            "Fleet",
            "/spec/configurationManager/adminService",
            addresses,
            16,
        ),
        ("Fleet", "/spec/guardrails/freeze", freezes, 64),
        ("DeviceGroup", "/spec/devices", texts, 10_000),
        ("DeviceGroup", "/spec/include", names, 256),
        ("DeviceGroup", "/spec/exclude", names, 256),
        (
            "DeviceGroup",
            "/spec/selector",
            |number| clauses(number, 1),
            64,
        ),
        (
            "DeviceGroup",
            "/spec/selector",
            |number| clauses(1, number),
            1024,
        ),
        (
            "WorkloadAssignment",
            "/spec/admitWhen",
            |number| clauses(number, 1),
            64,
        ),
        ("WorkloadAssignment", "/spec/rollout/steps", steps, 32),
    ]
}

/// Texts, by how many characters they may have.
fn lengths() -> Vec<Limit<String>> {
    vec![
        (
            "Fleet",
            "/spec/intune/serviceAccountName",
            Value::String,
            253,
        ),
        (
            "Fleet",
            "/spec/intune/credentialsRef",
            |name| json!({ "name": name }),
            253,
        ),
        ("DeviceGroup", "/spec/devices", |name| json!([name]), 256),
        ("Approval", "/spec/approver", Value::String, 256),
        (
            "WorkloadAssignment",
            "/spec/groupRef/name",
            Value::String,
            253,
        ),
    ]
}

#[test]
fn lists_and_texts_are_as_long_as_they_may_be() {
    let namespace = with_definitions().namespace();
    let lists = lists()
        .into_iter()
        .map(|(kind, place, make, most)| (kind, place, make(most)));
    let texts = lengths().into_iter();
    let texts = texts.map(|(kind, place, make, most)| (kind, place, make("x".repeat(most))));
    let documents: Vec<Value> = lists
        .chain(texts)
        .enumerate()
        .map(|(at, (kind, place, value))| changed(kind, &format!("case-{at}"), &[(place, value)]))
        .collect();
    ok(namespace.apply(&documents).arg("--dry-run=server"));
}

fn too_long() -> Vec<Case> {
    let lists = lists()
        .into_iter()
        .map(|(kind, place, make, most)| (kind, (place, make(most + 1)), "must have at most"));
    let texts = lengths().into_iter().map(|(kind, place, make, most)| {
        let says = "may not be more than";
        (kind, (place, make("x".repeat(most + 1))), says)
    });
    lists.chain(texts).collect()
}

fn wrong_forms() -> Vec<Case> {
    let window = |from: &str| json!({ "from": from, "to": "16:00", "timeZone": "Europe/Paris" });
    let matches = "in body should match";
    vec![
        (
            "Fleet",
            ("/spec/configurationManager/siteCode", json!("PS")),
            matches,
        ),
        (
            "Fleet",
            (
                "/spec/configurationManager/adminService/0",
                json!("http://cm01"),
            ),
            matches,
        ),
        (
            "Fleet",
            ("/spec/intune/endpoint", json!("https://me:secret@graph")),
            matches,
        ),
        (
            "Fleet",
            ("/spec/intune/tenantId", json!("contoso")),
            matches,
        ),
        (
            "Fleet",
            ("/spec/inventory/interval", json!("5 minutes")),
            matches,
        ),
        (
            "Fleet",
            ("/spec/guardrails/maxLeaving", json!("101%")),
            matches,
        ),
        (
            "Fleet",
            (
                "/spec/configurationManager/credentialsRef/name",
                json!("CM"),
            ),
            matches,
        ),
        ("Approval", ("/spec/digest", json!("sha256:00")), matches),
        (
            "Approval",
            ("/spec/expires", json!("tomorrow")),
            "must be of type date-time",
        ),
        ("DeviceGroup", ("/spec/devices", json!([" "])), matches),
        (
            "CoManagementPolicy",
            ("/spec/enrollment", json!({ "pilotCollection": "PS1" })),
            matches,
        ),
        (
            "WorkloadAssignment",
            ("/spec/rollout/window", window("24:00")),
            matches,
        ),
        (
            "WorkloadAssignment",
            ("/spec/rollout/maxConcurrency", json!("0%")),
            matches,
        ),
    ]
}

fn unknown_words() -> Vec<Case> {
    let supported = "Unsupported value";
    vec![
        ("Fleet", ("/spec/mode", json!("Dry")), supported),
        (
            "Approval",
            ("/spec/targetRef/kind", json!("DeviceGroup")),
            supported,
        ),
        (
            "WorkloadAssignment",
            ("/spec/workload", json!("ResourceAccess")),
            supported,
        ),
        (
            "WorkloadAssignment",
            ("/spec/authority", json!("Both")),
            supported,
        ),
        (
            "WorkloadAssignment",
            (
                "/spec/requires",
                json!([{ "kind": "ConfigMap", "name": "x" }]),
            ),
            supported,
        ),
        (
            "CoManagementPolicy",
            ("/spec/prerequisites", json!({ "joinTypes": ["Workgroup"] })),
            supported,
        ),
        (
            "CoManagementPolicy",
            ("/spec/workloads/ClientApps", json!({ "slider": "Pilot" })),
            supported,
        ),
    ]
}

fn wrong_numbers() -> Vec<Case> {
    let (least, most) = (
        "should be greater than or equal to",
        "should be less than or equal to",
    );
    vec![
        (
            "WorkloadAssignment",
            ("/spec/priority", json!(2_147_483_648_i64)),
            most,
        ),
        (
            "WorkloadAssignment",
            ("/spec/priority", json!(-2_147_483_649_i64)),
            least,
        ),
        (
            "WorkloadAssignment",
            ("/spec/rollout/maxConcurrency", json!(0)),
            least,
        ),
        (
            "WorkloadAssignment",
            ("/spec/rollout/steps", json!([{ "devices": 0 }])),
            least,
        ),
        (
            "Fleet",
            ("/spec/guardrails/maxChangesPerHour", json!(0)),
            least,
        ),
        (
            "Fleet",
            ("/spec/guardrails/maxChangesPerHour", json!(10_000_001)),
            most,
        ),
        ("Fleet", ("/spec/guardrails/maxLeaving", json!(-1)), least),
        (
            "Fleet",
            ("/spec/configurationManager/adminService", json!([])),
            "should have at least",
        ),
        (
            "Fleet",
            (
                "/spec/guardrails/freeze",
                json!([{
                    "name": "", "from": "2026-12-15T00:00:00Z", "to": "2027-01-05T00:00:00Z",
                }]),
            ),
            "should be at least 1 chars long",
        ),
    ]
}

fn missing() -> Vec<Case> {
    let required = "Required value";
    vec![
        ("Fleet", ("/spec/intune", Value::Null), required),
        ("Fleet", ("/spec/intune/tenantId", Value::Null), required),
        ("DeviceGroup", ("/spec/fleetRef", Value::Null), required),
        (
            "CoManagementPolicy",
            ("/spec/fleetRef/name", Value::Null),
            required,
        ),
        (
            "WorkloadAssignment",
            ("/spec/authority", Value::Null),
            required,
        ),
        ("Approval", ("/spec/targetRef/uid", Value::Null), required),
        ("Approval", ("/spec", Value::Null), required),
    ]
}

fn unknown_fields() -> Vec<Case> {
    let declared = "field not declared in schema";
    vec![
        ("Fleet", ("/spek", json!({})), declared),
        ("Fleet", ("/spec/intune/tenant", json!("contoso")), declared),
        (
            "DeviceGroup",
            ("/spec/selector", json!({ "matchLabels": { "a": "b" } })),
            declared,
        ),
        (
            "CoManagementPolicy",
            (
                "/spec/workloads/ResourceAccess",
                json!({ "slider": "Intune" }),
            ),
            declared,
        ),
        (
            "WorkloadAssignment",
            ("/spec/fleetRef/namespace", json!("other")),
            declared,
        ),
        (
            "Approval",
            ("/status", json!({ "phase": "Done" })),
            declared,
        ),
    ]
}

#[test]
fn the_server_says_what_is_wrong_with_a_field() {
    let namespace = with_definitions().namespace();
    let cases: Vec<Case> = [
        too_long(),
        wrong_forms(),
        unknown_words(),
        wrong_numbers(),
        missing(),
        unknown_fields(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let documents: Vec<Value> = cases
        .iter()
        .enumerate()
        .map(|(at, (kind, change, _))| {
            changed(kind, &format!("case-{at}"), std::slice::from_ref(change))
        })
        .collect();
    let output = namespace.apply(&documents).output().unwrap();
    let refusals = namespace.refusals(&stderr(&output));
    for (at, (kind, (place, _), says)) in cases.iter().enumerate() {
        let refusal = refusals.get(&format!("case-{at}"));
        let refusal = refusal.unwrap_or_else(|| panic!("{kind} {place} was not refused"));
        assert!(refusal.contains(says), "{kind} {place}: {refusal}");
    }
}
