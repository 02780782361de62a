//! `diarchy explain`: it never disagrees with `plan`, and says what a person needs to know.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::thread;

use serde_json::{Value, json};

use crate::bench::{diarchy, root, stderr, stdout};
use crate::devices::{self, NOW, laptop, of_the_example, one_in_each_state, with};
use crate::repository::Repository;

/// An explanation for a device of the small repository.
fn explain(repository: &Repository, device: &str, arguments: &[&str]) -> Output {
    let inventory = [device, "--inventory", "devices.ndjson", "--now", NOW];
    repository.run("explain", &[&inventory, arguments].concat())
}

fn small_with(devices: &[Value]) -> Repository {
    let repository = Repository::small();
    repository.write("devices.ndjson", devices::file(devices));
    repository
}

/// What the example's `command` answers for an inventory file, as JSON.
fn of_example(command: &[&str], inventory: &Path) -> Value {
    let output = diarchy()
        .current_dir(root())
        .args(&command[..1])
        .arg("examples/contoso")
        .args(&command[1..])
        .args(["--working-tree", "--now", NOW, "-o", "json", "--inventory"])
        .arg(inventory)
        .output()
        .unwrap();
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}

type Entries<'a> = BTreeMap<(&'a str, &'a str), &'a Value>;

/// A list of a plan, by device and workload.
fn entries<'a>(plan: &'a Value, list: &str) -> Entries<'a> {
    let entries = plan[list].as_array().unwrap();
    let keyed: Entries<'_> = entries
        .iter()
        .map(|entry| {
            let word = |key: &str| entry[key].as_str().unwrap();
            ((word("device"), word("workload")), entry)
        })
        .collect();
    assert_eq!(
        keyed.len(),
        entries.len(),
        "a pair stands in `{list}` twice"
    );
    keyed
}

/// How often each verdict was given.
type Verdicts = BTreeMap<String, usize>;

/// Explains every device of an inventory file, and compares with the plan for it.
fn assert_explain_agrees_with_plan(inventory: &str) -> Verdicts {
    let place = Repository::folder();
    let file = place.write("devices.ndjson", inventory);
    let plan = of_example(&["plan"], &file);
    let ids: Vec<String> = devices::read(inventory)
        .iter()
        .map(|device| device["id"].as_str().unwrap().to_owned())
        .collect();
    let explanations: Vec<Value> = thread::scope(|scope| {
        let workers: Vec<_> = ids
            .chunks(ids.len().div_ceil(2))
            .map(|ids| {
                let explain = |id: &String| of_example(&["explain", id], &file);
                scope.spawn(move || ids.iter().map(explain).collect::<Vec<_>>())
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    assert_eq!(explanations.len(), ids.len());
    let (changes, blocked) = (entries(&plan, "changes"), entries(&plan, "blocked"));
    let mut verdicts = Verdicts::new();
    for explanation in &explanations {
        for workload in explanation["workloads"].as_array().unwrap() {
            let device = explanation["device"].as_str().unwrap();
            let pair = (device, workload["workload"].as_str().unwrap());
            assert_one_agrees(workload, changes.get(&pair), blocked.get(&pair));
            let verdict = workload["verdict"].as_str().unwrap();
            *verdicts.entry(verdict.to_owned()).or_default() += 1;
        }
    }
    let eligible = explanations
        .iter()
        .filter(|e| e["eligible"] == true)
        .count();
    let of = |verdict: &str| verdicts.get(verdict).copied().unwrap_or_default();
    assert_eq!(plan["counts"]["eligible"], eligible);
    assert_eq!(plan["counts"]["devices"], ids.len());
    assert_eq!(plan["counts"]["changes"], of("Change"));
    assert_eq!(plan["counts"]["blocked"], of("Blocked"));
    assert_eq!(plan["counts"]["handedOver"], of("HandOver"));
    verdicts
}

fn assert_one_agrees(workload: &Value, change: Option<&&Value>, blocked: Option<&&Value>) {
    match workload["verdict"].as_str().unwrap() {
        "Change" => {
            let change = change.unwrap_or_else(|| panic!("it is in no plan: {workload}"));
            assert_eq!(workload["because"], change["because"], "{workload}");
            assert_eq!(workload["desired"], change["to"], "{workload}");
            assert_eq!(workload["assigned"], change["from"], "{workload}");
            assert_eq!(workload["reason"], Value::Null, "{workload}");
            assert!(blocked.is_none(), "{workload}");
        }
        "Blocked" => {
            let blocked = blocked.unwrap_or_else(|| panic!("it is in no plan: {workload}"));
            assert_eq!(workload["because"], blocked["because"], "{workload}");
            assert_eq!(workload["reason"], blocked["reason"], "{workload}");
            // What is not known, or contradicts itself, asks for nobody.
            if matches!(
                workload["reason"].as_str(),
                Some("Held" | "Unread" | "AmbiguousAssignment")
            ) {
                assert_eq!(workload["desired"], Value::Null, "{workload}");
            }
            assert!(change.is_none(), "{workload}");
        }
        _ => {
            assert!(change.is_none() && blocked.is_none(), "{workload}");
            assert_eq!(workload["reason"], Value::Null, "{workload}");
        }
    }
}

/// The inventory of a simulated estate.
fn simulated(devices: &str) -> String {
    let output = diarchy()
        .current_dir(root())
        .args(["inventory", "export", "examples/contoso", "--working-tree"])
        .args(["--simulate", devices, "--seed", "7"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

/// Puts devices into pilot collections, and takes knowledge of others away, by turns.
fn stirred(inventory: &str) -> String {
    let owned = |name: &str| json!([format!("WorkloadAssignment/contoso/{name}")]);
    let stirred = |(at, mut device): (usize, Value)| {
        let assigned = |device: &mut Value, workload: &str, holders: Value| {
            device["assigned"][workload] = holders;
        };
        match at % 16 {
            0 => assigned(
                &mut device,
                "WindowsUpdatePolicies",
                owned("windows-update-emea"),
            ),
            1 => assigned(
                &mut device,
                "WindowsUpdatePolicies",
                owned("windows-update-pilots"),
            ),
            2 => assigned(&mut device, "OfficeClickToRun", owned("office-nordics")),
            3 => assigned(
                &mut device,
                "OfficeClickToRun",
                owned("office-latitude-7000"),
            ),
            4 => assigned(&mut device, "OfficeClickToRun", json!(["foreign"])),
            5 => assigned(&mut device, "WindowsUpdatePolicies", owned("long-gone")),
            6 => assigned(
                &mut device,
                "WindowsUpdatePolicies",
                owned("windows-update-emea#retained"),
            ),
            7 => assigned(
                &mut device,
                "DeviceConfiguration",
                owned("device-configuration-it"),
            ),
            8 => assigned(
                &mut device,
                "EndpointProtection",
                owned("device-configuration-it"),
            ),
            9 => return with(device, json!({ "assigned": null })),
            10 => return with(device, json!({ "department": null, "labels": null })),
            11 => return with(device, json!({ "country": null, "clientHealth": null })),
            12 => return with(device, json!({ "mdm": "ThirdParty" })),
            13 => return with(device, json!({ "osVersion": null, "category": null })),
            _ => {}
        }
        device
    };
    let all: Vec<Value> = devices::read(inventory)
        .into_iter()
        .enumerate()
        .map(stirred)
        .collect();
    devices::file(&all)
}

#[test]
fn explain_agrees_with_plan_about_a_simulated_estate() {
    let verdicts = assert_explain_agrees_with_plan(&simulated("200"));
    for verdict in ["Change", "Blocked", "Kept", "Settled", "Unmanaged"] {
        assert!(verdicts.contains_key(verdict), "no {verdict}: {verdicts:?}");
    }
}

#[test]
fn explain_agrees_with_plan_about_an_estate_in_disorder() {
    let verdicts = assert_explain_agrees_with_plan(&stirred(&simulated("200")));
    for verdict in [
        "Change",
        "Blocked",
        "Kept",
        "Settled",
        "Unmanaged",
        "HandOver",
    ] {
        assert!(verdicts.contains_key(verdict), "no {verdict}: {verdicts:?}");
    }
}

#[test]
fn explain_agrees_with_plan_about_the_example() {
    let verdicts = assert_explain_agrees_with_plan(&of_the_example());
    assert!(
        verdicts["Blocked"] > 0 && verdicts["Change"] > 0,
        "{verdicts:?}"
    );
}

#[test]
fn a_device_answers_to_its_id_name_and_serial_number_in_any_case() {
    let repository = small_with(&one_in_each_state());
    let by_id = stdout(&explain(&repository, "moving", &["-o", "json"]));
    assert!(by_id.contains("\"device\": \"moving\""), "{by_id}");
    for name in ["MOVING", "LT-moving", "lt-MOVING", "SN-moving", "sn-moving"] {
        assert_eq!(
            stdout(&explain(&repository, name, &["-o", "json"])),
            by_id,
            "{name}"
        );
    }
}

#[test]
fn an_unknown_device_is_refused() {
    let repository = small_with(&one_in_each_state());
    for name in ["LAPTOP-0042", "LT-mov", "", "*"] {
        let output = explain(&repository, name, &[]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert_eq!(stdout(&output), "");
        let told = stderr(&output);
        assert!(told.starts_with("error: DIA2008: no device has "), "{told}");
    }
}

#[test]
fn a_name_that_several_devices_have_is_refused_with_their_ids() {
    let twins = ["b", "a"].map(|id| with(laptop(id), json!({ "name": "LAPTOP-0042" })));
    let repository = small_with(&twins);
    let output = explain(&repository, "laptop-0042", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr(&output),
        "error: DIA2008: 2 devices are called `laptop-0042`: give the id of one: a, b\n"
    );
    assert_eq!(explain(&repository, "a", &[]).status.code(), Some(0));
}

#[test]
fn only_so_many_devices_of_a_name_are_listed() {
    let many: Vec<Value> = (10..40)
        .map(|at| with(laptop(&format!("d{at}")), json!({ "serialNumber": "0" })))
        .collect();
    let told = stderr(&explain(&small_with(&many), "0", &[]));
    assert!(told.contains("30 devices are called `0`"), "{told}");
    assert!(told.contains("d10, ") && !told.contains("d39"), "{told}");
}

#[test]
fn one_workload_can_be_asked_for() {
    let repository = small_with(&one_in_each_state());
    let workloads = |arguments: &[&str]| {
        let output = explain(
            &repository,
            "moving",
            &[arguments, &["-o", "json"]].concat(),
        );
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let names = answer["workloads"].as_array().unwrap().iter();
        names
            .map(|w| w["workload"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        workloads(&[]),
        [
            "CompliancePolicies",
            "ResourceAccess",
            "DeviceConfiguration",
            "WindowsUpdatePolicies",
            "EndpointProtection",
            "ClientApps",
            "OfficeClickToRun",
        ]
    );
    assert_eq!(workloads(&["--workload", "ClientApps"]), ["ClientApps"]);
}

#[test]
fn desired_assigned_and_observed_are_three_facts() {
    let device = with(
        laptop("torn"),
        json!({ "chassis": "Laptop", "observed": ["WindowsUpdatePolicies"] }),
    );
    let repository = small_with(&[device]);
    let arguments = ["--workload", "WindowsUpdatePolicies", "-o", "json"];
    let answer: Value =
        serde_json::from_str(&stdout(&explain(&repository, "torn", &arguments))).unwrap();
    let workload = &answer["workloads"][0];
    assert_eq!(workload["desired"], "Intune");
    assert_eq!(workload["assigned"], "ConfigurationManager");
    assert_eq!(workload["observed"], "Intune");
}

#[test]
fn an_explanation_as_json_has_these_keys() {
    let repository = small_with(&one_in_each_state());
    let arguments = ["--workload", "WindowsUpdatePolicies", "-o", "json"];
    insta::assert_snapshot!(stdout(&explain(&repository, "moving", &arguments)));
}

#[test]
fn states_are_explained_in_words() {
    let repository = small_with(&one_in_each_state());
    for device in one_in_each_state() {
        let id = device["id"].as_str().unwrap();
        let output = explain(&repository, id, &["--workload", "WindowsUpdatePolicies"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        insta::assert_snapshot!(format!("device_{id}"), stdout(&output));
    }
}

/// Two groups of which nobody knows whether they contain the device, and one to wait for.
#[test]
fn several_assignments_are_spoken_of_as_several() {
    let repository = small_with(&[with(laptop("held"), json!({ "chassis": null }))]);
    let assignment = crate::repository::SMALL[3].1;
    repository.write(
        "more.yaml",
        assignment.replace("name: updates", "name: more"),
    );
    let told = |repository: &Repository| {
        let arguments = ["--working-tree", "--workload", "WindowsUpdatePolicies"];
        stdout(&explain(repository, "held", &arguments))
    };
    let text = told(&repository);
    assert!(
        text.contains(
            "it is held: whether several assignments have it is not known, and it would matter"
        ),
        "{text}"
    );
    let waiting = "  admitWhen: { matchAttributes: [ { key: clientHealth, operator: In, values: [Healthy] } ] }\n";
    for name in ["more.yaml", "assignments/updates.yaml"] {
        let text = std::fs::read_to_string(repository.file(name)).unwrap();
        repository.write(name, text + waiting);
    }
    repository.write("devices.ndjson", devices::file(&[laptop("held")]));
    let text = told(&repository);
    assert!(
        text.contains("several assignments would move it to Intune once their admitWhen holds"),
        "{text}"
    );
}

#[test]
fn a_name_of_somebody_elses_making_moves_no_cursor() {
    let name = "A\u{1B}[2JB\nC";
    let device = with(laptop("odd"), json!({ "name": name, "chassis": name }));
    let repository = small_with(&[device]);
    let text = stdout(&explain(
        &repository,
        "odd",
        &["--workload", "WindowsUpdatePolicies"],
    ));
    assert!(!text.contains('\u{1B}'), "{text:?}");
    assert!(
        text.starts_with("A\u{FFFD}[2JB\u{FFFD}C (odd) in fleet "),
        "{text:?}"
    );
    let json = stdout(&explain(&repository, "odd", &["-o", "json"]));
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(answer["name"], name);
}
