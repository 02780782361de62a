//! Assignments that are gone and take their devices back.

use std::collections::BTreeSet;

use crate::desired::{Assignment, Desired, Force, Group, GroupIndex, OnDelete};
use crate::resource::ObjectName;
use crate::workload::{Authority, Workload};

/// The name of the group that has no members, which no user can give to one.
const NOBODY: &str = "(nobody)";

impl Assignment {
    /// Whether its devices go back when it is deleted.
    #[must_use]
    pub fn reverts(&self) -> bool {
        self.on_delete == OnDelete::Revert && self.authority == Authority::Intune
    }
}

impl Desired {
    /// The same, with assignments that are gone and whose last good version said
    /// `onDelete: Revert`: each goes on as one in force that nobody is a member of, so that what it
    /// placed leaves by the same rules, guardrails and freezes as everything else.
    #[must_use]
    pub fn with_reverting(&self, gone: impl IntoIterator<Item = (ObjectName, Workload)>) -> Self {
        let mut desired = self.clone();
        let nobody = GroupIndex(desired.groups.len());
        let before = desired.assignments.len();
        desired
            .assignments
            .extend(gone.into_iter().map(|(name, workload)| Assignment {
                name,
                workload,
                group: Some(nobody),
                group_name: NOBODY.to_owned(),
                authority: Authority::Intune,
                priority: i32::MIN,
                force: Force::InForce,
                admit_when: None,
                rollout: None,
                on_delete: OnDelete::Revert,
            }));
        if desired.assignments.len() > before {
            desired.groups.push(Group {
                name: ObjectName::new(desired.fleet.namespace.clone(), NOBODY),
                selector: None,
                devices: Vec::new(),
                include: Vec::new(),
                exclude: Vec::new(),
            });
            desired.assignments.sort_by(|a, b| a.name.cmp(&b.name));
        }
        desired
    }

    /// The same, after `old`: what `old` had, said `onDelete: Revert`, and is gone, takes its devices
    /// back.
    #[must_use]
    pub fn after(&self, old: &Self) -> Self {
        let present: BTreeSet<&ObjectName> = self.assignments.iter().map(|one| &one.name).collect();
        let gone = old
            .assignments
            .iter()
            .filter(|one| one.reverts() && !present.contains(&one.name))
            .map(|one| (one.name.clone(), one.workload));
        self.with_reverting(gone)
    }
}
