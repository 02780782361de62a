//! A small world around the protocol of rollouts, as a model that can be explored to its last state: a
//! few devices at a site, the loop that makes passes over them, git, and people.
//!
//! The protocol itself is the real one. Around it, everything that can happen may happen at any
//! time; mishaps, and what people do, happen a bounded number of times in all.

mod action;
mod device;
mod pass;
mod promise;
mod remembered;
mod walk;

use std::time::Duration;

use diarchy_core::desired::Rollout;
use diarchy_core::digest::Digest;
use diarchy_core::duration::Span;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{Progress, Stage, step_digest};
use diarchy_core::workload::Authority;
use jiff::SignedDuration;
use stateright::{Model, Property};

pub use action::{Action, Mishap};
pub use walk::Walk;

use device::Device;
use pass::LONGEST_GAP;
use promise::Broken;
use remembered::{Ages, Remembered, TICK};

/// The most devices that a world has.
const MOST: usize = 4;

/// The small world: what does not change in it.
#[derive(Debug)]
pub struct World {
    /// How many devices there are, at most four.
    devices: usize,
    /// What git may ask for; the first comes first.
    rollouts: Vec<Rollout>,
    /// Who shall have authority.
    authority: Authority,
    /// What can happen besides what always can.
    mishaps: Vec<Mishap>,
    /// How many mishaps happen in all.
    most: u8,
    name: ObjectName,
    remembered: Remembered,
    ages: Ages,
}

/// A state of the small world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    devices: [Device; MOST],
    /// Which of the rollouts git asks for.
    spec: u8,
    is_suspended: bool,
    /// By spec and step, four bits each, what is approved.
    approved: u16,
    /// By act, what people have said and no pass has heard.
    said: u8,
    /// The number of what is remembered.
    progress: Option<u32>,
    /// How many ticks ago the same process has looked.
    looked: Option<u8>,
    /// How many mishaps are left.
    left: u8,
    broken: Broken,
}

/// The digest of a spec, by its number.
fn digest_of(spec: u8) -> Digest {
    Digest::of(&[spec])
}

/// Whether a person has approved what has this digest.
fn is_approved(state: &State, digest: &Digest) -> bool {
    (0..16).any(|bit| {
        let (spec, step) = (bit / 4, usize::from(bit % 4));
        state.approved & 1 << bit != 0 && step_digest(&digest_of(spec), step) == *digest
    })
}

impl World {
    /// A world of so many devices that git asks `rollouts` of, one at a time, for `authority`.
    pub fn new(devices: usize, authority: Authority, rollouts: Vec<Rollout>) -> Self {
        let longest = |spans: &mut dyn Iterator<Item = Span>| {
            let longest = spans.map(Span::length).max().unwrap_or(Duration::ZERO);
            SignedDuration::try_from(longest).unwrap()
        };
        let steps = rollouts.iter().flat_map(|rollout| &rollout.steps);
        let ages = Ages {
            soak: longest(&mut steps.map(|step| step.soak)),
            deadline: longest(&mut rollouts.iter().filter_map(|one| one.progress_deadline)),
            gap: LONGEST_GAP + TICK,
        };
        Self {
            devices,
            rollouts,
            authority,
            mishaps: Vec::new(),
            most: 0,
            name: ObjectName::new("contoso", "apps"),
            remembered: Remembered::default(),
            ages,
        }
    }

    /// The same in which `most` of these `mishaps` happen.
    #[must_use]
    pub fn with(mut self, most: u8, mishaps: &[Mishap]) -> Self {
        self.most = most;
        self.mishaps = mishaps.to_vec();
        self
    }

    /// What git asks for.
    fn rollout(&self, state: &State) -> &Rollout {
        &self.rollouts[usize::from(state.spec)]
    }

    /// The devices that there are.
    fn devices<'s>(&self, state: &'s State) -> &'s [Device] {
        &state.devices[..self.devices]
    }

    /// Whether nothing is left to do: it is complete and everybody is here, it is halted, or it is
    /// rolled back and everybody whom it moved is back.
    pub fn is_at_rest(&self, state: &State) -> bool {
        let Some(progress) = state.progress.map(|number| self.remembered.get(number)) else {
            return false;
        };
        let is_heard = progress.spec == digest_of(state.spec) && state.said == 0;
        is_heard && !state.is_suspended && self.is_done(state, &progress)
    }

    fn is_done(&self, state: &State, progress: &Progress) -> bool {
        let devices = self.devices(state);
        let is_back = |one: &Device| one.is_here == one.is_asked && one.is_asked == one.is_settled;
        match progress.stage {
            Stage::Complete { .. } => devices.iter().all(|one| one.has_arrived()),
            Stage::Halted { .. } => true,
            Stage::RolledBack { .. } => devices.iter().all(is_back),
            Stage::Moving { .. } | Stage::Soaking { .. } | Stage::AwaitingApproval { .. } => false,
        }
    }

    /// Whether the spec that git asks for has come to its end.
    pub fn has_ended(&self, state: &State) -> bool {
        let progress = state.progress.map(|number| self.remembered.get(number));
        progress.is_some_and(|progress| {
            let is_complete = matches!(progress.stage, Stage::Complete { .. });
            is_complete && progress.spec == digest_of(state.spec)
        })
    }

    /// Whether it has, everybody is where it wants them, and nothing is left to do.
    pub fn is_complete(&self, state: &State) -> bool {
        self.has_ended(state) && self.is_at_rest(state)
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            devices: [Device::new(); MOST],
            spec: 0,
            is_suspended: false,
            approved: 0,
            said: 0,
            progress: None,
            looked: None,
            left: self.most,
            broken: Broken::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // The way to where a promise is broken is all that is asked for.
        if state.broken.is_empty() {
            self.add_quiet_actions(state, actions);
            self.add_mishaps(state, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = *last;
        self.take(&mut next, action);
        if next == *last {
            return None;
        }
        if !action.is_quiet() {
            next.left = next.left.saturating_sub(1);
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promise::properties()
    }
}
