//! A token that shows who asks.
//!
//! The API server's proxy keeps `Authorization` for itself, so a question carries a token of its own:
//! the one that the kubeconfig has. Who signs in with a client certificate has none, and borrows one
//! of a service account that may read.

use diarchy_cluster::in_words;
use diarchy_core::code::Code;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use kube::client::{Body, ConfigExt as _};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};

use super::Connection;
use crate::failure::Failure;

/// How long a borrowed token lasts: the least that an API server gives.
const BORROWED_SECONDS: i64 = 600;

/// A token that shows who asks; borrowed of `account`, as (namespace, name), where there is no other.
pub async fn token(connection: &Connection, account: (&str, &str)) -> Result<String, Failure> {
    match own(connection).await? {
        Some(token) => Ok(token),
        None => borrowed(connection, account).await,
    }
}

/// The token of the kubeconfig, whichever way it has one.
async fn own(connection: &Connection) -> Result<Option<String>, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(
            Code::ClusterNotUsable,
            format!("the kubeconfig's way to sign in failed: {error}"),
            "see whether `kubectl get fleets` works with the same kubeconfig",
        )
    };
    let layer = connection.config.auth_layer();
    let Some(layer) = layer.map_err(|error| failed(&error))? else {
        return Ok(None);
    };
    // What it would send to the API server.
    let seen = service_fn(|request: http::Request<Body>| async move {
        let header = request.headers().get(http::header::AUTHORIZATION);
        Ok::<_, BoxError>(http::Response::new(header.cloned()))
    });
    let request = http::Request::new(Body::empty());
    let header = layer.layer(seen).oneshot(request).await;
    let header = header.map_err(|error| failed(error.as_ref()))?.into_body();
    let text = header.as_ref().and_then(|header| header.to_str().ok());
    Ok(text
        .and_then(|text| text.strip_prefix("Bearer "))
        .map(str::to_owned))
}

async fn borrowed(
    connection: &Connection,
    (namespace, name): (&str, &str),
) -> Result<String, Failure> {
    let accounts: Api<ServiceAccount> = Api::namespaced(connection.client.clone(), namespace);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            expiration_seconds: Some(BORROWED_SECONDS),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let parameters = PostParams::default();
    let answer = accounts
        .create_token_request(name, &parameters, &request)
        .await;
    let answer = answer.map_err(|error| {
        Failure::new(
            Code::ReadRefused,
            format!(
                "the kubeconfig has no token, and account {namespace}/{name} lends none: {}",
                in_words::of(&error)
            ),
            "sign in with a token, or name an account with --account whose tokens you may create",
        )
    })?;
    Ok(answer
        .status
        .and_then(|status| status.token)
        .unwrap_or_default())
}
