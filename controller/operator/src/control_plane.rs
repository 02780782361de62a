//! Where the loop keeps what it knows: a state file, or a cluster.
//!
//! A pass decides from what was loaded before it began, and stores what it decided before the first
//! request leaves. Nothing in between asks or tells the control plane anything, but for the journal
//! of the writes themselves.

use std::collections::BTreeMap;

use diarchy_core::resource::{Kind, ObjectName};
use serde_json::Value;

use crate::audit::Entry;
use crate::error::OperatorError;
use crate::memory::FleetMemory;
use crate::store::GivenApproval;

/// Statuses by kind and name, as the control plane has them.
pub type Statuses = BTreeMap<(Kind, ObjectName), Value>;

/// What a pass over one fleet begins with.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The id of this installation, under which it claims fleets.
    pub installation: String,
    /// What is remembered of the fleet.
    pub memory: FleetMemory,
    /// The last yes to each plan and step that waits by that memory.
    pub approvals: Vec<GivenApproval>,
    /// The last reported statuses of the fleet and all that belongs to it.
    pub statuses: Statuses,
}

/// A resource's status that is to be reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The resource's kind.
    pub kind: Kind,
    /// Its name.
    pub name: ObjectName,
    /// The status.
    pub status: Value,
}

/// Where the loop keeps what it knows.
///
/// Every method fails with [`OperatorError::State`] when what it is about cannot be read or is not
/// stored; then the pass ends, and what it has not sent yet is not sent.
pub trait ControlPlane: Send + Sync {
    /// What a pass over `fleet` begins with.
    fn load(
        &self,
        fleet: &ObjectName,
    ) -> impl Future<Output = Result<Loaded, OperatorError>> + Send;

    /// Remembers a fleet: durably, before this returns.
    fn remember(
        &self,
        fleet: &ObjectName,
        memory: &FleetMemory,
    ) -> impl Future<Output = Result<(), OperatorError>> + Send;

    /// Notes the yes that a run was told to give by itself.
    fn approve(
        &self,
        approval: &GivenApproval,
    ) -> impl Future<Output = Result<(), OperatorError>> + Send;

    /// Whether this process may still send something to the estate: asked before each request.
    ///
    /// # Errors
    ///
    /// [`OperatorError::NotHolder`] when another process may be the one to send it by then.
    fn may_send(&self) -> Result<(), OperatorError> {
        Ok(())
    }

    /// Appends to the audit trail: durably, before this returns.
    fn audit(&self, entries: &[Entry]) -> impl Future<Output = Result<(), OperatorError>> + Send;

    /// Reports statuses. One that says the same as before is not written again.
    fn report(
        &self,
        reports: Vec<Report>,
    ) -> impl Future<Output = Result<(), OperatorError>> + Send;
}
