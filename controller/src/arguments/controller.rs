//! How the controller of a cluster is run.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use diarchy_core::duration::Span;

pub const EXAMPLES: &str = "\
Examples:
  diarchy controller --namespace diarchy-system             what the chart runs in the cluster
  diarchy controller --namespace diarchy-system --watch-namespaces contoso,fabrikam
  KUBECONFIG=admin.conf diarchy controller --namespace diarchy-system --log info

It runs until it is interrupted or terminated; a pass under way is made to its end.
Exit status: 0 it was stopped, 2 an error.";

/// How the controller of a cluster is run.
#[derive(Debug, Args)]
pub struct Controller {
    /// The namespace that the controller itself is installed in, where its Leases are
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE")]
    pub namespace: String,
    /// What tells this replica from others; default: a name of its own
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub replica: Option<String>,
    /// Look at these namespaces only; default: at every one
    #[arg(
        long,
        value_name = "NAMESPACE,…",
        value_delimiter = ',',
        env = "DIARCHY_WATCH_NAMESPACES"
    )]
    pub watch_namespaces: Vec<String>,
    /// The hosts that credentials may be sent to, such as `*.contoso.com,graph.microsoft.com`; default: all
    #[arg(
        long,
        value_name = "HOST,…",
        value_delimiter = ',',
        env = "DIARCHY_ALLOWED_ENDPOINTS"
    )]
    pub allowed_endpoints: Vec<String>,
    /// The folder that repositories are fetched into; default: one for temporary files
    #[arg(long, value_name = "FOLDER", env = "DIARCHY_MIRRORS")]
    pub mirrors: Option<PathBuf>,
    /// Write each decision into this folder with everything it was made from, for `diarchy replay`
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,
    /// Where `/livez`, `/readyz` and `/metrics` are answered
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Where questions about fleets are answered, over TLS
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub api_listen: SocketAddr,
    /// The address at which other replicas reach this one; default: the one that it listens at
    #[arg(long, value_name = "IP", env = "POD_IP")]
    pub api_address: Option<IpAddr>,
    /// Go by the time of the simulated estates that run for this folder
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub world: Option<PathBuf>,
    /// How long nothing must change before what was applied is carried out
    #[arg(long, value_name = "DURATION", hide = true)]
    pub settle: Option<Span>,
    /// How long a Lease is held for
    #[arg(long, value_name = "DURATION", hide = true)]
    pub lease: Option<Span>,
}
