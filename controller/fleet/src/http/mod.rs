//! One way out: every request to every service leaves through [`Transport`].
//!
//! Time-outs of sockets are real time; every other wait is the injected clock's.

pub(crate) mod attempt;
mod carrier;
mod channel;
mod counters;
pub(crate) mod failure;
mod pace;
pub(crate) mod retry;
mod trust;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diarchy_clock::Clock;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use tracing::{Instrument, debug, warn};
use url::Url;

use crate::error::{EstateError, Refusal, Service};
use crate::secret::Secret;

pub use carrier::{Carried, Carrier, Lost};
pub use channel::DomainAccount;
pub(crate) use channel::{Account, kdc_address};
pub use counters::{Counters, Outcome, RequestCount};
pub use pace::Pace;
pub use retry::{Patience, http_date};
pub use trust::CaBundle;

use attempt::Fault;
use carrier::Way;
use channel::{Channels, Exchange};
use pace::Pacer;
use retry::Repeat;

/// How a service is reached.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// Trusted besides the system's own roots.
    pub ca_bundle: Option<CaBundle>,
    /// How long a connection may take to be made, in real time.
    pub connect_timeout: Duration,
    /// How long one request may take in all, in real time.
    pub request_timeout: Duration,
    /// The most bytes of one answer, after decompression.
    pub longest_answer: usize,
    /// How persistent it is.
    pub patience: Patience,
    /// The service's published limit.
    pub pace: Pace,
    /// What carries requests in place of the network; none, as everywhere but in a simulation: they
    /// leave over HTTP. Who signs in with a domain account always does.
    pub carrier: Option<Arc<dyn Carrier>>,
}

impl TransportOptions {
    /// What suits `service`.
    #[must_use]
    pub fn for_service(service: Service) -> Self {
        Self {
            ca_bundle: None,
            connect_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_mins(5),
            // A site may answer with all rows at once: 175,000 devices of about 3 KB.
            longest_answer: 1 << 30,
            patience: Patience::default(),
            pace: match service {
                Service::Entra => Pace::ENTRA,
                Service::Graph => Pace::GRAPH,
                Service::AdminService => Pace::ADMIN_SERVICE,
            },
            carrier: None,
        }
    }
}

/// Who is asking.
#[derive(Debug, Clone)]
pub(crate) enum Authorization {
    None,
    Bearer(Secret),
    Account(Arc<Account>),
}

/// What Diarchy calls itself.
const USER: &str = concat!("diarchy/", env!("CARGO_PKG_VERSION"));

impl Authorization {
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Bearer(token) => token.hidden_in(text),
            Self::Account(account) => account.hidden_in(text),
        }
    }
}

/// One kind of call: how it is named, and what it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint {
    /// The path with placeholders for its values.
    pub template: &'static str,
    /// The permission or right that allows it.
    pub needs: &'static str,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub method: Method,
    pub url: Url,
    pub endpoint: Endpoint,
    pub authorization: Authorization,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Option<(&'static str, Vec<u8>)>,
    pub repeat: Repeat,
}

impl Call {
    pub(crate) fn get(url: Url, endpoint: Endpoint, authorization: Authorization) -> Self {
        Self {
            method: Method::GET,
            url,
            endpoint,
            authorization,
            headers: vec![("accept", "application/json")],
            body: None,
            repeat: Repeat::Safe,
        }
    }

    /// Scheme, host and port: what may be printed of an address.
    pub(crate) fn host(&self) -> String {
        host_of(&self.url)
    }

    const fn method_name(&self) -> &'static str {
        match self.method {
            Method::GET => "GET",
            _ => "POST",
        }
    }
}

/// The host and port of an address.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("no host");
    url.port_or_known_default()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<String>,
    pub date: Option<String>,
    pub body: Vec<u8>,
}

/// The one HTTP client for a service. Cheap to clone; clones share pace and counters.
#[derive(Debug, Clone)]
pub struct Transport {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    service: Service,
    way: Way,
    channels: Channels,
    clock: Clock,
    longest_answer: usize,
    patience: Patience,
    pacer: Pacer,
    counters: Arc<Counters>,
    /// How far the service's clock was ahead of ours at its last answer.
    ahead: Mutex<Option<SignedDuration>>,
}

impl Inner {
    fn ahead(&self) -> MutexGuard<'_, Option<SignedDuration>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport {
    /// A client for `service`.
    ///
    /// # Errors
    ///
    /// [`EstateError::Configuration`] when the CA bundle or the system's roots cannot be used.
    pub fn new(
        service: Service,
        options: &TransportOptions,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Result<Self, EstateError> {
        let unusable = |error: &(dyn std::error::Error + 'static)| EstateError::Configuration {
            service,
            detail: format!("no TLS client can be made: {}", attempt::causes(error)),
        };
        let tls = trust::tls(options.ca_bundle.as_ref()).map_err(|error| unusable(&error))?;
        let way = Way::new(options, &tls).map_err(|error| unusable(&error))?;
        let channels = Channels::new(tls, options.connect_timeout, options.request_timeout);
        Ok(Self {
            inner: Arc::new(Inner {
                service,
                way,
                channels,
                clock,
                longest_answer: options.longest_answer,
                patience: options.patience,
                pacer: Pacer::new(options.pace),
                counters,
                ahead: Mutex::default(),
            }),
        })
    }

    /// The clock that every wait goes by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Until when the service asked to be left alone, if that is still ahead.
    #[must_use]
    pub fn throttled_until(&self) -> Option<Timestamp> {
        self.inner.pacer.paused_until(self.inner.clock.now())
    }

    /// How far the service's clock was ahead of ours at its last answer, to a second.
    pub(crate) fn ahead(&self) -> Option<SignedDuration> {
        *self.inner.ahead()
    }

    /// Sends `call`, again if it may be and as long as patience lasts, and returns what a 2xx
    /// answer holds.
    pub(crate) async fn send(&self, call: &Call) -> Result<Vec<u8>, EstateError> {
        let answer = self.answer(call).await?;
        if answer.status.is_success() {
            Ok(answer.body)
        } else {
            Err(self.refusal(call, &answer))
        }
    }

    /// Sends `call` as [`Transport::send`] does, and returns the answer whatever its status.
    pub(crate) async fn answer(&self, call: &Call) -> Result<Answer, EstateError> {
        let span = tracing::debug_span!(
            "request",
            service = %self.inner.service,
            method = call.method_name(),
            endpoint = call.endpoint.template,
        );
        self.persist(call).instrument(span).await
    }

    async fn persist(&self, call: &Call) -> Result<Answer, EstateError> {
        let clock = &self.inner.clock;
        let patience = self.inner.patience;
        let give_up = after(clock.now(), patience.in_all);
        let mut delays = patience.delays();
        let mut faults = 0;
        loop {
            self.take_turn(give_up).await?;
            let result = self.attempt(call).await;
            let delay = delays.next().unwrap_or(patience.longest_delay);
            match self.judge(call, &result) {
                Verdict::Final => {
                    self.inner.pacer.answered();
                    return result.map_err(|fault| fault.into_error(self.inner.service, call));
                }
                Verdict::Wait(asked) => {
                    // Jitter is in `delay`; what a service asks for is kept to the letter.
                    let asked = asked.filter(|asked| !asked.is_zero());
                    let until = after(clock.now(), asked.unwrap_or(delay));
                    self.inner.pacer.throttled(until);
                    warn!(service = %self.inner.service, %until, "asked to wait");
                }
                Verdict::Again => {
                    faults += 1;
                    let until = after(clock.now(), delay);
                    if faults >= patience.attempts || until > give_up {
                        return result.map_err(|fault| fault.into_error(self.inner.service, call));
                    }
                    debug!(%until, faults, "trying again");
                    clock.sleep_until(until).await;
                }
            }
        }
    }

    /// Waits for the pace to allow a request, unless that is beyond the caller's patience.
    async fn take_turn(&self, give_up: Timestamp) -> Result<(), EstateError> {
        let Inner { clock, pacer, .. } = &*self.inner;
        if let Some(until) = pacer.paused_until(clock.now())
            && until > give_up
        {
            return Err(EstateError::Throttled {
                service: self.inner.service,
                until,
            });
        }
        let leave = pacer.reserve(clock.now());
        if leave > clock.now() {
            clock.sleep_until(leave).await;
        }
        Ok(())
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, Fault> {
        let inner = &*self.inner;
        let legs = Legs { inner, call };
        let longest = inner.longest_answer;
        let result = match &call.authorization {
            Authorization::Account(account) => {
                let exchange = Exchange {
                    channels: &inner.channels,
                    account,
                    call,
                    legs,
                    longest,
                };
                exchange.run().await
            }
            _ => attempt::attempt(&inner.way, call, longest).await,
        };
        match &result {
            Ok(answer) => {
                legs.count(Outcome::Status(answer.status.as_u16()));
                let date = answer.date.as_deref().and_then(retry::http_date);
                *inner.ahead() = date.map(|date| date.duration_since(inner.clock.now()));
            }
            Err(fault) => {
                debug!(%fault, "no answer");
                if fault.is_lost() {
                    legs.count(Outcome::NoAnswer);
                }
            }
        }
        result
    }

    fn judge(&self, call: &Call, result: &Result<Answer, Fault>) -> Verdict {
        match result {
            Ok(answer) => {
                let asked = answer
                    .retry_after
                    .as_deref()
                    .and_then(|header| retry::retry_after(header, self.inner.clock.now()));
                let safe = call.repeat == Repeat::Safe;
                match answer.status {
                    // Refused before it was carried out: even a write may be sent again.
                    StatusCode::TOO_MANY_REQUESTS => Verdict::Wait(asked),
                    StatusCode::SERVICE_UNAVAILABLE if safe && asked.is_some() => {
                        Verdict::Wait(asked)
                    }
                    StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::GATEWAY_TIMEOUT
                        if safe =>
                    {
                        Verdict::Again
                    }
                    _ => Verdict::Final,
                }
            }
            Err(fault) if fault.may_pass(call.repeat) => Verdict::Again,
            Err(_) => Verdict::Final,
        }
    }

    /// The error that a status other than 2xx stands for.
    pub(crate) fn refusal(&self, call: &Call, answer: &Answer) -> EstateError {
        let service = self.inner.service;
        let endpoint = call.endpoint.template;
        let status = answer.status.as_u16();
        let gist = failure::gist(status, &answer.body);
        let detail = call.authorization.hidden_in(&gist);
        match status {
            401 => EstateError::Refused {
                service,
                refusal: Refusal::Credentials,
                detail,
            },
            403 => EstateError::Forbidden {
                service,
                endpoint,
                detail,
                needs: call.endpoint.needs,
            },
            404 => EstateError::NotFound {
                service,
                endpoint,
                detail,
            },
            _ => EstateError::Answer {
                service,
                endpoint,
                status: Some(status),
                detail,
            },
        }
    }
}

/// The requests that one call consists of: one, unless it takes a conversation to be let in. Each
/// counts, and each has to wait for its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Legs<'a> {
    inner: &'a Inner,
    call: &'a Call,
}

impl Legs<'_> {
    /// The clock that every wait goes by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Counts a request that was answered with `status`, and waits for the place of another.
    pub(crate) async fn another(&self, status: u16) {
        self.count(Outcome::Status(status));
        let Inner { clock, pacer, .. } = self.inner;
        let leave = pacer.reserve(clock.now());
        if leave > clock.now() {
            clock.sleep_until(leave).await;
        }
    }

    fn count(&self, outcome: Outcome) {
        self.inner.counters.count(
            self.inner.service,
            self.call.method_name(),
            self.call.endpoint.template,
            outcome,
        );
    }
}

enum Verdict {
    /// Nothing is won by asking again.
    Final,
    /// The service asks everybody to wait, perhaps for so long.
    Wait(Option<Duration>),
    /// A fault that may pass.
    Again,
}

fn after(time: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| time.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}
