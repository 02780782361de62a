//! Many resources from git, beside `kubectl apply` of the same files: everything arrives, and is
//! carried out. How long that takes, and how much memory, is noted for people, and judged by nobody.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bench::copy;
use crate::cluster::{Namespace, ok, with_definitions};
use crate::deployed::{Controller, Deployment, Tenant, wait};
use crate::fetching::children;
use crate::gitsource_bench::Bench;
use crate::origin::Origin;
use crate::site::Site;

/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// The most memory that a process has had so far, in MiB; 0 if it has ended.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kibibytes.unwrap_or(0) / 1024
}

/// Looks at the children of a process until it is told to stop: the most that one of them had.
fn peak_of_children(parent: u32, over: &Arc<AtomicBool>) -> JoinHandle<u64> {
    let over = Arc::clone(over);
    thread::spawn(move || {
        let mut most = 0;
        while !over.load(Ordering::SeqCst) {
            most = children(parent).into_iter().map(peak).fold(most, u64::max);
            thread::sleep(GLANCE);
        }
        most
    })
}

/// Runs a command to its end: how long it took, and the most memory that it had.
fn measured(command: &mut Command) -> (Duration, u64) {
    let began = Instant::now();
    let mut child: Child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    loop {
        most = peak(child.id()).max(most);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{command:?}: {status}");
            return (began.elapsed(), most);
        }
        thread::sleep(GLANCE);
    }
}

/// What the site's repository has, with as many groups beside it as make it `count` resources.
fn write_many(tenant: &Tenant<'_>, folder: &Path, count: usize) {
    fs::create_dir_all(folder.join("groups")).unwrap();
    let mut documents = 0;
    for file in ["fleet.yaml", "resources.yaml"] {
        let text = tenant.text(file);
        documents += text.matches("kind: ").count();
        fs::write(folder.join(file), text).unwrap();
    }
    for at in documents..count {
        let text = format!(
            "apiVersion: diarchy.dev/v1alpha1\nkind: DeviceGroup\nmetadata: {{ name: desk-{at} }}\n\
             spec: {{ fleetRef: {{ name: contoso }}, devices: [ NO-WS{at:06} ] }}\n"
        );
        fs::write(folder.join(format!("groups/desk-{at}.yaml")), text).unwrap();
    }
}

/// Applies the same files by hand, in a namespace where nobody looks at them.
fn by_hand(namespace: &Namespace<'_>, files: &Path, elsewhere: &str) -> (Duration, u64) {
    let folder = tempfile::tempdir().unwrap();
    copy(files, folder.path());
    for file in ["fleet.yaml", "resources.yaml"] {
        let place = folder.path().join(file);
        let text = fs::read_to_string(&place).unwrap();
        fs::write(place, text.replace(elsewhere, &namespace.name)).unwrap();
    }
    let mut apply = namespace.kubectl(&crate::cluster::ADMIN);
    apply.args(["apply", "--server-side", "--recursive", "-f"]);
    // As its users have it.
    apply.env_remove("GOGC").env_remove("GOMEMLIMIT");
    measured(apply.arg(folder.path()))
}

/// How many resources.
const COUNT: usize = 1000;

#[test]
fn many_resources_are_delivered_and_every_one_is_ready() {
    let site = Site::open();
    let namespace = with_definitions().namespace();
    let tenant = Tenant::within(namespace.clone(), &site);
    let files = tempfile::tempdir().unwrap();
    write_many(&tenant, files.path(), COUNT);
    let beside = with_definitions().namespace();
    let (hand_time, hand_peak) = by_hand(&beside, files.path(), &namespace.name);

    let origin = Origin::empty();
    copy(files.path(), &origin.tree());
    origin.commit("README.md", "many\n");
    let bench = Bench::of(with_definitions(), namespace, origin);
    bench.grant("default");
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    let mut command = deployment.command("one");
    command.arg("--mirrors").arg(bench.mirrors());
    let controller = Controller::start(&mut command);
    // Its start is no part of what is compared.
    wait("the controller to have read everything", || {
        let log = controller.log();
        let is_ready = log.contains("everything has been read once");
        is_ready.then_some(()).ok_or(log.into())
    });
    let over = Arc::new(AtomicBool::new(false));
    let fetch = peak_of_children(controller.id(), &over);
    let began = Instant::now();
    bench.apply(&bench.source());
    tenant.wait_for_condition("Ready", "gitsource/main");
    let source_time = began.elapsed();
    over.store(true, Ordering::SeqCst);
    let controller_peak = peak(controller.id());
    crate::figures::note(&format!(
        "{COUNT} resources: GitSource {:.2} s, kubectl {:.2} s, ratio {:.2}; peak memory: \
         controller {controller_peak} MiB, its fetch {} MiB, kubectl {hand_peak} MiB",
        source_time.as_secs_f64(),
        hand_time.as_secs_f64(),
        source_time.as_secs_f64() / hand_time.as_secs_f64(),
        fetch.join().unwrap(),
    ));
    let status = bench.wait_for_head();
    assert_eq!(status["resources"], COUNT);
    assert_eq!(bench.objects().len(), COUNT);

    // All of them are reported on, once the first plan has a yes. `kubectl wait` would ask for one
    // after the other, which takes minutes.
    tenant.approve();
    let ready =
        r#"jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{" "}{end}"#;
    wait("everything to be ready", || {
        let mut get = tenant.kubectl();
        get.args([
            "get",
            "fleet,devicegroup,comanagementpolicy,workloadassignment",
        ]);
        let shown = ok(get.args(["-o", ready]));
        let true_ones = shown
            .split_whitespace()
            .filter(|one| *one == "True")
            .count();
        (true_ones == COUNT).then_some(()).ok_or(json!(true_ones))
    });
    crate::figures::note(&format!(
        "{COUNT} resources: all are ready {:.2} s after the source was applied; peak memory of the \
         controller then: {} MiB",
        began.elapsed().as_secs_f64(),
        peak(controller.id())
    ));
}
