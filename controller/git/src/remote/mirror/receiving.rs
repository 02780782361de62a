//! A pack on its way into the object store.

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use git2::Repository;

use super::{damaged, unusable};
use crate::remote::error::{FetchError, one_line};

/// How many pieces may wait to be written before the network has to.
const WAITING: usize = 64;

/// libgit2's number for an error that has none of its own.
const GENERIC: i32 = -1;

/// A pack that is written and indexed by a thread of its own, while the network brings the rest.
pub struct Receiving {
    pieces: SyncSender<Vec<u8>>,
    writer: Option<JoinHandle<Result<(), FetchError>>>,
}

impl Receiving {
    pub(super) fn start(folder: &Path, host: &str) -> Result<Self, FetchError> {
        let (pieces, arriving) = sync_channel(WAITING);
        let place = folder.to_owned();
        let host = host.to_owned();
        let writer = thread::Builder::new()
            .name("pack".to_owned())
            .spawn(move || write(&place, &host, &arriving))
            .map_err(|error| unusable(folder, &error))?;
        Ok(Self {
            pieces,
            writer: Some(writer),
        })
    }

    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// Whatever the writer has met, which ends it.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), FetchError> {
        if self.pieces.send(piece.to_vec()).is_err() {
            self.outcome()?;
            return Err(ended());
        }
        Ok(())
    }

    /// Ends the pack, and makes its objects a part of the store.
    ///
    /// # Errors
    ///
    /// [`FetchError::Answer`] for what is no pack, [`FetchError::Mirror`] for a disk that is full.
    pub fn commit(mut self) -> Result<(), FetchError> {
        // An empty piece is the end; a channel that closes without one is a fetch given up.
        let _ = self.pieces.send(Vec::new());
        self.outcome()
    }

    fn outcome(&mut self) -> Result<(), FetchError> {
        let Some(writer) = self.writer.take() else {
            return Err(ended());
        };
        writer.join().unwrap_or_else(|_| Err(ended()))
    }
}

fn ended() -> FetchError {
    FetchError::Mirror {
        detail: "the pack could not be written".to_owned(),
    }
}

fn write(folder: &Path, host: &str, arriving: &Receiver<Vec<u8>>) -> Result<(), FetchError> {
    let repository = Repository::open_bare(folder).map_err(|error| damaged(&error))?;
    let store = repository.odb().map_err(|error| damaged(&error))?;
    let mut pack = store.packwriter().map_err(|error| damaged(&error))?;
    while let Ok(piece) = arriving.recv() {
        if piece.is_empty() {
            return match pack.commit() {
                Ok(_) => Ok(()),
                Err(error) => Err(not_a_pack(host, &error)),
            };
        }
        if pack.write_all(&piece).is_err() {
            // The error itself says no more than that there is one.
            return Err(not_a_pack(host, &git2::Error::last_error(GENERIC)));
        }
    }
    Err(ended())
}

/// What libgit2 refuses as a pack, or cannot write.
fn not_a_pack(host: &str, error: &git2::Error) -> FetchError {
    match error.class() {
        git2::ErrorClass::Os | git2::ErrorClass::Filesystem => damaged(error),
        git2::ErrorClass::NoMemory => FetchError::Mirror {
            detail: "the memory allowed is used up".to_owned(),
        },
        _ => FetchError::Answer {
            host: host.to_owned(),
            detail: format!("a pack that cannot be read: {}", one_line(error.message())),
        },
    }
}
