//! Who may fetch, and who reads.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::unusable;
use crate::remote::error::FetchError;

pub(super) const FETCHING: &str = "fetch.lock";
pub(super) const READING: &str = "read.lock";

/// The right to change a mirror, given back with the file or with the process.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until nobody else fetches into `folder`, which is made where it is missing.
    pub fn take(folder: &Path) -> Result<Self, FetchError> {
        let failed = |error: std::io::Error| unusable(folder, &error);
        DirBuilder::new()
            .recursive(true)
            // What a repository holds may not be everybody's.
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
        let place = folder.join(FETCHING);
        // The file marks the folder as a mirror: whatever lies in another must not be deleted.
        let is_empty = fs::read_dir(folder).map_err(failed)?.next().is_none();
        // Looked for last: another fetch may have made it, with all the rest, just now.
        if !is_empty && !place.exists() {
            return Err(FetchError::Mirror {
                detail: format!(
                    "{} holds something else: give an empty folder, or one that does not exist",
                    folder.display()
                ),
            });
        }
        let file = open(&place).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Keeps packs from being put together while a revision of the mirror in `folder` is read.
///
/// # Errors
///
/// A lock that cannot be taken.
pub fn reading(folder: &Path) -> std::io::Result<File> {
    let file = open(&folder.join(READING))?;
    file.lock_shared()?;
    Ok(file)
}

/// The right to take packs away, unless somebody reads.
pub(super) fn nobody_reads(folder: &Path) -> Option<File> {
    let file = open(&folder.join(READING)).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// Removes the mirror in `folder`, if there is one, when nobody fetches into it or reads from it any
/// more. A folder that is no mirror is let be.
///
/// # Errors
///
/// A lock that cannot be taken, or a file that cannot be removed.
pub fn remove(folder: &Path) -> std::io::Result<()> {
    let fetching = folder.join(FETCHING);
    if !fetching.exists() {
        return Ok(());
    }
    // Whoever fetches holds the one, whoever reads the other: in no order are both waited for.
    let nobody_fetches = open(&fetching)?;
    nobody_fetches.lock()?;
    let nobody_reads = open(&folder.join(READING))?;
    nobody_reads.lock()?;
    fs::remove_dir_all(folder)
}

fn open(place: &Path) -> std::io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(place)
}
