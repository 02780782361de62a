//! References to other objects of the same namespace; there are no others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Name;

/// A resource, Secret or service account of the same namespace, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalRef {
    /// Its name.
    pub name: Name,
}

impl From<&str> for LocalRef {
    fn from(name: &str) -> Self {
        Self { name: name.into() }
    }
}
