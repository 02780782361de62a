//! What is said of a source: its status, made of what a look came to.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_crds::git_source::{AppliedContent, GitSourceStatus, MAX_INVENTORY};
use diarchy_operator::condition::{ConditionKind, Truth, merge};
use jiff::Timestamp;

use super::apply::Held;
use super::difference;
use super::error::SourceError;
use crate::tenant::Key;

/// How many objects a message names.
const NAMED: usize = 3;

/// What a look came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The revision that was fetched.
    pub attempted: Option<String>,
    /// What is in force now.
    pub applied: Option<InForce>,
    /// What of it is in the cluster, and what else the source has there.
    pub inventory: BTreeSet<String>,
    /// By object, what others hold of it.
    pub held: BTreeMap<Key, Held>,
    /// Why it did not come to its end.
    pub error: Option<SourceError>,
    /// The revision of which only a part is in the cluster.
    pub half: Option<String>,
    /// What is in the cluster, and who has signed it.
    pub signed: Option<AppliedContent>,
}

impl Outcome {
    /// A look that came to nothing: everything is as it was before.
    pub fn failed(before: &GitSourceStatus, error: SourceError) -> Self {
        Self {
            inventory: before.inventory.iter().cloned().collect(),
            half: before.applying_revision.clone(),
            signed: before.content.clone(),
            error: Some(error),
            ..Self::default()
        }
    }
}

/// A revision that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InForce {
    /// Which one.
    pub revision: String,
    /// How many resources it has.
    pub resources: usize,
    /// How many documents of other groups it has.
    pub skipped: usize,
}

/// What a status is said about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The generation of the source.
    pub generation: i64,
    /// The look that a person asked for.
    pub requested: Option<&'a str>,
    /// The status until now.
    pub before: &'a GitSourceStatus,
    /// When.
    pub now: Timestamp,
}

impl About<'_> {
    /// The status after a look.
    pub fn after(&self, outcome: &Outcome) -> GitSourceStatus {
        let before = self.before;
        let mut status = GitSourceStatus {
            conditions: merge(&before.conditions, truths(outcome), self.now),
            last_attempted_revision: outcome
                .attempted
                .clone()
                .or_else(|| before.last_attempted_revision.clone()),
            last_applied_revision: before.last_applied_revision.clone(),
            resources: before.resources,
            inventory: difference::inventory(outcome.inventory.clone()),
            applying_revision: outcome.half.clone(),
            content: outcome.signed.clone(),
            ..GitSourceStatus::default()
        };
        if let Some(applied) = &outcome.applied {
            status.last_applied_revision = Some(applied.revision.clone());
            status.resources = u32::try_from(applied.resources).ok();
        }
        self.answered(status)
    }

    /// The status while `revision` is being applied; `changes` is what is in the cluster then, where
    /// anything is written that is carried out in its turn.
    pub fn during(&self, revision: &str, changes: Option<AppliedContent>) -> GitSourceStatus {
        let mut status = self.before.clone();
        if changes.is_some() {
            status.applying_revision = Some(revision.to_owned());
            status.content = changes;
        }
        // What is tried again was announced before.
        if self.before.last_attempted_revision.as_deref() == Some(revision) {
            return status;
        }
        status.last_attempted_revision = Some(revision.to_owned());
        let applying = Truth {
            kind: ConditionKind::Reconciling,
            holds: true,
            reason: "Applying",
            message: format!("{revision} is being applied"),
        };
        let kept = status.conditions.into_iter();
        let mut conditions: Vec<_> = kept
            .filter(|condition| !matches!(condition.type_.as_str(), "Stalled" | "Reconciling"))
            .collect();
        conditions.extend(merge(&self.before.conditions, vec![applying], self.now));
        status.conditions = conditions;
        self.complete(status)
    }

    /// The status of a source that is stopped: what was true of it still is.
    pub fn stopped(&self) -> GitSourceStatus {
        self.answered(self.before.clone())
    }

    /// A status in which everything is done that was asked for.
    fn answered(&self, mut status: GitSourceStatus) -> GitSourceStatus {
        let before = &self.before.last_handled_reconcile_at;
        let asked = self.requested.map(ToOwned::to_owned);
        status.last_handled_reconcile_at = asked.or_else(|| before.clone());
        self.complete(status)
    }

    fn complete(&self, mut status: GitSourceStatus) -> GitSourceStatus {
        status.observed_generation = Some(self.generation);
        for condition in &mut status.conditions {
            condition.observed_generation = Some(self.generation);
        }
        status
    }
}

fn truths(outcome: &Outcome) -> Vec<Truth> {
    let mut truths = match &outcome.error {
        Some(error) => failed(error, outcome.half.as_deref()),
        None => vec![Truth {
            kind: ConditionKind::Ready,
            holds: true,
            reason: "Applied",
            message: outcome
                .applied
                .as_ref()
                .map(|applied| in_force(applied, &outcome.held))
                .unwrap_or_default(),
        }],
    };
    if !outcome.held.is_empty() {
        truths.push(Truth {
            kind: ConditionKind::Overridden,
            holds: true,
            reason: "HeldByOthers",
            message: held(&outcome.held),
        });
    }
    truths
}

/// A person must act, or it is tried again: one of the two.
fn failed(error: &SourceError, half: Option<&str>) -> Vec<Truth> {
    let waits = half.map(|revision| {
        format!(
            "; only a part of {revision} is applied: what changes in this namespace is not carried out until all of it is, or this source is suspended"
        )
    });
    let message = error.told() + waits.as_deref().unwrap_or_default();
    let (kind, reason) = match error.consequence() {
        Consequence::FixInput => (ConditionKind::Stalled, error.reason()),
        Consequence::WaitUntil(_) | Consequence::Retry => {
            (ConditionKind::Reconciling, "TriedAgain")
        }
    };
    let truth = |kind, holds, reason| Truth {
        kind,
        holds,
        reason,
        message: message.clone(),
    };
    vec![
        truth(ConditionKind::Ready, false, error.reason()),
        truth(kind, true, reason),
    ]
}

fn in_force(applied: &InForce, held: &BTreeMap<Key, Held>) -> String {
    let InForce {
        revision,
        resources,
        skipped,
    } = applied;
    let count = match resources {
        1 => "1 resource".to_owned(),
        count => format!("{count} resources"),
    };
    let others = match skipped {
        0 => String::new(),
        skipped => format!(", {skipped} of other groups skipped"),
    };
    let full = if *resources > MAX_INVENTORY {
        format!(
            "; {}: only the first {MAX_INVENTORY} are kept account of, and others are not removed when git has them no more: spread them over several sources",
            Code::InventoryFull
        )
    } else {
        String::new()
    };
    let left = held.iter().filter(|(_, held)| held.is_left);
    let left: Vec<String> = left
        .map(|((kind, name), _)| format!("{kind}/{}", name.name))
        .collect();
    let state = match left.as_slice() {
        [] => "is in force".to_owned(),
        left => format!("is applied, but not {}", few(left, ", ")),
    };
    format!("{revision} {state}: {count}{others}{full}")
}

fn held(held: &BTreeMap<Key, Held>) -> String {
    let named: Vec<String> = held
        .iter()
        .map(|((kind, name), held)| format!("{kind}/{}: {}", name.name, held.what))
        .collect();
    let named = few(&named, "; ");
    format!(
        "{}: {named}: take those fields out of git, or have the others give them up",
        Code::HeldByOthers
    )
}

/// The first of them, and how many there are besides.
fn few(all: &[String], between: &str) -> String {
    let first = &all[..all.len().min(NAMED)];
    match all.len() - first.len() {
        0 => first.join(between),
        more => format!("{}{between}and {more} more", first.join(between)),
    }
}

#[cfg(test)]
mod tests {
    use diarchy_core::resource::{Kind, ObjectName};
    use diarchy_git::FetchError;

    use super::*;

    fn about(before: &GitSourceStatus) -> About<'_> {
        About {
            generation: 3,
            requested: None,
            before,
            now: "2026-11-25T10:00:00Z".parse().unwrap(),
        }
    }

    fn applied(resources: usize) -> Outcome {
        let revision = "main@sha1:1".to_owned();
        Outcome {
            attempted: Some(revision.clone()),
            applied: Some(InForce {
                revision,
                resources,
                skipped: 2,
            }),
            inventory: ["diarchy.dev/Fleet/contoso/contoso".to_owned()].into(),
            ..Outcome::default()
        }
    }

    fn content() -> AppliedContent {
        AppliedContent {
            digest: "sha256:00".to_owned(),
            signer: Some("megan".to_owned()),
        }
    }

    fn brief(status: &GitSourceStatus) -> Vec<String> {
        let conditions = status.conditions.iter();
        conditions
            .map(|one| format!("{}={} {}", one.type_, one.status, one.reason))
            .collect()
    }

    fn unreachable() -> SourceError {
        SourceError::Fetch(FetchError::Unreachable {
            host: "git.contoso.com".to_owned(),
            detail: "no route".to_owned(),
        })
    }

    fn invalid() -> SourceError {
        SourceError::Invalid {
            revision: "main@sha1:2".to_owned(),
            code: Code::Syntax,
            count: 2,
            first: "a.yaml:1:2: DIA1003: it is no YAML: mend it".to_owned(),
        }
    }

    #[test]
    fn what_is_in_force_is_ready_and_says_how_much_there_is() {
        let before = GitSourceStatus::default();
        let status = about(&before).after(&applied(1));
        assert_eq!(brief(&status), ["Ready=True Applied"]);
        assert_eq!(
            status.conditions[0].message,
            "main@sha1:1 is in force: 1 resource, 2 of other groups skipped"
        );
        assert_eq!(status.observed_generation, Some(3));
        assert_eq!(status.conditions[0].observed_generation, Some(3));
        assert_eq!(status.last_applied_revision.as_deref(), Some("main@sha1:1"));
        assert_eq!(status.resources, Some(1));
        // The same again says nothing new.
        assert_eq!(about(&status).after(&applied(1)), status);
        let many = about(&before).after(&applied(5000));
        assert!(many.conditions[0].message.contains("DIA2315"));
    }

    #[test]
    fn what_a_person_must_mend_is_stalled_and_the_last_revision_stays() {
        let before = about(&GitSourceStatus::default()).after(&applied(1));
        let outcome = Outcome {
            attempted: Some("main@sha1:2".to_owned()),
            inventory: before.inventory.iter().cloned().collect(),
            error: Some(invalid()),
            ..Outcome::default()
        };
        let status = about(&before).after(&outcome);
        assert_eq!(
            brief(&status),
            [
                "Ready=False RevisionInvalid",
                "Stalled=True RevisionInvalid"
            ]
        );
        assert_eq!(
            status.conditions[0].message,
            "main@sha1:2 is not applied, for 2 mistakes: a.yaml:1:2: DIA1003: it is no YAML: mend it"
        );
        assert_eq!(
            status.last_attempted_revision.as_deref(),
            Some("main@sha1:2")
        );
        assert_eq!(status.last_applied_revision.as_deref(), Some("main@sha1:1"));
        assert_eq!(status.inventory, before.inventory);
        assert_eq!(status.resources, Some(1));
    }

    #[test]
    fn what_may_come_to_something_by_itself_is_reconciling() {
        let outcome = Outcome {
            error: Some(unreachable()),
            ..Outcome::default()
        };
        let status = about(&GitSourceStatus::default()).after(&outcome);
        assert_eq!(
            brief(&status),
            [
                "Ready=False RepositoryNotReadable",
                "Reconciling=True TriedAgain"
            ]
        );
        assert!(status.conditions[0].message.starts_with("DIA2201: "));
    }

    #[test]
    fn while_a_revision_is_applied_the_last_one_still_is_ready() {
        let before = about(&GitSourceStatus::default()).after(&applied(1));
        let status = about(&before).during("main@sha1:2", Some(content()));
        assert_eq!(
            brief(&status),
            ["Ready=True Applied", "Reconciling=True Applying"]
        );
        let done = about(&status).after(&applied(1));
        assert_eq!(brief(&done), ["Ready=True Applied"]);
        let first = about(&GitSourceStatus::default()).during("main@sha1:1", Some(content()));
        assert_eq!(brief(&first), ["Reconciling=True Applying"]);
    }

    #[test]
    fn that_only_a_part_is_applied_is_known_until_all_of_it_is() {
        let whole = about(&GitSourceStatus::default()).after(&applied(1));
        let begun = about(&whole).during("main@sha1:2", Some(content()));
        assert_eq!(begun.applying_revision.as_deref(), Some("main@sha1:2"));
        assert_eq!(begun.content, Some(content()));
        assert_eq!(
            about(&begun).stopped().applying_revision,
            begun.applying_revision
        );
        let broken = Outcome::failed(&begun, unreachable());
        let broken = about(&begun).after(&broken);
        assert_eq!(broken.applying_revision, begun.applying_revision);
        // Tried again, nothing else is said.
        assert_eq!(
            about(&broken).during("main@sha1:2", Some(content())),
            broken
        );
        for condition in &broken.conditions {
            assert!(
                condition
                    .message
                    .contains("only a part of main@sha1:2 is applied")
            );
        }
        // The next one may be refused before anything of it is applied.
        let after = about(&broken).during("main@sha1:3", None);
        assert_eq!(after.applying_revision, begun.applying_revision);
        assert_eq!(about(&broken).after(&applied(1)).applying_revision, None);
        // One that has nothing new for the cluster begins nothing.
        assert_eq!(
            about(&whole).during("main@sha1:2", None).applying_revision,
            None
        );
    }

    #[test]
    fn who_asks_is_answered_when_it_is_done_and_not_before() {
        let before = about(&GitSourceStatus::default()).after(&applied(1));
        let asked = About {
            requested: Some("now"),
            ..about(&before)
        };
        let begun = asked.during("main@sha1:2", Some(content()));
        assert_eq!(begun.last_handled_reconcile_at, None);
        let asked = About {
            before: &begun,
            ..asked
        };
        let failed = asked.after(&Outcome::failed(&begun, unreachable()));
        assert_eq!(failed.last_handled_reconcile_at.as_deref(), Some("now"));
        // It stays the last that was answered.
        let again = about(&failed).after(&applied(1));
        assert_eq!(again.last_handled_reconcile_at.as_deref(), Some("now"));
    }

    #[test]
    fn what_others_hold_is_told_and_bounded() {
        let mut outcome = applied(4);
        for name in ["a", "b", "c", "d"] {
            outcome.held.insert(
                (Kind::DeviceGroup, ObjectName::new("contoso", name)),
                Held {
                    what: "spec.devices is held by \"console\"".to_owned(),
                    is_left: false,
                },
            );
        }
        let status = about(&GitSourceStatus::default()).after(&outcome);
        assert_eq!(
            brief(&status),
            ["Ready=True Applied", "Overridden=True HeldByOthers"]
        );
        assert_eq!(
            status.conditions[0].message,
            "main@sha1:1 is in force: 4 resources, 2 of other groups skipped"
        );
        let message = &status.conditions[1].message;
        assert!(message.starts_with("DIA2314: DeviceGroup/a: spec.devices"));
        assert!(message.contains("and 1 more") && !message.contains("DeviceGroup/d"));
        // What is left altogether is not in force.
        for held in outcome.held.values_mut() {
            held.is_left = true;
        }
        let status = about(&GitSourceStatus::default()).after(&outcome);
        assert_eq!(
            status.conditions[0].message,
            "main@sha1:1 is applied, but not DeviceGroup/a, DeviceGroup/b, DeviceGroup/c, and 1 more: 4 resources, 2 of other groups skipped"
        );
    }

    #[test]
    fn a_source_that_is_stopped_keeps_what_was_true_and_answers() {
        let before = about(&GitSourceStatus::default()).after(&applied(1));
        let asked = About {
            requested: Some("now"),
            generation: 4,
            ..about(&before)
        };
        let status = asked.stopped();
        assert_eq!(brief(&status), ["Ready=True Applied"]);
        assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
        assert_eq!(status.observed_generation, Some(4));
    }
}
