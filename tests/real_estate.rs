//! An estate as it would be at a customer's: addresses, credentials and roots as the Fleet names them.

use serde_json::Value;

use crate::bench::diarchy;
use crate::deployed::condition_in;
use crate::running::{Running, fleet};
use crate::site::{Site, approve};

fn is_asked_for(report: &Value) -> bool {
    let fleet = fleet(report);
    let Some(workloads) = fleet["workloads"].as_object() else {
        return false;
    };
    fleet["waiting"].is_null()
        && fleet["problems"].as_array().is_some_and(Vec::is_empty)
        && workloads
            .values()
            .any(|workload| workload["assigned"].as_u64() > workload["foreign"].as_u64())
}

#[test]
fn a_fleet_is_reached_by_its_own_addresses_credentials_and_roots() {
    let site = Site::real();
    let mut running = Running::start(&mut site.up_real("state"));
    let report = running.wait_for("a first plan that waits", |report| {
        !fleet(report)["waiting"].is_null()
    });
    approve(&site.state("state"), &report);
    running.wait_for("devices to be assigned", is_asked_for);
    site.assert_clean();
}

/// What `get` says of the first resource of a kind, whether it is ready.
fn told_of(site: &Site, kind: &str) -> String {
    let mut get = diarchy();
    get.args(["get", "-o", "json", "--state"]);
    let output = get.arg(site.state("state")).output().unwrap();
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = all
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["kind"] == kind);
    let status = &first.unwrap_or_else(|| panic!("{all:#}"))["status"];
    let ready = condition_in(status, "Ready");
    assert_eq!(ready["status"], "False", "{status:#}");
    ready["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_missing_credential_is_named_and_found_once_it_is_there() {
    let site = Site::real();
    let secret = site.secret("graph-app/clientSecret");
    let text = std::fs::read(&secret).unwrap();
    std::fs::remove_file(&secret).unwrap();
    let mut running = Running::start(&mut site.up_real("state"));
    let report = running.wait_for("a report", |_| true);
    let failures = report["failures"].to_string();
    assert!(failures.contains("clientSecret"), "{failures}");
    // Who asks beside the loop is told, too: of the fleet, and of what stands on it.
    for kind in ["Fleet", "WorkloadAssignment"] {
        let told = told_of(&site, kind);
        assert!(told.contains("clientSecret"), "{kind}: {told}");
    }
    assert!(told_of(&site, "Fleet").contains("--secrets"));
    std::fs::write(&secret, text).unwrap();
    running.wait_for("a first plan that waits", |report| {
        !fleet(report)["waiting"].is_null()
    });
}
