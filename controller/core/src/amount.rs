//! Numbers of devices: a count, or a percentage of something.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of devices, as an integer or a percentage such as `20%` or `2.5%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Amount {
    /// So many devices.
    Count(u32),
    /// So many ten-thousandths of the whole: `2.5%` is 250. At most 10,000.
    BasisPoints(u16),
}

/// The pattern that every percentage in the API obeys.
pub const PERCENT_PATTERN: &str = r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%$";

/// A text that is no percentage from 0% to 100%.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no percentage; write it like 5% or 2.5%, at most 100%")]
pub struct InvalidPercent(pub String);

impl Amount {
    /// All of them.
    pub const ALL: Self = Self::BasisPoints(10_000);

    /// `percent` of the whole, 0 to 100.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        let percent = if percent > 100 { 100 } else { percent };
        Self::BasisPoints(percent as u16 * 100)
    }

    /// How many devices of `whole` this is, rounded up: for numbers of devices.
    #[must_use]
    pub fn round_up(self, whole: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::BasisPoints(points) => (whole * usize::from(points)).div_ceil(10_000),
        }
    }

    /// How many devices of `whole` this is, rounded down: for failure budgets.
    #[must_use]
    pub fn round_down(self, whole: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::BasisPoints(points) => whole * usize::from(points) / 10_000,
        }
    }

    /// Whether it is nothing, whatever the whole.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        matches!(self, Self::Count(0) | Self::BasisPoints(0))
    }

    /// Whether this allows at most what `other` allows, where the whole is `whole`.
    #[must_use]
    pub fn stricter(self, other: Self, whole: usize) -> Self {
        if other.round_up(whole) < self.round_up(whole) {
            other
        } else {
            self
        }
    }
}

impl FromStr for Amount {
    type Err = InvalidPercent;

    /// Reads a percentage.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        percent(text)
            .map(Self::BasisPoints)
            .ok_or_else(|| InvalidPercent(text.to_owned()))
    }
}

fn percent(text: &str) -> Option<u16> {
    let number = text.strip_suffix('%')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str, most: usize| {
        (!part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse::<u16>().ok())
            .flatten()
    };
    let hundredths = digits(fraction, 2)? * if fraction.len() == 1 { 10 } else { 1 };
    let points = digits(whole, 3)? * 100 + hundredths;
    (points <= 10_000).then_some(points)
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::BasisPoints(points) => match (points / 100, points % 100) {
                (whole, 0) => write!(f, "{whole}%"),
                (whole, rest) if rest % 10 == 0 => write!(f, "{whole}.{}%", rest / 10),
                (whole, rest) => write!(f, "{whole}.{rest:02}%"),
            },
        }
    }
}

impl Serialize for Amount {
    /// A count as a number, a percentage as text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::BasisPoints(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Count(u32),
            Percent(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Count(count) => Ok(Self::Count(count)),
            Written::Percent(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn device_numbers_round_up_and_budgets_down() {
        let five = "5%".parse::<Amount>().unwrap();
        assert_eq!(five.round_up(101), 6);
        assert_eq!(five.round_down(101), 5);
        assert_eq!(Amount::Count(7).round_up(3), 7);
    }

    #[test]
    fn refuses_what_is_no_percentage() {
        for text in [
            "5", "%", "101%", "-1%", "5 %", "1.234%", "1.%", ".5%", "1e1%",
        ] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(points in 0_u16..=10_000) {
            let amount = Amount::BasisPoints(points);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        }

        #[test]
        fn rounding_differs_by_at_most_one(points in 0_u16..=10_000, whole in 0_usize..2_000_000) {
            let amount = Amount::BasisPoints(points);
            let (down, up) = (amount.round_down(whole), amount.round_up(whole));
            prop_assert!(down <= up && up - down <= 1 && up <= whole);
        }
    }
}
