//! Documents of every kind, and how a test changes them.

use serde_json::{Value, json};

/// The kinds that the definitions have.
pub const KINDS: [&str; 5] = [
    "Approval",
    "CoManagementPolicy",
    "DeviceGroup",
    "Fleet",
    "WorkloadAssignment",
];

/// A change to a document: a pointer into it and what shall stand there; null takes it out.
pub type Change = (&'static str, Value);

/// A document of `kind` that says only what it must.
pub fn smallest(kind: &str) -> Value {
    let spec = match kind {
        "Approval" => json!({
            "targetRef": { "kind": "Fleet", "name": "contoso", "uid": "2d1c1b1a-0000" },
            "digest": format!("sha256:{}", "0a".repeat(32)),
            "approver": "megan@contoso.com",
            "expires": "2026-11-23T08:00:00Z",
        }),
        "CoManagementPolicy" => json!({ "fleetRef": { "name": "contoso" } }),
        "DeviceGroup" => json!({ "fleetRef": { "name": "contoso" }, "devices": ["LAPTOP-0042"] }),
        "Fleet" => json!({
            "configurationManager": {
                "adminService": ["https://cm01.contoso.com/AdminService"],
                "siteCode": "PS1",
                "credentialsRef": { "name": "cm-admin" },
            },
            "intune": { "tenantId": "7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10" },
        }),
        "WorkloadAssignment" => json!({
            "fleetRef": { "name": "contoso" },
            "workload": "WindowsUpdatePolicies",
            "groupRef": { "name": "laptops" },
            "authority": "Intune",
        }),
        other => panic!("there is no kind {other}"),
    };
    json!({
        "apiVersion": "diarchy.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": "contoso" },
        "spec": spec,
    })
}

/// The smallest document of `kind` with this name, and then changed.
pub fn changed(kind: &str, name: &str, changes: &[Change]) -> Value {
    let mut document = smallest(kind);
    document["metadata"]["name"] = name.into();
    for (pointer, value) in changes {
        change(&mut document, pointer, value);
    }
    document
}

/// Puts `value` where `pointer` says, with the objects that lead there; null takes out what is there.
pub fn change(document: &mut Value, pointer: &str, value: &Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let mut place = document;
    for step in parent.split('/').skip(1) {
        place = match place {
            Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
            other => &mut other[step],
        };
    }
    match (place, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(key)),
        (Value::Array(items), value) => items[key.parse::<usize>().unwrap()] = value.clone(),
        (place, value) => place[key] = value.clone(),
    }
}
