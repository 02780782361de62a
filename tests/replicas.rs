//! Replicas that die, hang, or come back to a cluster that has gone back in time: another carries on,
//! and nothing is lost or done twice.

use std::thread;
use std::time::{Duration, Instant};

use diarchy_simulator::{Failure, Fault, Service};
use serde_json::{Value, json};

use crate::chart_rights::apply_rights;
use crate::cluster::{ADMIN, ControlPlane, ok, with_definitions};
use crate::deployed::{Controller, Deployment, Tenant, condition, wait};
use crate::reverting::reverts;
use crate::site::Site;
use crate::world::assert_made_once;

/// In this time a replica takes over and writes, if there is anything left to write.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// A replica whose Leases are so short that another takes over in a moment.
fn hasty(deployment: &Deployment<'_>, replica: &str) -> Controller {
    Controller::start(&mut deployment.command_with_lease(replica, "2s"))
}

fn is_converged(tenant: &Tenant<'_>) -> bool {
    condition(&tenant.fleet(), "Converged")["status"] == "True"
}

#[test]
fn killed_after_every_write_another_carries_on_and_repeats_none() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let first = hasty(&deployment, "replica-0");
    tenant.apply();
    let digest = tenant.waiting();
    first.kill();
    let yes = tenant.approval("yes", &digest, jiff::SignedDuration::from_hours(60));
    ok(&mut tenant.namespace.apply(&[yes]));
    let mut kills = 0;
    loop {
        let before = site.writes().len();
        let replica = hasty(&deployment, &format!("replica-{}", kills + 1));
        let began = Instant::now();
        let mut wrote = false;
        // As soon as it can be seen: the next write may follow in a millisecond.
        while !wrote && began.elapsed() < LONG_ENOUGH {
            thread::sleep(Duration::from_millis(1));
            wrote = site.writes().len() > before;
        }
        let converged = !wrote && is_converged(&tenant);
        if converged {
            replica.stop();
            break;
        }
        replica.kill();
        kills += 1;
        assert!(kills < 60, "it never comes to an end");
    }
    assert!(kills > 3, "there was next to nothing to interrupt: {kills}");
    assert!(site.rules_written() > 0, "nobody was moved");
    assert_made_once(&site.writes());
    site.assert_clean();
}

#[test]
fn a_replica_that_hangs_is_replaced_and_writes_nothing_when_it_wakes() {
    let site = Site::open();
    // Long enough to be stopped in.
    let slow = Failure::Delay(Duration::from_millis(500));
    let slow = Fault::new(Service::AdminService, "AddMembershipRule", slow);
    site.control.inject(slow.after(1));
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let sleeper = hasty(&deployment, "sleeper");
    tenant.apply();
    tenant.approve();
    wait("a first write", || {
        let writes = site.rules_written();
        (writes > 0).then_some(()).ok_or(json!(writes))
    });
    sleeper.signal("STOP");
    site.control.clear_all();
    // What has left already arrives.
    thread::sleep(Duration::from_secs(1));
    let stopped_at = site.rules_written();
    let other = hasty(&deployment, "other");
    tenant.wait_for_condition("Converged", "fleet/contoso");
    let before = site.writes().len();
    assert!(
        site.rules_written() > stopped_at,
        "it had nothing left to write when it was stopped"
    );
    sleeper.signal("CONT");
    // It is well again, and has nothing left to do.
    sleeper.stop();
    assert_eq!(site.writes().len(), before, "it wrote after it woke");
    assert_made_once(&site.writes());
    site.assert_clean();
    other.stop();
}

#[test]
fn a_cluster_that_has_gone_back_in_time_moves_nobody() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let records = || {
        let mut get = tenant.kubectl();
        let found = ok(get.args(["get", "fleetrecords", "-o", "json"]));
        let found: Value = serde_json::from_str(&found).unwrap();
        found["items"].as_array().unwrap().clone()
    };
    let first = hasty(&deployment, "first");
    tenant.apply();
    tenant.waiting();
    let yesterday = records();
    assert!(!yesterday.is_empty());
    tenant.approve();
    tenant.wait_for_condition("Converged", "fleet/contoso");
    first.stop();
    // What is remembered is put back as it was; what was done since stands at the site.
    let mut delete = tenant.kubectl();
    ok(delete.args(["delete", "fleetrecords", "--all"]));
    for mut record in yesterday {
        let metadata = &record["metadata"];
        record["metadata"] = json!({
            "name": metadata["name"],
            "ownerReferences": metadata["ownerReferences"],
        });
        ok(&mut tenant.namespace.apply(&[record]));
    }
    // And somebody wants something else meanwhile.
    let mut patch = tenant.kubectl();
    let other = r#"{"spec":{"authority":"ConfigurationManager"}}"#;
    ok(patch.args([
        "patch",
        "workloadassignment/updates",
        "--type=merge",
        "-p",
        other,
    ]));
    let members = site.members();
    let second = hasty(&deployment, "second");
    tenant.wait_for("a plan that waits", "fleet", "contoso", |fleet| {
        fleet["status"]["waitingPlan"]["reason"] == "NoBaseline"
            && fleet["status"]["waitingPlan"]["leaving"].as_u64() > Some(0)
    });
    // Passes later too.
    let mut annotate = tenant.kubectl();
    ok(annotate.args(["annotate", "fleet/contoso", "diarchy.dev/requestedAt=now"]));
    tenant.wait_for("another pass", "fleet", "contoso", |fleet| {
        fleet["status"]["lastHandledReconcileAt"] == "now"
    });
    assert_eq!(site.members(), members, "somebody was moved");
    second.stop();
    site.assert_clean();
}

#[test]
fn replicas_share_the_work_and_one_alone_does_each_part() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let replicas = ["a", "b", "c"].map(|name| deployment.start(name));
    tenant.carry_out();
    let passes = |log: &str| log.matches("made a pass").count();
    let at_work: Vec<usize> = replicas.iter().map(|one| passes(&one.log())).collect();
    let busy = at_work.iter().filter(|passes| **passes > 0).count();
    assert_eq!(busy, 1, "{at_work:?}");
    assert_made_once(&site.writes());
    site.assert_clean();
    for replica in replicas {
        replica.stop();
    }
    // Nothing is left of those that have gone.
    let mut get = deployment.home.kubectl(&ADMIN);
    let leases = ok(get.args(["get", "leases", "-o", "json"]));
    let leases: Value = serde_json::from_str(&leases).unwrap();
    let held: Vec<&Value> = leases["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|lease| {
            lease["spec"]["holderIdentity"]
                .as_str()
                .is_some_and(|it| !it.is_empty())
        })
        .collect();
    assert!(held.is_empty(), "{held:#?}");
}

#[test]
fn an_api_server_that_goes_away_is_waited_for() {
    let plane = ControlPlane::start();
    plane.cluster().install_definitions();
    let site = Site::open();
    let tenant = Tenant::of(plane.cluster(), &site);
    let deployment = Deployment::of(plane.cluster(), &[&tenant]);
    let replica = hasty(&deployment, "one");
    tenant.apply();
    tenant.approve();
    wait("a first write", || {
        let writes = site.writes().len();
        (writes > 0).then_some(()).ok_or(json!(writes))
    });
    plane.kill_api_server();
    // Until the Lease has expired: whoever does not know that it holds it must not write.
    thread::sleep(Duration::from_secs(3));
    let before = site.writes().len();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(site.writes().len(), before, "it wrote without a Lease");
    plane.start_api_server();
    tenant.wait_for_condition("Converged", "fleet/contoso");
    replica.stop();
    assert_made_once(&site.writes());
    site.assert_clean();
}

#[test]
fn a_namespace_that_is_deleted_takes_no_device_with_it() {
    let plane = ControlPlane::start_with_controllers();
    plane.cluster().install_definitions();
    let site = Site::open();
    let tenant = Tenant::of(plane.cluster(), &site);
    let deployment = Deployment::of(plane.cluster(), &[&tenant]);
    // As the chart does where every namespace is watched: a Role would go with the namespace.
    apply_rights(plane.cluster(), &deployment.home, &[]);
    let replica = hasty(&deployment, "one");
    tenant.carry_out();
    for name in ["updates", "apps"] {
        reverts(&tenant, name);
    }
    let members = site.members();
    let mut delete = plane.cluster().kubectl(&ADMIN);
    ok(delete.args([
        "delete",
        "namespace",
        &tenant.namespace.name,
        "--timeout=120s",
    ]));
    assert_eq!(site.members(), members, "somebody was moved");
    replica.stop();
    site.assert_clean();
}
