//! People who speak to a loop without a cluster, by its state file: from beside, while it runs.

use std::process::Output;

use diarchy_simulator::Act;
use jiff::SignedDuration;
use serde_json::Value;

use crate::bench::{diarchy, stderr, stdout};
use crate::running::{Running, fleet, is_converged};
use crate::site::{PILOT, Site};

/// `diarchy` with the state of a loop.
fn beside(site: &Site, state: &str, arguments: &[&str]) -> Output {
    let mut command = diarchy();
    command
        .args(arguments)
        .arg("--state")
        .arg(site.state(state));
    command.output().unwrap()
}

fn done(site: &Site, arguments: &[&str]) -> String {
    let output = beside(site, "one", arguments);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {}",
        stderr(&output)
    );
    stdout(&output)
}

#[test]
fn a_loop_is_stopped_asked_and_looked_at_by_its_state() {
    let site = Site::open();
    let mut running = Running::start(&mut site.up("one"));
    let waiting = running.wait_for("a plan that waits", |report| {
        !fleet(report)["waiting"].is_null()
    });
    let digest = fleet(&waiting)["waiting"]["digest"].as_str().unwrap();

    let asked = ["reconcile", "fleet/contoso", "--wait"];
    let looked = beside(&site, "one", &asked);
    assert_eq!(looked.status.code(), Some(1), "{}", stdout(&looked));
    assert!(stdout(&looked).contains(digest), "{}", stdout(&looked));
    // Each assignment has devices among those that wait.
    let all = done(&site, &["get", "assignments"]);
    for line in all.lines().skip(1) {
        assert!(line.contains("False") && line.contains(digest), "{all}");
    }

    // Stopped first: the yes is heard, and nothing is written.
    done(&site, &["suspend", "fleet/contoso"]);
    running.wait_for("a fleet that is stopped", |report| {
        fleet(report)["stopped"].is_string()
    });
    done(&site, &["approve", digest]);
    let looked = done(&site, &["reconcile", "fleet/contoso", "--wait"]);
    assert_eq!(looked, "Fleet contoso was looked at.\n");
    assert_eq!(site.rules_written(), 0, "a suspended fleet was written to");

    let told = done(&site, &["resume", "fleet/contoso"]);
    assert!(told.contains("not paused"), "{told}");
    running.wait_for("everything to be where it should be", is_converged);
    assert!(site.rules_written() > 0, "nobody was moved");

    done(&site, &["suspend", "assignment/updates"]);
    done(&site, &["reconcile", "fleet/contoso", "--wait"]);
    let all = done(&site, &["get", "assignments"]);
    let line = all.lines().find(|line| line.contains("/updates ")).unwrap();
    assert!(line.contains("a person paused it"), "{all}");
    let one = done(&site, &["get", "assignments", "updates"]);
    assert_eq!(one.lines().count(), 2, "{one}");
    let all: Value = serde_json::from_str(&done(&site, &["get", "-o", "json"])).unwrap();
    let of_fleet = &all.as_array().unwrap()[0];
    assert_eq!(
        (&of_fleet["kind"], &of_fleet["name"]),
        (&"Fleet".into(), &"contoso".into())
    );
    assert!(
        of_fleet["status"]["lastHandledReconcileAt"].is_string(),
        "{of_fleet:#}"
    );

    // Badly, on purpose.
    for (arguments, code) in [
        (&["suspend", "fleet/nobody"][..], "DIA2012"),
        (&["suspend", "group/everybody"], "DIA2012"),
        (&["reconcile", "contoso"], "DIA2012"),
        (&["approve", "sha256:short"], "DIA2012"),
    ] {
        let refused = beside(&site, "one", arguments);
        let told = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(code), "{arguments:?}: {told}");
    }
    // A wrong name makes no file.
    let refused = beside(&site, "other", &["get"]);
    assert!(stderr(&refused).contains("DIA2009"), "{}", stderr(&refused));
    assert!(!site.state("other").exists());
    site.assert_clean();
}

#[test]
fn an_estate_is_planned_for_and_checked_as_it_is_now() {
    let site = Site::real();
    let here = |arguments: &[&str]| {
        let mut command = diarchy();
        command
            .args(arguments)
            .arg(site.repository.path())
            .arg("--secrets")
            .arg(site.secrets())
            .env("SSL_CERT_FILE", site.secret("cm-ca/ca.crt"));
        command.output().unwrap()
    };
    let plan = here(&["plan", "--live", "-o", "json"]);
    assert_eq!(plan.status.code(), Some(1), "{}", stderr(&plan));
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert!(plan["counts"]["changes"].as_u64() > Some(0), "{plan:#}");
    assert_eq!(site.rules_written(), 0);

    let checked = here(&["check"]);
    let told = stdout(&checked);
    assert_eq!(checked.status.code(), Some(0), "{told}{}", stderr(&checked));
    assert!(told.contains("✓  Microsoft Graph"), "{told}");
    assert!(told.trim_end().ends_with("All is well."), "{told}");

    // When the application's secret ends is told to few.
    let secret = "Expiry of the client secret";
    let said = |told: &str| {
        let mut lines = told.lines();
        lines.find(|line| line.contains(secret)).unwrap().to_owned()
    };
    assert!(said(&told).contains("Application.Read.All"), "{told}");
    site.control.grant_reading_applications();
    let told = stdout(&here(&["check"]));
    assert!(said(&told).contains("2299-12-31"), "{told}");
    site.control
        .end_client_secret(site.now() + SignedDuration::from_hours(29 * 24));
    let checked = here(&["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stdout(&checked));
    let told = stdout(&checked);
    assert!(
        said(&told).starts_with('!') && said(&told).contains("DIA2117"),
        "{told}"
    );

    // Somebody takes a mark away, and the application's secret is a wrong one.
    let unmark = Act::SetComment {
        collection: PILOT.to_owned(),
        comment: String::new(),
    };
    site.control.act(unmark).unwrap();
    let checked = here(&["check", "-o", "json"]);
    assert_eq!(checked.status.code(), Some(1), "{}", stdout(&checked));
    let told = stdout(&checked);
    assert!(
        told.contains("DIA2107") && told.contains("does not carry the mark"),
        "{told}"
    );
    site.write_secret("graph-app/clientSecret", "wrong");
    let told = stdout(&here(&["check"]));
    assert!(
        told.contains("✗  Microsoft Graph ") && told.contains("DIA2102"),
        "{told}"
    );
    assert!(told.contains("✓  AdminService"), "{told}");
}
