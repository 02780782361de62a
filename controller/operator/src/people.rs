//! What people are asked in a pass, and what they have said.

use diarchy_core::digest::Digest;
use diarchy_core::resource::ObjectName;
use jiff::Timestamp;

use crate::audit::{Entry, Event};
use crate::context::Revision;
use crate::memory::{FleetMemory, Waiting, WaitingFor, counts_until};
use crate::store::GivenApproval;

/// Who approves when `up` was told to approve by itself.
pub const BY_OPTION: &str = "--approve";

/// What people are asked in one pass over one fleet, and what they have said.
#[derive(Debug)]
pub struct People<'a> {
    /// The fleet.
    pub fleet: &'a ObjectName,
    /// The revision in force.
    pub revision: Revision<'a>,
    /// The id of this installation.
    pub installation: &'a str,
    /// The yes to what waited when the pass began: plans, steps, and texts to attest.
    pub approvals: &'a [GivenApproval],
    /// Whether what waits is approved as it arises.
    pub approves: bool,
    /// The time of the pass.
    pub now: Timestamp,
    /// What to store before anything is sent.
    pub notes: Notes,
}

/// What is noted while deciding.
#[derive(Debug, Default)]
pub struct Notes {
    /// For the audit trail.
    pub entries: Vec<Entry>,
    /// The yes that the run was told to give by itself.
    pub given: Vec<GivenApproval>,
}

impl People<'_> {
    /// Takes the yes of a person to what waits, if there is one.
    pub fn answer(&mut self, memory: &mut FleetMemory) {
        let Some(waiting) = &memory.waiting else {
            return;
        };
        let digest = waiting.digest.to_string();
        let is_meant =
            |given: &&GivenApproval| given.digest == digest && given.revision == waiting.revision;
        if let Some(given) = self.approvals.iter().find(is_meant) {
            self.take(memory, given);
        }
    }

    /// The yes that counts for the step, or the text, with this digest, if there is one.
    pub fn approval_of(&self, digest: &Digest) -> Option<GivenApproval> {
        let digest = digest.to_string();
        let given = self.approvals.iter().find(|given| {
            given.digest == digest && self.now < counts_until(given.at, given.expires)
        });
        given.cloned().or_else(|| {
            self.approves.then(|| GivenApproval {
                digest,
                revision: String::new(),
                approver: BY_OPTION.to_owned(),
                at: self.now,
                expires: None,
                id: None,
            })
        })
    }

    /// Notes that a rollout went on because of the yes to its step, which counts no more.
    pub fn take_step(&mut self, memory: &mut FleetMemory, step: &Digest) {
        let Some(given) = self.approval_of(step) else {
            return;
        };
        memory.spend(&given);
        self.note(Event::Approved {
            digest: given.digest,
            approver: given.approver,
        });
    }

    /// Approves what waits, if the run was told to. Whether it did.
    pub fn say_yes_unasked(&mut self, memory: &mut FleetMemory) -> bool {
        let Some(waiting) = memory.waiting.as_ref().filter(|_| self.approves) else {
            return false;
        };
        let given = GivenApproval {
            digest: waiting.digest.to_string(),
            revision: waiting.revision.clone(),
            approver: BY_OPTION.to_owned(),
            at: self.now,
            expires: None,
            id: None,
        };
        self.take(memory, &given);
        self.notes.given.push(given);
        true
    }

    fn take(&mut self, memory: &mut FleetMemory, given: &GivenApproval) {
        if memory.say_yes(given) {
            self.note(Event::Approved {
                digest: given.digest.clone(),
                approver: given.approver.clone(),
            });
        }
    }

    /// Lets something wait that is neither changes of authority nor of enrolment.
    pub fn ask_for(
        &mut self,
        memory: &mut FleetMemory,
        kind: &str,
        lines: &[String],
        what: WaitingFor,
    ) {
        let fleet = self.fleet.to_string();
        let lines = [kind, &fleet]
            .into_iter()
            .chain(lines.iter().map(String::as_str));
        let waiting = Waiting {
            digest: Digest::of_lines(lines),
            revision: self.revision.key.to_owned(),
            since: self.now,
            what,
        };
        self.ask(memory, waiting);
    }

    /// Lets something wait, under the time since which it already does.
    pub fn ask(&mut self, memory: &mut FleetMemory, waiting: Waiting) {
        let waits_already = memory.waiting.as_ref().is_some_and(|known| {
            known.digest == waiting.digest && known.revision == waiting.revision
        });
        if waits_already {
            return;
        }
        let (changes, _) = waiting.counts();
        self.note(Event::Waiting {
            digest: waiting.digest.to_string(),
            reason: waiting.reason().to_owned(),
            changes,
        });
        memory.waiting = Some(waiting);
    }

    /// Notes something for the audit trail.
    pub fn note(&mut self, event: Event) {
        self.notes.entries.push(Entry {
            at: self.now,
            fleet: self.fleet.to_string(),
            revision: self.revision.shown.to_owned(),
            event,
        });
    }
}
