//! Suspensions, freezes, pauses, windows, approvals, budgets and rollouts cannot wedge: wherever a fleet
//! stands, what keeps it from moving says what gets on, and doing that ends where git wants it.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::accept::{Acceptance, Accepted, Approved, ApprovedChange, Basis, accept};
use diarchy_core::amount::Amount;
use diarchy_core::circumstances::Circumstances;
use diarchy_core::decision::Decision;
use diarchy_core::desired::{
    AssignmentIndex, Desired, Force, Freeze, FrozenBy, Guardrails, Mode, OnFailure, Rollout, Step,
    Window,
};
use diarchy_core::digest::Digest;
use diarchy_core::due::{Brakes, due, waiting};
use diarchy_core::duration::Span;
use diarchy_core::engine::{Engine, Verdict};
use diarchy_core::inventory::Inventory;
use diarchy_core::obstacle::Obstacle;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{Act, Look, Progress, Rollouts, Said, Signals, Survey};
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::steps::{Step as SiteStep, steps};
use diarchy_core::workload::{Authority, Workload, WorkloadSet};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::json;

use crate::world::plain::{assignment, hold, holders, listed, movable, pilot};
use crate::world::{NAMESPACE, World, made_up, now};

const WORKLOADS: [Workload; 2] = [Workload::ClientApps, Workload::OfficeClickToRun];
const DEVICES: usize = 5;
/// More than any of these fleets needs.
const ROUNDS: usize = 400;

/// What stands in the way of one assignment.
#[derive(Debug, Clone)]
struct Lot {
    to_intune: bool,
    force: usize,
    /// How many devices each step has, its soak in hours, and whether a person lets the next begin.
    steps: Vec<(u32, i64, bool)>,
    max_concurrency: Option<u32>,
    max_failures: Option<u32>,
    rolls_back: bool,
    has_window: bool,
}

/// Everything that may stand in the way at once.
#[derive(Debug, Clone)]
struct Start {
    suspended: bool,
    observing: bool,
    freeze_hours: Option<i64>,
    max_changed: u32,
    per_hour: u32,
    contradicted: bool,
    lots: [Lot; 2],
    /// Devices that say nothing until a person has given their rollout another chance.
    silent: [bool; DEVICES],
    offline: [bool; DEVICES],
    /// Which of several obstacles is seen to first.
    choice: usize,
}

fn lot() -> impl Strategy<Value = Lot> {
    (
        any::<bool>(),
        0..4_usize,
        prop::collection::vec((1..4_u32, 0..30_i64, any::<bool>()), 0..3),
        prop::option::of(1..3_u32),
        prop::option::of(0..2_u32),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(to_intune, force, steps, max_concurrency, max_failures, rolls_back, has_window)| {
                Lot {
                    to_intune,
                    force,
                    steps,
                    max_concurrency,
                    max_failures,
                    rolls_back,
                    has_window,
                }
            },
        )
}

fn start() -> impl Strategy<Value = Start> {
    let braked = (any::<bool>(), any::<bool>(), prop::option::of(1..200_i64));
    let guarded = (0..6_u32, 1..4_u32, any::<bool>());
    let devices = (any::<[bool; DEVICES]>(), any::<[bool; DEVICES]>());
    (braked, guarded, [lot(), lot()], devices, 0..7_usize).prop_map(
        |(braked, guarded, lots, (silent, offline), choice)| Start {
            suspended: braked.0,
            observing: braked.1,
            freeze_hours: braked.2,
            max_changed: guarded.0,
            per_hour: guarded.1,
            contradicted: guarded.2,
            lots,
            silent,
            offline,
            choice,
        },
    )
}

/// A fleet on its way.
struct Fleet {
    world: World,
    desired: Desired,
    now: Timestamp,
    last: Option<Timestamp>,
    rollouts: Rollouts,
    accepted: Option<Accepted>,
    approvals: Vec<Approved>,
    approved_steps: BTreeSet<Digest>,
    said: Said,
    /// By first id, where the last write has it go that is not proved yet.
    sent: BTreeMap<(String, Workload), Authority>,
    sent_at: Vec<Timestamp>,
    contradicted: WorkloadSet,
    silent: [bool; DEVICES],
}

/// What a pass has found: how many steps it has taken, what stands in the way, and for which device.
#[derive(Default)]
struct Found {
    taken: usize,
    obstacles: Vec<Obstacle>,
    waiting: Option<(Digest, BTreeSet<ApprovedChange>)>,
    steps: BTreeSet<Digest>,
    /// Pairs that would change in the end, for which neither a step was taken nor anything is said.
    unexplained: Vec<(usize, Workload)>,
    changes: usize,
}

fn id(device: usize) -> String {
    format!("d{device}")
}

fn rollout(lot: &Lot) -> Option<Rollout> {
    if lot.steps.is_empty() && !lot.has_window {
        return None;
    }
    let mut devices = 0;
    let mut steps: Vec<Step> = Vec::new();
    for (more, soak, approval_required) in &lot.steps {
        devices += more;
        steps.push(Step {
            devices: Amount::Count(devices),
            soak: Span::hours((*soak).try_into().unwrap()),
            approval_required: *approval_required,
        });
    }
    if !steps.is_empty() {
        steps.push(Step {
            devices: Amount::ALL,
            soak: Span::hours(0),
            approval_required: false,
        });
    }
    Some(Rollout {
        steps,
        max_concurrency: lot.max_concurrency.map(Amount::Count),
        max_failures: lot.max_failures.map(Amount::Count),
        min_observed: None,
        progress_deadline: Some(Span::hours(12)),
        on_failure: if lot.rolls_back {
            OnFailure::Rollback
        } else {
            OnFailure::Halt
        },
        window: lot.has_window.then(|| Window {
            days: Vec::new(),
            from: "01:00".parse().unwrap(),
            to: "04:00".parse().unwrap(),
            time_zone: jiff::tz::TimeZone::UTC,
        }),
    })
}

impl Fleet {
    fn new(start: &Start) -> Self {
        let mut world = World {
            devices: (0..DEVICES).map(|at| movable(&id(at))).collect(),
            groups: vec![listed("all", (0..DEVICES).map(id))],
            policy: Some(pilot(&WORKLOADS)),
            assignments: Vec::new(),
        };
        for (at, lot) in start.lots.iter().enumerate() {
            let authority = if lot.to_intune {
                Authority::Intune
            } else {
                Authority::ConfigurationManager
            };
            let assignment = assignment(["apps", "office"][at], WORKLOADS[at], "all", authority);
            if !lot.to_intune {
                for device in &mut world.devices {
                    hold(device, WORKLOADS[at], &[assignment.reference()]);
                }
            }
            world.assignments.push(assignment);
        }
        for (at, device) in world.devices.iter_mut().enumerate() {
            let observed = WORKLOADS.iter().zip(&start.lots);
            let observed = observed.filter(|(_, lot)| !lot.to_intune);
            let observed: Vec<&str> = observed.map(|(workload, _)| workload.name()).collect();
            device.insert("observed".to_owned(), json!(observed));
            device.insert("online".to_owned(), json!(!start.offline[at]));
        }
        let mut desired = world.desired();
        desired.suspend = start.suspended;
        if start.observing {
            desired.mode = Mode::Observe;
        }
        let freeze = start.freeze_hours.map(|hours| Freeze {
            name: "audit".to_owned(),
            from: now() - SignedDuration::from_hours(1),
            to: now() + SignedDuration::from_hours(hours),
        });
        desired.guardrails = Guardrails {
            max_changed_devices: Amount::Count(start.max_changed),
            max_leaving: Amount::Count(start.max_changed),
            max_changes_per_hour: start.per_hour,
            freezes: freeze.into_iter().collect(),
            ..Guardrails::default()
        };
        for (assignment, lot) in desired.assignments.iter_mut().zip(&start.lots) {
            assignment.rollout = rollout(lot);
            assignment.force = [
                Force::InForce,
                Force::Frozen(FrozenBy::Suspend),
                Force::Frozen(FrozenBy::Pause),
                Force::Observing,
            ][lot.force];
        }
        Self {
            world,
            desired,
            now: now(),
            last: None,
            rollouts: Rollouts::new(),
            accepted: None,
            approvals: Vec::new(),
            approved_steps: BTreeSet::new(),
            said: Said::new(),
            sent: BTreeMap::new(),
            sent_at: Vec::new(),
            contradicted: if start.contradicted {
                WorkloadSet::from_iter([WORKLOADS[1]])
            } else {
                WorkloadSet::EMPTY
            },
            silent: start.silent,
        }
    }

    /// What keeps everything back.
    fn hold(&self) -> Option<Obstacle> {
        if self.desired.suspend {
            return Some(Obstacle::FleetSuspended);
        }
        if self.desired.mode == Mode::Observe {
            return Some(Obstacle::FleetObserving);
        }
        let freeze = self.desired.guardrails.open_freeze(self.now)?;
        Some(Obstacle::Frozen {
            name: freeze.name.clone(),
            until: freeze.to,
        })
    }

    fn pass(&mut self) -> Found {
        let inventory = self.world.inventory();
        let sent = self.sent.clone();
        let first = |row: usize| inventory.first_id(row).to_owned();
        let signals = Signals {
            look: Look {
                now: self.now,
                last: self.last,
                longest_gap: SignedDuration::from_hours(1_000),
            },
            is_sent: &|row, workload, to| sent.get(&(first(row), workload)) == Some(&to),
            is_evidence: &|_, _| true,
            rules: &RulesUnderWay::nothing(),
            is_outside: &|_, _| false,
            contradicted: self.contradicted,
            is_approved: &|step| self.approved_steps.contains(step),
            said: &self.said,
        };
        let engine = Engine::new(&self.desired, &inventory, self.now);
        let decision = Decision::new(engine, &self.rollouts, &signals);
        let basis = Basis {
            revision: "r1",
            before: self.accepted.as_ref(),
            approvals: &self.approvals,
            is_whole: true,
            agreed: &decision.returning,
            under_way: &RulesUnderWay::nothing(),
        };
        let acceptance = accept(&decision.engine, &decision.end, basis);
        let cleared = decision.cleared_now(&acceptance.cleared);
        let Decision {
            engine,
            survey,
            now: plan,
            ..
        } = decision;
        let under_way = RulesUnderWay::default();
        let site_steps = steps(&engine, &under_way, &cleared, &plan.hand_overs);
        let hour_ago = self.now - SignedDuration::from_hours(1);
        let lately = self.sent_at.iter().filter(|at| **at > hour_ago).count();
        let brakes = Brakes {
            left: (self.desired.guardrails.max_changes_per_hour as usize).saturating_sub(lately),
            is_asked: &|_| false,
            is_enrolling: &|_| true,
            contradicted: self.contradicted,
            moves: &survey.moves,
        };
        let hold = self.hold();
        let taken: Vec<SiteStep> = match hold {
            Some(_) => Vec::new(),
            None => due(&engine, &site_steps, &[], &brakes).steps,
        };
        let late = waiting(&engine, &site_steps, &brakes);
        let held_back = late.into_iter().map(|(step, wait)| (step.pair(), wait));
        let waits = acceptance.waiting.as_ref().map(|waiting| {
            let pairs = waiting.changes.iter();
            let pairs: BTreeSet<_> = pairs.map(|one| (one.row, one.workload)).collect();
            (waiting.digest, pairs)
        });
        let rows = |(device, workload): &(String, Workload)| {
            let row = (0..inventory.rows()).find(|row| inventory.first_id(*row) == device);
            (row.unwrap(), *workload)
        };
        let circumstances = Circumstances {
            fleet: hold,
            waiting: waits,
            by_hand: self.contradicted.iter().collect(),
            rollouts: survey.rollouts.clone(),
            held_back: held_back.collect(),
            sent: sent.keys().map(rows).collect(),
            outside: BTreeSet::new(),
        };
        let end_state = Survey::end_state(&engine, &survey.rollouts);
        let admitted: BTreeSet<(usize, usize)> = (0..self.desired.assignments.len())
            .flat_map(|index| (0..inventory.rows()).map(move |row| (index, row)))
            .filter(|(index, row)| engine.has_admitted(AssignmentIndex(*index), *row))
            .collect();
        let waiting = shown(&acceptance, &inventory);
        let end = engine.admitting(end_state);
        let has_admitted = |index: AssignmentIndex, row| admitted.contains(&(index.0, row));
        let is_taken = |pair| taken.iter().any(|step| step.pair() == pair);
        let found = Found {
            taken: taken.len(),
            waiting,
            steps: survey
                .rollouts
                .values()
                .filter_map(Progress::awaits)
                .collect(),
            ..look(&end, &circumstances, &has_admitted, &is_taken)
        };
        let writes = writes(&taken, &inventory);
        self.rollouts = survey.rollouts;
        self.accepted = acceptance.accepted;
        self.last = Some(self.now);
        for write in writes {
            self.write(write);
        }
        found
    }

    /// The site does what was sent, at once.
    fn write(&mut self, ((device, workload), places): ((String, Workload), bool)) {
        let at = WORKLOADS.iter().position(|one| *one == workload).unwrap();
        let owner = self.world.assignments[at].reference();
        let held: Vec<String> = places.then_some(owner).into_iter().collect();
        let of_id = |one: &&mut crate::world::Device| one["id"] == device.as_str();
        let found = self.world.devices.iter_mut().find(of_id).unwrap();
        hold(found, workload, &held);
        let to = if places {
            Authority::Intune
        } else {
            Authority::ConfigurationManager
        };
        self.sent.insert((device, workload), to);
        self.sent_at.push(self.now);
    }

    /// Time passes, and every device that says anything reports where it is.
    fn let_pass(&mut self, time: SignedDuration) {
        self.now += time;
        for (at, device) in self.world.devices.iter_mut().enumerate() {
            if self.silent[at] {
                continue;
            }
            device.insert("online".to_owned(), json!(true));
            let is_in = |workload: &&Workload| !holders(device, **workload).is_empty();
            let observed: Vec<&str> = WORKLOADS
                .iter()
                .filter(is_in)
                .map(|one| one.name())
                .collect();
            device.insert("observed".to_owned(), json!(observed));
            self.sent
                .retain(|(id, _), _| *id != device["id"].as_str().unwrap());
        }
    }

    fn until(&mut self, moment: Timestamp) {
        self.let_pass(
            moment
                .duration_since(self.now)
                .max(SignedDuration::from_mins(1)),
        );
    }

    fn assignment_with(&mut self, force: Force) {
        let mut all = self.desired.assignments.iter_mut();
        let found = all.find(|assignment| assignment.force == force);
        found.expect("there is one").force = Force::InForce;
    }

    /// Does what the obstacle says gets on from there.
    fn get_on(&mut self, obstacle: &Obstacle, found: &Found) {
        let hour = SignedDuration::from_hours(1);
        match obstacle {
            Obstacle::FleetSuspended => self.desired.suspend = false,
            Obstacle::FleetObserving => self.desired.mode = Mode::Enforce,
            Obstacle::Frozen { until, .. } => self.until(*until),
            Obstacle::Suspended => self.assignment_with(Force::Frozen(FrozenBy::Suspend)),
            Obstacle::Paused => self.assignment_with(Force::Frozen(FrozenBy::Pause)),
            Obstacle::Observing => self.assignment_with(Force::Observing),
            Obstacle::ManualStepNeeded => self.contradicted = WorkloadSet::EMPTY,
            Obstacle::AwaitingApproval { digest } => {
                let (waits, changes) = found.waiting.clone().expect("something waits");
                assert_eq!(waits, *digest, "another digest is shown than waits");
                self.approvals.push(Approved {
                    changes,
                    enrolling: BTreeSet::new(),
                    revision: "r1".to_owned(),
                    expires: self.now + SignedDuration::from_hours(24),
                });
            }
            Obstacle::StepAwaitingApproval { digest } => {
                assert!(found.steps.contains(digest), "no step waits for that");
                self.approved_steps.insert(*digest);
            }
            Obstacle::Halted | Obstacle::RolledBack => {
                self.silent = [false; DEVICES];
                let said = self.now.to_string();
                for name in ["apps", "office"] {
                    let of = self
                        .said
                        .entry(ObjectName::new(NAMESPACE, name))
                        .or_default();
                    of.insert(Act::Retry, said.clone());
                }
                self.let_pass(hour);
            }
            Obstacle::NotAdmitted { until, .. } => match until {
                Some(until) => self.until(*until),
                None => self.let_pass(hour),
            },
            Obstacle::OutsideWindow { opens } => self.until(opens.expect("it opens again")),
            Obstacle::MaxConcurrency
            | Obstacle::MaxChangesPerHour
            | Obstacle::Pending
            | Obstacle::NotReported { .. } => self.let_pass(hour),
            other => panic!("{other:?} cannot be here"),
        }
    }
}

/// What waits for a person, as a person is shown it.
fn shown(
    acceptance: &Acceptance,
    inventory: &Inventory,
) -> Option<(Digest, BTreeSet<ApprovedChange>)> {
    let waiting = acceptance.waiting.as_ref()?;
    let changes = waiting.changes.iter().map(|change| ApprovedChange {
        device: inventory.first_id(change.row).to_owned(),
        workload: change.workload,
        to: change.to,
    });
    Some((waiting.digest, changes.collect()))
}

/// By device and workload, whether it is placed or taken out.
fn writes(taken: &[SiteStep], inventory: &Inventory) -> Vec<((String, Workload), bool)> {
    let of = |step: &SiteStep| {
        let (row, workload) = step.pair();
        let places = matches!(step, SiteStep::Place { .. });
        ((inventory.first_id(row).to_owned(), workload), places)
    };
    taken.iter().map(of).collect()
}

/// What stands in the way of each device for which no step is taken, and for whom nothing is said.
fn look(
    end: &Engine<'_>,
    circumstances: &Circumstances,
    has_admitted: &dyn Fn(AssignmentIndex, usize) -> bool,
    is_taken: &dyn Fn((usize, Workload)) -> bool,
) -> Found {
    let mut found = Found::default();
    for row in 0..end.inventory().rows() {
        for workload in WORKLOADS {
            let pair = (row, workload);
            let admits = |index| has_admitted(index, row);
            let obstacles = circumstances.obstacles(end, pair, &admits);
            let changes = matches!(end.verdict(row, workload), Verdict::Change { .. });
            found.changes += usize::from(changes);
            if is_taken(pair) {
                continue;
            }
            if changes && obstacles.is_empty() {
                found.unexplained.push(pair);
            }
            found.obstacles.extend(obstacles.into_iter().next());
        }
    }
    found
}

/// How a fleet gets where git wants it, act by act.
fn get_there(start: &Start) -> Result<Vec<Obstacle>, String> {
    let mut fleet = Fleet::new(start);
    let mut acts: Vec<Obstacle> = Vec::new();
    for round in 0..ROUNDS {
        let found = fleet.pass();
        if !found.unexplained.is_empty() {
            return Err(format!(
                "nobody says why these do not move: {:?}, after {acts:?}",
                found.unexplained
            ));
        }
        if found.taken > 0 {
            continue;
        }
        if found.obstacles.is_empty() {
            return match found.changes {
                0 => Ok(acts),
                left => Err(format!("{left} changes are left, after {acts:?}")),
            };
        }
        // Who says nothing for long enough is mended by somebody.
        if fleet.now.duration_since(now()) > SignedDuration::from_hours(300) {
            fleet.silent = [false; DEVICES];
        }
        let at = (start.choice + round) % found.obstacles.len();
        let obstacle = found.obstacles[at].clone();
        fleet.get_on(&obstacle, &found);
        acts.push(obstacle);
    }
    Err(format!("it does not get there: {acts:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(made_up::config(800).cases)
    })]

    #[test]
    fn what_is_said_to_get_on_does(start in start()) {
        get_there(&start).map_err(TestCaseError::fail)?;
    }
}

/// The made-up fleets meet everything that may stand in the way; otherwise the property says little.
#[test]
fn everything_stands_in_the_way_of_somebody() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut met: BTreeSet<String> = BTreeSet::new();
    for _ in 0..400 {
        let start = start().new_tree(&mut runner).unwrap().current();
        for obstacle in get_there(&start).unwrap() {
            let name = serde_json::to_value(&obstacle).unwrap()["reason"].clone();
            met.insert(name.as_str().unwrap().to_owned());
        }
    }
    for reason in [
        "FleetSuspended",
        "FleetObserving",
        "Frozen",
        "Suspended",
        "Paused",
        "Observing",
        "ManualStepNeeded",
        "AwaitingApproval",
        "Halted",
        "RolledBack",
        "StepAwaitingApproval",
        "NotAdmitted",
        "OutsideWindow",
        "MaxConcurrency",
        "MaxChangesPerHour",
        "NotReported",
    ] {
        assert!(met.contains(reason), "{reason} is not met: {met:?}");
    }
}
