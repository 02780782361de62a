//! What the chart renders, held against the schemas of the API server that the tests run against.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Map, Value, json};

use crate::bench::{root, stdout};
use crate::chart::{FULL, template};
use crate::cluster::{ADMIN, chart_tool, ok, shared};

/// Writes a schema for each kind that the server serves, in which nothing is allowed that it does not
/// name.
fn write_schemas(folder: &Path) {
    let mut get = shared().kubectl(&ADMIN);
    let served = ok(get.args(["get", "--raw", "/openapi/v2"]));
    let mut served: Value = serde_json::from_str(&served).unwrap();
    let definitions = served["definitions"].as_object_mut().unwrap();
    for (name, definition) in definitions.iter_mut() {
        close(name, definition);
        let kinds = definition["x-kubernetes-group-version-kind"].as_array();
        for kind in kinds.into_iter().flatten() {
            let word = |key: &str| kind[key].as_str().unwrap().to_lowercase();
            // kubeconform has the version in place of a group that has no name.
            let (group, version) = (word("group"), word("version"));
            let group = if group.is_empty() { &version } else { &group };
            let file = format!("{group}-{version}-{}.json", word("kind"));
            let schema = json!({ "$ref": format!("definitions.json#/definitions/{name}") });
            fs::write(folder.join(file), schema.to_string()).unwrap();
        }
    }
    let all = json!({ "definitions": definitions });
    fs::write(folder.join("definitions.json"), all.to_string()).unwrap();
}

/// Allows an object no more than what is named, and what that description has no words for.
fn close(name: &str, definition: &mut Value) {
    let definition: &mut Map<String, Value> = definition.as_object_mut().unwrap();
    let is_number_too = ["intstr.IntOrString", "resource.Quantity"];
    if is_number_too.iter().any(|end| name.ends_with(end)) {
        definition.insert("type".to_owned(), json!(["string", "number"]));
    }
    if definition.contains_key("properties") && !definition.contains_key("additionalProperties") {
        definition.insert("additionalProperties".to_owned(), json!(false));
    }
    // Of the server's own alternatives each is an object with other fields.
    definition.remove("oneOf");
}

fn conforms(folder: &Path, rendered: &str) -> Output {
    let file = folder.join("rendered.yaml");
    fs::write(&file, rendered).unwrap();
    let schemas = folder.join("{{ .Group }}-{{ .ResourceAPIVersion }}-{{ .ResourceKind }}.json");
    Command::new(chart_tool("kubeconform"))
        .args(["-strict", "-summary", "-schema-location"])
        .arg(schemas)
        // Of the Prometheus operator, which this server has not.
        .args(["-skip", "ServiceMonitor"])
        .arg(&file)
        .output()
        .unwrap()
}

#[test]
fn everything_conforms_to_what_the_server_serves() {
    let folder = tempfile::tempdir().unwrap();
    write_schemas(folder.path());
    let full = root().join(FULL);
    let sets: [&[&str]; 3] = [
        &[],
        &["--values", full.to_str().unwrap()],
        &["--set", "watchNamespaces={contoso}"],
    ];
    for arguments in sets {
        let output = conforms(folder.path(), &template("diarchy-system", arguments));
        let told = stdout(&output);
        assert!(output.status.success(), "{arguments:?}: {told}");
        assert!(told.contains("Invalid: 0, Errors: 0"), "{told}");
    }
    // It would say so.
    let rendered = template("diarchy-system", &[]);
    for (right, wrong) in [
        ("containerPort: 8080", "containerPort: http"),
        ("readinessProbe:", "readynessProbe:"),
        ("maxUnavailable: 1", "maxUnavailable: [ 1 ]"),
        ("failurePolicy: Fail", "failurePolicies: Fail"),
    ] {
        assert!(rendered.contains(right));
        let output = conforms(folder.path(), &rendered.replacen(right, wrong, 1));
        assert!(!output.status.success(), "{wrong}: {}", stdout(&output));
        assert!(
            stdout(&output).contains("Invalid: 1"),
            "{}",
            stdout(&output)
        );
    }
}
