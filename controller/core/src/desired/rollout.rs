//! How an assignment goes out.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::duration::Span;

/// How an assignment goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Cumulative and increasing; the last one is everybody. None is everybody at once.
    pub steps: Vec<Step>,
    /// Online devices assigned and not yet observed, at least 1.
    pub max_concurrency: Option<Amount>,
    /// Failures among the admitted, online devices that are borne.
    pub max_failures: Option<Amount>,
    /// How many of a step's online devices must report before it may end.
    pub min_observed: Option<Amount>,
    /// How long a device may take, in its online time.
    pub progress_deadline: Option<Span>,
    /// What a failed rollout does.
    pub on_failure: OnFailure,
    /// When writes may be made.
    pub window: Option<Window>,
}

impl Rollout {
    /// Everybody at once, in the hours of `window`.
    #[must_use]
    pub const fn within(window: Window) -> Self {
        Self {
            steps: Vec::new(),
            max_concurrency: None,
            max_failures: None,
            min_observed: None,
            progress_deadline: None,
            on_failure: OnFailure::Halt,
            window: Some(window),
        }
    }
}

/// One step of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How many of the selected devices it has, with those of the steps before it.
    pub devices: Amount,
    /// How long it is watched before the next.
    pub soak: Span,
    /// Whether a person must let the next step begin.
    pub approval_required: bool,
}

/// What a failed rollout does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OnFailure {
    /// It stops where it is.
    #[default]
    Halt,
    /// It takes its devices back.
    Rollback,
}

/// Hours of the week in which writes may be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The days on which it opens; empty means all.
    #[serde(with = "weekdays")]
    pub days: Vec<Weekday>,
    /// When it opens.
    pub from: Time,
    /// When it closes; before `from` it closes on the next day.
    pub to: Time,
    /// Whose clock it goes by.
    #[serde(with = "jiff::fmt::serde::tz::required")]
    pub time_zone: TimeZone,
}

/// Days of the week, as they are remembered: by their numbers in ISO 8601, from Monday.
mod weekdays {
    use jiff::civil::Weekday;
    use serde::de::Error;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        days: &[Weekday],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(days.iter().map(|day| day.to_monday_one_offset()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Weekday>, D::Error> {
        let numbers: Vec<i8> = Vec::deserialize(deserializer)?;
        let days = numbers.into_iter().map(Weekday::from_monday_one_offset);
        days.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

impl Window {
    /// Whether it is open at `now`. By the wall clock of its zone, so that an hour that a change to
    /// summer time skips or repeats is skipped or repeated here too.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        let local = self.time_zone.to_datetime(now);
        let opens = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        let (today, time) = (local.weekday(), local.time());
        if self.from < self.to {
            opens(today) && self.from <= time && time < self.to
        } else {
            // Over midnight: either opened today, or yesterday and not closed yet.
            (opens(today) && self.from <= time) || (opens(today.previous()) && time < self.to)
        }
    }
}

impl Window {
    /// When it opens next, after `now`; `None` for one that never does. An opening that a change to
    /// summer time skips is as much later as the clock is put forward.
    #[must_use]
    pub fn opens_after(&self, now: Timestamp) -> Option<Timestamp> {
        let today = self.time_zone.to_datetime(now).date();
        // Every weekday comes within a week; one more where today's opening is past.
        let days = std::iter::successors(Some(today), |day| day.tomorrow().ok()).take(9);
        days.filter(|day| self.days.is_empty() || self.days.contains(&day.weekday()))
            .filter_map(|day| {
                let opening = day.to_datetime(self.from);
                Some(
                    self.time_zone
                        .to_ambiguous_zoned(opening)
                        .compatible()
                        .ok()?
                        .timestamp(),
                )
            })
            .find(|opening| *opening > now && self.is_open(*opening))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(days: &[Weekday], from: &str, to: &str) -> Window {
        Window {
            days: days.to_vec(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            time_zone: TimeZone::get("Europe/Paris").unwrap(),
        }
    }

    #[test]
    fn opens_by_the_clock_of_its_zone() {
        let office = window(&[Weekday::Monday], "08:00", "16:00");
        assert!(!office.is_open(at("2026-11-23T06:59:59Z")));
        assert!(office.is_open(at("2026-11-23T07:00:00Z")));
        assert!(!office.is_open(at("2026-11-23T15:00:00Z")));
        assert!(!office.is_open(at("2026-11-24T07:00:00Z")));
    }

    #[test]
    fn runs_over_midnight_into_the_next_day() {
        let night = window(&[Weekday::Friday], "22:00", "04:00");
        assert!(night.is_open(at("2026-11-27T21:30:00Z")));
        assert!(night.is_open(at("2026-11-28T02:59:00Z")));
        assert!(!night.is_open(at("2026-11-28T03:00:00Z")));
        assert!(!night.is_open(at("2026-11-28T21:30:00Z")));
    }

    #[test]
    fn says_when_it_opens_next() {
        let next = |window: &Window, now| window.opens_after(at(now)).unwrap();
        let office = window(&[Weekday::Monday, Weekday::Friday], "08:00", "16:00");
        // Before it opens, while it is open, and after it has closed.
        assert_eq!(
            next(&office, "2026-11-23T06:00:00Z"),
            at("2026-11-23T07:00:00Z")
        );
        assert_eq!(
            next(&office, "2026-11-23T12:00:00Z"),
            at("2026-11-27T07:00:00Z")
        );
        assert_eq!(
            next(&office, "2026-11-27T15:00:00Z"),
            at("2026-11-30T07:00:00Z")
        );
        let mondays = window(&[Weekday::Monday], "08:00", "16:00");
        assert_eq!(
            next(&mondays, "2026-11-23T07:00:00Z"),
            at("2026-11-30T07:00:00Z")
        );
        // Half past two is skipped on 28 March 2027.
        let night = window(&[Weekday::Sunday], "02:30", "04:00");
        assert_eq!(
            next(&night, "2027-03-27T12:00:00Z"),
            at("2027-03-28T01:30:00Z")
        );
    }

    #[test]
    fn is_the_same_when_it_was_remembered() {
        let night = window(&[Weekday::Monday, Weekday::Sunday], "22:00", "04:00");
        let text = serde_json::to_string(&night).unwrap();
        assert!(text.contains("[1,7]") && text.contains("Europe/Paris"));
        assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), night);
    }

    #[test]
    fn follows_the_change_to_winter_time() {
        let office = window(&[], "08:00", "16:00");
        assert!(office.is_open(at("2026-10-24T06:00:00Z")));
        assert!(!office.is_open(at("2026-10-26T06:00:00Z")));
    }
}
