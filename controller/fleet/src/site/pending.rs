//! Rules that have not become memberships.
//!
//! A direct member outside the limiting collection is silently no member
//! (memdocs: clients/manage/collections/collection-evaluation.md): sending its rule again would change nothing.

use std::collections::BTreeSet;

use diarchy_core::resource::ObjectName;
use diarchy_core::workload::Staged;
use jiff::Timestamp;

use super::collection::CollectionId;
use super::lever::LeverMemory;
use super::state::SiteState;

/// What has become of a direct rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleState {
    /// The resource is a member.
    Member,
    /// The collection has not been evaluated since.
    Pending,
    /// The collection has been evaluated since, and the resource is no member.
    OutsideLimitingCollection,
}

/// What has become of each of `rules`. `changed`: when the last of them was sent, at the latest.
pub fn classify<'a>(
    rules: &'a BTreeSet<u32>,
    members: &'a BTreeSet<u32>,
    last_refresh: Option<Timestamp>,
    changed: Option<Timestamp>,
) -> impl Iterator<Item = (u32, RuleState)> + 'a {
    let evaluated = match (last_refresh, changed) {
        (Some(refresh), Some(changed)) => refresh > changed,
        // Without both, nothing proves that the rule has been looked at.
        _ => false,
    };
    rules.iter().map(move |&resource| {
        let state = if members.contains(&resource) {
            RuleState::Member
        } else if evaluated {
            RuleState::OutsideLimitingCollection
        } else {
            RuleState::Pending
        };
        (resource, state)
    })
}

/// A rule without a membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRule {
    /// In which pilot.
    pub staged: Staged,
    /// For which assignment or policy.
    pub owner: ObjectName,
    /// In which owned collection.
    pub collection: CollectionId,
    /// For which device.
    pub resource: u32,
    /// Pending, or outside.
    pub state: RuleState,
}

impl SiteState {
    /// Every rule of an owned collection that has not become a membership.
    #[must_use]
    pub fn pending(&self, memory: &LeverMemory) -> Vec<PendingRule> {
        let mut pending = Vec::new();
        for owned in self.owned.values() {
            let Some(members) = &owned.members else {
                continue;
            };
            let rules = memory.rules_of(owned);
            for (resource, state) in
                classify(&rules, members, owned.last_refresh, owned.last_change)
            {
                let sent = memory.sent_at(&owned.id, resource);
                let state = match (state, sent, owned.last_refresh) {
                    // The site may not count a new rule as a change of the collection.
                    (RuleState::OutsideLimitingCollection, Some(sent), Some(refresh))
                        if sent >= refresh =>
                    {
                        RuleState::Pending
                    }
                    // And may not say when it was changed at all.
                    (RuleState::Pending, Some(sent), Some(refresh))
                        if owned.last_change.is_none() && refresh > sent =>
                    {
                        RuleState::OutsideLimitingCollection
                    }
                    (state, ..) => state,
                };
                if state != RuleState::Member {
                    pending.push(PendingRule {
                        staged: owned.staged,
                        owner: owned.owner.clone(),
                        collection: owned.id.clone(),
                        resource,
                        state,
                    });
                }
            }
        }
        pending
    }
}
