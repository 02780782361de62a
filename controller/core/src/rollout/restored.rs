//! What is known again of a rollout of which nothing is remembered, by what its status says.

use jiff::Timestamp;

use super::progress::{Heeded, Progress, Stage, StopReason};
use super::spec::spec_digest;
use crate::desired::{AssignmentIndex, Desired, Force, FrozenBy};
use crate::digest::Digest;

/// What a status says of a rollout that was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// What was rolled back.
    pub spec: Digest,
    /// At which step, from 0.
    pub step: usize,
    /// When.
    pub since: Timestamp,
}

impl Progress {
    /// The rollout of an assignment that was rolled back by what its status says, if that is about the
    /// spec that it has, or nobody can tell for now which one it has.
    ///
    /// It moves nobody: whom it had moved is not known any more, so that who is placed stays. What people
    /// have `heeded` said until now counts as done, since nobody knows whether it was.
    #[must_use]
    pub fn restored(
        desired: &Desired,
        index: AssignmentIndex,
        rejected: Rejected,
        heeded: Heeded,
    ) -> Option<Self> {
        let Rejected { spec, step, since } = rejected;
        let assignment = desired.assignment(index);
        let is_unreadable = assignment.force == Force::Frozen(FrozenBy::Invalid);
        let is_same = spec_digest(desired, index).is_none_or(|known| known == spec);
        (is_same || is_unreadable).then(|| Self {
            step,
            stage: Stage::RolledBack {
                since,
                reason: StopReason::Forgotten,
            },
            ..Self::new(spec, assignment.authority, since, heeded)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::desired::{Assignment, Group, GroupIndex, Guardrails, Mode, OnDelete};
    use crate::resource::ObjectName;
    use crate::rollout::Act;
    use crate::workload::{Authority, Workload};

    const AT: AssignmentIndex = AssignmentIndex(0);

    fn desired(priority: i32, group: Option<GroupIndex>) -> Desired {
        let name = |name: &str| ObjectName::new("contoso", name);
        Desired {
            fleet: name("contoso"),
            suspend: false,
            mode: Mode::Enforce,
            guardrails: Guardrails::default(),
            stale_after: std::time::Duration::from_hours(1),
            online_within: std::time::Duration::from_hours(1),
            beta: true,
            policy: None,
            groups: vec![Group {
                name: name("all"),
                selector: None,
                devices: vec!["d0".to_owned()],
                include: Vec::new(),
                exclude: Vec::new(),
            }],
            assignments: vec![Assignment {
                name: name("apps"),
                workload: Workload::ClientApps,
                group,
                group_name: "all".to_owned(),
                authority: Authority::Intune,
                priority,
                force: Force::InForce,
                admit_when: None,
                unmet: Vec::new(),
                requires: Vec::new(),
                rollout: None,
                on_delete: OnDelete::Retain,
            }],
        }
    }

    #[test]
    fn only_the_spec_that_was_rolled_back_stays_so() {
        let there = Some(GroupIndex(0));
        let rejected = Rejected {
            spec: spec_digest(&desired(0, there), AT).unwrap(),
            step: 1,
            since: Timestamp::UNIX_EPOCH,
        };
        let heeded = BTreeMap::from([(Act::Retry, "once".to_owned())]);
        let restored =
            |desired: &Desired| Progress::restored(desired, AT, rejected, heeded.clone());
        let same = restored(&desired(0, there)).unwrap();
        assert_eq!(same.rejected(), Some(rejected.spec));
        assert_eq!((same.step, same.stage.since()), (1, rejected.since));
        assert_eq!(same.heeded, heeded);
        assert!(same.admitted.is_empty() && same.courses.is_empty());
        assert_eq!(restored(&desired(1, there)), None);
        // A group that is missing, or an assignment that cannot be read, is no other spec.
        assert!(restored(&desired(1, None)).is_some());
        let mut wrong = desired(1, there);
        wrong.assignments[0].force = Force::Frozen(FrozenBy::Invalid);
        assert!(restored(&wrong).is_some());
    }
}
