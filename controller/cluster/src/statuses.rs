//! Statuses: written by server-side apply, only when they say something new, and told as events when
//! a resource becomes ready or stops being so.

use std::collections::BTreeMap;

use diarchy_clock::Clock;
use diarchy_core::resource::{GROUP, Kind, ObjectName, VERSION};
use diarchy_operator::condition::{ConditionKind, Truth, amend};
use diarchy_operator::control_plane::{Report, Statuses};
use diarchy_operator::error::OperatorError;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Client};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::in_words;
use crate::known_statuses::{Unreadable, of_object};
use crate::objects::Objects;
use crate::tenant::{Key, Problem, Tenant, Version};
use crate::wanted::requested;

/// Who writes statuses, as field managers are named.
pub const MANAGER: &str = "diarchy-controller";

/// How many statuses are written at once.
const AT_ONCE: usize = 8;

/// Writes statuses and events.
#[derive(Clone)]
pub struct Reporter {
    client: Client,
    recorder: Recorder,
    clock: Clock,
}

impl Reporter {
    /// Writes as `recorder` reports, with the times of `clock`.
    pub const fn new(client: Client, recorder: Recorder, clock: Clock) -> Self {
        Self {
            client,
            recorder,
            clock,
        }
    }

    /// The client that it writes with.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Writes those of `reports` that say something else than the `known` statuses, for the versions
    /// that `tenant` was made of, as answers to `requests`. What is wrong with an object stands before
    /// what a pass says of it. Gives whether all were written, as [`Self::write_new`] does.
    pub async fn report(
        &self,
        known: &Statuses,
        tenant: &Tenant,
        requests: &BTreeMap<Key, String>,
        reports: Vec<Report>,
    ) -> Result<bool, OperatorError> {
        let now = self.clock.now();
        let found = reports.into_iter().filter_map(|report| {
            let key = (report.kind, report.name);
            let version = tenant.versions.get(&key)?.clone();
            let about = About {
                version: &version,
                problem: tenant.problems.get(&key).map(String::as_str),
                requested: requests.get(&key).map(String::as_str),
                before: known.get(&key),
                now,
            };
            Some(Found {
                status: about.complete(report.status),
                old: known.get(&key).cloned(),
                key,
                version,
            })
        });
        self.write_new(found.collect()).await
    }

    /// Writes those of the statuses that say something new, and only which version they are about is
    /// still to be said.
    pub async fn report_found(&self, mut found: Vec<Found>) -> Result<(), OperatorError> {
        for one in &mut found {
            let about = About {
                version: &one.version,
                problem: None,
                requested: None,
                before: one.old.as_ref(),
                now: self.clock.now(),
            };
            one.status = about.complete(one.status.take());
        }
        self.write_new(found).await.map(drop)
    }

    /// Writes the statuses that say something new. Gives whether all were: one that somebody else wrote
    /// at the same moment is left for the next pass, which looks at it as it is then.
    pub async fn write_new(&self, mut found: Vec<Found>) -> Result<bool, OperatorError> {
        found.retain(|one| one.old.as_ref() != Some(&one.status));
        let written: Vec<Result<bool, OperatorError>> = futures::stream::iter(found)
            .map(|one| self.write(one))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut all = true;
        for written in written {
            all &= written?;
        }
        Ok(all)
    }

    /// Says what is wrong with the objects of a namespace that no pass reports of, and answers whoever
    /// asks for a look at them. Gives whether all of it was said.
    ///
    /// Of an object that cannot be decoded its status is not known either: what was said of those is
    /// in `said`, and is not said again.
    pub async fn report_problems(
        &self,
        objects: &Objects,
        tenant: &Tenant,
        said: &mut BTreeMap<Key, Told>,
    ) -> Result<bool, OperatorError> {
        let mut known = Statuses::new();
        let mut requests = BTreeMap::new();
        let mut reports = Vec::new();
        let mut unreadable = Vec::new();
        for key in &tenant.unreported {
            let version = tenant.versions.get(key);
            let requested = version.and_then(|version| requested(objects, key, version));
            requests.extend(requested.clone().map(|requested| (key.clone(), requested)));
            let status = match of_object(objects, key) {
                Some(Ok(status)) => status,
                Some(Err(Unreadable)) => {
                    let told = tenant
                        .problem(key)
                        .map(|problem| Told { problem, requested });
                    if said.get(key) == told.as_ref() {
                        continue;
                    }
                    unreadable.extend(told.map(|told| (key.clone(), told)));
                    Value::Null
                }
                None => continue,
            };
            if !status.is_null() {
                known.insert(key.clone(), status.clone());
            }
            reports.push(Report {
                kind: key.0,
                name: key.1.clone(),
                status: if status.is_null() { json!({}) } else { status },
            });
        }
        let is_all = self.report(&known, tenant, &requests, reports).await?;
        if is_all {
            said.extend(unreadable);
        }
        Ok(is_all)
    }

    /// Writes a status. Whether it was; if not, it may be another time.
    async fn write(&self, found: Found) -> Result<bool, OperatorError> {
        let Found {
            key: (kind, name),
            version,
            old,
            status,
        } = found;
        let resource = resource(kind);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &name.namespace, &resource);
        let body = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            // A namesake made meanwhile is another object.
            "metadata": { "name": name.name, "uid": version.uid },
            "status": status,
        });
        let options = PatchParams::apply(MANAGER).force();
        match api
            .patch_status(&name.name, &options, &Patch::Apply(&body))
            .await
        {
            Ok(_) => {}
            // It is gone, or another of its name has taken its place: nothing is left to report.
            Err(kube::Error::Api(answer))
                if answer.is_not_found() || answer.is_conflict() || answer.is_invalid() =>
            {
                tracing::info!(%kind, %name, %answer, "a status was not written");
                return Ok(!answer.is_conflict());
            }
            Err(error) => {
                return Err(OperatorError::State {
                    file: format!("the status of {kind}/{name}"),
                    cause: in_words::of(&error),
                    remedy: "see whether the API server can be reached; it is tried again in the next pass".to_owned(),
                });
            }
        }
        self.tell(&resource, &name, &version, old.as_ref(), &status)
            .await;
        Ok(true)
    }

    /// Tells of a resource that became ready, or stopped being so, or is so for another reason.
    async fn tell(
        &self,
        resource: &ApiResource,
        name: &ObjectName,
        version: &Version,
        before: Option<&Value>,
        status: &Value,
    ) {
        let Some(ready) = condition(status, "Ready") else {
            return;
        };
        let same =
            |old: &Value| old["status"] == ready["status"] && old["reason"] == ready["reason"];
        if before
            .and_then(|old| condition(old, "Ready"))
            .is_some_and(same)
        {
            return;
        }
        let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
        let event = Event {
            // That what is being deleted is carried out no more is what was wanted.
            type_: if ready["status"] == "True" || version.deleting {
                EventType::Normal
            } else {
                EventType::Warning
            },
            reason: text("reason"),
            note: Some(text("message").chars().take(1024).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        self.publish(&event, resource, name, version).await;
    }

    /// Publishes an event about an object. One that is lost is only logged.
    pub async fn publish(
        &self,
        event: &Event,
        resource: &ApiResource,
        name: &ObjectName,
        version: &Version,
    ) {
        let about = ObjectReference {
            api_version: Some(resource.api_version.clone()),
            kind: Some(resource.kind.clone()),
            namespace: Some(name.namespace.clone()),
            name: Some(name.name.clone()),
            uid: Some(version.uid.clone()),
            ..ObjectReference::default()
        };
        if let Err(error) = self.recorder.publish(event, &about).await {
            let error = in_words::of(&error);
            tracing::warn!(%name, error, "an event was not published");
        }
    }
}

/// What was said of an object that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What is wrong with it.
    problem: Problem,
    /// The request for a look that this was the answer to.
    requested: Option<String>,
}

/// What a pass has found of an object.
pub struct Found {
    /// The object.
    pub key: Key,
    /// Which version of it was looked at.
    pub version: Version,
    /// The status that it has.
    pub old: Option<Value>,
    /// The status that it should have.
    pub status: Value,
}

/// How the API server calls a kind.
pub fn resource(kind: Kind) -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(GROUP, VERSION, kind.name()),
        &format!("{}s", kind.name().to_lowercase()).replace("policys", "policies"),
    )
}

fn condition<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == name)
}

/// What only the control plane knows of an object.
struct About<'a> {
    version: &'a Version,
    /// What is wrong with the object itself.
    problem: Option<&'a str>,
    /// The request for a pass that is answered.
    requested: Option<&'a str>,
    before: Option<&'a Value>,
    now: Timestamp,
}

impl About<'_> {
    /// A status with everything that only the control plane knows.
    fn complete(&self, mut status: Value) -> Value {
        if let Some(problem) = self.problem {
            status["conditions"] = self.invalid(&status, problem);
        }
        status["observedGeneration"] = json!(self.version.generation);
        if let Some(conditions) = status["conditions"].as_array_mut() {
            for condition in conditions {
                condition["observedGeneration"] = json!(self.version.generation);
            }
        }
        let handled = self.before.map(|old| &old["lastHandledReconcileAt"]);
        if let Some(requested) = self.requested {
            status["lastHandledReconcileAt"] = json!(requested);
        } else if let Some(handled) = handled.filter(|handled| handled.is_string()) {
            status["lastHandledReconcileAt"] = handled.clone();
        }
        status
    }

    /// The conditions of an object that is not carried out: a person must mend it first.
    fn invalid(&self, status: &Value, problem: &str) -> Value {
        let truth = |kind, holds| Truth {
            kind,
            holds,
            reason: "Invalid",
            message: problem.to_owned(),
        };
        let truths = vec![
            truth(ConditionKind::Ready, false),
            truth(ConditionKind::Stalled, true),
            truth(ConditionKind::Reconciling, false),
        ];
        let conditions = |status: &Value| -> Vec<Condition> {
            Vec::deserialize(&status["conditions"]).unwrap_or_default()
        };
        let old = self.before.map(conditions).unwrap_or_default();
        json!(amend(&conditions(status), &old, truths, self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_before_what_a_pass_says() {
        let said = |kind: &str, status: &str| {
            json!({
                "type": kind, "status": status, "reason": "Said", "message": "",
                "lastTransitionTime": "2026-11-23T07:00:00Z",
            })
        };
        let before = json!({
            "conditions": [said("Ready", "True"), said("Stalled", "True")],
            "lastHandledReconcileAt": "once",
        });
        let version = Version {
            generation: 3,
            ..Version::default()
        };
        let about = About {
            version: &version,
            problem: Some("it is wrong"),
            requested: None,
            before: Some(&before),
            now: "2026-11-23T08:00:00Z".parse().unwrap(),
        };
        let of_pass = json!({ "conditions": [
            said("Ready", "True"), said("Reconciling", "True"), said("Converged", "False"),
        ] });
        let status = about.complete(of_pass);
        let told: Vec<String> = status["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let part = |name: &str| one[name].as_str().unwrap();
                let [kind, status, reason] = ["type", "status", "reason"].map(part);
                format!("{kind} {status} {reason} {}", part("lastTransitionTime"))
            })
            .collect();
        assert_eq!(
            told,
            [
                "Ready False Invalid 2026-11-23T08:00:00Z",
                "Stalled True Invalid 2026-11-23T07:00:00Z",
                "Converged False Said 2026-11-23T07:00:00Z",
            ]
        );
        assert_eq!(status["lastHandledReconcileAt"], "once");
        assert_eq!(status["conditions"][0]["observedGeneration"], 3);
    }
}
