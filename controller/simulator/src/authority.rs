//! How the site's policy becomes what a device does, and what each service gets to know of it.
//!
//! The site's wishes are kept per device with their times; when a device acts by them follows from
//! its rhythm. Nothing is computed before somebody asks.

use std::collections::HashMap;

use crate::moment::Moment;
use crate::world::schedule::Rhythm;

/// Set in every capability value: co-management is enabled.
pub(crate) const ENABLED: u8 = 1;

/// A switch that a device made, or will make if nothing changes until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switch {
    pub(crate) capabilities: u8,
    /// When the device acts by it.
    pub(crate) applied: Moment,
    /// When the sync that it starts because of it reaches Intune; none while it stays away.
    pub(crate) synced: Option<Moment>,
    /// When the site has the state message.
    pub(crate) reported: Option<Moment>,
}

/// The capability bits that the site's policies give to each device, over time.
#[derive(Debug, Default)]
pub(crate) struct Authority {
    /// In force since before the world began.
    first: Vec<u8>,
    later: HashMap<usize, Vec<(Moment, u8)>>,
}

impl Authority {
    pub(crate) fn new(first: Vec<u8>) -> Self {
        Self {
            first,
            later: HashMap::new(),
        }
    }

    fn first(&self, device: usize) -> u8 {
        self.first.get(device).copied().unwrap_or(ENABLED)
    }

    /// What the site wants of `device` now.
    pub(crate) fn wanted(&self, device: usize) -> u8 {
        self.later
            .get(&device)
            .and_then(|wishes| wishes.last())
            .map_or_else(|| self.first(device), |(_, capabilities)| *capabilities)
    }

    /// Notes what the site wants from `at` on.
    pub(crate) fn want(&mut self, device: usize, at: Moment, capabilities: u8) {
        if self.wanted(device) != capabilities {
            self.later
                .entry(device)
                .or_default()
                .push((at, capabilities));
        }
    }

    /// The switches of a device, in order.
    pub(crate) fn switches(&self, rhythm: &Rhythm<'_>) -> Vec<Switch> {
        let Some(wishes) = self.later.get(&rhythm.device) else {
            return Vec::new();
        };
        let mut switches: Vec<Switch> = Vec::new();
        for (place, (at, capabilities)) in wishes.iter().enumerate() {
            let Some(poll) = rhythm.first_poll(*at) else {
                break;
            };
            // A wish that was taken back before the device asked never reached it.
            if wishes.get(place + 1).is_some_and(|(next, _)| poll >= *next) {
                continue;
            }
            let before = switches
                .last()
                .map_or_else(|| self.first(rhythm.device), |last| last.capabilities);
            if before == *capabilities {
                continue;
            }
            let number = rhythm.device.wrapping_mul(31).wrapping_add(place);
            let draw =
                |span: crate::setup::Span, question| span.draw(rhythm.chance, question, number);
            let evaluated = poll + draw(rhythm.latency.policy_evaluation, "policy evaluation");
            let applied = switches
                .last()
                .map_or(evaluated, |last| evaluated.max(last.applied + 1));
            let sync = draw(rhythm.latency.switch_sync, "switch sync");
            let message = draw(rhythm.latency.state_message, "state message");
            switches.push(Switch {
                capabilities: *capabilities,
                applied,
                synced: rhythm.next_online(applied + sync),
                reported: rhythm.next_online(applied + message),
            });
        }
        switches
    }

    /// The capabilities after the last of `switches` that `counts`.
    pub(crate) fn after(
        &self,
        device: usize,
        switches: &[Switch],
        counts: impl Fn(&Switch) -> bool,
    ) -> u8 {
        switches
            .iter()
            .rev()
            .find(|switch| counts(switch))
            .map_or_else(|| self.first(device), |switch| switch.capabilities)
    }

    /// Of the capabilities after the last of `switches` that `counts`, those that one of them gave: what
    /// a device has had since before the world began has not moved.
    pub(crate) fn gained(
        &self,
        device: usize,
        switches: &[Switch],
        counts: impl Fn(&Switch) -> bool,
    ) -> u8 {
        let (mut before, mut gained) = (self.first(device), 0);
        for switch in switches.iter().filter(|switch| counts(switch)) {
            gained = switch.capabilities & (gained | !before);
            before = switch.capabilities;
        }
        gained
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::{HOUR, SECOND};
    use crate::random::Chance;
    use crate::setup::Latency;
    use crate::world::schedule::Interventions;

    const START: Moment = 1_800_000_000_000;

    fn kept_on() -> Interventions {
        Interventions {
            presence: vec![(0, true)],
            polls: Vec::new(),
        }
    }

    fn rhythm<'a>(latency: &'a Latency, made: &'a Interventions) -> Rhythm<'a> {
        Rhythm {
            chance: Chance::new(1),
            latency,
            device: 0,
            gone_since: None,
            interventions: Some(made),
        }
    }

    #[test]
    fn a_wish_reaches_the_device_at_its_poll_and_the_services_after_it() {
        let (latency, made) = (Latency::default(), kept_on());
        let rhythm = rhythm(&latency, &made);
        let mut authority = Authority::new(vec![5]);
        authority.want(0, START, 21);
        let [switch] = authority.switches(&rhythm)[..] else {
            panic!("one switch");
        };
        assert!(switch.applied > START + 59 * SECOND);
        assert!(switch.applied <= START + HOUR + 600 * SECOND);
        assert!(switch.synced.expect("it syncs") >= switch.applied + 60 * SECOND);
        assert!(switch.reported.expect("it reports") >= switch.applied + 300 * SECOND);
        let at = |moment| authority.after(0, &[switch], |switch| switch.applied <= moment);
        assert_eq!((at(switch.applied - 1), at(switch.applied)), (5, 21));
    }

    #[test]
    fn a_wish_that_is_taken_back_before_the_poll_never_was() {
        let (latency, made) = (Latency::default(), kept_on());
        let rhythm = rhythm(&latency, &made);
        let poll = rhythm.first_poll(START).expect("it polls");
        let mut authority = Authority::new(vec![5]);
        authority.want(0, START, 21);
        authority.want(0, poll - 1, 5);
        assert_eq!(authority.switches(&rhythm), []);
        authority.want(0, poll + 1, 21);
        assert_eq!(authority.switches(&rhythm).len(), 1);
    }

    #[test]
    fn what_moved_is_what_a_switch_gave_and_none_took_back() {
        let authority = Authority::new(vec![5]);
        let switch = |capabilities, applied| Switch {
            capabilities,
            applied,
            synced: None,
            reported: None,
        };
        // 16 comes, 64 comes, 16 goes with 4, which was there before, and 4 comes back.
        let switches = [
            switch(21, 10),
            switch(85, 20),
            switch(65, 30),
            switch(69, 40),
        ];
        let gained = |at| authority.gained(0, &switches, |switch| switch.applied <= at);
        assert_eq!([9, 10, 20, 30, 40].map(gained), [0, 16, 80, 64, 68]);
    }

    #[test]
    fn a_device_that_is_away_switches_after_its_return() {
        let latency = Latency::default();
        let mut made = kept_on();
        made.presence.push((START - 1, false));
        let mut authority = Authority::new(vec![5]);
        authority.want(0, START, 21);
        assert_eq!(authority.switches(&rhythm(&latency, &made)), []);
        made.presence.push((START + 30 * HOUR, true));
        let switches = authority.switches(&rhythm(&latency, &made));
        assert!(switches[0].applied > START + 30 * HOUR);
    }
}
