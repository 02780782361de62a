//! Rollouts in a cluster: what is told of them, and what people do to them.

use serde_json::{Value, json};

use crate::bench::{stderr, stdout};
use crate::cluster::{ok, with_definitions};
use crate::deployed::{Deployment, Tenant, condition};
use crate::readiness::in_namespace;
use crate::site::Site;
use crate::world::placed_in;

/// Applies the site's repository, with a rollout for each of these assignments.
fn apply(tenant: &Tenant<'_>, rollouts: &[(&str, &str)]) {
    let mut text = [tenant.text("fleet.yaml"), tenant.text("resources.yaml")].join("\n---\n");
    for (group, rollout) in rollouts {
        let of_group = format!("  groupRef: {{ name: {group} }}\n  authority: Intune");
        assert!(text.contains(&of_group));
        text = text.replace(&of_group, &format!("{of_group}\n  rollout: {rollout}"));
    }
    tenant.apply_text(&text);
}

/// Waits until the rollout of an assignment is in a phase, and gives the assignment.
fn in_phase(tenant: &Tenant<'_>, name: &str, phase: &str) -> Value {
    let what = format!("{name} to be {phase}");
    tenant.wait_for(&what, "workloadassignment", name, |one| {
        one["status"]["rollout"]["phase"] == phase
    })
}

/// Runs `diarchy` about the tenant's namespace, which has to work, and gives what it says.
fn says(tenant: &Tenant<'_>, arguments: &[&str]) -> String {
    let output = in_namespace(tenant, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

/// The same where it has to refuse.
fn refuses(tenant: &Tenant<'_>, arguments: &[&str]) -> String {
    let output = in_namespace(tenant, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    stderr(&output)
}

#[test]
fn the_next_step_waits_for_an_approval_and_for_nothing_else() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    let steps = "{ steps: [ { devices: 50%, approval: Required } ] }";
    apply(&tenant, &[("others", steps)]);
    tenant.approve();

    let assignment = in_phase(&tenant, "updates", "AwaitingApproval");
    let rollout = &assignment["status"]["rollout"];
    assert_eq!((&rollout["step"], &rollout["of"]), (&json!(1), &json!(2)));
    let digest = rollout["digest"].as_str().unwrap();
    let ready = condition(&assignment, "Ready");
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("False"), &json!("AwaitingApproval"))
    );
    assert!(
        ready["message"].as_str().unwrap().contains(digest),
        "{ready}"
    );
    assert_eq!(condition(&assignment, "Stalled")["status"], "True");
    assert_eq!(
        condition(&assignment, "Converged")["reason"],
        "RolloutInProgress"
    );
    let devices = &assignment["status"]["devices"];
    let (admitted, selected) = (devices["admitted"].as_u64(), devices["selected"].as_u64());
    let placed = placed_in(&site.writes(), "WindowsUpdatePolicies");
    let never_members = placed.iter().filter(|resource| {
        let truth = site.control.truth_of_resource(**resource);
        truth.is_some_and(|truth| truth.outside_limiting_collection)
    });
    // Whom its rule never makes a member takes nobody's place.
    assert_eq!(
        admitted.unwrap(),
        selected.unwrap().div_ceil(2) + u64::try_from(never_members.count()).unwrap(),
        "{devices}"
    );

    // The others say what they wait for, and what gets on.
    let waits = &assignment["status"]["waits"][0];
    assert_eq!(waits["reason"], "StepAwaitingApproval", "{waits}");
    let others = selected.unwrap() - admitted.unwrap();
    assert!(waits["devices"].as_u64().unwrap() <= others, "{waits}");
    let way_on = format!("diarchy approve {digest}");
    assert_eq!(waits["wayOn"], way_on.as_str());
    let shown = says(&tenant, &["get", "assignments", "updates"]);
    assert!(shown.contains("StepAwaitingApproval ("), "{shown}");

    // What a person must approve is not promoted.
    let refused = refuses(&tenant, &["promote", "updates"]);
    assert!(
        refused.contains(&format!("diarchy approve {digest}")),
        "{refused}"
    );
    let mut annotate = tenant.kubectl();
    ok(annotate.args(["annotate", "wa/updates", "diarchy.dev/promote=now"]));
    says(&tenant, &["reconcile", "fleet/contoso"]);
    let other = format!("{}0", &digest[..digest.len() - 1]);
    if other != digest {
        refuses(&tenant, &["approve", &other]);
    }
    in_phase(&tenant, "updates", "AwaitingApproval");

    let approved = says(&tenant, &["approve", digest]);
    assert!(
        approved.contains("WorkloadAssignment updates"),
        "{approved}"
    );
    in_phase(&tenant, "updates", "Complete");
    tenant.wait_for_condition("Converged", "workloadassignment/updates");
    let mut approvals = tenant.kubectl();
    let approvals = ok(approvals.args(["get", "approvals", "-o", "json"]));
    let approvals: Value = serde_json::from_str(&approvals).unwrap();
    let of_step = approvals["items"].as_array().unwrap().iter();
    let of_step: Vec<&Value> = of_step
        .filter(|one| one["spec"]["targetRef"]["kind"] == "WorkloadAssignment")
        .collect();
    assert_eq!(of_step.len(), 1);
    assert_eq!(condition(of_step[0], "Ready")["reason"], "Taken");
    site.assert_clean();
}

#[test]
fn people_promote_abort_and_retry() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    let steps = "{ steps: [ { devices: 50%, soak: 2000h } ] }";
    apply(&tenant, &[("others", steps), ("described", steps)]);
    tenant.approve();

    let watched = in_phase(&tenant, "updates", "Soaking");
    let rollout = &watched["status"]["rollout"];
    assert!(
        rollout["until"].as_str() > rollout["since"].as_str(),
        "{rollout}"
    );
    assert_eq!(condition(&watched, "Ready")["reason"], "Soaking");
    let refused = refuses(&tenant, &["retry", "updates"]);
    assert!(refused.contains("has not stopped: Soaking"), "{refused}");
    says(&tenant, &["promote", "assignment/updates"]);
    in_phase(&tenant, "updates", "Complete");

    in_phase(&tenant, "apps", "Soaking");
    let mut annotate = tenant.kubectl();
    ok(annotate.args(["annotate", "wa/apps", "diarchy.dev/abort=now"]));
    let halted = in_phase(&tenant, "apps", "Halted");
    let ready = condition(&halted, "Ready");
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("False"), &json!("Halted"))
    );
    assert!(
        ready["message"]
            .as_str()
            .unwrap()
            .contains("a person aborted it"),
        "{ready}"
    );
    refuses(&tenant, &["promote", "apps"]);
    says(&tenant, &["retry", "apps"]);
    // What was said once is heeded once: the annotation is there still.
    in_phase(&tenant, "apps", "Soaking");
    says(&tenant, &["promote", "apps"]);
    in_phase(&tenant, "apps", "Complete");
    tenant.wait_for_condition("Converged", "fleet/contoso");
    site.assert_clean();
}

#[test]
fn what_was_rolled_back_stays_so_when_what_was_remembered_of_it_is_lost() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let first = deployment.start("first");
    let rollout = "{ steps: [ { devices: 50%, soak: 2000h } ], onFailure: Rollback }";
    apply(&tenant, &[("others", rollout)]);
    tenant.approve();
    in_phase(&tenant, "updates", "Soaking");
    says(&tenant, &["abort", "updates"]);
    let what = "its devices to go back";
    let back = tenant.wait_for(what, "workloadassignment", "updates", |one| {
        let status = &one["status"];
        status["rollout"]["phase"] == "RolledBack" && status["devices"]["assigned"] == 0
    });
    let rejected = &back["status"]["rejectedSpec"];
    assert!(rejected.is_string(), "{back:#}");
    first.stop();

    let mut delete = tenant.kubectl();
    ok(delete.args(["delete", "fleetrecords", "--all"]));
    let members = site.members();
    let _second = deployment.start("second");
    for pass in ["once", "twice"] {
        let requested = format!("diarchy.dev/requestedAt={pass}");
        let mut annotate = tenant.kubectl();
        ok(annotate.args(["annotate", "--overwrite", "fleet/contoso", &requested]));
        tenant.wait_for("another pass", "fleet", "contoso", |fleet| {
            fleet["status"]["lastHandledReconcileAt"] == pass
        });
        let still = in_phase(&tenant, "updates", "RolledBack");
        assert_eq!(still["status"]["rejectedSpec"], *rejected);
        assert_eq!(condition(&still, "Ready")["reason"], "RolledBack");
    }
    assert_eq!(site.members(), members, "somebody was moved");
    // A person gets it on, as ever.
    says(&tenant, &["retry", "updates"]);
    tenant.wait_for("a plan that waits", "fleet", "contoso", |fleet| {
        fleet["status"]["waitingPlan"]["reason"] == "NoBaseline"
    });
    site.assert_clean();
}
