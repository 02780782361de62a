//! What waits for a person, what does not, and what a yes covers.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::bench::{diarchy, stderr};
use crate::repository::{Repository, SMALL};
use crate::running::{Running, fleet, is_converged};
use crate::site::{approve, try_approve};
use crate::world::{assert_clean, placed, rule_changes, taken_out, writes};

const POLICY: &str = "\
apiVersion: diarchy.dev/v1alpha1
kind: CoManagementPolicy
metadata: { name: contoso }
spec:
  fleetRef: { name: contoso }
  workloads:
    CompliancePolicies: { slider: Intune }
    WindowsUpdatePolicies: { slider: PilotIntune, pilotCollection: PS100022 }
    OfficeClickToRun: { slider: PilotIntune, pilotCollection: PS100024 }
";

/// A repository with an assignment to rings of devices, and a state, both for one test.
pub struct Case {
    pub repository: Repository,
    folder: TempDir,
}

impl Case {
    /// `updates` moves the rings named here; about 5 % of the devices are canaries, 15 % are early.
    pub fn new(rings: &str) -> Self {
        let repository = Repository::empty();
        let (name, fleet) = SMALL[0];
        let quick = "spec:\n  inventory: { onlineWithin: 4h }\n";
        repository.write(name, fleet.replace("spec:\n", quick));
        repository.write("policy.yaml", POLICY);
        let case = Self {
            repository,
            folder: tempdir().unwrap(),
        };
        case.assign("updates", "WindowsUpdatePolicies", rings);
        case.repository.commit();
        case
    }

    /// Lets an assignment to Intune, with a group of its own, be in the repository.
    fn assign(&self, name: &str, workload: &str, rings: &str) {
        let text = format!(
            "\
apiVersion: diarchy.dev/v1alpha1
kind: DeviceGroup
metadata: {{ name: {name} }}
spec:
  fleetRef: {{ name: contoso }}
  selector:
    matchAttributes:
      - {{ key: labels/extensionAttribute1, operator: {rings} }}
---
apiVersion: diarchy.dev/v1alpha1
kind: WorkloadAssignment
metadata: {{ name: {name} }}
spec:
  fleetRef: {{ name: contoso }}
  workload: {workload}
  groupRef: {{ name: {name} }}
  authority: Intune
"
        );
        self.repository.write(&format!("{name}.yaml"), text);
    }

    pub fn set_guardrails(&self, guardrails: &str) {
        let text = "spec:\n";
        let with = format!("spec:\n  guardrails: {{ {guardrails} }}\n");
        self.repository.edit("fleet.yaml", text, &with);
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn up(&self) -> Command {
        let mut command = diarchy();
        command
            .arg("up")
            .arg(self.repository.path())
            .args(["--simulate", "200", "--state"])
            .arg(self.state());
        command
    }

    /// The loop, running, with the first plan approved and carried out.
    pub fn carried_out(&self) -> Running {
        let mut running = Running::start(&mut self.up());
        let report = running.wait_for("the first plan to wait", is_waiting);
        approve(&self.state(), &report);
        running.wait_for("the first plan to be carried out", is_converged);
        assert!(rule_changes(&writes(&self.state())) > 0, "nobody was moved");
        running
    }

    fn rules_written(&self) -> usize {
        rule_changes(&writes(&self.state()))
    }
}

fn is_waiting(report: &Value) -> bool {
    !fleet(report)["waiting"].is_null()
}

pub fn reason(report: &Value) -> &str {
    fleet(report)["waiting"]["reason"]
        .as_str()
        .unwrap_or("nothing waits")
}

pub fn is_of(commit: &str) -> impl Fn(&Value) -> bool {
    move |report| {
        let revision = report["revision"].as_str();
        revision.is_some_and(|revision| revision.contains(commit))
    }
}

fn assigned(report: &Value, workload: &str) -> u64 {
    fleet(report)["workloads"][workload]["assigned"]
        .as_u64()
        .unwrap()
}

fn retained(report: &Value, workload: &str) -> u64 {
    fleet(report)["workloads"][workload]["retained"]
        .as_u64()
        .unwrap()
}

const UPDATES: &str = "WindowsUpdatePolicies";
const OFFICE: &str = "OfficeClickToRun";
pub const CANARY: &str = "In, values: [ canary ]";
const EARLY: &str = "In, values: [ early ]";
const BOTH: &str = "In, values: [ canary, early ]";
const EVERYBODY: &str = "NotIn, values: [ nothing ]";

#[test]
fn the_first_plan_waits_for_a_person_who_approves_its_digest() {
    let case = Case::new(CANARY);
    let mut running = Running::start(&mut case.up());
    let report = running.wait_for("the first plan to wait", is_waiting);
    assert_eq!(reason(&report), "NoBaseline");
    let changes = fleet(&report)["waiting"]["changes"].as_u64().unwrap();
    assert!(changes > 0);
    let later = running.fresh();
    assert_eq!(fleet(&later)["waiting"], fleet(&report)["waiting"]);
    assert_eq!(case.rules_written(), 0, "something was written unasked");

    approve(&case.state(), &later);
    running.wait_for("the plan to be carried out", is_converged);
    assert_eq!(placed(&writes(&case.state())) as u64, changes);
    assert_clean(&case.state());
}

#[test]
fn a_commit_that_would_move_too_many_waits() {
    let case = Case::new(CANARY);
    let mut running = case.carried_out();
    let before = case.rules_written();
    case.assign("updates", UPDATES, EVERYBODY);
    let commit = case.repository.commit();
    let report = running.wait_for("the new revision", is_of(&commit));
    assert_eq!(reason(&report), "MaxChangedDevices");
    running.fresh();
    assert_eq!(
        case.rules_written(),
        before,
        "something was written unasked"
    );

    approve(&case.state(), &report);
    let report = running.wait_for("the rest to be carried out", is_converged);
    assert!(assigned(&report, UPDATES) > 100, "{report:#}");
    assert_clean(&case.state());
}

#[test]
fn a_commit_that_loosens_a_guardrail_and_uses_it_waits_all_the_same() {
    let case = Case::new(CANARY);
    let mut running = case.carried_out();
    let before = case.rules_written();
    case.set_guardrails("maxChangedDevices: 100%");
    case.assign("updates", UPDATES, EVERYBODY);
    let commit = case.repository.commit();
    let report = running.wait_for("the new revision", is_of(&commit));
    assert_eq!(reason(&report), "MaxChangedDevices");
    let report = running.fresh();
    assert_eq!(reason(&report), "MaxChangedDevices");
    assert_eq!(
        case.rules_written(),
        before,
        "something was written unasked"
    );
}

#[test]
fn a_guardrail_that_was_loosened_in_an_earlier_commit_counts() {
    let case = Case::new(CANARY);
    let mut running = case.carried_out();
    case.set_guardrails("maxChangedDevices: 100%");
    let commit = case.repository.commit();
    running.wait_for("the looser guardrail", is_of(&commit));
    case.assign("updates", UPDATES, EVERYBODY);
    let commit = case.repository.commit();
    let report = running.wait_for("the new revision", is_of(&commit));
    assert_eq!(reason(&report), "nothing waits");
    running.wait_for("it to be carried out", is_converged);
}

#[test]
fn devices_that_would_leave_wait_alone_and_others_go_on() {
    let case = Case::new(BOTH);
    let mut running = case.carried_out();
    case.assign("updates", UPDATES, CANARY);
    case.assign("office", OFFICE, CANARY);
    let commit = case.repository.commit();
    let report = running.wait_for("the new revision", is_of(&commit));
    assert_eq!(reason(&report), "MaxLeaving");
    let waiting = &fleet(&report)["waiting"];
    assert_eq!(
        waiting["changes"], waiting["leaving"],
        "others wait with them"
    );
    let report = running.wait_for("those that join", |report| {
        fleet(report)["workloads"][OFFICE]["joining"] == 0 && assigned(report, OFFICE) > 0
    });
    assert_eq!(reason(&report), "MaxLeaving");
    assert_eq!(
        taken_out(&writes(&case.state())),
        0,
        "somebody left unasked"
    );

    let leaving = fleet(&report)["waiting"]["leaving"].as_u64().unwrap();
    approve(&case.state(), &report);
    running.wait_for("those that leave", is_converged);
    assert_eq!(taken_out(&writes(&case.state())) as u64, leaving);
    assert_clean(&case.state());
}

#[test]
fn nothing_but_what_waits_can_be_approved() {
    let case = Case::new(CANARY);
    let mut running = Running::start(&mut case.up());
    running.wait_for("the first plan to wait", is_waiting);
    let other = format!("sha256:{}", "0".repeat(64));
    let output = try_approve(&case.state(), &other);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("DIA2011"), "{}", stderr(&output));
    assert_eq!(reason(&running.fresh()), "NoBaseline");
    assert_eq!(case.rules_written(), 0);
}

/// Approves the first plan while no loop runs, then lets `commit` happen and a loop start.
fn approved_too_early(commit: impl FnOnce(&Case)) -> (Case, Running) {
    let case = Case::new(CANARY);
    let mut running = Running::start(&mut case.up());
    let report = running.wait_for("the first plan to wait", is_waiting);
    running.kill();
    approve(&case.state(), &report);
    commit(&case);
    let commit = case.repository.commit();
    let mut running = Running::start(&mut case.up());
    running.wait_for("the new revision", is_of(&commit));
    (case, running)
}

#[test]
fn a_yes_to_an_earlier_revision_does_not_count() {
    let (case, mut running) = approved_too_early(|case| {
        case.assign("updates", UPDATES, BOTH);
    });
    assert_eq!(reason(&running.fresh()), "NoBaseline");
    assert_eq!(case.rules_written(), 0);
}

#[test]
fn a_yes_to_an_earlier_revision_does_not_count_for_the_same_changes() {
    let (case, mut running) = approved_too_early(|case| {
        case.repository.write("README.md", "The same devices.");
    });
    assert_eq!(reason(&running.fresh()), "NoBaseline");
    assert_eq!(case.rules_written(), 0);
}

#[test]
fn a_revision_that_does_not_validate_leaves_the_last_good_one_in_force() {
    let case = Case::new(CANARY);
    let mut running = case.carried_out();
    let before = writes(&case.state());
    let good = case
        .repository
        .git()
        .head()
        .unwrap()
        .target()
        .unwrap()
        .to_string();
    case.assign("updates", UPDATES, "Resembles, values: [ canary ]");
    let bad = case.repository.commit();
    let is_refused = |report: &Value| {
        let refused = report["refused"]["revision"].as_str();
        refused.is_some_and(|refused| refused.contains(&bad))
    };
    let report = running.wait_for("the bad revision to be refused", is_refused);
    assert!(is_of(&good)(&report), "{report:#}");
    let finding = report["refused"]["findings"][0].as_str().unwrap();
    assert!(
        finding.contains("DIA1") && finding.contains("updates.yaml:"),
        "{finding}"
    );

    running.kill();
    let mut running = Running::start(&mut case.up());
    let report = running.wait_for("the bad revision to be refused again", is_refused);
    assert!(is_of(&good)(&report), "{report:#}");
    assert_eq!(writes(&case.state()), before);
}

/// Deletes the only assignment; the loop has seen it when this returns.
fn deleted(case: &Case, running: &mut Running) -> Value {
    std::fs::remove_file(case.repository.file("updates.yaml")).unwrap();
    let commit = case.repository.commit();
    running.wait_for("the deletion", is_of(&commit));
    running.fresh()
}

#[test]
fn a_deleted_assignment_moves_nobody() {
    let case = Case::new(CANARY);
    let mut running = case.carried_out();
    let before = writes(&case.state());
    let report = deleted(&case, &mut running);
    assert!(retained(&report, UPDATES) > 0, "{report:#}");
    let foreign = fleet(&report)["workloads"][UPDATES]["foreign"]
        .as_u64()
        .unwrap();
    assert_eq!(
        retained(&report, UPDATES) + foreign,
        assigned(&report, UPDATES)
    );
    assert_eq!(writes(&case.state()), before);
}

#[test]
fn an_assignment_that_is_made_anew_does_not_take_back_what_the_first_had_moved() {
    let case = Case::new(CANARY);
    let mut running = case.carried_out();
    deleted(&case, &mut running);
    case.assign("updates", UPDATES, EARLY);
    let commit = case.repository.commit();
    let report = running.wait_for("the new one to be carried out", |report| {
        is_of(&commit)(report) && is_converged(report)
    });
    assert!(retained(&report, UPDATES) > 0, "{report:#}");
    assert!(
        assigned(&report, UPDATES) > retained(&report, UPDATES),
        "{report:#}"
    );
    assert_eq!(
        taken_out(&writes(&case.state())),
        0,
        "somebody was taken out"
    );
    assert_clean(&case.state());
}

#[test]
fn a_group_that_is_deleted_while_it_is_used_is_refused() {
    let case = Case::new(CANARY);
    let mut running = case.carried_out();
    let before = writes(&case.state());
    let file = case.repository.file("updates.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (_, assignment) = text.split_once("---\n").unwrap();
    std::fs::write(&file, assignment).unwrap();
    let commit = case.repository.commit();
    let report = running.wait_for("the deletion to be refused", |report| {
        let refused = report["refused"]["revision"].as_str();
        refused.is_some_and(|refused| refused.contains(&commit))
    });
    let finding = report["refused"]["findings"][0].as_str().unwrap();
    assert!(
        finding.contains("updates.yaml:") && finding.contains("updates"),
        "{finding}"
    );
    running.fresh();
    assert_eq!(writes(&case.state()), before);
}

#[test]
fn a_repository_that_went_empty_moves_nobody() {
    let case = Case::new(CANARY);
    let mut running = case.carried_out();
    let before = case.rules_written();
    for file in ["updates.yaml", "policy.yaml"] {
        std::fs::remove_file(case.repository.file(file)).unwrap();
    }
    let commit = case.repository.commit();
    running.wait_for("nothing but a fleet to be left", is_of(&commit));
    running.fresh();
    std::fs::remove_file(case.repository.file("fleet.yaml")).unwrap();
    let commit = case.repository.commit();
    running.wait_for("the empty revision", |report| {
        report.to_string().contains(&commit)
    });
    running.fresh();
    assert_eq!(case.rules_written(), before);
}
