//! What is known here of each fleet since its last pass.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use diarchy_core::last_pass::LastPass;
use diarchy_core::resource::ObjectName;

use crate::answer::Standing;

/// What is known of one fleet since its last pass.
#[derive(Debug)]
pub struct Shown {
    /// What was decided from.
    pub last: LastPass,
    /// What keeps the plan from being carried out.
    pub standing: Standing,
}

/// What is known here of each fleet. Cheap to clone; every clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<RwLock<BTreeMap<ObjectName, Arc<Shown>>>>);

impl Board {
    /// Shows what a pass over `fleet` has decided from. What was shown before goes.
    pub fn show(&self, fleet: &ObjectName, shown: Shown) {
        let mut fleets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        fleets.insert(fleet.clone(), Arc::new(shown));
    }

    /// Forgets a fleet that is no longer looked at here.
    pub fn withdraw(&self, fleet: &ObjectName) {
        let mut fleets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        fleets.remove(fleet);
    }

    /// What is known of `fleet`, if a pass over it was made here.
    #[must_use]
    pub fn get(&self, fleet: &ObjectName) -> Option<Arc<Shown>> {
        let fleets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        fleets.get(fleet).map(Arc::clone)
    }
}
