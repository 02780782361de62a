//! What a pass comes to: for whoever watches, and for the audit trail.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::code::Code;
use diarchy_core::convergence::{UnderWay, converge};
use diarchy_core::desired::{Desired, Force, FrozenBy};
use diarchy_core::engine::{Engine, Verdict};
use diarchy_core::fact::Fact;
use diarchy_core::inference::{self, ShownSlider};
use diarchy_core::inventory::{Device, Inventory};
use diarchy_core::resource::ObjectName;
use diarchy_core::selector::{TextKey, TimeKey};
use diarchy_core::tally::{EnrollmentTally, Tally};
use diarchy_core::ternary::Ternary;
use diarchy_core::workload::{Authority, Staged, Workload, WorkloadSet};
use diarchy_fleet::EstateError;
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::site::lever::LeverMemory;
use diarchy_fleet::site::pending::RuleState;
use diarchy_fleet::site::pilot::PilotState;

use crate::audit::{Entry, Event};
use crate::context::{Decided, FleetPass};
use crate::drift;
use crate::footprint;
use crate::manual_steps::manual_steps;
use crate::memory::{FleetMemory, Waiting};
use crate::report::{FleetReport, RolloutReport, UnmetReport, WaitingReport};
use crate::write::Written;

/// Where devices show the sliders to stand, and how many a slider in its place would move.
pub struct Shown {
    /// By [`Workload::index`].
    pub sliders: [ShownSlider; 7],
    /// By [`Workload::index`], devices whose report contradicts slider and collection.
    pub contradicting: [usize; 7],
    /// How automatic enrolment shows to be set.
    pub enrollment: ShownSlider,
    /// Devices that are about to enrol, where Graph told.
    pub scheduled: Option<usize>,
}

impl Shown {
    /// What `devices` show, and the `scheduled` ones that are about to enrol.
    pub fn new(
        desired: &Desired,
        devices: &[Device],
        scheduled: Option<u64>,
        is_in_flight: &dyn Fn(&Device, Workload) -> bool,
    ) -> Self {
        let scheduled = scheduled.and_then(|devices| usize::try_from(devices).ok());
        let Some(policy) = &desired.policy else {
            return Self {
                sliders: [ShownSlider::Unknown; 7],
                contradicting: [0; 7],
                enrollment: ShownSlider::Unknown,
                scheduled,
            };
        };
        let members = policy.enrollment_pilot.as_ref().map(|_| {
            let members = devices.iter();
            let is_member = |device: &&Device| device.enrollment_pilot == Fact::Known(true);
            members.filter(is_member).count()
        });
        let enrollment = policy
            .enrollment
            .automatic
            .map(|automatic| inference::shown_enrollment(automatic, scheduled, members));
        Self {
            sliders: inference::shown_sliders(policy, devices, is_in_flight),
            contradicting: inference::count_contradicting(policy, devices, is_in_flight),
            enrollment: enrollment.unwrap_or(ShownSlider::Unknown),
            scheduled,
        }
    }

    /// Workloads whose slider most devices contradict: for those nothing is written.
    pub fn contradicted(&self) -> WorkloadSet {
        let workloads = Workload::ALL.into_iter();
        workloads
            .filter(|workload| self.sliders[workload.index()] == ShownSlider::Contradicted)
            .collect()
    }
}

/// Whether a person must move the slider of `workload`, or see to its pilot collection.
pub fn needs_console(
    workload: Workload,
    shown: &Shown,
    pilots: &BTreeMap<Staged, PilotState>,
) -> bool {
    let pilot = pilots.get(&Staged::Workload(workload));
    shown.contradicted().contains(workload)
        || matches!(pilot, Some(PilotState::NotMarked | PilotState::Unsafe(_)))
}

/// How people know the device in `row`: by its name, or by its id if it has none.
pub fn device_name(inventory: &Inventory, row: usize) -> String {
    match inventory.text(TextKey::Name).get(row) {
        Fact::Known(name) => name.to_string(),
        Fact::Absent | Fact::Unread => inventory.id(row).to_owned(),
    }
}

/// Whether a device's report is newer than our last write for it.
pub fn is_evidence<'a>(
    inventory: &'a Inventory,
    memory: &'a FleetMemory,
) -> impl Fn(usize, Workload) -> bool + 'a {
    move |row, workload| {
        let Some(write) = memory.last_write(inventory.first_id(row), workload) else {
            return true;
        };
        match inventory.time(TimeKey::LastSync).get(row) {
            Fact::Known(reported) => reported > write.at,
            Fact::Absent | Fact::Unread => false,
        }
    }
}

/// Which devices now report to be where our last write put them, for the audit trail. Those writes are
/// forgotten: they have nothing left to prove.
pub fn observed<P>(
    pass: &FleetPass<'_, P>,
    engine: &Engine<'_>,
    memory: &mut FleetMemory,
) -> Vec<Entry> {
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
                is_evidence(inventory, memory)(row, **workload)
                    && report == Ternary::from(wanted)
                    && holds == Some(wanted)
            })
            .map(|(workload, write)| (*workload, write.to))
            .collect();
        for (workload, authority) in arrived {
            let observed = Event::Observed {
                device: inventory.id(row).to_owned(),
                workload,
                authority,
            };
            entries.push(pass.entry(engine.now(), observed));
            memory.arrived(inventory.first_id(row), workload);
        }
    }
    entries
}

/// What the pass found and did.
pub fn report<P>(
    pass: &FleetPass<'_, P>,
    decided: &Decided<'_>,
    readings: &Readings,
    memory: &FleetMemory,
    lever: &LeverMemory,
    written: &Written,
    shown: &Shown,
) -> FleetReport {
    let engine = &decided.engine;
    let evidence = is_evidence(engine.inventory(), memory);
    let tally = Tally::new(engine, &evidence);
    let rules = Rules::new(readings, lever);
    let waiting: BTreeSet<(usize, Workload)> = decided
        .acceptance
        .waiting
        .iter()
        .flat_map(|waiting| &waiting.changes)
        .map(|change| (change.row, change.workload))
        .collect();
    let key = |row, staged| Some((staged, engine.inventory().resource_id(row)?));
    let is_sent = |row, workload| {
        key(row, Staged::Workload(workload)).is_some_and(|key| rules.pending.contains(&key))
            || memory
                .last_write(engine.inventory().first_id(row), workload)
                .is_some()
    };
    let is_outside_of =
        |row, staged| key(row, staged).is_some_and(|key| rules.outside.contains(&key));
    let is_outside = |row, workload| is_outside_of(row, Staged::Workload(workload));
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
    let enrolling = decided
        .plan
        .enrolling
        .iter()
        .filter(|row| !is_outside_of(**row, Staged::Enrollment))
        .count();
    let mut problems = told(readings.failures());
    problems.extend(pilot_states(readings).iter().filter_map(unreadable));
    problems.extend(written.problems.iter().cloned());
    FleetReport {
        fleet: engine.desired().fleet.clone(),
        revision: pass.revision.shown.to_owned(),
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
        rollouts: rollouts(decided, memory),
        unmet: unmet(engine.desired()),
        stopped: decided.hold.as_ref().map(ToString::to_string),
        manual_steps: manual_steps(engine.desired(), readings, shown),
        problems,
        lacking: told(readings.lacking()),
        sent: written.rules,
        requests: written.requests,
        handing_over,
        enrollment: EnrollmentTally::new(engine),
        enrolling,
        outside: outside(engine, &is_outside),
        has_read_rules: footprint::is_seen(readings, memory.footprint.as_ref()),
        drift: drift::report(engine.inventory(), memory),
        throttled_until: [
            pass.estate.graph.throttled_until(),
            pass.estate.site.throttled_until(),
        ]
        .into_iter()
        .flatten()
        .max(),
    }
}

/// What assignments wait for that they require.
fn unmet(desired: &Desired) -> Vec<UnmetReport> {
    let assignments = desired.assignments.iter();
    let waiting = assignments.filter(|one| one.force == Force::Frozen(FrozenBy::Requires));
    waiting
        .flat_map(|one| {
            one.unmet.iter().map(|unmet| UnmetReport {
                assignment: one.name.clone(),
                unmet: unmet.clone(),
            })
        })
        .collect()
}

/// How far the rollouts of assignments in force are.
fn rollouts(decided: &Decided<'_>, memory: &FleetMemory) -> Vec<RolloutReport> {
    let desired = decided.engine.desired();
    let in_force = decided.moves.iter().filter_map(|(index, moves)| {
        let assignment = desired.assignment(*index);
        let steps = assignment.rollout.as_ref()?.steps.len();
        let progress = memory.rollouts.get(&assignment.name.to_string())?;
        assignment.force.is_in_force().then(|| RolloutReport {
            assignment: assignment.name.clone(),
            workload: assignment.workload,
            step: progress.step + 1,
            of: steps,
            phase: progress.phase(),
            counts: moves.counts,
            digest: progress.awaits().map(|digest| digest.to_string()),
            why: progress.stage.stopped().map(|why| why.to_string()),
        })
    });
    in_force.collect()
}

/// By assignment, the online devices that it asks for and that the limiting collection lacks.
fn outside(
    engine: &Engine<'_>,
    is_outside: &dyn Fn(usize, Workload) -> bool,
) -> BTreeMap<ObjectName, usize> {
    let mut outside = BTreeMap::new();
    for row in engine.inventory().online.yes().ones() {
        for workload in engine.desired().pilot_workloads() {
            if !is_outside(row, workload) {
                continue;
            }
            if let Verdict::Change { because, .. } = engine.verdict(row, workload) {
                let name = engine.desired().assignment(because).name.clone();
                *outside.entry(name).or_default() += 1;
            }
        }
    }
    outside
}

/// Rules that have not become memberships, by pilot and device.
struct Rules {
    pending: BTreeSet<(Staged, u32)>,
    outside: BTreeSet<(Staged, u32)>,
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
            let key = (rule.staged, rule.resource);
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

/// What is wrong with a pilot collection that cannot be read.
fn unreadable((staged, state): (&Staged, &PilotState)) -> Option<String> {
    match state {
        PilotState::Unreadable(error) => Some(format!(
            "{}: the pilot collection of {staged} cannot be read: {error}",
            Code::CollectionNotUsable
        )),
        PilotState::Marked | PilotState::NotMarked | PilotState::Unsafe(_) => None,
    }
}

/// The collection states of the pilots, for statuses.
pub fn pilot_states(readings: &Readings) -> BTreeMap<Staged, PilotState> {
    match &readings.site.state {
        Ok(state) => state
            .pilots
            .iter()
            .map(|(staged, pilot)| (*staged, pilot.state.clone()))
            .collect(),
        Err(_) => BTreeMap::new(),
    }
}
