//! The loop with the API server as its control plane: what is applied is carried out, and told.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cluster::{ok, with_definitions};
use crate::deployed::{Deployment, Tenant, condition, wait};
use crate::site::Site;

/// What a table shows, without what is different in every run: ages, times, digests and revisions.
pub fn steady(table: &str) -> String {
    let is_age = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit())
            && word.ends_with(['s', 'm', 'h'])
            && word
                .chars()
                .all(|c| c.is_ascii_digit() || "smh".contains(c))
    };
    table
        .split_inclusive([' ', '\n'])
        .map(|word| {
            let bare = word.trim();
            let is_digest = bare.starts_with("sha256:") || bare.starts_with("main@sha1:");
            if is_age(bare) || bare.parse::<Timestamp>().is_ok() || is_digest {
                word.replace(bare, "-")
            } else {
                word.to_owned()
            }
        })
        .collect()
}

#[test]
fn what_is_applied_is_carried_out_and_told() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let controller = deployment.start("one");
    tenant.apply();

    // The first plan of a fleet waits for a person.
    let digest = tenant.waiting();
    assert_eq!(site.rules_written(), 0, "somebody was moved without a yes");
    let fleet = tenant.fleet();
    assert_eq!(
        condition(&fleet, "Ready")["reason"],
        "AwaitingApproval",
        "{fleet:#}"
    );
    assert_eq!(
        condition(&fleet, "Converged")["status"],
        "False",
        "{fleet:#}"
    );
    let yes = tenant.approval("yes", &digest, SignedDuration::from_hours(60));
    ok(&mut tenant.namespace.apply(&[yes]));

    tenant.wait_for_condition("Converged", "fleet/contoso");
    for assignment in ["updates", "click-to-run", "protection", "apps"] {
        tenant.wait_for_condition("Converged", &format!("workloadassignment/{assignment}"));
    }
    assert!(site.rules_written() > 0, "nobody was moved");
    site.assert_clean();
    let mut get = tenant.kubectl();
    insta::assert_snapshot!(steady(&ok(get.args(["get", "diarchy"]))));

    // Everything that stands there says of which version of itself it speaks.
    let fleet = tenant.fleet();
    assert_eq!(
        fleet["status"]["observedGeneration"],
        fleet["metadata"]["generation"]
    );
    assert_eq!(fleet["status"]["siteVersion"], "2409", "{fleet:#}");
    let log = controller.stop();
    assert!(!log.contains("\"ERROR\""), "{log}");
    // What it held is let go of.
    let mut leases = deployment.home.kubectl(&crate::cluster::ADMIN);
    let leases = ok(leases.args(["get", "leases", "-o", "json"]));
    let leases: Value = serde_json::from_str(&leases).unwrap();
    for lease in leases["items"].as_array().unwrap() {
        let holder = &lease["spec"]["holderIdentity"];
        assert!(holder.is_null() || holder == "", "{lease:#}");
    }
}

#[test]
fn a_credential_that_comes_later_or_changes_is_used_without_a_restart() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let mut delete = tenant.kubectl();
    ok(delete.args(["delete", "secret", "graph-app"]));
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let controller = deployment.start("one");
    tenant.apply();
    let fleet = tenant.wait_for(
        "a missing Secret that is told",
        "fleet",
        "contoso",
        |fleet| condition(fleet, "Stalled")["status"] == "True",
    );
    let told = condition(&fleet, "Ready")["message"].as_str().unwrap();
    assert!(
        told.contains("DIA2010") && told.contains("graph-app"),
        "{told}"
    );

    ok(&mut tenant.namespace.apply(&[tenant.secret("graph-app")]));
    tenant.approve();
    tenant.wait_for_condition("Converged", "fleet/contoso");

    // Somebody stores a wrong password, and then mends it.
    let mut wrong = tenant.secret("cm-admin");
    wrong["data"]["password"] = "d3Jvbmc=".into();
    ok(&mut tenant.namespace.apply(&[wrong]));
    tenant.wait_for(
        "a refused password that is told",
        "fleet",
        "contoso",
        |fleet| condition(fleet, "Ready")["status"] == "False",
    );
    ok(&mut tenant.namespace.apply(&[tenant.secret("cm-admin")]));
    tenant.wait_for_condition("Ready", "fleet/contoso");
    tenant.wait_for_condition("Converged", "fleet/contoso");
    let log = controller.log();
    for secret in [
        site.simulator().admin_password(),
        site.simulator().client_secret(),
    ] {
        assert!(!log.contains(&secret), "a credential was logged");
    }
}

#[test]
fn the_yes_of_a_person_is_told_what_became_of_it() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    tenant.apply();
    let digest = tenant.waiting();
    let other = format!("sha256:{}", "0a".repeat(32));
    let long = SignedDuration::from_hours(60);
    let mut strange = tenant.approval("strange", &digest, long);
    strange["spec"]["targetRef"]["name"] = "fabrikam".into();
    ok(&mut tenant.namespace.apply(&[
        tenant.approval("late", &digest, -long),
        tenant.approval("other", &other, long),
        strange,
    ]));
    let phase = |name: &str, phase: &str| {
        tenant.wait_for(phase, "approval", name, |approval| {
            approval["status"]["phase"] == phase || condition(approval, "Ready")["reason"] == phase
        })
    };
    phase("late", "Expired");
    phase("other", "NothingWaiting");
    phase("strange", "NoFleet");
    assert_eq!(site.rules_written(), 0, "somebody was moved without a yes");
    ok(&mut tenant
        .namespace
        .apply(&[tenant.approval("yes", &digest, long)]));
    let taken = phase("yes", "Taken");
    // It has done what it is for.
    assert_eq!(condition(&taken, "Ready")["status"], "True", "{taken:#}");
    // That is told once it is written.
    let event = wait("the event of what was taken", || {
        let mut kubectl = tenant.kubectl();
        let events = ok(kubectl.args(["get", "events.events.k8s.io", "-o", "json"]));
        let events: Value = serde_json::from_str(&events).unwrap();
        let mut found = events["items"].as_array().unwrap().iter();
        let taken = found.find(|event| event["reason"] == "Taken").cloned();
        taken.ok_or(events)
    });
    assert_eq!(event["type"], "Normal", "{event:#}");
    tenant.wait_for_condition("Converged", "fleet/contoso");
}

#[test]
fn a_pass_is_made_when_it_is_asked_for_and_none_while_suspended() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    tenant.carry_out();
    let mut annotate = tenant.kubectl();
    ok(annotate.args(["annotate", "fleet/contoso", "diarchy.dev/requestedAt=now"]));
    tenant.wait_for("a request that was answered", "fleet", "contoso", |fleet| {
        fleet["status"]["lastHandledReconcileAt"] == "now"
    });
    let mut suspend = tenant.kubectl();
    ok(suspend.args([
        "patch",
        "fleet/contoso",
        "--type=merge",
        "-p",
        r#"{"spec":{"suspend":true}}"#,
    ]));
    tenant.wait_for("a fleet that stands still", "fleet", "contoso", |fleet| {
        fleet["status"]["observedGeneration"] == fleet["metadata"]["generation"]
    });
    let before = site.rules_written();
    let mut delete = tenant.kubectl();
    ok(delete.args([
        "patch",
        "workloadassignment/updates",
        "--type=merge",
        "-p",
        r#"{"spec":{"authority":"ConfigurationManager"}}"#,
    ]));
    tenant.wait_for(
        "an assignment that was seen",
        "workloadassignment",
        "updates",
        |one| one["status"]["observedGeneration"] == one["metadata"]["generation"],
    );
    // A pass later still nothing.
    let mut annotate = tenant.kubectl();
    ok(annotate.args([
        "annotate",
        "--overwrite",
        "fleet/contoso",
        "diarchy.dev/requestedAt=later",
    ]));
    tenant.wait_for("another pass", "fleet", "contoso", |fleet| {
        fleet["status"]["lastHandledReconcileAt"] == "later"
    });
    assert_eq!(
        site.rules_written(),
        before,
        "a suspended fleet was written to"
    );
}
