//! One fleet, pass after pass, whatever the control plane: the loop that both ways of running share.

use diarchy_clock::Clock;
use diarchy_core::last_pass::LastPass;
use diarchy_crds::fleet::FleetSpec;
use diarchy_fleet::site::lever::LeverMemory;
use diarchy_git::LoadedFleet;
use jiff::{SignedDuration, Timestamp};

use crate::connect::{Clients, Connect};
use crate::context::FleetPass;
pub use crate::context::Revision;
use crate::control_plane::{ControlPlane, Loaded};
use crate::error::OperatorError;
use crate::record::Recorder;
use crate::report::FleetReport;
use crate::revert::{self, Existing};
use crate::rollouts::{self, Outlook};

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
    /// Where decisions are written down, if they are.
    pub recorder: Option<&'a Recorder>,
}

/// One fleet between its passes: the clients of its services, and what the lever remembers.
#[derive(Default)]
pub struct FleetLoop {
    connected: Option<Connected>,
    has_looked: bool,
    /// When the last pass decided.
    looked: Option<Timestamp>,
}

/// What a pass over one fleet comes to.
#[derive(Debug)]
pub struct Passed {
    /// What it found and did.
    pub report: FleetReport,
    /// What it has decided from.
    pub last: LastPass,
}

/// The clients of one fleet's services, and what they were made for.
struct Connected {
    spec: FleetSpec,
    clients: Clients,
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
        revision: Revision<'_>,
        existing: &Existing,
    ) -> Result<Passed, OperatorError> {
        let mut connected = self.connected(ground.connect, fleet)?;
        let name = &fleet.desired.fleet;
        let Loaded {
            installation,
            mut memory,
            approvals,
            statuses,
        } = ground.plane.load(name).await?;
        let before = memory.clone();
        revert::note(&fleet.desired, existing, &mut memory);
        let (said, now) = (&existing.said, ground.clock.now());
        rollouts::restore(&fleet.desired, &statuses, said, &mut memory, now);
        if memory != before {
            ground.plane.remember(name, &memory).await?;
        }
        let (desired, uids) = revert::with_stand_ins(&fleet.desired, &existing.uids, &memory);
        let (desired, uids) = (desired.into_owned(), uids.into_owned());
        let pass = FleetPass {
            fleet,
            desired: &desired,
            revision,
            estate: &connected.clients.estate,
            plane: ground.plane,
            installation: &installation,
            clock: ground.clock,
            uids: &uids,
            approve: ground.approve,
            recorder: ground.recorder,
            is_first: !self.has_looked,
            outlook: Outlook {
                said: &existing.said,
                last: self.looked,
                interval: SignedDuration::try_from(fleet.spec.interval())
                    .unwrap_or(SignedDuration::MAX),
            },
        };
        // On the heap: it is large, and callers hold it among futures of their own.
        let run = pass.run(memory, &approvals, &statuses, &mut connected.lever);
        let made = Box::pin(run).await;
        self.connected = Some(connected);
        let (report, considered, judged) = made?;
        self.has_looked |= report.has_read_rules;
        self.looked = Some(considered.at);
        Ok(Passed {
            report,
            last: LastPass {
                inventory: considered.inventory,
                admitted: considered.admitted,
                end_state: considered.end_state,
                circumstances: considered.circumstances,
                history: considered.history,
                at: considered.at,
                revision: revision.shown.to_owned(),
                desired: judged,
            },
        })
    }

    /// The clients of the fleet's services: those of the last pass, unless the fleet says something
    /// else, or its credentials have changed. Clients whose credentials were refused are kept too:
    /// they know, and do not try them again.
    fn connected(
        &mut self,
        connect: &dyn Connect,
        fleet: &LoadedFleet,
    ) -> Result<Connected, OperatorError> {
        let known = self.connected.take();
        let Some(mut connected) = known.filter(|connected| connected.spec == fleet.spec) else {
            return Ok(Connected {
                spec: fleet.spec.clone(),
                clients: connect.connect(fleet)?,
                lever: LeverMemory::default(),
            });
        };
        match connect.renew(fleet, &connected.clients.fingerprint) {
            Ok(None) => {}
            Ok(Some(clients)) => {
                tracing::info!(fleet = %fleet.desired.fleet, "the credentials have changed");
                connected.clients = clients;
            }
            Err(error) => {
                // What cannot be read now may be as it was at the next pass.
                self.connected = Some(connected);
                return Err(error);
            }
        }
        Ok(connected)
    }
}
