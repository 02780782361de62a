//! Asks the replica that has the answer.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, Uri};

use crate::read_api::TOKEN;

/// Says that another replica has passed a question on: it is passed on once only.
pub const FORWARDED: &str = "x-diarchy-forwarded";

/// Explaining one of a million devices takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Another replica, as it has made itself known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Where its read API is.
    pub address: SocketAddr,
    /// Its certificate, as PEM: no other is accepted.
    pub certificate: String,
}

/// The answer of `replica` to the question `uri` of whoever sent `headers`.
pub async fn ask(
    replica: &Replica,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response<Body>, reqwest::Error> {
    let certificate = reqwest::Certificate::from_pem(replica.certificate.as_bytes())?;
    let client = reqwest::Client::builder()
        .tls_certs_only([certificate])
        .timeout(PATIENCE)
        .no_proxy()
        .build()?;
    let mut question = client
        .get(format!("https://{}{uri}", replica.address))
        .header(FORWARDED, HeaderValue::from_static("true"));
    if let Some(token) = headers.get(TOKEN) {
        question = question.header(TOKEN, token);
    }
    let answer = question.send().await?;
    let (status, kind) = (
        answer.status(),
        answer.headers().get("content-type").cloned(),
    );
    let mut passed = Response::new(Body::from(answer.bytes().await?));
    *passed.status_mut() = status;
    if let Some(kind) = kind {
        passed.headers_mut().insert("content-type", kind);
    }
    Ok(passed)
}
