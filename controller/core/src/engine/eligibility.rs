//! Who can be moved at all.

use serde::{Deserialize, Serialize};

use crate::desired::{Desired, Prerequisites};
use crate::fact::Fact;
use crate::inventory::Inventory;
use crate::selector::TextKey;
use crate::version::Version;

/// Why a device cannot be moved; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ineligible {
    /// It runs a server operating system.
    NotAWindowsClient,
    /// It has no ConfigMgr client.
    NoClient,
    /// It is not enrolled in Intune.
    NotEnrolled,
    /// It is enrolled with somebody else's device management, or nobody knows whose.
    OtherMdm,
    /// The co-management policy has not reached it.
    NoPolicy,
    /// It was enrolled in Intune first and ignores the sliders.
    EnrolledFirst,
    /// Its operating system's version is not known.
    OsUnknown,
    /// Its operating system is older than the policy's minimum.
    OsTooOld,
    /// It is not joined in a way that counts.
    JoinType,
}

impl Ineligible {
    /// Each of them, in the order in which they are looked at.
    pub const ALL: [Self; 9] = [
        Self::NotAWindowsClient,
        Self::NoClient,
        Self::NotEnrolled,
        Self::OtherMdm,
        Self::NoPolicy,
        Self::EnrolledFirst,
        Self::OsUnknown,
        Self::OsTooOld,
        Self::JoinType,
    ];
}

/// Who can be moved, by one inventory and one policy's prerequisites.
#[derive(Debug)]
pub struct Eligibility<'a> {
    inventory: &'a Inventory,
    /// For each value of the column of versions, what is wrong with it.
    os: Vec<Option<Ineligible>>,
    /// For each value of the column of join types, whether it counts.
    joined: Vec<bool>,
}

impl<'a> Eligibility<'a> {
    pub(super) fn new(desired: &Desired, inventory: &'a Inventory) -> Self {
        let defaults = Prerequisites::default();
        let prerequisites = desired
            .policy
            .as_ref()
            .map_or(&defaults, |policy| &policy.prerequisites);
        Self {
            inventory,
            os: inventory
                .text(TextKey::OsVersion)
                .table(|version| judge_os(version.map(|text| &**text), &prerequisites.minimum_os)),
            joined: inventory.text(TextKey::JoinType).table(|joined| {
                let joined = joined.known();
                prerequisites
                    .join_types
                    .iter()
                    .any(|counts| joined.is_some_and(|joined| **joined == *counts.name()))
            }),
        }
    }

    /// Why the device in `row` cannot be moved; `None` if it can. What is not known counts as
    /// failing, but for a server operating system and [`Ineligible::EnrolledFirst`].
    #[must_use]
    pub fn judge(&self, row: usize) -> Option<Ineligible> {
        let inventory = self.inventory;
        if inventory.server.yes().contains(row) {
            Some(Ineligible::NotAWindowsClient)
        } else if !inventory.client.yes().contains(row) {
            Some(Ineligible::NoClient)
        } else if !inventory.enrolled.yes().contains(row) {
            Some(Ineligible::NotEnrolled)
        } else if !inventory.mdm_is_intune.yes().contains(row) {
            Some(Ineligible::OtherMdm)
        } else if !inventory.policy_present.yes().contains(row) {
            Some(Ineligible::NoPolicy)
        } else {
            self.judge_prerequisites(row)
        }
    }

    /// Why the device in `row` could not be co-managed if it were enrolled; `None` if it could. What
    /// is not known counts as failing, as in [`Eligibility::judge`].
    #[must_use]
    pub fn judge_enrollment(&self, row: usize) -> Option<Ineligible> {
        let inventory = self.inventory;
        if inventory.server.yes().contains(row) {
            Some(Ineligible::NotAWindowsClient)
        } else if !inventory.client.yes().contains(row) {
            Some(Ineligible::NoClient)
        } else if inventory.mdm_is_other.get(row).is_possible() {
            Some(Ineligible::OtherMdm)
        } else {
            self.judge_prerequisites(row)
        }
    }

    /// What any way into co-management asks of a device's Windows and of its history.
    fn judge_prerequisites(&self, row: usize) -> Option<Ineligible> {
        let inventory = self.inventory;
        if inventory.enrolled_first.yes().contains(row) {
            Some(Ineligible::EnrolledFirst)
        } else if let Some(os) = inventory.text(TextKey::OsVersion).look_up(&self.os, row) {
            Some(os)
        } else if !inventory.text(TextKey::JoinType).look_up(&self.joined, row) {
            Some(Ineligible::JoinType)
        } else {
            None
        }
    }

    /// Whether the device in `row` is under two managers, whether or not it can be moved.
    #[must_use]
    pub fn is_co_managed(&self, row: usize) -> bool {
        let inventory = self.inventory;
        [
            &inventory.client,
            &inventory.enrolled,
            &inventory.mdm_is_intune,
            &inventory.policy_present,
        ]
        .into_iter()
        .all(|flag| flag.yes().contains(row))
    }

    /// How many devices can be moved.
    #[must_use]
    pub fn count(&self) -> usize {
        (0..self.inventory.rows())
            .filter(|row| self.judge(*row).is_none())
            .count()
    }

    /// How many devices are under two managers.
    #[must_use]
    pub fn count_co_managed(&self) -> usize {
        (0..self.inventory.rows())
            .filter(|row| self.is_co_managed(*row))
            .count()
    }
}

fn judge_os(version: Fact<&str>, minimum: &Version) -> Option<Ineligible> {
    match version
        .known()
        .and_then(|text| text.parse::<Version>().ok())
    {
        None => Some(Ineligible::OsUnknown),
        Some(version) if version < *minimum => Some(Ineligible::OsTooOld),
        Some(_) => None,
    }
}
