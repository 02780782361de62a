//! What a pass has found for each assignment that decides whether it is carried out.

use std::collections::BTreeMap;

use diarchy_core::desired::AssignmentIndex;
use diarchy_core::due::{self, Brakes, Wait};
use diarchy_core::workload::{Staged, WorkloadSet};
use diarchy_fleet::site::pilot::PilotState;

use super::Known;
use super::standing::Standing;
use super::trouble::Trouble;
use crate::memory::Waiting;
use crate::summary;

/// What a pass has found, by assignment.
pub(super) struct Standings<'a> {
    known: &'a Known<'a>,
    trouble: Option<Trouble<'a>>,
    pilots: BTreeMap<Staged, PilotState>,
    /// How many changes of each wait for a person.
    waiting: BTreeMap<AssignmentIndex, usize>,
    /// How many steps of each wait until its window opens.
    outside_window: BTreeMap<AssignmentIndex, usize>,
}

impl<'a> Standings<'a> {
    /// What `known` says of each; `trouble` is what those that stand on the fleet say is wrong.
    pub fn new(known: &'a Known<'a>, trouble: Option<Trouble<'a>>) -> Self {
        let decided = known.decided;
        let is_stopped = known.memory.waiting.as_ref();
        let is_stopped = is_stopped.is_some_and(Waiting::stops_everything);
        let changes = if is_stopped {
            Some(&decided.plan.changes)
        } else {
            let waiting = decided.acceptance.waiting.as_ref();
            waiting.map(|waiting| &waiting.changes)
        };
        let brakes = Brakes {
            left: usize::MAX,
            is_asked: &|_| false,
            is_enrolling: &|_| false,
            contradicted: WorkloadSet::EMPTY,
            moves: &decided.moves,
        };
        let late = due::waiting(known.engine(), &decided.steps, &brakes);
        let late = late.into_iter();
        let late = late.filter(|(_, wait)| *wait == Wait::OutsideWindow);
        Self {
            known,
            trouble,
            pilots: summary::pilot_states(known.readings),
            waiting: counted(changes.into_iter().flatten().map(|change| change.because)),
            outside_window: counted(late.map(|(step, _)| step.because())),
        }
    }

    /// What there is to know of one.
    pub fn of(&self, index: AssignmentIndex) -> Standing<'a> {
        let Known {
            decided,
            memory,
            report,
            ..
        } = *self.known;
        let assignment = self.known.engine().desired().assignment(index);
        let waiting = report.waiting.as_ref();
        let of = |counts: &BTreeMap<AssignmentIndex, usize>| counts.get(&index).copied();
        Standing {
            force: assignment.force,
            unmet: &assignment.unmet,
            is_going: memory.reverting.contains_key(&assignment.name.to_string()),
            waiting: of(&self.waiting).zip(waiting),
            trouble: self.trouble,
            needs_console: summary::needs_console(
                assignment.workload,
                self.known.shown,
                &self.pilots,
            ),
            hold: decided.hold.as_ref(),
            outside_window: of(&self.outside_window).unwrap_or_default(),
            rollout: memory.rollouts.get(&assignment.name.to_string()).zip(
                assignment
                    .rollout
                    .as_ref()
                    .map(|rollout| rollout.steps.len()),
            ),
        }
    }
}

fn counted(indexes: impl Iterator<Item = AssignmentIndex>) -> BTreeMap<AssignmentIndex, usize> {
    let mut counts = BTreeMap::new();
    for index in indexes {
        *counts.entry(index).or_default() += 1;
    }
    counts
}
