//! The status of a fleet whose pass could not be made.

use diarchy_core::consequence::Consequence;
use diarchy_crds::fleet::FleetStatus;
use jiff::Timestamp;
use serde_json::Value;

use crate::condition::{ConditionKind, Truth, merge};
use crate::error::OperatorError;

/// The status of a fleet after a pass that ended in `error`: what was known stays, and is no longer
/// sure. `old` is the status reported last.
#[must_use]
pub fn failed(error: &OperatorError, old: Option<&Value>, now: Timestamp) -> Value {
    let old: FleetStatus = old
        .and_then(|old| serde::Deserialize::deserialize(old).ok())
        .unwrap_or_default();
    let message = format!("{}: {error}: {}", error.code(), error.remedy());
    let truth = |kind: ConditionKind, holds: bool| Truth {
        kind,
        holds,
        reason: error.reason(),
        message: message.clone(),
    };
    let is_stalled = error.consequence() == Consequence::FixInput;
    let truths = vec![
        truth(ConditionKind::Ready, false),
        truth(ConditionKind::Converged, false),
        truth(ConditionKind::Stalled, is_stalled),
    ];
    let conditions = merge(&old.conditions, truths, now);
    let status = FleetStatus { conditions, ..old };
    serde_json::to_value(status).unwrap_or_default()
}
