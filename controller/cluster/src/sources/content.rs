//! What a revision has for one namespace, in the order in which it is applied.

use std::collections::BTreeMap;

use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::{CoManagementPolicy, DeviceGroup, Fleet, GitSource, WorkloadAssignment};
use diarchy_git::{Loaded, Written};
use kube::core::object::HasSpec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::SourceError;
use crate::tenant::Key;

/// A valid revision, for one namespace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Content {
    /// How people are told: `main@sha1:…`.
    pub revision: String,
    /// Who has signed it, where signatures are verified.
    pub signer: Option<String>,
    /// What is applied: each stage when the one before it is.
    pub stages: Vec<Vec<Resource>>,
    /// How many documents belong to other groups.
    pub skipped: usize,
}

/// A resource as git has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its kind and name.
    pub key: Key,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// What it asks for, as it is written.
    pub spec: Value,
    /// The same with defaults.
    pub complete: Value,
}

impl Content {
    /// What a valid revision has for `namespace`.
    ///
    /// # Errors
    ///
    /// [`SourceError::OtherNamespace`] for a document that says it is of another one.
    pub fn of(loaded: &Loaded, namespace: &str) -> Result<Self, SourceError> {
        let revision = &loaded.revision.display;
        let mut resources = Vec::new();
        let mut strangers = Vec::new();
        for written in loaded.written() {
            match written.document["metadata"]["namespace"].as_str() {
                Some(other) if other != namespace => strangers.push(format!(
                    "{}:{}: {} is of namespace `{other}`",
                    written.file, written.position, written.kind
                )),
                _ => resources.push(Resource::of(written, namespace)),
            }
        }
        if !strangers.is_empty() {
            return Err(SourceError::OtherNamespace {
                revision: revision.clone(),
                namespace: namespace.to_owned(),
                strangers,
            });
        }
        Ok(Self {
            revision: revision.clone(),
            signer: None,
            stages: stages(resources),
            skipped: loaded.skipped,
        })
    }

    /// Everything that is applied.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.stages.iter().flatten()
    }
}

impl Resource {
    fn of(written: Written, namespace: &str) -> Self {
        let Written {
            kind, mut document, ..
        } = written;
        let texts = |value: &Value| -> BTreeMap<String, String> {
            serde_json::from_value(value.clone()).unwrap_or_default()
        };
        let metadata = &document["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        let (labels, annotations) = (texts(&metadata["labels"]), texts(&metadata["annotations"]));
        let key = (kind, ObjectName::new(namespace, name));
        let spec = document["spec"].take();
        Self {
            key,
            labels,
            annotations,
            complete: complete(kind, &spec),
            spec,
        }
    }

    /// The groups of the same namespace that this one is made of.
    fn parts(&self) -> impl Iterator<Item = &str> {
        ["include", "exclude"]
            .into_iter()
            .filter_map(|list| self.spec[list].as_array())
            .flatten()
            .filter_map(|reference| reference["name"].as_str())
    }
}

/// A spec with the defaults of its kind, so that two which ask for the same are the same.
pub fn complete(kind: Kind, spec: &Value) -> Value {
    let completed = match kind {
        Kind::Fleet => through::<Fleet>(spec),
        Kind::DeviceGroup => through::<DeviceGroup>(spec),
        Kind::CoManagementPolicy => through::<CoManagementPolicy>(spec),
        Kind::WorkloadAssignment => through::<WorkloadAssignment>(spec),
        Kind::GitSource => through::<GitSource>(spec),
        _ => None,
    };
    completed.unwrap_or_else(|| spec.clone())
}

fn through<K>(spec: &Value) -> Option<Value>
where
    K: HasSpec<Spec: Serialize + DeserializeOwned>,
{
    let typed: K::Spec = serde_json::from_value(spec.clone()).ok()?;
    serde_json::to_value(typed).ok()
}

/// In the order in which nothing refers to what is not there yet.
fn stages(resources: Vec<Resource>) -> Vec<Vec<Resource>> {
    let depths = depths(&resources);
    let mut stages: BTreeMap<(u8, usize), Vec<Resource>> = BTreeMap::new();
    for resource in resources {
        let rank = match resource.key.0 {
            Kind::Fleet => 0,
            Kind::DeviceGroup => 1,
            Kind::CoManagementPolicy => 2,
            Kind::WorkloadAssignment => 3,
            _ => 4,
        };
        let depth = match resource.key.0 {
            Kind::DeviceGroup => depths.get(&resource.key.1.name).copied(),
            _ => None,
        };
        let stage = stages.entry((rank, depth.unwrap_or_default())).or_default();
        stage.push(resource);
    }
    stages.into_values().collect()
}

/// How many groups each group stands on, one upon the other.
fn depths(resources: &[Resource]) -> BTreeMap<String, usize> {
    let groups = || {
        let is_group = |one: &&Resource| one.key.0 == Kind::DeviceGroup;
        resources.iter().filter(is_group)
    };
    let mut depths: BTreeMap<String, usize> = BTreeMap::new();
    // In a valid revision no circle exists; were there one, this would still end.
    for _ in groups() {
        let mut changed = false;
        for group in groups() {
            let below = group.parts().filter_map(|part| depths.get(part)).max();
            let depth = match (below, group.parts().next()) {
                (Some(below), _) => below + 1,
                (None, Some(_)) => 1,
                (None, None) => 0,
            };
            changed |= depths.insert(group.key.1.name.clone(), depth) != Some(depth);
        }
        if !changed {
            break;
        }
    }
    depths
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn group(name: &str, include: &[&str]) -> Resource {
        let include: Vec<Value> = include.iter().map(|name| json!({ "name": name })).collect();
        resource(Kind::DeviceGroup, name, json!({ "include": include }))
    }

    fn resource(kind: Kind, name: &str, spec: Value) -> Resource {
        Resource {
            key: (kind, ObjectName::new("contoso", name)),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            complete: spec.clone(),
            spec,
        }
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let resources = vec![
            resource(Kind::GitSource, "other", json!({})),
            resource(Kind::WorkloadAssignment, "apps", json!({})),
            group("all", &["emea", "desks"]),
            group("emea", &["berlin"]),
            group("desks", &[]),
            resource(Kind::CoManagementPolicy, "policy", json!({})),
            group("berlin", &["elsewhere"]),
            resource(Kind::Fleet, "contoso", json!({})),
        ];
        let names: Vec<Vec<String>> = stages(resources)
            .iter()
            .map(|stage| stage.iter().map(|one| one.key.1.name.clone()).collect())
            .collect();
        assert_eq!(
            names,
            [
                vec!["contoso"],
                vec!["desks"],
                vec!["berlin"],
                vec!["emea"],
                vec!["all"],
                vec!["policy"],
                vec!["apps"],
                vec!["other"],
            ]
        );
    }

    #[test]
    fn groups_in_a_circle_have_an_order_too() {
        let resources = vec![group("a", &["b"]), group("b", &["a"])];
        assert_eq!(stages(resources).concat().len(), 2);
    }

    #[test]
    fn a_default_that_is_written_and_one_that_is_not_are_the_same() {
        let short =
            json!({ "url": "https://git.contoso.com/fleet.git", "ref": { "branch": "main" } });
        let mut long = short.clone();
        long["interval"] = json!("1m");
        long["prune"] = json!(false);
        let of = |spec: &Value| complete(Kind::GitSource, spec);
        assert_eq!(of(&short), of(&long));
        long["interval"] = json!("2m");
        assert_ne!(of(&short), of(&long));
    }
}
