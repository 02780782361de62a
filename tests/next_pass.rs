//! `plan --next`: what the loop would do in its next pass, and then does.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::tempdir;

use crate::bench::{diarchy, stderr, stdout};
use crate::planning::document;
use crate::repository::Repository;
use crate::site::try_approve;
use crate::world::{placed, writes};

const DEVICES: &str = "150";

fn run(command: &str, repository: &Repository, state: &Path, arguments: &[&str]) -> Output {
    diarchy()
        .arg(command)
        .arg(repository.path())
        .args(["--simulate", DEVICES, "-o", "json", "--state"])
        .arg(state)
        .args(arguments)
        .output()
        .unwrap()
}

/// One pass of the loop.
fn pass(repository: &Repository, state: &Path) -> Value {
    let output = run("up", repository, state, &["--once"]);
    let text = stdout(&output);
    let mut line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    line["report"].take()
}

fn next(repository: &Repository, state: &Path) -> Value {
    document(&run("plan", repository, state, &["--next"]))
}

fn changes(plan: &Value) -> usize {
    plan["changes"].as_array().unwrap().len()
}

#[test]
fn the_next_pass_does_what_was_told_of_it() {
    let repository = Repository::small();
    let folder = tempdir().unwrap();
    let state = folder.path().join("state");
    let waiting = &pass(&repository, &state)["fleets"][0]["waiting"];
    let digest = waiting["digest"].as_str().unwrap();

    let plan = next(&repository, &state);
    assert_eq!(changes(&plan), 0);
    assert_eq!(plan["next"]["waiting"]["digest"], digest);
    assert_eq!(plan["next"]["waiting"]["reason"], "NoBaseline");
    let output = run("plan", &repository, &state, &["--next"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    assert_eq!(try_approve(&state, digest).status.code(), Some(0));
    let plan = next(&repository, &state);
    let expected = changes(&plan);
    assert!(expected > 20, "{plan:#}");
    assert!(plan["next"]["waiting"].is_null());

    // The first pass claims the fleet, the second writes.
    pass(&repository, &state);
    pass(&repository, &state);
    assert_eq!(placed(&writes(&state)), expected);
}

#[test]
fn what_takes_its_devices_back_when_it_is_deleted_is_known_from_the_state() {
    let repository = Repository::small();
    repository.edit(
        "assignments/updates.yaml",
        "  authority: Intune\n",
        "  authority: Intune\n  onDelete: Revert\n",
    );
    let before = repository.commit();
    let folder = tempdir().unwrap();
    let state = folder.path().join("state");
    // Long enough for the site to evaluate what was written.
    let output = run("up", &repository, &state, &["--approve", "--timeout", "4s"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    std::fs::remove_file(repository.file("assignments/updates.yaml")).unwrap();
    repository.commit();

    // Without the state nobody knows, and that is said.
    let inventory = folder.path().join("devices.ndjson");
    let held = held(&repository, &state, &inventory);
    assert!(held > 20, "hardly anybody was moved");
    let file = inventory.to_str().unwrap();
    let forgetful = repository.run("plan", &["--inventory", file]);
    let text = stdout(&forgetful);
    assert!(text.contains("onDelete: Revert"), "{text}");
    assert_eq!(forgetful.status.code(), Some(0), "{text}");

    // The state knows, and so does the revision before.
    let state = state.to_str().unwrap();
    for knowing in [["--state", state], ["--from", &before]] {
        let arguments = ["--inventory", file, "-o", "json"];
        let plan = repository.run("plan", &[&arguments[..], &knowing].concat());
        let leaving = &document(&plan)["counts"]["leaving"];
        // One that its limiting collection lacks is not there, and would not come any more either.
        let leaving = usize::try_from(leaving.as_u64().unwrap()).unwrap();
        assert!(
            (held..=held + 2).contains(&leaving),
            "{knowing:?}: {leaving}, {held}"
        );
    }

    // More than maxLeaving: it waits, and nobody who is there is taken out.
    let state = Path::new(state);
    pass(&repository, state);
    assert_eq!(self::held(&repository, state, &inventory), held);
    let next = next(&repository, state);
    assert_eq!(next["next"]["waiting"]["reason"], "MaxLeaving");
}

/// How many devices the assignment holds, by an inventory that is exported into a file.
fn held(repository: &Repository, state: &Path, file: &Path) -> usize {
    let export = diarchy()
        .args(["inventory", "export"])
        .arg(repository.path())
        .args(["--simulate", DEVICES, "--state"])
        .arg(state)
        .arg("-o")
        .arg(file)
        .output()
        .unwrap();
    assert_eq!(export.status.code(), Some(0), "{}", stderr(&export));
    let lines = std::fs::read_to_string(file).unwrap();
    lines.matches("WorkloadAssignment/contoso/updates").count()
}

#[test]
fn a_state_that_is_not_there_is_no_state() {
    let repository = Repository::small();
    let missing = Path::new("no-such-state");
    let output = run("plan", &repository, missing, &["--next"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("DIA2"), "{}", stderr(&output));
    let output = repository.run("plan", &["--next", "--simulate", "10"]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
}
