//! One fleet, pass after pass, whatever the control plane: the loop that both ways of running share.

use diarchy_clock::Clock;
use diarchy_core::code::Code;
use diarchy_crds::fleet::FleetSpec;
use diarchy_fleet::inventory::Estate;
use diarchy_fleet::site::lever::LeverMemory;
use diarchy_git::LoadedFleet;

use crate::connect::Connect;
use crate::context::FleetPass;
use crate::control_plane::{ControlPlane, Loaded};
use crate::error::OperatorError;
use crate::report::FleetReport;
use crate::revert::{self, Existing};

/// What the passes over all fleets share.
pub struct Ground<'a, P> {
    /// Where what is known is kept.
    pub plane: &'a P,
    /// The clock that everything goes by.
    pub clock: &'a Clock,
    /// How services are reached.
    pub connect: &'a dyn Connect,
    /// Whether what waits is approved as it arises.
    pub approve: bool,
}

/// One fleet between its passes: the clients of its services, and what the lever remembers.
#[derive(Default)]
pub struct FleetLoop {
    connected: Option<Connected>,
    has_looked: bool,
}

/// The clients of one fleet's services, and what they were made for.
struct Connected {
    spec: FleetSpec,
    estate: Estate,
    lever: LeverMemory,
}

impl FleetLoop {
    /// Makes one pass over `fleet`, as git has it at `revision`, with the assignments that exist.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`] when what was decided could not be stored, and others when its
    /// services cannot be reached at all. Services that fail are in the report.
    pub async fn pass<P: ControlPlane>(
        &mut self,
        ground: &Ground<'_, P>,
        fleet: &LoadedFleet,
        revision: &str,
        existing: &Existing,
    ) -> Result<FleetReport, OperatorError> {
        let mut connected = match self.connected.take() {
            Some(connected) if connected.spec == fleet.spec => connected,
            _ => Connected {
                spec: fleet.spec.clone(),
                estate: ground.connect.connect(fleet)?,
                lever: LeverMemory::default(),
            },
        };
        let name = &fleet.desired.fleet;
        let Loaded {
            installation,
            mut memory,
            approval,
            statuses,
        } = ground.plane.load(name).await?;
        let before = memory.clone();
        revert::note(&fleet.desired, existing, &mut memory);
        if memory != before {
            ground.plane.remember(name, &memory).await?;
        }
        let (desired, uids) = revert::with_stand_ins(&fleet.desired, &existing.uids, &memory);
        let (desired, uids) = (desired.into_owned(), uids.into_owned());
        let pass = FleetPass {
            fleet,
            desired: &desired,
            revision,
            estate: &connected.estate,
            plane: ground.plane,
            installation: &installation,
            clock: ground.clock,
            uids: &uids,
            approve: ground.approve,
            is_first: !self.has_looked,
        };
        let report = pass
            .run(memory, approval.as_ref(), &statuses, &mut connected.lever)
            .await;
        self.has_looked |= report.as_ref().is_ok_and(|report| report.has_read_rules);
        // Refused credentials may have been rotated: the next pass reads them again.
        if !report.as_ref().is_ok_and(has_refused_credentials) {
            self.connected = Some(connected);
        }
        report
    }
}

fn has_refused_credentials(report: &FleetReport) -> bool {
    let refused = Code::EstateRefused.to_string();
    report
        .problems
        .iter()
        .any(|problem| problem.starts_with(&refused))
}
