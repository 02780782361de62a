//! Repositories on other machines, from the command line: validated, planned, followed, away and
//! back, and whose word they bear.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::bench::{diarchy, stderr, stdout};
use crate::remote_site::{Site, findings, manner, revision};
use crate::running::Running;

#[test]
fn a_repository_is_validated_by_its_address() {
    let site = Site::new();
    let output = site.run("validate", &[]);
    let head = site.head();
    assert_eq!(
        stderr(&output),
        format!("{head}: valid (4 resources, 0 of other groups skipped)\n")
    );
    site.origin.git(&["tag", "v1"]);
    let broken = site.origin.commit("groups/broken.yaml", "kind: [\n");
    let output = site.run("validate", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).starts_with("groups/broken.yaml:"),
        "{}",
        stdout(&output)
    );
    for (reference, status) in [("v1", 0), ("main", 1), (broken.as_str(), 1)] {
        let output = site.run("validate", &["--ref", reference]);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{reference}: {}",
            stderr(&output)
        );
    }
    let output = site.run("validate", &["--ref", "nosuch"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("DIA2002"), "{}", stderr(&output));
    let output = site.run("validate", &["--path", "groups", "--ref", "v1"]);
    assert!(stdout(&output).contains("DIA1309"), "{}", stdout(&output));
}

#[test]
fn plans_and_explanations_are_made_of_a_repository_by_its_address() {
    let site = Site::new();
    let before = site.origin.head();
    site.group("desks");
    let plan = |arguments: &[&str]| {
        let output = site.run(
            "plan",
            &[&["--simulate", "30", "-o", "json"], arguments].concat(),
        );
        let plan: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| {
            panic!("{}", stderr(&output));
        });
        plan
    };
    assert_eq!(plan(&[])["revision"], site.head());
    assert_eq!(
        plan(&["--from", &before])["fromRevision"],
        format!("sha1:{before}")
    );
    let devices = site.run("inventory", &["export"]);
    assert_eq!(devices.status.code(), Some(2));
    let output = diarchy()
        .env("XDG_CACHE_HOME", site.cache())
        .args([
            "inventory",
            "export",
            &site.server.url(),
            "--simulate",
            "30",
            "--git-secrets",
        ])
        .arg(site.secrets())
        .output()
        .unwrap();
    let first: Value = serde_json::from_str(stdout(&output).lines().next().unwrap()).unwrap();
    let id = first["id"].as_str().unwrap();
    let output = site.run("explain", &[id, "--simulate", "30"]);
    assert!(stdout(&output).contains(id), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_fetched_is_told_with_its_code() {
    let site = Site::new();
    let run = |place: &str, arguments: &[&str]| {
        let mut command = diarchy();
        command.env("XDG_CACHE_HOME", site.cache());
        command
            .args(["validate", place])
            .args(arguments)
            .output()
            .unwrap()
    };
    let secrets = site.secrets();
    let secrets = secrets.to_str().unwrap();
    let with = ["--git-secrets", secrets];
    let wrong = site.folder.path().join("wrong");
    fs::create_dir(&wrong).unwrap();
    fs::write(wrong.join("ca.crt"), &site.server.ca).unwrap();
    fs::write(wrong.join("token"), "hunter2").unwrap();
    let wrong = ["--git-secrets", wrong.to_str().unwrap()];
    let url = site.server.url();
    for (place, arguments, code) in [
        ("http://git.contoso.com/fleet.git", &[][..], "DIA2211"),
        (
            "https://me:hunter2@git.contoso.com/fleet.git",
            &[],
            "DIA2211",
        ),
        ("git@127.0.0.1:fleet.git", &with, "DIA2212"),
        (&url, &[], "DIA2207"),
        (&url, &wrong, "DIA2202"),
        (&url.replace("fleet", "flet"), &with, "DIA2204"),
        (&url, &["--git-secrets", "/nowhere"], "DIA2010"),
        (
            &url,
            &[with[0], with[1], "--verify-keys", "/nowhere"],
            "DIA2237",
        ),
        (&url, &[with[0], with[1], "--working-tree"], "DIA2012"),
        (".", &with, "DIA2012"),
        (".", &["--verify-keys", secrets], "DIA2012"),
    ] {
        let output = run(place, arguments);
        assert_eq!(output.status.code(), Some(2), "{place} {arguments:?}");
        let said = stderr(&output);
        assert!(
            said.starts_with(&format!("error: {code}: ")),
            "{place} {arguments:?}: {said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_followed_repository_may_change_be_away_and_come_back() {
    let site = Site::new();
    let mut running = Running::start(&mut site.up());
    let first = site.head();
    running.wait_for("the first revision", |report| revision(report) == first);
    site.group("desks");
    let second = site.head();
    running.wait_for("the second revision", |report| revision(report) == second);
    // Away: the last good revision stays in force, pass after pass.
    site.is(manner::AWAY);
    let report = running.wait_for("it to be away", |report| {
        findings(report).contains("DIA2201")
    });
    assert_eq!(revision(&report), second);
    assert!(!report["fleets"].as_array().unwrap().is_empty());
    site.group("counters");
    site.is(manner::GOOD);
    let third = site.head();
    let report = running.wait_for("it to be back", |report| revision(report) == third);
    assert!(report["refused"].is_null());
    // A branch that is gone, and one that does not validate, are no reason to stop either.
    site.origin.commit("groups/broken.yaml", "kind: [\n");
    let report = running.wait_for("the broken one", |report| !report["refused"].is_null());
    assert_eq!(revision(&report), third);
    running.kill();
    // Started again while the server is away, the last good one is there, and is called as before.
    site.is(manner::AWAY);
    let output = site.up().args(["--once", "-o", "json"]).output().unwrap();
    let report: Value = serde_json::from_str(stdout(&output).lines().next().unwrap()).unwrap();
    assert_eq!(revision(&report["report"]), third);
}

#[test]
fn a_repository_that_is_away_is_said_to_be_once() {
    let site = Site::new();
    let output = site.up().args(["--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    site.is(manner::AWAY);
    let mut command = site.up();
    command.args(["--timeout", "4s"]);
    let output = command.output().unwrap();
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(said.matches("DIA2201").count(), 1, "{said}");
}

#[test]
fn a_server_that_is_away_from_the_beginning_is_an_error() {
    let site = Site::new();
    site.is(manner::AWAY);
    let output = site.up().args(["--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("DIA2201"), "{}", stderr(&output));
}

/// A key of SSH with which the repository's commits are signed from now on.
fn sign_with_a_key(site: &Site) -> String {
    let file = site.folder.path().join("signing");
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(status.success());
    for (name, value) in [
        ("gpg.format", "ssh"),
        ("user.signingkey", file.to_str().unwrap()),
        ("commit.gpgsign", "true"),
    ] {
        site.origin.git(&["config", name, value]);
    }
    fs::read_to_string(file.with_extension("pub")).unwrap()
}

#[test]
fn only_a_revision_that_is_signed_by_a_trusted_key_is_accepted() {
    let site = Site::new();
    let keys = site.folder.path().join("keys");
    fs::create_dir(&keys).unwrap();
    let verify = ["--verify-keys", keys.to_str().unwrap()];
    let public = sign_with_a_key(&site);
    fs::write(
        keys.join("allowed_signers"),
        format!("lena@contoso.com {public}"),
    )
    .unwrap();
    let output = site.run("validate", &verify);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("DIA2231"), "{}", stderr(&output));
    site.group("signed");
    for keys in [&keys, &keys.join("allowed_signers")] {
        let output = site.run("validate", &["--verify-keys", keys.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    // A loop keeps to the last one that was accepted.
    let mut running = Running::start(site.up().args(verify));
    let signed = site.head();
    running.wait_for("the signed one", |report| revision(report) == signed);
    site.origin.git(&["config", "commit.gpgsign", "false"]);
    site.group("unsigned");
    let report = running.wait_for("the unsigned one", |report| {
        findings(report).contains("DIA2231")
    });
    assert_eq!(revision(&report), signed);
    site.origin.git(&["config", "commit.gpgsign", "true"]);
    site.group("signed-again");
    let signed = site.head();
    running.wait_for("the one signed again", |report| revision(report) == signed);
    // Revoked, the key vouches for nothing more.
    fs::write(keys.join("revoked_keys"), &public).unwrap();
    let output = site.run("validate", &verify);
    assert!(stderr(&output).contains("DIA2234"), "{}", stderr(&output));
}
