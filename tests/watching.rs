//! Watches that end, break or hang, and a past that is gone: what was changed meanwhile is seen later
//! and carried out, and nobody is moved for anything else.

use crate::api_proxy::{Asked, Verdict};
use crate::cluster::ControlPlane;
use crate::interrupted::{Interrupted, is_seen, no_watch, silent_watches};
use crate::reverting::delete;
use crate::site::Site;

/// The pilot collection of `apps`.
const APPS: &str = "PS100025";

#[test]
fn what_was_changed_before_etcd_was_compacted_is_read_anew() {
    let plane = ControlPlane::start();
    let site = Site::open();
    let case = Interrupted::with_lease(plane.cluster(), &site, "2s");
    case.tenant.carry_out();
    let apps = site.control.members(APPS).unwrap();
    // Nobody tells the controller of this, nor can tell it later what has happened.
    case.proxy.rule(no_watch);
    case.send_back();
    delete(&case.tenant, "workloadassignment/apps");
    plane.compact();
    // It keeps a while in memory what etcd has forgotten.
    plane.kill_api_server();
    plane.start_api_server();
    case.proxy.mend();
    case.tenant
        .wait_for("a deletion that was seen", "fleet", "contoso", |fleet| {
            fleet["status"]["workloads"]["ClientApps"]["retained"].as_u64() > Some(0)
        });
    case.wait_until_back();
    let log = case.end();
    let gone = "too old resource version";
    assert!(log.contains(gone), "nothing was gone that it asked for");
    let after = site.control.members(APPS).unwrap();
    assert_eq!(after, apps, "somebody was moved");
}

#[test]
fn watches_that_are_cut_again_and_again_lose_nothing() {
    let site = Site::open();
    let case = Interrupted::of(&site);
    case.tenant.apply();
    case.cut();
    case.tenant.waiting();
    // For a while none comes up again.
    case.proxy.rule(no_watch);
    case.tenant.approve();
    case.proxy
        .wait_for("watches that are tried again", 6, Asked::is_watch);
    assert_eq!(site.rules_written(), 0, "nobody could have seen the yes");
    case.cut();
    case.first_write();
    case.cut();
    case.tenant.wait_for_condition("Converged", "fleet/contoso");
    case.send_back();
    case.cut();
    case.wait_until_back();
    case.end();
}

#[test]
fn watches_that_say_nothing_any_more_are_given_up() {
    let site = Site::open();
    let case = Interrupted::of(&site);
    case.tenant.carry_out();
    // Those that there are stay open for ever, and say not even that they end.
    let last = case.proxy.last();
    case.proxy.rule(move |asked| {
        if asked.number <= last {
            silent_watches(asked)
        } else {
            Verdict::Pass
        }
    });
    case.send_back();
    let updates = case.tenant.namespace.get("workloadassignment", "updates");
    assert!(!is_seen(&updates), "the watches do not hang");
    case.wait_until_back();
    case.end();
}
