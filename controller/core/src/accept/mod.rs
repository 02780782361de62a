//! Whether changes may be written, or wait for a person.
//!
//! What is counted is the end state against the last accepted one: a change that was accepted
//! before (and not carried out yet, or undone by somebody since) is not judged again. What is new
//! is judged together with all that was accepted unasked in the last 24 hours, so that many small
//! steps do not add up to what one large step may not do.

mod accepted;
mod judge;

pub use accepted::{Accepted, Unasked};

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::engine::Engine;
use crate::plan::{Change, Plan};
use crate::rules::RulesUnderWay;
use crate::workload::{Authority, Workload};
use accepted::next;
use judge::{Asked, Judge};

/// The span over which changes accepted unasked are added up, and for which an approval lasts.
pub const DAY: Duration = Duration::from_hours(24);

/// A change as a person approves it: by the device's first id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ApprovedChange {
    /// The device's first id.
    pub device: String,
    /// The workload.
    pub workload: Workload,
    /// Who gets authority.
    pub to: Authority,
}

/// A person's yes to the changes of a waiting plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// The changes that were shown.
    pub changes: BTreeSet<ApprovedChange>,
    /// First ids of devices that were shown to join the pilot of automatic enrolment.
    #[serde(default)]
    pub enrolling: BTreeSet<String>,
    /// The revision for which they were shown.
    pub revision: String,
    /// The first moment at which it no longer counts.
    pub expires: Timestamp,
}

/// Why changes wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WaitReason {
    /// There is nothing to compare with: first contact, or lost state.
    NoBaseline,
    /// More devices would change than `maxChangedDevices` allows.
    MaxChangedDevices,
    /// More devices would be handed back than `maxLeaving` allows.
    MaxLeaving,
}

/// Changes that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What to approve.
    pub digest: Digest,
    /// Why.
    pub reason: WaitReason,
    /// The changes, in a plan's order.
    pub changes: Vec<Change>,
    /// Rows that would join the pilot of automatic enrolment.
    pub enrolling: Vec<usize>,
}

/// What may be written, and what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Changes that may be written, in a plan's order.
    pub cleared: Vec<Change>,
    /// Rows that may join the pilot of automatic enrolment.
    pub enrolling: Vec<usize>,
    /// Changes that wait.
    pub waiting: Option<Waiting>,
    /// What is accepted from now on; `None` while there has been no baseline.
    pub accepted: Option<Accepted>,
}

/// What changes are judged by, besides themselves.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The revision that asks for them.
    pub revision: &'a str,
    /// What was accepted before; `None` at first contact, or when the state was lost.
    pub before: Option<&'a Accepted>,
    /// What people have approved.
    pub approvals: &'a [Approved],
    /// Whether everything that was asked for was read, and both services know devices. What a pass
    /// did not see is no end state to compare with later, so only a whole reading becomes a baseline
    /// without a person, and only once something is asked of somebody: a fleet that was applied a
    /// moment before its assignments says nothing about them.
    pub is_whole: bool,
    /// Changes that nobody is asked about, since their spec says so: rollouts that go back.
    pub agreed: &'a BTreeSet<Change>,
    /// What the site's rules say that its memberships do not show yet.
    pub under_way: &'a RulesUnderWay,
}

/// Judges the changes of `plan` against what was accepted before.
#[must_use]
pub fn accept(engine: &Engine<'_>, plan: &Plan, basis: Basis<'_>) -> Acceptance {
    let Basis {
        revision,
        before,
        approvals,
        is_whole,
        agreed,
        ..
    } = basis;
    let now = engine.now();
    let first_id = |row: usize| engine.inventory().first_id(row);
    let valid = || {
        approvals
            .iter()
            .filter(|approval| approval.revision == revision && now < approval.expires)
    };
    let approved: BTreeSet<&ApprovedChange> = valid().flat_map(|yes| &yes.changes).collect();
    let approved_to_enroll: BTreeSet<&str> = valid()
        .flat_map(|yes| yes.enrolling.iter().map(String::as_str))
        .collect();
    let key = |change: &Change| ApprovedChange {
        device: first_id(change.row).to_owned(),
        workload: change.workload,
        to: change.to,
    };
    let is_settled = |change: &Change| {
        agreed.contains(change)
            || approved.contains(&key(change))
            || before.is_some_and(|before| before.has_accepted(&key(change)))
    };
    let may_enroll = |row: &usize| {
        let id = first_id(*row);
        approved_to_enroll.contains(id) || before.is_some_and(|before| before.enrolled.contains(id))
    };
    let new = Asked {
        changes: copied_if(&plan.changes, |change| !is_settled(change)),
        enrolling: copied_if(&plan.enrolling, |row| !may_enroll(row)),
    };
    // An approval of the first plan is a baseline from then on.
    let is_known = before.is_some_and(|before| !before.is_lost);
    let baseline = is_known || !approved.is_empty() || !approved_to_enroll.is_empty();
    let (waiting, passed) = Judge::new(engine, before, baseline, revision).judge(new);
    let waits: BTreeSet<&Change> = waiting.iter().flat_map(|all| &all.changes).collect();
    let waits_to_enroll: BTreeSet<&usize> = waiting.iter().flat_map(|all| &all.enrolling).collect();
    let cleared = copied_if(&plan.changes, |change| !waits.contains(change));
    let enrolling = copied_if(&plan.enrolling, |row| !waits_to_enroll.contains(row));
    // Where no device can be moved, as when the site tells of no co-management for a moment, nothing would
    // change whatever is asked.
    let sees_fleet = || engine.eligibility().count() > 0 && engine.asks_anybody();
    let is_baseline = || baseline || (is_whole && waiting.is_none() && sees_fleet());
    let accepted = if is_baseline() {
        let unasked = passed.unasked(engine);
        Some(next(engine, plan, basis, waiting.as_ref(), unasked))
    } else {
        before.cloned()
    };
    Acceptance {
        cleared,
        enrolling,
        waiting,
        accepted,
    }
}

fn copied_if<T: Copy>(all: &[T], is_meant: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter().filter(|one| is_meant(one)).copied().collect()
}
