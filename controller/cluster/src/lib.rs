//! Diarchy in a Kubernetes cluster: the API server as the loop's control plane.
//!
//! What users apply is watched and assembled into what decisions need; the loop of
//! `diarchy-operator` makes its passes over it; what it remembers, asks and reports goes back to the
//! API server. Nothing is decided here.

mod backoff;
mod controller;
mod credentials;
mod error;
mod finalizers;
mod fleet_task;
mod holds;
pub mod in_words;
mod known_statuses;
mod lease;
mod loops;
mod named;
mod objects;
mod orphans;
mod plane;
mod read_api;
mod records;
mod settling;
mod snapshot;
mod sources;
mod statuses;
mod supervisor;
mod tenant;
mod wanted;

pub use controller::{Questions, Setup, client, run};
pub use error::ClusterError;
pub use lease::Timing;
pub use objects::Scope;
pub use settling::SETTLE;
pub use sources::SourceSetup;
