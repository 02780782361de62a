//! What people have said of resources, in a state file: to stop, to go on, to look now.

use std::collections::BTreeMap;

use diarchy_core::resource::{Kind, ObjectName};
use diarchy_core::rollout::{self, Act};
use rusqlite::params;

use crate::error::OperatorError;
use crate::store::Store;

/// The table.
pub const SCHEMA: &str = "
CREATE TABLE said (
    kind TEXT NOT NULL, name TEXT NOT NULL, paused INTEGER NOT NULL DEFAULT 0, requested TEXT,
    PRIMARY KEY (kind, name)
) STRICT;
";

/// The table of what people want of rollouts.
pub const ACTS_SCHEMA: &str = "
CREATE TABLE act (
    assignment TEXT NOT NULL, act TEXT NOT NULL, said TEXT NOT NULL, PRIMARY KEY (assignment, act)
) STRICT;
";

/// A resource.
pub type Named = (Kind, ObjectName);

/// What people have said of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Whether it is not to be carried out.
    pub paused: bool,
    /// The last request to look now: another one each time.
    pub requested: Option<String>,
}

impl Store {
    /// Has a resource not be carried out, or be carried out again.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn pause(&self, (kind, name): &Named, paused: bool) -> Result<(), OperatorError> {
        let sql = "INSERT INTO said (kind, name, paused) VALUES (?1, ?2, ?3)
                   ON CONFLICT (kind, name) DO UPDATE SET paused = ?3";
        self.execute(sql, params![kind.name(), name.to_string(), paused])
    }

    /// Asks for a pass.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn request(&self, (kind, name): &Named, request: &str) -> Result<(), OperatorError> {
        let sql = "INSERT INTO said (kind, name, requested) VALUES (?1, ?2, ?3)
                   ON CONFLICT (kind, name) DO UPDATE SET requested = ?3";
        self.execute(sql, params![kind.name(), name.to_string(), request])
    }

    /// Has a rollout do something. `said` is another text each time.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn act(&self, assignment: &ObjectName, act: Act, said: &str) -> Result<(), OperatorError> {
        let sql = "INSERT INTO act (assignment, act, said) VALUES (?1, ?2, ?3)
                   ON CONFLICT (assignment, act) DO UPDATE SET said = ?3";
        self.execute(sql, params![assignment.to_string(), act.name(), said])
    }

    /// What people want of rollouts, as they said it last.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn acts(&self) -> Result<rollout::Said, OperatorError> {
        let rows: Vec<(String, String, String)> = self
            .rows("SELECT assignment, act, said FROM act", |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let mut acts = rollout::Said::new();
        for (assignment, act, said) in rows {
            if let (Ok(assignment), Some(act)) = (assignment.parse(), Act::from_name(&act)) {
                acts.entry(assignment).or_default().insert(act, said);
            }
        }
        Ok(acts)
    }

    /// Everything that people have said.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn said(&self) -> Result<BTreeMap<Named, Said>, OperatorError> {
        let rows: Vec<(String, String, bool, Option<String>)> = self
            .rows("SELECT kind, name, paused, requested FROM said", |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
        let said = rows
            .into_iter()
            .filter_map(|(kind, name, paused, requested)| {
                let named = (Kind::from_name(&kind)?, name.parse().ok()?);
                Some((named, Said { paused, requested }))
            });
        Ok(said.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_said_does_not_undo_another() {
        let store = Store::in_memory().unwrap();
        let fleet = (Kind::Fleet, ObjectName::new("contoso", "laptops"));
        store.pause(&fleet, true).unwrap();
        store.request(&fleet, "now").unwrap();
        let said = store.said().unwrap();
        assert_eq!(
            said[&fleet],
            Said {
                paused: true,
                requested: Some("now".to_owned())
            }
        );
        store.pause(&fleet, false).unwrap();
        assert!(!store.said().unwrap()[&fleet].paused);
        assert_eq!(
            store.said().unwrap()[&fleet].requested.as_deref(),
            Some("now")
        );
    }
}
