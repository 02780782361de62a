//! What was sent, for sites that do not tell a collection's rules.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::super::collection::CollectionId;
use super::super::state::{Owned, SiteState};
use super::{Outcome, Write};

/// What the lever remembers between passes.
///
/// Losing it costs some requests that change nothing, and no device: whatever the site tells is
/// believed before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeverMemory {
    rules: BTreeMap<CollectionId, BTreeMap<u32, Remembered>>,
    included: BTreeSet<CollectionId>,
    /// Inclusions whose answer was lost, and how many includes the pilot collection had before.
    perhaps_included: BTreeMap<CollectionId, i64>,
    refreshed: BTreeMap<CollectionId, Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Remembered {
    at: Timestamp,
    present: bool,
    /// Whether an answer said so.
    certain: bool,
}

impl LeverMemory {
    /// The devices that the rules of `owned` name: as the site tells them, or as its members and
    /// what was sent since suggest.
    #[must_use]
    pub fn rules_of(&self, owned: &Owned) -> BTreeSet<u32> {
        if let Some(direct) = &owned.direct {
            return direct.clone();
        }
        let mut rules = owned.members.clone().unwrap_or_default();
        for (&resource, remembered) in self.rules.get(&owned.id).into_iter().flatten() {
            // An answer that was lost proves nothing once the collection has been evaluated since.
            let evaluated = owned.last_refresh.is_some_and(|at| at > remembered.at);
            match (remembered.present, remembered.certain || !evaluated) {
                (true, true) => {
                    rules.insert(resource);
                }
                (false, true) if !evaluated => {
                    rules.remove(&resource);
                }
                _ => {}
            }
        }
        rules
    }

    /// When a rule for `resource` was sent to `collection`, if it was.
    pub(crate) fn sent_at(&self, collection: &CollectionId, resource: u32) -> Option<Timestamp> {
        let remembered = self.rules.get(collection)?.get(&resource)?;
        remembered.present.then_some(remembered.at)
    }

    /// Whether `owned` was included in its pilot collection, as far as can be remembered or seen.
    pub(crate) fn is_included(&self, state: &SiteState, owned: &Owned) -> bool {
        if let Some(included) = state.includes(owned) {
            return included;
        }
        let pilot = state.pilots.get(&owned.staged);
        let members = pilot.and_then(|pilot| pilot.members.as_ref());
        let before = self.perhaps_included.get(&owned.id);
        let count = pilot.and_then(|pilot| pilot.include_count);
        if matches!((before, count), (Some(before), Some(count)) if count > *before) {
            return true;
        }
        let own = owned.members.as_ref().filter(|members| !members.is_empty());
        self.included.contains(&owned.id)
            || matches!((own, members), (Some(own), Some(all)) if own.is_subset(all))
    }

    /// Whether an evaluation of `collection` was asked for after `since`.
    pub(crate) fn refreshed_since(&self, collection: &CollectionId, since: Timestamp) -> bool {
        self.refreshed.get(collection).is_some_and(|at| *at > since)
    }

    /// Notes what came of a write at `now`. `includes`: how many includes the pilot collection had
    /// before, for an inclusion.
    pub(crate) fn note(
        &mut self,
        write: &Write,
        outcome: &Outcome,
        now: Timestamp,
        includes: Option<i64>,
    ) {
        let certain = match outcome {
            Outcome::Sent => true,
            Outcome::Unknown { .. } => false,
            Outcome::Refused { .. } | Outcome::NotSent(_) => return,
        };
        match write {
            Write::AddRules {
                collection,
                resources,
            } => self.remember(collection, resources, true, certain, now),
            Write::DeleteRules {
                collection,
                resources,
            } => self.remember(collection, resources, false, certain, now),
            Write::Include { owned, .. } => {
                if certain {
                    self.included.insert(owned.clone());
                } else if let Some(includes) = includes {
                    self.perhaps_included.insert(owned.clone(), includes);
                }
            }
            Write::Refresh { collection } => {
                self.refreshed.insert(collection.clone(), now);
            }
            Write::CreateCollection { .. } | Write::Notify { .. } => {}
        }
    }

    fn remember(
        &mut self,
        collection: &CollectionId,
        resources: &[u32],
        present: bool,
        certain: bool,
        at: Timestamp,
    ) {
        let rules = self.rules.entry(collection.clone()).or_default();
        let remembered = Remembered {
            at,
            present,
            certain,
        };
        rules.extend(resources.iter().map(|&resource| (resource, remembered)));
    }

    /// Forgets what `state` shows to have happened, and what it shows to be gone, so that the memory
    /// does not grow.
    pub fn forget(&mut self, state: &SiteState) {
        const LONG: SignedDuration = SignedDuration::from_hours(24);
        self.rules.retain(|id, rules| {
            let Some(owned) = state.owned.get(id) else {
                return false;
            };
            rules.retain(|resource, remembered| {
                let recent = state.read_at.duration_since(remembered.at) < LONG;
                let has = |set: &BTreeSet<u32>| set.contains(resource);
                if remembered.present {
                    // Where rules are told, the time of sending alone is still of use, for a while.
                    !owned.members.as_ref().is_some_and(has) && (recent || owned.direct.is_none())
                } else {
                    recent
                        && owned
                            .direct
                            .as_ref()
                            .or(owned.members.as_ref())
                            .is_none_or(has)
                }
            });
            !rules.is_empty()
        });
        self.included.retain(|id| state.owned.contains_key(id));
        self.perhaps_included
            .retain(|id, _| state.owned.contains_key(id));
        self.refreshed
            .retain(|_, at| state.read_at.duration_since(*at) < LONG);
    }
}
