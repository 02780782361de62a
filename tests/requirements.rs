//! What an assignment requires, in a loop: nobody moves before it is ready, and everybody is told why.

use std::process::Output;

use diarchy_simulator::{Act, IntuneObject, IntuneTarget};
use serde_json::Value;

use crate::bench::{diarchy, stderr, stdout};
use crate::cluster::{ok, with_definitions};
use crate::deployed::{Deployment, Tenant};
use crate::readiness::in_namespace;
use crate::running::{Running, fleet, is_converged};
use crate::site::{PILOT, Site, try_approve};

const RING: &str = "0d7c2a34-9a0b-4b55-8f4e-2f1f9f2f6a01";
const GROUP: &str = "3f8c1d52-6b0e-4a7d-9c41-52e7a90b6d18";
const TEXT: &str = "the firewall lets Windows Update through";

/// The example's assignment of updates, which requires these.
fn require(site: &Site, requires: &str) {
    let of_updates = "groupRef: { name: others }\n  authority: Intune";
    site.repository.edit(
        "resources.yaml",
        of_updates,
        &format!("{of_updates}\n  requires: [ {requires} ]"),
    );
    site.repository.commit();
}

fn ring() -> IntuneObject {
    IntuneObject {
        collection: "deviceManagement/deviceConfigurations".to_owned(),
        id: RING.to_owned(),
        name: "Broad".to_owned(),
        odata_type: Some("windowsUpdateForBusinessConfiguration".to_owned()),
        beta_only: false,
        assignments: Vec::new(),
    }
}

fn put(site: &Site, object: IntuneObject) {
    site.control.act(Act::PutIntuneObject { object }).unwrap();
}

/// What the loop waits for, each as a word.
fn lacks(report: &Value) -> Vec<String> {
    let unmet = fleet(report)["unmet"].as_array().unwrap();
    let told = unmet.iter();
    told.map(|one| one["lack"].as_str().unwrap().to_owned())
        .collect()
}

fn beside(site: &Site, arguments: &[&str]) -> Output {
    let mut command = diarchy();
    command.args(arguments);
    command.arg("--state").arg(site.state("one"));
    command.output().unwrap()
}

/// The status of the assignment that requires something.
fn status(site: &Site) -> Value {
    let told = beside(site, &["get", "assignments", "updates", "-o", "json"]);
    assert_eq!(told.status.code(), Some(0), "{}", stderr(&told));
    let told: Value = serde_json::from_str(&stdout(&told)).unwrap();
    let one = told.as_array().map_or(&told, |all| &all[0]);
    one["status"].clone()
}

fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let all = status["conditions"].as_array().unwrap();
    all.iter().find(|one| one["type"] == kind).unwrap()
}

/// Members of the pilot collection that Diarchy put there.
fn moved(site: &Site) -> usize {
    let log = site.control.log();
    crate::world::placed(&log)
}

#[test]
fn nobody_moves_before_what_is_required_of_intune_is_ready() {
    let site = Site::open();
    let of = "windowsUpdateForBusinessConfiguration";
    require(
        &site,
        &format!("{{ graph: {of}, id: {RING}, assignedTo: {GROUP} }}"),
    );
    let others = site.control.members(PILOT).unwrap();
    let mut running = Running::start(site.up("one").arg("--approve"));
    let report = running.wait_for("a requirement that is not ready", |report| {
        lacks(report) == ["NotFound"]
    });
    assert!(!is_converged(&report));
    // Everybody else goes on.
    running.wait_for("the others to be where they should be", |report| {
        let convergence = fleet(report)["convergence"].as_object().unwrap();
        let mut workloads = convergence.values();
        moved(&site) > 0 && workloads.all(|one| one["online"] == one["converged"])
    });
    assert_eq!(site.control.members(PILOT).unwrap(), others);
    let told = status(&site);
    let ready = condition(&told, "Ready");
    assert_eq!(ready["reason"], "DependencyNotReady", "{told:#}");
    let message = ready["message"].as_str().unwrap();
    assert!(
        message.contains(RING) && message.contains("is not in Intune"),
        "{message}"
    );
    assert_eq!(
        condition(&told, "Converged")["reason"],
        "DependencyNotReady"
    );
    assert_eq!(told["requires"][0]["reason"], "NotFound");

    // It is made, and not assigned yet.
    put(&site, ring());
    running.wait_for("one that is not assigned", |report| {
        lacks(report) == ["NotAssigned"]
    });
    let seen = site.control.truths();
    let device = seen.iter().find(|one| one.resource_id.is_some()).unwrap();
    let explained = diarchy()
        .arg("explain")
        .arg(site.repository.path())
        .arg(&device.name)
        .args(["--simulate", "60", "--workload", "WindowsUpdatePolicies"])
        .arg("--state")
        .arg(site.state("one"))
        .output()
        .unwrap();
    let text = stdout(&explained);
    assert!(
        text.contains("is not assigned to group"),
        "{text}{}",
        stderr(&explained)
    );
    assert!(
        text.contains(&format!("on: assign it to group {GROUP}")),
        "{text}"
    );

    put(
        &site,
        IntuneObject {
            assignments: vec![IntuneTarget::Group(GROUP.to_owned()).into()],
            ..ring()
        },
    );
    running.wait_for("everything to be where it should be", is_converged);
    assert!(site.control.members(PILOT).unwrap().len() > others.len());
    assert_eq!(status(&site)["requires"], Value::Null);
    let there = site.control.members(PILOT).unwrap();

    // It goes, and nobody moves because of that.
    site.control.grant_reading_intune_objects(false);
    running.wait_for("one that may not be read", |report| {
        lacks(report) == ["Forbidden"]
    });
    let told = status(&site);
    let message = told["requires"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("DeviceManagementConfiguration.Read.All"),
        "{message}"
    );
    running.fresh();
    running.fresh();
    assert_eq!(site.control.members(PILOT).unwrap(), there);
    site.control.grant_reading_intune_objects(true);
    running.wait_for("all of it again", is_converged);
    site.assert_clean();
    assert_eq!(turns(&site), [true, false, true]);
    let told = stdout(&beside(&site, &["history", "assignment/updates"]));
    let of_ring = told.lines().filter(|line| line.contains(RING));
    let of_ring: Vec<&str> = of_ring.collect();
    assert_eq!(of_ring.len(), 3, "{told}");
    assert!(
        of_ring[1].contains("DeviceManagementConfiguration.Read.All"),
        "{told}"
    );
}

/// How what the assignment requires has turned, by the audit trail: whether it was ready from then on.
fn turns(site: &Site) -> Vec<bool> {
    let trail = stdout(&beside(site, &["history", "--trail"]));
    let entries = trail
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let turned = entries.filter_map(|entry| {
        let is_ready = match entry["event"].as_str().unwrap() {
            "requirementMet" => true,
            "requirementUnmet" => false,
            _ => return None,
        };
        assert_eq!(entry["assignment"], "WorkloadAssignment/contoso/updates");
        assert_eq!(entry["why"].is_string(), !is_ready, "{entry}");
        Some(is_ready)
    });
    turned.collect()
}

#[test]
fn what_no_service_tells_is_attested_by_a_person_once() {
    let site = Site::open();
    require(&site, &format!("{{ attest: \"{TEXT}\" }}"));
    let mut running = Running::start(&mut site.up("one"));
    let report = running.wait_for("a plan and a text that wait", |report| {
        lacks(report) == ["NotAttested"] && !fleet(report)["waiting"].is_null()
    });
    crate::site::approve(&site.state("one"), &report);
    let waits = running.wait_for("the text alone to wait", |report| {
        lacks(report) == ["NotAttested"] && fleet(report)["waiting"].is_null()
    });
    let told = status(&site);
    let digest = told["requires"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(fleet(&waits)["unmet"][0]["digest"], digest.as_str());
    let message = told["requires"][0]["message"].as_str().unwrap();
    assert!(message.contains(TEXT), "{message}");
    let members = site.control.members(PILOT).unwrap();

    let said = try_approve(&site.state("one"), &digest);
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    // What nobody had agreed to before is over no guardrail here.
    running.wait_for("everything to be where it should be", is_converged);
    assert!(site.control.members(PILOT).unwrap().len() > members.len());
    assert_eq!(status(&site)["requires"], Value::Null);

    // A new process remembers; another text is asked about anew.
    assert!(running.kill());
    let mut running = Running::start(&mut site.up("one"));
    running.wait_for("all of it as before", is_converged);
    let there = site.control.members(PILOT).unwrap();
    site.repository
        .edit("resources.yaml", TEXT, "the helpdesk knows");
    site.repository.commit();
    running.wait_for("the other text to wait", |report| {
        lacks(report) == ["NotAttested"]
    });
    assert_ne!(status(&site)["requires"][0]["digest"], digest.as_str());
    assert_eq!(site.control.members(PILOT).unwrap(), there);
    site.assert_clean();
}

#[test]
fn in_a_cluster_it_is_attested_by_an_approval() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    require(&site, &format!("{{ attest: \"{TEXT}\" }}"));
    let text = [tenant.text("fleet.yaml"), tenant.text("resources.yaml")].join("\n---\n");
    assert!(text.contains(TEXT));
    tenant.apply_text(&text);
    tenant.approve();
    let waits = tenant.wait_for("a text to wait", "workloadassignment", "updates", |one| {
        one["status"]["requires"][0]["reason"] == "NotAttested"
    });
    let status = &waits["status"];
    assert_eq!(condition(status, "Ready")["reason"], "DependencyNotReady");
    let digest = status["requires"][0]["digest"].as_str().unwrap();
    let approved = in_namespace(&tenant, &["approve", digest])
        .output()
        .unwrap();
    assert_eq!(approved.status.code(), Some(0), "{}", stderr(&approved));
    tenant.wait_for_condition("Converged", "workloadassignment/updates");
    let mut approvals = tenant.kubectl();
    let approvals = ok(approvals.args(["get", "approvals", "-o", "json"]));
    let approvals: Value = serde_json::from_str(&approvals).unwrap();
    let of_text = approvals["items"].as_array().unwrap().iter();
    let of_text: Vec<&Value> = of_text
        .filter(|one| one["spec"]["targetRef"]["kind"] == "WorkloadAssignment")
        .collect();
    assert_eq!(of_text.len(), 1);
    assert_eq!(condition(&of_text[0]["status"], "Ready")["reason"], "Taken");
    site.assert_clean();
}

#[test]
fn the_simulated_world_has_what_the_repository_requires() {
    let site = Site::open();
    let of = "deviceManagementConfigurationPolicy";
    require(
        &site,
        &format!("{{ graph: {of}, id: {RING}, assignedTo: {GROUP} }}, {{ attest: \"{TEXT}\" }}"),
    );
    let up = |unprepared: &[&str]| {
        diarchy()
            .arg("up")
            .arg(site.repository.path())
            .args(["--simulate", "40", "--once", "--approve", "-o", "json"])
            .args(unprepared)
            .output()
            .unwrap()
    };
    let first = |output: &Output| -> Value {
        let text = stdout(output);
        let line = text.lines().find(|line| line.contains("\"unmet\""));
        let line = line.unwrap_or_else(|| panic!("{text}{}", stderr(output)));
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["report"].take()
    };
    let prepared = first(&up(&[]));
    assert_eq!(lacks(&prepared), Vec::<String>::new());
    let unprepared = first(&up(&["--unprepared"]));
    assert_eq!(lacks(&unprepared), ["NotFound"]);

    // A plan from a file has nowhere to look, and says so.
    let inventory = site.state("inventory.ndjson");
    let exported = diarchy()
        .args(["inventory", "export"])
        .arg(site.repository.path())
        .args(["--simulate", "40"])
        .output()
        .unwrap();
    std::fs::write(&inventory, &exported.stdout).unwrap();
    let planned = diarchy()
        .arg("plan")
        .arg(site.repository.path())
        .arg("--inventory")
        .arg(&inventory)
        .output()
        .unwrap();
    let text = stdout(&planned);
    assert!(
        text.contains("waits for requires"),
        "{text}{}",
        stderr(&planned)
    );
    assert!(text.contains("was not looked at"), "{text}");
}
