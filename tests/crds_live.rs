//! Definitions that are applied anew while a controller runs: it goes on, and an object that it cannot
//! read any more stands still, and nothing else does.

use serde_json::{Value, json};

use crate::cluster::{ControlPlane, ok};
use crate::deployed::{condition, wait};
use crate::interrupted::Interrupted;
use crate::reverting::patch;
use crate::site::Site;

const ASSIGNMENTS: &str = "workloadassignments.diarchy.dev";

/// Applies the definition of assignments as a later version might have it: with one more field and
/// one more column, and with another authority.
fn upgrade(case: &Interrupted<'_>) {
    let mut get = case.tenant.kubectl();
    let definition = ok(get.args(["get", "crd", ASSIGNMENTS, "-o", "json"]));
    let definition: Value = serde_json::from_str(&definition).unwrap();
    let mut version = definition["spec"]["versions"][0].clone();
    let spec = version
        .pointer_mut("/schema/openAPIV3Schema/properties/spec/properties")
        .unwrap();
    spec["note"] = json!({ "type": "string", "maxLength": 64 });
    let authorities = spec["authority"]["enum"].as_array_mut().unwrap();
    authorities.push("SomebodyElse".into());
    let columns = version["additionalPrinterColumns"].as_array_mut().unwrap();
    columns.push(json!({ "name": "NOTE", "type": "string", "jsonPath": ".spec.note" }));
    let mut spec = definition["spec"].clone();
    spec["versions"] = json!([version]);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": ASSIGNMENTS },
        "spec": spec,
    });
    ok(&mut case.tenant.namespace.apply(&[definition]));
}

/// Changes an assignment in a way that only the later definition allows.
fn use_what_is_new(case: &Interrupted<'_>, assignment: &str, change: &Value) {
    // The server takes the definition into use a little after it has been applied.
    wait("the later definition", || {
        let mut patch = case.tenant.kubectl();
        patch.args(["patch", "workloadassignment", assignment, "--type=merge"]);
        let output = patch.arg("-p").arg(change.to_string()).output().unwrap();
        let stored = case.tenant.namespace.get("workloadassignment", assignment);
        let fields = change["spec"].as_object().unwrap();
        let is_stored = fields
            .iter()
            .all(|(name, value)| stored["spec"][name] == *value);
        (output.status.success() && is_stored)
            .then_some(())
            .ok_or(stored)
    });
}

/// Waits until it is told of an assignment that it cannot be read.
fn wait_until_unreadable(case: &Interrupted<'_>, assignment: &str) {
    case.tenant.wait_for(
        "an assignment that cannot be read",
        "workloadassignment",
        assignment,
        |one| {
            let said = condition(one, "Ready")["message"].as_str();
            said.is_some_and(|said| said.contains("cannot be decoded"))
        },
    );
}

#[test]
fn definitions_that_change_under_a_controller_lose_nothing() {
    let plane = ControlPlane::start();
    let site = Site::open();
    let case = Interrupted::with_lease(plane.cluster(), &site, "2s");
    case.tenant.carry_out();
    let placed = site.members();
    upgrade(&case);
    case.send_back();
    case.wait_until_back();
    let [_, others @ ..] = &placed[..] else {
        panic!("there are pilot collections");
    };

    // Somebody uses what this version does not know: what is meant by it cannot be known either.
    use_what_is_new(
        &case,
        "click-to-run",
        &json!({ "spec": { "note": "for the board" } }),
    );
    use_what_is_new(
        &case,
        "apps",
        &json!({ "spec": { "authority": "SomebodyElse" } }),
    );
    for assignment in ["click-to-run", "apps"] {
        wait_until_unreadable(&case, assignment);
    }
    let there = r#"{"spec":{"authority":"Intune"}}"#;
    patch(&case.tenant, "workloadassignment/updates", there);
    wait("devices to be placed again", || {
        let now = site.members();
        (now == placed).then_some(()).ok_or(json!(now))
    });

    // The definitions of this version again: they would refuse what is stored.
    plane.cluster().install_definitions();
    case.send_back();
    case.wait_until_back();
    assert_eq!(site.members()[1..], *others, "somebody was moved");
    patch(&case.tenant, "workloadassignment/apps", there);
    let mut label = case.tenant.kubectl();
    ok(label.args(["label", "workloadassignment/click-to-run", "team=workplace"]));
    for assignment in ["click-to-run", "apps"] {
        case.tenant
            .wait_for_condition("Converged", &format!("workloadassignment/{assignment}"));
    }
    assert_eq!(site.members()[1..], *others, "somebody was moved");
    case.end();
}
