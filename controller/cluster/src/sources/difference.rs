//! What differs between git and the cluster: which objects are applied, which removed.

use std::collections::BTreeSet;

use diarchy_core::resource::{GROUP, Kind, ObjectName};
use diarchy_crds::git_source::MAX_INVENTORY;

use super::content::{Content, Resource};
use super::live::{Live, LiveObjects};
use crate::tenant::Key;

/// The annotation that names the source which an object is from.
pub const SOURCE: &str = "diarchy.dev/source";

/// The annotation of a fleet that says which revision is in force for it: `main@sha1:…`.
pub const REVISION: &str = "diarchy.dev/revision";

/// Whether the cluster has `resource` just as git does.
///
/// Labels and annotations that others have added stay theirs.
pub fn is_as_written(resource: &Resource, live: &Live, source: &str) -> bool {
    let labels = resource.labels.iter();
    let annotations = resource.annotations.iter();
    live.spec.as_ref() == Some(&resource.complete)
        && labels
            .into_iter()
            .all(|(key, value)| live.labels.get(key) == Some(value))
        && annotations
            .filter(|(key, _)| !is_own(key))
            .all(|(key, value)| live.annotations.get(key) == Some(value))
        && is_from(live, source)
}

/// Whether an annotation is written here, whatever git says.
pub fn is_own(annotation: &str) -> bool {
    [SOURCE, REVISION].contains(&annotation)
}

/// Whether an object is from `source`.
pub fn is_from(live: &Live, source: &str) -> bool {
    live.annotations
        .get(SOURCE)
        .is_some_and(|name| name == source)
}

/// The other source that an object is from, if there is such a source.
pub fn other_source<'a>(live: &'a Live, source: &str, all: &LiveObjects) -> Option<&'a str> {
    let (namespace, name) = (
        all.keys().next()?.1.namespace.clone(),
        live.annotations.get(SOURCE)?,
    );
    let exists = all.contains_key(&(Kind::GitSource, ObjectName::new(namespace, name)));
    (name != source && exists).then_some(name)
}

/// Something that is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// What.
    pub key: Key,
    /// Which of that name; none if it is not known yet whether it is there.
    pub uid: Option<String>,
}

/// What `inventory` names and git has no more, the last applied first: only what is still from
/// `source`, as far as is known, and never the source itself.
pub fn removals(
    inventory: &[String],
    content: &Content,
    live: &LiveObjects,
    source: &ObjectName,
) -> Vec<Removal> {
    let kept: BTreeSet<&Key> = content.resources().map(|resource| &resource.key).collect();
    let mut removals: Vec<Removal> = inventory
        .iter()
        .filter_map(|entry| parse(entry))
        .filter(|key| key.1.namespace == source.namespace && !kept.contains(key))
        .filter(|key| *key != (Kind::GitSource, source.clone()))
        .filter_map(|key| {
            // What was applied a moment ago may not be known yet.
            let Some(object) = live.get(&key) else {
                return Some(Removal { key, uid: None });
            };
            let is_own = is_from(object, &source.name) && !object.deleting;
            let uid = Some(object.uid.clone());
            is_own.then_some(Removal { key, uid })
        })
        .collect();
    // What refers to others goes before them.
    removals.sort_by(|one, other| other.key.cmp(&one.key));
    removals
}

/// How an inventory names an object.
pub fn entry((kind, name): &Key) -> String {
    format!("{GROUP}/{kind}/{}/{}", name.namespace, name.name)
}

fn parse(entry: &str) -> Option<Key> {
    let mut parts = entry.split('/');
    let (group, kind) = (parts.next()?, Kind::from_name(parts.next()?)?);
    let (namespace, name) = (parts.next()?, parts.next()?);
    (group == GROUP && parts.next().is_none()).then(|| (kind, ObjectName::new(namespace, name)))
}

/// The inventory of these objects: sorted, and no longer than it may be.
pub fn inventory(keys: BTreeSet<String>) -> Vec<String> {
    keys.into_iter().take(MAX_INVENTORY).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn resource(name: &str, spec: Value) -> Resource {
        Resource {
            key: (Kind::DeviceGroup, ObjectName::new("contoso", name)),
            labels: BTreeMap::from([("tier".to_owned(), "1".to_owned())]),
            annotations: BTreeMap::new(),
            complete: spec.clone(),
            spec,
        }
    }

    fn live(source: &str, spec: Value) -> Live {
        let text = |text: &str| text.to_owned();
        Live {
            uid: "u1".to_owned(),
            version: "7".to_owned(),
            labels: [(text("tier"), text("1")), (text("team"), text("desk"))].into(),
            annotations: [(text(SOURCE), text(source))].into(),
            spec: Some(spec),
            deleting: false,
        }
    }

    #[test]
    fn what_differs_is_applied() {
        let wanted = resource("desks", json!({ "devices": ["PC-1"] }));
        let same = live("main", json!({ "devices": ["PC-1"] }));
        assert!(is_as_written(&wanted, &same, "main"));
        assert!(!is_as_written(&wanted, &same, "other"));
        let edited = live("main", json!({ "devices": ["PC-2"] }));
        assert!(!is_as_written(&wanted, &edited, "main"));
        let added = live("main", json!({ "devices": ["PC-1"], "include": [] }));
        assert!(!is_as_written(&wanted, &added, "main"));
        let mut relabelled = same.clone();
        relabelled.labels.insert("tier".to_owned(), "2".to_owned());
        assert!(!is_as_written(&wanted, &relabelled, "main"));
        let unreadable = Live { spec: None, ..same };
        assert!(!is_as_written(&wanted, &unreadable, "main"));
    }

    #[test]
    fn only_what_is_of_the_source_and_gone_from_git_is_removed() {
        let source = ObjectName::new("contoso", "main");
        let key = |kind, name: &str| (kind, ObjectName::new("contoso", name));
        let content = Content {
            stages: vec![vec![resource("kept", json!({}))]],
            ..Content::default()
        };
        let mut all = LiveObjects::new();
        for name in ["kept", "gone", "uninvolved"] {
            all.insert(key(Kind::DeviceGroup, name), live("main", json!({})));
        }
        all.insert(key(Kind::DeviceGroup, "taken"), live("other", json!({})));
        all.insert(
            key(Kind::WorkloadAssignment, "gone"),
            live("main", json!({})),
        );
        all.insert(key(Kind::GitSource, "main"), live("main", json!({})));
        let mut going = live("main", json!({}));
        going.deleting = true;
        all.insert(key(Kind::DeviceGroup, "going"), going);
        let inventory = [
            "diarchy.dev/DeviceGroup/contoso/kept",
            "diarchy.dev/DeviceGroup/contoso/gone",
            "diarchy.dev/DeviceGroup/contoso/taken",
            "diarchy.dev/DeviceGroup/contoso/going",
            "diarchy.dev/DeviceGroup/contoso/not-there",
            "diarchy.dev/DeviceGroup/fabrikam/gone",
            "diarchy.dev/WorkloadAssignment/contoso/gone",
            "diarchy.dev/GitSource/contoso/main",
            "apps/Deployment/contoso/gone",
            "nonsense",
        ]
        .map(str::to_owned);
        let removed: Vec<(Key, bool)> = removals(&inventory, &content, &all, &source)
            .into_iter()
            .map(|removal| (removal.key, removal.uid.is_some()))
            .collect();
        assert_eq!(
            removed,
            [
                (key(Kind::WorkloadAssignment, "gone"), true),
                (key(Kind::DeviceGroup, "not-there"), false),
                (key(Kind::DeviceGroup, "gone"), true),
            ]
        );
    }

    #[test]
    fn an_inventory_is_sorted_and_bounded_and_can_be_read() {
        let keys = (0..5000).map(|number| {
            entry(&(
                Kind::DeviceGroup,
                ObjectName::new("contoso", format!("g{number:04}")),
            ))
        });
        let inventory = inventory(keys.rev().collect());
        assert_eq!(inventory.len(), MAX_INVENTORY);
        assert!(inventory.is_sorted());
        assert_eq!(parse(&inventory[0]).unwrap().1.name, "g0000");
    }

    #[test]
    fn two_sources_do_not_take_each_others_objects() {
        let mut all = LiveObjects::new();
        let of_other = live("other", json!({}));
        all.insert(
            (Kind::GitSource, ObjectName::new("contoso", "main")),
            live("", json!({})),
        );
        assert_eq!(other_source(&of_other, "main", &all), None);
        all.insert(
            (Kind::GitSource, ObjectName::new("contoso", "other")),
            live("", json!({})),
        );
        assert_eq!(other_source(&of_other, "main", &all), Some("other"));
        assert_eq!(other_source(&of_other, "other", &all), None);
    }
}
