//! Whether changes may be written, or wait for a person.
//!
//! What is counted is the end state against the last accepted one: a change that was accepted
//! before (and not carried out yet, or undone by somebody since) is not judged again. What is new
//! is judged together with all that was accepted unasked in the last 24 hours, so that many small
//! steps do not add up to what one large step may not do.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::desired::Guardrails;
use crate::digest::Digest;
use crate::engine::Engine;
use crate::plan::{self, Change, Plan};
use crate::workload::{Authority, Workload, WorkloadSet};

/// The span over which changes accepted unasked are added up, and for which an approval lasts.
pub const DAY: Duration = Duration::from_secs(86_400);

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
    /// The guardrails of the revision that was last accepted as a whole.
    pub guardrails: Guardrails,
    /// What was accepted unasked, the oldest first.
    pub unasked: Vec<Unasked>,
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

/// A change as a person approves it: by the device's first id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ApprovedChange {
    /// The device's first id.
    pub device: String,
    /// The workload.
    pub workload: Workload,
    /// Who gets authority.
    pub to: Authority,
}

/// A person's yes to the changes of a waiting plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// The changes that were shown.
    pub changes: BTreeSet<ApprovedChange>,
    /// The revision for which they were shown.
    pub revision: String,
    /// The first moment at which it no longer counts.
    pub expires: Timestamp,
}

/// Why changes wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WaitReason {
    /// There is nothing to compare with: first contact, or lost state.
    NoBaseline,
    /// More devices would change than `maxChangedDevices` allows.
    MaxChangedDevices,
    /// More devices would be handed back than `maxLeaving` allows.
    MaxLeaving,
}

/// Changes that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What to approve.
    pub digest: Digest,
    /// Why.
    pub reason: WaitReason,
    /// The changes, in a plan's order.
    pub changes: Vec<Change>,
}

/// What may be written, and what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Changes that may be written, in a plan's order.
    pub cleared: Vec<Change>,
    /// Changes that wait.
    pub waiting: Option<Waiting>,
    /// What is accepted from now on; `None` while there is no baseline.
    pub accepted: Option<Accepted>,
}

/// What changes are judged by, besides themselves.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The revision that asks for them.
    pub revision: &'a str,
    /// What was accepted before; `None` at first contact, or when the state was lost.
    pub before: Option<&'a Accepted>,
    /// What people have approved.
    pub approvals: &'a [Approved],
    /// Whether everything that was asked for was read, and both services know devices. What a pass
    /// did not see is no end state to compare with later, so only a whole reading becomes a baseline
    /// without a person.
    pub is_whole: bool,
}

/// Judges the changes of `plan` against what was accepted before.
#[must_use]
pub fn accept(engine: &Engine<'_>, plan: &Plan, basis: Basis<'_>) -> Acceptance {
    let Basis {
        revision,
        before,
        approvals,
        is_whole,
    } = basis;
    let now = engine.now();
    let approved: BTreeSet<&ApprovedChange> = approvals
        .iter()
        .filter(|approval| approval.revision == revision && now < approval.expires)
        .flat_map(|approval| &approval.changes)
        .collect();
    let key = |change: &Change| ApprovedChange {
        device: engine.inventory().first_id(change.row).to_owned(),
        workload: change.workload,
        to: change.to,
    };
    let is_settled = |change: &Change| {
        approved.contains(&key(change))
            || before.is_some_and(|before| before.has_accepted(&key(change)))
    };
    let new: Vec<Change> = plan
        .changes
        .iter()
        .filter(|change| !is_settled(change))
        .copied()
        .collect();
    // An approval of the first plan is a baseline from then on.
    let baseline = before.is_some() || !approved.is_empty();
    let (waiting, passed) = Judge::new(engine, before, baseline, revision).judge(new);
    let waits: BTreeSet<&Change> = waiting
        .iter()
        .flat_map(|waiting| &waiting.changes)
        .collect();
    let cleared: Vec<Change> = plan
        .changes
        .iter()
        .filter(|change| !waits.contains(change))
        .copied()
        .collect();
    let accepted = (baseline || (is_whole && waiting.is_none())).then(|| {
        let unasked = passed.iter().map(|change| Unasked {
            at: now,
            device: engine.inventory().first_id(change.row).to_owned(),
            to: change.to,
        });
        next(engine, plan, revision, before, waiting.as_ref(), unasked)
    });
    Acceptance {
        cleared,
        waiting,
        accepted,
    }
}

impl Accepted {
    fn has_accepted(&self, change: &ApprovedChange) -> bool {
        let has = |sets: &HashMap<String, WorkloadSet>| {
            sets.get(&change.device)
                .is_some_and(|workloads| workloads.contains(change.workload))
        };
        has(&self.known) && has(&self.intune) == (change.to == Authority::Intune)
    }

    /// The guardrails to hold against `revision`: never only its own, however often it is judged.
    fn in_force_before(&self, revision: &str) -> &Guardrails {
        if self.revision == revision {
            &self.judged_by
        } else {
            &self.guardrails
        }
    }

    /// What was accepted unasked in the 24 hours before `now`.
    fn recent(&self, now: Timestamp) -> impl Iterator<Item = &Unasked> {
        let day = SignedDuration::from_secs(86_400);
        self.unasked
            .iter()
            .filter(move |unasked| now.duration_since(unasked.at) < day)
    }
}

/// The limits that changes are judged by.
struct Judge<'e, 'a> {
    engine: &'e Engine<'a>,
    baseline: bool,
    max_changed: usize,
    max_leaving: usize,
    /// First ids of devices that changed unasked lately, and of those that left.
    changed: BTreeSet<&'e str>,
    left: BTreeSet<&'e str>,
}

impl<'e, 'a> Judge<'e, 'a> {
    fn new(
        engine: &'e Engine<'a>,
        before: Option<&'e Accepted>,
        baseline: bool,
        revision: &str,
    ) -> Self {
        let co_managed = engine.eligibility().count_co_managed();
        let current = &engine.desired().guardrails;
        let guardrails = match before {
            Some(before) => current.stricter(before.in_force_before(revision), co_managed),
            None => current.clone(),
        };
        let recent: Vec<&Unasked> = before
            .map(|before| before.recent(engine.now()).collect())
            .unwrap_or_default();
        Self {
            engine,
            baseline,
            max_changed: guardrails.max_changed_devices.round_up(co_managed),
            max_leaving: guardrails.max_leaving.round_up(co_managed),
            changed: recent
                .iter()
                .map(|unasked| unasked.device.as_str())
                .collect(),
            left: recent
                .iter()
                .filter(|unasked| unasked.to == Authority::ConfigurationManager)
                .map(|unasked| unasked.device.as_str())
                .collect(),
        }
    }

    /// What of `new` waits, and what passes unasked. Those handed back wait alone when only their
    /// own limit is exceeded.
    fn judge(&self, new: Vec<Change>) -> (Option<Waiting>, Vec<Change>) {
        if new.is_empty() {
            return (None, new);
        }
        if !self.baseline {
            return (Some(self.wait(WaitReason::NoBaseline, new)), Vec::new());
        }
        let (leaving, joining): (Vec<Change>, Vec<Change>) = new
            .iter()
            .partition(|change| change.to == Authority::ConfigurationManager);
        if self.exceeds(&leaving, &self.left, self.max_leaving) {
            if self.exceeds(&joining, &self.changed, self.max_changed) {
                return (
                    Some(self.wait(WaitReason::MaxChangedDevices, new)),
                    Vec::new(),
                );
            }
            return (Some(self.wait(WaitReason::MaxLeaving, leaving)), joining);
        }
        if self.exceeds(&new, &self.changed, self.max_changed) {
            return (
                Some(self.wait(WaitReason::MaxChangedDevices, new)),
                Vec::new(),
            );
        }
        (None, new)
    }

    fn exceeds(&self, changes: &[Change], before: &BTreeSet<&str>, limit: usize) -> bool {
        let devices: BTreeSet<&str> = changes
            .iter()
            .map(|change| self.engine.inventory().first_id(change.row))
            .chain(before.iter().copied())
            .collect();
        !changes.is_empty() && devices.len() > limit
    }

    fn wait(&self, reason: WaitReason, changes: Vec<Change>) -> Waiting {
        Waiting {
            digest: plan::digest(&changes, self.engine),
            reason,
            changes,
        }
    }
}

/// What is accepted after this plan: where nothing waits, the plan's end state.
fn next(
    engine: &Engine<'_>,
    plan: &Plan,
    revision: &str,
    before: Option<&Accepted>,
    waiting: Option<&Waiting>,
    unasked: impl Iterator<Item = Unasked>,
) -> Accepted {
    let inventory = engine.inventory();
    let mut accepted = before.cloned().unwrap_or_default();
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
        for workload in &workloads {
            let pair = (row, *workload);
            let at_intune = if waits.contains(&pair) {
                continue;
            } else if let Some(to) = changes.get(&pair) {
                *to == Authority::Intune
            } else if let Some(holding) = engine.holding(row, *workload) {
                !holding.is_empty()
            } else {
                continue;
            };
            accepted.set(inventory.first_id(row), *workload, at_intune);
        }
    }
    let kept: Vec<Unasked> = accepted.recent(engine.now()).cloned().collect();
    accepted.unasked = kept.into_iter().chain(unasked).collect();
    accepted
}

impl Accepted {
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
