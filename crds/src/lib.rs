//! The API of Diarchy: every kind as Rust types, the way from documents to decisions, and the
//! custom resource definitions that a cluster needs.
//!
//! Specs are read strictly in shape and leniently in form: an unknown field or a wrong type ends
//! the reading, while everything that a text says wrongly is found at once by [`GitKind::interpret`].

#![expect(
    clippy::duplicated_attributes,
    reason = "each printer column is an attribute, and all have the same keys"
)]

pub mod approval;
pub mod co_management_policy;
pub mod device_group;
pub mod fleet;
pub mod fleet_record;
pub mod generate;
pub mod git_source;
pub mod guardrails;
mod interpret;
pub mod manifest;
pub mod per_workload;
mod present;
pub mod reference;
pub mod requires;
pub mod rollout;
mod rules;
pub mod schema;
pub mod selector;
pub mod status;
pub mod text;
pub mod workload_assignment;

pub use approval::Approval;
pub use co_management_policy::CoManagementPolicy;
pub use device_group::DeviceGroup;
pub use fleet::Fleet;
pub use fleet_record::FleetRecord;
pub use git_source::GitSource;
pub use interpret::is_loopback;
pub use manifest::{GitKind, Manifest, Metadata};
pub use workload_assignment::WorkloadAssignment;
