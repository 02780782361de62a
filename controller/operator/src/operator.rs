//! The loop: one pass after another over what git asks.

use std::collections::BTreeMap;
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::resource::ObjectName;
use diarchy_crds::fleet::FleetSpec;
use diarchy_fleet::site::lever::LeverMemory;
use diarchy_git::{Cache, Loaded, LoadedFleet, Options, Source};

use crate::audit::{Entry, Event};
use crate::connect::{Clients, Connect};
use crate::context::FleetPass;
use crate::error::OperatorError;
use crate::report::{FleetReport, PassReport, RefusedRevision};
use crate::revert;
use crate::store::Store;

/// Where the last good revision is remembered.
pub const GOOD_COMMIT: &str = "goodCommit";
/// Where the loop's clock is remembered, for `approve` in another process.
pub const CLOCK: &str = "clock";

/// What the loop needs.
pub struct Setup {
    /// Where resources are read from.
    pub source: Source,
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
}

/// The loop.
pub struct Operator {
    setup: Setup,
    cache: Cache,
    good: Option<Loaded>,
    estates: BTreeMap<ObjectName, Connected>,
}

/// The clients of one fleet's services, and what they were made for.
struct Connected {
    spec: FleetSpec,
    clients: Clients,
    lever: LeverMemory,
}

impl Operator {
    /// A loop that has not looked at anything yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            cache: Cache::default(),
            good: None,
            estates: BTreeMap::new(),
        }
    }

    /// Looks at git and at every fleet once, and does what is to be done.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`] when the state cannot be read or written, and
    /// [`OperatorError::Repository`] when there has never been a revision to carry out. A fleet whose
    /// services fail is no error: it is in the report.
    pub async fn pass(&mut self) -> Result<PassReport, OperatorError> {
        let refused = self.refresh()?;
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
            .unwrap_or(Duration::from_secs(60))
    }

    /// The revision in force.
    #[must_use]
    pub fn in_force(&self) -> Option<&Loaded> {
        self.good.as_ref()
    }

    /// Takes a new revision into force if it is valid; the last good one stays otherwise.
    fn refresh(&mut self) -> Result<Option<RefusedRevision>, OperatorError> {
        let Setup {
            source, options, ..
        } = &self.setup;
        let wanted = options
            .reference
            .clone()
            .unwrap_or_else(|| "HEAD".to_owned());
        let loaded = match diarchy_git::load(source, options, &mut self.cache) {
            Ok(loaded) => loaded,
            Err(error) => {
                self.fall_back()?;
                if self.good.is_none() {
                    return Err(error.into());
                }
                return Ok(Some(RefusedRevision {
                    revision: wanted,
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

    fn accept(&mut self, loaded: Loaded) -> Result<(), OperatorError> {
        if let Some(commit) = &loaded.revision.commit {
            self.setup.store.set_meta(GOOD_COMMIT, commit)?;
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
        if self.good.is_some() || matches!(self.setup.source, Source::WorkingTree(_)) {
            return Ok(());
        }
        let Some(commit) = self.setup.store.meta(GOOD_COMMIT)? else {
            return Ok(());
        };
        let options = Options {
            reference: Some(commit),
            path: self.setup.options.path.clone(),
        };
        if let Ok(loaded) = diarchy_git::load(&self.setup.source, &options, &mut self.cache)
            && loaded.is_valid()
        {
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
        store.audit(&[Entry {
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
        let uids = self.setup.store.uids(assignments, self.setup.clock.now())?;
        for fleet in &good.fleets {
            if !self.is_meant(fleet) {
                continue;
            }
            match self.fleet(fleet, &good.revision.display, &uids).await {
                Ok(found) => report.fleets.push(found),
                Err(error @ OperatorError::State { .. }) => return Err(error),
                Err(error) => report.failures.push((
                    fleet.desired.fleet.clone(),
                    format!("{}: {error}: {}", error.code(), error.remedy()),
                )),
            }
        }
        Ok(())
    }

    fn is_meant(&self, fleet: &LoadedFleet) -> bool {
        let name = &fleet.desired.fleet;
        match &self.setup.only {
            None => true,
            Some(only) => *only == name.name || *only == name.to_string(),
        }
    }

    async fn fleet(
        &mut self,
        fleet: &LoadedFleet,
        revision: &str,
        uids: &BTreeMap<ObjectName, String>,
    ) -> Result<FleetReport, OperatorError> {
        let name = fleet.desired.fleet.clone();
        let mut connected = self.connected(fleet)?;
        let mut memory = self.setup.store.memory(&name)?;
        let before = memory.clone();
        revert::note(&fleet.desired, uids, &mut memory);
        if memory != before {
            self.setup.store.remember(&name, &memory)?;
        }
        let (desired, uids) = revert::with_reverting(&fleet.desired, uids, &memory);
        let pass = FleetPass {
            fleet,
            desired: &desired,
            revision,
            estate: &connected.clients.estate,
            store: &self.setup.store,
            clock: &self.setup.clock,
            uids: &uids,
            approve: self.setup.approve,
        };
        let report = pass.run(&mut connected.lever).await;
        self.estates.insert(name, connected);
        report
    }

    /// The clients of a fleet's services: those of the last pass, unless the fleet says something
    /// else, or its credentials have changed. Clients whose credentials were refused are kept too:
    /// they know, and do not try them again.
    fn connected(&mut self, fleet: &LoadedFleet) -> Result<Connected, OperatorError> {
        let connect = &self.setup.connect;
        let name = &fleet.desired.fleet;
        let known = self.estates.remove(name);
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
                tracing::info!(fleet = %name, "the credentials have changed");
                connected.clients = clients;
            }
            Err(error) => {
                // What cannot be read now may be as it was at the next pass.
                self.estates.insert(name.clone(), connected);
                return Err(error);
            }
        }
        Ok(connected)
    }
}
