//! `diarchy plan`: what it shows, for one revision and for the change from one to another.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::bench::{diarchy, root, stderr, stdout};
use crate::devices::{self, NOW, held_by, laptop, of_the_example, one_in_each_state, with};
use crate::repository::Repository;

/// A plan of the example for an inventory file.
pub fn plan_of_the_example(inventory: &Path, format: &str) -> Output {
    diarchy()
        .current_dir(root())
        .args(["plan", "examples/contoso", "--working-tree", "--now", NOW])
        .args(["-o", format, "--inventory"])
        .arg(inventory)
        .output()
        .unwrap()
}

/// A small repository with an inventory file beside it.
pub fn small_with(inventory: impl AsRef<[u8]>) -> Repository {
    let repository = Repository::small();
    repository.write("devices.ndjson", inventory);
    repository
}

pub fn plan(repository: &Repository, arguments: &[&str]) -> Output {
    let inventory = ["--inventory", "devices.ndjson", "--now", NOW];
    repository.run("plan", &[&inventory, arguments].concat())
}

pub fn document(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn the_document_has_exactly_the_keys_that_its_readers_rely_on() {
    let repository = small_with(devices::file(&one_in_each_state()));
    let text = stdout(&plan(&repository, &["-o", "json"]));
    let answer: Value = serde_json::from_str(&text).unwrap();
    let mut expected = [
        "digest",
        "counts",
        "changes",
        "blocked",
        "retained",
        "foreign",
        "notInForce",
        "guardrails",
        "revision",
    ];
    expected.sort_unstable();
    assert_eq!(keys(&answer), expected);
    let mut counts = [
        "devices",
        "eligible",
        "changes",
        "joining",
        "leaving",
        "handedOver",
        "blocked",
        "held",
    ];
    counts.sort_unstable();
    assert_eq!(keys(&answer["counts"]), counts);
    for change in answer["changes"].as_array().unwrap() {
        assert_eq!(
            keys(change),
            ["because", "device", "from", "to", "workload"]
        );
    }
    for blocked in answer["blocked"].as_array().unwrap() {
        assert_eq!(keys(blocked), ["because", "device", "reason", "workload"]);
    }
    // In the order in which people read them.
    let position = |key: &str| text.find(&format!("\n  \"{key}\":")).unwrap();
    let order = [
        "digest",
        "counts",
        "changes",
        "blocked",
        "retained",
        "foreign",
        "guardrails",
    ];
    assert!(order.map(position).is_sorted());
}

#[test]
fn every_state_is_told_as_it_is() {
    let repository = small_with(devices::file(&one_in_each_state()));
    let output = plan(&repository, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let answer = document(&output);
    let updates = "WorkloadAssignment/contoso/updates";
    let workload = "WindowsUpdatePolicies";
    assert_eq!(
        answer["changes"],
        json!([
            { "device": "leaving", "workload": workload, "from": "Intune",
              "to": "ConfigurationManager", "because": updates },
            { "device": "moving", "workload": workload, "from": "ConfigurationManager",
              "to": "Intune", "because": updates },
        ])
    );
    let blocked = |device: &str, reason: &str| json!({ "device": device, "workload": workload, "reason": reason, "because": updates });
    assert_eq!(
        answer["blocked"],
        json!([
            blocked("blocked", "OtherMdm"),
            blocked("held", "Held"),
            blocked("unread", "Unread"),
        ])
    );
    assert_eq!(
        answer["counts"],
        json!({ "devices": 10, "eligible": 9, "changes": 2, "joining": 1, "leaving": 1,
                "handedOver": 1, "blocked": 3, "held": 1 })
    );
    assert_eq!(answer["retained"], 1);
    assert_eq!(answer["foreign"], 1);
}

/// The order of the product's own documents.
const WORKLOADS: [&str; 7] = [
    "CompliancePolicies",
    "ResourceAccess",
    "DeviceConfiguration",
    "WindowsUpdatePolicies",
    "EndpointProtection",
    "ClientApps",
    "OfficeClickToRun",
];

#[test]
fn lists_are_sorted_by_the_bytes_of_ids_and_then_by_workload() {
    let rename = |(at, mut device): (usize, Value)| {
        let letter = ["a", "B", "Z", "é", "~", "0", "b"][at % 7];
        device["id"] = json!(format!("{letter}{}", 40 - at));
        device
    };
    let devices: Vec<Value> = devices::read(&of_the_example())
        .into_iter()
        .enumerate()
        .map(rename)
        .collect();
    let place = Repository::folder();
    let file = place.write("devices.ndjson", devices::file(&devices));
    let answer = document(&plan_of_the_example(&file, "json"));
    for list in ["changes", "blocked"] {
        let places: Vec<(&[u8], usize)> = answer[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                let workload = entry["workload"].as_str().unwrap();
                let position = WORKLOADS.iter().position(|name| *name == workload).unwrap();
                (entry["device"].as_str().unwrap().as_bytes(), position)
            })
            .collect();
        assert!(places.len() > 4, "{list}: {answer}");
        assert!(places.is_sorted_by(|a, b| a < b), "{list}: {answer}");
    }
}

#[test]
fn the_digest_does_not_hold_the_clock() {
    let repository = small_with(devices::file(&one_in_each_state()));
    let digest = |now: &str| {
        let arguments = ["--inventory", "devices.ndjson", "-o", "json", "--now", now];
        document(&repository.run("plan", &arguments))["digest"].clone()
    };
    assert_eq!(digest(NOW), digest("2027-11-23T08:00:00Z"));
    assert!(digest(NOW).as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn a_plan_for_a_small_inventory_as_text() {
    let repository = small_with(devices::file(&one_in_each_state()));
    let output = plan(&repository, &[]);
    assert_eq!(stderr(&output), "");
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn a_plan_for_a_pull_request_as_markdown() {
    let repository = small_with(devices::file(&one_in_each_state()));
    let output = plan(&repository, &["-o", "markdown"]);
    assert_eq!(stderr(&output), "");
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn the_exit_status_tells_whether_anything_would_change() {
    let status = |devices: &[Value]| plan(&small_with(devices::file(devices)), &[]).status.code();
    let updates = "WorkloadAssignment/contoso/updates";
    assert_eq!(
        status(&[with(laptop("done"), held_by(&[updates]))]),
        Some(0)
    );
    assert_eq!(
        status(&[with(laptop("blocked"), json!({ "mdm": "ThirdParty" }))]),
        Some(0)
    );
    assert_eq!(status(&[laptop("moving")]), Some(1));
    let spoilt = small_with(devices::file(&[laptop("moving")]));
    spoilt.edit("groups/laptops.yaml", "key: chassis", "key: colour");
    assert_eq!(plan(&spoilt, &["--working-tree"]).status.code(), Some(2));
}

#[test]
fn an_invalid_revision_is_told_with_its_mistakes_and_not_planned() {
    let repository = small_with(devices::file(&[laptop("moving")]));
    repository.edit("groups/laptops.yaml", "key: chassis", "key: colour");
    let output = plan(&repository, &["--working-tree", "-o", "json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    let told = stderr(&output);
    assert!(
        told.starts_with("groups/laptops.yaml:8:16: DIA1202: "),
        "{told}"
    );
    assert!(
        told.ends_with("error: the revision working tree does not validate\n"),
        "{told}"
    );
}

#[test]
fn the_time_to_decide_for_can_be_chosen() {
    let repository = small_with(devices::file(&[with(
        laptop("new"),
        json!({ "enrolledAt": "2026-11-20T08:00:00Z" }),
    )]));
    repository.edit(
        "groups/laptops.yaml",
        "{ key: chassis, operator: In, values: [Laptop] }",
        "{ key: enrolledAt, operator: NotWithin, values: [14d] }",
    );
    let status = |now: &str| {
        let arguments = [
            "--working-tree",
            "--inventory",
            "devices.ndjson",
            "--now",
            now,
        ];
        repository.run("plan", &arguments).status.code()
    };
    assert_eq!(status("2026-11-20T09:00:00Z"), Some(0));
    assert_eq!(
        status("2026-12-04T08:00:00Z"),
        Some(0),
        "14 days are at most 14 days"
    );
    assert_eq!(status("2026-12-04T08:00:01Z"), Some(1));
    assert_eq!(
        status("2026-12-04T10:00:01+02:00"),
        Some(1),
        "an offset is understood"
    );
}

#[test]
fn a_freeze_is_told_for_the_time_it_lasts() {
    let repository = small_with(devices::file(&[laptop("moving")]));
    let text = std::fs::read_to_string(repository.file("fleet.yaml")).unwrap();
    let freeze = "  guardrails:\n    freeze: [ { name: year-end, from: 2026-12-15T00:00:00Z, to: 2027-01-05T00:00:00Z } ]\n";
    repository.write("fleet.yaml", text + freeze);
    let told = |now: &str| {
        let arguments = [
            "--working-tree",
            "--inventory",
            "devices.ndjson",
            "--now",
            now,
        ];
        stdout(&repository.run("plan", &arguments)).contains("Freeze `year-end` lasts until")
    };
    assert!(!told("2026-12-14T23:59:59Z"));
    assert!(told("2026-12-15T00:00:00Z"));
    assert!(!told("2027-01-05T00:00:00Z"));
}

/// Two commits: laptops first, then desktops as well; and the commits' ids.
fn widened() -> (Repository, String, String) {
    let mut devices = one_in_each_state();
    devices.push(with(laptop("desktop"), json!({ "chassis": "Desktop" })));
    devices.push(with(laptop("tablet"), json!({ "chassis": "Tablet" })));
    let repository = small_with(devices::file(&devices));
    let old = repository
        .git()
        .head()
        .unwrap()
        .target()
        .unwrap()
        .to_string();
    repository.edit("groups/laptops.yaml", "[Laptop]", "[Laptop, Desktop]");
    let new = repository.commit();
    (repository, old, new)
}

#[test]
fn only_the_difference_that_a_change_of_revision_makes_is_shown() {
    let (repository, old, new) = widened();
    let output = plan(&repository, &["--from", &old, "-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let answer = document(&output);
    assert_eq!(answer["revision"], format!("main@sha1:{new}"));
    assert_eq!(answer["fromRevision"], format!("sha1:{old}"));
    let change = |device: &str| {
        json!({ "device": device, "workload": "WindowsUpdatePolicies",
                "from": "ConfigurationManager", "to": "Intune",
                "because": "WorkloadAssignment/contoso/updates" })
    };
    // What was at Intune by a foreign or a retained membership stays there either way.
    assert_eq!(
        answer["changes"],
        json!([change("desktop"), change("leaving"), change("nobody-asks")])
    );
    assert_eq!(answer["counts"]["changes"], 3);
    assert_eq!(answer["counts"]["joining"], 3);
}

#[test]
fn backwards_the_difference_is_turned_around() {
    let (repository, old, new) = widened();
    let answer = document(&plan(
        &repository,
        &["--from", &new, "--to", &old, "-o", "json"],
    ));
    let found: Vec<(&str, &str)> = answer["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            (
                change["device"].as_str().unwrap(),
                change["to"].as_str().unwrap(),
            )
        })
        .collect();
    let back = "ConfigurationManager";
    assert_eq!(
        found,
        [("desktop", back), ("leaving", back), ("nobody-asks", back)]
    );
}

#[test]
fn a_revision_compared_with_itself_makes_no_difference() {
    let (repository, old, _) = widened();
    for format in ["json", "text", "markdown"] {
        let output = plan(&repository, &["--from", &old, "--to", &old, "-o", format]);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    }
    let answer = document(&plan(
        &repository,
        &["--from", &old, "--to", &old, "-o", "json"],
    ));
    assert_eq!(answer["changes"], json!([]));
    let text = stdout(&plan(&repository, &["--from", &old, "--to", &old]));
    let told = format!("\nCompared with sha1:{old}, nothing would end elsewhere.\n");
    assert!(text.contains(&told), "{text}");
}

#[test]
fn the_digest_is_over_the_changes_alone() {
    let (repository, old, new) = widened();
    let digest = |arguments: &[&str]| {
        let arguments = [arguments, &["-o", "json"]].concat();
        document(&plan(&repository, &arguments))["digest"].clone()
    };
    assert_eq!(digest(&["--to", &new]), digest(&["--to", "main"]));
    assert_ne!(digest(&["--to", &new]), digest(&["--to", &old]));
    assert_ne!(
        digest(&["--to", &new]),
        digest(&["--to", &new, "--from", &old])
    );
}

#[test]
fn a_change_of_revision_as_text_and_as_markdown() {
    let (repository, old, _) = widened();
    let output = plan(&repository, &["--from", &old]);
    insta::assert_snapshot!("difference_as_text", stdout(&output));
    let output = plan(&repository, &["--from", &old, "-o", "markdown"]);
    insta::assert_snapshot!("difference_as_markdown", stdout(&output));
}

#[test]
fn a_revision_to_compare_with_that_does_not_validate_is_named() {
    let repository = small_with(devices::file(&[laptop("moving")]));
    repository.edit("groups/laptops.yaml", "key: chassis", "key: colour");
    let bad = repository.commit();
    repository.edit("groups/laptops.yaml", "key: colour", "key: chassis");
    repository.commit();
    let output = plan(&repository, &["--from", &bad, "-o", "json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    let told = stderr(&output);
    assert!(told.contains("DIA1202"), "{told}");
    assert!(
        told.ends_with(&format!(
            "error: the revision sha1:{bad} does not validate\n"
        )),
        "{told}"
    );
}

#[test]
fn a_revision_to_compare_with_that_does_not_exist_is_refused() {
    let repository = small_with(devices::file(&[laptop("moving")]));
    for option in ["--from", "--to"] {
        let output = plan(&repository, &[option, "nosuch", "-o", "json"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stdout(&output), "");
        assert!(
            stderr(&output).starts_with("error: DIA2002: "),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_fleet_must_be_chosen_among_several() {
    let repository = small_with(devices::file(&[laptop("moving")]));
    let second = crate::repository::SMALL[0]
        .1
        .replace("name: contoso,", "name: fabrikam,");
    repository.write("fabrikam.yaml", second);
    repository.commit();
    let output = plan(&repository, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    let told = stderr(&output);
    assert!(told.starts_with("error: DIA2004: "), "{told}");
    assert!(told.contains("contoso/contoso, contoso/fabrikam"), "{told}");
    for (name, changes) in [("contoso", 1), ("contoso/contoso", 1), ("fabrikam", 0)] {
        let output = plan(&repository, &["-o", "json", "--fleet", name]);
        assert_eq!(
            output.status.code(),
            Some(i32::from(changes > 0)),
            "{}",
            stderr(&output)
        );
        assert_eq!(document(&output)["counts"]["changes"], changes, "{name}");
    }
    for name in ["adatum", "fabrikam/contoso", ""] {
        let output = plan(&repository, &["--fleet", name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(
            stderr(&output).starts_with("error: DIA2004: "),
            "{}",
            stderr(&output)
        );
    }
}

pub fn simulated(command: &[&str]) -> Output {
    diarchy()
        .current_dir(root())
        .args(command)
        .args(["examples/contoso", "--working-tree"])
        .args(["--simulate", "50", "--seed", "7"])
        .output()
        .unwrap()
}

#[test]
fn two_plans_of_the_same_simulated_estate_are_the_same() {
    let first = simulated(&["plan", "-o", "json"]);
    assert_eq!(first.status.code(), Some(1), "{}", stderr(&first));
    assert_eq!(document(&first)["counts"]["devices"], 50);
    let second = simulated(&["plan", "-o", "json"]);
    assert_eq!(stdout(&first), stdout(&second));
}

#[test]
fn another_seed_is_another_estate() {
    let plan = |seed: &str| {
        let output = diarchy()
            .current_dir(root())
            .args(["plan", "examples/contoso", "--working-tree", "-o", "json"])
            .args(["--simulate", "50", "--seed", seed])
            .output();
        stdout(&output.unwrap())
    };
    assert_ne!(plan("7"), plan("8"));
}
