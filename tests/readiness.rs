//! What conditions say of a fleet, and of all that belongs to it, while it is not carried out.

use std::process::Command;

use diarchy_simulator::{Failure, Fault, Service};
use serde_json::{Value, json};

use crate::bench::{diarchy, stderr, stdout};
use crate::cluster::{ADMIN, ok, with_definitions};
use crate::crds_documents::changed;
use crate::deployed::{Deployment, Tenant, condition, wait};
use crate::reverting::{delete, patch, reverts, wait_until_gone};
use crate::site::Site;

/// Waits until an object's `Ready` has a status and a reason, and gives what it says.
fn says(tenant: &Tenant<'_>, object: &str, status: &str, reason: &str) -> String {
    let (kind, name) = object.split_once('/').unwrap();
    let what = format!("{object} to be {status} {reason}");
    let found = tenant.wait_for(&what, kind, name, |one| {
        let ready = condition(one, "Ready");
        ready["status"] == status && ready["reason"] == reason
    });
    let message = &condition(&found, "Ready")["message"];
    message.as_str().unwrap().to_owned()
}

/// The types and reasons of the events about an assignment so far.
fn events(tenant: &Tenant<'_>, name: &str) -> Vec<String> {
    let mut kubectl = tenant.kubectl();
    let events = ok(kubectl.args(["get", "events.events.k8s.io", "-o", "json"]));
    let events: Value = serde_json::from_str(&events).unwrap();
    let events = events["items"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events
        .filter(|event| event["regarding"]["kind"] == "WorkloadAssignment")
        .filter(|event| event["regarding"]["name"] == name)
        .map(|event| format!("{} {}", text(&event["type"]), text(&event["reason"])))
        .collect()
}

/// Waits until these are the events about an assignment: they are told once its status is written.
fn wait_for_events(tenant: &Tenant<'_>, name: &str, expected: &[&str]) {
    wait(&format!("the events {expected:?} of {name}"), || {
        let events = events(tenant, name);
        if events == expected {
            Ok(())
        } else {
            Err(json!(events))
        }
    });
}

/// Asks for a look at an object.
fn ask(tenant: &Tenant<'_>, object: &str, request: &str) {
    let mut annotate = tenant.kubectl();
    let annotation = format!("diarchy.dev/requestedAt={request}");
    ok(annotate.args(["annotate", "--overwrite", object, &annotation]));
}

/// Waits until what was asked for is answered.
fn wait_until_answered(tenant: &Tenant<'_>, object: &str, request: &str) {
    let (kind, name) = object.split_once('/').unwrap();
    tenant.wait_for("an answer", kind, name, |one| {
        one["status"]["lastHandledReconcileAt"] == request
    });
}

/// `diarchy` about the namespace of a tenant, as the administrator runs it.
pub fn in_namespace(tenant: &Tenant<'_>, arguments: &[&str]) -> Command {
    let mut command = diarchy();
    command
        .args(arguments)
        .args(["--namespace", &tenant.namespace.name])
        .env("KUBECONFIG", with_definitions().kubeconfig(&ADMIN));
    command
}

#[test]
fn an_assignment_is_ready_only_while_it_is_carried_out() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    tenant.apply();
    let digest = tenant.waiting();
    let told = says(
        &tenant,
        "workloadassignment/updates",
        "False",
        "AwaitingApproval",
    );
    assert!(told.contains(&digest), "{told}");
    wait_for_events(&tenant, "updates", &["Warning AwaitingApproval"]);
    tenant.approve();
    says(&tenant, "workloadassignment/updates", "True", "InForce");
    let told = ["Warning AwaitingApproval", "Normal InForce"];
    wait_for_events(&tenant, "updates", &told);
    tenant.wait_for_condition("Converged", "fleet/contoso");

    reverts(&tenant, "apps");
    patch(&tenant, "fleet/contoso", r#"{"spec":{"suspend":true}}"#);
    says(
        &tenant,
        "workloadassignment/updates",
        "True",
        "FleetSuspended",
    );
    delete(&tenant, "workloadassignment/apps");
    let told = says(&tenant, "workloadassignment/apps", "False", "Reverting");
    assert!(told.contains("suspended"), "{told}");
    patch(&tenant, "fleet/contoso", r#"{"spec":{"suspend":false}}"#);
    says(&tenant, "workloadassignment/updates", "True", "InForce");
    wait_until_gone(&tenant, "workloadassignment/apps");
    site.assert_clean();
}

/// What stands on a fleet, one of each kind.
const DEPENDENTS: [&str; 3] = [
    "workloadassignment/updates",
    "comanagementpolicy/contoso",
    "devicegroup/others",
];

#[test]
fn what_stands_on_a_fleet_that_is_not_carried_out_is_not_ready() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    tenant.carry_out();
    delete(&tenant, "secret/graph-app");
    let told = says(&tenant, "fleet/contoso", "False", "SecretMissing");
    assert!(
        told.contains("kubectl create secret") && !told.contains("--secrets"),
        "{told}"
    );
    for dependent in DEPENDENTS {
        let told = says(&tenant, dependent, "False", "DependencyNotReady");
        assert!(told.contains("DIA2010"), "{told}");
        ask(&tenant, dependent, "now");
        wait_until_answered(&tenant, dependent, "now");
    }
    let fleet = tenant.fleet();
    assert_eq!(condition(&fleet, "Stalled")["status"], "True", "{fleet:#}");
    assert_eq!(*condition(&fleet, "Reconciling"), Value::Null, "{fleet:#}");
    ok(&mut tenant.namespace.apply(&[tenant.secret("graph-app")]));
    for dependent in DEPENDENTS {
        tenant.wait_for_condition("Ready", dependent);
    }

    // A service that fails is tried again.
    let broken = Failure::Status {
        status: 500,
        retry_after: None,
        after_effect: false,
    };
    // All of it, and what is asked of collections one by one, after they were listed.
    for part in ["", "wmi/SMS_Collection('"] {
        let fault = Fault::new(Service::AdminService, part, broken.clone());
        let id = site.control.inject(fault);
        says(&tenant, "fleet/contoso", "False", "EstateNotReadable");
        let fleet = tenant.fleet();
        let reconciling = condition(&fleet, "Reconciling");
        assert_eq!(reconciling["status"], "True", "{fleet:#}");
        assert_eq!(*condition(&fleet, "Stalled"), Value::Null, "{fleet:#}");
        for dependent in &DEPENDENTS[..2] {
            says(&tenant, dependent, "False", "DependencyNotReady");
        }
        site.control.clear(id);
        tenant.wait_for_condition("Ready", "fleet/contoso");
        let fleet = tenant.fleet();
        assert_eq!(*condition(&fleet, "Reconciling"), Value::Null, "{fleet:#}");
        tenant.wait_for_condition("Ready", DEPENDENTS[0]);
    }
}

#[test]
fn what_is_wrong_is_looked_at_when_it_is_asked_for_and_told() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    // Of a fleet that there is not: no pass will ever speak of it.
    let lone = changed(
        "WorkloadAssignment",
        "lone",
        &[("/spec/fleetRef/name", json!("fabrikam"))],
    );
    ok(&mut tenant.namespace.apply(&[lone]));
    says(&tenant, "workloadassignment/lone", "False", "Invalid");
    ask(&tenant, "workloadassignment/lone", "now");
    wait_until_answered(&tenant, "workloadassignment/lone", "now");

    let waits = ["reconcile", "assignment/lone", "--wait"];
    let looked = in_namespace(&tenant, &waits).output().unwrap();
    assert_eq!(looked.status.code(), Some(1), "{}", stderr(&looked));
    let told = stdout(&looked);
    assert!(
        told.contains("was looked at, and is not ready") && told.contains("fabrikam"),
        "{told}"
    );
}

#[test]
fn what_the_api_server_refuses_is_told_in_a_line() {
    let mut command = diarchy();
    command
        .args(["controller", "--namespace", "nosuch"])
        .args(["--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"])
        .env("KUBECONFIG", with_definitions().kubeconfig(&ADMIN));
    let output = command.output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("namespaces \"nosuch\" not found (NotFound)"),
        "{told}"
    );
    assert!(!told.contains("Status {"), "{told}");
}

#[test]
fn who_asks_for_a_look_is_answered_for_what_is_there_now() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    tenant.carry_out();
    let before = condition(&tenant.fleet(), "Converged")["lastTransitionTime"].clone();
    let back = r#"{"spec":{"authority":"ConfigurationManager"}}"#;
    patch(&tenant, "workloadassignment/updates", back);
    ask(&tenant, "fleet/contoso", "now");
    let fleet = tenant.wait_for("an answer", "fleet", "contoso", |fleet| {
        fleet["status"]["lastHandledReconcileAt"] == "now"
    });
    // The fleet was as it should be before the change, and is not any more.
    let converged = condition(&fleet, "Converged");
    assert_ne!(converged["lastTransitionTime"], before, "{fleet:#}");
}
