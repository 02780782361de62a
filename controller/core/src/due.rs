//! Which of the steps that may be taken are taken in this pass: windows, rollouts, and the pace.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::AssignmentIndex;
use crate::engine::{Engine, Holding};
use crate::rollout::Moves;
use crate::steps::Step;
use crate::ternary::Ternary;
use crate::workload::{Authority, Workload, WorkloadSet};

/// What is taken in one pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Steps, in a plan's order.
    pub steps: Vec<Step>,
    /// Rows of devices that join the pilot of automatic enrolment.
    pub enrolling: Vec<usize>,
    /// How many of them change a rule, and count for the pace.
    pub changes: usize,
}

/// What the steps of a pass are held against.
pub struct Brakes<'a> {
    /// How many rules the steps may change: the pace.
    pub left: usize,
    /// Whether the site's rules already say what a step asks for: it costs nothing when it is asked for
    /// again. What was sent and lost costs as much as at first.
    pub is_asked: &'a dyn Fn(&Step) -> bool,
    /// Whether the site has a rule for the device in a row in the pilot of automatic enrolment.
    pub is_enrolling: &'a dyn Fn(usize) -> bool,
    /// Workloads whose slider most devices contradict: for those nothing is written.
    pub contradicted: WorkloadSet,
    /// By assignment, what its rollout may do. Without a rollout there is nothing to keep to.
    pub moves: &'a BTreeMap<AssignmentIndex, Moves>,
}

/// Why a step is not taken in this pass; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// The slider of its workload stands elsewhere, as the devices show.
    SliderElsewhere,
    /// Its assignment's rollout has stopped.
    Stopped,
    /// The window of its assignment is closed.
    OutsideWindow,
    /// As many devices as its rollout bears are on their way.
    MaxConcurrency,
    /// As much as the fleet's guardrails allow was sent in the last hour.
    Pace,
}

/// The steps that nothing holds back, and the rows that join the pilot of automatic enrolment.
#[must_use]
pub fn due(engine: &Engine<'_>, steps: &[Step], enrolling: &[usize], brakes: &Brakes<'_>) -> Due {
    let mut taken = Taken::new(engine, brakes);
    let steps = steps.iter().filter(|step| taken.take(step).is_none());
    let steps = steps.copied().collect();
    let fits = |row: &usize| taken.fits((brakes.is_enrolling)(*row));
    let enrolling = enrolling.iter().copied().filter(fits).collect();
    Due {
        steps,
        enrolling,
        changes: brakes.left - taken.left,
    }
}

/// Those of `steps` that wait, and why.
pub fn waiting<'s>(
    engine: &Engine<'_>,
    steps: &'s [Step],
    brakes: &Brakes<'_>,
) -> Vec<(&'s Step, Wait)> {
    let mut taken = Taken::new(engine, brakes);
    let waits = |step: &'s Step| Some((step, taken.take(step)?));
    steps.iter().filter_map(waits).collect()
}

/// What has been taken so far.
struct Taken<'b, 'e, 'a> {
    engine: &'e Engine<'a>,
    brakes: &'b Brakes<'b>,
    left: usize,
    /// By assignment, whether its window is open.
    open: BTreeMap<AssignmentIndex, bool>,
    /// By assignment, rows of online devices that begin to move.
    beginning: BTreeMap<AssignmentIndex, BTreeSet<usize>>,
}

impl<'b, 'e, 'a> Taken<'b, 'e, 'a> {
    fn new(engine: &'e Engine<'a>, brakes: &'b Brakes<'b>) -> Self {
        Self {
            engine,
            brakes,
            left: brakes.left,
            open: BTreeMap::new(),
            beginning: BTreeMap::new(),
        }
    }

    /// Takes the step, unless it has to wait.
    fn take(&mut self, step: &Step) -> Option<Wait> {
        let (row, workload) = step.pair();
        if self.brakes.contradicted.contains(workload) {
            return Some(Wait::SliderElsewhere);
        }
        let index = step.because();
        let begins = begins(self.engine, step);
        let moves = self.brakes.moves.get(&index).filter(|_| begins);
        if moves.is_some_and(|moves| !moves.limits.may_move) {
            return Some(Wait::Stopped);
        }
        let engine = self.engine;
        let to = match step {
            Step::TakeOut { but: None, .. } => Authority::ConfigurationManager,
            _ => engine.desired().assignment(index).authority,
        };
        if !held_to(engine, (row, workload), index, to).all(|index| self.is_open(index)) {
            return Some(Wait::OutsideWindow);
        }
        if let Some(moves) = moves
            && !moves.moved.contains(row)
            && engine.inventory().online.get(row) != Ternary::No
        {
            let beginning = self.beginning.entry(index).or_default();
            if !beginning.contains(&row) && beginning.len() >= moves.limits.more {
                return Some(Wait::MaxConcurrency);
            }
            if !self.fits((self.brakes.is_asked)(step)) {
                return Some(Wait::Pace);
            }
            self.beginning.entry(index).or_default().insert(row);
            return None;
        }
        (!self.fits((self.brakes.is_asked)(step))).then_some(Wait::Pace)
    }

    fn is_open(&mut self, index: AssignmentIndex) -> bool {
        let engine = self.engine;
        let is_open = self.open.entry(index);
        *is_open.or_insert_with(|| is_open_now(engine, index))
    }

    /// Whether one more keeps the pace.
    fn fits(&mut self, is_asked: bool) -> bool {
        let fits = is_asked || self.left > 0;
        self.left = self.left.saturating_sub(usize::from(!is_asked));
        fits
    }
}

/// Whether the step begins to move a device to where its assignment wants it. Those that hand a
/// device over, or give back what nobody asks for, are no part of a rollout.
fn begins(engine: &Engine<'_>, step: &Step) -> bool {
    match step {
        Step::Place { row, workload, .. } => engine
            .holding(*row, *workload)
            .is_none_or(Holding::is_empty),
        Step::TakeOut {
            but: None, because, ..
        } => engine.desired().assignment(*because).authority == Authority::ConfigurationManager,
        Step::TakeOut { .. } | Step::Withdraw { .. } => false,
    }
}

/// The assignments whose windows a change is held to: the one that it is made for, and, where that only
/// lets the device go, all others that have it.
pub(crate) fn held_to<'e>(
    engine: &'e Engine<'_>,
    (row, workload): (usize, Workload),
    because: AssignmentIndex,
    to: Authority,
) -> impl Iterator<Item = AssignmentIndex> + 'e {
    let lets_go = engine.desired().assignment(because).authority != to;
    let holding = engine.holding(row, workload).filter(|_| lets_go);
    let owners = holding.map_or(&[][..], |holding| &holding.owners);
    let others = owners.iter().copied().filter(move |one| *one != because);
    std::iter::once(because).chain(others)
}

/// Whether writes for an assignment may be made now.
fn is_open_now(engine: &Engine<'_>, index: AssignmentIndex) -> bool {
    let assignment = engine.desired().assignment(index);
    assignment
        .window()
        .is_none_or(|window| window.is_open(engine.now()))
}
