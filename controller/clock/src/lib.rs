//! One injected clock for everything in a process.
//!
//! The loop, the simulated estate, token lifetimes, `Retry-After`, throttle windows and approvals
//! all read the same [`Clock`], so that a simulated world can run hundreds of times faster than the
//! real one and stay consistent with itself. Only socket time-outs are real.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// A source of time that can be real, scaled, or moved by hand.
///
/// Cheap to clone; every clone tells the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Arc<Source>,
}

#[derive(Debug)]
enum Source {
    System,
    Scaled {
        /// What the clock showed when it was made.
        start: Timestamp,
        /// When, on the machine's monotonic clock, it was made.
        anchor: Instant,
        speed: f64,
    },
    Manual {
        now: Mutex<Timestamp>,
        moved: Notify,
    },
}

/// A speed that a clock cannot run at.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a clock's speed is a number above 0 and at most 1000000, not {0}")]
pub struct InvalidSpeed(pub f64);

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        Self::from(Source::System)
    }

    /// A clock that shows `start` now and runs `speed` times as fast as the machine's.
    ///
    /// It is steered by the machine's monotonic clock: a step of the wall clock does not move it.
    ///
    /// # Errors
    ///
    /// [`InvalidSpeed`] unless `0 < speed <= 1_000_000`.
    pub fn scaled(start: Timestamp, speed: f64) -> Result<Self, InvalidSpeed> {
        if !(speed > 0.0 && speed <= 1_000_000.0) {
            return Err(InvalidSpeed(speed));
        }
        Ok(Self::from(Source::Scaled {
            start,
            anchor: Instant::now(),
            speed,
        }))
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self::from(Source::Manual {
            now: Mutex::new(start),
            moved: Notify::new(),
        })
    }

    /// The time it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &*self.source {
            Source::System => Timestamp::now(),
            Source::Scaled {
                start,
                anchor,
                speed,
            } => later(*start, anchor.elapsed().mul_f64(*speed)),
            Source::Manual { now, .. } => *now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// How many of its seconds pass in one second of the machine (1 unless it is scaled).
    #[must_use]
    pub fn speed(&self) -> f64 {
        match &*self.source {
            Source::Scaled { speed, .. } => *speed,
            Source::System | Source::Manual { .. } => 1.0,
        }
    }

    /// Waits until `duration` of this clock's time has passed.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(later(self.now(), duration)).await;
    }

    /// Waits until this clock shows `deadline` or later.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        match &*self.source {
            Source::System | Source::Scaled { .. } => loop {
                // Asked again after each wait: the machine's clock may have been stepped meanwhile.
                let left = deadline.duration_since(self.now());
                if left <= SignedDuration::ZERO {
                    return;
                }
                let real = left.unsigned_abs().div_f64(self.speed());
                tokio::time::sleep(real.max(Duration::from_millis(1))).await;
            },
            Source::Manual { moved, .. } => loop {
                // Registered before the look at the time, so that no move in between is missed.
                let next_move = moved.notified();
                if self.now() >= deadline {
                    return;
                }
                next_move.await;
            },
        }
    }

    /// Moves a [`Clock::manual`] on and wakes whoever waits for it; other clocks are left alone.
    pub fn advance(&self, duration: Duration) {
        if let Source::Manual { now, moved } = &*self.source {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            *now = later(*now, duration);
            drop(now);
            moved.notify_waiters();
        }
    }
}

impl From<Source> for Clock {
    fn from(source: Source) -> Self {
        Self {
            source: Arc::new(source),
        }
    }
}

/// `start` plus `duration`, or the last representable moment.
fn later(start: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| start.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().expect("a timestamp")
    }

    #[test]
    fn refuses_a_speed_that_is_no_speed() {
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Clock::scaled(noon(), speed).is_err(), "{speed}");
        }
    }

    #[tokio::test]
    async fn a_scaled_clock_runs_ahead_of_the_machine() {
        let clock = Clock::scaled(noon(), 3600.0).expect("a speed");
        let began = Instant::now();
        clock.sleep(Duration::from_mins(6)).await;
        assert!(clock.now().duration_since(noon()) >= SignedDuration::from_secs(360));
        assert!(began.elapsed() < Duration::from_mins(1));
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_a_sleeper_when_it_is_moved_far_enough() {
        let clock = Clock::manual(noon());
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_mins(1)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.expect("the sleeper ends");
    }
}
