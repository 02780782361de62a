//! `diarchy plan`

mod markdown;
mod text;

use std::borrow::Cow;

use diarchy_core::desired::Desired;
use diarchy_core::engine::Engine;
use diarchy_core::plan::{self, Difference, Plan, PlanDocument, PlanSummary};
use diarchy_core::tally::Tally;
use diarchy_git::Cache;
use diarchy_operator::memory::Sizes;
use diarchy_operator::next::NextPass;
use diarchy_web::{PlanAnswer, Standing, WaitingChanges};
use serde::Serialize;

use crate::arguments::{self, PlanFormat, Repository};
use crate::cluster::Controller;
use crate::failure::{Failure, Outcome};
use crate::{devices, show, sources};

/// Shows what a repository would change, or what a cluster has would.
pub async fn run(arguments: &arguments::Plan) -> Result<Outcome, Failure> {
    match &arguments.place {
        Some(place) => of_repository(place, arguments).await,
        None => of_cluster(arguments).await,
    }
}

/// Shows what the controller of a cluster would do.
async fn of_cluster(arguments: &arguments::Plan) -> Result<Outcome, Failure> {
    arguments.devices.none_for_cluster()?;
    let controller = Controller::reach(&arguments.asked, &arguments.fleet).await?;
    let terms: &[_] = if arguments.next {
        &[("next", "true")]
    } else {
        &[]
    };
    let answer: PlanAnswer = controller.ask("plan", terms).await?;
    let revision = format!("{} of {}", answer.revision, show::moment(answer.at));
    let report = Report {
        revision: &revision,
        summary: &answer.summary,
        when: if arguments.next {
            When::NextPass
        } else {
            When::End
        },
        standing: Some(&answer.standing),
        approve: format!("-n {}", controller.fleet.namespace),
        change: None,
        forgotten: false,
    };
    match arguments.output {
        PlanFormat::Json => show::json(&answer.document)?,
        PlanFormat::Text => text::print(&report)?,
        PlanFormat::Markdown => markdown::print(&report)?,
    }
    Ok(report.outcome())
}

async fn of_repository(place: &str, arguments: &arguments::Plan) -> Result<Outcome, Failure> {
    arguments.devices.some_for_repository()?;
    if arguments.next && arguments.devices.state.is_none() {
        return Err(Failure::argument(
            "nobody remembers where the rollouts of a repository are",
            "add --state FILE, the state of the loop that carries it out, or leave REPO out to ask a cluster",
        ));
    }
    let repository = &Repository {
        place: place.to_owned(),
        reading: arguments.reading.clone(),
    };
    let mut cache = Cache::default();
    let state = arguments.devices.state.as_deref();
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
    let ready = |desired| sources::as_far_as_ready(desired, remembered.as_ref(), &read.required);
    let (desired, old) = (ready(&desired), old.map(ready));
    let sizes = Sizes::of(&read.devices);
    let (inventory, now) = (sources::columns(read.devices)?, read.now);
    let engine = Engine::new(&desired, &inventory, now);
    let revision = &to.revision.display;
    let planned = match &remembered {
        Some(remembered) if arguments.next => {
            Planned::next(remembered.next_pass(engine, sizes, to.revision.key()))
        }
        _ => Planned::new(engine),
    };
    let change = old
        .as_ref()
        .zip(from.as_ref())
        .map(|(old, from)| planned.compared(old, from.revision.display.clone()));
    let report = Report {
        revision,
        summary: &planned.summary,
        when: match planned.next {
            Some(_) => When::NextPass,
            None => When::End,
        },
        standing: planned.next.as_ref(),
        approve: "--state FILE".to_owned(),
        change: change.as_ref(),
        forgotten: remembered.is_none() && old.is_none(),
    };
    match arguments.output {
        PlanFormat::Json => show::json(&document(&planned, &report))?,
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
    summary: PlanSummary,
    /// Of the next pass: what would wait for a person, and why nothing would be written.
    next: Option<Standing>,
}

impl<'a> Planned<'a> {
    fn new(engine: Engine<'a>) -> Self {
        Self::of(Plan::new(&engine), engine)
    }

    fn of(plan: Plan, engine: Engine<'a>) -> Self {
        // Without a memory of our own writes every report is as good as the next.
        let tally = Tally::new(&engine, &|_, _| true);
        Self {
            summary: PlanSummary::new(&plan, &engine, &tally),
            plan,
            engine,
            next: None,
        }
    }

    fn next(pass: NextPass<'a>) -> Self {
        Self {
            next: Some(Standing {
                waiting: pass.waiting.as_ref().map(WaitingChanges::from),
                stopped: pass.stopped.map(|why| why.to_string()),
            }),
            ..Self::of(pass.plan, pass.engine)
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

/// Which end a plan is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// The state at which nothing more would change.
    End,
    /// What the next pass of the loop would do.
    NextPass,
}

/// What is shown.
struct Report<'a> {
    revision: &'a str,
    summary: &'a PlanSummary,
    when: When,
    /// What waits, and why nothing is written, where that is known.
    standing: Option<&'a Standing>,
    /// What `diarchy approve` must be told besides the digest.
    approve: String,
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
    next: Option<&'a Standing>,
}

fn document<'a>(planned: &'a Planned<'a>, report: &Report<'a>) -> Document<'a> {
    let Planned { engine, plan, .. } = planned;
    Document {
        plan: match report.change {
            None => PlanDocument::new(plan, engine),
            Some(change) => {
                PlanDocument::of(change.differences.clone(), &change.enrolling, plan, engine)
            }
        },
        revision: report.revision,
        from: report.change.map(|change| change.from.as_str()),
        next: planned.next.as_ref(),
    }
}

impl Report<'_> {
    fn outcome(&self) -> Outcome {
        let is_same = match self.change {
            Some(change) => change.differences.is_empty() && change.enrolling.is_empty(),
            // A hand-over between assignments changes no authority.
            None => self.summary.changes_nothing(),
        };
        if is_same {
            Outcome::Same
        } else {
            Outcome::Differs
        }
    }
}
