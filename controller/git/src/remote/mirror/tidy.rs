//! Keeping a mirror small in files, however often it is fetched into.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use git2::Repository;

use super::lock::nobody_reads;
use super::{MOST_REFERENCES, NAMESPACE};

/// How many packs there may be: each is looked into for every object.
const MOST_PACKS: usize = 16;

/// Forgets the references that were fetched longest ago, but not `latest`.
pub fn references(folder: &Path, repository: &Repository, latest: &str) {
    let Ok(all) = repository.references_glob(&format!("{NAMESPACE}*")) else {
        return;
    };
    let mut names: Vec<(SystemTime, String)> = all
        .flatten()
        .filter_map(|reference| Some(reference.name().ok()?.to_owned()))
        .filter(|name| name != latest)
        .map(|name| {
            let written = fs::metadata(folder.join(&name)).and_then(|file| file.modified());
            (written.unwrap_or(SystemTime::UNIX_EPOCH), name)
        })
        .collect();
    names.sort();
    let too_many = (names.len() + 1).saturating_sub(MOST_REFERENCES);
    for (_, name) in names.into_iter().take(too_many) {
        let removed = repository
            .find_reference(&name)
            .and_then(|mut reference| reference.delete());
        if let Err(error) = removed {
            tracing::debug!(%error, name, "a reference stays");
        }
    }
}

/// Puts many packs together into one, unless somebody reads. Nothing is lost by not doing it.
pub fn packs(folder: &Path, repository: &Repository) {
    let packs = folder.join("objects/pack");
    let old = packs_in(&packs);
    if old.len() <= MOST_PACKS {
        return;
    }
    let Some(_reading) = nobody_reads(folder) else {
        return;
    };
    match put_together(repository, &packs) {
        Ok(new) => {
            for pack in old.iter().filter(|pack| **pack != new) {
                // The index first: a pack without one is not looked into.
                let _ = fs::remove_file(pack.with_extension("idx"));
                let _ = fs::remove_file(pack);
            }
        }
        Err(error) => tracing::debug!(%error, "the packs stay as they are"),
    }
}

fn packs_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "pack")
        })
        .collect()
}

/// One pack of everything, and where it is.
fn put_together(repository: &Repository, folder: &Path) -> Result<PathBuf, git2::Error> {
    let mut ids = Vec::new();
    repository.odb()?.foreach(|id| {
        ids.push(*id);
        true
    })?;
    let mut builder = repository.packbuilder()?;
    builder.set_threads(1);
    for id in ids {
        builder.insert_object(id, None)?;
    }
    builder.write(folder, 0o400)?;
    let name = builder.name()?.unwrap_or_default();
    Ok(folder.join(format!("pack-{name}.pack")))
}
