//! One request, sent once.

use std::error::Error;
use std::fmt;

use hyper::Request;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};

use super::carrier::Way;
use super::retry::Repeat;
use super::{Answer, Authorization, Call, trust};
use crate::error::{EstateError, Service};

/// Why no answer came.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: Kind,
    detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// No connection: the service has not seen the request.
    Connect,
    /// The certificate is not trusted: the service has not seen the request.
    Trust,
    /// The request cannot be sent at all.
    Unsendable,
    /// The connection broke or was too slow: anything may have happened.
    Broken,
    /// The answer is longer than allowed.
    TooLong,
    /// It is known what this asks of the caller.
    Decided(Box<EstateError>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Fault {
    /// Whether asking again may help and does no harm.
    pub(crate) fn may_pass(&self, repeat: Repeat) -> bool {
        match self.kind {
            Kind::Connect => true,
            Kind::Broken => repeat == Repeat::Safe,
            Kind::Trust | Kind::Unsendable | Kind::TooLong | Kind::Decided(_) => false,
        }
    }

    /// Whether a request was sent whose answer did not come.
    pub(crate) const fn is_lost(&self) -> bool {
        !matches!(self.kind, Kind::Decided(_))
    }

    /// One that the caller is to hear of as it is.
    pub(crate) fn decided(error: EstateError) -> Self {
        Self {
            detail: error.to_string(),
            kind: Kind::Decided(Box::new(error)),
        }
    }

    /// No connection, for whatever reason: it may lie in the certificate.
    pub(crate) fn not_connected(error: &(dyn Error + 'static)) -> Self {
        match trust::certificate_fault(error) {
            Some(detail) => Self {
                kind: Kind::Trust,
                detail,
            },
            None => Self::unconnected(&causes(error)),
        }
    }

    /// No connection: the service has not seen the request.
    pub(crate) fn unconnected(detail: &str) -> Self {
        Self {
            kind: Kind::Connect,
            detail: detail.to_owned(),
        }
    }

    /// The connection broke: anything may have happened.
    pub(crate) const fn broken(detail: String) -> Self {
        Self {
            kind: Kind::Broken,
            detail,
        }
    }

    /// The request cannot be sent at all.
    pub(crate) fn unsendable(detail: &str) -> Self {
        Self {
            kind: Kind::Unsendable,
            detail: detail.to_owned(),
        }
    }

    /// The answer has more than `longest` bytes.
    pub(crate) fn too_long(longest: usize) -> Self {
        Self {
            kind: Kind::TooLong,
            detail: format!("more than {longest} bytes"),
        }
    }

    pub(crate) fn into_error(self, service: Service, call: &Call) -> EstateError {
        let detail = call.authorization.hidden_in(&self.detail);
        let perhaps_received = self.kind == Kind::Broken;
        match self.kind {
            Kind::Decided(error) => *error,
            Kind::Trust => EstateError::Trust {
                service,
                host: call.host(),
                detail,
                remedy: trust::remedy(service),
            },
            Kind::Unsendable => EstateError::Configuration { service, detail },
            Kind::Connect | Kind::Broken => EstateError::Unreachable {
                service,
                host: call.host(),
                detail,
                perhaps_received,
            },
            Kind::TooLong => EstateError::unusable(service, call.endpoint.template, detail),
        }
    }
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        // An address may carry a token in its query; the host is named by whoever reports this.
        let error = error.without_url();
        if let Some(detail) = trust::certificate_fault(&error) {
            return Self {
                kind: Kind::Trust,
                detail,
            };
        }
        let kind = if error.is_builder() {
            Kind::Unsendable
        } else if error.is_connect() {
            Kind::Connect
        } else {
            Kind::Broken
        };
        Self {
            kind,
            detail: causes(&error),
        }
    }
}

/// An error with everything that caused it, on one line.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    super::failure::one_line(&text)
}

/// Sends `call` once, and reads at most `longest` bytes of the answer.
pub(super) async fn attempt(way: &Way, call: &Call, longest: usize) -> Result<Answer, Fault> {
    let (head, body) = way.send(request(call)?, longest).await?.into_parts();
    Ok(Answer {
        status: head.status,
        retry_after: text_of(&head.headers, &RETRY_AFTER),
        date: text_of(&head.headers, &DATE),
        body,
    })
}

/// The request that `call` makes.
fn request(call: &Call) -> Result<Request<Vec<u8>>, Fault> {
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(call.url.as_str());
    for (name, value) in &call.headers {
        request = request.header(*name, *value);
    }
    // Accounts are signed in on connections of their own.
    if let Authorization::Bearer(token) = &call.authorization {
        let text = format!("Bearer {}", token.reveal());
        let value = HeaderValue::try_from(text).map(|mut value| {
            value.set_sensitive(true);
            value
        });
        request = request.header(AUTHORIZATION, value.map_err(|error| unsendable(&error))?);
    }
    let mut body = Vec::new();
    if let Some((content_type, sent)) = &call.body {
        request = request.header(CONTENT_TYPE, *content_type);
        body.clone_from(sent);
    }
    request.body(body).map_err(|error| unsendable(&error))
}

fn unsendable(error: &(dyn Error + 'static)) -> Fault {
    Fault::unsendable(&causes(error))
}

/// A header that is text.
pub(crate) fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let header = headers.get(name)?.to_str().ok()?;
    Some(header.to_owned())
}
