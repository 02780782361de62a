//! What going back from a rollout would not undo, said by `plan` before anybody is moved.

use std::path::Path;
use std::process::Output;

use tempfile::tempdir;

use crate::bench::{diarchy, stderr, stdout};
use crate::devices::{self, held_by, laptop, with};
use crate::planning::{document, plan, small_with};
use crate::repository::Repository;
use crate::site::try_approve;

const STAYS: &str = "authority goes back; settings, apps and versions already applied stay.";

/// Gives the small repository's assignment a rollout of two steps.
fn roll_out(repository: &Repository, on_failure: &str) {
    let rollout = format!(
        "  authority: Intune\n  rollout: {{ steps: [ {{ devices: 50% }} ], onFailure: {on_failure} }}\n"
    );
    repository.edit(
        "assignments/updates.yaml",
        "  authority: Intune\n",
        &rollout,
    );
    repository.commit();
}

#[test]
fn a_plan_says_what_a_rollback_would_not_undo() {
    let repository = small_with(devices::file(&[laptop("moving")]));
    let told = |arguments: &[&str]| stdout(&plan(&repository, arguments));
    assert!(!told(&[]).contains(STAYS), "it has no rollout");
    for (on_failure, before) in [
        (
            "Rollback",
            "If its rollout failed, updates would be rolled back",
        ),
        ("Halt", "Taking back what updates moves is no full undo"),
    ] {
        let repository = small_with(devices::file(&[laptop("moving")]));
        roll_out(&repository, on_failure);
        let sentence = format!("{before}: {STAYS}");
        for format in ["text", "markdown"] {
            let text = stdout(&plan(&repository, &["-o", format]));
            assert_eq!(text.matches(&sentence).count(), 1, "{text}");
        }
        let answer = document(&plan(&repository, &["-o", "json"]));
        assert!(!answer.to_string().contains("already applied"), "{answer}");
    }
}

#[test]
fn a_plan_by_which_a_rollout_moves_nobody_says_nothing_of_going_back() {
    let updates = "WorkloadAssignment/contoso/updates";
    let desktop = with(laptop("leaving"), held_by(&[updates]));
    let desktop = with(desktop, serde_json::json!({ "chassis": "Desktop" }));
    let there = with(laptop("done"), held_by(&[updates]));
    let repository = small_with(devices::file(&[there, desktop]));
    roll_out(&repository, "Rollback");
    let output = plan(&repository, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(!stdout(&output).contains(STAYS), "{}", stdout(&output));
}

fn simulated(command: &str, repository: &Repository, state: &Path, arguments: &[&str]) -> Output {
    diarchy()
        .arg(command)
        .arg(repository.path())
        .args(["--simulate", "150", "--state"])
        .arg(state)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_plan_of_the_next_pass_says_it_too() {
    let repository = Repository::small();
    roll_out(&repository, "Rollback");
    let folder = tempdir().unwrap();
    let state = folder.path().join("state");
    let waiting = simulated("up", &repository, &state, &["--once", "-o", "json"]);
    let text = stdout(&waiting);
    let line = text.lines().last().unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let digest = line["report"]["fleets"][0]["waiting"]["digest"].clone();

    // Nothing is written before a person agrees, so that there is nothing to go back from.
    let next = || stdout(&simulated("plan", &repository, &state, &["--next"]));
    assert!(!next().contains(STAYS), "{}", next());
    let approved = try_approve(&state, digest.as_str().unwrap());
    assert_eq!(approved.status.code(), Some(0), "{}", stderr(&approved));
    let sentence = format!("If its rollout failed, updates would be rolled back: {STAYS}");
    assert!(next().contains(&sentence), "{}", next());
}
