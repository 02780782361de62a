//! What the cluster held at one moment.
//!
//! What has settled is judged by the same objects that are then put together: what comes in between
//! has not settled.

use std::collections::BTreeMap;
use std::sync::Arc;

use diarchy_core::resource::Kind;
use diarchy_crds::{
    Approval, CoManagementPolicy, DeviceGroup, Fleet, GitSource, WorkloadAssignment,
};
use kube::Resource;

use crate::objects::{Guarded, Objects};
use crate::tenant::{Key, Version, key};

/// Objects of one kind.
type All<K> = Vec<Arc<Guarded<K>>>;

/// What the cluster held at one moment.
pub struct Snapshot {
    /// The fleets.
    pub fleets: All<Fleet>,
    /// The groups.
    pub groups: All<DeviceGroup>,
    /// The policies.
    pub policies: All<CoManagementPolicy>,
    /// The assignments.
    pub assignments: All<WorkloadAssignment>,
    /// The approvals.
    pub approvals: All<Approval>,
    /// The sources.
    pub sources: All<GitSource>,
}

impl Snapshot {
    /// What there is now.
    pub fn of(objects: &Objects) -> Self {
        Self {
            fleets: objects.fleets.all(),
            groups: objects.groups.all(),
            policies: objects.policies.all(),
            assignments: objects.assignments.all(),
            approvals: objects.approvals.all(),
            sources: objects.sources.all(),
        }
    }

    /// The versions of everything that is carried out, by namespace: approvals and sources are not
    /// themselves.
    pub fn versions(&self) -> BTreeMap<String, BTreeMap<Key, Version>> {
        let mut versions = BTreeMap::new();
        collect(&self.fleets, Kind::Fleet, &mut versions);
        collect(&self.groups, Kind::DeviceGroup, &mut versions);
        collect(&self.policies, Kind::CoManagementPolicy, &mut versions);
        collect(&self.assignments, Kind::WorkloadAssignment, &mut versions);
        versions
    }
}

fn collect<K: Resource<DynamicType = ()>>(
    objects: &All<K>,
    kind: Kind,
    into: &mut BTreeMap<String, BTreeMap<Key, Version>>,
) {
    for object in objects {
        let key = key(kind, &**object);
        let of_namespace = into.entry(key.1.namespace.clone()).or_default();
        of_namespace.insert(key, Version::of(&**object));
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::tenant::assemble;

    fn group(name: &str, generation: i64) -> Event<Guarded<DeviceGroup>> {
        let group = json!({
            "apiVersion": "diarchy.dev/v1alpha1",
            "kind": "DeviceGroup",
            "metadata": {
                "name": name,
                "namespace": "contoso",
                "uid": name,
                "generation": generation,
            },
            "spec": { "fleetRef": { "name": "contoso" }, "devices": ["PC-1"] },
        });
        Event::Apply(serde_json::from_value(group).unwrap())
    }

    #[test]
    fn what_comes_after_the_judgement_is_no_part_of_what_has_settled() {
        let (objects, mut writer) = Objects::of_groups();
        writer.apply_watcher_event(&group("desks", 1));
        let there = Snapshot::of(&objects);
        let judged = &there.versions()["contoso"];
        writer.apply_watcher_event(&group("desks", 2));
        writer.apply_watcher_event(&group("laptops", 1));
        let tenant = assemble(&there, "contoso");
        assert_eq!(tenant.versions, *judged);
        assert_eq!(judged.len(), 1);
        assert_ne!(Snapshot::of(&objects).versions()["contoso"], *judged);
    }
}
