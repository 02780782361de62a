//! What commands read: a revision of a repository, one of its fleets, an inventory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use diarchy_core::code::Code;
use diarchy_core::desired::Desired;
use diarchy_core::inventory::{self, Device, Inventory};
use diarchy_core::requirement::{Found, IntuneObject, Known};
use diarchy_core::rollout::{Rollouts, Said};
use diarchy_git::{Cache, Fetched, LoadError, Loaded, LoadedFleet, Options, Source};
use diarchy_operator::next::Remembered;

use crate::arguments::{Fleet, Repository};
use crate::failure::Failure;
use crate::remote::Remote;
use crate::show;

/// Reads a revision, valid or not. One of a repository on another machine is fetched first, into a
/// mirror beside `state`.
///
/// A folder that is in no repository is read as it lies on disk.
pub async fn load(
    repository: &Repository,
    reference: Option<&str>,
    state: Option<&Path>,
    cache: &mut Cache,
) -> Result<Loaded, Failure> {
    match Remote::of(repository, reference, state)? {
        Some(remote) => load_remote(repository, &remote, cache).await,
        None => load_here(repository, reference, cache),
    }
}

fn load_here(
    repository: &Repository,
    reference: Option<&str>,
    cache: &mut Cache,
) -> Result<Loaded, Failure> {
    let options = Options {
        reference: reference.map(ToOwned::to_owned),
        path: repository.reading.path.clone(),
    };
    let place = &repository.place;
    let outside_git = || reference.is_none() && !diarchy_git::is_in_repository(place);
    let source = if repository.reading.working_tree || (Path::new(place).is_dir() && outside_git())
    {
        Source::WorkingTree(place.into())
    } else {
        Source::Repository(place.clone())
    };
    Ok(diarchy_git::load(&source, &options, cache)?)
}

async fn load_remote(
    repository: &Repository,
    remote: &Remote,
    cache: &mut Cache,
) -> Result<Loaded, Failure> {
    let fetched = remote.fetch().await?;
    match load_fetched(repository, fetched, cache) {
        Err(error) if error.code() == Code::RepositoryNotReadable => {
            // Whatever happened to the mirror, it can be had again.
            let fetched = remote.fetch_afresh().await?;
            Ok(load_fetched(repository, fetched, cache)?)
        }
        outcome => Ok(outcome?),
    }
}

/// Reads what was fetched.
pub fn load_fetched(
    repository: &Repository,
    fetched: Fetched,
    cache: &mut Cache,
) -> Result<Loaded, LoadError> {
    let options = Options {
        reference: None,
        path: repository.reading.path.clone(),
    };
    diarchy_git::load(&Source::Fetched(Box::new(fetched)), &options, cache)
}

/// Reads a revision that must be valid.
pub async fn load_valid(
    repository: &Repository,
    reference: Option<&str>,
    state: Option<&Path>,
    cache: &mut Cache,
) -> Result<Loaded, Failure> {
    valid(load(repository, reference, state, cache).await?)
}

/// A revision, if it is valid.
pub fn valid(loaded: Loaded) -> Result<Loaded, Failure> {
    if loaded.is_valid() {
        return Ok(loaded);
    }
    Err(Failure::Invalid {
        revision: loaded.revision.display,
        diagnostics: loaded.diagnostics,
    })
}

/// The fleet that is meant: the one chosen, or the only one.
pub fn choose<'a>(loaded: &'a Loaded, choice: &Fleet) -> Result<&'a LoadedFleet, Failure> {
    let names = || {
        let names = loaded
            .fleets
            .iter()
            .map(|fleet| fleet.desired.fleet.to_string());
        names.collect::<Vec<_>>().join(", ")
    };
    let chosen: Vec<&LoadedFleet> = loaded
        .fleets
        .iter()
        .filter(|fleet| match &choice.fleet {
            None => true,
            Some(wanted) => {
                let name = &fleet.desired.fleet;
                *wanted == name.name || *wanted == name.to_string()
            }
        })
        .collect();
    match (chosen.as_slice(), &choice.fleet) {
        ([fleet], _) => Ok(fleet),
        ([], Some(wanted)) => Err(Failure::new(
            Code::FleetNotChosen,
            format!("{} has no fleet `{wanted}`", loaded.revision.display),
            format!("choose one of: {}", names()),
        )),
        _ => Err(Failure::new(
            Code::FleetNotChosen,
            format!("{} has several fleets", loaded.revision.display),
            format!("choose one with --fleet: {}", names()),
        )),
    }
}

/// Reads an inventory file, which may be compressed.
pub fn read_inventory(file: &Path) -> Result<Vec<Device>, Failure> {
    let name = file.display().to_string();
    let unreadable = |error: io::Error| {
        Failure::new(
            Code::InventoryNotReadable,
            format!("`{name}` cannot be read: {error}"),
            "give a file that `diarchy inventory export` wrote, plain or compressed with zstd or gzip",
        )
    };
    let bytes = fs::read(file).and_then(decompress).map_err(unreadable)?;
    inventory::read(&bytes).map_err(|problems| Failure::Lines {
        file: name,
        problems,
    })
}

const ZSTD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
const GZIP: &[u8] = &[0x1F, 0x8B];

/// What is in a file, by its content and not by its name.
fn decompress(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    if bytes.starts_with(ZSTD) {
        return zstd::decode_all(bytes.as_slice());
    }
    if bytes.starts_with(GZIP) {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
        return Ok(plain);
    }
    Ok(bytes)
}

/// The columns of devices whose ids are known to differ.
pub fn columns(devices: Vec<Device>) -> Result<Inventory, Failure> {
    Inventory::new(devices).map_err(|error| {
        Failure::new(
            Code::InventoryDuplicate,
            error.to_string(),
            "keep one record for each device",
        )
    })
}

/// What git asks, with assignments that are gone and take their devices back, where that is known.
pub fn remembering<'a>(
    desired: &'a Desired,
    remembered: Option<&'a Remembered>,
) -> Cow<'a, Desired> {
    match remembered {
        Some(remembered) => remembered.desired(desired),
        None => Cow::Borrowed(desired),
    }
}

/// What git asks, with assignments in force as far as what they require is ready by what was `found` in
/// an estate.
pub fn as_far_as_ready(
    desired: &Desired,
    remembered: Option<&Remembered>,
    found: &BTreeMap<IntuneObject, Found>,
) -> Desired {
    if let Some(remembered) = remembered {
        return remembered.with_requirements(desired, found);
    }
    desired.with_requirements(&Known {
        objects: found,
        uids: &BTreeMap::new(),
        is_attested: &|_| false,
        rollouts: &Rollouts::new(),
        said: &Said::new(),
    })
}

/// Tells of warnings, which stop nothing.
pub fn warn(loaded: &Loaded) {
    for diagnostic in &loaded.diagnostics {
        show::line_on_stderr(&show::printable(&diagnostic.to_string()));
    }
}
