//! Rules at the site that its memberships do not show yet.
//!
//! A rule becomes a membership, and a deleted one ends it, only when the collection is next
//! evaluated (memdocs: clients/manage/collections/collection-evaluation.md). Until then the
//! memberships say where a device is, and the rules where it is going.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::AssignmentIndex;
use crate::engine::Holding;
use crate::workload::Workload;

/// Whose owned collection a rule is in; `None` for an assignment that is gone.
pub type Owner = Option<AssignmentIndex>;

type ByDevice = BTreeMap<(usize, Workload), BTreeSet<Owner>>;

/// What is under way at the site, by device (row of the inventory) and workload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RulesUnderWay {
    arriving: ByDevice,
    leaving: ByDevice,
}

impl RulesUnderWay {
    /// Nothing is under way.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            arriving: BTreeMap::new(),
            leaving: BTreeMap::new(),
        }
    }

    /// Notes that a collection of `owner` has a rule for the device, and the pilot does not have it yet.
    pub fn arrives(&mut self, row: usize, workload: Workload, owner: Owner) {
        self.arriving
            .entry((row, workload))
            .or_default()
            .insert(owner);
    }

    /// Notes that the pilot has the device by a collection of `owner`, which has no rule for it any more.
    pub fn leaves(&mut self, row: usize, workload: Workload, owner: Owner) {
        self.leaving
            .entry((row, workload))
            .or_default()
            .insert(owner);
    }

    /// Every rule without a membership.
    pub fn arriving(&self) -> impl Iterator<Item = (usize, Workload, Owner)> + '_ {
        self.arriving.iter().flat_map(|((row, workload), owners)| {
            owners.iter().map(move |owner| (*row, *workload, *owner))
        })
    }

    /// Whose rules may yet make the device a member for `workload`.
    pub fn owners_arriving(&self, row: usize, workload: Workload) -> impl Iterator<Item = Owner> {
        let owners = self.arriving.get(&(row, workload));
        owners.into_iter().flatten().copied()
    }

    /// Whether a rule may yet make the device a member for `workload`.
    #[must_use]
    pub fn is_arriving(&self, row: usize, workload: Workload) -> bool {
        self.arriving.contains_key(&(row, workload))
    }

    /// Whether a rule in a collection of `owner` may yet make the device a member.
    #[must_use]
    pub fn is_arriving_for(&self, row: usize, workload: Workload, owner: Owner) -> bool {
        self.arriving
            .get(&(row, workload))
            .is_some_and(|owners| owners.contains(&owner))
    }

    /// Whether what the site evaluates next may change who has the device for `workload`.
    #[must_use]
    pub fn is_under_way(&self, row: usize, workload: Workload) -> bool {
        let pair = (row, workload);
        self.arriving.contains_key(&pair) || self.leaving.contains_key(&pair)
    }

    /// Whether the membership in a collection of `owner` ends at the next evaluation.
    #[must_use]
    pub fn is_leaving(&self, row: usize, workload: Workload, owner: Owner) -> bool {
        self.leaving
            .get(&(row, workload))
            .is_some_and(|owners| owners.contains(&owner))
    }

    /// Whether something of `holding` stays, whatever the site evaluates next.
    #[must_use]
    pub fn is_firm(&self, row: usize, workload: Workload, holding: &Holding) -> bool {
        let stays = |owner: Owner| !self.is_leaving(row, workload, owner);
        holding.foreign
            || holding.owners.iter().any(|owner| stays(Some(*owner)))
            || (!holding.retained.is_empty() && stays(None))
    }
}
