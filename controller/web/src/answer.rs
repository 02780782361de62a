//! What the read API answers. The command line reads the same types.

use diarchy_core::accept::Waiting;
use diarchy_core::engine::Engine;
use diarchy_core::last_pass::LastPass;
use diarchy_core::plan::{Plan, PlanDocument, PlanSummary};
use diarchy_core::tally::Tally;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What would change, as of the last pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanAnswer {
    /// The revision in force.
    pub revision: String,
    /// The moment that was decided for.
    pub at: Timestamp,
    /// What people are shown.
    pub summary: PlanSummary,
    /// What keeps it from being carried out.
    pub standing: Standing,
    /// The document that `diarchy plan -o json` prints, for machines.
    pub document: Value,
}

/// What keeps a plan from being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// What waits for a person.
    pub waiting: Option<WaitingChanges>,
    /// Why nothing is written.
    pub stopped: Option<String>,
}

/// Changes that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingChanges {
    /// What to approve.
    pub digest: String,
    /// Why, in a word.
    pub reason: String,
    /// How many changes wait.
    pub changes: usize,
}

impl From<&Waiting> for WaitingChanges {
    fn from(waiting: &Waiting) -> Self {
        Self {
            digest: waiting.digest.to_string(),
            reason: format!("{:?}", waiting.reason),
            changes: waiting.changes.len() + waiting.enrolling.len(),
        }
    }
}

/// The contract's document, with what else is known of the last pass.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    plan: PlanDocument<'a>,
    revision: &'a str,
    at: Timestamp,
    standing: &'a Standing,
    /// What waits and is not written, when the plan is that of the next pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a Standing>,
}

impl PlanAnswer {
    /// What would change after `last`, which left things `standing`.
    ///
    /// # Errors
    ///
    /// When a number or text of the plan has no form in JSON, which none has.
    pub(crate) fn of_end(last: &LastPass, standing: &Standing) -> serde_json::Result<Self> {
        let engine = last.end();
        let plan = Plan::new(&engine);
        Self::new((&plan, &engine), &last.revision, standing, None)
    }

    /// What the pass after `last` would do by its `plan`, with what it would leave `standing`.
    ///
    /// # Errors
    ///
    /// As [`Self::of_end`].
    pub fn of_next(
        planned: (&Plan, &Engine<'_>),
        last: &LastPass,
        standing: &Standing,
    ) -> serde_json::Result<Self> {
        Self::new(planned, &last.revision, standing, Some(standing))
    }

    fn new(
        (plan, engine): (&Plan, &Engine<'_>),
        revision: &str,
        standing: &Standing,
        next: Option<&Standing>,
    ) -> serde_json::Result<Self> {
        let tally = Tally::new(engine, &|_, _| true);
        let at = engine.now();
        let document = Document {
            plan: PlanDocument::new(plan, engine),
            revision,
            at,
            standing,
            next,
        };
        Ok(Self {
            document: serde_json::to_value(document)?,
            revision: revision.to_owned(),
            at,
            summary: PlanSummary::new(plan, engine, &tally),
            standing: standing.clone(),
        })
    }
}
