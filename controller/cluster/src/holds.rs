//! The Leases of this installation: kept up to date, taken, renewed and let go.

mod forgetting;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diarchy_core::digest::Digest;
use diarchy_core::resource::ObjectName;
use diarchy_web::Replica;
use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::Instant;

use writing::replica;

use crate::in_words;
use crate::lease::{Act, Seen, Timing, View, preferred};

/// What says what a Lease is for.
const LABEL: &str = "diarchy.dev/lease";
/// In words, for people.
const ABOUT: &str = "diarchy.dev/about";

/// Something that one replica holds at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    kind: &'static str,
    about: String,
}

impl Thing {
    /// What all replicas leave to one of them.
    pub fn leadership() -> Self {
        Self {
            kind: "leader",
            about: "what is written of no estate".to_owned(),
        }
    }

    /// An estate. Fleets that are written for the same one share it.
    pub fn estate(site_code: &str, tenant_id: &str) -> Self {
        Self {
            kind: "estate",
            about: format!("site {site_code} and tenant {tenant_id}"),
        }
    }

    /// A source of resources.
    pub fn source(name: &ObjectName) -> Self {
        Self {
            kind: "source",
            about: format!("GitSource {name}"),
        }
    }

    fn replica(name: &str) -> Self {
        Self {
            kind: "replica",
            about: name.to_owned(),
        }
    }

    /// The name of its Lease.
    fn lease(&self) -> String {
        let digest = Digest::of_lines([self.kind, &self.about]).to_string();
        let digest: String = digest.chars().skip("sha256:".len()).take(16).collect();
        format!("diarchy-{}-{digest}", self.kind)
    }
}

/// What this replica holds.
#[derive(Clone)]
pub struct Holds {
    timing: Timing,
    inner: Arc<Mutex<Inner>>,
    changes: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct Inner {
    /// What there is to hold, and whether something of it goes on here.
    things: BTreeMap<Thing, bool>,
    /// By thing, when it was last asked for.
    asked: BTreeMap<Thing, Instant>,
    /// By the name of a Lease, which replica has it.
    holders: BTreeMap<String, String>,
    /// By name, the replicas that can be asked.
    replicas: BTreeMap<String, Replica>,
}

/// Who keeps Leases, and how others reach it.
#[derive(Debug, Clone)]
pub struct Own {
    /// Its name.
    pub name: String,
    /// Where its read API is.
    pub replica: Replica,
}

impl Holds {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what there is to hold, and which of it is `busy` here.
    pub fn want(&self, things: BTreeMap<Thing, bool>) {
        let mut inner = self.inner();
        if inner.things != things {
            inner.things = things;
            drop(inner);
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// Whether this replica holds `thing`.
    pub fn has(&self, thing: &Thing) -> bool {
        let asked = self.inner().asked.get(thing).copied();
        asked.is_some_and(|asked| Instant::now() < self.timing.until(asked))
    }

    /// Whether a request that is sent now ends before the hold does.
    pub fn may_send(&self, thing: &Thing) -> bool {
        let asked = self.inner().asked.get(thing).copied();
        self.timing.may_send(asked, Instant::now())
    }

    /// The answer to a request, unless it takes longer than one of a holder may.
    pub async fn in_time<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        let answer = tokio::time::timeout(self.timing.deadline, request).await;
        answer.ok()
    }

    /// The replica that has `thing`, if it can be asked.
    pub fn replica_with(&self, thing: &Thing) -> Option<Replica> {
        let inner = self.inner();
        let holder = inner.holders.get(&thing.lease())?;
        inner.replicas.get(holder).cloned()
    }

    /// Tells of every change of what is held or wanted.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn note(&self, thing: &Thing, asked: Option<Instant>) {
        let mut inner = self.inner();
        let before = inner.asked.contains_key(thing);
        match asked {
            Some(asked) => inner.asked.insert(thing.clone(), asked),
            None => inner.asked.remove(thing),
        };
        drop(inner);
        if before != asked.is_some() {
            self.changes.send_modify(|count| *count += 1);
        }
    }
}

/// Keeps the Leases of one replica.
pub struct Keeper {
    api: Api<Lease>,
    own: String,
    replica: Replica,
    timing: Timing,
    holds: Holds,
    known: BTreeMap<String, Known>,
}

struct Known {
    lease: Lease,
    seen: Seen,
}

impl Keeper {
    /// For the replica `own`, with Leases in `namespace`.
    pub fn new(client: Client, namespace: &str, own: Own, timing: Timing) -> Self {
        let holds = Holds {
            timing,
            inner: Arc::default(),
            changes: Arc::new(watch::channel(0).0),
        };
        Self {
            api: Api::namespaced(client, namespace),
            own: own.name,
            replica: own.replica,
            timing,
            holds,
            known: BTreeMap::new(),
        }
    }

    /// What is held.
    pub fn holds(&self) -> Holds {
        self.holds.clone()
    }

    /// Keeps the Leases until `stop`, and lets everything go then that is not busy.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let config = watcher::Config::default()
            .labels(LABEL)
            .timeout(self.timing.watch_seconds());
        let leases = watcher(self.api.clone(), config).default_backoff();
        futures::pin_mut!(leases);
        let mut tick = tokio::time::interval(self.timing.renew / 4);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut changes = self.holds.changes();
        let mut is_known = false;
        loop {
            tokio::select! {
                event = leases.next() => match event {
                    Some(Ok(event)) => is_known |= self.see(event),
                    Some(Err(error)) => tracing::warn!(%error, "the watch of Leases was interrupted"),
                    None => return,
                },
                _ = tick.tick() => {}
                _ = changes.changed() => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            if is_known {
                self.keep().await;
            }
        }
        self.let_go().await;
    }

    /// Takes note of what is there. Whether everything is known now.
    fn see(&mut self, event: Event<Lease>) -> bool {
        match event {
            Event::Init => false,
            Event::InitDone => true,
            Event::InitApply(lease) | Event::Apply(lease) => {
                self.see_one(lease);
                false
            }
            Event::Delete(lease) => {
                // One that was made anew since then is another.
                let name = lease.name_any();
                if self.known.get(&name).map(|known| known.lease.uid()) == Some(lease.uid()) {
                    self.forget(&name);
                }
                false
            }
        }
    }

    fn see_one(&mut self, lease: Lease) {
        let name = lease.name_any();
        let version = lease.resource_version();
        if let Some(known) = self.known.get(&name)
            && known.lease.resource_version() == version
        {
            return;
        }
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.unwrap_or_default();
        let seen = Seen {
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
            since: Instant::now(),
        };
        let replica = replica(&lease);
        let mut inner = self.holds.inner();
        match &seen.holder {
            Some(holder) => {
                if let Some(replica) = replica {
                    inner.replicas.insert(holder.clone(), replica);
                }
                inner.holders.insert(name.clone(), holder.clone());
            }
            None => drop(inner.holders.remove(&name)),
        }
        drop(inner);
        self.known.insert(name, Known { lease, seen });
    }

    fn forget(&mut self, name: &str) {
        let mut inner = self.holds.inner();
        let holder = inner.holders.remove(name);
        if let Some(known) = self.known.remove(name)
            && replica(&known.lease).is_some()
            && let Some(holder) = holder
        {
            inner.replicas.remove(&holder);
        }
    }

    /// Does with each Lease what is to be done now.
    async fn keep(&mut self) {
        let live = self.live();
        let (things, held) = {
            let inner = self.holds.inner();
            (inner.things.clone(), inner.asked.clone())
        };
        let own = Thing::replica(&self.own);
        self.act(&own, true, false, held.get(&own).copied()).await;
        let all: BTreeSet<&Thing> = things.keys().chain(held.keys()).collect();
        for thing in all {
            if *thing == own {
                continue;
            }
            let busy = things.get(thing).copied();
            let wanted =
                busy.is_some() && preferred(&thing.lease(), &live) == Some(self.own.as_str());
            let asked = held.get(thing).copied();
            self.act(thing, wanted, busy.unwrap_or(false), asked).await;
        }
        self.forget_one(&things).await;
    }

    /// The replicas that there are, this one among them.
    fn live(&self) -> BTreeSet<String> {
        let now = Instant::now();
        let others = self.known.values().filter_map(|known| {
            let is_replica = known.lease.labels().get(LABEL).map(String::as_str) == Some("replica");
            let is_live = is_replica && !self.timing.is_over(&known.seen, now);
            known.seen.holder.clone().filter(|_| is_live)
        });
        others.chain([self.own.clone()]).collect()
    }

    async fn act(&mut self, thing: &Thing, wanted: bool, busy: bool, asked: Option<Instant>) {
        let name = thing.lease();
        let now = Instant::now();
        let known = self.known.get(&name);
        let is_own = known.is_some_and(|known| known.seen.holder.as_deref() == Some(&self.own));
        let is_over = asked.is_some_and(|asked| now >= self.timing.until(asked));
        let asked = asked.filter(|_| is_own && !is_over);
        if asked.is_none() {
            self.holds.note(thing, None);
        }
        let view = View {
            own: &self.own,
            wanted,
            busy,
            seen: known.map(|known| &known.seen),
            asked,
        };
        let written = match self.timing.act(view, now) {
            Act::Wait => return,
            Act::Create => self.create(thing).await,
            Act::Take | Act::Renew => self.hold(&name).await,
            Act::Release => {
                self.holds.note(thing, None);
                self.release(&name).await
            }
        };
        match written {
            Ok(lease) => {
                self.see_one(lease);
                let is_own = self
                    .known
                    .get(&name)
                    .is_some_and(|known| known.seen.holder.as_deref() == Some(&self.own));
                self.holds.note(thing, is_own.then_some(now));
            }
            Err(error) => {
                if error.is_forbidden() {
                    // Nothing is held before a person gives the right.
                    tracing::warn!(lease = name, %error, "a Lease may not be written");
                } else {
                    tracing::debug!(lease = name, %error, "a Lease was not written");
                }
                self.look_again(&name).await;
            }
        }
    }

    /// After a write that failed: somebody else may have written.
    async fn look_again(&mut self, name: &str) {
        match self.in_time(self.api.get_opt(name)).await {
            Ok(Some(lease)) => self.see_one(lease),
            Ok(None) => self.forget(name),
            Err(error) => tracing::warn!(lease = name, %error, "a Lease cannot be read"),
        }
    }
}

/// Why a Lease was not written.
#[derive(Debug, thiserror::Error)]
enum LeaseError {
    #[error("it is gone")]
    Gone,
    #[error("no answer came in time")]
    Late,
    #[error("{}", in_words::of(.0))]
    Api(#[from] kube::Error),
}

impl LeaseError {
    fn is_forbidden(&self) -> bool {
        matches!(self, Self::Api(kube::Error::Api(status)) if status.is_forbidden())
    }
}
