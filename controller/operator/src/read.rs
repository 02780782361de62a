//! Reading a fleet's devices without a loop: for exports, plans and explanations.

use std::collections::BTreeMap;

use diarchy_core::inference;
use diarchy_core::inventory::Device;
use diarchy_core::requirement::{Found, IntuneObject};
use diarchy_core::resource::ObjectName;
use diarchy_fleet::inventory::{Estate, Readings};
use diarchy_fleet::join::{JoinOptions, join};
use diarchy_git::LoadedFleet;
use jiff::SignedDuration;

use crate::gather;
use crate::memory::FleetMemory;
use crate::next::Remembered;

/// A fleet as both services know it.
#[derive(Debug)]
pub struct FleetRead {
    /// Its devices.
    pub devices: Vec<Device>,
    /// What could not be read.
    pub problems: Vec<String>,
    /// The objects of Intune that its assignments require.
    pub required: BTreeMap<IntuneObject, Found>,
}

/// A fleet's devices as both services know them, and what its assignments require.
///
/// `remembered` is what the loop knows; without, an owned collection is taken to be that of the
/// assignment that it names, and every report to be newer than every write.
pub async fn read_fleet(
    fleet: &LoadedFleet,
    estate: &Estate,
    remembered: Option<&Remembered>,
) -> FleetRead {
    let desired = &fleet.desired;
    let request = gather::request(desired);
    let readings = estate.read(&request).await;
    let found;
    let uids = match remembered {
        Some(remembered) => remembered.uids(),
        None => {
            found = named_at_the_site(&readings);
            &found
        }
    };
    let span = |length| SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    let joined = join(
        &readings,
        &JoinOptions {
            request: &request,
            uids,
            now: estate.clock.now(),
            online_within: span(desired.online_within),
            stale_after: span(desired.stale_after),
        },
    );
    let mut devices = joined.devices;
    let none = FleetMemory::default();
    let memory = remembered.map_or(&none, Remembered::memory);
    if let Some(policy) = &desired.policy {
        let in_flight = memory.in_flight(estate.clock.now());
        inference::infer_enrolled_first(policy, &mut devices, &in_flight);
    }
    let problems = [readings.failures(), readings.lacking()].concat();
    let problems: Vec<String> = problems
        .iter()
        .map(|error| format!("{}: {error}", error.code()))
        .collect();
    FleetRead {
        devices,
        problems,
        required: readings.graph.required,
    }
}

fn named_at_the_site(readings: &Readings) -> BTreeMap<ObjectName, String> {
    match &readings.site.state {
        Ok(state) => state
            .owned
            .values()
            .filter(|owned| owned.staged.workload().is_some())
            .map(|owned| (owned.owner.clone(), owned.uid.clone()))
            .collect(),
        Err(_) => BTreeMap::new(),
    }
}
