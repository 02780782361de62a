//! `diarchy plan`

mod markdown;
mod text;

use std::borrow::Cow;

use diarchy_core::accept::WaitReason;
use diarchy_core::desired::Desired;
use diarchy_core::digest::Digest;
use diarchy_core::engine::Engine;
use diarchy_core::plan::{self, Difference, Plan, PlanDocument};
use diarchy_core::tally::Tally;
use diarchy_git::Cache;
use diarchy_operator::memory::Sizes;
use diarchy_operator::next::NextPass;
use serde::Serialize;

use crate::arguments::{self, PlanFormat};
use crate::failure::{Failure, Outcome};
use crate::{devices, show, sources};

/// Shows what a repository would change.
pub async fn run(arguments: &arguments::Plan) -> Result<Outcome, Failure> {
    let mut cache = Cache::default();
    let (repository, state) = (&arguments.repository, arguments.devices.state.as_deref());
    let to = sources::load_valid(repository, arguments.to.as_deref(), state, &mut cache).await?;
    let from = match arguments.from.as_deref() {
        Some(from) => Some(sources::load_valid(repository, Some(from), state, &mut cache).await?),
        None => None,
    };
    let fleet = sources::choose(&to, &arguments.fleet)?;
    let old = match &from {
        Some(from) => Some(&sources::choose(from, &arguments.fleet)?.desired),
        None => None,
    };
    let remembered = devices::remembered(fleet, arguments.devices.state.as_deref())?;
    let read = devices::read(fleet, &arguments.devices, remembered.as_ref()).await?;
    read.problems.iter().for_each(|problem| show::note(problem));
    let desired = sources::remembering(&fleet.desired, remembered.as_ref());
    // What the old revision had and the new one deletes may take its devices back.
    let desired = match old {
        Some(old) => Cow::Owned(desired.after(old)),
        None => desired,
    };
    let sizes = Sizes::of(&read.devices);
    let (inventory, now) = (sources::columns(read.devices)?, read.now);
    let engine = Engine::new(&desired, &inventory, now);
    let revision = &to.revision.display;
    let planned = match &remembered {
        Some(remembered) if arguments.next => {
            Planned::next(remembered.next_pass(engine, sizes, revision))
        }
        _ => Planned::new(engine),
    };
    let change = old
        .zip(from.as_ref())
        .map(|(old, from)| planned.compared(old, from.revision.display.clone()));
    let report = Report {
        revision,
        planned: &planned,
        change: change.as_ref(),
        forgotten: remembered.is_none() && old.is_none(),
    };
    match arguments.output {
        PlanFormat::Json => show::json(&report.document())?,
        PlanFormat::Text => {
            sources::warn(&to);
            text::print(&report)?;
        }
        PlanFormat::Markdown => markdown::print(&report)?,
    }
    Ok(report.outcome())
}

/// A plan with what it was made from.
struct Planned<'a> {
    engine: Engine<'a>,
    plan: Plan,
    tally: Tally,
    /// Of the next pass: what would wait for a person, and why nothing would be written.
    next: Option<Next>,
}

/// What the next pass would leave undone.
#[derive(Serialize)]
struct Next {
    waiting: Option<NextWaiting>,
    stopped: Option<String>,
}

/// What would wait for a person.
#[derive(Serialize)]
struct NextWaiting {
    digest: Digest,
    reason: WaitReason,
    changes: usize,
}

impl<'a> Planned<'a> {
    fn new(engine: Engine<'a>) -> Self {
        Self {
            plan: Plan::new(&engine),
            // Without a memory of our own writes every report is as good as the next.
            tally: Tally::new(&engine, &|_, _| true),
            engine,
            next: None,
        }
    }

    fn next(pass: NextPass<'a>) -> Self {
        let waiting = pass.waiting.map(|waiting| NextWaiting {
            digest: waiting.digest,
            reason: waiting.reason,
            changes: waiting.changes.len() + waiting.enrolling.len(),
        });
        Self {
            plan: pass.plan,
            next: Some(Next {
                waiting,
                stopped: pass.stopped.map(|why| why.to_string()),
            }),
            ..Self::new(pass.engine)
        }
    }

    /// What this plan makes different from that of another revision for the same devices.
    fn compared(&self, old: &Desired, from: String) -> RevisionChange {
        let engine = Engine::new(old, self.engine.inventory(), self.engine.now());
        let old = Plan::new(&engine);
        RevisionChange {
            from,
            differences: plan::differences((&old, &engine), (&self.plan, &self.engine)),
            enrolling: self
                .plan
                .enrolling
                .iter()
                .filter(|row| !old.enrolling.contains(row))
                .copied()
                .collect(),
        }
    }
}

/// What a change of revision makes different.
struct RevisionChange {
    from: String,
    differences: Vec<Difference>,
    /// Rows that would join the pilot of automatic enrolment, and would not have.
    enrolling: Vec<usize>,
}

/// What is shown.
struct Report<'a> {
    revision: &'a str,
    planned: &'a Planned<'a>,
    change: Option<&'a RevisionChange>,
    /// Nobody remembers the last good version of assignments that are gone.
    forgotten: bool,
}

/// The contract's document, and which revisions it speaks of.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    plan: PlanDocument<'a>,
    revision: &'a str,
    #[serde(rename = "fromRevision", skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a Next>,
}

impl<'a> Report<'a> {
    fn document(&'a self) -> Document<'a> {
        let Planned { engine, plan, .. } = self.planned;
        Document {
            plan: match self.change {
                None => PlanDocument::new(plan, engine),
                Some(change) => {
                    PlanDocument::of(change.differences.clone(), &change.enrolling, plan, engine)
                }
            },
            revision: self.revision,
            from: self.change.map(|change| change.from.as_str()),
            next: self.planned.next.as_ref(),
        }
    }

    fn outcome(&self) -> Outcome {
        let is_same = match self.change {
            Some(change) => change.differences.is_empty() && change.enrolling.is_empty(),
            // A hand-over between assignments changes no authority.
            None => self.planned.plan.changes_nothing(),
        };
        if is_same {
            Outcome::Same
        } else {
            Outcome::Differs
        }
    }
}
