//! What the owned collections hold of each device, by rule and by membership.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::desired::Desired;
use diarchy_core::inventory::{Cell, Inventory};
use diarchy_core::resource::ObjectName;
use diarchy_core::rules::{Owner, RulesUnderWay};
use diarchy_core::workload::{Staged, Workload};
use diarchy_fleet::site::collection::CollectionId;
use diarchy_fleet::site::lever::LeverMemory;
use diarchy_fleet::site::pending::RuleState;
use diarchy_fleet::site::state::SiteState;
use serde::{Deserialize, Serialize};

/// An owned collection that has a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The collection.
    pub collection: CollectionId,
    /// The assignment or policy it was made for.
    pub owner: ObjectName,
    /// Which one of that name.
    pub uid: String,
    is_rule: bool,
    is_member: bool,
}

/// What the owned collections hold, by pilot and the site's number for a device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SiteRules {
    #[serde(with = "listed")]
    by_device: BTreeMap<(Staged, u32), Vec<Held>>,
    /// Rules that never make a member, since the pilot's limiting collection lacks the device.
    outside: BTreeSet<(Staged, u32)>,
}

impl SiteRules {
    /// What `state` says, and `lever` remembers where the site does not tell rules.
    pub fn new(state: &SiteState, lever: &LeverMemory) -> Self {
        let mut by_device: BTreeMap<(Staged, u32), Vec<Held>> = BTreeMap::new();
        for owned in state.owned.values() {
            let rules = lever.rules_of(owned);
            let members = owned.members.clone().unwrap_or_default();
            for resource in rules.union(&members) {
                let held = Held {
                    collection: owned.id.clone(),
                    owner: owned.owner.clone(),
                    uid: owned.uid.clone(),
                    is_rule: rules.contains(resource),
                    // Members that could not be read may be any: the rules are all there is.
                    is_member: owned.members.is_none() || members.contains(resource),
                };
                by_device
                    .entry((owned.staged, *resource))
                    .or_default()
                    .push(held);
            }
        }
        let pending = state.pending(lever);
        let outside = pending
            .iter()
            .filter(|rule| rule.state == RuleState::OutsideLimitingCollection)
            .map(|rule| (rule.staged, rule.resource))
            .collect();
        Self { by_device, outside }
    }

    /// The owned collections that have a device, by rule or by membership: what it has to be taken
    /// out of to leave the pilot.
    pub fn holding(&self, staged: Staged, resource: u32) -> &[Held] {
        self.by_device
            .get(&(staged, resource))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether an owned collection has a rule for a device.
    pub fn has_rule(&self, staged: Staged, resource: u32) -> bool {
        let holding = self.holding(staged, resource);
        holding.iter().any(|held| held.is_rule)
    }

    /// Whether there is any such rule as [`Self::is_outside`] tells of.
    pub fn has_outside(&self) -> bool {
        !self.outside.is_empty()
    }

    /// Whether a rule has been made for a device that never becomes a membership, since the limiting
    /// collection lacks it.
    pub fn is_outside(&self, staged: Staged, resource: u32) -> bool {
        self.outside.contains(&(staged, resource))
    }

    /// What is under way for the devices of `inventory`.
    pub fn under_way(
        &self,
        desired: &Desired,
        inventory: &Inventory,
        uids: &BTreeMap<ObjectName, String>,
    ) -> RulesUnderWay {
        let mut under_way = RulesUnderWay::default();
        let rows: BTreeMap<u32, usize> = (0..inventory.rows())
            .filter_map(|row| Some((inventory.resource_id(row)?, row)))
            .collect();
        for ((staged, resource), holding) in &self.by_device {
            let (Some(workload), Some(row)) = (staged.workload(), rows.get(resource)) else {
                continue;
            };
            // The pilot is evaluated after the collections that it includes: until then a member of theirs
            // is where it was.
            let is_in_pilot = is_in_pilot(inventory, *row, workload);
            // An assignment may have several collections: what stands in one of them stands.
            let mut by_owner: BTreeMap<Owner, Vec<&Held>> = BTreeMap::new();
            for held in holding {
                let owner = desired
                    .find_assignment(&held.owner)
                    .filter(|owner| desired.places_in(*owner, workload))
                    .filter(|_| uids.get(&held.owner) == Some(&held.uid));
                by_owner.entry(owner).or_default().push(held);
            }
            for (owner, held) in by_owner {
                if is_in_pilot && held.iter().any(|held| held.is_rule && held.is_member) {
                    continue;
                }
                if held.iter().any(|held| held.is_rule) {
                    under_way.arrives(*row, workload, owner);
                }
                if is_in_pilot && held.iter().any(|held| held.is_member) {
                    under_way.leaves(*row, workload, owner);
                }
            }
        }
        under_way
    }
}

/// Whether the device is a member of the workload's pilot collection, or may be.
fn is_in_pilot(inventory: &Inventory, row: usize, workload: Workload) -> bool {
    let assigned = inventory.assigned(workload);
    match assigned.cell(row) {
        Cell::Value(place) => !assigned.values()[place].is_empty(),
        Cell::Unread | Cell::Absent => true,
    }
}

/// A map whose keys are no texts, as a list.
mod listed {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S, K, V>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        K: Serialize,
        V: Serialize,
    {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
    {
        let pairs: Vec<(K, V)> = Vec::deserialize(deserializer)?;
        Ok(pairs.into_iter().collect())
    }
}
