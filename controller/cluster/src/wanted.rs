//! What the loop of one fleet is to carry out now: what has settled, with the brakes that people
//! pull at once, what they have approved, and the passes that they ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diarchy_core::resource::{Kind, ObjectName};
use diarchy_core::rollout::{self, Act};
use diarchy_crds::manifest::{PAUSED, REQUESTED_AT, annotation_of};
use diarchy_operator::brakes;
use kube::{Resource, ResourceExt as _};

use crate::finalizers;
use crate::loops;
use crate::named::Known;
use crate::objects::Objects;
use crate::snapshot::Snapshot;
use crate::sources::REVISION;
use crate::tenant::{Key, Tenant, TenantFleet, Version, key};

/// What the loop of one fleet is to carry out.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What has settled, of the whole namespace.
    pub tenant: Arc<Tenant>,
    /// Of it, this fleet, with the brakes on.
    pub fleet: TenantFleet,
    /// By object, the passes that people have asked for. None while something has not settled: who asks
    /// means what is there now, and is answered once that is carried out.
    pub requests: BTreeMap<Key, String>,
    is_settled: bool,
    /// Everything else that a pass is made for when it changes.
    causes: Causes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Causes {
    stopped: bool,
    frozen: BTreeSet<ObjectName>,
    abandoned: BTreeSet<String>,
    approvals: BTreeSet<String>,
    acts: rollout::Said,
    /// What is known of the credentials that the fleet names, in an order that only the fleet changes.
    credentials: Vec<Known>,
}

impl Wanted {
    /// The same, where this is known of the credentials that the fleet names.
    pub fn with_credentials(mut self, known: Vec<Known>) -> Self {
        self.causes.credentials = known;
        self
    }

    /// Whether a credential that the fleet names is known not to be there, or is being deleted.
    pub fn lacks_credentials(&self) -> bool {
        self.causes.credentials.iter().any(Known::is_gone)
    }
}

impl loops::Wanted for Wanted {
    fn differs_from(&self, before: &Self) -> bool {
        !Arc::ptr_eq(&self.tenant, &before.tenant)
            || (self.is_settled && self.requests != before.requests)
            || self.causes != before.causes
    }
}

/// What people have said of a namespace's objects, to be heeded at once.
#[derive(Debug, Clone, Default)]
pub struct Said {
    stopped: BTreeSet<ObjectName>,
    frozen: BTreeSet<ObjectName>,
    abandoned: BTreeSet<String>,
    requests: BTreeMap<Key, String>,
    /// Which version of each object there is.
    versions: BTreeMap<Key, Version>,
    /// By the uid of what they are for, the approvals.
    approvals: BTreeMap<String, BTreeSet<String>>,
    /// What people want of rollouts.
    acts: rollout::Said,
    /// By name, the uids of the fleets that there are.
    fleets: BTreeMap<ObjectName, String>,
    /// By name of the fleet, the revision that its source has applied.
    source_revisions: BTreeMap<ObjectName, String>,
}

impl Said {
    /// What there is to heed, by namespace.
    pub fn now(there: &Snapshot) -> BTreeMap<String, Self> {
        let mut hearing = Hearing::default();
        for (namespace, versions) in there.versions() {
            hearing.of(&namespace).versions = versions;
        }
        for object in &there.fleets {
            let key = key(Kind::Fleet, &**object);
            let suspended = object.0.as_ref().is_ok_and(|fleet| fleet.spec.suspend);
            let stopped = hearing.listen(&key, &**object) || suspended;
            let said = hearing.of(&key.1.namespace);
            if stopped {
                said.stopped.insert(key.1.clone());
            }
            if let Some(revision) = object.annotations().get(REVISION) {
                let revisions = &mut said.source_revisions;
                revisions.insert(key.1.clone(), revision.clone());
            }
            if object.meta().deletion_timestamp.is_none() {
                said.fleets.insert(key.1, object.uid().unwrap_or_default());
            }
        }
        for object in &there.assignments {
            let key = key(Kind::WorkloadAssignment, &**object);
            let suspended = object.0.as_ref().is_ok_and(|one| one.spec.suspend);
            if hearing.listen(&key, &**object) || suspended {
                hearing.of(&key.1.namespace).frozen.insert(key.1.clone());
            }
            for act in Act::ALL {
                if let Some(said) = object.annotations().get(annotation_of(act)) {
                    let acts = &mut hearing.of(&key.1.namespace).acts;
                    let of_this = acts.entry(key.1.clone()).or_default();
                    of_this.insert(act, said.clone());
                }
            }
            if finalizers::is_abandoned(object) {
                let abandoned = &mut hearing.of(&key.1.namespace).abandoned;
                abandoned.extend(object.uid());
            }
        }
        for object in &there.groups {
            hearing.listen(&key(Kind::DeviceGroup, &**object), &**object);
        }
        for object in &there.policies {
            hearing.listen(&key(Kind::CoManagementPolicy, &**object), &**object);
        }
        for object in &there.approvals {
            let (Ok(approval), Some(namespace)) = (&object.0, object.namespace()) else {
                continue;
            };
            let target = &approval.spec.target_ref;
            let approvals = &mut hearing.of(&namespace).approvals;
            let of_target = approvals.entry(target.uid.clone()).or_default();
            of_target.extend(approval.uid());
        }
        hearing.said
    }

    /// The fleets that are there and not being deleted, by name, with their uids.
    pub const fn fleets(&self) -> &BTreeMap<ObjectName, String> {
        &self.fleets
    }

    /// What the loop of `fleet` is to carry out; nothing when the fleet is gone, or being deleted, or
    /// another of its name has taken its place.
    pub fn wanted(&self, tenant: &Arc<Tenant>, fleet: &TenantFleet) -> Option<Wanted> {
        let mut fleet = fleet.clone();
        let desired = &mut fleet.loaded.desired;
        if self.fleets.get(&desired.fleet) != Some(&fleet.uid) {
            return None;
        }
        let stopped = self.stopped.contains(&desired.fleet);
        let frozen = brakes::pull(desired, stopped, |name| self.frozen.contains(name));
        fleet.existing.abandoned.clone_from(&self.abandoned);
        let uids = &fleet.existing.uids;
        let acts = self.acts.iter();
        let acts = acts.filter(|(name, _)| uids.contains_key(name));
        fleet.existing.said = acts
            .map(|(name, said)| (name.clone(), said.clone()))
            .collect();
        // Where a commit says nothing new of the fleet, no pass is made for it.
        fleet.source_revision = self.source_revisions.get(&desired.fleet).cloned();
        let targets = fleet.existing.uids.values().chain([&fleet.uid]);
        let approvals = targets.filter_map(|uid| self.approvals.get(uid));
        let approvals = approvals.flatten().cloned().collect();
        let is_settled = self.versions == tenant.versions;
        Some(Wanted {
            tenant: Arc::clone(tenant),
            causes: Causes {
                stopped,
                frozen,
                abandoned: self.abandoned.clone(),
                approvals,
                acts: fleet.existing.said.clone(),
                credentials: Vec::new(),
            },
            requests: if is_settled {
                self.requests.clone()
            } else {
                BTreeMap::new()
            },
            is_settled,
            fleet,
        })
    }
}

/// The pass that people have asked for of one object, if that is still as `looked` at: who asks means
/// what is there now.
pub fn requested(objects: &Objects, (kind, name): &Key, looked: &Version) -> Option<String> {
    fn of<K: Resource<DynamicType = ()>>(object: &K, looked: &Version) -> Option<String> {
        let request = object.annotations().get(REQUESTED_AT)?;
        (Version::of(object) == *looked).then(|| request.clone())
    }
    match kind {
        Kind::Fleet => of(&*objects.fleets.get(name)?, looked),
        Kind::DeviceGroup => of(&*objects.groups.get(name)?, looked),
        Kind::CoManagementPolicy => of(&*objects.policies.get(name)?, looked),
        Kind::WorkloadAssignment => of(&*objects.assignments.get(name)?, looked),
        _ => None,
    }
}

#[derive(Default)]
struct Hearing {
    said: BTreeMap<String, Said>,
}

impl Hearing {
    fn of(&mut self, namespace: &str) -> &mut Said {
        self.said.entry(namespace.to_owned()).or_default()
    }

    /// Takes note of a request. Whether a person has paused the object.
    fn listen<K: Resource<DynamicType = ()>>(&mut self, key: &Key, object: &K) -> bool {
        let annotations = object.annotations();
        if let Some(requested) = annotations.get(REQUESTED_AT) {
            let requests = &mut self.of(&key.1.namespace).requests;
            requests.insert(key.clone(), requested.clone());
        }
        annotations.get(PAUSED).is_some_and(|value| value == "true")
    }
}
