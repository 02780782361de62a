//! Whom a rollout has admitted.
//!
//! Lots are drawn by hashing the first id that a device was ever known by, so that a rollout which
//! grows never drops a device, whatever becomes of its name or its record.

use std::collections::{BTreeMap, BTreeSet};

use fixedbitset::FixedBitSet;

use crate::desired::{AssignmentIndex, Step};
use crate::digest::Digest;
use crate::engine::{Admitted, Engine};
use crate::resource::ObjectName;

/// By assignment, the first ids of the devices that its rollout has admitted.
pub type Admissions = BTreeMap<ObjectName, BTreeSet<String>>;

/// Whom the rollouts of a fleet admit in this pass.
///
/// A rollout admits its first step and stays there. Devices admitted earlier, and devices that the
/// site says the assignment has placed, stay admitted. The steps count certain members of the
/// group; lots are drawn among those that can be moved.
#[must_use]
pub fn admit(engine: &Engine<'_>, before: &Admissions) -> (Admitted, Admissions) {
    let mut after = Admissions::new();
    let rows = (0..engine.desired().assignments.len())
        .map(AssignmentIndex)
        .map(|index| {
            let assignment = engine.desired().assignment(index);
            let step = *assignment.rollout.as_ref()?.steps.first()?;
            let earlier = before.get(&assignment.name);
            let rows = admit_step(engine, index, step, earlier);
            let ids = rows
                .ones()
                .map(|row| engine.inventory().first_id(row).to_owned());
            // Devices that are out of sight for now are not forgotten.
            let all = ids.chain(earlier.into_iter().flatten().cloned()).collect();
            after.insert(assignment.name.clone(), all);
            Some(rows)
        })
        .collect();
    (Admitted::Rows(rows), after)
}

fn admit_step(
    engine: &Engine<'_>,
    index: AssignmentIndex,
    step: Step,
    earlier: Option<&BTreeSet<String>>,
) -> FixedBitSet {
    let inventory = engine.inventory();
    let workload = engine.desired().assignment(index).workload;
    let selected: Vec<usize> = (0..inventory.rows())
        .filter(|row| engine.contains(index, *row).is_certain())
        .collect();
    let is_admitted = |row: usize| {
        let placed = engine
            .holding(row, workload)
            .is_some_and(|holding| holding.is_placed_by(index));
        placed || earlier.is_some_and(|ids| ids.contains(inventory.first_id(row)))
    };
    let mut rows = FixedBitSet::with_capacity(inventory.rows());
    rows.extend((0..inventory.rows()).filter(|row| is_admitted(*row)));
    let wanted = step.devices.round_up(selected.len());
    let already = selected.iter().filter(|row| rows.contains(**row)).count();
    let name = &engine.desired().assignment(index).name;
    let mut lots: Vec<(u64, &str, usize)> = selected
        .into_iter()
        .filter(|row| !rows.contains(*row) && engine.eligibility().judge(*row).is_none())
        .map(|row| {
            let id = inventory.first_id(row);
            (lot(name, id), id, row)
        })
        .collect();
    lots.sort_unstable();
    let drawn = wanted.saturating_sub(already);
    rows.extend(lots.into_iter().take(drawn).map(|(_, _, row)| row));
    rows
}

/// The lot that a device draws in an assignment's rollout.
fn lot(assignment: &ObjectName, first_id: &str) -> u64 {
    Digest::of_lines([assignment.to_string().as_str(), first_id]).lot()
}
