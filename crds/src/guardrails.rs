//! A fleet's guardrails as they are written.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::text::{AmountText, TimestampText};

/// Limits on what may change without a person's yes, judged on the end state against the last
/// accepted one, in any rolling 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GuardrailsSpec {
    /// How many devices may change at all: a number, or a percentage of the co-managed fleet.
    /// Default `20%`.
    #[serde(default = "max_changed_devices")]
    pub max_changed_devices: AmountText,
    /// How many devices may be handed back to Configuration Manager: a number, or a percentage of
    /// the co-managed fleet. Default `2%`.
    #[serde(default = "max_leaving")]
    pub max_leaving: AmountText,
    /// How much either inventory may lose in a pass before all writes stop: a number of devices, or
    /// a percentage of the inventory. Default `10%`.
    #[serde(default = "max_inventory_shrink")]
    pub max_inventory_shrink: AmountText,
    /// How many membership changes may be sent in an hour, at least 1: paces, never refuses.
    /// Default 20000.
    #[serde(default = "max_changes_per_hour")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_changes_per_hour: i64,
    /// Spans of time in which nothing is written. Default none.
    #[serde(default)]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub freeze: Vec<FreezeSpec>,
}

/// The most that `maxChangesPerHour` can be.
pub(crate) const MOST_CHANGES_PER_HOUR: i64 = 10_000_000;

/// A span of time in which nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("self.from < self.to").message("a freeze must end after it begins: write a later `to`").field_path(".to"))]
pub struct FreezeSpec {
    /// What it is called.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Its first moment, in RFC 3339.
    pub from: TimestampText,
    /// The first moment after it, in RFC 3339.
    pub to: TimestampText,
}

impl Default for GuardrailsSpec {
    fn default() -> Self {
        Self {
            max_changed_devices: max_changed_devices(),
            max_leaving: max_leaving(),
            max_inventory_shrink: max_inventory_shrink(),
            max_changes_per_hour: max_changes_per_hour(),
            freeze: Vec::new(),
        }
    }
}

fn max_changed_devices() -> AmountText {
    "20%".into()
}

fn max_leaving() -> AmountText {
    "2%".into()
}

fn max_inventory_shrink() -> AmountText {
    "10%".into()
}

const fn max_changes_per_hour() -> i64 {
    20_000
}
