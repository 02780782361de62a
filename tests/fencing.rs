//! One installation at a time writes to a fleet.

use serde_json::Value;

use crate::running::{Running, fleet, is_converged};
use crate::site::{Site, approve};
use crate::world::claims;

fn reason(report: &Value) -> &str {
    fleet(report)["waiting"]["reason"]
        .as_str()
        .unwrap_or("nothing waits")
}

fn is_stopped(report: &Value) -> bool {
    let stopped = fleet(report)["stopped"].as_str();
    stopped.is_some_and(|why| why.contains("holds the fleet"))
}

/// A second installation: the same repository and estate, and a state that knows nothing.
fn with_lost_state(site: &Site) -> Running {
    Running::start(&mut site.up("other"))
}

/// Says yes to the takeover, and to the first plan of an installation that has no baseline.
fn take_over(site: &Site, second: &mut Running) {
    let report = second.wait_for("the takeover to wait", |report| {
        reason(report) == "ClaimedByAnother"
    });
    approve(&site.state("other"), &report);
    let report = second.wait_for("the fleet to be taken over", |report| {
        fleet(report)["stopped"].is_null()
    });
    if reason(&report) == "NoBaseline" {
        approve(&site.state("other"), &report);
    }
    second.wait_for("the new holder to carry on", is_converged);
}

#[test]
fn lost_state_writes_nothing_and_waits_for_the_next_epoch() {
    let site = Site::open();
    let first = site.carried_out();
    first.kill();
    let before = site.writes();
    let mut second = with_lost_state(&site);
    let report = second.wait_for("the takeover to wait", |report| {
        reason(report) == "ClaimedByAnother"
    });
    assert!(is_stopped(&report), "{report:#}");
    second.fresh();
    second.fresh();
    assert_eq!(site.writes(), before, "it wrote without holding the fleet");
}

#[test]
fn after_a_yes_it_takes_over_and_the_former_holder_stops() {
    let site = Site::open();
    let mut first = site.carried_out();
    let mut second = with_lost_state(&site);
    take_over(&site, &mut second);
    first.wait_for("the former holder to see it", is_stopped);
    let claimed = claims(&site.writes());
    assert_eq!(claimed.len(), 2, "{claimed:?}");
    assert_eq!((claimed[0].0, claimed[1].0), (1, 2));
    assert_ne!(claimed[0].1, claimed[1].1);

    second.kill();
    let before = site.writes();
    site.repository
        .edit("resources.yaml", "[ canary ]", "[ early ]");
    site.repository.commit();
    let report = first.fresh();
    assert!(is_stopped(&report), "{report:#}");
    first.fresh();
    assert_eq!(site.writes(), before, "the former holder wrote");
    site.assert_clean();
}

#[test]
fn the_new_holder_carries_out_what_is_committed_next() {
    let site = Site::open();
    site.carried_out().kill();
    let mut second = with_lost_state(&site);
    take_over(&site, &mut second);
    let before = site.rules_written();
    site.repository
        .edit("resources.yaml", "[ canary ]", "[ early ]");
    let commit = site.repository.commit();
    let report = second.wait_for("the new revision", |report| {
        report["revision"]
            .as_str()
            .is_some_and(|revision| revision.contains(&commit))
    });
    if reason(&report) != "nothing waits" {
        approve(&site.state("other"), &report);
    }
    second.wait_for("the new revision to be carried out", is_converged);
    assert!(site.rules_written() > before, "nobody was moved");
    site.assert_clean();
}

/// Waits until the loop carries out `commit` and has converged; says yes where it asks.
fn carry_out(site: &Site, running: &mut Running, commit: &str) {
    let report = running.wait_for("the new revision", |report| {
        let revision = report["revision"].as_str();
        revision.is_some_and(|revision| revision.contains(commit))
    });
    if reason(&report) != "nothing waits" {
        approve(&site.state("state"), &report);
    }
    running.wait_for("the new revision to be carried out", is_converged);
}

#[test]
fn a_state_of_yesterday_moves_no_device() {
    let site = Site::open();
    site.carried_out().kill();
    let copy = |from: &str, to: &str| {
        for end in ["", "-wal", "-shm"] {
            let (from, to) = (format!("{from}{end}"), format!("{to}{end}"));
            let _ = std::fs::remove_file(site.state(&to));
            let _ = std::fs::copy(site.state(&from), site.state(&to));
        }
    };
    copy("state", "backup");
    let mut today = Running::start(&mut site.up("state"));
    site.repository
        .edit("resources.yaml", "[ canary ]", "[ early ]");
    let commit = site.repository.commit();
    carry_out(&site, &mut today, &commit);
    today.kill();
    let before = site.writes();

    // Yesterday's state with yesterday's resources: nothing in them differs from each other.
    copy("backup", "state");
    site.repository
        .edit("resources.yaml", "[ early ]", "[ canary ]");
    site.repository.commit();
    let mut yesterday = Running::start(&mut site.up("state"));
    yesterday.wait_for("everything to wait", |report| {
        reason(report) == "NoBaseline"
    });
    yesterday.fresh();
    let report = yesterday.fresh();
    assert_eq!(reason(&report), "NoBaseline");
    assert_eq!(site.writes(), before, "it wrote what it had forgotten");

    // After a yes it carries out what is asked, and is itself again after a restart.
    approve(&site.state("state"), &report);
    yesterday.wait_for("what was approved to be carried out", is_converged);
    assert!(site.writes().len() > before.len());
    yesterday.kill();
    let mut again = Running::start(&mut site.up("state"));
    again.wait_for("nothing to wait", |report| {
        is_converged(report) && reason(report) == "nothing waits"
    });
    site.assert_clean();
}
