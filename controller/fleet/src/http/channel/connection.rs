//! One connection, kept apart from all others: what is signed in is the connection.

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::binding::binding;
use crate::http::attempt::{Fault, causes};

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encrypted: bool,
}

impl Origin {
    /// The origin of `url`, which is one of http or https.
    pub(super) fn of(url: &Url) -> Self {
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        };
        Self {
            host,
            port: url.port_or_known_default().unwrap_or(443),
            encrypted: url.scheme() == "https",
        }
    }
}

/// Why no answer came.
#[derive(Debug)]
pub(super) enum Lost {
    /// The connection had ended before: the service has not seen the request.
    Unsent,
    /// It may have.
    Sent(String),
}

/// A connection that carries one request at a time.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    /// What ties a sign-in to it; `None` without TLS.
    pub(super) binding: Option<Vec<u8>>,
    /// Whether whoever asks over it is known.
    pub(super) signed_in: bool,
    /// Requests since the sign-in.
    pub(super) answered: u32,
    /// Whether it was kept after an earlier exchange, and has not proved since that it lives.
    pub(super) kept: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("signed_in", &self.signed_in)
            .finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects within `limit`, in real time.
    ///
    /// # Errors
    ///
    /// [`Fault`]: nothing was asked.
    pub(super) async fn open(
        origin: &Origin,
        tls: &TlsConnector,
        limit: Duration,
    ) -> Result<Self, Fault> {
        let opening = async {
            let stream = TcpStream::connect((origin.host.as_str(), origin.port))
                .await
                .map_err(|error| Fault::not_connected(&error))?;
            // Requests are written in one go; waiting for more would only delay them.
            let _ = stream.set_nodelay(true);
            if !origin.encrypted {
                return Self::over(stream, None).await;
            }
            let name = ServerName::try_from(origin.host.clone())
                .map_err(|error| Fault::not_connected(&error))?;
            let stream = tls
                .connect(name, stream)
                .await
                .map_err(|error| Fault::not_connected(&error))?;
            let (_, session) = stream.get_ref();
            let certificate = session.peer_certificates().and_then(<[_]>::first);
            let binding = certificate.and_then(binding);
            Self::over(stream, binding).await
        };
        tokio::time::timeout(limit, opening)
            .await
            .unwrap_or_else(|_| Err(Fault::unconnected("the connection took too long")))
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        binding: Option<Vec<u8>>,
    ) -> Result<Self, Fault> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Fault::not_connected(&error))?;
        let driver = tokio::spawn(async move {
            // How it ended is told to whoever waits for an answer.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            driver,
            binding,
            signed_in: false,
            answered: 0,
            kept: false,
        })
    }

    /// Whether it can carry another request.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request, and returns the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Response<Incoming>, Lost> {
        let sending = async {
            if self.sender.ready().await.is_err() {
                return Err(Lost::Unsent);
            }
            let sent = self.sender.try_send_request(request).await;
            sent.map_err(|mut error| match error.take_message() {
                Some(_) => Lost::Unsent,
                None => Lost::Sent(causes(error.error())),
            })
        };
        tokio::time::timeout(limit, sending)
            .await
            .unwrap_or_else(|_| Err(Lost::Sent("no answer came in time".to_owned())))
    }
}

/// Reads an answer to its end, of at most `longest` bytes.
///
/// # Errors
///
/// [`Fault`] for a longer one, or one that breaks off.
pub(super) async fn read(
    mut answer: Incoming,
    longest: usize,
    limit: Duration,
) -> Result<Vec<u8>, Fault> {
    let reading = async {
        let mut body = Vec::new();
        while let Some(frame) = answer.frame().await {
            let frame = frame.map_err(|error| Fault::broken(causes(&error)))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if body.len() + data.len() > longest {
                return Err(Fault::too_long(longest));
            }
            body.extend_from_slice(&data);
        }
        Ok(body)
    };
    tokio::time::timeout(limit, reading)
        .await
        .unwrap_or_else(|_| Err(Fault::broken("the answer took too long".to_owned())))
}
