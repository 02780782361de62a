//! What people do to objects that a source has delivered, and what it does when nobody does anything.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::own;
use crate::gitsource_bench::{Bench, condition, message};

/// The only assignment that git has.
const ASSIGNMENT: &str = "assignments/updates.yaml";

/// Applies a document by server-side Apply as a manager of this name.
fn apply_as(bench: &Bench, manager: &str, document: &Value) {
    let mut command = bench.kubectl();
    command.args(["apply", "--server-side", "--force-conflicts", "-f", "-"]);
    command.arg(format!("--field-manager={manager}"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(document.to_string().as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
}

fn spec(bench: &Bench) -> Value {
    bench.namespace.get("workloadassignment", "updates")["spec"].take()
}

#[test]
fn a_hand_edit_is_put_back() {
    let bench = Bench::new();
    bench.apply(&bench.source());
    bench.wait_for_head();
    let before = spec(&bench);
    // One field is changed, one added that git does not have, and one is a person's own.
    let edit = json!({
        "metadata": { "annotations": { "diarchy.dev/paused": "true" } },
        "spec": {
            "authority": "ConfigurationManager",
            "priority": 7,
            "rollout": { "steps": [{ "devices": "10%" }] },
        },
    });
    let edit = edit.to_string();
    let patch = [
        "patch",
        "workloadassignment",
        "updates",
        "--type=merge",
        "-p",
    ];
    bench.run(&[&patch[..], &[&edit]].concat());
    assert_ne!(spec(&bench), before);
    let status = bench.look_until("it is put back", |_| spec(&bench) == before);
    assert!(condition(&status, "Overridden").is_null());
    let assignment = bench.namespace.get("workloadassignment", "updates");
    let annotations = &assignment["metadata"]["annotations"];
    assert_eq!(annotations["diarchy.dev/paused"], "true");
    // Somebody who deletes an object gets it back too.
    bench.run(&["delete", "devicegroup", "laptops"]);
    let group = "devicegroup.diarchy.dev/laptops".to_owned();
    bench.look_until("it is there again", |_| bench.objects().contains(&group));
}

/// What another manager has in mind for the assignment.
fn by_console() -> Value {
    json!({
        "apiVersion": "diarchy.dev/v1alpha1",
        "kind": "WorkloadAssignment",
        "metadata": { "name": "updates" },
        "spec": {
            "fleetRef": { "name": "contoso" },
            "workload": "WindowsUpdatePolicies",
            "groupRef": { "name": "laptops" },
            "authority": "ConfigurationManager",
        },
    })
}

/// Adds lines to the spec of the assignment in git.
fn add_in_git(bench: &Bench, lines: &str) {
    let place = bench.origin.tree().join(ASSIGNMENT);
    let text = fs::read_to_string(place).unwrap();
    bench
        .origin
        .write(ASSIGNMENT, format!("{}\n{lines}", text.trim_end()));
}

#[test]
fn what_another_manager_has_applied_is_let_be_and_told() {
    let bench = Bench::new();
    bench.apply(&bench.source());
    bench.wait_for_head();
    let console = by_console();
    apply_as(&bench, "console", &console);
    // What git has besides of the same resource gets through, a brake above all.
    add_in_git(&bench, "  suspend: true\n");
    bench.group("desks", "PC-1");
    let status = bench.look_until("it is told", |status| {
        !condition(status, "Overridden").is_null()
    });
    // The rest of the revision is in force.
    assert_eq!(status["lastAppliedRevision"], bench.head());
    assert_eq!(condition(&status, "Ready")["status"], "True");
    let told = message(&status, "Overridden");
    for part in [
        "DIA2314: ",
        "WorkloadAssignment/updates",
        "spec.authority",
        "console",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(spec(&bench)["authority"], "ConfigurationManager");
    assert_eq!(spec(&bench)["suspend"], true);
    let in_force = format!("{} is in force: 5 resources", bench.head());
    assert_eq!(message(&status, "Ready"), in_force);
    // It is not tried again and again.
    let versions = bench.versions();
    let again = bench.look();
    assert_eq!(message(&again, "Overridden"), told);
    let without_source = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("GitSource"));
        lines.map(ToOwned::to_owned).collect()
    };
    assert_eq!(without_source(&bench.versions()), without_source(&versions));
    // The other gives it up: then git's word counts again.
    let mut without = console.clone();
    let spec_without = without["spec"].as_object_mut().unwrap();
    spec_without.retain(|key, _| key == "fleetRef" || key == "workload" || key == "groupRef");
    spec_without.insert("authority".to_owned(), json!("Intune"));
    apply_as(&bench, "console", &without);
    bench.look_until("nothing is held any more", |status| {
        condition(status, "Overridden").is_null()
    });
    assert_eq!(spec(&bench)["authority"], "Intune");
    assert_eq!(spec(&bench)["suspend"], true);
}

/// Without what the other holds, the rest may make no sense.
#[test]
fn what_cannot_be_applied_without_what_another_holds_is_left_as_it_is() {
    let bench = Bench::new();
    bench.apply(&bench.source());
    bench.wait_for_head();
    apply_as(&bench, "console", &by_console());
    let before = spec(&bench);
    add_in_git(
        &bench,
        "  admitWhen:\n    matchAttributes:\n      - { key: lastSync, operator: Within, values: [ 7d ] }\n",
    );
    bench.group("desks", "PC-1");
    let status = bench.look_until("it is told", |status| {
        !condition(status, "Overridden").is_null()
    });
    assert_eq!(spec(&bench), before);
    let but = format!(
        "{} is applied, but not WorkloadAssignment/updates: 5 resources",
        bench.head()
    );
    assert_eq!(message(&status, "Ready"), but);
    let told = message(&status, "Overridden");
    for part in [
        "spec.authority",
        "console",
        "is as it was",
        "`admitWhen` is only for",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

/// A repository that nobody changes is looked at, and nothing else happens.
#[test]
fn nothing_is_written_when_nothing_changes() {
    own().cluster().install_definitions();
    let mut bench = Bench::idle(own().cluster());
    bench.grant("default");
    bench.start(None);
    let mut source = bench.source();
    source["spec"]["interval"] = json!("10s");
    bench.apply(&source);
    bench.wait_for_head();
    let looks = || bench.server.asked().len();
    // The first looks may still meet what the watches have not told yet.
    wait_for_looks(&looks, 6);
    let mark = own().mark();
    wait_for_looks(&looks, 6);
    let asked: Vec<_> = own()
        .requests_since(mark)
        .into_iter()
        .filter(|request| request.namespace == bench.namespace.name)
        .filter(|request| request.resource != "leases" && request.verb != "watch")
        .collect();
    assert_eq!(asked, []);
}

fn wait_for_looks(looks: &impl Fn() -> usize, more: usize) {
    let (began, until) = (Instant::now(), looks() + more);
    while looks() < until {
        assert!(began.elapsed() < Duration::from_mins(2), "it looks no more");
        thread::sleep(Duration::from_millis(100));
    }
}
