//! What the statuses of all kinds have in common.

use diarchy_core::workload::Slider;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many examples, failures or errors a status lists at most: it never grows with the fleet.
pub const EXAMPLES: usize = 20;

/// Where a slider stands, as far as the devices tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ObservedSlider {
    /// Configuration Manager keeps the workload on every device.
    ConfigurationManager,
    /// The members of the workload's pilot collection are Intune's.
    PilotIntune,
    /// Every co-managed Windows device is Intune's.
    Intune,
    /// Too few devices have reported to tell.
    Unknown,
    /// Devices contradict each other.
    Contradicted,
}

impl From<Slider> for ObservedSlider {
    fn from(slider: Slider) -> Self {
        match slider {
            Slider::ConfigurationManager => Self::ConfigurationManager,
            Slider::PilotIntune => Self::PilotIntune,
            Slider::Intune => Self::Intune,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::co_management_policy::CoManagementPolicyStatus;
    use crate::device_group::DeviceGroupStatus;
    use crate::fleet::FleetStatus;
    use crate::git_source::GitSourceStatus;
    use crate::workload_assignment::WorkloadAssignmentStatus;

    fn reads_back<S: Serialize + DeserializeOwned + Default + PartialEq + std::fmt::Debug>(
        status: &Value,
    ) {
        let read: S = serde_json::from_value(status.clone()).unwrap();
        assert_eq!(&serde_json::to_value(&read).unwrap(), status);
        // A status that says nothing yet is written as nothing, and nothing is enough to read one.
        assert_eq!(serde_json::to_value(S::default()).unwrap(), json!({}));
        assert_eq!(
            serde_json::from_value::<S>(json!({})).unwrap(),
            S::default()
        );
    }

    fn with_common(mut status: Value) -> Value {
        status["observedGeneration"] = json!(3);
        status["lastHandledReconcileAt"] = json!("2026-11-22T08:00:00Z");
        status["conditions"] = json!([{
            "type": "Ready",
            "status": "True",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-11-22T08:00:00Z",
            "reason": "Accepted",
            "message": "being carried out",
        }]);
        status
    }

    #[test]
    fn a_fleet_says_all_that_it_should() {
        reads_back::<FleetStatus>(&with_common(json!({
            "devices": { "total": 9, "coManaged": 8, "configurationManagerOnly": 7, "intuneOnly": 6,
                "thirdPartyMdm": 5, "enrolledFirst": 4, "unmatched": 3, "stale": 2 },
            "enrollment": { "eligible": 5, "scheduled": 4, "initiated": 3, "enrolled": 2, "failed": 1 },
            "enrollmentErrors": [{ "code": 2_149_056_536_u32, "name": "MENROLL_E_USERLICENSE", "devices": 4 }],
            "workloads": { "WindowsUpdatePolicies": { "slider": "Contradicted", "desired": 9, "assigned": 8,
                "observed": 7, "offline": 6, "held": 5, "foreign": 4, "retained": 3 } },
            "waitingPlan": { "digest": "sha256:00", "changes": 5, "leaving": 1,
                "reason": "MaxChangedDevices", "since": "2026-11-22T08:00:00Z" },
            "mdmAuthority": "Intune",
            "siteVersion": "2503",
            "lastInventory": { "time": "2026-11-22T08:00:00Z", "duration": "41s", "devices": 9 },
        })));
    }

    #[test]
    fn a_group_says_all_that_it_should() {
        reads_back::<DeviceGroupStatus>(&with_common(json!({
            "members": 3, "unknown": 2, "eligible": 1, "digest": "sha256:00", "examples": ["PC-0815"],
        })));
    }

    #[test]
    fn a_policy_says_all_that_it_should() {
        reads_back::<CoManagementPolicyStatus>(&with_common(json!({
            "sliders": { "ClientApps": { "desired": "PilotIntune", "observed": "Unknown", "collection": "NotMarked" } },
            "manualSteps": ["Administration > Cloud Services: move Client apps to Pilot Intune (would move 0 devices)"],
        })));
    }

    #[test]
    fn a_source_says_all_that_it_should() {
        reads_back::<GitSourceStatus>(&with_common(json!({
            "lastAttemptedRevision": "main@sha1:00", "lastAppliedRevision": "main@sha1:01", "resources": 42,
            "inventory": ["diarchy.dev/WorkloadAssignment/contoso/windows-update-emea"],
        })));
    }

    #[test]
    fn an_assignment_says_all_that_it_should() {
        reads_back::<WorkloadAssignmentStatus>(&with_common(json!({
            "devices": { "selected": 9, "eligible": 8, "admitted": 7, "desired": 6, "assigned": 5,
                "observed": 4, "offline": 3, "pending": 2, "failed": 1, "held": 0 },
            "rollout": { "step": 2, "of": 3, "phase": "AwaitingApproval",
                "since": "2026-11-22T08:00:00Z", "until": "2026-11-23T08:00:00Z" },
            "rejectedSpec": "sha256:00",
            "failures": [{ "device": "PC-0815", "reason": "ProgressDeadlineExceeded", "since": "2026-11-22T07:00:00Z" }],
        })));
    }
}
