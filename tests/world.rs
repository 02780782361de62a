//! What a simulated estate has written down, read from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use diarchy_simulator::{Cause, Effect, Entry, RuleKey, judge, read_log};
use serde_json::Value;

/// The writes that the world beside a state file has seen. Its fleet is `contoso/contoso`.
pub fn writes(state: &Path) -> Vec<Entry> {
    match read_log(&folder(state)).unwrap() {
        Some((_, entries)) => entries,
        None => Vec::new(),
    }
}

fn folder(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".world");
    PathBuf::from(name).join("contoso/contoso")
}

/// Asserts that nothing is held against whoever wrote to the world beside a state file.
pub fn assert_clean(state: &Path) {
    let (setup, entries) = read_log(&folder(state)).unwrap().expect("there is a world");
    let verdict = judge(&setup, &entries);
    assert!(verdict.writes > 0, "nothing was written");
    assert!(verdict.is_clean(), "{verdict:#?}");
}

/// The collections that were made, by their Comment: how often each.
pub fn made(entries: &[Entry]) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for entry in entries {
        if let (Cause::Write { body, .. }, Effect::CollectionCreated { .. }) =
            (&entry.cause, &entry.effect)
        {
            let comment = body.get("Comment").and_then(Value::as_str).unwrap_or("");
            *made.entry(comment.to_owned()).or_default() += 1;
        }
    }
    made
}

/// The claims among collections that were made: epoch and installation.
pub fn claims(entries: &[Entry]) -> Vec<(u64, String)> {
    let claim = |comment: &String| {
        let (epoch, installation) = comment
            .strip_prefix("diarchy claim: contoso ")?
            .split_once(' ')?;
        Some((epoch.parse().ok()?, installation.to_owned()))
    };
    let mut claims: Vec<(u64, String)> = made(entries)
        .iter()
        .flat_map(|(comment, times)| std::iter::repeat_n(comment, *times))
        .filter_map(claim)
        .collect();
    claims.sort();
    claims
}

/// Asserts that no collection was made twice, and that one installation claimed the fleet once.
pub fn assert_made_once(entries: &[Entry]) {
    let made = made(entries);
    let twice: Vec<_> = made.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "made more than once: {twice:#?}");
    let claims = claims(entries);
    assert!(matches!(claims.as_slice(), [(1, _)]), "{claims:?}");
}

/// How many of these writes changed the rules of a collection.
pub fn rule_changes(entries: &[Entry]) -> usize {
    let changes = |entry: &&Entry| {
        matches!(
            entry.effect,
            Effect::RulesAdded { .. } | Effect::RulesRemoved { .. }
        )
    };
    entries.iter().filter(changes).count()
}

/// How many rules for devices were made by these writes.
pub fn placed(entries: &[Entry]) -> usize {
    let made = entries.iter().filter_map(|entry| match &entry.effect {
        Effect::RulesAdded { added, .. } => Some(devices(added)),
        _ => None,
    });
    made.sum()
}

/// How many rules for devices were taken away by these writes.
pub fn taken_out(entries: &[Entry]) -> usize {
    let taken = entries.iter().filter_map(|entry| match &entry.effect {
        Effect::RulesRemoved { removed, .. } => Some(devices(removed)),
        _ => None,
    });
    taken.sum()
}

fn devices(rules: &[RuleKey]) -> usize {
    let is_device = |rule: &&RuleKey| matches!(rule, RuleKey::Direct(_));
    rules.iter().filter(is_device).count()
}

/// The devices that rules were made for in the collections of one workload.
pub fn placed_in(entries: &[Entry], workload: &str) -> BTreeSet<u32> {
    let mut collections = BTreeSet::new();
    let mut placed = BTreeSet::new();
    for entry in entries {
        match (&entry.cause, &entry.effect) {
            (Cause::Write { body, .. }, Effect::CollectionCreated { collection }) => {
                let comment = body["Comment"].as_str().unwrap_or_default();
                if comment.contains(&format!("/{workload} ")) {
                    collections.insert(collection);
                }
            }
            (
                _,
                Effect::RulesAdded {
                    collection, added, ..
                },
            ) if collections.contains(collection) => {
                placed.extend(added.iter().filter_map(|rule| match rule {
                    RuleKey::Direct(resource) => Some(*resource),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    placed
}

/// Asserts that no rule was asked for that was there, and none taken away that was not.
pub fn assert_nothing_twice(entries: &[Entry]) {
    for entry in entries {
        let twice = match &entry.effect {
            Effect::RulesAdded { already, .. } => already,
            Effect::RulesRemoved { missing, .. } => missing,
            _ => continue,
        };
        assert!(twice.is_empty(), "done twice: {entry:#?}");
    }
}
