//! When a device is online, asks for policy and syncs: functions of time, so that nothing ticks.

use crate::moment::{HOUR, Moment, millis};
use crate::random::Chance;
use crate::setup::Latency;

/// Every device is away at most once in this time, at a place of its own within it.
const CYCLE: i64 = 120 * HOUR;
/// How many in a thousand cycles have an absence: with 21 hours on average, 6 % are away at a time.
const ABSENCES: u32 = 345;
const ABSENCE: (i64, i64) = (2 * HOUR, 40 * HOUR);

/// What people and operators did to the presence of one device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interventions {
    /// From when on it was kept on (true) or off (false), in order of time.
    pub(crate) presence: Vec<(Moment, bool)>,
    /// When it was told to ask for policy at once, in order of telling.
    pub(crate) polls: Vec<Moment>,
}

/// The rhythm of one device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rhythm<'a> {
    pub(crate) chance: Chance,
    pub(crate) latency: &'a Latency,
    pub(crate) device: usize,
    /// A stale device was last seen then, and stays away unless somebody turns it on.
    pub(crate) gone_since: Option<Moment>,
    pub(crate) interventions: Option<&'a Interventions>,
}

impl Rhythm<'_> {
    /// The absence that `at` falls into, by the device's own habits.
    fn absence(&self, at: Moment) -> Option<(Moment, Moment)> {
        if let Some(gone) = self.gone_since {
            return (at >= gone).then_some((gone, Moment::MAX));
        }
        let shift = self.chance.between("cycle", self.device, 0, CYCLE - 1);
        let cycle = (at - shift).div_euclid(CYCLE);
        let number = self
            .device
            .wrapping_mul(1009)
            .wrapping_add(usize::try_from(cycle.unsigned_abs()).unwrap_or(0));
        if !self.chance.per_mille("absent", number, ABSENCES) {
            return None;
        }
        let length = self.chance.between("absence", number, ABSENCE.0, ABSENCE.1);
        let start =
            cycle * CYCLE + shift + self.chance.between("leaves", number, 0, CYCLE - length);
        (start <= at && at < start + length).then_some((start, start + length))
    }

    fn presence(&self) -> &[(Moment, bool)] {
        self.interventions.map_or(&[], |made| &made.presence)
    }

    /// The intervention in force at `at`.
    fn kept(&self, at: Moment) -> Option<(Moment, bool)> {
        let made = self.presence();
        let next = made.partition_point(|(since, _)| *since <= at);
        next.checked_sub(1).map(|last| made[last])
    }

    /// The first intervention after `at`.
    fn next_intervention(&self, at: Moment) -> Option<Moment> {
        let made = self.presence();
        let next = made.partition_point(|(since, _)| *since <= at);
        made.get(next).map(|(since, _)| *since)
    }

    /// Whether it is reachable.
    pub(crate) fn online(&self, at: Moment) -> bool {
        match self.kept(at) {
            Some((_, on)) => on,
            None => self.absence(at).is_none(),
        }
    }

    /// The first moment from `at` on when it is online; none if it stays away.
    pub(crate) fn next_online(&self, at: Moment) -> Option<Moment> {
        let mut at = at;
        loop {
            let away_until = match self.kept(at) {
                Some((_, true)) => return Some(at),
                Some((_, false)) => Moment::MAX,
                None => match self.absence(at) {
                    None => return Some(at),
                    Some((_, end)) => end,
                },
            };
            let next = self.next_intervention(at).unwrap_or(Moment::MAX);
            at = away_until.min(next);
            if at == Moment::MAX {
                return None;
            }
        }
    }

    /// The last moment up to `at` when it was online.
    pub(crate) fn last_online(&self, at: Moment) -> Moment {
        let mut at = at;
        // Two steps lead out of an absence that a person prolonged; the rest is for odd cases.
        for _ in 0..32 {
            let away_since = match self.kept(at) {
                Some((_, true)) => return at,
                Some((since, false)) => since,
                None => match self.absence(at) {
                    None => return at,
                    Some((start, _)) => start,
                },
            };
            at = away_since - 1;
        }
        at
    }

    /// The latest beat of `interval` up to `at`, at the device's own phase for `beat`.
    fn beat_before(&self, beat: &str, interval: i64, at: Moment) -> Moment {
        let interval = interval.max(1);
        let phase = self.chance.between(beat, self.device, 0, interval - 1);
        at - (at - phase).rem_euclid(interval)
    }

    fn comeback(&self) -> i64 {
        self.latency
            .comeback
            .draw(self.chance, "comeback", self.device)
    }

    /// The last beat that happened up to `at`: those due while away happen after the return.
    fn last_beat(&self, beat: &str, interval: i64, at: Moment) -> Moment {
        let seen = self.last_online(at);
        let due = self.beat_before(beat, interval, seen);
        if self.online(due) {
            return due;
        }
        match self.next_online(due) {
            Some(back) if back + self.comeback() <= at => back + self.comeback(),
            Some(back) => self.beat_before(beat, interval, self.last_online(back - 1)),
            None => due,
        }
    }

    /// The first time from `at` on that it asks for policy; none if it stays away.
    pub(crate) fn first_poll(&self, at: Moment) -> Option<Moment> {
        let told = self.interventions.and_then(|made| {
            made.polls
                .iter()
                .copied()
                .filter(|poll| *poll >= at && self.online(*poll))
                .min()
        });
        let by_itself = self.first_own_poll(at);
        match (told, by_itself) {
            (Some(told), Some(own)) => Some(told.min(own)),
            (told, own) => told.or(own),
        }
    }

    fn first_own_poll(&self, at: Moment) -> Option<Moment> {
        let interval = millis(self.latency.policy_poll).max(1);
        let mut from = at;
        loop {
            let back = self.next_online(from)?;
            let beat = self.beat_before("poll", interval, back + interval - 1);
            let poll = if back > from {
                beat.min(back + self.comeback())
            } else {
                beat
            };
            if self.online(poll) {
                return Some(poll);
            }
            from = poll;
        }
    }

    /// The last time up to `at` that it asked for policy.
    pub(crate) fn last_poll(&self, at: Moment) -> Moment {
        let own = self.last_beat("poll", millis(self.latency.policy_poll), at);
        let told = self.interventions.and_then(|made| {
            made.polls
                .iter()
                .copied()
                .filter(|poll| *poll <= at && self.online(*poll))
                .max()
        });
        told.map_or(own, |told| told.max(own))
    }

    /// The last sync up to `at` that its own schedule brought.
    pub(crate) fn last_regular_sync(&self, at: Moment) -> Moment {
        self.last_beat("sync", millis(self.latency.sync_interval), at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = 1_800_000_000_000;

    fn rhythm(latency: &Latency, device: usize) -> Rhythm<'_> {
        Rhythm {
            chance: Chance::new(5),
            latency,
            device,
            gone_since: None,
            interventions: None,
        }
    }

    #[test]
    fn about_six_in_a_hundred_are_away_and_come_back() {
        let latency = Latency::default();
        let away: Vec<_> = (0..4000)
            .map(|device| rhythm(&latency, device))
            .filter(|rhythm| !rhythm.online(START))
            .collect();
        assert!((180..=300).contains(&away.len()), "{}", away.len());
        for rhythm in away {
            let back = rhythm.next_online(START).expect("it comes back");
            assert!(back - START <= 48 * HOUR * 2);
            assert!(rhythm.online(back));
            assert!(rhythm.last_online(START) < START);
        }
    }

    #[test]
    fn polls_hourly_while_online_and_soon_after_a_return() {
        let latency = Latency::default();
        for device in 0..2000 {
            let rhythm = rhythm(&latency, device);
            let poll = rhythm.first_poll(START).expect("it polls");
            assert!(rhythm.online(poll));
            let online_from = rhythm.next_online(START).expect("it comes back");
            assert!(poll - online_from <= HOUR + 48 * HOUR);
            assert!(rhythm.last_poll(START) <= START);
            assert!(rhythm.last_poll(poll) == poll, "device {device}");
        }
    }

    #[test]
    fn people_turn_it_off_and_on() {
        let latency = Latency::default();
        let made = Interventions {
            presence: vec![(START, false), (START + HOUR, true)],
            polls: vec![START + HOUR + 5],
        };
        let rhythm = Rhythm {
            interventions: Some(&made),
            ..rhythm(&latency, 1)
        };
        assert!(!rhythm.online(START + 1));
        assert_eq!(rhythm.next_online(START + 1), Some(START + HOUR));
        assert_eq!(rhythm.first_poll(START + 1), Some(START + HOUR + 5));
    }
}
