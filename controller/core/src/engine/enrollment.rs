//! What becomes of one device and the pilot of automatic enrolment.

use crate::engine::{BlockReason, Engine};
use crate::ternary::Ternary;

/// What becomes of one device and the pilot of automatic enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolling {
    /// The policy does not ask for it.
    NotAsked,
    /// It is a member already, and stays one whatever the policy says: leaving does not unenrol.
    Member,
    /// It would join.
    Joins,
    /// It would join, but for something.
    Blocked(BlockReason),
}

impl Engine<'_> {
    /// What becomes of the device in `row` and the pilot of automatic enrolment.
    #[must_use]
    pub fn enrolling(&self, row: usize) -> Enrolling {
        let policy = self.desired.policy.as_ref();
        let Some(pilot) = policy.and_then(|policy| policy.enrollment_pilot.as_ref()) else {
            return Enrolling::NotAsked;
        };
        let asked = pilot.group.map_or(Ternary::Unknown, |group| {
            self.groups.members(group).get(row)
        });
        match (asked, self.inventory.enrollment_pilot.get(row)) {
            (Ternary::No, _) => Enrolling::NotAsked,
            (_, Ternary::Yes) => Enrolling::Member,
            (_, Ternary::Unknown) => Enrolling::Blocked(BlockReason::Unread),
            (asked, Ternary::No) => match self.eligibility.judge_enrollment(row) {
                Some(reason) => Enrolling::Blocked(BlockReason::Ineligible(reason)),
                None if asked == Ternary::Unknown => Enrolling::Blocked(BlockReason::Held),
                None => Enrolling::Joins,
            },
        }
    }
}
