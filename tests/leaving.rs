//! What nobody needs any more goes: the Leases of replicas that died and of what was deleted, and the
//! mirrors of sources.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::cluster::{ADMIN, ok, own};
use crate::deployed::{Controller, Deployment, Tenant, wait};
use crate::gitsource_bench::Bench;
use crate::site::Site;

/// Waits until there are Leases of these and of nothing else.
fn leases_are(deployment: &Deployment<'_>, wanted: &[&str]) {
    let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
    wait("the Leases that are wanted", || {
        let mut get = deployment.home.kubectl(&ADMIN);
        let shown = ok(get.args(["get", "leases", "-o", "json"]));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let leases = shown["items"].as_array().unwrap();
        let about = |lease: &Value| {
            let about = &lease["metadata"]["annotations"]["diarchy.dev/about"];
            about.as_str().unwrap().to_owned()
        };
        let there: BTreeSet<String> = leases.iter().map(about).collect();
        let is_so = there.iter().map(String::as_str).eq(wanted.iter().copied());
        is_so.then_some(()).ok_or(json!(there))
    });
}

/// On which condition each Lease of a namespace was deleted, by the audit log.
fn conditions_of_deletion(log: &str, namespace: &str) -> Vec<Value> {
    let entries = log.lines().map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry
    });
    entries
        .filter(|entry| entry["verb"] == "delete" && entry["stage"] == "ResponseComplete")
        .filter(|entry| entry["objectRef"]["resource"] == "leases")
        .filter(|entry| entry["objectRef"]["namespace"] == namespace)
        .map(|mut entry| entry["requestObject"]["preconditions"].take())
        .collect()
}

/// A source that holds a Lease and does nothing.
fn idle_source(name: &str) -> Value {
    json!({
        "apiVersion": "diarchy.dev/v1alpha1",
        "kind": "GitSource",
        "metadata": { "name": name },
        "spec": {
            "url": "https://git.contoso.com/fleet.git",
            "ref": { "branch": "main" },
            "suspend": true,
        },
    })
}

#[test]
fn leases_of_what_is_gone_are_deleted_and_made_anew_where_it_comes_back() {
    let plane = own();
    plane.cluster().install_definitions();
    let site = Site::open();
    let tenant = Tenant::of(plane.cluster(), &site);
    let deployment = Deployment::of(plane.cluster(), &[&tenant]);
    let start = |replica| Controller::start(&mut deployment.command_with_lease(replica, "2s"));
    let (_one, two) = (start("one"), start("two"));
    tenant.apply();
    ok(&mut tenant
        .namespace
        .apply(&[idle_source("main"), idle_source("other")]));
    let namespace = &tenant.namespace.name;
    let leader = "what is written of no estate";
    let estate = "site PS1 and tenant 7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10";
    let main = &format!("GitSource {namespace}/main");
    let other = &format!("GitSource {namespace}/other");
    leases_are(&deployment, &[leader, estate, "one", "two", main, other]);
    let mark = plane.mark();
    two.kill();
    let mut delete = tenant.kubectl();
    ok(delete.args(["delete", "fleet/contoso", "gitsource/main"]));
    leases_are(&deployment, &[leader, "one", other]);
    // Whoever takes one in the moment in which it is deleted keeps it.
    let deleted = conditions_of_deletion(&plane.audit_log_since(mark), &deployment.home.name);
    assert_eq!(deleted.len(), 3, "{deleted:#?}");
    for condition in &deleted {
        let is_exact = condition["uid"].is_string() && condition["resourceVersion"].is_string();
        assert!(is_exact, "{deleted:#?}");
    }
    ok(&mut tenant.namespace.apply(&[idle_source("main")]));
    let _two = start("two");
    leases_are(&deployment, &[leader, "one", "two", main, other]);
}

/// What is in the folder of mirrors.
fn mirrors(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.mirrors()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn the_mirror_of_a_source_goes_when_it_moves_and_when_it_is_deleted() {
    let bench = Bench::new();
    let wait_for = |what: &str, begins: &[&str]| {
        wait(what, || {
            let there = mirrors(&bench);
            let is_so = there.len() == begins.len()
                && there
                    .iter()
                    .zip(begins)
                    .all(|(name, begin)| name.starts_with(begin));
            is_so.then_some(there.clone()).ok_or(json!(there))
        })
    };
    // What is no mirror is nobody's to remove.
    fs::create_dir(bench.mirrors().join("a-folder")).unwrap();
    bench.apply(&bench.source());
    bench.wait_for_head();
    let first = wait_for("a mirror", &["a-folder", "https---localhost-"]);
    let ssh = bench.serve_ssh();
    bench.apply(&bench.source_over(&ssh));
    wait_for("the mirror of the other address", &["a-folder", "ssh---"]);
    let mut other = bench.source();
    other["metadata"]["name"] = json!("other");
    bench.apply(&other);
    let both = wait_for(
        "both mirrors",
        &["a-folder", "https---localhost-", "ssh---"],
    );
    assert_ne!(both[1], first[1], "two sources share a mirror");
    bench.run(&["delete", "gitsource", "main"]);
    let left = wait_for("the mirror to go", &["a-folder", "https---localhost-"]);
    assert_eq!(left[1], both[1]);
}
