//! From changes to single steps at the site, in an order that is safe at every moment.
//!
//! A device is put into a collection before it is taken out of another, and the second half waits
//! until the site's own membership shows the first. DeviceConfiguration never reaches Intune before
//! EndpointProtection, and EndpointProtection never leaves before it: Configuration Manager does not
//! know a device with the one but not the other (memdocs: comanage/workloads.md). What counts as
//! being there is a membership whose rule still stands, and as not being there neither membership
//! nor rule: what the site evaluates between one step and the next changes nothing about that.

use crate::desired::AssignmentIndex;
use crate::engine::{Engine, Kept, Outcome, Verdict};
use crate::plan::{Change, HandOver};
use crate::rules::{Owner, RulesUnderWay};
use crate::workload::{Authority, Slider, Workload};

/// One step at the site for one device and one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Put it into the assignment's owned collection.
    Place {
        /// The device's row.
        row: usize,
        /// The workload.
        workload: Workload,
        /// Whose collection.
        assignment: AssignmentIndex,
    },
    /// Take it out of every owned collection of the workload, but for one.
    TakeOut {
        /// The device's row.
        row: usize,
        /// The workload.
        workload: Workload,
        /// Whose collection keeps it, if it is handed over.
        but: Option<AssignmentIndex>,
        /// The assignment that asks for it.
        because: AssignmentIndex,
    },
    /// Take a rule back that has not made the device a member yet, and that nobody wants any more.
    Withdraw {
        /// The device's row.
        row: usize,
        /// The workload.
        workload: Workload,
        /// Whose collection has the rule.
        assignment: AssignmentIndex,
    },
}

impl Step {
    /// The device's row and the workload.
    #[must_use]
    pub const fn pair(&self) -> (usize, Workload) {
        match self {
            Self::Place { row, workload, .. }
            | Self::TakeOut { row, workload, .. }
            | Self::Withdraw { row, workload, .. } => (*row, *workload),
        }
    }

    /// Whether the site's rules already say so, so that asking for it again changes none of them.
    #[must_use]
    pub fn is_asked(&self, engine: &Engine<'_>, rules: &RulesUnderWay) -> bool {
        match *self {
            Self::Place {
                row,
                workload,
                assignment,
            } => rules.is_arriving_for(row, workload, Some(assignment)),
            Self::TakeOut {
                row, workload, but, ..
            } => {
                let goes = |owner: Owner| owner.is_none() || owner != but;
                let holding = engine.holding(row, workload);
                holding.is_some_and(|holding| {
                    let owners = holding.owners.iter().copied().map(Some);
                    let gone = (!holding.retained.is_empty()).then_some(None);
                    owners
                        .chain(gone)
                        .filter(|owner| goes(*owner))
                        .all(|owner| rules.is_leaving(row, workload, owner))
                }) && !rules.owners_arriving(row, workload).any(goes)
            }
            // It is asked only as long as there is a rule to take back.
            Self::Withdraw { .. } => false,
        }
    }

    /// The assignment that asks for it.
    #[must_use]
    pub const fn because(&self) -> AssignmentIndex {
        match self {
            Self::Place { assignment, .. } | Self::Withdraw { assignment, .. } => *assignment,
            Self::TakeOut { because, .. } => *because,
        }
    }
}

/// The steps that may be taken now for changes that are cleared, for hand-overs, and for rules that
/// nobody wants any more. What has to wait for another step is left out and comes with a later pass.
#[must_use]
pub fn steps(
    engine: &Engine<'_>,
    rules: &RulesUnderWay,
    cleared: &[Change],
    hand_overs: &[HandOver],
) -> Vec<Step> {
    let site = Site { engine, rules };
    let changes = cleared
        .iter()
        .filter(|change| site.is_due(change))
        .map(|change| match change.to {
            Authority::Intune => Step::Place {
                row: change.row,
                workload: change.workload,
                assignment: change.because,
            },
            Authority::ConfigurationManager => Step::TakeOut {
                row: change.row,
                workload: change.workload,
                but: None,
                because: change.because,
            },
        });
    let hand_overs = hand_overs
        .iter()
        .filter_map(|hand_over| site.hand_over(hand_over));
    changes
        .chain(hand_overs)
        .chain(site.withdrawals())
        .collect()
}

/// The site as a step finds it.
struct Site<'e, 'a> {
    engine: &'e Engine<'a>,
    rules: &'e RulesUnderWay,
}

impl Site<'_, '_> {
    /// Whether nothing else has to happen first.
    fn is_due(&self, change: &Change) -> bool {
        match (change.workload, change.to) {
            (Workload::DeviceConfiguration, Authority::Intune) => self.is_protected(change.row),
            (Workload::EndpointProtection, Authority::ConfigurationManager) => {
                self.needs_no_protection(change.row)
            }
            _ => true,
        }
    }

    /// Whether DeviceConfiguration may be placed: EndpointProtection is at Intune and stays there.
    fn is_protected(&self, row: usize) -> bool {
        self.is_at_intune(row, Workload::EndpointProtection) == Some(true)
    }

    /// Whether the workload is Intune's on the device; `None` where that is not known, or depends on
    /// what the site evaluates next.
    fn is_at_intune(&self, row: usize, workload: Workload) -> Option<bool> {
        match self.engine.desired().slider(workload) {
            Some(Slider::Intune) => Some(true),
            Some(Slider::ConfigurationManager) | None => Some(false),
            Some(Slider::PilotIntune) => {
                let holding = self.engine.holding(row, workload)?;
                if self.rules.is_firm(row, workload, holding) {
                    Some(true)
                } else if holding.is_empty() && !self.rules.is_arriving(row, workload) {
                    Some(false)
                } else {
                    None
                }
            }
        }
    }

    /// Whether DeviceConfiguration is not at Intune, nor on its way there, nor perhaps wanted there.
    fn needs_no_protection(&self, row: usize) -> bool {
        let workload = Workload::DeviceConfiguration;
        self.is_at_intune(row, workload) == Some(false) && !self.is_in_doubt(row)
    }

    /// Whether the device's DeviceConfiguration may yet be given to Intune, and EndpointProtection
    /// with it: nothing is taken back while that is not known.
    fn is_in_doubt(&self, row: usize) -> bool {
        let workload = Workload::DeviceConfiguration;
        let desired = self.engine.desired();
        if desired.slider(workload) != Some(Slider::PilotIntune) {
            return false;
        }
        let asks =
            |index: &AssignmentIndex| desired.assignment(*index).authority == Authority::Intune;
        match self.engine.outcome(row, workload) {
            Some(Outcome::Held { unknown, otherwise }) => {
                unknown.iter().chain(&otherwise).any(asks)
            }
            Some(Outcome::Ambiguous(_)) | None => true,
            Some(Outcome::Nobody | Outcome::Winner(_)) => false,
        }
    }

    fn hand_over(&self, hand_over: &HandOver) -> Option<Step> {
        let HandOver { row, workload, to } = *hand_over;
        let holding = self.engine.holding(row, workload);
        let is_placed = holding.is_some_and(|holding| holding.is_placed_by(to))
            && !self.rules.is_leaving(row, workload, Some(to));
        if is_placed {
            return Some(Step::TakeOut {
                row,
                workload,
                but: Some(to),
                because: to,
            });
        }
        // What holds it now may end before the new rule is evaluated.
        let may_be_placed = workload != Workload::DeviceConfiguration || self.is_protected(row);
        may_be_placed.then_some(Step::Place {
            row,
            workload,
            assignment: to,
        })
    }

    /// Rules of assignments in force that have not become memberships and are not wanted any more:
    /// once the site evaluates them, the device would join only to be taken out again.
    fn withdrawals(&self) -> impl Iterator<Item = Step> + '_ {
        self.rules
            .arriving()
            .filter_map(|(row, workload, owner)| Some((row, workload, owner?)))
            .filter(|(row, workload, owner)| {
                let assignment = self.engine.desired().assignment(*owner);
                assignment.force.is_in_force()
                    && self.is_unwanted(*row, *workload, *owner)
                    && self.may_be_withdrawn(*row, *workload)
            })
            .map(|(row, workload, assignment)| Step::Withdraw {
                row,
                workload,
                assignment,
            })
    }

    /// Whether the verdict is that the device shall not be in the collections of `owner`. A device
    /// that something blocks, and one that is moved otherwise, is left to the step for that.
    fn is_unwanted(&self, row: usize, workload: Workload, owner: AssignmentIndex) -> bool {
        match self.engine.verdict(row, workload) {
            Verdict::Change {
                to: Authority::Intune,
                because,
            } => because != owner,
            Verdict::Kept(Kept::AsAsked(winner)) => {
                let authority = self.engine.desired().assignment(winner).authority;
                winner != owner || authority == Authority::ConfigurationManager
            }
            Verdict::Kept(Kept::NobodyAsks | Kept::HeldBy(_)) => true,
            Verdict::Change { .. }
            | Verdict::HandOver { .. }
            | Verdict::Blocked { .. }
            | Verdict::Kept(_)
            | Verdict::Unmanaged
            | Verdict::Settled(_) => false,
        }
    }

    /// EndpointProtection that is on its way stays so while DeviceConfiguration may need it.
    fn may_be_withdrawn(&self, row: usize, workload: Workload) -> bool {
        workload != Workload::EndpointProtection
            || self.is_at_intune(row, workload) == Some(true)
            || self.needs_no_protection(row)
    }
}
