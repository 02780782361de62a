//! Devices as lines of an inventory file.

use serde_json::{Value, json};

use crate::bench::root;

/// A time for which plans are made.
pub const NOW: &str = "2026-11-23T08:00:00Z";

/// A laptop that can be moved and is where Configuration Manager has it.
pub fn laptop(id: &str) -> Value {
    json!({
        "id": id,
        "name": format!("LT-{id}"),
        "serialNumber": format!("SN-{id}"),
        "chassis": "Laptop",
        "osVersion": "10.0.22631.4317",
        "server": false,
        "joinType": "HybridJoined",
        "configurationManager": { "resourceId": 16_777_220, "client": true },
        "intune": { "id": format!("mdm-{id}"), "enrolled": true },
        "mdm": "Intune",
        "enrolledFirst": false,
        "coManagementPolicyPresent": true,
        "online": true,
        "assigned": {
            "DeviceConfiguration": [], "WindowsUpdatePolicies": [], "EndpointProtection": [],
        },
        "observed": [],
    })
}

/// `device` with these fields instead of its own; a field that is null here was not read.
pub fn with(mut device: Value, fields: Value) -> Value {
    let (Value::Object(device_fields), Value::Object(fields)) = (&mut device, fields) else {
        panic!("a device is an object");
    };
    for (key, value) in fields {
        match value {
            Value::Null => drop(device_fields.remove(&key)),
            value => drop(device_fields.insert(key, value)),
        }
    }
    device
}

/// Who holds a device in the pilot collection of `WindowsUpdatePolicies`, and in no other.
pub fn held_by(holders: &[&str]) -> Value {
    json!({ "assigned": {
        "DeviceConfiguration": [], "WindowsUpdatePolicies": holders, "EndpointProtection": [],
    } })
}

/// A device in every state that a plan tells of, for the repository [`crate::repository::SMALL`].
pub fn one_in_each_state() -> Vec<Value> {
    let desktop = |id: &str| with(laptop(id), json!({ "chassis": "Desktop" }));
    let updates = "WorkloadAssignment/contoso/updates";
    vec![
        laptop("moving"),
        with(laptop("held"), json!({ "chassis": null })),
        with(laptop("blocked"), json!({ "mdm": "ThirdParty" })),
        with(laptop("unread"), json!({ "assigned": null })),
        with(laptop("done"), held_by(&[updates])),
        desktop("nobody-asks"),
        with(desktop("leaving"), held_by(&[updates])),
        with(desktop("foreign"), held_by(&["foreign"])),
        with(
            desktop("retained"),
            held_by(&["WorkloadAssignment/contoso/gone"]),
        ),
        with(
            laptop("handed-over"),
            held_by(&["WorkloadAssignment/contoso/updates#retained"]),
        ),
    ]
}

/// An inventory file.
pub fn file(devices: &[Value]) -> String {
    let lines: Vec<String> = devices.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

/// The devices of an inventory file.
pub fn read(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The inventory of the example.
pub fn of_the_example() -> String {
    std::fs::read_to_string(root().join("examples/contoso/inventory.ndjson")).unwrap()
}
