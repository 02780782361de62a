//! What carries requests from the loop to the simulated estate, and how the loop is given it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diarchy_clock::Clock;
use diarchy_fleet::graph::{GraphClient, GraphOptions};
use diarchy_fleet::inventory::Estate;
use diarchy_fleet::site::{SiteClient, SiteCredentials, SiteOptions, WRITE_DEADLINE};
use diarchy_fleet::{
    Carried, Carrier, ClientCredentials, ClientProof, Counters, Lost, Secret, TransportOptions,
};
use diarchy_git::LoadedFleet;
use diarchy_operator::connect::{Clients, Connect, Fingerprint};
use diarchy_operator::error::OperatorError;
use diarchy_simulator::{Service, Simulator, Unanswered};

/// When the process is killed: at so many requests from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// The request never leaves.
    Before(usize),
    /// The request is carried out, and its answer never read.
    After(usize),
}

#[derive(Debug, Default)]
struct State {
    kill: Option<Kill>,
    carried: usize,
    is_killed: bool,
}

/// Carries requests to one world, until it is told to stop.
#[derive(Clone)]
pub struct Post {
    world: Arc<Simulator>,
    state: Arc<Mutex<State>>,
}

impl Post {
    pub fn new(world: Arc<Simulator>) -> Self {
        Self {
            world,
            state: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a pass, which ends as `kill` says.
    pub fn begin(&self, kill: Option<Kill>) {
        *self.state() = State {
            kill,
            ..State::default()
        };
    }

    /// Whether no answer will ever come any more.
    pub fn is_killed(&self) -> bool {
        self.state().is_killed
    }

    /// Whether the request that is next must not leave, and whether its answer must not come.
    fn next(&self) -> (bool, bool) {
        let mut state = self.state();
        state.carried += 1;
        let before = state.kill == Some(Kill::Before(state.carried));
        let after = state.kill == Some(Kill::After(state.carried));
        state.is_killed |= before || after;
        (before, after)
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post")
    }
}

impl Carrier for Post {
    fn carry(&self, request: http::Request<Vec<u8>>) -> Carried<'_> {
        Box::pin(async move {
            let service = match request.uri().host() {
                Some("site.localhost") => Service::AdminService,
                _ => Service::Graph,
            };
            let (before, after) = self.next();
            if before {
                std::future::pending::<()>().await;
            }
            let answer = self.world.answer(service, request);
            if after {
                std::future::pending::<()>().await;
            }
            answer.map_err(|why| match why {
                Unanswered::Refused => Lost::Unconnected,
                Unanswered::Broken => Lost::Broken,
            })
        })
    }
}

/// Reaches the world through its post.
pub struct Way {
    pub post: Post,
    pub clock: Clock,
}

impl Connect for Way {
    fn connect(&self, fleet: &LoadedFleet) -> Result<Clients, OperatorError> {
        let world = &self.post.world;
        let transport = |service| {
            let mut options = TransportOptions::for_service(service);
            options.carrier = Some(Arc::new(self.post.clone()));
            options.patience.seed = Some(7);
            options
        };
        let counters = Arc::new(Counters::default());
        let graph = GraphOptions {
            tenant_id: fleet.spec.tenant_id(),
            endpoint: world.graph_endpoint(),
            authority: world.authority(),
            beta: fleet.spec.intune.beta,
            credentials: ClientCredentials {
                client_id: world.client_id(),
                proof: ClientProof::Secret(Secret::new(world.client_secret())),
            },
            transport: transport(diarchy_fleet::Service::Graph),
        };
        let site = SiteOptions {
            write_deadline: WRITE_DEADLINE,
            admin_service: vec![world.admin_service()],
            credentials: SiteCredentials::Token(Secret::new(world.admin_token())),
            transport: transport(diarchy_fleet::Service::AdminService),
        };
        Ok(Clients {
            estate: Estate {
                graph: GraphClient::new(&graph, &self.clock, &counters)?,
                site: SiteClient::new(&site, &self.clock, &counters)?,
                clock: self.clock.clone(),
            },
            fingerprint: Fingerprint::of([], ""),
        })
    }

    fn renew(
        &self,
        _fleet: &LoadedFleet,
        _known: &Fingerprint,
    ) -> Result<Option<Clients>, OperatorError> {
        Ok(None)
    }
}
