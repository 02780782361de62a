//! What can be seen of a cluster from a terminal.

use diarchy_cluster::in_words;
use diarchy_core::code::Code;
use diarchy_core::resource::{GROUP, Kind};
use diarchy_fleet::http_date;
use diarchy_operator::check::{Check, CheckState};
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::{ListParams, PostParams};
use kube::client::Body;

use super::Connection;

/// Approvals and tokens are about minutes.
const NOTABLE_SECONDS: i64 = 60;

/// What people do with fleets: a verb, a resource, and in words.
const WISHES: [(&str, &str, &str); 4] = [
    ("get", "fleets", "look at fleets"),
    ("get", "fleets/devices", "ask about devices"),
    ("patch", "fleets", "suspend, resume and reconcile"),
    ("create", "approvals", "approve"),
];

/// Looks at what can be seen of the cluster from here.
pub async fn cluster(connection: &Connection) -> Vec<Check> {
    let version = match connection.client.apiserver_version().await {
        Ok(version) => version,
        Err(error) => {
            return vec![Check::not_well(
                CheckState::Failed,
                "API server",
                Code::ClusterNotUsable,
                in_words::of(&error),
                "see whether `kubectl version` works with the same kubeconfig",
            )];
        }
    };
    let found = format!("Kubernetes {}.{}", version.major, version.minor);
    let mut checks = vec![Check::well("API server", found)];
    checks.extend(clock(connection).await);
    checks.push(definitions(connection).await);
    for (verb, resource, words) in WISHES {
        checks.push(may(connection, verb, resource, words).await);
    }
    checks
}

/// The clock of the API server, by the `Date` of its answer.
async fn clock(connection: &Connection) -> Option<Check> {
    let request = http::Request::get("/version").body(Body::empty()).ok()?;
    let answer = connection.client.send(request).await.ok()?;
    let date = answer.headers().get(http::header::DATE)?.to_str().ok()?;
    let ahead = http_date(date)?.as_second() - Timestamp::now().as_second();
    let (what, found) = (
        "Clock of the API server",
        format!("differs by {} s from this machine's", ahead.abs()),
    );
    Some(if ahead.abs() > NOTABLE_SECONDS {
        let remedy = "set this machine's clock by a time server";
        Check::not_well(CheckState::Notice, what, Code::ClockSkew, found, remedy)
    } else {
        Check::well(what, found)
    })
}

async fn definitions(connection: &Connection) -> Check {
    let fleets = connection.objects(Kind::Fleet, &connection.namespace);
    let one = ListParams::default().limit(1);
    match fleets.list(&one).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Check::not_well(
            CheckState::Failed,
            "Definitions",
            Code::ClusterNotUsable,
            "the cluster does not know Diarchy's kinds",
            "install the chart, or `diarchy crds | kubectl apply --server-side -f -`",
        ),
        Err(error) => Check::not_well(
            CheckState::Failed,
            "Definitions",
            Code::ClusterNotUsable,
            in_words::of(&error),
            "ask for the role diarchy-view",
        ),
        Ok(_) => Check::well("Definitions", "the cluster knows Diarchy's kinds"),
    }
}

/// Whether the one at the terminal may do something. Not everybody needs to.
async fn may(connection: &Connection, verb: &str, resource: &str, words: &str) -> Check {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (resource, None),
    };
    let text = |text: &str| Some(text.to_owned());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: text(GROUP),
                resource: text(resource),
                subresource,
                verb: text(verb),
                namespace: text(&connection.namespace),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(connection.client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await;
    let what = format!("Right to {words}");
    match answer.map(|answer| answer.status.is_some_and(|status| status.allowed)) {
        Ok(true) => Check::well(what, format!("in namespace {}", connection.namespace)),
        Ok(false) => Check::not_well(
            CheckState::Notice,
            what,
            Code::ReadRefused,
            format!("you have none in namespace {}", connection.namespace),
            "ask for diarchy-view, diarchy-edit or diarchy-approve if you need it",
        ),
        Err(error) => Check::not_well(
            CheckState::Notice,
            what,
            Code::ClusterNotUsable,
            in_words::of(&error),
            "see whether `kubectl auth can-i` works with the same kubeconfig",
        ),
    }
}
