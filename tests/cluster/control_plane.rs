//! A control plane of the tests' own: etcd, the API server, and controllers where a test asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::process::{PAUSE, Process, free_ports};
use super::{ADMIN, Cluster, Identity, Keeper, Request, audit, binaries, credentials, keeper, ok};

/// After this long a server does not start any more: far longer than it takes.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often to try with other ports where somebody else has taken those.
const TRIES: usize = 5;

const AUDIT_POLICY: &str = "audit-policy.yaml";
const AUDIT_LOG: &str = "audit.log";

/// Everything is written down; what is written to the server with its content, but for Secrets and
/// for definitions, which are long. Before a request is looked at nothing is
/// known of it; a watch is known when it begins.
const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ RequestReceived ]
rules:
  - level: Metadata
    resources:
      - group: \"\"
        resources: [ secrets, configmaps ]
      - group: apiextensions.k8s.io
  - level: Request
    verbs: [ create, update, patch, delete ]
  - level: Metadata
";

/// Running servers, which end when this is dropped, or when the process ends in whatever way.
pub struct ControlPlane {
    cluster: Cluster,
    servers: PathBuf,
    ports: [u16; 3],
    etcd: Mutex<Process>,
    api_server: Mutex<Process>,
    controllers: Option<Process>,
    keeper: Keeper,
}

impl ControlPlane {
    /// Starts one, and waits until it serves.
    pub fn start() -> Self {
        let servers = binaries::servers();
        let mut causes = Vec::new();
        for _ in 0..TRIES {
            match Self::try_start(&servers) {
                Ok(plane) => return plane,
                Err(cause) if cause.contains("address already in use") => causes.push(cause),
                Err(cause) => panic!("the control plane does not start: {cause}"),
            }
        }
        panic!("no free ports: {causes:#?}");
    }

    /// Starts one with controllers that remove what a deleted namespace or owner leaves behind.
    pub fn start_with_controllers() -> Self {
        let mut plane = Self::start();
        plane.start_controllers();
        plane
    }

    fn try_start(servers: &Path) -> Result<Self, String> {
        let directory = keeper::directory();
        let keeper = Keeper::of(&directory);
        let tokens = credentials::write(&directory);
        fs::write(directory.join(AUDIT_POLICY), POLICY).unwrap();
        let ports = free_ports();
        // Both at once: the API server waits for etcd by itself.
        let etcd = start_etcd(&keeper, servers, &directory, ports);
        let api_server = start_api_server(&keeper, servers, &directory, ports);
        let plane = Self {
            cluster: Cluster {
                kubectl: binaries::path(servers, "kubectl"),
                base: credentials::kubeconfig(&directory, ports[2], &tokens),
                identity: Identity::Tokens(tokens),
                client: OnceLock::new(),
                directory,
            },
            servers: servers.to_path_buf(),
            ports,
            etcd: Mutex::new(etcd),
            api_server: Mutex::new(api_server),
            controllers: None,
            keeper,
        };
        plane.wait_until_ready()?;
        Ok(plane)
    }

    /// What its users see.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The ports of etcd, for clients and for peers, and of the API server.
    pub fn ports(&self) -> [u16; 3] {
        self.ports
    }

    /// Kills the API server, as a crash would.
    pub fn kill_api_server(&self) {
        self.api_server.lock().unwrap().kill();
    }

    /// Starts the API server again, over what etcd has kept.
    pub fn start_api_server(&self) {
        let directory = &self.cluster.directory;
        let started = start_api_server(&self.keeper, &self.servers, directory, self.ports);
        *self.api_server.lock().unwrap() = started;
        if let Err(cause) = self.wait_until_ready() {
            panic!("the API server does not start again: {cause}");
        }
    }

    fn wait_until_ready(&self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            for server in [&self.etcd, &self.api_server] {
                if let Some(cause) = server.lock().unwrap().ended() {
                    return Err(cause);
                }
            }
            let mut ask = self.cluster.kubectl(&ADMIN);
            ask.args(["get", "--raw", "/readyz"]);
            if ask.output().unwrap().status.success() {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!(
                    "it is not ready after {PATIENCE:?}: {}",
                    self.api_server.lock().unwrap().said()
                ));
            }
            thread::sleep(PAUSE);
        }
    }

    fn start_controllers(&mut self) {
        let directory = &self.cluster.directory;
        let mut command = Command::new(binaries::path(&self.servers, "kube-controller-manager"));
        let kubeconfig = self.cluster.kubeconfig(&ADMIN);
        command
            .args(["--controllers=namespace-controller,garbage-collector-controller"])
            .args(["--leader-elect=false", "--secure-port=0"])
            .arg(format!("--kubeconfig={}", kubeconfig.display()));
        let log = directory.join("kube-controller-manager.log");
        let controllers =
            Process::start(&self.keeper, "kube-controller-manager", log, &mut command);
        self.controllers = Some(controllers);
    }

    /// How much has been written down of requests before this call.
    pub fn mark(&self) -> usize {
        self.log().0.len()
    }

    /// The requests that were written down after a [`Self::mark`], in order.
    pub fn requests_since(&self, mark: usize) -> Vec<Request> {
        let (log, marker) = self.log();
        audit::requests(&log[mark..], &marker)
    }

    /// What was written down after a [`Self::mark`], a request a line.
    pub fn audit_log_since(&self, mark: usize) -> String {
        self.log().0.split_off(mark)
    }

    /// The log up to now, and what marks its end.
    fn log(&self) -> (String, String) {
        // The log is written one request after the other, so that one that is in it shows that those
        // before it are too.
        let marker = format!("marker-{:016x}", rand::random::<u64>());
        let mut ask = self.cluster.kubectl(&ADMIN);
        ask.args(["get", "configmap", "--ignore-not-found", &marker]);
        ok(&mut ask);
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(self.cluster.directory.join(AUDIT_LOG)).unwrap();
            if log.contains(&marker) {
                // The last line may be half written.
                let whole = log.rfind('\n').map_or(0, |end| end + 1);
                return (log[..whole].to_owned(), marker);
            }
            assert!(began.elapsed() < PATIENCE, "{marker} is not in the log");
            thread::sleep(PAUSE);
        }
    }
}

fn start_etcd(keeper: &Keeper, servers: &Path, directory: &Path, ports: [u16; 3]) -> Process {
    let [clients, peers, _] = ports.map(|port| format!("http://127.0.0.1:{port}"));
    let mut command = Command::new(binaries::path(servers, "etcd"));
    command
        .arg("--data-dir")
        .arg(directory.join("etcd"))
        // What a test writes need not outlive the machine.
        .arg("--unsafe-no-fsync")
        .args(["--listen-client-urls", &clients])
        .args(["--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers])
        .args(["--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("default={peers}")])
        .args(["--log-level", "warn"]);
    Process::start(keeper, "etcd", directory.join("etcd.log"), &mut command)
}

fn start_api_server(
    keeper: &Keeper,
    servers: &Path,
    directory: &Path,
    [etcd, _, port]: [u16; 3],
) -> Process {
    let file = |name: &str| directory.join(name).display().to_string();
    let mut command = Command::new(binaries::path(servers, "kube-apiserver"));
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd}"))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        .arg(format!("--secure-port={port}"))
        .arg(format!("--tls-cert-file={}", file(credentials::SERVER)))
        .arg(format!(
            "--tls-private-key-file={}",
            file(credentials::SERVER_KEY)
        ))
        .arg(format!("--client-ca-file={}", file(credentials::CA)))
        .arg(format!("--token-auth-file={}", file(credentials::TOKENS)))
        .arg("--authorization-mode=RBAC")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(format!(
            "--service-account-key-file={}",
            file(credentials::ACCOUNTS)
        ))
        .arg(format!(
            "--service-account-signing-key-file={}",
            file(credentials::ACCOUNTS_KEY)
        ))
        // Nobody runs the pods, so that no pod shall wait for an account's token.
        .arg("--disable-admission-plugins=ServiceAccount")
        // Nobody reaches it as a service either: it has no address but that of the loopback.
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        .arg("--endpoint-reconciler-type=none")
        .arg(format!("--audit-policy-file={}", file(AUDIT_POLICY)))
        .arg(format!("--audit-log-path={}", file(AUDIT_LOG)))
        .arg("--audit-log-maxsize=1024");
    let log = directory.join("kube-apiserver.log");
    Process::start(keeper, "kube-apiserver", log, &mut command)
}
