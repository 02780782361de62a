//! Who may approve, as the API server judges with the chart's policy.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::chart::{documents, kind, template};
use crate::cluster::{
    ADELE, ADMIN, ALEX, LEE, MEGAN, Namespace, Person, ok, refused, with_definitions,
};

/// A namespace in which the chart's policy counts, with the chart's roles for people.
struct Governed {
    namespace: Namespace<'static>,
    /// What is in no namespace.
    around: PathBuf,
}

impl Governed {
    fn new() -> Self {
        let namespace = with_definitions().namespace();
        let list = format!("watchNamespaces={{{}}}", namespace.name);
        let mut around = documents(&template(&namespace.name, &["--set", &list]));
        let prefixes = ["ValidatingAdmission", "ClusterRole"];
        around.retain(|one| prefixes.iter().any(|prefix| kind(one).starts_with(prefix)));
        // The controller's own.
        around.retain(|one| {
            !one["metadata"]["name"]
                .as_str()
                .unwrap()
                .ends_with("-review")
        });
        assert_eq!(around.len(), 5);
        for role in around.iter_mut().filter(|one| kind(one) == "ClusterRole") {
            // Their names are the same for every release: here each test has its own.
            let name = role["metadata"]["name"].as_str().unwrap();
            role["metadata"]["name"] = format!("{}-{name}", namespace.name).into();
        }
        let around: Vec<String> = around.iter().map(Value::to_string).collect();
        let around = namespace.file(&around.join("\n---\n"));
        let mut apply = with_definitions().kubectl(&ADMIN);
        ok(apply.args(["apply", "--server-side", "-f"]).arg(&around));
        let governed = Self { namespace, around };
        for (group, role) in [
            ("fleet-editors", "diarchy-edit"),
            ("fleet-approvers", "diarchy-approve"),
            ("fleet-viewers", "diarchy-view"),
        ] {
            let role = format!("--clusterrole={}-{role}", governed.name);
            bind(&governed, &role, &format!("--group={group}"));
        }
        wait_until_it_counts(&governed);
        governed
    }
}

impl Deref for Governed {
    type Target = Namespace<'static>;

    fn deref(&self) -> &Self::Target {
        &self.namespace
    }
}

impl Drop for Governed {
    fn drop(&mut self) {
        // What is in no namespace would stay in a cluster that was given.
        let cluster = with_definitions();
        if !cluster.is_own() {
            let mut delete = cluster.kubectl(&ADMIN);
            delete.args(["delete", "--wait=false", "-f"]);
            drop(delete.arg(&self.around).output());
        }
    }
}

fn bind(namespace: &Namespace, role: &str, subject: &str) {
    let name = format!("binding-{:08x}", rand::random::<u32>());
    let mut binding = namespace.kubectl(&ADMIN);
    ok(binding.args(["create", "rolebinding", &name, role, subject]));
}

/// A policy is not in force at once: the server reads it by a watch.
fn wait_until_it_counts(namespace: &Namespace) {
    let began = Instant::now();
    let forged = approval("Fleet", "contoso", "somebody@contoso.com", hours(1));
    loop {
        let mut ask = create(namespace, &ADMIN, &forged);
        if !ask
            .arg("--dry-run=server")
            .output()
            .unwrap()
            .status
            .success()
        {
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "it never counts");
        thread::sleep(Duration::from_millis(20));
    }
}

fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

fn approval(target: &str, name: &str, approver: &str, lasts: SignedDuration) -> Value {
    json!({
        "apiVersion": "diarchy.dev/v1alpha1",
        "kind": "Approval",
        "metadata": { "generateName": "plan-" },
        "spec": {
            "targetRef": { "kind": target, "name": name, "uid": "2d1c1b1a-0000" },
            "digest": format!("sha256:{}", "0a".repeat(32)),
            "approver": approver,
            "expires": (Timestamp::now() + lasts).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        },
    })
}

/// `kubectl create`, as `person` runs it.
fn create(namespace: &Namespace, person: &Person, document: &Value) -> Command {
    let mut create = namespace.kubectl(person);
    create.args(["create", "-f"]);
    create.arg(namespace.file(&document.to_string()));
    create
}

/// Asserts that the policy, and not the lack of another right, refuses it for this reason.
fn assert_denied(namespace: &Namespace, person: &Person, document: &Value, why: &str) {
    let told = refused(&mut create(namespace, person, document));
    assert!(told.contains("ValidatingAdmissionPolicy"), "{told}");
    assert!(told.contains(why), "{told}");
}

#[test]
fn who_may_approve_does_so_in_their_own_name() {
    let namespace = Governed::new();
    for target in ["Fleet", "WorkloadAssignment"] {
        let own = approval(target, "contoso", ADELE.name, hours(24));
        ok(&mut create(&namespace, &ADELE, &own));
    }
    let forged = approval("Fleet", "contoso", MEGAN.name, hours(24));
    assert_denied(
        &namespace,
        &ADELE,
        &forged,
        "spec.approver is `megan@contoso.com`, and you are `adele@contoso.com`: nobody approves for somebody else",
    );
    // Not even who may do everything.
    let forged = approval("Fleet", "contoso", ADELE.name, hours(24));
    assert_denied(
        &namespace,
        &ADMIN,
        &forged,
        "nobody approves for somebody else",
    );
    // There is no right to approve these yet.
    let action = approval("RemoteAction", "wipe", ADELE.name, hours(24));
    assert_denied(
        &namespace,
        &ADELE,
        &action,
        "may not approve RemoteAction `wipe`",
    );
}

#[test]
fn who_writes_or_looks_does_not_approve() {
    let namespace = Governed::new();
    for person in [&MEGAN, &ALEX, &LEE] {
        let own = approval("Fleet", "contoso", person.name, hours(1));
        let told = refused(&mut create(&namespace, person, &own));
        let why = format!(
            "User \"{}\" cannot create resource \"approvals\"",
            person.name
        );
        assert!(told.contains(&why), "{told}");
    }
}

#[test]
fn it_takes_the_right_to_approve_the_very_target() {
    let namespace = Governed::new();
    let role = |name: &str, arguments: &[&str]| {
        let mut create = namespace.kubectl(&ADMIN);
        ok(create.args(["create", "role", name]).args(arguments));
        bind(
            &namespace,
            &format!("--role={name}"),
            &format!("--user={}", LEE.name),
        );
    };
    role(
        "writes-approvals",
        &["--verb=create", "--resource=approvals"],
    );
    let of = |target: &str, name: &str| approval(target, name, LEE.name, hours(1));
    let why =
        "`lee@contoso.com` may not approve Fleet `contoso`: that takes the verb `approve` on it";
    assert_denied(&namespace, &LEE, &of("Fleet", "contoso"), why);
    role(
        "approves-nordwind",
        &[
            "--verb=approve",
            "--resource=fleets",
            "--resource-name=nordwind",
        ],
    );
    ok(&mut create(&namespace, &LEE, &of("Fleet", "nordwind")));
    assert_denied(&namespace, &LEE, &of("Fleet", "contoso"), why);
    let other = of("WorkloadAssignment", "nordwind");
    assert_denied(
        &namespace,
        &LEE,
        &other,
        "may not approve WorkloadAssignment",
    );
}

#[test]
fn an_approval_counts_for_some_time_and_not_for_ever() {
    let namespace = Governed::new();
    let lasting = |lasts: SignedDuration| approval("Fleet", "contoso", ADELE.name, lasts);
    ok(&mut create(&namespace, &ADELE, &lasting(hours(24))));
    let passed = lasting(SignedDuration::from_mins(-1));
    assert_denied(&namespace, &ADELE, &passed, "which has passed");
    let long = lasting(hours(24) + SignedDuration::from_mins(1));
    assert_denied(
        &namespace,
        &ADELE,
        &long,
        "an approval counts for no longer than 24h",
    );
}

/// What was approved cannot become something else, and people may take back what they said.
#[test]
fn an_approval_is_deleted_and_not_changed() {
    let namespace = Governed::new();
    let mut given = approval("Fleet", "contoso", ADELE.name, hours(1));
    given["metadata"] = json!({ "name": "plan" });
    ok(&mut create(&namespace, &ADELE, &given));
    let change = json!({ "spec": { "digest": format!("sha256:{}", "0b".repeat(32)) } });
    for person in [&ADELE, &ADMIN] {
        let mut patch = namespace.kubectl(person);
        patch.args(["patch", "approval", "plan", "--type=merge", "--patch"]);
        let told = refused(patch.arg(change.to_string()));
        let expected = match person.name {
            "admin" => "an approval cannot change",
            _ => "cannot patch resource",
        };
        assert!(told.contains(expected), "{told}");
    }
    let mut delete = namespace.kubectl(&ADELE);
    ok(delete.args(["delete", "approval", "plan"]));
}

/// Namespaces that the release does not watch are for another one to judge.
#[test]
fn the_policy_counts_where_the_release_watches() {
    let _governed = Governed::new();
    let elsewhere = with_definitions().namespace();
    let forged = approval("Fleet", "contoso", ADELE.name, hours(24));
    ok(&mut create(&elsewhere, &ADMIN, &forged));
}

/// What the roles for people give.
#[test]
fn people_may_do_what_their_roles_say() {
    let namespace = Governed::new();
    let may = |person: &Person, verb: &str, resource: &str| {
        let mut ask = namespace.kubectl(person);
        ask.args([
            "auth",
            "can-i",
            verb,
            &format!("{resource}.diarchy.dev"),
            "--quiet",
        ]);
        ask.output().unwrap().status.success()
    };
    for (person, rights) in [
        (&ALEX, [true, false, false, false]),
        (&MEGAN, [true, true, false, false]),
        (&ADELE, [true, false, true, true]),
        (&LEE, [false, false, false, false]),
    ] {
        let has = [
            may(person, "get", "fleets"),
            may(person, "patch", "fleets"),
            may(person, "approve", "fleets"),
            may(person, "create", "approvals"),
        ];
        assert_eq!(has, rights, "{}", person.name);
        for verb in ["get", "list", "create", "update", "delete"] {
            assert!(
                !may(person, verb, "fleetrecords"),
                "{}: {verb}",
                person.name
            );
        }
    }
}
