//! The protocol of a rollout.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Seen;
use super::course::{Course, Look};
use super::progress::{Act, Counts, Heeded, Progress, Stage, StopReason};
use super::spec::step_digest;
use crate::amount::Amount;
use crate::desired::{OnFailure, Rollout, Step};
use crate::digest::Digest;
use crate::resource::ObjectName;
use crate::workload::Authority;

/// How many of a step's online devices must report before it may end, where the spec does not say.
pub const MIN_OBSERVED: Amount = Amount::percent(90);

/// What a rollout goes by in one pass.
pub struct View<'a> {
    /// The assignment.
    pub assignment: &'a ObjectName,
    /// What is rolled out.
    pub spec: Digest,
    /// Who shall have authority.
    pub authority: Authority,
    /// How it goes out.
    pub rollout: &'a Rollout,
    /// Whether the assignment asks and takes back. If not, its rollout stands still.
    pub is_in_force: bool,
    /// When this is looked at.
    pub look: Look,
    /// How many devices the group has for certain.
    pub selected: usize,
    /// The devices that the rollout may be about, in an order of their own.
    pub devices: Vec<Seen<'a>>,
    /// Whether a person has approved what has this digest, a step.
    pub is_approved: &'a dyn Fn(&Digest) -> bool,
    /// What people want, as they said it last.
    pub said: &'a Heeded,
}

/// What comes of a rollout in one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// What to remember.
    pub progress: Progress,
    /// The admitted devices, by their place in [`View::devices`].
    pub admitted: BTreeSet<usize>,
    /// What may be written.
    pub limits: Limits,
    /// How many devices do what.
    pub counts: Counts,
}

/// What may be written for a rollout in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Whether devices may be moved at all.
    pub may_move: bool,
    /// How many online devices may be moved, besides those on their way.
    pub more: usize,
}

impl Progress {
    /// The rollout of `view`, from what is remembered of it: nothing, or another spec's.
    #[must_use]
    pub fn of(before: Option<Self>, view: &View<'_>) -> Self {
        let now = view.look.now;
        match before {
            Some(mut same) if same.spec == view.spec => {
                same.note_moved(view);
                same
            }
            Some(mut other) => {
                other.note_moved(view);
                other.take_up(view);
                // What was said and not heard before was about the other spec.
                let mut next = Self::new(view.spec, view.authority, now, view.said.clone());
                if other.authority == view.authority {
                    let in_sight: BTreeMap<&str, &Seen<'_>> =
                        view.devices.iter().map(|one| (one.id, one)).collect();
                    let courses = &other.courses;
                    // What is out of sight may have been moved since it was seen. What this spec's
                    // group lacks goes back, and somebody else may have taken a device out: should it
                    // come again, it comes as a new one.
                    let stays = |id: &str| {
                        in_sight.get(id).is_none_or(|seen| {
                            let is_moved = courses.get(id).is_none_or(|course| course.is_moved);
                            (seen.selected.is_possible() || seen.is_sent)
                                && is_moved
                                && !seen.is_out
                        })
                    };
                    next.admitted = other.admitted;
                    next.admitted.retain(|id| stays(id));
                    other.courses.retain(|id, _| next.admitted.contains(id));
                    next.courses = other.courses;
                }
                next.continue_where_it_is(view);
                next
            }
            None => {
                // Whatever was said before is about something that is not known any more.
                let mut next = Self::new(view.spec, view.authority, now, view.said.clone());
                next.continue_where_it_is(view);
                next
            }
        }
    }

    /// Takes up again whom a rollback was to take back and has not, or may not have, and gives all of
    /// them another chance.
    fn take_up(&mut self, view: &View<'_>) {
        if matches!(self.stage, Stage::RolledBack { .. }) {
            let is_back = |seen: &Seen<'_>| !(seen.is_under_way() || seen.has_arrived);
            for seen in view.devices.iter().filter(|seen| is_back(seen)) {
                self.courses.remove(seen.id);
            }
            self.admitted.extend(self.courses.keys().cloned());
        }
        self.courses.values_mut().for_each(Course::begin_anew);
    }

    /// Notes what was written since the last pass, and what the site has.
    fn note_moved(&mut self, view: &View<'_>) {
        for seen in &view.devices {
            if let Some(course) = self.courses.get_mut(seen.id) {
                course.is_moved |= seen.is_under_way();
            }
        }
    }

    /// Goes to the last step that the devices which are in already fill, to be watched and approved
    /// anew there: devices that come in now pass through the steps that are left.
    fn continue_where_it_is(&mut self, view: &View<'_>) {
        let inside = view.devices.iter();
        let inside = inside
            .filter(|seen| seen.fills_a_step() && self.is_in(seen))
            .count();
        let is_filled = |step: &Step| step.devices.round_up(view.selected) <= inside;
        let filled = view.rollout.steps.iter().take_while(|step| is_filled(step));
        self.step = match inside {
            0 => 0,
            _ => filled.count().saturating_sub(1),
        };
    }

    /// One pass: judges what is seen, and goes on, stops or goes back.
    #[must_use]
    pub fn advance(mut self, view: &View<'_>) -> Turn {
        if !view.is_in_force {
            let look_away = |course: &mut Course| course.look_away(view.look);
            self.courses.values_mut().for_each(look_away);
            let admitted = self.in_sight(view);
            let counts = self.count(view, &admitted);
            return self.turn(view, admitted, counts);
        }
        self.hear(view);
        let mut admitted = self.admit(view);
        self.judge(view, &admitted);
        let counts = self.count(view, &admitted);
        if self.go_on(view, counts) {
            admitted = self.admit(view);
        }
        self.turn(view, admitted, counts)
    }

    fn turn(self, view: &View<'_>, admitted: BTreeSet<usize>, counts: Counts) -> Turn {
        let rollout = view.rollout;
        let most = rollout
            .max_concurrency
            .map_or(usize::MAX, |most| most.round_up(view.selected).max(1));
        Turn {
            limits: Limits {
                may_move: self.stage.stopped().is_none(),
                more: most.saturating_sub(counts.in_flight),
            },
            progress: self,
            admitted,
            counts,
        }
    }

    /// Does what people have said since the last pass, each once.
    fn hear(&mut self, view: &View<'_>) {
        let now = view.look.now;
        // Of what was said since the last pass, the most careful counts: to stop is heard after to go
        // on, and before what would end the step.
        for act in [Act::Retry, Act::Abort, Act::Promote] {
            let Some(said) = view.said.get(&act) else {
                continue;
            };
            if self.heeded.get(&act) == Some(said) {
                continue;
            }
            self.heeded.insert(act, said.clone());
            match (act, self.stage) {
                (Act::Promote, Stage::Moving { .. } | Stage::Soaking { .. }) => {
                    self.end_step(view);
                }
                (
                    Act::Abort,
                    Stage::Moving { .. } | Stage::Soaking { .. } | Stage::AwaitingApproval { .. },
                ) => self.stop(view, StopReason::Aborted),
                (Act::Retry, Stage::Halted { .. }) => {
                    self.courses.values_mut().for_each(Course::begin_anew);
                    self.stage = Stage::Moving { since: now };
                }
                (Act::Retry, Stage::RolledBack { .. }) => {
                    self.take_up(view);
                    self.stage = Stage::Moving { since: now };
                    self.continue_where_it_is(view);
                }
                _ => {}
            }
        }
    }

    /// Who is admitted now, by place; new ones are drawn while it goes on.
    fn admit(&mut self, view: &View<'_>) -> BTreeSet<usize> {
        if self.stage.stopped().is_some() {
            return self.in_sight(view);
        }
        let wanted = self.current(view).devices.round_up(view.selected);
        self.draw(view.assignment, &view.devices, wanted)
    }

    /// Those that were admitted before and can be seen. Who is taken back is admitted no more.
    fn in_sight(&self, view: &View<'_>) -> BTreeSet<usize> {
        (0..view.devices.len())
            .filter(|at| {
                let seen = &view.devices[*at];
                self.keeps(seen.id, seen.is_placed)
            })
            .collect()
    }

    /// Whether the device stays admitted when nobody else is. One that goes back is not: only this
    /// spec has moved it.
    pub(super) fn keeps(&self, id: &str, is_placed: bool) -> bool {
        let goes_back =
            matches!(self.stage, Stage::RolledBack { .. }) && self.courses.contains_key(id);
        (is_placed || self.admitted.contains(id)) && !goes_back
    }

    /// The step it is at. A spec has at least one.
    fn current<'v>(&self, view: &View<'v>) -> &'v Step {
        let steps = &view.rollout.steps;
        &steps[self.step.min(steps.len() - 1)]
    }

    fn judge(&mut self, view: &View<'_>, admitted: &BTreeSet<usize>) {
        if matches!(self.stage, Stage::RolledBack { .. }) {
            return;
        }
        let looked_at: BTreeSet<&str> = admitted.iter().map(|at| view.devices[*at].id).collect();
        for (id, course) in &mut self.courses {
            if !looked_at.contains(id.as_str()) {
                course.look_away(view.look);
            }
        }
        let is_complete = matches!(self.stage, Stage::Complete { .. });
        for at in admitted {
            let seen = &view.devices[*at];
            let Some(course) = self.courses.get_mut(seen.id) else {
                continue;
            };
            course.judge(seen, view.rollout.progress_deadline, view.look);
            // Once it is complete, nothing is watched but the way of those that still move.
            if is_complete && seen.has_arrived && !seen.is_sent && course.failure.is_none() {
                self.courses.remove(seen.id);
            }
        }
    }

    fn count(&self, view: &View<'_>, admitted: &BTreeSet<usize>) -> Counts {
        let mut counts = Counts::default();
        for seen in admitted.iter().map(|at| &view.devices[*at]) {
            if !(seen.is_own && seen.fills_a_step()) {
                continue;
            }
            let course = self.courses.get(seen.id);
            counts.movers += usize::from(course.is_some());
            if !seen.is_online {
                counts.offline += usize::from(!seen.has_arrived);
                continue;
            }
            let is_failed = course.is_some_and(|course| course.failure.is_some());
            counts.online += 1;
            counts.failed += usize::from(is_failed);
            if seen.has_arrived {
                counts.arrived += 1;
                counts.proved += usize::from(course.is_some());
            } else {
                counts.in_flight += usize::from(seen.is_under_way());
            }
        }
        counts
    }

    /// Stops, ends the soak or ends the step, as `counts` tell. Whether another step begins.
    fn go_on(&mut self, view: &View<'_>, counts: Counts) -> bool {
        let rollout = view.rollout;
        if self.stage.stopped().is_some() {
            return false;
        }
        if let Some(most) = rollout.max_failures
            && counts.failed > most.round_down(counts.online)
        {
            let (failed, of) = (counts.failed, counts.online);
            self.stop(view, StopReason::MaxFailures { failed, of });
            return false;
        }
        let now = view.look.now;
        let least = rollout.min_observed.unwrap_or(MIN_OBSERVED);
        // Devices that were there before anything was done prove nothing about the move.
        // After the last step nobody else moves, so that it does not wait for those who cannot be seen.
        let is_last = self.step + 1 >= rollout.steps.len();
        let all_unseen = counts.movers == counts.offline;
        let is_proved =
            counts.proved > 0 || counts.movers == 0 || is_last && all_unseen && counts.online > 0;
        let has_enough = is_proved && counts.arrived >= least.round_up(counts.online).max(1);
        match self.stage {
            Stage::Moving { .. } if has_enough => {
                self.stage = Stage::Soaking { since: now };
                self.end_soak(view, now)
            }
            Stage::Soaking { since } if has_enough => self.end_soak(view, since),
            Stage::AwaitingApproval { .. } => {
                (view.is_approved)(&step_digest(&self.spec, self.step)) && self.next_step(now)
            }
            _ => false,
        }
    }

    /// Ends the step if it was watched long enough. Whether another step begins.
    fn end_soak(&mut self, view: &View<'_>, since: Timestamp) -> bool {
        let soak = self.current(view).soak.length();
        let soak = SignedDuration::try_from(soak).unwrap_or(SignedDuration::MAX);
        view.look.now.duration_since(since) >= soak && self.end_step(view)
    }

    /// Ends the step. Whether another one begins.
    fn end_step(&mut self, view: &View<'_>) -> bool {
        let now = view.look.now;
        if self.step + 1 >= view.rollout.steps.len() {
            self.stage = Stage::Complete { since: now };
            return false;
        }
        if self.current(view).approval_required {
            let digest = step_digest(&self.spec, self.step);
            if !(view.is_approved)(&digest) {
                self.stage = Stage::AwaitingApproval { since: now };
                return false;
            }
        }
        self.next_step(now)
    }

    fn next_step(&mut self, now: Timestamp) -> bool {
        self.step += 1;
        self.stage = Stage::Moving { since: now };
        true
    }

    /// Stops as the spec says. What was complete is not taken back any more.
    fn stop(&mut self, view: &View<'_>, reason: StopReason) {
        let since = view.look.now;
        let was_complete = matches!(self.stage, Stage::Complete { .. });
        if view.rollout.on_failure == OnFailure::Halt || was_complete {
            self.stage = Stage::Halted { since, reason };
            return;
        }
        self.stage = Stage::RolledBack { since, reason };
        // What was in before stays, and who was not moved yet has nothing to go back from. What is out of
        // sight may have been moved since it was seen.
        let courses = &self.courses;
        let stays = |id: &String| courses.get(id).is_none_or(|course| course.was_in);
        self.admitted.retain(stays);
        let in_sight: BTreeSet<&str> = view.devices.iter().map(|seen| seen.id).collect();
        self.courses.retain(|id, course| {
            let may_be_moved = course.is_moved || !in_sight.contains(id.as_str());
            may_be_moved && !course.was_in
        });
    }
}

/// What was said of rollouts, by assignment.
pub type Said = BTreeMap<ObjectName, Heeded>;
