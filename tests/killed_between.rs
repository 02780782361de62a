//! A controller that is killed again and again right after something that it wrote to the API server, in
//! each phase of a fleet: the next one carries on, and nothing is lost or done twice.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::Value;

use crate::api_proxy::{ApiProxy, Asked, Verdict};
use crate::cluster::{ok, own};
use crate::deployed::{Deployment, Tenant, condition};
use crate::reverting::{delete, patch};
use crate::site::{PILOT, Site};
use crate::world::{assert_made_once, assert_nothing_twice};

/// In this time a replica writes, if it has anything left to write and the machine is not busy.
const LONG_ENOUGH: Duration = Duration::from_secs(4);
/// In this time a replica writes what it certainly has to write.
const VERY_LONG: Duration = Duration::from_mins(2);

/// What is written, by what is asked for: `PATCH fleets/status`. Leases are nobody's progress, and
/// reviews write nothing.
fn written(asked: &Asked) -> Option<String> {
    let is_write = asked.method != "GET" && !asked.is_about("leases");
    is_write.then(|| {
        let mut parts = asked
            .path
            .split('/')
            .skip_while(|part| *part != "namespaces");
        let resource = parts.nth(2).unwrap_or_default();
        let part = parts.nth(1).map(|part| format!("/{part}"));
        format!("{} {resource}{}", asked.method, part.unwrap_or_default())
    })
}

/// After which writes a controller is killed.
const POINTS: [&str; 9] = [
    "POST fleetrecords",
    "PUT fleetrecords",
    "PATCH fleets/status",
    "PATCH devicegroups/status",
    "PATCH comanagementpolicies/status",
    "PATCH workloadassignments/status",
    "PATCH workloadassignments",
    "PATCH approvals/status",
    "POST events",
];

/// A controller that is killed after a certain write.
struct Killed<'a> {
    proxy: ApiProxy,
    deployment: Deployment<'a>,
    /// After which writes it was.
    points: BTreeSet<&'static str>,
    kills: usize,
}

impl Killed<'_> {
    /// Starts one, and kills it after its first write of a kind, before the next of whatever kind; or
    /// when it has had `time` for one.
    fn live(&mut self, point: &'static str, time: Duration) {
        let from = self.proxy.last();
        let is_made = Arc::new(AtomicBool::new(false));
        let made = Arc::clone(&is_made);
        self.proxy.rule(move |asked| {
            // What the one before it had still to send.
            if asked.number <= from {
                return Verdict::Cut;
            }
            match written(asked) {
                None => Verdict::Pass,
                Some(_) if made.load(Ordering::SeqCst) => Verdict::Hold,
                Some(what) => {
                    made.store(what == point, Ordering::SeqCst);
                    Verdict::Pass
                }
            }
        });
        let name = format!("replica-{}", self.kills);
        let replica = self.proxy.start(&self.deployment, &name, "1s");
        let began = Instant::now();
        while !is_made.load(Ordering::SeqCst) && began.elapsed() < time {
            thread::sleep(Duration::from_millis(1));
        }
        if is_made.load(Ordering::SeqCst) {
            self.points.insert(point);
            // It is answered, and the next one comes.
            thread::sleep(Duration::from_millis(50));
        }
        replica.kill();
        self.kills += 1;
    }

    /// Kills one after each kind of write, and on until `is_settled`.
    fn live_on(&mut self, is_settled: impl Fn() -> bool) {
        for point in POINTS {
            self.live(point, LONG_ENOUGH);
            is_settled();
        }
        while !is_settled() {
            assert!(self.kills < 100, "it never comes to an end");
            self.live(POINTS[self.kills % POINTS.len()], LONG_ENOUGH);
        }
    }
}

#[test]
fn killed_after_writes_to_the_api_server_the_next_carries_on() {
    let cluster = own().cluster();
    cluster.install_definitions();
    let site = Site::open();
    let before = site.control.members(PILOT).unwrap();
    let tenant = Tenant::of(cluster, &site);
    let deployment = Deployment::of(cluster, &[&tenant]);
    let mut case = Killed {
        proxy: ApiProxy::of(cluster),
        deployment,
        points: BTreeSet::new(),
        kills: 0,
    };
    tenant.apply();
    patch(
        &tenant,
        "workloadassignment/updates",
        r#"{"spec":{"onDelete":"Revert"}}"#,
    );
    let digest = |fleet: &Value| {
        let digest = fleet["status"]["waitingPlan"]["digest"].as_str();
        digest.map(str::to_owned)
    };
    // Records are made once: only the first that comes to it has them to make.
    case.live("POST fleetrecords", VERY_LONG);
    case.live_on(|| digest(&tenant.fleet()).is_some());
    assert!(site.writes().is_empty(), "{:#?}", site.writes());
    // A day is over soon where time passes so fast, and with it what was approved.
    let count = Cell::new(0);
    let say_yes = || {
        let fleet = tenant.fleet();
        if let Some(waiting) = digest(&fleet) {
            count.set(count.get() + 1);
            let name = format!("yes-{}", count.get());
            let yes = tenant.approval(&name, &waiting, SignedDuration::from_hours(20));
            ok(&mut tenant.namespace.apply(&[yes]));
        }
        fleet
    };
    say_yes();
    case.live_on(|| condition(&say_yes(), "Converged")["status"] == "True");
    assert!(site.control.members(PILOT).unwrap().len() > before.len());
    assert_made_once(&site.writes());

    delete(&tenant, "workloadassignment/updates");
    case.live_on(|| {
        say_yes();
        let mut get = tenant.kubectl();
        let left = ok(get.args(["get", "workloadassignments", "-o", "name"]));
        !left.contains("/updates") && site.control.members(PILOT).unwrap() == before
    });
    // Which other kinds a life comes to depends on what the one before it had written already.
    for point in [
        "POST fleetrecords",
        "PUT fleetrecords",
        "PATCH fleets/status",
    ] {
        assert!(case.points.contains(point), "{point}: {:?}", case.points);
    }
    assert!(case.kills >= 3 * POINTS.len(), "{}", case.kills);
    assert_nothing_twice(&site.writes());
    site.assert_clean();
}
