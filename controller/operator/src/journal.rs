//! The lever's journal: the audit trail, written before a request leaves and after its answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use diarchy_core::workload::Staged;
use diarchy_fleet::site::collection::CollectionId;
use diarchy_fleet::site::lever::{Journal, JournalError, Outcome, Write};
use diarchy_fleet::site::state::SiteState;
use jiff::Timestamp;

use crate::audit::Event;
use crate::context::FleetPass;
use crate::control_plane::ControlPlane;

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
pub struct AuditJournal<'a, P> {
    pass: &'a FleetPass<'a, P>,
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

impl<'a, P: ControlPlane> AuditJournal<'a, P> {
    /// A journal for one pass over one fleet, whose collections are as `state` has them.
    pub fn new(pass: &'a FleetPass<'a, P>, state: Option<&SiteState>) -> Self {
        let mut staged = BTreeMap::new();
        if let Some(state) = state {
            let pilots = state.pilots.iter();
            staged.extend(pilots.map(|(of, pilot)| (pilot.id.clone(), *of)));
            let owned = state.owned.iter();
            staged.extend(owned.map(|(id, owned)| (id.clone(), owned.staged)));
        }
        Self {
            pass,
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

    async fn write(&self, event: Event) -> Result<(), JournalError> {
        let entry = self.pass.entry(self.pass.clock.now(), event);
        let written = self.pass.plane.audit(&[entry]).await;
        written.map_err(|error| JournalError(error.to_string()))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: ControlPlane> Journal for AuditJournal<'_, P> {
    async fn about_to_send(&self, write: &Write) -> Result<(), JournalError> {
        let allowed = self.pass.plane.may_send();
        allowed.map_err(|error| JournalError(error.to_string()))?;
        self.write(Event::Sending {
            request: write.to_string(),
            resources: rules(write).map(<[u32]>::to_vec).unwrap_or_default(),
        })
        .await?;
        self.seen().sending = Some(self.pass.clock.now());
        Ok(())
    }

    async fn sent(&self, write: &Write, outcome: &Outcome) -> Result<(), JournalError> {
        let now = self.pass.clock.now();
        self.seen().answered(write, outcome, now);
        self.write(Event::Sent {
            request: write.to_string(),
            outcome: in_words(outcome),
        })
        .await
    }
}

impl Seen {
    fn answered(&mut self, write: &Write, outcome: &Outcome, now: Timestamp) {
        let at = self.sending.take().unwrap_or(now);
        self.requests += 1;
        self.note(write, outcome, at);
    }

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
