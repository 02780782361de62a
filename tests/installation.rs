//! A controller that people can ask, through a Service as the chart makes it.

use std::ffi::OsStr;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::diarchy;
use crate::chart::{documents, kind, template};
use crate::cluster::{ADMIN, ALEX, Cluster, Namespace, Person, ok, own};
use crate::deployed::{Controller, Deployment, Tenant, wait};

/// An address of this machine that is not its loopback, which the API server sends nobody to. What is
/// sent there does not leave the machine.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: it only says which address would be used.
    socket.connect("192.0.2.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

/// A control plane of the tests' own: another one may not reach this machine.
pub fn cluster() -> &'static Cluster {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let cluster = own().cluster();
    INSTALLED.get_or_init(|| cluster.install_definitions());
    cluster
}

/// A controller whose Service leads to one of its replicas.
pub struct Installation<'a> {
    pub deployment: Deployment<'a>,
    pub replicas: Vec<(&'static str, Controller)>,
}

impl<'a> Installation<'a> {
    /// A controller of these replicas, which carries out a tenant's resources.
    pub fn of(tenant: &Tenant<'a>, replicas: &[&'static str]) -> Self {
        Self::with(tenant, replicas, &[])
    }

    /// The same, with further arguments.
    pub fn with(tenant: &Tenant<'a>, replicas: &[&'static str], arguments: &[&OsStr]) -> Self {
        let deployment = Deployment::of(cluster(), &[tenant]);
        let own = own_address().to_string();
        let start = |name: &&'static str| {
            let mut command = deployment.command_listening(name, &format!("{own}:0"));
            command.args(["--lease", "6s"]).args(arguments);
            command.env("POD_IP", &own);
            (*name, Controller::start(&mut command))
        };
        let replicas: Vec<_> = replicas.iter().map(start).collect();
        let installation = Self {
            deployment,
            replicas,
        };
        installation.give_rights();
        installation
    }

    fn home(&self) -> &Namespace<'a> {
        &self.deployment.home
    }

    /// The chart's roles for those who ask, and a Service of the chart's form.
    fn give_rights(&self) {
        let home = &self.home().name;
        let watched = format!("watchNamespaces={{{}}}", self.deployment.watched);
        let mut rendered = documents(&template(home, &["--set", &watched]));
        rendered.retain(|one| {
            let name = one["metadata"]["name"].as_str().unwrap();
            ["diarchy-ask", "diarchy-reader"]
                .iter()
                .any(|end| name.ends_with(end))
                || kind(one) == "Service"
        });
        assert_eq!(rendered.len(), 6, "{rendered:#?}");
        for one in &mut rendered {
            if kind(one) == "Service" {
                // Where no pods run, this test says who is behind it.
                one["spec"].as_object_mut().unwrap().remove("selector");
            }
        }
        ok(&mut apply_anywhere(cluster(), self.home(), &rendered));
        let view = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": { "name": "view", "namespace": self.deployment.watched },
            "rules": rules_of_viewers(home),
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": { "name": "view", "namespace": self.deployment.watched },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "view" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": ALEX.name }],
        });
        ok(&mut apply_anywhere(
            cluster(),
            self.home(),
            &[view, binding],
        ));
    }

    /// Has the Service lead to a replica, as the control plane does for pods that are ready.
    pub fn lead_to(&self, replica: &str) {
        let (_, controller) = self
            .replicas
            .iter()
            .find(|(name, _)| *name == replica)
            .unwrap();
        let address = controller.told("questions are answered", "address");
        let (ip, port) = address.rsplit_once(':').unwrap();
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": replica },
            "spec": { "containers": [{ "name": "controller", "image": "diarchy" }] },
        });
        let endpoints = json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": { "name": "diarchy" },
            "subsets": [{
                "addresses": [{
                    "ip": ip,
                    "targetRef": {
                        "kind": "Pod",
                        "name": replica,
                        "namespace": self.home().name,
                    },
                }],
                "ports": [{ "name": "api", "port": port.parse::<u16>().unwrap() }],
            }],
        });
        ok(&mut self.home().apply(&[pod, endpoints]));
        let status = json!({ "status": { "podIP": ip, "podIPs": [{ "ip": ip }] } });
        let mut patch = self.home().kubectl(&ADMIN);
        patch.args([
            "patch",
            "pod",
            replica,
            "--subresource=status",
            "--type=merge",
        ]);
        ok(patch.args(["-p", &status.to_string()]));
    }

    /// `diarchy` as `person` runs it.
    pub fn diarchy(&self, person: &Person, arguments: &[&str]) -> Output {
        self.diarchy_with(&cluster().kubeconfig(person), arguments)
    }

    /// `diarchy` with another kubeconfig.
    pub fn diarchy_with(&self, kubeconfig: &PathBuf, arguments: &[&str]) -> Output {
        let mut command = diarchy();
        command
            .args(arguments)
            .args(["--namespace", &self.deployment.watched])
            .env("KUBECONFIG", kubeconfig)
            .env(
                "DIARCHY_CONTROLLER",
                format!("{}/diarchy", self.home().name),
            );
        command.output().unwrap()
    }

    /// Which replica holds the fleet's estate.
    pub fn holder(&self) -> String {
        wait("a replica that holds the estate", || {
            let mut get = self.home().kubectl(&ADMIN);
            let leases = ok(get.args(["get", "leases", "-o", "json"]));
            let leases: Value = serde_json::from_str(&leases).unwrap();
            let estate = leases["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|lease| lease["metadata"]["labels"]["diarchy.dev/lease"] == "estate");
            let holder = estate.and_then(|lease| lease["spec"]["holderIdentity"].as_str());
            holder.map(str::to_owned).ok_or(leases)
        })
    }
}

fn rules_of_viewers(home: &str) -> Value {
    let roles = documents(&template(home, &[]));
    let view = roles
        .iter()
        .find(|one| one["metadata"]["name"] == "diarchy-view");
    view.unwrap()["rules"].clone()
}

fn apply_anywhere(cluster: &Cluster, files: &Namespace, documents: &[Value]) -> Command {
    let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
    let mut apply = cluster.kubectl(&ADMIN);
    apply.args(["apply", "--server-side", "-f"]);
    apply.arg(files.file(&texts.join("\n---\n")));
    apply
}
