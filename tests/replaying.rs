//! Decisions that were written down come out the same when they are made again, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::bench::{diarchy, root, stderr, stdout};
use crate::cluster::with_definitions;
use crate::deployed::{Controller, Deployment, Tenant};
use crate::site::Site;

/// A loop over an example of rollouts with a mishap, until nothing more happens, whose decisions are in
/// `folder`.
fn record(folder: &Path, state: &Path) {
    let mut command = diarchy();
    command
        .arg("up")
        .arg(root().join("examples/rollouts/rolls-back"))
        .args(["--working-tree", "--simulate", "400", "--approve"])
        .args(["--mishap", "WindowsUpdatePolicies=30%"])
        .args(["--until-converged", "--timeout", "2m", "--state"])
        .arg(state)
        .arg("--record")
        .arg(folder);
    let output = command.output().unwrap();
    assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
}

fn replay(folder: &Path) -> (Option<i32>, Vec<Value>) {
    let mut command = diarchy();
    let output = command
        .arg("replay")
        .arg(folder)
        .args(["-o", "json"])
        .output();
    let output = output.unwrap();
    let replayed = serde_json::from_str(&stdout(&output));
    (
        output.status.code(),
        replayed.unwrap_or_else(|_| panic!("{}", stderr(&output))),
    )
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn unpack(file: &Path) -> Value {
    let packed = fs::read(file).unwrap();
    let json = zstd::decode_all(packed.as_slice()).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn every_decision_comes_out_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let (decisions, state) = (folder.path().join("decisions"), folder.path().join("state"));
    record(&decisions, &state);
    let files = files(&decisions);
    assert!(files.len() > 10, "{} decisions", files.len());
    let (status, replayed) = replay(&decisions);
    assert_eq!(status, Some(0), "{replayed:#?}");
    assert_eq!(replayed.len(), files.len());
    assert!(replayed.iter().all(|one| one["isSame"] == true));
    // Something was decided: to move, and to take back.
    let outcomes: Vec<String> = files
        .iter()
        .map(|file| unpack(file)["outcome"].as_str().unwrap().to_owned())
        .collect();
    for what in ["\"place ", "\"take "] {
        assert!(outcomes.iter().any(|one| one.contains(what)), "{what}");
    }
    // The audit trail names each of them.
    let mut history = diarchy();
    let output = history
        .args(["history", "--trail", "--state"])
        .arg(&state)
        .output();
    let trail = stdout(&output.unwrap());
    let decided = trail.lines().filter(|line| line.contains("\"decided\""));
    assert_eq!(decided.count(), files.len());

    // Another input gives another outcome, and a decision that was tampered with is told.
    let mut changed = unpack(&files[0]);
    changed["inputs"]["desired"]["suspend"] = json!(true);
    let packed = zstd::encode_all(changed.to_string().as_bytes(), 0).unwrap();
    fs::write(&files[0], packed).unwrap();
    let (status, replayed) = replay(&decisions);
    assert_eq!(status, Some(1));
    let differing = replayed.iter().filter(|one| one["isSame"] == false);
    assert_eq!(differing.count(), 1);

    fs::write(&files[1], "not a decision").unwrap();
    let output = diarchy().arg("replay").arg(&decisions).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = stderr(&output);
    let name = files[1].file_name().unwrap().to_str().unwrap();
    assert!(error.contains(name) && error.contains("DIA2"), "{error}");
}

#[test]
fn what_a_controller_decides_comes_out_the_same_again() {
    let site = Site::open();
    let cluster = with_definitions();
    let tenant = Tenant::of(cluster, &site);
    let deployment = Deployment::of(cluster, &[&tenant]);
    let decisions = tempfile::tempdir().unwrap();
    let mut command = deployment.command("one");
    command.arg("--record").arg(decisions.path());
    let controller = Controller::start(&mut command);
    tenant.carry_out();
    drop(controller);
    let files = files(decisions.path());
    assert!(files.len() > 1, "{} decisions", files.len());
    let outcomes = files
        .iter()
        .map(|file| unpack(file)["outcome"].as_str().unwrap().to_owned());
    assert!(outcomes.into_iter().any(|one| one.contains("\"place ")));
    let (status, replayed) = replay(decisions.path());
    assert_eq!(status, Some(0), "{replayed:#?}");
    assert_eq!(replayed.len(), files.len());
}
