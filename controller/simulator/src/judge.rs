//! The judge: what a write log says about whoever wrote.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::acts::Act;
use crate::admin::wmi_route;
use crate::admin::writes::key_of;
use crate::log::{Cause, Effect, Entry};
use crate::setup::Setup;
use crate::site::rules::RuleKey;

/// An entry of the log that is held against its writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Sequence number of the entry.
    pub sequence: u64,
    /// What is wrong with it.
    pub what: String,
}

/// What a log says about whoever wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Writes that arrived, accepted or not.
    pub writes: usize,
    /// Writes that had already taken effect, and whose answer had reached the writer.
    pub repeated: Vec<Finding>,
    /// Writes that had already taken effect, but whose answer was lost on the way or was an error:
    /// the writer could not know without reading.
    pub repeated_after_lost_answer: Vec<Finding>,
    /// Writes to collections that were neither marked pilot collections nor made with a mark.
    pub stray: Vec<Finding>,
    /// Rules of people that were taken away.
    pub foreign_touched: Vec<Finding>,
    /// Deletions of rules that no write had made.
    pub unfounded_deletions: Vec<Finding>,
}

impl Verdict {
    /// Whether nothing is held against the writer. Repetitions after a lost answer are not.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.repeated.is_empty()
            && self.stray.is_empty()
            && self.foreign_touched.is_empty()
            && self.unfounded_deletions.is_empty()
    }
}

/// What the judge knows while reading.
struct Bench<'a> {
    setup: &'a Setup,
    verdict: Verdict,
    comments: BTreeMap<String, String>,
    /// Rules that writes made, and whether the writer got to know.
    made: BTreeMap<(String, RuleKey), bool>,
    /// Rules that writes took away.
    taken: BTreeSet<(String, RuleKey)>,
    /// Names of collections that writes made, and whether the writer got to know.
    names: BTreeMap<String, bool>,
}

/// Judges the writes in `log`, made in the world of `setup`.
#[must_use]
pub fn judge(setup: &Setup, log: &[Entry]) -> Verdict {
    let mut bench = Bench {
        setup,
        verdict: Verdict::default(),
        comments: marks(setup).collect(),
        made: BTreeMap::new(),
        taken: BTreeSet::new(),
        names: BTreeMap::new(),
    };
    for entry in log {
        match &entry.cause {
            Cause::Act(act) => bench.hear_act(act, &entry.effect),
            Cause::Write { path, body, .. } => bench.hear_write(entry, path, body),
        }
    }
    bench.verdict
}

/// The marks that the site's people have written for `setup`, by collection.
fn marks(setup: &Setup) -> impl Iterator<Item = (String, String)> + '_ {
    let pilots = setup.pilots();
    let enrollment = setup.enrollment_pilot_collection.iter();
    pilots
        .map(|(workload, id)| (id.to_owned(), setup.mark(workload)))
        .chain(enrollment.map(|id| (id.clone(), setup.enrollment_mark())))
        .filter(|_| !setup.unprepared)
}

impl Bench<'_> {
    fn hear_act(&mut self, act: &Act, effect: &Effect) {
        match act {
            Act::SetComment {
                collection,
                comment,
            } => {
                self.comments.insert(collection.clone(), comment.clone());
            }
            Act::Prepare { setup } => {
                for (id, mark) in marks(setup) {
                    let comment = self.comments.entry(id).or_default();
                    if comment.is_empty() {
                        *comment = mark;
                    }
                }
            }
            Act::CreateCollection { comment, .. } => {
                if let Effect::CollectionCreated { collection } = effect {
                    self.comments.insert(collection.clone(), comment.clone());
                }
            }
            Act::DeleteCollection { collection } => {
                self.comments.remove(collection);
                self.made.retain(|(other, _), _| other != collection);
            }
            Act::RemoveDirectRule {
                collection,
                resource_id,
            } => {
                let key = (collection.clone(), RuleKey::Direct(*resource_id));
                self.made.remove(&key);
            }
            _ => {}
        }
    }

    fn hear_write(&mut self, entry: &Entry, path: &str, body: &Value) {
        self.verdict.writes += 1;
        let known = entry.answered && entry.status.is_some_and(|status| status < 500);
        let comment = body.get("Comment").and_then(Value::as_str).unwrap_or("");
        let name = body.get("Name").and_then(Value::as_str).unwrap_or("");
        match target(path, body) {
            Some(collection) => {
                let mark = self.comments.get(&collection).map_or("", String::as_str);
                if !self.marked(mark) {
                    let what =
                        format!("a write to {collection}, which bears no mark of this fleet");
                    self.verdict.stray.push(finding(entry, what));
                }
            }
            None if !self.marked(comment) => {
                let what = format!("a write to {path} without a mark");
                self.verdict.stray.push(finding(entry, what));
            }
            None => {}
        }
        match &entry.effect {
            Effect::CollectionCreated { collection } => {
                self.comments.insert(collection.clone(), comment.to_owned());
                self.names.insert(name.to_lowercase(), known);
            }
            Effect::Refused { .. } if path.ends_with("/SMS_Collection") => {
                if entry.status == Some(500)
                    && let Some(before) = self.names.get(&name.to_lowercase())
                {
                    let before = *before;
                    self.repeated(entry, before, format!("the collection {name:?} was there"));
                }
            }
            Effect::RulesAdded {
                collection,
                added,
                already,
            } => {
                self.hear_additions(entry, collection, added, already, known);
            }
            Effect::RulesRemoved {
                collection,
                removed,
                missing,
            } => {
                self.hear_removals(entry, collection, removed, missing);
            }
            _ => {}
        }
    }

    fn hear_additions(
        &mut self,
        entry: &Entry,
        collection: &str,
        added: &[RuleKey],
        already: &[RuleKey],
        known: bool,
    ) {
        for rule in already {
            let key = (collection.to_owned(), rule.clone());
            // A person may have made the same rule: then this is no repetition.
            if let Some(before) = self.made.get(&key) {
                let before = *before;
                let what = format!("{rule:?} was in {collection} already");
                self.repeated(entry, before, what);
                self.made.insert(key, before || known);
            }
        }
        for rule in added {
            let key = (collection.to_owned(), rule.clone());
            self.taken.remove(&key);
            self.made.insert(key, known);
        }
    }

    fn hear_removals(
        &mut self,
        entry: &Entry,
        collection: &str,
        removed: &[RuleKey],
        missing: &[RuleKey],
    ) {
        for rule in removed {
            let key = (collection.to_owned(), rule.clone());
            if self.made.remove(&key).is_none() {
                let what = format!("{rule:?} in {collection} was somebody else's");
                self.verdict.foreign_touched.push(finding(entry, what));
            }
            self.taken.insert(key);
        }
        for rule in missing {
            let key = (collection.to_owned(), rule.clone());
            if self.taken.contains(&key) {
                let what = format!("{rule:?} had been taken out of {collection} already");
                self.repeated(entry, true, what);
            } else {
                let what = format!("no write had put {rule:?} into {collection}");
                self.verdict.unfounded_deletions.push(finding(entry, what));
            }
        }
    }

    fn repeated(&mut self, entry: &Entry, known: bool, what: String) {
        let list = if known {
            &mut self.verdict.repeated
        } else {
            &mut self.verdict.repeated_after_lost_answer
        };
        list.push(finding(entry, what));
    }

    fn marked(&self, comment: &str) -> bool {
        let fleet = &self.setup.fleet;
        comment.starts_with(&format!("diarchy: {fleet}/"))
            || comment.starts_with(&format!("diarchy claim: {fleet} "))
    }
}

fn finding(entry: &Entry, what: String) -> Finding {
    Finding {
        sequence: entry.sequence,
        what,
    }
}

/// The collection that a write is about; none for one that makes a collection.
fn target(path: &str, body: &Value) -> Option<String> {
    let route = wmi_route(path)?;
    let first = route.split('/').next()?;
    match key_of(first) {
        Some((_, key)) => Some(key.to_owned()),
        None if route.starts_with("SMS_Collection/") => route
            .split('/')
            .nth(1)
            .map(|key| key.trim_matches('\'').to_owned()),
        None => body
            .get("TargetCollectionID")
            .and_then(Value::as_str)
            .map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::setup::Workload;

    fn setup() -> Setup {
        Setup::new(1, 10).with_pilot(Workload::ClientApps, "PS100021")
    }

    fn write(sequence: u64, collection: &str, effect: Effect, answered: bool) -> Entry {
        Entry {
            sequence,
            at: Timestamp::UNIX_EPOCH,
            cause: Cause::Write {
                method: "POST".to_owned(),
                path: format!("/AdminService/wmi/SMS_Collection('{collection}')/AdminService.X"),
                body: json!({}),
            },
            effect,
            status: Some(201),
            answered,
        }
    }

    fn added(added: &[u32], already: &[u32]) -> Effect {
        Effect::RulesAdded {
            collection: "PS100021".to_owned(),
            added: added.iter().copied().map(RuleKey::Direct).collect(),
            already: already.iter().copied().map(RuleKey::Direct).collect(),
        }
    }

    fn removed(removed: &[u32], missing: &[u32]) -> Effect {
        Effect::RulesRemoved {
            collection: "PS100021".to_owned(),
            removed: removed.iter().copied().map(RuleKey::Direct).collect(),
            missing: missing.iter().copied().map(RuleKey::Direct).collect(),
        }
    }

    #[test]
    fn honest_work_is_clean() {
        let log = [
            write(1, "PS100021", added(&[1, 2], &[]), true),
            write(2, "PS100021", removed(&[1], &[]), true),
            write(3, "PS100021", added(&[1], &[]), true),
        ];
        let verdict = judge(&setup(), &log);
        assert!(verdict.is_clean(), "{verdict:?}");
        assert_eq!(verdict.writes, 3);
    }

    #[test]
    fn a_repetition_counts_unless_its_answer_was_lost() {
        let log = [
            write(1, "PS100021", added(&[1], &[]), true),
            write(2, "PS100021", added(&[], &[1]), true),
            write(3, "PS100021", added(&[2], &[]), false),
            write(4, "PS100021", added(&[], &[2]), true),
            write(5, "PS100021", added(&[], &[9]), true),
        ];
        let verdict = judge(&setup(), &log);
        let numbers = |list: &[Finding]| list.iter().map(|one| one.sequence).collect::<Vec<_>>();
        assert_eq!(numbers(&verdict.repeated), [2]);
        assert_eq!(numbers(&verdict.repeated_after_lost_answer), [4]);
    }

    #[test]
    fn foreign_rules_stray_writes_and_unfounded_deletions_are_found() {
        let log = [
            write(1, "PS100099", added(&[1], &[]), true),
            write(2, "PS100021", removed(&[5], &[]), true),
            write(3, "PS100021", removed(&[], &[6]), true),
        ];
        let verdict = judge(&setup(), &log);
        assert_eq!(verdict.stray[0].sequence, 1);
        assert_eq!(verdict.foreign_touched[0].sequence, 2);
        assert_eq!(verdict.unfounded_deletions[0].sequence, 3);
        assert!(!verdict.is_clean());
    }

    #[test]
    fn a_mark_that_a_person_took_away_no_longer_allows_writes() {
        let unmark = Entry {
            cause: Cause::Act(Act::SetComment {
                collection: "PS100021".to_owned(),
                comment: String::new(),
            }),
            ..write(1, "PS100021", Effect::Done, true)
        };
        let log = [unmark, write(2, "PS100021", added(&[1], &[]), true)];
        assert_eq!(judge(&setup(), &log).stray.len(), 1);
    }
}
