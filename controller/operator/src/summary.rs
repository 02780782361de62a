//! What a pass comes to: for whoever watches, and for the audit trail.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::code::Code;
use diarchy_core::convergence::{UnderWay, converge};
use diarchy_core::desired::Desired;
use diarchy_core::engine::Engine;
use diarchy_core::fact::Fact;
use diarchy_core::inference::{self, ShownSlider};
use diarchy_core::inventory::Device;
use diarchy_core::plan::Change;
use diarchy_core::selector::TimeKey;
use diarchy_core::tally::Tally;
use diarchy_core::ternary::Ternary;
use diarchy_core::workload::{Authority, Slider, Workload};
use diarchy_fleet::EstateError;
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::site::lever::LeverMemory;
use diarchy_fleet::site::pending::RuleState;
use diarchy_fleet::site::pilot::PilotState;

use crate::audit::{Entry, Event};
use crate::context::{Decided, FleetPass};
use crate::error::OperatorError;
use crate::memory::{FleetMemory, Waiting};
use crate::report::{FleetReport, WaitingReport};
use crate::write::Written;

/// Where devices show the sliders to stand, and how many a slider in its place would move.
pub struct Shown {
    /// By [`Workload::index`].
    pub sliders: [ShownSlider; 7],
    /// By [`Workload::index`], devices whose report contradicts slider and collection.
    pub contradicting: [usize; 7],
}

impl Shown {
    /// What `devices` show.
    pub fn new(
        desired: &Desired,
        devices: &[Device],
        is_in_flight: &dyn Fn(&Device, Workload) -> bool,
    ) -> Self {
        match &desired.policy {
            None => Self {
                sliders: [ShownSlider::Unknown; 7],
                contradicting: [0; 7],
            },
            Some(policy) => Self {
                sliders: inference::shown_sliders(policy, devices, is_in_flight),
                contradicting: inference::count_contradicting(policy, devices, is_in_flight),
            },
        }
    }
}

/// Whether a device's report is newer than our last write for it.
pub fn is_evidence<'a>(
    engine: &'a Engine<'_>,
    memory: &'a FleetMemory,
) -> impl Fn(usize, Workload) -> bool + 'a {
    move |row, workload| {
        let inventory = engine.inventory();
        let Some(write) = memory.last_write(inventory.first_id(row), workload) else {
            return true;
        };
        match inventory.time(TimeKey::LastSync).get(row) {
            Fact::Known(reported) => reported > write.at,
            Fact::Absent | Fact::Unread => false,
        }
    }
}

/// Notes in the audit trail which devices now report to be where our last write put them, and
/// forgets those writes: they have nothing left to prove.
pub fn audit_observed(
    pass: &FleetPass<'_>,
    engine: &Engine<'_>,
    memory: &mut FleetMemory,
) -> Result<(), OperatorError> {
    let inventory = engine.inventory();
    let mut entries = Vec::new();
    for row in 0..inventory.rows() {
        let Some(writes) = memory.writes.get(inventory.first_id(row)) else {
            continue;
        };
        let arrived: Vec<(Workload, Authority)> = writes
            .iter()
            .filter(|(workload, write)| {
                let report = inventory.observed(**workload).get(row);
                let holds = engine.holding(row, **workload).map(|h| !h.is_empty());
                let wanted = write.to == Authority::Intune;
                is_evidence(engine, memory)(row, **workload)
                    && report == Ternary::from(wanted)
                    && holds == Some(wanted)
            })
            .map(|(workload, write)| (*workload, write.to))
            .collect();
        for (workload, authority) in arrived {
            entries.push(Entry {
                at: engine.now(),
                fleet: pass.name(),
                revision: pass.revision.to_owned(),
                event: Event::Observed {
                    device: inventory.id(row).to_owned(),
                    workload,
                    authority,
                },
            });
            memory.arrived(inventory.first_id(row), workload);
        }
    }
    pass.store.audit(&entries)
}

/// What the pass found and did.
pub fn report(
    pass: &FleetPass<'_>,
    decided: &Decided<'_>,
    readings: &Readings,
    memory: &FleetMemory,
    lever: &LeverMemory,
    written: &Written,
    shown: &Shown,
) -> FleetReport {
    let engine = &decided.engine;
    let evidence = is_evidence(engine, memory);
    let tally = Tally::new(engine, &evidence);
    let rules = Rules::new(readings, lever);
    let waiting: BTreeSet<Change> = decided
        .acceptance
        .waiting
        .iter()
        .flat_map(|waiting| waiting.changes.iter().copied())
        .collect();
    let key = |row, workload| Some((workload, engine.inventory().resource_id(row)?));
    let is_sent = |row, workload| {
        key(row, workload).is_some_and(|key| rules.pending.contains(&key))
            || memory
                .last_write(engine.inventory().first_id(row), workload)
                .is_some()
    };
    let is_outside =
        |row, workload| key(row, workload).is_some_and(|key| rules.outside.contains(&key));
    let convergence = converge(
        engine,
        &UnderWay {
            waiting: &waiting,
            is_sent: &is_sent,
            is_outside: &is_outside,
            is_evidence: &evidence,
        },
    );
    let handing_over = decided
        .plan
        .hand_overs
        .iter()
        .filter(|hand_over| !is_outside(hand_over.row, hand_over.workload))
        .count();
    let told = |errors: Vec<&EstateError>| -> Vec<String> {
        let errors = errors.into_iter();
        errors
            .map(|error| format!("{}: {error}", error.code()))
            .collect()
    };
    let mut problems = told(readings.failures());
    problems.extend(pilot_states(readings).iter().filter_map(unreadable));
    problems.extend(written.problems.iter().cloned());
    FleetReport {
        fleet: engine.desired().fleet.clone(),
        revision: pass.revision.to_owned(),
        at: pass.clock.now(),
        devices: decided.plan.devices,
        eligible: decided.plan.eligible,
        convergence,
        workloads: engine
            .desired()
            .pilot_workloads()
            .map(|workload| (workload, tally.workloads[workload.index()]))
            .collect(),
        waiting: memory.waiting.as_ref().map(waiting_report),
        stopped: decided.hold.as_ref().map(ToString::to_string),
        manual_steps: manual_steps(engine.desired(), readings, shown),
        problems,
        lacking: told(readings.lacking()),
        sent: written.rules,
        requests: written.requests,
        handing_over,
        throttled_until: [
            pass.estate.graph.throttled_until(),
            pass.estate.site.throttled_until(),
        ]
        .into_iter()
        .flatten()
        .max(),
    }
}

/// Rules that have not become memberships, by workload and device.
struct Rules {
    pending: BTreeSet<(Workload, u32)>,
    outside: BTreeSet<(Workload, u32)>,
}

impl Rules {
    fn new(readings: &Readings, lever: &LeverMemory) -> Self {
        let mut rules = Self {
            pending: BTreeSet::new(),
            outside: BTreeSet::new(),
        };
        let Ok(state) = &readings.site.state else {
            return rules;
        };
        for rule in state.pending(lever) {
            let key = (rule.workload, rule.resource);
            match rule.state {
                RuleState::Pending => rules.pending.insert(key),
                RuleState::OutsideLimitingCollection => rules.outside.insert(key),
                RuleState::Member => false,
            };
        }
        rules
    }
}

fn waiting_report(waiting: &Waiting) -> WaitingReport {
    let (changes, leaving) = waiting.counts();
    WaitingReport {
        digest: waiting.digest.to_string(),
        reason: waiting.reason(),
        changes,
        leaving,
        since: waiting.since,
    }
}

/// What a person has to do at the console, as exact steps.
pub fn manual_steps(desired: &Desired, readings: &Readings, shown: &Shown) -> Vec<String> {
    let Some(policy) = &desired.policy else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    for workload in Workload::ASSIGNABLE {
        let Some(slider) = policy.slider(workload) else {
            continue;
        };
        if shown.sliders[workload.index()] == ShownSlider::Contradicted {
            let place = match slider {
                Slider::ConfigurationManager => "Configuration Manager",
                Slider::PilotIntune => "Pilot Intune",
                Slider::Intune => "Intune",
            };
            steps.push(format!(
                "Administration > Cloud Services > Cloud Attach > Properties > Workloads: move {} to {place} (would move {} devices)",
                workload.console_name(),
                shown.contradicting[workload.index()],
            ));
        }
    }
    let Ok(state) = &readings.site.state else {
        return steps;
    };
    for (workload, pilot) in &state.pilots {
        let id = pilot.id.as_str();
        match &pilot.state {
            PilotState::Marked => {}
            PilotState::NotMarked => steps.push(format!(
                "Assets and Compliance > Device Collections > {id} > Properties: write `diarchy: {}/{workload}` into the Comment, so that Diarchy may write to it",
                desired.fleet.name
            )),
            PilotState::Unsafe(hazards) => {
                let hazards: Vec<String> = hazards.iter().map(ToString::to_string).collect();
                steps.push(format!(
                    "Assets and Compliance > Device Collections > {id}: the pilot collection of {workload} is not safe to write to: {}",
                    hazards.join("; ")
                ));
            }
            PilotState::Unreadable(why) => steps.push(format!(
                "The pilot collection {id} of {workload} cannot be read: {why}"
            )),
        }
    }
    steps
}

/// What is wrong with a pilot collection that cannot be read.
fn unreadable((workload, state): (&Workload, &PilotState)) -> Option<String> {
    match state {
        PilotState::Unreadable(why) => Some(format!(
            "{}: the pilot collection of {workload} cannot be read: {why}",
            Code::CollectionNotUsable
        )),
        PilotState::Marked | PilotState::NotMarked | PilotState::Unsafe(_) => None,
    }
}

/// The collection states of the pilots, for statuses.
pub fn pilot_states(readings: &Readings) -> BTreeMap<Workload, PilotState> {
    match &readings.site.state {
        Ok(state) => state
            .pilots
            .iter()
            .map(|(workload, pilot)| (*workload, pilot.state.clone()))
            .collect(),
        Err(_) => BTreeMap::new(),
    }
}
