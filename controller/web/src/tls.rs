//! The read API is encrypted: what is asked carries a token of the one who asks.
//!
//! Each process makes a certificate of its own. The API server's proxy, which people come through,
//! checks none; other replicas are shown the one that they must meet.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Whoever has not said who they are by then is not waited for.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// So many connections may be on their way in at a time.
const COMING_IN: usize = 64;

/// The certificate of this process, and its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
    /// For those who must know it.
    pem: String,
}

impl Identity {
    /// A new one, for the addresses that this process is reached at.
    ///
    /// # Errors
    ///
    /// When the machine has no randomness.
    pub fn new(addresses: impl IntoIterator<Item = IpAddr>) -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut parameters = CertificateParams::default();
        let names = addresses.into_iter().map(SanType::IpAddress);
        parameters.subject_alt_names = names.collect();
        let certificate = parameters.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self {
            pem: certificate.pem(),
            certificate: certificate.into(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        })
    }

    /// The certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    fn acceptor(self) -> io::Result<TlsAcceptor> {
        let key = PrivateKeyDer::Pkcs8(self.key);
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate], key)
            .map_err(io::Error::other)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Connections that have shaken hands.
pub struct TlsListener {
    address: SocketAddr,
    connections: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// Shakes hands with whoever comes to `listener`; one that is slow keeps nobody else waiting.
    pub fn new(listener: TcpListener, identity: Identity) -> io::Result<Self> {
        let acceptor = identity.acceptor()?;
        let address = listener.local_addr()?;
        let (sender, connections) = mpsc::channel(COMING_IN);
        tokio::spawn(accept(listener, acceptor, sender));
        Ok(Self {
            address,
            connections,
        })
    }
}

async fn accept(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    while let Ok(place) = sender.clone().reserve_owned().await {
        let (stream, from) = Listener::accept(&mut listener).await;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => drop(place.send((stream, from))),
                Ok(Err(error)) => tracing::debug!(%from, %error, "no handshake"),
                Err(_) => tracing::debug!(%from, "no handshake in time"),
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.connections.recv().await {
            Some(connection) => connection,
            // Nobody can come in any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
