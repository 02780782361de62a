//! A controller over a namespace of its own, for tests of what sources deliver.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::bench::diarchy;
use crate::cluster::{ADMIN, Cluster, Namespace, ok, with_definitions};
use crate::deployed::{Controller, condition_in, install_account};
use crate::https_server::{self, HttpsServer, PASSWORD, USERNAME};
use crate::origin::Origin;
use crate::repository::SMALL;
use crate::ssh_server::{self, Key, Manners, SshServer, path_of, user};

/// After this long a test does not wait any more: far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long to wait before the server is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// The kinds that a source delivers, as roles name them.
const KINDS: &str = "fleets.diarchy.dev,devicegroups.diarchy.dev,comanagementpolicies.diarchy.dev,\
    workloadassignments.diarchy.dev,gitsources.diarchy.dev";

/// A repository behind https, a namespace, and a controller that looks at it.
pub struct Bench {
    pub namespace: Namespace<'static>,
    pub origin: Origin,
    pub server: HttpsServer,
    cluster: &'static Cluster,
    mirrors: TempDir,
    controller: Option<Controller>,
    pub runtime: Runtime,
}

/// A server of ssh for a repository.
pub struct Ssh {
    server: SshServer,
    /// The key that it lets in.
    pub key: Key,
    /// The line of `known_hosts` for it.
    known: String,
}

impl Bench {
    /// A small fleet in git, whose deliverer may do what it must, and a controller.
    pub fn new() -> Self {
        let mut bench = Self::idle(with_definitions());
        bench.grant("default");
        bench.start(None);
        bench
    }

    /// The same without rights and without a controller.
    pub fn idle(cluster: &'static Cluster) -> Self {
        let namespace = cluster.namespace();
        let origin = Origin::empty();
        for (name, text) in SMALL {
            let own = format!("namespace: {}", namespace.name);
            origin.write(name, text.replace("namespace: contoso", &own));
        }
        origin.commit("README.md", "a fleet\n");
        Self::of(cluster, namespace, origin)
    }

    /// A repository that is delivered into a namespace, without rights and without a controller.
    pub fn of(cluster: &'static Cluster, namespace: Namespace<'static>, origin: Origin) -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(https_server::serve(origin.root()));
        let bench = Self {
            namespace,
            origin,
            server,
            cluster,
            mirrors: tempfile::tempdir().unwrap(),
            controller: None,
            runtime,
        };
        let ca = bench.server.ca.clone();
        bench.secret(
            "reader",
            &[
                ("username", USERNAME),
                ("password", PASSWORD),
                ("ca.crt", &ca),
            ],
        );
        bench
    }

    /// Sets a Secret.
    pub fn secret(&self, name: &str, keys: &[(&str, &str)]) {
        let keys: BTreeMap<&str, &str> = keys.iter().copied().collect();
        self.apply(&json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": name },
            "stringData": keys,
        }));
    }

    /// Lets a service account deliver.
    pub fn grant(&self, account: &str) {
        let name = format!("deliver-{account}");
        self.run(&[
            "create",
            "role",
            &name,
            "--verb=get,create,patch,delete",
            &format!("--resource={KINDS}"),
        ]);
        self.run(&[
            "create",
            "rolebinding",
            &name,
            &format!("--role={name}"),
            &format!("--serviceaccount={}:{account}", self.namespace.name),
        ]);
    }

    /// Starts a controller that looks at the namespace, and fetches from these hosts only.
    pub fn start(&mut self, hosts: Option<&str>) {
        let namespace = &self.namespace.name;
        let account = install_account(self.cluster, &self.namespace, namespace);
        let mut command = diarchy();
        command
            .args(["controller", "--listen", "127.0.0.1:0"])
            .args(["--api-listen", "127.0.0.1:0"])
            .args(["--namespace", namespace, "--watch-namespaces", namespace])
            .args(["--replica", "one"])
            // These tests are about what is delivered, not about what becomes of it.
            .args(["--settle", "1h"])
            .args(["--log", "info", "--mirrors"])
            .arg(self.mirrors.path())
            .env("KUBECONFIG", account);
        if let Some(hosts) = hosts {
            command.args(["--allowed-endpoints", hosts]);
        }
        self.controller = Some(Controller::start(&mut command));
    }

    /// A source called `main` over https that is looked at when it is asked for.
    pub fn source(&self) -> Value {
        json!({
            "apiVersion": "diarchy.dev/v1alpha1",
            "kind": "GitSource",
            "metadata": { "name": "main" },
            "spec": {
                "url": self.server.url(),
                "ref": { "branch": "main" },
                "interval": "1h",
                "secretRef": { "name": "reader" },
                "prune": true,
            },
        })
    }

    /// Where controllers keep what they fetch.
    pub fn mirrors(&self) -> &Path {
        self.mirrors.path()
    }

    /// Serves the repository by ssh too, to whoever has the key in the Secret `deploy`.
    pub fn serve_ssh(&self) -> Ssh {
        let (host, key) = (Key::new("ed25519"), Key::new("ed25519"));
        let manners = Manners {
            known: key.public.clone(),
            root: self.origin.root().to_owned(),
            passes_environment: true,
            refuses: None,
        };
        let server = self.runtime.block_on(ssh_server::serve(&[&host], manners));
        let known = server.known_as(&host);
        let ssh = Ssh { server, key, known };
        self.set_key(&ssh, &ssh.key);
        ssh
    }

    /// Puts a key into the Secret `deploy`.
    pub fn set_key(&self, ssh: &Ssh, key: &Key) {
        let keys = [("identity", &*key.private), ("known_hosts", &*ssh.known)];
        self.secret("deploy", &keys);
    }

    /// The source over ssh.
    pub fn source_over(&self, ssh: &Ssh) -> Value {
        let mut source = self.source();
        let (port, path) = (ssh.server.port, path_of(self.origin.root()));
        source["spec"]["url"] = json!(format!("ssh://{}@127.0.0.1:{port}{path}", user()));
        source["spec"]["secretRef"]["name"] = json!("deploy");
        source
    }

    /// Applies a document as the administrator.
    pub fn apply(&self, document: &Value) {
        ok(&mut self.namespace.apply(std::slice::from_ref(document)));
    }

    /// Runs `kubectl` within the namespace.
    pub fn run(&self, arguments: &[&str]) -> String {
        ok(self.kubectl().args(arguments))
    }

    pub fn kubectl(&self) -> Command {
        self.namespace.kubectl(&ADMIN)
    }

    /// Asks for a look, and gives the status when that is answered.
    pub fn look(&self) -> Value {
        let asked = format!("{:016x}", rand::random::<u64>());
        let annotation = format!("diarchy.dev/requestedAt={asked}");
        self.run(&["annotate", "gitsource", "main", "--overwrite", &annotation]);
        self.wait("the look is answered", |status| {
            status["lastHandledReconcileAt"] == asked.as_str()
        })
    }

    /// Asks for looks until `is` is true of the status: what somebody has just done reaches the
    /// controller by another way than the wish for a look.
    pub fn look_until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let status = self.look();
            if is(&status) {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "never: {what}: {status:#}");
        }
    }

    /// Waits until `is` is true of the status of the source, and gives it.
    pub fn wait(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let status = self.namespace.get("gitsource", "main")["status"].take();
            if is(&status) {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "never: {what}: {status:#}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until the source is ready with what is the head of the repository.
    pub fn wait_for_head(&self) -> Value {
        let head = self.head();
        self.wait("the head is in force", |status| {
            condition(status, "Ready")["status"] == "True"
                && status["lastAppliedRevision"] == head.as_str()
        })
    }

    pub fn head(&self) -> String {
        format!("main@sha1:{}", self.origin.head())
    }

    /// Commits a group.
    pub fn group(&self, name: &str, device: &str) {
        self.origin.commit(
            &format!("groups/{name}.yaml"),
            format!(
                "apiVersion: diarchy.dev/v1alpha1\nkind: DeviceGroup\nmetadata: {{ name: {name} }}\n\
                 spec: {{ fleetRef: {{ name: contoso }}, devices: [ {device} ] }}\n"
            ),
        );
    }

    /// The objects that there are, such as `devicegroup.diarchy.dev/laptops`.
    pub fn objects(&self) -> Vec<String> {
        let kinds = KINDS.trim_end_matches(",gitsources.diarchy.dev");
        let shown = self.run(&["get", kinds, "-o", "name"]);
        shown.lines().map(ToOwned::to_owned).collect()
    }

    /// The objects with their versions, which change with every write.
    pub fn versions(&self) -> String {
        self.run(&[
            "get",
            KINDS,
            "-o",
            "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}",
        ])
    }
}

/// A condition; null where there is none.
pub fn condition(status: &Value, kind: &str) -> Value {
    condition_in(status, kind).clone()
}

/// What a condition says.
pub fn message(status: &Value, kind: &str) -> String {
    let message = condition(status, kind)["message"].take();
    message.as_str().unwrap_or_default().to_owned()
}
