//! A controller that is shown what was, and not what is: nobody is moved who should not be, nothing
//! newer is written over, and what is new is carried out as soon as it can be seen.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api_proxy::{Asked, Verdict};
use crate::cluster::{ADMIN, ok};
use crate::interrupted::{Interrupted, is_seen, silent_watches};
use crate::reverting::{delete, patch, reverts};
use crate::site::Site;

/// What the API server answers for a list, by its path.
fn lists(case: &Interrupted<'_>, resources: &[&str]) -> BTreeMap<String, String> {
    let namespace = &case.tenant.namespace.name;
    let list = |resource: &&str| {
        let path = format!("/apis/diarchy.dev/v1alpha1/namespaces/{namespace}/{resource}");
        let mut get = case.deployment.home.kubectl(&ADMIN);
        let list = ok(get.args(["get", "--raw", &path]));
        (path, list)
    };
    resources.iter().map(list).collect()
}

/// Whether it takes whatever the server has at hand, however old that is.
fn takes_any(asked: &Asked) -> bool {
    asked
        .query
        .split('&')
        .any(|part| part == "resourceVersion=0")
}

#[test]
fn what_is_decided_from_old_objects_moves_nobody() {
    let site = Site::open();
    let case = Interrupted::of(&site);
    case.tenant.carry_out();
    let (placed, written) = (site.members(), site.writes().len());
    let old = lists(
        &case,
        &[
            "fleets",
            "devicegroups",
            "comanagementpolicies",
            "workloadassignments",
            "approvals",
        ],
    );
    case.proxy.rule(silent_watches);
    case.send_back();
    delete(&case.tenant, "workloadassignment/apps");
    case.passes(5);
    assert_eq!(site.members(), placed, "somebody was moved");
    assert_eq!(site.writes().len(), written, "something was written");
    let updates = case.tenant.namespace.get("workloadassignment", "updates");
    assert!(!is_seen(&updates), "it says that it has seen: {updates:#}");

    // One that starts beside a server that lags behind. Whoever insists is told what is.
    case.proxy.rule(move |asked| match old.get(&asked.path) {
        _ if asked.is_watch() => Verdict::Hold,
        Some(list) if takes_any(asked) => Verdict::Say(200, list.clone()),
        _ => Verdict::Pass,
    });
    let case = case.replaced_by("two");
    case.wait_until_seen("updates");
    assert_eq!(
        site.members()[3],
        placed[3],
        "what was deleted moves somebody"
    );
    case.proxy.mend();
    case.wait_until_back();
    case.end();
}

fn is_record(asked: &Asked) -> bool {
    asked.is_about("fleetrecords")
}

#[test]
fn an_old_record_is_not_written_over_the_new_one() {
    let site = Site::open();
    let case = Interrupted::of(&site);
    case.tenant.apply();
    case.tenant.waiting();
    let old = lists(&case, &["fleetrecords"]);
    case.tenant.approve();
    case.tenant.wait_for_condition("Converged", "fleet/contoso");
    let (placed, written) = (site.members(), site.writes().len());

    // Another reads what was remembered before anybody was moved, and finds somebody moved, and a yes
    // that it has not used yet.
    case.proxy.rule(move |asked| match old.get(&asked.path) {
        Some(list) if asked.method == "GET" => Verdict::Say(200, list.clone()),
        _ => Verdict::Pass,
    });
    let case = case.replaced_by("two");
    case.send_back();
    case.proxy
        .wait_for("records that are written", 3, |asked: &Asked| {
            is_record(asked) && asked.method == "PUT"
        });
    assert_eq!(site.members(), placed, "somebody was moved");
    assert_eq!(site.writes().len(), written, "something was written");
    case.proxy.mend();
    case.wait_until_back();
    let log = case.end();
    let refused = "the object has been modified";
    assert!(log.contains(refused), "its records were not refused");
}

#[test]
fn a_finalizer_of_somebody_else_is_not_taken_away() {
    let site = Site::open();
    let case = Interrupted::of(&site);
    case.tenant.carry_out();
    reverts(&case.tenant, "updates");
    let placed = site.members();
    let takes_away = |asked: &Asked| {
        asked.method == "PATCH" && asked.is_about("workloadassignments") && !asked.is_status()
    };
    case.proxy.rule(move |asked| {
        if takes_away(asked) {
            Verdict::Hold
        } else {
            Verdict::Pass
        }
    });
    let resource = "workloadassignment/updates";
    patch(&case.tenant, resource, r#"{"spec":{"onDelete":"Retain"}}"#);
    case.proxy
        .wait_until_held("a finalizer that is taken away", takes_away);
    // What is under way was made before this, and says nothing of it.
    let mut add = case.tenant.kubectl();
    ok(add.args(["patch", resource, "--type=json", "-p"]).arg(
        json!([{ "op": "add", "path": "/metadata/finalizers/-", "value": "contoso.com/keep" }])
            .to_string(),
    ));
    case.proxy.mend();
    let own = "diarchy.dev/revert";
    let finalizers = |one: &Value| one["metadata"]["finalizers"].clone();
    let updates = case.tenant.wait_for(
        "a finalizer that is gone",
        "workloadassignment",
        "updates",
        |one| !finalizers(one).to_string().contains(own),
    );
    assert_eq!(finalizers(&updates), json!(["contoso.com/keep"]));
    assert_eq!(site.members(), placed, "somebody was moved");
    case.end();
}
