//! Signing in with a domain account, where the connection is what is signed in.
//!
//! NTLM, and Negotiate mostly, let in whoever holds the connection on which the conversation took
//! place (RFC 4559, section 6; MS-NTHT). So these requests do not go through a pool that hands
//! connections out as it likes: each conversation has a connection of its own, which is kept for
//! further requests as long as it lives.

mod account;
mod binding;
mod connection;
mod exchange;
mod handshake;
mod kdc;
mod offer;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

pub(crate) use account::Account;
pub use account::DomainAccount;
pub(super) use exchange::Exchange;
pub(crate) use kdc::address as kdc_address;

use connection::{Connection, Origin};
use offer::Scheme;

use super::attempt::Fault;

/// The most connections at once: a list of a site is read by a few requests beside each other.
const MOST: usize = 8;
/// A service that has forgotten a sign-in by the next request so many times in a row asks for one
/// with each request; it is not asked without one any more.
const FORGETFUL: u32 = 2;

/// The connections to a service that signs connections in.
pub(super) struct Channels {
    tls: TlsConnector,
    connect_timeout: Duration,
    request_timeout: Duration,
    places: Semaphore,
    state: Mutex<BTreeMap<Origin, Known>>,
}

/// What is known of one address.
#[derive(Debug, Default)]
struct Known {
    /// Open connections that nobody uses.
    idle: Vec<Connection>,
    /// How it was signed in to last.
    scheme: Option<Scheme>,
    /// How often in a row it had forgotten a sign-in by the next request.
    forgot: u32,
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels").finish_non_exhaustive()
    }
}

impl Channels {
    /// No connection yet; `tls` says who is trusted.
    pub(super) fn new(
        mut tls: ClientConfig,
        connect_timeout: Duration,
        request_timeout: Duration,
    ) -> Self {
        // HTTP/2 mixes requests on one connection, and Windows does not sign it in.
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            tls: TlsConnector::from(Arc::new(tls)),
            connect_timeout,
            request_timeout,
            places: Semaphore::new(MOST),
            state: Mutex::default(),
        }
    }

    /// A connection that was kept, or a new one.
    async fn connection(&self, origin: &Origin) -> Result<Connection, Fault> {
        loop {
            let kept = self
                .known()
                .get_mut(origin)
                .and_then(|known| known.idle.pop());
            match kept {
                Some(connection) if connection.is_open() => return Ok(connection),
                Some(_) => {}
                None => return Connection::open(origin, &self.tls, self.connect_timeout).await,
            }
        }
    }

    /// Keeps a connection, whose last answer was read to its end.
    fn keep(&self, origin: &Origin, mut connection: Connection) {
        if !connection.is_open() {
            return;
        }
        let mut state = self.known();
        let known = state.entry(origin.clone()).or_default();
        if known.forgot >= FORGETFUL {
            connection.signed_in = false;
        }
        connection.kept = true;
        known.idle.push(connection);
    }

    fn scheme(&self, origin: &Origin) -> Option<Scheme> {
        self.known().get(origin).and_then(|known| known.scheme)
    }

    fn learn(&self, origin: &Origin, scheme: Scheme) {
        self.known().entry(origin.clone()).or_default().scheme = Some(scheme);
    }

    /// Notes whether a sign-in was still known at the next request.
    fn remembered(&self, origin: &Origin, still: bool) {
        let mut state = self.known();
        let known = state.entry(origin.clone()).or_default();
        known.forgot = if still { 0 } else { known.forgot + 1 };
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Origin, Known>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
