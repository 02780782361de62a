//! What of the audit trail is kept beside what else is remembered.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::history::{DeviceEvent, DeviceRecord, History, RequirementRecord, StepRecord};
use diarchy_core::inventory::Inventory;
use diarchy_core::workload::Workload;

use crate::audit::{Entry, Event};
use crate::summary;

/// Keeps what `entries` say of devices in `inventory`, and of assignments.
pub fn keep(history: &mut History, inventory: &Inventory, entries: &[Entry]) {
    let told: Vec<(&Entry, &str, Workload, DeviceEvent)> = entries
        .iter()
        .filter_map(|entry| {
            let (device, workload, event) = of_device(&entry.event)?;
            Some((entry, device, workload, event))
        })
        .collect();
    let devices = told.iter().map(|(_, device, ..)| *device).collect();
    let names = names(inventory, &devices);
    for (entry, device, workload, what) in told {
        let record = DeviceRecord {
            at: entry.at,
            revision: entry.revision.clone(),
            workload,
            what,
        };
        let name = names.get(device).map(String::as_str);
        history.note_device(device, name, record);
    }
    for entry in entries {
        if let Some((assignment, record)) = of_rollout(entry) {
            history.note_step(assignment, record);
        }
        if let Some((assignment, record)) = of_requirement(entry) {
            history.note_requirement(assignment, record);
        }
    }
    history.trim();
}

/// The names of these devices, in one look through the inventory.
fn names<'i>(inventory: &'i Inventory, ids: &BTreeSet<&str>) -> BTreeMap<&'i str, String> {
    if ids.is_empty() {
        return BTreeMap::new();
    }
    let rows = (0..inventory.rows()).filter(|row| ids.contains(inventory.id(*row)));
    rows.map(|row| (inventory.id(row), summary::device_name(inventory, row)))
        .collect()
}

fn of_device(event: &Event) -> Option<(&str, Workload, DeviceEvent)> {
    let (device, workload, event) = match event {
        Event::Asked {
            device,
            workload,
            to,
            because,
        } => {
            let because = because.clone();
            (device, *workload, DeviceEvent::Asked { to: *to, because })
        }
        Event::Observed {
            device,
            workload,
            authority,
        } => {
            let authority = *authority;
            (device, *workload, DeviceEvent::Observed { authority })
        }
        Event::Drifted {
            device,
            workload,
            kind,
            wanted,
        } => {
            let (kind, wanted) = (*kind, *wanted);
            (device, *workload, DeviceEvent::Drifted { kind, wanted })
        }
        Event::DriftEnded {
            device,
            workload,
            kind,
            end,
            ..
        } => {
            let (kind, end) = (*kind, *end);
            (device, *workload, DeviceEvent::DriftEnded { kind, end })
        }
        _ => return None,
    };
    Some((device, workload, event))
}

fn of_requirement(entry: &Entry) -> Option<(&str, RequirementRecord)> {
    let (assignment, what, unmet) = match &entry.event {
        Event::RequirementMet { assignment, what } => (assignment, what, None),
        Event::RequirementUnmet {
            assignment,
            what,
            why,
        } => (assignment, what, Some(why.clone())),
        _ => return None,
    };
    let record = RequirementRecord {
        at: entry.at,
        revision: entry.revision.clone(),
        what: what.clone(),
        unmet,
    };
    Some((assignment, record))
}

fn of_rollout(entry: &Entry) -> Option<(&str, StepRecord)> {
    let Event::Rollout {
        assignment,
        phase,
        step,
        of,
        why,
        counts,
    } = &entry.event
    else {
        return None;
    };
    let record = StepRecord {
        at: entry.at,
        revision: entry.revision.clone(),
        step: *step,
        of: *of,
        phase: *phase,
        counts: *counts,
        why: why.clone(),
    };
    Some((assignment, record))
}
