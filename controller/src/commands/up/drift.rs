//! What drifts, for whoever watches `up`.

use diarchy_core::resource::ObjectName;
use diarchy_operator::report::DriftReport;

use crate::show::plural;

/// What somebody else has changed in a fleet, if anything.
pub fn told(fleet: &ObjectName, drift: &DriftReport) -> Option<String> {
    if drift.devices == 0 {
        return None;
    }
    let example = drift.examples.first();
    let example = example.map(|one| format!(", for example {}", one.device));
    let mut lines = vec![format!(
        "{fleet}: {} drifting{}",
        plural(drift.devices, "device"),
        example.unwrap_or_default(),
    )];
    for (workload, kinds) in &drift.counts {
        for (kind, devices) in kinds {
            let devices = plural(*devices, "device");
            lines.push(format!("  {workload}: {devices}: {}", kind.told()));
        }
    }
    Some(lines.join("\n"))
}
