//! How a state file is opened: its tables, made once and brought up to date, and how processes share it.

use std::thread;
use std::time::Duration;

use backon::{BlockingRetryable as _, ConstantBuilder};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use uuid::Uuid;

use super::unusable;
use crate::error::OperatorError;
use crate::said;

/// How long another process may have the file.
const PATIENCE: Duration = Duration::from_secs(10);

/// The version of the tables; a file of a later version is refused.
const SCHEMA_VERSION: i64 = 3;

/// The tables. The audit trail is append-only: the file itself refuses to change or drop a line.
const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE fleet (name TEXT PRIMARY KEY, memory BLOB NOT NULL) STRICT;
CREATE TABLE assignment (
    name TEXT NOT NULL, uid TEXT NOT NULL UNIQUE, since TEXT NOT NULL, gone TEXT
) STRICT;
CREATE UNIQUE INDEX assignment_present ON assignment (name) WHERE gone IS NULL;
CREATE TABLE approval (
    digest TEXT NOT NULL, revision TEXT NOT NULL, approver TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (digest, revision, at)
) STRICT;
CREATE TABLE status (
    kind TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, PRIMARY KEY (kind, name)
) STRICT;
CREATE TABLE audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL) STRICT;
CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
";

/// Makes a connection ready, and the tables that the file does not have yet.
///
/// # Errors
///
/// [`OperatorError::State`] when it is no state file, of a later version, or cannot be written.
pub(super) fn prepare(mut connection: Connection, file: &str) -> Result<Connection, OperatorError> {
    let state = |error: rusqlite::Error| unusable(file, &error);
    // What was read before another process (`approve`) wrote cannot be written upon: a transaction
    // waits for it first.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    connection
        .busy_timeout(PATIENCE)
        .and_then(|()| write_ahead(&connection))
        // A write is on disk before the request that it speaks of leaves.
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .map_err(state)?;
    let version = version(&connection).map_err(state)?;
    if version > SCHEMA_VERSION {
        return Err(OperatorError::State {
            file: file.to_owned(),
            cause: format!("it was written by a later version of Diarchy ({version})"),
            remedy: "use that version, or another file".to_owned(),
        });
    }
    if version < SCHEMA_VERSION {
        make_tables(&mut connection).map_err(state)?;
    }
    Ok(connection)
}

/// Has writers and readers not wait for each other. SQLite does not wait by itself for another process
/// that sees to the same, as two that come first to a file do.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    const PAUSE: Duration = Duration::from_millis(10);
    let times = usize::try_from(PATIENCE.as_millis() / PAUSE.as_millis()).unwrap_or(usize::MAX);
    let pauses = ConstantBuilder::default()
        .with_delay(PAUSE)
        .with_max_times(times);
    (|| connection.pragma_update(None, "journal_mode", "WAL"))
        .retry(pauses)
        .when(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
        .sleep(thread::sleep)
        .call()
}

/// The version of the tables; 0 where there are none.
fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Makes the tables that a file does not have yet, all of them or none.
fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    // Another process may have made them since.
    match version(&transaction)? {
        0 => create(&transaction)?,
        older if older < SCHEMA_VERSION => upgrade(&transaction, older)?,
        _ => return Ok(()),
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    let (said, acts) = (said::SCHEMA, said::ACTS_SCHEMA);
    connection.execute_batch(&format!("{SCHEMA}{said}{acts}"))?;
    connection.execute(
        "INSERT INTO meta VALUES ('installation', ?1)",
        [Uuid::new_v4().to_string()],
    )?;
    Ok(())
}

/// A file of an earlier version gets the tables that came after it.
fn upgrade(connection: &Connection, version: i64) -> rusqlite::Result<()> {
    let said = if version < 2 { said::SCHEMA } else { "" };
    connection.execute_batch(&format!("{said}{}", said::ACTS_SCHEMA))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::store::Store;

    #[test]
    fn an_earlier_file_gets_what_came_after_it_and_a_later_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (earlier, without) in [
            (1, "DROP TABLE said; DROP TABLE act;"),
            (2, "DROP TABLE act;"),
        ] {
            let file = folder.path().join(format!("state-{earlier}"));
            let installation = Store::open(&file).unwrap().installation().unwrap();
            let connection = Connection::open(&file).unwrap();
            connection.execute_batch(without).unwrap();
            let set = |version: i64| connection.pragma_update(None, "user_version", version);
            set(earlier).unwrap();
            let store = Store::open(&file).unwrap();
            assert_eq!(store.installation().unwrap(), installation);
            assert!(store.said().unwrap().is_empty());
            assert!(store.acts().unwrap().is_empty());
            set(SCHEMA_VERSION + 1).unwrap();
            let error = Store::open(&file).unwrap_err().to_string();
            assert!(error.contains("a later version of Diarchy (4)"), "{error}");
        }
    }

    #[test]
    fn a_file_that_many_open_at_once_is_made_by_one_of_them() {
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("state");
            let start = Barrier::new(4);
            let open = || {
                start.wait();
                Store::open(&file)?.installation()
            };
            let installations: Vec<String> = thread::scope(|scope| {
                let opening: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
                let opened = opening.into_iter().map(|one| one.join().unwrap());
                opened.collect::<Result<_, _>>().unwrap()
            });
            assert!(!installations[0].is_empty());
            assert!(installations.iter().all(|one| *one == installations[0]));
        }
    }
}
