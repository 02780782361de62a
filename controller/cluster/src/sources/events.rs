//! What is told of a source as events.

use diarchy_crds::git_source::GitSourceStatus;
use kube::runtime::events::{Event, EventType};

/// What is told once when it comes to be so. Becoming ready, and ceasing to be, is told with the
/// status.
pub fn events(before: &GitSourceStatus, after: &GitSourceStatus) -> Vec<Event> {
    let find = |status: &GitSourceStatus, kind: &str| {
        let mut conditions = status.conditions.iter();
        conditions.find(|one| one.type_ == kind).cloned()
    };
    let event = |type_, reason: &str, action: &str, note: String| Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note.chars().take(1024).collect()),
        action: action.chars().take(128).collect(),
        secondary: None,
    };
    let mut events = Vec::new();
    let was_ready = find(before, "Ready").is_some_and(|one| one.status == "True");
    if was_ready
        && before.last_applied_revision != after.last_applied_revision
        && let Some(ready) = find(after, "Ready").filter(|one| one.status == "True")
    {
        // Events that differ in nothing but the note are counted as one: the revision is what differs.
        let revision = after.last_applied_revision.clone().unwrap_or_default();
        let action = format!("Apply {revision}");
        events.push(event(EventType::Normal, "Applied", &action, ready.message));
    }
    if let Some(held) = find(after, "Overridden")
        && find(before, "Overridden").is_none_or(|old| old.message != held.message)
    {
        let action = "Reconcile";
        events.push(event(
            EventType::Warning,
            "Overridden",
            action,
            held.message,
        ));
    }
    events
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    fn status(revision: &str, conditions: &[(&str, &str, &str)]) -> GitSourceStatus {
        let conditions = conditions.iter().map(|(kind, holds, message)| Condition {
            type_: (*kind).to_owned(),
            status: (*holds).to_owned(),
            reason: "R".to_owned(),
            message: (*message).to_owned(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        });
        GitSourceStatus {
            conditions: conditions.collect(),
            last_applied_revision: Some(revision.to_owned()),
            ..GitSourceStatus::default()
        }
    }

    #[test]
    fn what_is_new_is_told_once() {
        let reasons = |before: &GitSourceStatus, after: &GitSourceStatus| -> Vec<String> {
            let events = events(before, after).into_iter();
            events.map(|event| event.reason).collect()
        };
        let one = status("1", &[("Ready", "True", "a")]);
        let two = status("2", &[("Ready", "True", "b")]);
        let held = status("2", &[("Ready", "True", "b"), ("Overridden", "True", "c")]);
        assert_eq!(reasons(&one, &two), ["Applied"]);
        assert_eq!(reasons(&one, &one), [""; 0]);
        assert_eq!(reasons(&two, &held), ["Overridden"]);
        assert_eq!(reasons(&held, &held), [""; 0]);
        // That it has become ready is told by itself.
        assert_eq!(reasons(&GitSourceStatus::default(), &two), [""; 0]);
    }
}
