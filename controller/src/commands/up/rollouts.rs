//! What `up` says of rollouts.

use std::path::Path;

use diarchy_core::rollout::{Phase, rolled_back};
use diarchy_operator::report::RolloutReport;

use crate::show::{count, plural};

/// What a person wants to hear of a rollout when it becomes so.
pub fn news(rollout: &RolloutReport, state: Option<&Path>) -> Option<String> {
    match rollout.phase {
        // Nobody has been let in: there is nothing to tell yet.
        Phase::Waiting => None,
        Phase::AwaitingApproval => {
            let digest = rollout.digest.as_deref().unwrap_or_default();
            let file = state.map_or_else(
                || "run with --state FILE to be able to approve it, or with --approve".to_owned(),
                |state| format!("diarchy approve {digest} --state {}", state.display()),
            );
            Some(format!("{}\n  {file}", in_words(rollout)))
        }
        _ => Some(in_words(rollout)),
    }
}

/// How far a rollout is, in a line.
pub fn in_words(rollout: &RolloutReport) -> String {
    let RolloutReport {
        assignment,
        step,
        of,
        phase,
        counts,
        why,
        ..
    } = rollout;
    let why = why.as_deref().unwrap_or("it has stopped");
    let what = match phase {
        Phase::Waiting => "nobody can be moved yet".to_owned(),
        Phase::Progressing => "its devices move".to_owned(),
        Phase::Soaking => format!(
            "{} of {} online devices have arrived, and are watched",
            count(counts.arrived),
            count(counts.online)
        ),
        Phase::AwaitingApproval => "it has ended, and the next one waits for a person".to_owned(),
        Phase::Halted => format!("halted: {why}"),
        Phase::RolledBack => rolled_back(why),
        Phase::Complete => {
            let arrived = plural(counts.arrived, "online device");
            return format!(
                "{assignment}: rolled out in {}: {arrived} arrived",
                plural(*of, "step")
            );
        }
    };
    format!("{assignment}: step {step} of {of}: {what}")
}
