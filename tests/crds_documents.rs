//! Documents of every kind, and how a test changes them.

use serde_json::{Value, json};

/// The kinds that users write.
pub const KINDS: [&str; 6] = [
    "Approval",
    "CoManagementPolicy",
    "DeviceGroup",
    "Fleet",
    "GitSource",
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
        "GitSource" => json!({
            "url": "https://git.contoso.com/endpoint/fleet.git",
            "ref": { "branch": "main" },
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

/// A document of `kind` that names every field of its spec, of the kinds that stand in repositories.
pub fn largest(kind: &str) -> Value {
    let mut document = smallest(kind);
    document["spec"] = match kind {
        "Fleet" => fleet(),
        "CoManagementPolicy" => policy(),
        "DeviceGroup" => group(),
        "GitSource" => source(),
        "WorkloadAssignment" => assignment(),
        other => panic!("{other} does not stand in repositories"),
    };
    document
}

fn fleet() -> Value {
    json!({
        "suspend": false,
        "mode": "Enforce",
        "configurationManager": {
            "adminService": ["https://cm01.contoso.com/AdminService"],
            "siteCode": "PS1",
            "caBundleRef": { "name": "cm-ca" },
            "credentialsRef": { "name": "cm-admin" },
        },
        "intune": {
            "tenantId": "7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10",
            "endpoint": "https://graph.microsoft.com",
            "authority": "https://login.microsoftonline.com",
            "credentialsRef": { "name": "graph-app" },
            "serviceAccountName": "diarchy",
            "beta": true,
        },
        "mdmAuthority": "Intune",
        "inventory": { "interval": "5m", "staleAfter": "30d", "onlineWithin": "24h" },
        "notifyClients": "Never",
        "guardrails": {
            "maxChangedDevices": "20%",
            "maxLeaving": 10,
            "maxInventoryShrink": "10%",
            "maxChangesPerHour": 20_000,
            "freeze": [{ "name": "year-end", "from": "2026-12-15T00:00:00Z", "to": "2027-01-05T00:00:00Z" }],
        },
    })
}

fn policy() -> Value {
    json!({
        "fleetRef": { "name": "contoso" },
        "enrollment": {
            "automatic": "Pilot",
            "pilotGroupRef": { "name": "laptops" },
            "pilotCollection": "PS100020",
        },
        "prerequisites": { "minimumOsVersion": "10.0.16299", "joinTypes": ["HybridJoined", "EntraJoined"] },
        "workloads": {
            "CompliancePolicies": { "slider": "Intune" },
            "WindowsUpdatePolicies": { "slider": "PilotIntune", "pilotCollection": "PS100021" },
        },
    })
}

fn group() -> Value {
    json!({
        "fleetRef": { "name": "contoso" },
        "selector": { "matchAttributes": [
            { "key": "country", "operator": "In", "values": ["FR", "DE"] },
            { "key": "osVersion", "operator": "AtLeast", "values": ["10.0.22631"] },
            { "key": "enrolledAt", "operator": "Within", "values": ["14d"] },
            { "key": "joinType", "operator": "NotIn", "values": ["EntraJoined"] },
            { "key": "model", "operator": "Glob", "values": ["Latitude 7*"] },
            { "key": "category", "operator": "Exists" },
        ] },
        "devices": ["LAPTOP-0042"],
        "include": [{ "name": "laptops" }],
        "exclude": [{ "name": "laptops" }],
    })
}

fn source() -> Value {
    json!({
        "url": "https://git.contoso.com/endpoint/fleet.git",
        "ref": { "branch": "main" },
        "path": "contoso",
        "interval": "1m",
        "timeout": "60s",
        "secretRef": { "name": "fleet-deploy-key" },
        "verify": { "mode": "Head", "trustedKeysRef": { "name": "signers" } },
        "prune": true,
        "serviceAccountName": "contoso-applier",
        "suspend": false,
    })
}

fn assignment() -> Value {
    json!({
        "fleetRef": { "name": "contoso" },
        "workload": "WindowsUpdatePolicies",
        "groupRef": { "name": "laptops" },
        "authority": "Intune",
        "priority": 100,
        "mode": "Observe",
        "suspend": false,
        "admitWhen": { "matchAttributes": [
            { "key": "lastSync", "operator": "Within", "values": ["7d"] },
            { "key": "clientHealth", "operator": "In", "values": ["Healthy"] },
            { "key": "compliance", "operator": "In", "values": ["Compliant"] },
        ] },
        "requires": [{ "kind": "UpdateRing", "name": "broad" }],
        "rollout": {
            "steps": [
                { "devices": 5, "soak": "24h", "approval": "Required" },
                { "devices": "100%", "soak": "24h", "approval": "NotRequired" },
            ],
            "maxConcurrency": 500,
            "maxFailures": "2%",
            "minObserved": "90%",
            "progressDeadline": "72h",
            "onFailure": "Halt",
            "window": { "days": ["Mon"], "from": "08:00", "to": "16:00", "timeZone": "Europe/Paris" },
        },
        "onDelete": "Retain",
    })
}
