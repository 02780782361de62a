//! What a source delivers: over https and over ssh, with whose rights, and what it takes away again.

use serde_json::json;

use crate::cluster::with_definitions;
use crate::deployed::wait;
use crate::gitsource_bench::{Bench, condition, message};
use crate::ssh_server::Key;

const ALL: [&str; 4] = [
    "fleet.diarchy.dev/contoso",
    "devicegroup.diarchy.dev/laptops",
    "comanagementpolicy.diarchy.dev/contoso",
    "workloadassignment.diarchy.dev/updates",
];

#[test]
fn a_revision_is_delivered_over_https_and_what_git_loses_goes() {
    let bench = Bench::new();
    bench.apply(&bench.source());
    let status = bench.wait_for_head();
    assert_eq!(bench.objects(), ALL);
    let namespace = &bench.namespace.name;
    let entry = |kind: &str, name: &str| format!("diarchy.dev/{kind}/{namespace}/{name}");
    assert_eq!(
        status["inventory"],
        json!([
            entry("CoManagementPolicy", "contoso"),
            entry("DeviceGroup", "laptops"),
            entry("Fleet", "contoso"),
            entry("WorkloadAssignment", "updates"),
        ])
    );
    assert_eq!(status["resources"], 4);
    assert_eq!(status["lastAttemptedRevision"], bench.head());
    assert_eq!(
        message(&status, "Ready"),
        format!("{} is in force: 4 resources", bench.head())
    );
    assert!(condition(&status, "Reconciling").is_null());
    // A fleet says by which revision it is.
    let fleet = bench.namespace.get("fleet", "contoso");
    let annotations = &fleet["metadata"]["annotations"];
    assert_eq!(annotations["diarchy.dev/revision"], bench.head());
    assert_eq!(annotations["diarchy.dev/source"], "main");

    bench.group("desks", "PC-1");
    let status = bench.look();
    assert_eq!(status["lastAppliedRevision"], bench.head());
    assert_eq!(status["resources"], 5);
    let group = bench.namespace.get("devicegroup", "desks");
    assert_eq!(group["spec"]["devices"], json!(["PC-1"]));
    // What somebody else has made is nobody's to remove.
    let mut other = group.clone();
    other["metadata"] = json!({ "name": "made-by-hand" });
    bench.apply(&other);

    bench.origin.git(&["rm", "-q", "groups/desks.yaml"]);
    bench.origin.commit("README.md", "no desks\n");
    let status = bench.look();
    assert_eq!(status["lastAppliedRevision"], bench.head());
    assert_eq!(status["inventory"].as_array().unwrap().len(), 4);
    let mut left = ALL.to_vec();
    left.insert(2, "devicegroup.diarchy.dev/made-by-hand");
    assert_eq!(bench.objects(), left);
    // Each revision is told once, as soon as the status is written.
    let told = wait("the event of the revision", || {
        let events = bench.run(&[
            "get",
            "events",
            "-o",
            "jsonpath={range .items[*]}{.reason} {.message}{\"\\n\"}{end}",
        ]);
        let told = events.lines().filter(|line| line.contains(&bench.head()));
        match told.count() {
            0 => Err(json!(events)),
            times => Ok(times),
        }
    });
    assert_eq!(told, 1);
}

#[test]
fn a_revision_is_delivered_over_ssh() {
    let bench = Bench::new();
    let ssh = bench.serve_ssh();
    bench.apply(&bench.source_over(&ssh));
    bench.wait_for_head();
    assert_eq!(bench.objects(), ALL);
    // A key that is taken away is noticed at once, and one that is right again too.
    let other = Key::new("ed25519");
    bench.set_key(&ssh, &other);
    bench.wait("the other key is refused", |status| {
        message(status, "Stalled").starts_with("DIA2202: ")
    });
    bench.set_key(&ssh, &ssh.key);
    bench.wait_for_head();
}

#[test]
fn only_the_rights_of_the_service_account_count() {
    let mut bench = Bench::idle(with_definitions());
    bench.grant("deliverer");
    // The controller may do everything, the account `default` nothing.
    bench.start(None);
    bench.apply(&bench.source());
    let status = bench.wait("it is refused", |status| {
        condition(status, "Stalled")["reason"] == "Forbidden"
    });
    let told = message(&status, "Ready");
    let account = format!("system:serviceaccount:{}:default", bench.namespace.name);
    for part in ["DIA2312: ", &account, "Fleet/contoso", "bind a Role"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(status["lastAppliedRevision"].is_null());
    assert_eq!(status["lastAttemptedRevision"], bench.head());
    assert_eq!(bench.objects(), [""; 0]);
    // Tried again, it is refused as before, and nothing else is said.
    assert_eq!(bench.look()["conditions"], status["conditions"]);
    let mut source = bench.source();
    source["spec"]["serviceAccountName"] = json!("deliverer");
    bench.apply(&source);
    bench.wait_for_head();
    assert_eq!(bench.objects(), ALL);
}
