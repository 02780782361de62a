//! Which of the steps that may be taken are taken in this pass: windows, and the pace.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::AssignmentIndex;
use crate::engine::Engine;
use crate::steps::Step;

/// What is taken in one pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Steps, in a plan's order.
    pub steps: Vec<Step>,
    /// Rows of devices that join the pilot of automatic enrolment.
    pub enrolling: Vec<usize>,
}

/// What has been sent already: it costs nothing when it is asked for again.
pub struct Sent<'a> {
    /// Whether a step was sent before.
    pub step: &'a dyn Fn(&Step) -> bool,
    /// Whether the device in a row was sent into the pilot of automatic enrolment before.
    pub enrolling: &'a dyn Fn(usize) -> bool,
}

/// The steps whose windows are open, and the rows that join the pilot of automatic enrolment: no more
/// than `left` of what was not sent before.
#[must_use]
pub fn due(
    engine: &Engine<'_>,
    steps: &[Step],
    enrolling: &[usize],
    left: usize,
    sent: &Sent<'_>,
) -> Due {
    let open: BTreeMap<AssignmentIndex, bool> = steps
        .iter()
        .map(Step::because)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|index| (index, is_open(engine, index)))
        .collect();
    let mut left = left;
    let mut fits = |was_sent: bool| {
        let fits = was_sent || left > 0;
        left = left.saturating_sub(usize::from(!was_sent));
        fits
    };
    Due {
        steps: steps
            .iter()
            .filter(|step| open.get(&step.because()).copied().unwrap_or(false))
            .filter(|step| fits((sent.step)(step)))
            .copied()
            .collect(),
        enrolling: enrolling
            .iter()
            .copied()
            .filter(|row| fits((sent.enrolling)(*row)))
            .collect(),
    }
}

/// Whether writes for an assignment may be made now.
#[must_use]
pub fn is_open(engine: &Engine<'_>, index: AssignmentIndex) -> bool {
    let assignment = engine.desired().assignment(index);
    assignment
        .window()
        .is_none_or(|window| window.is_open(engine.now()))
}
