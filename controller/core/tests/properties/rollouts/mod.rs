//! Rollouts, pass by pass: when steps end, what counts as a failure, what stopping does, and what becomes
//! of devices when what is asked for changes.
//!
//! They are driven by hand: what a pass sees is set, the pass is made, and what it says is looked at.

mod failures;
mod lots;
mod specs;
mod steps;
mod stopping;

use std::collections::BTreeSet;

use diarchy_core::amount::Amount;
use diarchy_core::desired::{Rollout, Step};
use diarchy_core::digest::Digest;
use diarchy_core::duration::Span;
use diarchy_core::fact::Fact;
use diarchy_core::inventory::{ClientHealth, ReportedError};
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{Act, Health, Heeded, Look, Phase, Progress, Seen, Turn, View};
use diarchy_core::rollout::{lot, step_digest};
use diarchy_core::ternary::Ternary;
use diarchy_core::workload::Authority;
use jiff::{SignedDuration, Timestamp};

use crate::world::plain::staged;

/// A device, as the next pass sees it.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, as in what the protocol sees"
)]
struct Device {
    id: String,
    is_selected: bool,
    is_own: bool,
    is_lost: bool,
    is_placed: bool,
    is_sent: bool,
    is_out: bool,
    has_arrived: bool,
    is_online: bool,
    client: ClientHealth,
    error: Fact<ReportedError>,
}

/// A rollout, and everything that its next pass goes by.
struct Hand {
    spec: &'static str,
    authority: Authority,
    rollout: Rollout,
    is_in_force: bool,
    /// In the order of their lots, so that steps admit them from the first on.
    devices: Vec<Device>,
    now: Timestamp,
    /// When the same process has looked last.
    last: Option<Timestamp>,
    approved: BTreeSet<Digest>,
    said: Heeded,
    progress: Option<Progress>,
}

fn assignment() -> ObjectName {
    ObjectName::new("contoso", "apps")
}

fn step(devices: u32, soak_hours: u64) -> Step {
    Step {
        devices: Amount::Count(devices),
        soak: Span::hours(soak_hours),
        approval_required: false,
    }
}

fn approved_step(devices: u32) -> Step {
    Step {
        approval_required: true,
        ..step(devices, 0)
    }
}

impl Device {
    fn new(id: String) -> Self {
        Self {
            id,
            is_selected: true,
            is_own: true,
            is_lost: false,
            is_placed: false,
            is_sent: false,
            is_out: false,
            has_arrived: false,
            is_online: true,
            client: ClientHealth::Healthy,
            error: Fact::Absent,
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            id: &self.id,
            selected: Ternary::from(self.is_selected),
            is_own: self.is_own,
            is_lost: self.is_lost,
            is_placed: self.is_placed,
            is_sent: self.is_sent,
            is_out: self.is_out,
            has_arrived: self.has_arrived,
            is_online: self.is_online,
            health: Health {
                client: Some(self.client),
                compliance: None,
                error: self.error,
            },
        }
    }

    /// It is where it is wanted, and has said so: its write is proved.
    fn arrive(&mut self) {
        self.is_placed = true;
        self.is_sent = false;
        self.has_arrived = true;
    }
}

impl Hand {
    /// So many healthy, online devices that `rollout` is about.
    fn new(devices: usize, rollout: Rollout) -> Self {
        let mut ids: Vec<String> = (0..devices).map(|at| format!("d{at}")).collect();
        ids.sort_by_key(|id| lot(&assignment(), id));
        Self {
            spec: "first",
            authority: Authority::Intune,
            rollout,
            is_in_force: true,
            devices: ids.into_iter().map(Device::new).collect(),
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            last: None,
            approved: BTreeSet::new(),
            said: Heeded::new(),
            progress: None,
        }
    }

    fn digest(&self) -> Digest {
        Digest::of(self.spec.as_bytes())
    }

    /// Makes a pass. What it remembers is stored and read again, as between two runs.
    fn look(&mut self) -> Turn {
        let name = assignment();
        let approved = &self.approved;
        let view = View {
            assignment: &name,
            spec: self.digest(),
            authority: self.authority,
            rollout: &self.rollout,
            is_in_force: self.is_in_force,
            look: Look {
                now: self.now,
                last: self.last,
                longest_gap: SignedDuration::from_hours(1),
            },
            selected: self.devices.iter().filter(|one| one.is_selected).count(),
            devices: self.devices.iter().map(Device::seen).collect(),
            is_approved: &|digest| approved.contains(digest),
            said: &self.said,
        };
        let turn = Progress::of(self.progress.take(), &view).advance(&view);
        let stored = serde_json::to_string(&turn.progress).unwrap();
        self.progress = Some(serde_json::from_str(&stored).unwrap());
        assert_eq!(self.progress.as_ref(), Some(&turn.progress));
        self.last = Some(self.now);
        turn
    }

    /// Makes a pass, and sends what it allows.
    fn pass(&mut self) -> Turn {
        let turn = self.look();
        let mut more = turn.limits.more;
        for at in &turn.admitted {
            let device = &mut self.devices[*at];
            let is_there = device.is_sent || device.is_placed || device.has_arrived;
            if is_there || !turn.limits.may_move {
                continue;
            }
            if device.is_online && more == 0 {
                continue;
            }
            more -= usize::from(device.is_online);
            device.is_sent = true;
        }
        turn
    }

    /// Makes a pass and sends what it allows, and all devices that are online follow.
    fn pass_and_arrive(&mut self) -> Turn {
        let turn = self.pass();
        self.arrive();
        turn
    }

    /// All devices that something was sent to follow, if they are online.
    fn arrive(&mut self) {
        let sent = self
            .devices
            .iter_mut()
            .filter(|one| one.is_sent && one.is_online);
        sent.for_each(Device::arrive);
    }

    fn later(&mut self, minutes: i64) -> &mut Self {
        self.now += SignedDuration::from_mins(minutes);
        self
    }

    /// Passes every half an hour, for so many hours.
    fn watch(&mut self, hours: i64) -> Turn {
        for _ in 0..2 * hours - 1 {
            self.later(30).pass();
        }
        self.later(30).pass()
    }

    /// The process ends, and another one begins.
    fn restart(&mut self) -> &mut Self {
        self.last = None;
        self
    }

    /// A person says `act` once more.
    fn say(&mut self, act: Act) {
        let said = self.said.len() + usize::try_from(self.now.as_second()).unwrap();
        self.said.insert(act, format!("{said}"));
    }

    /// A person approves the end of the step, from 0.
    fn approve(&mut self, step: usize) {
        self.approved.insert(step_digest(&self.digest(), step));
    }

    /// Git asks for something else.
    fn commit(&mut self, spec: &'static str, rollout: Rollout) {
        self.spec = spec;
        self.rollout = rollout;
    }

    fn progress(&self) -> &Progress {
        self.progress.as_ref().unwrap()
    }

    /// The step, from 0, and what it does there.
    fn at(&self) -> (usize, Phase) {
        (self.progress().step, self.progress().phase())
    }

    /// The devices that were sent to or are placed, by their lots.
    fn moved(&self) -> Vec<usize> {
        let devices = self.devices.iter().enumerate();
        let moved = devices.filter(|(_, one)| one.is_sent || one.is_placed);
        moved.map(|(at, _)| at).collect()
    }
}

/// The admitted devices, by their lots.
fn admitted(turn: &Turn) -> Vec<usize> {
    turn.admitted.iter().copied().collect()
}
