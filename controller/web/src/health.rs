//! Whether this replica is well, and its metrics, for whoever asks over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::error::ServeError;
use crate::metrics::Metrics;

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
    pub fn set_ready(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Answers at `address` for as long as the process runs: `/livez` whenever it can answer at all,
    /// `/readyz` once everything has been read, `/metrics` as Prometheus reads them.
    ///
    /// # Errors
    ///
    /// [`ServeError`] when nothing can be served there.
    pub async fn serve(
        self,
        address: SocketAddr,
        metrics: Metrics,
    ) -> Result<SocketAddr, ServeError> {
        let failed = |cause| ServeError { address, cause };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let router = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready).with_state(self))
            .route("/metrics", get(told).with_state(metrics));
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "nobody is told of health any more");
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

async fn told(State(metrics): State<Metrics>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.encode())
}
