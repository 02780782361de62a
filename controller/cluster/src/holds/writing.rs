//! Writing Leases: with a precondition, and never for longer than until the next renewal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use kube::core::ObjectMeta;

use diarchy_web::Replica;

use super::{ABOUT, Keeper, LABEL, LeaseError, Thing};

/// Where the read API of a replica is.
const ADDRESS: &str = "diarchy.dev/address";
/// By which certificate that is known.
const CERTIFICATE: &str = "diarchy.dev/certificate";

impl Keeper {
    pub(super) async fn create(&self, thing: &Thing) -> Result<Lease, LeaseError> {
        let text = |text: &str| text.to_owned();
        let mut annotations = BTreeMap::from([(text(ABOUT), thing.about.clone())]);
        if thing.kind == "replica" {
            self.make_known(&mut annotations);
        }
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(thing.lease()),
                labels: Some([(text(LABEL), text(thing.kind))].into()),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            },
            spec: Some(self.held(None)),
        };
        self.in_time(self.api.create(&PostParams::default(), &lease))
            .await
    }

    /// Says in the Lease of this replica how it is asked.
    fn make_known(&self, annotations: &mut BTreeMap<String, String>) {
        let Replica {
            address,
            certificate,
        } = &self.replica;
        annotations.insert(ADDRESS.to_owned(), address.to_string());
        annotations.insert(CERTIFICATE.to_owned(), certificate.clone());
    }

    /// Takes or renews: only if nobody has written it since it was last seen.
    pub(super) async fn hold(&self, name: &str) -> Result<Lease, LeaseError> {
        let Some(known) = self.known.get(name) else {
            return Err(LeaseError::Gone);
        };
        let mut lease = known.lease.clone();
        lease.metadata.managed_fields = None;
        if lease.labels().get(LABEL).map(String::as_str) == Some("replica") {
            // One that was started anew is known by another certificate.
            self.make_known(lease.annotations_mut());
        }
        lease.spec = Some(self.held(lease.spec.as_ref()));
        self.in_time(self.api.replace(name, &PostParams::default(), &lease))
            .await
    }

    pub(super) async fn release(&self, name: &str) -> Result<Lease, LeaseError> {
        let Some(known) = self.known.get(name) else {
            return Err(LeaseError::Gone);
        };
        let mut lease = known.lease.clone();
        lease.metadata.managed_fields = None;
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        self.in_time(self.api.replace(name, &PostParams::default(), &lease))
            .await
    }

    fn held(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        let is_same = before.is_some_and(|spec| spec.holder_identity.as_ref() == Some(&self.own));
        let transitions = before
            .and_then(|spec| spec.lease_transitions)
            .map_or(0, |count| if is_same { count } else { count + 1 });
        LeaseSpec {
            holder_identity: Some(self.own.clone()),
            lease_duration_seconds: i32::try_from(self.timing.duration.as_secs()).ok(),
            acquire_time: match before {
                Some(spec) if is_same => spec.acquire_time.clone(),
                _ => now.clone(),
            },
            renew_time: now,
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    /// A request that hangs is given up before the next renewal is due.
    pub(super) async fn in_time<T>(
        &self,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, LeaseError> {
        match tokio::time::timeout(self.timing.renew, request).await {
            Ok(answer) => answer.map_err(LeaseError::from),
            Err(_) => Err(LeaseError::Late),
        }
    }

    /// Lets everything go, so that others need not wait.
    pub(super) async fn let_go(&mut self) {
        let held: Vec<Thing> = self.holds.inner().asked.keys().cloned().collect();
        for thing in held {
            self.holds.note(&thing, None);
            let name = thing.lease();
            let written = if thing.kind == "replica" {
                let how = DeleteParams::default();
                self.in_time(self.api.delete(&name, &how)).await.map(drop)
            } else {
                self.release(&name).await.map(drop)
            };
            if let Err(error) = written {
                tracing::debug!(lease = name, %error, "a Lease was not let go");
            }
        }
    }
}

/// How the replica that a Lease stands for is reached, where it says so.
pub(super) fn replica(lease: &Lease) -> Option<Replica> {
    let annotations = lease.annotations();
    Some(Replica {
        address: annotations.get(ADDRESS)?.parse().ok()?,
        certificate: annotations.get(CERTIFICATE)?.clone(),
    })
}
