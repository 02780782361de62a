//! The loop: one pass after another over what git asks.

use std::collections::BTreeMap;
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::code::Code;
use diarchy_core::desired::Desired;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_git::{Cache, Loaded, LoadedFleet, Options};

use crate::audit::{Entry, Event};
use crate::connect::Connect;
use crate::control_plane::ControlPlane as _;
use crate::error::OperatorError;
use crate::fleet_loop::{FleetLoop, Ground, Revision};
use crate::origin::Origin;
use crate::record::Recorder;
use crate::report::{PassReport, RefusedRevision};
use crate::revert::Existing;
use crate::said::{Named, Said};
use crate::store::Store;
use crate::{brakes, status};

/// Where the last good revision is remembered, by its id and as people know it.
pub const GOOD_COMMIT: &str = "goodCommit";
const GOOD_REVISION: &str = "goodRevision";
/// Where the loop's clock is remembered, for `approve` in another process.
pub const CLOCK: &str = "clock";

/// What the loop needs.
pub struct Setup {
    /// Where resources are read from.
    pub origin: Origin,
    /// Which revision and folder of it.
    pub options: Options,
    /// Only this fleet, by name or `namespace/name`.
    pub only: Option<String>,
    /// The state.
    pub store: Store,
    /// The clock that everything goes by.
    pub clock: Clock,
    /// How services are reached.
    pub connect: Box<dyn Connect>,
    /// Whether what waits is approved as it arises.
    pub approve: bool,
    /// Where decisions are written down, if they are.
    pub recorder: Option<Recorder>,
}

/// The loop.
pub struct Operator {
    setup: Setup,
    cache: Cache,
    good: Option<Loaded>,
    /// What other processes had written to the state when the last pass began.
    heard: Option<i64>,
    loops: BTreeMap<ObjectName, FleetLoop>,
}

impl Operator {
    /// A loop that has not looked at anything yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            cache: Cache::default(),
            good: None,
            heard: None,
            loops: BTreeMap::new(),
        }
    }

    /// Looks at git and at every fleet once, and does what is to be done.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`] when the state cannot be read or written, and
    /// [`OperatorError::Repository`], [`OperatorError::Fetch`] or [`OperatorError::Verify`] when there
    /// has never been a revision to carry out. A fleet whose services fail is no error: it is in the
    /// report.
    pub async fn pass(&mut self) -> Result<PassReport, OperatorError> {
        // Before anything is read: what is said later, this pass may not have heard.
        self.heard = Some(self.setup.store.written_by_others()?);
        let refused = self.refresh().await?;
        let mut report = PassReport {
            revision: None,
            refused,
            fleets: Vec::new(),
            failures: Vec::new(),
        };
        let Some(good) = self.good.take() else {
            return Ok(report);
        };
        report.revision = Some(good.revision.display.clone());
        let outcome = self.fleets(&good, &mut report).await;
        self.good = Some(good);
        outcome?;
        let now = self.setup.clock.now().to_string();
        self.setup.store.set_meta(CLOCK, &now)?;
        Ok(report)
    }

    /// How long until the next pass: the shortest interval of the fleets.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let fleets = self.good.iter().flat_map(|good| &good.fleets);
        fleets
            .map(|fleet| fleet.spec.interval())
            .min()
            .unwrap_or(Duration::from_mins(1))
    }

    /// Waits until a repository on another machine has something that the last pass had not, or a
    /// person has said something by another process.
    pub async fn news(&mut self) {
        let Setup { origin, store, .. } = &mut self.setup;
        tokio::select! {
            () = origin.news() => {}
            () = heard(store, self.heard) => {}
        }
    }

    /// The revision in force.
    #[must_use]
    pub fn in_force(&self) -> Option<&Loaded> {
        self.good.as_ref()
    }

    /// Takes a new revision into force if it is valid; the last good one stays otherwise.
    async fn refresh(&mut self) -> Result<Option<RefusedRevision>, OperatorError> {
        let loaded = match self.load().await {
            Ok(loaded) => loaded,
            Err(error) => {
                self.fall_back()?;
                if self.good.is_none() {
                    return Err(error);
                }
                let wanted = self.setup.options.reference.clone();
                let wanted = wanted.unwrap_or_else(|| "HEAD".to_owned());
                return Ok(Some(RefusedRevision {
                    revision: wanted,
                    unread: true,
                    findings: vec![format!("{}: {error}: {}", error.code(), error.remedy())],
                }));
            }
        };
        if loaded.is_valid() {
            self.accept(loaded)?;
            return Ok(None);
        }
        self.fall_back()?;
        let refused = RefusedRevision {
            revision: loaded.revision.display.clone(),
            unread: false,
            findings: loaded.diagnostics.iter().map(ToString::to_string).collect(),
        };
        self.note_once(
            "refused",
            &refused.revision,
            Event::RevisionRefused {
                refused: refused.revision.clone(),
                errors: refused.findings.len(),
            },
        )?;
        Ok(Some(refused))
    }

    /// Reads what there is now.
    async fn load(&mut self) -> Result<Loaded, OperatorError> {
        let Setup {
            origin, options, ..
        } = &mut self.setup;
        let source = origin.newest().await?;
        // What was fetched is the revision that was asked for.
        let options = match origin {
            Origin::Here(_) => options.clone(),
            Origin::Remote(_) => Options {
                reference: None,
                path: options.path.clone(),
            },
        };
        let loaded = diarchy_git::load(&source, &options, &mut self.cache);
        if let Err(error) = &loaded
            && error.code() == Code::RepositoryNotReadable
        {
            origin.distrust();
        }
        Ok(loaded?)
    }

    fn accept(&mut self, loaded: Loaded) -> Result<(), OperatorError> {
        if let Some(commit) = &loaded.revision.commit {
            let store = &self.setup.store;
            store.set_meta(GOOD_COMMIT, commit)?;
            store.set_meta(GOOD_REVISION, &loaded.revision.display)?;
        }
        self.note_once(
            "accepted",
            &loaded.revision.display,
            Event::RevisionAccepted,
        )?;
        self.good = Some(loaded);
        Ok(())
    }

    /// After a restart the last good revision is the one that was in force before.
    fn fall_back(&mut self) -> Result<(), OperatorError> {
        if self.good.is_some() {
            return Ok(());
        }
        let Some(commit) = self.setup.store.meta(GOOD_COMMIT)? else {
            return Ok(());
        };
        let Some(source) = self.setup.origin.remembered(&commit) else {
            return Ok(());
        };
        let options = Options {
            reference: Some(commit),
            path: self.setup.options.path.clone(),
        };
        if let Ok(mut loaded) = diarchy_git::load(&source, &options, &mut self.cache)
            && loaded.is_valid()
        {
            // It was read by its id, and people know it by the branch that had it.
            if let Some(display) = self.setup.store.meta(GOOD_REVISION)? {
                loaded.revision.display = display;
            }
            self.good = Some(loaded);
        }
        Ok(())
    }

    /// Notes something in the audit trail when it is new.
    fn note_once(&self, key: &str, revision: &str, event: Event) -> Result<(), OperatorError> {
        let Setup { store, clock, .. } = &self.setup;
        if store.meta(key)?.as_deref() == Some(revision) {
            return Ok(());
        }
        store.append(&[Entry {
            at: clock.now(),
            fleet: String::new(),
            revision: revision.to_owned(),
            event,
        }])?;
        store.set_meta(key, revision)
    }

    async fn fleets(
        &mut self,
        good: &Loaded,
        report: &mut PassReport,
    ) -> Result<(), OperatorError> {
        let assignments = good
            .fleets
            .iter()
            .flat_map(|fleet| &fleet.desired.assignments)
            .map(|assignment| &assignment.name);
        let existing = Existing {
            uids: self.setup.store.uids(assignments, self.setup.clock.now())?,
            said: self.setup.store.acts()?,
            ..Existing::default()
        };
        let said = self.setup.store.said()?;
        let is_paused = |kind, name: &ObjectName| {
            said.get(&(kind, name.clone()))
                .is_some_and(|said| said.paused)
        };
        for fleet in &good.fleets {
            if !self.is_meant(fleet) {
                continue;
            }
            let mut fleet = fleet.clone();
            let is_stopped = is_paused(Kind::Fleet, &fleet.desired.fleet);
            brakes::pull(&mut fleet.desired, is_stopped, |name| {
                is_paused(Kind::WorkloadAssignment, name)
            });
            let ground = Ground {
                plane: &self.setup.store,
                clock: &self.setup.clock,
                connect: self.setup.connect.as_ref(),
                approve: self.setup.approve,
                recorder: self.setup.recorder.as_ref(),
            };
            let of_fleet = self.loops.entry(fleet.desired.fleet.clone()).or_default();
            let shown = &good.revision.display;
            let key = good.revision.key();
            let revision = Revision { key, shown };
            let pass = of_fleet.pass(&ground, &fleet, revision, &existing);
            match pass.await {
                Ok(passed) => report.fleets.push(passed.report),
                Err(error @ OperatorError::State { .. }) => return Err(error),
                Err(error) => {
                    self.report_failure(&fleet.desired, &error, &said).await?;
                    report.failures.push((
                        fleet.desired.fleet.clone(),
                        format!("{}: {error}: {}", error.code(), error.remedy()),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Says why there was no pass over a fleet.
    async fn report_failure(
        &self,
        desired: &Desired,
        error: &OperatorError,
        said: &BTreeMap<Named, Said>,
    ) -> Result<(), OperatorError> {
        let Setup { store, clock, .. } = &self.setup;
        let requests = said
            .iter()
            .filter_map(|(named, said)| Some((named.clone(), said.requested.clone()?)))
            .collect();
        let old = store.statuses(&desired.fleet.namespace)?;
        let reports = status::failed(error, desired, &old, &requests, clock.now());
        store.report(reports).await
    }

    fn is_meant(&self, fleet: &LoadedFleet) -> bool {
        let name = &fleet.desired.fleet;
        match &self.setup.only {
            None => true,
            Some(only) => *only == name.name || *only == name.to_string(),
        }
    }
}

/// How often it is looked whether a person has said something, in real time.
const LISTENING: Duration = Duration::from_millis(500);

/// Waits until another process has written to the state since it was at `before`.
async fn heard(store: &Store, before: Option<i64>) {
    // A state that cannot be read now is told of by the next pass.
    while store.written_by_others().ok() == before {
        tokio::time::sleep(LISTENING).await;
    }
}
