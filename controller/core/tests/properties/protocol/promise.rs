//! What the protocol promises, and how one step of the small world keeps it.

use std::collections::BTreeSet;
use std::time::Duration;

use diarchy_core::desired::Rollout;
use diarchy_core::rollout::{Act, FailureReason, Progress, Stage, Turn, View, step_digest};
use stateright::Property;

use super::device::{Device, IDS};
use super::remembered::TICK;
use super::{State, World};

/// What the protocol promises, whatever happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// No more devices are moved than the step has.
    StepSize,
    /// No more online devices are on their way than the spec bears, at the moment of a write.
    Concurrency,
    /// Nothing is moved while it is stopped.
    Stops,
    /// Who was moved stays admitted while the spec goes on, and when another begins.
    Keeps,
    /// It stays stopped until the spec changes or a person lets it go on.
    StaysStopped,
    /// A person's word to stop is heard.
    Aborts,
    /// What a person must approve is not passed without that.
    Approval,
    /// A step ends only with a device that has arrived, or since a person says so.
    Evidence,
    /// A step is watched as long as it says.
    Soak,
    /// What a complete spec had moved is not taken back by another.
    Settled,
    /// A spec begins in a step that the devices which are in fill, and never goes back in steps.
    Steps,
    /// A device is late only after it was watched online for that long.
    Patience,
}

/// Each promise as a property, in their order.
pub fn properties() -> Vec<Property<World>> {
    macro_rules! always {
        ($($name:literal => $promise:ident),+ $(,)?) => {
            vec![$(Property::always($name, |_: &World, state: &State| {
                !state.broken.has(Promise::$promise)
            })),+]
        };
    }
    always! {
        "no more devices are moved than the step has" => StepSize,
        "no more online devices are on their way than maxConcurrency" => Concurrency,
        "nobody is moved while it is stopped" => Stops,
        "who was moved is not dropped" => Keeps,
        "what is stopped stays so" => StaysStopped,
        "a person's abort stops it" => Aborts,
        "nothing passes without the approval that it needs" => Approval,
        "no step ends without a device that has arrived" => Evidence,
        "no step ends before its soak" => Soak,
        "what a complete spec has moved stays" => Settled,
        "a spec begins where its devices are" => Steps,
        "nobody is late without having been watched" => Patience,
    }
}

/// The promises that were broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Broken(u16);

impl Broken {
    /// Notes that `promise` is broken, unless it is kept.
    pub const fn note(&mut self, promise: Promise, is_kept: bool) {
        if !is_kept {
            self.0 |= 1 << promise as u16;
        }
    }

    /// Notes all of `others`.
    pub const fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// Whether `promise` is broken.
    pub const fn has(self, promise: Promise) -> bool {
        self.0 & 1 << promise as u16 != 0
    }

    /// Whether none is.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A pass from outside: what was remembered before, what it went by, and what came of it.
pub struct Passed<'p> {
    /// What was remembered before.
    pub before: Option<&'p Progress>,
    /// What the rollout began this pass with.
    pub begun: &'p Progress,
    /// What it went by.
    pub view: &'p View<'p>,
    /// What came of it.
    pub turn: &'p Turn,
    /// The admitted devices, by row.
    pub admitted: &'p BTreeSet<usize>,
    /// The devices as they are, not as they were read.
    pub devices: &'p [Device],
}

impl Passed<'_> {
    /// Judges what has become of the rollout.
    pub fn judge(&self) -> Broken {
        let mut broken = Broken::default();
        self.judge_who_stays(&mut broken);
        self.judge_late(&mut broken);
        match self.before.filter(|before| before.spec == self.view.spec) {
            Some(before) => self.judge_same(before, &mut broken),
            None => self.judge_beginning(&mut broken),
        }
        broken
    }

    /// Whether a person has said `act` since the pass before.
    fn is_said(&self, act: Act) -> bool {
        let heeded = self.before.and_then(|before| before.heeded.get(&act));
        self.view.is_in_force && self.view.said.get(&act) != heeded
    }

    fn judge_who_stays(&self, broken: &mut Broken) {
        let goes_back = matches!(self.turn.progress.stage, Stage::RolledBack { .. });
        let Some(before) = self.before.filter(|_| !goes_back) else {
            return;
        };
        for (at, device) in self.devices.iter().enumerate() {
            let was_in = device.is_asked && before.admitted.contains(IDS[at]);
            let is_remembered = self.turn.progress.admitted.contains(IDS[at]);
            let is_in = is_remembered && (self.admitted.contains(&at) || !device.is_known);
            broken.note(Promise::Keeps, !was_in || is_in);
        }
    }

    fn judge_late(&self, broken: &mut Broken) {
        let Some(deadline) = self.view.rollout.progress_deadline else {
            return;
        };
        let late = |progress: &Progress| -> BTreeSet<String> {
            let failures = progress.failures();
            failures
                .filter(|(_, one)| one.reason == FailureReason::ProgressDeadlineExceeded)
                .map(|(id, _)| id.clone())
                .collect()
        };
        let before = self.before.map(late).unwrap_or_default();
        for id in late(&self.turn.progress).difference(&before) {
            let at = IDS.iter().position(|other| other == id).unwrap();
            let watched = TICK.unsigned_abs() * u32::from(self.devices[at].waited);
            broken.note(Promise::Patience, watched >= deadline.length());
        }
    }

    /// The same spec as in the pass before.
    fn judge_same(&self, before: &Progress, broken: &mut Broken) {
        let after = &self.turn.progress;
        let is_retried = self.is_said(Act::Retry);
        if before.stage.stopped().is_some() {
            let stays = before.phase() == after.phase();
            broken.note(Promise::StaysStopped, is_retried || stays);
            return;
        }
        let is_stopped = after.stage.stopped().is_some();
        let is_running = !matches!(before.stage, Stage::Complete { .. });
        let must_stop = is_running && self.is_said(Act::Abort);
        broken.note(Promise::Aborts, !must_stop || is_stopped);
        broken.note(Promise::Steps, before.step <= after.step);
        let completes = is_running && matches!(after.stage, Stage::Complete { .. });
        for step in before.step..after.step + usize::from(completes) {
            self.judge_end(before, step, broken);
        }
    }

    /// The end of `step`, in this pass.
    fn judge_end(&self, before: &Progress, step: usize, broken: &mut Broken) {
        let rollout = self.view.rollout;
        let digest = step_digest(&self.view.spec, step);
        let is_last = step + 1 == rollout.steps.len();
        let needs_approval = rollout.steps[step].approval_required && !is_last;
        let is_approved = (self.view.is_approved)(&digest);
        broken.note(Promise::Approval, !needs_approval || is_approved);
        let was_awaited = matches!(before.stage, Stage::AwaitingApproval { .. });
        if was_awaited && before.step == step || self.is_said(Act::Promote) {
            return;
        }
        let has_evidence = self.turn.admitted.iter().any(|place| {
            let seen = &self.view.devices[*place];
            seen.is_online && seen.is_own && seen.has_arrived
        });
        broken.note(Promise::Evidence, has_evidence);
        let watched = match before.stage {
            Stage::Soaking { since } if before.step == step => {
                self.view.look.now.duration_since(since).unsigned_abs()
            }
            _ => Duration::ZERO,
        };
        let soak = rollout.steps[step].soak.length();
        broken.note(Promise::Soak, watched >= soak);
    }

    /// Another spec than in the pass before, or the first.
    fn judge_beginning(&self, broken: &mut Broken) {
        let step = self.begun.step;
        let rollout = self.view.rollout;
        let wanted = rollout.steps[step].devices.round_up(self.view.selected);
        let is_in = |(at, device): &(usize, &Device)| {
            let course = self.begun.courses.get(IDS[*at]);
            let was_moved = course.is_some_and(|course| course.is_moved);
            device.is_asked || was_moved && self.begun.admitted.contains(IDS[*at])
        };
        let inside = self.devices.iter().enumerate().filter(is_in);
        broken.note(Promise::Steps, step == 0 || wanted <= inside.count());
    }
}

/// Judges the write that moves a device of `devices`, by row, about to be made.
pub fn judge_move(
    devices: &[Device],
    at: usize,
    rollout: &Rollout,
    progress: &Progress,
    broken: &mut Broken,
) {
    broken.note(Promise::Stops, progress.stage.stopped().is_none());
    // A device that is missing is not selected, and takes no room.
    let known = devices.iter().filter(|device| device.is_known);
    let selected = known.clone().count();
    let inside = known.filter(|device| device.is_asked).count();
    // Who was moved and fell out counts as in.
    let course = progress.courses.get(IDS[at]);
    let was_in = course.is_some_and(|course| course.is_moved);
    let allowed = rollout.steps[progress.step].devices.round_up(selected);
    broken.note(Promise::StepSize, was_in || inside < allowed);
    if let Some(most) = rollout.max_concurrency.filter(|_| devices[at].is_online) {
        let in_flight = devices.iter().filter(|device| device.is_in_flight());
        let most = most.round_up(selected).max(1);
        broken.note(Promise::Concurrency, in_flight.count() < most);
    }
}
