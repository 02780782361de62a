//! The lever's journal: the audit trail, written before a request leaves and after its answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use diarchy_clock::Clock;
use diarchy_core::workload::Staged;
use diarchy_fleet::site::collection::CollectionId;
use diarchy_fleet::site::lever::{Journal, JournalError, Outcome, Write};
use diarchy_fleet::site::state::SiteState;
use jiff::Timestamp;

use crate::audit::{Entry, Event};
use crate::store::Store;

/// A rule that was sent, or may have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentRule {
    /// In which pilot.
    pub staged: Staged,
    /// For which device, by the site's number.
    pub resource: u32,
    /// Before its request left.
    pub at: Timestamp,
}

/// Writes the audit trail and remembers which rules were sent in this pass.
pub struct AuditJournal<'a> {
    store: &'a Store,
    clock: &'a Clock,
    fleet: String,
    revision: String,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// What each collection is for, pilot and owned ones.
    staged: BTreeMap<CollectionId, Staged>,
    sending: Option<Timestamp>,
    rules: Vec<SentRule>,
    requests: usize,
}

impl<'a> AuditJournal<'a> {
    /// A journal for one pass over one fleet.
    pub fn new(
        store: &'a Store,
        clock: &'a Clock,
        fleet: String,
        revision: String,
        state: Option<&SiteState>,
    ) -> Self {
        let mut staged = BTreeMap::new();
        if let Some(state) = state {
            let pilots = state.pilots.iter();
            staged.extend(pilots.map(|(of, pilot)| (pilot.id.clone(), *of)));
            let owned = state.owned.iter();
            staged.extend(owned.map(|(id, owned)| (id.clone(), owned.staged)));
        }
        Self {
            store,
            clock,
            fleet,
            revision,
            seen: Mutex::new(Seen {
                staged,
                ..Seen::default()
            }),
        }
    }

    /// The rules that were sent, and how many requests that took.
    pub fn finish(self) -> (Vec<SentRule>, usize) {
        let seen = self
            .seen
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        (seen.rules, seen.requests)
    }

    fn write(&self, event: Event) -> Result<(), JournalError> {
        let entry = Entry {
            at: self.clock.now(),
            fleet: self.fleet.clone(),
            revision: self.revision.clone(),
            event,
        };
        self.store
            .audit(&[entry])
            .map_err(|error| JournalError(error.to_string()))
    }
}

impl Journal for AuditJournal<'_> {
    async fn about_to_send(&self, write: &Write) -> Result<(), JournalError> {
        self.write(Event::Sending {
            request: write.to_string(),
            resources: rules(write).map(<[u32]>::to_vec).unwrap_or_default(),
        })?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.sending = Some(self.clock.now());
        Ok(())
    }

    async fn sent(&self, write: &Write, outcome: &Outcome) -> Result<(), JournalError> {
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let at = seen.sending.take().unwrap_or_else(|| self.clock.now());
            seen.requests += 1;
            seen.note(write, outcome, at);
        }
        self.write(Event::Sent {
            request: write.to_string(),
            outcome: in_words(outcome),
        })
    }
}

impl Seen {
    fn note(&mut self, write: &Write, outcome: &Outcome, at: Timestamp) {
        if let Write::Include { pilot, owned } = write
            && let Some(staged) = self.staged.get(pilot).copied()
        {
            self.staged.insert(owned.clone(), staged);
        }
        let (Write::AddRules { collection, .. } | Write::DeleteRules { collection, .. }) = write
        else {
            return;
        };
        // A lost answer may hide a rule that was made.
        if !matches!(outcome, Outcome::Sent | Outcome::Unknown { .. }) {
            return;
        }
        let Some(staged) = self.staged.get(collection).copied() else {
            return;
        };
        let resources = rules(write).unwrap_or_default();
        self.rules.extend(resources.iter().map(|resource| SentRule {
            staged,
            resource: *resource,
            at,
        }));
    }
}

fn rules(write: &Write) -> Option<&[u32]> {
    match write {
        Write::AddRules { resources, .. } | Write::DeleteRules { resources, .. } => Some(resources),
        _ => None,
    }
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Sent => "accepted".to_owned(),
        Outcome::Refused { detail, .. } => format!("refused: {detail}"),
        Outcome::Unknown { detail } => format!("not known: {detail}"),
        Outcome::NotSent(error) => format!("not sent: {error}"),
    }
}
