//! `diarchy approve`

use diarchy_core::code::Code;
use diarchy_core::digest::Digest;
use diarchy_operator::CLOCK;
use diarchy_operator::store::{GivenApproval, Store};
use jiff::Timestamp;

use crate::arguments::Approve;
use crate::failure::{Failure, Outcome};
use crate::show;

/// Notes a person's yes; the loop that runs on the same state takes it at its next pass.
pub fn run(arguments: &Approve) -> Result<Outcome, Failure> {
    if !arguments.state.exists() {
        return Err(Failure::new(
            Code::StateNotUsable,
            format!("there is no state file {}", arguments.state.display()),
            "give the file that `up` was given",
        ));
    }
    let digest: Digest = arguments.digest.parse().map_err(|error| {
        let error: diarchy_core::digest::InvalidDigest = error;
        Failure::argument(error.to_string(), "copy it from what `up` shows")
    })?;
    let store = Store::open(&arguments.state)?;
    let Some(revision) = store.waiting_revision(&digest.to_string())? else {
        return Err(Failure::from(
            diarchy_operator::error::OperatorError::NothingWaiting(digest.to_string()),
        ));
    };
    // A simulated loop has a clock of its own, which it leaves in the state.
    let at = match store.meta(CLOCK)? {
        Some(text) => text.parse().unwrap_or_else(|_| Timestamp::now()),
        None => Timestamp::now(),
    };
    store.approve(&GivenApproval {
        digest: digest.to_string(),
        revision,
        approver: approver(),
        at,
        expires: None,
        id: None,
    })?;
    show::line(&format!(
        "Approved {digest}; it counts for 24 hours and for this revision."
    ))?;
    Ok(Outcome::Same)
}

/// Who is at the terminal.
fn approver() -> String {
    std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "the person at the terminal".to_owned())
}
