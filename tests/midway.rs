//! What is deleted between two writes of a pass: the pass is made to its end, and nobody is moved for
//! what is gone, there or back.

use std::time::Duration;

use diarchy_simulator::{Failure, Fault, Service};
use serde_json::{Value, json};

use crate::cluster::{ADMIN, ok, with_definitions};
use crate::deployed::{Controller, Deployment, Tenant, wait};
use crate::fencing_clusters::{approve, waits_for};
use crate::reverting::delete;
use crate::site::Site;
use crate::world::{assert_made_once, assert_nothing_twice, claims, taken_out};

/// Longer than people take to delete something.
const LONG: Duration = Duration::from_secs(3);

/// Starts to carry everything out, and deletes `resources` while the second write for a device is
/// under way.
fn delete_midway(
    tenant: &Tenant<'_>,
    deployment: &Deployment<'_>,
    site: &Site,
    resources: &[&str],
) -> Controller {
    let slow = Fault::new(
        Service::AdminService,
        "AddMembershipRule",
        Failure::Delay(LONG),
    );
    site.control.inject(slow.after(1).times(1));
    let mut command = deployment.command_with_lease("one", "2s");
    let controller = Controller::start(&mut command);
    tenant.apply();
    tenant.approve();
    wait("a first write", || {
        let writes = site.rules_written();
        (writes == 1).then_some(()).ok_or(json!(writes))
    });
    for resource in resources {
        delete(tenant, resource);
    }
    assert_eq!(site.rules_written(), 1, "the pass went on meanwhile");
    controller
}

fn assert_nobody_went_back(site: &Site) {
    let writes = site.writes();
    assert_eq!(taken_out(&writes), 0, "somebody was moved back");
    assert_nothing_twice(&writes);
    site.assert_clean();
}

#[test]
fn assignments_and_groups_that_are_deleted_midway_move_nobody_back() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let gone = [
        "workloadassignment/updates",
        "devicegroup/others",
        // Its assignment stays, and has nobody who could be named any more.
        "devicegroup/described",
    ];
    let controller = delete_midway(&tenant, &deployment, &site, &gone);
    tenant.wait_for("a deletion that was seen", "fleet", "contoso", |fleet| {
        fleet["status"]["workloads"]["WindowsUpdatePolicies"]["retained"].as_u64() > Some(0)
    });
    for assignment in ["click-to-run", "protection"] {
        tenant.wait_for_condition("Converged", &format!("workloadassignment/{assignment}"));
    }
    assert!(site.rules_written() > 1, "the pass was not made to its end");
    assert_nobody_went_back(&site);
    assert_made_once(&site.writes());
    controller.stop();
}

#[test]
fn a_fleet_that_is_deleted_midway_is_written_no_more() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let controller = delete_midway(&tenant, &deployment, &site, &["fleet/contoso"]);
    wait("the estate to be let go", || {
        let mut get = deployment.home.kubectl(&ADMIN);
        let leases = ok(get.args([
            "get",
            "leases",
            "-l",
            "diarchy.dev/lease=estate",
            "-o",
            "json",
        ]));
        let leases: Value = serde_json::from_str(&leases).unwrap();
        let holder = leases["items"][0]["spec"]["holderIdentity"].as_str();
        let is_free = holder.unwrap_or_default().is_empty();
        is_free.then_some(()).ok_or(leases)
    });
    let before = site.rules_written();
    assert_nobody_went_back(&site);

    // A namesake is another fleet: nobody is moved for it before somebody has said yes.
    tenant.apply();
    approve(&tenant, "takeover", &waits_for(&tenant, "ClaimedByAnother"));
    let digest = waits_for(&tenant, "NoBaseline");
    assert_eq!(
        site.rules_written(),
        before,
        "somebody was moved without a yes"
    );
    approve(&tenant, "again", &digest);
    tenant.wait_for_condition("Converged", "fleet/contoso");
    assert_nobody_went_back(&site);
    assert_eq!(claims(&site.writes()).len(), 2);
    controller.stop();
}
