//! What becomes of one device and one workload.

use serde::Serialize;

use crate::desired::{AssignmentIndex, Force};
use crate::engine::contest::{Contest, Outcome};
use crate::engine::{Engine, Enrolling, Holding, Ineligible};
use crate::workload::{Authority, Slider, Workload};

/// What becomes of one device and one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Diarchy does not manage the workload.
    Unmanaged,
    /// The slider settles it for every device.
    Settled(Authority),
    /// It is where it should be, or stays where it is.
    Kept(Kept),
    /// It should move.
    Change {
        /// Who should have authority.
        to: Authority,
        /// The assignment that asks for it; for one that leaves since nobody in force asks, the
        /// assignment that holds it.
        because: AssignmentIndex,
    },
    /// It stays at Intune and passes from other assignments' collections to this one's.
    HandOver {
        /// The assignment that it passes to.
        to: AssignmentIndex,
    },
    /// It would change, but for something.
    Blocked {
        /// What stands in the way.
        reason: BlockReason,
        /// The assignment concerned, unless there are several.
        because: Option<AssignmentIndex>,
    },
}

/// Why nothing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is where this assignment wants it.
    AsAsked(AssignmentIndex),
    /// No assignment asks for it, and no collection has it.
    NobodyAsks,
    /// Nobody in force asks, and something not in force holds it.
    HeldBy(StayReason),
    /// It was moved back, but DeviceConfiguration stays at Intune and EndpointProtection with it.
    WithDeviceConfiguration,
    /// Something is not known, but no answer would change anything.
    UnknownWithoutEffect,
    /// It would leave, but cannot be moved.
    Ineligible(Ineligible),
}

/// Why a device stays at Intune although nobody in force asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum StayReason {
    /// An assignment that is gone, or was made anew, placed it.
    Retained,
    /// Something that Diarchy did not make holds it.
    Foreign,
    /// An assignment that is frozen or observing placed it.
    NotInForce,
}

/// What stands in the way of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockReason {
    /// The device cannot be moved.
    Ineligible(Ineligible),
    /// Assignments of equal priority disagree.
    AmbiguousAssignment,
    /// Something that Diarchy did not make holds it.
    Foreign,
    /// Its pilot collection could not be read.
    Unread,
    /// Whether it is a member of a group is not known.
    Held,
    /// What must hold for it to join does not, or is not known.
    AdmitWhen,
}

impl BlockReason {
    /// Its name in plans and statuses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ineligible(Ineligible::NotAWindowsClient) => "NotAWindowsClient",
            Self::Ineligible(Ineligible::NoClient) => "NoClient",
            Self::Ineligible(Ineligible::NotEnrolled) => "NotEnrolled",
            Self::Ineligible(Ineligible::OtherMdm) => "OtherMdm",
            Self::Ineligible(Ineligible::NoPolicy) => "NoPolicy",
            Self::Ineligible(Ineligible::EnrolledFirst) => "EnrolledFirst",
            Self::Ineligible(Ineligible::OsUnknown) => "OsUnknown",
            Self::Ineligible(Ineligible::OsTooOld) => "OsTooOld",
            Self::Ineligible(Ineligible::JoinType) => "JoinType",
            Self::AmbiguousAssignment => "AmbiguousAssignment",
            Self::Foreign => "Foreign",
            Self::Unread => "Unread",
            Self::Held => "Held",
            Self::AdmitWhen => "AdmitWhen",
        }
    }
}

impl Serialize for BlockReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Engine<'_> {
    /// What becomes of the device in `row` and `workload`.
    #[must_use]
    pub fn verdict(&self, row: usize, workload: Workload) -> Verdict {
        match self.desired.slider(workload) {
            None => return Verdict::Unmanaged,
            Some(Slider::ConfigurationManager) => {
                return Verdict::Settled(Authority::ConfigurationManager);
            }
            Some(Slider::Intune) => return Verdict::Settled(Authority::Intune),
            Some(Slider::PilotIntune) => {}
        }
        let verdict = match self.holding(row, workload) {
            Some(holding) => self.ask(row, workload, holding),
            None => self.unread(row, workload),
        };
        self.bar_ineligible(row, workload, verdict)
    }

    /// The verdict for a device that can be moved and whose pilot collection was read.
    fn ask(&self, row: usize, workload: Workload, holding: &Holding) -> Verdict {
        let protects = workload == Workload::EndpointProtection;
        if protects && let Some(configuration) = self.configured_by(row) {
            return self.to_intune(configuration, holding);
        }
        let contest = self.contest(row, workload);
        let verdict = match &contest.outcome {
            Outcome::Winner(winner) => match self.desired.assignment(*winner).authority {
                Authority::Intune => self.to_intune(*winner, holding),
                Authority::ConfigurationManager => to_configuration_manager(*winner, holding),
            },
            Outcome::Nobody => self.unasked(holding),
            Outcome::Ambiguous(_) => Verdict::Blocked {
                reason: BlockReason::AmbiguousAssignment,
                because: None,
            },
            Outcome::Held { unknown, otherwise } => {
                let stays = protects && self.configuration_stays(row);
                self.held(unknown, *otherwise, holding, stays)
            }
        };
        if protects && verdict.takes_back() && self.configuration_stays(row) {
            return Verdict::Kept(Kept::WithDeviceConfiguration);
        }
        self.await_admission(contest, holding, verdict)
    }

    /// The assignment in force that gives the device's DeviceConfiguration to Intune, and its
    /// EndpointProtection with it.
    fn configured_by(&self, row: usize) -> Option<AssignmentIndex> {
        let workload = Workload::DeviceConfiguration;
        if self.desired.slider(workload) != Some(Slider::PilotIntune) {
            return None;
        }
        self.holding(row, workload)?;
        match self.contest(row, workload).outcome {
            Outcome::Winner(winner) => {
                let assignment = self.desired.assignment(winner);
                (assignment.authority == Authority::Intune && assignment.force.is_in_force())
                    .then_some(winner)
            }
            Outcome::Nobody | Outcome::Ambiguous(_) | Outcome::Held { .. } => None,
        }
    }

    /// Who the assignment that wins the device wants to have authority, whether or not it can be moved.
    #[must_use]
    pub fn asked(&self, row: usize, workload: Workload) -> Option<Authority> {
        if workload == Workload::EndpointProtection && self.configured_by(row).is_some() {
            return Some(Authority::Intune);
        }
        self.holding(row, workload)?;
        match self.contest(row, workload).outcome {
            Outcome::Winner(winner) => Some(self.desired.assignment(winner).authority),
            Outcome::Nobody | Outcome::Ambiguous(_) | Outcome::Held { .. } => None,
        }
    }

    /// Whether any device is asked for: by an assignment, or into the pilot of automatic enrolment.
    #[must_use]
    pub fn asks_anybody(&self) -> bool {
        let mut rows = 0..self.inventory.rows();
        rows.any(|row| {
            let mut workloads = self.desired.pilot_workloads();
            workloads.any(|workload| self.asked(row, workload).is_some())
                || self.enrolling(row) != Enrolling::NotAsked
        })
    }

    /// Whether the device's DeviceConfiguration is at Intune and stays there, or may do so.
    fn configuration_stays(&self, row: usize) -> bool {
        let workload = Workload::DeviceConfiguration;
        if self.desired.slider(workload) != Some(Slider::PilotIntune) {
            return false;
        }
        match self.holding(row, workload) {
            None => true,
            Some(holding) => !holding.is_empty() && !self.ask(row, workload, holding).takes_back(),
        }
    }

    fn to_intune(&self, winner: AssignmentIndex, holding: &Holding) -> Verdict {
        let in_force = self.desired.assignment(winner).force.is_in_force();
        if holding.is_empty() {
            // A frozen assignment wins only devices that it holds already.
            Verdict::Change {
                to: Authority::Intune,
                because: winner,
            }
        } else if in_force && holding.is_placed_by_another_than(winner) {
            Verdict::HandOver { to: winner }
        } else {
            Verdict::Kept(Kept::AsAsked(winner))
        }
    }

    /// Nobody asks: the device leaves if every membership it has was placed by assignments in force.
    fn unasked(&self, holding: &Holding) -> Verdict {
        let is_in_force =
            |owner: &AssignmentIndex| self.desired.assignment(*owner).force.is_in_force();
        let stays = if holding.is_empty() {
            return Verdict::Kept(Kept::NobodyAsks);
        } else if !holding.retained.is_empty() {
            StayReason::Retained
        } else if holding.foreign {
            StayReason::Foreign
        } else if let [first, ..] = holding.owners.as_slice()
            && holding.owners.iter().all(is_in_force)
        {
            return Verdict::Change {
                to: Authority::ConfigurationManager,
                because: *first,
            };
        } else {
            StayReason::NotInForce
        };
        Verdict::Kept(Kept::HeldBy(stays))
    }

    /// What is not known matters only if some answer to it would change something.
    fn held(
        &self,
        unknown: &[AssignmentIndex],
        otherwise: Option<AssignmentIndex>,
        holding: &Holding,
        stays: bool,
    ) -> Verdict {
        let asks_for = |authority: Authority| {
            unknown
                .iter()
                .copied()
                .chain(otherwise)
                .any(|index| self.desired.assignment(index).authority == authority)
        };
        let may_change = if holding.is_empty() {
            asks_for(Authority::Intune)
        } else {
            let unasked = otherwise.is_none() && self.unasked(holding).takes_back();
            !stays && (unasked || asks_for(Authority::ConfigurationManager))
        };
        if !may_change {
            return Verdict::Kept(Kept::UnknownWithoutEffect);
        }
        Verdict::Blocked {
            reason: BlockReason::Held,
            because: single(unknown),
        }
    }

    /// A device that stays with Configuration Manager only because it is not admitted is blocked.
    fn await_admission(&self, contest: Contest, holding: &Holding, verdict: Verdict) -> Verdict {
        if !holding.is_empty() || !matches!(verdict, Verdict::Kept(_)) {
            return verdict;
        }
        // Those of a lower priority than the winner would not have won anyway.
        let winner = match contest.outcome {
            Outcome::Winner(winner) => Some(winner),
            Outcome::Held { otherwise, .. } => otherwise,
            Outcome::Nobody | Outcome::Ambiguous(_) => None,
        };
        let least = winner.map(|winner| self.desired.assignment(winner).priority);
        let mut waiting = contest.not_admitted;
        waiting.retain(|index| {
            least.is_none_or(|least| self.desired.assignment(*index).priority > least)
        });
        if waiting.is_empty() {
            return verdict;
        }
        Verdict::Blocked {
            reason: BlockReason::AdmitWhen,
            because: single(&waiting),
        }
    }

    /// Nothing is planned for a device whose pilot collection could not be read.
    fn unread(&self, row: usize, workload: Workload) -> Verdict {
        let asking: Vec<_> = self.may_select(row, workload).collect();
        if asking.is_empty() {
            return Verdict::Kept(Kept::NobodyAsks);
        }
        Verdict::Blocked {
            reason: BlockReason::Unread,
            because: single(&asking),
        }
    }

    /// The assignments in force that select the device for `workload`, or may do so.
    pub(super) fn may_select(
        &self,
        row: usize,
        workload: Workload,
    ) -> impl Iterator<Item = AssignmentIndex> + '_ {
        let follows = workload == Workload::EndpointProtection
            && self.desired.slider(Workload::DeviceConfiguration) == Some(Slider::PilotIntune);
        let configuration: &[AssignmentIndex] = if follows {
            self.assignments_of(Workload::DeviceConfiguration)
        } else {
            &[]
        };
        let with_it = configuration
            .iter()
            .filter(|index| self.desired.assignment(**index).authority == Authority::Intune);
        self.assignments_of(workload)
            .iter()
            .chain(with_it)
            .copied()
            .filter(move |index| {
                self.desired.assignment(*index).force == Force::InForce
                    && self.contains(*index, row).is_possible()
                    && self.has_admitted(*index, row)
            })
    }

    /// Nothing is ever written for a device that cannot be moved.
    fn bar_ineligible(&self, row: usize, workload: Workload, verdict: Verdict) -> Verdict {
        let because = match &verdict {
            Verdict::Change { because, .. } => Some(*because),
            Verdict::HandOver { to } => Some(*to),
            Verdict::Blocked { because, .. } => *because,
            Verdict::Unmanaged | Verdict::Settled(_) | Verdict::Kept(_) => return verdict,
        };
        let Some(reason) = self.eligibility.judge(row) else {
            return verdict;
        };
        let selected = self.may_select(row, workload).next().is_some();
        if !selected || matches!(verdict, Verdict::HandOver { .. }) {
            return Verdict::Kept(Kept::Ineligible(reason));
        }
        Verdict::Blocked {
            reason: BlockReason::Ineligible(reason),
            because,
        }
    }
}

impl Verdict {
    /// Whether it hands the device back to Configuration Manager.
    fn takes_back(&self) -> bool {
        matches!(
            self,
            Self::Change {
                to: Authority::ConfigurationManager,
                ..
            }
        )
    }
}

fn to_configuration_manager(winner: AssignmentIndex, holding: &Holding) -> Verdict {
    if holding.is_empty() {
        Verdict::Kept(Kept::AsAsked(winner))
    } else if holding.foreign {
        Verdict::Blocked {
            reason: BlockReason::Foreign,
            because: Some(winner),
        }
    } else {
        Verdict::Change {
            to: Authority::ConfigurationManager,
            because: winner,
        }
    }
}

fn single(assignments: &[AssignmentIndex]) -> Option<AssignmentIndex> {
    match assignments {
        [one] => Some(*one),
        _ => None,
    }
}
