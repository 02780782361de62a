//! One pass over one fleet: read, decide, write, report.

use std::collections::BTreeMap;

use diarchy_core::circumstances::Circumstances;
use diarchy_core::desired::{AssignmentIndex, Desired};
use diarchy_core::due::Due;
use diarchy_core::engine::Admitted;
use diarchy_core::history::History;
use diarchy_core::identity::Identities;
use diarchy_core::inference;
use diarchy_core::inventory::{Device, Inventory};
use diarchy_core::obstacle::Obstacle;
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::join::{JoinOptions, JoinReport, join};
use diarchy_fleet::site::lever::LeverMemory;
use jiff::{SignedDuration, Timestamp};

use crate::audit::Event;
use crate::context::{Decided, FleetPass};
use crate::control_plane::{ControlPlane, Statuses};
use crate::decide::Basis;
use crate::error::OperatorError;
use crate::footprint::{self, Footprint};
use crate::gather;
use crate::hold::Hold;
use crate::memory::{FleetMemory, Sizes};
use crate::people::{Notes, People};
use crate::record::{self, Inputs};
use crate::report::FleetReport;
use crate::requirements;
use crate::revert;
use crate::sight::{self, Sight};
use crate::site_rules::SiteRules;
use crate::store::GivenApproval;
use crate::{circumstances, drift, history, status, summary, write};

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
    /// What has happened lately.
    pub history: History,
    /// The moment that was decided for.
    pub at: Timestamp,
}

/// What a pass has seen of the estate.
struct Seen {
    readings: Readings,
    found: JoinReport,
    shown: summary::Shown,
}

impl<P: ControlPlane> FleetPass<'_, P> {
    /// Reads, decides, writes, reports. Gives what it has decided from, too, and what git asks as far as
    /// what that requires is ready.
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
    ) -> Result<(FleetReport, Considered, Desired), OperatorError> {
        let before = memory.clone();
        let readings = self.estate.read(&gather::request(self.desired)).await;
        let mut people = self.people(approvals);
        requirements::attest(self.desired, self.uids, &mut memory, &mut people);
        let found = &readings.graph.required;
        let said = self.outlook.said;
        let desired =
            requirements::judge(self.desired, found, self.uids, said, &memory, &|_| false);
        requirements::note(&desired, &mut memory, &mut people);
        let judged = FleetPass {
            desired: &desired,
            ..*self
        };
        let remembered = (before, memory);
        let run = judged.go_on(remembered, readings, people, statuses, lever);
        let (report, considered) = run.await?;
        Ok((report, considered, desired))
    }

    /// The same, once it is known what is ready. `remembered` is what was remembered before the pass, and
    /// what is now.
    async fn go_on(
        &self,
        remembered: (FleetMemory, FleetMemory),
        readings: Readings,
        mut people: People<'_>,
        statuses: &Statuses,
        lever: &mut LeverMemory,
    ) -> Result<(FleetReport, Considered), OperatorError> {
        let (before, mut memory) = remembered;
        let rules = match &readings.site.state {
            Ok(state) => {
                // Beside a pilot that cannot be read, collections may be missing that there are.
                if sight::are_pilots_read(&readings) {
                    revert::forget(state, &mut memory);
                    lever.forget(state);
                }
                SiteRules::new(state, lever)
            }
            Err(_) => SiteRules::default(),
        };
        let (devices, found) = self.join(&readings, &mut memory);
        let sizes = sight::are_devices_read(&readings).then(|| Sizes::of(&devices));
        let shown = self.shown(&devices, found.enrollment.scheduled, &memory);
        let for_record = self.recorder.map(|_| devices.clone());
        let inventory = Inventory::new(devices).map_err(|error| self.impossible(&error))?;
        let sight = Sight::new(&readings, sizes, shown.contradicted(), rules);
        let basis = Basis {
            desired: self.desired,
            inventory: &inventory,
            outlook: self.outlook,
            uids: self.uids,
            sight: &sight,
        };
        // A footprint of what was not read would be none, and the next process would miss all of it.
        let is_seen = footprint::is_seen(&readings, memory.footprint.as_ref());
        if is_seen {
            self.compare(&inventory, &sight.rules, &mut memory, &mut people);
        }
        let inputs = for_record.map(|devices| Inputs::new(&basis, &people, devices, &memory));
        let mut decided = basis.decide(&mut memory, &mut people);
        let due = sight.due(&decided);
        if let Some(inputs) = inputs {
            self.record(inputs, &decided, &due, &memory, &mut people)?;
        }
        // An inventory that lost its devices says nothing about where they are.
        let is_shrunk = matches!(decided.hold, Some(Hold::Shrunk { .. }));
        if is_seen && !is_shrunk {
            let known = &before.identities;
            self.look_for_drift(&decided, &shown, known, &mut memory, &mut people);
        }
        history::keep(&mut memory.history, &inventory, &people.notes.entries);
        // Before anything is sent: should this process end in the middle, the next one knows that it
        // was its own doing.
        if let Some(footprint) = &mut memory.footprint {
            footprint.touch(decided.engine.inventory(), &due.steps);
        }
        if due.changes > 0 {
            memory.will_send(decided.engine.now(), due.changes);
        }
        self.store(people.notes, &before, &memory).await?;
        let before = memory.clone();
        let seen = Seen {
            readings,
            found,
            shown,
        };
        let written =
            write::carry_out(self, &decided, &due, &seen.readings, &mut memory, lever).await?;
        let observed = summary::observed(self, &decided.engine, &mut memory);
        history::keep(&mut memory.history, &inventory, &observed);
        let notes = Notes {
            entries: observed,
            ..Notes::default()
        };
        self.store(notes, &before, &memory).await?;
        let told = (&written, &*lever, statuses);
        let (report, circumstances) = self.tell(&mut decided, &seen, &mut memory, told).await?;
        let at = decided.engine.now();
        let history = std::mem::take(&mut memory.history);
        let end_state = decided.end_state;
        let admitted = decided.engine.into_admitted();
        Ok((
            report,
            Considered {
                inventory,
                admitted,
                end_state,
                circumstances,
                history,
                at,
            },
        ))
    }

    /// Says what has come of the pass, to whoever watches and in statuses.
    async fn tell(
        &self,
        decided: &mut Decided<'_>,
        seen: &Seen,
        memory: &mut FleetMemory,
        (written, lever, statuses): (&write::Written, &LeverMemory, &Statuses),
    ) -> Result<(FleetReport, Circumstances), OperatorError> {
        let Seen {
            readings,
            found,
            shown,
        } = seen;
        let report = summary::report(self, decided, readings, memory, lever, written, shown);
        let circumstances = circumstances::found(decided, readings, memory, shown);
        let waits = waits(decided, &circumstances);
        let known = status::Known {
            decided,
            readings,
            found,
            memory,
            shown,
            report: &report,
            waits: &waits,
        };
        let reports = status::reports(&known, statuses);
        self.plane.report(reports).await?;
        Ok((report, circumstances))
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
    /// can tell.
    fn compare(
        &self,
        inventory: &Inventory,
        rules: &SiteRules,
        memory: &mut FleetMemory,
        people: &mut People<'_>,
    ) {
        if !self.is_first {
            return;
        }
        let devices = footprint::unexplained(inventory, rules, memory);
        if devices > 0 {
            people
                .notes
                .entries
                .push(self.entry(people.now, Event::Forgotten { devices }));
            memory.forget_end_state();
            // What is older than what was done tells nobody's doing from the loop's own.
            memory.footprint = None;
        }
    }

    /// Finds what somebody else has changed since the last pass, and remembers how devices stand now.
    fn look_for_drift(
        &self,
        decided: &Decided<'_>,
        shown: &summary::Shown,
        known: &Identities,
        memory: &mut FleetMemory,
        people: &mut People<'_>,
    ) {
        let (engine, rules) = (&decided.engine, &decided.sight.rules);
        let before = memory.footprint.take();
        let seen = drift::Seen {
            engine,
            rules,
            shown,
            before: before.as_ref(),
            known,
        };
        let entry = |event| self.entry(engine.now(), event);
        drift::note(&seen, memory, &mut people.notes, entry);
        memory.footprint = Some(Footprint::of(engine, rules, before.as_ref()));
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

    fn people<'b>(&'b self, approvals: &'b [GivenApproval]) -> People<'b> {
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

    /// Writes down what was decided and from what, and notes it in the audit trail.
    fn record(
        &self,
        inputs: Inputs,
        decided: &Decided<'_>,
        due: &Due,
        memory: &FleetMemory,
        people: &mut People<'_>,
    ) -> Result<(), OperatorError> {
        let Some(recorder) = self.recorder else {
            return Ok(());
        };
        let outcome = record::outcome(decided, due, memory);
        let outcome = outcome.map_err(|error| self.impossible(&error))?;
        let written = recorder.record(inputs, outcome);
        let written = written.map_err(|error| OperatorError::State {
            file: recorder.folder().display().to_string(),
            cause: error.to_string(),
            remedy: "see that the folder can be written and has room, or run without --record"
                .to_owned(),
        })?;
        if let Some(written) = written {
            people.note(Event::Decided {
                inputs: written.file.to_string(),
                outcome: written.outcome.to_string(),
            });
        }
        Ok(())
    }

    fn impossible(&self, error: &dyn std::error::Error) -> OperatorError {
        OperatorError::Internal(format!("fleet {}: {error}", self.name()))
    }
}

/// By assignment, what its devices wait for: with every rollout at its end, whoever is admitted now.
fn waits(
    decided: &mut Decided<'_>,
    circumstances: &Circumstances,
) -> BTreeMap<AssignmentIndex, Vec<(Obstacle, usize)>> {
    let now = decided.engine.admit(decided.end_state.clone());
    let has_admitted = |index, row| now.has(index, row);
    let waits = circumstances.by_assignment(&decided.engine, &has_admitted);
    decided.engine.admit(now);
    waits
}
