//! `diarchy up`

mod drift;
mod rollouts;
mod screen;
mod unmet;

use std::collections::BTreeMap;
use std::path::PathBuf;

use diarchy_clock::Clock;
use diarchy_core::resource::ObjectName;
use diarchy_git::{Cache, Fetched, Loaded, Options, Source};
use diarchy_operator::connect::{Connect, Connector, EnvironmentIdentity, SecretsFolder};
use diarchy_operator::origin::{self, Origin};
use diarchy_operator::report::PassReport;
use diarchy_operator::store::Store;
use diarchy_operator::{GOOD_COMMIT, Operator, Setup};

use crate::arguments::{Format, Up};
use crate::failure::{Failure, Outcome};
use crate::remote::Remote;
use crate::simulated::{
    Address, Published, SPEED, SimulatedEstates, Simulators, World, clock, world_folder,
};
use crate::{show, sources};

use screen::Screen;

/// Runs the loop.
pub async fn run(arguments: &Up) -> Result<Outcome, Failure> {
    let store = match &arguments.state {
        Some(file) => Store::open(file)?,
        None => Store::in_memory()?,
    };
    let remote = Remote::of(
        &arguments.repository,
        arguments.reference.as_deref(),
        arguments.state.as_deref(),
    )?;
    let mut ground = Ground::new(arguments, remote.as_ref(), &store).await?;
    let mut operator = Operator::new(Setup {
        origin: origin(arguments, remote, ground.fetched.take()),
        options: Options {
            reference: arguments.reference.clone(),
            path: arguments.repository.reading.path.clone(),
        },
        only: arguments.fleet.fleet.clone(),
        store,
        clock: ground.clock.clone(),
        connect: ground.connect(arguments),
        approve: arguments.approve,
        recorder: super::recorder(arguments.record.as_deref())?,
    });
    let mut screen = Screen::new(arguments.output, arguments.state.as_deref());
    let outcome = tokio::select! {
        outcome = passes(&mut operator, arguments, &ground, &mut screen) => outcome,
        () = interrupted() => {
            screen.interrupted();
            Ok(stopped(arguments))
        }
    };
    screen.end()?;
    ground.end().await;
    outcome
}

/// Pass after pass, until the fleet has converged or time is up, where that was asked for.
async fn passes(
    operator: &mut Operator,
    arguments: &Up,
    ground: &Ground,
    screen: &mut Screen,
) -> Result<Outcome, Failure> {
    let deadline = arguments
        .timeout
        .map(|timeout| tokio::time::Instant::now() + timeout.length());
    let mut last = None;
    loop {
        let Some(report) = before(deadline, Box::pin(operator.pass())).await else {
            return time_is_up(arguments, screen, last.as_ref());
        };
        let report = report?;
        ground.follow(operator.in_force());
        screen.pass(&report)?;
        if arguments.until_converged && report.is_converged() {
            screen.converged(&report)?;
            return Ok(Outcome::Same);
        }
        if arguments.until_converged && report.has_stopped() {
            screen.has_stopped(&report)?;
            return Ok(Outcome::Differs);
        }
        if arguments.once {
            return Ok(outcome(&report));
        }
        last = Some(report);
        let pause = ground.clock.sleep(operator.interval());
        let wait = async {
            tokio::select! { () = pause => {}, () = operator.news() => {} }
        };
        if before(deadline, wait).await.is_none() {
            return time_is_up(arguments, screen, last.as_ref());
        }
    }
}

/// What comes of `work`, unless `deadline` comes first.
///
/// Giving a pass up in the middle is what a kill does to it: the next run reads what was written.
async fn before<T>(
    deadline: Option<tokio::time::Instant>,
    work: impl Future<Output = T>,
) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, work).await.ok(),
        None => Some(work.await),
    }
}

fn time_is_up(
    arguments: &Up,
    screen: &mut Screen,
    last: Option<&PassReport>,
) -> Result<Outcome, Failure> {
    screen.timed_out(last)?;
    Ok(stopped(arguments))
}

/// Ended by time or by a person, a run that was to go on until convergence has not got there.
const fn stopped(arguments: &Up) -> Outcome {
    if arguments.until_converged {
        Outcome::Differs
    } else {
        Outcome::Same
    }
}

fn outcome(report: &PassReport) -> Outcome {
    if report.is_converged() {
        Outcome::Same
    } else {
        Outcome::Differs
    }
}

/// Ctrl-C, or the end that a service manager asks for.
async fn interrupted() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}

/// Where resources come from, and what was fetched of it already.
fn origin(arguments: &Up, remote: Option<Remote>, fetched: Option<Fetched>) -> Origin {
    let place = &arguments.repository.place;
    let Some(remote) = remote else {
        return Origin::Here(if arguments.repository.reading.working_tree {
            Source::WorkingTree(PathBuf::from(place))
        } else {
            Source::Repository(place.clone())
        });
    };
    let interval = arguments.git_interval.length();
    let followed = origin::Remote::new(remote.fetcher, remote.request, remote.keys, interval);
    Origin::Remote(Box::new(match fetched {
        Some(fetched) => followed.after(fetched),
        None => followed,
    }))
}

/// What the loop runs on: a clock, and simulated estates where they were asked for.
struct Ground {
    clock: Clock,
    simulators: Option<Simulators>,
    addresses: Option<BTreeMap<ObjectName, Address>>,
    /// What was fetched to make the estates fit.
    fetched: Option<Fetched>,
}

impl Ground {
    async fn new(arguments: &Up, remote: Option<&Remote>, store: &Store) -> Result<Self, Failure> {
        let Some(devices) = arguments.simulate.simulate else {
            if arguments.state.is_none() {
                return Err(Failure::argument(
                    "a real estate needs a state that outlives the process",
                    "name a file with --state",
                ));
            }
            return Ok(Self {
                clock: Clock::system(),
                simulators: None,
                addresses: None,
                fetched: None,
            });
        };
        let folder = arguments.state.as_deref().map(world_folder);
        if let Some(published) = folder.as_deref().and_then(Published::find)
            && let Some(clock) = published.clock()
        {
            if !arguments.simulate.mishaps.is_empty() {
                return Err(Failure::argument(
                    "--mishap comes too late: the simulated estates for this state run already",
                    "give it to `diarchy simulate`, or give another --state",
                ));
            }
            show::note("using the simulated estates that run already");
            return Ok(Self {
                clock,
                simulators: None,
                addresses: Some(published.addresses()),
                fetched: None,
            });
        }
        let (loaded, fetched) = match remote {
            Some(remote) => last_good_of(arguments, remote, store).await?,
            None => (last_good(arguments, store).await?, None),
        };
        let speed = arguments.simulate.speed.unwrap_or(SPEED);
        let clock = clock(&loaded.fleets, folder.as_deref(), speed)?;
        let world = World {
            devices,
            seed: arguments.simulate.seed,
            unprepared: arguments.simulate.unprepared,
            mishaps: arguments.simulate.mishaps.clone(),
            unlimited: false,
            folder,
        };
        let simulators = Simulators::start(&loaded.fleets, &world, &clock).await?;
        Ok(Self {
            clock,
            addresses: Some(simulators.addresses()),
            simulators: Some(simulators),
            fetched,
        })
    }

    /// Has the simulated sites' people prepare what the revision in force asks for.
    fn follow(&self, in_force: Option<&Loaded>) {
        if let (Some(simulators), Some(loaded)) = (&self.simulators, in_force) {
            simulators.follow(&loaded.fleets);
        }
    }

    fn connect(&self, arguments: &Up) -> Box<dyn Connect> {
        match &self.addresses {
            Some(addresses) => {
                Box::new(SimulatedEstates::new(addresses.clone(), self.clock.clone()))
            }
            None => Box::new(Connector::new(
                SecretsFolder::new(arguments.secrets.clone()),
                EnvironmentIdentity::read(),
                self.clock.clone(),
            )),
        }
    }

    async fn end(self) {
        if let Some(simulators) = self.simulators {
            simulators.shutdown().await;
        }
    }
}

/// What a simulated estate is made to fit: the revision, or the last good one when it does not validate.
async fn last_good(arguments: &Up, store: &Store) -> Result<Loaded, Failure> {
    let load = async |reference: Option<&str>| {
        sources::load_valid(
            &arguments.repository,
            reference,
            None,
            &mut Cache::default(),
        )
        .await
    };
    let newest = load(arguments.reference.as_deref()).await;
    if newest.is_err()
        && !arguments.repository.reading.working_tree
        && let Some(commit) = store.meta(GOOD_COMMIT)?
    {
        return load(Some(&commit)).await;
    }
    newest
}

/// The same of a repository on another machine, and what was fetched of it.
async fn last_good_of(
    arguments: &Up,
    remote: &Remote,
    store: &Store,
) -> Result<(Loaded, Option<Fetched>), Failure> {
    let load = |fetched: Fetched| {
        let loaded = sources::load_fetched(&arguments.repository, fetched, &mut Cache::default())?;
        sources::valid(loaded)
    };
    let newest = match remote.fetch().await {
        Ok(fetched) => load(fetched.clone()).map(|loaded| (loaded, Some(fetched))),
        Err(error) => Err(error),
    };
    if newest.is_err()
        && let Some(commit) = store.meta(GOOD_COMMIT)?
        && let Ok(loaded) = load(remote.remembered(&commit))
    {
        return Ok((loaded, None));
    }
    newest
}

/// Whether a screen is for people.
const fn is_text(format: Format) -> bool {
    matches!(format, Format::Text)
}
