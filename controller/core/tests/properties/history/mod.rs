//! Made-up histories of a fleet: revisions, passes, approvals, and what people do at the site
//! meanwhile; and a ledger that reckons what may be written from the rules alone.

mod ledger;

use std::collections::BTreeSet;

use diarchy_core::accept::{Acceptance, Accepted, Approved, ApprovedChange, Basis, accept};
use diarchy_core::amount::Amount;
use diarchy_core::desired::{Desired, Guardrails};
use diarchy_core::engine::Engine;
use diarchy_core::plan::{Change, Plan};
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::workload::{Authority, Workload};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::world::plain::{assignment, hold, holders, listed, movable, pilot};
use crate::world::{World, now};

/// No rollout goes back in these histories.
static NOBODY_AGREED: BTreeSet<Change> = BTreeSet::new();

pub use ledger::Ledger;

/// The workloads that histories are about.
pub const WORKLOADS: [Workload; 2] = [Workload::ClientApps, Workload::OfficeClickToRun];
/// How many devices they have; no co-managed fleet of theirs has others.
pub const DEVICES: usize = 20;

/// A device and one of [`WORKLOADS`], each by number.
pub type Pair = (usize, usize);

/// What git asks for.
#[derive(Debug, Clone)]
pub struct Revision {
    pub name: String,
    pub at_intune: BTreeSet<Pair>,
    pub max_changed: Amount,
    pub max_leaving: Amount,
}

/// What happens between one pass and the next, and during the next.
#[derive(Debug, Clone)]
pub struct Event {
    /// How much time passes.
    pub minutes: i64,
    /// What the next revision asks otherwise, if there is one.
    pub commit: Option<Commit>,
    /// What a person at the site changes, whoever made it.
    pub tampered: Vec<Pair>,
    /// A device that joins anew, under another id.
    pub renamed: Option<usize>,
    /// Whether a person approves what waits after the pass, and for how many minutes that counts.
    pub approved_for: Option<i64>,
    /// By the place of a cleared change, whether the site has it before the next pass.
    pub carried_out: u64,
    /// Whether the next pass reads everything.
    pub reads_all: bool,
}

#[derive(Debug, Clone)]
pub struct Commit {
    pub toggled: Vec<Pair>,
    pub everybody: Option<bool>,
    pub max_changed: Amount,
    pub max_leaving: Amount,
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        3 => (0..7_u32).prop_map(Amount::Count),
        1 => (0..60_u8).prop_map(Amount::percent),
        1 => Just(Amount::ALL),
    ]
}

fn pairs(most: usize) -> impl Strategy<Value = Vec<Pair>> {
    vec((0..DEVICES, 0..WORKLOADS.len()), 0..most)
}

fn commit() -> impl Strategy<Value = Commit> {
    let everybody = prop_oneof![8 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (pairs(7), everybody, amount(), amount()).prop_map(
        |(toggled, everybody, max_changed, max_leaving)| Commit {
            toggled,
            everybody,
            max_changed,
            max_leaving,
        },
    )
}

pub fn event() -> impl Strategy<Value = Event> {
    (
        prop_oneof![3 => 0..300_i64, 1 => 1_300..1_600_i64, 1 => Just(1_440_i64)],
        proptest::option::weighted(0.5, commit()),
        prop_oneof![2 => Just(Vec::new()), 1 => pairs(3)],
        proptest::option::weighted(0.1, 0..DEVICES),
        prop_oneof![2 => Just(None), 1 => Just(Some(1_440)), 1 => (0..200_i64).prop_map(Some)],
        any::<u64>(),
        proptest::bool::weighted(0.7),
    )
        .prop_map(
            |(minutes, commit, tampered, renamed, approved_for, carried_out, reads_all)| Event {
                minutes,
                commit,
                tampered,
                renamed,
                approved_for,
                carried_out,
                reads_all,
            },
        )
}

/// How an approval names a change.
pub fn approvable(change: &Change, engine: &Engine<'_>) -> ApprovedChange {
    ApprovedChange {
        device: engine.inventory().first_id(change.row).to_owned(),
        workload: change.workload,
        to: change.to,
    }
}

/// A fleet, its site, and what was decided so far.
pub struct Fleet {
    pub world: World,
    pub revision: Revision,
    pub now: Timestamp,
    pub accepted: Option<Accepted>,
    pub approvals: Vec<Approved>,
    /// Whether the next passes read everything.
    pub reads_all: bool,
    /// What the site has yet to evaluate.
    pub under_way: RulesUnderWay,
    revisions: usize,
}

impl Default for Fleet {
    /// Twenty devices with Configuration Manager, of which git wants nothing.
    fn default() -> Self {
        let assignments = ["apps", "office"]
            .into_iter()
            .zip(WORKLOADS)
            .map(|(name, workload)| assignment(name, workload, name, Authority::Intune));
        Self {
            world: World {
                devices: (0..DEVICES)
                    .map(|at| movable(&format!("d{at:02}")))
                    .collect(),
                groups: Vec::new(),
                policy: Some(pilot(&WORKLOADS)),
                assignments: assignments.collect(),
            },
            revision: Revision {
                name: "r0".to_owned(),
                at_intune: BTreeSet::new(),
                max_changed: Amount::percent(20),
                max_leaving: Amount::percent(10),
            },
            now: now(),
            accepted: None,
            approvals: Vec::new(),
            reads_all: true,
            under_way: RulesUnderWay::nothing(),
            revisions: 0,
        }
    }
}

impl Fleet {
    /// The fleet after a first pass that had nothing to change, so that there is a baseline: the one
    /// device that was asked for was there already. Nobody is asked for any more.
    pub fn with_baseline() -> Self {
        let mut fleet = Self::default();
        let last = (DEVICES - 1, WORKLOADS.len() - 1);
        fleet.place(last, true);
        fleet.ask([last]);
        fleet.pass(|_, _, _| ());
        fleet.place(last, false);
        fleet.ask([]);
        fleet.pass(|_, _, _| ());
        fleet
    }

    /// A new revision in which these devices shall have these of [`WORKLOADS`] at Intune.
    pub fn ask(&mut self, at_intune: impl IntoIterator<Item = Pair>) {
        self.revisions += 1;
        self.revision.name = format!("r{}", self.revisions);
        self.revision.at_intune = at_intune.into_iter().collect();
    }

    /// A new revision with these limits.
    pub fn limit(&mut self, max_changed: Amount, max_leaving: Amount) {
        self.ask(self.revision.at_intune.clone());
        self.revision.max_changed = max_changed;
        self.revision.max_leaving = max_leaving;
    }

    pub fn let_pass(&mut self, minutes: i64) {
        self.now += SignedDuration::from_mins(minutes);
    }

    /// What git asks for.
    pub fn desired(&self) -> Desired {
        let mut world = self.world.clone();
        world.groups = ["apps", "office"]
            .into_iter()
            .enumerate()
            .map(|(workload, name)| {
                let members = self.revision.at_intune.iter();
                let members = members.filter(|(_, asked)| *asked == workload);
                let id = |device: usize| self.world.devices[device]["id"].as_str().unwrap();
                listed(name, members.map(|(device, _)| id(*device)))
            })
            .collect();
        let mut desired = world.desired();
        desired.guardrails = Guardrails {
            max_changed_devices: self.revision.max_changed,
            max_leaving: self.revision.max_leaving,
            ..Guardrails::default()
        };
        desired
    }

    /// Judges the plan of now, lets `see` look at it, and remembers what is accepted.
    pub fn pass<T>(&mut self, see: impl FnOnce(&Engine<'_>, &Plan, &Acceptance) -> T) -> T {
        let (desired, inventory) = (self.desired(), self.world.inventory());
        let engine = Engine::new(&desired, &inventory, self.now);
        let plan = Plan::new(&engine);
        let acceptance = accept(&engine, &plan, self.basis(self.accepted.as_ref()));
        let seen = see(&engine, &plan, &acceptance);
        self.accepted = acceptance.accepted;
        seen
    }

    /// What the changes of now are judged by, after `before`.
    pub fn basis<'a>(&'a self, before: Option<&'a Accepted>) -> Basis<'a> {
        Basis {
            revision: &self.revision.name,
            before,
            approvals: &self.approvals,
            is_whole: self.reads_all,
            agreed: &NOBODY_AGREED,
            under_way: &self.under_way,
        }
    }

    /// A pass: the devices that are cleared and those that wait, each with its number.
    pub fn judged(&mut self) -> (Vec<usize>, Vec<usize>) {
        self.pass(|engine, _, acceptance| {
            let number = |change: &Change| {
                let first = engine.inventory().first_id(change.row);
                first.trim_start_matches('d').parse().unwrap()
            };
            let waiting = acceptance.waiting.iter();
            (
                acceptance.cleared.iter().map(number).collect(),
                waiting
                    .flat_map(|all| all.changes.iter().map(number))
                    .collect(),
            )
        })
    }

    /// Approves what waits now, for `minutes`.
    pub fn approve_for(&mut self, minutes: i64) {
        let changes = self.pass(|engine, _, acceptance| {
            let waiting = acceptance.waiting.iter();
            let changes = waiting.flat_map(|waiting| &waiting.changes);
            changes.map(|change| approvable(change, engine)).collect()
        });
        self.approvals.push(Approved {
            changes,
            enrolling: BTreeSet::new(),
            revision: self.revision.name.clone(),
            expires: self.now + SignedDuration::from_mins(minutes),
        });
    }

    /// Puts a device into the owned collection, or takes it out of it.
    pub fn place(&mut self, (device, workload): Pair, is_there: bool) {
        let holder = self.world.assignments[workload].reference();
        let held: Vec<String> = is_there.then_some(holder).into_iter().collect();
        hold(&mut self.world.devices[device], WORKLOADS[workload], &held);
    }

    pub fn is_placed(&self, (device, workload): Pair) -> bool {
        !holders(&self.world.devices[device], WORKLOADS[workload]).is_empty()
    }

    /// Lets the site have what git wants.
    pub fn carry_out(&mut self) {
        for device in 0..DEVICES {
            for workload in 0..WORKLOADS.len() {
                let pair = (device, workload);
                self.place(pair, self.revision.at_intune.contains(&pair));
            }
        }
    }

    /// Everything of an event but the pass and what comes of it.
    pub fn happen(&mut self, event: &Event) {
        self.let_pass(event.minutes);
        self.reads_all = event.reads_all;
        if let Some(commit) = &event.commit {
            let mut asked = self.revision.at_intune.clone();
            if let Some(is_asked) = commit.everybody {
                asked = all_pairs().filter(|_| is_asked).collect();
            }
            for pair in &commit.toggled {
                if !asked.remove(pair) {
                    asked.insert(*pair);
                }
            }
            self.ask(asked);
            self.revision.max_changed = commit.max_changed;
            self.revision.max_leaving = commit.max_leaving;
        }
        for pair in &event.tampered {
            self.place(*pair, !self.is_placed(*pair));
        }
        if let Some(device) = event.renamed {
            let device = &mut self.world.devices[device];
            let id = device["id"].clone();
            device.entry("firstId").or_insert_with(|| id.clone());
            device.insert("id".to_owned(), json!(format!("{}x", id.as_str().unwrap())));
        }
    }
}

pub fn all_pairs() -> impl Iterator<Item = Pair> {
    (0..DEVICES).flat_map(|device| (0..WORKLOADS.len()).map(move |workload| (device, workload)))
}
