//! What the last pass over a fleet has decided from: kept, so that questions about single devices and
//! about the plan are answered without asking the estate again.

use jiff::Timestamp;

use crate::desired::Desired;
use crate::engine::{Admitted, Engine};
use crate::inventory::Inventory;

/// What the last pass over a fleet has decided from.
#[derive(Debug)]
pub struct LastPass {
    /// What was asked.
    pub desired: Desired,
    /// What was known of the devices.
    pub inventory: Inventory,
    /// Whom the rollouts had admitted.
    pub admitted: Admitted,
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

    /// The same rules for another moment.
    #[must_use]
    pub fn engine_at(&self, now: Timestamp) -> Engine<'_> {
        Engine::new(&self.desired, &self.inventory, now).admitting(self.admitted.clone())
    }
}
