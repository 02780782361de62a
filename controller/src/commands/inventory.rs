//! `diarchy inventory export`

use std::fs;
use std::io::Write as _;

use diarchy_core::inventory;

use crate::arguments::InventoryExport;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::{show, sources};

/// Writes a fleet's inventory as `plan --inventory` reads it.
pub async fn export(arguments: &InventoryExport) -> Result<Outcome, Failure> {
    let loaded = sources::load_valid(
        &arguments.repository,
        arguments.reference.as_deref(),
        arguments.estate.state.as_deref(),
        &mut diarchy_git::Cache::default(),
    )
    .await?;
    let fleet = sources::choose(&loaded, &arguments.fleet)?;
    let remembered = devices::remembered(fleet, arguments.estate.state.as_deref())?;
    let mut read = devices::read_estate(fleet, &arguments.estate, remembered.as_ref()).await?;
    if let Some(remembered) = &remembered {
        remembered.carry(&mut read.devices);
    }
    for problem in &read.problems {
        show::note(problem);
    }
    let text = inventory::write(&read.devices);
    let bytes = if arguments.zstd {
        zstd::encode_all(text.as_bytes(), 0)?
    } else {
        text.into_bytes()
    };
    match &arguments.output {
        Some(file) => {
            fs::write(file, bytes).map_err(|error| Failure::not_writable(file, &error))?;
            let written = show::plural(read.devices.len(), "device");
            show::note(&format!("wrote {written} to {}", file.display()));
        }
        None => std::io::stdout().lock().write_all(&bytes)?,
    }
    Ok(Outcome::Same)
}
