//! How one device fares in a rollout.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Seen;
use super::health::{Health, Worse};
use crate::duration::Span;

/// How one device fares: kept from before its move until nothing is to be proved any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// How well it did before its move.
    #[serde(default)]
    pub before: Health,
    /// Whether something was written for it.
    #[serde(default)]
    pub is_moved: bool,
    /// Whether it was in before this course began: it is watched, and never taken back.
    #[serde(default)]
    pub was_in: bool,
    /// How long it has been online without arriving, up to `online_since`.
    #[serde(default)]
    waited: SignedDuration,
    /// Since when it has been online without arriving, and nobody has looked away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    online_since: Option<Timestamp>,
    /// How it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// How a device failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Why.
    pub reason: FailureReason,
    /// Since when.
    pub since: Timestamp,
}

/// Why a device failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FailureReason {
    /// It was online for longer than it may take, and has not reported to be where it is wanted.
    ProgressDeadlineExceeded,
    /// Its Configuration Manager client was healthy before its move, and is not.
    ClientUnhealthy,
    /// It met its compliance policies before its move, and does not.
    NotCompliant,
    /// Intune reports an error of it that was not there before its move.
    ReportedError,
}

impl FailureReason {
    /// Its name, as statuses show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProgressDeadlineExceeded => "ProgressDeadlineExceeded",
            Self::ClientUnhealthy => "ClientUnhealthy",
            Self::NotCompliant => "NotCompliant",
            Self::ReportedError => "ReportedError",
        }
    }
}

impl From<Worse> for FailureReason {
    fn from(worse: Worse) -> Self {
        match worse {
            Worse::Client => Self::ClientUnhealthy,
            Worse::Compliance => Self::NotCompliant,
            Worse::Error => Self::ReportedError,
        }
    }
}

/// How much online time is written down at once. What was not is lost in a restart, so that no device
/// is judged by time in which nobody looked.
const WRITTEN_DOWN: SignedDuration = SignedDuration::from_hours(1);

/// When a device is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Now.
    pub now: Timestamp,
    /// The look before, in the same process.
    pub last: Option<Timestamp>,
    /// Two looks further apart than this have not seen what was between them.
    pub longest_gap: SignedDuration,
}

impl Look {
    /// Until when everything was watched, the look before included.
    fn watched_until(self) -> Option<Timestamp> {
        let last = self.last?;
        let gap = self.now.duration_since(last);
        let has_watched = !gap.is_negative() && gap <= self.longest_gap;
        Some(if has_watched { self.now } else { last })
    }
}

impl Course {
    /// The course of a device that has not been moved yet.
    #[must_use]
    pub const fn new(before: Health) -> Self {
        Self {
            before,
            is_moved: false,
            was_in: false,
            waited: SignedDuration::ZERO,
            online_since: None,
            failure: None,
        }
    }

    /// Judges it by what is seen of it now.
    pub(super) fn judge(&mut self, seen: &Seen<'_>, deadline: Option<Span>, look: Look) {
        if !self.is_moved {
            if seen.is_online {
                self.before = seen.health;
            }
            return;
        }
        self.run_clock(seen, look);
        if seen.is_online {
            self.failure = self.found(seen, deadline, look.now).map(|reason| {
                let known = self.failure.filter(|known| known.reason == reason);
                known.unwrap_or(Failure {
                    reason,
                    since: look.now,
                })
            });
        }
    }

    /// Counts the time that it is online without arriving.
    fn run_clock(&mut self, seen: &Seen<'_>, look: Look) {
        if seen.has_arrived {
            self.waited = SignedDuration::ZERO;
            self.online_since = None;
            return;
        }
        // One that fell out has nothing to follow until it is moved anew.
        if !seen.is_under_way() {
            self.look_away(look);
            return;
        }
        if let Some(since) = self.online_since {
            let watched = look.watched_until();
            // Who has gone offline was online until the look before.
            let until = if seen.is_online { watched } else { look.last };
            let goes_on = seen.is_online && watched == Some(look.now) && since <= look.now;
            if !goes_on || look.now.duration_since(since) >= WRITTEN_DOWN {
                let watched = until.map_or(SignedDuration::ZERO, |end| end.duration_since(since));
                self.waited += watched.max(SignedDuration::ZERO);
                self.online_since = None;
            }
        }
        if seen.is_online && self.online_since.is_none() {
            self.online_since = Some(look.now);
        }
    }

    /// Nobody looks at it in this pass: what was watched counts, and what passes until it is seen again
    /// does not.
    pub(super) fn look_away(&mut self, look: Look) {
        if let Some(since) = self.online_since.take() {
            let watched = look.last.map(|last| last.duration_since(since));
            self.waited += watched.unwrap_or_default().max(SignedDuration::ZERO);
        }
    }

    /// How long it has been online without arriving.
    fn waited(&self, now: Timestamp) -> SignedDuration {
        let current = self.online_since.map(|since| now.duration_since(since));
        self.waited + current.unwrap_or_default().max(SignedDuration::ZERO)
    }

    /// What is wrong with it, if anything is.
    fn found(
        &self,
        seen: &Seen<'_>,
        deadline: Option<Span>,
        now: Timestamp,
    ) -> Option<FailureReason> {
        if let Some(worse) = seen.health.is_worse_than(self.before) {
            return Some(worse.into());
        }
        let deadline = SignedDuration::try_from(deadline?.length()).unwrap_or(SignedDuration::MAX);
        let is_late = !seen.has_arrived && self.waited(now) >= deadline;
        is_late.then_some(FailureReason::ProgressDeadlineExceeded)
    }

    /// Gives it another chance: its failure is forgotten, and its time begins anew.
    pub(super) fn begin_anew(&mut self) {
        self.failure = None;
        self.waited = SignedDuration::ZERO;
        self.online_since = None;
    }
}
