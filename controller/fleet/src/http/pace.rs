//! Staying below a service's published limits, and slowing down when it complains all the same.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A published limit: so many requests in so long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// How many requests.
    pub requests: u32,
    /// In how long, in the injected clock's time.
    pub per: Duration,
}

impl Pace {
    /// Intune's device calls: 2000 in 20 s for one application in one tenant
    /// (Graph: throttling limits, Intune devices).
    pub const GRAPH: Self = Self {
        requests: 2000,
        per: Duration::from_secs(20),
    };
    /// 200 for one client, presumably in a second (memdocs: size-and-scale-numbers).
    pub const ADMIN_SERVICE: Self = Self {
        requests: 200,
        per: Duration::from_secs(1),
    };
    /// Token endpoints publish no limit; one token lasts an hour, and may be asked for again at once.
    pub const ENTRA: Self = Self {
        requests: 100,
        per: Duration::from_secs(10),
    };
}

/// A share of the limit is left to the tenant's other applications and to clocks that disagree.
const SHARE: f64 = 0.8;
/// How much of a window may be sent at once.
const BURST: f64 = 0.1;
/// A throttled client goes at half speed, and at a quarter when it happens again, down to this.
const SLOWEST: f64 = 64.0;
/// Each answer that is no complaint wins back this much of the speed.
const RECOVERY: f64 = 0.99;

/// Says when the next request may leave. One for each class of service.
#[derive(Debug)]
pub(crate) struct Pacer {
    interval: f64,
    burst: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When all requests so far are paid for, at the pace.
    paid: Timestamp,
    /// How many times slower than the pace it goes; at least 1.
    slowdown: f64,
    paused_until: Option<Timestamp>,
}

impl Pacer {
    pub(crate) fn new(pace: Pace) -> Self {
        let per = pace.per.as_secs_f64();
        Self {
            interval: per / (f64::from(pace.requests.max(1)) * SHARE),
            burst: per * BURST,
            state: Mutex::new(State {
                paid: Timestamp::MIN,
                slowdown: 1.0,
                paused_until: None,
            }),
        }
    }

    /// Takes a place in the line: when the request may leave.
    pub(crate) fn reserve(&self, now: Timestamp) -> Timestamp {
        let mut state = self.state();
        let paused = state.paused_until.filter(|until| *until > now);
        state.paused_until = paused;
        let begin = paused.map_or(now, |until| until.max(now));
        let burst = seconds(self.burst / state.slowdown);
        let start = state.paid.max(begin);
        let leave = start.checked_sub(burst).unwrap_or(begin).max(begin);
        state.paid = later(start, seconds(self.interval * state.slowdown));
        leave
    }

    /// The service complained: everybody waits until `until`, and goes slower afterwards.
    pub(crate) fn throttled(&self, until: Timestamp) {
        let mut state = self.state();
        state.slowdown = (state.slowdown * 2.0).min(SLOWEST);
        state.paused_until = Some(state.paused_until.map_or(until, |old| old.max(until)));
    }

    /// The service answered.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        state.slowdown = (state.slowdown * RECOVERY).max(1.0);
    }

    /// Until when the service asked to be left alone, if that is still ahead.
    pub(crate) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.state().paused_until.filter(|until| *until > now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(seconds: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::ZERO)
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn never_exceeds_the_limit_in_any_window() {
        let pacer = Pacer::new(Pace::ADMIN_SERVICE);
        let mut now = noon();
        let leaves: Vec<_> = (0..2000)
            .map(|_| {
                now = pacer.reserve(now).max(now);
                now
            })
            .collect();
        for pair in leaves.windows(201) {
            let took = pair[200].duration_since(pair[0]);
            assert!(took >= SignedDuration::from_secs(1), "{took}");
        }
        let all = leaves[1999].duration_since(noon());
        assert!(all < SignedDuration::from_secs(20), "{all}");
    }

    #[test]
    fn a_complaint_pauses_everybody_and_slows_down() {
        let pacer = Pacer::new(Pace::GRAPH);
        let until = noon() + SignedDuration::from_secs(7);
        pacer.throttled(until);
        assert!(pacer.reserve(noon()) >= until);
        assert_eq!(pacer.paused_until(noon()), Some(until));
        assert_eq!(pacer.paused_until(until), None);
        let slow = pacer.state().slowdown;
        (0..200).for_each(|_| pacer.answered());
        assert!(slow > 1.0 && (pacer.state().slowdown - 1.0).abs() < 1e-9);
    }
}
