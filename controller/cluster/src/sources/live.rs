//! What the cluster has now of the kinds that a source delivers.

use std::collections::BTreeMap;

use diarchy_core::resource::Kind;
use kube::core::object::HasSpec;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::Value;

use crate::objects::{Cached, Objects};
use crate::tenant::{Key, key};

/// An object as the cluster has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Live {
    /// Tells it from namesakes.
    pub uid: String,
    /// Another one after every write.
    pub version: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// What it asks for, with defaults; none if that cannot be decoded.
    pub spec: Option<Value>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// Objects by kind and name.
pub type LiveObjects = BTreeMap<Key, Live>;

/// The objects of a namespace.
pub fn of_namespace(objects: &Objects, namespace: &str) -> LiveObjects {
    let mut live = LiveObjects::new();
    collect(&objects.fleets, Kind::Fleet, namespace, &mut live);
    collect(&objects.groups, Kind::DeviceGroup, namespace, &mut live);
    let policies = &objects.policies;
    collect(policies, Kind::CoManagementPolicy, namespace, &mut live);
    let assignments = &objects.assignments;
    collect(assignments, Kind::WorkloadAssignment, namespace, &mut live);
    collect(&objects.sources, Kind::GitSource, namespace, &mut live);
    live
}

fn collect<K>(objects: &Cached<K>, kind: Kind, namespace: &str, into: &mut LiveObjects)
where
    K: Resource<DynamicType = ()> + HasSpec<Spec: Serialize> + Clone + 'static,
{
    for object in objects.all() {
        if object.namespace().as_deref() != Some(namespace) {
            continue;
        }
        let spec = object.0.as_ref().ok().map(HasSpec::spec);
        let live = Live {
            uid: object.uid().unwrap_or_default(),
            version: object.resource_version().unwrap_or_default(),
            labels: object.labels().clone(),
            annotations: object.annotations().clone(),
            spec: spec.and_then(|spec| serde_json::to_value(spec).ok()),
            deleting: object.meta().deletion_timestamp.is_some(),
        };
        into.insert(key(kind, &*object), live);
    }
}
