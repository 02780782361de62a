//! When to ask again, and how long to wait before.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

/// Whether a request may be sent a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Asking twice is asking once.
    Safe,
    /// Only if the first certainly was not carried out.
    UnlessReceived,
}

/// How persistent a client is, in the injected clock's time.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Attempts at a request that meets faults; throttled attempts are not counted.
    pub attempts: usize,
    /// The first wait between two attempts.
    pub first_delay: Duration,
    /// The longest wait between two attempts that no service asked for.
    pub longest_delay: Duration,
    /// How long one request may wait in all before the caller hears of it.
    pub in_all: Duration,
    /// What the jitter of waits is drawn from; none, as everywhere but in a simulation: chance.
    pub seed: Option<u64>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_mins(1),
            in_all: Duration::from_mins(5),
            seed: None,
        }
    }
}

impl Patience {
    /// The waits between attempts: exponential, with jitter, so that many clients that failed
    /// together do not return together.
    pub(crate) fn delays(&self) -> ExponentialBackoff {
        let waits = ExponentialBuilder::new()
            .with_min_delay(self.first_delay)
            .with_max_delay(self.longest_delay)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        match self.seed {
            Some(seed) => waits.with_jitter_seed(seed).build(),
            None => waits.build(),
        }
    }
}

/// Reads a `Retry-After` header: seconds, whole or with a fraction (Graph sends `2.128`), or an
/// HTTP date. Nothing usable is `None`: some Intune endpoints omit it.
pub(crate) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let left = http_date(header)?.duration_since(now);
    Some(if left > SignedDuration::ZERO {
        left.unsigned_abs()
    } else {
        Duration::ZERO
    })
}

/// Reads an HTTP date, such as `Mon, 23 Nov 2026 12:00:30 GMT`; `None` when it is none.
pub fn http_date(text: &str) -> Option<Timestamp> {
    let date = text.trim().strip_suffix("GMT").map_or_else(
        || text.to_owned(),
        |without_zone| format!("{without_zone}+0000"),
    );
    Some(rfc2822::parse(&date).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        for (header, expected) in [
            ("120", Some(Duration::from_mins(2))),
            ("2.128", Some(Duration::from_millis(2128))),
            (" 0 ", Some(Duration::ZERO)),
            (
                "Mon, 23 Nov 2026 12:00:30 GMT",
                Some(Duration::from_secs(30)),
            ),
            ("Mon, 23 Nov 2026 11:00:00 GMT", Some(Duration::ZERO)),
            ("soon", None),
            ("", None),
            ("-5", None),
            ("NaN", None),
            ("inf", None),
            ("1e300", None),
        ] {
            assert_eq!(retry_after(header, noon()), expected, "{header}");
        }
    }

    #[test]
    fn waits_longer_each_time_up_to_a_bound() {
        let patience = Patience::default();
        let delays: Vec<_> = patience.delays().take(40).collect();
        assert_eq!(delays.len(), 40);
        assert!(delays[0] >= patience.first_delay);
        assert!(delays[39] <= patience.longest_delay * 2, "{:?}", delays[39]);
    }
}
