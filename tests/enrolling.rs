//! The pilot of automatic enrolment: devices of the policy's group join it and never leave.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::tempdir;

use crate::bench::{diarchy, stderr, stdout};
use crate::repository::{Repository, SMALL};
use crate::running::fleet;
use crate::world::{assert_clean, assert_made_once, made, placed, taken_out, writes};

const POLICY: &str = "\
apiVersion: diarchy.dev/v1alpha1
kind: CoManagementPolicy
metadata: { name: contoso }
spec:
  fleetRef: { name: contoso }
  enrollment: { automatic: Pilot, pilotGroupRef: { name: laptops }, pilotCollection: PS100020 }
";

fn repository() -> Repository {
    let repository = Repository::empty();
    let [fleet, _, group, _] = SMALL;
    repository.write_all(&[fleet, group, ("policy.yaml", POLICY)]);
    repository.commit();
    repository
}

fn up(repository: &Repository, state: &Path) -> Command {
    let mut command = diarchy();
    command
        .arg("up")
        .arg(repository.path())
        .args(["--simulate", "200", "--until-converged"])
        .args(["-o", "json", "--state"])
        .arg(state);
    command
}

fn report(output: &Output) -> Value {
    let text = stdout(output);
    let mut line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    line["report"].take()
}

#[test]
fn devices_join_once_a_person_approves_and_stay_when_nobody_asks_any_more() {
    let repository = repository();
    let folder = tempdir().unwrap();
    let state = folder.path().join("state");

    let plan = repository.run("plan", &["--simulate", "200", "-o", "json"]);
    assert_eq!(plan.status.code(), Some(1), "{}", stderr(&plan));
    let plan: Value = serde_json::from_str(&stdout(&plan)).unwrap();
    let joining = plan["enrollment"]["joining"].as_array().unwrap().len();
    assert!(joining > 20, "{plan:#}");

    let waiting = up(&repository, &state).args(["--timeout", "5s"]).output();
    assert_eq!(waiting.unwrap().status.code(), Some(1));
    assert_eq!(placed(&writes(&state)), 0, "nobody has approved");

    let done = up(&repository, &state)
        .args(["--approve", "--timeout", "1m"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let members = fleet(&report(&done))["enrollment"]["members"].clone();
    assert!(members.as_u64().unwrap() > 20, "{members}");
    let mark = "diarchy: contoso/Enrollment contoso/contoso ";
    assert!(
        made(&writes(&state))
            .keys()
            .any(|comment| comment.starts_with(mark))
    );
    assert_clean(&state);
    assert_made_once(&writes(&state));

    let before = writes(&state);
    repository.edit("policy.yaml", "pilotGroupRef: { name: laptops }, ", "");
    repository.commit();
    let after = up(&repository, &state)
        .args(["--approve", "--timeout", "1m"])
        .output()
        .unwrap();
    assert_eq!(after.status.code(), Some(0), "{}", stderr(&after));
    assert_eq!(writes(&state), before, "somebody was moved");
    assert_eq!(taken_out(&before), 0);
}

#[test]
fn an_explanation_tells_why_a_device_joins() {
    let repository = repository();
    let device = serde_json::json!({
        "id": "d1", "chassis": "Laptop", "osVersion": "10.0.22631.4317", "server": false,
        "joinType": "HybridJoined", "configurationManager": { "resourceId": 7, "client": true },
        "intune": null, "mdm": null, "enrollmentPilot": false,
    });
    let file = repository.write("devices.ndjson", format!("{device}\n"));
    let explain = |format: &str| {
        let file = file.to_str().unwrap();
        let output = repository.run("explain", &["d1", "--inventory", file, "-o", format]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let text = explain("text");
    assert!(text.contains("it would join PS100020"), "{text}");
    assert!(text.contains("✓ group contoso/laptops"), "{text}");
    let json: Value = serde_json::from_str(&explain("json")).unwrap();
    assert_eq!(json["enrollment"]["verdict"], "Joins");
}
