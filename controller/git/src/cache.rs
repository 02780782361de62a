//! What has been parsed already.

use std::collections::HashMap;
use std::sync::Arc;

use git2::Oid;

use crate::document::File;

/// How many loads a file that no revision holds any more is remembered for: enough for two
/// revisions that are compared, and for a branch that goes back and forth.
const REMEMBERED_LOADS: u64 = 8;

/// Parsed files by the content that they were parsed from, kept by whoever loads again and again.
///
/// A file that did not change, or only changed its name, is not parsed again.
#[derive(Debug, Default)]
pub struct Cache {
    files: HashMap<Oid, Entry>,
    load: u64,
    parsed: u64,
}

#[derive(Debug)]
struct Entry {
    file: Arc<File>,
    used: u64,
}

impl Cache {
    /// How many files have been parsed into it since it was made.
    #[must_use]
    pub const fn parsed(&self) -> u64 {
        self.parsed
    }

    pub(crate) fn begin_load(&mut self) {
        self.load += 1;
    }

    pub(crate) fn get(&mut self, blob: Oid) -> Option<Arc<File>> {
        let entry = self.files.get_mut(&blob)?;
        entry.used = self.load;
        Some(Arc::clone(&entry.file))
    }

    pub(crate) fn insert(&mut self, blob: Oid, file: File) -> Arc<File> {
        self.parsed += 1;
        let file = Arc::new(file);
        let entry = Entry {
            file: Arc::clone(&file),
            used: self.load,
        };
        self.files.insert(blob, entry);
        file
    }

    pub(crate) fn end_load(&mut self) {
        let oldest = self.load.saturating_sub(REMEMBERED_LOADS);
        self.files.retain(|_, entry| entry.used > oldest);
    }
}
