//! `diarchy controller`

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use diarchy_clock::Clock;
use diarchy_cluster::{ClusterError, Questions, SETTLE, Scope, Setup, SourceSetup, Timing};
use diarchy_core::duration::Span;
use diarchy_fleet::endpoints::AllowedEndpoints;
use diarchy_git::Fetcher;
use diarchy_web::{Health, Identity, Metrics, ServeError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::arguments::Controller;
use crate::failure::{Failure, Outcome};
use crate::remote::FETCH;
use crate::simulated::Published;

/// Runs until it is interrupted or terminated.
pub async fn run(arguments: Controller) -> Result<Outcome, Failure> {
    let allowed = allowed(&arguments.allowed_endpoints)?;
    let clock = clock(arguments.world.as_deref())?;
    let client = diarchy_cluster::client().await?;
    let health = Health::new();
    let metrics = Metrics::default();
    let told = health.clone().serve(arguments.listen, metrics.clone());
    let address = told.await.map_err(ClusterError::from)?;
    tracing::info!(%address, "health is told");
    let questions = questions(arguments.api_listen, arguments.api_address).await?;
    tracing::info!(address = %questions.address, "questions are answered");
    let setup = Setup {
        client,
        namespace: arguments.namespace,
        replica: arguments
            .replica
            .unwrap_or_else(|| format!("diarchy-{}", std::process::id())),
        scope: scope(arguments.watch_namespaces),
        timing: arguments
            .lease
            .map_or_else(Timing::default, |lease| Timing::lasting(lease.length())),
        settle: arguments.settle.map_or(SETTLE, Span::length),
        clock,
        allowed,
        sources: SourceSetup {
            fetcher: Fetcher::of_this_program([FETCH])?,
            mirrors: arguments
                .mirrors
                .unwrap_or_else(|| std::env::temp_dir().join("diarchy-mirrors")),
        },
        health,
        metrics,
        questions,
        decisions: super::recorder(arguments.record.as_deref())?,
    };
    let (stop, stopped) = oneshot::channel();
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        tracing::info!("it ends when every pass under way has ended");
        let _ = stop.send(());
    });
    diarchy_cluster::run(setup, stopped)
        .await
        .map_err(ClusterError::into)
        .map(|()| Outcome::Same)
}

/// Begins to listen for questions, at an address that others can be told.
async fn questions(listen: SocketAddr, own: Option<IpAddr>) -> Result<Questions, ClusterError> {
    let failed = |cause| ServeError {
        address: listen,
        cause,
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let mut address = listener.local_addr().map_err(failed)?;
    if let Some(own) = own {
        address.set_ip(own);
    }
    Ok(Questions {
        identity: Identity::new([address.ip()]).map_err(failed)?,
        listener,
        address,
    })
}

/// The machine's clock, or that of simulated estates.
fn clock(world: Option<&Path>) -> Result<Clock, Failure> {
    let Some(folder) = world else {
        return Ok(Clock::system());
    };
    Published::find(folder)
        .and_then(|published| published.clock())
        .ok_or_else(|| {
            Failure::argument(
                format!("no simulated estate runs for `{}`", folder.display()),
                "start one with `diarchy simulate --state`",
            )
        })
}

fn allowed(patterns: &[String]) -> Result<Option<AllowedEndpoints>, Failure> {
    if patterns.is_empty() {
        return Ok(None);
    }
    AllowedEndpoints::read(patterns.iter().map(String::as_str))
        .map(Some)
        .map_err(|error| Failure::argument(error.to_string(), "correct --allowed-endpoints"))
}

fn scope(namespaces: Vec<String>) -> Scope {
    if namespaces.is_empty() {
        Scope::Cluster
    } else {
        Scope::Namespaces(namespaces)
    }
}
