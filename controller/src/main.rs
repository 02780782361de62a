//! `diarchy`: the command line, and nothing else.

mod arguments;
mod cluster;
mod commands;
mod devices;
mod failure;
mod remote;
mod show;
mod simulated;
mod sources;
mod state;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = arguments();
    if matches!(arguments.command, Command::FetchRepository) {
        return fetch();
    }
    arguments.logging.start();
    // Chosen here once for every connection of the process; nobody else has chosen before.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was chosen already");
    }
    match block_on(commands::run(arguments.command)) {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            failure.show();
            ExitCode::from(2)
        }
    }
}

/// The command line, under the name that it was called by: kubectl finds a plugin by the name of its
/// file.
fn arguments() -> Arguments {
    let mut command = Arguments::command();
    let called = std::env::args_os().next().map(PathBuf::from);
    if called.is_some_and(|path| path.file_stem() == Some("kubectl-diarchy".as_ref())) {
        command = command.bin_name("kubectl diarchy");
    }
    let matches = command.get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Carries out one fetch, in a process that does nothing else: it logs nothing, for it holds
/// credentials, and who asked reads its answer.
fn fetch() -> ExitCode {
    match diarchy_git::serve(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show::error(&error.to_string());
            ExitCode::from(2)
        }
    }
}

/// Runs a command to its end.
fn block_on(
    command: impl Future<Output = Result<failure::Outcome, failure::Failure>>,
) -> Result<failure::Outcome, failure::Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(command)
}
