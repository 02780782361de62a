//! Random devices: what is known of them, what is not, and who holds them.

use diarchy_core::workload::Workload;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::vocabulary::{IDS, MOMENTS, NAMES, PLAIN_TEXT, TEXTS, VERSIONS, WORKLOADS};
use crate::world::{Assignment, Device, NAMESPACE};

/// A value, nothing, or no answer. `None` is a key that is missing.
fn fact(known: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    prop_oneof![
        4 => known.prop_map(Some),
        1 => Just(Some(Value::Null)),
        1 => Just(None),
    ]
    .boxed()
}

/// Like [`fact`], but mostly `good`: for what makes a device eligible.
fn mostly(good: Value, others: Vec<Value>) -> BoxedStrategy<Option<Value>> {
    prop_oneof![
        60 => Just(Some(good)),
        1 => select(others).prop_map(Some),
        1 => Just(Some(Value::Null)),
        1 => Just(None),
    ]
    .boxed()
}

fn words(of: &'static [&'static str]) -> BoxedStrategy<Option<Value>> {
    fact(select(of).prop_map(|word| json!(word)))
}

/// Fields that decide nothing but membership.
fn selecting_fields() -> Vec<(&'static str, BoxedStrategy<Option<Value>>)> {
    let set = || fact(vec(select(&IDS[..]), 0..3).prop_map(|ids| json!(ids)));
    let label = || option::weighted(0.7, select(&TEXTS[..]));
    let mut fields: Vec<_> = PLAIN_TEXT
        .into_iter()
        .map(|key| (key, words(&TEXTS)))
        .collect();
    fields.extend([
        ("name", words(&NAMES)),
        ("serialNumber", words(&NAMES)),
        ("clientVersion", words(&VERSIONS)),
        (
            "clientHealth",
            words(&["Healthy", "Unhealthy", "Inactive", "Unknown"]),
        ),
        (
            "compliance",
            words(&["Compliant", "NonCompliant", "InGracePeriod", "Unknown"]),
        ),
        ("enrolledAt", words(&MOMENTS)),
        ("lastSync", words(&MOMENTS)),
        ("configMgrCollections", set()),
        ("entraGroups", set()),
        (
            "labels",
            fact(
                (option::of(label()), option::of(label())).prop_map(|(ring, pilot)| {
                    // The outer option leaves the label out; the inner one says that it has no value.
                    let mut labels = serde_json::Map::new();
                    for (name, value) in [("ring", ring), ("Pilot", pilot)] {
                        if let Some(value) = value {
                            labels.insert(name.to_owned(), json!(value));
                        }
                    }
                    Value::Object(labels)
                }),
            ),
        ),
    ]);
    fields
}

/// Fields that decide eligibility.
fn eligibility_fields() -> Vec<(&'static str, BoxedStrategy<Option<Value>>)> {
    let record = |key: &'static str| {
        mostly(
            json!({ key: true }),
            vec![json!({ key: false }), json!({ key: null }), json!({})],
        )
    };
    vec![
        ("server", mostly(json!(false), vec![json!(true)])),
        ("configurationManager", record("client")),
        ("intune", record("enrolled")),
        ("mdm", mostly(json!("Intune"), vec![json!("ThirdParty")])),
        (
            "coManagementPolicyPresent",
            mostly(json!(true), vec![json!(false)]),
        ),
        ("enrolledFirst", mostly(json!(false), vec![json!(true)])),
        (
            "enrollmentPilot",
            mostly(json!(false), vec![json!(true), json!(null)]),
        ),
        (
            "osVersion",
            prop_oneof![
                3 => mostly(json!("10.0.22631.4317"), vec![json!("10.0.9200")]),
                1 => words(&VERSIONS),
            ]
            .boxed(),
        ),
        (
            "joinType",
            mostly(
                json!("HybridJoined"),
                vec![
                    json!("EntraJoined"),
                    json!("DomainJoined"),
                    json!("Registered"),
                    json!("None"),
                ],
            ),
        ),
    ]
}

/// What makes a device a member of a pilot collection, where there are `assignments` of them.
fn holder(assignments: usize) -> BoxedStrategy<String> {
    let known =
        (0..assignments.max(1)).prop_map(|at| format!("WorkloadAssignment/{NAMESPACE}/a{at}"));
    prop_oneof![
        12 => known.clone(),
        2 => known.prop_map(|name| name + "#retained"),
        1 => Just(format!("WorkloadAssignment/{NAMESPACE}/gone")),
        1 => Just(format!("WorkloadAssignment/{NAMESPACE}/gone#retained")),
        1 => Just("WorkloadAssignment/fabrikam/a0".to_owned()),
        2 => Just("foreign".to_owned()),
    ]
    .boxed()
}

/// Who holds a device in which collection; mostly those assignments that belong there.
fn assigned(assignments: &[Assignment]) -> BoxedStrategy<Option<Value>> {
    let each = WORKLOADS.map(|workload| {
        let own: Vec<String> = assignments
            .iter()
            .filter(|assignment| {
                assignment.workload == workload
                    || (assignment.workload == Workload::DeviceConfiguration
                        && workload == Workload::EndpointProtection)
            })
            .map(Assignment::reference)
            .collect();
        let any = holder(assignments.len());
        let one = if own.is_empty() {
            any
        } else {
            prop_oneof![8 => select(own), 1 => any].boxed()
        };
        prop_oneof![
            5 => Just(Vec::new()),
            6 => vec(one.clone(), 1),
            2 => vec(one, 2..4),
        ]
        .boxed()
    });
    let known = each.to_vec().prop_map(|holders| {
        let mut map = serde_json::Map::new();
        for (workload, holders) in WORKLOADS.into_iter().zip(holders) {
            // An empty list and a workload that is left out say the same.
            if !holders.is_empty() || workload == Workload::EndpointProtection {
                map.insert(workload.name().to_owned(), json!(holders));
            }
        }
        Value::Object(map)
    });
    prop_oneof![
        20 => known.prop_map(Some),
        1 => Just(Some(Value::Null)),
        1 => Just(None),
    ]
    .boxed()
}

pub(super) fn devices(assignments: &[Assignment]) -> BoxedStrategy<Vec<Device>> {
    let fields = [
        selecting_fields(),
        eligibility_fields(),
        vec![
            ("assigned", assigned(assignments)),
            (
                "assignedUnread",
                prop_oneof![
                    12 => Just(None),
                    1 => subsequence(WORKLOADS.to_vec(), 1..3).prop_map(|workloads| Some(json!(workloads))),
                ]
                .boxed(),
            ),
        ],
    ]
    .concat();
    let (keys, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    vec(values, 1..12)
        .prop_map(move |rows| {
            rows.into_iter()
                .enumerate()
                .map(|(at, values)| {
                    let mut device = Device::new();
                    device.insert("id".to_owned(), json!(format!("d{at}")));
                    for (key, value) in keys.iter().zip(values) {
                        if let Some(value) = value {
                            device.insert((*key).to_owned(), value);
                        }
                    }
                    device
                })
                .collect()
        })
        .boxed()
}
