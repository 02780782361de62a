//! The chart as its users have it: rendered by Helm, with values of theirs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::bench::root;
use crate::cluster::{chart_tool, ok};

/// Values that differ from every default.
pub const FULL: &str = "charts/diarchy/ci/full-values.yaml";

/// The chart's folder.
pub fn chart() -> PathBuf {
    root().join("charts/diarchy")
}

/// A file of the chart.
pub fn file(path: &str) -> String {
    let path = chart().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Helm, with nothing of whoever runs the tests. What it keeps goes into `folder`.
pub fn helm(folder: &Path) -> Command {
    let mut command = Command::new(chart_tool("helm"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HELM_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("KUBECONFIG")
        .env("HELM_CACHE_HOME", folder.join("helm/cache"))
        .env("HELM_CONFIG_HOME", folder.join("helm/config"))
        .env("HELM_DATA_HOME", folder.join("helm/data"));
    command
}

/// A command of Helm about a chart or release, which needs no folder afterwards.
pub fn once(arguments: &[&str]) -> (tempfile::TempDir, Command) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = helm(folder.path());
    command.args(arguments);
    (folder, command)
}

/// What `helm template` makes for a release called `diarchy` in `namespace`, with further arguments.
pub fn template(namespace: &str, arguments: &[&str]) -> String {
    let (_folder, mut helm) = once(&["template", "diarchy"]);
    helm.arg(chart()).args(["--namespace", namespace]);
    ok(helm.args(arguments))
}

/// The documents of rendered output.
pub fn documents(rendered: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(rendered).unwrap();
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect()
}

/// A document's kind.
pub fn kind(document: &Value) -> &str {
    document["kind"].as_str().unwrap()
}

/// One YAML document.
pub fn parse(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}
