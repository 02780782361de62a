//! `GitSource` objects: what git has is delivered into their namespaces, and kept so.
//!
//! A revision is fetched, judged as a whole, and only then applied, object by object, with the rights
//! of a service account of that namespace. Nothing here decides about devices: what is applied is
//! watched back like everything else.

mod apply;
mod content;
mod difference;
mod error;
mod events;
mod field_managers;
mod field_path;
mod half;
mod held;
mod impersonation;
mod live;
mod look;
mod mirrors;
mod recall;
mod signed;
mod status;
mod task;
mod wanted;
mod work;

use std::path::PathBuf;

use diarchy_fleet::endpoints::AllowedEndpoints;
use diarchy_git::Fetcher;
use kube::Client;

use crate::credentials::Credentials;
use crate::holds::Holds;
use crate::objects::Objects;
use crate::statuses::Reporter;

pub(crate) use difference::REVISION;
pub(crate) use half::half_applied;
pub(crate) use held::Sources;
pub(crate) use signed::signers;

/// What sources are fetched with.
pub struct SourceSetup {
    /// How a repository is fetched: by a process of its own.
    pub fetcher: Fetcher,
    /// The folder that mirrors are kept in.
    pub mirrors: PathBuf,
}

/// What the loops of all sources share.
pub(crate) struct SourcesShared {
    /// The API server, with the controller's own rights.
    pub client: Client,
    /// What the cluster holds.
    pub objects: Objects,
    /// What this replica holds.
    pub holds: Holds,
    /// Where statuses and events go.
    pub reporter: Reporter,
    /// Where credentials and trusted keys are.
    pub credentials: Credentials,
    /// Where repositories may be, if not everywhere.
    pub allowed: Option<AllowedEndpoints>,
    /// What sources are fetched with.
    pub setup: SourceSetup,
}
