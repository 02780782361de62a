//! Helm installs, upgrades and uninstalls the chart in a real cluster.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::bench::copy;
use crate::chart::{chart, documents, helm, kind, template};
use crate::cluster::{ADMIN, Cluster, ControlPlane, Namespace, ok, refused, shared};
use crate::crds_documents::smallest;

const NAMESPACE: &str = "diarchy-system";

/// A command of Helm against a cluster.
fn helm_of(cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut helm = helm(cluster.directory());
    helm.args(arguments)
        .args(["--namespace", NAMESPACE, "--kubeconfig"])
        .arg(cluster.kubeconfig(&ADMIN));
    helm
}

fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut command = cluster.kubectl(&ADMIN);
    command.args(arguments);
    command
}

/// A copy of the chart with definitions as an older version had them: without what it did not know.
fn older(folder: &Path) -> String {
    let to = folder.join("older");
    copy(&chart(), &to);
    let place = to.join("files/crds/devicegroups.diarchy.dev.yaml");
    let text = fs::read_to_string(&place).unwrap();
    let newer = "    shortNames:\n    - dg\n";
    assert!(text.contains(newer), "{text}");
    fs::write(&place, text.replace(newer, "")).unwrap();
    to.to_str().unwrap().to_owned()
}

fn fleet() -> Value {
    let mut fleet = smallest("Fleet");
    fleet["metadata"]["namespace"] = json!(NAMESPACE);
    fleet
}

/// One after the other, as the life of an installation goes.
#[test]
fn helm_installs_upgrades_and_uninstalls_and_keeps_what_people_wrote() {
    let plane = ControlPlane::start();
    let cluster = plane.cluster();
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (older(folder.path()), chart().to_str().unwrap().to_owned());
    let told = ok(&mut helm_of(
        cluster,
        &["install", "diarchy", &old, "--create-namespace"],
    ));
    assert!(told.contains("runs in namespace diarchy-system"), "{told}");
    let definitions = || {
        let mut get = kubectl(cluster, &["get", "crd", "--output", "name"]);
        ok(&mut get).lines().count()
    };
    let all = fs::read_dir(chart().join("files/crds")).unwrap().count();
    assert_eq!(definitions(), all);
    let established = [
        "wait",
        "--for=condition=Established",
        "crd/fleets.diarchy.dev",
        "--timeout=60s",
    ];
    ok(&mut kubectl(cluster, &established));
    let file = folder.path().join("fleet.json");
    fs::write(&file, fleet().to_string()).unwrap();
    ok(kubectl(cluster, &["apply", "--server-side", "-f"]).arg(&file));
    let short_names = || {
        let path = "jsonpath={.spec.names.shortNames}";
        let arguments = ["get", "crd", "devicegroups.diarchy.dev", "--output", path];
        ok(&mut kubectl(cluster, &arguments))
    };
    assert_eq!(short_names(), "");
    ok(&mut helm_of(cluster, &["upgrade", "diarchy", &new]));
    assert_eq!(
        short_names(),
        "[\"dg\"]",
        "the upgrade brings new definitions"
    );

    let told = ok(&mut helm_of(cluster, &["uninstall", "diarchy"]));
    assert!(told.contains("kept due to the resource policy"), "{told}");
    assert_eq!(definitions(), all);
    let stored = ["get", "fleet", "contoso", "--namespace", NAMESPACE];
    ok(&mut kubectl(cluster, &stored));
    let left = "deployment,service,serviceaccount,networkpolicy,pdb,role,rolebinding";
    let left = ["get", left, "--namespace", NAMESPACE, "--output", "name"];
    assert_eq!(ok(&mut kubectl(cluster, &left)), "");

    // The same release takes up what was kept; another one says that it would not.
    let told = refused(&mut helm_of(cluster, &["install", "other", &new]));
    assert!(told.contains("invalid ownership metadata"), "{told}");
    ok(&mut helm_of(cluster, &["install", "diarchy", &new]));
    ok(&mut kubectl(cluster, &stored));
}

#[test]
fn definitions_that_were_applied_before_are_taken_over() {
    let plane = ControlPlane::start();
    let cluster = plane.cluster();
    cluster.install_definitions();
    let chart = chart().to_str().unwrap().to_owned();
    let install = ["install", "diarchy", &chart, "--create-namespace"];
    let told = refused(&mut helm_of(cluster, &install));
    assert!(told.contains("invalid ownership metadata"), "{told}");
    let mut install = helm_of(cluster, &install);
    ok(install.args(["--take-ownership", "--force-conflicts"]));
}

/// A namespace in which nothing may run but what the strictest standard allows.
fn restricted() -> Namespace<'static> {
    let namespace = shared().namespace();
    let mut label = shared().kubectl(&ADMIN);
    label.args(["label", "namespace", &namespace.name]);
    for mode in ["enforce", "warn"] {
        label.arg(format!("pod-security.kubernetes.io/{mode}=restricted"));
    }
    ok(&mut label);
    // A pod without an account of its own waits for this one, which a cluster makes a moment later.
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": "default" },
    });
    ok(&mut namespace.apply(&[account]));
    namespace
}

#[test]
fn its_pods_may_run_where_nothing_is_allowed_that_need_not_be() {
    let namespace = restricted();
    let rendered = documents(&template(&namespace.name, &[]));
    let pods: Vec<Value> = rendered
        .into_iter()
        .filter(|one| ["Deployment", "Pod"].contains(&kind(one)))
        .collect();
    assert_eq!(pods.len(), 2);
    // Of a Deployment the server warns, a Pod it refuses.
    ok(namespace.apply(&pods).arg("--warnings-as-errors"));
    let mut loose = pods[0].clone();
    if kind(&loose) == "Pod" {
        loose = pods[1].clone();
    }
    loose["spec"]["template"]["spec"]["securityContext"] = json!({});
    let told = refused(namespace.apply(&[loose]).arg("--warnings-as-errors"));
    assert!(told.contains("would violate PodSecurity"), "{told}");
}

/// Everything, with every value at another one than its default, but what the server does not know.
#[test]
fn the_server_accepts_everything_that_can_be_rendered() {
    let namespace = shared().namespace();
    let full = crate::bench::root().join(crate::chart::FULL);
    let list = format!("watchNamespaces={{{}}}", namespace.name);
    let arguments = ["--values", full.to_str().unwrap(), "--set", &list];
    let rendered: Vec<Value> = documents(&template(&namespace.name, &arguments))
        .into_iter()
        .filter(|one| kind(one) != "ServiceMonitor")
        .collect();
    let files: Vec<String> = rendered.iter().map(Value::to_string).collect();
    let mut apply = shared().kubectl(&ADMIN);
    apply.args(["apply", "--server-side", "--dry-run=server"]);
    apply.args(["--warnings-as-errors", "--force-conflicts", "-f"]);
    let told = ok(apply.arg(namespace.file(&files.join("\n---\n"))));
    assert_eq!(told.lines().count(), rendered.len(), "{told}");
}
