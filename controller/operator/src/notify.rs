//! Asking clients to poll their policy after a change, spread over time.

use std::collections::BTreeMap;

use diarchy_core::workload::Authority;
use diarchy_crds::fleet::NotifyClients;
use diarchy_fleet::site::collection::CollectionId;
use diarchy_fleet::site::state::SiteState;

use crate::context::{Decided, FleetPass};
use crate::control_plane::ControlPlane;
use crate::error::OperatorError;
use crate::journal::AuditJournal;
use crate::memory::FleetMemory;

/// Clients asked in one pass, so that policy is not fetched by a whole fleet at once.
const AT_MOST: usize = 500;

/// Over how long they spread their polls, in the site's unit.
const WINDOW: u32 = 30;

/// Asks clients whose membership has changed at the site and who do not know of it yet.
///
/// # Errors
///
/// [`OperatorError::Internal`] when the audit trail cannot be written.
pub async fn notify<P: ControlPlane>(
    pass: &FleetPass<'_, P>,
    decided: &Decided<'_>,
    state: &SiteState,
    memory: &mut FleetMemory,
    journal: &AuditJournal<'_, P>,
) -> Result<(), OperatorError> {
    if pass.fleet.spec.notify_clients != NotifyClients::Paced {
        return Ok(());
    }
    for (collection, resources) in due(decided, state, memory) {
        pass.estate
            .site
            .notify_clients(&collection, &resources, WINDOW, journal)
            .await
            .map_err(|error| OperatorError::Internal(error.to_string()))?;
    }
    Ok(())
}

/// Whom to ask, by a collection that they are members of: who joined a pilot is in it, who left it
/// is still in what limits it.
fn due(
    decided: &Decided<'_>,
    state: &SiteState,
    memory: &mut FleetMemory,
) -> BTreeMap<CollectionId, Vec<u32>> {
    let engine = &decided.engine;
    let inventory = engine.inventory();
    let mut due: BTreeMap<CollectionId, Vec<u32>> = BTreeMap::new();
    let mut left = AT_MOST;
    for row in inventory.online.yes().ones() {
        let Some(writes) = memory.writes.get_mut(inventory.first_id(row)) else {
            continue;
        };
        for (workload, write) in writes.iter_mut().filter(|(_, write)| !write.notified) {
            let is_member = engine
                .holding(row, *workload)
                .map(|holding| !holding.is_empty());
            let has_arrived = is_member == Some(write.to == Authority::Intune);
            let Some((pilot, resource)) = state
                .pilots
                .get(&(*workload).into())
                .zip(inventory.resource_id(row))
                .filter(|_| has_arrived && left > 0)
            else {
                continue;
            };
            let collection = match write.to {
                Authority::Intune => Some(&pilot.id),
                Authority::ConfigurationManager => pilot.limiting.as_ref(),
            };
            if let Some(collection) = collection {
                due.entry(collection.clone()).or_default().push(resource);
                write.notified = true;
                left -= 1;
            }
        }
    }
    due
}
