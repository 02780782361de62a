//! Single objects that fleets name, such as a Secret: each is watched by its name, only while
//! somebody here wants it, and nothing else of its kind is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diarchy_core::resource::ObjectName;
use diarchy_operator::connect::Source;
use diarchy_operator::error::OperatorError;
use futures::StreamExt as _;
use kube::core::NamespaceResourceScope;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Error, watch_object};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::in_words;

/// The objects of one kind that somebody here wants.
pub struct Named<K> {
    client: Client,
    inner: Arc<Mutex<Inner<K>>>,
    changes: Arc<watch::Sender<u64>>,
}

impl<K> Clone for Named<K> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            inner: Arc::clone(&self.inner),
            changes: Arc::clone(&self.changes),
        }
    }
}

struct Inner<K> {
    /// By who wants them.
    wanted: BTreeMap<&'static str, BTreeSet<ObjectName>>,
    watched: BTreeMap<ObjectName, Watched<K>>,
}

struct Watched<K> {
    seen: Seen<K>,
    task: AbortHandle,
}

impl<K> Drop for Watched<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is known of an object.
enum Seen<K> {
    /// Nothing yet.
    Unread,
    There(K),
    Missing,
    /// It cannot be read.
    Unreadable {
        /// Why not.
        why: String,
        /// Whether the API server refuses it.
        is_refused: bool,
    },
}

/// What is known of an object, but for what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is there.
    There {
        /// Which version of it.
        version: Option<String>,
        /// Whether it is being deleted.
        is_going: bool,
    },
    /// It is not there.
    Missing,
    /// It cannot be known whether it is there.
    Unreadable,
}

impl Known {
    /// Whether there is none, or soon will not be.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        match self {
            Self::There { is_going, .. } => *is_going,
            Self::Missing => true,
            Self::Unreadable => false,
        }
    }
}

impl<K> Named<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    /// Watches nothing yet. Every change counts in `changes`.
    pub fn new(client: Client, changes: Arc<watch::Sender<u64>>) -> Self {
        Self {
            client,
            inner: Arc::new(Mutex::new(Inner {
                wanted: BTreeMap::new(),
                watched: BTreeMap::new(),
            })),
            changes,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<K>> {
        lock(&self.inner)
    }

    /// Watches `names` for `who`, who wants no others any more.
    pub fn want(&self, who: &'static str, names: BTreeSet<ObjectName>) {
        let mut inner = self.inner();
        inner.wanted.insert(who, names);
        let wanted: BTreeSet<ObjectName> = inner.wanted.values().flatten().cloned().collect();
        inner.watched.retain(|name, _| wanted.contains(name));
        for name in wanted {
            inner
                .watched
                .entry(name)
                .or_insert_with_key(|name| Watched {
                    seen: Seen::Unread,
                    task: self.watch(name.clone()),
                });
        }
    }

    /// What is known of the object under this name; nothing while nobody has looked.
    pub fn known(&self, name: &ObjectName) -> Option<Known> {
        match self.inner().watched.get(name)?.seen {
            Seen::Unread => None,
            Seen::There(ref object) => Some(Known::There {
                version: object.resource_version(),
                is_going: object.meta().deletion_timestamp.is_some(),
            }),
            Seen::Missing => Some(Known::Missing),
            Seen::Unreadable { .. } => Some(Known::Unreadable),
        }
    }

    /// The object as it was last seen.
    ///
    /// # Errors
    ///
    /// [`OperatorError::SecretMissing`] when it is not there, [`OperatorError::SecretUnreadable`] when
    /// that cannot be known, and [`OperatorError::SecretUnread`] while nobody has looked: also of one
    /// that nobody wants any more.
    pub fn get(&self, name: &ObjectName) -> Result<K, OperatorError> {
        let kind = K::kind(&());
        let what = format!("{kind} {name}");
        Err(
            match self.inner().watched.get(name).map(|watched| &watched.seen) {
                Some(Seen::There(object)) => return Ok(object.clone()),
                Some(Seen::Missing) => OperatorError::SecretMissing {
                    what,
                    place: "the cluster has none".to_owned(),
                    remedy: remedy(&kind, name),
                },
                Some(Seen::Unreadable { why, is_refused }) => OperatorError::SecretUnreadable {
                    what,
                    why: why.clone(),
                    is_refused: *is_refused,
                },
                Some(Seen::Unread) | None => OperatorError::SecretUnread(what),
            },
        )
    }

    fn watch(&self, name: ObjectName) -> AbortHandle {
        let api: Api<K> = Api::namespaced(self.client.clone(), &name.namespace);
        // It ends with what holds its handle, which holds this.
        let inner = Arc::downgrade(&self.inner);
        let changes = Arc::clone(&self.changes);
        let keep = async move {
            let stream = watch_object(api, &name.name).default_backoff();
            futures::pin_mut!(stream);
            while let Some(event) = stream.next().await {
                let Some(inner) = inner.upgrade() else {
                    return;
                };
                let is_new = {
                    let mut inner = lock(&inner);
                    let watched = inner.watched.get_mut(&name);
                    watched.is_some_and(|watched| watched.seen.take_in(event, &name))
                };
                if is_new {
                    changes.send_modify(|count| *count += 1);
                }
            }
        };
        tokio::spawn(keep).abort_handle()
    }
}

/// Whether it is for want of rights that something cannot be watched.
fn is_refused(error: &Error) -> bool {
    match error {
        Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status))
        | Error::WatchError(status) => status.is_forbidden(),
        Error::InitialListFailed(_)
        | Error::WatchStartFailed(_)
        | Error::WatchFailed(_)
        | Error::NoResourceVersion => false,
    }
}

/// How an object that a fleet names comes to be there.
fn remedy(kind: &str, name: &ObjectName) -> String {
    match kind {
        "ServiceAccount" => format!(
            "make it with `kubectl create serviceaccount {} --namespace {}`",
            name.name, name.namespace
        ),
        _ => Source::Cluster.remedy(name),
    }
}

fn lock<K>(inner: &Mutex<Inner<K>>) -> MutexGuard<'_, Inner<K>> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Resource<DynamicType = ()>> Seen<K> {
    /// Takes note of what a watch says, and whether that is new.
    fn take_in(&mut self, event: Result<Option<K>, Error>, name: &ObjectName) -> bool {
        let now = match event {
            Ok(Some(mut object)) => {
                object.managed_fields_mut().clear();
                Self::There(object)
            }
            Ok(None) => Self::Missing,
            Err(error) => {
                // The error may quote what the server said, never what the object holds.
                let why = in_words::of_watch(&error);
                tracing::warn!(kind = %K::kind(&()), %name, error = why, "it cannot be watched");
                // What was seen before may still be so.
                if matches!(self, Self::There(_) | Self::Missing) {
                    return false;
                }
                Self::Unreadable {
                    why,
                    is_refused: is_refused(&error),
                }
            }
        };
        let is_new = match (&*self, &now) {
            (Self::There(old), Self::There(new)) => {
                old.resource_version() != new.resource_version()
            }
            (Self::Missing, Self::Missing) => false,
            (Self::Unreadable { why: old, .. }, Self::Unreadable { why: new, .. }) => old != new,
            _ => true,
        };
        *self = now;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use diarchy_core::consequence::Consequence;
    use k8s_openapi::api::core::v1::Secret;
    use kube::client::Body;
    use serde_json::json;
    use tower::service_fn;

    use super::*;

    #[tokio::test]
    async fn what_nobody_has_read_is_not_missing() {
        let silent = service_fn(|_| pending::<Result<http::Response<Body>, Infallible>>());
        let (changes, _) = watch::channel(0);
        let secrets = Named::<Secret>::new(Client::new(silent, "contoso"), Arc::new(changes));
        let name = ObjectName::new("contoso", "own");
        let assert_unread = || {
            let error = secrets.get(&name).unwrap_err();
            assert!(matches!(error, OperatorError::SecretUnread(_)), "{error}");
            assert_eq!(error.consequence(), Consequence::Retry);
            assert_eq!(secrets.known(&name), None);
        };
        assert_unread();
        secrets.want("sources", BTreeSet::from([name.clone()]));
        assert_unread();
        let mut inner = secrets.inner();
        inner.watched.get_mut(&name).unwrap().seen = Seen::Missing;
        drop(inner);
        let error = secrets.get(&name).unwrap_err();
        assert!(
            matches!(error, OperatorError::SecretMissing { .. }),
            "{error}"
        );
        // Whoever begins with a name that another has replaced does not find it missing either.
        secrets.want("sources", BTreeSet::new());
        assert_unread();
    }

    /// What is said of a Secret by an API server that answers everything with this status.
    async fn where_all_is_answered_with(code: u16, reason: &'static str) -> OperatorError {
        let failing = service_fn(move |_| async move {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure",
                "message": "no Secrets today", "reason": reason, "code": code,
            });
            let answer = http::Response::builder().status(code);
            Ok::<_, Infallible>(
                answer
                    .body(Body::from(status.to_string().into_bytes()))
                    .unwrap(),
            )
        });
        let (changes, mut told) = watch::channel(0);
        let secrets = Named::<Secret>::new(Client::new(failing, "contoso"), Arc::new(changes));
        let name = ObjectName::new("contoso", "own");
        secrets.want("fleets", BTreeSet::from([name.clone()]));
        told.changed().await.unwrap();
        let known = secrets.known(&name).unwrap();
        assert_eq!(known, Known::Unreadable);
        assert!(!known.is_gone());
        secrets.get(&name).unwrap_err()
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_not_missing() {
        let error = where_all_is_answered_with(403, "Forbidden").await;
        assert_eq!(error.consequence(), Consequence::FixInput);
        assert_eq!(
            error.to_string(),
            "Secret contoso/own cannot be read: no Secrets today (Forbidden)"
        );
        assert!(error.remedy().contains("rights"), "{}", error.remedy());
        let error = where_all_is_answered_with(500, "InternalError").await;
        assert_eq!(error.consequence(), Consequence::Retry);
        assert!(
            matches!(error, OperatorError::SecretUnreadable { .. }),
            "{error}"
        );
    }
}
