//! Entra's token endpoint, and what the services make of credentials.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use uuid::Uuid;

use crate::http::{Answer, Call};
use crate::moment::{Moment, SECOND};
use crate::random::Chance;

/// How long a token lives, in seconds, as Entra answers it.
const LIFETIME: i64 = 3599;

/// The accounts that exist, and the tokens that were handed out.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) admin_token: String,
    pub(crate) admin_user: String,
    pub(crate) admin_password: String,
    tokens: HashMap<String, Moment>,
    session: Uuid,
}

impl Credentials {
    /// The same for the same seed, so that a restart finds them valid; `session` is not, so that
    /// tokens of an earlier run are not.
    pub(crate) fn new(chance: Chance, session: Uuid) -> Self {
        let secret = |question| chance.guid(question, 0).simple().to_string();
        Self {
            client_id: chance.guid("client application", 0).to_string(),
            client_secret: format!("sim~{}", secret("client secret")),
            admin_token: format!("sim.{}", secret("admin token")),
            admin_user: "CONTOSO\\svc-diarchy".to_owned(),
            admin_password: secret("admin password"),
            tokens: HashMap::new(),
            session,
        }
    }

    /// Answers a request for a token.
    pub(crate) fn grant(&mut self, call: &Call, scope: &str, now: Moment) -> Answer {
        let form = form(&call.body);
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let refuse = |status, error: &str, number: u32, words: &str| {
            let body = json!({
                "error": error,
                "error_description": format!("AADSTS{number}: {words}"),
                "error_codes": [number],
                "timestamp": crate::moment::text(now).replace('T', " "),
                "trace_id": self.session.to_string(),
                "correlation_id": self.session.to_string(),
            });
            Answer::json(status, &body)
        };
        if field("grant_type") != "client_credentials" {
            let words = "The grant type is not supported over the v2.0 endpoint.";
            return refuse(400, "unsupported_grant_type", 70003, words);
        }
        let basic = call.header("authorization").and_then(basic);
        let (id, secret) = basic.unwrap_or_else(|| {
            let pair = (field("client_id"), field("client_secret"));
            (pair.0.to_owned(), pair.1.to_owned())
        });
        if id != self.client_id {
            let words = "Application was not found in the directory.";
            return refuse(400, "unauthorized_client", 700_016, words);
        }
        if secret != self.client_secret {
            let words = "Invalid client secret provided.";
            return refuse(401, "invalid_client", 7_000_215, words);
        }
        if field("scope") != scope {
            let words = "The provided value for the input parameter 'scope' is not valid.";
            return refuse(400, "invalid_scope", 70011, words);
        }
        let token = format!("sim.{}.{}", self.session.simple(), self.tokens.len() + 1);
        self.tokens.insert(token.clone(), now + LIFETIME * SECOND);
        let body = json!({
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "ext_expires_in": LIFETIME,
            "access_token": token,
        });
        Answer::json(200, &body)
    }

    /// Whether Graph lets this request in.
    pub(crate) fn graph_allows(&self, call: &Call, now: Moment) -> bool {
        call.header("authorization")
            .and_then(bearer)
            .and_then(|token| self.tokens.get(token))
            .is_some_and(|expires| now < *expires)
    }

    /// Whether the AdminService lets this request in.
    pub(crate) fn site_allows(&self, call: &Call) -> bool {
        let Some(header) = call.header("authorization") else {
            return false;
        };
        bearer(header) == Some(&self.admin_token)
            || basic(header).is_some_and(|(user, password)| {
                user.eq_ignore_ascii_case(&self.admin_user) && password == self.admin_password
            })
    }
}

fn bearer(header: &str) -> Option<&str> {
    header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The fields of a form.
fn form(body: &[u8]) -> HashMap<String, String> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced)
            .decode_utf8_lossy()
            .into_owned()
    };
    String::from_utf8_lossy(body)
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}
