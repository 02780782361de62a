//! From what a pass knows of a fleet to what its rollouts see, and back.

use std::collections::BTreeMap;

use fixedbitset::FixedBitSet;

use super::advance::{Limits, Said, View};
use super::course::Look;
use super::progress::{Act, Counts, Progress};
use super::sight::Sight;
use super::spec::spec_digest;
use crate::desired::{AssignmentIndex, Desired, Force, FrozenBy, Rollout};
use crate::digest::Digest;
use crate::engine::{Admitted, Engine};
use crate::resource::ObjectName;
use crate::rules::RulesUnderWay;
use crate::workload::{Authority, Workload, WorkloadSet};

/// What is remembered of a fleet's rollouts, by assignment.
pub type Rollouts = BTreeMap<ObjectName, Progress>;

/// What a pass knows besides git and the inventory.
pub struct Signals<'a> {
    /// When this pass looks.
    pub look: Look,
    /// Whether a write has been sent that takes a device to this authority, and is not proved yet.
    pub is_sent: &'a dyn Fn(usize, Workload, Authority) -> bool,
    /// What the site's rules say that its memberships do not show yet. They tell of what was sent even
    /// where that was forgotten, as after a state that was lost.
    pub rules: &'a RulesUnderWay,
    /// Whether a device's report is newer than the last write for it.
    pub is_evidence: &'a dyn Fn(usize, Workload) -> bool,
    /// Whether the limiting collection of the pilot lacks a device, so that a rule never makes it a
    /// member: it is not waited for.
    pub is_outside: &'a dyn Fn(usize, Workload) -> bool,
    /// Workloads whose slider most devices contradict: nothing that they report says anything about a
    /// move, so that their rollouts stand still.
    pub contradicted: WorkloadSet,
    /// Whether a person has approved the step with this digest.
    pub is_approved: &'a dyn Fn(&Digest) -> bool,
    /// What people want of rollouts, as they said it last.
    pub said: &'a Said,
}

/// What one rollout may do in this pass.
#[derive(Debug, Clone)]
pub struct Moves {
    /// What may be written.
    pub limits: Limits,
    /// How many of its devices do what.
    pub counts: Counts,
    /// Rows of devices that something was sent for, that are placed, or that wait for what never comes: they
    /// cost nothing more.
    pub moved: FixedBitSet,
}

/// What comes of a fleet's rollouts in one pass.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Whom they have admitted now.
    pub admitted: Admitted,
    /// By assignment, what its rollout may do.
    pub moves: BTreeMap<AssignmentIndex, Moves>,
    /// What to remember.
    pub rollouts: Rollouts,
}

impl Survey {
    /// Whom the rollouts have admitted once all of them are at their ends: everybody, but where a spec
    /// was rolled back only those that it has not moved.
    #[must_use]
    pub fn end_state(engine: &Engine<'_>, rollouts: &Rollouts) -> Admitted {
        end_state(engine, |name| {
            rollouts
                .get(name)
                .filter(|progress| progress.rejected().is_some())
        })
    }
}

fn end_state<'r>(
    engine: &Engine<'_>,
    rejected: impl Fn(&ObjectName) -> Option<&'r Progress>,
) -> Admitted {
    let inventory = engine.inventory();
    let rows: Vec<Option<FixedBitSet>> = engine
        .desired()
        .assignments
        .iter()
        .enumerate()
        .map(|(at, assignment)| {
            let progress = rejected(&assignment.name)?;
            let stays = |row: &usize| {
                let is_placed = engine
                    .holding(*row, assignment.workload)
                    .is_some_and(|holding| holding.is_placed_by(AssignmentIndex(at)));
                progress.keeps(inventory.first_id(*row), is_placed)
            };
            let mut rows = FixedBitSet::with_capacity(inventory.rows());
            rows.extend((0..inventory.rows()).filter(stays));
            Some(rows)
        })
        .collect();
    if rows.iter().all(Option::is_none) {
        return Admitted::Everybody;
    }
    Admitted::Rows(rows)
}

/// One pass over every rollout of a fleet. The engine comes back with whom they have admitted.
#[must_use]
pub fn survey<'a>(
    engine: Engine<'a>,
    before: &Rollouts,
    signals: &Signals<'_>,
) -> (Engine<'a>, Survey) {
    let still_rejected = end_state(&engine, |name| {
        stays_rejected(engine.desired(), name, before, signals.said)
    });
    let engine = engine.admitting(still_rejected);
    let desired = engine.desired();
    let mut rows = Vec::with_capacity(desired.assignments.len());
    let mut moves = BTreeMap::new();
    let mut rollouts = Rollouts::new();
    for (at, assignment) in desired.assignments.iter().enumerate() {
        let index = AssignmentIndex(at);
        let before = before.get(&assignment.name);
        let staged = assignment.rollout.as_ref();
        let Some(rollout) = staged.filter(|rollout| !rollout.steps.is_empty()) else {
            rows.push(None);
            // One that cannot be read for now goes on where it was once it can be.
            if let Some(before) = before
                && assignment.force == Force::Frozen(FrozenBy::Invalid)
            {
                rollouts.insert(assignment.name.clone(), before.clone());
            }
            continue;
        };
        let (admitted, may, progress) = one(&engine, index, rollout, before, signals);
        rows.push(Some(admitted));
        moves.insert(index, may);
        if let Some(progress) = progress {
            rollouts.insert(assignment.name.clone(), progress);
        }
    }
    let admitted = Admitted::Rows(rows);
    let survey = Survey {
        admitted: admitted.clone(),
        moves,
        rollouts,
    };
    (engine.admitting(admitted), survey)
}

/// Whether the assignment was rolled back and stays so, so that it moves nobody but those that go back.
#[must_use]
pub fn only_goes_back(
    desired: &Desired,
    index: AssignmentIndex,
    before: &Rollouts,
    said: &Said,
) -> bool {
    let name = &desired.assignment(index).name;
    stays_rejected(desired, name, before, said).is_some()
}

/// What was rolled back and stays so in this pass.
fn stays_rejected<'r>(
    desired: &Desired,
    name: &ObjectName,
    before: &'r Rollouts,
    said: &Said,
) -> Option<&'r Progress> {
    let progress = before.get(name)?;
    let index = desired.find_assignment(name)?;
    let said = said.get(name).and_then(|said| said.get(&Act::Retry));
    let is_retried = said.is_some() && said != progress.heeded.get(&Act::Retry);
    let is_same = spec_digest(desired, index).is_none_or(|spec| spec == progress.spec);
    let is_rejected = progress.rejected().is_some() && is_same && !is_retried;
    is_rejected.then_some(progress)
}

fn one(
    engine: &Engine<'_>,
    index: AssignmentIndex,
    rollout: &Rollout,
    before: Option<&Progress>,
    signals: &Signals<'_>,
) -> (FixedBitSet, Moves, Option<Progress>) {
    let desired = engine.desired();
    let assignment = desired.assignment(index);
    let known = spec_digest(desired, index);
    let spec = known.or(before.map(|before| before.spec));
    let sight = Sight::new(engine, index, signals);
    let nothing = std::collections::BTreeMap::new();
    let turn = spec.map(|spec| {
        let view = View {
            assignment: &assignment.name,
            spec,
            authority: assignment.authority,
            rollout,
            is_in_force: known.is_some()
                && assignment.force.is_in_force()
                && !signals.contradicted.contains(assignment.workload),
            look: signals.look,
            selected: sight.selected,
            devices: sight.devices.clone(),
            is_approved: signals.is_approved,
            said: signals.said.get(&assignment.name).unwrap_or(&nothing),
        };
        Progress::of(before.cloned(), &view).advance(&view)
    });
    sight.moves(engine, turn)
}
