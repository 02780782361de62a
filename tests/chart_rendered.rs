//! What the chart renders, and that its definitions and its version do not lag behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bench::{diarchy, root, stdout};
use crate::chart::{FULL, chart, documents, file, kind, once, parse, template};
use crate::cluster::ok;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn lint(arguments: &[&str]) {
    let (_folder, mut helm) = once(&["lint", "--strict"]);
    let told = ok(helm.arg(chart()).args(arguments));
    assert!(told.contains("0 chart(s) failed"), "{told}");
    assert!(!told.contains("[WARNING]"), "{told}");
}

#[test]
fn the_chart_is_without_fault_for_helm() {
    lint(&[]);
    lint(&["--values", root().join(FULL).to_str().unwrap()]);
}

/// Everything but the definitions, which are held against those that are generated below.
fn rendered(arguments: &[&str]) -> String {
    let mut all = vec!["--set", "crds.install=false"];
    all.extend(arguments);
    template("diarchy-system", &all).replace(VERSION, "VERSION")
}

#[test]
fn with_no_values_it_renders_this() {
    insta::assert_snapshot!(rendered(&[]));
}

#[test]
fn with_every_value_it_renders_this() {
    let full = root().join(FULL);
    insta::assert_snapshot!(rendered(&["--values", full.to_str().unwrap()]));
}

/// An argument that is not known would end every replica at once.
#[test]
fn the_controller_knows_the_arguments_that_it_is_given() {
    let help = diarchy().args(["controller", "--help"]).output().unwrap();
    let help = stdout(&help);
    let full = root().join(FULL);
    let rendered = documents(&template("a", &["--values", full.to_str().unwrap()]));
    let deployment = rendered
        .iter()
        .find(|one| kind(one) == "Deployment")
        .unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let words: Vec<&str> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    assert_eq!(words[0], "controller");
    for word in &words[1..] {
        let option = word.split('=').next().unwrap();
        assert!(help.contains(&format!("{option} <")), "{option}: {help}");
    }
    assert!(words.len() > 5, "{words:?}");
}

#[test]
fn what_is_switched_off_is_not_there() {
    let kinds = |arguments: &[&str]| -> BTreeSet<String> {
        let rendered = documents(&template("diarchy-system", arguments));
        rendered.iter().map(|one| kind(one).to_owned()).collect()
    };
    let all = kinds(&[]);
    let account = "serviceAccount.create=false,readApi.reader=false";
    for (value, gone) in [
        ("crds.install=false", &["CustomResourceDefinition"][..]),
        (
            "approvals.policy=false",
            &[
                "ValidatingAdmissionPolicy",
                "ValidatingAdmissionPolicyBinding",
            ],
        ),
        ("networkPolicy.enabled=false", &["NetworkPolicy"]),
        (
            "podDisruptionBudget.enabled=false",
            &["PodDisruptionBudget"],
        ),
        ("replicas=1", &["PodDisruptionBudget"]),
        (account, &["ServiceAccount"]),
    ] {
        let left = kinds(&["--set", value]);
        let expected: BTreeSet<&str> = gone.iter().copied().collect();
        let gone: BTreeSet<&str> = all.difference(&left).map(String::as_str).collect();
        assert_eq!(gone, expected, "{value}");
    }
    let roles = |value: &str| {
        let rendered = documents(&template("diarchy-system", &["--set", value]));
        let roles = rendered
            .iter()
            .filter(|one| one["apiVersion"] == "rbac.authorization.k8s.io/v1");
        roles
            .map(|one| {
                format!(
                    "{} {}",
                    kind(one),
                    one["metadata"]["name"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        roles("rbac.create=false,readApi.anybodyMayAsk=false,readApi.reader=false"),
        [
            "ClusterRole diarchy-view",
            "ClusterRole diarchy-edit",
            "ClusterRole diarchy-approve"
        ]
    );
    let left = roles("userRoles.create=false");
    assert!(
        left.iter().all(|role| !role.ends_with("-approve")),
        "{left:?}"
    );
}

#[test]
fn the_chart_has_the_version_of_the_workspace() {
    let about = parse(&file("Chart.yaml"));
    assert_eq!(about["version"], VERSION);
    assert_eq!(about["appVersion"], VERSION);
}

/// Copies, because Helm takes no file from outside of a chart.
#[test]
fn its_definitions_are_those_that_are_generated() {
    let generated = root().join("crds");
    let copies = chart().join("files/crds");
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| Path::new(name).extension().is_some_and(|end| end == "yaml"))
            .collect()
    };
    let expected = names(&generated);
    if std::env::var_os("UPDATE").is_some() {
        for name in names(&copies) {
            fs::remove_file(copies.join(name)).unwrap();
        }
        for name in &expected {
            fs::copy(generated.join(name), copies.join(name)).unwrap();
        }
    }
    let how = "run `UPDATE=1 cargo test --release -p diarchy --test e2e its_definitions`";
    assert_eq!(names(&copies), expected, "{how}");
    for name in expected {
        let (one, other) = (generated.join(&name), copies.join(&name));
        let same = fs::read(one).unwrap() == fs::read(other).unwrap();
        assert!(same, "charts/diarchy/files/crds/{name} differs: {how}");
    }
}

#[test]
fn its_definitions_are_rendered_as_they_are_and_kept() {
    let rendered = documents(&template("diarchy-system", &[]));
    let mut definitions: Vec<Value> = rendered
        .into_iter()
        .filter(|one| kind(one) == "CustomResourceDefinition")
        .collect();
    let mut names = Vec::new();
    for definition in &mut definitions {
        let metadata = definition["metadata"].as_object_mut().unwrap();
        let annotations = metadata.remove("annotations").unwrap();
        assert_eq!(annotations["helm.sh/resource-policy"], "keep");
        let labels = metadata.remove("labels").unwrap();
        assert_eq!(labels["app.kubernetes.io/name"], "diarchy");
        let name = metadata["name"].as_str().unwrap().to_owned();
        let generated = fs::read_to_string(root().join(format!("crds/{name}.yaml"))).unwrap();
        assert_eq!(*definition, parse(&generated), "{name}");
        names.push(name);
    }
    assert_eq!(
        names.len(),
        fs::read_dir(chart().join("files/crds")).unwrap().count()
    );
}
