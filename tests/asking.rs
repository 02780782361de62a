//! Questions about a fleet, asked as people ask them: through the API server, of any replica.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::bench::{diarchy, stderr, stdout};
use crate::chart::{documents, kind, template};
use crate::cluster::{ADELE, ADMIN, ALEX, Cluster, LEE, Namespace, Person, ok, own};
use crate::deployed::{Controller, Deployment, Tenant, wait};
use crate::site::Site;

/// An address of this machine that is not its loopback, which the API server sends nobody to. What is
/// sent there does not leave the machine.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: it only says which address would be used.
    socket.connect("192.0.2.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

/// A control plane of the tests' own: another one may not reach this machine.
fn cluster() -> &'static Cluster {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let cluster = own().cluster();
    INSTALLED.get_or_init(|| cluster.install_definitions());
    cluster
}

/// What an address answers, as it is sent.
fn http_get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    let (_, body) = told.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

/// A controller whose Service leads to one of its replicas.
struct Installation<'a> {
    deployment: Deployment<'a>,
    replicas: Vec<(&'static str, Controller)>,
}

impl<'a> Installation<'a> {
    fn of(tenant: &Tenant<'a>, replicas: &[&'static str]) -> Self {
        let deployment = Deployment::of(cluster(), &[tenant]);
        let own = own_address().to_string();
        let start = |name: &&'static str| {
            let mut command = deployment.command_listening(name, &format!("{own}:0"));
            command.args(["--lease", "6s"]).env("POD_IP", &own);
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
    fn lead_to(&self, replica: &str) {
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
    fn diarchy(&self, person: &Person, arguments: &[&str]) -> Output {
        self.diarchy_with(&cluster().kubeconfig(person), arguments)
    }

    fn diarchy_with(&self, kubeconfig: &PathBuf, arguments: &[&str]) -> Output {
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
    fn holder(&self) -> String {
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

fn json_of(output: &Output) -> Value {
    assert!(output.status.code() < Some(2), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn who_may_look_is_told_of_devices_by_whichever_replica_is_asked() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one", "two"]);
    tenant.apply();
    let digest = tenant.waiting();

    let holder = installation.holder();
    let mut answers = Vec::new();
    for replica in ["one", "two"] {
        installation.lead_to(replica);
        let plan = installation.diarchy(&ALEX, &["plan", "-o", "json"]);
        assert_eq!(plan.status.code(), Some(1), "{replica}: {}", stderr(&plan));
        let plan = json_of(&plan);
        assert_eq!(
            plan["standing"]["waiting"]["digest"], digest,
            "{replica}, of {holder}"
        );
        answers.push((plan["digest"].clone(), plan["counts"].clone()));
    }
    assert_eq!(answers[0], answers[1]);

    // For people: what waits, and how to say yes.
    let told = stdout(&installation.diarchy(&ALEX, &["plan"]));
    let namespace = &tenant.namespace.name;
    let yes = format!("diarchy approve {digest} -n {namespace}");
    assert!(told.contains(&yes), "{told}");
    assert!(
        told.starts_with(&format!("Fleet {namespace}/contoso at ")),
        "{told}"
    );

    let plan = json_of(&installation.diarchy(&ALEX, &["plan", "-o", "json"]));
    let device = plan["changes"][0]["device"].as_str().unwrap();
    let explained = json_of(&installation.diarchy(&ALEX, &["explain", device, "-o", "json"]));
    assert_eq!(explained["device"], device);
    let workload = plan["changes"][0]["workload"].as_str().unwrap();
    let one = ["explain", device, "--workload", workload];
    let told = stdout(&installation.diarchy(&ALEX, &one));
    assert!(
        told.contains(workload) && told.contains("desired"),
        "{told}"
    );

    // Badly, on purpose.
    for (person, arguments, code) in [
        (&ALEX, &["explain", "NOBODY"][..], "DIA2008"),
        (&LEE, &["explain", device], "DIA2303"),
        (&LEE, &["plan"], "DIA2303"),
        (&ALEX, &["plan", "--fleet", "fabrikam"], "DIA2304"),
        (
            &ALEX,
            &["plan", "--controller", "default/diarchy"],
            "DIA2305",
        ),
        (&ALEX, &["plan", "--controller", "diarchy"], "DIA2012"),
        (&ALEX, &["plan", "--simulate", "10"], "DIA2012"),
    ] {
        // Who may not list fleets must say which.
        let fleet = ["--fleet", "contoso"];
        let named = person.name == LEE.name;
        let all = [arguments, if named { &fleet[..] } else { &[] }].concat();
        let refused = installation.diarchy(person, &all);
        let told = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(code), "{arguments:?}: {told}");
        assert!(!told.contains("  "), "{arguments:?}: {told}");
    }

    // Who signs in with a certificate borrows a token, if they may.
    let certificate = cluster().kubeconfig_with_certificate();
    let plan = installation.diarchy_with(&certificate, &["plan", "-o", "json"]);
    assert_eq!(json_of(&plan)["digest"], answers[0].0);
    for (_, controller) in &installation.replicas {
        assert!(
            !controller.log().contains("\"ERROR\""),
            "{}",
            controller.log()
        );
    }
}

#[test]
fn people_approve_stop_and_ask_for_a_look() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one"]);
    tenant.apply();
    let digest = tenant.waiting();
    let as_admin = |arguments: &[&str]| installation.diarchy(&ADMIN, arguments);

    let other = format!("sha256:{}", "0a".repeat(32));
    let refused = as_admin(&["approve", &other]);
    assert!(stderr(&refused).contains("DIA2011"), "{}", stderr(&refused));
    let refused = installation.diarchy(&ADELE, &["approve", &digest]);
    assert!(
        stderr(&refused).contains("forbidden"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(site.rules_written(), 0, "somebody was moved without a yes");
    let approved = as_admin(&["approve", &digest, "--expires-in", "30d"]);
    assert!(approved.status.success(), "{}", stderr(&approved));
    tenant.wait_for_condition("Converged", "fleet/contoso");

    let looked = as_admin(&["reconcile", "fleet/contoso", "--wait"]);
    assert!(looked.status.success(), "{}", stderr(&looked));
    assert_eq!(stdout(&looked), "Fleet contoso was looked at.\n");
    for (verb, is_paused) in [("suspend", true), ("resume", false)] {
        let done = as_admin(&[verb, "assignment/updates"]);
        assert!(done.status.success(), "{}", stderr(&done));
        let paused = tenant.namespace.get("workloadassignment", "updates");
        let annotation = &paused["metadata"]["annotations"]["diarchy.dev/paused"];
        assert_eq!(annotation == "true", is_paused, "{paused:#}");
    }
    let refused = as_admin(&["suspend", "fleet/nobody"]);
    assert!(stderr(&refused).contains("DIA2301"), "{}", stderr(&refused));

    let told = stdout(&as_admin(&["get", "fleets"]));
    assert!(told.contains("fleet/contoso  True   True"), "{told}");
    let all = json_of(&as_admin(&["get", "-o", "json"]));
    let kinds: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    for kind in ["Fleet", "DeviceGroup", "WorkloadAssignment", "Approval"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

#[test]
fn a_preflight_finds_what_is_missing() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one"]);
    installation.lead_to("one");
    tenant.apply();
    tenant.waiting();
    let check = |person| installation.diarchy(person, &["check", "-o", "json"]);
    let states = |checks: &Value, state: &str| -> Vec<String> {
        let all = checks.as_array().unwrap().iter();
        all.filter(|check| check["state"] == state)
            .map(|check| check["what"].as_str().unwrap().to_owned())
            .collect()
    };
    let well = check(&ADMIN);
    assert_eq!(well.status.code(), Some(0), "{}", stdout(&well));
    let well = json_of(&well);
    let found = states(&well, "well");
    for what in [
        "API server",
        "Credentials",
        "Microsoft Graph",
        "AdminService",
        "Clock of AdminService",
        "MDM authority",
        "Site",
        "Claim",
    ] {
        assert!(found.iter().any(|one| one == what), "{what}: {well:#}");
    }
    assert!(
        found.iter().any(|one| one.starts_with("Collection ")),
        "{well:#}"
    );
    // Who may look and nothing else is told so, and that is no failure.
    let looked = check(&ALEX);
    assert_eq!(looked.status.code(), Some(0), "{}", stderr(&looked));
    assert_eq!(
        states(&json_of(&looked), "notice"),
        ["Right to suspend, resume and reconcile", "Right to approve"]
    );

    let mut delete = tenant.kubectl();
    ok(delete.args(["delete", "secret", "graph-app"]));
    wait("a Secret that is missing", || {
        let ill = json_of(&check(&ADMIN));
        let failed = states(&ill, "failed");
        (failed == ["Credentials"]).then_some(()).ok_or(ill)
    });
    let told = stdout(&installation.diarchy(&ADMIN, &["check"]));
    assert!(
        told.contains("✗  Credentials") && told.contains("DIA2010"),
        "{told}"
    );
}

#[test]
fn metrics_tell_of_passes_and_of_nobody_by_name() {
    let site = Site::open();
    let tenant = Tenant::of(cluster(), &site);
    let installation = Installation::of(&tenant, &["one"]);
    tenant.carry_out();
    let (_, controller) = &installation.replicas[0];
    let address = controller.told("health is told", "address");
    let namespace = &tenant.namespace.name;
    let told = wait("metrics of a fleet that has converged", || {
        let told = http_get(&address, "/metrics");
        let line =
            format!("diarchy_fleet_converged{{namespace=\"{namespace}\",fleet=\"contoso\"}} 1");
        told.contains(&line)
            .then_some(told.clone())
            .ok_or(told.into())
    });
    let value = |name: &str| -> f64 {
        let of = format!("{name}{{namespace=\"{namespace}\",fleet=\"contoso\"}} ");
        let line = told.lines().find_map(|line| line.strip_prefix(&of));
        line.unwrap_or_else(|| panic!("{name}: {told}"))
            .parse()
            .unwrap()
    };
    assert!(
        value("diarchy_membership_changes_sent_total") > 0.0,
        "{told}"
    );
    assert!(value("diarchy_pass_duration_seconds_count") > 1.0, "{told}");
    assert!(value("diarchy_fleet_devices") > 0.0, "{told}");
    assert!(told.ends_with("# EOF\n"), "{told}");
    // Nothing else is told apart: no device and nobody.
    let labels = told
        .split(['{', ','])
        .filter_map(|text| text.split_once("=\""));
    for (label, _) in labels {
        let known = ["namespace", "fleet", "workload", "state", "le"];
        assert!(known.contains(&label), "{label}: {told}");
    }
}
