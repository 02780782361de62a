//! The end state that was last accepted, and the one that comes after it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::{ApprovedChange, Basis, Waiting};
use crate::desired::Guardrails;
use crate::engine::{Engine, Enrolling};
use crate::plan::Plan;
use crate::workload::{Authority, Workload, WorkloadSet};

/// The end state that was last accepted for a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Accepted {
    /// By first id, the workloads that shall be Intune's.
    pub intune: HashMap<String, WorkloadSet>,
    /// By first id, the workloads of which an end state was ever accepted.
    #[serde(default)]
    pub known: HashMap<String, WorkloadSet>,
    /// The revision that was last accepted as a whole.
    #[serde(default)]
    pub revision: String,
    /// The guardrails that it was judged by.
    #[serde(default)]
    pub judged_by: Guardrails,
    /// First ids of devices that were accepted into the pilot of automatic enrolment, or were in it.
    #[serde(default)]
    pub enrolled: BTreeSet<String>,
    /// The guardrails of the revision that was last accepted as a whole.
    pub guardrails: Guardrails,
    /// What was accepted unasked, the oldest first.
    pub unasked: Vec<Unasked>,
    /// Whether the end state was lost: there is nothing to compare with, but what was accepted unasked
    /// lately still counts, and so do the guardrails of before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_lost: bool,
}

/// A change that was accepted because it kept within the guardrails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unasked {
    /// When.
    pub at: Timestamp,
    /// The device's first id.
    pub device: String,
    /// Where it went.
    pub to: Authority,
}
/// What is accepted after this plan: where nothing waits, the plan's end state.
pub(super) fn next(
    engine: &Engine<'_>,
    plan: &Plan,
    basis: Basis<'_>,
    waiting: Option<&Waiting>,
    unasked: Vec<Unasked>,
) -> Accepted {
    let Basis {
        revision, before, ..
    } = basis;
    let inventory = engine.inventory();
    let mut accepted = before.cloned().unwrap_or_default();
    accepted.is_lost = false;
    if waiting.is_none() {
        let now = engine.desired().guardrails.clone();
        if accepted.revision != revision {
            accepted.judged_by = if before.is_some() {
                accepted.guardrails
            } else {
                now.clone()
            };
            revision.clone_into(&mut accepted.revision);
        }
        accepted.guardrails = now;
    } else if before.is_none() {
        let co_managed = engine.eligibility().count_co_managed();
        accepted.guardrails = engine
            .desired()
            .guardrails
            .stricter(&Guardrails::default(), co_managed);
    }
    let waits: BTreeSet<(usize, Workload)> = waiting
        .iter()
        .flat_map(|waiting| &waiting.changes)
        .map(|change| (change.row, change.workload))
        .collect();
    let changes: BTreeMap<(usize, Workload), Authority> = plan
        .changes
        .iter()
        .map(|change| ((change.row, change.workload), change.to))
        .collect();
    let workloads: Vec<Workload> = engine.desired().pilot_workloads().collect();
    for row in 0..inventory.rows() {
        let can_move = engine.eligibility().judge(row).is_none();
        for workload in &workloads {
            let pair = (row, *workload);
            let at_intune = if waits.contains(&pair) {
                continue;
            } else if let Some(to) = changes.get(&pair) {
                *to == Authority::Intune
            } else if !can_move {
                // Nothing is asked of it now, as when a service has lost sight of it for a moment: what was
                // agreed to before is what counts once it can be moved again.
                continue;
            } else if engine.waits_for_requirements(row, *workload)
                && accepted.knows(inventory.first_id(row), *workload)
            {
                // What it requires may have failed for a moment: what was agreed to before stays so.
                continue;
            } else if basis.under_way.is_under_way(row, *workload) {
                // Where the site evaluates a rule of before, the device will yet have to move: that is
                // to be counted then, against what was agreed to before.
                continue;
            } else if let Some(holding) = engine.holding(row, *workload) {
                !holding.is_empty()
            } else {
                continue;
            };
            accepted.set(inventory.first_id(row), *workload, at_intune);
        }
    }
    accepted.enroll(engine, waiting);
    let kept: Vec<Unasked> = accepted.recent(engine.now()).cloned().collect();
    accepted.unasked = kept.into_iter().chain(unasked).collect();
    accepted
}
impl Accepted {
    pub(super) fn has_accepted(&self, change: &ApprovedChange) -> bool {
        let has = |sets: &HashMap<String, WorkloadSet>| {
            sets.get(&change.device)
                .is_some_and(|workloads| workloads.contains(change.workload))
        };
        has(&self.known) && has(&self.intune) == (change.to == Authority::Intune)
    }

    /// Loses the end state: it is older than what was done since.
    pub fn lose(&mut self) {
        self.intune.clear();
        self.known.clear();
        self.enrolled.clear();
        self.is_lost = true;
    }

    fn knows(&self, device: &str, workload: Workload) -> bool {
        let known = self.known.get(device);
        known.is_some_and(|workloads| workloads.contains(workload))
    }

    /// The guardrails to hold against `revision`: never only its own, however often it is judged.
    pub(super) fn in_force_before(&self, revision: &str) -> &Guardrails {
        if self.revision == revision {
            &self.judged_by
        } else {
            &self.guardrails
        }
    }

    /// What was accepted unasked in the 24 hours before `now`.
    pub(super) fn recent(&self, now: Timestamp) -> impl Iterator<Item = &Unasked> {
        let day = SignedDuration::from_secs(86_400);
        self.unasked
            .iter()
            .filter(move |unasked| now.duration_since(unasked.at) < day)
    }

    /// Nobody leaves the pilot of automatic enrolment, so who was accepted into it stays accepted.
    fn enroll(&mut self, engine: &Engine<'_>, waiting: Option<&Waiting>) {
        let waits: BTreeSet<usize> = waiting
            .iter()
            .flat_map(|waiting| waiting.enrolling.iter().copied())
            .collect();
        for row in 0..engine.inventory().rows() {
            let is_in = match engine.enrolling(row) {
                Enrolling::Joins => !waits.contains(&row),
                Enrolling::Member => true,
                Enrolling::NotAsked | Enrolling::Blocked(_) => false,
            };
            if is_in {
                let id = engine.inventory().first_id(row);
                self.enrolled.insert(id.to_owned());
            }
        }
    }

    fn set(&mut self, device: &str, workload: Workload, at_intune: bool) {
        if let Some(known) = self.known.get_mut(device) {
            known.insert(workload);
        } else {
            self.known
                .insert(device.to_owned(), WorkloadSet::from_iter([workload]));
        }
        match self.intune.get_mut(device) {
            Some(workloads) if at_intune => workloads.insert(workload),
            Some(workloads) => {
                workloads.remove(workload);
                if workloads.is_empty() {
                    self.intune.remove(device);
                }
            }
            None if at_intune => {
                self.intune
                    .insert(device.to_owned(), WorkloadSet::from_iter([workload]));
            }
            None => {}
        }
    }
}
