//! What the tests of a cluster stand on, tested itself.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::{
    ADELE, ADMIN, ALEX, ControlPlane, LEE, MEGAN, Namespace, Request, ok, own, refused, shared,
};

/// Lets a group or account do something with the config maps of a namespace.
fn grant(namespace: &Namespace, subject: &str, verb: &str) {
    let name = format!("{verb}-{}", rand::random::<u32>());
    let mut role = namespace.kubectl(&ADMIN);
    role.args([
        "create",
        "role",
        &name,
        "--resource=configmaps",
        "--verb",
        verb,
    ]);
    ok(&mut role);
    let mut binding = namespace.kubectl(&ADMIN);
    binding.args(["create", "rolebinding", &name, subject]);
    ok(binding.args(["--role", &name]));
}

#[test]
fn people_may_do_what_their_groups_may_and_nothing_else() {
    let namespace = shared().namespace();
    grant(&namespace, "--group=fleet-editors", "create");
    grant(&namespace, "--group=fleet-viewers", "get,list");
    let (create, get) = (["create", "configmap", "notes"], ["get", "configmaps", ""]);
    for (person, may) in [
        (&ADELE, None),
        (&LEE, None),
        (&ALEX, Some(get)),
        (&MEGAN, Some(create)),
    ] {
        for what in [create, get] {
            let mut command = namespace.kubectl(person);
            command.args(what.iter().filter(|word| !word.is_empty()));
            if may == Some(what) {
                ok(&mut command);
            } else {
                let told = refused(&mut command);
                let verb = what[0].replace("get", "list");
                let who = format!("User \"{}\" cannot {verb} resource", person.name);
                assert!(told.contains("forbidden") && told.contains(&who), "{told}");
            }
        }
    }
}

#[test]
fn a_service_account_shows_who_it_is_by_a_token() {
    let namespace = shared().namespace();
    ok(namespace
        .kubectl(&ADMIN)
        .args(["create", "serviceaccount", "diarchy"]));
    grant(
        &namespace,
        &format!("--serviceaccount={}:diarchy", namespace.name),
        "list",
    );
    let kubeconfig = shared().kubeconfig_of_account(&namespace.name, "diarchy");
    let kubectl = || {
        let mut command = shared().kubectl_with(&kubeconfig);
        command.args(["--namespace", &namespace.name]);
        command
    };
    ok(kubectl().args(["get", "configmaps"]));
    let told = refused(kubectl().args(["get", "secrets"]));
    let who = format!("system:serviceaccount:{}:diarchy", namespace.name);
    assert!(told.contains("Forbidden") && told.contains(&who), "{told}");
}

#[test]
fn the_audit_log_tells_who_asked_for_what() {
    let namespace = own().cluster().namespace();
    grant(&namespace, "--group=fleet-editors", "create,patch");
    let mut apply = namespace.kubectl(&MEGAN);
    ok(apply.args(["create", "configmap", "notes"]));
    refused(
        namespace
            .kubectl(&MEGAN)
            .args(["get", "secret", "cm-admin"]),
    );
    let mut scale = namespace.kubectl(&MEGAN);
    refused(scale.args(["get", "deployment", "web", "--subresource", "status"]));
    let request = |verb: &str, group: &str, resource: &str, subresource: &str, allowed| Request {
        user: MEGAN.name.to_owned(),
        verb: verb.to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        namespace: namespace.name.clone(),
        allowed,
    };
    let told: BTreeSet<Request> = own()
        .requests_since(0)
        .into_iter()
        .filter(|request| request.namespace == namespace.name && request.user == MEGAN.name)
        .collect();
    let expected = [
        request("create", "", "configmaps", "", true),
        request("get", "", "secrets", "", false),
        request("get", "apps", "deployments", "status", false),
    ];
    assert_eq!(told, BTreeSet::from(expected));
}

#[test]
fn a_server_that_is_started_again_has_what_was_stored() {
    let plane = ControlPlane::start();
    let namespace = plane.cluster().namespace().name.clone();
    let create = ["create", "configmap", "notes", "--namespace", &namespace];
    ok(plane.cluster().kubectl(&ADMIN).args(create));
    plane.kill_api_server();
    let get = ["get", "configmap", "notes", "--namespace", &namespace];
    let told = refused(plane.cluster().kubectl(&ADMIN).args(get));
    assert!(
        told.contains("connection") && told.contains("refused"),
        "{told}"
    );
    plane.start_api_server();
    ok(plane.cluster().kubectl(&ADMIN).args(get));
}

#[test]
fn controllers_remove_what_is_left_behind() {
    let plane = ControlPlane::start_with_controllers();
    let namespace = plane.cluster().namespace();
    let config = |name: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } });
    let run = |arguments: &[&str]| ok(namespace.kubectl(&ADMIN).args(arguments));
    ok(&mut namespace.apply(&[config("owner")]));
    let uid = [
        "get",
        "configmap",
        "owner",
        "--output",
        "jsonpath={.metadata.uid}",
    ];
    let mut owned = config("owned");
    owned["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": run(&uid),
    }]);
    ok(&mut namespace.apply(&[owned]));
    run(&["delete", "configmap", "owner"]);
    run(&["wait", "--for=delete", "configmap/owned", "--timeout=60s"]);
    run(&["delete", "namespace", &namespace.name, "--timeout=60s"]);
}

/// Tells the second process of the test below where to say that its servers run.
const HOLD: &str = "DIARCHY_TEST_HOLD";

/// The test runs itself a second time, to kill that process.
#[test]
fn servers_end_when_the_process_of_the_tests_is_killed() {
    if let Some(place) = std::env::var_os(HOLD) {
        hold(Path::new(&place));
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("held");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "control_plane::servers_end_when_the_process_of_the_tests_is_killed",
        ])
        .env(HOLD, &place)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let told = until("it holds a control plane", || {
        fs::read_to_string(&place).ok()
    });
    let (directory, ports) = told.split_once('\n').unwrap();
    let directory = PathBuf::from(directory);
    let ports: Vec<u16> = serde_json::from_str(ports).unwrap();
    let answers = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
    assert!(directory.is_dir() && ports.iter().all(answers), "{told}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    until("nothing is left of it", || {
        (!directory.exists() && !ports.iter().any(answers)).then_some(())
    });
}

/// Holds a control plane until this process is killed, and writes down which.
fn hold(note: &Path) -> ! {
    let plane = ControlPlane::start();
    let directory = plane.cluster().directory().display();
    let part = note.with_extension("part");
    fs::write(&part, format!("{directory}\n{:?}", plane.ports())).unwrap();
    fs::rename(&part, note).unwrap();
    loop {
        thread::park();
    }
}

/// Asks until there is an answer.
fn until<T>(what: &str, ask: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_mins(2), "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
