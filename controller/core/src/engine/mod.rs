//! Who should have authority: the rules, over columns.
//!
//! Groups are compiled to clauses and evaluated column by column into two bits a device; who wins a
//! device is then decided row by row, by the one function that plans and explanations share, so
//! that the two cannot disagree.

mod clause;
mod contest;
mod eligibility;
mod enrollment;
mod holding;
mod members;
mod verdict;

pub use clause::Clause;
pub use contest::{Contest, Outcome};
pub use eligibility::{Eligibility, Ineligible};
pub use enrollment::Enrolling;
pub use holding::Holding;
pub use members::{Groups, StaticEntry, StaticMatch};
pub use verdict::{BlockReason, Kept, StayReason, Verdict};

use fixedbitset::FixedBitSet;
use jiff::Timestamp;

use crate::desired::{AssignmentIndex, Desired, Force, FrozenBy};
use crate::engine::holding::Holdings;
use crate::inventory::Inventory;
use crate::selector::Selector;
use crate::ternary::{Membership, Ternary};
use crate::workload::Workload;

/// Whom the rollouts have admitted.
#[derive(Debug, Clone)]
pub enum Admitted {
    /// Everybody: the end state, every rollout at its last step.
    Everybody,
    /// By assignment, the rows it has admitted; `None` is everybody.
    Rows(Vec<Option<FixedBitSet>>),
}

impl Admitted {
    /// Whether the rollout of an assignment has admitted the device in `row`.
    #[must_use]
    pub fn has(&self, assignment: AssignmentIndex, row: usize) -> bool {
        match self {
            Self::Everybody => true,
            Self::Rows(rows) => rows[assignment.0]
                .as_ref()
                .is_none_or(|rows| rows.contains(row)),
        }
    }
}

/// One fleet's rules, compiled for one inventory at one moment.
#[derive(Debug)]
pub struct Engine<'a> {
    desired: &'a Desired,
    inventory: &'a Inventory,
    now: Timestamp,
    groups: Groups,
    /// By assignment, for whom its `admitWhen` holds.
    admits: Vec<Option<Membership>>,
    admitted: Admitted,
    eligibility: Eligibility<'a>,
    holdings: Holdings,
    /// By workload, its assignments, the highest priority first and then by name.
    order: Vec<Vec<AssignmentIndex>>,
    /// By workload, the rows that any of its assignments may be about.
    touched: Vec<FixedBitSet>,
}

impl<'a> Engine<'a> {
    /// Compiles the rules and evaluates every group.
    #[must_use]
    pub fn new(desired: &'a Desired, inventory: &'a Inventory, now: Timestamp) -> Self {
        let groups = Groups::new(desired, inventory, now);
        let admits = desired
            .assignments
            .iter()
            .map(|assignment| {
                let selector = assignment.admit_when.as_ref()?;
                Some(members::select(selector, desired, inventory, now))
            })
            .collect();
        let order = order(desired);
        let touched = touched(desired, inventory, &groups, &order);
        Self {
            desired,
            inventory,
            now,
            groups,
            admits,
            admitted: Admitted::Everybody,
            eligibility: Eligibility::new(desired, inventory),
            holdings: Holdings::new(desired, inventory),
            order,
            touched,
        }
    }

    /// The same rules with rollouts that have admitted only some devices.
    #[must_use]
    pub fn admitting(mut self, admitted: Admitted) -> Self {
        self.admitted = admitted;
        self
    }

    /// From now on with these admitted. Gives whom the rollouts had admitted before.
    pub fn admit(&mut self, admitted: Admitted) -> Admitted {
        std::mem::replace(&mut self.admitted, admitted)
    }

    /// Whom the rollouts have admitted, without the rules.
    #[must_use]
    pub fn into_admitted(self) -> Admitted {
        self.admitted
    }

    /// What git asks for.
    #[must_use]
    pub fn desired(&self) -> &'a Desired {
        self.desired
    }

    /// What is known of the devices.
    #[must_use]
    pub fn inventory(&self) -> &'a Inventory {
        self.inventory
    }

    /// The moment it decides for.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who is a member of which group.
    #[must_use]
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Who can be moved at all.
    #[must_use]
    pub fn eligibility(&self) -> &Eligibility<'a> {
        &self.eligibility
    }

    /// Who holds the device in the pilot collection of `workload`; not read is `None`.
    #[must_use]
    pub fn holding(&self, row: usize, workload: Workload) -> Option<&Holding> {
        self.holdings.get(self.inventory, row, workload)
    }

    /// Whether the assignment's group contains the device.
    #[must_use]
    pub fn contains(&self, assignment: AssignmentIndex, row: usize) -> Ternary {
        self.desired
            .assignment(assignment)
            .group
            .map_or(Ternary::Unknown, |group| {
                self.groups.members(group).get(row)
            })
    }

    /// Whether the assignment's `admitWhen` holds for the device; without one it does.
    #[must_use]
    pub fn admits(&self, assignment: AssignmentIndex, row: usize) -> Ternary {
        self.admits[assignment.0]
            .as_ref()
            .map_or(Ternary::Yes, |admits| admits.get(row))
    }

    /// Whether the assignment's rollout has admitted the device.
    #[must_use]
    pub fn has_admitted(&self, assignment: AssignmentIndex, row: usize) -> bool {
        self.admitted.has(assignment, row)
    }

    /// The assignments of `workload`, the highest priority first and then by name.
    #[must_use]
    pub fn assignments_of(&self, workload: Workload) -> &[AssignmentIndex] {
        &self.order[workload.index()]
    }

    /// Whether an assignment that only waits for what it requires may be about the device.
    #[must_use]
    pub fn waits_for_requirements(&self, row: usize, workload: Workload) -> bool {
        let waits = |index: &AssignmentIndex| {
            self.desired.assignment(*index).force == Force::Frozen(FrozenBy::Requires)
                && self.contains(*index, row).is_possible()
        };
        // Where it goes, EndpointProtection goes too.
        let configuration = self.assignments_of(Workload::DeviceConfiguration);
        self.assignments_of(workload).iter().any(waits)
            || (workload == Workload::EndpointProtection && configuration.iter().any(waits))
    }

    /// Whether anything at all may be said of the device for `workload`: an assignment may be about
    /// it, or its pilot collection has it or could not be read. For all others the verdict is that
    /// they stay with Configuration Manager.
    #[must_use]
    pub fn is_touched(&self, row: usize, workload: Workload) -> bool {
        self.touched[workload.index()].contains(row)
            || self
                .holding(row, workload)
                .is_none_or(|holding| !holding.is_empty())
    }

    /// The clauses of `selector`, compiled for this inventory and moment.
    pub fn clauses<'s>(&'s self, selector: &'s Selector) -> impl Iterator<Item = Clause<'s>> {
        selector
            .requirements
            .iter()
            .map(|requirement| Clause::new(requirement, self.desired, self.inventory, self.now))
    }
}

fn order(desired: &Desired) -> Vec<Vec<AssignmentIndex>> {
    Workload::ALL
        .into_iter()
        .map(|workload| {
            let mut order: Vec<_> = (0..desired.assignments.len())
                .map(AssignmentIndex)
                .filter(|index| desired.assignment(*index).workload == workload)
                .collect();
            order.sort_by_key(|index| {
                let assignment = desired.assignment(*index);
                (std::cmp::Reverse(assignment.priority), *index)
            });
            order
        })
        .collect()
}

fn touched(
    desired: &Desired,
    inventory: &Inventory,
    groups: &Groups,
    order: &[Vec<AssignmentIndex>],
) -> Vec<FixedBitSet> {
    let possible = |workload: Workload| {
        let mut rows = FixedBitSet::with_capacity(inventory.rows());
        for index in &order[workload.index()] {
            match desired.assignment(*index).group {
                Some(group) => rows.union_with(groups.members(group).possible()),
                None => rows.set_range(.., true),
            }
        }
        rows
    };
    Workload::ALL
        .into_iter()
        .map(|workload| {
            let mut rows = possible(workload);
            if workload == Workload::EndpointProtection {
                rows.union_with(&possible(Workload::DeviceConfiguration));
            }
            rows
        })
        .collect()
}
