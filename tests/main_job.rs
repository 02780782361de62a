//! The main job: a repository's authority, carried out until every online device reports it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::tempdir;

use crate::bench::{copy_example, diarchy, root, stderr, stdout};
use crate::repository::Repository;
use crate::running::{Running, fleet, is_converged};
use crate::world::{assert_clean, assert_made_once, made, writes};

/// The first command of the README, with as many devices, and a state that outlives it.
fn main_job(devices: &str, state: &Path) -> Output {
    diarchy()
        .arg("up")
        .arg(root().join("examples/contoso"))
        .args(["--working-tree", "--simulate", devices, "--approve"])
        .args(["--until-converged", "--timeout", "2m", "-o", "json"])
        .arg("--state")
        .arg(state)
        .output()
        .unwrap()
}

/// The event and the report of the last line.
fn closing(output: &Output) -> (String, Value) {
    let text = stdout(output);
    let mut line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let event = line["event"].as_str().unwrap().to_owned();
    (event, line["report"].take())
}

#[test]
fn a_thousand_devices_converge_and_a_second_run_writes_nothing_more() {
    let folder = tempdir().unwrap();
    let state = folder.path().join("state");
    let first = main_job("1000", &state);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let (event, report) = closing(&first);
    assert_eq!(event, "converged");
    assert!(is_converged(&report), "{report:#}");
    let moved: u64 = fleet(&report)["workloads"]
        .as_object()
        .unwrap()
        .values()
        .map(|workload| workload["assigned"].as_u64().unwrap())
        .sum();
    assert!(moved > 300, "hardly anybody is assigned: {report:#}");
    assert_clean(&state);
    assert_made_once(&writes(&state));

    let before = writes(&state);
    let second = main_job("1000", &state);
    assert_eq!(second.status.code(), Some(0), "{}", stderr(&second));
    assert_eq!(closing(&second).0, "converged");
    assert_eq!(writes(&state), before, "the second run wrote");
}

#[test]
fn foreign_members_of_a_pilot_collection_stay() {
    let folder = tempdir().unwrap();
    let state = folder.path().join("state");
    let (_, report) = closing(&main_job("300", &state));
    let foreign: u64 = fleet(&report)["workloads"]
        .as_object()
        .unwrap()
        .values()
        .map(|workload| workload["foreign"].as_u64().unwrap())
        .sum();
    assert!(foreign > 0, "the world has none: {report:#}");
    // Taking one away, or writing to another collection, is held against the writer.
    assert_clean(&state);
}

fn follow(repository: &Repository, state: &Path) -> Command {
    let mut command = diarchy();
    command
        .arg("up")
        .arg(repository.path())
        .args(["--simulate", "200", "--approve", "--state"])
        .arg(state);
    command
}

#[test]
fn a_commit_that_moves_a_group_is_picked_up_by_the_running_loop() {
    let repository = Repository::empty();
    copy_example(repository.path());
    let first = repository.commit();
    let folder = tempdir().unwrap();
    let state = folder.path().join("state");
    let mut running = Running::start(&mut follow(&repository, &state));
    let report = running.wait_for("the first revision to be carried out", is_converged);
    assert!(report["revision"].as_str().unwrap().contains(&first));
    assert!(!is_made_for(&state, "contoso/office-nordics"));

    repository.edit("assignments/office.yaml", "suspend: true", "suspend: false");
    let second = repository.commit();
    let report = running.wait_for("the second revision to be carried out", |report| {
        let revision = report["revision"].as_str();
        revision.is_some_and(|revision| revision.contains(&second)) && is_converged(report)
    });
    assert!(is_made_for(&state, "contoso/office-nordics"), "{report:#}");
    assert_clean(&state);
}

/// A simulated site is prepared for what later revisions ask, as its people would, while the loop
/// runs and when it is started again.
#[test]
fn a_workload_that_a_later_commit_pilots_is_prepared_and_carried_out() {
    const APPS: &str = "\
apiVersion: diarchy.dev/v1alpha1
kind: WorkloadAssignment
metadata: { name: apps-pilots }
spec: { fleetRef: { name: contoso }, workload: ClientApps, groupRef: { name: pilots }, authority: Intune }
";
    let repository = Repository::empty();
    copy_example(repository.path());
    repository.commit();
    let folder = tempdir().unwrap();
    let state = folder.path().join("state");
    let mut running = Running::start(&mut follow(&repository, &state));
    running.wait_for("the first revision to be carried out", is_converged);

    repository.edit(
        "co-management.yaml",
        "ClientApps: { slider: ConfigurationManager }",
        "ClientApps: { slider: PilotIntune, pilotCollection: PS100025 }",
    );
    repository.write("assignments/apps.yaml", APPS);
    let second = repository.commit();
    let is_carried_out = |report: &Value| {
        let revision = report["revision"].as_str();
        revision.is_some_and(|revision| revision.contains(&second))
            && is_converged(report)
            && fleet(report)["workloads"]["ClientApps"]["assigned"].as_u64() > Some(0)
    };
    running.wait_for("the second revision to be carried out", is_carried_out);
    assert!(running.kill());

    repository.edit("co-management.yaml", "PS100025", "PS100026");
    repository.commit();
    let mut running = Running::start(&mut follow(&repository, &state));
    running.wait_for("the third revision to be carried out", |report| {
        is_converged(report)
            && fleet(report)["workloads"]["ClientApps"]["assigned"].as_u64() > Some(0)
            && is_made_for(&state, "contoso/apps-pilots")
    });
    assert_clean(&state);
}

/// Whether an assignment has a collection of its own.
fn is_made_for(state: &Path, assignment: &str) -> bool {
    let made = made(&writes(state));
    made.keys().any(|comment| comment.contains(assignment))
}
