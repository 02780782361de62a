//! `examples/contoso` in a cluster: applied by hand, and from git over https and over ssh.

use std::fs;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::bench::copy;
use crate::cluster::{ADMIN, MEGAN, Namespace, ok, with_definitions};
use crate::deployed::{Controller, Deployment, Tenant, condition};
use crate::gitsource_bench::Bench;
use crate::in_cluster::steady;
use crate::origin::Origin;
use crate::signing_key::SigningKey;
use crate::site::Site;

/// What the example promises to bring where it should be: every assignment that is in force.
const IN_FORCE: [&str; 9] = [
    "device-configuration-it",
    "endpoint-protection-office",
    "endpoint-protection-pilots",
    "office-early",
    "office-finance",
    "office-latitude-7000",
    "windows-update-emea",
    "windows-update-executives",
    "windows-update-pilots",
];

/// The example and its estate, for a namespace.
fn example_for(namespace: &Namespace<'_>) -> Site {
    let site = Site::of_example();
    let own = format!("namespace: {}", namespace.name);
    site.repository
        .edit("fleet.yaml", "namespace: contoso", &own);
    site
}

/// Waits for the plan of what was delivered, says yes, and sees it carried out; what is shown then.
fn is_carried_out(tenant: &Tenant<'_>, site: &Site) -> String {
    let digest = tenant.waiting();
    assert_eq!(site.rules_written(), 0, "somebody was moved without a yes");
    let fleet = tenant.fleet();
    let ready = condition(&fleet, "Ready");
    assert_eq!(ready["reason"], "AwaitingApproval", "{fleet:#}");
    assert!(digest.starts_with("sha256:"), "{digest}");
    tenant.approve();
    tenant.approve_step("windows-update-emea");
    tenant.wait_for_condition("Converged", "fleet/contoso");
    for assignment in IN_FORCE {
        tenant.wait_for_condition("Converged", &format!("workloadassignment/{assignment}"));
    }
    assert!(site.rules_written() > 0, "nobody was moved");
    site.assert_clean();
    let fleet = tenant.fleet();
    assert_eq!(fleet["status"]["waitingPlan"], Value::Null, "{fleet:#}");
    let mut get = tenant.kubectl();
    let shown = steady(&ok(get.args(["get", "diarchy"])));
    // A pilot is let in while it is healthy and was heard of lately: when that is differs each time.
    let lines = shown.lines().map(|line| {
        if line.contains("/windows-update-pilots ") {
            line.replace(|c: char| c.is_ascii_digit(), "n")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_that_is_applied_is_carried_out() {
    let namespace = with_definitions().namespace();
    let site = example_for(&namespace);
    let tenant = Tenant::within(namespace, &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = deployment.start("one");
    let mut apply = tenant.kubectl();
    apply.args(["apply", "--server-side", "--recursive", "-f"]);
    ok(apply.arg(site.repository.path()));
    insta::assert_snapshot!(is_carried_out(&tenant, &site));
}

/// The example in a repository that is served, delivered as `source` says.
fn delivered(source: impl FnOnce(&Bench) -> Value) -> String {
    let namespace = with_definitions().namespace();
    let site = example_for(&namespace);
    let origin = Origin::empty();
    copy(site.repository.path(), &origin.tree());
    origin.commit("NOTES.md", "forked\n");
    let tenant = Tenant::within(namespace.clone(), &site);
    let bench = Bench::of(with_definitions(), namespace, origin);
    bench.grant("default");
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let mut command = deployment.command("one");
    command.arg("--mirrors").arg(bench.mirrors());
    let _controller = Controller::start(&mut command);
    bench.apply(&source(&bench));
    let status = bench.wait_for_head();
    assert_eq!(status["resources"], 31, "{status:#}");
    let shown = is_carried_out(&tenant, &site);
    let fleet = tenant.fleet();
    let annotations = &fleet["metadata"]["annotations"];
    assert_eq!(annotations["diarchy.dev/revision"], bench.head());
    shown
}

/// Who has signed what changes something does not say yes to it as well: whoever signs a README after
/// that, and whatever anybody writes into the Fleet.
#[test]
fn the_signer_of_a_revision_does_not_approve_it() {
    let namespace = with_definitions().namespace();
    let site = example_for(&namespace);
    let origin = Origin::empty();
    copy(site.repository.path(), &origin.tree());
    let (megans, admins) = (SigningKey::new(), SigningKey::new());
    megans.sign_commits_of(&origin);
    let fleet = fs::read_to_string(origin.tree().join("fleet.yaml")).unwrap();
    origin.commit("fleet.yaml", fleet);
    let tenant = Tenant::within(namespace.clone(), &site);
    let bench = Bench::of(with_definitions(), namespace, origin);
    bench.grant("default");
    let allowed = [megans.allowed(MEGAN.name), admins.allowed(ADMIN.name)];
    bench.secret("signers", &[("allowed_signers", &allowed.join(""))]);
    let mut source = bench.source();
    source["spec"]["verify"] = json!({ "trustedKeysRef": { "name": "signers" } });
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let mut command = deployment.command("one");
    command.arg("--mirrors").arg(bench.mirrors());
    let _controller = Controller::start(&mut command);
    bench.apply(&source);
    let first = bench.wait_for_head();
    let digest = tenant.waiting();

    admins.sign_commits_of(&bench.origin);
    bench.origin.commit("README.md", "about all this\n");
    let is_head = |status: &Value| status["lastAppliedRevision"] == bench.head();
    let status = bench.look_until("the README is in force", is_head);
    for annotation in ["diarchy.dev/signer-", "diarchy.dev/revision-"] {
        bench.run(&["annotate", "fleet", "contoso", annotation]);
    }
    let long = SignedDuration::from_hours(60);
    let mut own = tenant.approval("own", &digest, long);
    own["spec"]["approver"] = MEGAN.name.into();
    ok(&mut tenant.namespace.apply(&[own]));
    tenant.wait_for("a yes that does not count", "approval", "own", |one| {
        condition(one, "Ready")["reason"] == "OwnRevision"
    });
    assert_eq!(site.rules_written(), 0, "somebody was moved without a yes");
    ok(&mut tenant
        .namespace
        .apply(&[tenant.approval("yes", &digest, long)]));
    tenant.wait_for("a yes that counts", "approval", "yes", |one| {
        condition(one, "Ready")["reason"] == "Taken"
    });
    tenant.wait_for("changes", "fleet", "contoso", |_| site.rules_written() > 0);

    assert_eq!(first["content"]["signer"], MEGAN.name, "{first:#}");
    assert_eq!(status["content"], first["content"]);
    // What the other has changed is theirs.
    bench.group("desks", "PC-1");
    let status = bench.look_until("the group is in force", is_head);
    assert_eq!(status["content"]["signer"], ADMIN.name, "{status:#}");
}

#[test]
fn the_example_from_git_over_https_is_carried_out() {
    insta::assert_snapshot!("the_example_from_git", delivered(Bench::source));
}

#[test]
fn the_example_from_git_over_ssh_is_carried_out() {
    // It is served until everything has been carried out.
    let mut served = None;
    let shown = delivered(|bench| {
        let ssh = served.insert(bench.serve_ssh());
        bench.source_over(ssh)
    });
    insta::assert_snapshot!("the_example_from_git", shown);
}
