//! From changes to single steps at the site, in an order that is safe at every moment.
//!
//! A device is put into a collection before it is taken out of another, and the second half waits
//! until the site's own membership shows the first. DeviceConfiguration never reaches Intune before
//! EndpointProtection, and EndpointProtection never leaves before it: Configuration Manager does not
//! know a device with the one but not the other (memdocs: comanage/workloads.md).

use crate::desired::AssignmentIndex;
use crate::engine::{Engine, Outcome};
use crate::plan::{Change, HandOver};
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
}

impl Step {
    /// The device's row and the workload.
    #[must_use]
    pub const fn pair(&self) -> (usize, Workload) {
        match self {
            Self::Place { row, workload, .. } | Self::TakeOut { row, workload, .. } => {
                (*row, *workload)
            }
        }
    }
}

/// The steps that may be taken now for changes that are cleared, and for hand-overs. What has to
/// wait for another step is left out and comes with a later pass.
#[must_use]
pub fn steps(engine: &Engine<'_>, cleared: &[Change], hand_overs: &[HandOver]) -> Vec<Step> {
    let changes = cleared
        .iter()
        .filter(|change| is_due(engine, change))
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
    let hand_overs = hand_overs.iter().map(|hand_over| {
        let HandOver { row, workload, to } = *hand_over;
        let is_placed = engine
            .holding(row, workload)
            .is_some_and(|holding| holding.is_placed_by(to));
        if is_placed {
            Step::TakeOut {
                row,
                workload,
                but: Some(to),
                because: to,
            }
        } else {
            Step::Place {
                row,
                workload,
                assignment: to,
            }
        }
    });
    changes.chain(hand_overs).collect()
}

/// Whether nothing else has to happen first.
fn is_due(engine: &Engine<'_>, change: &Change) -> bool {
    let is_at_intune = |workload| match engine.desired().slider(workload) {
        Some(Slider::Intune) => Some(true),
        Some(Slider::PilotIntune) => engine
            .holding(change.row, workload)
            .map(|holding| !holding.is_empty()),
        Some(Slider::ConfigurationManager) | None => Some(false),
    };
    match (change.workload, change.to) {
        (Workload::DeviceConfiguration, Authority::Intune) => {
            is_at_intune(Workload::EndpointProtection) == Some(true)
        }
        (Workload::EndpointProtection, Authority::ConfigurationManager) => {
            is_at_intune(Workload::DeviceConfiguration) == Some(false)
                && !is_in_doubt(engine, change.row)
        }
        _ => true,
    }
}

/// Whether the device's DeviceConfiguration may yet be given to Intune, and EndpointProtection with
/// it: nothing is taken back while that is not known.
fn is_in_doubt(engine: &Engine<'_>, row: usize) -> bool {
    let workload = Workload::DeviceConfiguration;
    if engine.desired().slider(workload) != Some(Slider::PilotIntune) {
        return false;
    }
    let asks = |index: &AssignmentIndex| {
        engine.desired().assignment(*index).authority == Authority::Intune
    };
    match engine.outcome(row, workload) {
        Some(Outcome::Held { unknown, otherwise }) => unknown.iter().chain(&otherwise).any(asks),
        Some(Outcome::Ambiguous(_)) | None => true,
        Some(Outcome::Nobody | Outcome::Winner(_)) => false,
    }
}
