//! One device of the small world: what the site, the device itself and the loop's memory say of it.

use diarchy_core::inventory::ClientHealth;
use diarchy_core::rollout::{Health, Seen};
use diarchy_core::ternary::Ternary;
use diarchy_core::workload::Authority;

use super::MOST;

/// The ids that devices have, in the order of their rows.
pub const IDS: [&str; MOST] = ["d0", "d1", "d2", "d3"];

/// A device. What is "here" is where the assignment wants it, whichever authority that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and each changes alone"
)]
pub struct Device {
    /// Whether the site's rules have it here: so from the moment of our write.
    pub is_asked: bool,
    /// Whether the site's collections, as evaluated last, have it here.
    pub is_here: bool,
    /// The last write that is remembered and not proved.
    pub sent: Sent,
    /// Whether its last report says that it is here.
    pub says_here: bool,
    /// Whether its last report is newer than the write that is remembered.
    pub is_fresh: bool,
    /// Whether it is heard of.
    pub is_online: bool,
    /// Whether its client is healthy.
    pub is_well: bool,
    /// Whether it can be moved: nothing makes it ineligible for now.
    pub is_movable: bool,
    /// Whether it is in the inventory.
    pub is_known: bool,
    /// Whether it has followed since it was asked for here. No pass knows this.
    pub has_followed: bool,
    /// Whether a spec that was complete had it here. No pass knows this.
    pub is_settled: bool,
    /// Whether the pass before saw it online. No pass knows this.
    pub was_watched: bool,
    /// How many ticks it was watched online without following. No pass knows this.
    pub waited: u8,
}

/// The last write that is remembered for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// None, or it has nothing left to prove.
    Nothing,
    /// It was to come here.
    Here,
    /// It was to go back.
    Back,
}

impl Device {
    /// A healthy device that is where it was before anybody asked.
    pub const fn new() -> Self {
        Self {
            is_asked: false,
            is_here: false,
            sent: Sent::Nothing,
            says_here: false,
            is_fresh: true,
            is_online: true,
            is_well: true,
            is_movable: true,
            is_known: true,
            has_followed: false,
            is_settled: false,
            was_watched: false,
            waited: 0,
        }
    }

    /// Whether an inventory may be older than the write that is remembered.
    pub const fn may_show_older(self) -> bool {
        self.is_asked && matches!(self.sent, Sent::Here)
    }

    /// The device as such an inventory shows it.
    pub const fn before_our_write(self) -> Self {
        Self {
            is_here: false,
            says_here: false,
            is_fresh: false,
            ..self
        }
    }

    /// Whether its report proves anything: without a write that is remembered, every report does.
    const fn is_evidence(self) -> bool {
        self.is_fresh || matches!(self.sent, Sent::Nothing)
    }

    /// Whether it has reported to be here since our write, and is not on its way back.
    pub const fn has_arrived(self) -> bool {
        self.is_here && self.is_asked && self.says_here && self.is_evidence()
    }

    /// Whether it is asked for here, online, and has not followed. One that cannot be moved for now, or
    /// is missing, may never follow, so that nobody waits for it.
    pub const fn is_in_flight(self) -> bool {
        let can_follow = self.is_online && self.is_movable && self.is_known;
        self.is_asked && can_follow && !self.has_followed
    }

    /// Whether the assignment's own collection has it, and keeps it. Where devices are taken out, there
    /// is no such collection.
    pub fn is_placed(self, authority: Authority) -> bool {
        self.is_here && self.is_asked && authority == Authority::Intune
    }

    /// What a pass sees of it. `keeps` is false for a device that a rejected spec gives back.
    pub fn seen(self, at: usize, authority: Authority, keeps: bool) -> Seen<'static> {
        let client = if self.is_well {
            ClientHealth::Healthy
        } else {
            ClientHealth::Unhealthy
        };
        Seen {
            id: IDS[at],
            selected: Ternary::Yes,
            is_own: self.is_movable && keeps,
            is_lost: false,
            is_placed: self.is_placed(authority),
            is_sent: self.sent == Sent::Here || self.is_asked && !self.is_here,
            is_out: self.is_known && !(self.is_here || self.is_asked || self.sent == Sent::Here),
            has_arrived: self.has_arrived(),
            is_online: self.is_online,
            health: Health {
                client: self.is_evidence().then_some(client),
                ..Health::default()
            },
        }
    }

    /// Writes a rule that has it here, or takes it back.
    pub const fn write(&mut self, here: bool) {
        self.is_asked = here;
        self.sent = if here { Sent::Here } else { Sent::Back };
        self.is_fresh = false;
        self.has_followed = false;
        self.is_settled = self.is_settled && here;
        self.waited = 0;
    }

    /// A pass has read `read` of it, so many ticks after one in the same process; or nothing, while it
    /// is suspended or missing.
    pub const fn watch(&mut self, read: Option<Self>, looked: Option<u8>, most: u8) {
        let Some(read) = read else {
            self.was_watched = false;
            return;
        };
        let is_to_follow = self.is_asked && !read.has_arrived();
        let is_watched = is_to_follow && self.is_online;
        if let Some(ticks) = looked
            && is_watched
            && self.was_watched
        {
            let waited = self.waited + ticks;
            self.waited = if waited < most { waited } else { most };
        }
        if !is_to_follow {
            self.waited = 0;
        }
        self.was_watched = is_watched;
    }

    /// Forgets a write that the report, as it was read, proves.
    pub const fn observe(&mut self, read: Self) {
        let is_proved = match self.sent {
            Sent::Nothing => false,
            Sent::Here => read.is_fresh && read.says_here && read.is_here,
            Sent::Back => read.is_fresh && !read.says_here && !read.is_here,
        };
        if is_proved && self.is_known {
            self.sent = Sent::Nothing;
            self.is_fresh = true;
        }
    }

    /// The site evaluates its collections.
    pub const fn evaluate(&mut self) {
        self.is_here = self.is_asked;
    }

    /// The device follows what the site says, and reports.
    pub const fn report(&mut self) {
        if self.is_online {
            self.says_here = self.is_here;
            self.is_fresh = true;
            self.has_followed = self.is_here && self.is_asked;
        }
    }

    /// An older report of the device shows again: that of before our write.
    pub const fn show_older_report(&mut self) {
        self.says_here = !self.is_asked;
        self.is_fresh = matches!(self.sent, Sent::Nothing);
    }
}
