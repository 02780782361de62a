//! A whole estate on loopback: Microsoft Graph with its token endpoint, and Configuration Manager's
//! AdminService, for one fleet, over HTTPS, as awkwardly as the real ones.
//!
//! It stands in for services that nobody can run on a desk, and it is the judge of whoever talks to
//! them: every write is logged before its answer leaves. The world is a function of its seed, the
//! time of the injected clock, and what was done to it. It shares no types with the client it is
//! talked to by: a shared error would hide.

mod acts;
mod admin;
mod answers;
mod assertion;
mod authority;
mod columns;
mod control;
mod faults;
mod graph;
mod http;
mod judge;
mod log;
mod mishap;
mod moment;
mod random;
mod server;
mod setup;
mod sign_in;
mod site;
mod throttle;
mod tls;
mod token;
mod world;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

pub use acts::{Act, ActError};
pub use control::Control;
pub use faults::{Failure, Fault, FaultId, Service};
pub use judge::{Finding, Verdict, judge};
pub use log::{Cause, Effect, Entry, LogError, read_log};
pub use mishap::{InvalidMishap, Mishap, MishapKind};
pub use server::Unanswered;
pub use setup::{
    BadRule, Behaviour, ClientIdentifier, IntuneAssignment, IntuneObject, IntuneTarget, KeyLookup,
    Latency, Limits, Options, Setup, Slider, SliderSetup, Span, UnknownWorkload, Workload,
};
pub use sign_in::{SignIn, SignIns};
pub use site::rules::RuleKey;
pub use tls::TlsError;
pub use token::FederatedCredential;
pub use world::Truth;

use answers::voice;
use faults::Faults;
use log::Log;
use server::{Core, Shared, listen};
use sign_in::Door;
use throttle::Throttle;
use tls::Certificates;
use token::Credentials;
use world::World;

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    #[error("the setup is not possible: {0}")]
    Setup(String),
    #[error("no port could be opened on loopback: {0}")]
    Listen(#[source] io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the clock shows {now}, but the stored world has lived until {last}")]
    ClockBehind { now: Timestamp, last: Timestamp },
    #[error("the stored world has {0}, and keeps to that")]
    OtherMishaps(String),
    #[error(transparent)]
    Act(#[from] ActError),
}

/// The last simulated time that is known of the world in `directory`; none if there is no world.
///
/// # Errors
///
/// [`SimulatorError::Log`] when there is one that cannot be read.
pub fn resume_time(directory: &std::path::Path) -> Result<Option<Timestamp>, SimulatorError> {
    Ok(log::resume_time(directory)?)
}

/// An estate that is being served. Dropping it ends its tasks; [`Simulator::shutdown`] waits.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    ca: String,
    directory: Option<PathBuf>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts an estate on two free ports of 127.0.0.1, resumed if its directory has one.
///
/// # Errors
///
/// [`SimulatorError`].
pub async fn start(options: Options) -> Result<Simulator, SimulatorError> {
    check(&options.setup)?;
    let directory = options.directory.clone();
    let now = options.clock.now();
    let log = open_log(&options, now)?;
    let certificates = Certificates::load(directory.as_deref())?;
    let tls = TlsAcceptor::from(certificates.server()?);
    let graph = TcpListener::bind("127.0.0.1:0").await;
    let graph = graph.map_err(SimulatorError::Listen)?;
    let site = TcpListener::bind("127.0.0.1:0").await;
    let site = site.map_err(SimulatorError::Listen)?;
    let endpoints = (endpoint(&graph)?, endpoint(&site)?);

    let shared = furnish(options, log, &certificates.fingerprint()?, endpoints)?;
    let (stop, stopped) = watch::channel(false);
    let mut tasks = Vec::new();
    for (listener, service) in [(graph, Service::Graph), (site, Service::AdminService)] {
        let serving = listen(
            listener,
            tls.clone(),
            service,
            shared.clone(),
            stopped.clone(),
        );
        tasks.push(tokio::spawn(serving));
    }
    if let Some(directory) = &directory {
        log::store_time(directory, now)?;
        tasks.push(tokio::spawn(keep_time(
            directory.clone(),
            shared.clone(),
            stopped,
        )));
    }
    Ok(Simulator {
        shared,
        ca: certificates.ca,
        directory,
        stop,
        tasks,
    })
}

/// An estate without sockets and tasks: it is asked by [`Simulator::answer`], and is otherwise the same.
/// It is kept nowhere.
///
/// # Errors
///
/// [`SimulatorError`].
pub fn unserved(options: Options) -> Result<Simulator, SimulatorError> {
    check(&options.setup)?;
    let options = Options {
        directory: None,
        ..options
    };
    let log = open_log(&options, options.clock.now())?;
    let endpoint = |name: &str| format!("https://{name}.localhost");
    let endpoints = (endpoint("graph"), endpoint("site"));
    Ok(Simulator {
        shared: furnish(options, log, &[], endpoints)?,
        ca: String::new(),
        directory: None,
        stop: watch::channel(false).0,
        tasks: Vec::new(),
    })
}

/// The estate that `log` tells of, prepared as `options` say. The site shows the certificate with this
/// fingerprint.
fn furnish(
    options: Options,
    log: Log,
    certificate: &[u8],
    endpoints: (String, String),
) -> Result<Arc<Shared>, SimulatorError> {
    let epoch = moment::moment(log.epoch);
    let world = World::new(log.setup.clone(), options.latency, epoch);
    let core = Core {
        credentials: Credentials::new(world.chance, Uuid::new_v4()),
        door: Door::new(
            options.sign_in,
            Credentials::site_account(world.chance),
            certificate,
        ),
        world,
        log,
        throttle: Throttle::default(),
        faults: Faults::default(),
    };
    let shared = Shared::new(
        core,
        options.clock,
        options.limits,
        options.behaviour,
        endpoints,
    );
    replay(&shared);
    let shared = Arc::new(shared);
    Control::new(shared.clone()).prepare(options.setup)?;
    Ok(shared)
}

/// The log of the world that is there, or of one that begins now.
fn open_log(options: &Options, now: Timestamp) -> Result<Log, SimulatorError> {
    let Some(directory) = &options.directory else {
        return Ok(Log::in_memory(&options.setup, now));
    };
    if let Some(last) = log::resume_time(directory)?
        && now < last
    {
        return Err(SimulatorError::ClockBehind { now, last });
    }
    let log = Log::open(directory, &options.setup, now)?;
    let (asked, known) = (&options.setup.mishaps, &log.setup.mishaps);
    if asked.is_empty() || asked == known {
        return Ok(log);
    }
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    Err(SimulatorError::OtherMishaps(if known.is_empty() {
        "no mishaps".to_owned()
    } else {
        format!("the mishaps {}", known.join(" "))
    }))
}

fn check(setup: &Setup) -> Result<(), SimulatorError> {
    const MOST: u32 = 5_000_000;
    if setup.devices > MOST {
        let words = format!("{} devices are more than {MOST}", setup.devices);
        return Err(SimulatorError::Setup(words));
    }
    let code = &setup.site_code;
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let words = format!("the site code {code:?} is not three letters or digits");
        return Err(SimulatorError::Setup(words));
    }
    if let Some(mishap) = setup.mishaps.iter().find(|mishap| !mishap.is_possible()) {
        let words = format!("nobody can be befallen by {mishap}");
        return Err(SimulatorError::Setup(words));
    }
    Ok(())
}

fn endpoint(listener: &TcpListener) -> Result<String, SimulatorError> {
    let address = listener.local_addr().map_err(SimulatorError::Listen)?;
    Ok(format!("https://localhost:{}", address.port()))
}

/// Lets everything that the log tells happen again, each at its time.
fn replay(shared: &Shared) {
    let mut core = shared.core();
    let entries = std::mem::take(&mut core.log.entries);
    for entry in &entries {
        core.world.advance(moment::moment(entry.at));
        match &entry.cause {
            _ if matches!(entry.effect, Effect::Refused { .. }) => {}
            Cause::Write { path, body, .. } => {
                let write =
                    admin::wmi_route(path).and_then(|route| admin::writes::parse(route, body).ok());
                if let Some(write) = write {
                    admin::writes::perform(&mut core.world, write, &voice(shared));
                }
            }
            Cause::Act(act) => {
                if let Err(error) = core.world.act(act) {
                    tracing::error!(%error, sequence = entry.sequence, "an act of the log fails");
                }
            }
        }
    }
    core.log.entries = entries;
}

/// Stores the clock every real second, so that a killed world resumes close to where it was.
async fn keep_time(directory: PathBuf, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            _ = tick.tick() => {
                if let Err(error) = log::store_time(&directory, shared.clock.now()) {
                    tracing::warn!(%error, "the simulated time could not be stored");
                }
            }
        }
    }
}

impl Simulator {
    /// Base address of Microsoft Graph: `https://localhost:port`.
    #[must_use]
    pub fn graph_endpoint(&self) -> String {
        self.shared.graph.clone()
    }

    /// Base address of the token endpoint, before the tenant.
    #[must_use]
    pub fn authority(&self) -> String {
        self.shared.graph.clone()
    }

    /// Base address of the AdminService: `https://localhost:port/AdminService`.
    #[must_use]
    pub fn admin_service(&self) -> String {
        format!("{}{}", self.shared.site, admin::BASE)
    }

    /// The certificate that all of it is to be trusted by.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca
    }

    /// The application that may read Graph.
    #[must_use]
    pub fn client_id(&self) -> String {
        self.shared.core().credentials.client_id.clone()
    }

    /// Its secret.
    #[must_use]
    pub fn client_secret(&self) -> String {
        self.shared.core().credentials.client_secret.clone()
    }

    /// A bearer token that the AdminService accepts.
    #[must_use]
    pub fn admin_token(&self) -> String {
        self.shared.core().door.token.clone()
    }

    /// A user that the AdminService accepts.
    #[must_use]
    pub fn admin_user(&self) -> String {
        self.shared.core().door.user.clone()
    }

    /// The user's password.
    #[must_use]
    pub fn admin_password(&self) -> String {
        self.shared.core().door.password.clone()
    }

    /// Answers a request without a socket, as its listener would. A delay moves a clock that is moved by
    /// hand.
    ///
    /// # Errors
    ///
    /// [`Unanswered`] when a fault keeps the answer back.
    pub fn answer(
        &self,
        service: Service,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, Unanswered> {
        server::answer_at_once(&self.shared, service, request)
    }

    /// The side door.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(self.shared.clone())
    }

    /// Ends all connections and stores the time.
    ///
    /// # Errors
    ///
    /// [`SimulatorError::Log`] when the time cannot be stored.
    pub async fn shutdown(mut self) -> Result<(), SimulatorError> {
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            // A task that panicked has ended too.
            let _ = task.await;
        }
        if let Some(directory) = &self.directory {
            log::store_time(directory, self.shared.clock.now())?;
        }
        Ok(())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
