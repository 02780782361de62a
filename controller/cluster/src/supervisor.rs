//! Which fleet has a loop here, and what each is to carry out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::fleet_task::{self, Shared};
use crate::holds::Thing;
use crate::loops::{LoopKey, Loops};
use crate::orphans;
use crate::settling::Settling;
use crate::snapshot::Snapshot;
use crate::sources::{Sources, half_applied};
use crate::statuses::Told;
use crate::tenant::{Key, Tenant, Version, assemble};
use crate::wanted::{Said, Wanted};

/// Changes that come closer together than this are looked at together.
const TOGETHER: Duration = Duration::from_millis(200);

/// What could not be written is tried again after this long, whether or not anything changes.
const AGAIN: Duration = Duration::from_secs(5);

/// Keeps a loop for each fleet whose estate this replica holds.
pub struct Supervisor {
    shared: Arc<Shared>,
    sources: Sources,
    settling: Settling<BTreeMap<Key, Version>>,
    tenants: BTreeMap<String, Arc<Tenant>>,
    fleets: Loops<Wanted>,
    /// What was said of objects that cannot be decoded.
    said: BTreeMap<Key, Told>,
    /// Whether something could not be written in the last look.
    is_unfinished: bool,
}

impl Supervisor {
    /// One that knows nothing yet. What is applied counts when it has not changed for as long as
    /// `settle`.
    pub fn new(shared: Arc<Shared>, sources: Sources, settle: Duration) -> Self {
        Self {
            shared,
            sources,
            settling: Settling::new(settle),
            tenants: BTreeMap::new(),
            fleets: Loops::new("fleet"),
            said: BTreeMap::new(),
            is_unfinished: false,
        }
    }

    /// Looks whenever something changes, until `stop`; then waits until every loop has ended.
    pub async fn supervise(mut self, mut stop: oneshot::Receiver<()>) {
        let mut changes = self.shared.objects.changes();
        let mut holds = self.shared.holds.changes();
        let mut credentials = self.shared.credentials.changes();
        loop {
            changes.borrow_and_update();
            holds.borrow_and_update();
            credentials.borrow_and_update();
            self.look().await;
            let again = self.is_unfinished.then(|| Instant::now() + AGAIN);
            let next = self.settling.next().into_iter().chain(again).min();
            let is_due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Nobody who could ask to stop is left: then nobody wants the loops either.
                _ = &mut stop => break,
                () = is_due => {}
                _ = holds.changed() => {}
                _ = credentials.changed() => {}
                change = changes.changed() => {
                    if change.is_err() {
                        break;
                    }
                    tokio::time::sleep(TOGETHER).await;
                }
                () = self.fleets.ended() => {}
                () = self.sources.ended() => {}
            }
        }
        self.fleets.stop().await;
        self.sources.stop().await;
    }

    /// Looks at what there is now.
    async fn look(&mut self) {
        self.is_unfinished = false;
        let there = Snapshot::of(&self.shared.objects);
        let half = half_applied(&there.sources);
        let versions = there.versions();
        for namespace in self.settling.look(versions, &half, Instant::now()) {
            let tenant = Arc::new(assemble(&there, &namespace));
            if tenant.versions.is_empty() {
                self.tenants.remove(&namespace);
            } else {
                self.tenants.insert(namespace, tenant);
            }
        }
        self.report_problems().await;
        let said = Said::now(&there);
        let wanted = self.wanted(&said);
        self.is_unfinished |= !orphans::report_approvals(&self.shared, &said).await;
        self.is_unfinished |= !orphans::release(&self.shared, &said, &wanted).await;
        let sources = self.sources.wanted();
        let mut things = self.to_hold(&wanted);
        self.sources.hold(&sources, &mut things);
        self.shared.holds.want(things);
        self.carry_on(wanted);
        self.sources.carry_on(sources);
    }

    /// What each fleet's loop is to carry out, wherever it is.
    fn wanted(&self, said: &BTreeMap<String, Said>) -> BTreeMap<LoopKey, Wanted> {
        let mut wanted: BTreeMap<LoopKey, Wanted> = BTreeMap::new();
        for (namespace, tenant) in &self.tenants {
            let Some(said) = said.get(namespace) else {
                continue;
            };
            for fleet in &tenant.fleets {
                if let Some(one) = said.wanted(tenant, fleet) {
                    let name = fleet.loaded.desired.fleet.clone();
                    wanted.insert((name, fleet.uid.clone()), one);
                }
            }
        }
        wanted
    }

    /// What there is to hold, and what of it is in use here.
    fn to_hold(&self, wanted: &BTreeMap<LoopKey, Wanted>) -> BTreeMap<Thing, bool> {
        let mut things = BTreeMap::from([(Thing::leadership(), false)]);
        for one in wanted.values() {
            things.insert(fleet_task::estate(&one.fleet), false);
        }
        for thing in self.fleets.busy() {
            things.insert(thing.clone(), true);
        }
        things
    }

    /// Lets each loop here know what it is to carry out. Those whose fleet is gone, or is for another
    /// replica, end.
    fn carry_on(&mut self, wanted: BTreeMap<LoopKey, Wanted>) {
        let shared = &self.shared;
        let mut own = wanted;
        own.retain(|_, one| shared.holds.has(&fleet_task::estate(&one.fleet)));
        self.fleets.keep(|key| own.contains_key(key));
        let named = own.iter();
        let named = named.map(|((name, _), one)| (name, &one.fleet.loaded.spec));
        shared.credentials.want(named);
        for (key, wanted) in own {
            let credentials = &shared.credentials;
            // A pass would only find missing what has not been read yet.
            let Some(known) = credentials.known(&key.0, &wanted.fleet.loaded.spec) else {
                continue;
            };
            let estate = fleet_task::estate(&wanted.fleet);
            let wanted = wanted.with_credentials(known);
            self.fleets.tell(key, estate, wanted, |wanted| {
                fleet_task::run(Arc::clone(shared), wanted)
            });
        }
    }

    /// Says what is wrong with the objects that no pass reports of. One replica does, for all, whenever
    /// they say anything else: a pass that has begun may still have spoken of them as they were.
    async fn report_problems(&mut self) {
        let Shared {
            reporter,
            objects,
            holds,
            ..
        } = self.shared.as_ref();
        if !holds.may_send(&Thing::leadership()) {
            // Whoever leads now may say something else.
            self.said.clear();
            return;
        }
        let tenants = &self.tenants;
        self.said.retain(|key, _| {
            let tenant = tenants.get(&key.1.namespace);
            tenant.is_some_and(|tenant| tenant.problems.contains_key(key))
        });
        for (namespace, tenant) in &self.tenants {
            match reporter
                .report_problems(objects, tenant, &mut self.said)
                .await
            {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(namespace, %error, "what is wrong was not reported");
                }
            }
            self.is_unfinished = true;
        }
    }
}
