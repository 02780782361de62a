//! How far a fleet is: every device that can be moved is counted once, and for what it is.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::convergence::{Missing, UnderWay, WorkloadConvergence, converge};
use diarchy_core::engine::{Engine, Verdict};
use diarchy_core::plan::Plan;
use diarchy_core::workload::{Authority, Slider, Workload};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::world::plain::{assignment, hold, holders, listed, movable, pilot};
use crate::world::{Device, World, made_up, now};

/// What is made up beside a world: one number a device, its bits what it reports and how it stands.
type Bits = Vec<u32>;

fn bit(bits: &Bits, row: usize, at: usize) -> bool {
    bits[row % bits.len()] >> (at % 32) & 1 == 1
}

/// The world whose devices are online or not, and report something or nothing.
fn reporting(world: &World, bits: &Bits) -> World {
    let mut world = world.clone();
    for (row, device) in world.devices.iter_mut().enumerate() {
        match (bit(bits, row, 0), bit(bits, row, 1)) {
            (true, _) => drop(device.insert("online".to_owned(), json!(true))),
            (false, true) => drop(device.insert("online".to_owned(), json!(false))),
            (false, false) => {}
        }
        if bit(bits, row, 2) || bit(bits, row, 3) {
            let observed: Vec<Workload> = Workload::ALL
                .into_iter()
                .filter(|workload| bit(bits, row, 4 + workload.index()))
                .collect();
            device.insert("observed".to_owned(), json!(observed));
        }
    }
    world
}

/// What the device itself reports of `workload`; `None` if nothing.
fn report(device: &Device, workload: Workload) -> Option<Authority> {
    let observed = device.get("observed")?.as_array().unwrap();
    Some(if observed.contains(&json!(workload)) {
        Authority::Intune
    } else {
        Authority::ConfigurationManager
    })
}

/// What becomes of one device, told case by case; `Ok` is where it should be.
fn reckon(
    engine: &Engine<'_>,
    device: &Device,
    workload: Workload,
    under_way: &UnderWay<'_>,
) -> Option<Result<(), Option<Missing>>> {
    let row = engine
        .inventory()
        .row_of(device["id"].as_str().unwrap())
        .unwrap();
    let says = |authority: Authority| report(device, workload).is_none_or(|said| said == authority);
    let or = |there: bool, reason| Some(if there { Ok(()) } else { Err(Some(reason)) });
    let is_evidence = (under_way.is_evidence)(row, workload);
    match engine.verdict(row, workload) {
        Verdict::Unmanaged | Verdict::Blocked { .. } => None,
        Verdict::Settled(authority) => or(says(authority), Missing::SliderElsewhere),
        Verdict::Change { .. } => {
            let waits = under_way.waiting.contains(&(row, workload));
            let sent = (under_way.is_sent)(row, workload);
            match (waits, (under_way.is_outside)(row, workload), sent) {
                (true, ..) => or(false, Missing::AwaitingApproval),
                (false, true, _) => Some(Err(None)),
                (false, false, true) => or(false, Missing::Pending),
                (false, false, false) => or(false, Missing::NotSent),
            }
        }
        Verdict::HandOver { .. } => {
            or(is_evidence && says(Authority::Intune), Missing::NotReported)
        }
        Verdict::Kept(_) => {
            let is_read = !device
                .get("assignedUnread")
                .is_some_and(|list| list.as_array().unwrap().contains(&json!(workload)));
            let at_intune = is_read && !holders(device, workload).is_empty();
            let should = if at_intune {
                Authority::Intune
            } else {
                Authority::ConfigurationManager
            };
            or(is_evidence && says(should), Missing::NotReported)
        }
    }
}

/// The counts, one device after the other, and how many are there without being online.
fn count(
    engine: &Engine<'_>,
    world: &World,
    workload: Workload,
    under_way: &UnderWay<'_>,
) -> (WorkloadConvergence, usize) {
    let mut counts = WorkloadConvergence::default();
    let mut silent = 0;
    let mut devices: Vec<&Device> = world.devices.iter().collect();
    devices.sort_by_key(|device| device["id"].as_str().unwrap());
    for device in devices {
        let id = device["id"].as_str().unwrap();
        let row = engine.inventory().row_of(id).unwrap();
        if engine.eligibility().judge(row).is_some() {
            continue;
        }
        let is_online = device.get("online") == Some(&json!(true));
        match reckon(engine, device, workload, under_way) {
            None => counts.blocked += 1,
            Some(Err(None)) => counts.outside_limiting_collection += 1,
            Some(Ok(())) if is_online => {
                counts.online += 1;
                counts.converged += 1;
            }
            Some(Ok(())) => silent += 1,
            Some(Err(Some(_))) if !is_online => counts.offline += 1,
            Some(Err(Some(reason))) => {
                counts.online += 1;
                *counts.missing.entry(reason).or_default() += 1;
                counts.examples.push((id.to_owned(), reason));
            }
        }
    }
    counts.examples.truncate(20);
    (counts, silent)
}

#[test]
fn every_device_that_can_be_moved_is_counted_once() {
    made_up::check(2_000, vec(any::<u32>(), 12), |world, bits| {
        let world = reporting(world, bits);
        let (desired, inventory) = (world.desired(), world.inventory());
        let engine = Engine::new(&desired, &inventory, now());
        let plan = Plan::new(&engine);
        let waiting: BTreeSet<(usize, Workload)> = plan
            .changes
            .iter()
            .filter(|change| bit(bits, change.row, 11))
            .map(|change| (change.row, change.workload))
            .collect();
        let by_bit = |offset: usize| {
            move |row: usize, workload: Workload| bit(bits, row, offset + workload.index())
        };
        let (is_sent, is_outside, is_evidence) = (by_bit(12), by_bit(18), by_bit(25));
        let under_way = UnderWay {
            waiting: &waiting,
            is_sent: &is_sent,
            is_outside: &is_outside,
            is_evidence: &is_evidence,
        };
        let all = converge(&engine, &under_way);
        for workload in Workload::ASSIGNABLE {
            let Some(counts) = all.get(&workload) else {
                if desired.slider(workload).is_some() {
                    return Err(format!("{workload} is not counted"));
                }
                continue;
            };
            let (expected, silent) = count(&engine, &world, workload, &under_way);
            let missing: usize = counts.missing.values().sum();
            let parts = counts.converged
                + missing
                + counts.offline
                + counts.blocked
                + counts.outside_limiting_collection
                + silent;
            if *counts != expected
                || parts != engine.eligibility().count()
                || counts.online != counts.converged + missing
                || counts.is_converged() != (missing == 0)
            {
                return Err(format!(
                    "{workload}: {counts:#?}, but device by device {expected:#?} and {silent} silent, of {}",
                    engine.eligibility().count()
                ));
            }
        }
        Ok(())
    });
}

/// Thirty devices, the odd ones in the collection of the assignment that all of them belong to.
fn thirty() -> World {
    let apps = assignment("apps", Workload::ClientApps, "all", Authority::Intune);
    let mut world = World {
        devices: (0..30).map(|at| movable(&format!("d{at:02}"))).collect(),
        groups: vec![listed("all", (0..30).map(|at| format!("d{at:02}")))],
        policy: Some(pilot(&[Workload::ClientApps])),
        assignments: vec![apps],
    };
    let holder = [world.assignments[0].reference()];
    for device in world.devices.iter_mut().skip(1).step_by(2) {
        hold(device, Workload::ClientApps, &holder);
        device.insert("observed".to_owned(), json!([Workload::ClientApps]));
    }
    world
}

fn converged(world: &World, is_evidence: bool) -> BTreeMap<Workload, WorkloadConvergence> {
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, now());
    converge(
        &engine,
        &UnderWay {
            waiting: &BTreeSet::new(),
            is_sent: &|_, _| false,
            is_outside: &|_, _| false,
            is_evidence: &|_, _| is_evidence,
        },
    )
}

#[test]
fn a_report_that_precedes_the_move_proves_nothing() {
    let counts = &converged(&thirty(), true)[&Workload::ClientApps];
    assert_eq!((counts.online, counts.converged), (30, 15));
    assert_eq!(counts.missing, BTreeMap::from([(Missing::NotSent, 15)]));
    let counts = &converged(&thirty(), false)[&Workload::ClientApps];
    assert_eq!((counts.online, counts.converged), (30, 0));
    assert_eq!(counts.missing[&Missing::NotReported], 15);
    assert_eq!(counts.examples.len(), 20);
}

#[test]
fn devices_that_are_offline_are_never_waited_for() {
    let mut world = thirty();
    for device in world.devices.iter_mut().step_by(2) {
        device.insert("online".to_owned(), json!(false));
    }
    let counts = &converged(&world, true)[&Workload::ClientApps];
    assert!(counts.is_converged());
    assert_eq!((counts.online, counts.offline), (15, 15));
}

#[test]
fn a_slider_that_stands_elsewhere_is_shown_by_those_that_report_otherwise() {
    let mut world = thirty();
    let mut policy = pilot(&[]);
    policy.sliders[Workload::ClientApps.index()] = Some(Slider::Intune);
    world.policy = Some(policy);
    for device in world.devices.iter_mut().step_by(2) {
        device.insert("observed".to_owned(), json!([]));
    }
    let counts = &converged(&world, true)[&Workload::ClientApps];
    assert_eq!(counts.converged, 15);
    assert_eq!(
        counts.missing,
        BTreeMap::from([(Missing::SliderElsewhere, 15)])
    );
}
