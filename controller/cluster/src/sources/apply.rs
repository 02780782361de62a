//! Writes what git has into the namespace, with the rights of its service account and no others.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use diarchy_core::resource::{Kind, ObjectName};
use futures::StreamExt as _;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::{PartialObjectMeta, Status};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::content::{Resource, complete};
use super::difference::{REVISION, Removal, SOURCE, is_own};
use super::error::SourceError;
use super::field_managers::{self, HeldField, MANAGER};
use super::{field_path, impersonation};
use crate::holds::{Holds, Thing};
use crate::statuses::resource;
use crate::tenant::Key;

/// How many objects are written at once.
const AT_ONCE: usize = 8;

/// Who says which revision is in force for a fleet. Of its own, so that nobody's hold on another
/// field keeps it from being said.
const STAMP: &str = "diarchy-source-revision";

/// Writes for one source.
pub struct Writer<'a> {
    client: Client,
    account: &'a ObjectName,
    /// The source.
    pub source: &'a ObjectName,
    holds: &'a Holds,
    has_written: AtomicBool,
}

/// How an object was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Which object.
    pub key: Key,
    /// The version that was seen last.
    pub version: String,
    /// What others hold of it, so that it is not as git has it.
    pub held: Option<Held>,
}

/// That an object is not as git has it because of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What others hold of it.
    pub what: String,
    /// Whether nothing of it was applied.
    pub is_left: bool,
}

/// What is applied of an object: everything but what others hold.
struct Part {
    body: Value,
    fields: Vec<HeldField>,
}

impl Part {
    /// Leaves these fields out. Whether that can be done: not where one is an item of a list.
    fn leave_out(&mut self, fields: Vec<HeldField>) -> bool {
        let can = fields
            .iter()
            .all(|field| field_path::take_out(&mut self.body, &field.path));
        self.fields.extend(fields);
        can
    }

    /// What others hold, in words.
    fn told(&self) -> Option<String> {
        let told: Vec<String> = self.fields.iter().map(ToString::to_string).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

impl<'a> Writer<'a> {
    /// One that writes for `source` with `client`, which has the rights of `account`.
    pub const fn new(
        client: Client,
        account: &'a ObjectName,
        source: &'a ObjectName,
        holds: &'a Holds,
    ) -> Self {
        Self {
            client,
            account,
            source,
            holds,
            has_written: AtomicBool::new(false),
        }
    }

    /// Whether anything was written, or may have been: not every answer arrives.
    pub fn has_written(&self) -> bool {
        self.has_written.load(Ordering::Relaxed)
    }

    /// Applies each of `resources`. Each has an outcome of its own, in their order.
    pub async fn apply_all(&self, resources: &[&Resource]) -> Vec<Result<Applied, SourceError>> {
        let applies: Vec<_> = resources.iter().map(|one| self.apply(one)).collect();
        futures::stream::iter(applies)
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    async fn apply(&self, wanted: &Resource) -> Result<Applied, SourceError> {
        let key = &wanted.key;
        let mut part = Part {
            body: self.body(wanted),
            fields: Vec::new(),
        };
        let mut object = match self.offer(key, &mut part).await {
            Ok(object) => object,
            Err(answer) => return self.left(key, part, answer).await,
        };
        let refused = |answer| self.refused(key, "patch", answer);
        if differs(wanted, &object)
            && let Some(entries) = field_managers::taken_over(object.managed_fields())
        {
            let account = json!({ "metadata": {
                "managedFields": entries,
                "resourceVersion": object.resource_version(),
            }});
            let plain = PatchParams::default();
            let taken = self.patch(key, &plain, &Patch::Merge(&account)).await;
            taken.map_err(refused)?;
            let gentle = PatchParams::apply(MANAGER);
            let again = self.patch(key, &gentle, &Patch::Apply(&part.body)).await;
            object = again.map_err(refused)?;
        }
        let others = || {
            let others = field_managers::others(object.managed_fields());
            format!("a part of the spec is held by {}", others.join(", "))
        };
        let differs = || differs(wanted, &object).then(others);
        let what = part.told().or_else(differs);
        Ok(Applied {
            key: key.clone(),
            version: object.resource_version().unwrap_or_default(),
            held: what.map(|what| Held {
                what,
                is_left: false,
            }),
        })
    }

    /// Applies as much of an object as others let be. What somebody has only edited is put back.
    async fn offer(&self, key: &Key, part: &mut Part) -> Result<DynamicObject, Answer> {
        let gentle = PatchParams::apply(MANAGER);
        loop {
            let written = self.patch(key, &gentle, &Patch::Apply(&part.body)).await;
            let refusal = match written {
                Err(Answer::Api(refusal)) if field_managers::is_conflict(&refusal) => refusal,
                other => return other,
            };
            let fields = field_managers::applied_by_others(&refusal);
            if fields.is_empty() {
                let forced = gentle.force();
                return self.patch(key, &forced, &Patch::Apply(&part.body)).await;
            }
            // Each time there is less to say, so that this ends.
            if !part.leave_out(fields) {
                return Err(Answer::Api(refusal));
            }
        }
    }

    /// What was not applied at all because of what others hold of it. Anything else is an error.
    async fn left(&self, key: &Key, part: Part, answer: Answer) -> Result<Applied, SourceError> {
        let (Some(fields), Answer::Api(refusal)) = (part.told(), &answer) else {
            return Err(self.refused(key, "patch", answer));
        };
        let what = if field_managers::is_conflict(refusal) {
            format!("{fields}; the rest cannot be applied without that, and is as it was")
        } else if refusal.is_invalid() || refusal.code == 400 {
            let detail = &refusal.message;
            format!("{fields}; the rest is not taken without that, and is as it was: {detail}")
        } else {
            return Err(self.refused(key, "patch", answer));
        };
        Ok(Applied {
            key: key.clone(),
            version: self.version(key).await?,
            held: Some(Held {
                what,
                is_left: true,
            }),
        })
    }

    /// Says in a fleet which revision is in force for it.
    pub async fn stamp(&self, fleet: &ObjectName, revision: &str) -> Result<(), SourceError> {
        let key = (Kind::Fleet, fleet.clone());
        let mut body = head(&key);
        body["metadata"]["annotations"] = json!({ REVISION: revision });
        let options = PatchParams::apply(STAMP).force();
        let written = self.patch(&key, &options, &Patch::Apply(&body)).await;
        written.map_err(|answer| self.refused(&key, "patch", answer))?;
        Ok(())
    }

    /// Removes an object, if it is still that one and of the source.
    pub async fn remove(&self, Removal { key, uid }: &Removal) -> Result<(), SourceError> {
        let uid = match uid {
            Some(uid) => Some(uid.clone()),
            None => self.own_uid(key).await?,
        };
        if uid.is_none() {
            return Ok(());
        }
        let preconditions = Some(Preconditions {
            uid,
            resource_version: None,
        });
        let options = DeleteParams {
            preconditions,
            ..DeleteParams::default()
        };
        let api = self.api(key);
        match self.write(api.delete(&key.1.name, &options)).await {
            Ok(_) => Ok(()),
            // It is gone, or another of its name has taken its place.
            Err(Answer::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(()),
            Err(answer) => Err(self.refused(key, "delete", answer)),
        }
    }

    /// Which object of this name there is, if it is of the source.
    async fn own_uid(&self, key: &Key) -> Result<Option<String>, SourceError> {
        let object = self.metadata(key).await?;
        Ok(object
            .filter(|object| object.annotations().get(SOURCE) == Some(&self.source.name))
            .and_then(|object| object.uid()))
    }

    /// Which version of an object there is.
    async fn version(&self, key: &Key) -> Result<String, SourceError> {
        let object = self.metadata(key).await?;
        Ok(object
            .and_then(|object| object.resource_version())
            .unwrap_or_default())
    }

    async fn metadata(
        &self,
        key: &Key,
    ) -> Result<Option<PartialObjectMeta<DynamicObject>>, SourceError> {
        let api = self.api(key);
        let object = self.send(api.get_metadata_opt(&key.1.name)).await;
        object.map_err(|answer| self.refused(key, "get", answer))
    }

    async fn patch(
        &self,
        key: &Key,
        options: &PatchParams,
        patch: &Patch<&Value>,
    ) -> Result<DynamicObject, Answer> {
        let api = self.api(key);
        self.write(api.patch(&key.1.name, options, patch)).await
    }

    /// Sends a write, and takes note of whether it has had an effect, or may have had.
    async fn write<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, Answer> {
        let answer = self.send(request).await;
        if answer.as_ref().err().is_none_or(Answer::may_be_written) {
            self.has_written.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Sends a request, if it will have ended before the hold does.
    async fn send<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, Answer> {
        if !self.holds.may_send(&Thing::source(self.source)) {
            return Err(Answer::NotHolder);
        }
        match self.holds.in_time(request).await {
            Some(answer) => Ok(answer?),
            None => Err(Answer::Other("no answer came in time".to_owned())),
        }
    }

    fn api(&self, key: &Key) -> Api<DynamicObject> {
        let namespace = &self.source.namespace;
        Api::namespaced_with(self.client.clone(), namespace, &resource(key.0))
    }

    fn body(&self, wanted: &Resource) -> Value {
        let mut body = head(&wanted.key);
        let mut annotations = wanted.annotations.clone();
        annotations.retain(|key, _| !is_own(key));
        annotations.insert(SOURCE.to_owned(), self.source.name.clone());
        body["metadata"]["annotations"] = json!(annotations);
        if !wanted.labels.is_empty() {
            body["metadata"]["labels"] = json!(wanted.labels);
        }
        body["spec"] = wanted.spec.clone();
        body
    }

    fn refused(&self, key: &Key, verb: &'static str, answer: Answer) -> SourceError {
        let what = format!("{}/{}", key.0, key.1.name);
        match answer {
            Answer::NotHolder => SourceError::NotHolder,
            Answer::Api(answer) if answer.is_forbidden() => {
                self.forbidden(key, verb, what, &answer)
            }
            Answer::Api(answer) if answer.is_invalid() || matches!(answer.code, 400 | 404) => {
                SourceError::Refused {
                    what,
                    detail: answer.message,
                }
            }
            Answer::Api(answer) => SourceError::NotWritten {
                what,
                detail: answer.message,
            },
            Answer::Other(detail) => SourceError::NotWritten { what, detail },
        }
    }

    fn forbidden(
        &self,
        key: &Key,
        verb: &'static str,
        what: String,
        answer: &Status,
    ) -> SourceError {
        let ObjectName { namespace, name } = self.account;
        let remedy = if answer.message.contains("cannot impersonate") {
            "give the controller's service account the right to impersonate service accounts, as its chart does".to_owned()
        } else {
            let plural = resource(key.0).plural;
            format!(
                "bind a Role of namespace {namespace} to the service account `{name}` that allows get, create, patch and, to prune, delete on {plural} of group diarchy.dev"
            )
        };
        SourceError::Forbidden {
            account: impersonation::user(self.account),
            verb,
            what,
            detail: answer.message.clone(),
            remedy,
        }
    }
}

/// What an apply always says of an object.
fn head((kind, name): &Key) -> Value {
    let resource = resource(*kind);
    json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": { "name": name.name, "namespace": name.namespace },
    })
}

/// Whether an object asks for something else than git.
fn differs(wanted: &Resource, object: &DynamicObject) -> bool {
    complete(wanted.key.0, &object.data["spec"]) != wanted.complete
}

/// The fleets among `keys`.
pub fn fleets<'k>(keys: impl IntoIterator<Item = &'k Key>) -> BTreeSet<&'k ObjectName> {
    let keys = keys.into_iter();
    keys.filter(|key| key.0 == Kind::Fleet)
        .map(|key| &key.1)
        .collect()
}

/// Why a request had no effect.
enum Answer {
    NotHolder,
    Api(Box<Status>),
    Other(String),
}

impl Answer {
    /// Whether what was asked for may have been done all the same.
    fn may_be_written(&self) -> bool {
        match self {
            Self::NotHolder => false,
            Self::Api(status) => !(400..500).contains(&status.code),
            Self::Other(_) => true,
        }
    }
}

impl From<kube::Error> for Answer {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Api(status),
            other => Self::Other(other.to_string()),
        }
    }
}
