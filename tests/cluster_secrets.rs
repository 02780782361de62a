//! Whatever a controller signs in with, and whatever is wrong with that: no secret is written anywhere.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use diarchy_simulator::SignIn;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::assertions::{KEY, OTHER_KEY, certificate};
use crate::cluster::{ADMIN, Namespace, ok, own};
use crate::deployed::{Controller, Deployment, Tenant, condition, wait};
use crate::disguises::forms;
use crate::fetching::files_below;
use crate::gitsource_bench::{Bench, Ssh, message};
use crate::https_server::{PASSWORD, TOKEN, USERNAME};
use crate::origin::Origin;
use crate::rotating::only;
use crate::site::Site;
use crate::ssh_server::Key;

/// Right ones and wrong ones, with what is written otherwise in JSON, in an address and in a form.
const SITE_PASSWORD: &str = r#"s1te "pass\word"/+%41&"#;
const CLIENT_SECRET: &str = r#"cl1ent "sec\ret"/+%42&"#;
const WRONG_PASSWORD: &str = r#"wr0ng "pass\word"/+%43&"#;
const WRONG_BASIC: &str = r#"wr0ng "basic\word"/+%44&"#;
const WRONG_CLIENT_SECRET: &str = r#"wr0ng "sec\ret"/+%45&"#;
const WRONG_TOKEN: &str = "wr0ng-t0ken-0f-nobody";
const WRONG_GIT_PASSWORD: &str = r#"wr0ng "git\word"/+%46&"#;
const NO_KEY: &str = "n0t-a-key-but-secret-all-the-same";

/// A tenant that is delivered from git and carried out, and everything that must stay secret.
struct Case<'a> {
    site: &'a Site,
    tenant: Tenant<'a>,
    bench: Bench,
    ssh: Ssh,
    secrets: Vec<String>,
}

impl<'a> Case<'a> {
    fn new(site: &'a Site) -> Self {
        let cluster = own().cluster();
        let namespace = cluster.namespace();
        site.control.set_password(SITE_PASSWORD);
        site.control.set_client_secret(CLIENT_SECRET);
        site.write_secret("cm-admin/password", SITE_PASSWORD);
        site.write_secret("graph-app/clientSecret", CLIENT_SECRET);
        let tenant = Tenant::within(namespace.clone(), site);
        let origin = Origin::empty();
        for file in ["fleet.yaml", "resources.yaml"] {
            origin.write(file, tenant.text(file));
        }
        origin.commit("README.md", "a fleet\n");
        let bench = Bench::of(cluster, namespace, origin);
        bench.grant("default");
        let ssh = bench.serve_ssh();
        let words = [
            SITE_PASSWORD,
            CLIENT_SECRET,
            WRONG_PASSWORD,
            WRONG_BASIC,
            WRONG_CLIENT_SECRET,
            WRONG_TOKEN,
            WRONG_GIT_PASSWORD,
            NO_KEY,
            PASSWORD,
            TOKEN,
        ];
        let mut secrets: Vec<String> = words.map(ToOwned::to_owned).into();
        secrets.push(site.simulator().admin_token());
        for key in [&ssh.key.private, KEY, OTHER_KEY] {
            secrets.extend(lines_of(key));
        }
        Self {
            site,
            tenant,
            bench,
            ssh,
            secrets,
        }
    }

    /// Replaces what a Secret of the fleet has.
    fn give(&self, secret: &str, keys: &[(&str, &str)]) {
        fs::remove_dir_all(self.site.secret(secret)).unwrap();
        for (key, text) in keys {
            self.site.write_secret(&format!("{secret}/{key}"), text);
        }
        let secret = self.tenant.secret(secret);
        ok(&mut self.tenant.namespace.apply(&[secret]));
    }

    /// Has every connection to the site sign in again.
    fn sign_in_again(&self) {
        self.site.control.forget_sign_ins();
    }

    fn is_ready(&self, what: &str, status: &str) {
        self.tenant.wait_for(what, "fleet", "contoso", |fleet| {
            condition(fleet, "Ready")["status"] == status
        });
    }

    /// Has something new delivered.
    fn deliver(&self, group: &str, source: &Value) {
        self.bench.group(group, "PC-1");
        self.bench.apply(source);
        self.bench.wait_for_head();
    }

    /// Waits until a source is refused with this code.
    fn is_refused(&self, code: &str, source: &Value) {
        self.bench.apply(source);
        let stored = self.bench.namespace.get("gitsource", "main");
        let generation = &stored["metadata"]["generation"];
        self.bench.wait(code, |status| {
            status["observedGeneration"] == *generation
                && message(status, "Stalled").starts_with(code)
        });
    }

    /// The source with another Secret.
    fn source_with(&self, secret: &str) -> Value {
        let mut source = self.bench.source();
        source["spec"]["secretRef"]["name"] = json!(secret);
        source
    }

    /// Every way to sign in once, and it works.
    fn sign_in_in_every_way(&self) {
        let (site, bench) = (self.site, &self.bench);
        bench.apply(&bench.source());
        bench.wait_for_head();
        self.tenant.approve();
        let written = || (site.rules_written() > 0).then_some(()).ok_or(Value::Null);
        wait("devices to be moved", written);
        let tried = |count: u64| (count > 0).then_some(()).ok_or(json!(count));
        wait("Negotiate", || tried(site.control.sign_ins().windows));
        site.control.offer(only(|offered| offered.basic = true));
        self.sign_in_again();
        wait("Basic", || tried(site.control.sign_ins().basic));
        site.control.offer(only(|offered| offered.token = true));
        self.sign_in_again();
        self.is_ready("a password that is not taken", "False");
        self.give("cm-admin", &[("token", &site.simulator().admin_token())]);
        self.is_ready("the token to be taken", "True");
        let asked = site.control.tokens_asked();
        let registered = registered();
        assert!(site.control.register_certificate(&registered));
        let id = site.simulator().client_id();
        let keys = [
            ("clientId", &*id),
            ("tls.crt", &registered),
            ("tls.key", KEY),
        ];
        self.give("graph-app", &keys);
        wait("the certificate", || {
            tried(site.control.tokens_asked() - asked)
        });
        self.is_ready("the certificate to be taken", "True");
        self.deliver("desks", &bench.source_over(&self.ssh));
        let ca = bench.server.ca.clone();
        bench.secret("bearer", &[("token", TOKEN), ("ca.crt", &ca)]);
        self.deliver("counters", &self.source_with("bearer"));
    }

    /// Everything is wrong once, and refused.
    fn be_refused_in_every_way(&self) {
        let (site, bench) = (self.site, &self.bench);
        let id = site.simulator().client_id();
        self.give(
            "graph-app",
            &[("clientId", &id), ("clientSecret", WRONG_CLIENT_SECRET)],
        );
        self.is_ready("the client secret to be refused", "False");
        let registered = registered();
        for key in [OTHER_KEY, NO_KEY] {
            let keys = [
                ("clientId", &*id),
                ("tls.crt", &registered),
                ("tls.key", key),
            ];
            let before = self.tenant.fleet()["status"]["conditions"].take();
            self.give("graph-app", &keys);
            self.tenant
                .wait_for("a key to be refused", "fleet", "contoso", |fleet| {
                    fleet["status"]["conditions"] != before
                });
        }
        // Without a key no pass is made, and nobody signs in to the site.
        let keys = [("clientId", &*id), ("clientSecret", CLIENT_SECRET)];
        self.give("graph-app", &keys);
        let user = site.simulator().admin_user();
        let ways = [
            (SignIn::default(), WRONG_PASSWORD),
            (only(|offered| offered.basic = true), WRONG_BASIC),
        ];
        for (way, password) in ways {
            site.control.offer(way);
            let before = site.control.sign_ins().refused;
            self.give("cm-admin", &[("username", &user), ("password", password)]);
            wait("a password to be refused", || {
                let refused = site.control.sign_ins().refused;
                (refused > before).then_some(()).ok_or(json!(refused))
            });
        }
        let ca = bench.server.ca.clone();
        bench.secret("wrong-bearer", &[("token", WRONG_TOKEN), ("ca.crt", &ca)]);
        self.is_refused("DIA2202: ", &self.source_with("wrong-bearer"));
        let login = [
            ("username", USERNAME),
            ("password", WRONG_GIT_PASSWORD),
            ("ca.crt", &ca),
        ];
        bench.secret("wrong-login", &login);
        self.is_refused("DIA2202: ", &self.source_with("wrong-login"));
        let mut other = Key::new("ed25519");
        bench.set_key(&self.ssh, &other);
        self.is_refused("DIA2202: ", &bench.source_over(&self.ssh));
        let broken = format!(
            "-----BEGIN OPENSSH PRIVATE KEY-----\n{NO_KEY}\n-----END OPENSSH PRIVATE KEY-----\n"
        );
        other.private = broken;
        bench.set_key(&self.ssh, &other);
        bench.wait("a key that is none", |status| {
            !message(status, "Stalled").starts_with("DIA2202: ")
                && message(status, "Stalled").starts_with("DIA22")
        });
    }
}

fn registered() -> String {
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    certificate(KEY, yesterday, 365)
}

/// The lines of a private key that say what it is.
fn lines_of(key: &str) -> impl Iterator<Item = String> {
    let lines = key.lines().filter(|line| !line.starts_with('-'));
    // The beginning of every key of its kind is the same, and the last line may be two letters.
    let telling = lines.skip(1).filter(|line| line.len() > 30);
    telling.map(ToOwned::to_owned)
}

/// Every object but Secrets, by their kinds.
fn objects(namespace: &Namespace<'_>) -> String {
    let mut kinds = namespace.kubectl(&ADMIN);
    kinds.args(["api-resources", "--namespaced", "--verbs=list", "-o=name"]);
    let kinds = ok(&mut kinds);
    let kinds: Vec<&str> = kinds.lines().filter(|kind| *kind != "secrets").collect();
    assert!(kinds.contains(&"leases.coordination.k8s.io") && kinds.len() > 20);
    let mut get = namespace.kubectl(&ADMIN);
    get.args(["get", &kinds.join(","), "-o", "yaml"]);
    ok(get.arg("--show-managed-fields"))
}

/// What is remembered of fleets, as the controller reads it.
fn records(namespace: &Namespace<'_>) -> String {
    let mut get = namespace.kubectl(&ADMIN);
    let shown = ok(get.args(["get", "fleetrecords", "-o", "json"]));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let records = shown["items"].as_array().unwrap().iter();
    let texts = records.map(|record| {
        let data = record["spec"]["data"].as_str().unwrap();
        let packed = BASE64_STANDARD.decode(data).unwrap();
        String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
    });
    texts.collect()
}

/// The files of a folder, as far as they are text.
fn files(bench: &Bench) -> String {
    let mut files: Vec<PathBuf> = Vec::new();
    files_below(bench.mirrors(), &mut files);
    let texts = files.iter().map(|file| {
        let bytes = fs::read(file).unwrap();
        format!("{} {}\n", file.display(), String::from_utf8_lossy(&bytes))
    });
    texts.collect()
}

/// The controller, with the rights of its chart and no others; and its token.
fn start(case: &Case<'_>, deployment: &Deployment<'_>) -> (Controller, String) {
    let read: Value = serde_json::from_slice(&fs::read(&deployment.account).unwrap()).unwrap();
    let token = read["users"][0]["user"]["token"].as_str().unwrap();
    let mut command: Command = deployment.command("one");
    command.arg("--mirrors").arg(case.bench.mirrors());
    (Controller::start(&mut command), token.to_owned())
}

#[test]
fn a_controller_writes_no_secret_anywhere_however_it_signs_in() {
    let plane = own();
    plane.cluster().install_definitions();
    let mark = plane.mark();
    let site = Site::real();
    let mut case = Case::new(&site);
    let mut deployment = Deployment::of(plane.cluster(), &[&case.tenant]);
    deployment.log = "debug";
    let (controller, token) = start(&case, &deployment);
    case.secrets.push(token);
    case.sign_in_in_every_way();
    let well = objects(&case.tenant.namespace);
    let fetched = files(&case.bench);
    case.be_refused_in_every_way();
    let written = [
        ("objects while all was well", well, "is in force"),
        ("objects", objects(&case.tenant.namespace), "DIA2111"),
        ("own objects", objects(&deployment.home), "kind: Lease"),
        ("records", records(&case.tenant.namespace), "rollouts"),
        ("mirrors while all was well", fetched, "refs/diarchy"),
        ("mirrors", files(&case.bench), "refs/diarchy"),
        ("audit log", plane.audit_log_since(mark), "requestObject"),
        ("log", controller.stop(), "\"DEBUG\""),
    ];
    for (place, text, expected) in &written {
        assert!(
            text.contains(expected),
            "{place}: {expected} is not in {text:.9000}"
        );
        let text = text.to_lowercase();
        for secret in &case.secrets {
            for form in forms(secret) {
                let at = text.find(&form.to_lowercase());
                assert!(
                    at.is_none(),
                    "{place} has {secret} as {form}: {}",
                    String::from_utf8_lossy(
                        &text.as_bytes()[at.unwrap_or(0).saturating_sub(300)..][..600]
                    )
                );
            }
        }
    }
}
