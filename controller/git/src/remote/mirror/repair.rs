//! Cleaning up after a fetch that was killed.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use super::lock::{FETCHING, READING};
use super::unusable;
use crate::remote::error::FetchError;

/// Takes everything out of a mirror but its locks.
pub fn empty(folder: &Path) -> Result<(), FetchError> {
    // Whoever reads just now may finish.
    let all = || -> io::Result<()> {
        let reading = fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(READING))?;
        reading.lock()?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == OsStr::new(FETCHING) || name == OsStr::new(READING) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    all().map_err(|error| unusable(folder, &error))
}

/// Removes what a killed fetch has left: locks of files, and packs without an index or the other way
/// round. Nothing names any of it.
pub fn remove_pieces(folder: &Path) -> Result<(), FetchError> {
    let all = || -> io::Result<()> {
        for locks in [
            folder.to_owned(),
            folder.join("refs"),
            folder.join("refs/diarchy"),
        ] {
            for name in names(&locks)? {
                let ours = [FETCHING, READING].contains(&name.as_str());
                let is_lock = Path::new(&name).extension().is_some_and(|it| it == "lock");
                if is_lock && !ours {
                    fs::remove_file(locks.join(name))?;
                }
            }
        }
        let packs = folder.join("objects/pack");
        let names: HashSet<String> = names(&packs)?.into_iter().collect();
        for name in &names {
            if !is_half_of_a_pair(name, &names) {
                fs::remove_file(packs.join(name))?;
            }
        }
        Ok(())
    };
    all().map_err(|error| unusable(folder, &error))
}

/// Whether a file of the pack folder is a pack with an index, or the index of a pack.
fn is_half_of_a_pair(name: &str, all: &HashSet<String>) -> bool {
    let other = match name.rsplit_once('.') {
        Some((stem, "pack")) => format!("{stem}.idx"),
        Some((stem, "idx")) => format!("{stem}.pack"),
        _ => return false,
    };
    name.starts_with("pack-") && all.contains(&other)
}

/// The files of a folder; none of one that is not there.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_packs_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let packs = folder.path().join("objects/pack");
        fs::create_dir_all(&packs).unwrap();
        fs::create_dir_all(folder.path().join("refs/diarchy")).unwrap();
        for name in [
            "pack-a.pack",
            "pack-a.idx",
            "pack-b.idx",
            "pack-c.pack",
            "pack_git2_x",
        ] {
            fs::write(packs.join(name), "x").unwrap();
        }
        for name in [
            "shallow.lock",
            FETCHING,
            "refs/diarchy/x.lock",
            "refs/diarchy/y",
        ] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        remove_pieces(folder.path()).unwrap();
        let mut left = names(&packs).unwrap();
        left.sort();
        assert_eq!(left, ["pack-a.idx", "pack-a.pack"]);
        assert_eq!(names(folder.path()).unwrap(), [FETCHING]);
        assert_eq!(names(&folder.path().join("refs/diarchy")).unwrap(), ["y"]);
    }
}
