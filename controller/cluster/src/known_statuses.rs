//! Statuses as the API server has them, as far as watches have told.

use diarchy_core::resource::Kind;
use diarchy_operator::control_plane::Statuses;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::Value;

use crate::objects::{Cached, Guarded, Objects};
use crate::tenant::{Key, key};

/// The statuses of a namespace as the API server has them.
pub fn of_namespace(objects: &Objects, namespace: &str) -> Statuses {
    let mut statuses = Statuses::new();
    collect(
        &objects.fleets,
        Kind::Fleet,
        namespace,
        &mut statuses,
        |one| &one.status,
    );
    collect(
        &objects.groups,
        Kind::DeviceGroup,
        namespace,
        &mut statuses,
        |one| &one.status,
    );
    collect(
        &objects.policies,
        Kind::CoManagementPolicy,
        namespace,
        &mut statuses,
        |one| &one.status,
    );
    collect(
        &objects.assignments,
        Kind::WorkloadAssignment,
        namespace,
        &mut statuses,
        |one| &one.status,
    );
    statuses
}

/// An object that cannot be decoded.
pub struct Unreadable;

/// The status of one object as the API server has it, or null; nothing if there is no such object.
pub fn of_object(objects: &Objects, (kind, name): &Key) -> Option<Result<Value, Unreadable>> {
    fn read<K, S: Serialize>(
        object: &Guarded<K>,
        status: impl Fn(&K) -> &Option<S>,
    ) -> Result<Value, Unreadable> {
        if object.0.is_err() {
            return Err(Unreadable);
        }
        Ok(stated(object, status).unwrap_or_default())
    }
    Some(match kind {
        Kind::Fleet => read(&*objects.fleets.get(name)?, |one| &one.status),
        Kind::DeviceGroup => read(&*objects.groups.get(name)?, |one| &one.status),
        Kind::CoManagementPolicy => read(&*objects.policies.get(name)?, |one| &one.status),
        Kind::WorkloadAssignment => read(&*objects.assignments.get(name)?, |one| &one.status),
        _ => return None,
    })
}

fn stated<K, S: Serialize>(
    object: &Guarded<K>,
    status: impl Fn(&K) -> &Option<S>,
) -> Option<Value> {
    let status = status(object.0.as_ref().ok()?).as_ref()?;
    serde_json::to_value(status).ok()
}

fn collect<K, S: Serialize>(
    objects: &Cached<K>,
    kind: Kind,
    namespace: &str,
    into: &mut Statuses,
    status: impl Fn(&K) -> &Option<S>,
) where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    for object in objects.all() {
        if object.namespace().as_deref() != Some(namespace) {
            continue;
        }
        if let Some(status) = stated(&object, &status) {
            into.insert(key(kind, &*object), status);
        }
    }
}
