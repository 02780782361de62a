//! Assignments that take their devices back when they go: their finalizer, and when it is let go of.

use serde_json::{Value, json};

use crate::cluster::{ok, with_definitions};
use crate::deployed::{Deployment, Tenant, condition, wait};
use crate::site::{PILOT, Site};
use crate::world::{placed_in, taken_out};

const FINALIZER: &str = "diarchy.dev/revert";

/// Changes a resource, as the administrator.
pub fn patch(tenant: &Tenant<'_>, resource: &str, patch: &str) {
    let mut kubectl = tenant.kubectl();
    ok(kubectl.args(["patch", resource, "--type=merge", "-p", patch]));
}

/// Has an assignment take its devices back when it goes.
pub fn reverts(tenant: &Tenant<'_>, name: &str) {
    let resource = format!("workloadassignment/{name}");
    patch(tenant, &resource, r#"{"spec":{"onDelete":"Revert"}}"#);
    tenant.wait_for("a finalizer", "workloadassignment", name, |one| {
        one["metadata"]["finalizers"][0] == FINALIZER
    });
}

/// Deletes a resource, as the administrator, and does not wait until it is gone.
pub fn delete(tenant: &Tenant<'_>, resource: &str) {
    let mut kubectl = tenant.kubectl();
    ok(kubectl.args(["delete", resource, "--wait=false"]));
}

/// Says that an assignment's devices stay.
fn abandon(tenant: &Tenant<'_>, resource: &str) {
    let mut annotate = tenant.kubectl();
    ok(annotate.args(["annotate", resource, "diarchy.dev/abandon=true"]));
}

/// Waits, as users do, until a resource is gone.
pub fn wait_until_gone(tenant: &Tenant<'_>, resource: &str) {
    let mut kubectl = tenant.kubectl();
    ok(kubectl.args(["wait", "--for=delete", "--timeout=120s", resource]));
}

/// Waits for a warning about an assignment that its devices stay, and gives it.
fn warned(tenant: &Tenant<'_>, name: &str) -> String {
    wait("a warning", || {
        let mut kubectl = tenant.kubectl();
        let events = ok(kubectl.args(["get", "events.events.k8s.io", "-o", "json"]));
        let events: Value = serde_json::from_str(&events).unwrap();
        let found = events["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|event| event["reason"] == "Abandoned" && event["regarding"]["name"] == name);
        match found {
            Some(event) => {
                assert_eq!(event["type"], "Warning");
                Ok(event["note"].as_str().unwrap().to_owned())
            }
            None => Err(events["items"].clone()),
        }
    })
}

#[test]
fn an_assignment_stays_until_nothing_of_it_is_placed() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    let before = site.control.members(PILOT).unwrap();
    tenant.carry_out();
    assert!(site.control.members(PILOT).unwrap().len() > before.len());
    // One that retains its devices has no finalizer, and is never waited for.
    let apps = tenant.namespace.get("workloadassignment", "apps");
    assert_eq!(apps["metadata"]["finalizers"], Value::Null);
    reverts(&tenant, "updates");
    delete(&tenant, "workloadassignment/updates");
    wait_until_gone(&tenant, "workloadassignment/updates");
    // Its own collection is empty. The site evaluates the pilot, which includes that, a little later.
    wait("its devices to be back", || {
        let after = site.control.members(PILOT).unwrap();
        (after == before).then_some(()).ok_or(json!(after))
    });
    site.assert_clean();
}

#[test]
fn what_is_abandoned_goes_and_its_devices_stay() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    tenant.carry_out();
    for name in ["updates", "apps", "protection", "click-to-run"] {
        reverts(&tenant, name);
    }
    // Nothing is written for a suspended fleet: it would wait for ever.
    patch(&tenant, "fleet/contoso", r#"{"spec":{"suspend":true}}"#);
    tenant.wait_for("a fleet that stands still", "fleet", "contoso", |fleet| {
        fleet["status"]["observedGeneration"] == fleet["metadata"]["generation"]
    });
    delete(&tenant, "workloadassignment/updates");
    abandon(&tenant, "workloadassignment/updates");
    wait_until_gone(&tenant, "workloadassignment/updates");
    assert!(warned(&tenant, "updates").contains("diarchy.dev/abandon"));

    // A Secret that the fleet needs is gone, and with it the way to the site.
    delete(&tenant, "secret/graph-app");
    delete(&tenant, "workloadassignment/apps");
    wait_until_gone(&tenant, "workloadassignment/apps");
    assert!(warned(&tenant, "apps").contains("Secret"));

    // It is there again and lacks a key: no pass can be made, and that alone lets go of nothing.
    let is_missing = |fleet: &Value| condition(fleet, "Ready")["reason"] == "SecretMissing";
    tenant.wait_for("a missing Secret", "fleet", "contoso", is_missing);
    ok(&mut tenant.namespace.apply(&[tenant.secret("graph-app")]));
    tenant.wait_for("a Secret that is there", "fleet", "contoso", |fleet| {
        !is_missing(fleet)
    });
    let lacking = r#"{"data":{"clientSecret":null}}"#;
    patch(&tenant, "secret/graph-app", lacking);
    tenant.wait_for("a Secret without a key", "fleet", "contoso", is_missing);
    delete(&tenant, "workloadassignment/click-to-run");
    let mut annotate = tenant.kubectl();
    ok(annotate.args(["annotate", "fleet/contoso", "diarchy.dev/requestedAt=now"]));
    tenant.wait_for("a look after that", "fleet", "contoso", |fleet| {
        fleet["status"]["lastHandledReconcileAt"] == "now"
    });
    let waiting = tenant.namespace.get("workloadassignment", "click-to-run");
    assert_eq!(waiting["metadata"]["finalizers"][0], FINALIZER);
    // A person does.
    abandon(&tenant, "workloadassignment/click-to-run");
    wait_until_gone(&tenant, "workloadassignment/click-to-run");

    // The fleet itself is gone.
    delete(&tenant, "fleet/contoso");
    delete(&tenant, "workloadassignment/protection");
    wait_until_gone(&tenant, "workloadassignment/protection");
    assert!(warned(&tenant, "protection").contains("fleet"));
    assert_eq!(taken_out(&site.writes()), 0, "somebody was moved");
    site.assert_clean();
}

#[test]
fn what_is_abandoned_goes_while_its_fleet_stands_still() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    tenant.carry_out();
    for name in ["updates", "apps", "protection"] {
        reverts(&tenant, name);
    }
    let found_at = |address: &Value| {
        let site = json!({ "adminService": address });
        let spec = json!({ "spec": { "configurationManager": site } });
        patch(&tenant, "fleet/contoso", &spec.to_string());
    };
    let address = tenant.fleet()["spec"]["configurationManager"]["adminService"].clone();
    // No loop runs for a fleet that is found nowhere.
    found_at(&json!(["https://cm01.contoso.com:99999/AdminService"]));
    tenant.wait_for("a fleet that is invalid", "fleet", "contoso", |fleet| {
        condition(fleet, "Ready")["reason"] == "Invalid"
    });
    delete(&tenant, "workloadassignment/updates");
    abandon(&tenant, "workloadassignment/updates");
    wait_until_gone(&tenant, "workloadassignment/updates");
    assert!(warned(&tenant, "updates").contains("diarchy.dev/abandon"));

    // Once the fleet is mended nobody remembers that its devices were to go back.
    found_at(&address);
    delete(&tenant, "workloadassignment/apps");
    wait_until_gone(&tenant, "workloadassignment/apps");

    // A Secret of the fleet is being deleted, and can still be read.
    patch(&tenant, "fleet/contoso", r#"{"spec":{"suspend":true}}"#);
    let kept = r#"{"metadata":{"finalizers":["contoso.com/kept"]}}"#;
    patch(&tenant, "secret/graph-app", kept);
    delete(&tenant, "secret/graph-app");
    delete(&tenant, "workloadassignment/protection");
    wait_until_gone(&tenant, "workloadassignment/protection");
    assert!(warned(&tenant, "protection").contains("Secret"));
    patch(
        &tenant,
        "secret/graph-app",
        r#"{"metadata":{"finalizers":null}}"#,
    );
    // The devices of the one that nobody abandoned went back, and no others.
    let writes = site.writes();
    let of_apps = placed_in(&writes, "ClientApps").len();
    assert!(of_apps > 0, "nobody was placed");
    assert_eq!(taken_out(&writes), of_apps);
    site.assert_clean();
}
