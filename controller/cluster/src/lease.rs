//! Who may hold what: decided from what Leases say and from when, on this machine's own monotonic
//! clock, they last changed. No other machine's clock is believed.
//!
//! A holder sends nothing whose deadline lies behind the end of its hold; whoever waits for a hold to
//! end waits for its length and one deadline more. So not even a holder that was stopped for an hour
//! can send while another holds.

use std::collections::BTreeSet;
use std::time::Duration;

use diarchy_core::digest::Digest;
use tokio::time::Instant;

/// How long holds last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a hold lasts that is not renewed.
    pub duration: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// How long one request of a holder may take.
    pub deadline: Duration,
    /// How long a Lease is kept that nobody wants and nobody holds. Longer than a replica needs to
    /// come back under its name, and to know after its start what there is to hold.
    pub forget: Duration,
}

impl Timing {
    /// Holds of this length.
    #[must_use]
    pub fn lasting(duration: Duration) -> Self {
        Self {
            duration,
            renew: duration / 6,
            deadline: duration / 2,
            forget: duration * 4,
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::lasting(Duration::from_secs(90))
    }
}

/// A Lease as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who holds it.
    pub holder: Option<String>,
    /// How long that holder means to hold it without renewing.
    pub duration: Duration,
    /// When this version of it was first seen, here.
    pub since: Instant,
}

/// What is to be done about a Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing now.
    Wait,
    /// Make it, held by this replica.
    Create,
    /// Hold it from now on.
    Take,
    /// Hold it longer.
    Renew,
    /// Let it go.
    Release,
}

/// What this replica knows of one Lease.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// This replica.
    pub own: &'a str,
    /// Whether it is for this replica to hold.
    pub wanted: bool,
    /// Whether something goes on that must end before it is let go.
    pub busy: bool,
    /// The Lease, if there is one.
    pub seen: Option<&'a Seen>,
    /// When this replica last asked for what it holds, before the request left.
    pub asked: Option<Instant>,
}

impl Timing {
    /// How long one watch lasts, in seconds, before it is taken up again where it ended.
    ///
    /// A connection that has died without a word is noticed only when its watch is overdue, and what a
    /// person says meanwhile, such as to stop, is not heard. The library waits for five minutes.
    #[must_use]
    pub fn watch_seconds(self) -> u32 {
        // Nought would be for ever, and more than this the library takes for a mistake.
        let seconds = self.duration.as_secs().clamp(1, 290);
        u32::try_from(seconds).unwrap_or(290)
    }

    /// What is to be done about a Lease now.
    #[must_use]
    pub fn act(self, view: View<'_>, now: Instant) -> Act {
        let Some(seen) = view.seen else {
            return if view.wanted { Act::Create } else { Act::Wait };
        };
        match (&seen.holder, view.asked) {
            (Some(holder), Some(asked)) if holder == view.own => {
                if !view.wanted && !view.busy {
                    Act::Release
                } else if now >= asked + self.renew {
                    Act::Renew
                } else {
                    Act::Wait
                }
            }
            (None, _) if view.wanted => Act::Take,
            (Some(_), _) if view.wanted && self.is_over(seen, now) => Act::Take,
            _ => Act::Wait,
        }
    }

    /// Whether a hold that was last seen to change at `seen.since` has surely ended, and everything
    /// that was sent under it.
    #[must_use]
    pub fn is_over(self, seen: &Seen, now: Instant) -> bool {
        now >= seen.since + seen.duration + self.deadline
    }

    /// Whether nobody has held for long what was last seen like this.
    #[must_use]
    pub fn is_forgotten(self, seen: &Seen, now: Instant) -> bool {
        let held = match seen.holder {
            Some(_) => seen.duration + self.deadline,
            None => Duration::ZERO,
        };
        now >= seen.since + held + self.forget
    }

    /// Until when a hold lasts that was asked for at `asked`.
    #[must_use]
    pub fn until(self, asked: Instant) -> Instant {
        asked + self.duration
    }

    /// Whether a request that may take as long as it is allowed ends before the hold does.
    #[must_use]
    pub fn may_send(self, asked: Option<Instant>, now: Instant) -> bool {
        asked.is_some_and(|asked| now + self.deadline <= self.until(asked))
    }
}

/// Which of the `live` replicas shall hold `thing`: each thing has an order of its own, so that
/// things are spread evenly, and one replica more or less moves as few as can be.
#[must_use]
pub fn preferred<'a>(thing: &str, live: &'a BTreeSet<String>) -> Option<&'a str> {
    live.iter()
        .max_by_key(|replica| Digest::of_lines([thing, replica.as_str()]).to_string())
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        duration: Duration::from_mins(1),
        renew: Duration::from_secs(10),
        deadline: Duration::from_secs(30),
        forget: Duration::from_mins(4),
    };

    fn seen(holder: Option<&str>, since: Instant) -> Seen {
        Seen {
            holder: holder.map(ToOwned::to_owned),
            duration: TIMING.duration,
            since,
        }
    }

    fn act(seen: Option<&Seen>, wanted: bool, asked: Option<Instant>, now: Instant) -> Act {
        let view = View {
            own: "a",
            wanted,
            busy: false,
            seen,
            asked,
        };
        TIMING.act(view, now)
    }

    #[test]
    fn what_nobody_holds_is_taken_by_whom_it_is_for() {
        let now = Instant::now();
        assert_eq!(act(None, true, None, now), Act::Create);
        assert_eq!(act(None, false, None, now), Act::Wait);
        assert_eq!(act(Some(&seen(None, now)), true, None, now), Act::Take);
        assert_eq!(act(Some(&seen(None, now)), false, None, now), Act::Wait);
    }

    #[test]
    fn what_another_holds_is_taken_when_everything_it_may_have_sent_has_ended() {
        let since = Instant::now();
        let other = seen(Some("b"), since);
        let after = |seconds| since + Duration::from_secs(seconds);
        assert_eq!(act(Some(&other), true, None, after(89)), Act::Wait);
        assert_eq!(act(Some(&other), true, None, after(90)), Act::Take);
        assert_eq!(act(Some(&other), false, None, after(90)), Act::Wait);
        // A namesake from before a restart is somebody else.
        let own = seen(Some("a"), since);
        assert_eq!(act(Some(&own), true, None, after(1)), Act::Wait);
        assert_eq!(act(Some(&own), true, None, after(90)), Act::Take);
    }

    #[test]
    fn a_hold_is_renewed_and_let_go_when_it_is_for_another() {
        let since = Instant::now();
        let own = seen(Some("a"), since);
        let after = |seconds| since + Duration::from_secs(seconds);
        assert_eq!(act(Some(&own), true, Some(since), after(9)), Act::Wait);
        assert_eq!(act(Some(&own), true, Some(since), after(10)), Act::Renew);
        assert_eq!(act(Some(&own), false, Some(since), after(1)), Act::Release);
        let busy = View {
            own: "a",
            wanted: false,
            busy: true,
            seen: Some(&own),
            asked: Some(since),
        };
        assert_eq!(TIMING.act(busy, after(9)), Act::Wait);
        assert_eq!(TIMING.act(busy, after(10)), Act::Renew);
    }

    #[test]
    fn only_what_nobody_has_held_for_long_is_forgotten() {
        let since = Instant::now();
        let after = |seconds| since + Duration::from_secs(seconds);
        let is_forgotten =
            |holder, seconds| TIMING.is_forgotten(&seen(holder, since), after(seconds));
        assert!(!is_forgotten(None, 239) && is_forgotten(None, 240));
        // Whoever died may have sent until the hold was over.
        assert!(!is_forgotten(Some("b"), 329) && is_forgotten(Some("b"), 330));
    }

    #[test]
    fn no_request_outlasts_a_hold_and_no_hold_begins_before_they_have_ended() {
        let asked = Instant::now();
        for second in 0..200 {
            let now = asked + Duration::from_secs(second);
            if TIMING.may_send(Some(asked), now) {
                let ends = now + TIMING.deadline;
                // Another sees the renewal no earlier than it was asked for.
                let taken = asked + TIMING.duration + TIMING.deadline;
                assert!(ends < taken, "{second}");
            }
        }
        assert!(!TIMING.may_send(None, asked));
    }

    #[test]
    fn things_are_spread_and_stay_where_they_are() {
        let replicas = |names: &[&str]| -> BTreeSet<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let three = replicas(&["a", "b", "c"]);
        let two = replicas(&["a", "b"]);
        let mut of_c = 0;
        for number in 0..300 {
            let thing = format!("estate-{number}");
            let before = preferred(&thing, &three).unwrap();
            if before == "c" {
                of_c += 1;
            } else {
                assert_eq!(preferred(&thing, &two), Some(before));
            }
        }
        assert!((60..140).contains(&of_c), "{of_c}");
        assert_eq!(preferred("estate", &BTreeSet::new()), None);
    }
}
