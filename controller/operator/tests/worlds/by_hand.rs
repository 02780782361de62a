//! Worlds made by hand, for what seeds have found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_operator::audit::Event;
use diarchy_operator::report::FleetReport;
use diarchy_operator::store::GivenApproval;
use diarchy_simulator::{Effect, Failure, Fault, Options, RuleKey, Service, Setup, Workload};

use crate::fleet::beginning;
use crate::house::{Ending, House};
use crate::post::Kill;
use crate::repository::{Assignment, Fleet, Group, NAME, Repository, pilot};

const WORKLOAD: Workload = Workload::ClientApps;

/// A fleet of 20 devices, all of which are to go to Intune at once.
fn everybody() -> (House, Repository) {
    let clock = Clock::manual(beginning());
    let setup = Setup::new(3, 20).with_pilot(WORKLOAD, &pilot(WORKLOAD));
    let world = diarchy_simulator::unserved(Options::new(setup, clock.clone())).unwrap();
    let all = Group {
        digits: (0..10).collect(),
        serials: BTreeSet::new(),
        without: None,
    };
    let assignment = Assignment {
        workload: WORKLOAD,
        group: "all".to_owned(),
        to_intune: true,
        priority: 1,
        suspended: false,
        observes: false,
        reverts: false,
        rollout: None,
    };
    let repository = Repository {
        fleet: Fleet {
            suspended: false,
            observes: false,
            max_changed: 5,
            max_leaving: 5,
            pace: None,
            freeze: None,
        },
        pilots: vec![WORKLOAD],
        judges_compliance: false,
        groups: BTreeMap::from([("all".to_owned(), all)]),
        assignments: BTreeMap::from([("everybody".to_owned(), assignment)]),
        is_broken: false,
    };
    (House::new(clock, world), repository)
}

fn pass(house: &mut House) -> FleetReport {
    house.clock.advance(Duration::from_hours(1));
    match house.pass(None) {
        Ending::Ended(report) => report.fleets.into_iter().next().expect("one fleet"),
        other => panic!("the pass does not end: {other:?}"),
    }
}

fn approve(house: &House, report: &FleetReport) {
    let waiting = report.waiting.as_ref().expect("something waits");
    let revision = house.store.waiting_revision(&waiting.digest).unwrap();
    let approval = GivenApproval {
        digest: waiting.digest.clone(),
        revision: revision.expect("it waits for a revision"),
        approver: NAME.to_owned(),
        at: house.clock.now(),
        expires: None,
        id: None,
    };
    house.store.approve(&approval).unwrap();
}

/// Carries a repository out, to which somebody says yes.
fn carry_out(house: &mut House, repository: &Repository) {
    house.commit(&repository.yaml());
    let first = pass(house);
    approve(house, &first);
    for _ in 0..8 {
        pass(house);
    }
}

/// The same once somebody has said yes, and everybody has moved.
fn settled() -> House {
    let (mut house, repository) = everybody();
    carry_out(&mut house, &repository);
    assert!(
        house.world.control().judge().writes > 3,
        "nothing was written"
    );
    house
}

/// How many rules for devices were made, and how many taken away.
fn rules(house: &House) -> (usize, usize) {
    let direct = |rules: &[RuleKey]| {
        let rules = rules.iter();
        rules
            .filter(|rule| matches!(rule, RuleKey::Direct(_)))
            .count()
    };
    let log = house.world.control().log();
    log.iter()
        .fold((0, 0), |(made, taken), entry| match &entry.effect {
            Effect::RulesAdded { added, .. } => (made + direct(added), taken),
            Effect::RulesRemoved { removed, .. } => (made, taken + direct(removed)),
            _ => (made, taken),
        })
}

fn forgets(house: &House) -> bool {
    let trail = house.store.audit_trail(0, usize::MAX).unwrap();
    let mut entries = trail.iter().map(|(_, entry)| &entry.event);
    entries.any(|event| matches!(event, Event::Forgotten { .. }))
}

/// A service that failed just before a process ended is not somebody who took devices away.
#[test]
fn what_a_pass_could_not_read_is_not_missed_by_the_next_process() {
    for what in ["SMS_R_System", "SMS_FullCollectionMembership"] {
        let mut house = settled();
        let failure = Failure::Status {
            status: 500,
            retry_after: None,
            after_effect: false,
        };
        let fault = Fault::new(Service::AdminService, what, failure);
        house.world.control().inject(fault);
        assert!(!pass(&mut house).problems.is_empty(), "{what} was read");
        house.world.control().clear_all();
        house.restart();
        let after = pass(&mut house);
        assert_eq!(after.waiting, None, "{what}");
        assert!(!forgets(&house), "{what}");
    }
}

/// A list that comes back empty says nothing about where devices are, to the next process neither.
#[test]
fn what_a_service_hid_is_nothing_to_have_been_forgotten() {
    let mut house = settled();
    let control = house.world.control();
    let fault = Fault::new(Service::AdminService, "SMS_R_System", Failure::EmptyList);
    control.inject(fault);
    let hidden = pass(&mut house).waiting.expect("an inventory shrank");
    assert_eq!(hidden.reason, "MaxInventoryShrink");
    control.clear_all();
    house.restart();
    assert_eq!(pass(&mut house).waiting, None);
    assert!(!forgets(&house));
}

/// An inventory that lost the devices that were to move has nothing to begin with, and its coming back is
/// no yes either.
#[test]
fn an_inventory_that_shrank_before_the_first_yes_is_no_beginning() {
    let (mut house, mut repository) = everybody();
    let mut truths = house.world.control().truths();
    truths.retain(|truth| truth.follows_sliders && truth.intune_duplicate_id.is_none());
    truths.sort_by_key(|truth| truth.resource_id);
    let last = truths.pop().expect("there are devices").serial_number;
    repository.groups.insert(
        "all".to_owned(),
        Group {
            digits: BTreeSet::new(),
            serials: BTreeSet::from([last]),
            without: None,
        },
    );
    house.commit(&repository.yaml());
    let waits = |report: &FleetReport| report.waiting.clone().map(|waiting| waiting.reason);
    let no_baseline = Some("NoBaseline");
    assert_eq!(waits(&pass(&mut house)), no_baseline);
    let control = house.world.control();
    let cut = Failure::Truncated { keep: 0.4 };
    control.inject(Fault::new(Service::AdminService, "SMS_R_System", cut));
    let shrunk = Some("MaxInventoryShrink");
    assert_eq!(waits(&pass(&mut house)), shrunk);
    control.clear_all();
    for _ in 0..3 {
        assert_eq!(waits(&pass(&mut house)), no_baseline);
    }
    assert_eq!(control.judge().writes, 0);
}

/// Of a list that lacks collections nobody knows that they are empty: what goes back goes on doing so.
#[test]
fn who_goes_back_is_not_forgotten_while_the_pilot_cannot_be_read() {
    let (mut house, mut repository) = everybody();
    for assignment in repository.assignments.values_mut() {
        assignment.reverts = true;
    }
    (repository.fleet.max_leaving, repository.fleet.pace) = (100, Some(4));
    carry_out(&mut house, &repository);
    let (made, _) = rules(&house);
    repository.assignments.clear();
    house.commit(&repository.yaml());
    let leaving = pass(&mut house);
    if leaving.waiting.is_some() {
        approve(&house, &leaving);
    }
    pass(&mut house);
    let (_, taken) = rules(&house);
    assert!(0 < taken && taken < made, "{taken} of {made}");
    let control = house.world.control();
    let cut = Failure::Truncated { keep: 0.4 };
    control.inject(Fault::new(Service::AdminService, "SMS_Collection", cut));
    pass(&mut house);
    control.clear_all();
    for _ in 0..8 {
        pass(&mut house);
    }
    assert_eq!(rules(&house), (made, made));
}

/// What was sent counts for the pace, although the process that sent it has ended before it could say so.
#[test]
fn a_process_that_ends_after_a_send_has_spent_the_pace() {
    const PACE: usize = 4;
    let mut tried = 0;
    for request in 1.. {
        let (mut house, mut repository) = everybody();
        repository.fleet.pace = Some(PACE);
        house.commit(&repository.yaml());
        let first = pass(&mut house);
        approve(&house, &first);
        pass(&mut house);
        house.clock.advance(Duration::from_hours(1));
        if !matches!(house.pass(Some(Kill::After(request))), Ending::Killed) {
            break;
        }
        house.restart();
        tried += usize::from(rules(&house).0 > 0);
        house.clock.advance(Duration::from_mins(10));
        house.pass(None);
        let (made, _) = rules(&house);
        assert!(made <= PACE, "{made} after request {request}");
    }
    assert!(tried > 0, "no process ended after a send");
}
