//! What is asked about: a cluster, or the state of a loop without one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use diarchy_core::duration::Span;
use diarchy_core::resource::Kind;

use super::Format;

pub const GET_EXAMPLES: &str = "\
Examples:
  diarchy get                                 the namespace of the kubeconfig
  diarchy get assignments -n contoso -o json
  diarchy get --state fleet.state             what a loop without a cluster has reported";

pub const HISTORY_EXAMPLES: &str = "\
Examples:
  diarchy history -n contoso                  every assignment of the fleet of that namespace
  diarchy history assignment/updates --state fleet.state
  diarchy history device/LAPTOP-0042 -n contoso
  diarchy history -n contoso -o json > history.json
  diarchy history --trail --state fleet.state > trail.ndjson    the whole audit trail

Kept are the last steps of each rollout and the last moves of up to 20,000 devices. The whole audit
trail is in the state file; in a cluster it is in the log of the controller, as `diarchy::audit`.";

pub const PAUSE_EXAMPLES: &str = "\
Examples:
  diarchy suspend fleet/contoso -n contoso
  diarchy suspend assignment/updates --state fleet.state
  diarchy resume assignment/updates --state fleet.state";

pub const ROLLOUT_EXAMPLES: &str = "\
Examples:
  diarchy promote assignment/updates -n contoso
  diarchy abort updates --state fleet.state
  diarchy retry updates --state fleet.state

The next step of a rollout with `approval: Required` is begun by `diarchy approve` alone.";

pub const RECONCILE_EXAMPLES: &str = "\
Examples:
  diarchy reconcile fleet/contoso -n contoso --wait
  diarchy reconcile source/platform           fetch the repository now
  diarchy reconcile fleet/contoso --state fleet.state

Exit status: 0 asked for or ready, 1 it was looked at with --wait and is not ready, 2 an error.";

pub const CHECK_EXAMPLES: &str = "\
Examples:
  diarchy check -n contoso                    the fleet of that namespace, by its controller
  diarchy check . --secrets secrets           the estate that a repository's fleet names, from here
  diarchy check examples/contoso --simulate 100

Exit status: 0 all is well (notices do not count), 1 something is not, 2 an error.";

/// Which cluster.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Cluster {
    /// The context of the kubeconfig; default: its current one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace; default: that of the context
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

/// Who answers questions about a fleet in a cluster.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Asked {
    #[command(flatten)]
    pub cluster: Cluster,
    /// The Service of the controller, as NAMESPACE/NAME
    #[arg(
        long,
        value_name = "SERVICE",
        env = "DIARCHY_CONTROLLER",
        default_value = "diarchy-system/diarchy"
    )]
    pub controller: String,
    /// The service account whose token is borrowed where the kubeconfig has a client certificate and
    /// no token, as NAMESPACE/NAME; default: SERVICE with `-reader`
    #[arg(long, value_name = "ACCOUNT", env = "DIARCHY_ACCOUNT")]
    pub account: Option<String>,
}

/// A cluster, or the state of a loop without one.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// The state file of a loop, instead of a cluster
    #[arg(long, value_name = "FILE", conflicts_with_all = ["context", "namespace"])]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub cluster: Cluster,
}

/// `get`
#[derive(Debug, Args)]
pub struct Get {
    /// Which kind; default: all
    #[arg(value_name = "KIND", value_enum)]
    pub kind: Option<Shown>,
    /// Only the one of this name
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// In every namespace of the cluster
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "state"])]
    pub all_namespaces: bool,
    #[command(flatten)]
    pub place: Place,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// `history`
#[derive(Debug, Args)]
pub struct History {
    /// Of what: assignment/NAME or device/NAME; default: of every assignment
    #[arg(value_name = "KIND/NAME")]
    pub what: Option<String>,
    /// The state file of a loop, instead of a cluster
    #[arg(long, value_name = "FILE", conflicts_with_all = ["context", "namespace"])]
    pub state: Option<PathBuf>,
    /// Print the whole audit trail, a line of JSON for each entry
    #[arg(long, requires = "state", conflicts_with_all = ["what", "output"])]
    pub trail: bool,
    #[command(flatten)]
    pub fleet: super::Fleet,
    #[command(flatten)]
    pub asked: Asked,
    /// How to print it; as JSON it has the devices too
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// A kind that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shown {
    /// Fleets
    #[value(alias = "fleet", alias = "fl")]
    Fleets,
    /// Where the sliders stand
    #[value(alias = "policy", alias = "cmp")]
    Policies,
    /// Groups of devices
    #[value(alias = "group", alias = "dg")]
    Groups,
    /// Who has authority over what
    #[value(alias = "assignment", alias = "wa")]
    Assignments,
    /// What people have approved
    #[value(alias = "approval", alias = "ap")]
    Approvals,
    /// Repositories that are applied
    #[value(alias = "source", alias = "gs")]
    Sources,
}

impl Shown {
    /// Each of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Sources,
        Self::Fleets,
        Self::Policies,
        Self::Groups,
        Self::Assignments,
        Self::Approvals,
    ];

    /// The kind of the API.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Fleets => Kind::Fleet,
            Self::Policies => Kind::CoManagementPolicy,
            Self::Groups => Kind::DeviceGroup,
            Self::Assignments => Kind::WorkloadAssignment,
            Self::Approvals => Kind::Approval,
            Self::Sources => Kind::GitSource,
        }
    }
}

/// `suspend` and `resume`
#[derive(Debug, Args)]
pub struct Pause {
    /// What: fleet/NAME, assignment/NAME or source/NAME
    #[arg(value_name = "KIND/NAME")]
    pub what: String,
    #[command(flatten)]
    pub place: Place,
}

/// `promote`, `abort` and `retry`
#[derive(Debug, Args)]
pub struct OfRollout {
    /// Whose rollout: assignment/NAME, or NAME
    #[arg(value_name = "ASSIGNMENT")]
    pub what: String,
    #[command(flatten)]
    pub place: Place,
}

/// `reconcile`
#[derive(Debug, Args)]
pub struct Reconcile {
    /// What: fleet/NAME, assignment/NAME or source/NAME
    #[arg(value_name = "KIND/NAME")]
    pub what: String,
    /// Wait until it has been done, and say whether it is ready
    #[arg(long)]
    pub wait: bool,
    /// Wait no longer than this much real time
    #[arg(long, value_name = "DURATION", default_value = "5m", requires = "wait")]
    pub timeout: Span,
    #[command(flatten)]
    pub place: Place,
}

/// `check`
#[derive(Debug, Args)]
pub struct Check {
    /// A repository whose fleet is to be checked from here; without it, by the controller of a cluster
    #[arg(value_name = "REPO")]
    pub place: Option<String>,
    #[command(flatten)]
    pub reading: super::repository::Reading,
    #[command(flatten)]
    pub fleet: super::Fleet,
    /// A revision of REPO
    #[arg(
        long = "ref",
        value_name = "REV",
        conflicts_with = "working_tree",
        requires = "place"
    )]
    pub reference: Option<String>,
    #[command(flatten)]
    pub estate: super::Estate,
    #[command(flatten)]
    pub asked: Asked,
    /// How to print what is found
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}
