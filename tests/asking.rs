//! Questions about a fleet, asked as people ask them: through the API server, of any replica.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Output;

use serde_json::{Value, json};

use crate::bench::{diarchy, stderr, stdout};
use crate::cluster::{ADELE, ADMIN, ALEX, LEE, ok};
use crate::deployed::{Tenant, wait};
use crate::installation::{Installation, cluster};
use crate::site::Site;

/// What an address answers, as it is sent.
fn http_get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    let (_, body) = told.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.code() < Some(2), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn who_may_look_is_told_of_devices_by_whichever_replica_is_asked() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one", "two"]);
    tenant.apply();
    let digest = tenant.waiting();

    let holder = installation.holder();
    let mut answers = Vec::new();
    for replica in ["one", "two"] {
        installation.lead_to(replica);
        let plan = installation.diarchy(&ALEX, &["plan", "-o", "json"]);
        assert_eq!(plan.status.code(), Some(1), "{replica}: {}", stderr(&plan));
        let plan = json_of(&plan);
        assert_eq!(
            plan["standing"]["waiting"]["digest"], digest,
            "{replica}, of {holder}"
        );
        answers.push((plan["digest"].clone(), plan["counts"].clone()));

        // Nothing is written before somebody says yes.
        let next = installation.diarchy(&ALEX, &["plan", "--next", "-o", "json"]);
        assert_eq!(next.status.code(), Some(0), "{replica}: {}", stderr(&next));
        let next = json_of(&next);
        assert_eq!(next["next"]["waiting"]["digest"], digest, "{replica}");
        assert_eq!(next["counts"]["changes"], 0, "{replica}");
    }
    assert_eq!(answers[0], answers[1]);

    // For people: what waits, and how to say yes.
    let told = stdout(&installation.diarchy(&ALEX, &["plan"]));
    let namespace = &tenant.namespace.name;
    let yes = format!("diarchy approve {digest} -n {namespace}");
    assert!(told.contains(&yes), "{told}");
    assert!(
        told.starts_with(&format!("Fleet {namespace}/contoso at ")),
        "{told}"
    );

    let plan = json_of(&installation.diarchy(&ALEX, &["plan", "-o", "json"]));
    let device = plan["changes"][0]["device"].as_str().unwrap();
    let explained = json_of(&installation.diarchy(&ALEX, &["explain", device, "-o", "json"]));
    assert_eq!(explained["device"], device);
    let workload = plan["changes"][0]["workload"].as_str().unwrap();
    let one = ["explain", device, "--workload", workload];
    let told = stdout(&installation.diarchy(&ALEX, &one));
    assert!(
        told.contains(workload) && told.contains("desired"),
        "{told}"
    );
    // And why it is not moving.
    let of_workload = explained["workloads"].as_array().unwrap().iter();
    let of_workload: Vec<_> = of_workload
        .filter(|one| one["workload"] == workload)
        .collect();
    let waits = &of_workload[0]["waits"][0];
    assert_eq!(
        (&waits["reason"], &waits["digest"]),
        (&"AwaitingApproval".into(), &digest.clone().into())
    );
    assert_eq!(waits["wayOn"], format!("diarchy approve {digest}"));
    assert!(
        told.contains(&format!(
            "waits: the change waits for an approval of {digest}"
        )),
        "{told}"
    );

    // Badly, on purpose.
    for (person, arguments, code) in [
        (&ALEX, &["explain", "NOBODY"][..], "DIA2008"),
        (&LEE, &["explain", device], "DIA2303"),
        (&LEE, &["plan"], "DIA2303"),
        (&LEE, &["history"], "DIA2303"),
        (&ALEX, &["history", "group/others"], "DIA2012"),
        (&LEE, &["plan", "--next"], "DIA2303"),
        (&ALEX, &["plan", "--fleet", "fabrikam"], "DIA2304"),
        (
            &ALEX,
            &["plan", "--controller", "default/diarchy"],
            "DIA2305",
        ),
        (&ALEX, &["plan", "--controller", "diarchy"], "DIA2012"),
        (&ALEX, &["plan", "--simulate", "10"], "DIA2012"),
    ] {
        // Who may not list fleets must say which.
        let fleet = ["--fleet", "contoso"];
        let named = person.name == LEE.name;
        let all = [arguments, if named { &fleet[..] } else { &[] }].concat();
        let refused = installation.diarchy(person, &all);
        let told = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(code), "{arguments:?}: {told}");
        assert!(!told.contains("  "), "{arguments:?}: {told}");
    }

    // Who signs in with a certificate borrows a token, if they may.
    let certificate = cluster().kubeconfig_with_certificate();
    let plan = installation.diarchy_with(&certificate, &["plan", "-o", "json"]);
    assert_eq!(json_of(&plan)["digest"], answers[0].0);
    for (_, controller) in &installation.replicas {
        assert!(
            !controller.log().contains("\"ERROR\""),
            "{}",
            controller.log()
        );
    }
}

#[test]
fn what_has_happened_is_told_of_assignments_and_of_devices() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one", "two"]);
    tenant.apply();
    tenant.waiting();
    installation.lead_to("one");
    let plan = json_of(&installation.diarchy(&ALEX, &["plan", "-o", "json"]));
    let first = &plan["changes"][0];
    let device = first["device"].as_str().unwrap();
    let workload = &first["workload"];
    let history = |arguments: &[&str]| {
        let all = [&["history"][..], arguments, &["-o", "json"]].concat();
        json_of(&installation.diarchy(&ALEX, &all))
    };
    assert_eq!(history(&[])["devices"], json!({}));
    tenant.approve();
    tenant.wait_for_condition("Converged", "fleet/contoso");
    let of_device = history(&[&format!("device/{device}")]);
    let records = of_device["devices"].as_object().unwrap().values();
    let records: Vec<&Value> = records
        .flat_map(|one| one["records"].as_array().unwrap())
        .filter(|record| record["workload"] == *workload)
        .collect();
    let events: Vec<&Value> = records.iter().map(|record| &record["event"]).collect();
    assert_eq!(events, [&json!("asked"), &json!("observed")]);
    let because = records[0]["because"].as_str().unwrap();
    let (_, assignment) = because.rsplit_once('/').unwrap();
    let of_assignment = history(&[&format!("assignment/{assignment}")]);
    let revision = &of_assignment["assignments"][because]["revisions"][0];
    let (asked, arrived) = (revision["toIntune"].as_u64(), revision["observed"].as_u64());
    assert!(arrived > Some(0) && arrived <= asked, "{of_assignment:#}");
    let shown = stdout(&installation.diarchy(&ALEX, &["history"]));
    assert!(
        shown.contains(because) && shown.contains("ARRIVED"),
        "{shown}"
    );
}

#[test]
fn people_approve_stop_and_ask_for_a_look() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one"]);
    tenant.apply();
    let digest = tenant.waiting();
    let as_admin = |arguments: &[&str]| installation.diarchy(&ADMIN, arguments);

    let other = format!("sha256:{}", "0a".repeat(32));
    let refused = as_admin(&["approve", &other]);
    assert!(stderr(&refused).contains("DIA2011"), "{}", stderr(&refused));
    let refused = installation.diarchy(&ADELE, &["approve", &digest]);
    assert!(
        stderr(&refused).contains("forbidden"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(site.rules_written(), 0, "somebody was moved without a yes");
    let approved = as_admin(&["approve", &digest, "--expires-in", "30d"]);
    assert!(approved.status.success(), "{}", stderr(&approved));
    tenant.wait_for_condition("Converged", "fleet/contoso");

    let looked = as_admin(&["reconcile", "fleet/contoso", "--wait"]);
    assert!(looked.status.success(), "{}", stderr(&looked));
    assert_eq!(stdout(&looked), "Fleet contoso was looked at.\n");
    for (verb, is_paused) in [("suspend", true), ("resume", false)] {
        let done = as_admin(&[verb, "assignment/updates"]);
        assert!(done.status.success(), "{}", stderr(&done));
        let paused = tenant.namespace.get("workloadassignment", "updates");
        let annotation = &paused["metadata"]["annotations"]["diarchy.dev/paused"];
        assert_eq!(annotation == "true", is_paused, "{paused:#}");
    }
    let refused = as_admin(&["suspend", "fleet/nobody"]);
    assert!(stderr(&refused).contains("DIA2301"), "{}", stderr(&refused));

    tenant.wait_for_condition("Converged", "fleet/contoso");
    let told = stdout(&as_admin(&["get", "fleets"]));
    assert!(told.contains("fleet/contoso  True   True"), "{told}");
    let one = stdout(&as_admin(&["get", "fleets", "contoso"]));
    assert_eq!(one, told);
    let none = as_admin(&["get", "fleets", "fabrikam"]);
    assert_eq!(none.status.code(), Some(2), "{}", stdout(&none));
    assert!(stderr(&none).contains("DIA2012"), "{}", stderr(&none));
    let mut everywhere = diarchy();
    everywhere.env("KUBECONFIG", cluster().kubeconfig(&ADMIN));
    let everywhere = stdout(&everywhere.args(["get", "fleets", "-A"]).output().unwrap());
    let line = everywhere
        .lines()
        .find(|line| line.starts_with(&tenant.namespace.name));
    assert!(line.unwrap().contains("fleet/contoso"), "{everywhere}");
    assert!(everywhere.starts_with("NAMESPACE "), "{everywhere}");
    let all = json_of(&as_admin(&["get", "-o", "json"]));
    let kinds: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    for kind in ["Fleet", "DeviceGroup", "WorkloadAssignment", "Approval"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

#[test]
fn a_preflight_finds_what_is_missing() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one"]);
    installation.lead_to("one");
    tenant.apply();
    tenant.waiting();
    let check = |person| installation.diarchy(person, &["check", "-o", "json"]);
    let states = |checks: &Value, state: &str| -> Vec<String> {
        let all = checks.as_array().unwrap().iter();
        all.filter(|check| check["state"] == state)
            .map(|check| check["what"].as_str().unwrap().to_owned())
            .collect()
    };
    let well = check(&ADMIN);
    assert_eq!(well.status.code(), Some(0), "{}", stdout(&well));
    let well = json_of(&well);
    let found = states(&well, "well");
    for what in [
        "API server",
        "Credentials",
        "Microsoft Graph",
        "AdminService",
        "Clock of AdminService",
        "MDM authority",
        "Site",
        "Claim",
    ] {
        assert!(found.iter().any(|one| one == what), "{what}: {well:#}");
    }
    assert!(
        found.iter().any(|one| one.starts_with("Collection ")),
        "{well:#}"
    );
    // Who may look and nothing else is told so, and that is no failure.
    let looked = check(&ALEX);
    assert_eq!(looked.status.code(), Some(0), "{}", stderr(&looked));
    assert_eq!(
        states(&json_of(&looked), "notice"),
        ["Right to suspend, resume and reconcile", "Right to approve"]
    );

    let mut delete = tenant.kubectl();
    ok(delete.args(["delete", "secret", "graph-app"]));
    wait("a Secret that is missing", || {
        let ill = json_of(&check(&ADMIN));
        let failed = states(&ill, "failed");
        (failed == ["Credentials"]).then_some(()).ok_or(ill)
    });
    let told = stdout(&installation.diarchy(&ADMIN, &["check"]));
    assert!(
        told.contains("✗  Credentials") && told.contains("DIA2010"),
        "{told}"
    );
}

#[test]
fn metrics_tell_of_passes_and_of_nobody_by_name() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one"]);
    tenant.carry_out();
    let (_, controller) = &installation.replicas[0];
    let address = controller.told("health is told", "address");
    let namespace = &tenant.namespace.name;
    let told = wait("metrics of a fleet that has converged", || {
        let told = http_get(&address, "/metrics");
        let line =
            format!("diarchy_fleet_converged{{namespace=\"{namespace}\",fleet=\"contoso\"}} 1");
        told.contains(&line)
            .then_some(told.clone())
            .ok_or(told.into())
    });
    let value = |name: &str| -> f64 {
        let of = format!("{name}{{namespace=\"{namespace}\",fleet=\"contoso\"}} ");
        let line = told.lines().find_map(|line| line.strip_prefix(&of));
        line.unwrap_or_else(|| panic!("{name}: {told}"))
            .parse()
            .unwrap()
    };
    assert!(
        value("diarchy_membership_changes_sent_total") > 0.0,
        "{told}"
    );
    assert!(value("diarchy_pass_duration_seconds_count") > 1.0, "{told}");
    assert!(value("diarchy_fleet_devices") > 0.0, "{told}");
    assert!(told.ends_with("# EOF\n"), "{told}");
    // Nothing else is told apart: no device and nobody.
    let labels = told
        .split(['{', ','])
        .filter_map(|text| text.split_once("=\""));
    for (label, _) in labels {
        let known = ["namespace", "fleet", "workload", "state", "phase", "le"];
        assert!(known.contains(&label), "{label}: {told}");
    }
}
