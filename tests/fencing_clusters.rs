//! One installation at a time writes to a fleet, where several are in clusters: a copy of the
//! resources in another namespace, another controller, another cluster.

use jiff::SignedDuration;
use serde_json::Value;

use crate::cluster::{ok, own, with_definitions};
use crate::deployed::{Deployment, Tenant, wait};
use crate::reverting::patch;
use crate::site::Site;
use crate::world::claims;

/// Waits until something waits for this reason, and gives its digest.
pub fn waits_for(tenant: &Tenant<'_>, reason: &str) -> String {
    let fleet = tenant.wait_for(reason, "fleet", "contoso", |fleet| {
        fleet["status"]["waitingPlan"]["reason"] == reason
    });
    let digest = &fleet["status"]["waitingPlan"]["digest"];
    digest.as_str().unwrap().to_owned()
}

/// Says yes to a digest.
pub fn approve(tenant: &Tenant<'_>, name: &str, digest: &str) {
    let approval = tenant.approval(name, digest, SignedDuration::from_hours(20));
    ok(&mut tenant.namespace.apply(&[approval]));
}

/// Waits until another pass has been made.
fn pass(tenant: &Tenant<'_>, request: &str) -> Value {
    let mut annotate = tenant.kubectl();
    let request_ = format!("diarchy.dev/requestedAt={request}");
    ok(annotate.args(["annotate", "--overwrite", "fleet/contoso", &request_]));
    tenant.wait_for("a pass", "fleet", "contoso", |fleet| {
        fleet["status"]["lastHandledReconcileAt"] == request
    })
}

/// The second finds the first's claim and writes nothing; after two yeses it is the holder, and the
/// first stops.
fn assert_fenced(site: &Site, first: &Tenant<'_>, second: &Tenant<'_>) {
    let before = site.writes();
    second.apply();
    let takeover = waits_for(second, "ClaimedByAnother");
    for request in ["one", "two"] {
        pass(second, request);
        pass(first, request);
    }
    assert_eq!(site.writes(), before, "it wrote without holding the fleet");

    approve(second, "takeover", &takeover);
    approve(second, "first", &waits_for(second, "NoBaseline"));
    second.wait_for_condition("Converged", "fleet/contoso");
    waits_for(first, "ClaimedByAnother");
    let claimed = claims(&site.writes());
    assert_eq!(claimed.len(), 2, "{claimed:?}");
    assert_eq!((claimed[0].0, claimed[1].0), (1, 2));
    assert_ne!(claimed[0].1, claimed[1].1);

    // What the first is asked now it does not carry out.
    pass(second, "three");
    let before = site.writes();
    let back = r#"{"spec":{"authority":"ConfigurationManager"}}"#;
    patch(first, "workloadassignment/updates", back);
    wait("a change that was seen", || {
        let now = first.namespace.get("workloadassignment", "updates");
        let seen = now["status"]["observedGeneration"] == now["metadata"]["generation"];
        seen.then_some(()).ok_or(now)
    });
    pass(first, "three");
    assert_eq!(site.writes(), before, "the former holder wrote");
    site.assert_clean();
}

#[test]
fn a_copy_in_another_namespace_waits_and_the_two_never_both_write() {
    let site = Site::open();
    let cluster = with_definitions();
    let (first, second) = (Tenant::of(cluster, &site), Tenant::of(cluster, &site));
    let deployment = Deployment::of(cluster, &[&first, &second]);
    let _controller = deployment.start("one");
    first.carry_out();
    assert_fenced(&site, &first, &second);
}

#[test]
fn another_cluster_with_the_same_resources_waits() {
    let site = Site::open();
    let other = own().cluster();
    other.install_definitions();
    let first = Tenant::of(with_definitions(), &site);
    let second = Tenant::of(other, &site);
    let here = Deployment::of(with_definitions(), &[&first]);
    let there = Deployment::of(other, &[&second]);
    let _controllers = [here.start("one"), there.start("one")];
    first.carry_out();
    assert_fenced(&site, &first, &second);
}

#[test]
fn a_controller_that_was_installed_anew_waits() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let before = Deployment::of(with_definitions(), &[&tenant]);
    let controller = before.start("one");
    tenant.carry_out();
    controller.stop();
    let writes = site.writes();
    // What was remembered of the fleet is there still, and counts for nobody else.
    let anew = Deployment::of(with_definitions(), &[&tenant]);
    let _controller = anew.start("one");
    let back = r#"{"spec":{"authority":"ConfigurationManager"}}"#;
    patch(&tenant, "workloadassignment/updates", back);
    let takeover = waits_for(&tenant, "ClaimedByAnother");
    assert_eq!(site.writes(), writes, "it wrote without holding the fleet");
    approve(&tenant, "takeover", &takeover);
    wait("devices to go back", || {
        let now = site.writes();
        (now.len() > writes.len() + 1)
            .then_some(())
            .ok_or(now.len().into())
    });
    site.assert_clean();
}
