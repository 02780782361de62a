//! An estate as it would be at a customer's: addresses, credentials and roots as the Fleet names them.

use serde_json::Value;

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
    std::fs::write(&secret, text).unwrap();
    running.wait_for("a first plan that waits", |report| {
        !fleet(report)["waiting"].is_null()
    });
}
