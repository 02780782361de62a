//! What the site has, by its own log.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_simulator::{Act, Cause, Effect, Entry, RuleKey, Workload};
use jiff::Timestamp;
use serde_json::Value;

use super::Write;
use crate::repository::{NAME, Repository, pilot};

/// A collection that bears an assignment's mark.
#[derive(Debug, Clone)]
pub struct Owned {
    pub workload: Workload,
    /// The assignment's name.
    pub owner: String,
    /// Whether that assignment is gone; one that came back is another.
    pub is_gone: bool,
    /// Whether the assignment had said that its devices go back, when it went.
    pub reverts: bool,
    /// Whether another one of its name came since: who has not gone back by then may stay.
    pub has_successor: bool,
}

/// The collections and the rules in them.
#[derive(Debug, Default)]
pub struct Site {
    pub owned: BTreeMap<String, Owned>,
    rules: BTreeMap<String, BTreeSet<u32>>,
    /// Rules that people have taken away, by collection and device.
    taken: BTreeSet<(String, u32)>,
    /// When rules were made last, by collection and device.
    made: BTreeMap<(String, u32), Timestamp>,
    /// Devices that people had put into a pilot before the world began, by workload.
    first: BTreeSet<(Workload, u32)>,
    /// What the assignments had said last about their deletion.
    reverts: BTreeMap<String, bool>,
}

impl Site {
    /// The site as it is when the world begins, with the members of the pilot collections.
    pub fn new(members: &BTreeSet<(Workload, u32)>) -> Self {
        Self {
            first: members.clone(),
            ..Self::default()
        }
    }

    /// Notes which assignments are gone in the revision that is in force.
    pub fn forget_owners(&mut self, repository: Option<&Repository>) {
        let Some(repository) = repository else {
            return;
        };
        for owned in self.owned.values_mut() {
            let of_its_name = repository.assignments.get(&owned.owner);
            // Of another workload, it is another one, whatever its name.
            let is_there = of_its_name.is_some_and(|one| {
                let along = (Workload::DeviceConfiguration, Workload::EndpointProtection);
                one.workload == owned.workload || (one.workload, owned.workload) == along
            });
            if !owned.is_gone && !is_there {
                owned.is_gone = true;
                owned.reverts = self.reverts.get(&owned.owner).copied().unwrap_or(false);
            }
            owned.has_successor |= owned.is_gone && of_its_name.is_some();
        }
        self.reverts = repository
            .assignments
            .iter()
            // What is at Configuration Manager has nothing to go back from.
            .map(|(name, one)| (name.clone(), one.reverts && one.to_intune))
            .collect();
    }

    /// Takes what the log says, but for the direct rules of writes: see [`Site::change`].
    pub fn take(&mut self, entry: &Entry) {
        match (&entry.cause, &entry.effect) {
            (Cause::Write { body, .. }, Effect::CollectionCreated { collection }) => {
                if let Some(owned) = owned(body) {
                    self.owned.insert(collection.clone(), owned);
                }
            }
            (
                Cause::Act(Act::AddDirectRule {
                    collection,
                    resource_id,
                }),
                Effect::RulesAdded { .. },
            ) => {
                self.rules_of(collection).insert(*resource_id);
            }
            (
                Cause::Act(Act::RemoveDirectRule {
                    collection,
                    resource_id,
                }),
                _,
            ) if self.rules_of(collection).remove(resource_id) => {
                self.taken.insert((collection.clone(), *resource_id));
            }
            _ => {}
        }
    }

    fn rules_of(&mut self, collection: &str) -> &mut BTreeSet<u32> {
        self.rules.entry(collection.to_owned()).or_default()
    }

    pub fn change(&mut self, write: &Write, at: Timestamp) {
        self.made
            .insert((write.collection.clone(), write.resource), at);
        let rules = self.rules_of(&write.collection);
        if write.adds {
            rules.insert(write.resource);
        } else {
            rules.remove(&write.resource);
        }
    }

    fn has(&self, collection: &str, resource: u32) -> bool {
        self.rules
            .get(collection)
            .is_some_and(|rules| rules.contains(&resource))
    }

    /// Whether somebody has taken the device out by hand at some time.
    pub fn was_taken(&self, collection: &str, resource: u32) -> bool {
        self.taken.contains(&(collection.to_owned(), resource))
    }

    /// When the collection's rule for the device was made last.
    pub fn made(&self, collection: &str, resource: u32) -> Option<Timestamp> {
        self.made.get(&(collection.to_owned(), resource)).copied()
    }

    /// Whether somebody other than the loop has put the device into the workload's pilot collection.
    pub fn is_foreign(&self, workload: Workload, resource: u32) -> bool {
        self.has(&pilot(workload), resource) || self.first.contains(&(workload, resource))
    }

    /// The collections of the workload that have the device.
    pub fn holders(&self, workload: Workload, resource: u32) -> impl Iterator<Item = &Owned> {
        let owned = self.owned.iter();
        owned
            .filter(move |(id, owned)| owned.workload == workload && self.has(id, resource))
            .map(|(_, owned)| owned)
    }

    /// Whether anything holds the device in the workload's pilot.
    pub fn is_held(&self, workload: Workload, resource: u32) -> bool {
        self.is_foreign(workload, resource) || self.holders(workload, resource).next().is_some()
    }

    /// Whether the assignment of this name, as it is now, has placed the device.
    pub fn is_placed(&self, workload: Workload, owner: &str, resource: u32) -> bool {
        self.holders(workload, resource)
            .any(|owned| owned.owner == owner && !owned.is_gone)
    }
}

/// Reads `diarchy: contoso/ClientApps contoso/a1 <uid>` in the Comment of a new collection.
fn owned(body: &Value) -> Option<Owned> {
    let comment = body.get("Comment")?.as_str()?;
    let mut words = comment.strip_prefix("diarchy: ")?.split(' ');
    let workload = words.next()?.strip_prefix(&format!("{NAME}/"))?;
    let owner = words.next()?.strip_prefix(&format!("{NAME}/"))?;
    Some(Owned {
        workload: workload.parse().ok()?,
        owner: owner.to_owned(),
        is_gone: false,
        reverts: false,
        has_successor: false,
    })
}

/// The direct rules that an entry of the log has made or taken away on behalf of a program.
pub fn writes(log: &Entry, entry: usize) -> Vec<Write> {
    let (collection, rules, adds) = match (&log.cause, &log.effect) {
        (
            Cause::Write { .. },
            Effect::RulesAdded {
                collection, added, ..
            },
        ) => (collection, added, true),
        (
            Cause::Write { .. },
            Effect::RulesRemoved {
                collection,
                removed,
                ..
            },
        ) => (collection, removed, false),
        _ => return Vec::new(),
    };
    let direct = rules.iter().filter_map(|rule| match rule {
        RuleKey::Direct(resource) => Some(Write {
            entry,
            collection: collection.clone(),
            resource: *resource,
            adds,
        }),
        _ => None,
    });
    direct.collect()
}
