//! What the loop left at the site, so that a loop whose memory has gone back in time notices.
//!
//! A state that is restored from a backup remembers less than was done. What it would put back, as if
//! somebody had moved devices by hand, was moved by what it has forgotten. While a loop runs it knows
//! what it did; only when it begins is the site compared with what it remembers.

use std::collections::BTreeMap;

use diarchy_core::inventory::Inventory;
use diarchy_core::steps::Step;
use diarchy_core::workload::{Staged, Workload, WorkloadSet};
use serde::{Deserialize, Serialize};

use diarchy_fleet::inventory::Readings;
use diarchy_fleet::site::state::{Owned, SiteState};

use crate::memory::FleetMemory;
use crate::site_rules::SiteRules;

/// What the owned collections had when the loop last looked, and what it was about to change then.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Footprint {
    /// By first id, the workloads in whose pilot an owned collection has the device.
    pub placed: BTreeMap<String, WorkloadSet>,
    /// By first id, what was about to be changed.
    #[serde(default)]
    pub touched: BTreeMap<String, WorkloadSet>,
}

impl Footprint {
    /// What the owned collections have now.
    pub fn of(inventory: &Inventory, rules: &SiteRules) -> Self {
        let mut placed = BTreeMap::new();
        for row in 0..inventory.rows() {
            let set = placed_in(inventory, rules, row);
            if !set.is_empty() {
                placed.insert(inventory.first_id(row).to_owned(), set);
            }
        }
        Self {
            placed,
            touched: BTreeMap::new(),
        }
    }

    /// Notes what is about to be changed.
    pub fn touch(&mut self, inventory: &Inventory, steps: &[Step]) {
        for step in steps {
            let (row, workload) = step.pair();
            let first = inventory.first_id(row).to_owned();
            let touched = self.touched.entry(first).or_default();
            touched.insert(workload);
        }
    }
}

fn placed_in(inventory: &Inventory, rules: &SiteRules, row: usize) -> WorkloadSet {
    let Some(resource) = inventory.resource_id(row) else {
        return WorkloadSet::EMPTY;
    };
    let workloads = Workload::ALL.into_iter();
    workloads
        .filter(|workload| {
            !rules
                .holding(Staged::Workload(*workload), resource)
                .is_empty()
        })
        .collect()
}

/// Whether everything was read that a footprint shows in: the site's devices, and what every owned
/// collection has.
pub fn is_seen(readings: &Readings) -> bool {
    let site = &readings.site;
    let tells = |owned: &Owned| owned.direct.is_some() || owned.members.is_some();
    let are_told = |state: &SiteState| state.owned.values().all(tells);
    site.systems.is_ok() && site.state.as_ref().is_ok_and(are_told)
}

/// How many devices the owned collections have otherwise than `memory` can explain. A device that the
/// site does not know any more explains itself.
pub fn unexplained(inventory: &Inventory, rules: &SiteRules, memory: &FleetMemory) -> usize {
    let Some(footprint) = &memory.footprint else {
        return 0;
    };
    let of = |sets: &BTreeMap<String, WorkloadSet>, first: &str| {
        sets.get(first).copied().unwrap_or(WorkloadSet::EMPTY)
    };
    let is_unexplained = |row: &usize| {
        let first = inventory.first_id(*row);
        if inventory.resource_id(*row).is_none() {
            return false;
        }
        let now = placed_in(inventory, rules, *row);
        let before = of(&footprint.placed, first);
        let touched = of(&footprint.touched, first);
        Workload::ALL.into_iter().any(|workload| {
            now.contains(workload) != before.contains(workload)
                && !touched.contains(workload)
                // What is not observed yet may still be on its way into a collection, or out of it.
                && memory.last_write(first, workload).is_none()
        })
    };
    (0..inventory.rows()).filter(is_unexplained).count()
}
