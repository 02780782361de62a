//! An estate that the test itself serves, so that it can make services fail and do what people do.
//!
//! The binary reaches it as it does one of `diarchy simulate`, on the same fast clock; or as it would
//! a real one, by the addresses in its Fleet, with credentials from a folder, on the machine's clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_simulator::{
    Act, Behaviour, Cause, Control, Entry, Latency, Limits, Options, Setup, SignIn, Simulator,
    Span, Workload,
};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::bench::{copy_example, diarchy, stderr};
use crate::repository::Repository;
use crate::running::Running;

const DEVICES: u32 = 60;
/// How fast the fast clock runs: an hour in three seconds.
pub const SPEED: f64 = 1200.0;
/// An office, as a collection of people's.
const OFFICE: &str = "PS100030";
/// A group in Entra.
const BOARD: &str = "3f8c1d52-6b0e-4a7d-9c41-52e7a90b6d18";

/// The pilot collection of `WindowsUpdatePolicies`, in [`RESOURCES`].
pub const PILOT: &str = "PS100022";

/// What the repository asks for, besides the Fleet: selectors that ask for a value, and selectors
/// that ask for its absence, of everything that is read of a device.
const RESOURCES: &str = include_str!("estates/resources.yaml");

/// A served estate, and a repository and credentials that fit it.
pub struct Site {
    pub repository: Repository,
    pub control: Control,
    clock: Clock,
    folder: TempDir,
    // Before the runtime, which it runs on.
    simulator: Simulator,
    _runtime: Runtime,
}

impl Site {
    /// An estate on a fast clock.
    pub fn open() -> Self {
        Self::behaving(Behaviour::default())
    }

    /// The same, with other answers to open questions about the services.
    pub fn behaving(behaviour: Behaviour) -> Self {
        let monday = "2026-11-23T08:00:00Z".parse().unwrap();
        let mut options = Options::new(setup(), Clock::scaled(monday, SPEED).unwrap());
        options.behaviour = behaviour;
        Self::serve(options)
    }

    /// An estate on the machine's clock, where things take milliseconds.
    pub fn real() -> Self {
        Self::letting_in(SignIn::default())
    }

    /// The same, whose site lets callers in like this.
    pub fn letting_in(sign_in: SignIn) -> Self {
        let mut options = Options::new(setup(), Clock::system());
        options.latency = quick();
        options.limits = unlimited();
        options.sign_in = sign_in;
        Self::serve(options)
    }

    /// The estate of `examples/contoso`, on a fast clock, and the example as it lies on disk but for
    /// the addresses in its Fleet. It is in no repository.
    pub fn of_example() -> Self {
        let monday = "2026-11-23T08:00:00Z".parse().unwrap();
        let mut setup = setup().with_pilot(Workload::DeviceConfiguration, "PS100021");
        setup.workloads.remove(&Workload::ClientApps);
        let options = Options::new(setup, Clock::scaled(monday, SPEED).unwrap());
        let site = Self::serve_for(options, Repository::folder());
        let (repository, simulator) = (&site.repository, &site.simulator);
        copy_example(repository.path());
        let service = simulator.admin_service();
        repository.edit(
            "fleet.yaml",
            "https://cm01.contoso.com/AdminService",
            &service,
        );
        let tenant = "  intune:\n";
        let addresses = format!(
            "{tenant}    endpoint: \"{}\"\n    authority: \"{}\"\n",
            simulator.graph_endpoint(),
            simulator.authority()
        );
        repository.edit("fleet.yaml", tenant, &addresses);
        site
    }

    fn serve(options: Options) -> Self {
        let site = Self::serve_for(options, Repository::empty());
        let repository = &site.repository;
        repository.write("fleet.yaml", fleet(&site.simulator, &site.clock));
        repository.write("resources.yaml", RESOURCES);
        repository.commit();
        site
    }

    fn serve_for(options: Options, repository: Repository) -> Self {
        // Every test of this binary installs it; all but the first are told so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let clock = options.clock.clone();
        let simulator = runtime.block_on(diarchy_simulator::start(options)).unwrap();
        let control = simulator.control();
        for device in 0..DEVICES {
            // Who is away would be waited for. Some are not in the site at all.
            let online = true;
            let _ = control.act(Act::SetPresence { device, online });
        }
        let site = Self {
            repository,
            control,
            clock,
            folder: tempfile::tempdir().unwrap(),
            simulator,
            _runtime: runtime,
        };
        site.write_secrets();
        site
    }

    fn write_secrets(&self) {
        let simulator = &self.simulator;
        for (key, text) in [
            ("cm-admin/username", simulator.admin_user()),
            ("cm-admin/password", simulator.admin_password()),
            ("cm-ca/ca.crt", simulator.ca_pem().to_owned()),
            ("graph-app/clientId", simulator.client_id()),
            ("graph-app/clientSecret", simulator.client_secret()),
        ] {
            self.write_secret(key, &text);
        }
    }

    /// Writes a credential, such as `graph-app/clientId`.
    pub fn write_secret(&self, key: &str, text: &str) {
        let file = self.secret(key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Takes a credential away.
    pub fn remove_secret(&self, key: &str) {
        fs::remove_file(self.secret(key)).unwrap();
    }

    /// The estate itself.
    pub const fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    pub fn secrets(&self) -> PathBuf {
        self.folder.path().join("secrets")
    }

    /// The file of a credential, such as `graph-app/clientId`.
    pub fn secret(&self, key: &str) -> PathBuf {
        self.secrets().join("contoso").join(key)
    }

    /// A state file by its name.
    pub fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The loop on this estate, not started, with a state file of this name.
    pub fn up(&self, state: &str) -> Command {
        self.publish(&self.state(state));
        let mut command = self.loop_with(state);
        command.args(["--simulate", &DEVICES.to_string()]);
        command
    }

    /// The same on an estate that it takes for a real one.
    pub fn up_real(&self, state: &str) -> Command {
        let mut command = self.loop_with(state);
        command
            .arg("--secrets")
            .arg(self.secrets())
            // A real Graph is trusted by what the machine trusts; this one by its own root.
            .env("SSL_CERT_FILE", self.secret("cm-ca/ca.crt"));
        command
    }

    fn loop_with(&self, state: &str) -> Command {
        let mut command = diarchy();
        command
            .arg("up")
            .arg(self.repository.path())
            .arg("--state")
            .arg(self.state(state));
        command
    }

    /// A folder from which other processes know this estate's time.
    pub fn world(&self) -> PathBuf {
        self.publish(&self.state("controller"))
    }

    /// The time of the estate.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Tells a loop with this state where the estate is, as `diarchy simulate` does.
    fn publish(&self, state: &Path) -> PathBuf {
        let mut folder = state.as_os_str().to_owned();
        folder.push(".world");
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder).unwrap();
        let simulator = &self.simulator;
        let published = json!({
            "estates": { "contoso/contoso": {
                "graph": simulator.graph_endpoint(),
                "authority": simulator.authority(),
                "adminService": simulator.admin_service(),
                "ca": simulator.ca_pem(),
                "clientId": simulator.client_id(),
                "clientSecret": simulator.client_secret(),
                "adminToken": simulator.admin_token(),
            } },
            "showed": self.clock.now(),
            "at": Timestamp::now(),
            "speed": self.clock.speed(),
        });
        fs::write(folder.join("simulator.json"), published.to_string()).unwrap();
        folder
    }

    /// The loop, running, which has carried out the repository after a person's yes.
    pub fn carried_out(&self) -> Running {
        let mut running = Running::start(&mut self.up("state"));
        let report = running.wait_for("a first plan that waits", |report| {
            !report["fleets"][0]["waiting"].is_null()
        });
        approve(&self.state("state"), &report);
        running.wait_for(
            "the repository to be carried out",
            crate::running::is_converged,
        );
        assert!(self.rules_written() > 0, "nobody was moved");
        running
    }

    /// Everything that was written to the site so far, people's acts left out.
    pub fn writes(&self) -> Vec<Entry> {
        let mut log = self.control.log();
        log.retain(|entry| matches!(entry.cause, Cause::Write { .. }));
        log
    }

    /// How many writes changed the rules of a collection.
    pub fn rules_written(&self) -> usize {
        crate::world::rule_changes(&self.writes())
    }

    /// The members of every pilot collection.
    pub fn members(&self) -> Vec<Vec<u32>> {
        ["PS100022", "PS100023", "PS100024", "PS100025"]
            .iter()
            .map(|pilot| self.control.members(pilot).unwrap())
            .collect()
    }

    /// Asserts that nothing is held against whoever wrote.
    pub fn assert_clean(&self) {
        let verdict = self.control.judge();
        assert!(verdict.is_clean(), "{verdict:#?}");
    }
}

/// Says yes to what waits by this report.
pub fn approve(state: &Path, report: &serde_json::Value) {
    let digest = report["fleets"][0]["waiting"]["digest"].as_str().unwrap();
    let output = try_approve(state, digest);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// Says yes to a digest.
pub fn try_approve(state: &Path, digest: &str) -> Output {
    diarchy()
        .args(["approve", digest, "--state"])
        .arg(state)
        .output()
        .unwrap()
}

fn setup() -> Setup {
    let mut setup = Setup::new(7, DEVICES)
        .with_pilot(Workload::WindowsUpdatePolicies, PILOT)
        .with_pilot(Workload::EndpointProtection, "PS100023")
        .with_pilot(Workload::OfficeClickToRun, "PS100024")
        .with_pilot(Workload::ClientApps, "PS100025");
    setup.workloads.insert(
        Workload::CompliancePolicies,
        diarchy_simulator::SliderSetup {
            slider: diarchy_simulator::Slider::Intune,
            pilot_collection: None,
        },
    );
    setup.collections.push(OFFICE.to_owned());
    setup.entra_groups.push(BOARD.to_owned());
    setup
}

fn quick() -> Latency {
    let span = |from, to| Span {
        from: Duration::from_millis(from),
        to: Duration::from_millis(to),
    };
    Latency {
        collection_evaluation: span(20, 100),
        incremental_evaluation: Duration::from_secs(1),
        policy_poll: Duration::from_millis(300),
        policy_evaluation: span(10, 50),
        switch_sync: span(10, 50),
        sync_interval: Duration::from_millis(500),
        state_message: span(10, 50),
        comeback: span(10, 50),
    }
}

/// A loop without a pause would meet the published limits.
fn unlimited() -> Limits {
    let most = 1_000_000;
    Limits {
        graph_devices: most,
        graph_devices_writes: most,
        graph_other: most,
        graph_other_writes: most,
        graph_global: most,
        admin_service: most,
        ..Limits::default()
    }
}

fn fleet(simulator: &Simulator, clock: &Clock) -> String {
    format!(
        r#"
apiVersion: diarchy.dev/v1alpha1
kind: Fleet
metadata: {{ name: contoso, namespace: contoso }}
spec:
  configurationManager:
    adminService: [ "{site}" ]
    siteCode: PS1
    caBundleRef: {{ name: cm-ca }}
    credentialsRef: {{ name: cm-admin }}
  intune:
    tenantId: 7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10
    endpoint: "{graph}"
    authority: "{authority}"
    credentialsRef: {{ name: graph-app }}
  inventory: {{ interval: {interval} }}
  guardrails: {{ maxChangedDevices: 100%, maxLeaving: 100% }}
"#,
        interval = if clock.speed() > 1.0 { "5m" } else { "200ms" },
        site = simulator.admin_service(),
        graph = simulator.graph_endpoint(),
        authority = simulator.authority(),
    )
}
