//! The Leases of what is gone: replicas that died, estates and sources that nobody wants any more.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;
use kube::api::{DeleteParams, Preconditions};
use tokio::time::Instant;

use super::{ABOUT, Keeper, Thing};

impl Keeper {
    /// Deletes a Lease that nobody has held for long and that is for none of `things`. The leader does,
    /// for all; one at a time, so that no renewal waits for it.
    ///
    /// Only that version of it is deleted which was seen so long ago: whoever takes it in this very
    /// moment keeps it.
    pub(super) async fn forget_one(&mut self, things: &BTreeMap<Thing, bool>) {
        if !self.holds.may_send(&Thing::leadership()) {
            return;
        }
        let own = Thing::replica(&self.own);
        let kept: BTreeSet<String> = things.keys().chain([&own]).map(Thing::lease).collect();
        let now = Instant::now();
        let forgotten = self.known.iter().find(|(name, known)| {
            !kept.contains(*name) && self.timing.is_forgotten(&known.seen, now)
        });
        let Some((name, known)) = forgotten else {
            return;
        };
        let (name, lease) = (name.clone(), &known.lease);
        let about = lease.annotations().get(ABOUT).cloned();
        let how = DeleteParams {
            preconditions: Some(Preconditions {
                uid: lease.uid(),
                resource_version: lease.resource_version(),
            }),
            ..DeleteParams::default()
        };
        match self.in_time(self.api.delete(&name, &how)).await {
            Ok(_) => {
                self.forget(&name);
                tracing::info!(lease = name, about, "a Lease of what is gone was deleted");
            }
            Err(error) => {
                tracing::debug!(lease = name, %error, "a Lease was not deleted");
                self.look_again(&name).await;
            }
        }
    }
}
