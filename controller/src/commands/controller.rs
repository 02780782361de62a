//! `diarchy controller`

use std::path::Path;

use diarchy_clock::Clock;
use diarchy_cluster::{ClusterError, Health, SETTLE, Scope, Setup, SourceSetup, Timing};
use diarchy_core::duration::Span;
use diarchy_fleet::endpoints::AllowedEndpoints;
use diarchy_git::Fetcher;
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
    let address = health.clone().serve(arguments.listen).await?;
    tracing::info!(%address, "health is told");
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
