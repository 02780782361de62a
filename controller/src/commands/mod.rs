//! What each command does.

mod act;
mod approve;
mod asked;
mod check;
mod controller;
mod crds;
mod explain;
mod get;
mod history;
mod inventory;
mod named;
mod pause;
mod plan;
mod reconcile;
mod replay;
mod simulate;
mod up;
mod validate;

use std::io::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use diarchy_core::rollout::Act;
use diarchy_operator::record::Recorder;
use serde::Serialize;

use crate::arguments::{Arguments, Command, Format, Inventory};
use crate::failure::{Failure, Outcome};
use crate::show;

/// Where decisions are written down, if they are.
fn recorder(folder: Option<&Path>) -> Result<Option<Recorder>, Failure> {
    let into =
        |folder| Recorder::new(folder).map_err(|error| Failure::not_writable(folder, &error));
    folder.map(into).transpose()
}

/// Carries a command out.
pub async fn run(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Validate(arguments) => validate::run(&arguments).await,
        Command::Plan(arguments) => plan::run(&arguments).await,
        Command::Explain(arguments) => explain::run(&arguments).await,
        Command::Up(arguments) => up::run(&arguments).await,
        Command::Controller(arguments) => controller::run(arguments).await,
        Command::Get(arguments) => get::run(&arguments).await,
        Command::History(arguments) => history::run(&arguments).await,
        Command::Approve(arguments) => approve::run(&arguments).await,
        Command::Suspend(arguments) => pause::run(&arguments, true).await,
        Command::Resume(arguments) => pause::run(&arguments, false).await,
        Command::Promote(arguments) => act::run(&arguments, Act::Promote).await,
        Command::Abort(arguments) => act::run(&arguments, Act::Abort).await,
        Command::Retry(arguments) => act::run(&arguments, Act::Retry).await,
        Command::Reconcile(arguments) => reconcile::run(&arguments).await,
        Command::Check(arguments) => check::run(&arguments).await,
        Command::Simulate(arguments) => simulate::run(&arguments).await,
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Inventory(Inventory::Export(arguments)) => inventory::export(&arguments).await,
        Command::Crds(arguments) => crds::run(&arguments),
        // Carried out before anything else is started.
        Command::FetchRepository => Ok(Outcome::Same),
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            // Into memory first: the library panics when its reader goes away.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "diarchy", &mut script);
            std::io::stdout().lock().write_all(&script)?;
            Ok(Outcome::Same)
        }
        Command::Version { output } => version(output),
    }
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
    revision: Option<&'static str>,
}

fn version(output: Format) -> Result<Outcome, Failure> {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        // Given by whoever builds a release; a build from a folder has none.
        revision: option_env!("DIARCHY_REVISION"),
    };
    match output {
        Format::Json => show::json(&version)?,
        Format::Text => match version.revision {
            Some(revision) => show::line(&format!("diarchy {} ({revision})", version.version))?,
            None => show::line(&format!("diarchy {}", version.version))?,
        },
    }
    Ok(Outcome::Same)
}
