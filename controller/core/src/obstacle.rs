//! Why something is not moving: one list of what may stand in the way, in one order.
//!
//! Suspensions, freezes, approvals, pauses, rollouts, windows and budgets are obstacles like any other.
//! Each of them says what gets on from there, so that none is for ever: see [`WayOn`].

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::requirement::Unmet;

/// Something that keeps devices where they are, for now. Of several, the one that comes first here is
/// the reason; the others would stand in the way after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all_fields = "camelCase")]
pub enum Obstacle {
    /// `suspend: true` on the fleet, or a person has paused it.
    FleetSuspended,
    /// `mode: Observe` on the fleet.
    FleetObserving,
    /// An inventory lost more devices than it may.
    MaxInventoryShrink {
        /// What to approve.
        digest: Digest,
    },
    /// Another installation holds the fleet.
    ClaimedByAnother {
        /// What to approve.
        digest: Digest,
    },
    /// A freeze is open.
    Frozen {
        /// Its name.
        name: String,
        /// When it ends.
        until: Timestamp,
    },
    /// What the site's collections say could not be read.
    SiteUnread,
    /// The assignment is wrong by itself or beside others.
    Invalid,
    /// Something that the assignment requires is not ready.
    DependencyNotReady {
        /// What, and what it lacks.
        unmet: Unmet,
    },
    /// `suspend: true` on the assignment.
    Suspended,
    /// A person has paused the assignment.
    Paused,
    /// `mode: Observe` on the assignment.
    Observing,
    /// A person must do something at the console: move the slider, or see to the pilot collection.
    ManualStepNeeded,
    /// The changes wait for a person: they are over a guardrail, or the first.
    AwaitingApproval {
        /// What to approve.
        digest: Digest,
    },
    /// The rollout has halted.
    Halted,
    /// The rollout has gone back.
    RolledBack,
    /// The rollout's next step waits for a person.
    StepAwaitingApproval {
        /// What to approve.
        digest: Digest,
    },
    /// The rollout has not let the device in yet.
    NotAdmitted {
        /// The step it is at, from 1.
        step: usize,
        /// Of how many.
        of: usize,
        /// When its soak ends, while it is watched.
        until: Option<Timestamp>,
    },
    /// The window of the assignment's rollout is closed.
    OutsideWindow {
        /// When it opens next; nothing for one that never does.
        opens: Option<Timestamp>,
    },
    /// As many devices as the rollout bears are on their way.
    MaxConcurrency,
    /// As much as the fleet's guardrails allow was sent in the last hour.
    MaxChangesPerHour,
    /// The limiting collection of the pilot collection does not have the device.
    OutsideLimitingCollection,
    /// It is asked for at the site, which has not evaluated the collection yet.
    Pending,
    /// It is assigned, and the device has not reported so since. Offline, it may take any time.
    NotReported {
        /// Whether it was heard of lately.
        online: bool,
    },
}

/// What gets on from an obstacle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayOn {
    /// A person, by this act.
    Person(String),
    /// Time alone; when, where that is known.
    Time(Option<Timestamp>),
    /// What the devices and the services do, which is looked at in every pass.
    Estate,
}

impl Obstacle {
    /// Its place in the order, from 0.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        self.place().0
    }

    /// Its name, as statuses have it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.place().1
    }

    const fn place(&self) -> (u8, &'static str) {
        match self {
            Self::FleetSuspended => (0, "FleetSuspended"),
            Self::FleetObserving => (1, "FleetObserving"),
            Self::MaxInventoryShrink { .. } => (2, "MaxInventoryShrink"),
            Self::ClaimedByAnother { .. } => (3, "ClaimedByAnother"),
            Self::Frozen { .. } => (4, "Frozen"),
            Self::SiteUnread => (5, "SiteUnread"),
            Self::Invalid => (6, "Invalid"),
            Self::DependencyNotReady { .. } => (7, "DependencyNotReady"),
            Self::Suspended => (8, "Suspended"),
            Self::Paused => (9, "Paused"),
            Self::Observing => (10, "Observing"),
            Self::ManualStepNeeded => (11, "ManualStepNeeded"),
            Self::AwaitingApproval { .. } => (12, "AwaitingApproval"),
            Self::Halted => (13, "Halted"),
            Self::RolledBack => (14, "RolledBack"),
            Self::StepAwaitingApproval { .. } => (15, "StepAwaitingApproval"),
            Self::NotAdmitted { .. } => (16, "NotAdmitted"),
            Self::OutsideWindow { .. } => (17, "OutsideWindow"),
            Self::MaxConcurrency => (18, "MaxConcurrency"),
            Self::MaxChangesPerHour => (19, "MaxChangesPerHour"),
            Self::OutsideLimitingCollection => (20, "OutsideLimitingCollection"),
            Self::Pending => (21, "Pending"),
            Self::NotReported { .. } => (22, "NotReported"),
        }
    }
}

impl Obstacle {
    /// What gets on from there.
    #[must_use]
    pub fn way_on(&self) -> WayOn {
        let person = |act: &str| WayOn::Person(act.to_owned());
        let approve = |digest: &Digest| WayOn::Person(format!("diarchy approve {digest}"));
        match self {
            Self::FleetSuspended => person("diarchy resume the fleet, or `suspend: false` in git"),
            Self::FleetObserving => person("`mode: Enforce` on the fleet"),
            Self::MaxInventoryShrink { digest }
            | Self::ClaimedByAnother { digest }
            | Self::AwaitingApproval { digest }
            | Self::StepAwaitingApproval { digest } => approve(digest),
            Self::Frozen { until, .. } => WayOn::Time(Some(*until)),
            Self::SiteUnread | Self::Pending | Self::NotReported { .. } | Self::MaxConcurrency => {
                WayOn::Estate
            }
            Self::Invalid => person("mend it: its status says what is wrong"),
            Self::DependencyNotReady { unmet } => unmet.way_on(),
            Self::Suspended => person("`suspend: false` in git"),
            Self::Paused => person("diarchy resume the assignment"),
            Self::Observing => person("`mode: Enforce` on the assignment"),
            Self::ManualStepNeeded => person("the step that the policy's status shows"),
            Self::Halted | Self::RolledBack => {
                person("commit another spec or group, or diarchy retry the assignment")
            }
            Self::NotAdmitted { until, .. } => match until {
                Some(until) => WayOn::Time(Some(*until)),
                None => WayOn::Estate,
            },
            Self::OutsideWindow { opens } => WayOn::Time(*opens),
            Self::MaxChangesPerHour => WayOn::Time(None),
            Self::OutsideLimitingCollection => {
                person("have the limiting collection of the pilot collection include the device")
            }
        }
    }

    /// Puts several in the one order.
    pub fn sort(several: &mut [Self]) {
        several.sort_by_key(Self::rank);
    }
}

impl fmt::Display for WayOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(act) => f.write_str(act),
            Self::Time(Some(until)) => write!(f, "by itself, at {until}"),
            Self::Time(None) => f.write_str("by itself, with time"),
            Self::Estate => f.write_str("by itself, as the estate goes on"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FleetSuspended => f.write_str("the fleet is suspended"),
            Self::FleetObserving => f.write_str("the fleet is only observed"),
            Self::MaxInventoryShrink { .. } => {
                f.write_str("an inventory lost more devices than maxInventoryShrink allows")
            }
            Self::ClaimedByAnother { .. } => f.write_str("another installation holds the fleet"),
            Self::Frozen { name, until } => write!(f, "freeze `{name}` lasts until {until}"),
            Self::SiteUnread => f.write_str("the site's collections could not be read"),
            Self::Invalid => f.write_str("the assignment is wrong and stands still"),
            Self::DependencyNotReady { unmet } => {
                write!(f, "what the assignment requires is not ready: {unmet}")
            }
            Self::Suspended => f.write_str("git suspends the assignment"),
            Self::Paused => f.write_str("a person paused the assignment"),
            Self::Observing => f.write_str("the assignment only watches"),
            Self::ManualStepNeeded => {
                f.write_str("a person must do something at the console first")
            }
            Self::AwaitingApproval { digest } => {
                write!(f, "the change waits for an approval of {digest}")
            }
            Self::Halted => f.write_str("the rollout has halted"),
            Self::RolledBack => f.write_str("the rollout was rolled back"),
            Self::StepAwaitingApproval { digest } => {
                write!(
                    f,
                    "the next step of the rollout waits for an approval of {digest}"
                )
            }
            Self::NotAdmitted { step, of, .. } => {
                write!(
                    f,
                    "the rollout is at step {step} of {of} and has not let it in yet"
                )
            }
            Self::OutsideWindow { opens: Some(opens) } => {
                write!(f, "the window of the rollout opens at {opens}")
            }
            Self::OutsideWindow { opens: None } => {
                f.write_str("the window of the rollout is closed")
            }
            Self::MaxConcurrency => {
                f.write_str("as many devices as maxConcurrency allows are on their way")
            }
            Self::MaxChangesPerHour => {
                f.write_str("as much as maxChangesPerHour allows was sent in the last hour")
            }
            Self::OutsideLimitingCollection => {
                f.write_str("the limiting collection of the pilot collection does not have it")
            }
            Self::Pending => f.write_str("it is asked for at the site, and not a member yet"),
            Self::NotReported { online: true } => {
                f.write_str("it is assigned, and has not reported so since")
            }
            Self::NotReported { online: false } => {
                f.write_str("it is assigned and offline, so that it may take any time")
            }
        }
    }
}
