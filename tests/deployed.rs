//! Controllers that run against the API server, and a tenant whose resources they carry out.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::bench::{diarchy, stderr};
use crate::chart_rights::{apply_rights, remove_rights};
use crate::cluster::{ADMIN, Cluster, Namespace, ok};
use crate::site::Site;

/// After this long a test does not wait any more: far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(2);

/// A namespace with the resources, and the Secrets, of a site.
pub struct Tenant<'a> {
    pub namespace: Namespace<'a>,
    site: &'a Site,
}

impl<'a> Tenant<'a> {
    /// A new namespace with the Secrets, and no resources yet.
    pub fn of(cluster: &'a Cluster, site: &'a Site) -> Self {
        Self::within(cluster.namespace(), site)
    }

    /// The same in a namespace that somebody else looks at too.
    pub fn within(namespace: Namespace<'a>, site: &'a Site) -> Self {
        let tenant = Self { namespace, site };
        ok(&mut tenant.namespace.apply(&tenant.secrets()));
        tenant
    }

    /// The Secrets that the site's Fleet names.
    fn secrets(&self) -> Vec<Value> {
        ["cm-admin", "cm-ca", "graph-app"]
            .iter()
            .map(|name| self.secret(name))
            .collect()
    }

    /// A Secret as it stands in the site's folder.
    pub fn secret(&self, name: &str) -> Value {
        let keys = fs::read_dir(self.site.secret(name)).unwrap();
        let data: serde_json::Map<String, Value> = keys
            .map(|key| {
                let key = key.unwrap();
                let bytes = BASE64_STANDARD.encode(fs::read(key.path()).unwrap());
                (key.file_name().into_string().unwrap(), bytes.into())
            })
            .collect();
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": name },
            "data": data,
        })
    }

    /// Applies what the site's repository has.
    pub fn apply(&self) {
        // Together: a fleet that is there alone for a while is carried out alone.
        let files = ["fleet.yaml", "resources.yaml"].map(|file| self.text(file));
        self.apply_text(&files.join("\n---\n"));
    }

    /// A file of the site's repository, for this namespace.
    pub fn text(&self, file: &str) -> String {
        let place = self.site.repository.path().join(file);
        let text = fs::read_to_string(place).unwrap();
        text.replace(
            "namespace: contoso",
            &format!("namespace: {}", self.namespace.name),
        )
    }

    /// `kubectl apply --server-side`, as the administrator runs it.
    pub fn apply_text(&self, text: &str) {
        let file = self.namespace.file(text);
        let mut apply = self.kubectl();
        ok(apply.args(["apply", "--server-side", "-f"]).arg(file));
    }

    /// `kubectl` within the namespace.
    pub fn kubectl(&self) -> Command {
        self.namespace.kubectl(&ADMIN)
    }

    /// The fleet as it is stored.
    pub fn fleet(&self) -> Value {
        self.namespace.get("fleet", "contoso")
    }

    /// Waits for a stored object of which `is` is true.
    pub fn wait_for(
        &self,
        what: &str,
        kind: &str,
        name: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Value {
        wait(what, || {
            let object = self.namespace.get(kind, name);
            is(&object).then_some(object.clone()).ok_or(object)
        })
    }

    /// Waits until a plan waits for a person, and gives its digest.
    pub fn waiting(&self) -> String {
        let fleet = self.wait_for("a plan that waits", "fleet", "contoso", |fleet| {
            fleet["status"]["waitingPlan"]["digest"].is_string()
        });
        let digest = &fleet["status"]["waitingPlan"]["digest"];
        digest.as_str().unwrap().to_owned()
    }

    /// An Approval of a digest, for the fleet that there is now.
    pub fn approval(&self, name: &str, digest: &str, valid: SignedDuration) -> Value {
        self.approval_of(&self.fleet(), name, digest, valid)
    }

    /// An Approval of a digest, for an object as it is stored.
    fn approval_of(
        &self,
        target: &Value,
        name: &str,
        digest: &str,
        valid: SignedDuration,
    ) -> Value {
        json!({
            "apiVersion": "diarchy.dev/v1alpha1",
            "kind": "Approval",
            "metadata": { "name": name },
            "spec": {
                "targetRef": {
                    "kind": target["kind"],
                    "name": target["metadata"]["name"],
                    "uid": target["metadata"]["uid"],
                },
                "digest": digest,
                "approver": ADMIN.name,
                "expires": (self.site.now() + valid).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            },
        })
    }

    /// Says yes to what waits.
    pub fn approve(&self) {
        let approval = self.approval("yes", &self.waiting(), SignedDuration::from_hours(60));
        ok(&mut self.namespace.apply(&[approval]));
    }

    /// Says yes to the next step of an assignment's rollout, once that waits.
    pub fn approve_step(&self, assignment: &str) {
        let what = format!("the next step of {assignment} to wait");
        let found = self.wait_for(&what, "workloadassignment", assignment, |one| {
            one["status"]["rollout"]["digest"].is_string()
        });
        let digest = found["status"]["rollout"]["digest"].as_str().unwrap();
        let valid = SignedDuration::from_hours(60);
        let approval = self.approval_of(&found, "yes-to-a-step", digest, valid);
        ok(&mut self.namespace.apply(&[approval]));
    }

    /// Waits, as users do, until a resource has a condition.
    pub fn wait_for_condition(&self, condition: &str, resource: &str) {
        let mut wait = self.kubectl();
        wait.args(["wait", "--timeout=120s"])
            .arg(format!("--for=condition={condition}"))
            .arg(resource);
        let output = wait.output().unwrap();
        if !output.status.success() {
            let (kind, name) = resource.split_once('/').unwrap();
            let object = self.namespace.get(kind, name);
            panic!("{}\n{:#}", stderr(&output), object["status"]);
        }
    }

    /// Applies everything, says yes to it, and waits until it has been carried out.
    pub fn carry_out(&self) {
        self.apply();
        self.approve();
        self.wait_for_condition("Converged", "fleet/contoso");
        assert!(self.site.rules_written() > 0, "nobody was moved");
    }
}

/// A condition of an object, by its type; null if it has none.
pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    condition_in(&object["status"], kind)
}

/// A condition in a status, by its type; null if it has none.
pub fn condition_in<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let conditions = status["conditions"].as_array();
    conditions
        .and_then(|all| all.iter().find(|one| one["type"] == kind))
        .unwrap_or(&Value::Null)
}

/// Tries until there is an answer; the last that was none is shown when there is none for too long.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Result<T, Value>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(last) if Instant::now() > deadline => {
                panic!("waited too long for {what}; the last: {last:#}")
            }
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// A running controller. It ends with the test.
pub struct Controller {
    child: Child,
    said: File,
}

/// How a controller is started.
pub struct Deployment<'a> {
    cluster: &'a Cluster,
    /// The namespace that it is installed in.
    pub home: Namespace<'a>,
    /// The namespaces that it looks at.
    pub watched: String,
    world: PathBuf,
    site: &'a Site,
    /// The kubeconfig of the account that the chart gives replicas.
    pub account: PathBuf,
    /// What replicas log.
    pub log: &'static str,
}

impl<'a> Deployment<'a> {
    /// One that looks at `tenants` alone, so that tests may share an API server.
    pub fn of(cluster: &'a Cluster, tenants: &[&Tenant<'a>]) -> Self {
        let watched: Vec<&str> = tenants
            .iter()
            .map(|tenant| tenant.namespace.name.as_str())
            .collect();
        let watched = watched.join(",");
        let home = cluster.namespace();
        Self {
            cluster,
            account: install_account(cluster, &home, &watched),
            home,
            watched,
            world: tenants[0].site.world(),
            site: tenants[0].site,
            log: "info",
        }
    }

    /// Has the controller look at another namespace too.
    pub fn look_at(&mut self, namespace: &Namespace<'_>) {
        self.watched = format!("{},{}", self.watched, namespace.name);
        self.account = install_account(self.cluster, &self.home, &self.watched);
    }

    /// The command that runs a replica, not started. Leases are short, so that others take over soon.
    pub fn command(&self, replica: &str) -> Command {
        self.command_with_lease(replica, "6s")
    }

    /// The same, with Leases that are held for as long as `lease`.
    pub fn command_with_lease(&self, replica: &str, lease: &str) -> Command {
        let mut command = self.command_listening(replica, "127.0.0.1:0");
        command.args(["--lease", lease]);
        command
    }

    /// The command that runs a replica which answers questions at `address`, with the usual Leases.
    pub fn command_listening(&self, replica: &str, address: &str) -> Command {
        let mut command = diarchy();
        command
            .args(["controller", "--listen", "127.0.0.1:0"])
            .args(["--api-listen", address])
            .args(["--namespace", &self.home.name])
            .args(["--watch-namespaces", &self.watched])
            .args(["--replica", replica])
            .args(["--settle", "2s"])
            .arg("--world")
            .arg(&self.world)
            .args(["--log", self.log, "--log-format", "json"])
            .env("KUBECONFIG", &self.account)
            // A real Graph is trusted by what the machine trusts; this one by its own root.
            .env("SSL_CERT_FILE", self.site.secret("cm-ca/ca.crt"));
        command
    }

    /// A running replica.
    pub fn start(&self, replica: &str) -> Controller {
        Controller::start(&mut self.command(replica))
    }
}

impl Drop for Deployment<'_> {
    fn drop(&mut self) {
        remove_rights(self.cluster, &self.home.name);
    }
}

/// Makes the account that the chart gives a release in `home`, with its rights in the namespaces
/// `watched` and no others, and gives its kubeconfig.
pub fn install_account(cluster: &Cluster, home: &Namespace<'_>, watched: &str) -> PathBuf {
    let list = format!("watchNamespaces={{{watched}}}");
    apply_rights(cluster, home, &["--set", &list]);
    cluster.kubeconfig_of_account(&home.name, "diarchy")
}

impl Controller {
    /// Starts the command.
    pub fn start(command: &mut Command) -> Self {
        let said = tempfile::tempfile().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said.try_clone().unwrap())
            .spawn()
            .unwrap();
        Self { child, said }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let mut said = self.said.try_clone().unwrap();
        let mut text = String::new();
        said.rewind().unwrap();
        said.read_to_string(&mut text).unwrap();
        text
    }

    /// A field of the line that it logs when `message` happens; waits until it has.
    pub fn told(&self, message: &str, field: &str) -> String {
        wait(message, || {
            let log = self.log();
            let lines = log
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let line = lines
                .filter(|line| line["message"] == message)
                .find_map(|line| line[field].as_str().map(str::to_owned));
            line.ok_or(log.into())
        })
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, as `kill` names it.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        ok(kill.args(["-s", name, &self.child.id().to_string()]));
    }

    /// Kills it without a warning.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has; it must end well. What it had logged.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
        self.log()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let lines = log.lines().filter(|line| !line.contains("diarchy::audit"));
            let lines: Vec<&str> = lines.collect();
            let last = &lines[lines.len().saturating_sub(20)..];
            println!("the controller's last words:\n{}", last.join("\n"));
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
