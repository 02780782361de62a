//! Statuses: what is known of each resource, written only when it says something new.

mod assignment;
mod fleet;
mod group;
mod policy;

use diarchy_core::desired::{AssignmentIndex, GroupIndex};
use diarchy_core::inference::ShownSlider;
use diarchy_core::resource::Kind;
use diarchy_core::tally::Tally;
use diarchy_core::workload::{Slider, Workload};
use diarchy_crds::status::ObservedSlider;
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::join::JoinReport;

use crate::context::{Decided, FleetPass};
use crate::error::OperatorError;
use crate::memory::FleetMemory;
use crate::report::FleetReport;
use crate::summary::{self, Shown};

/// Reports the statuses of a fleet and all that belongs to it.
///
/// # Errors
///
/// [`OperatorError::State`] when they cannot be written.
pub fn report(
    pass: &FleetPass<'_>,
    decided: &Decided<'_>,
    readings: &Readings,
    found: &JoinReport,
    memory: &FleetMemory,
    shown: &Shown,
    report: &FleetReport,
) -> Result<(), OperatorError> {
    let engine = &decided.engine;
    let desired = engine.desired();
    let evidence = summary::is_evidence(engine, memory);
    let tally = Tally::new(engine, &evidence);
    let fleet = fleet::status(pass, engine, readings, found, &tally, shown, report)?;
    pass.store.report(Kind::Fleet, &desired.fleet, &fleet)?;
    if let Some(policy) = &desired.policy {
        let status = policy::status(pass, &policy.name, decided, readings, shown, report)?;
        pass.store
            .report(Kind::CoManagementPolicy, &policy.name, &status)?;
    }
    for (at, group) in desired.groups.iter().enumerate() {
        let status = group::status(pass, engine, GroupIndex(at), &group.name)?;
        pass.store.report(Kind::DeviceGroup, &group.name, &status)?;
    }
    for (at, assignment) in desired.assignments.iter().enumerate() {
        let index = AssignmentIndex(at);
        let status = assignment::status(pass, engine, index, tally.assignments[at])?;
        pass.store
            .report(Kind::WorkloadAssignment, &assignment.name, &status)?;
    }
    Ok(())
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
