//! What is drift, and what is not.

use diarchy_core::desired::{Force, FrozenBy};
use diarchy_core::drift::{Drift, DriftEnd, DriftKind, Left, Sight, drift, has_ended};
use diarchy_core::engine::Engine;
use diarchy_core::workload::{Authority, Workload};
use serde_json::json;

use crate::world::plain::{assignment, hold, listed, movable, pilot};
use crate::world::{World, now};
use Authority::{ConfigurationManager, Intune};
use DriftKind::{PutIn, Rejoined, ReportsOtherwise, TakenOut};

const WORKLOAD: Workload = Workload::ClientApps;

/// One device, which git asks for or not, held by these, and reporting Intune or not.
fn world(is_asked: bool, holders: &[&str], reports_intune: bool) -> World {
    let mut device = movable("d0");
    let assignment = assignment("apps", WORKLOAD, "all", Intune);
    let own = assignment.reference();
    let holders: Vec<String> = holders
        .iter()
        .map(|holder| match *holder {
            "own" => own.clone(),
            other => other.to_owned(),
        })
        .collect();
    hold(&mut device, WORKLOAD, &holders);
    let observed = if reports_intune {
        vec![WORKLOAD.name()]
    } else {
        Vec::new()
    };
    device.insert("observed".to_owned(), json!(observed));
    World {
        devices: vec![device],
        groups: vec![listed("all", is_asked.then_some("d0"))],
        policy: Some(pilot(&[WORKLOAD])),
        assignments: vec![assignment],
    }
}

fn found(world: &World, left: Left, sight: Sight) -> Option<(DriftKind, Authority)> {
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, now());
    drift(&engine, (0, WORKLOAD), &left, &sight)
}

/// Left where git wants it: in its collection by a rule, and reporting so.
const SETTLED: Left = Left {
    had_rule: true,
    was_foreign: false,
    reported_intune: true,
    was_touched: false,
    had_other_number: false,
};

/// Seen with its rule, nothing under way.
const IN_PLACE: Sight = Sight {
    has_rule: true,
    is_evidence: true,
    on_its_way: None,
    slider_contradicted: false,
};

const WITHOUT_RULE: Sight = Sight {
    has_rule: false,
    ..IN_PLACE
};

#[test]
fn what_stands_as_it_was_left_does_not_drift() {
    let world = world(true, &["own"], true);
    assert_eq!(found(&world, SETTLED, IN_PLACE), None);
}

#[test]
fn a_rule_that_somebody_deleted_is_drift_before_the_membership_ends_and_after() {
    for holders in [&["own"][..], &[]] {
        let world = world(true, holders, true);
        let drift = found(&world, SETTLED, WITHOUT_RULE);
        assert_eq!(drift, Some((TakenOut, Intune)), "{holders:?}");
    }
}

#[test]
fn a_rule_that_the_loop_deleted_or_never_made_is_no_drift() {
    let gone = world(true, &[], true);
    let touched = Left {
        was_touched: true,
        ..SETTLED
    };
    assert_eq!(found(&gone, touched, WITHOUT_RULE), None);
    let leaving = Sight {
        on_its_way: Some(ConfigurationManager),
        ..WITHOUT_RULE
    };
    assert_eq!(found(&gone, SETTLED, leaving), None);
    // A new commit asks for it: work, and no drift.
    assert_eq!(found(&gone, Left::default(), WITHOUT_RULE), None);
    // Git does not ask for it any more.
    assert_eq!(found(&world(false, &[], true), SETTLED, WITHOUT_RULE), None);
}

#[test]
fn one_that_joined_anew_is_told_from_one_that_was_taken_out() {
    let left = Left {
        had_other_number: true,
        ..SETTLED
    };
    let mut world = world(true, &[], false);
    let anew = Some((Rejoined, Intune));
    assert_eq!(found(&world, left, WITHOUT_RULE), anew);
    // It cannot be moved before it has enrolled again, and drifts all the same.
    world.devices[0]["intune"] = json!({ "enrolled": false });
    assert_eq!(found(&world, left, WITHOUT_RULE), anew);
    // With its rule for the new number nothing is lost.
    assert_eq!(found(&world, left, IN_PLACE), None);
}

#[test]
fn one_that_somebody_put_into_a_collection_drifts_unless_git_asks_for_it() {
    let put_in = Some((PutIn, ConfigurationManager));
    let foreign = world(false, &["foreign"], false);
    assert_eq!(found(&foreign, Left::default(), WITHOUT_RULE), put_in);
    let owned = world(false, &["own"], false);
    assert_eq!(found(&owned, Left::default(), IN_PLACE), put_in);
    for asked in [
        world(true, &["foreign"], false),
        world(true, &["own"], true),
    ] {
        assert_eq!(found(&asked, Left::default(), IN_PLACE), None);
    }
    let known = Left {
        was_foreign: true,
        ..Left::default()
    };
    assert_eq!(found(&foreign, known, WITHOUT_RULE), None);
    let sent = Sight {
        on_its_way: Some(Intune),
        ..IN_PLACE
    };
    assert_eq!(found(&owned, Left::default(), sent), None);
}

#[test]
fn a_report_is_drift_only_where_nothing_explains_it() {
    let world = world(true, &["own"], false);
    let otherwise = Some((ReportsOtherwise, Intune));
    assert_eq!(found(&world, SETTLED, IN_PLACE), otherwise);
    let never = Left {
        reported_intune: false,
        ..SETTLED
    };
    assert_eq!(found(&world, never, IN_PLACE), None, "it never arrived");
    for sight in [
        Sight {
            slider_contradicted: true,
            ..IN_PLACE
        },
        Sight {
            is_evidence: false,
            ..IN_PLACE
        },
        Sight {
            on_its_way: Some(Intune),
            ..IN_PLACE
        },
    ] {
        assert_eq!(found(&world, SETTLED, sight), None, "{sight:?}");
    }
    let mut first = world.clone();
    first.devices[0]["enrolledFirst"] = json!(true);
    assert_eq!(found(&first, SETTLED, IN_PLACE), None, "a known exception");
}

#[test]
fn what_is_not_known_does_not_drift() {
    let mut world = world(true, &[], false);
    world.devices[0].insert("assignedUnread".to_owned(), json!([WORKLOAD]));
    assert_eq!(found(&world, SETTLED, WITHOUT_RULE), None);
}

#[test]
fn a_frozen_assignment_is_told_of_a_hand_edit_too() {
    let world = world(true, &["own"], true);
    let (mut desired, inventory) = (world.desired(), world.inventory());
    desired.assignments[0].force = Force::Frozen(FrozenBy::Pause);
    let engine = Engine::new(&desired, &inventory, now());
    let found = drift(&engine, (0, WORKLOAD), &SETTLED, &WITHOUT_RULE);
    assert_eq!(found, Some((TakenOut, Intune)));
}

fn ended(world: &World, kind: DriftKind, sight: Sight) -> Option<DriftEnd> {
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, now());
    let wanted = if kind == PutIn {
        ConfigurationManager
    } else {
        Intune
    };
    let drift = Drift {
        kind,
        wanted,
        since: now(),
    };
    has_ended(&engine, (0, WORKLOAD), &drift, &sight)
}

#[test]
fn it_ends_when_it_is_back_and_says_by_whom() {
    let gone = world(true, &[], false);
    let back = world(true, &["own"], true);
    for kind in [TakenOut, Rejoined] {
        assert_eq!(ended(&gone, kind, WITHOUT_RULE), None);
        assert_eq!(ended(&back, kind, IN_PLACE), Some(DriftEnd::Undone));
        let ours = Sight {
            on_its_way: Some(Intune),
            ..IN_PLACE
        };
        assert_eq!(ended(&back, kind, ours), Some(DriftEnd::Corrected));
        let unasked = world(false, &[], false);
        assert_eq!(ended(&unasked, kind, WITHOUT_RULE), Some(DriftEnd::Agreed));
    }
    let put_in = world(false, &["own"], false);
    assert_eq!(ended(&put_in, PutIn, IN_PLACE), None);
    let out = world(false, &[], false);
    assert_eq!(ended(&out, PutIn, WITHOUT_RULE), Some(DriftEnd::Undone));
    assert_eq!(ended(&back, PutIn, IN_PLACE), Some(DriftEnd::Agreed));
    let otherwise = world(true, &["own"], false);
    assert_eq!(ended(&otherwise, ReportsOtherwise, IN_PLACE), None);
    let slider = Sight {
        slider_contradicted: true,
        ..IN_PLACE
    };
    assert_eq!(
        ended(&otherwise, ReportsOtherwise, slider),
        Some(DriftEnd::SliderMoved)
    );
    assert_eq!(
        ended(&back, ReportsOtherwise, IN_PLACE),
        Some(DriftEnd::Undone)
    );
}
