//! The side door: for tests, and for people at the console of the simulated site.

use std::sync::Arc;

use jiff::Timestamp;

use crate::acts::{Act, ActError};
use crate::assertion::Known;
use crate::faults::{Fault, FaultId};
use crate::judge::{Verdict, judge};
use crate::log::{Cause, Effect, Entry};
use crate::moment::{moment, time};
use crate::server::Shared;
use crate::setup::Setup;
use crate::sign_in::{SignIn, SignIns};
use crate::site::resources::resource_id;
use crate::token::FederatedCredential;
use crate::world::Truth;

/// Looks behind the services, and does what people do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Every write and act so far, in order.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.shared.core().log.entries.clone()
    }

    /// How many entries the log has.
    #[must_use]
    pub fn logged(&self) -> usize {
        self.shared.core().log.entries.len()
    }

    /// What the log says about whoever wrote.
    #[must_use]
    pub fn judge(&self) -> Verdict {
        let core = self.shared.core();
        judge(&core.world.setup, &core.log.entries)
    }

    /// Makes something go wrong from now on.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.shared.core().faults.inject(fault)
    }

    /// Ends one fault.
    pub fn clear(&self, fault: FaultId) {
        self.shared.core().faults.clear(fault);
    }

    /// Ends all faults.
    pub fn clear_all(&self) {
        self.shared.core().faults.clear_all();
    }

    /// Changes how the site lets callers in.
    pub fn offer(&self, sign_in: SignIn) {
        self.shared.core().door.offered = sign_in;
    }

    /// Has every connection to the site sign in again.
    pub fn forget_sign_ins(&self) {
        self.shared.core().door.forget();
    }

    /// What came of attempts to sign in to the site so far.
    #[must_use]
    pub fn sign_ins(&self) -> SignIns {
        self.shared.core().door.tally
    }

    /// Sets another password for the site's account, which is good again then.
    pub fn set_password(&self, password: &str) {
        self.shared.core().door.set_password(password);
    }

    /// Locks the site's account, as wrong passwords do.
    pub fn lock_account(&self) {
        self.shared.core().door.locked = true;
    }

    /// Whether the site's account is locked.
    #[must_use]
    pub fn is_account_locked(&self) -> bool {
        self.shared.core().door.locked
    }

    /// Lets the password of the site's account expire.
    pub fn expire_password(&self) {
        self.shared.core().door.expired = true;
    }

    /// Sets another secret for the application that may read Graph.
    pub fn set_client_secret(&self, secret: &str) {
        secret.clone_into(&mut self.shared.core().credentials.client_secret);
    }

    /// Ends the application's secret at a time.
    pub fn end_client_secret(&self, at: Timestamp) {
        self.shared.core().credentials.secret_until = moment(at);
    }

    /// Lets the application read registrations, its own among them.
    pub fn grant_reading_applications(&self) {
        self.shared.core().credentials.reads_applications = true;
    }

    /// Lets the application read policies, profiles and apps of Intune, or not.
    pub fn grant_reading_intune_objects(&self, granted: bool) {
        self.shared.core().credentials.reads_intune_objects = granted;
    }

    /// Has the application take assertions that the key of a certificate signs; whether it is one.
    pub fn register_certificate(&self, pem: &str) -> bool {
        let known = Known::read(pem);
        let read = known.is_some();
        self.shared.core().credentials.certificates.extend(known);
        read
    }

    /// Has the application take tokens of somebody else.
    pub fn federate(&self, credential: FederatedCredential) {
        self.shared.core().credentials.federations.push(credential);
    }

    /// How often somebody asked for a token for Graph.
    #[must_use]
    pub fn tokens_asked(&self) -> u64 {
        self.shared.core().credentials.asked
    }

    /// Does something as a person at the site would; it is logged like a write.
    ///
    /// # Errors
    ///
    /// [`ActError`], when it cannot be done; nothing has changed then.
    pub fn act(&self, act: Act) -> Result<Effect, ActError> {
        let mut core = self.shared.core_now();
        let effect = core.world.act(&act)?;
        let at = time(core.world.now);
        core.log
            .append(at, Cause::Act(act), effect.clone(), None, true)?;
        Ok(effect)
    }

    /// Prepares the site for `setup` as its people would, unless it is prepared for it already, or
    /// was left unprepared. What befalls devices stays as it is.
    ///
    /// # Errors
    ///
    /// [`ActError`], when it is the setup of another site.
    pub fn prepare(&self, setup: Setup) -> Result<(), ActError> {
        let known = self.shared.core().world.setup.clone();
        let setup = Setup {
            mishaps: known.mishaps.clone(),
            ..setup
        };
        if known == setup || known.unprepared {
            return Ok(());
        }
        let setup = Box::new(setup);
        self.act(Act::Prepare { setup }).map(|_| ())
    }

    /// What is true of the device with this number.
    #[must_use]
    pub fn truth(&self, device: u32) -> Option<Truth> {
        let core = self.shared.core_now();
        let device = core.world.devices.get(device as usize)?;
        Some(core.world.truth(device))
    }

    /// What is true of every device, in the order of their numbers.
    #[must_use]
    pub fn truths(&self) -> Vec<Truth> {
        let core = self.shared.core_now();
        let world = &core.world;
        world
            .devices
            .iter()
            .map(|device| world.truth(device))
            .collect()
    }

    /// What is true of the device whose newest record has this `ResourceID`.
    #[must_use]
    pub fn truth_of_resource(&self, resource_id: u32) -> Option<Truth> {
        let core = self.shared.core_now();
        let device = core.world.device_of(resource_id)?;
        Some(core.world.truth(device))
    }

    /// The `ResourceID`s of a collection's members now; none if there is no such collection.
    #[must_use]
    pub fn members(&self, collection: &str) -> Option<Vec<u32>> {
        let core = self.shared.core_now();
        let collection = core.world.site.collections.get(collection)?;
        Some(collection.members.ones().map(resource_id).collect())
    }
}
