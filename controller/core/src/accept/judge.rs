//! Whether what is asked for keeps within the limits.

use std::collections::BTreeSet;

use crate::accept::{Accepted, Unasked, WaitReason, Waiting};
use crate::engine::Engine;
use crate::plan::{self, Change};
use crate::workload::Authority;

/// What is asked for and was never accepted before.
#[derive(Clone, Default)]
pub(super) struct Asked {
    pub changes: Vec<Change>,
    /// Rows that would join the pilot of automatic enrolment.
    pub enrolling: Vec<usize>,
}

impl Asked {
    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.enrolling.is_empty()
    }

    fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        let changing = self.changes.iter().map(|change| change.row);
        changing.chain(self.enrolling.iter().copied())
    }

    /// Those handed back, and all others.
    fn leaving_and_not(self) -> (Self, Self) {
        let (leaving, staying) = self
            .changes
            .into_iter()
            .partition(|change| change.to == Authority::ConfigurationManager);
        let leaving = Self {
            changes: leaving,
            enrolling: Vec::new(),
        };
        let staying = Self {
            changes: staying,
            enrolling: self.enrolling,
        };
        (leaving, staying)
    }

    /// The same as accepted without a person. A device that joins the pilot of automatic enrolment
    /// goes to Intune.
    pub fn unasked(&self, engine: &Engine<'_>) -> Vec<Unasked> {
        let changing = self.changes.iter().map(|change| (change.row, change.to));
        let enrolling = self.enrolling.iter().map(|row| (*row, Authority::Intune));
        changing
            .chain(enrolling)
            .map(|(row, to)| Unasked {
                at: engine.now(),
                device: engine.inventory().first_id(row).to_owned(),
                to,
            })
            .collect()
    }
}
/// The limits that changes are judged by.
pub(super) struct Judge<'e, 'a> {
    engine: &'e Engine<'a>,
    baseline: bool,
    max_changed: usize,
    max_leaving: usize,
    /// First ids of devices that changed unasked lately, and of those that left.
    changed: BTreeSet<&'e str>,
    left: BTreeSet<&'e str>,
}

impl<'e, 'a> Judge<'e, 'a> {
    pub fn new(
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
    pub fn judge(&self, new: Asked) -> (Option<Waiting>, Asked) {
        if new.is_empty() {
            return (None, new);
        }
        if !self.baseline {
            return (
                Some(self.wait(WaitReason::NoBaseline, new)),
                Asked::default(),
            );
        }
        let (leaving, others) = new.clone().leaving_and_not();
        let too_many_leave = self.exceeds(&leaving, &self.left, self.max_leaving);
        let others = if too_many_leave { others } else { new.clone() };
        if self.exceeds(&others, &self.changed, self.max_changed) {
            let reason = WaitReason::MaxChangedDevices;
            return (Some(self.wait(reason, new)), Asked::default());
        }
        let waiting = too_many_leave.then(|| self.wait(WaitReason::MaxLeaving, leaving));
        (waiting, others)
    }

    fn exceeds(&self, asked: &Asked, before: &BTreeSet<&str>, limit: usize) -> bool {
        let devices: BTreeSet<&str> = asked
            .rows()
            .map(|row| self.engine.inventory().first_id(row))
            .chain(before.iter().copied())
            .collect();
        !asked.is_empty() && devices.len() > limit
    }

    fn wait(&self, reason: WaitReason, asked: Asked) -> Waiting {
        let Asked { changes, enrolling } = asked;
        Waiting {
            digest: plan::digest(&changes, &enrolling, self.engine),
            reason,
            changes,
            enrolling,
        }
    }
}
