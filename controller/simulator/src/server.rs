//! The two listeners, and a request's way through one of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Task, Poll};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::request::Parts;
use axum::http::{Request, Response};
use diarchy_clock::Clock;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::answers::respond;
use crate::faults::{Failure, Faults, Service};
use crate::http::{Call, decode};
use crate::log::Log;
use crate::setup::{Behaviour, Limits};
use crate::sign_in::{Door, Session};
use crate::throttle::Throttle;
use crate::token::Credentials;
use crate::world::World;

/// The largest body that is read: a bulk of rules is far smaller.
const LARGEST_BODY: usize = 64 << 20;

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) world: World,
    pub(crate) log: Log,
    pub(crate) credentials: Credentials,
    pub(crate) door: Door,
    pub(crate) throttle: Throttle,
    pub(crate) faults: Faults,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    core: Mutex<Core>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) behaviour: Behaviour,
    /// `https://localhost:port` of each listener.
    pub(crate) graph: String,
    pub(crate) site: String,
}

impl Shared {
    pub(crate) fn new(
        core: Core,
        clock: Clock,
        limits: Limits,
        behaviour: Behaviour,
        (graph, site): (String, String),
    ) -> Self {
        Self {
            core: Mutex::new(core),
            clock,
            limits,
            behaviour,
            graph,
            site,
        }
    }

    /// The world and all about it; whoever panicked while holding it left it whole.
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, after everything that is due has happened.
    pub(crate) fn core_now(&self) -> MutexGuard<'_, Core> {
        let mut core = self.core();
        core.world.advance(crate::moment::moment(self.clock.now()));
        core
    }
}

/// Why a request without a socket has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The connection was refused: the request was not read.
    #[error("the connection was refused")]
    Refused,
    /// The connection ended before the whole answer was said: anything may have happened.
    #[error("the connection ended early")]
    Broken,
}

/// A connection that ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed on purpose")]
struct Hangup;

/// Accepts connections until told to stop.
pub(crate) async fn listen(
    listener: TcpListener,
    tls: TlsAcceptor,
    service: Service,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if shared.core().faults.refuses(service) => drop(stream),
                Ok((stream, peer)) => {
                    let connection = converse(stream, peer, tls.clone(), service, shared.clone());
                    connections.spawn(connection);
                }
                Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
            },
        }
    }
    connections.shutdown().await;
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    tls: TlsAcceptor,
    service: Service,
    shared: Arc<Shared>,
) {
    // Answers are written in one go; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let stream = match tls.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%peer, %error, "TLS failed");
            return;
        }
    };
    if service == Service::AdminService {
        shared.core().door.tally.connections += 1;
    }
    let session = Arc::new(Session::default());
    let handler = service_fn(move |request| {
        let (shared, session) = (shared.clone(), session.clone());
        async move { handle(shared, service, (peer.ip(), session), request).await }
    });
    if let Err(error) = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), handler)
        .await
    {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

async fn handle(
    shared: Arc<Shared>,
    service: Service,
    (client, session): (IpAddr, Arc<Session>),
    request: Request<Incoming>,
) -> Result<Response<Body>, Hangup> {
    let (head, body) = request.into_parts();
    let failures = strike(&shared, service, &head).ok_or(Hangup)?;
    for failure in &failures {
        if let Failure::Delay(duration) = failure {
            tokio::time::sleep(*duration).await;
        }
    }
    let Ok(body) = to_bytes(Body::new(body), LARGEST_BODY).await else {
        return Err(Hangup);
    };
    let call = Call::new(head, body, client, session);
    // A listing of a large fleet is work for a while.
    let answering = tokio::task::spawn_blocking(move || {
        let response = answer(&shared, service, &call, &failures);
        (response, failures)
    });
    let (response, failures) = answering.await.map_err(|_| Hangup)?;
    Ok(send(response, &failures))
}

/// Answers a request that did not come over a socket.
pub(crate) fn answer_at_once(
    shared: &Shared,
    service: Service,
    request: Request<Vec<u8>>,
) -> Result<Response<Vec<u8>>, Unanswered> {
    let (head, body) = request.into_parts();
    if shared.core().faults.refuses(service) {
        return Err(Unanswered::Refused);
    }
    let failures = strike(shared, service, &head).ok_or(Unanswered::Broken)?;
    for failure in &failures {
        if let Failure::Delay(duration) = failure {
            shared.clock.advance(*duration);
        }
    }
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    // Nobody signs connections in where there are none.
    let call = Call::new(head, body.into(), client, Arc::new(Session::default()));
    let response = answer(shared, service, &call, &failures);
    if failures.contains(&Failure::CutOff) {
        return Err(Unanswered::Broken);
    }
    Ok(response)
}

/// What goes wrong with a request; nothing is said to it at all if there is none.
fn strike(shared: &Shared, service: Service, head: &Parts) -> Option<Vec<Failure>> {
    let path = decode(head.uri.path());
    let method = head.method.as_str();
    let failures = shared.core().faults.strike(service, method, &path);
    (!failures.contains(&Failure::Refused)).then_some(failures)
}

/// The whole answer to a call, with what the faults make of its body.
fn answer(
    shared: &Shared,
    service: Service,
    call: &Call,
    failures: &[Failure],
) -> Response<Vec<u8>> {
    // Of the world's clock, as everything here.
    let date = http_date(shared.clock.now());
    let mut answer = respond(shared, service, call, failures);
    if failures.contains(&Failure::MalformedJson) {
        answer.body.truncate(answer.body.len() * 2 / 3);
    }
    let mut response = answer.into_response();
    if let Ok(date) = date.parse() {
        response.headers_mut().insert("date", date);
    }
    response
}

fn http_date(now: Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The response, or what the faults leave of it.
fn send(response: Response<Vec<u8>>, failures: &[Failure]) -> Response<Body> {
    response.map(|mut body| {
        if !failures.contains(&Failure::CutOff) {
            return Body::from(body);
        }
        let length = body.len();
        body.truncate(length / 2);
        Body::new(CutOff {
            sent: Some(Bytes::from(body)),
            announced: length.max(1) as u64,
            flushed: false,
        })
    })
}

/// A body that promises more than it sends.
struct CutOff {
    sent: Option<Bytes>,
    announced: u64,
    flushed: bool,
}

impl hyper::body::Body for CutOff {
    type Data = Bytes;
    type Error = Hangup;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Hangup>>> {
        if let Some(sent) = self.sent.take() {
            return Poll::Ready(Some(Ok(Frame::data(sent))));
        }
        // The server writes what it has when a body makes it wait; an error at once would lose
        // even the status line.
        if !std::mem::replace(&mut self.flushed, true) {
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Hangup)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
