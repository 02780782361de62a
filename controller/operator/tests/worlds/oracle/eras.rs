//! How far each rollout can be at most, by what it says and what people have said.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Moment;
use crate::history::Deed;
use crate::repository::{Assignment, Repository, Rollout};

/// One spec of one assignment, from when it came into force until another did.
#[derive(Debug, Clone)]
pub struct Era {
    spec: String,
    /// The one before, if that was surely carried out.
    before: String,
    /// Whether a pass has surely carried this one out.
    is_confirmed: bool,
    /// Whether nobody can tell how far it is, since another spec may never have been seen.
    pub is_blurred: bool,
    /// Its number of steps before the last one, which is everybody.
    steps: usize,
    /// The step that it has reached at most, since when, and how many deeds there had been.
    pub step: usize,
    since: Timestamp,
    deeds: usize,
    /// When it began, and in which pass.
    pub began: usize,
    /// Devices that were in already when it began.
    pub were_in: BTreeSet<u32>,
    /// Devices that were moved for it.
    pub moved: BTreeSet<u32>,
    /// Those of them that were where they had been before until then, by the pass that moved them.
    pub begun: BTreeMap<u32, usize>,
    /// The pass that first said that it had stopped.
    pub stopped: Option<usize>,
}

/// The eras of all assignments.
#[derive(Debug, Default)]
pub struct Eras(BTreeMap<String, Era>);

impl Eras {
    pub fn get_mut(&mut self, assignment: &str) -> Option<&mut Era> {
        self.0.get_mut(assignment)
    }

    /// A pass begins: other specs begin, and the others go on as far as they can.
    pub fn begin(&mut self, moment: &Moment<'_>) {
        let Some(repository) = moment.repository() else {
            return;
        };
        for number in 0..4 {
            let name = format!("a{number}");
            let one = repository.assignments.get(&name);
            let spec = one.map_or_else(String::new, |one| spec(repository, one));
            match self.0.get_mut(&name) {
                Some(era) if era.spec == spec => {}
                Some(era) => *era = era.next(moment, &name, one, spec),
                None => drop(self.0.insert(name.clone(), Era::first(moment, one, spec))),
            }
            let (Some(era), Some(one)) = (self.0.get_mut(&name), one) else {
                continue;
            };
            era.is_confirmed |= moment.pass.report.is_some();
            if let Some(rollout) = &one.rollout {
                era.go_on(moment, &name, rollout);
            }
        }
    }
}

/// Everything that makes another rollout of an assignment when it changes.
fn spec(repository: &Repository, one: &Assignment) -> String {
    let mut groups = vec![repository.groups.get(&one.group)];
    while let Some(Some(group)) = groups.last()
        && let Some(other) = &group.without
    {
        groups.push(repository.groups.get(other));
    }
    let Assignment {
        workload,
        group,
        to_intune,
        priority,
        rollout,
        ..
    } = one;
    format!("{workload} {group} {groups:?} {to_intune} {priority} {rollout:?}")
}

impl Era {
    fn first(moment: &Moment<'_>, one: Option<&Assignment>, spec: String) -> Self {
        Self {
            spec,
            before: String::new(),
            is_confirmed: moment.pass.report.is_some(),
            is_blurred: false,
            steps: steps(one),
            step: 0,
            since: moment.pass.began,
            deeds: moment.pass.deeds,
            began: moment.number,
            were_in: BTreeSet::new(),
            moved: BTreeSet::new(),
            begun: BTreeMap::new(),
            stopped: None,
        }
    }

    /// The era of another spec.
    fn next(
        &self,
        moment: &Moment<'_>,
        name: &str,
        one: Option<&Assignment>,
        spec: String,
    ) -> Self {
        let before = if self.is_confirmed {
            &self.spec
        } else {
            &self.before
        };
        let mut next = Self::first(moment, one, spec);
        next.is_blurred = !self.is_confirmed && (self.is_blurred || *before == next.spec);
        next.before.clone_from(before);
        // What was said and no pass has heard yet, the next spec hears.
        let mut heard = moment.history.passes[..moment.number].iter().rev();
        next.deeds = heard
            .find(|pass| pass.report.is_some())
            .map_or(0, |pass| pass.deeds);
        if let Some(one) = one
            && !before.is_empty()
        {
            next.were_in = are_in(moment, name, one);
            next.step = self.filled(moment, one, &next.were_in);
        }
        next
    }

    /// The last step that devices which are in already fill at most.
    fn filled(&self, moment: &Moment<'_>, one: &Assignment, were_in: &BTreeSet<u32>) -> usize {
        let Some(rollout) = &one.rollout else {
            return 0;
        };
        if !one.to_intune {
            return rollout.steps.len();
        }
        let truths = moment.pass.truths.iter();
        let inside = truths
            .filter(|truth| moment.selects(one, truth))
            .filter(|truth| were_in.contains(&truth.device) || self.moved.contains(&truth.device))
            .count();
        let filled = rollout.steps.iter().filter(|step| step.devices <= inside);
        // Everybody may be in.
        let all = if inside > 0 { filled.count() } else { 0 };
        all.saturating_sub(usize::from(all < rollout.steps.len()))
    }

    /// Goes to the next step, if it may be there already.
    fn go_on(&mut self, moment: &Moment<'_>, name: &str, rollout: &Rollout) {
        let Some(step) = rollout.steps.get(self.step) else {
            return;
        };
        let deeds = moment.history.deeds[..moment.pass.deeds]
            .iter()
            .skip(self.deeds);
        let has = |is_meant: &dyn Fn(&Deed) -> bool| deeds.clone().any(|done| is_meant(&done.deed));
        let is_promoted = has(&|deed| matches!(deed, Deed::Say(of, "promote") if of == name));
        let is_approved = has(&|deed| matches!(deed, Deed::ApproveStep(of) if of == name));
        let soak = SignedDuration::from_hours(i64::try_from(step.soak_hours).expect("few hours"));
        let is_watched = moment.pass.ended.duration_since(self.since) >= soak;
        if (is_watched || is_promoted) && (is_approved || !step.needs_approval) {
            self.step += 1;
            self.since = moment.pass.began;
            self.deeds = moment.pass.deeds;
        }
    }

    /// How many devices may have been moved for it by now; none: everybody.
    pub fn most(&self, rollout: &Rollout) -> Option<usize> {
        let is_told = !self.is_blurred && self.steps == rollout.steps.len();
        let step = rollout.steps.get(self.step).filter(|_| is_told)?;
        Some(step.devices)
    }
}

/// Devices that some collection of the workload's pilot has.
fn are_in(moment: &Moment<'_>, name: &str, one: &Assignment) -> BTreeSet<u32> {
    let is_in = |resource: u32| {
        moment.site.is_held(one.workload, resource)
            || moment.site.is_placed(one.workload, name, resource)
    };
    let truths = moment.pass.truths.iter();
    truths
        .filter(|truth| truth.resource_id.is_some_and(is_in))
        .map(|truth| truth.device)
        .collect()
}

fn steps(one: Option<&Assignment>) -> usize {
    let rollout = one.and_then(|one| one.rollout.as_ref());
    rollout.map_or(0, |rollout| rollout.steps.len())
}
