//! Which values the chart takes, and that its pages tell of every one, and of every right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::bench::root;
use crate::chart::{FULL, chart, file, once, parse};
use crate::cluster::refused;

/// The paths of all values, where a list or an empty map is a value.
fn paths(values: &Value, prefix: &str, into: &mut BTreeMap<String, Value>) {
    match values.as_object() {
        Some(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = match prefix {
                    "" => key.clone(),
                    _ => format!("{prefix}.{key}"),
                };
                paths(value, &path, into);
            }
        }
        _ => {
            into.insert(prefix.to_owned(), values.clone());
        }
    }
}

fn defaults() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    paths(&parse(&file("values.yaml")), "", &mut all);
    all
}

/// So that its snapshot shows every value at work.
#[test]
fn the_full_set_of_values_leaves_nothing_at_its_default() {
    let full = parse(&fs::read_to_string(root().join(FULL)).unwrap());
    for (path, default) in defaults() {
        let value = full.pointer(&format!("/{}", path.replace('.', "/")));
        let value = value.unwrap_or_else(|| panic!("{path} is not there"));
        // What it would take away is shown by the defaults.
        let is_switch = default == Value::Bool(true);
        assert!(is_switch || *value != default, "{path} is {value}");
    }
}

/// What Helm says of wrong values, a line for each.
fn refusal(values: &str) -> String {
    let (folder, mut helm) = once(&["template", "diarchy"]);
    let place = folder.path().join("values.yaml");
    fs::write(&place, values).unwrap();
    helm.arg(chart()).arg("--values").arg(&place);
    refused(&mut helm)
}

#[test]
fn wrong_values_are_refused_and_named() {
    let wrong = [
        ("replica: 2", "additional properties 'replica' not allowed"),
        ("replicas: two", "at '/replicas': got string, want integer"),
        ("replicas: -1", "at '/replicas': minimum: got -1, want 0"),
        (
            "watchNamespaces: contoso",
            "at '/watchNamespaces': got string, want array",
        ),
        (
            "watchNamespaces: [ Contoso ]",
            "at '/watchNamespaces/0': 'Contoso' does not match pattern",
        ),
        (
            "watchNamespaces: [ a, a ]",
            "at '/watchNamespaces': items at 0 and 1 are equal",
        ),
        (
            "allowedEndpoints: [ 'https://cm.contoso.com' ]",
            "at '/allowedEndpoints/0': 'https://cm.contoso.com' does not match pattern",
        ),
        (
            "image: { digest: 'sha256:12' }",
            "at '/image/digest': 'sha256:12' does not match pattern",
        ),
        (
            "image: { repo: diarchy }",
            "at '/image': additional properties 'repo' not allowed",
        ),
        (
            "log: { format: xml }",
            "at '/log/format': value must be one of 'json', 'text'",
        ),
        (
            "approvals: { longest: 1d }",
            "at '/approvals/longest': '1d' does not match pattern",
        ),
        (
            "approvals: { longest: 25h }",
            "at '/approvals/longest': '25h' does not match pattern",
        ),
        (
            "networkPolicy: { egressPorts: [ 443 ] }",
            "at '/networkPolicy/egressPorts/0': got number, want object",
        ),
        (
            "networkPolicy: { egressTo: [ contoso.com ] }",
            "at '/networkPolicy/egressTo/0': 'contoso.com' does not match pattern",
        ),
        (
            "resources: { requests: { memory: lots } }",
            "at '/resources/requests/memory': 'lots' does not match pattern",
        ),
        (
            "extraEnv: [ { name: DIARCHY_LOG, value: trace } ]",
            "at '/extraEnv/0/name': 'not' failed",
        ),
    ];
    for (values, expected) in wrong {
        let told = refusal(values);
        assert!(told.contains(expected), "{values}: {told}");
        assert!(told.contains("values don't meet"), "{values}: {told}");
    }
}

/// What a schema allows beside what it names is what nobody checks.
#[test]
fn the_schema_knows_every_value_and_no_other() {
    let schema: Value = serde_json::from_str(&file("values.schema.json")).unwrap();
    let mut places = 0;
    let values = parse(&file("values.yaml"));
    same_keys(&schema, &values, "", &mut places);
    assert!(places > 10, "{places}");
}

fn same_keys(schema: &Value, values: &Value, path: &str, places: &mut usize) {
    let (Some(properties), Some(values)) = (schema["properties"].as_object(), values.as_object())
    else {
        return;
    };
    // Helm hands this one to every chart.
    let known: BTreeSet<&String> = properties.keys().filter(|key| *key != "global").collect();
    let free = ["/resources"];
    if !free.contains(&path) {
        assert_eq!(known, values.keys().collect(), "{path}");
    }
    assert_eq!(schema["additionalProperties"], false, "{path}");
    *places += 1;
    for (key, value) in values {
        same_keys(&properties[key], value, &format!("{path}/{key}"), places);
    }
}

/// The values with their comments, as a table.
fn table_of_values() -> String {
    let text = file("values.yaml");
    let mut table = "| value | default | |\n|---|---|---|\n".to_owned();
    let mut comment = String::new();
    let mut parents: Vec<String> = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start();
        let depth = (line.len() - bare.len()) / 2;
        if let Some(words) = bare.strip_prefix("# ") {
            let more = if comment.is_empty() { "" } else { " " };
            comment = format!("{comment}{more}{words}");
            continue;
        }
        let key = bare.split_once(':').map(|(key, _)| key);
        if let Some(key) = key.filter(|key| !key.starts_with('-') && !key.contains(' ')) {
            parents.truncate(depth);
            parents.push(key.to_owned());
            if !comment.is_empty() {
                let path = parents.join(".");
                let default = default_of(&path);
                writeln!(table, "| `{path}` | {default} | {comment} |").unwrap();
            }
        }
        comment.clear();
    }
    table
}

fn default_of(path: &str) -> String {
    let values = parse(&file("values.yaml"));
    let value = &values[path.split('.').next().unwrap()];
    let value = path
        .split('.')
        .skip(1)
        .fold(value, |value, key| &value[key]);
    format!("`{value}`")
}

fn assert_has_table(page: &str, table: &str) {
    let path = root().join(page);
    let text = fs::read_to_string(&path).unwrap();
    let begin = table.lines().next().unwrap();
    let before = text
        .find(begin)
        .unwrap_or_else(|| panic!("{page} has no table `{begin}`"));
    let after = text[before..]
        .find("\n\n")
        .map_or(text.len(), |at| before + at + 1);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(
            &path,
            format!("{}{table}{}", &text[..before], &text[after..]),
        )
        .unwrap();
        return;
    }
    assert_eq!(
        &text[before..after],
        table,
        "{page}: run `UPDATE=1 cargo test --release -p diarchy --test e2e chart_values`"
    );
}

#[test]
fn every_value_has_a_comment_and_a_row_in_the_readme() {
    let table = table_of_values();
    for path in defaults().keys() {
        // A comment above a map is about all of it.
        let told = path
            .match_indices('.')
            .map(|(at, _)| &path[..at])
            .chain([path.as_str()])
            .any(|path| table.contains(&format!("| `{path}` |")));
        assert!(told, "{path} has no comment in values.yaml");
    }
    assert_has_table("charts/diarchy/README.md", &table);
}

#[test]
fn the_documentation_lists_every_right() {
    let permissions = parse(&file("files/permissions.yaml"));
    for (part, begin) in [
        (
            "watched",
            "| in every watched namespace | verbs | what for |",
        ),
        ("own", "| in its own namespace | verbs | what for |"),
        ("everywhere", "| in the whole cluster | verbs | what for |"),
    ] {
        let mut table = format!("{begin}\n|---|---|---|\n");
        for entry in permissions[part].as_array().unwrap() {
            let word = |key: &str| entry[key].as_str().unwrap();
            let resource = match word("group") {
                "" => word("resource").to_owned(),
                group => format!("{} ({group})", word("resource")),
            };
            let verbs: Vec<&str> = entry["verbs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|verb| verb.as_str().unwrap())
                .collect();
            let (verbs, why) = (verbs.join(", "), word("why"));
            writeln!(table, "| {resource} | {verbs} | {why} |").unwrap();
        }
        assert_has_table("docs/installing.md", &table);
    }
}
