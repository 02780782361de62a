//! What must be ready before an assignment moves anybody: who is kept from moving, who stays, and what is
//! said of it.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::accept::{Accepted, Approved, ApprovedChange, Basis, accept};
use diarchy_core::amount::Amount;
use diarchy_core::circumstances::Circumstances;
use diarchy_core::decision::Decision;
use diarchy_core::desired::{Desired, Force, FrozenBy, OnFailure, Rollout, assemble};
use diarchy_core::digest::Digest;
use diarchy_core::engine::{Engine, Kept, StayReason, Verdict};
use diarchy_core::obstacle::{Obstacle, WayOn};
use diarchy_core::plan::{AssignmentState, Plan, PlanDocument, PlanSummary};
use diarchy_core::requirement::{
    Found, IntuneObject, IntuneType, Known, Lack, Ready, Requires, Target, attestation_digest,
};
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{
    Act, Heeded, Look, Phase, Rollouts, Said, Signals, Stage, StopReason, spec_digest,
};
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::tally::Tally;
use diarchy_core::workload::{Authority, Workload, WorkloadSet};
use jiff::SignedDuration;
use proptest::prelude::Just;

use crate::world::plain::{assignment, hold, in_two_steps, listed, movable, pilot};
use crate::world::{NAMESPACE, World, made_up, now};

const WORKLOAD: Workload = Workload::ClientApps;
const GROUP: &str = "5f1c0a52-58f7-4a1c-9f0e-0f3f0a7b9d11";
const TEXT: &str = "the proxy lets Delivery Optimization through";

fn name() -> ObjectName {
    ObjectName::new(NAMESPACE, "apps")
}

fn object(of: &str) -> IntuneObject {
    IntuneObject {
        of: IntuneType::named(of).unwrap(),
        id: "0d7c2a34-9a0b-4b55-8f4e-2f1f9f2f6a01".to_owned(),
    }
}

fn ring() -> Requires {
    Requires::Intune {
        object: object("windowsUpdateForBusinessConfiguration"),
        assigned_to: Some(GROUP.to_owned()),
    }
}

/// Two devices, of which the first is where the assignment wants both.
fn half_way() -> World {
    let assignment = assignment("apps", WORKLOAD, "all", Authority::Intune);
    let mut first = movable("d0");
    hold(&mut first, WORKLOAD, &[assignment.reference()]);
    World {
        devices: vec![first, movable("d1")],
        groups: vec![listed("all", ["d0".to_owned(), "d1".to_owned()])],
        policy: Some(pilot(&[WORKLOAD])),
        assignments: vec![assignment],
    }
}

/// What git asks, with every assignment requiring these.
fn requiring(world: &World, requires: &[Requires]) -> Desired {
    let mut resources = world.resources();
    for assignment in &mut resources.assignments {
        assignment.requires.extend(requires.iter().cloned());
    }
    assemble(resources).fleets.remove(0)
}

/// What a pass knows besides git.
#[derive(Default)]
struct Facts {
    objects: BTreeMap<IntuneObject, Found>,
    uids: BTreeMap<ObjectName, String>,
    attested: BTreeSet<Digest>,
    rollouts: Rollouts,
    said: Said,
}

impl Facts {
    fn of(object: IntuneObject, found: Found) -> Self {
        Self {
            objects: [(object, found)].into(),
            ..Self::default()
        }
    }

    fn judge(&self, desired: &Desired) -> Desired {
        desired.with_requirements(&Known {
            objects: &self.objects,
            uids: &self.uids,
            is_attested: &|digest| self.attested.contains(digest),
            rollouts: &self.rollouts,
            said: &self.said,
        })
    }

    /// What the only assignment lacks.
    fn lack(&self, desired: &Desired) -> Option<Lack> {
        let judged = self.judge(desired);
        let assignment = &judged.assignments[0];
        assert_eq!(assignment.force.is_in_force(), assignment.unmet.is_empty());
        assert!(assignment.unmet.len() < 2);
        assignment.unmet.first().map(|unmet| unmet.lack.clone())
    }
}

fn there(of: &str, targets: &[Target]) -> Found {
    Found::There {
        of: Some(of.to_owned()),
        targets: targets.to_vec(),
    }
}

#[test]
fn an_object_is_ready_when_it_is_there_and_reaches_the_group() {
    const RING: &str = "windowsUpdateForBusinessConfiguration";
    let desired = requiring(&half_way(), &[ring()]);
    let group = || Target::Group(GROUP.to_owned());
    let other = Target::Group("5f1c0a52-58f7-4a1c-9f0e-0f3f0a7b9d12".to_owned());
    let not_assigned = || {
        Some(Lack::NotAssigned {
            group: GROUP.to_owned(),
        })
    };
    let excluded = Target::ExcludedGroup(GROUP.to_owned());
    let unread = Found::Unread {
        why: "it is away".to_owned(),
        needs: None,
    };
    let forbidden = Found::Unread {
        why: "no".to_owned(),
        needs: Some("Read.All"),
    };
    for (found, lack) in [
        (there(RING, &[other.clone(), group()]), None),
        (there(RING, &[Target::AllDevices]), None),
        (there(RING, &[Target::AllUsers]), None),
        (there(RING, &[]), not_assigned()),
        (there(RING, &[other, Target::Other]), not_assigned()),
        (
            there(RING, &[Target::AllDevices, excluded]),
            Some(Lack::Excluded {
                group: GROUP.to_owned(),
            }),
        ),
        (
            there("windows10CustomConfiguration", &[group()]),
            Some(Lack::OtherType {
                of: "windows10CustomConfiguration".to_owned(),
            }),
        ),
        (
            Found::There {
                of: None,
                targets: vec![group()],
            },
            Some(Lack::Unread {
                why: "the answer does not tell its type".to_owned(),
            }),
        ),
        (Found::Missing, Some(Lack::NotFound)),
        (
            unread,
            Some(Lack::Unread {
                why: "it is away".to_owned(),
            }),
        ),
        (
            forbidden,
            Some(Lack::Forbidden {
                needs: "Read.All".to_owned(),
            }),
        ),
    ] {
        let facts = Facts::of(object(RING), found.clone());
        assert_eq!(facts.lack(&desired), lack, "{found:?}");
    }
    assert_eq!(Facts::default().lack(&desired), Some(Lack::NotLookedAt));
}

#[test]
fn a_general_type_takes_any_of_its_collection_and_beta_must_be_allowed() {
    let app = Requires::Intune {
        object: object("mobileApp"),
        assigned_to: None,
    };
    let facts = Facts::of(object("mobileApp"), there("win32LobApp", &[]));
    assert_eq!(facts.lack(&requiring(&half_way(), &[app])), None);
    let catalog = Requires::Intune {
        object: object("deviceManagementConfigurationPolicy"),
        assigned_to: None,
    };
    let found = Found::There {
        of: None,
        targets: Vec::new(),
    };
    let facts = Facts::of(object("deviceManagementConfigurationPolicy"), found);
    let mut desired = requiring(&half_way(), &[catalog]);
    assert_eq!(facts.lack(&desired), None);
    desired.beta = false;
    assert_eq!(facts.lack(&desired), Some(Lack::InBetaOnly));
}

#[test]
fn an_attestation_is_for_one_assignment_and_one_text() {
    let desired = requiring(&half_way(), &[Requires::Attested(TEXT.to_owned())]);
    let mut facts = Facts::default();
    // Without a uid there is nothing that a person could say yes to.
    assert_eq!(facts.lack(&desired), Some(Lack::NotLookedAt));
    facts.uids.insert(name(), "u1".to_owned());
    let digest = attestation_digest(&name(), "u1", TEXT);
    assert_eq!(facts.lack(&desired), Some(Lack::NotAttested { digest }));
    let asked: Vec<_> = desired.attestations(&facts.uids).collect();
    assert_eq!(asked, [(&name(), TEXT, digest)]);
    facts.attested = BTreeSet::from([
        attestation_digest(&name(), "u2", TEXT),
        attestation_digest(&name(), "u1", "something else"),
        attestation_digest(&ObjectName::new(NAMESPACE, "other"), "u1", TEXT),
    ]);
    assert_eq!(facts.lack(&desired), Some(Lack::NotAttested { digest }));
    facts.attested.insert(digest);
    assert_eq!(facts.lack(&desired), None);
}

#[test]
fn what_is_not_ready_moves_nobody_keeps_who_was_moved_and_says_so() {
    let world = half_way();
    let desired = requiring(&world, &[ring(), Requires::Attested(TEXT.to_owned())]);
    let facts = Facts::of(
        object("windowsUpdateForBusinessConfiguration"),
        Found::Missing,
    );
    let desired = facts.judge(&desired);
    let inventory = world.inventory();
    let engine = Engine::new(&desired, &inventory, now());
    let plan = Plan::new(&engine);
    assert_eq!(plan.changes, []);
    assert!(matches!(
        engine.verdict(0, WORKLOAD),
        Verdict::Kept(Kept::AsAsked(_) | Kept::HeldBy(StayReason::NotInForce))
    ));
    let obstacles = Circumstances::default().obstacles(&engine, (1, WORKLOAD), &|_| true);
    let told: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "what the assignment requires is not ready: windowsUpdateForBusinessConfiguration \
             0d7c2a34-9a0b-4b55-8f4e-2f1f9f2f6a01 is not in Intune"
                .to_owned(),
            format!("what the assignment requires is not ready: \"{TEXT}\" was not looked at"),
        ]
    );
    let tally = Tally::new(&engine, &|_, _| true);
    let line = &PlanSummary::new(&plan, &engine, &tally).assignments[0];
    assert_eq!(line.state, AssignmentState::WaitsForRequires);
    assert_eq!(line.unmet.len(), 2);
}

/// What turns at a look at `desired`, each with what it lacks then; and what is ready from then on.
fn turned(desired: &Desired, facts: &Facts, ready: &mut Ready) -> Vec<(String, Option<Lack>)> {
    let judged = facts.judge(desired);
    let (turned, now) = judged.readiness(ready);
    let told = turned.into_iter().map(|one| {
        assert_eq!(*one.assignment, name());
        (one.what, one.unmet.map(|unmet| unmet.lack.clone()))
    });
    let told = told.collect();
    *ready = now;
    told
}

#[test]
fn what_comes_to_be_ready_or_is_so_no_more_turns_once() {
    let all = requiring(&half_way(), &[ring(), Requires::Attested(TEXT.to_owned())]);
    let object = object("windowsUpdateForBusinessConfiguration");
    let what = ring().to_string();
    let there = || Found::There {
        of: Some("windowsUpdateForBusinessConfiguration".to_owned()),
        targets: vec![Target::AllDevices],
    };
    let why = || "Graph did not answer".to_owned();
    let unread = || Found::Unread {
        why: why(),
        needs: None,
    };
    let mut ready = Ready::new();
    for (found, lack) in [
        // Nothing was ready before.
        (Found::Missing, None),
        (there(), Some(None)),
        // What is not known to be ready keeps everybody from moving as well.
        (unread(), Some(Some(Lack::Unread { why: why() }))),
        // Why it is not ready may change: it was not ready before.
        (Found::Missing, None),
        (there(), Some(None)),
    ] {
        let facts = Facts::of(object.clone(), found);
        let expected: Vec<_> = lack.map(|lack| (what.clone(), lack)).into_iter().collect();
        assert_eq!(turned(&all, &facts, &mut ready), expected);
        assert_eq!(turned(&all, &facts, &mut ready), []);
    }

    // What cannot be read for a while is as it was.
    let facts = Facts::of(object, there());
    let mut wrong = requiring(&half_way(), &[]);
    wrong.assignments[0].force = Force::Frozen(FrozenBy::Invalid);
    assert_eq!(turned(&wrong, &facts, &mut ready), []);
    assert_eq!(turned(&all, &facts, &mut ready), []);
    // What is required no more is forgotten without a word.
    assert_eq!(turned(&requiring(&half_way(), &[]), &facts, &mut ready), []);
    assert_eq!(ready, Ready::new());
}

#[test]
fn whoever_stops_it_stops_it_although_it_is_ready() {
    let mut desired = requiring(&half_way(), &[ring()]);
    for force in [
        Force::Frozen(FrozenBy::Pause),
        Force::Frozen(FrozenBy::Suspend),
        Force::Frozen(FrozenBy::Invalid),
        Force::Observing,
    ] {
        desired.assignments[0].force = force;
        let found = there(
            "windowsUpdateForBusinessConfiguration",
            &[Target::AllDevices],
        );
        let facts = Facts::of(object("windowsUpdateForBusinessConfiguration"), found);
        let judged = facts.judge(&desired);
        assert_eq!(judged.assignments[0].force, force);
        assert_eq!(judged.assignments[0].unmet, []);
    }
}

fn rollout() -> Rollout {
    Rollout {
        on_failure: OnFailure::Rollback,
        ..in_two_steps(Amount::Count(1))
    }
}

/// What a pass over `world` decides so long after the first.
fn pass(
    world: &World,
    desired: &Desired,
    facts: &mut Facts,
    after: SignedDuration,
) -> (usize, usize) {
    let desired = facts.judge(desired);
    let inventory = world.inventory();
    let at = now() + after;
    let signals = Signals {
        look: Look {
            now: at,
            last: None,
            longest_gap: SignedDuration::from_hours(100),
        },
        is_sent: &|_, _, _| false,
        is_evidence: &|_, _| true,
        rules: &RulesUnderWay::nothing(),
        is_outside: &|_, _| false,
        contradicted: WorkloadSet::EMPTY,
        is_approved: &|_| false,
        said: &facts.said,
    };
    let engine = Engine::new(&desired, &inventory, at);
    let decision = Decision::new(engine, &facts.rollouts, &signals);
    let to = |authority| decision.now.count_to(authority);
    let moves = (to(Authority::Intune), to(Authority::ConfigurationManager));
    facts.rollouts = decision.survey.rollouts;
    moves
}

#[test]
fn a_rollout_stands_still_while_what_it_requires_is_gone() {
    let of = "windowsUpdateForBusinessConfiguration";
    let ready = || there(of, &[Target::AllDevices]);
    let mut world = half_way();
    world.devices[0].insert("assigned".to_owned(), serde_json::json!({}));
    let mut desired = requiring(&world, &[ring()]);
    desired.assignments[0].rollout = Some(rollout());
    let mut facts = Facts::of(object(of), ready());
    let hours = SignedDuration::from_hours;
    assert_eq!(pass(&world, &desired, &mut facts, hours(0)), (1, 0));
    let moved = facts.rollouts[&name()].admitted.first().cloned().unwrap();
    let holder = [world.assignments[0].reference()];
    let device = world
        .devices
        .iter_mut()
        .find(|device| device["id"] == moved.as_str())
        .unwrap();
    hold(device, WORKLOAD, &holder);
    device.insert("observed".to_owned(), serde_json::json!([WORKLOAD.name()]));
    assert_eq!(pass(&world, &desired, &mut facts, hours(1)), (0, 0));
    let soaking = facts.rollouts[&name()].clone();
    assert_eq!(soaking.phase(), Phase::Soaking);
    // The soak is over, and the ring is gone: nothing moves, nothing goes back, nothing goes on.
    for found in [
        Found::Missing,
        there(of, &[]),
        Found::Unread {
            why: "it is away".to_owned(),
            needs: None,
        },
    ] {
        facts.objects = [(object(of), found)].into();
        assert_eq!(pass(&world, &desired, &mut facts, hours(9)), (0, 0));
        let now = &facts.rollouts[&name()];
        assert_eq!((now.stage, now.step), (soaking.stage, 0));
    }
    facts.objects = [(object(of), ready())].into();
    assert_eq!(pass(&world, &desired, &mut facts, hours(10)), (1, 0));
    assert_eq!(facts.rollouts[&name()].step, 1);
}

#[test]
fn what_was_agreed_to_stays_so_while_a_requirement_fails_for_a_moment() {
    let of = "windowsUpdateForBusinessConfiguration";
    let world = World {
        devices: (0..10).map(|at| movable(&format!("d{at}"))).collect(),
        groups: vec![listed("all", (0..10).map(|at| format!("d{at}")))],
        ..half_way()
    };
    let mut desired = requiring(&world, &[ring()]);
    desired.guardrails.max_changed_devices = Amount::Count(1);
    let inventory = world.inventory();
    let judge = |found: Found, before: Option<&Accepted>, approvals: &[Approved]| {
        let desired = Facts::of(object(of), found).judge(&desired);
        let engine = Engine::new(&desired, &inventory, now());
        let basis = Basis {
            revision: "r1",
            before,
            approvals,
            is_whole: true,
            agreed: &BTreeSet::new(),
            under_way: &RulesUnderWay::nothing(),
        };
        accept(&engine, &Plan::new(&engine), basis)
    };
    let ready = || there(of, &[Target::AllDevices]);
    let first = judge(ready(), Some(&Accepted::default()), &[]);
    assert_eq!(first.waiting.map(|waiting| waiting.changes.len()), Some(10));
    let changes = (0..10).map(|at| ApprovedChange {
        device: format!("d{at}"),
        workload: WORKLOAD,
        to: Authority::Intune,
    });
    let approved = Approved {
        changes: changes.collect(),
        enrolling: BTreeSet::new(),
        revision: "r1".to_owned(),
        expires: now() + SignedDuration::from_hours(1),
    };
    let accepted = judge(ready(), first.accepted.as_ref(), &[approved]).accepted;
    let unready = judge(Found::Missing, accepted.as_ref(), &[]);
    assert_eq!((unready.cleared, unready.waiting), (Vec::new(), None));
    // The yes is past, and what was agreed to is asked about no more.
    let again = judge(ready(), unready.accepted.as_ref(), &[]);
    assert_eq!((again.cleared.len(), again.waiting), (10, None));
    // What was never agreed to is not agreed to by waiting.
    let before = judge(Found::Missing, Some(&Accepted::default()), &[]).accepted;
    let asked = judge(ready(), before.as_ref(), &[]);
    assert!(asked.cleared.is_empty() && asked.waiting.is_some());
}

#[test]
fn what_goes_back_waits_for_nothing_and_is_not_retried_before_it_is_ready() {
    let world = half_way();
    let mut desired = requiring(&world, &[ring()]);
    desired.assignments[0].rollout = Some(rollout());
    let of = "windowsUpdateForBusinessConfiguration";
    let mut facts = Facts::of(object(of), there(of, &[Target::AllDevices]));
    pass(&world, &desired, &mut facts, SignedDuration::ZERO);
    let progress = facts.rollouts.get_mut(&name()).unwrap();
    let spec = spec_digest(&desired, diarchy_core::desired::AssignmentIndex(0)).unwrap();
    assert_eq!(progress.spec, spec);
    progress.courses.insert(
        "d0".to_owned(),
        serde_json::from_value(serde_json::json!({ "is_moved": true })).unwrap(),
    );
    progress.stage = Stage::RolledBack {
        since: now(),
        reason: StopReason::Aborted,
    };
    facts.objects = [(object(of), Found::Missing)].into();
    let judged = facts.judge(&desired);
    assert!(judged.assignments[0].force.is_in_force());
    assert_eq!(judged.assignments[0].unmet.len(), 1);
    let hours = SignedDuration::from_hours;
    assert_eq!(pass(&world, &desired, &mut facts, hours(1)), (0, 1));
    facts.said = [(name(), Heeded::from([(Act::Retry, "now".to_owned())]))].into();
    let judged = facts.judge(&desired);
    assert_eq!(
        judged.assignments[0].force,
        Force::Frozen(FrozenBy::Requires)
    );
    assert_eq!(pass(&world, &desired, &mut facts, hours(2)), (0, 0));
}

#[test]
fn each_lack_has_a_way_on() {
    let digest = Digest::of_lines(["a text"]);
    let text = || "x".to_owned();
    for (lack, person) in [
        (Lack::NotCarriedOut, true),
        (Lack::NotLookedAt, true),
        (Lack::NotFound, true),
        (Lack::OtherType { of: text() }, true),
        (Lack::NotAssigned { group: text() }, true),
        (Lack::Excluded { group: text() }, true),
        (Lack::InBetaOnly, true),
        (Lack::Forbidden { needs: text() }, true),
        (Lack::Unread { why: text() }, false),
        (Lack::NotAttested { digest }, true),
    ] {
        let unmet = diarchy_core::requirement::Unmet { what: text(), lack };
        let way = unmet.way_on();
        assert_eq!(matches!(way, WayOn::Person(_)), person, "{unmet}");
        // As it is told to machines and back.
        let obstacle = Obstacle::DependencyNotReady {
            unmet: unmet.clone(),
        };
        let told = serde_json::to_value(&obstacle).unwrap();
        assert_eq!(told["unmet"]["lack"], unmet.lack.name());
        assert_eq!(serde_json::from_value::<Obstacle>(told).unwrap(), obstacle);
    }
}

fn document(world: &World, desired: &Desired) -> String {
    let inventory = world.inventory();
    let engine = Engine::new(desired, &inventory, now());
    serde_json::to_string(&PlanDocument::new(&Plan::new(&engine), &engine)).unwrap()
}

#[test]
fn nobody_moves_while_nothing_is_ready_and_everybody_once_it_is() {
    made_up::check(500, Just(()), |world, ()| {
        let desired = requiring(world, &[ring()]);
        let inventory = world.inventory();
        let of = "windowsUpdateForBusinessConfiguration";
        for facts in [Facts::default(), Facts::of(object(of), Found::Missing)] {
            let judged = facts.judge(&desired);
            let plan = Plan::new(&Engine::new(&judged, &inventory, now()));
            if !(plan.changes.is_empty() && plan.hand_overs.is_empty()) {
                return Err(format!("{:?} {:?}", plan.changes, plan.hand_overs));
            }
        }
        let facts = Facts::of(object(of), there(of, &[Target::AllDevices]));
        let ready = document(world, &facts.judge(&desired));
        let without = world.document_text();
        if ready == without {
            return Ok(());
        }
        Err(format!("{ready}\ninstead of\n{without}"))
    });
}
