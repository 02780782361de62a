//! Who holds a device in a pilot collection.

use crate::desired::{AssignmentIndex, Desired};
use crate::inventory::{Cell, Holder, Inventory};
use crate::resource::ObjectName;
use crate::workload::Workload;

/// Who holds a device in one pilot collection. Empty: it is no member, and Configuration Manager
/// has the authority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holding {
    /// Something that Diarchy did not make holds it.
    pub foreign: bool,
    /// The assignments of git that placed it there, by name.
    pub owners: Vec<AssignmentIndex>,
    /// Assignments that are gone or were made anew since.
    pub retained: Vec<ObjectName>,
}

impl Holding {
    /// Whether nobody holds it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.foreign && self.owners.is_empty() && self.retained.is_empty()
    }

    /// Whether this assignment placed it.
    #[must_use]
    pub fn is_placed_by(&self, assignment: AssignmentIndex) -> bool {
        self.owners.contains(&assignment)
    }

    /// Whether an owned collection other than this assignment's holds it.
    #[must_use]
    pub fn is_placed_by_another_than(&self, assignment: AssignmentIndex) -> bool {
        !self.retained.is_empty() || self.owners.iter().any(|owner| *owner != assignment)
    }
}

/// For each workload, what the values of its column of holders mean to the assignments of today.
#[derive(Debug)]
pub struct Holdings {
    by_workload: Vec<Vec<Holding>>,
}

impl Holdings {
    pub(super) fn new(desired: &Desired, inventory: &Inventory) -> Self {
        let by_workload = Workload::ALL
            .into_iter()
            .map(|workload| {
                let values = inventory.assigned(workload).values();
                values
                    .iter()
                    .map(|holders| resolve(holders, desired, workload))
                    .collect()
            })
            .collect();
        Self { by_workload }
    }

    pub(super) fn get(
        &self,
        inventory: &Inventory,
        row: usize,
        workload: Workload,
    ) -> Option<&Holding> {
        match inventory.assigned(workload).cell(row) {
            Cell::Value(place) => Some(&self.by_workload[workload.index()][place]),
            Cell::Unread | Cell::Absent => None,
        }
    }
}

fn resolve(holders: &[Holder], desired: &Desired, workload: Workload) -> Holding {
    let mut holding = Holding::default();
    for holder in holders {
        match holder {
            Holder::Foreign => holding.foreign = true,
            Holder::Retained(name) => holding.retained.push(name.clone()),
            Holder::Owned(name) => match desired.find_assignment(name) {
                Some(owner) if desired.places_in(owner, workload) => holding.owners.push(owner),
                _ => holding.retained.push(name.clone()),
            },
        }
    }
    holding
}
