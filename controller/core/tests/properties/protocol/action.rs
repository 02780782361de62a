//! What can happen in the small world.

use diarchy_core::rollout::Act;

use super::pass::End;
use super::{State, World, digest_of};

/// What may go otherwise than it should, or be done by people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// Devices go offline.
    Offline,
    /// Devices get worse.
    Illness,
    /// Devices cannot be moved for a while.
    Bar,
    /// Devices are missing in the inventory.
    Missing,
    /// Older reports show again.
    OldReport,
    /// A pass sees a device as it was before its write.
    StaleInventory,
    /// The loop dies, in a pass or between two.
    Crash,
    /// A commit changes the spec, or restores it.
    Commit,
    /// The assignment is suspended.
    Suspend,
    /// A person acts on the rollout.
    Act,
}

impl Mishap {
    /// Each of them.
    pub const ALL: [Self; 10] = [
        Self::Offline,
        Self::Illness,
        Self::Bar,
        Self::Missing,
        Self::OldReport,
        Self::StaleInventory,
        Self::Crash,
        Self::Commit,
        Self::Suspend,
        Self::Act,
    ];
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The loop makes a pass.
    Pass,
    /// It makes a pass that sees this device as it was before our write.
    StalePass(usize),
    /// It dies in a pass, after what was decided is remembered and so many writes are sent.
    CutPass(usize),
    /// It dies between two passes.
    Restart,
    /// An hour passes.
    Tick,
    /// The site evaluates its collections, as far as this device goes.
    Evaluate(usize),
    /// A device follows what the site says, and reports.
    Report(usize),
    /// An older report of a device shows again.
    OldReport(usize),
    /// A device is heard of no more.
    GoOffline(usize),
    /// It is heard of again.
    ComeBack(usize),
    /// A device gets worse.
    FallIll(usize),
    /// It is well again.
    Recover(usize),
    /// A device cannot be moved for now.
    Bar(usize),
    /// It can be moved again.
    Unbar(usize),
    /// A device is missing in the inventory.
    Lose(usize),
    /// It is in the inventory again.
    Find(usize),
    /// Git asks for this rollout.
    Commit(usize),
    /// The assignment is suspended.
    Suspend,
    /// It goes on.
    Resume,
    /// A person says this of the rollout.
    Say(Act),
    /// A person approves the end of the step that it is at.
    Approve,
}

impl Action {
    /// Whether it happens by itself in the end, or is done by a person who only lets it go on.
    pub const fn is_quiet(self) -> bool {
        match self {
            Self::Pass
            | Self::Tick
            | Self::Evaluate(_)
            | Self::Report(_)
            | Self::ComeBack(_)
            | Self::Recover(_)
            | Self::Unbar(_)
            | Self::Find(_)
            | Self::Resume
            | Self::Approve => true,
            Self::StalePass(_)
            | Self::CutPass(_)
            | Self::Restart
            | Self::OldReport(_)
            | Self::GoOffline(_)
            | Self::FallIll(_)
            | Self::Bar(_)
            | Self::Lose(_)
            | Self::Commit(_)
            | Self::Suspend
            | Self::Say(_) => false,
        }
    }
}

impl World {
    pub(super) fn add_quiet_actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend([Action::Pass, Action::Tick, Action::Approve, Action::Resume]);
        for at in 0..self.devices {
            let device = state.devices[at];
            let mut add = |can_be, action| {
                if can_be {
                    actions.push(action);
                }
            };
            add(device.is_here != device.is_asked, Action::Evaluate(at));
            add(device.is_online, Action::Report(at));
            add(!device.is_online, Action::ComeBack(at));
            add(!device.is_well, Action::Recover(at));
            add(!device.is_movable, Action::Unbar(at));
            add(!device.is_known, Action::Find(at));
        }
    }

    pub(super) fn add_mishaps(&self, state: &State, actions: &mut Vec<Action>) {
        if state.left == 0 {
            return;
        }
        for mishap in &self.mishaps {
            match mishap {
                Mishap::Offline => actions.extend((0..self.devices).map(Action::GoOffline)),
                Mishap::Illness => actions.extend((0..self.devices).map(Action::FallIll)),
                Mishap::Bar => actions.extend((0..self.devices).map(Action::Bar)),
                Mishap::Missing => actions.extend((0..self.devices).map(Action::Lose)),
                Mishap::OldReport => actions.extend((0..self.devices).map(Action::OldReport)),
                Mishap::StaleInventory => {
                    let has_older = |at: &usize| state.devices[*at].may_show_older();
                    actions.extend((0..self.devices).filter(has_older).map(Action::StalePass));
                }
                Mishap::Crash => {
                    actions.push(Action::Restart);
                    actions.extend((0..=self.devices).map(Action::CutPass));
                }
                Mishap::Commit => actions.extend((0..self.rollouts.len()).map(Action::Commit)),
                Mishap::Suspend => actions.push(Action::Suspend),
                Mishap::Act => actions.extend(Act::ALL.map(Action::Say)),
            }
        }
    }

    /// Turns `next`, the state before it, into the one after `action`.
    pub(super) fn take(&self, next: &mut State, action: Action) {
        match action {
            Action::Pass => self.pass(next, None, End::Whole),
            Action::StalePass(at) => self.pass(next, Some(at), End::Whole),
            Action::CutPass(after) => self.pass(next, None, End::CutAfter(after)),
            Action::Restart => next.looked = None,
            Action::Tick => self.tick(next),
            Action::Evaluate(at) => next.devices[at].evaluate(),
            Action::Report(at) => next.devices[at].report(),
            Action::OldReport(at) => next.devices[at].show_older_report(),
            Action::GoOffline(at) => next.devices[at].is_online = false,
            Action::ComeBack(at) => next.devices[at].is_online = true,
            Action::FallIll(at) => next.devices[at].is_well = false,
            Action::Recover(at) => next.devices[at].is_well = true,
            Action::Bar(at) => next.devices[at].is_movable = false,
            Action::Unbar(at) => next.devices[at].is_movable = true,
            Action::Lose(at) => next.devices[at].is_known = false,
            Action::Find(at) => next.devices[at].is_known = true,
            Action::Commit(spec) => next.spec = u8::try_from(spec).unwrap(),
            Action::Suspend => next.is_suspended = true,
            Action::Resume => next.is_suspended = false,
            Action::Say(act) => next.said |= 1 << act as u8,
            Action::Approve => self.approve(next),
        }
    }

    fn tick(&self, next: &mut State) {
        let most = u8::try_from(self.ages.gap.as_hours()).unwrap();
        next.looked = next.looked.map(|ago| (ago + 1).min(most));
        let older = |number| self.remembered.older(number, self.ages);
        next.progress = next.progress.map(older);
    }

    fn approve(&self, next: &mut State) {
        let Some(progress) = next.progress.map(|number| self.remembered.get(number)) else {
            return;
        };
        let is_this = progress.spec == digest_of(next.spec);
        if is_this && self.rollout(next).steps[progress.step].approval_required {
            let step = u8::try_from(progress.step).unwrap();
            next.approved |= 1 << (next.spec * 4 + step);
        }
    }
}
