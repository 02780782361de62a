//! Limits on what may change without a person's yes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::amount::Amount;

/// Limits on what may change without a person's yes, judged on the end state against the last
/// accepted one in any rolling 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guardrails {
    /// Devices that change at all; a percentage is of the co-managed fleet.
    pub max_changed_devices: Amount,
    /// Devices handed back to Configuration Manager; a percentage is of the co-managed fleet.
    pub max_leaving: Amount,
    /// How much smaller either inventory may be than the last one.
    pub max_inventory_shrink: Amount,
    /// Membership changes sent in an hour: paces, never refuses. At least 1.
    pub max_changes_per_hour: u32,
    /// When nothing is written.
    pub freezes: Vec<Freeze>,
}

/// A span of time in which nothing is written; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freeze {
    /// What it is called.
    pub name: String,
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            max_changed_devices: Amount::percent(20),
            max_leaving: Amount::percent(2),
            max_inventory_shrink: Amount::percent(10),
            max_changes_per_hour: 20_000,
            freezes: Vec::new(),
        }
    }
}

impl Guardrails {
    /// For each limit the stricter of two, where the co-managed fleet has `co_managed` devices: a
    /// revision that loosens a guardrail does not profit from it itself.
    #[must_use]
    pub fn stricter(&self, other: &Self, co_managed: usize) -> Self {
        let stricter = |a: Amount, b: Amount| a.stricter(b, co_managed);
        Self {
            max_changed_devices: stricter(self.max_changed_devices, other.max_changed_devices),
            max_leaving: stricter(self.max_leaving, other.max_leaving),
            max_inventory_shrink: stricter(self.max_inventory_shrink, other.max_inventory_shrink),
            max_changes_per_hour: self.max_changes_per_hour.min(other.max_changes_per_hour),
            freezes: self.freezes.clone(),
        }
    }

    /// The freeze that is open at `now`, the first by name.
    #[must_use]
    pub fn open_freeze(&self, now: Timestamp) -> Option<&Freeze> {
        self.freezes
            .iter()
            .filter(|freeze| freeze.from <= now && now < freeze.to)
            .min_by_key(|freeze| &freeze.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_two_is_judged_in_devices() {
        let tight = Guardrails {
            max_leaving: Amount::Count(10),
            ..Guardrails::default()
        };
        let both = Guardrails::default().stricter(&tight, 1_000);
        assert_eq!(both.max_leaving, Amount::Count(10));
        let both = Guardrails::default().stricter(&tight, 100);
        assert_eq!(both.max_leaving, Amount::percent(2));
    }

    #[test]
    fn a_freeze_ends_when_it_says() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let guardrails = Guardrails {
            freezes: vec![Freeze {
                name: "year-end".into(),
                from: at("2026-12-15T00:00:00Z"),
                to: at("2027-01-05T00:00:00Z"),
            }],
            ..Guardrails::default()
        };
        assert!(guardrails.open_freeze(at("2026-12-14T23:59:59Z")).is_none());
        assert!(guardrails.open_freeze(at("2026-12-15T00:00:00Z")).is_some());
        assert!(guardrails.open_freeze(at("2027-01-05T00:00:00Z")).is_none());
    }
}
