//! The devices that plans and explanations are made for: from a file, or read from an estate.

use std::path::Path;

use diarchy_clock::Clock;
use diarchy_core::inventory::Device;
use diarchy_git::LoadedFleet;
use diarchy_operator::connect::{Connect, SecretsFolder};
use diarchy_operator::read_devices;
use diarchy_operator::store::Store;
use jiff::Timestamp;

use crate::arguments::{Devices, Estate};
use crate::failure::Failure;
use crate::simulated::{STILL, SimulatedEstates, Simulators, World, clock};
use crate::sources;

/// Devices, and the time they were read at.
pub struct Read {
    /// The devices.
    pub devices: Vec<Device>,
    /// The time to decide for.
    pub now: Timestamp,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// The devices of a file or of a simulated estate.
pub async fn read(fleet: &LoadedFleet, arguments: &Devices) -> Result<Read, Failure> {
    let mut read = match &arguments.source.inventory {
        Some(file) => Read {
            devices: sources::read_inventory(file)?,
            now: Timestamp::now(),
            problems: Vec::new(),
        },
        None => read_estate(fleet, &arguments.estate()).await?,
    };
    if let Some(now) = arguments.now {
        read.now = now;
    }
    Ok(read)
}

/// The devices of an estate: a simulated one, or the one that the fleet names.
pub async fn read_estate(fleet: &LoadedFleet, arguments: &Estate) -> Result<Read, Failure> {
    let fleets = std::slice::from_ref(fleet);
    let Some(devices) = arguments.simulate else {
        let clock = Clock::system();
        let connect = SecretsFolder::new(arguments.secrets.clone(), clock.clone());
        return read_through(fleet, &connect, &clock, arguments.state.as_deref()).await;
    };
    let clock = clock(fleets, None, STILL)?;
    let world = World {
        devices,
        seed: arguments.seed,
        unprepared: false,
        unlimited: true,
        folder: None,
    };
    let simulators = Simulators::start(fleets, &world, &clock).await?;
    let connect = SimulatedEstates::new(simulators.addresses(), clock.clone()).unpaced();
    let read = read_through(fleet, &connect, &clock, None).await;
    simulators.shutdown().await;
    read
}

async fn read_through(
    fleet: &LoadedFleet,
    connect: &dyn Connect,
    clock: &Clock,
    state: Option<&Path>,
) -> Result<Read, Failure> {
    let estate = connect.connect(fleet)?;
    let uids = match state {
        Some(state) => Some(Store::open(state)?.known_uids()?),
        None => None,
    };
    let (devices, problems) = read_devices(fleet, &estate, uids.as_ref()).await;
    Ok(Read {
        devices,
        now: clock.now(),
        problems,
    })
}
