//! What the API server makes of a resource that it stores: defaults, statuses, unknown fields.

use diarchy_crds::{
    Approval, CoManagementPolicy, DeviceGroup, Fleet, GitSource, WorkloadAssignment,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bench::stderr;
use crate::cluster::{ADMIN, Namespace, ok, refused, with_definitions};
use crate::crds_documents::{KINDS, changed, largest, smallest};

/// A document as the types read it and write it again.
fn as_typed<K: DeserializeOwned + Serialize>(document: &Value) -> Value {
    let read: K = serde_json::from_value(document.clone()).unwrap();
    serde_json::to_value(read).unwrap()["spec"].take()
}

fn spec_as_typed(document: &Value) -> Value {
    match document["kind"].as_str().unwrap() {
        "Approval" => as_typed::<Approval>(document),
        "CoManagementPolicy" => as_typed::<CoManagementPolicy>(document),
        "DeviceGroup" => as_typed::<DeviceGroup>(document),
        "Fleet" => as_typed::<Fleet>(document),
        "GitSource" => as_typed::<GitSource>(document),
        "WorkloadAssignment" => as_typed::<WorkloadAssignment>(document),
        other => panic!("there is no kind {other}"),
    }
}

/// What is left out, the server fills in as the types do: a file in a repository and the object that
/// came of it say the same.
#[test]
fn defaults_of_the_server_are_those_of_the_types() {
    let namespace = with_definitions().namespace();
    let large = [
        "CoManagementPolicy",
        "DeviceGroup",
        "Fleet",
        "GitSource",
        "WorkloadAssignment",
    ];
    let mut documents: Vec<Value> = KINDS.map(smallest).into();
    documents.extend(large.map(largest));
    for (at, document) in documents.iter_mut().enumerate() {
        document["metadata"]["name"] = format!("case-{at}").into();
    }
    // Objects whose own fields have defaults.
    let step = json!({ "steps": [{ "devices": "5%" }], "window": { "from": "08:00", "to": "16:00", "timeZone": "UTC" } });
    documents.push(changed(
        "WorkloadAssignment",
        "steps",
        &[("/spec/rollout", step)],
    ));
    let guardrails = [("/spec/guardrails", json!({ "maxLeaving": 1 }))];
    documents.push(changed("Fleet", "guardrails", &guardrails));
    let enrollment = [("/spec/enrollment", json!({}))];
    documents.push(changed("CoManagementPolicy", "enrollment", &enrollment));
    ok(&mut namespace.apply(&documents));
    for document in &documents {
        let (kind, name) = (&document["kind"], &document["metadata"]["name"]);
        let stored = namespace.get(kind.as_str().unwrap(), name.as_str().unwrap());
        assert_eq!(stored["spec"], spec_as_typed(document), "{kind} {name}");
    }
}

#[test]
fn defaults_are_those_that_the_api_promises() {
    let namespace = with_definitions().namespace();
    ok(&mut namespace.apply(&KINDS.map(smallest)));
    let fleet = namespace.get("fleet", "contoso");
    for (pointer, default) in [
        ("/suspend", json!(false)),
        ("/mode", json!("Enforce")),
        ("/intune/endpoint", json!("https://graph.microsoft.com")),
        (
            "/intune/authority",
            json!("https://login.microsoftonline.com"),
        ),
        ("/intune/serviceAccountName", json!("")),
        ("/intune/beta", json!(true)),
        ("/mdmAuthority", json!("Intune")),
        (
            "/inventory",
            json!({ "interval": "5m", "staleAfter": "30d", "onlineWithin": "24h" }),
        ),
        ("/notifyClients", json!("Never")),
        (
            "/guardrails",
            json!({
                "maxChangedDevices": "20%", "maxLeaving": "2%", "maxInventoryShrink": "10%",
                "maxChangesPerHour": 20_000, "freeze": [],
            }),
        ),
    ] {
        assert_eq!(fleet["spec"].pointer(pointer), Some(&default), "{pointer}");
    }
    let policy = namespace.get("cmp", "contoso");
    let prerequisites =
        json!({ "minimumOsVersion": "10.0.16299", "joinTypes": ["HybridJoined", "EntraJoined"] });
    assert_eq!(policy["spec"]["prerequisites"], prerequisites);
    let assignment = namespace.get("wa", "contoso");
    for (field, default) in [
        ("priority", json!(0)),
        ("mode", json!("Enforce")),
        ("suspend", json!(false)),
        ("onDelete", json!("Retain")),
        ("requires", json!([])),
    ] {
        assert_eq!(assignment["spec"][field], default, "{field}");
    }
    // Without a rollout nothing goes out in steps: it must not come into being by itself.
    assert_eq!(assignment["spec"].get("rollout"), None);
}

/// `kubectl create` and a plain `apply` ask for strict validation too.
#[test]
fn unknown_fields_are_refused_whichever_way_they_come() {
    let namespace = with_definitions().namespace();
    let document = changed("DeviceGroup", "laptops", &[("/spec/device", json!(["PC"]))]);
    let file = namespace.file(&document.to_string());
    for way in [&["create"][..], &["apply"], &["apply", "--server-side"]] {
        let mut command = namespace.kubectl(&ADMIN);
        let told = refused(command.args(way).arg("-f").arg(&file));
        assert!(told.contains("device"), "{way:?}: {told}");
    }
    // Who insists gets what the schema knows, and no more.
    let mut create = namespace.kubectl(&ADMIN);
    ok(create
        .args(["create", "--validate=ignore", "-f"])
        .arg(&file));
    let stored = namespace.get("dg", "laptops");
    assert_eq!(stored["spec"].get("device"), None);
}

/// A status as one writer applies it.
fn status(namespace: &Namespace, manager: &str, status: &Value) {
    let mut document = smallest("WorkloadAssignment");
    document.as_object_mut().unwrap().remove("spec");
    document["status"] = status.clone();
    let mut apply = namespace.apply(&[document]);
    ok(apply.args(["--subresource", "status", "--field-manager", manager]));
}

fn condition(kind: &str) -> Value {
    json!({
        "type": kind,
        "status": "True",
        "reason": "Accepted",
        "message": "being carried out",
        "lastTransitionTime": "2026-11-22T08:00:00Z",
    })
}

#[test]
fn a_status_is_written_apart_from_what_is_asked_for() {
    let namespace = with_definitions().namespace();
    let mut document = smallest("WorkloadAssignment");
    document["status"] = json!({ "rejectedSpec": "sha256:00" });
    ok(&mut namespace.apply(&[document]));
    let stored = namespace.get("wa", "contoso");
    assert_eq!(stored.get("status"), None, "nobody may ask for a state");
    assert_eq!(stored["metadata"]["generation"], 1);

    status(
        &namespace,
        "diarchy",
        &json!({ "devices": { "selected": 3 } }),
    );
    let stored = namespace.get("wa", "contoso");
    assert_eq!(stored["status"]["devices"]["selected"], 3);
    // A generation counts what is asked for, so that `observedGeneration` can be compared with it.
    assert_eq!(stored["metadata"]["generation"], 1);

    let mut patch = namespace.kubectl(&ADMIN);
    patch.args([
        "patch",
        "wa",
        "contoso",
        "--subresource",
        "status",
        "--type",
        "merge",
    ]);
    ok(patch.args([
        "--patch",
        r#"{"spec":{"priority":7},"status":{"rejectedSpec":"sha256:00"}}"#,
    ]));
    let stored = namespace.get("wa", "contoso");
    assert_eq!(stored["spec"]["priority"], 0, "a status asks for nothing");
    assert_eq!(stored["status"]["rejectedSpec"], "sha256:00");
}

#[test]
fn writers_of_different_conditions_do_not_undo_each_other() {
    let namespace = with_definitions().namespace();
    ok(&mut namespace.apply(&[smallest("WorkloadAssignment")]));
    status(
        &namespace,
        "diarchy",
        &json!({ "conditions": [condition("Ready"), condition("Converged")] }),
    );
    status(
        &namespace,
        "somebody",
        &json!({ "conditions": [condition("Watched")] }),
    );
    // What a writer leaves out goes, and only that.
    status(
        &namespace,
        "diarchy",
        &json!({ "conditions": [condition("Ready")] }),
    );
    let stored = namespace.get("wa", "contoso");
    let mut kinds: Vec<&str> = stored["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|condition| condition["type"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["Ready", "Watched"]);
}

#[test]
fn a_status_keeps_to_its_limits() {
    let namespace = with_definitions().namespace();
    ok(&mut namespace.apply(&[smallest("DeviceGroup")]));
    let wrong = |status: Value, says: &str| {
        let mut document = smallest("DeviceGroup");
        document.as_object_mut().unwrap().remove("spec");
        document["status"] = status;
        let output = namespace
            .apply(&[document])
            .args(["--subresource", "status"])
            .output();
        let told = stderr(&output.unwrap());
        assert!(told.contains(says), "{told}");
    };
    wrong(
        json!({ "examples": vec!["PC"; 21] }),
        "must have at most 20 items",
    );
    wrong(
        json!({ "members": -1 }),
        "should be greater than or equal to 0",
    );
    wrong(json!({ "member": 1 }), "field not declared in schema");
    let mut reason = condition("Ready");
    reason["reason"] = json!("not one word");
    wrong(json!({ "conditions": [reason] }), "should match");
    wrong(
        json!({ "conditions": [condition("Ready"), condition("Ready")] }),
        "duplicate",
    );
}
