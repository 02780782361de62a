//! Every kind of credential from a folder, and credentials that change while the loop runs.

use std::fs;
use std::process::Command;

use diarchy_simulator::SignIn;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::assertions::{KEY, KEY_PKCS1, OTHER_KEY, certificate, claims, federation, token};
use crate::disguises::forms;
use crate::running::{Running, fleet, problems};
use crate::site::{Site, approve};

pub fn only(change: impl FnOnce(&mut SignIn)) -> SignIn {
    let mut sign_in = SignIn::nothing();
    change(&mut sign_in);
    sign_in
}

fn is_read(report: &Value) -> bool {
    let problems = fleet(report)["problems"].as_array();
    problems.is_some_and(Vec::is_empty) && fleet(report)["devices"].as_u64() > Some(0)
}

/// Runs the loop until it has moved devices, which takes reading and writing.
fn carries_out(site: &Site, command: &mut Command) -> Running {
    let mut running = Running::start(command);
    let report = running.wait_for("a first plan that waits", |report| {
        !fleet(report)["waiting"].is_null()
    });
    approve(&site.state("state"), &report);
    running.wait_for("devices to be moved", |report| {
        is_read(report) && fleet(report)["waiting"].is_null() && site.rules_written() > 0
    });
    site.assert_clean();
    running
}

#[test]
fn a_site_is_signed_in_to_by_whatever_its_secret_holds() {
    for (name, sign_in) in [
        ("Negotiate", only(|offered| offered.negotiate = true)),
        ("NTLM", only(|offered| offered.ntlm = true)),
        ("Basic", only(|offered| offered.basic = true)),
        ("a token", only(|offered| offered.token = true)),
    ] {
        let site = Site::letting_in(sign_in.clone());
        if sign_in.token {
            site.remove_secret("cm-admin/username");
            site.remove_secret("cm-admin/password");
            site.write_secret("cm-admin/token", &site.simulator().admin_token());
        }
        carries_out(&site, &mut site.up_real("state"));
        let tally = site.control.sign_ins();
        assert_eq!(tally.refused, 0, "{name}: {tally:?}");
        let windows = sign_in.negotiate || sign_in.ntlm;
        assert_eq!(tally.windows > 0, windows, "{name}: {tally:?}");
        assert_eq!(tally.basic > 0, sign_in.basic, "{name}: {tally:?}");
        if windows {
            assert!(tally.connections <= 8, "{name}: {tally:?}");
        }
    }
}

#[test]
fn a_tenant_is_signed_in_to_by_certificate() {
    let site = Site::real();
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    let registered = certificate(KEY, yesterday, 365);
    assert!(site.control.register_certificate(&registered));
    site.remove_secret("graph-app/clientSecret");
    site.write_secret("graph-app/tls.crt", &registered);
    site.write_secret("graph-app/tls.key", KEY_PKCS1);
    carries_out(&site, &mut site.up_real("state"));
}

#[test]
fn a_tenant_is_signed_in_to_by_the_tokens_of_somebody_else() {
    let site = Site::real();
    site.control.federate(federation());
    let file = site.repository.file("fleet.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("    credentialsRef: { name: graph-app }\n", "");
    site.repository.write("fleet.yaml", text);
    site.repository.commit();
    let tokens = site.state("token");
    fs::write(&tokens, token(OTHER_KEY, &claims(Timestamp::now()))).unwrap();
    let mut command = site.up_real("state");
    command.env("AZURE_CLIENT_ID", site.simulator().client_id());
    command.env("AZURE_FEDERATED_TOKEN_FILE", tokens);
    carries_out(&site, &mut command);
}

#[test]
fn workload_identity_without_an_identity_is_told() {
    let site = Site::real();
    let file = site.repository.file("fleet.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("    credentialsRef: { name: graph-app }\n", "");
    site.repository.write("fleet.yaml", text);
    site.repository.commit();
    let mut command = site.up_real("state");
    command.env_remove("AZURE_CLIENT_ID");
    command.env_remove("AZURE_FEDERATED_TOKEN_FILE");
    let report = Running::start(&mut command).wait_for("a report", |_| true);
    let told = problems(&report);
    assert!(
        told.contains("DIA2010") && told.contains("AZURE_CLIENT_ID"),
        "{told}"
    );
}

#[test]
fn a_changed_password_is_used_without_a_restart_and_a_wrong_one_is_tried_once() {
    let site = Site::letting_in(only(|offered| offered.negotiate = true));
    let mut running = carries_out(&site, &mut site.up_real("state"));
    site.control.set_password("the next one");
    site.control.forget_sign_ins();
    running.wait_for("the refusal", |report| problems(report).contains("DIA2111"));
    let refused = site.control.sign_ins().refused;
    assert!((1..=2).contains(&refused), "{refused}");
    for _ in 0..5 {
        let told = problems(&running.fresh());
        assert!(
            told.contains("DIA2111") && told.contains("not tried again"),
            "{told}"
        );
    }
    // One that is wrong too is tried once more.
    site.write_secret("cm-admin/password", "not this one");
    running.wait_for("another refusal", |_| {
        site.control.sign_ins().refused > refused
    });
    for _ in 0..3 {
        running.fresh();
    }
    assert_eq!(site.control.sign_ins().refused, refused + 1);
    assert!(!site.control.is_account_locked());
    site.write_secret("cm-admin/password", "the next one\n");
    running.wait_for("the site to be read again", is_read);
    site.assert_clean();
}

#[test]
fn an_account_that_was_mended_is_tried_again_when_any_key_changes() {
    let site = Site::letting_in(only(|offered| offered.ntlm = true));
    site.control.lock_account();
    let mut running = Running::start(&mut site.up_real("state"));
    running.wait_for("the refusal", |report| problems(report).contains("DIA2111"));
    let password = site.simulator().admin_password();
    site.control.set_password(&password);
    for _ in 0..3 {
        assert!(!is_read(&running.fresh()));
    }
    assert_eq!(site.control.sign_ins().refused, 1);
    site.write_secret("cm-admin/retry", "1");
    running.wait_for("the site to be read", is_read);
}

#[test]
fn a_changed_client_secret_and_then_a_certificate_are_used_without_a_restart() {
    let site = Site::real();
    let mut running = carries_out(&site, &mut site.up_real("state"));
    let asked = site.control.tokens_asked();
    site.control.set_client_secret("the next one");
    site.write_secret("graph-app/clientSecret", "the next one");
    running.wait_for("a token by the new secret", |report| {
        is_read(report) && site.control.tokens_asked() > asked
    });
    // Half of a pair is no credential: nothing is lost, and it is told.
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    let registered = certificate(KEY, yesterday, 365);
    site.control.register_certificate(&registered);
    site.write_secret("graph-app/tls.crt", &registered);
    let report = running.wait_for("the contradiction", |report| {
        !report["failures"].as_array().unwrap().is_empty()
    });
    let told = problems(&report);
    assert!(
        told.contains("DIA2013") && told.contains("`tls.crt`"),
        "{told}"
    );
    site.write_secret("graph-app/tls.key", KEY);
    let asked = site.control.tokens_asked();
    site.remove_secret("graph-app/clientSecret");
    running.wait_for("a token by the certificate", |report| {
        is_read(report) && site.control.tokens_asked() > asked
    });
    site.assert_clean();
}

/// Everything that a run says or leaves behind, with traces of everything.
fn everything_said(site: &Site, state: &str, change: impl FnOnce(&mut Command)) -> String {
    let mut command = site.up_real(state);
    command.args(["--once", "-o", "json", "--log", "trace"]);
    change(&mut command);
    let output = command.output().unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    for suffix in ["", "-wal"] {
        let file = site.state(&format!("{state}{suffix}"));
        if let Ok(bytes) = fs::read(file) {
            said.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    said
}

#[test]
fn no_run_tells_or_keeps_a_secret_however_it_signs_in() {
    let good = Site::real();
    let simulator = good.simulator();
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    let registered = certificate(KEY, yesterday, 365);
    good.control.register_certificate(&registered);
    let mut said = String::new();
    // By Negotiate and a client secret; then NTLM, Basic, a token, and a certificate.
    said += &everything_said(&good, "one", |_| {});
    for (name, sign_in) in [
        ("two", only(|offered| offered.ntlm = true)),
        ("three", only(|offered| offered.basic = true)),
    ] {
        good.control.offer(sign_in);
        said += &everything_said(&good, name, |_| {});
    }
    good.control.offer(SignIn::default());
    good.remove_secret("graph-app/clientSecret");
    good.write_secret("graph-app/tls.crt", &registered);
    good.write_secret("graph-app/tls.key", KEY);
    said += &everything_said(&good, "four", |_| {});
    // Everything refused.
    good.control.set_password("another");
    said += &everything_said(&good, "five", |_| {});
    good.write_secret("graph-app/tls.key", OTHER_KEY);
    said += &everything_said(&good, "six", |_| {});
    assert!(said.contains("TRACE"), "no traces");
    let said = said.to_lowercase();
    for secret in [
        simulator.admin_password(),
        simulator.client_secret(),
        simulator.admin_token(),
    ] {
        for form in forms(&secret) {
            let form = form.to_lowercase();
            assert!(!said.contains(&form), "{form}");
        }
    }
    // The lines of the private key; the beginnings of messages of NTLM, in base64 and in hex; those
    // of Negotiate; those of assertions.
    let key: Vec<&str> = KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let others = [
        "tlrmtvntuaa",
        "4e544c4d53535000",
        "[78, 84, 76, 77, 83, 83, 80, 0",
        "negotiate yi",
        "basic q09o",
        "client_assertion=",
        "eyjhbgci",
        "bearer sim",
    ];
    for piece in key.into_iter().chain(others) {
        assert!(!said.contains(&piece.to_lowercase()), "{piece}");
    }
}
