//! Durations as users write them: Go's, plus `d` for 24 hours.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, such as `5m`, `1h30m`, `7d` or `1.5h`. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// The pattern that every duration field of the API obeys.
pub const SPAN_PATTERN: &str = r"^(0|([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|µs|ns))+)$";

/// The units, in nanoseconds. A longer unit stands before one that is its prefix.
const UNITS: [(&str, u128); 8] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration; write it like 30s, 5m, 1h30m or 7d")]
pub struct InvalidSpan(pub String);

impl Span {
    /// `days` times 24 hours.
    #[must_use]
    pub const fn days(days: u64) -> Self {
        Self(Duration::from_secs(days * 86_400))
    }

    /// `hours` hours.
    #[must_use]
    pub const fn hours(hours: u64) -> Self {
        Self(Duration::from_secs(hours * 3_600))
    }

    /// `minutes` minutes.
    #[must_use]
    pub const fn minutes(minutes: u64) -> Self {
        Self(Duration::from_secs(minutes * 60))
    }

    /// The length.
    #[must_use]
    pub const fn length(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
            .map(Self)
            .ok_or_else(|| InvalidSpan(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let (unit, nanos) = UNITS.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
        total = total.checked_add(scale(number, nanos)?)?;
        rest = tail.strip_prefix(unit)?;
    }
    (!text.is_empty()).then_some(())?;
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    let nanos = u32::try_from(total % 1_000_000_000).ok()?;
    // A century is longer than any duration here means, and keeps sums with timestamps in range.
    (seconds <= 100 * 366 * 86_400).then(|| Duration::new(seconds, nanos))
}

/// `number` (with or without a fraction) times `nanos`, cut to whole nanoseconds.
fn scale(number: &str, nanos: u128) -> Option<u128> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    if fraction.len() > 18 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u128 = whole.parse::<u64>().ok()?.into();
    let mut value = whole.checked_mul(nanos)?;
    if !fraction.is_empty() {
        let digits: u128 = fraction.parse::<u64>().ok()?.into();
        value =
            value.checked_add(digits * nanos / 10_u128.pow(u32::try_from(fraction.len()).ok()?))?;
    }
    Some(value)
}

impl fmt::Display for Span {
    /// The shortest form a person would write: `36h`, `7d`, `1h30m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_nanos();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, nanos) in [
            UNITS[0], UNITS[1], UNITS[3], UNITS[4], UNITS[2], UNITS[5], UNITS[7],
        ] {
            let count = left / nanos;
            if count > 0 {
                write!(f, "{count}{unit}")?;
                left %= nanos;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_users_write() {
        for (text, seconds) in [
            ("5m", 300.0),
            ("30d", 2_592_000.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("100ms", 0.1),
            ("0", 0.0),
        ] {
            assert_eq!(
                text.parse::<Span>().unwrap().length(),
                Duration::from_secs_f64(seconds),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "",
            "5",
            "m",
            "-5m",
            "5 m",
            "1.h",
            ".5h",
            "5x",
            "1h-",
            "99999999999999d",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(nanos in 0_u64..200_000_000_000_000_000) {
            let span = Span(Duration::from_nanos(nanos));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
