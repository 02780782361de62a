//! Assignments that cannot be read any more and still have devices: something stands in for them.

use std::collections::BTreeSet;

use crate::desired::{
    Assignment, Desired, Force, FrozenBy, Group, GroupIndex, OnDelete, Rollout, Window,
};
use crate::resource::ObjectName;
use crate::workload::{Authority, Workload};

/// The name of the group that has no members, which no user can give to one.
const NOBODY: &str = "(nobody)";

/// What an assignment that cannot be read is replaced by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// Its name.
    pub name: ObjectName,
    /// Its workload.
    pub workload: Workload,
    /// Why it cannot be read.
    pub why: Unreadable,
}

/// Why an assignment cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It is gone, and its last good version said `onDelete: Revert`: it goes on as one in force that
    /// nobody is a member of, so that what it placed leaves by the same rules, guardrails and freezes
    /// as everything else.
    Gone {
        /// When its last good version let writes be made.
        window: Option<Window>,
    },
    /// It is there and wrong by itself: what it placed stays, whatever others ask.
    Invalid,
}

impl Assignment {
    /// Whether its devices go back when it is deleted.
    #[must_use]
    pub fn reverts(&self) -> bool {
        self.on_delete == OnDelete::Revert && self.authority == Authority::Intune
    }

    /// When writes for it may be made; without one, at any time.
    #[must_use]
    pub fn window(&self) -> Option<&Window> {
        self.rollout.as_ref()?.window.as_ref()
    }
}

impl Desired {
    /// The same, with those that stand in for what cannot be read.
    #[must_use]
    pub fn with_stand_ins(&self, stand_ins: impl IntoIterator<Item = StandIn>) -> Self {
        let mut desired = self.clone();
        let nobody = GroupIndex(desired.groups.len());
        let before = desired.assignments.len();
        desired
            .assignments
            .extend(stand_ins.into_iter().map(|one| one.assignment(nobody)));
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
            .map(|one| StandIn {
                name: one.name.clone(),
                workload: one.workload,
                why: Unreadable::Gone {
                    window: one.window().cloned(),
                },
            });
        self.with_stand_ins(gone)
    }
}

impl StandIn {
    fn assignment(self, nobody: GroupIndex) -> Assignment {
        let (priority, force, on_delete, window) = match self.why {
            Unreadable::Gone { window } => (i32::MIN, Force::InForce, OnDelete::Revert, window),
            // Frozen, it counts only for the devices that it placed: for those it must win.
            Unreadable::Invalid => (
                i32::MAX,
                Force::Frozen(FrozenBy::Invalid),
                OnDelete::Retain,
                None,
            ),
        };
        Assignment {
            name: self.name,
            workload: self.workload,
            group: Some(nobody),
            group_name: NOBODY.to_owned(),
            authority: Authority::Intune,
            priority,
            force,
            admit_when: None,
            requires: Vec::new(),
            unmet: Vec::new(),
            rollout: window.map(Rollout::within),
            on_delete,
        }
    }
}
