//! What one pass decides of a fleet: how far its rollouts are, what would change in the end, and what
//! changes now.

use std::collections::BTreeSet;

use crate::desired::AssignmentIndex;
use crate::engine::Engine;
use crate::plan::{Change, Plan};
use crate::rollout::{Progress, Rollouts, Signals, Survey, survey};
use crate::workload::{Authority, Workload};

/// What one pass decides of a fleet, before anybody is asked.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The rules, with rollouts where they are now.
    pub engine: Engine<'a>,
    /// What comes of the rollouts.
    pub survey: Survey,
    /// What would change until every rollout is at its end: what guardrails judge, and people approve.
    pub end: Plan,
    /// What would change with rollouts where they are now.
    pub now: Plan,
    /// Of the end, what takes back devices that a rollout has moved before it was rolled back: its spec
    /// has agreed to that.
    pub returning: BTreeSet<Change>,
}

impl<'a> Decision<'a> {
    /// What `engine`'s rules come to, with what is remembered of the rollouts.
    #[must_use]
    pub fn new(engine: Engine<'a>, before: &Rollouts, signals: &Signals<'_>) -> Self {
        let (engine, survey) = survey(engine, before, signals);
        let now = Plan::new(&engine);
        let end_state = Survey::end_state(&engine, &survey.rollouts);
        let engine = engine.admitting(end_state);
        let end = Plan::new(&engine);
        let returning = returning(&engine, &end, &survey.rollouts);
        Self {
            engine: engine.admitting(survey.admitted.clone()),
            survey,
            end,
            now,
            returning,
        }
    }

    /// Of what would change now, what is among the `cleared` changes of the end state. What a rollout on
    /// its way would only undo later is not begun.
    #[must_use]
    pub fn cleared_now(&self, cleared: &[Change]) -> Vec<Change> {
        let cleared: BTreeSet<(usize, Workload, Authority)> = cleared.iter().map(key).collect();
        let now = self.now.changes.iter();
        now.filter(|change| cleared.contains(&key(change)))
            .copied()
            .collect()
    }
}

fn returning(engine: &Engine<'_>, end: &Plan, rollouts: &Rollouts) -> BTreeSet<Change> {
    let desired = engine.desired();
    let rolled_back: Vec<(AssignmentIndex, &Progress)> = rollouts
        .iter()
        .filter(|(_, progress)| progress.rejected().is_some())
        .filter_map(|(name, progress)| Some((desired.find_assignment(name)?, progress)))
        .collect();
    let takes_back = |change: &&Change| {
        rolled_back.iter().any(|(index, progress)| {
            desired.places_in(*index, change.workload)
                && progress.authority != change.to
                && progress
                    .courses
                    .contains_key(engine.inventory().first_id(change.row))
        })
    };
    let changes = end.changes.iter();
    changes.filter(takes_back).copied().collect()
}

fn key(change: &Change) -> (usize, Workload, Authority) {
    (change.row, change.workload, change.to)
}
