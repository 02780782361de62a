//! A document of the API as a file or an export holds it, and its way into the desired state.

use diarchy_core::rollout::Act;
use std::collections::BTreeMap;

use diarchy_core::desired::{Header, Resources};
use diarchy_core::finding::{Finding, Origin};
use diarchy_core::resource::Kind;
use kube::core::object::HasSpec;
use kube::{Resource, ResourceExt};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// The annotation by which a person, not git, freezes a resource: `"true"` does.
pub const PAUSED: &str = "diarchy.dev/paused";

/// The annotation by which a person has an assignment go although its devices have not gone back:
/// `"true"` does.
pub const ABANDON: &str = "diarchy.dev/abandon";

/// The annotation by which a person asks for a pass now; its value comes back in the status.
pub const REQUESTED_AT: &str = "diarchy.dev/requestedAt";

/// The annotation of an assignment by which a person has its rollout do something: another text each
/// time, so that each is heeded once.
#[must_use]
pub const fn annotation_of(act: Act) -> &'static str {
    match act {
        Act::Promote => "diarchy.dev/promote",
        Act::Abort => "diarchy.dev/abort",
        Act::Retry => "diarchy.dev/retry",
    }
}

/// One document: what it is called, and what it asks for.
///
/// Strict: a field that does not exist is an error, so that a misspelt one is not lost.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest<S> {
    /// Group and version, `diarchy.dev/v1alpha1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// What it is called.
    pub metadata: Metadata,
    /// What it asks for.
    pub spec: S,
    /// What an export says of its state; nobody may ask for a state, so it is dropped.
    #[serde(default)]
    pub status: IgnoredAny,
}

impl<S> Manifest<S> {
    /// The manifest of an object read from a cluster.
    pub fn of_object<K>(object: &K) -> Self
    where
        K: Resource<DynamicType = ()> + HasSpec<Spec = S>,
        S: Clone,
    {
        Self {
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            metadata: Metadata {
                name: object.name_any(),
                namespace: object.namespace(),
                labels: object.labels().clone(),
                annotations: object.annotations().clone(),
                ..Metadata::default()
            },
            spec: object.spec().clone(),
            status: IgnoredAny,
        }
    }

    /// Whether a person has frozen it with the annotation [`PAUSED`].
    pub fn is_paused(&self) -> bool {
        self.metadata
            .annotations
            .get(PAUSED)
            .is_some_and(|value| value == "true")
    }

    /// What the document says of itself, under the caller's number for it.
    pub fn header(&self, origin: Origin) -> Header {
        Header {
            origin,
            namespace: self.metadata.namespace.clone(),
            name: self.metadata.name.clone(),
        }
    }
}

macro_rules! metadata {
    ($($ignored:ident),+ $(,)?) => {
        /// What a document is called.
        ///
        /// Strict, but for the fields that a cluster adds by itself: those are read and dropped, so
        /// that an export can be committed as it is.
        #[derive(Debug, Clone, PartialEq, Default, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct Metadata {
            /// Its name within the namespace.
            pub name: String,
            /// The tenant; absent takes the fleet's.
            #[serde(default)]
            pub namespace: Option<String>,
            /// Free words for selecting, which Diarchy does not read.
            #[serde(default)]
            pub labels: BTreeMap<String, String>,
            /// Free text; Diarchy reads [`PAUSED`] and [`REQUESTED_AT`].
            #[serde(default)]
            pub annotations: BTreeMap<String, String>,
            $(
                #[doc = "Added by a cluster, dropped here."]
                #[serde(default)]
                pub $ignored: IgnoredAny,
            )+
        }
    };
}

metadata! {
    uid,
    resource_version,
    generation,
    creation_timestamp,
    managed_fields,
    finalizers,
    owner_references,
    self_link,
    deletion_timestamp,
    deletion_grace_period_seconds,
    generate_name,
}

/// A kind that is read from repositories.
pub trait GitKind {
    /// Its name.
    const KIND: Kind;

    /// What a document of it asks for.
    type Spec: DeserializeOwned + Clone;

    /// Judges one document by itself and adds it to the others: as what it asks for, or, if any
    /// finding is an error, as one that is only known to exist.
    ///
    /// Everything that is wrong is found at once. What needs other documents to be judged is left
    /// to [`diarchy_core::desired::assemble`].
    fn interpret(
        origin: Origin,
        manifest: Manifest<Self::Spec>,
        into: &mut Resources,
    ) -> Vec<Finding>;
}

#[cfg(test)]
mod tests {
    use kube::core::ObjectMeta;
    use serde_json::{Value, json};

    use super::*;
    use crate::DeviceGroup;
    use crate::device_group::DeviceGroupSpec;

    fn document() -> Value {
        json!({
            "apiVersion": "diarchy.dev/v1alpha1",
            "kind": "DeviceGroup",
            "metadata": { "name": "g" },
            "spec": { "fleetRef": { "name": "f" }, "devices": ["PC"] },
        })
    }

    fn read(document: Value) -> Result<Manifest<DeviceGroupSpec>, String> {
        serde_json::from_value(document).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_cluster_adds_is_dropped() {
        let mut exported = document();
        exported["status"] = json!({ "members": 3, "conditions": [{ "type": "Ready" }] });
        for (key, value) in [
            ("uid", json!("5bd0f4a1")),
            ("resourceVersion", json!("812")),
            ("generation", json!(4)),
            ("creationTimestamp", json!(null)),
            ("managedFields", json!([{ "manager": "kubectl" }])),
            ("finalizers", json!(["x"])),
            ("ownerReferences", json!([])),
            ("selfLink", json!("/apis")),
            ("deletionTimestamp", json!("2026-10-02T06:00:00Z")),
            ("deletionGracePeriodSeconds", json!(0)),
            ("generateName", json!("g-")),
        ] {
            exported["metadata"][key] = value;
        }
        assert_eq!(read(exported), read(document()));
    }

    #[test]
    fn what_does_not_exist_is_refused_wherever_it_stands() {
        for pointer in ["", "/metadata", "/spec", "/spec/fleetRef"] {
            let mut document = document();
            document.pointer_mut(pointer).unwrap()["sepc"] = json!({});
            let error = read(document).unwrap_err();
            assert!(error.contains("unknown field `sepc`"), "{pointer}: {error}");
        }
    }

    #[test]
    fn what_must_be_there_is_missed() {
        for (pointer, key) in [
            ("", "metadata"),
            ("", "spec"),
            ("/metadata", "name"),
            ("/spec", "fleetRef"),
            ("/spec/fleetRef", "name"),
        ] {
            let mut document = document();
            let fields = document.pointer_mut(pointer).unwrap();
            fields.as_object_mut().unwrap().remove(key);
            let error = read(document).unwrap_err();
            assert!(
                error.contains(&format!("missing field `{key}`")),
                "{pointer}: {error}"
            );
        }
    }

    #[test]
    fn an_object_of_a_cluster_says_the_same_as_its_file() {
        let from_file = read(document()).unwrap();
        let object = DeviceGroup {
            metadata: ObjectMeta {
                name: Some("g".into()),
                uid: Some("5bd0f4a1".into()),
                ..ObjectMeta::default()
            },
            spec: from_file.spec.clone(),
            status: None,
        };
        assert_eq!(Manifest::of_object(&object), from_file);
    }
}
