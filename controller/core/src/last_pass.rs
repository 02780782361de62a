//! What the last pass over a fleet has decided from: kept, so that questions about single devices and
//! about the plan are answered without asking the estate again.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::circumstances::Circumstances;
use crate::desired::{AssignmentIndex, Desired};
use crate::engine::{Admitted, Engine};
use crate::explain::{Explanation, WaitExplanation, explain};
use crate::history::History;
use crate::inventory::Inventory;
use crate::workload::Workload;

/// What the last pass over a fleet has decided from.
#[derive(Debug)]
pub struct LastPass {
    /// What was asked.
    pub desired: Desired,
    /// What was known of the devices.
    pub inventory: Inventory,
    /// Whom the rollouts had admitted.
    pub admitted: Admitted,
    /// Whom they would have admitted once all of them were at their ends.
    pub end_state: Admitted,
    /// What was found to keep devices from moving.
    pub circumstances: Circumstances,
    /// What has happened lately.
    pub history: History,
    /// The revision that was in force.
    pub revision: String,
    /// The moment that was decided for.
    pub at: Timestamp,
}

impl LastPass {
    /// The rules of that pass. Compiling them takes as long as deciding did.
    #[must_use]
    pub fn engine(&self) -> Engine<'_> {
        self.engine_at(self.at)
    }

    /// The same rules with every rollout at its end.
    #[must_use]
    pub fn end(&self) -> Engine<'_> {
        self.engine().admitting(self.end_state.clone())
    }

    /// Explains the device in `row`: all workloads, or those asked for; with what stands in its way.
    #[must_use]
    pub fn explain(&self, row: usize, workloads: &[Workload]) -> Explanation {
        let engine = self.engine();
        let mut explanation = explain(&engine, row, workloads);
        let admitted: BTreeSet<AssignmentIndex> = (0..self.desired.assignments.len())
            .map(AssignmentIndex)
            .filter(|index| engine.has_admitted(*index, row))
            .collect();
        let end = engine.admitting(self.end_state.clone());
        for explained in &mut explanation.workloads {
            let pair = (row, explained.workload);
            let has_admitted = |index| admitted.contains(&index);
            let obstacles = self.circumstances.obstacles(&end, pair, &has_admitted);
            explained.waits = obstacles.iter().map(WaitExplanation::from).collect();
        }
        explanation
    }

    /// The same rules for another moment.
    #[must_use]
    pub fn engine_at(&self, now: Timestamp) -> Engine<'_> {
        Engine::new(&self.desired, &self.inventory, now).admitting(self.admitted.clone())
    }
}
