//! What is counted, in the format that Prometheus reads.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::Phase;
use diarchy_core::tally::WorkloadTally;
use diarchy_core::workload::Workload;
use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// How long passes take, in seconds: from a small estate that answers at once to a million devices.
const SECONDS: [f64; 10] = [
    0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1_800.0, 3_600.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFleet {
    namespace: String,
    fleet: String,
}

impl From<&ObjectName> for OfFleet {
    fn from(name: &ObjectName) -> Self {
        Self {
            namespace: name.namespace.clone(),
            fleet: name.name.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfWorkload {
    namespace: String,
    fleet: String,
    workload: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPhase {
    namespace: String,
    fleet: String,
    phase: String,
}

impl OfPhase {
    fn new(fleet: &OfFleet, phase: Phase) -> Self {
        Self {
            namespace: fleet.namespace.clone(),
            fleet: fleet.fleet.clone(),
            phase: format!("{phase:?}"),
        }
    }
}

#[derive(Debug, Clone)]
struct PassSeconds;

impl MetricConstructor<Histogram> for PassSeconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(SECONDS)
    }
}

/// What is counted. Cheap to clone; every clone counts the same.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    /// What stands there of a fleet stands there together.
    writing: Mutex<()>,
    devices: Family<OfFleet, Gauge>,
    eligible: Family<OfFleet, Gauge>,
    workloads: Family<OfWorkload, Gauge>,
    waiting: Family<OfFleet, Gauge>,
    drifting: Family<OfFleet, Gauge>,
    rollouts: Family<OfPhase, Gauge>,
    converged: Family<OfFleet, Gauge>,
    stopped: Family<OfFleet, Gauge>,
    problems: Family<OfFleet, Gauge>,
    last_pass: Family<OfFleet, Gauge<f64, AtomicU64>>,
    sent: Family<OfFleet, Counter>,
    failed: Family<OfFleet, Counter>,
    passes: Family<OfFleet, Histogram, PassSeconds>,
}

/// What a pass over a fleet comes to.
#[derive(Debug, Clone, Copy)]
pub struct FleetMetrics<'a> {
    /// Devices in the inventory.
    pub devices: usize,
    /// Devices that can be moved.
    pub eligible: usize,
    /// Counts for each pilot workload.
    pub workloads: &'a [(Workload, WorkloadTally)],
    /// Changes that wait for a person.
    pub waiting: usize,
    /// Devices that somebody else has changed, and that are not back.
    pub drifting: usize,
    /// What each rollout does.
    pub rollouts: &'a [Phase],
    /// Whether every online device is observed where it should be.
    pub converged: bool,
    /// Whether something keeps everything from being written.
    pub stopped: bool,
    /// Things that did not work.
    pub problems: usize,
    /// Membership changes that were sent.
    pub sent: usize,
    /// When the pass ended, by the loop's clock.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("diarchy");
        let mut gauge = |name: &str, help: &str| {
            let family = Family::<OfFleet, Gauge>::default();
            registry.register(name, help, family.clone());
            family
        };
        let devices = gauge("fleet_devices", "Devices that either service knows");
        let eligible = gauge("fleet_eligible_devices", "Devices that can be moved");
        let waiting = gauge("fleet_waiting_changes", "Changes that wait for a person");
        let drifting = gauge(
            "fleet_drifting_devices",
            "Devices that somebody else has changed",
        );
        let converged = gauge(
            "fleet_converged",
            "Whether every online device is where it should be",
        );
        let stopped = gauge("fleet_stopped", "Whether nothing may be written for now");
        let problems = gauge("fleet_problems", "What did not work in the last pass");
        let workloads = Family::default();
        registry.register(
            "fleet_workload_devices",
            "Devices by workload and by what is known of them",
            Family::clone(&workloads),
        );
        let rollouts = Family::default();
        registry.register(
            "fleet_rollouts",
            "Rollouts by what they do",
            Family::clone(&rollouts),
        );
        let last_pass = Family::default();
        registry.register_with_unit(
            "fleet_last_pass_timestamp",
            "When the last pass ended",
            Unit::Seconds,
            Family::clone(&last_pass),
        );
        let sent = Family::default();
        registry.register(
            "membership_changes_sent",
            "Changes of membership that were sent to the site",
            Family::clone(&sent),
        );
        let failed = Family::default();
        registry.register(
            "passes_failed",
            "Passes that could not be made",
            Family::clone(&failed),
        );
        let passes = Family::new_with_constructor(PassSeconds);
        registry.register_with_unit(
            "pass_duration",
            "How long passes took",
            Unit::Seconds,
            Family::clone(&passes),
        );
        Self(Arc::new(Inner {
            registry,
            writing: Mutex::default(),
            devices,
            eligible,
            workloads,
            waiting,
            drifting,
            rollouts,
            converged,
            stopped,
            problems,
            last_pass,
            sent,
            failed,
            passes,
        }))
    }
}

impl Metrics {
    /// Counts a pass over `fleet` that was made.
    pub fn made(&self, fleet: &ObjectName, pass: FleetMetrics<'_>) {
        let all = &self.0;
        let _together = all.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let of = OfFleet::from(fleet);
        let set = |family: &Family<OfFleet, Gauge>, value: usize| {
            family.get_or_create(&of).set(number(value));
        };
        set(&all.devices, pass.devices);
        set(&all.eligible, pass.eligible);
        set(&all.waiting, pass.waiting);
        set(&all.drifting, pass.drifting);
        for phase in Phase::ALL {
            let rollouts = pass.rollouts.iter().filter(|one| **one == phase).count();
            let of = OfPhase::new(&of, phase);
            all.rollouts.get_or_create(&of).set(number(rollouts));
        }
        set(&all.converged, usize::from(pass.converged));
        set(&all.stopped, usize::from(pass.stopped));
        set(&all.problems, pass.problems);
        for (workload, tally) in pass.workloads {
            for (state, devices) in states(tally) {
                let of = OfWorkload {
                    namespace: of.namespace.clone(),
                    fleet: of.fleet.clone(),
                    workload: workload.name(),
                    state,
                };
                all.workloads.get_or_create(&of).set(number(devices));
            }
        }
        let at = Duration::try_from(pass.at.duration_since(Timestamp::UNIX_EPOCH));
        let seconds = at.unwrap_or_default().as_secs_f64();
        all.last_pass.get_or_create(&of).set(seconds);
        let changes = u64::try_from(pass.sent).unwrap_or(u64::MAX);
        all.sent.get_or_create(&of).inc_by(changes);
        // Begins at nothing, so that the first failure is seen as a change.
        all.failed.get_or_create(&of).inc_by(0);
        let passes = all.passes.get_or_create(&of);
        passes.observe(pass.took.as_secs_f64());
    }

    /// Counts a pass over `fleet` that could not be made.
    pub fn failed(&self, fleet: &ObjectName) {
        self.0.failed.get_or_create(&fleet.into()).inc();
    }

    /// Drops what is told of a fleet that is no longer looked after here: another replica tells it.
    pub fn withdraw(&self, fleet: &ObjectName) {
        let all = &self.0;
        let _together = all.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let of = OfFleet::from(fleet);
        for family in [
            &all.devices,
            &all.eligible,
            &all.waiting,
            &all.drifting,
            &all.converged,
            &all.stopped,
            &all.problems,
        ] {
            family.remove(&of);
        }
        for workload in Workload::ALL {
            for (state, _) in states(&WorkloadTally::default()) {
                all.workloads.remove(&OfWorkload {
                    namespace: of.namespace.clone(),
                    fleet: of.fleet.clone(),
                    workload: workload.name(),
                    state,
                });
            }
        }
        for phase in Phase::ALL {
            all.rollouts.remove(&OfPhase::new(&of, phase));
        }
        all.last_pass.remove(&of);
        all.sent.remove(&of);
        all.failed.remove(&of);
        all.passes.remove(&of);
    }

    /// Everything, as text.
    #[must_use]
    pub fn encode(&self) -> String {
        let _together = self
            .0
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut told = String::new();
        if let Err(error) = text::encode(&mut told, &self.0.registry) {
            tracing::error!(%error, "metrics cannot be told");
        }
        told
    }
}

fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What is known of a workload's devices, by its name as a label.
fn states(tally: &WorkloadTally) -> [(&'static str, usize); 10] {
    [
        ("assigned", tally.assigned),
        ("desired", tally.desired),
        ("observed", tally.observed),
        ("offline", tally.offline),
        ("joining", tally.joining),
        ("leaving", tally.leaving),
        ("blocked", tally.blocked),
        ("held", tally.held),
        ("foreign", tally.foreign),
        ("retained", tally.retained),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(devices: usize, sent: usize) -> FleetMetrics<'static> {
        FleetMetrics {
            devices,
            eligible: 7,
            workloads: &[],
            waiting: 0,
            drifting: 2,
            rollouts: &[Phase::Halted],
            converged: true,
            stopped: false,
            problems: 0,
            sent,
            at: Timestamp::UNIX_EPOCH,
            took: Duration::from_secs(2),
        }
    }

    #[test]
    fn gauges_show_the_last_pass_and_counters_all_of_them() {
        let metrics = Metrics::default();
        let fleet = ObjectName::new("contoso", "laptops");
        metrics.made(&fleet, pass(9, 3));
        metrics.made(&fleet, pass(8, 4));
        let told = metrics.encode();
        let of = "{namespace=\"contoso\",fleet=\"laptops\"}";
        for line in [
            format!("diarchy_fleet_devices{of} 8"),
            format!("diarchy_fleet_converged{of} 1"),
            format!("diarchy_fleet_drifting_devices{of} 2"),
            "diarchy_fleet_rollouts{namespace=\"contoso\",fleet=\"laptops\",phase=\"Halted\"} 1"
                .to_owned(),
            format!("diarchy_membership_changes_sent_total{of} 7"),
            format!("diarchy_passes_failed_total{of} 0"),
            format!("diarchy_pass_duration_seconds_count{of} 2"),
        ] {
            assert!(told.lines().any(|told| told == line), "{line}\n{told}");
        }
    }

    #[test]
    fn nothing_is_told_of_a_fleet_that_is_elsewhere() {
        let metrics = Metrics::default();
        let (here, elsewhere) = (ObjectName::new("a", "here"), ObjectName::new("b", "there"));
        for fleet in [&here, &elsewhere] {
            let tally = WorkloadTally::default();
            let workloads = [(Workload::ClientApps, tally)];
            metrics.made(
                fleet,
                FleetMetrics {
                    workloads: &workloads,
                    ..pass(1, 1)
                },
            );
            metrics.failed(fleet);
        }
        metrics.withdraw(&elsewhere);
        let told = metrics.encode();
        assert!(told.contains("fleet=\"here\""), "{told}");
        assert!(!told.contains("there"), "{told}");
    }
}
