//! The devices that plans and explanations are made for: from a file, or read from an estate.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use diarchy_clock::Clock;
use diarchy_core::inventory::Device;
use diarchy_core::requirement::{Found, IntuneObject};
use diarchy_core::resource::ObjectName;
use diarchy_git::LoadedFleet;
use diarchy_operator::connect::{Connect, Connector, EnvironmentIdentity, SecretsFolder};
use diarchy_operator::next::Remembered;
use diarchy_operator::{FleetRead, read_fleet};
use jiff::Timestamp;

use crate::arguments::{Devices, Estate};
use crate::failure::Failure;
use crate::simulated::{
    Address, Published, STILL, SimulatedEstates, Simulators, World, clock, world_folder,
};
use crate::{sources, state};

/// Devices, and the time they were read at.
pub struct Read {
    /// The devices.
    pub devices: Vec<Device>,
    /// The time to decide for.
    pub now: Timestamp,
    /// What could not be read.
    pub problems: Vec<String>,
    /// The objects of Intune that assignments require, where an estate was looked at.
    pub required: BTreeMap<IntuneObject, Found>,
}

/// What the loop remembers of the fleet, where a state file is given.
pub fn remembered(
    fleet: &LoadedFleet,
    state: Option<&Path>,
) -> Result<Option<Remembered>, Failure> {
    let Some(state) = state else {
        return Ok(None);
    };
    let store = state::open(state)?;
    Ok(Some(Remembered::read(&store, &fleet.desired)?))
}

/// The devices of a file or of a simulated estate.
pub async fn read(
    fleet: &LoadedFleet,
    arguments: &Devices,
    remembered: Option<&Remembered>,
) -> Result<Read, Failure> {
    let mut read = match &arguments.source.inventory {
        Some(file) => Read {
            devices: sources::read_inventory(file)?,
            now: Timestamp::now(),
            problems: Vec::new(),
            required: BTreeMap::new(),
        },
        None => read_estate(fleet, &arguments.estate(), remembered).await?,
    };
    if let Some(now) = arguments.now {
        read.now = now;
    }
    if let Some(remembered) = remembered {
        remembered.carry(&mut read.devices);
    }
    Ok(read)
}

/// The devices of an estate: a simulated one, or the one that the fleet names.
pub async fn read_estate(
    fleet: &LoadedFleet,
    arguments: &Estate,
    remembered: Option<&Remembered>,
) -> Result<Read, Failure> {
    with_estate(fleet, arguments, async |connect, clock| {
        read_through(fleet, connect, clock, remembered).await
    })
    .await
}

/// What comes of `work` with an estate: a simulated one, or the one that the fleet names.
pub async fn with_estate<T>(
    fleet: &LoadedFleet,
    arguments: &Estate,
    work: impl AsyncFnOnce(&dyn Connect, &Clock) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let Some(devices) = arguments.simulate else {
        let clock = Clock::system();
        let secrets = SecretsFolder::new(arguments.secrets.clone());
        let connect = Connector::new(secrets, EnvironmentIdentity::read(), clock.clone());
        return work(&connect, &clock).await;
    };
    let folder = arguments.state.as_deref().map(world_folder);
    if let Some(published) = folder.as_deref().and_then(Published::find)
        && let Some(clock) = published.clock()
    {
        let connect = SimulatedEstates::new(published.addresses(), clock.clone());
        return work(&connect, &clock).await;
    }
    // A loop may be living in the world beside the state: it is read as a copy.
    let copy = match folder.filter(|folder| folder.is_dir()) {
        Some(folder) => Some(copied(&folder)?),
        None => None,
    };
    let world = World {
        devices,
        seed: arguments.seed,
        unprepared: false,
        mishaps: Vec::new(),
        unlimited: true,
        folder: copy.as_ref().map(|copy| copy.path().to_path_buf()),
    };
    let fleets = std::slice::from_ref(fleet);
    let clock = clock(fleets, world.folder.as_deref(), STILL)?;
    let simulators = Simulators::start(fleets, &world, &clock).await?;
    let addresses: BTreeMap<ObjectName, Address> = simulators.addresses();
    let connect = SimulatedEstates::new(addresses, clock.clone()).unpaced();
    let done = work(&connect, &clock).await;
    simulators.shutdown().await;
    done
}

async fn read_through(
    fleet: &LoadedFleet,
    connect: &dyn Connect,
    clock: &Clock,
    remembered: Option<&Remembered>,
) -> Result<Read, Failure> {
    let estate = connect.connect(fleet)?.estate;
    let FleetRead {
        devices,
        problems,
        required,
    } = read_fleet(fleet, &estate, remembered).await;
    Ok(Read {
        devices,
        now: clock.now(),
        problems,
        required,
    })
}

/// A copy of a folder, which ends with the command.
fn copied(folder: &Path) -> Result<tempfile::TempDir, Failure> {
    let copy = tempfile::tempdir()?;
    copy_into(folder, copy.path())?;
    Ok(copy)
}

fn copy_into(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&place)?;
            copy_into(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
