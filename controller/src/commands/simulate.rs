//! `diarchy simulate`

use std::fs;
use std::path::Path;

use diarchy_git::{Cache, LoadedFleet};

use crate::arguments::{Format, Simulate};
use crate::failure::{Failure, Outcome};
use crate::simulated::{Address, Published, SPEED, Simulators, World, clock, world_folder};
use crate::{show, sources};

/// Serves the estates of a repository until it is interrupted.
pub async fn run(arguments: &Simulate) -> Result<Outcome, Failure> {
    let loaded = sources::load_valid(
        &arguments.repository,
        arguments.reference.as_deref(),
        arguments.state.as_deref(),
        &mut Cache::default(),
    )
    .await?;
    let folder = arguments.state.as_deref().map(world_folder);
    let clock = clock(
        &loaded.fleets,
        folder.as_deref(),
        arguments.speed.unwrap_or(SPEED),
    )?;
    let world = World {
        devices: arguments.devices,
        seed: arguments.seed,
        unprepared: arguments.unprepared,
        mishaps: arguments.mishaps.clone(),
        unlimited: false,
        folder: folder.clone(),
    };
    let simulators = Simulators::start(&loaded.fleets, &world, &clock).await?;
    let addresses = simulators.addresses();
    if let Some(folder) = &folder {
        Published::new(&addresses, &clock).write(folder)?;
    }
    for fleet in &loaded.fleets {
        let Some(address) = addresses.get(&fleet.desired.fleet) else {
            continue;
        };
        if let Some(secrets) = &arguments.secrets {
            write_secrets(secrets, fleet, address)?;
        }
        print(arguments.output, fleet, address)?;
    }
    let _ = tokio::signal::ctrl_c().await;
    if let Some(folder) = &folder {
        Published::withdraw(folder);
    }
    simulators.shutdown().await;
    Ok(Outcome::Same)
}

fn print(format: Format, fleet: &LoadedFleet, address: &Address) -> Result<(), Failure> {
    match format {
        Format::Json => show::json(address)?,
        Format::Text => {
            show::line(&format!("Fleet {}", fleet.desired.fleet))?;
            show::line(&format!("  intune.endpoint   {}", address.graph))?;
            show::line(&format!("  intune.authority  {}", address.authority))?;
            show::line(&format!("  adminService      {}", address.admin_service))?;
        }
    }
    Ok(())
}

/// The credentials of the simulated services, as `up --secrets` reads them.
fn write_secrets(folder: &Path, fleet: &LoadedFleet, address: &Address) -> Result<(), Failure> {
    let namespace = folder.join(&fleet.desired.fleet.namespace);
    let write = |secret: &str, keys: &[(&str, &str)]| -> std::io::Result<()> {
        let place = namespace.join(secret);
        fs::create_dir_all(&place)?;
        keys.iter()
            .try_for_each(|(key, value)| fs::write(place.join(key), value))
    };
    write(
        fleet.spec.site_credentials(),
        &[("token", &address.admin_token)],
    )?;
    if let Some(roots) = fleet.spec.site_roots() {
        write(roots, &[("ca.crt", &address.ca)])?;
    }
    if let Some(application) = fleet.spec.tenant_credentials() {
        write(
            application,
            &[
                ("clientId", &address.client_id),
                ("clientSecret", &address.client_secret),
            ],
        )?;
    }
    Ok(())
}
