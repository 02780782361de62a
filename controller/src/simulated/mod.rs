//! Simulated estates: one for each fleet of a repository, made to fit it.

mod address;
mod fitting;

pub use address::{Address, Published};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::code::Code;
use diarchy_core::resource::ObjectName;
use diarchy_fleet::graph::{GraphClient, GraphOptions};
use diarchy_fleet::inventory::Estate;
use diarchy_fleet::site::{SiteClient, SiteCredentials, SiteOptions, WRITE_DEADLINE};
use diarchy_fleet::{
    CaBundle, ClientCredentials, ClientProof, Counters, Pace, Secret, Service, TransportOptions,
};
use diarchy_git::LoadedFleet;
use diarchy_operator::connect::{Clients, Connect, Fingerprint};
use diarchy_operator::error::OperatorError;
use diarchy_simulator::{Mishap, Options, Simulator, SimulatorError};
use jiff::Timestamp;

use crate::failure::Failure;

/// When simulated time begins: a Monday morning, so that windows of office hours are open.
pub const BEGINNING: &str = "2026-11-23T08:00:00Z";

/// How fast simulated time runs unless it is told otherwise: an hour in three seconds.
pub const SPEED: f64 = 1200.0;

/// How fast simulated time runs while an estate is only read: next to nothing happens meanwhile, so
/// that two readings of the same seed are the same.
pub const STILL: f64 = 0.001;

/// What the simulated estates are like.
#[derive(Debug, Clone)]
pub struct World {
    /// Devices of each fleet.
    pub devices: u32,
    /// Two worlds of the same seed are the same.
    pub seed: u64,
    /// Leaves out what a person would have prepared.
    pub unprepared: bool,
    /// What befalls devices after a move.
    pub mishaps: Vec<Mishap>,
    /// Whether the services bear any number of requests: in time that stands still no limit would
    /// ever be lifted again.
    pub unlimited: bool,
    /// Where the worlds are kept; without it they end with the process.
    pub folder: Option<PathBuf>,
}

/// The simulated estates that run in this process.
pub struct Simulators {
    running: BTreeMap<ObjectName, Simulator>,
    world: World,
}

impl Simulators {
    /// Starts one for each fleet.
    pub async fn start(
        fleets: &[LoadedFleet],
        world: &World,
        clock: &Clock,
    ) -> Result<Self, Failure> {
        let mut running = BTreeMap::new();
        for fleet in fleets {
            let name = fleet.desired.fleet.clone();
            let setup = fitting::setup(fleet, world);
            for (mishap, why) in fitting::unseen(&setup) {
                tracing::warn!(fleet = %name, %mishap, "no device will show this mishap: {why}");
            }
            let mut options = Options::new(setup, clock.clone());
            if world.unlimited {
                options.limits = fitting::no_limits();
            }
            options.directory = world.folder.as_ref().map(|folder| place(folder, &name));
            let simulator = diarchy_simulator::start(options)
                .await
                .map_err(|error| failed(&error))?;
            running.insert(name, simulator);
        }
        Ok(Self {
            running,
            world: world.clone(),
        })
    }

    /// Has the site's people prepare what a newer revision of the repository asks for.
    pub fn follow(&self, fleets: &[LoadedFleet]) {
        for fleet in fleets {
            let Some(simulator) = self.running.get(&fleet.desired.fleet) else {
                continue;
            };
            let setup = fitting::setup(fleet, &self.world);
            if let Err(error) = simulator.control().prepare(setup) {
                tracing::warn!(%error, "the simulated site was not prepared for this revision");
            }
        }
    }

    /// Where they are and how they are reached.
    pub fn addresses(&self) -> BTreeMap<ObjectName, Address> {
        self.running
            .iter()
            .map(|(name, simulator)| (name.clone(), Address::of(simulator)))
            .collect()
    }

    /// Ends them; what they hold is on disk by then.
    pub async fn shutdown(self) {
        for simulator in self.running.into_values() {
            if let Err(error) = simulator.shutdown().await {
                tracing::warn!(%error, "a simulated estate did not end well");
            }
        }
    }
}

/// The clock of simulated worlds: from where it stood last, or from the beginning.
pub fn clock(fleets: &[LoadedFleet], folder: Option<&Path>, speed: f64) -> Result<Clock, Failure> {
    let mut start: Timestamp = BEGINNING
        .parse()
        .map_err(|_| Failure::argument("the beginning of time cannot be read", "report it"))?;
    for fleet in fleets {
        let Some(folder) = folder else { break };
        let place = place(folder, &fleet.desired.fleet);
        if let Some(last) =
            diarchy_simulator::resume_time(&place).map_err(|error| failed(&error))?
        {
            start = start.max(last);
        }
    }
    Clock::scaled(start, speed)
        .map_err(|error| Failure::argument(error.to_string(), "give --speed such a number"))
}

/// Where simulated worlds are kept: beside the state.
pub fn world_folder(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".world");
    PathBuf::from(name)
}

fn place(folder: &Path, fleet: &ObjectName) -> PathBuf {
    folder.join(&fleet.namespace).join(&fleet.name)
}

fn failed(error: &SimulatorError) -> Failure {
    let remedy = match error {
        SimulatorError::Log(_) | SimulatorError::ClockBehind { .. } => {
            "use the same --simulate, --seed and repository as before, or another --state"
        }
        SimulatorError::OtherMishaps(_) => {
            "leave --mishap out, or give another --state for a world that begins with them"
        }
        _ => "see what it says",
    };
    Failure::new(
        Code::StateNotUsable,
        format!("the simulated estate cannot start: {error}"),
        remedy,
    )
}

/// Reaches simulated estates instead of those that a fleet names.
pub struct SimulatedEstates {
    addresses: BTreeMap<ObjectName, Address>,
    clock: Clock,
    /// How fast it asks; `None` is what suits the real services.
    pace: Option<Pace>,
}

impl SimulatedEstates {
    /// Reaches the estates at `addresses`.
    pub const fn new(addresses: BTreeMap<ObjectName, Address>, clock: Clock) -> Self {
        Self {
            addresses,
            clock,
            pace: None,
        }
    }

    /// Asks as fast as it can: for services without limits.
    pub const fn unpaced(mut self) -> Self {
        self.pace = Some(Pace {
            requests: u32::MAX,
            per: Duration::from_secs(1),
        });
        self
    }
}

impl Connect for SimulatedEstates {
    fn connect(&self, fleet: &LoadedFleet) -> Result<Clients, OperatorError> {
        let name = &fleet.desired.fleet;
        let address = self
            .addresses
            .get(name)
            .ok_or_else(|| OperatorError::SecretMissing {
                what: format!("the simulated estate of fleet {name}"),
                place: "it was not there when the simulation began".to_owned(),
                remedy: "start again".to_owned(),
            })?;
        let transport = |service| -> Result<TransportOptions, OperatorError> {
            let mut options = TransportOptions::for_service(service);
            options.ca_bundle = Some(CaBundle::read(service, address.ca.as_bytes())?);
            if let Some(pace) = self.pace {
                options.pace = pace;
            }
            Ok(options)
        };
        let counters = std::sync::Arc::new(Counters::default());
        let graph = GraphOptions {
            tenant_id: fleet.spec.tenant_id(),
            endpoint: address.graph.clone(),
            authority: address.authority.clone(),
            beta: fleet.spec.intune.beta,
            credentials: ClientCredentials {
                client_id: address.client_id.clone(),
                proof: ClientProof::Secret(Secret::new(address.client_secret.clone())),
            },
            transport: transport(Service::Graph)?,
        };
        let site = SiteOptions {
            write_deadline: WRITE_DEADLINE,
            admin_service: vec![address.admin_service.clone()],
            credentials: SiteCredentials::Token(Secret::new(address.admin_token.clone())),
            transport: transport(Service::AdminService)?,
        };
        Ok(Clients {
            estate: Estate {
                graph: GraphClient::new(&graph, &self.clock, &counters)?,
                site: SiteClient::new(&site, &self.clock, &counters)?,
                clock: self.clock.clone(),
            },
            fingerprint: Fingerprint::of([], ""),
        })
    }

    /// The credentials of a simulation stay.
    fn renew(
        &self,
        _fleet: &LoadedFleet,
        _known: &Fingerprint,
    ) -> Result<Option<Clients>, OperatorError> {
        Ok(None)
    }
}
