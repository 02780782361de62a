//! `diarchy`: the command line, and nothing else.

mod arguments;
mod commands;
mod devices;
mod failure;
mod show;
mod simulated;
mod sources;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
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

/// Runs a command to its end.
fn block_on(
    command: impl Future<Output = Result<failure::Outcome, failure::Failure>>,
) -> Result<failure::Outcome, failure::Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(command)
}
