//! Writes to the API server that are refused because somebody else has written: a status is written
//! later, what cannot be remembered is not done, and a Lease that was taken away stops its holder.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api_proxy::{Asked, Verdict};
use crate::cluster::{ADMIN, ok, own};
use crate::crds_documents::changed;
use crate::deployed::{condition, wait};
use crate::interrupted::Interrupted;
use crate::site::{SPEED, Site};

fn no_status(asked: &Asked) -> Verdict {
    if asked.is_status() {
        Verdict::conflict()
    } else {
        Verdict::Pass
    }
}

/// Whether something of what is remembered is written.
fn remembers(asked: &Asked) -> bool {
    asked.is_about("fleetrecords") && ["POST", "PUT"].contains(&asked.method.as_str())
}

#[test]
fn what_is_refused_is_written_later_and_nothing_is_done_twice() {
    let site = Site::open();
    let case = Interrupted::of(&site);
    let tenant = &case.tenant;
    // Of a fleet that there is not: no pass will ever speak of it.
    let lone = changed(
        "WorkloadAssignment",
        "lone",
        &[("/spec/fleetRef/name", json!("fabrikam"))],
    );
    case.proxy.rule(no_status);
    ok(&mut tenant.namespace.apply(&[lone]));
    tenant.apply();
    case.proxy
        .wait_for("statuses that are refused", 12, Asked::is_status);
    assert_eq!(*condition(&tenant.fleet(), "Ready"), Value::Null);
    case.proxy.mend();
    tenant.waiting();
    tenant.wait_for(
        "what is wrong with it",
        "workloadassignment",
        "lone",
        |one| condition(one, "Ready")["reason"] == "Invalid",
    );

    // What cannot be remembered is not done.
    case.proxy.rule(|asked| {
        if remembers(asked) {
            Verdict::conflict()
        } else {
            no_status(asked)
        }
    });
    tenant.approve();
    case.proxy
        .wait_for("records that are refused", 5, remembers);
    assert!(site.writes().is_empty(), "{:#?}", site.writes());

    // What cannot be told is done all the same, and told later.
    case.proxy.rule(no_status);
    wait("everything to be done", || {
        let log = case.controller.log();
        let done = log.contains(r#""converged":true"#);
        done.then_some(()).ok_or(Value::Null)
    });
    assert_ne!(condition(&tenant.fleet(), "Converged")["status"], "True");
    case.proxy.mend();
    tenant.wait_for_condition("Converged", "fleet/contoso");
    tenant.wait_for("a yes that was taken", "approval", "yes", |yes| {
        condition(yes, "Ready")["reason"] == "Taken"
    });
    case.send_back();
    case.wait_until_back();
    case.end();
}

/// The Lease of the estate, as it is stored.
fn lease_of_estate(case: &Interrupted<'_>) -> Value {
    let mut get = case.deployment.home.kubectl(&ADMIN);
    let found = ok(get.args(["get", "leases", "-o", "json"]));
    let mut found: Value = serde_json::from_str(&found).unwrap();
    let leases = found["items"].as_array_mut().unwrap();
    let of_estate = leases
        .iter_mut()
        .find(|lease| lease["metadata"]["labels"]["diarchy.dev/lease"] == "estate");
    of_estate.unwrap().take()
}

/// Overwrites the Lease of the estate while its holder writes to the site, and asserts that the holder
/// writes nothing from the end of a deadline until it holds the Lease again.
fn steal(case: &Interrupted<'_>, deadline: Duration) {
    case.tenant.apply();
    case.tenant.approve();
    case.first_write();
    let lease = lease_of_estate(case);
    assert_eq!(lease["spec"]["holderIdentity"], "one");
    let mut overwrite = case.deployment.home.kubectl(&ADMIN);
    let name = lease["metadata"]["name"].as_str().unwrap();
    let thief = r#"{"spec":{"holderIdentity":"thief"}}"#;
    ok(overwrite.args(["patch", "lease", name, "--type=merge", "-p", thief]));
    let stolen = Timestamp::now();
    // There is something to do in any case.
    case.send_back();
    let lease = wait("the Lease to be taken back", || {
        let lease = lease_of_estate(case);
        let is_back = lease["spec"]["holderIdentity"] == "one";
        is_back.then_some(lease.clone()).ok_or(lease)
    });
    let taken = lease["spec"]["acquireTime"].as_str().unwrap();
    let taken: Timestamp = taken.parse().unwrap();
    let until = stolen + deadline;
    assert!(taken > until + deadline, "{stolen}, {taken}: at once");
    let (now, in_world) = (Timestamp::now(), case.site.now());
    for entry in case.site.writes() {
        let ago = in_world.duration_since(entry.at).as_secs_f64() / SPEED;
        let at = now - Duration::from_secs_f64(ago.max(0.0));
        assert!(
            at < until || at > taken,
            "{until}, {taken}: {at} {entry:#?}"
        );
    }
}

#[test]
fn a_lease_that_is_taken_away_stops_its_holder() {
    let site = Site::open();
    let case = Interrupted::with_lease(own().cluster(), &site, "4s");
    steal(&case, Duration::from_secs(2));
    case.wait_until_back();
    case.end();
}

#[test]
fn a_lease_that_is_taken_away_unseen_stops_its_holder() {
    let site = Site::open();
    let case = Interrupted::with_lease(own().cluster(), &site, "4s");
    // It sees no Lease but those that it writes.
    case.proxy.rule(|asked| {
        if asked.is_watch() && asked.is_about("leases") {
            Verdict::Hold
        } else {
            Verdict::Pass
        }
    });
    steal(&case, Duration::from_secs(2));
    case.proxy.mend();
    case.wait_until_back();
    case.end();
}
