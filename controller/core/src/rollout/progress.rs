//! What is remembered of a rollout.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::course::{Course, Failure};
use super::spec::step_digest;
use crate::digest::Digest;
use crate::workload::Authority;

/// What is remembered of one assignment's rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is rolled out: see [`spec_digest`](super::spec_digest).
    pub spec: Digest,
    /// Who shall have authority.
    pub authority: Authority,
    /// The step, from 0.
    pub step: usize,
    /// What it does there.
    pub stage: Stage,
    /// First ids of the devices that it has admitted.
    #[serde(default)]
    pub admitted: BTreeSet<String>,
    /// By first id, how the devices fare that it moves.
    #[serde(default)]
    pub courses: BTreeMap<String, Course>,
    /// What people have said and has been done.
    #[serde(default)]
    pub heeded: Heeded,
}

/// What a rollout does in its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Its devices move.
    Moving {
        /// Since when.
        since: Timestamp,
    },
    /// Enough of them have arrived, and it is watched.
    Soaking {
        /// Since when.
        since: Timestamp,
    },
    /// A person must let the next step begin.
    AwaitingApproval {
        /// Since when.
        since: Timestamp,
    },
    /// It has stopped where it is.
    Halted {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: StopReason,
    },
    /// It takes its devices back, or has done so.
    RolledBack {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: StopReason,
    },
    /// The last step has ended.
    Complete {
        /// Since when.
        since: Timestamp,
    },
}

impl Stage {
    /// Since when it is so.
    #[must_use]
    pub const fn since(self) -> Timestamp {
        match self {
            Self::Moving { since }
            | Self::Soaking { since }
            | Self::AwaitingApproval { since }
            | Self::Halted { since, .. }
            | Self::RolledBack { since, .. }
            | Self::Complete { since } => since,
        }
    }

    /// Why it has stopped, if it has.
    #[must_use]
    pub const fn stopped(self) -> Option<StopReason> {
        match self {
            Self::Halted { reason, .. } | Self::RolledBack { reason, .. } => Some(reason),
            Self::Moving { .. }
            | Self::Soaking { .. }
            | Self::AwaitingApproval { .. }
            | Self::Complete { .. } => None,
        }
    }
}

/// Why a rollout has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StopReason {
    /// More devices failed than it bears.
    MaxFailures {
        /// How many failed.
        failed: usize,
        /// Of how many that were admitted and online.
        of: usize,
    },
    /// A person stopped it.
    Aborted,
    /// Its status says that it has stopped, and what was remembered of it is lost.
    Forgotten,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxFailures { failed, of } => {
                write!(
                    f,
                    "{failed} of {of} online devices failed, more than maxFailures"
                )
            }
            Self::Aborted => f.write_str("a person aborted it"),
            Self::Forgotten => f.write_str("why is not remembered any more"),
        }
    }
}

/// What a rollout does, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Phase {
    /// Nobody was moved yet: it may not begin, or there is nobody to move.
    Waiting,
    /// Devices of the step are moving.
    Progressing,
    /// The step is watched.
    Soaking,
    /// A person must let the next step begin.
    AwaitingApproval,
    /// It has stopped, and stays so until its spec or its group changes.
    Halted,
    /// It has taken its devices back, and stays so until its spec or its group changes.
    RolledBack,
    /// The last step has ended.
    Complete,
}

impl Phase {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Progressing,
        Self::Soaking,
        Self::AwaitingApproval,
        Self::Halted,
        Self::RolledBack,
        Self::Complete,
    ];
}

/// What a person wants of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Act {
    /// End the step now: neither soak nor reports are waited for. What a person must approve is
    /// waited for all the same.
    Promote,
    /// Stop, and do what a failure does.
    Abort,
    /// Go on after it has stopped.
    Retry,
}

impl Act {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Promote, Self::Abort, Self::Retry];

    /// Its name, as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Abort => "abort",
            Self::Retry => "retry",
        }
    }

    /// The act that people call `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }
}

/// By act, the last thing that a person has said: another text each time.
pub type Heeded = BTreeMap<Act, String>;

/// How many devices of a rollout there are, all of them admitted and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// How many are online.
    pub online: usize,
    /// Of the online ones, how many have arrived.
    pub arrived: usize,
    /// Of those, how many were moved to get there.
    pub proved: usize,
    /// How many are moved, or are to be: online or not, arrived or not.
    pub movers: usize,
    /// Of the online ones, how many were moved and have not arrived.
    pub in_flight: usize,
    /// Of the online ones, how many have failed.
    pub failed: usize,
    /// How many are not online and have not arrived.
    pub offline: usize,
}

impl Phase {
    /// Whether only a person, or git, gets it on from there.
    #[must_use]
    pub const fn needs_person(self) -> bool {
        match self {
            Self::AwaitingApproval | Self::Halted | Self::RolledBack => true,
            Self::Waiting | Self::Progressing | Self::Soaking | Self::Complete => false,
        }
    }
}

impl Progress {
    /// A rollout that begins, with what people had said before: none of it is about this one.
    #[must_use]
    pub const fn new(spec: Digest, authority: Authority, now: Timestamp, heeded: Heeded) -> Self {
        Self {
            spec,
            authority,
            step: 0,
            stage: Stage::Moving { since: now },
            admitted: BTreeSet::new(),
            courses: BTreeMap::new(),
            heeded,
        }
    }

    /// What it does, as people see it.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.stage {
            Stage::Moving { .. } if !self.has_begun() => Phase::Waiting,
            Stage::Moving { .. } => Phase::Progressing,
            Stage::Soaking { .. } => Phase::Soaking,
            Stage::AwaitingApproval { .. } => Phase::AwaitingApproval,
            Stage::Halted { .. } => Phase::Halted,
            Stage::RolledBack { .. } => Phase::RolledBack,
            Stage::Complete { .. } => Phase::Complete,
        }
    }

    /// The digest to approve while the next step waits for a person.
    #[must_use]
    pub fn awaits(&self) -> Option<Digest> {
        matches!(self.stage, Stage::AwaitingApproval { .. })
            .then(|| step_digest(&self.spec, self.step))
    }

    /// The first ids of devices that have failed, with how.
    pub fn failures(&self) -> impl Iterator<Item = (&String, Failure)> {
        let courses = self.courses.iter();
        courses.filter_map(|(id, course)| Some((id, course.failure?)))
    }

    /// Whether it has moved anybody, or gone past its first step.
    fn has_begun(&self) -> bool {
        self.step > 0 || self.courses.values().any(|course| course.is_moved)
    }

    /// What was rolled back, and is not tried again until it changes.
    #[must_use]
    pub fn rejected(&self) -> Option<Digest> {
        matches!(self.stage, Stage::RolledBack { .. }).then_some(self.spec)
    }
}
