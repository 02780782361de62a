//! What the loop left at the site, so that a loop whose memory has gone back in time notices.
//!
//! A state that is restored from a backup remembers less than was done. What it would put back, as if
//! somebody had moved devices by hand, was moved by what it has forgotten. While a loop runs it knows
//! what it did; only when it begins is the site compared with what it remembers.

use std::collections::BTreeMap;

use diarchy_core::drift::Left;
use diarchy_core::engine::{Engine, Holding};
use diarchy_core::inventory::Inventory;
use diarchy_core::steps::Step;
use diarchy_core::ternary::Ternary;
use diarchy_core::workload::{Staged, Workload, WorkloadSet};
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::site::state::{Owned, Pilot, SiteState};
use serde::{Deserialize, Serialize};

use crate::memory::FleetMemory;
use crate::site_rules::SiteRules;

/// How devices stood when the loop last looked, and what it was about to change then.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Footprint {
    /// By first id, the devices that were in a pilot, or on their way into one.
    pub stands: BTreeMap<String, Stand>,
    /// By first id, what was about to be changed.
    #[serde(default)]
    pub touched: BTreeMap<String, WorkloadSet>,
}

/// How one device stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stand {
    /// The site's number for it.
    pub number: u32,
    /// The workloads in whose pilot an owned collection had it, by rule or as a member.
    #[serde(default, skip_serializing_if = "WorkloadSet::is_empty")]
    pub placed: WorkloadSet,
    /// Those for which an owned collection had a rule.
    #[serde(default, skip_serializing_if = "WorkloadSet::is_empty")]
    pub ruled: WorkloadSet,
    /// Those in whose pilot something had it that Diarchy did not make.
    #[serde(default, skip_serializing_if = "WorkloadSet::is_empty")]
    pub foreign: WorkloadSet,
    /// Those in whose pilot it was and which it reported to be Intune's.
    #[serde(default, skip_serializing_if = "WorkloadSet::is_empty")]
    pub reported: WorkloadSet,
}

impl Footprint {
    /// How devices stand now. What cannot be read now is as it was `before`.
    pub fn of(engine: &Engine<'_>, rules: &SiteRules, before: Option<&Self>) -> Self {
        let inventory = engine.inventory();
        let workloads: Vec<Workload> = engine.desired().pilot_workloads().collect();
        let mut stands = BTreeMap::new();
        for row in 0..inventory.rows() {
            let Some(number) = inventory.resource_id(row) else {
                continue;
            };
            let first = inventory.first_id(row);
            let before = before.and_then(|before| before.stands.get(first));
            let stand = stand(engine, rules, (row, number), &workloads, before);
            if !stand.placed.is_empty() || !stand.foreign.is_empty() {
                stands.insert(first.to_owned(), stand);
            }
        }
        Self {
            stands,
            touched: BTreeMap::new(),
        }
    }

    /// Whether no device was in the pilot of the workload.
    fn has_nobody_in(&self, staged: Staged) -> bool {
        let Staged::Workload(workload) = staged else {
            return true;
        };
        let is_in =
            |stand: &Stand| stand.placed.contains(workload) || stand.foreign.contains(workload);
        !self.stands.values().any(is_in)
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

    /// How the device in `row` was left.
    pub fn left(&self, inventory: &Inventory, row: usize, workload: Workload) -> Left {
        let first = inventory.first_id(row);
        let touched = self.touched.get(first).copied().unwrap_or_default();
        let was_touched = touched.contains(workload);
        let Some(stand) = self.stands.get(first) else {
            return Left {
                was_touched,
                ..Left::default()
            };
        };
        Left {
            had_rule: stand.ruled.contains(workload),
            was_foreign: stand.foreign.contains(workload),
            reported_intune: stand.reported.contains(workload),
            was_touched,
            had_other_number: inventory
                .resource_id(row)
                .is_some_and(|number| number != stand.number),
        }
    }
}

fn stand(
    engine: &Engine<'_>,
    rules: &SiteRules,
    (row, number): (usize, u32),
    workloads: &[Workload],
    before: Option<&Stand>,
) -> Stand {
    let has_rule = |workload: &Workload| rules.has_rule(Staged::Workload(*workload), number);
    let holding = |workload| engine.holding(row, workload);
    let was_foreign =
        |workload: Workload| before.is_some_and(|before| before.foreign.contains(workload));
    let is_foreign = |workload: &&Workload| {
        holding(**workload).map_or_else(|| was_foreign(**workload), |one| one.foreign)
    };
    let reports = |workload: &&Workload| {
        let is_in = holding(**workload).is_some_and(|one: &Holding| !one.is_empty());
        let report = engine.inventory().observed(**workload).get(row);
        let reported = before.is_some_and(|before| before.reported.contains(**workload));
        is_in && (report == Ternary::Yes || (report == Ternary::Unknown && reported))
    };
    Stand {
        number,
        placed: placed_in(engine.inventory(), rules, row),
        ruled: Workload::ALL.into_iter().filter(has_rule).collect(),
        foreign: workloads.iter().filter(is_foreign).copied().collect(),
        reported: workloads.iter().filter(reports).copied().collect(),
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
/// collection has. A list of collections that lacks one which a pilot includes, or a pilot in which devices
/// were `before`, may lack owned ones too.
pub fn is_seen(readings: &Readings, before: Option<&Footprint>) -> bool {
    let tells = |owned: &Owned| owned.direct.is_some() || owned.members.is_some();
    let are_told = |state: &SiteState| {
        let is_whole = |(staged, pilot): (&Staged, &Pilot)| {
            let mut included = pilot.foreign_includes.keys();
            included.all(|id| state.collections.contains(id))
                && (state.collections.contains(&pilot.id)
                    || before.is_none_or(|before| before.has_nobody_in(*staged)))
        };
        state.owned.values().all(tells) && state.pilots.iter().all(is_whole)
    };
    let site = &readings.site;
    site.systems.is_ok() && site.state.as_ref().is_ok_and(are_told)
}

/// How many devices the owned collections have otherwise than `memory` can explain. A device that the
/// site does not know any more explains itself.
pub fn unexplained(inventory: &Inventory, rules: &SiteRules, memory: &FleetMemory) -> usize {
    let Some(footprint) = &memory.footprint else {
        return 0;
    };
    let is_unexplained = |row: &usize| {
        let first = inventory.first_id(*row);
        if inventory.resource_id(*row).is_none() {
            return false;
        }
        let now = placed_in(inventory, rules, *row);
        let stand = footprint.stands.get(first);
        let before = stand.map_or(WorkloadSet::EMPTY, |stand| stand.placed);
        let touched = footprint.touched.get(first).copied().unwrap_or_default();
        Workload::ALL.into_iter().any(|workload| {
            now.contains(workload) != before.contains(workload)
                && !touched.contains(workload)
                // What is not observed yet may still be on its way into a collection, or out of it.
                && memory.last_write(first, workload).is_none()
        })
    };
    (0..inventory.rows()).filter(is_unexplained).count()
}
