//! What is remembered of a fleet, cut into parts that each stay small.
//!
//! A cluster keeps no object larger than a megabyte or so, and a fleet of 100,000 devices is
//! remembered with more. What is about single devices is dealt out by a hash of the device, so that
//! one device's change rewrites one part. The first part has all the rest.

use std::collections::BTreeMap;

use diarchy_core::digest::Digest;
use serde_json::{Map, Value};

use crate::memory::FleetMemory;

/// Where memory grows with the fleet: maps by device, and lists and maps of devices.
const DEALT: [&str; 15] = [
    "/identities/by_id",
    "/identities/by_serial",
    "/identities/by_client",
    "/identities/bearer",
    "/accepted/intune",
    "/accepted/known",
    "/accepted/enrolled",
    "/stands/stands",
    "/stands/touched",
    "/drifts",
    "/history/devices",
    "/writes",
    "/waiting/what/Changes/changes",
    "/waiting/what/Changes/enrolling",
    "/accepted/unasked",
];

/// Lists and maps of which each element has parts that grow with the fleet: those parts are dealt out.
const DEALT_OF_EACH: [(&str, [&str; 2]); 2] = [
    ("/approved", ["changes", "enrolling"]),
    ("/rollouts", ["admitted", "courses"]),
];

/// A part that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a part of what is remembered cannot be read: {0}")]
pub struct BrokenPart(pub String);

/// Cuts memory into `parts`, at least one. The same memory gives the same parts.
///
/// # Errors
///
/// [`BrokenPart`] for memory that has no form in JSON, which a test shows not to exist.
pub fn deal(memory: &FleetMemory, parts: usize) -> Result<Vec<Vec<u8>>, BrokenPart> {
    let mut rest = serde_json::to_value(memory).map_err(|error| BrokenPart(error.to_string()))?;
    let mut dealt: Vec<BTreeMap<String, Value>> = vec![BTreeMap::new(); parts.max(1)];
    for pointer in pointers(&rest) {
        let Some(whole) = rest.pointer_mut(&pointer) else {
            continue;
        };
        let count = dealt.len();
        for (part, piece) in pieces(whole, count) {
            dealt[part].insert(pointer.clone(), piece);
        }
    }
    dealt[0].insert(String::new(), rest);
    dealt
        .iter()
        .map(|part| {
            let json = serde_json::to_vec(&ordered(part))
                .map_err(|error| BrokenPart(error.to_string()))?;
            zstd::encode_all(json.as_slice(), 0).map_err(|error| BrokenPart(error.to_string()))
        })
        .collect()
}

/// Puts parts together again, in any order.
///
/// # Errors
///
/// [`BrokenPart`] for parts that are not what [`deal`] made, or not all of them.
pub fn gather(parts: &[Vec<u8>]) -> Result<FleetMemory, BrokenPart> {
    let broken = |error: &dyn std::error::Error| BrokenPart(error.to_string());
    let mut whole = None;
    let mut dealt: Vec<(String, Value)> = Vec::new();
    for part in parts {
        let json = zstd::decode_all(part.as_slice()).map_err(|error| broken(&error))?;
        let part: BTreeMap<String, Value> =
            serde_json::from_slice(&json).map_err(|error| broken(&error))?;
        for (pointer, piece) in part {
            if pointer.is_empty() {
                whole = Some(piece);
            } else {
                dealt.push((pointer, piece));
            }
        }
    }
    let mut whole = whole.ok_or_else(|| BrokenPart("the first part is missing".to_owned()))?;
    for (pointer, piece) in dealt {
        let place = whole
            .pointer_mut(&pointer)
            .ok_or_else(|| BrokenPart(format!("there is no place for {pointer}")))?;
        match (place, piece) {
            (Value::Object(place), Value::Object(piece)) => place.extend(piece),
            (Value::Array(place), Value::Array(mut piece)) => place.append(&mut piece),
            _ => return Err(BrokenPart(format!("{pointer} is of another kind"))),
        }
    }
    serde_json::from_value(whole).map_err(|error| broken(&error))
}

/// Everything in `memory` that is dealt out.
fn pointers(memory: &Value) -> Vec<String> {
    let of_each = DEALT_OF_EACH.iter().flat_map(|(all, fields)| {
        let keys = memory.pointer(all).map(keys).unwrap_or_default();
        keys.into_iter().flat_map(move |key| {
            fields
                .iter()
                .map(move |field| format!("{all}/{key}/{field}"))
        })
    });
    DEALT
        .iter()
        .map(ToString::to_string)
        .chain(of_each)
        .collect()
}

/// What the elements of a list or a map are called in a pointer.
fn keys(all: &Value) -> Vec<String> {
    match all {
        Value::Array(list) => (0..list.len()).map(|at| at.to_string()).collect(),
        Value::Object(map) => map
            .keys()
            .map(|key| key.replace('~', "~0").replace('/', "~1"))
            .collect(),
        _ => Vec::new(),
    }
}

/// What of `whole` goes into which part; `whole` is empty afterwards.
fn pieces(whole: &mut Value, parts: usize) -> BTreeMap<usize, Value> {
    let mut pieces: BTreeMap<usize, Value> = BTreeMap::new();
    match whole {
        Value::Object(map) => {
            for (key, value) in std::mem::take(map) {
                let piece = pieces
                    .entry(part_of(&key, parts))
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(piece) = piece {
                    piece.insert(key, value);
                }
            }
        }
        Value::Array(list) => {
            for value in std::mem::take(list) {
                let device = value.get("device").unwrap_or(&value);
                let part = part_of(device.as_str().unwrap_or_default(), parts);
                let piece = pieces
                    .entry(part)
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(piece) = piece {
                    piece.push(value);
                }
            }
        }
        // Nothing is remembered there.
        _ => {}
    }
    pieces
}

fn part_of(key: &str, parts: usize) -> usize {
    let lot = Digest::of_lines([key]).lot();
    usize::try_from(lot % parts as u64).unwrap_or_default()
}

/// The same with the keys of every map in order, whatever order the JSON library keeps.
fn ordered(part: &BTreeMap<String, Value>) -> BTreeMap<&String, Ordered<'_>> {
    part.iter()
        .map(|(key, value)| (key, Ordered::from(value)))
        .collect()
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Ordered<'a> {
    Scalar(&'a Value),
    List(Vec<Ordered<'a>>),
    Map(BTreeMap<&'a String, Ordered<'a>>),
}

impl<'a> From<&'a Value> for Ordered<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Array(list) => Self::List(list.iter().map(Self::from).collect()),
            Value::Object(map) => Self::Map(
                map.iter()
                    .map(|(key, value)| (key, Self::from(value)))
                    .collect(),
            ),
            scalar => Self::Scalar(scalar),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use diarchy_core::accept::{Accepted, Approved, ApprovedChange, Unasked, WaitReason};
    use diarchy_core::identity::Identities;
    use diarchy_core::inventory::Device;
    use diarchy_core::rollout::{Course, Health, Heeded, Progress};
    use diarchy_core::workload::{Authority, Workload, WorkloadSet};
    use jiff::Timestamp;

    use super::*;
    use crate::memory::{LastWrite, Waiting, WaitingFor};

    fn now() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    /// What is remembered of so many devices in the middle of everything.
    fn busy(devices: usize) -> FleetMemory {
        let id = |at: usize| format!("{:032x}", at * 7919);
        let mut identities = Identities::default();
        let mut all: Vec<Device> = (0..devices)
            .map(|at| Device {
                id: id(at),
                serial_number: diarchy_core::fact::Fact::Known(format!("S{at}")),
                ..Device::default()
            })
            .collect();
        identities.carry(&mut all);
        let ids = || (0..devices).map(id);
        let mut memory = FleetMemory {
            epoch: Some(3),
            identities,
            ..FleetMemory::default()
        };
        let mut progress = Progress::new(
            Digest::of_lines(["a spec"]),
            Authority::Intune,
            now(),
            Heeded::new(),
        );
        progress.admitted = ids().collect();
        progress.courses = ids()
            .map(|id| (id, Course::new(Health::default())))
            .collect();
        memory
            .rollouts
            .insert("contoso/up~dates".to_owned(), progress);
        memory.accepted = Some(Accepted {
            intune: ids()
                .map(|id| (id, WorkloadSet::from_iter([Workload::ClientApps])))
                .collect(),
            known: ids()
                .map(|id| (id, WorkloadSet::from_iter([Workload::ClientApps])))
                .collect(),
            enrolled: ids().collect(),
            unasked: ids()
                .map(|device| Unasked {
                    at: now(),
                    device,
                    to: Authority::Intune,
                })
                .collect(),
            ..Accepted::default()
        });
        for id in ids() {
            let write = LastWrite {
                at: now(),
                to: Authority::Intune,
                notified: false,
            };
            memory.wrote(&id, Workload::ClientApps, write);
        }
        let changes = || {
            ids().map(|device| ApprovedChange {
                device,
                workload: Workload::ClientApps,
                to: Authority::Intune,
            })
        };
        memory.approved = (0..2)
            .map(|_| Approved {
                changes: changes().collect(),
                enrolling: ids().collect(),
                revision: "main@sha1:0".to_owned(),
                expires: now(),
            })
            .collect();
        memory.waiting = Some(Waiting {
            digest: Digest::of_lines(["x"]),
            revision: "main@sha1:0".to_owned(),
            since: now(),
            what: WaitingFor::Changes {
                reason: WaitReason::NoBaseline,
                changes: changes().collect(),
                enrolling: ids().collect::<BTreeSet<_>>(),
            },
        });
        memory
    }

    /// A list is remembered for what it has, not for its order.
    fn sorted(mut memory: FleetMemory) -> FleetMemory {
        if let Some(accepted) = &mut memory.accepted {
            accepted.unasked.sort_by(|a, b| a.device.cmp(&b.device));
        }
        memory
    }

    #[test]
    fn what_is_dealt_out_is_gathered_again() {
        for memory in [FleetMemory::default(), busy(1), busy(500)] {
            for parts in [1, 2, 7] {
                let mut dealt = deal(&memory, parts).unwrap();
                assert_eq!(dealt.len(), parts);
                assert_eq!(dealt, deal(&memory, parts).unwrap());
                dealt.reverse();
                assert_eq!(sorted(gather(&dealt).unwrap()), sorted(memory.clone()));
            }
        }
    }

    #[test]
    fn parts_shrink_as_there_are_more_of_them() {
        let memory = busy(2_000);
        let largest = |parts| {
            let dealt = deal(&memory, parts).unwrap();
            dealt.iter().map(Vec::len).max().unwrap()
        };
        assert!(largest(8) * 5 < largest(1), "{} {}", largest(8), largest(1));
    }

    #[test]
    fn one_device_changes_one_part_besides_the_first() {
        let memory = busy(300);
        let mut changed = memory.clone();
        let device = changed.writes.keys().next().unwrap().clone();
        changed.arrived(&device, Workload::ClientApps);
        let (before, after) = (deal(&memory, 16).unwrap(), deal(&changed, 16).unwrap());
        let differ = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert_eq!(differ, 1);
    }

    #[test]
    fn a_part_that_is_missing_or_broken_is_told() {
        let dealt = deal(&busy(10), 3).unwrap();
        assert!(gather(&dealt[1..]).is_err());
        assert!(gather(&[]).is_err());
        assert!(gather(&[b"not zstd".to_vec()]).is_err());
    }
}
