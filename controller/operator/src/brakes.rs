//! The brakes that people pull: they count at once, whatever git says.

use std::collections::BTreeSet;

use diarchy_core::desired::{Desired, Force, FrozenBy};
use diarchy_core::resource::ObjectName;

/// Stops a fleet, or freezes those of its assignments that people have paused. Those that are.
pub fn pull(
    desired: &mut Desired,
    is_stopped: bool,
    is_paused: impl Fn(&ObjectName) -> bool,
) -> BTreeSet<ObjectName> {
    desired.suspend |= is_stopped;
    let mut frozen = BTreeSet::new();
    for assignment in &mut desired.assignments {
        if !is_paused(&assignment.name) {
            continue;
        }
        frozen.insert(assignment.name.clone());
        if assignment.force.may_come_into_force() || assignment.force == Force::Observing {
            assignment.force = Force::Frozen(FrozenBy::Pause);
        }
    }
    frozen
}
