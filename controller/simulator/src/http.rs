//! One request as it came in, and one response as it goes out.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::sign_in::Session;

/// As both services write addresses: `$` and `,` stand for themselves.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'$')
    .remove(b',')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// A request, read completely.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Percent-decoded.
    pub(crate) path: String,
    /// Decoded, in the order of the address.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) client: IpAddr,
    /// The connection that it came over.
    pub(crate) session: Arc<Session>,
}

impl Call {
    /// The request with this head and body.
    pub(crate) fn new(head: Parts, body: Bytes, client: IpAddr, session: Arc<Session>) -> Self {
        let query = head.uri.query().unwrap_or_default();
        Self {
            path: decode(head.uri.path()),
            query: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| {
                    (
                        decode(&name.replace('+', " ")),
                        decode(&value.replace('+', " ")),
                    )
                })
                .collect(),
            method: head.method,
            headers: head.headers,
            body,
            client,
            session,
        }
    }

    /// The value of a query option.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The options of the address again, without those named, each followed by `&`.
    pub(crate) fn options_without(&self, left_out: &[&str]) -> String {
        let encode = |text| utf8_percent_encode(text, ESCAPED);
        let mut options = String::new();
        for (name, value) in &self.query {
            if !left_out.contains(&name.as_str()) {
                // Writing to a String cannot fail.
                let _ = write!(options, "{}={}&", encode(name), encode(value));
            }
        }
        options
    }

    /// The text of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; null when it is empty or something else.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The names in `$select`.
    pub(crate) fn selected(&self) -> Option<Vec<&str>> {
        let names = self.option("$select")?;
        let names: Vec<_> = names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        (!names.is_empty()).then_some(names)
    }

    /// Whether it asks for something to be changed.
    pub(crate) fn writes(&self) -> bool {
        self.method != Method::GET && self.method != Method::HEAD
    }
}

pub(crate) fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// `body` as JSON.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        Self::bytes(
            status,
            "application/json; odata.metadata=minimal; charset=utf-8",
            serde_json::to_vec(body).unwrap_or_default(),
        )
    }

    pub(crate) fn bytes(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            content_type,
            headers: Vec::new(),
            body,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// An error in the form of the AdminService.
    pub(crate) fn admin_error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"error": {"code": "", "message": message}}))
    }

    /// The same as it goes out.
    pub(crate) fn into_response(self) -> Response<Vec<u8>> {
        let has_body = !self.body.is_empty();
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if has_body {
            let kind = HeaderValue::from_static(self.content_type);
            headers.append("content-type", kind);
        }
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                headers.append(name, value);
            }
        }
        response
    }
}
