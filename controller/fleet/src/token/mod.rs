//! Tokens from Entra ID, for an application that signs in as itself (RFC 6749, section 4.4;
//! entra: identity-platform/v2-oauth2-client-creds-grant-flow.md).

mod certificate;
mod credentials;
mod federated;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::error::{EstateError, Refusal, Service};
use crate::http::failure::one_line;
use crate::http::retry::Repeat;
use crate::http::{Answer, Authorization, Call, Endpoint, Transport};
use crate::secret::Secret;

pub use certificate::ClientCertificate;
pub use credentials::{ClientCredentials, ClientProof};
pub use federated::{FederatedToken, TokenFile};

use credentials::Shown;

const ENDPOINT: Endpoint = Endpoint {
    template: "/{tenant}/oauth2/v2.0/token",
    needs: "an application registration with consent",
};

/// A token is renewed when this share of its life is left, so that none expires on its way.
const MARGIN: i32 = 10;
/// How long a token is believed in that does not say how long it lasts.
const UNSAID_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// How long credentials that were refused are not shown again. Nothing is locked by trying, and what
/// mends it may happen in Entra, where a certificate or a federation takes minutes to be known.
const REFUSED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Gives out one token until it is about to expire.
#[derive(Debug)]
pub(crate) struct TokenSource {
    transport: Transport,
    url: Url,
    credentials: ClientCredentials,
    scope: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Token>,
    refused: Option<Refused>,
}

#[derive(Debug, Clone)]
struct Token {
    value: Secret,
    renew_at: Timestamp,
}

/// Credentials that were refused.
#[derive(Debug)]
struct Refused {
    error: EstateError,
    /// What was shown, where it changes by itself.
    shown: Option<Secret>,
    until: Timestamp,
}

impl TokenSource {
    /// A source of tokens for `scope` at the token endpoint `url`.
    pub(crate) fn new(
        transport: Transport,
        url: Url,
        credentials: ClientCredentials,
        scope: String,
    ) -> Self {
        Self {
            transport,
            url,
            credentials,
            scope,
            state: Mutex::default(),
        }
    }

    /// Who asks for tokens.
    pub(crate) const fn credentials(&self) -> &ClientCredentials {
        &self.credentials
    }

    /// A token that will last for a while. Who comes while one is being fetched waits for it.
    pub(crate) async fn token(&self) -> Result<Secret, EstateError> {
        let mut state = self.state.lock().await;
        let now = self.transport.clock().now();
        if let Some(token) = &state.current
            && now < token.renew_at
        {
            return Ok(token.value.clone());
        }
        let shown = self.credentials.show(&self.url, now).await?;
        if let Some(refused) = &state.refused
            && refused.shown == shown.changing
            && now < refused.until
        {
            return Err(refused.error.clone());
        }
        state.refused = None;
        let token = self.fetch(&shown, now).await;
        match token {
            Ok(token) => Ok(state.current.insert(token).value.clone()),
            Err(error) => {
                if matches!(error, EstateError::Refused { .. }) {
                    state.refused = Some(Refused {
                        error: error.clone(),
                        shown: shown.changing,
                        until: later(now, REFUSED_FOR),
                    });
                }
                Err(error)
            }
        }
    }

    /// A token other than `refused`, which a service did not accept although it should be valid.
    pub(crate) async fn other_than(&self, refused: &Secret) -> Result<Secret, EstateError> {
        let mut state = self.state.lock().await;
        if state
            .current
            .as_ref()
            .is_some_and(|token| token.value == *refused)
        {
            state.current = None;
        }
        drop(state);
        self.token().await
    }

    async fn fetch(&self, shown: &Shown, now: Timestamp) -> Result<Token, EstateError> {
        let call = Call {
            method: Method::POST,
            url: self.url.clone(),
            endpoint: ENDPOINT,
            authorization: Authorization::None,
            headers: vec![("accept", "application/json")],
            body: Some((
                "application/x-www-form-urlencoded",
                self.form(shown).into_bytes(),
            )),
            // A second token does no harm.
            repeat: Repeat::Safe,
        };
        let answer = self.transport.answer(&call).await?;
        if answer.status.is_success() {
            return Self::granted(&answer, now);
        }
        // A refusal in OAuth's own words is 400 or 401; everything else is judged as anywhere.
        let refused = matches!(answer.status.as_u16(), 400 | 401)
            .then(|| serde_json::from_slice::<Said>(&answer.body).ok())
            .flatten();
        Err(match refused {
            Some(said) => said.explain(shown),
            None => shown.hidden_from(self.transport.refusal(&call, &answer)),
        })
    }

    fn form(&self, shown: &Shown) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.credentials.client_id)
            .append_pair("scope", &self.scope);
        for (name, value) in &shown.fields {
            form.append_pair(name, value.reveal());
        }
        form.finish()
    }

    fn granted(answer: &Answer, now: Timestamp) -> Result<Token, EstateError> {
        let unusable = || {
            EstateError::unusable(
                Service::Entra,
                ENDPOINT.template,
                "something that is no token",
            )
        };
        let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_| unusable())?;
        if !granted.token_type.eq_ignore_ascii_case("bearer") || granted.access_token.is_empty() {
            return Err(unusable());
        }
        let lifetime = granted.lifetime().unwrap_or(UNSAID_LIFETIME);
        Ok(Token {
            value: Secret::new(granted.access_token),
            renew_at: later(now, lifetime - lifetime / MARGIN),
        })
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A token as Entra answers it.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    expires_in: Option<Value>,
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Granted")
    }
}

impl Granted {
    /// How long it lasts: seconds, which some write as text.
    fn lifetime(&self) -> Option<SignedDuration> {
        let seconds = match self.expires_in.as_ref()? {
            Value::String(text) => text.parse().ok()?,
            value => value.as_i64()?,
        };
        Some(SignedDuration::from_secs(seconds.max(0)))
    }
}

/// A refusal in the words of OAuth, with Entra's numbers.
#[derive(Debug, Deserialize)]
struct Said {
    error: String,
    error_description: Option<String>,
    #[serde(default)]
    error_codes: Vec<u32>,
}

/// The assertion is not valid yet, or not any more
/// (entra: identity-platform/reference-error-codes.md).
const NOT_IN_TIME: u32 = 700_024;

impl Said {
    fn explain(&self, shown: &Shown) -> EstateError {
        let detail = match &self.error_description {
            Some(description) => format!("{}: {description}", self.error),
            None => self.error.clone(),
        };
        let detail = one_line(&shown.hidden_in(&detail));
        let service = Service::Entra;
        if self.error_codes.contains(&NOT_IN_TIME) {
            return EstateError::Refused {
                service,
                refusal: Refusal::Clock,
                detail,
            };
        }
        match self.error.as_str() {
            "invalid_request" | "invalid_scope" => EstateError::Configuration { service, detail },
            "temporarily_unavailable" | "server_error" => {
                EstateError::unusable(service, ENDPOINT.template, detail)
            }
            _ => EstateError::Refused {
                service,
                refusal: Refusal::Credentials,
                detail,
            },
        }
    }
}
