//! Devices of an assignment that is gone and said `onDelete: Revert`: they go back by the same windows,
//! guardrails and freezes as any others.

use std::fs;

use diarchy_simulator::{Effect, Entry};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit};

use crate::guardrails::{CANARY, Case, is_of, reason};
use crate::running::{Running, fleet, is_converged};
use crate::site::approve;
use crate::world::{assert_clean, placed, taken_out, writes};

/// Far from where the simulated site is.
const TOKYO: &str = "Asia/Tokyo";

/// A case whose assignment has been carried out and takes its devices back when it goes, with
/// `rollout` added to it, and `guardrails` that let any number leave.
struct Going {
    case: Case,
    running: Running,
    /// When it was written.
    now: Timestamp,
}

impl Going {
    fn with(
        guardrails: impl Fn(Timestamp) -> String,
        rollout: impl Fn(Timestamp) -> String,
    ) -> Self {
        let case = Case::new(CANARY);
        let mut running = case.carried_out();
        let now = fleet(&running.fresh())["at"].as_str().unwrap().parse();
        let now: Timestamp = now.unwrap();
        case.set_guardrails(&guardrails(now));
        let reverts = format!("authority: Intune\n  onDelete: Revert\n{}", rollout(now));
        let updates = &case.repository;
        updates.edit("updates.yaml", "authority: Intune\n", &reverts);
        let commit = case.repository.commit();
        running.wait_for("that it reverts", is_of(&commit));
        Self { case, running, now }
    }

    /// Deletes the assignment.
    fn delete(&mut self) {
        fs::remove_file(self.case.repository.file("updates.yaml")).unwrap();
        let commit = self.case.repository.commit();
        self.running.wait_for("the deletion", is_of(&commit));
    }

    /// Waits until every device has gone back, and gives when the first did.
    fn gone_back(mut self) -> Timestamp {
        let state = self.case.state();
        self.running.wait_for("devices that go back", |report| {
            let writes = writes(&state);
            is_converged(report) && taken_out(&writes) == placed(&writes)
        });
        assert_clean(&state);
        let removes = |entry: &&Entry| matches!(entry.effect, Effect::RulesRemoved { .. });
        writes(&state).iter().find(removes).unwrap().at
    }
}

const ANY: &str = "maxLeaving: 100%";

fn later(now: Timestamp, hours: i64) -> Timestamp {
    now + SignedDuration::from_hours(hours)
}

#[test]
fn they_go_back_when_the_window_of_what_is_gone_is_open() {
    let opens = |now: Timestamp| {
        let minute = Unit::Minute;
        later(now, 6).round(minute).unwrap()
    };
    let window = |now: Timestamp| {
        let zone = TimeZone::get(TOKYO).unwrap();
        let hours = [opens(now), later(opens(now), 16)];
        let [from, to] = hours.map(|at| at.to_zoned(zone.clone()).strftime("%H:%M").to_string());
        format!(
            "  rollout: {{ window: {{ from: \"{from}\", to: \"{to}\", timeZone: {TOKYO} }} }}\n"
        )
    };
    let mut going = Going::with(|_| ANY.to_owned(), window);
    let opens = opens(going.now);
    going.delete();
    let first = going.gone_back();
    assert!(first >= opens, "{first} is before {opens}");
}

#[test]
fn they_go_back_when_a_freeze_has_ended() {
    let until = |now: Timestamp| later(now, 6).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let freeze = |now: Timestamp| {
        let from = now.strftime("%Y-%m-%dT%H:%M:%SZ");
        let until = until(now);
        format!("{ANY}, freeze: [ {{ name: audit, from: {from}, to: {until} }} ]")
    };
    let mut going = Going::with(freeze, |_| String::new());
    going.delete();
    let report = going
        .running
        .wait_for("the freeze", |report| fleet(report)["stopped"].is_string());
    let stopped = fleet(&report)["stopped"].as_str().unwrap();
    let (_, until) = stopped.split_once("freeze `audit` lasts until ").unwrap();
    let until: Timestamp = until.parse().unwrap();
    let first = going.gone_back();
    assert!(first >= until, "{first} is before {until}");
}

#[test]
fn they_wait_for_a_person_when_they_are_too_many() {
    let mut going = Going::with(|_| "maxLeaving: 1".to_owned(), |_| String::new());
    going.delete();
    let report = going.running.fresh();
    assert_eq!(reason(&report), "MaxLeaving");
    let (state, waiting) = (going.case.state(), &fleet(&report)["waiting"]);
    let writes = writes(&state);
    assert_eq!(taken_out(&writes), 0, "somebody left unasked");
    assert_eq!(waiting["leaving"].as_u64(), Some(placed(&writes) as u64));
    approve(&state, &report);
    going.gone_back();
}
