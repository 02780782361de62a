//! Conditions, from one place: what is true of a resource, merged with what was.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Something that is or is not true of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// The condition's type.
    pub kind: ConditionKind,
    /// Whether it is true.
    pub holds: bool,
    /// Why, in one word.
    pub reason: &'static str,
    /// Why, in a sentence.
    pub message: String,
}

/// The types of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionKind {
    /// Valid, accepted, being carried out without needing a person.
    Ready,
    /// Every online device is observed where it should be.
    Converged,
    /// A person must act; there only while true.
    Stalled,
    /// Something is being carried out, or tried again; there only while true.
    Reconciling,
    /// Others hold a part of what git has; there only while true.
    Overridden,
}

impl ConditionKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Converged => "Converged",
            Self::Stalled => "Stalled",
            Self::Reconciling => "Reconciling",
            Self::Overridden => "Overridden",
        }
    }

    /// Whether it is not mentioned unless it holds.
    const fn is_exceptional(self) -> bool {
        matches!(self, Self::Stalled | Self::Reconciling | Self::Overridden)
    }
}

/// The conditions that `truths` make, with the times of those that have not changed kept.
///
/// What is exceptional, such as `Stalled`, stands only while it holds.
pub fn merge(old: &[Condition], truths: Vec<Truth>, now: Timestamp) -> Vec<Condition> {
    truths
        .into_iter()
        .filter(|truth| truth.holds || !truth.kind.is_exceptional())
        .map(|truth| {
            let status = if truth.holds { "True" } else { "False" };
            let name = truth.kind.name();
            let since = old
                .iter()
                .find(|condition| condition.type_ == name && condition.status == status)
                .map_or(Time(now), |condition| {
                    condition.last_transition_time.clone()
                });
            Condition {
                type_: name.to_owned(),
                status: status.to_owned(),
                reason: truth.reason.to_owned(),
                message: truth.message,
                last_transition_time: since,
                observed_generation: None,
            }
        })
        .collect()
}

/// The conditions that `truths` make, before those of `said` that are about something else. The times
/// of what has not changed since `old` are kept.
pub fn amend(
    said: &[Condition],
    old: &[Condition],
    truths: Vec<Truth>,
    now: Timestamp,
) -> Vec<Condition> {
    let about: Vec<&str> = truths.iter().map(|truth| truth.kind.name()).collect();
    let others = said
        .iter()
        .filter(|one| !about.contains(&one.type_.as_str()))
        .cloned();
    let mut conditions = merge(old, truths, now);
    conditions.extend(others);
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(holds: bool, message: &str) -> Truth {
        Truth {
            kind: ConditionKind::Ready,
            holds,
            reason: "Carried",
            message: message.into(),
        }
    }

    #[test]
    fn the_time_of_a_change_stays_until_the_next() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let first = merge(&[], vec![truth(true, "a")], at("2026-11-23T08:00:00Z"));
        let same = merge(&first, vec![truth(true, "b")], at("2026-11-23T09:00:00Z"));
        assert_eq!(same[0].last_transition_time, first[0].last_transition_time);
        assert_eq!(same[0].message, "b");
        let changed = merge(&same, vec![truth(false, "c")], at("2026-11-23T10:00:00Z"));
        assert_ne!(
            changed[0].last_transition_time,
            same[0].last_transition_time
        );
    }

    #[test]
    fn what_is_amended_keeps_what_it_says_of_something_else() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let kind = ConditionKind::Converged;
        let all = vec![
            truth(true, "a"),
            Truth {
                kind,
                ..truth(true, "all")
            },
        ];
        let said = merge(&[], all, at("2026-11-23T08:00:00Z"));
        let kind = ConditionKind::Stalled;
        let truths = vec![
            truth(false, "b"),
            Truth {
                kind,
                ..truth(false, "b")
            },
        ];
        let amended = amend(&said, &said, truths, at("2026-11-23T09:00:00Z"));
        let told: Vec<_> = amended
            .iter()
            .map(|one| {
                (
                    one.type_.as_str(),
                    one.status.as_str(),
                    one.message.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [("Ready", "False", "b"), ("Converged", "True", "all")]
        );
        assert_eq!(amended[1], said[1]);
    }
}
