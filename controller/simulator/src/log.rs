//! The write log: every write received and every act of a person, in order, durably.
//!
//! The log is the judge's evidence and the world's memory: replayed over the same setup it rebuilds
//! the world as it was.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::acts::Act;
use crate::setup::Setup;
use crate::site::rules::RuleKey;

const LOG: &str = "writes.ndjson";
const CLOCK: &str = "clock.json";

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Cause {
    /// A write that arrived at the AdminService.
    Write {
        method: String,
        path: String,
        /// As decoded; null when there was none or it was no JSON.
        body: Value,
    },
    /// Somebody at the site, not a program under test.
    Act(Act),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Nothing: throttled, not allowed, a fault, or a wish that cannot be.
    Refused {
        reason: String,
    },
    CollectionCreated {
        collection: String,
    },
    RulesAdded {
        collection: String,
        added: Vec<RuleKey>,
        /// Rules that were there before; asking for them did nothing.
        already: Vec<RuleKey>,
    },
    RulesRemoved {
        collection: String,
        removed: Vec<RuleKey>,
        /// Rules that were not there.
        missing: Vec<RuleKey>,
    },
    RefreshRequested {
        collection: String,
        /// Whether it was queued; otherwise a graph that runs already swallowed it.
        accepted: bool,
    },
    ClientsNotified {
        operation: u32,
        reached: usize,
        offline: usize,
    },
    /// An act that needs no more words.
    Done,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without gaps.
    pub sequence: u64,
    /// The world's time.
    pub at: Timestamp,
    pub cause: Cause,
    pub effect: Effect,
    /// The status of the response, for a write.
    pub status: Option<u16>,
    /// Whether the whole response was sent; false when a fault cut it off.
    pub answered: bool,
}

/// The first line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    setup: Setup,
    epoch: Timestamp,
}

/// Why a log cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("{path}: {reason}")]
    Io { path: String, reason: String },
    #[error("{path}:{line}: this line is not an entry of a write log: {reason}")]
    Unreadable {
        path: String,
        line: usize,
        reason: String,
    },
    #[error("{0} holds the world of another setup (seed, devices or site differ)")]
    OtherSetup(String),
}

fn io_error(path: &Path, error: &io::Error) -> LogError {
    LogError::Io {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}

/// The log, in memory and, if it has a directory, in a file.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    /// When the world began.
    pub(crate) epoch: Timestamp,
    /// What it was like then.
    pub(crate) setup: Setup,
    file: Option<(PathBuf, File)>,
}

impl Log {
    /// A log that is kept nowhere.
    pub(crate) fn in_memory(setup: &Setup, epoch: Timestamp) -> Self {
        Self {
            entries: Vec::new(),
            epoch,
            setup: setup.clone(),
            file: None,
        }
    }

    /// Opens the log in `directory`, or begins one at `now` for `setup`. One that is there keeps the
    /// setup that it began with, which must be of the same site.
    ///
    /// # Errors
    ///
    /// [`LogError`].
    pub(crate) fn open(directory: &Path, setup: &Setup, now: Timestamp) -> Result<Self, LogError> {
        let path = directory.join(LOG);
        let read = read(&path)?;
        if let Some((header, _, _)) = &read
            && !header.setup.is_same_site(setup)
        {
            return Err(LogError::OtherSetup(path.display().to_string()));
        }
        fs::create_dir_all(directory).map_err(|error| io_error(directory, &error))?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| io_error(&path, &error))?;
        let (epoch, setup, entries) = if let Some((header, entries, whole)) = read {
            // A line that was torn by a kill was never answered: its write did not happen.
            file.set_len(whole)
                .map_err(|error| io_error(&path, &error))?;
            (header.epoch, header.setup, entries)
        } else {
            file.set_len(0).map_err(|error| io_error(&path, &error))?;
            (now, setup.clone(), Vec::new())
        };
        let fresh = entries.is_empty() && epoch == now;
        let mut log = Self {
            entries,
            epoch,
            setup,
            file: Some((path, file)),
        };
        if fresh && log.length()? == 0 {
            let setup = log.setup.clone();
            log.write_line(&Header { setup, epoch })?;
        }
        Ok(log)
    }

    fn length(&self) -> Result<u64, LogError> {
        match &self.file {
            None => Ok(0),
            Some((path, file)) => file
                .metadata()
                .map(|data| data.len())
                .map_err(|error| io_error(path, &error)),
        }
    }

    fn write_line(&mut self, line: &impl Serialize) -> Result<(), LogError> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let failed = |error: &io::Error| io_error(path, error);
        let mut text = serde_json::to_vec(line).map_err(|error| failed(&error.into()))?;
        text.push(b'\n');
        // One write and no buffer of our own: what the kernel has, a killed process has written.
        file.write_all(&text).map_err(|error| failed(&error))
    }

    /// Appends an entry; it is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`LogError::Io`].
    pub(crate) fn append(
        &mut self,
        at: Timestamp,
        cause: Cause,
        effect: Effect,
        status: Option<u16>,
        answered: bool,
    ) -> Result<(), LogError> {
        let entry = Entry {
            sequence: self.entries.len() as u64 + 1,
            at,
            cause,
            effect,
            status,
            answered,
        };
        self.write_line(&entry)?;
        self.entries.push(entry);
        Ok(())
    }
}

/// The header, the whole entries, and the number of bytes they take. None for a file that is not
/// there or whose header was never finished.
fn read(path: &Path) -> Result<Option<(Header, Vec<Entry>, u64)>, LogError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, &error)),
    };
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1);
    let mut lines = bytes[..whole].split(|byte| *byte == b'\n').enumerate();
    let unreadable = |line: usize, reason: &serde_json::Error| LogError::Unreadable {
        path: path.display().to_string(),
        line: line + 1,
        reason: reason.to_string(),
    };
    let Some((_, header)) = lines.next().filter(|(_, line)| !line.is_empty()) else {
        return Ok(None);
    };
    let header = serde_json::from_slice(header).map_err(|error| unreadable(0, &error))?;
    let mut entries = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        entries.push(serde_json::from_slice(line).map_err(|error| unreadable(number, &error))?);
    }
    Ok(Some((header, entries, whole as u64)))
}

/// Stores what the world's clock shows.
///
/// # Errors
///
/// [`LogError::Io`].
pub(crate) fn store_time(directory: &Path, now: Timestamp) -> Result<(), LogError> {
    let path = directory.join(CLOCK);
    let draft = directory.join("clock.json.new");
    let text = serde_json::json!({ "now": now }).to_string();
    fs::write(&draft, text)
        .and_then(|()| fs::rename(&draft, &path))
        .map_err(|error| io_error(&path, &error))
}

/// The write log in `directory`, with the setup that it began with; none if there is no world.
///
/// It may be read while a simulator appends to it: a line that is being written is left out.
///
/// # Errors
///
/// [`LogError`] when there is one that cannot be read.
pub fn read_log(directory: &Path) -> Result<Option<(Setup, Vec<Entry>)>, LogError> {
    let read = read(&directory.join(LOG))?;
    Ok(read.map(|(header, entries, _)| (header.setup, entries)))
}

/// The last time that is known of the world in `directory`; none if there is no world.
///
/// # Errors
///
/// [`LogError`] when there is one that cannot be read.
pub fn resume_time(directory: &Path) -> Result<Option<Timestamp>, LogError> {
    let Some((header, entries, _)) = read(&directory.join(LOG))? else {
        return Ok(None);
    };
    let logged = entries.last().map_or(header.epoch, |last| last.at);
    let path = directory.join(CLOCK);
    let stored = match fs::read(&path) {
        Ok(text) => serde_json::from_slice::<Value>(&text)
            .ok()
            .and_then(|value| value.get("now")?.as_str()?.parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io_error(&path, &error)),
    };
    Ok(Some(
        stored.map_or(logged, |stored: Timestamp| stored.max(logged)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Effect {
        Effect::Refused {
            reason: "test".to_owned(),
        }
    }

    fn write() -> Cause {
        Cause::Write {
            method: "POST".to_owned(),
            path: "/AdminService/wmi/SMS_Collection".to_owned(),
            body: Value::Null,
        }
    }

    #[test]
    fn a_torn_last_line_is_forgotten_and_written_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let setup = Setup::new(1, 10);
        let start: Timestamp = "2026-11-23T08:00:00Z".parse().expect("a time");
        let mut log = Log::open(directory.path(), &setup, start).expect("a log");
        log.append(start, write(), refused(), Some(500), true)
            .expect("appended");
        drop(log);
        let path = directory.path().join(LOG);
        let mut bytes = fs::read(&path).expect("readable");
        bytes.extend_from_slice(b"{\"sequence\":2,\"at\":\"20");
        fs::write(&path, bytes).expect("writable");

        let mut log = Log::open(directory.path(), &setup, start).expect("a log");
        assert_eq!(log.entries.len(), 1);
        log.append(start, write(), refused(), None, true)
            .expect("appended");
        drop(log);
        let log = Log::open(directory.path(), &setup, start).expect("a log");
        assert_eq!(log.entries.len(), 2);
        assert_eq!(log.entries[1].sequence, 2);
    }

    #[test]
    fn another_setup_is_refused_and_a_broken_line_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let start: Timestamp = "2026-11-23T08:00:00Z".parse().expect("a time");
        drop(Log::open(directory.path(), &Setup::new(1, 10), start).expect("a log"));
        let other = Log::open(directory.path(), &Setup::new(2, 10), start);
        assert!(matches!(other, Err(LogError::OtherSetup(_))));
        let path = directory.path().join(LOG);
        let mut bytes = fs::read(&path).expect("readable");
        bytes.extend_from_slice(b"nonsense\n");
        fs::write(&path, bytes).expect("writable");
        let broken = Log::open(directory.path(), &Setup::new(1, 10), start);
        assert!(matches!(broken, Err(LogError::Unreadable { line: 2, .. })));
    }

    #[test]
    fn the_last_known_time_is_the_later_of_log_and_clock() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(resume_time(directory.path()), Ok(None));
        let start: Timestamp = "2026-11-23T08:00:00Z".parse().expect("a time");
        let later: Timestamp = "2026-11-23T09:00:00Z".parse().expect("a time");
        drop(Log::open(directory.path(), &Setup::new(1, 10), start).expect("a log"));
        assert_eq!(resume_time(directory.path()), Ok(Some(start)));
        store_time(directory.path(), later).expect("stored");
        assert_eq!(resume_time(directory.path()), Ok(Some(later)));
    }
}
