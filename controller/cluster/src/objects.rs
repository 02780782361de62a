//! What the cluster holds of our kinds, kept up to date by watches.
//!
//! An object that cannot be decoded is kept as one that exists: it freezes itself and nothing else.

use std::sync::Arc;

use diarchy_core::resource::ObjectName;
use diarchy_crds::{
    Approval, CoManagementPolicy, DeviceGroup, Fleet, GitSource, WorkloadAssignment,
};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use kube::core::error_boundary::InvalidObject;
use kube::core::{ApiResource, DeserializeGuard, DynamicObject, NamespaceResourceScope};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::in_words;
use crate::lease::Timing;

/// An object, or what is known of one that cannot be decoded.
pub type Guarded<K> = DeserializeGuard<K>;

/// Which namespaces are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every one.
    Cluster,
    /// These.
    Namespaces(Vec<String>),
}

/// The objects of one kind.
#[derive(Clone)]
pub struct Cached<K: Resource<DynamicType = ()> + Clone + 'static>(Vec<Store<Guarded<K>>>);

impl<K: Resource<DynamicType = ()> + Clone + 'static> Cached<K> {
    /// Every object, by namespace and name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Guarded<K>>> {
        let mut objects: Vec<_> = self.0.iter().flat_map(Store::state).collect();
        objects.sort_by_key(|object| (object.namespace(), object.name_any()));
        objects
    }

    /// One object.
    #[must_use]
    pub fn get(&self, name: &ObjectName) -> Option<Arc<Guarded<K>>> {
        let object = ObjectRef::new(&name.name).within(&name.namespace);
        self.0.iter().find_map(|store| store.get(&object))
    }

    async fn ready(&self) {
        for store in &self.0 {
            // A writer is dropped only when everything ends.
            if store.wait_until_ready().await.is_err() {
                return;
            }
        }
    }
}

/// What the cluster holds of our kinds.
#[derive(Clone)]
pub struct Objects {
    /// The fleets.
    pub fleets: Cached<Fleet>,
    /// The groups.
    pub groups: Cached<DeviceGroup>,
    /// The policies.
    pub policies: Cached<CoManagementPolicy>,
    /// The assignments.
    pub assignments: Cached<WorkloadAssignment>,
    /// The approvals.
    pub approvals: Cached<Approval>,
    /// The sources.
    pub sources: Cached<GitSource>,
    changes: watch::Receiver<u64>,
}

/// What keeps [`Objects`] up to date for as long as it is polled.
pub type Watches = Vec<BoxFuture<'static, ()>>;

impl Objects {
    /// Begins to watch.
    #[must_use]
    pub fn watch(client: &Client, scope: &Scope, timing: Timing) -> (Self, Watches) {
        let (sender, changes) = watch::channel(0);
        let mut watching = Watching {
            client,
            scope,
            config: watcher::Config::default().timeout(timing.watch_seconds()),
            changes: Arc::new(sender),
            watches: Vec::new(),
        };
        let objects = Self {
            fleets: watching.kind(),
            groups: watching.kind(),
            policies: watching.kind(),
            assignments: watching.kind(),
            approvals: watching.kind(),
            sources: watching.kind(),
            changes,
        };
        (objects, watching.watches)
    }

    /// Ends when every kind has been read once.
    pub async fn ready(&self) {
        self.fleets.ready().await;
        self.groups.ready().await;
        self.policies.ready().await;
        self.assignments.ready().await;
        self.approvals.ready().await;
        self.sources.ready().await;
    }

    /// Whether anything has changed since this was last asked of `seen`.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

struct Watching<'a> {
    client: &'a Client,
    scope: &'a Scope,
    config: watcher::Config,
    changes: Arc<watch::Sender<u64>>,
    watches: Watches,
}

impl Watching<'_> {
    fn kind<K>(&mut self) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug
            + Send
            + Sync
            + 'static,
    {
        let kind = ApiResource::erase::<K>(&());
        let apis: Vec<Api<DynamicObject>> = match self.scope {
            Scope::Cluster => vec![Api::all_with(self.client.clone(), &kind)],
            Scope::Namespaces(names) => names
                .iter()
                .map(|name| Api::namespaced_with(self.client.clone(), name, &kind))
                .collect(),
        };
        let stores = apis.into_iter().map(|api| {
            let (store, writer) = reflector::store::<Guarded<K>>();
            let changes = Arc::clone(&self.changes);
            let events = watched(api, self.config.clone());
            self.watches.push(Box::pin(keep(events, writer, changes)));
            store
        });
        Cached(stores.collect())
    }
}

type Events = BoxStream<'static, Result<Event<DynamicObject>, watcher::Error>>;

/// What a watch says, of whatever kind: read as it is and decoded afterwards, so that the watch is
/// compiled once and an object that cannot be decoded interrupts none. One that breaks is taken up
/// again, later each time.
fn watched(api: Api<DynamicObject>, config: watcher::Config) -> Events {
    let stream = watcher(api, config).default_backoff().modify(strip);
    stream.boxed()
}

/// Keeps a store up to date.
async fn keep<K>(
    mut events: Events,
    mut writer: Writer<Guarded<K>>,
    changes: Arc<watch::Sender<u64>>,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let event = decoded(event);
                writer.apply_watcher_event(&event);
                // Until a list is complete the store has what was there before.
                if !matches!(event, Event::Init | Event::InitApply(_)) {
                    changes.send_modify(|count| *count += 1);
                }
            }
            Err(error) => {
                let error = in_words::of_watch(&error);
                tracing::warn!(kind = %K::kind(&()), error, "a watch was interrupted");
            }
        }
    }
}

fn decoded<K: DeserializeOwned>(event: Event<DynamicObject>) -> Event<Guarded<K>> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(guarded(object)),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(guarded(object)),
        Event::Delete(object) => Event::Delete(guarded(object)),
    }
}

fn guarded<K: DeserializeOwned>(object: DynamicObject) -> Guarded<K> {
    let metadata = object.metadata.clone();
    let whole = serde_json::to_value(object).and_then(serde_json::from_value);
    DeserializeGuard(whole.map_err(|error| InvalidObject {
        error: error.to_string(),
        metadata,
    }))
}

#[cfg(test)]
impl Objects {
    /// Groups, which a test brings up to date, and nothing else.
    pub fn of_groups() -> (Self, Writer<Guarded<DeviceGroup>>) {
        let (groups, writer) = reflector::store();
        let objects = Self {
            fleets: Cached(Vec::new()),
            groups: Cached(vec![groups]),
            policies: Cached(Vec::new()),
            assignments: Cached(Vec::new()),
            approvals: Cached(Vec::new()),
            sources: Cached(Vec::new()),
            changes: watch::channel(0).1,
        };
        (objects, writer)
    }
}

/// Drops what nobody here reads and what may be larger than the object itself.
fn strip(object: &mut DynamicObject) {
    object.managed_fields_mut().clear();
    object
        .annotations_mut()
        .remove("kubectl.kubernetes.io/last-applied-configuration");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn group(devices: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "diarchy.dev/v1alpha1", "kind": "DeviceGroup",
            "metadata": { "name": "desks", "namespace": "contoso", "generation": 7 },
            "spec": { "fleetRef": { "name": "contoso" }, "devices": devices },
            "status": { "observedGeneration": 6 },
        }))
        .unwrap()
    }

    #[test]
    fn an_object_is_decoded_whole() {
        let group: DeviceGroup = guarded(group(&json!(["NO-WS000001"]))).0.unwrap();
        assert_eq!(group.metadata.generation, Some(7));
        assert_eq!(group.spec.devices, ["NO-WS000001"]);
        assert_eq!(group.status.unwrap().observed_generation, Some(6));
    }

    #[test]
    fn one_that_cannot_be_decoded_is_still_there() {
        let invalid = guarded::<DeviceGroup>(group(&json!({}))).0.unwrap_err();
        assert_eq!(invalid.metadata.name.as_deref(), Some("desks"));
        assert_eq!(invalid.metadata.generation, Some(7));
        assert!(invalid.error.contains("expected a sequence"), "{invalid}");
    }
}
