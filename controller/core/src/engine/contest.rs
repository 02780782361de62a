//! Which assignment wins a device.

use crate::desired::{AssignmentIndex, Force};
use crate::engine::Engine;
use crate::ternary::Ternary;
use crate::workload::{Authority, Workload};

/// Which assignment wins a device for a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// What it came to.
    pub outcome: Outcome,
    /// Assignments in force that have, or may have, the device and take no part only because
    /// `admitWhen` does not hold for it; the highest priority first.
    pub not_admitted: Vec<AssignmentIndex>,
}

/// What a contest came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No assignment asks for the device.
    Nobody,
    /// This one has it: of the highest priority, and the first by name among equals.
    Winner(AssignmentIndex),
    /// These have the same priority and disagree: the first by name of either side.
    Ambiguous([AssignmentIndex; 2]),
    /// Whether these have the device is not known, and it matters.
    Held {
        /// The assignments that may or may not have it.
        unknown: Vec<AssignmentIndex>,
        /// Who has it if none of them does.
        otherwise: Option<AssignmentIndex>,
    },
}

impl Engine<'_> {
    /// Lets the assignments of `workload` compete for the device in `row`. Whether an assignment
    /// placed it is looked up in the pilot collection, which must have been read.
    pub(crate) fn contest(&self, row: usize, workload: Workload) -> Contest {
        let mut not_admitted = Vec::new();
        let mut unknown_above = Vec::new();
        let order = self.assignments_of(workload);
        let priority = |index: &AssignmentIndex| self.desired.assignment(*index).priority;
        for level in order.chunk_by(|a, b| priority(a) == priority(b)) {
            let standing = self.stand(row, workload, level, &mut not_admitted);
            if let Some(outcome) = standing.decide(self, &unknown_above) {
                return Contest {
                    outcome,
                    not_admitted,
                };
            }
            unknown_above.extend(standing.unknown);
        }
        let outcome = if unknown_above.is_empty() {
            Outcome::Nobody
        } else {
            Outcome::Held {
                unknown: unknown_above,
                otherwise: None,
            }
        };
        Contest {
            outcome,
            not_admitted,
        }
    }

    fn stand(
        &self,
        row: usize,
        workload: Workload,
        level: &[AssignmentIndex],
        not_admitted: &mut Vec<AssignmentIndex>,
    ) -> Standing {
        let mut standing = Standing::default();
        for index in level {
            match self.takes_part(*index, row, workload) {
                Part::Asks => {
                    let side = match self.desired.assignment(*index).authority {
                        Authority::Intune => &mut standing.intune,
                        Authority::ConfigurationManager => &mut standing.configuration_manager,
                    };
                    side.get_or_insert(*index);
                }
                Part::MayAsk => standing.unknown.push(*index),
                Part::NotAdmitted => not_admitted.push(*index),
                Part::None => {}
            }
        }
        standing
    }

    /// Whether the assignment asks for the device.
    fn takes_part(&self, index: AssignmentIndex, row: usize, workload: Workload) -> Part {
        let assignment = self.desired.assignment(index);
        let holding = self.holding(row, workload);
        let placed = holding.is_some_and(|holding| holding.is_placed_by(index));
        match assignment.force {
            Force::Observing => Part::None,
            // Frozen, it counts for the devices that are where it put them, and for no others.
            Force::Frozen(_) => match assignment.authority {
                Authority::Intune => Part::from(Ternary::from(placed)),
                Authority::ConfigurationManager => {
                    let nowhere = holding.is_some_and(crate::engine::Holding::is_empty);
                    Part::from(Ternary::from(nowhere) & self.contains(index, row))
                }
            },
            Force::InForce => {
                let contains = self.contains(index, row);
                if contains == Ternary::No || !self.has_admitted(index, row) {
                    Part::None
                } else if !placed && !self.admits(index, row).is_certain() {
                    Part::NotAdmitted
                } else {
                    Part::from(contains)
                }
            }
        }
    }
}

/// What an assignment has to say about a device.
enum Part {
    None,
    NotAdmitted,
    MayAsk,
    Asks,
}

impl From<Ternary> for Part {
    fn from(asks: Ternary) -> Self {
        match asks {
            Ternary::No => Self::None,
            Ternary::Unknown => Self::MayAsk,
            Ternary::Yes => Self::Asks,
        }
    }
}

/// The assignments of one priority that ask for a device, the first by name of either side.
#[derive(Default)]
struct Standing {
    intune: Option<AssignmentIndex>,
    configuration_manager: Option<AssignmentIndex>,
    unknown: Vec<AssignmentIndex>,
}

impl Standing {
    /// What this priority settles; `None` leaves it to the lower ones.
    fn decide(&self, engine: &Engine<'_>, unknown_above: &[AssignmentIndex]) -> Option<Outcome> {
        let winner = match (self.intune, self.configuration_manager) {
            (Some(intune), Some(other)) => return Some(Outcome::Ambiguous([intune, other])),
            (Some(winner), None) | (None, Some(winner)) => winner,
            (None, None) => return None,
        };
        let authority = engine.desired.assignment(winner).authority;
        let disagrees =
            |index: &AssignmentIndex| engine.desired.assignment(*index).authority != authority;
        let rivals = self.unknown.iter().copied().filter(disagrees);
        let unknown: Vec<_> = unknown_above.iter().copied().chain(rivals).collect();
        Some(if unknown.is_empty() {
            Outcome::Winner(winner)
        } else {
            Outcome::Held {
                unknown,
                otherwise: Some(winner),
            }
        })
    }
}
