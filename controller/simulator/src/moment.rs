//! Time inside the world: milliseconds, because phases and intervals are modular arithmetic.

use std::time::Duration;

use jiff::Timestamp;

use crate::random::Chance;
use crate::setup::Span;

/// Milliseconds since the Unix epoch.
pub(crate) type Moment = i64;

pub(crate) const SECOND: i64 = 1000;
pub(crate) const HOUR: i64 = 3600 * SECOND;
pub(crate) const DAY: i64 = 24 * HOUR;

/// What Graph writes for a time that never was.
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

/// The moment of `time`.
pub(crate) fn moment(time: Timestamp) -> Moment {
    time.as_millisecond()
}

/// The time of `moment`.
pub(crate) fn time(moment: Moment) -> Timestamp {
    Timestamp::from_millisecond(moment).unwrap_or(Timestamp::MAX)
}

/// As both services write times: UTC, whole seconds.
pub(crate) fn text(moment: Moment) -> String {
    time(moment - moment.rem_euclid(SECOND)).to_string()
}

/// `duration` in milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

impl Span {
    /// The span that this occasion drew, in milliseconds.
    pub(crate) fn draw(self, chance: Chance, question: &str, number: usize) -> i64 {
        chance.between(question, number, millis(self.from), millis(self.to))
    }
}
