//! Which namespaces have a revision of which only a part is applied.
//!
//! What such a revision asks for nobody has written: a group that has grown may be there, and the
//! exception that goes with it not yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use diarchy_crds::GitSource;
use kube::ResourceExt as _;

use crate::objects::Guarded;
use crate::tenant::Version;

/// The namespaces in which a source has begun to apply a revision, and has not applied all of it.
pub fn half_applied(sources: &[Arc<Guarded<GitSource>>]) -> BTreeSet<String> {
    let half = sources.iter().filter(|source| is_half(source));
    half.filter_map(|source| source.namespace()).collect()
}

/// Whether more of a revision is to come from this source. One that a person has stopped, or that is
/// being deleted, brings nothing more.
fn is_half(source: &Guarded<GitSource>) -> bool {
    let Version {
        paused, deleting, ..
    } = Version::of(source);
    if paused || deleting {
        return false;
    }
    match &source.0 {
        Ok(source) => {
            let status = source.status.as_ref();
            !source.spec.suspend && status.is_some_and(|one| one.applying_revision.is_some())
        }
        // What it has applied is not known: that is not the same as nothing.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use kube::core::DeserializeGuard;
    use serde_json::{Value, json};

    use super::*;

    fn source(change: impl FnOnce(&mut Value)) -> Guarded<GitSource> {
        let mut source = json!({
            "apiVersion": "diarchy.dev/v1alpha1",
            "kind": "GitSource",
            "metadata": { "name": "main", "namespace": "contoso" },
            "spec": {
                "url": "https://git.contoso.com/fleet.git",
                "ref": { "branch": "main" },
            },
            "status": {
                "lastAppliedRevision": "main@sha1:1",
                "lastAttemptedRevision": "main@sha1:2",
                "applyingRevision": "main@sha1:2",
            },
        });
        change(&mut source);
        let source: DeserializeGuard<GitSource> = serde_json::from_value(source).unwrap();
        source
    }

    #[test]
    fn more_is_to_come_of_a_revision_that_has_begun_unless_a_person_has_stopped_it() {
        assert!(is_half(&source(|_| {})));
        let whole = |one: &mut Value| {
            one["status"]
                .as_object_mut()
                .unwrap()
                .remove("applyingRevision");
        };
        // A revision that was refused before anything of it was applied is attempted too.
        assert!(!is_half(&source(whole)));
        assert!(!is_half(&source(|one| {
            one.as_object_mut().unwrap().remove("status");
        })));
        assert!(!is_half(
            &source(|one| one["spec"]["suspend"] = json!(true))
        ));
        let paused = json!({ "diarchy.dev/paused": "true" });
        assert!(!is_half(&source(|one| {
            one["metadata"]["annotations"] = paused.clone();
        })));
        assert!(!is_half(&source(|one| {
            one["metadata"]["deletionTimestamp"] = json!("2026-11-25T10:00:00Z");
        })));
        let unreadable = |one: &mut Value| one["spec"]["interval"] = json!(5);
        assert!(is_half(&source(unreadable)));
        assert!(!is_half(&source(|one| {
            unreadable(one);
            one["metadata"]["annotations"] = paused.clone();
        })));
    }
}
