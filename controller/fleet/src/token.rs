//! Tokens from Entra ID, by client credentials.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse,
    RequestTokenError, Scope, TokenResponse, TokenUrl,
};
use reqwest::Method;
use tokio::sync::Mutex;
use url::Url;

use crate::error::{EstateError, Service};
use crate::http::failure::one_line;
use crate::http::retry::Repeat;
use crate::http::{Authorization, Call, Endpoint, Transport};
use crate::secret::Secret;

/// An application registration that may call Microsoft Graph.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The application's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

const ENDPOINT: Endpoint = Endpoint {
    template: "/{tenant}/oauth2/v2.0/token",
    needs: "an application registration with consent",
};

/// A token is renewed when this share of its life is left, so that none expires on its way.
const MARGIN: i32 = 10;
/// How long a token is believed in that does not say how long it lasts.
const UNSAID_LIFETIME: Duration = Duration::from_secs(300);

/// Gives out one token until it is about to expire.
#[derive(Debug)]
pub(crate) struct TokenSource {
    transport: Transport,
    url: Url,
    credentials: ClientCredentials,
    scope: String,
    current: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    value: Secret,
    renew_at: Timestamp,
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
            current: Mutex::new(None),
        }
    }

    /// A token that will last for a while. Who comes while one is being fetched waits for it.
    pub(crate) async fn token(&self) -> Result<Secret, EstateError> {
        let mut current = self.current.lock().await;
        if let Some(token) = &*current
            && self.transport.clock().now() < token.renew_at
        {
            return Ok(token.value.clone());
        }
        let token = self.fetch().await?;
        Ok(current.insert(token).value.clone())
    }

    /// A token other than `refused`, which a service did not accept although it should be valid.
    pub(crate) async fn other_than(&self, refused: &Secret) -> Result<Secret, EstateError> {
        let mut current = self.current.lock().await;
        if current
            .as_ref()
            .is_some_and(|token| token.value == *refused)
        {
            *current = None;
        }
        drop(current);
        self.token().await
    }

    async fn fetch(&self) -> Result<Token, EstateError> {
        let configuration = |detail: String| EstateError::Configuration {
            service: Service::Entra,
            detail,
        };
        let url = TokenUrl::new(self.url.to_string())
            .map_err(|error| configuration(format!("the token address: {error}")))?;
        let client = BasicClient::new(ClientId::new(self.credentials.client_id.clone()))
            .set_client_secret(ClientSecret::new(
                self.credentials.client_secret.reveal().to_owned(),
            ))
            .set_token_uri(url)
            .set_auth_type(AuthType::RequestBody);
        let asked_at = self.transport.clock().now();
        let http = Carrier {
            transport: self.transport.clone(),
            url: self.url.clone(),
        };
        let answer = client
            .exchange_client_credentials()
            .add_scope(Scope::new(self.scope.clone()))
            .request_async(&http)
            .await
            .map_err(|error| self.explain(error))?;
        let lifetime = answer.expires_in().unwrap_or(UNSAID_LIFETIME);
        let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
        let renew_at = asked_at
            .checked_add(lifetime - lifetime / MARGIN)
            .unwrap_or(Timestamp::MAX);
        Ok(Token {
            value: Secret::new(answer.access_token().secret()),
            renew_at,
        })
    }

    fn explain(
        &self,
        error: RequestTokenError<EstateError, oauth2::basic::BasicErrorResponse>,
    ) -> EstateError {
        let hide = |text: &str| one_line(&self.credentials.client_secret.hidden_in(text));
        match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(said) => {
                let word = said.error().as_ref().to_owned();
                let detail = hide(&match said.error_description() {
                    Some(description) => format!("{word}: {description}"),
                    None => word,
                });
                match said.error() {
                    BasicErrorResponseType::InvalidRequest
                    | BasicErrorResponseType::InvalidScope => EstateError::Configuration {
                        service: Service::Entra,
                        detail,
                    },
                    _ => EstateError::Refused {
                        service: Service::Entra,
                        detail,
                    },
                }
            }
            RequestTokenError::Parse(..) => EstateError::unusable(
                Service::Entra,
                ENDPOINT.template,
                "something that is no token",
            ),
            RequestTokenError::Other(detail) => {
                EstateError::unusable(Service::Entra, ENDPOINT.template, hide(&detail))
            }
        }
    }
}

/// Carries what the OAuth library wants to send over the transport that everything goes over.
struct Carrier {
    transport: Transport,
    url: Url,
}

impl<'c> AsyncHttpClient<'c> for Carrier {
    type Error = EstateError;
    type Future = BoxFuture<'c, Result<HttpResponse, EstateError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.exchange(request).boxed()
    }
}

impl Carrier {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, EstateError> {
        let call = Call {
            method: Method::POST,
            url: self.url.clone(),
            endpoint: ENDPOINT,
            authorization: Authorization::None,
            headers: vec![("accept", "application/json")],
            body: Some(("application/x-www-form-urlencoded", request.into_body())),
            // A second token does no harm.
            repeat: Repeat::Safe,
        };
        let answer = self.transport.answer(&call).await?;
        // A refusal in OAuth's own words is 400 or 401; everything else is judged here.
        let status = answer.status.as_u16();
        if !(answer.status.is_success() || status == 400 || status == 401) {
            return Err(self.transport.refusal(&call, &answer));
        }
        let mut response = HttpResponse::new(answer.body);
        *response.status_mut() = answer.status;
        Ok(response)
    }
}
