//! The two listeners, and a request's way through one of them.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Task, Poll};

use axum::body::{Body, Bytes, to_bytes};
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
use crate::http::{Answer, Call};
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
    let path = decode(head.uri.path());
    let failures = shared
        .core()
        .faults
        .strike(service, head.method.as_str(), &path);
    if failures.contains(&Failure::Refused) {
        return Err(Hangup);
    }
    for failure in &failures {
        if let Failure::Delay(duration) = failure {
            tokio::time::sleep(*duration).await;
        }
    }
    let Ok(body) = to_bytes(Body::new(body), LARGEST_BODY).await else {
        return Err(Hangup);
    };
    let query = head.uri.query().unwrap_or_default();
    let call = Call {
        method: head.method,
        path,
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
        headers: head.headers,
        body,
        client,
        session,
    };
    // Of the world's clock, as everything here.
    let date = http_date(shared.clock.now());
    // A listing of a large fleet is work for a while.
    let answering = tokio::task::spawn_blocking(move || {
        let answer = respond(&shared, service, &call, &failures);
        (answer, failures)
    });
    let (answer, failures) = answering.await.map_err(|_| Hangup)?;
    let mut response = send(answer, &failures);
    if let Ok(date) = date.parse() {
        response.headers_mut().insert("date", date);
    }
    Ok(response)
}

fn http_date(now: Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// The response, or what the faults leave of it.
fn send(mut answer: Answer, failures: &[Failure]) -> Response<Body> {
    if failures.contains(&Failure::MalformedJson) {
        answer.body.truncate(answer.body.len() * 2 / 3);
    }
    let length = answer.body.len();
    let body = if failures.contains(&Failure::CutOff) {
        let mut sent = answer.body;
        sent.truncate(length / 2);
        Body::new(CutOff {
            sent: Some(Bytes::from(sent)),
            announced: length.max(1) as u64,
            flushed: false,
        })
    } else {
        Body::from(answer.body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    if length > 0 {
        headers.append(
            "content-type",
            axum::http::HeaderValue::from_static(answer.content_type),
        );
    }
    for (name, value) in answer.headers {
        if let Ok(value) = value.parse() {
            headers.append(name, value);
        }
    }
    response
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
