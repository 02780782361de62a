//! The loop of one fleet for as long as this replica has it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::consequence::Consequence;
use diarchy_core::resource::ObjectName;
use diarchy_operator::connect::Connect;
use diarchy_operator::control_plane::ControlPlane as _;
use diarchy_operator::error::OperatorError;
use diarchy_operator::fleet_loop::{FleetLoop, Ground, Passed};
use diarchy_operator::record::Recorder;
use diarchy_operator::report::FleetReport;
use diarchy_operator::status;
use diarchy_web::{Board, FleetMetrics, Metrics, Shown, Standing, WaitingChanges};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Resource as _, ResourceExt as _};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::backoff::doubled;
use crate::credentials::Credentials;
use crate::finalizers::{self, Abandoned};
use crate::holds::{Holds, Thing};
use crate::in_words;
use crate::known_statuses;
use crate::loops::Wanted as _;
use crate::objects::Objects;
use crate::plane::FleetPlane;
use crate::records::Records;
use crate::statuses::Reporter;
use crate::tenant::TenantFleet;
use crate::wanted::Wanted;

/// What the loops of all fleets share.
pub struct Shared {
    /// The API server.
    pub client: Client,
    /// What the cluster holds.
    pub objects: Objects,
    /// What this replica holds.
    pub holds: Holds,
    /// Where statuses and events go.
    pub reporter: Reporter,
    /// The id of this installation.
    pub installation: String,
    /// The clock that everything goes by.
    pub clock: Clock,
    /// The credentials that fleets name.
    pub credentials: Credentials,
    /// How services are reached.
    pub connect: Box<dyn Connect>,
    /// What is answered from when somebody asks about a fleet.
    pub board: Board,
    /// What is counted.
    pub metrics: Metrics,
    /// Where decisions are written down.
    pub decisions: Option<Recorder>,
}

/// The first wait after a pass that failed; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// Makes pass after pass over what is wanted, until it is wanted no more.
///
/// A pass that has begun is made to its end.
pub async fn run(shared: Arc<Shared>, mut wanted: watch::Receiver<Wanted>) {
    let first = wanted.borrow_and_update().clone();
    let name = first.fleet.loaded.desired.fleet.clone();
    let records = Records::new(shared.client.clone(), name.clone(), &first.fleet.uid);
    let records = Mutex::new(records);
    let mut of_fleet = FleetLoop::default();
    let mut abandoned = BTreeSet::new();
    let mut failures = 0;
    let mut now = first;
    loop {
        let interval = now.fleet.loaded.spec.interval();
        let began = Instant::now();
        let made = pass(&shared, &records, &mut of_fleet, &now, &mut abandoned);
        let wait = match Box::pin(made).await {
            Ok(passed) => {
                failures = 0;
                told(&name, &passed.report);
                show(&shared, passed, began.elapsed());
                interval
            }
            Err(error) => {
                failures += 1;
                shared.metrics.failed(&name);
                let code = error.code();
                tracing::warn!(fleet = %name, %code, %error, "a pass could not be made");
                wait_after(&error, failures, interval)
            }
        };
        let changed = tokio::select! {
            () = shared.clock.sleep(wait) => Ok(()),
            changed = differs(&mut wanted, &now) => changed,
        };
        if changed.is_err() {
            shared.board.withdraw(&name);
            shared.metrics.withdraw(&name);
            return;
        }
        now = wanted.borrow_and_update().clone();
    }
}

/// Ends when something is wanted for which a pass should be made; with an error when nothing is
/// wanted any more.
async fn differs(
    wanted: &mut watch::Receiver<Wanted>,
    before: &Wanted,
) -> Result<(), watch::error::RecvError> {
    wanted
        .wait_for(|now| now.differs_from(before))
        .await
        .map(drop)
}

async fn pass(
    shared: &Shared,
    records: &Mutex<Records>,
    of_fleet: &mut FleetLoop,
    wanted: &Wanted,
    abandoned: &mut BTreeSet<String>,
) -> Result<Passed, OperatorError> {
    let plane = FleetPlane {
        holds: &shared.holds,
        estate: &estate(&wanted.fleet),
        installation: &shared.installation,
        clock: &shared.clock,
        objects: &shared.objects,
        wanted,
        records,
        reporter: &shared.reporter,
    };
    let ground = Ground {
        plane: &plane,
        clock: &shared.clock,
        connect: shared.connect.as_ref(),
        approve: false,
        recorder: shared.decisions.as_ref(),
    };
    let why = if is_ending(shared, wanted).await {
        Some(Abandoned::NamespaceEnds)
    } else {
        wanted
            .lacks_credentials()
            .then_some(Abandoned::NoCredentials)
    };
    // First, since this and a person's word count even where no pass can be made.
    abandoned.extend(plane.abandon(why).await?);
    let fleet = &wanted.fleet;
    // What has not settled yet may still have what was let go of.
    let mut existing = fleet.existing.clone();
    existing.abandoned.extend(abandoned.iter().cloned());
    let made = of_fleet
        .pass(&ground, &fleet.loaded, fleet.revision(), &existing)
        .await;
    // What a fleet named before is not read any more: the next pass has what it names now.
    if let Err(error) = &made
        && !matches!(error, OperatorError::SecretUnread(_))
        && plane.may_send().is_ok()
    {
        report_failure(shared, wanted, error).await;
    }
    made
}

/// Whether the whole namespace is being deleted, as far as it matters: when assignments of it are.
async fn is_ending(shared: &Shared, wanted: &Wanted) -> bool {
    let namespace = &wanted.fleet.loaded.desired.fleet.namespace;
    let assignments = shared.objects.assignments.all();
    let matters = assignments
        .iter()
        .any(|one| one.namespace().as_ref() == Some(namespace) && finalizers::is_going(one));
    if !matters {
        return false;
    }
    let namespaces: Api<Namespace> = Api::all(shared.client.clone());
    match namespaces.get_metadata(namespace).await {
        Ok(found) => found.meta().deletion_timestamp.is_some(),
        Err(error) => {
            let error = in_words::of(&error);
            tracing::warn!(
                namespace,
                error,
                "whether the namespace is being deleted is not known"
            );
            false
        }
    }
}

/// Says why there was no pass, of the fleet and of what stands on it.
async fn report_failure(shared: &Shared, wanted: &Wanted, error: &OperatorError) {
    let Wanted {
        tenant, requests, ..
    } = wanted;
    let desired = &wanted.fleet.loaded.desired;
    let name = &desired.fleet;
    let known = known_statuses::of_namespace(&shared.objects, &name.namespace);
    let reports = status::failed(error, desired, &known, requests, shared.clock.now());
    let reported = shared
        .reporter
        .report(&known, tenant, requests, reports)
        .await;
    if let Err(error) = reported {
        tracing::warn!(fleet = %name, %error, "a failure was not reported");
    }
}

/// What has to be mended by a person is looked at again when something changes, or as often as the
/// estate; everything else sooner.
fn wait_after(error: &OperatorError, failures: u32, interval: Duration) -> Duration {
    match error.consequence() {
        Consequence::FixInput | Consequence::WaitUntil(_) => interval,
        Consequence::Retry => doubled(FIRST_WAIT, failures).min(interval),
    }
}

fn told(name: &ObjectName, report: &FleetReport) {
    tracing::info!(
        fleet = %name,
        devices = report.devices,
        sent = report.sent,
        waiting = report.waiting.is_some(),
        stopped = report.stopped.as_deref(),
        problems = report.problems.len(),
        converged = report.is_converged(),
        "made a pass"
    );
    for problem in &report.problems {
        tracing::warn!(fleet = %name, "{problem}");
    }
}

/// Counts a pass, and keeps what it has decided from for those who ask.
fn show(shared: &Shared, passed: Passed, took: Duration) {
    let Passed { report, last } = passed;
    let workloads: Vec<_> = report
        .workloads
        .iter()
        .map(|(key, value)| (*key, *value))
        .collect();
    let waiting = report.waiting.as_ref();
    let rollouts: Vec<_> = report.rollouts.iter().map(|one| one.phase).collect();
    shared.metrics.made(
        &report.fleet,
        FleetMetrics {
            devices: report.devices,
            eligible: report.eligible,
            workloads: &workloads,
            waiting: waiting.map_or(0, |waiting| waiting.changes),
            drifting: report.drift.devices,
            rollouts: &rollouts,
            converged: report.is_converged(),
            stopped: report.stopped.is_some(),
            problems: report.problems.len(),
            sent: report.sent,
            at: report.at,
            took,
        },
    );
    let standing = Standing {
        waiting: report.waiting.map(|waiting| WaitingChanges {
            digest: waiting.digest,
            reason: waiting.reason.to_owned(),
            changes: waiting.changes,
        }),
        stopped: report.stopped,
    };
    shared.board.show(&report.fleet, Shown { last, standing });
}

/// The estate that a fleet is written for.
pub fn estate(fleet: &TenantFleet) -> Thing {
    let spec = &fleet.loaded.spec;
    Thing::estate(&spec.site_code(), &spec.tenant_id())
}
