//! Entra's token endpoint, and what the services make of credentials.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::assertion::{Assertion, Known, Unsigned};
use crate::http::{Answer, Call};
use crate::moment::{Moment, SECOND, moment};
use crate::random::Chance;

/// What a client assertion is (RFC 7523).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long a token lives, in seconds, as Entra answers it.
const LIFETIME: i64 = 3599;

/// 2299-12-31T00:00:00Z.
const FAR: Timestamp = Timestamp::constant(10_413_705_600, 0);

/// How far clocks may differ, in seconds.
const SKEW: i64 = 300;

/// A federated credential of the application: whose tokens stand for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedCredential {
    /// Who issues them, such as the address of a cluster's issuer.
    pub issuer: String,
    /// Whom they name, such as `system:serviceaccount:contoso:diarchy`.
    pub subject: String,
    /// Whom they are for: `api://AzureADTokenExchange`, unless it was set otherwise.
    pub audience: String,
    /// The certificate with the issuer's key, as PEM.
    pub certificate: String,
}

/// The accounts that exist, and the tokens that were handed out.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// Until when the secret is good.
    pub(crate) secret_until: Moment,
    /// Whether the application may read what it is itself, as few may.
    pub(crate) reads_applications: bool,
    /// Whether it may read policies, profiles and apps of Intune.
    pub(crate) reads_intune_objects: bool,
    pub(crate) certificates: Vec<Known>,
    pub(crate) federations: Vec<FederatedCredential>,
    /// How often somebody asked for a token, whatever came of it.
    pub(crate) asked: u64,
    tokens: HashMap<String, Moment>,
    session: Uuid,
}

/// Why no token is given, in Entra's words.
struct Refusal {
    status: u16,
    error: &'static str,
    number: u32,
    words: String,
}

impl Refusal {
    fn new(status: u16, error: &'static str, number: u32, words: impl Into<String>) -> Self {
        let words = words.into();
        Self {
            status,
            error,
            number,
            words,
        }
    }

    fn of_client(number: u32, words: impl Into<String>) -> Self {
        Self::new(401, "invalid_client", number, words)
    }
}

impl Credentials {
    /// The same for the same seed, so that a restart finds them valid; `session` is not, so that
    /// tokens of an earlier run are not.
    pub(crate) fn new(chance: Chance, session: Uuid) -> Self {
        Self {
            client_id: chance.guid("client application", 0).to_string(),
            client_secret: format!("sim~{}", secret(chance, "client secret")),
            // As secrets were made when they did not have to end.
            secret_until: moment(FAR),
            reads_applications: false,
            reads_intune_objects: true,
            certificates: Vec::new(),
            federations: Vec::new(),
            asked: 0,
            tokens: HashMap::new(),
            session,
        }
    }

    /// The site's account: a user, their password, and a token that stands for them.
    pub(crate) fn site_account(chance: Chance) -> (String, String, String) {
        (
            "CONTOSO\\svc-diarchy".to_owned(),
            secret(chance, "admin password"),
            format!("sim.{}", secret(chance, "admin token")),
        )
    }

    /// Answers a request for a token for `scope`, at the token endpoint `endpoint`.
    pub(crate) fn grant(
        &mut self,
        call: &Call,
        endpoint: &str,
        scope: &str,
        now: Moment,
    ) -> Answer {
        self.asked += 1;
        if let Err(refusal) = self.judge(call, endpoint, scope, now) {
            let body = json!({
                "error": refusal.error,
                "error_description": format!("AADSTS{}: {}", refusal.number, refusal.words),
                "error_codes": [refusal.number],
                "timestamp": crate::moment::text(now).replace('T', " "),
                "trace_id": self.session.to_string(),
                "correlation_id": self.session.to_string(),
            });
            return Answer::json(refusal.status, &body);
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

    fn judge(&self, call: &Call, endpoint: &str, scope: &str, now: Moment) -> Result<(), Refusal> {
        let form = form(&call.body);
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        if field("grant_type") != "client_credentials" {
            let words = "The grant type is not supported over the v2.0 endpoint.";
            return Err(Refusal::new(400, "unsupported_grant_type", 70003, words));
        }
        let basic = call.header("authorization").and_then(basic);
        let (id, secret) = basic.unwrap_or_else(|| {
            let pair = (field("client_id"), field("client_secret"));
            (pair.0.to_owned(), pair.1.to_owned())
        });
        if id != self.client_id {
            let words = "Application was not found in the directory.";
            return Err(Refusal::new(400, "unauthorized_client", 700_016, words));
        }
        if form.contains_key("client_assertion") {
            if field("client_assertion_type") != JWT_BEARER {
                let words = "The client_assertion_type is not supported.";
                return Err(Refusal::new(400, "invalid_request", 900_144, words));
            }
            self.judge_assertion(field("client_assertion"), endpoint, now)?;
        } else if secret != self.client_secret {
            let words = "Invalid client secret provided.";
            return Err(Refusal::of_client(7_000_215, words));
        } else if now >= self.secret_until {
            let words = "The provided client secret keys are expired.";
            return Err(Refusal::of_client(7_000_222, words));
        }
        if field("scope") != scope {
            let words = "The provided value for the input parameter 'scope' is not valid.";
            return Err(Refusal::new(400, "invalid_scope", 70011, words));
        }
        Ok(())
    }

    fn judge_assertion(&self, text: &str, endpoint: &str, now: Moment) -> Result<(), Refusal> {
        let Some(assertion) = Assertion::read(text) else {
            let words = "JWT token is invalid or malformed.";
            return Err(Refusal::of_client(50027, words));
        };
        if assertion.thumbprint().is_some() || assertion.claim("iss") == self.client_id {
            self.judge_certificate(&assertion, endpoint)?;
        } else {
            self.judge_federated(&assertion)?;
        }
        let now = now.div_euclid(SECOND);
        let begins = assertion.time("nbf").or_else(|| assertion.time("iat"));
        let ends = assertion.time("exp").unwrap_or(i64::MIN);
        if begins.unwrap_or(i64::MIN) > now + SKEW || ends < now - SKEW {
            let words = "Client assertion is not within its valid time range.";
            return Err(Refusal::of_client(700_024, words));
        }
        Ok(())
    }

    /// An assertion that the application signed itself.
    fn judge_certificate(&self, assertion: &Assertion, endpoint: &str) -> Result<(), Refusal> {
        let thumbprint = assertion.thumbprint().unwrap_or("");
        let known = self
            .certificates
            .iter()
            .find(|known| known.thumbprint() == thumbprint);
        let Some(known) = known else {
            let words = "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.]";
            return Err(Refusal::of_client(700_027, words));
        };
        signed_by(known, assertion).map_err(|words| match words {
            Some(refusal) => refusal,
            None => Refusal::of_client(
                700_027,
                "Client assertion failed signature validation. [Reason - The key was found, but the signature does not fit.]",
            ),
        })?;
        if assertion.claim("iss") != self.client_id || assertion.claim("sub") != self.client_id {
            let words =
                "Client assertion application identifier doesn't match 'client_id' parameter.";
            return Err(Refusal::of_client(700_021, words));
        }
        if !assertion.is_for(endpoint) {
            let words = "Client assertion audience claim does not match Realm issuer.";
            return Err(Refusal::of_client(700_023, words));
        }
        if assertion.claim("jti").is_empty() {
            return Err(Refusal::of_client(50027, "JWT token has no identifier."));
        }
        Ok(())
    }

    /// An assertion that somebody issued who is trusted to.
    fn judge_federated(&self, assertion: &Assertion) -> Result<(), Refusal> {
        let no_match = |number, what: &str, value: &str| {
            let words = format!(
                "No matching federated identity record found for presented assertion {what} '{value}'."
            );
            Refusal::of_client(number, words)
        };
        let issuer = assertion.claim("iss");
        let mut trusted = self
            .federations
            .iter()
            .filter(|federation| federation.issuer == issuer)
            .peekable();
        if trusted.peek().is_none() {
            return Err(no_match(700_211, "issuer", issuer));
        }
        let subject = assertion.claim("sub");
        let Some(federation) = trusted.find(|federation| federation.subject == subject) else {
            return Err(no_match(700_213, "subject", subject));
        };
        if !assertion.is_for(&federation.audience) {
            return Err(no_match(700_212, "audience", assertion.claim("aud")));
        }
        let unsigned = || Refusal::of_client(50013, "Assertion failed signature validation.");
        let known = Known::read(&federation.certificate).ok_or_else(unsigned)?;
        signed_by(&known, assertion).map_err(|refusal| refusal.unwrap_or_else(unsigned))
    }

    /// Whether Graph lets this request in.
    pub(crate) fn graph_allows(&self, call: &Call, now: Moment) -> bool {
        call.header("authorization")
            .and_then(bearer)
            .and_then(|token| self.tokens.get(token))
            .is_some_and(|expires| now < *expires)
    }
}

/// What is wrong with the signature: an algorithm that nobody takes, or just that it does not fit.
fn signed_by(known: &Known, assertion: &Assertion) -> Result<(), Option<Refusal>> {
    assertion.check(known).map_err(|unsigned| match unsigned {
        Unsigned::Algorithm(name) => {
            let words =
                format!("Invalid JWT token. '{name}' is not a supported signature algorithm.");
            Some(Refusal::of_client(5_002_738, words))
        }
        Unsigned::Signature => None,
    })
}

fn secret(chance: Chance, question: &'static str) -> String {
    chance.guid(question, 0).simple().to_string()
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
