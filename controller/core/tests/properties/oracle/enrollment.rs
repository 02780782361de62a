//! Who joins the pilot of automatic enrolment.

use serde_json::{Value, json};

use super::eligibility::obstacle_to_enrollment;
use super::id;
use super::membership::{Answer, Read, contains, read};
use crate::world::{Device, FLEET, NAMESPACE, World};

/// What a plan says of it; null where the policy does not have devices join.
pub fn plan(world: &World, devices: &[&Device]) -> Value {
    let group = world
        .policy
        .as_ref()
        .and_then(|policy| policy.enrollment_group.as_ref());
    let Some(group) = group else {
        return Value::Null;
    };
    let (mut joining, mut blocked) = (Vec::new(), Vec::new());
    for device in devices {
        let asked = contains(world, group, device);
        let reason = match (&asked, read(device, "enrollmentPilot")) {
            (Answer::No, _) | (_, Read::Known(Value::Bool(true))) => continue,
            (_, Read::Unread) => Some("Unread"),
            (Answer::Unknown, _) => obstacle_to_enrollment(world, device).or(Some("Held")),
            (Answer::Yes, _) => obstacle_to_enrollment(world, device),
        };
        match reason {
            None => joining.push(json!(id(device))),
            Some(reason) => blocked.push(json!({ "device": id(device), "reason": reason })),
        }
    }
    json!({
        "because": format!("CoManagementPolicy/{NAMESPACE}/{FLEET}"),
        "joining": joining,
        "blocked": blocked,
    })
}
