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
