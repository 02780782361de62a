//! Limits on what may change unasked: whether a set of changes keeps within them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::desired::Guardrails;
use crate::plan::Change;
use crate::workload::Authority;

/// One of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Guardrail {
    /// `maxChangedDevices`
    MaxChangedDevices,
    /// `maxLeaving`
    MaxLeaving,
}

/// What one of the limits says of some changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The limit.
    pub name: Guardrail,
    /// As it is written: `20%` or a number.
    pub allowed: String,
    /// How many devices that is.
    pub limit: usize,
    /// How many devices the changes concern.
    pub devices: usize,
    /// Whether that is too many.
    pub exceeded: bool,
}

/// Judges `changes`, and rows that join the pilot of automatic enrolment, in a co-managed fleet of
/// `co_managed` devices. A device that changes several workloads counts once.
#[must_use]
pub fn judge(
    changes: &[Change],
    enrolling: &[usize],
    guardrails: &Guardrails,
    co_managed: usize,
) -> Vec<Judgement> {
    let rows = |counts: &dyn Fn(&Change) -> bool| -> BTreeSet<usize> {
        changes
            .iter()
            .filter(|change| counts(change))
            .map(|change| change.row)
            .collect()
    };
    let mut all = rows(&|_| true);
    all.extend(enrolling);
    let leaving = rows(&|change| change.to == Authority::ConfigurationManager);
    [
        (
            Guardrail::MaxChangedDevices,
            guardrails.max_changed_devices,
            all.len(),
        ),
        (Guardrail::MaxLeaving, guardrails.max_leaving, leaving.len()),
    ]
    .into_iter()
    .map(|(name, allowed, devices)| {
        let limit = allowed.round_up(co_managed);
        Judgement {
            name,
            allowed: allowed.to_string(),
            limit,
            devices,
            exceeded: devices > limit,
        }
    })
    .collect()
}
