//! The command line.

mod cluster;
mod controller;
mod devices;
mod logging;
mod repository;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use diarchy_core::duration::Span;
use diarchy_core::workload::Workload;
use diarchy_simulator::Mishap;

pub use cluster::{Asked, Check, Cluster, Get, History, OfRollout, Pause, Place, Reconcile, Shown};
pub use controller::Controller;
pub use devices::{Devices, Estate, Fleet, Simulation};
pub use logging::Logging;
pub use repository::{Reading, Repository};

/// GitOps for co-managed Windows fleets: who manages which workload on which device, as git says.
#[derive(Debug, Parser)]
#[command(name = "diarchy", version = env!("CARGO_PKG_VERSION"), propagate_version = true)]
#[command(
    after_help = "Exit status: 0 nothing to do or done, 1 differences or not converged, 2 an error.\nEvery error has a code (DIA….) and a page in docs/errors."
)]
pub struct Arguments {
    #[command(flatten)]
    pub logging: Logging,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a repository or a folder: every mistake at once, with file, line and column
    #[command(after_help = VALIDATE_EXAMPLES)]
    Validate(Validate),
    /// Show what a repository would change: device by device, or what a change of revision makes different
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Plan),
    /// Explain why one device is where it is, down to the clause that decides
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Carry a repository out: bring every device to where git wants it, and keep it there
    #[command(after_help = UP_EXAMPLES)]
    Up(Up),
    /// Carry out what the resources of a Kubernetes cluster say, for as long as it runs
    #[command(after_help = controller::EXAMPLES)]
    Controller(Controller),
    /// Show resources, and how far each is
    #[command(after_help = cluster::GET_EXAMPLES)]
    Get(Get),
    /// Show what has happened: the steps of rollouts, and the moves of devices
    #[command(after_help = cluster::HISTORY_EXAMPLES)]
    History(History),
    /// Say yes to what waits for a person
    #[command(after_help = APPROVE_EXAMPLES)]
    Approve(Approve),
    /// Stop carrying a resource out, at once; everything stays where it is
    #[command(after_help = cluster::PAUSE_EXAMPLES)]
    Suspend(Pause),
    /// Carry a resource out again
    #[command(after_help = cluster::PAUSE_EXAMPLES)]
    Resume(Pause),
    /// End the step that a rollout is at, without waiting for its soak and its reports
    #[command(after_help = cluster::ROLLOUT_EXAMPLES)]
    Promote(OfRollout),
    /// Stop a rollout: it halts or goes back, as its `onFailure` says
    #[command(after_help = cluster::ROLLOUT_EXAMPLES)]
    Abort(OfRollout),
    /// Have a rollout go on that has halted or gone back
    #[command(after_help = cluster::ROLLOUT_EXAMPLES)]
    Retry(OfRollout),
    /// Have the loop look now, instead of at its next pass
    #[command(after_help = cluster::RECONCILE_EXAMPLES)]
    Reconcile(Reconcile),
    /// Look at everything that a fleet needs: access, permissions, clocks, certificates, collections
    #[command(after_help = cluster::CHECK_EXAMPLES)]
    Check(Check),
    /// Serve simulated estates that fit a repository, until interrupted
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate(Simulate),
    /// Decide again what was decided before, and say whether it comes out the same
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(Replay),
    /// Work with the devices of an estate
    #[command(subcommand, after_help = INVENTORY_EXAMPLES)]
    Inventory(Inventory),
    /// Print the custom resource definitions, or write them to a folder
    #[command(after_help = "Example:\n  diarchy crds | kubectl apply --server-side -f -")]
    Crds(Crds),
    /// Print a completion script
    #[command(after_help = "Example:\n  diarchy completions bash > /etc/bash_completion.d/diarchy")]
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Fetch one repository, as asked on standard input: what every other command starts for it
    #[command(name = crate::remote::FETCH, hide = true)]
    FetchRepository,
    /// Print the version
    #[command(after_help = "Example:\n  diarchy version -o json")]
    Version {
        /// How to print it
        #[arg(short, long, value_enum, default_value_t = Format::Text)]
        output: Format,
    },
}

const VALIDATE_EXAMPLES: &str = "\
Examples:
  diarchy validate .                          the last commit of the repository around this folder
  diarchy validate . --working-tree           the files as they lie on disk
  diarchy validate . --ref main -o github     annotations for a pull request
  diarchy validate https://git.contoso.com/fleet.git --git-secrets deploy-key

Exit status: 0 valid (warnings do not count), 1 invalid, 2 it cannot be read.";

const PLAN_EXAMPLES: &str = "\
Examples:
  diarchy plan . --inventory devices.ndjson
  diarchy plan . --inventory devices.ndjson.zst --from main -o markdown
  diarchy plan . --inventory devices.ndjson -o json | jq .counts
  diarchy plan . --inventory devices.ndjson --state fleet.state --next
  diarchy plan . --live --secrets secrets     for the devices of the estate as it is now
  diarchy plan -n contoso                     what the controller of a cluster would do

Exit status: 0 nothing would change, 1 something would, 2 an error.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  diarchy explain . LAPTOP-0042 --inventory devices.ndjson
  diarchy explain . LAPTOP-0042 --inventory devices.ndjson --workload ClientApps
  diarchy explain . LAPTOP-0042 --live --secrets secrets
  diarchy explain LAPTOP-0042 -n contoso      as the controller of a cluster sees it";

const APPROVE_EXAMPLES: &str = "\
Examples:
  diarchy approve sha256:2c30… -n contoso
  diarchy approve sha256:2c30… --state fleet.state";

const UP_EXAMPLES: &str = "\
Examples:
  diarchy up . --simulate 1000 --approve --until-converged
  diarchy up . --simulate 1000 --approve --mishap WindowsUpdatePolicies=10%
  diarchy up . --simulate 1000 --state try.state
  diarchy approve DIGEST --state try.state           elsewhere, when a plan waits
  diarchy up /srv/fleet.git --ref main --state fleet.state --secrets secrets
  diarchy up git@git.contoso.com:fleet.git --git-secrets deploy-key --verify-keys signers \\
      --state fleet.state --secrets secrets

Exit status: 0 converged or stopped, 1 not converged in the time allowed, 2 an error.";

const SIMULATE_EXAMPLES: &str = "\
Examples:
  diarchy simulate examples/contoso --devices 1000 --state try.state
  diarchy up examples/contoso --simulate 1000 --state try.state      in another terminal";

const REPLAY_EXAMPLES: &str = "\
Examples:
  diarchy up . --simulate 1000 --approve --record decisions --timeout 1m
  diarchy replay decisions

Exit status: 0 every decision came out the same, byte for byte, 1 one did not, 2 an error.";

const INVENTORY_EXAMPLES: &str = "\
Examples:
  diarchy inventory export . --simulate 1000 > devices.ndjson
  diarchy inventory export . --secrets secrets --zstd -o devices.ndjson.zst";

/// `up`
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    pub repository: Repository,
    #[command(flatten)]
    pub fleet: Fleet,
    /// A branch, a tag or a commit; a branch is followed
    #[arg(long = "ref", value_name = "REV", conflicts_with = "working_tree")]
    pub reference: Option<String>,
    /// How often REPO on another machine is looked at, in real time
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pub git_interval: Span,
    #[command(flatten)]
    pub simulate: Simulation,
    /// What is remembered between runs; without it a simulation ends with the process
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Credentials, as FOLDER/<namespace>/<name>/<key>
    #[arg(long, value_name = "FOLDER", conflicts_with = "simulate")]
    pub secrets: Option<PathBuf>,
    /// Write each decision into this folder with everything it was made from, for `diarchy replay`
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,
    /// Approve whatever waits, as it arises in this run
    #[arg(long)]
    pub approve: bool,
    /// End when every online device is observed where it should be
    #[arg(long)]
    pub until_converged: bool,
    /// Make one pass and end
    #[arg(long, conflicts_with_all = ["until_converged", "timeout"])]
    pub once: bool,
    /// End after this much real time, such as 90s or 10m
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,
    /// How to show what happens
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// `replay`
#[derive(Debug, Args)]
pub struct Replay {
    /// The folder that `up --record` has written
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// How to print what comes of it
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// `approve`
#[derive(Debug, Args)]
pub struct Approve {
    /// What waits, as `up` shows it: sha256:…
    #[arg(value_name = "DIGEST")]
    pub digest: String,
    /// How long it counts, in a cluster
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub expires_in: Span,
    #[command(flatten)]
    pub place: Place,
}

/// `simulate`
#[derive(Debug, Args)]
pub struct Simulate {
    #[command(flatten)]
    pub repository: Repository,
    /// A branch, a tag or a commit
    #[arg(long = "ref", value_name = "REV", conflicts_with = "working_tree")]
    pub reference: Option<String>,
    /// Devices of each fleet
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub devices: u32,
    /// Which simulated estates: two of the same seed are the same
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// How many times faster simulated time runs [default: 1200]
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f64>,
    /// Leave out what a person would have prepared at the site: marks and sliders
    #[arg(long)]
    pub unprepared: bool,
    /// Let a share of the devices fare badly once Intune has a workload of theirs; may be repeated
    ///
    /// KIND is `NotCompliant` (the default: Intune judges them so), `ComplianceError` (Intune cannot
    /// judge them), `ClientUnhealthy`, or `Silent`: they go on reporting that nothing has moved. Such as
    /// `WindowsUpdatePolicies=10%`, or `ClientApps=2.5%:Silent`.
    #[arg(long = "mishap", value_name = "WORKLOAD=SHARE[:KIND]")]
    pub mishaps: Vec<Mishap>,
    /// Keep the worlds beside this state file, where `up --state` finds them
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Write the credentials of the simulated services into this folder
    #[arg(long, value_name = "FOLDER")]
    pub secrets: Option<PathBuf>,
    /// How to print where they are
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// `inventory`
#[derive(Debug, Subcommand)]
pub enum Inventory {
    /// Write a fleet's devices, as both services know them, one JSON object a line
    #[command(after_help = INVENTORY_EXAMPLES)]
    Export(InventoryExport),
}

/// `inventory export`
#[derive(Debug, Args)]
pub struct InventoryExport {
    #[command(flatten)]
    pub repository: Repository,
    #[command(flatten)]
    pub fleet: Fleet,
    /// A branch, a tag or a commit
    #[arg(long = "ref", value_name = "REV", conflicts_with = "working_tree")]
    pub reference: Option<String>,
    #[command(flatten)]
    pub estate: Estate,
    /// Write here instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Compress with zstd
    #[arg(long)]
    pub zstd: bool,
}

/// `validate`
#[derive(Debug, Args)]
pub struct Validate {
    #[command(flatten)]
    pub repository: Repository,
    /// A branch, a tag or a commit
    #[arg(long = "ref", value_name = "REV", conflicts_with = "working_tree")]
    pub reference: Option<String>,
    /// How to print what is found
    #[arg(short, long, value_enum, default_value_t = Findings::Text)]
    pub output: Findings,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Findings {
    /// One line each, with file, line, column, code, problem and remedy
    Text,
    /// One JSON document
    Json,
    /// Workflow commands that annotate a pull request
    Github,
}

/// `plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// A git repository, a folder within one, or its address; without it, what a cluster has
    #[arg(value_name = "REPO")]
    pub place: Option<String>,
    #[command(flatten)]
    pub reading: Reading,
    #[command(flatten)]
    pub fleet: Fleet,
    /// Show what the change from this revision makes different
    #[arg(
        long,
        value_name = "REV",
        conflicts_with = "working_tree",
        requires = "place"
    )]
    pub from: Option<String>,
    /// The revision to plan for
    #[arg(
        long,
        visible_alias = "ref",
        value_name = "REV",
        conflicts_with = "working_tree",
        requires = "place"
    )]
    pub to: Option<String>,
    #[command(flatten)]
    pub devices: Devices,
    #[command(flatten)]
    pub asked: Asked,
    /// Show what the next pass of the loop would do instead of the end state
    #[arg(long, conflicts_with = "from")]
    pub next: bool,
    /// How to print the plan
    #[arg(short, long, value_enum, default_value_t = PlanFormat::Text)]
    pub output: PlanFormat,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Tables
    Text,
    /// One JSON document, stable
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// `explain`
#[derive(Debug, Args)]
#[command(override_usage = "diarchy explain [OPTIONS] [REPO] <DEVICE>")]
pub struct Explain {
    /// The device, by name, serial number or id; before it, a git repository, a folder within one, or its
    /// address: without, what a cluster has is explained
    // Two positions of which the first may be missing are told apart by their number alone: options may
    // stand between them.
    #[arg(value_name = "[REPO] DEVICE", required = true)]
    pub names: Vec<String>,
    #[command(flatten)]
    pub reading: Reading,
    /// Only this workload
    #[arg(long, value_name = "WORKLOAD")]
    pub workload: Option<Workload>,
    #[command(flatten)]
    pub fleet: Fleet,
    /// The revision to explain for
    #[arg(long = "ref", value_name = "REV", conflicts_with = "working_tree")]
    pub reference: Option<String>,
    #[command(flatten)]
    pub devices: Devices,
    #[command(flatten)]
    pub asked: Asked,
    /// How to print the explanation
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// `crds`
#[derive(Debug, Args)]
pub struct Crds {
    /// Write one file each into this folder instead
    #[arg(short, long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
