//! Statuses: what is known of each resource, written only when it says something new.

mod approval;
mod assignment;
mod failed;
mod fleet;
mod group;
mod judged;
mod policy;
mod standing;
mod standings;
mod trouble;

use std::collections::BTreeMap;

use diarchy_core::desired::{AssignmentIndex, GroupIndex};
use diarchy_core::engine::Engine;
use diarchy_core::inference::ShownSlider;
use diarchy_core::obstacle::Obstacle;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_core::tally::Tally;
use diarchy_core::workload::{Slider, Workload};
use diarchy_crds::fleet::FleetStatus;
use diarchy_crds::status::ObservedSlider;
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::join::JoinReport;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Decided;
use crate::control_plane::{Report, Statuses};
use crate::memory::FleetMemory;
use crate::report::FleetReport;
use crate::summary::{self, Shown};
use standings::Standings;
use trouble::Trouble;

pub use approval::{Approved, WrittenApproval, approval, approval_without_fleet};
pub use failed::failed;

/// Everything that statuses are made of.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// What the pass decided.
    pub decided: &'a Decided<'a>,
    /// What was read.
    pub readings: &'a Readings,
    /// What the join of both inventories found.
    pub found: &'a JoinReport,
    /// What is remembered.
    pub memory: &'a FleetMemory,
    /// Where devices show the sliders to stand.
    pub shown: &'a Shown,
    /// What the pass came to.
    pub report: &'a FleetReport,
    /// By assignment, what its devices wait for, and how many.
    pub waits: &'a BTreeMap<AssignmentIndex, Vec<(Obstacle, usize)>>,
}

impl<'a> Known<'a> {
    fn engine(&self) -> &'a Engine<'a> {
        &self.decided.engine
    }
}

/// The statuses of a fleet and all that belongs to it, where `old` are those reported last.
pub fn reports(known: &Known<'_>, old: &Statuses) -> Vec<Report> {
    let engine = known.engine();
    let desired = engine.desired();
    let evidence = summary::is_evidence(engine.inventory(), known.memory);
    let tally = Tally::new(engine, &evidence);
    let mut reports = Reports {
        old,
        reports: Vec::new(),
    };
    let trouble = Trouble::of_pass(known.report, known.readings);
    let mut is_everybodys = false;
    reports.add(Kind::Fleet, &desired.fleet, |old: FleetStatus| {
        is_everybodys = trouble.is_some_and(|trouble| trouble.is_everybodys(&old.conditions));
        fleet::status(known, trouble, &tally, &old)
    });
    let trouble = trouble.filter(|_| is_everybodys);
    if let Some(policy) = &desired.policy {
        reports.add(Kind::CoManagementPolicy, &policy.name, |old| {
            policy::status(known, trouble, &old)
        });
    }
    for (at, group) in desired.groups.iter().enumerate() {
        reports.add(Kind::DeviceGroup, &group.name, |old| {
            group::status(engine, GroupIndex(at), &old)
        });
    }
    let standings = Standings::new(known, trouble);
    for (at, assignment) in desired.assignments.iter().enumerate() {
        let outside = known.report.outside.get(&assignment.name);
        let outside = outside.copied().unwrap_or_default();
        reports.add(Kind::WorkloadAssignment, &assignment.name, |old| {
            let standing = standings.of(AssignmentIndex(at));
            let counts = tally.assignments[at];
            let told = assignment::Told {
                standing,
                counts,
                outside,
                rollout: assignment.rollout.as_ref(),
                waits: known
                    .waits
                    .get(&AssignmentIndex(at))
                    .map_or(&[], Vec::as_slice),
            };
            assignment::status(engine, &told, &old)
        });
    }
    reports.reports
}

struct Reports<'a> {
    old: &'a Statuses,
    reports: Vec<Report>,
}

impl Reports<'_> {
    /// Adds a status that is made from the old one, or from an empty one.
    fn add<S: Serialize + DeserializeOwned + Default>(
        &mut self,
        kind: Kind,
        name: &ObjectName,
        make: impl FnOnce(S) -> S,
    ) {
        let old = self
            .old
            .get(&(kind, name.clone()))
            .and_then(|old| S::deserialize(old).ok())
            .unwrap_or_default();
        match serde_json::to_value(make(old)) {
            Ok(status) => self.reports.push(Report {
                kind,
                name: name.clone(),
                status,
            }),
            // Statuses are records of numbers and texts, all of which have a form in JSON.
            Err(error) => tracing::error!(%kind, %name, %error, "a status has no JSON form"),
        }
    }
}

fn observed_slider(desired: Slider, shown: &Shown, workload: Workload) -> ObservedSlider {
    match shown.sliders[workload.index()] {
        ShownSlider::AsDesired => ObservedSlider::from(desired),
        ShownSlider::Contradicted => ObservedSlider::Contradicted,
        ShownSlider::Unknown => ObservedSlider::Unknown,
    }
}

/// A number of devices as statuses carry it.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
