//! Whether a device can be moved at all.

use serde_json::Value;

use super::membership::{Read, is_older, read};
use crate::world::{Device, World};

/// The oldest Windows that can be co-managed, where no policy says otherwise.
const OLDEST_WINDOWS: &str = "10.0.16299";

/// The first condition that the device fails. Unknown counts as failing, except that a device is no
/// server and was not enrolled first unless it is known.
pub fn obstacle(world: &World, device: &Device) -> Option<&'static str> {
    if is_true(device, "server", None) {
        return Some("NotAWindowsClient");
    }
    if !is_true(device, "configurationManager", Some("client")) {
        return Some("NoClient");
    }
    if !is_true(device, "intune", Some("enrolled")) {
        return Some("NotEnrolled");
    }
    if text(device, "mdm") != Some("Intune") {
        return Some("OtherMdm");
    }
    if !is_true(device, "coManagementPolicyPresent", None) {
        return Some("NoPolicy");
    }
    unfit(world, device)
}

/// The first condition that a device fails which would be enrolled.
pub fn obstacle_to_enrollment(world: &World, device: &Device) -> Option<&'static str> {
    if is_true(device, "server", None) {
        return Some("NotAWindowsClient");
    }
    if !is_true(device, "configurationManager", Some("client")) {
        return Some("NoClient");
    }
    match read(device, "mdm") {
        Read::Known(mdm) if mdm == "Intune" => {}
        Read::Absent => {}
        Read::Known(_) | Read::Unread => return Some("OtherMdm"),
    }
    unfit(world, device)
}

/// What keeps a device from co-management for good.
fn unfit(world: &World, device: &Device) -> Option<&'static str> {
    let (oldest, join_types) = match &world.policy {
        Some(policy) => (
            policy.minimum_os.as_str(),
            policy.join_types.iter().map(|word| word.name()).collect(),
        ),
        None => (OLDEST_WINDOWS, vec!["HybridJoined", "EntraJoined"]),
    };
    if is_true(device, "enrolledFirst", None) {
        return Some("EnrolledFirst");
    }
    match text(device, "osVersion").and_then(|version| is_older(version, oldest)) {
        None => return Some("OsUnknown"),
        Some(true) => return Some("OsTooOld"),
        Some(false) => {}
    }
    match text(device, "joinType") {
        Some(joined) if join_types.contains(&joined) => None,
        _ => Some("JoinType"),
    }
}

/// Whether a flag is known to be true.
fn is_true(device: &Device, field: &str, within: Option<&str>) -> bool {
    match (read(device, field), within) {
        (Read::Known(record), Some(inner)) => record.get(inner) == Some(&Value::Bool(true)),
        (Read::Known(value), None) => *value == Value::Bool(true),
        _ => false,
    }
}

fn text<'a>(device: &'a Device, field: &str) -> Option<&'a str> {
    match read(device, field) {
        Read::Known(value) => value.as_str(),
        _ => None,
    }
}
