//! Where a simulated estate is, and how it is reached from another process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::resource::ObjectName;
use diarchy_simulator::Simulator;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a simulated estate is. Its secrets open nothing but a simulation on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// Microsoft Graph.
    pub graph: String,
    /// Who issues tokens.
    pub authority: String,
    /// The administration service.
    pub admin_service: String,
    /// The certificate that signs theirs, as PEM.
    pub ca: String,
    /// The application's id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: String,
    /// A token for the administration service.
    pub admin_token: String,
}

impl Address {
    /// Where `simulator` is.
    pub fn of(simulator: &Simulator) -> Self {
        Self {
            graph: simulator.graph_endpoint(),
            authority: simulator.authority(),
            admin_service: simulator.admin_service(),
            ca: simulator.ca_pem().to_owned(),
            client_id: simulator.client_id(),
            client_secret: simulator.client_secret(),
            admin_token: simulator.admin_token(),
        }
    }

    /// Whether somebody answers there.
    fn answers(&self) -> bool {
        let port = self
            .graph
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        port.is_some_and(|port: u16| {
            let address = ([127, 0, 0, 1], port).into();
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        })
    }
}

/// Simulated estates that run in a process of their own, with the time that they go by.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    estates: BTreeMap<String, Address>,
    /// What their clock showed …
    showed: Timestamp,
    /// … when this machine's showed this.
    at: Timestamp,
    speed: f64,
}

impl Published {
    /// What to tell other processes.
    pub fn new(addresses: &BTreeMap<ObjectName, Address>, clock: &Clock) -> Self {
        Self {
            estates: addresses
                .iter()
                .map(|(name, address)| (name.to_string(), address.clone()))
                .collect(),
            showed: clock.now(),
            at: Timestamp::now(),
            speed: clock.speed(),
        }
    }

    fn file(folder: &Path) -> PathBuf {
        folder.join("simulator.json")
    }

    /// Tells other processes, which look into the same folder.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(Self::file(folder), serde_json::to_vec_pretty(self)?)
    }

    /// Tells them that it is over.
    pub fn withdraw(folder: &Path) {
        // What is gone already needs no withdrawing.
        let _ = fs::remove_file(Self::file(folder));
    }

    /// The estates that run in another process for the same folder, if they answer.
    pub fn find(folder: &Path) -> Option<Self> {
        let bytes = fs::read(Self::file(folder)).ok()?;
        let published: Self = serde_json::from_slice(&bytes).ok()?;
        published
            .estates
            .values()
            .all(Address::answers)
            .then_some(published)
    }

    /// Where they are.
    pub fn addresses(&self) -> BTreeMap<ObjectName, Address> {
        self.estates
            .iter()
            .filter_map(|(name, address)| {
                let (namespace, name) = name.split_once('/')?;
                Some((ObjectName::new(namespace, name), address.clone()))
            })
            .collect()
    }

    /// A clock that shows the same time as theirs.
    pub fn clock(&self) -> Option<Clock> {
        let passed = Timestamp::now().duration_since(self.at);
        let scaled = std::time::Duration::try_from(passed)
            .ok()?
            .mul_f64(self.speed);
        let now = self.showed.checked_add(scaled).ok()?;
        Clock::scaled(now, self.speed).ok()
    }
}
