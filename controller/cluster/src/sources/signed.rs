//! Who has signed what is applied: they do not approve what it changes.
//!
//! It is kept in the status of the source, which only the controller writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use diarchy_core::digest::Digest;
use diarchy_crds::GitSource;
use diarchy_crds::git_source::AppliedContent;
use kube::ResourceExt as _;
use serde_json::json;

use super::content::Content;
use super::difference::{entry, is_own};
use crate::objects::Guarded;
use crate::tenant::Key;

/// As much of a name as a status has room for.
const LONGEST: usize = 1024;

/// What is applied when `content` is, and who has signed that; `before` is what was applied before.
///
/// A revision that changes nothing here, such as that of a README, is not asked for a signer again.
pub fn applied(content: &Content, before: Option<&AppliedContent>) -> AppliedContent {
    let digest = digest(content);
    let known = before.filter(|before| before.digest == digest);
    let known = known.and_then(|before| before.signer.clone());
    let newest = || {
        let signer = content.signer.as_ref();
        signer.map(|name| name.chars().take(LONGEST).collect())
    };
    AppliedContent {
        digest,
        signer: known.or_else(newest),
    }
}

/// Tells what git has for a namespace from anything else, in whatever files it is.
fn digest(content: &Content) -> String {
    let mut resources: Vec<_> = content.resources().collect();
    resources.sort_by(|one, other| one.key.cmp(&other.key));
    let lines = resources.iter().map(|resource| {
        let mut annotations = resource.annotations.clone();
        annotations.retain(|key, _| !is_own(key));
        let labels = &resource.labels;
        json!([entry(&resource.key), labels, annotations, resource.spec]).to_string()
    });
    let lines: Vec<String> = lines.collect();
    Digest::of_lines(lines.iter().map(String::as_str)).to_string()
}

/// Who has signed what is applied of any of `objects`, which are of one namespace.
pub fn signers(
    sources: &[Arc<Guarded<GitSource>>],
    objects: impl IntoIterator<Item = Key>,
) -> BTreeSet<String> {
    let mut namespace = None;
    let mut entries = BTreeSet::new();
    for key in objects {
        entries.insert(entry(&key));
        namespace = Some(key.1.namespace);
    }
    let of_namespace = sources
        .iter()
        .filter(|source| source.namespace() == namespace);
    let statuses = of_namespace.filter_map(|source| source.0.as_ref().ok()?.status.as_ref());
    statuses
        .filter(|status| status.inventory.iter().any(|entry| entries.contains(entry)))
        .filter_map(|status| status.content.as_ref()?.signer.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use diarchy_core::resource::{Kind, ObjectName};
    use serde_json::Value;

    use super::super::content::Resource;
    use super::*;

    fn group(name: &str, spec: Value) -> Resource {
        Resource {
            key: (Kind::DeviceGroup, ObjectName::new("contoso", name)),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            complete: spec.clone(),
            spec,
        }
    }

    fn content(signer: Option<&str>, groups: &[Resource]) -> Content {
        Content {
            signer: signer.map(ToOwned::to_owned),
            stages: groups.iter().map(|group| vec![group.clone()]).collect(),
            ..Content::default()
        }
    }

    #[test]
    fn only_a_revision_that_changes_something_has_another_signer() {
        let one = group("one", json!({ "devices": ["PC-1"] }));
        let two = group("two", json!({ "devices": ["PC-2"] }));
        let both = [one.clone(), two.clone()];
        let first = applied(&content(Some("megan"), &both), None);
        assert_eq!(first.signer.as_deref(), Some("megan"));
        let next = |signer, groups: &[Resource]| applied(&content(signer, groups), Some(&first));
        // A README; and files that are arranged in another way.
        assert_eq!(next(Some("lena"), &both), first);
        assert_eq!(next(Some("lena"), &[two.clone(), one.clone()]), first);
        // Nor is it forgotten when nobody is asked who has signed.
        assert_eq!(next(None, &both), first);
        let mut wider = two;
        wider.spec = json!({ "devices": ["PC-2", "PC-3"] });
        let mut labelled = one.clone();
        labelled.labels.insert("tier".to_owned(), "1".to_owned());
        for groups in [
            &[one.clone(), wider][..],
            &[labelled, both[1].clone()],
            &[one],
        ] {
            let changed = next(Some("lena"), groups);
            assert_ne!(changed.digest, first.digest);
            assert_eq!(changed.signer.as_deref(), Some("lena"));
            assert_eq!(next(None, groups).signer, None);
        }
        // Verified later than it was applied.
        let unverified = applied(&content(None, &both), None);
        assert_eq!(unverified.signer, None);
        let verified = applied(&content(Some("lena"), &both), Some(&unverified));
        assert_eq!(verified.signer.as_deref(), Some("lena"));
    }

    #[test]
    fn the_signers_are_those_of_the_sources_that_have_the_objects() {
        let source = |namespace: &str, name: &str, inventory: &[&str]| {
            let source = json!({
                "apiVersion": "diarchy.dev/v1alpha1",
                "kind": "GitSource",
                "metadata": { "name": name, "namespace": namespace },
                "spec": { "url": "https://git.contoso.com/fleet.git", "ref": { "branch": "main" } },
                "status": {
                    "inventory": inventory,
                    "content": { "digest": "sha256:00", "signer": format!("{name}@{namespace}") },
                },
            });
            let source: Guarded<GitSource> = serde_json::from_value(source).unwrap();
            Arc::new(source)
        };
        let sources = [
            source("contoso", "fleet", &["diarchy.dev/Fleet/contoso/contoso"]),
            source(
                "contoso",
                "groups",
                &["diarchy.dev/DeviceGroup/contoso/desks"],
            ),
            source("contoso", "other", &["diarchy.dev/Fleet/contoso/other"]),
            source("fabrikam", "fleet", &["diarchy.dev/Fleet/contoso/contoso"]),
        ];
        let key = |kind, name| (kind, ObjectName::new("contoso", name));
        let fleet = [
            key(Kind::Fleet, "contoso"),
            key(Kind::DeviceGroup, "desks"),
            key(Kind::WorkloadAssignment, "updates"),
        ];
        let expected = ["fleet@contoso", "groups@contoso"].map(ToOwned::to_owned);
        assert_eq!(signers(&sources, fleet), expected.into());
        assert_eq!(signers(&sources, []), BTreeSet::new());
    }
}
