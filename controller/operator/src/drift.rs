//! What somebody else has changed since the last pass: found, told apart from what is under way, and
//! remembered until it is over.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::drift::{self, Drift, DriftEnd, Drifts, Left, Sight};
use diarchy_core::engine::{Engine, Holding};
use diarchy_core::identity::Identities;
use diarchy_core::inventory::Inventory;
use diarchy_core::workload::{Staged, Workload};

use crate::audit::Event;
use crate::footprint::Footprint;
use crate::memory::FleetMemory;
use crate::people::Notes;
use crate::report::{DriftReport, DriftingDevice};
use crate::site_rules::SiteRules;
use crate::summary::{self, Shown};

/// The most devices that are named.
const EXAMPLES: usize = 20;

/// What a pass sees of the estate.
pub struct Seen<'a> {
    /// The rules, with rollouts where they are.
    pub engine: &'a Engine<'a>,
    /// What the owned collections hold.
    pub rules: &'a SiteRules,
    /// Where devices show the sliders to stand.
    pub shown: &'a Shown,
    /// How devices stood when the loop last looked, if that is known.
    pub before: Option<&'a Footprint>,
    /// The devices that were known then.
    pub known: &'a Identities,
}

/// Finds what drifts and what does not any more, and remembers and notes both.
pub fn note(
    seen: &Seen<'_>,
    memory: &mut FleetMemory,
    notes: &mut Notes,
    entry: impl Fn(Event) -> crate::audit::Entry,
) {
    note_sliders(seen, memory, notes, &entry);
    let inventory = seen.engine.inventory();
    let workloads: Vec<Workload> = seen.engine.desired().pilot_workloads().collect();
    let mut gone: BTreeSet<String> = memory.drifts.keys().cloned().collect();
    let mut drifts = Drifts::new();
    for row in 0..inventory.rows() {
        let first = inventory.first_id(row);
        let open = memory.drifts.get(first);
        gone.remove(first);
        for workload in &workloads {
            let open = open.and_then(|open| open.get(workload));
            let pair = (row, *workload);
            let judged = judge(seen, pair, open, memory);
            if let Some(event) = judged.event {
                notes.entries.push(entry(event));
            }
            if let Some(drift) = judged.drift {
                let of_device = drifts.entry(first.to_owned()).or_default();
                of_device.insert(*workload, drift);
            }
        }
    }
    for first in gone {
        for (workload, drift) in &memory.drifts[&first] {
            let event = ended(&first, *workload, drift, DriftEnd::Gone);
            notes.entries.push(entry(event));
        }
    }
    memory.drifts = drifts;
}

/// What drifts now, of one device and workload, and what is to be noted.
#[derive(Default)]
struct Judged {
    drift: Option<Drift>,
    event: Option<Event>,
}

fn judge(
    seen: &Seen<'_>,
    (row, workload): (usize, Workload),
    open: Option<&Drift>,
    memory: &FleetMemory,
) -> Judged {
    let (engine, inventory) = (seen.engine, seen.engine.inventory());
    let left = seen
        .before
        .filter(|_| seen.known.knows(inventory.first_id(row)))
        .map(|before| before.left(inventory, row, workload));
    let is_held = || {
        let holding = engine.holding(row, workload);
        holding.is_some_and(|holding: &Holding| !holding.is_empty())
    };
    // Most devices are in no pilot, were in none, and are rightly so.
    if open.is_none() && left.is_none_or(|left| left == Left::default()) && !is_held() {
        return Judged::default();
    }
    let sight = sight(seen, (row, workload), memory);
    let device = inventory.id(row);
    if let Some(drift) = open {
        return match drift::has_ended(engine, (row, workload), drift, &sight) {
            None => Judged {
                drift: Some(*drift),
                event: None,
            },
            Some(end) => Judged {
                drift: None,
                event: Some(ended(device, workload, drift, end)),
            },
        };
    }
    let found = left.and_then(|left| drift::drift(engine, (row, workload), &left, &sight));
    let Some((kind, wanted)) = found else {
        return Judged::default();
    };
    let drift = Drift {
        kind,
        wanted,
        since: engine.now(),
    };
    Judged {
        drift: Some(drift),
        event: Some(Event::Drifted {
            device: device.to_owned(),
            workload,
            kind,
            wanted,
        }),
    }
}

fn sight(seen: &Seen<'_>, (row, workload): (usize, Workload), memory: &FleetMemory) -> Sight {
    let inventory = seen.engine.inventory();
    let number = inventory.resource_id(row);
    let write = memory.last_write(inventory.first_id(row), workload);
    Sight {
        has_rule: number
            .is_some_and(|number| seen.rules.has_rule(Staged::Workload(workload), number)),
        is_evidence: summary::is_evidence(inventory, memory)(row, workload),
        on_its_way: write.map(|write| write.to),
        slider_contradicted: seen.shown.contradicted().contains(workload),
    }
}

fn ended(device: &str, workload: Workload, drift: &Drift, end: DriftEnd) -> Event {
    Event::DriftEnded {
        device: device.to_owned(),
        workload,
        kind: drift.kind,
        since: drift.since,
        end,
    }
}

/// Sliders that somebody has moved, and those that stand where they should again.
fn note_sliders(
    seen: &Seen<'_>,
    memory: &mut FleetMemory,
    notes: &mut Notes,
    entry: &impl Fn(Event) -> crate::audit::Entry,
) {
    let contradicted = seen.shown.contradicted();
    let before = std::mem::take(&mut memory.contradicted);
    for workload in contradicted.iter() {
        let since = before.get(&workload).copied();
        if since.is_none() {
            notes.entries.push(entry(Event::SliderMoved {
                workload,
                devices: seen.shown.contradicting[workload.index()],
            }));
        }
        let since = since.unwrap_or_else(|| seen.engine.now());
        memory.contradicted.insert(workload, since);
    }
    for (workload, since) in before {
        if !contradicted.contains(workload) {
            let event = Event::SliderMovedBack { workload, since };
            notes.entries.push(entry(event));
        }
    }
}

/// What drifts, for whoever watches.
pub fn report(inventory: &Inventory, memory: &FleetMemory) -> DriftReport {
    let mut report = DriftReport::default();
    if memory.drifts.is_empty() {
        return report;
    }
    let mut counts: BTreeMap<_, BTreeMap<_, usize>> = BTreeMap::new();
    for drifts in memory.drifts.values() {
        for (workload, drift) in drifts {
            let of_workload = counts.entry(*workload).or_default();
            *of_workload.entry(drift.kind).or_default() += 1;
        }
    }
    report.devices = memory.drifts.len();
    report.counts = counts;
    for row in 0..inventory.rows() {
        let Some(drifts) = memory.drifts.get(inventory.first_id(row)) else {
            continue;
        };
        for (workload, drift) in drifts {
            if report.examples.len() == EXAMPLES {
                return report;
            }
            report.examples.push(DriftingDevice {
                device: summary::device_name(inventory, row),
                workload: *workload,
                drift: *drift,
            });
        }
    }
    report
}
