//! What `kubectl` shows of Diarchy's resources.

use std::process::Command;

use serde_json::{Value, json};

use crate::cluster::{ADMIN, Namespace, ok, with_definitions};
use crate::crds_documents::{KINDS, smallest};

/// A condition that does not say since when, which no column shows.
fn condition(kind: &str, status: &str, message: &str) -> Value {
    json!({
        "type": kind,
        "status": status,
        "reason": "Shown",
        "message": message,
        "lastTransitionTime": "2026-11-22T08:00:00Z",
    })
}

fn status(kind: &str) -> Value {
    let mut status = match kind {
        "Fleet" => json!({
            "devices": { "total": 10412, "coManaged": 9120 },
            "waitingPlan": {
                "digest": "sha256:00", "changes": 5210, "leaving": 0,
                "reason": "MaxChangedDevices", "since": "2026-11-22T08:00:00Z",
            },
        }),
        "DeviceGroup" => json!({ "members": 3411, "unknown": 4, "eligible": 3302 }),
        "WorkloadAssignment" => json!({
            "devices": { "desired": 825, "assigned": 825, "observed": 790, "failed": 5 },
            "rollout": { "step": 2, "of": 3, "phase": "Soaking" },
        }),
        _ => json!({}),
    };
    status["conditions"] = json!([condition("Ready", "True", "being carried out")]);
    status
}

/// One resource of every kind, with a status.
fn with_statuses() -> Namespace<'static> {
    let namespace = with_definitions().namespace();
    let mut documents: Vec<Value> = KINDS.map(smallest).into();
    ok(&mut namespace.apply(&documents));
    for document in &mut documents {
        document["status"] = status(document["kind"].as_str().unwrap());
    }
    ok(namespace
        .apply(&documents)
        .args(["--subresource", "status"]));
    namespace
}

/// What a command prints, with `-` for the age, which is the last column.
fn table(command: &mut Command) -> String {
    let printed = ok(command);
    let lines: Vec<String> = printed
        .lines()
        .map(|line| {
            let line = line.trim_end();
            match line.rsplit_once(' ') {
                Some((rest, age)) if age.starts_with(|c: char| c.is_ascii_digit()) => {
                    format!("{rest} -")
                }
                _ => line.to_owned(),
            }
        })
        .collect();
    lines.join("\n")
}

#[test]
fn the_category_shows_resources_of_every_kind() {
    let namespace = with_statuses();
    insta::assert_snapshot!(table(namespace.kubectl(&ADMIN).args(["get", "diarchy"])));
}

#[test]
fn a_short_name_shows_more_when_asked() {
    let namespace = with_statuses();
    let short = ["ap", "cmp", "dg", "fl", "wa"];
    let shown =
        short.map(|name| table(namespace.kubectl(&ADMIN).args(["get", name, "-o", "wide"])));
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn columns_are_empty_until_there_is_a_status() {
    let namespace = with_definitions().namespace();
    let documents: Vec<Value> = KINDS.map(smallest).into();
    ok(&mut namespace.apply(&documents));
    insta::assert_snapshot!(table(namespace.kubectl(&ADMIN).args(["get", "diarchy"])));
}

#[test]
fn fields_explain_themselves() {
    let explained = [
        "fleet.spec",
        "devicegroup.spec.selector.matchAttributes",
        "comanagementpolicy.spec.workloads.ClientApps",
        "workloadassignment.spec.rollout.window",
        "workloadassignment.status.rollout.phase",
        "approval",
    ]
    .map(|field| {
        let explained = ok(with_definitions().kubectl(&ADMIN).args(["explain", field]));
        let lines: Vec<&str> = explained.trim().lines().map(str::trim_end).collect();
        lines.join("\n")
    });
    insta::assert_snapshot!(explained.join("\n\n--------\n"));
}
