//! A rollout: a change of authority that goes out in steps, watches what the devices themselves report,
//! and stops when it hurts.
//!
//! [`Progress`] is what is remembered of one rollout, and [`Progress::advance`] is the whole protocol: a
//! function of what was remembered, of what a pass has [`Seen`] of the devices, and of the time. It
//! never asks whether a write succeeded, only what the site and the devices show.

mod advance;
mod course;
mod drawing;
mod health;
mod progress;
mod restored;
mod rollback;
mod sight;
mod spec;
mod survey;

pub use advance::{Limits, MIN_OBSERVED, Said, Turn, View};
pub use course::{Course, Failure, FailureReason, Look};
pub use drawing::lot;
pub use health::Health;
pub use progress::{Act, Counts, Heeded, Phase, Progress, Stage, StopReason};
pub use restored::Rejected;
pub use rollback::{foretold, rolled_back};
pub use spec::{spec_digest, step_digest};
pub use survey::{Moves, Rollouts, Signals, Survey, only_goes_back, survey};

use crate::ternary::Ternary;

/// A device as a pass sees it, for one rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, read from another place"
)]
pub struct Seen<'a> {
    /// The first id that it was ever known by.
    pub id: &'a str,
    /// Whether the group contains it.
    pub selected: Ternary,
    /// Whether the assignment decides about it in the end, and it can be moved: it is neither another's,
    /// nor barred, nor held, nor out of the reach of the pilot collection.
    pub is_own: bool,
    /// Whether it is known to be another assignment's by now, to have left Intune, or to wait for what never
    /// comes: it can prove nothing any more, and takes nobody's place in a step.
    pub is_lost: bool,
    /// Whether the assignment's own collection has it, or a rule that the site has yet to evaluate. Where an
    /// assignment takes devices out, there is no such collection, and it is never so.
    pub is_placed: bool,
    /// Whether a write of ours for it has been sent and not been proved yet.
    pub is_sent: bool,
    /// Whether the site is known to have it where it was before, and nothing is written for it.
    pub is_out: bool,
    /// Whether the device reports to be where it is wanted, by a report newer than our write. Where
    /// nothing reports the workload, whether the site has it there.
    pub has_arrived: bool,
    /// Whether it was heard of lately, and all that is judged here was read.
    pub is_online: bool,
    /// How well it does, by reports newer than our write.
    pub health: Health,
}

impl Seen<'_> {
    /// Whether it takes a place in a step, once it is in.
    const fn fills_a_step(&self) -> bool {
        self.selected.is_certain() && !self.is_lost
    }

    /// Whether something was written for it.
    const fn is_under_way(&self) -> bool {
        self.is_sent || self.is_placed
    }
}
