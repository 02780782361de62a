//! The documents of a revision as they are written, for whoever hands them on.

use diarchy_core::resource::Kind;
use serde_json::{Map, Value};

use crate::diagnostic::Position;
use crate::document::{Body, Document};
use crate::load::Loaded;
use crate::yaml;

/// What of a document's metadata is handed on. The rest is a cluster's, and is in exports only.
const METADATA: [&str; 4] = ["name", "namespace", "labels", "annotations"];

/// One document of group `diarchy.dev` as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its kind.
    pub kind: Kind,
    /// The file that it stands in.
    pub file: String,
    /// Where it begins there.
    pub position: Position,
    /// `apiVersion`, `kind`, `metadata` and `spec`, without defaults and without a status.
    pub document: Value,
}

impl Loaded {
    /// The documents of a valid revision, by file and place; of another one, those that could be
    /// read.
    #[must_use]
    pub fn written(&self) -> Vec<Written> {
        let documents = self.files.iter().flat_map(|(name, file)| {
            let documents = file.documents.iter();
            documents.filter_map(move |document| written(name, document))
        });
        documents.collect()
    }
}

fn written(file: &str, document: &Document) -> Option<Written> {
    let kind = match &document.body {
        Body::Fleet(_) => Kind::Fleet,
        Body::DeviceGroup(_) => Kind::DeviceGroup,
        Body::CoManagementPolicy(_) => Kind::CoManagementPolicy,
        Body::WorkloadAssignment(_) => Kind::WorkloadAssignment,
        Body::GitSource(_) => Kind::GitSource,
        Body::Known { .. } | Body::Unidentified => return None,
    };
    let tree = &document.tree;
    let mut whole: Map<String, Value> = yaml::decode(tree, tree.root()).ok()?;
    whole.remove("status");
    if let Some(Value::Object(metadata)) = whole.get_mut("metadata") {
        metadata.retain(|key, _| METADATA.contains(&key.as_str()));
    }
    Some(Written {
        kind,
        file: file.to_owned(),
        position: tree.position(tree.root()),
        document: Value::Object(whole),
    })
}
