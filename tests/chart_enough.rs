//! The controller, with the rights that the chart gives it and no others, does everything that it can
//! do, and the audit log tells which of them it used: all. Without one of them it says what is missing,
//! and does the rest.
//!
//! Every other test runs its controllers with the same rights, so that none needs more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::thread;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::bench::stderr;
use crate::chart_rights::table;
use crate::cluster::{ADMIN, Request, ok, own};
use crate::deployed::{Controller, Tenant, condition, wait};
use crate::gitsource_bench::Bench;
use crate::installation::{Installation, cluster};
use crate::origin::Origin;
use crate::reverting::{delete, patch, reverts, wait_until_gone};
use crate::site::Site;

/// Verb, and resource with its group.
type Used = (String, String);

fn used(verb: &str, group: &str, resource: &str) -> Used {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, format!("/{subresource}")),
        None => (resource, String::new()),
    };
    let dot = if group.is_empty() { "" } else { "." };
    (
        verb.to_owned(),
        format!("{resource}{dot}{group}{subresource}"),
    )
}

/// What a release in `home` is given.
fn given(home: &str) -> BTreeSet<Used> {
    ["watched", "own", "everywhere"]
        .iter()
        .flat_map(|part| table(part, home))
        .map(|(verb, group, resource, _)| used(&verb, &group, &resource))
        .collect()
}

/// The same fleet for another tenant, which is signed in to by workload identity.
fn by_identity(tenant: &Tenant<'_>) -> String {
    let fleet = tenant.text("fleet.yaml");
    let fleet = fleet.replace("name: contoso,", "name: identity,").replace(
        "7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10",
        "7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a11",
    );
    let without: Vec<&str> = fleet
        .lines()
        .filter(|line| !line.contains("graph-app"))
        .collect();
    without.join("\n")
}

/// Writes the Lease of an estate while its holder sleeps, until the holder, awake and about to renew
/// it, has not seen that yet and looks what became of it.
fn write_unseen(installation: &Installation<'_>, account: &str) {
    let (_, controller) = &installation.replicas[0];
    let home = &installation.deployment.home;
    let mark = own().mark();
    let looked = |request: &Request| {
        request.user == account && request.verb == "get" && request.resource == "leases"
    };
    for at in 0.. {
        assert!(at < 40, "every write of somebody else was seen in time");
        controller.signal("STOP");
        let note = json!({ "metadata": { "annotations": { "note": at.to_string() } } });
        for lease in ok(home.kubectl(&ADMIN).args(["get", "leases", "-o", "name"])).lines() {
            let mut patch = home.kubectl(&ADMIN);
            patch.args(["patch", lease, "--type=merge", "-p"]);
            ok(patch.arg(note.to_string()));
        }
        // Longer than from one renewal to the next.
        thread::sleep(Duration::from_secs(2));
        controller.signal("CONT");
        thread::sleep(Duration::from_millis(500));
        if own().requests_since(mark).iter().any(looked) {
            return;
        }
    }
}

/// Does everything that a controller has rights for.
fn do_everything(installation: &Installation<'_>, tenant: &Tenant<'_>, bench: &Bench) {
    bench.apply(&bench.source());
    tenant.wait_for_condition("Ready", "gitsource/main");
    tenant.approve();
    tenant.wait_for_condition("Converged", "fleet/contoso");

    // Workload identity.
    bench.apply(&json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "default",
            "annotations": {
                "azure.workload.identity/client-id": "6b2c8d54-0f2e-4c65-8f6e-6a1d2f7b9c10",
            },
        },
    }));
    tenant.apply_text(&by_identity(tenant));
    tenant.wait_for(
        "a tenant that does not know it",
        "fleet",
        "identity",
        |fleet| condition(fleet, "Ready")["status"] == "False",
    );

    // The same is told again and again.
    for suspend in [true, false, true, false] {
        patch(
            tenant,
            "fleet/contoso",
            &json!({ "spec": { "suspend": suspend } }).to_string(),
        );
        tenant.wait_for("a pass", "fleet", "contoso", |fleet| {
            let is_stopped = condition(fleet, "Ready")["reason"] == "NothingWritten";
            fleet["status"]["observedGeneration"] == fleet["metadata"]["generation"]
                && is_stopped == suspend
        });
    }

    let asked = installation.diarchy(&ADMIN, &["plan", "--fleet", "contoso"]);
    assert!(asked.status.code() < Some(2), "{}", stderr(&asked));

    reverts(tenant, "updates");
    delete(tenant, "workloadassignment/updates");
    wait_until_gone(tenant, "workloadassignment/updates");
}

#[test]
fn the_rights_of_the_chart_are_enough_and_none_of_them_is_idle() {
    let site = Site::open();
    let namespace = cluster().namespace();
    let tenant = Tenant::within(namespace.clone(), &site);
    let origin = Origin::empty();
    for file in ["fleet.yaml", "resources.yaml"] {
        fs::write(origin.tree().join(file), tenant.text(file)).unwrap();
    }
    origin.commit("README.md", "a fleet\n");
    let bench = Bench::of(cluster(), namespace, origin);
    bench.grant("default");
    // What is left of a time when more had to be remembered.
    bench.apply(&json!({
        "apiVersion": "diarchy.dev/v1alpha1",
        "kind": "FleetRecord",
        "metadata": { "name": "contoso-2-0" },
        "spec": { "fleetRef": { "name": "contoso" }, "part": 0, "parts": 2, "serial": 1, "data": "" },
    }));
    let mirrors = [OsStr::new("--mirrors"), bench.mirrors().as_os_str()];
    let mut installation = Installation::with(&tenant, &["one"], &mirrors);
    installation.lead_to("one");
    do_everything(&installation, &tenant, &bench);
    let home = installation.deployment.home.name.clone();
    let account = format!("system:serviceaccount:{home}:diarchy");
    write_unseen(&installation, &account);
    let (_, controller) = installation.replicas.remove(0);
    // A dead replica's Lease is taken away by those that follow.
    controller.stop();

    let requests = own().requests_since(0);
    let asked = || requests.iter().filter(|request| request.user == account);
    let refused: Vec<_> = asked().filter(|request| !request.allowed).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let mut asked: BTreeSet<Used> = asked()
        .map(|request| {
            let resource = match request.subresource.as_str() {
                "" => request.resource.clone(),
                subresource => format!("{}/{subresource}", request.resource),
            };
            used(&request.verb, &request.group, &resource)
        })
        .collect();
    // Whoever acts for another is in the log as the other.
    let deliverer = format!("system:serviceaccount:{}:default", tenant.namespace.name);
    if requests.iter().any(|request| request.user == deliverer) {
        asked.insert(used("impersonate", "", "serviceaccounts"));
    }
    let given = given(&home);
    let more: Vec<_> = asked.difference(&given).collect();
    assert!(more.is_empty(), "allowed to anybody: {more:?}");
    let idle: Vec<_> = given.difference(&asked).collect();
    assert!(idle.is_empty(), "given and never used: {idle:?}");
}

/// A verb of a rule of the release's Role.
#[derive(Clone, Copy)]
struct Right {
    resource: &'static str,
    verb: &'static str,
    /// Whether it is of the namespace of the release.
    own: bool,
}

const fn right(resource: &'static str, verb: &'static str) -> Right {
    Right {
        resource,
        verb,
        own: false,
    }
}

impl Right {
    /// Takes it away, and gives what undoes that.
    fn take_from(self, installation: &Installation<'_>) -> impl Fn() {
        let deployment = &installation.deployment;
        let (namespace, role) = if self.own {
            (deployment.home.name.clone(), "diarchy".to_owned())
        } else {
            let role = format!("{}-diarchy", deployment.home.name);
            (deployment.watched.clone(), role)
        };
        let mut get = cluster().kubectl(&ADMIN);
        get.args(["--namespace", &namespace, "get", "role", &role]);
        let before: Value = serde_json::from_str(&ok(get.args(["-o", "json"]))).unwrap();
        let set = move |rules: &Value| {
            let mut patch = cluster().kubectl(&ADMIN);
            patch.args(["--namespace", &namespace, "patch", "role", &role]);
            let rules = json!({ "rules": rules }).to_string();
            ok(patch.args(["--type=merge", "-p", &rules]));
        };
        let mut rules = before["rules"].clone();
        let all = rules.as_array_mut().unwrap();
        for of_resource in all.iter_mut() {
            if of_resource["resources"] == json!([self.resource]) {
                let verbs = of_resource["verbs"].as_array_mut().unwrap();
                verbs.retain(|verb| verb != self.verb);
            }
        }
        // A rule without verbs is none.
        all.retain(|rule| rule["verbs"] != json!([]));
        set(&rules);
        move || set(&before["rules"])
    }

    /// Waits until `account` was refused it, and the controller has said so.
    fn wait_for_refusal(self, controller: &Controller, account: &str, mark: usize) {
        let Self { resource, verb, .. } = self;
        let is_it = |request: &Request| {
            let full = match request.subresource.as_str() {
                "" => request.resource.clone(),
                part => format!("{}/{part}", request.resource),
            };
            request.user == account && !request.allowed && full == resource && request.verb == verb
        };
        let word = resource.split('/').next().unwrap();
        wait("a refusal", || {
            let is_refused = own().requests_since(mark).iter().any(is_it);
            let log = controller.log();
            let is_told = log.contains("forbidden") && log.contains(word);
            let state = json!({ "right": format!("{verb} {resource}"), "refused": is_refused });
            (is_refused && is_told).then_some(()).ok_or(state)
        });
    }
}

/// Waits until what was changed is carried out; says yes where it waits.
fn carried_out(tenant: &Tenant<'_>, yes: &str) {
    let is_seen =
        |one: &Value| one["status"]["observedGeneration"] == one["metadata"]["generation"];
    let what = "what was changed to be seen";
    tenant.wait_for(what, "workloadassignment", "updates", is_seen);
    let fleet = tenant.wait_for(what, "fleet", "contoso", is_seen);
    if let Some(digest) = fleet["status"]["waitingPlan"]["digest"].as_str() {
        let yes = tenant.approval(yes, digest, SignedDuration::from_hours(20));
        ok(&mut tenant.namespace.apply(&[yes]));
    }
    tenant.wait_for_condition("Converged", "fleet/contoso");
}

#[test]
fn without_a_right_it_says_which_and_carries_on_when_it_has_it_again() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one"]);
    tenant.carry_out();
    let (_, controller) = &installation.replicas[0];
    let home = &installation.deployment.home.name;
    let account = format!("system:serviceaccount:{home}:diarchy");
    let ask = |resource: &str, spec: Value| {
        patch(&tenant, resource, &json!({ "spec": spec }).to_string());
    };
    let leases = Right {
        own: true,
        ..right("leases", "update")
    };
    for (at, right) in [
        right("fleets/status", "patch"),
        right("workloadassignments/status", "patch"),
        right("fleetrecords", "update"),
        leases,
    ]
    .into_iter()
    .enumerate()
    {
        let mark = own().mark();
        let give_back = right.take_from(&installation);
        // Something that has to be remembered, done and told.
        let to = ["ConfigurationManager", "Intune"][at % 2];
        ask("workloadassignment/updates", json!({ "authority": to }));
        ask("fleet/contoso", json!({ "suspend": true }));
        right.wait_for_refusal(controller, &account, mark);
        give_back();
        ask("fleet/contoso", json!({ "suspend": false }));
        carried_out(&tenant, &format!("yes-{at}"));
    }
    site.assert_clean();
}
