//! `diarchy controller`: watches, lets what comes settle, and keeps a loop for each fleet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_fleet::endpoints::AllowedEndpoints;
use diarchy_operator::connect::{Connect, Connector};
use diarchy_operator::record::Recorder as Decisions;
use diarchy_web::{Board, Health, Identity, Metrics, ReadApi, Replica, ServeError};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::events::{Recorder, Reporter as EventReporter};
use kube::{Api, Client, Config, ResourceExt as _};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::credentials::Credentials;
use crate::error::ClusterError;
use crate::fleet_task::Shared;
use crate::holds::{Keeper, Own};
use crate::lease::Timing;
use crate::objects::{Objects, Scope};
use crate::read_api::ReadBackend;
use crate::sources::{SourceSetup, Sources, SourcesShared};
use crate::statuses::{MANAGER, Reporter};
use crate::supervisor::Supervisor;

/// What the controller runs with.
pub struct Setup {
    /// The API server.
    pub client: Client,
    /// The namespace that it runs in itself.
    pub namespace: String,
    /// What tells this replica from others.
    pub replica: String,
    /// Which namespaces it looks at.
    pub scope: Scope,
    /// How long what is held is held.
    pub timing: Timing,
    /// How long nothing must change before what was applied counts.
    pub settle: Duration,
    /// The clock that everything goes by.
    pub clock: Clock,
    /// Where credentials may go; without it, wherever a fleet says.
    pub allowed: Option<AllowedEndpoints>,
    /// How repositories are fetched.
    pub sources: SourceSetup,
    /// Tells others whether it is well.
    pub health: Health,
    /// Counts what goes on here.
    pub metrics: Metrics,
    /// Answers questions about fleets.
    pub questions: Questions,
    /// Where decisions are written down with everything they are made from, if anywhere.
    pub decisions: Option<Decisions>,
}

/// Where questions about fleets are answered.
pub struct Questions {
    /// Where it is listened for them.
    pub listener: TcpListener,
    /// As whom they are answered.
    pub identity: Identity,
    /// Where other replicas ask.
    pub address: SocketAddr,
}

/// A client of the cluster that this runs in, or of the one that `KUBECONFIG` names.
///
/// # Errors
///
/// [`ClusterError::NoCluster`] when there is none.
pub async fn client() -> Result<Client, ClusterError> {
    let mut config = Config::infer()
        .await
        .map_err(|error| ClusterError::NoCluster(error.to_string()))?;
    // What failed is tried again by who asked, for whom time passes meanwhile: a Lease runs out.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| ClusterError::NoCluster(error.to_string()))
}

/// Runs until `stop`; then every pass that has begun is made to its end, and every Lease let go.
///
/// # Errors
///
/// [`ClusterError`] when the API server cannot be used at all.
pub async fn run(setup: Setup, stop: oneshot::Receiver<()>) -> Result<(), ClusterError> {
    let installation = installation(&setup).await?;
    let (objects, watches) = Objects::watch(&setup.client, &setup.scope, setup.timing);
    let mut watching = JoinSet::new();
    for watch in watches {
        watching.spawn(watch);
    }
    let keeper = Keeper::new(
        setup.client.clone(),
        &setup.namespace,
        Own {
            name: setup.replica.clone(),
            replica: Replica {
                address: setup.questions.address,
                certificate: setup.questions.identity.pem().to_owned(),
            },
        },
        setup.timing,
    );
    let holds = keeper.holds();
    let (let_go, is_over) = watch::channel(false);
    let keeping = tokio::spawn(keeper.run(is_over));
    let reporter = EventReporter {
        controller: MANAGER.to_owned(),
        instance: Some(setup.replica),
    };
    let recorder = Recorder::new(setup.client.clone(), reporter);
    let credentials = Credentials::new(&setup.client);
    let reporter = Reporter::new(setup.client.clone(), recorder, setup.clock.clone());
    let sources = Sources::new(SourcesShared {
        client: setup.client.clone(),
        objects: objects.clone(),
        holds: holds.clone(),
        reporter: reporter.clone(),
        credentials: credentials.clone(),
        allowed: setup.allowed.clone(),
        setup: setup.sources,
    });
    let shared = Arc::new(Shared {
        connect: connect(
            &credentials,
            setup.allowed,
            setup.timing.deadline,
            &setup.clock,
        ),
        reporter,
        client: setup.client,
        objects,
        holds,
        installation,
        clock: setup.clock,
        credentials,
        board: Board::default(),
        metrics: setup.metrics,
        decisions: setup.decisions,
    });
    let Questions {
        listener,
        identity,
        address,
    } = setup.questions;
    let answers = ReadApi::new(ReadBackend(Arc::clone(&shared)), shared.board.clone());
    answers
        .serve(listener, identity)
        .map_err(|cause| ServeError { address, cause })?;
    shared.objects.ready().await;
    setup.health.set_ready();
    tracing::info!("everything has been read once");
    Supervisor::new(shared, sources, setup.settle)
        .supervise(stop)
        .await;
    let _ = let_go.send(true);
    if let Err(error) = keeping.await {
        tracing::error!(%error, "the Leases were not let go");
    }
    Ok(())
}

fn connect(
    credentials: &Credentials,
    allowed: Option<AllowedEndpoints>,
    write_deadline: Duration,
    clock: &Clock,
) -> Box<dyn Connect> {
    let connector = Connector::new(credentials.clone(), credentials.clone(), clock.clone())
        .writing_within(write_deadline);
    Box::new(match allowed {
        Some(allowed) => connector.only_to(allowed),
        None => connector,
    })
}

/// Another cluster is another installation: its namespace has another uid.
async fn installation(setup: &Setup) -> Result<String, ClusterError> {
    let namespaces: Api<Namespace> = Api::all(setup.client.clone());
    let own = namespaces.get(&setup.namespace).await;
    let own = own.map_err(|cause| ClusterError::OwnNamespace {
        namespace: setup.namespace.clone(),
        cause,
    })?;
    Ok(own.uid().unwrap_or_default())
}
