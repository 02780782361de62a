//! How far a fleet is from where it should be.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::engine::{Engine, Verdict};
use crate::ternary::Ternary;
use crate::workload::{Authority, Workload};

/// Why a device is not where it should be yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Missing {
    /// Its change waits for a person.
    AwaitingApproval,
    /// Its change is cleared and has not been sent.
    NotSent,
    /// It is asked for at the site and is no member of the collection yet.
    Pending,
    /// The site has it where it should be, and it has not reported so since.
    NotReported,
    /// The slider at the site does not stand where the policy wants it, as this device shows.
    SliderElsewhere,
}

impl Missing {
    /// How it is told after a number of devices.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "wait for a person",
            Self::NotSent => "not sent yet",
            Self::Pending => "not in the collection yet",
            Self::NotReported => "not reported yet",
            Self::SliderElsewhere => "with another slider",
        }
    }
}

/// How far one workload is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadConvergence {
    /// Online devices that can be moved and of which it is known where they should be.
    pub online: usize,
    /// Those that report to be there.
    pub converged: usize,
    /// Those that do not, by reason.
    pub missing: BTreeMap<Missing, usize>,
    /// Up to 20 of those that do not, by id.
    pub examples: Vec<(String, Missing)>,
    /// Devices that are not online and have not reported to be there: never waited for.
    pub offline: usize,
    /// Devices that something keeps from changing: never waited for.
    pub blocked: usize,
    /// Devices that a rule asks for, and that the collection's limiting collection does not have, so
    /// that the rule never makes them members: a person must mend it, so never waited for.
    pub outside_limiting_collection: usize,
}

/// How many examples are kept.
const EXAMPLES: usize = 20;

/// What is under way for a fleet, as the loop knows it.
pub struct UnderWay<'a> {
    /// By row and workload, changes that wait for a person.
    pub waiting: &'a BTreeSet<(usize, Workload)>,
    /// Whether a rule was sent for a device and workload.
    pub is_sent: &'a dyn Fn(usize, Workload) -> bool,
    /// Whether a rule can never become a membership, since the limiting collection lacks the device.
    pub is_outside: &'a dyn Fn(usize, Workload) -> bool,
    /// Whether a device's report is newer than the last write for it: an older one proves nothing.
    pub is_evidence: &'a dyn Fn(usize, Workload) -> bool,
}

/// How far each managed workload is.
#[must_use]
pub fn converge(
    engine: &Engine<'_>,
    under_way: &UnderWay<'_>,
) -> BTreeMap<Workload, WorkloadConvergence> {
    let managed = Workload::ASSIGNABLE
        .into_iter()
        .filter(|workload| engine.desired().slider(*workload).is_some());
    managed
        .map(|workload| {
            let mut counts = WorkloadConvergence::default();
            for row in 0..engine.inventory().rows() {
                if engine.eligibility().judge(row).is_none() {
                    counts.add(engine, row, workload, under_way);
                }
            }
            (workload, counts)
        })
        .collect()
}

impl WorkloadConvergence {
    fn add(
        &mut self,
        engine: &Engine<'_>,
        row: usize,
        workload: Workload,
        under_way: &UnderWay<'_>,
    ) {
        let missing = match judge(engine, row, workload, under_way) {
            Judged::Blocked => {
                self.blocked += 1;
                return;
            }
            Judged::Outside => {
                self.outside_limiting_collection += 1;
                return;
            }
            Judged::Missing(reason) => Some(reason),
            Judged::Converged => None,
        };
        let is_online = engine.inventory().online.yes().contains(row);
        match missing {
            // Offline, it is counted apart: nobody can say when it comes back.
            Some(_) if !is_online => self.offline += 1,
            Some(reason) => {
                self.online += 1;
                *self.missing.entry(reason).or_default() += 1;
                if self.examples.len() < EXAMPLES {
                    self.examples
                        .push((engine.inventory().id(row).to_owned(), reason));
                }
            }
            None => {
                self.online += usize::from(is_online);
                self.converged += usize::from(is_online);
            }
        }
    }

    /// Whether every online device reports to be where it should be.
    #[must_use]
    pub fn is_converged(&self) -> bool {
        self.online == self.converged
    }
}

/// How far one device is.
enum Judged {
    Converged,
    Missing(Missing),
    Blocked,
    Outside,
}

fn judge(engine: &Engine<'_>, row: usize, workload: Workload, under_way: &UnderWay<'_>) -> Judged {
    let reported = |authority, otherwise| {
        if reports(engine, row, workload, authority) {
            Judged::Converged
        } else {
            Judged::Missing(otherwise)
        }
    };
    let should = match engine.verdict(row, workload) {
        Verdict::Unmanaged | Verdict::Blocked { .. } => return Judged::Blocked,
        Verdict::Settled(authority) => return reported(authority, Missing::SliderElsewhere),
        Verdict::Change { .. } => {
            return if under_way.waiting.contains(&(row, workload)) {
                Judged::Missing(Missing::AwaitingApproval)
            } else if (under_way.is_outside)(row, workload) {
                Judged::Outside
            } else if (under_way.is_sent)(row, workload) {
                Judged::Missing(Missing::Pending)
            } else {
                Judged::Missing(Missing::NotSent)
            };
        }
        Verdict::HandOver { .. } => Authority::Intune,
        Verdict::Kept(_) => {
            let is_member = engine
                .holding(row, workload)
                .is_some_and(|holding| !holding.is_empty());
            if is_member {
                Authority::Intune
            } else {
                Authority::ConfigurationManager
            }
        }
    };
    if (under_way.is_evidence)(row, workload) {
        reported(should, Missing::NotReported)
    } else {
        Judged::Missing(Missing::NotReported)
    }
}

/// Whether the device reports `authority`. What no report ever says counts as it was assigned.
fn reports(engine: &Engine<'_>, row: usize, workload: Workload, authority: Authority) -> bool {
    let report = engine.inventory().observed(workload).get(row);
    report != !Ternary::from(authority == Authority::Intune)
}
