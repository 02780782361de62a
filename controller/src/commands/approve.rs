//! `diarchy approve`

use diarchy_core::digest::{Digest, InvalidDigest};
use diarchy_core::resource::Kind;
use diarchy_operator::error::OperatorError;
use diarchy_operator::memory::counts_until;
use diarchy_operator::store::GivenApproval;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{ListParams, PostParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::arguments::Approve;
use crate::cluster::{Connection, failed};
use crate::failure::{Failure, Outcome};
use crate::{show, state};

/// Says a person's yes to what waits.
pub async fn run(arguments: &Approve) -> Result<Outcome, Failure> {
    let digest: Digest = arguments.digest.parse().map_err(|error: InvalidDigest| {
        Failure::argument(
            error.to_string(),
            "copy it from what `up` or the Fleet's status shows",
        )
    })?;
    let told = match &arguments.place.state {
        Some(file) => of_state(file, digest)?,
        None => of_cluster(arguments, digest).await?,
    };
    show::line(&told)?;
    Ok(Outcome::Same)
}

/// Notes it; the loop that runs on the same state takes it.
fn of_state(file: &std::path::Path, digest: Digest) -> Result<String, Failure> {
    let store = state::open(file)?;
    let digest = digest.to_string();
    let Some(revision) = store.waiting_revision(&digest)? else {
        return Err(Failure::from(OperatorError::NothingWaiting(digest)));
    };
    // A step, or a text that is attested, is what its digest says, whatever the revision.
    let told = if revision.is_empty() {
        format!("Approved {digest}; the loop takes it in its next pass, within 24 hours.")
    } else {
        format!("Approved {digest}; it counts for 24 hours and for this revision.")
    };
    store.approve(&GivenApproval {
        digest,
        revision,
        approver: approver(),
        at: state::now(&store)?,
        expires: None,
        id: None,
    })?;
    Ok(told)
}

/// What has something waiting: its kind, and where its status has the digest, or a list of what has one.
const WAITING: [(Kind, &str); 3] = [
    (Kind::Fleet, "/status/waitingPlan"),
    (Kind::WorkloadAssignment, "/status/rollout"),
    (Kind::WorkloadAssignment, "/status/requires"),
];

/// Whether `waiting`, which has a digest or is a list of what has one, is about `digest`.
fn is_about(waiting: &Value, digest: &str) -> bool {
    match waiting {
        Value::Array(several) => several.iter().any(|one| is_about(one, digest)),
        one => one["digest"] == digest,
    }
}

/// Makes an Approval for the fleet, or the assignment, that waits for this digest.
async fn of_cluster(arguments: &Approve, digest: Digest) -> Result<String, Failure> {
    let connection = Connection::new(&arguments.place.cluster).await?;
    let namespace = connection.namespace.clone();
    let digest = digest.to_string();
    let Some((kind, waiting)) = waiting(&connection, &digest).await? else {
        return Err(Failure::from(OperatorError::NothingWaiting(digest)));
    };
    let (approver, now) = whoami(&connection).await?;
    let valid = SignedDuration::try_from(arguments.expires_in.length());
    let expires = counts_until(
        now,
        now.checked_add(valid.unwrap_or(SignedDuration::MAX)).ok(),
    );
    let expires = show::moment(expires);
    let name = waiting.name_any();
    let prefix = match kind {
        Kind::Fleet => "plan-",
        _ => "step-",
    };
    let approval = json!({
        "apiVersion": "diarchy.dev/v1alpha1",
        "kind": "Approval",
        "metadata": { "generateName": prefix, "namespace": namespace },
        "spec": {
            "targetRef": { "kind": kind.name(), "name": name, "uid": waiting.uid() },
            "digest": digest,
            "approver": approver,
            "expires": expires,
        },
    });
    let approval: DynamicObject = serde_json::from_value(approval)
        .map_err(|error| Failure::argument(error.to_string(), "report it"))?;
    let approvals = connection.objects(Kind::Approval, &namespace);
    let made = approvals.create(&PostParams::default(), &approval).await;
    let made = made.map_err(|error| failed("it was not approved", &error))?;
    Ok(format!(
        "Approved {digest} of {kind} {name} as {}; it counts until {expires} and for this revision.",
        made.name_any(),
    ))
}

/// What waits for this digest.
async fn waiting(
    connection: &Connection,
    digest: &str,
) -> Result<Option<(Kind, DynamicObject)>, Failure> {
    for (kind, place) in WAITING {
        let objects = connection.objects(kind, &connection.namespace);
        let objects = objects.list(&ListParams::default()).await;
        let objects =
            objects.map_err(|error| failed(&format!("{kind}s cannot be listed"), &error))?;
        let waits = |object: &DynamicObject| {
            let found = object.data.pointer(place);
            found.is_some_and(|found| is_about(found, digest))
        };
        if let Some(object) = objects.into_iter().find(waits) {
            return Ok(Some((kind, object)));
        }
    }
    Ok(None)
}

/// Who the API server says is asking, and what time it is there: it judges for how long a yes counts.
async fn whoami(connection: &Connection) -> Result<(String, Timestamp), Failure> {
    let reviews: Api<SelfSubjectReview> = Api::all(connection.client.clone());
    let review = SelfSubjectReview::default();
    let answer = reviews.create(&PostParams::default(), &review).await;
    let answer = answer.map_err(|error| failed("who you are is not known", &error))?;
    let now = answer.creation_timestamp();
    let now = now.map_or_else(Timestamp::now, |time| time.0);
    let user = answer.status.and_then(|status| status.user_info);
    let user = user.and_then(|user| user.username).unwrap_or_default();
    Ok((user, now))
}

/// Who is at the terminal.
fn approver() -> String {
    std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "the person at the terminal".to_owned())
}
