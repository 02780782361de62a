//! A second opinion: the rules of authority, written down as they are told, device by device and
//! workload by workload, with no thought for speed.
//!
//! It shares with the engine the words for workloads, authorities, sliders and operators, and
//! nothing else: it reads devices as the lines of an inventory file, and resources as records.

#![allow(
    dead_code,
    reason = "several test programs share this module, and not all of them make plans"
)]

pub mod eligibility;
mod enrollment;
pub mod membership;
mod verdict;

use diarchy_core::workload::{Authority, Workload};
use serde_json::{Value, json};

use self::eligibility::obstacle;
use self::verdict::{Case, FOREIGN, Verdict, is_pilot};
use crate::world::{Device, World};

/// The plan for `world`, as `plan -o json` would print it, but for digest and guardrails.
pub fn plan(world: &World) -> Value {
    let mut devices: Vec<&Device> = world.devices.iter().collect();
    devices.sort_by_key(|device| id(device).as_bytes());
    let eligible = devices
        .iter()
        .filter(|device| obstacle(world, device).is_none())
        .count();
    let enrollment = enrollment::plan(world, &devices);
    let mut sum = Sum::default();
    for device in devices {
        for workload in Workload::ALL {
            if is_pilot(world, workload) {
                sum.add(Case {
                    world,
                    device,
                    workload,
                });
            }
        }
    }
    json!({
        "counts": {
            "devices": world.devices.len(),
            "eligible": eligible,
            "changes": sum.changes.len(),
            "joining": sum.joining,
            "leaving": sum.leaving,
            "handedOver": sum.handed_over,
            "blocked": sum.blocked.len(),
            "held": sum.held,
        },
        "changes": sum.changes,
        "blocked": sum.blocked,
        "enrollment": enrollment,
        "retained": sum.retained,
        "foreign": sum.foreign,
    })
}

/// What a plan says, in the order in which it is found.
#[derive(Default)]
struct Sum {
    changes: Vec<Value>,
    blocked: Vec<Value>,
    joining: usize,
    leaving: usize,
    handed_over: usize,
    held: usize,
    retained: usize,
    foreign: usize,
}

impl Sum {
    fn add(&mut self, case: Case<'_>) {
        let (device, workload) = (id(case.device), case.workload);
        let verdict = case.verdict();
        match &verdict {
            Verdict::Stays => {}
            Verdict::HandedOver => self.handed_over += 1,
            Verdict::Moves { to, because } => {
                match to {
                    Authority::Intune => self.joining += 1,
                    Authority::ConfigurationManager => self.leaving += 1,
                }
                self.changes.push(json!({
                    "device": device,
                    "workload": workload,
                    "from": to.other(),
                    "to": to,
                    "because": because,
                }));
            }
            Verdict::Blocked { reason, because } => {
                if *reason == "Held" {
                    self.held += 1;
                }
                self.blocked.push(json!({
                    "device": device,
                    "workload": workload,
                    "reason": reason,
                    "because": because,
                }));
            }
        }
        let holders = case.holders().unwrap_or_default();
        let goes_on = matches!(verdict, Verdict::Moves { .. } | Verdict::HandedOver);
        if !goes_on && holders.iter().any(|holder| case.is_retained(holder)) {
            self.retained += 1;
        }
        if holders.iter().any(|holder| holder == FOREIGN) {
            self.foreign += 1;
        }
    }
}

fn id(device: &Device) -> &str {
    device["id"].as_str().unwrap()
}
