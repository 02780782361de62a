//! The state file: what the loop remembers, what it has reported, and the audit trail, in SQLite.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diarchy_core::resource::{Kind, ObjectName};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit::Entry;
use crate::control_plane::{ControlPlane, Loaded, Report, Statuses};
use crate::error::OperatorError;
use crate::memory::FleetMemory;
use crate::said::Said;

mod opening;

/// The state file. Cheap to clone; every clone is the same file.
#[derive(Debug, Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    file: String,
}

/// A person's yes, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenApproval {
    /// To what.
    pub digest: String,
    /// For which revision.
    pub revision: String,
    /// Who.
    pub approver: String,
    /// When, by the loop's clock.
    pub at: Timestamp,
    /// Until when at most, where the person said so.
    pub expires: Option<Timestamp>,
    /// What tells it from others, where it could be met again after it was taken.
    pub id: Option<String>,
}

/// The revision of a yes that counts whatever the revision: the digest says what it is for.
const ANY_REVISION: &str = "";

impl Store {
    /// Opens the state file, or makes it.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`] when it is no state file, of a later version, or cannot be written.
    pub fn open(file: &Path) -> Result<Self, OperatorError> {
        let name = file.display().to_string();
        let connection = Connection::open(file).map_err(|error| unusable(&name, &error))?;
        Self::of(connection, name)
    }

    /// A state that is forgotten with the process.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`] when there is no memory for it.
    pub fn in_memory() -> Result<Self, OperatorError> {
        let name = "(in memory)".to_owned();
        let connection = Connection::open_in_memory().map_err(|error| unusable(&name, &error))?;
        Self::of(connection, name)
    }

    fn of(connection: Connection, file: String) -> Result<Self, OperatorError> {
        let connection = opening::prepare(connection, &file)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            file,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &rusqlite::Error) -> OperatorError {
        unusable(&self.file, error)
    }

    /// The id of this installation: made with the file, and never changed.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn installation(&self) -> Result<String, OperatorError> {
        self.meta("installation").map(Option::unwrap_or_default)
    }

    /// A value by its key.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn meta(&self, key: &str) -> Result<Option<String>, OperatorError> {
        self.lock()
            .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|error| self.failed(&error))
    }

    /// Sets a value.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), OperatorError> {
        let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
        self.execute(sql, params![key, value])
    }

    /// What is remembered of every fleet.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn memories(&self) -> Result<Vec<FleetMemory>, OperatorError> {
        let blobs: Result<Vec<Vec<u8>>, rusqlite::Error> = {
            let connection = self.lock();
            connection
                .prepare("SELECT memory FROM fleet ORDER BY name")
                .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect())
        };
        let blobs = blobs.map_err(|error| self.failed(&error))?;
        blobs.iter().map(|blob| self.unpack(blob)).collect()
    }

    /// What is remembered of a fleet.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn memory(&self, fleet: &ObjectName) -> Result<FleetMemory, OperatorError> {
        let blob: Option<Vec<u8>> = self
            .lock()
            .query_row(
                "SELECT memory FROM fleet WHERE name = ?1",
                [fleet.to_string()],
                |row| row.get(0),
            )
            .optional()
            .map_err(|error| self.failed(&error))?;
        blob.map_or_else(|| Ok(FleetMemory::default()), |blob| self.unpack(&blob))
    }

    /// Remembers a fleet.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn remember(&self, fleet: &ObjectName, memory: &FleetMemory) -> Result<(), OperatorError> {
        let blob = self.pack(memory)?;
        let sql = "INSERT INTO fleet VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET memory = ?2";
        self.execute(sql, params![fleet.to_string(), blob])
    }

    /// The uids of the assignments of a namespace that are there: each keeps its own from when it
    /// first appears until it is gone, and one that comes back gets another.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn uids<'a>(
        &self,
        present: impl IntoIterator<Item = &'a ObjectName>,
        now: Timestamp,
    ) -> Result<BTreeMap<ObjectName, String>, OperatorError> {
        let mut connection = self.lock();
        let run = || -> rusqlite::Result<BTreeMap<ObjectName, String>> {
            let transaction = connection.transaction()?;
            let mut known = present_assignments(&transaction)?;
            let mut uids = BTreeMap::new();
            for name in present {
                let uid = match known.remove(&name.to_string()) {
                    Some(uid) => uid,
                    None => {
                        let uid = Uuid::new_v4().to_string();
                        transaction.execute(
                            "INSERT INTO assignment (name, uid, since) VALUES (?1, ?2, ?3)",
                            params![name.to_string(), uid, now.to_string()],
                        )?;
                        uid
                    }
                };
                uids.insert(name.clone(), uid);
            }
            for gone in known.keys() {
                transaction.execute(
                    "UPDATE assignment SET gone = ?2 WHERE name = ?1 AND gone IS NULL",
                    params![gone, now.to_string()],
                )?;
            }
            transaction.commit()?;
            Ok(uids)
        };
        run().map_err(|error| unusable(&self.file, &error))
    }

    /// The uids of the assignments that were there at the last pass.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn known_uids(&self) -> Result<BTreeMap<ObjectName, String>, OperatorError> {
        let known = present_assignments(&self.lock()).map_err(|error| self.failed(&error))?;
        let name = |text: &str| {
            let (namespace, name) = text.split_once('/')?;
            Some(ObjectName::new(namespace, name))
        };
        Ok(known
            .into_iter()
            .filter_map(|(text, uid)| Some((name(&text)?, uid)))
            .collect())
    }

    /// The revision for which something waits under a digest, for any fleet.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn waiting_revision(&self, digest: &str) -> Result<Option<String>, OperatorError> {
        let blobs: Vec<Vec<u8>> = {
            let connection = self.lock();
            let run = || -> rusqlite::Result<Vec<Vec<u8>>> {
                let mut select = connection.prepare("SELECT memory FROM fleet")?;
                let rows = select.query_map([], |row| row.get(0))?;
                rows.collect()
            };
            run().map_err(|error| self.failed(&error))?
        };
        for blob in blobs {
            let memory: FleetMemory = self.unpack(&blob)?;
            if let Some(waiting) = &memory.waiting
                && waiting.digest.to_string() == digest
            {
                return Ok(Some(waiting.revision.clone()));
            }
            let mut awaited = memory.awaited();
            if awaited.any(|(_, one, _)| one.to_string() == digest) {
                return Ok(Some(ANY_REVISION.to_owned()));
            }
        }
        Ok(None)
    }

    /// Notes a person's yes.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn approve(&self, approval: &GivenApproval) -> Result<(), OperatorError> {
        let GivenApproval {
            digest,
            revision,
            approver,
            at,
            ..
        } = approval;
        self.execute(
            "INSERT OR IGNORE INTO approval VALUES (?1, ?2, ?3, ?4)",
            params![digest, revision, approver, at.to_string()],
        )
    }

    /// The last yes to a digest for a revision.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn approval(
        &self,
        digest: &str,
        revision: &str,
    ) -> Result<Option<GivenApproval>, OperatorError> {
        let found: Option<(String, String)> = self
            .lock()
            .query_row(
                "SELECT approver, at FROM approval
                 WHERE digest = ?1 AND revision = ?2 ORDER BY at DESC LIMIT 1",
                [digest, revision],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(|error| self.failed(&error))?;
        Ok(found.and_then(|(approver, at)| {
            Some(GivenApproval {
                digest: digest.to_owned(),
                revision: revision.to_owned(),
                approver,
                at: at.parse().ok()?,
                expires: None,
                id: None,
            })
        }))
    }

    /// The yes of people to the steps of rollouts and the texts that wait for it by `memory`.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn said_yes(&self, memory: &FleetMemory) -> Result<Vec<GivenApproval>, OperatorError> {
        let mut approved = Vec::new();
        for (_, digest, since) in memory.awaited() {
            let given = self.approval(&digest.to_string(), ANY_REVISION)?;
            approved.extend(given.filter(|given| given.at >= since));
        }
        Ok(approved)
    }

    /// Reports statuses, in one go; those that say the same are not written again. How many were.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn report_statuses(&self, reports: &[Report]) -> Result<usize, OperatorError> {
        let mut connection = self.lock();
        let mut run = || -> rusqlite::Result<usize> {
            let transaction = connection.transaction()?;
            let mut changed = 0;
            {
                let mut upsert = transaction.prepare_cached(
                    "INSERT INTO status VALUES (?1, ?2, ?3)
                     ON CONFLICT (kind, name) DO UPDATE SET status = ?3 WHERE status <> ?3",
                )?;
                for report in reports {
                    let Report { kind, name, status } = report;
                    let values = params![kind.name(), name.to_string(), status.to_string()];
                    changed += upsert.execute(values)?;
                }
            }
            transaction.commit()?;
            Ok(changed)
        };
        run().map_err(|error| unusable(&self.file, &error))
    }

    /// The statuses of a namespace as they were reported last.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn statuses(&self, namespace: &str) -> Result<Statuses, OperatorError> {
        let mut statuses = self.all_statuses()?;
        statuses.retain(|(_, name), _| name.namespace == namespace);
        Ok(statuses)
    }

    /// The statuses of everything as they were reported last.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn all_statuses(&self) -> Result<Statuses, OperatorError> {
        let rows: Vec<(String, String, String)> = self
            .rows("SELECT kind, name, status FROM status", |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let mut statuses = Statuses::new();
        for (kind, name, status) in rows {
            if let (Some(kind), Ok(name)) = (Kind::from_name(&kind), name.parse()) {
                let status = serde_json::from_str(&status).map_err(|error| self.broken(&error))?;
                statuses.insert((kind, name), status);
            }
        }
        Ok(statuses)
    }

    /// Appends to the audit trail, in one go.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]; then nothing was appended.
    pub fn append(&self, entries: &[Entry]) -> Result<(), OperatorError> {
        let texts = entries
            .iter()
            .map(serde_json::to_string)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.broken(&error))?;
        let mut connection = self.lock();
        let mut run = || -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            {
                let mut insert =
                    transaction.prepare_cached("INSERT INTO audit (entry) VALUES (?1)")?;
                for text in &texts {
                    insert.execute([text])?;
                }
            }
            transaction.commit()
        };
        run().map_err(|error| unusable(&self.file, &error))
    }

    /// The audit trail from entry `after` on, at most `limit` entries, each with its number.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn audit_trail(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Entry)>, OperatorError> {
        let connection = self.lock();
        let run = || -> rusqlite::Result<Vec<(i64, String)>> {
            let mut select = connection
                .prepare("SELECT seq, entry FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = select.query_map([after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        run()
            .map_err(|error| self.failed(&error))?
            .into_iter()
            .map(|(seq, text)| {
                let entry = serde_json::from_str(&text).map_err(|error| self.broken(&error))?;
                Ok((seq, entry))
            })
            .collect()
    }

    /// A number that is another one whenever another process has written something.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn written_by_others(&self) -> Result<i64, OperatorError> {
        self.lock()
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| self.failed(&error))
    }

    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, OperatorError> {
        let connection = self.lock();
        let run = || -> rusqlite::Result<Vec<T>> {
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map([], read)?;
            rows.collect()
        };
        run().map_err(|error| self.failed(&error))
    }

    pub(crate) fn execute(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<(), OperatorError> {
        self.lock()
            .execute(sql, values)
            .map(|_| ())
            .map_err(|error| self.failed(&error))
    }

    fn pack(&self, value: &impl Serialize) -> Result<Vec<u8>, OperatorError> {
        let json = serde_json::to_vec(value).map_err(|error| self.broken(&error))?;
        zstd::encode_all(json.as_slice(), 0).map_err(|error| self.broken(&error))
    }

    fn unpack<T: DeserializeOwned>(&self, blob: &[u8]) -> Result<T, OperatorError> {
        let json = zstd::decode_all(blob).map_err(|error| self.broken(&error))?;
        serde_json::from_slice(&json).map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &dyn std::error::Error) -> OperatorError {
        unusable(&self.file, error)
    }
}

impl ControlPlane for Store {
    async fn load(&self, fleet: &ObjectName) -> Result<Loaded, OperatorError> {
        let memory = self.memory(fleet)?;
        let plan = match &memory.waiting {
            Some(waiting) => self
                .approval(&waiting.digest.to_string(), &waiting.revision)?
                // A yes to an earlier plan that happened to look the same was for that one.
                .filter(|given| given.at >= waiting.since),
            None => None,
        };
        let mut approvals = self.said_yes(&memory)?;
        approvals.extend(plan);
        Ok(Loaded {
            installation: self.installation()?,
            memory,
            approvals,
            statuses: self.statuses(&fleet.namespace)?,
        })
    }

    async fn remember(
        &self,
        fleet: &ObjectName,
        memory: &FleetMemory,
    ) -> Result<(), OperatorError> {
        Self::remember(self, fleet, memory)
    }

    async fn approve(&self, approval: &GivenApproval) -> Result<(), OperatorError> {
        Self::approve(self, approval)
    }

    async fn audit(&self, entries: &[Entry]) -> Result<(), OperatorError> {
        self.append(entries)
    }

    async fn report(&self, mut reports: Vec<Report>) -> Result<(), OperatorError> {
        let said = self.said()?;
        for report in &mut reports {
            let of = said.get(&(report.kind, report.name.clone()));
            if let Some(Said {
                requested: Some(requested),
                ..
            }) = of
            {
                report.status["lastHandledReconcileAt"] = requested.clone().into();
            }
        }
        self.report_statuses(&reports).map(|_| ())
    }
}

fn present_assignments(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut select = connection.prepare("SELECT name, uid FROM assignment WHERE gone IS NULL")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn unusable(file: &str, error: &dyn std::error::Error) -> OperatorError {
    OperatorError::State {
        file: file.to_owned(),
        cause: error.to_string(),
        remedy: "check that the folder exists, that this user may write it, and that the file is a state file of Diarchy".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::audit::Event;
    use serde_json::{Value, json};

    fn now() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    fn name(text: &str) -> ObjectName {
        ObjectName::new("contoso", text)
    }

    #[test]
    fn an_assignment_that_comes_back_is_another_one() {
        let store = Store::in_memory().unwrap();
        let first = store.uids([&name("a"), &name("b")], now()).unwrap();
        assert_eq!(store.uids([&name("a"), &name("b")], now()).unwrap(), first);
        store.uids([&name("b")], now()).unwrap();
        let again = store.uids([&name("a"), &name("b")], now()).unwrap();
        assert_ne!(again[&name("a")], first[&name("a")]);
        assert_eq!(again[&name("b")], first[&name("b")]);
    }

    #[test]
    fn a_status_that_says_the_same_is_not_written_again() {
        let store = Store::in_memory().unwrap();
        let report = |status: Value| {
            let reports = [Report {
                kind: Kind::Fleet,
                name: name("f"),
                status,
            }];
            store.report_statuses(&reports).unwrap()
        };
        assert_eq!(report(json!([1, 2])), 1);
        assert_eq!(report(json!([1, 2])), 0);
        assert_eq!(report(json!([1, 3])), 1);
        let statuses = store.statuses("contoso").unwrap();
        assert_eq!(statuses[&(Kind::Fleet, name("f"))], json!([1, 3]));
        assert!(store.statuses("fabrikam").unwrap().is_empty());
    }

    #[test]
    fn the_audit_trail_cannot_be_rewritten() {
        let store = Store::in_memory().unwrap();
        let entry = Entry {
            at: now(),
            fleet: "contoso/contoso".into(),
            revision: "main@sha1:0".into(),
            event: Event::RevisionAccepted,
        };
        store.append(std::slice::from_ref(&entry)).unwrap();
        for sql in ["DELETE FROM audit", "UPDATE audit SET entry = ''"] {
            assert!(store.execute(sql, []).is_err(), "{sql}");
        }
        assert_eq!(store.audit_trail(0, 10).unwrap(), [(1, entry)]);
    }

    #[test]
    fn what_is_remembered_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state");
        let mut memory = FleetMemory {
            epoch: Some(3),
            ..FleetMemory::default()
        };
        memory.wrote(
            "d1",
            diarchy_core::workload::Workload::ClientApps,
            crate::memory::LastWrite {
                at: now(),
                to: diarchy_core::workload::Authority::Intune,
                notified: false,
            },
        );
        let store = Store::open(&file).unwrap();
        store.remember(&name("f"), &memory).unwrap();
        let installation = store.installation().unwrap();
        drop(store);
        let store = Store::open(&file).unwrap();
        assert_eq!(store.memory(&name("f")).unwrap(), memory);
        assert_eq!(store.installation().unwrap(), installation);
    }

    #[test]
    fn who_writes_waits_for_another_who_does() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state");
        let start = Barrier::new(4);
        let write = |who: usize| {
            let store = Store::open(&file).unwrap();
            let own = format!("own-{who}");
            start.wait();
            for at in 0..50 {
                // Every other time one assignment is gone: each call reads, and then writes.
                let present = if at % 2 == 0 {
                    vec![name(&own)]
                } else {
                    Vec::new()
                };
                store.uids(&present, now()).unwrap();
            }
        };
        thread::scope(|scope| {
            for who in 0..4 {
                scope.spawn(move || write(who));
            }
        });
    }

    #[test]
    fn a_file_that_is_no_state_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state");
        std::fs::write(
            &file,
            "not a database, but long enough to be read as one".repeat(40),
        )
        .unwrap();
        assert!(Store::open(&file).is_err());
    }
}
