//! The status of a source as the API server has it now.

use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::git_source::GitSourceStatus;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, Error};
use serde::Deserialize as _;

use crate::statuses::resource;

/// What is known of a source. The cache may be behind what another replica has written: that a
/// revision was begun must not be forgotten, nor that in a source whose spec cannot be read.
pub async fn status(client: &Client, name: &ObjectName) -> Result<GitSourceStatus, Error> {
    let kind = resource(Kind::GitSource);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &name.namespace, &kind);
    let only = ListParams::default().fields(&format!("metadata.name={}", name.name));
    let found = api.list(&only).await?;
    let source = found.items.first();
    match source.and_then(|source| source.data.get("status")) {
        None => Ok(GitSourceStatus::default()),
        Some(status) => GitSourceStatus::deserialize(status).map_err(Error::SerdeError),
    }
}
