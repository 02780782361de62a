//! What may be written, reckoned from the rules alone.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::accept::{Acceptance, ApprovedChange, WaitReason};
use diarchy_core::amount::Amount;
use diarchy_core::desired::Guardrails;
use diarchy_core::engine::Engine;
use diarchy_core::plan::{Change, Plan};
use diarchy_core::workload::{Authority, Workload};
use jiff::{SignedDuration, Timestamp};

use super::{DEVICES, Fleet, WORKLOADS, approvable};

/// What was accepted so far, and what of it unasked.
#[derive(Default)]
pub struct Ledger {
    /// By first id and workload, the end state that was accepted last; `None` before any was.
    ends: Option<BTreeMap<(String, Workload), Authority>>,
    /// The limits of the revision that was last accepted as a whole, in devices.
    limits: Option<Limits>,
    /// The same, of the revision that was accepted as a whole before that one.
    limits_before: Option<Limits>,
    /// The revision that was last accepted as a whole.
    revision: String,
    /// Devices that were cleared although nobody had approved that.
    unasked: Vec<(Timestamp, String, Authority)>,
}

#[derive(Clone, Copy)]
struct Limits {
    changed: usize,
    leaving: usize,
}

impl Limits {
    fn stricter(self, other: Self) -> Self {
        Self {
            changed: self.changed.min(other.changed),
            leaving: self.leaving.min(other.leaving),
        }
    }

    fn of(changed: Amount, leaving: Amount) -> Self {
        Self {
            changed: changed.round_up(DEVICES),
            leaving: leaving.round_up(DEVICES),
        }
    }
}

impl Ledger {
    /// Checks what one pass of `fleet` made of `plan`, and takes it down.
    pub fn check(
        &mut self,
        fleet: &Fleet,
        engine: &Engine<'_>,
        plan: &Plan,
        acceptance: &Acceptance,
    ) -> Result<(), String> {
        let approved: BTreeSet<&ApprovedChange> = fleet
            .approvals
            .iter()
            .filter(|approval| {
                approval.revision == fleet.revision.name && approval.expires > fleet.now
            })
            .flat_map(|approval| &approval.changes)
            .collect();
        let is_known = |change: &Change| {
            let change = approvable(change, engine);
            let end = self
                .ends
                .as_ref()
                .and_then(|ends| ends.get(&(change.device.clone(), change.workload)));
            approved.contains(&change) || end == Some(&change.to)
        };
        let waiting: Vec<Change> = acceptance
            .waiting
            .iter()
            .flat_map(|waiting| waiting.changes.clone())
            .collect();
        if let Some(change) = waiting.iter().find(|change| is_known(change)) {
            return Err(format!("{change:?} waits although it was accepted"));
        }
        let has_baseline = self.ends.is_some() || !approved.is_empty();
        let new: Vec<Change> = acceptance
            .cleared
            .iter()
            .filter(|change| !is_known(change))
            .copied()
            .collect();
        let limits = self.limits_for(fleet);
        self.check_limits(engine, fleet.now, &new, limits)?;
        // A revision may be held to what was in force before it, even once it was accepted.
        let strictest = self
            .limits_before
            .map_or(limits, |before| before.stricter(limits));
        self.check_reason(
            engine,
            fleet.now,
            (&new, acceptance),
            strictest,
            has_baseline,
        )?;
        let is_asked = !fleet.revision.at_intune.is_empty();
        let nothing_waits = fleet.reads_all && is_asked && waiting.is_empty();
        if acceptance.accepted.is_some() != (has_baseline || nothing_waits) {
            return Err(
                "a baseline comes with an approval, or where all was read, somebody is asked for, \
                 and nothing waits"
                    .to_owned(),
            );
        }
        if acceptance.accepted.is_some() {
            self.take_down(fleet, engine, plan, &waiting, &new);
        }
        Ok(())
    }

    fn limits_for(&self, fleet: &Fleet) -> Limits {
        let asked = Limits::of(fleet.revision.max_changed, fleet.revision.max_leaving);
        self.limits.map_or(asked, |limits| limits.stricter(asked))
    }

    /// The devices among `changes` to `authority`, or to either, with those of the last 24 hours.
    fn devices(
        &self,
        engine: &Engine<'_>,
        now: Timestamp,
        changes: &[Change],
        authority: Option<Authority>,
    ) -> usize {
        let counts = |to: Authority| authority.is_none_or(|authority| authority == to);
        let day = SignedDuration::from_hours(24);
        let lately = self
            .unasked
            .iter()
            .filter(|(at, _, to)| *at > now - day && counts(*to))
            .map(|(_, device, _)| device.as_str());
        let with = changes
            .iter()
            .filter(|change| counts(change.to))
            .map(|change| engine.inventory().first_id(change.row));
        lately.chain(with).collect::<BTreeSet<_>>().len()
    }

    /// Unasked, never more devices in any 24 hours than the stricter limit.
    fn check_limits(
        &self,
        engine: &Engine<'_>,
        now: Timestamp,
        new: &[Change],
        limits: Limits,
    ) -> Result<(), String> {
        let changed = self.devices(engine, now, new, None);
        if !new.is_empty() && changed > limits.changed {
            return Err(format!(
                "{changed} devices, not {}: {new:?}",
                limits.changed
            ));
        }
        let leaves = |change: &Change| change.to == Authority::ConfigurationManager;
        let left = self.devices(engine, now, new, Some(Authority::ConfigurationManager));
        if new.iter().any(leaves) && left > limits.leaving {
            return Err(format!("{left} left, not {}: {new:?}", limits.leaving));
        }
        Ok(())
    }

    /// Nothing waits without its reason.
    fn check_reason(
        &self,
        engine: &Engine<'_>,
        now: Timestamp,
        (new, acceptance): (&[Change], &Acceptance),
        limits: Limits,
        has_baseline: bool,
    ) -> Result<(), String> {
        let Some(waiting) = &acceptance.waiting else {
            return Ok(());
        };
        let all = [new, &waiting.changes].concat();
        let leaves = |change: &Change| change.to == Authority::ConfigurationManager;
        let left = self.devices(engine, now, &all, Some(Authority::ConfigurationManager));
        let is_right = !waiting.changes.is_empty()
            && match waiting.reason {
                WaitReason::NoBaseline => !has_baseline && acceptance.cleared.is_empty(),
                WaitReason::MaxChangedDevices => {
                    has_baseline
                        && new.is_empty()
                        && self.devices(engine, now, &all, None) > limits.changed
                }
                WaitReason::MaxLeaving => {
                    has_baseline
                        && waiting.changes.iter().all(leaves)
                        && !new.iter().any(leaves)
                        && left > limits.leaving
                }
            };
        if is_right {
            Ok(())
        } else {
            Err(format!("{waiting:?} beside {new:?}"))
        }
    }

    fn take_down(
        &mut self,
        fleet: &Fleet,
        engine: &Engine<'_>,
        plan: &Plan,
        waiting: &[Change],
        new: &[Change],
    ) {
        let asked = Limits::of(fleet.revision.max_changed, fleet.revision.max_leaving);
        if waiting.is_empty() {
            if self.revision != fleet.revision.name {
                self.limits_before = self.limits;
                self.revision.clone_from(&fleet.revision.name);
            }
            self.limits = Some(asked);
        } else if self.ends.is_none() {
            let usual = Guardrails::default();
            let usual = Limits::of(usual.max_changed_devices, usual.max_leaving);
            self.limits = Some(asked.stricter(usual));
        }
        let inventory = engine.inventory();
        for change in new {
            let device = inventory.first_id(change.row).to_owned();
            self.unasked.push((fleet.now, device, change.to));
        }
        let ends = self.ends.get_or_insert_default();
        for device in 0..DEVICES {
            let id = fleet.world.devices[device]["id"].as_str().unwrap();
            let row = inventory.row_of(id).unwrap();
            for (at, workload) in WORKLOADS.into_iter().enumerate() {
                let of_pair = |change: &&Change| (change.row, change.workload) == (row, workload);
                if waiting.iter().any(|change| of_pair(&change)) {
                    continue;
                }
                let end = match plan.changes.iter().find(of_pair) {
                    Some(change) => change.to,
                    None if fleet.is_placed((device, at)) => Authority::Intune,
                    None => Authority::ConfigurationManager,
                };
                ends.insert((inventory.first_id(row).to_owned(), workload), end);
            }
        }
    }
}
