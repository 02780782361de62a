//! What the API server was asked for, by its audit log.

use serde_json::Value;

/// A request for a resource, by what decides whether it is allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Who asked: the one who was impersonated, if somebody was.
    pub user: String,
    pub verb: String,
    /// The API group; empty for the core one.
    pub group: String,
    pub resource: String,
    /// Empty for the resource itself.
    pub subresource: String,
    /// Empty if it is not in one.
    pub namespace: String,
    /// Whether it was allowed.
    pub allowed: bool,
}

/// The requests of a log that is one JSON object a line, in order, without those that name `marker`.
pub(super) fn requests(log: &str, marker: &str) -> Vec<Request> {
    // The last line may be half written.
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .filter(|line| !line.contains(marker))
        .filter_map(|line| request(&serde_json::from_str(line).unwrap()))
        .collect()
}

/// What one entry tells; nothing if it is about no resource but an address such as `/readyz`.
fn request(entry: &Value) -> Option<Request> {
    let resource = entry.get("objectRef")?;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let user = match &entry["impersonatedUser"]["username"] {
        Value::Null => &entry["user"]["username"],
        impersonated => impersonated,
    };
    Some(Request {
        user: word(user),
        verb: word(&entry["verb"]),
        group: word(&resource["apiGroup"]),
        resource: word(&resource["resource"]),
        subresource: word(&resource["subresource"]),
        namespace: word(&resource["namespace"]),
        allowed: entry["annotations"]["authorization.k8s.io/decision"] == "allow",
    })
}
