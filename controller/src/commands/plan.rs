//! `diarchy plan`

mod markdown;
mod text;

use diarchy_core::desired::Desired;
use diarchy_core::engine::Engine;
use diarchy_core::inventory::Inventory;
use diarchy_core::plan::{self, Difference, Plan, PlanDocument};
use diarchy_core::tally::Tally;
use diarchy_git::Cache;
use jiff::Timestamp;
use serde::Serialize;

use crate::arguments::{self, PlanFormat};
use crate::failure::{Failure, Outcome};
use crate::{devices, show, sources};

/// Shows what a repository would change.
pub async fn run(arguments: &arguments::Plan) -> Result<Outcome, Failure> {
    let mut cache = Cache::default();
    let to = sources::load_valid(&arguments.repository, arguments.to.as_deref(), &mut cache)?;
    let from = arguments
        .from
        .as_deref()
        .map(|from| sources::load_valid(&arguments.repository, Some(from), &mut cache))
        .transpose()?;
    let fleet = sources::choose(&to, &arguments.fleet)?;
    let desired = &fleet.desired;
    let old = match &from {
        Some(from) => Some(&sources::choose(from, &arguments.fleet)?.desired),
        None => None,
    };
    let read = devices::read(fleet, &arguments.devices).await?;
    read.problems.iter().for_each(|problem| show::note(problem));
    let (inventory, now) = (sources::columns(read.devices)?, read.now);
    let planned = Planned::new(desired, &inventory, now);
    let change = old
        .zip(from.as_ref())
        .map(|(old, from)| planned.compared(old, from.revision.display.clone()));
    let report = Report {
        revision: &to.revision.display,
        planned: &planned,
        change: change.as_ref(),
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
}

impl<'a> Planned<'a> {
    fn new(desired: &'a Desired, inventory: &'a Inventory, now: Timestamp) -> Self {
        let engine = Engine::new(desired, inventory, now);
        Self {
            plan: Plan::new(&engine),
            // Without a memory of our own writes every report is as good as the next.
            tally: Tally::new(&engine, &|_, _| true),
            engine,
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
}

/// The contract's document, and which revisions it speaks of.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    plan: PlanDocument<'a>,
    revision: &'a str,
    #[serde(rename = "fromRevision", skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
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
