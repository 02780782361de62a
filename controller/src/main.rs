//! `diarchy`: the command line, and nothing else.

mod arguments;
mod commands;
mod devices;
mod failure;
mod remote;
mod show;
mod simulated;
mod sources;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
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
