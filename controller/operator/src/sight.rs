//! What was read of an estate besides its devices, and whether it is all there is.

use diarchy_core::workload::WorkloadSet;
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::site::pilot::PilotState;
use diarchy_fleet::site::state::Claim;
use serde::{Deserialize, Serialize};

use crate::memory::Sizes;
use crate::site_rules::SiteRules;
use crate::summary;

/// What was read of an estate besides its devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sight {
    /// The claim in force, or why the site's collections could not be read.
    pub claim: Result<Option<Claim>, String>,
    /// Whether everything that was asked for was read, and both services know devices.
    pub is_whole: bool,
    /// How many devices each service has told, where both have told all.
    pub sizes: Option<Sizes>,
    /// Workloads whose slider most devices contradict.
    pub contradicted: WorkloadSet,
    /// What the owned collections hold.
    pub rules: SiteRules,
}

impl Sight {
    /// What `readings` say, of which the site's `rules` are taken already, and how many devices there are.
    pub fn new(
        readings: &Readings,
        sizes: Option<Sizes>,
        contradicted: WorkloadSet,
        rules: SiteRules,
    ) -> Self {
        let claim = match &readings.site.state {
            Ok(state) => Ok(state.claim_in_force().cloned()),
            Err(error) => Err(error.to_string()),
        };
        let both_know_devices = sizes.is_some_and(|sizes| sizes.site > 0 && sizes.intune > 0);
        Self {
            claim,
            is_whole: both_know_devices
                && are_pilots_read(readings)
                && readings.failures().is_empty(),
            sizes,
            contradicted,
            rules,
        }
    }
}

/// Whether every pilot collection was read, so that all that Diarchy made is known.
pub fn are_pilots_read(readings: &Readings) -> bool {
    let pilots = summary::pilot_states(readings);
    pilots
        .values()
        .all(|state| !matches!(state, PilotState::Unreadable(_)))
}

/// Whether both services have told all their devices.
pub fn are_devices_read(readings: &Readings) -> bool {
    readings.site.systems.is_ok() && readings.graph.managed_devices.is_ok()
}
