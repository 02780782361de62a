//! Which fleet, which devices, and where they come from.

use std::path::PathBuf;

use clap::Args;
use diarchy_simulator::Mishap;
use jiff::Timestamp;

use crate::failure::Failure;

/// Which fleet of the repository is meant.
#[derive(Debug, Clone, Args)]
pub struct Fleet {
    /// Which fleet, by name or namespace/name, when the repository has several
    #[arg(long = "fleet", value_name = "NAME")]
    pub fleet: Option<String>,
}

/// Which devices there are.
#[derive(Debug, Args)]
pub struct Devices {
    #[command(flatten)]
    pub source: DeviceSource,
    /// Which simulated estate: two of the same seed are the same
    // `requires` alone lets `--inventory` stand for `--simulate`, since only one of them can be given.
    #[arg(
        long,
        value_name = "SEED",
        default_value_t = 1,
        requires = "simulate",
        conflicts_with = "inventory"
    )]
    pub seed: u64,
    /// Credentials, as FOLDER/<namespace>/<name>/<key>
    #[arg(long, value_name = "FOLDER", requires = "live")]
    pub secrets: Option<PathBuf>,
    /// The time to decide for; the present without it, or that of the simulation
    #[arg(long, value_name = "TIME")]
    pub now: Option<Timestamp>,
    /// The state file of the loop: what it remembers, and the simulated estate beside it
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// Where devices come from.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct DeviceSource {
    /// An inventory file, as `inventory export` writes it; may be compressed with zstd or gzip
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// A simulated estate with so many devices
    #[arg(long, value_name = "N")]
    pub simulate: Option<u32>,
    /// The estate that the fleet names, read now
    #[arg(long)]
    pub live: bool,
}

impl Devices {
    /// Devices must come from somewhere.
    pub fn some_for_repository(&self) -> Result<(), Failure> {
        let DeviceSource {
            inventory,
            simulate,
            live,
        } = &self.source;
        if inventory.is_some() || simulate.is_some() || *live {
            return Ok(());
        }
        Err(Failure::argument(
            "nothing says which devices there are",
            "give --inventory FILE, --simulate N, or --live for the estate itself",
        ))
    }

    /// The controller of a cluster knows the devices.
    pub fn none_for_cluster(&self) -> Result<(), Failure> {
        let source = &self.source;
        let given = [
            (source.inventory.is_some(), "--inventory"),
            (source.simulate.is_some(), "--simulate"),
            (source.live, "--live"),
            (self.state.is_some(), "--state"),
            (self.now.is_some(), "--now"),
        ];
        match given.iter().find(|(is_given, _)| *is_given) {
            None => Ok(()),
            Some((_, option)) => Err(Failure::argument(
                format!("{option} is for the resources of a repository"),
                "give REPO, or leave the option out to ask a cluster",
            )),
        }
    }

    /// The estate to read, where no file is given.
    pub fn estate(&self) -> Estate {
        Estate {
            simulate: self.source.simulate,
            seed: self.seed,
            secrets: self.secrets.clone(),
            state: self.state.clone(),
        }
    }
}

/// An estate to read.
#[derive(Debug, Args)]
pub struct Estate {
    /// A simulated estate with so many devices, instead of the one that the fleet names
    #[arg(long, value_name = "N")]
    pub simulate: Option<u32>,
    /// Which simulated estate: two of the same seed are the same
    #[arg(long, value_name = "SEED", default_value_t = 1, requires = "simulate")]
    pub seed: u64,
    /// Credentials, as FOLDER/<namespace>/<name>/<key>
    #[arg(long, value_name = "FOLDER", conflicts_with = "simulate")]
    pub secrets: Option<PathBuf>,
    /// The state file of the loop: what it remembers, and the simulated estate beside it
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// Simulated estates for a running loop.
#[derive(Debug, Args)]
pub struct Simulation {
    /// Simulated estates with so many devices, instead of those that the fleets name
    #[arg(long, value_name = "N")]
    pub simulate: Option<u32>,
    /// Which simulated estates: two of the same seed are the same
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// How many times faster simulated time runs [default: 1200]
    #[arg(long, value_name = "FACTOR", requires = "simulate")]
    pub speed: Option<f64>,
    /// Leave out what a person would have prepared at the site: marks and sliders
    #[arg(long, requires = "simulate")]
    pub unprepared: bool,
    /// Let a share of the devices fare badly once Intune has a workload of theirs; may be repeated
    ///
    /// KIND is `NotCompliant` (the default: Intune judges them so), `ComplianceError` (Intune cannot
    /// judge them), `ClientUnhealthy`, or `Silent`: they go on reporting that nothing has moved. Such as
    /// `WindowsUpdatePolicies=10%`, or `ClientApps=2.5%:Silent`.
    #[arg(
        long = "mishap",
        value_name = "WORKLOAD=SHARE[:KIND]",
        requires = "simulate"
    )]
    pub mishaps: Vec<Mishap>,
}
