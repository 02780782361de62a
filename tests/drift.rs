//! What people and devices change behind the loop's back: seen, told apart from its own work, and
//! written back where it may be.

use std::collections::BTreeMap;

use diarchy_simulator::{Act, Effect, RuleKey, Slider, Truth, Workload};
use serde_json::{Value, json};

use crate::bench::{diarchy, stdout};
use crate::running::{Running, fleet, is_converged};
use crate::site::{PILOT, Site};

const WORKLOAD: &str = "WindowsUpdatePolicies";

/// What drifts by a report, by device and workload: how.
fn drifting(report: &Value) -> BTreeMap<(String, String), String> {
    let examples = fleet(report)["drift"]["examples"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    examples
        .iter()
        .map(|one| {
            let pair = (text(&one["device"]), text(&one["workload"]));
            (pair, text(&one["kind"]))
        })
        .collect()
}

fn drifts(report: &Value, device: &str, kind: &str) -> bool {
    let pair = (device.to_owned(), WORKLOAD.to_owned());
    drifting(report).get(&pair).is_some_and(|one| one == kind)
}

fn nothing_drifts(report: &Value) -> bool {
    fleet(report)["drift"]["devices"] == 0
}

/// A device that was placed for the workload, and the owned collection that has it.
fn placed(site: &Site) -> (Truth, String) {
    let placed = site.control.members(PILOT).unwrap();
    let found = site.writes().into_iter().find_map(|entry| {
        let Effect::RulesAdded {
            collection, added, ..
        } = entry.effect
        else {
            return None;
        };
        let of_pilot = added.iter().find_map(|rule| match rule {
            RuleKey::Direct(resource) if placed.contains(resource) => Some(*resource),
            _ => None,
        });
        // An owned collection of this pilot: all that it has is in the pilot.
        let members = site.control.members(&collection).unwrap();
        let is_of_pilot = members.iter().all(|member| placed.contains(member));
        Some((of_pilot?, collection)).filter(|_| is_of_pilot && !members.is_empty())
    });
    let (resource, collection) = found.expect("somebody was placed");
    (
        site.control.truth_of_resource(resource).unwrap(),
        collection,
    )
}

/// The lines of the audit trail that have one of these words.
fn trail(site: &Site, events: &[&str]) -> Vec<Value> {
    let mut command = diarchy();
    command.args(["history", "--trail", "--state"]);
    let output = command.arg(site.state("state")).output().unwrap();
    let lines = stdout(&output);
    let lines = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line
    });
    lines
        .filter(|line| events.contains(&line["event"].as_str().unwrap()))
        .collect()
}

/// What the history has of a device.
fn history(site: &Site, device: &str) -> Value {
    let mut command = diarchy();
    command.args(["history", &format!("device/{device}"), "-o", "json"]);
    let output = command
        .arg("--state")
        .arg(site.state("state"))
        .output()
        .unwrap();
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn events(history: &Value) -> Vec<String> {
    let devices = history["devices"].as_object().unwrap();
    let records = devices
        .values()
        .flat_map(|one| one["records"].as_array().unwrap());
    let of_workload = records.filter(|record| record["workload"] == WORKLOAD);
    of_workload
        .map(|record| {
            let text = |key: &str| record[key].as_str().map(|text| format!(" {text}"));
            let kind = text("kind").unwrap_or_default();
            let end = text("end").unwrap_or_default();
            format!("{}{kind}{end}", record["event"].as_str().unwrap())
        })
        .collect()
}

/// A loop that has carried the repository out and in which nothing drifts.
fn settled(site: &Site) -> Running {
    let mut running = site.carried_out();
    running.wait_for("a pass at rest", is_converged);
    let noise = trail(site, &["drifted", "sliderMoved"]);
    assert_eq!(noise, Vec::<Value>::new(), "work under way is no drift");
    running
}

#[test]
fn a_rule_that_somebody_deletes_is_told_and_written_back() {
    let site = Site::open();
    let mut running = settled(&site);
    let (device, collection) = placed(&site);
    let resource_id = device.resource_id.unwrap();
    let delete = Act::RemoveDirectRule {
        collection,
        resource_id,
    };
    site.control.act(delete).unwrap();
    running.wait_for("the drift", |report| {
        drifts(report, &device.name, "TakenOut")
    });
    let back = |report: &Value| {
        let members = site.control.members(PILOT).unwrap();
        nothing_drifts(report) && members.contains(&resource_id)
    };
    running.wait_for("the device to be back", back);
    let events = events(&history(&site, &device.name));
    // Its next report may take it a day.
    assert_eq!(
        events[..5],
        [
            "asked",
            "observed",
            "drifted TakenOut",
            "asked",
            "driftEnded TakenOut Corrected",
        ]
    );
    assert_eq!(trail(&site, &["drifted"]).len(), 1);
    site.assert_clean();
}

#[test]
fn a_device_that_somebody_puts_into_the_pilot_is_told_and_left_there() {
    let site = Site::open();
    let mut running = settled(&site);
    let inside = site.control.members(PILOT).unwrap();
    let outsider = site.control.truths().into_iter().find(|device| {
        let is_inside = |resource| inside.contains(&resource);
        device.follows_sliders
            && !device.outside_limiting_collection
            && device
                .resource_id
                .is_some_and(|resource| !is_inside(resource))
    });
    let outsider = outsider.expect("somebody is outside");
    let (collection, resource_id) = (PILOT.to_owned(), outsider.resource_id.unwrap());
    let refresh = || {
        // As the console does; the site evaluates it once a week by itself.
        let collection = PILOT.to_owned();
        site.control
            .act(Act::RefreshCollection { collection })
            .unwrap();
    };
    let written = site.rules_written();
    let foreign = |report: &Value| {
        let foreign = &fleet(report)["workloads"][WORKLOAD]["foreign"];
        foreign.as_u64().unwrap()
    };
    let before = foreign(&running.fresh());
    let put_in = Act::AddDirectRule {
        collection: collection.clone(),
        resource_id,
    };
    site.control.act(put_in).unwrap();
    refresh();
    running.wait_for("the drift", |report| {
        drifts(report, &outsider.name, "PutIn")
    });
    let later = running.fresh();
    assert!(drifts(&later, &outsider.name, "PutIn"), "{later:#}");
    assert_eq!(foreign(&later), before + 1);
    assert_eq!(
        site.rules_written(),
        written,
        "what is foreign is not touched"
    );
    let take_out = Act::RemoveDirectRule {
        collection,
        resource_id,
    };
    site.control.act(take_out).unwrap();
    refresh();
    running.wait_for("that it is over", nothing_drifts);
    let events = events(&history(&site, &outsider.name));
    assert_eq!(events, ["drifted PutIn", "driftEnded PutIn Undone"]);
}

#[test]
fn a_device_that_was_installed_anew_is_told_and_placed_again() {
    let site = Site::open();
    let mut running = settled(&site);
    let (device, _) = placed(&site);
    let reimage = Act::Reimage {
        device: device.device,
    };
    site.control.act(reimage).unwrap();
    let anew = |report: &Value| {
        let kinds = drifting(report);
        let mut kinds = kinds.iter();
        kinds.any(|((_, workload), kind)| workload == WORKLOAD && kind == "Rejoined")
    };
    running.wait_for("the drift", anew);
    running.wait_for("that it is placed again", |report| {
        let truth = site.control.truth(device.device).unwrap();
        let members = site.control.members(PILOT).unwrap();
        let is_in = truth.resource_id.is_some_and(|id| members.contains(&id));
        nothing_drifts(report) && is_in
    });
    let ends = trail(&site, &["driftEnded"]);
    assert!(!ends.is_empty());
    assert!(
        ends.iter().all(|end| end["end"] == "Corrected"),
        "{ends:#?}"
    );
    site.assert_clean();
}

#[test]
fn a_slider_that_somebody_moves_stops_its_workload_and_no_other() {
    let site = Site::open();
    let mut running = settled(&site);
    let moved = |slider| Act::MoveSlider {
        workload: Workload::WindowsUpdatePolicies,
        slider,
    };
    site.control
        .act(moved(Slider::ConfigurationManager))
        .unwrap();
    let is_told = |report: &Value| {
        let steps = fleet(report)["manualSteps"].to_string();
        steps.contains("Windows Update policies to Pilot Intune")
    };
    running.wait_for("the slider to be told", is_told);
    assert!(nothing_drifts(&running.fresh()), "a slider is told once");
    let members = site.members();
    // Git takes everybody back.
    let (intune, back) = ("authority: Intune", "authority: ConfigurationManager");
    site.repository.edit("resources.yaml", intune, back);
    site.repository.commit();
    // Click-to-run goes, so that nothing else keeps the loop from writing.
    running.wait_for("another workload to go", |report| {
        is_told(report) && site.members()[2].is_empty()
    });
    running.fresh();
    assert_eq!(site.members()[0], members[0], "the stopped workload moved");
    site.control.act(moved(Slider::PilotIntune)).unwrap();
    running.wait_for("the workload to go on", |_| {
        site.members()[0].len() < members[0].len()
    });
    let sliders = trail(&site, &["sliderMoved", "sliderMovedBack"]);
    let sliders: Vec<_> = sliders.iter().map(|one| one["event"].clone()).collect();
    assert_eq!(sliders, [json!("sliderMoved"), json!("sliderMovedBack")]);
    site.assert_clean();
}
