//! The plainest of everything, for examples that vary one thing.

use diarchy_core::amount::Amount;
use diarchy_core::desired::{OnFailure, Rollout, Step};
use diarchy_core::duration::Span;
use diarchy_core::inventory::JoinType;
use diarchy_core::workload::{Authority, Slider, Workload};
use serde_json::{Value, json};

use super::{Assignment, Device, Group, Policy, Standing, device};

/// A device that can be moved, is online and is in no pilot collection.
pub fn movable(id: &str) -> Device {
    device(json!({
        "id": id,
        "server": false,
        "configurationManager": { "client": true },
        "intune": { "enrolled": true },
        "mdm": "Intune",
        "coManagementPolicyPresent": true,
        "enrolledFirst": false,
        "osVersion": "10.0.22631.4317",
        "joinType": "HybridJoined",
        "online": true,
        "assigned": {},
    }))
}

/// A policy that pilots these workloads and leaves the others alone.
pub fn pilot(workloads: &[Workload]) -> Policy {
    let mut sliders = [None; 7];
    for workload in workloads {
        sliders[workload.index()] = Some(Slider::PilotIntune);
    }
    Policy {
        sliders,
        minimum_os: "10.0.16299".to_owned(),
        join_types: vec![JoinType::HybridJoined],
        enrollment_group: None,
    }
}

/// A group of these devices.
pub fn listed<I: Into<String>>(name: &str, devices: impl IntoIterator<Item = I>) -> Group {
    Group {
        name: name.to_owned(),
        selector: None,
        devices: devices.into_iter().map(Into::into).collect(),
        include: Vec::new(),
        exclude: Vec::new(),
    }
}

/// Steps, halting where one fails, and no limit to anything.
pub fn staged(steps: &[Step]) -> Rollout {
    Rollout {
        steps: steps.to_vec(),
        max_concurrency: None,
        max_failures: None,
        min_observed: None,
        progress_deadline: None,
        on_failure: OnFailure::Halt,
        window: None,
    }
}

/// So many devices first, and an hour later everybody.
pub fn in_two_steps(first: Amount) -> Rollout {
    let step = |devices| Step {
        devices,
        soak: Span::hours(1),
        approval_required: false,
    };
    staged(&[step(first), step(Amount::ALL)])
}

/// An assignment in force of priority 0.
pub fn assignment(name: &str, workload: Workload, group: &str, authority: Authority) -> Assignment {
    Assignment {
        name: name.to_owned(),
        workload,
        group: group.to_owned(),
        authority,
        priority: 0,
        standing: Standing::InForce,
        admit_when: None,
    }
}

/// Lets the site's collections say who holds the device for `workload`.
pub fn hold(device: &mut Device, workload: Workload, holders: &[String]) {
    let assigned = device.entry("assigned").or_insert(Value::Null);
    if !assigned.is_object() {
        *assigned = json!({});
    }
    assigned[workload.name()] = json!(holders);
}

/// Who the site's collections say holds the device for `workload`.
pub fn holders(device: &Device, workload: Workload) -> Vec<String> {
    let list = device
        .get("assigned")
        .and_then(|assigned| assigned.get(workload.name()))
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|holder| holder.as_str().unwrap().to_owned())
        .collect()
}
