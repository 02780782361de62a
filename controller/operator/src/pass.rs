//! One pass over one fleet: read, decide, write, report.

use diarchy_core::circumstances::Circumstances;
use diarchy_core::decision::Decision;
use diarchy_core::engine::{Admitted, Engine};
use diarchy_core::inference;
use diarchy_core::inventory::{Device, Inventory};
use diarchy_core::rollout::Survey;
use diarchy_core::steps::steps;
use diarchy_core::workload::Staged;
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::join::{JoinOptions, JoinReport, join};
use diarchy_fleet::site::lever::LeverMemory;
use diarchy_fleet::site::pilot::PilotState;
use jiff::{SignedDuration, Timestamp};

use crate::audit::Event;
use crate::context::{Decided, FleetPass};
use crate::control_plane::{ControlPlane, Statuses};
use crate::error::OperatorError;
use crate::footprint::{self, Footprint};
use crate::gather;
use crate::hold;
use crate::memory::{FleetMemory, Sizes};
use crate::people::{Notes, People};
use crate::report::FleetReport;
use crate::revert;
use crate::site_rules::SiteRules;
use crate::store::GivenApproval;
use crate::{circumstances, rollouts, status, summary, write};

/// What a pass has decided from, besides what was asked.
pub struct Considered {
    /// What was known of the devices.
    pub inventory: Inventory,
    /// Whom the rollouts had admitted.
    pub admitted: Admitted,
    /// Whom they would have admitted at their ends.
    pub end_state: Admitted,
    /// What was found to keep devices from moving.
    pub circumstances: Circumstances,
    /// The moment that was decided for.
    pub at: Timestamp,
}

impl<P: ControlPlane> FleetPass<'_, P> {
    /// Reads, decides, writes, reports. Gives what it has decided from, too.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`] when what was decided could not be stored: then nothing was sent, or
    /// nothing more.
    pub async fn run(
        &self,
        mut memory: FleetMemory,
        approvals: &[GivenApproval],
        statuses: &Statuses,
        lever: &mut LeverMemory,
    ) -> Result<(FleetReport, Considered), OperatorError> {
        let desired = self.desired;
        let before = memory.clone();
        let readings = self.estate.read(&gather::request(desired)).await;
        let rules = match &readings.site.state {
            Ok(state) => {
                revert::forget(state, &mut memory);
                lever.forget(state);
                SiteRules::new(state, lever)
            }
            Err(_) => SiteRules::default(),
        };
        let (devices, found) = self.join(&readings, &mut memory);
        let sizes = complete(&readings).then(|| Sizes::of(&devices));
        let shown = self.shown(&devices, found.enrollment.scheduled, &memory);
        let inventory = Inventory::new(devices).map_err(|error| self.impossible(&error))?;
        let mut people = self.people(approvals);
        self.compare(&inventory, &readings, &rules, &mut memory, &mut people);
        let decided = self.decide(
            &inventory,
            &readings,
            sizes,
            rules,
            &mut memory,
            &mut people,
        );
        let due = write::due(&decided, &readings, &mut memory);
        // Before anything is sent: should this process end in the middle, the next one knows that it
        // was its own doing.
        if let Some(footprint) = &mut memory.footprint {
            footprint.touch(decided.engine.inventory(), &due.steps);
        }
        self.store(people.notes, &before, &memory).await?;
        let before = memory.clone();
        let written = write::carry_out(self, &decided, &due, &readings, &mut memory, lever).await?;
        let notes = Notes {
            entries: summary::observed(self, &decided.engine, &mut memory),
            ..Notes::default()
        };
        self.store(notes, &before, &memory).await?;
        let report = summary::report(self, &decided, &readings, &memory, lever, &written, &shown);
        let reports = status::reports(
            &status::Known {
                decided: &decided,
                readings: &readings,
                found: &found,
                memory: &memory,
                shown: &shown,
                report: &report,
            },
            statuses,
        );
        self.plane.report(reports).await?;
        let left = write::left(&decided.engine, &mut memory);
        let circumstances = circumstances::found(&decided, &readings, &memory, &shown, left);
        let at = decided.engine.now();
        let end_state = decided.end_state;
        let admitted = decided.engine.into_admitted();
        Ok((
            report,
            Considered {
                inventory,
                admitted,
                end_state,
                circumstances,
                at,
            },
        ))
    }

    /// Stores what was noted and what is remembered now, if that is something else than `before`.
    pub(crate) async fn store(
        &self,
        notes: Notes,
        before: &FleetMemory,
        memory: &FleetMemory,
    ) -> Result<(), OperatorError> {
        for given in &notes.given {
            self.plane.approve(given).await?;
        }
        self.plane.audit(&notes.entries).await?;
        if memory != before {
            self.plane.remember(&self.desired.fleet, memory).await?;
        }
        Ok(())
    }

    /// Compares what the site has with what is remembered to have been done, where nothing but memory
    /// can tell; remembers what it has now.
    fn compare(
        &self,
        inventory: &Inventory,
        readings: &Readings,
        rules: &SiteRules,
        memory: &mut FleetMemory,
        people: &mut People<'_>,
    ) {
        // A footprint of what was not read would be none, and the next process would miss all of it.
        if !footprint::is_seen(readings) {
            return;
        }
        if self.is_first {
            let devices = footprint::unexplained(inventory, rules, memory);
            if devices > 0 {
                people
                    .notes
                    .entries
                    .push(self.entry(people.now, Event::Forgotten { devices }));
                memory.forget_end_state();
            }
        }
        memory.footprint = Some(Footprint::of(inventory, rules));
    }

    fn people<'p>(&'p self, approvals: &'p [GivenApproval]) -> People<'p> {
        People {
            fleet: &self.desired.fleet,
            revision: self.revision,
            installation: self.installation,
            approvals,
            approves: self.approve,
            now: self.clock.now(),
            notes: Notes::default(),
        }
    }

    /// Both inventories as one, with everything that is inferred or remembered of the devices.
    fn join(&self, readings: &Readings, memory: &mut FleetMemory) -> (Vec<Device>, JoinReport) {
        let desired = self.desired;
        let span = |length| SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        let joined = join(
            readings,
            &JoinOptions {
                request: &gather::request(desired),
                uids: self.uids,
                now: self.clock.now(),
                online_within: span(desired.online_within),
                stale_after: span(desired.stale_after),
            },
        );
        let mut devices = joined.devices;
        memory.identities.carry(&mut devices);
        if let Some(policy) = &desired.policy {
            let in_flight = memory.in_flight(self.clock.now());
            inference::infer_enrolled_first(policy, &mut devices, &in_flight);
        }
        (devices, joined.report)
    }

    fn shown(
        &self,
        devices: &[Device],
        scheduled: Option<u64>,
        memory: &FleetMemory,
    ) -> summary::Shown {
        let desired = self.desired;
        let in_flight = memory.in_flight(self.clock.now());
        summary::Shown::new(desired, devices, scheduled, &in_flight)
    }

    fn decide<'i>(
        &'i self,
        inventory: &'i Inventory,
        readings: &Readings,
        sizes: Option<Sizes>,
        rules: SiteRules,
        memory: &mut FleetMemory,
        people: &mut People<'_>,
    ) -> Decided<'i> {
        let desired = self.desired;
        let now = self.clock.now();
        let engine = Engine::new(desired, inventory, now);
        let is_outside = |row, workload| {
            let resource = inventory.resource_id(row);
            resource.is_some_and(|resource| rules.is_outside(Staged::Workload(workload), resource))
        };
        let decision = rollouts::decide(engine, memory, self.outlook, &is_outside, people);
        let is_whole = is_whole(readings, sizes);
        let judged = (&decision.end, &decision.returning);
        let acceptance = hold::settle(&decision.engine, judged, is_whole, memory, people);
        let cleared = decision.cleared_now(&acceptance.cleared);
        let under_way = rules.under_way(desired, inventory, self.uids);
        let Decision {
            engine,
            survey,
            now: plan,
            ..
        } = decision;
        let steps = steps(&engine, &under_way, &cleared, &plan.hand_overs);
        let wants_to_write = !steps.is_empty() || !acceptance.enrolling.is_empty();
        let hold = hold::hold(&engine, readings, sizes, wants_to_write, memory, people);
        Decided {
            plan,
            end_state: Survey::end_state(&engine, &survey.rollouts),
            moves: survey.moves,
            engine,
            acceptance,
            steps,
            rules,
            hold,
        }
    }

    fn impossible(&self, error: &dyn std::error::Error) -> OperatorError {
        OperatorError::Internal(format!("fleet {}: {error}", self.name()))
    }
}

/// Whether everything that was asked for was read, and both services know devices.
fn is_whole(readings: &Readings, sizes: Option<Sizes>) -> bool {
    let both_know_devices = sizes.is_some_and(|sizes| sizes.site > 0 && sizes.intune > 0);
    let pilots = summary::pilot_states(readings);
    let all_pilots_read = pilots
        .values()
        .all(|state| !matches!(state, PilotState::Unreadable(_)));
    both_know_devices && all_pilots_read && readings.failures().is_empty()
}

/// Whether both services have told all their devices.
fn complete(readings: &Readings) -> bool {
    readings.site.systems.is_ok() && readings.graph.managed_devices.is_ok()
}
