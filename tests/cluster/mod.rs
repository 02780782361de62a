//! A real Kubernetes API server for the tests: the one that was given, or one of their own.
//!
//! Most tests share one ([`shared`], [`with_definitions`]) and have a [`Namespace`] each. One that
//! breaks its server, or reads the audit log, starts a [`ControlPlane`] for itself.

mod audit;
mod binaries;
mod control_plane;
mod credentials;
mod etcd;
mod keeper;
mod kubectl;
mod namespace;
mod process;
mod stored;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

pub use audit::Request;
pub use binaries::chart_tool;
pub use control_plane::ControlPlane;
pub use credentials::{ADELE, ADMIN, ALEX, LEE, MEGAN, Person};
pub use keeper::Keeper;
pub use kubectl::{ok, refused};
pub use namespace::Namespace;

use crate::bench::{diarchy, stdout};

/// Names a kubeconfig of a cluster that the tests may use.
const GIVEN: &str = "DIARCHY_TEST_KUBECONFIG";

/// A cluster as its users see it.
pub struct Cluster {
    directory: PathBuf,
    kubectl: PathBuf,
    /// The administrator's kubeconfig; those of others differ in the user only.
    base: Value,
    identity: Identity,
    client: OnceLock<kube::Client>,
}

/// How somebody but the administrator shows who they are.
enum Identity {
    /// By a token of their own, each after the name of its person.
    Tokens(Vec<(&'static str, String)>),
    /// The administrator says so: a cluster that was given knows none of these people.
    Impersonation,
}

/// The cluster that the tests of this binary share: the one that was given, or their own.
pub fn shared() -> &'static Cluster {
    static GIVEN_CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    match GIVEN_CLUSTER.get_or_init(Cluster::given) {
        Some(cluster) => cluster,
        None => own().cluster(),
    }
}

/// A control plane that tests of this binary share which must see the server from inside, such as
/// its audit log: their own, even if a cluster was given.
pub fn own() -> &'static ControlPlane {
    static OWN: OnceLock<ControlPlane> = OnceLock::new();
    OWN.get_or_init(ControlPlane::start)
}

/// The shared cluster, with the custom resource definitions that `diarchy crds` prints.
pub fn with_definitions() -> &'static Cluster {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let cluster = shared();
    INSTALLED.get_or_init(|| cluster.install_definitions());
    cluster
}

impl Cluster {
    /// The cluster that the environment names, if it names one.
    fn given() -> Option<Self> {
        let kubeconfig = std::env::var_os(GIVEN).filter(|path| !path.is_empty())?;
        let kubectl = binaries::kubectl();
        let shown = Command::new(&kubectl)
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .args(["config", "view", "--raw", "--flatten", "--minify"])
            .args(["--output", "json"])
            .output()
            .unwrap();
        assert!(
            shown.status.success(),
            "{GIVEN} names {}: {}",
            Path::new(&kubeconfig).display(),
            String::from_utf8_lossy(&shown.stderr)
        );
        let directory = keeper::directory();
        // It is in use to the end of the process, and goes with it.
        std::mem::forget(Keeper::of(&directory));
        Some(Self {
            base: serde_json::from_slice(&shown.stdout).unwrap(),
            identity: Identity::Impersonation,
            client: OnceLock::new(),
            directory,
            kubectl,
        })
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether it is there for these tests alone, and goes with them.
    pub fn is_own(&self) -> bool {
        matches!(self.identity, Identity::Tokens(_))
    }

    /// Applies what `diarchy crds` prints and waits until the server serves it.
    ///
    /// The server warns of what it does not like in a definition: here a warning is an error.
    pub fn install_definitions(&self) {
        let printed = diarchy().arg("crds").output().unwrap();
        let file = self.file("definitions.yaml", &stdout(&printed));
        let mut apply = self.kubectl(&ADMIN);
        apply.args(["apply", "--server-side", "--warnings-as-errors", "-f"]);
        ok(apply.arg(&file));
        let mut wait = self.kubectl(&ADMIN);
        wait.args(["wait", "--for=condition=Established", "--timeout=60s", "-f"]);
        ok(wait.arg(&file));
    }

    /// `kubectl` as `person` runs it.
    pub fn kubectl(&self, person: &Person) -> Command {
        self.kubectl_with(&self.kubeconfig(person))
    }

    /// `kubectl` with a kubeconfig of this cluster.
    pub fn kubectl_with(&self, kubeconfig: &Path) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            // No preferences of whoever runs the tests.
            .env("KUBERC", "off")
            .env_remove("KUBECONFIG")
            .arg("--kubeconfig")
            .arg(kubeconfig)
            // Of its own: by default it is kept by address, and ports are used again.
            .arg("--cache-dir")
            .arg(self.directory.join("cache"));
        command
    }

    /// The path of a kubeconfig for `person`.
    pub fn kubeconfig(&self, person: &Person) -> PathBuf {
        let user = match &self.identity {
            _ if person.name == ADMIN.name => self.base["users"][0]["user"].clone(),
            Identity::Tokens(tokens) => credentials::with_token(tokens, person),
            Identity::Impersonation => {
                let mut user = self.base["users"][0]["user"].clone();
                user["as"] = person.name.into();
                user["as-groups"] = person.groups.into();
                user
            }
        };
        self.write_kubeconfig(person.name, &user)
    }

    /// The path of a kubeconfig with which the administrator signs in by a client certificate, as on
    /// kind: only for a cluster of the tests' own.
    pub fn kubeconfig_with_certificate(&self) -> PathBuf {
        let user = credentials::with_certificate(&self.directory);
        self.write_kubeconfig("certificate", &user)
    }

    /// The path of a kubeconfig for a service account, with a token that the server issues.
    pub fn kubeconfig_of_account(&self, namespace: &str, account: &str) -> PathBuf {
        let mut create = self.kubectl(&ADMIN);
        create.args(["--namespace", namespace, "create", "token", account]);
        let user = serde_json::json!({ "token": ok(&mut create).trim() });
        self.write_kubeconfig(&format!("{namespace}.{account}"), &user)
    }

    fn write_kubeconfig(&self, name: &str, user: &Value) -> PathBuf {
        let mut kubeconfig = self.base.clone();
        kubeconfig["users"][0]["user"] = user.clone();
        self.file(
            &format!("{name}.kubeconfig.json"),
            &format!("{kubeconfig:#}"),
        )
    }

    /// A file that ends with the cluster. Several tests may write the same one.
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.join(name);
        let mut whole = tempfile::NamedTempFile::new_in(&self.directory).unwrap();
        std::io::Write::write_all(&mut whole, content.as_bytes()).unwrap();
        whole.persist(&path).unwrap();
        path
    }
}
