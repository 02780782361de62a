//! One request with its answer, and whatever conversation it takes to be let in.

use base64::prelude::{BASE64_STANDARD, Engine};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use reqwest::header::{DATE, RETRY_AFTER};
use tracing::{debug, warn};
use url::Position;

use super::Channels;
use super::account::{Account, Turn, once};
use super::connection::{Connection, Lost, Origin, read};
use super::handshake::Handshake;
use super::offer::{Offer, Scheme};
use crate::error::{EstateError, Refusal, Service};
use crate::http::attempt::{Fault, text_of};
use crate::http::{Answer, Call, Legs, USER, host_of};

/// More messages than any conversation has.
const LONGEST_CONVERSATION: usize = 6;
/// How often a service may change what it offers within one exchange.
const MOST_CHANGES: usize = 3;
/// What is read of answers that only continue a conversation.
const LONGEST_REFUSAL: usize = 1 << 16;

/// One call on its way.
pub(crate) struct Exchange<'a> {
    pub(crate) channels: &'a Channels,
    pub(crate) account: &'a Account,
    pub(crate) call: &'a Call,
    pub(crate) legs: Legs<'a>,
    pub(crate) longest: usize,
}

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// The call itself.
    Call,
    /// The address of the call and nothing else, by GET: it may be answered and changes nothing.
    Question,
}

/// Why a connection was of no use.
enum Failure {
    /// It had been kept, and had ended meanwhile: another one may serve.
    Stale,
    Fault(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<EstateError> for Failure {
    fn from(error: EstateError) -> Self {
        Self::Fault(Fault::decided(error))
    }
}

impl Exchange<'_> {
    /// The answer to the call, whatever its status, from a service that knows who asks.
    ///
    /// # Errors
    ///
    /// [`Fault`]; one that is decided when the account is refused or cannot be used there.
    pub(crate) async fn run(&self) -> Result<Answer, Fault> {
        let origin = Origin::of(&self.call.url);
        // The semaphore is never closed.
        let _place = self.channels.places.acquire().await;
        loop {
            if let Some(refused) = self.account.refused() {
                return Err(Fault::decided(refused));
            }
            let mut connection = self.channels.connection(&origin).await?;
            match self.over(&origin, &mut connection).await {
                Ok(answer) => {
                    self.channels.keep(&origin, connection);
                    return Ok(answer);
                }
                Err(Failure::Stale) => debug!("a kept connection had ended"),
                Err(Failure::Fault(fault)) => return Err(fault),
            }
        }
    }

    async fn over(&self, origin: &Origin, connection: &mut Connection) -> Result<Answer, Failure> {
        let mut offer = None;
        if connection.signed_in {
            let response = self.send(connection, Load::Call, None).await?;
            let still = response.status() != StatusCode::UNAUTHORIZED;
            if connection.answered == 0 {
                self.channels.remembered(origin, still);
            }
            connection.answered = connection.answered.saturating_add(1);
            if still {
                return self.read(response).await;
            }
            debug!("the service asks for a sign-in again");
            connection.signed_in = false;
            offer = Some(self.refusal(response).await?);
        }
        let scheme = match (offer, self.channels.scheme(origin)) {
            (None, Some(scheme)) => scheme,
            (Some(offer), _) => self.choose(origin, &offer)?,
            (None, None) => match self.ask(connection).await? {
                Ok(answer) => return Ok(answer),
                Err(offer) => self.choose(origin, &offer)?,
            },
        };
        self.sign_in(origin, connection, scheme).await
    }

    /// Asks without signing in: the answer, from a service that lets everybody in, or what it offers.
    async fn ask(&self, connection: &mut Connection) -> Result<Result<Answer, Offer>, Failure> {
        let response = self.send(connection, Load::Question, None).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Ok(Err(self.refusal(response).await?));
        }
        self.let_in(connection, response).await
    }

    fn choose(&self, origin: &Origin, offer: &Offer) -> Result<Scheme, EstateError> {
        let kerberos = self.account.kdc.is_some();
        let chosen = offer.choose(origin.encrypted, kerberos);
        let scheme = chosen.map_err(|detail| EstateError::SignIn {
            service: Service::AdminService,
            host: host_of(&self.call.url),
            detail,
        })?;
        if scheme == Scheme::Basic {
            warn!("the AdminService offers nothing better than the password itself, within TLS");
        }
        debug!(scheme = scheme.name(), "signing in");
        Ok(scheme)
    }

    /// Signs the connection in, with the call on the last message.
    async fn sign_in(
        &self,
        origin: &Origin,
        connection: &mut Connection,
        mut scheme: Scheme,
    ) -> Result<Answer, Failure> {
        for _ in 0..MOST_CHANGES {
            let mut turn = self
                .account
                .turn(self.legs.clock(), &host_of(&self.call.url))
                .await?;
            let ended = match scheme {
                Scheme::Basic => self.tell(origin, connection, &mut turn).await?,
                _ => self.converse(origin, connection, scheme, &mut turn).await?,
            };
            match ended {
                Ended::Accepted(response, tokens) => {
                    self.channels.learn(origin, scheme);
                    // Below 500 it was the service itself that answered, and not one in front of it.
                    if response.status().as_u16() < 500 {
                        turn.accepted();
                    } else {
                        drop(turn);
                    }
                    connection.signed_in = scheme != Scheme::Basic;
                    connection.answered = 0;
                    let mut answer = self.read(response).await?;
                    hide(&mut answer, &tokens);
                    return Ok(answer);
                }
                Ended::Refused(error) => {
                    turn.refused(&error);
                    return Err(error.into());
                }
                Ended::LetIn(response) => {
                    drop(turn);
                    return self.let_in(connection, response).await?.map_err(|_| {
                        Failure::from(self.no_conversation("it lets in and keeps out by turns"))
                    });
                }
                // What was offered before is offered no more.
                Ended::Changed(offer) => {
                    drop(turn);
                    scheme = self.choose(origin, &offer)?;
                }
            }
        }
        Err(self
            .no_conversation("it offers another way with each answer, or none to go on with")
            .into())
    }

    /// Shows the password itself, which only a connection that is encrypted may carry.
    async fn tell(
        &self,
        origin: &Origin,
        connection: &mut Connection,
        turn: &mut Turn<'_>,
    ) -> Result<Ended, Failure> {
        if !origin.encrypted {
            return Err(self.no_conversation("the address is not https").into());
        }
        let Account {
            username, password, ..
        } = self.account;
        let token = BASE64_STANDARD.encode(format!("{username}:{}", password.reveal()));
        let header = format!("{} {token}", Scheme::Basic.name());
        turn.show();
        let response = self.send(connection, Load::Call, Some(&header)).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(Ended::Accepted(response, vec![token]));
        }
        let offer = self.refusal(response).await?;
        if offer.has(Scheme::Basic) {
            Ok(Ended::Refused(self.refused(Scheme::Basic, false)))
        } else {
            Ok(Ended::Changed(offer))
        }
    }

    /// The conversation of Negotiate or NTLM.
    async fn converse(
        &self,
        origin: &Origin,
        connection: &mut Connection,
        scheme: Scheme,
        turn: &mut Turn<'_>,
    ) -> Result<Ended, Failure> {
        let binding = connection.binding.clone();
        let mut handshake = Handshake::new(self.account, scheme, &origin.host, binding)?;
        let kerberos = handshake.is_kerberos();
        let (mut input, mut tokens, mut proved) = (Vec::new(), Vec::new(), false);
        for message in 0..LONGEST_CONVERSATION {
            let output = match handshake.step(input).await {
                Ok((next, output)) => {
                    handshake = next;
                    output
                }
                Err(error @ EstateError::Refused { .. }) => return Ok(Ended::Refused(error)),
                // The service went on talking, in a way that says no.
                Err(_) if proved => return Ok(Ended::Refused(self.refused(scheme, kerberos))),
                Err(error) => return Err(error.into()),
            };
            // The first message of NTLM says nothing, the second proves the password. With Kerberos
            // the password has been checked by a domain controller before the first.
            proved = kerberos || message > 0;
            if proved && !kerberos {
                turn.show();
            }
            let token = BASE64_STANDARD.encode(output);
            let header = format!("{} {token}", scheme.name());
            tokens.push(token);
            let load = if proved { Load::Call } else { Load::Question };
            let response = self.send(connection, load, Some(&header)).await?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(if proved {
                    Ended::Accepted(response, tokens)
                } else {
                    Ended::LetIn(response)
                });
            }
            let offer = self.refusal(response).await?;
            input = match offer.token(scheme) {
                Some(token) => token.to_vec(),
                None if proved => return Ok(Ended::Refused(self.refused(scheme, kerberos))),
                None => return Ok(Ended::Changed(offer)),
            };
        }
        Err(self.no_conversation("the conversation has no end").into())
    }

    /// What becomes of a question that was answered without a sign-in: the answer, if the call is
    /// no more than that question, else that of the call itself; or what is offered after all.
    async fn let_in(
        &self,
        connection: &mut Connection,
        response: Response<Incoming>,
    ) -> Result<Result<Answer, Offer>, Failure> {
        let answer = self.read(response).await?;
        if self.call.method == Method::GET {
            return Ok(Ok(answer));
        }
        self.legs.another(answer.status.as_u16()).await;
        let response = self.send(connection, Load::Call, None).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Ok(Err(self.refusal(response).await?));
        }
        self.read(response).await.map(Ok)
    }

    /// Sends one request of the exchange.
    async fn send(
        &self,
        connection: &mut Connection,
        load: Load,
        authorization: Option<&str>,
    ) -> Result<Response<Incoming>, Failure> {
        let request = self.request(load, authorization)?;
        let sent = connection
            .send(request, self.channels.request_timeout)
            .await;
        let kept = std::mem::replace(&mut connection.kept, false);
        sent.map_err(|lost| match lost {
            Lost::Unsent if kept => Failure::Stale,
            Lost::Unsent => Fault::unconnected("the service closed the connection").into(),
            // The call has not left yet.
            Lost::Sent(detail) if load == Load::Question => Fault::unconnected(&detail).into(),
            Lost::Sent(detail) => Fault::broken(detail).into(),
        })
    }

    fn request(
        &self,
        load: Load,
        authorization: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let url = &self.call.url;
        let unsendable = |_| Failure::Fault(Fault::unsendable("the request cannot be written"));
        let method = match load {
            Load::Call => self.call.method.clone(),
            Load::Question => Method::GET,
        };
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let mut request = Request::builder()
            .method(method)
            .uri(&url[Position::BeforePath..Position::AfterQuery])
            .header(HOST, authority)
            .header(USER_AGENT, USER)
            .header(ACCEPT, "*/*");
        if let Some(headers) = request.headers_mut() {
            for (name, value) in &self.call.headers {
                let name = hyper::header::HeaderName::from_static(name);
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        if let Some(authorization) = authorization {
            let value = HeaderValue::from_str(authorization);
            let mut value = value.map_err(|error| unsendable(error.into()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut body = Full::default();
        if let (Load::Call, Some((content_type, bytes))) = (load, &self.call.body) {
            request = request.header(CONTENT_TYPE, *content_type);
            body = Full::from(bytes.clone());
        }
        request.body(body).map_err(unsendable)
    }

    /// Reads an answer to its end.
    async fn read(&self, response: Response<Incoming>) -> Result<Answer, Failure> {
        let (head, body) = response.into_parts();
        let limit = self.channels.request_timeout;
        let body = read(body, self.longest, limit).await?;
        Ok(Answer {
            status: head.status,
            retry_after: text_of(&head.headers, &RETRY_AFTER),
            date: text_of(&head.headers, &DATE),
            body,
        })
    }

    /// Reads a 401 to its end, so that the connection can go on: what it offers.
    async fn refusal(&self, response: Response<Incoming>) -> Result<Offer, Failure> {
        let (head, body) = response.into_parts();
        let limit = self.channels.request_timeout;
        read(body, LONGEST_REFUSAL, limit).await?;
        self.legs.another(head.status.as_u16()).await;
        Ok(Offer::read(&head.headers))
    }

    /// The service knows what it was shown, and says no.
    fn refused(&self, scheme: Scheme, kerberos: bool) -> EstateError {
        let who = &self.account.username;
        let (refusal, why) = if kerberos {
            (
                Refusal::Credentials,
                "the domain vouches for it, and the service does not take that: its clock may differ, or its name may belong to another account of the domain",
            )
        } else {
            (
                Refusal::Account,
                "the password is wrong or has expired, or the account is locked or disabled: from outside all of them look the same, and the security log of the domain controller tells (events 4625 and 4776)",
            )
        };
        EstateError::Refused {
            service: Service::AdminService,
            refusal,
            detail: format!(
                "{who}, by {}: {why}{}",
                if kerberos { "Kerberos" } else { scheme.name() },
                once(refusal)
            ),
        }
    }

    fn no_conversation(&self, detail: &str) -> EstateError {
        EstateError::SignIn {
            service: Service::AdminService,
            host: host_of(&self.call.url),
            detail: detail.to_owned(),
        }
    }
}

/// How a conversation ended.
enum Ended {
    /// The service knows who asks. The tokens that were sent.
    Accepted(Response<Incoming>, Vec<String>),
    /// It knows, and does not want them.
    Refused(EstateError),
    /// It did not want to know.
    LetIn(Response<Incoming>),
    /// It offers something else.
    Changed(Offer),
}

/// Takes out of an error what a service echoes of the conversation.
fn hide(answer: &mut Answer, tokens: &[String]) {
    if answer.status.is_success() {
        return;
    }
    let mut text = String::from_utf8_lossy(&answer.body).into_owned();
    for token in tokens.iter().filter(|token| !token.is_empty()) {
        text = text.replace(token.as_str(), "[hidden]");
    }
    answer.body = text.into_bytes();
}
