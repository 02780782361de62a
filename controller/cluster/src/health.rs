//! Whether this replica is well, for whoever asks over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::error::ClusterError;

/// Whether this replica is well.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// Not ready yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything has been read once.
    pub(crate) fn set_ready(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Answers at `address` for as long as the process runs: `/livez` whenever it can answer at all,
    /// `/readyz` once everything has been read.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Listen`] when nothing can be served there.
    pub async fn serve(self, address: SocketAddr) -> Result<SocketAddr, ClusterError> {
        let failed = |cause| ClusterError::Listen { address, cause };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let router = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(self);
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "nobody is answered any more");
            }
        });
        Ok(bound)
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.0.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "what the cluster holds has not been read yet\n",
        )
    }
}
