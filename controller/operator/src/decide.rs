//! What a pass decides, from everything that it goes by: the same again from the same.

use std::collections::BTreeMap;

use diarchy_core::decision::Decision;
use diarchy_core::desired::Desired;
use diarchy_core::due::Due;
use diarchy_core::engine::Engine;
use diarchy_core::inventory::Inventory;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::Survey;
use diarchy_core::steps::steps;
use diarchy_core::workload::Staged;

use crate::context::Decided;
use crate::memory::FleetMemory;
use crate::people::People;
use crate::rollouts::{self, Outlook};
use crate::sight::Sight;
use crate::{hold, write};

/// Everything that a decision is made from, besides the moment, what people have said to what waits,
/// and what is remembered.
pub struct Basis<'a> {
    /// What git asks, and what goes back because git asks for it no more.
    pub desired: &'a Desired,
    /// What is known of the devices.
    pub inventory: &'a Inventory,
    /// What rollouts go by.
    pub outlook: Outlook<'a>,
    /// The uids of the assignments that exist.
    pub uids: &'a BTreeMap<ObjectName, String>,
    /// What was read besides the devices.
    pub sight: &'a Sight,
}

impl<'a> Basis<'a> {
    /// What comes of it, at the moment in which `people` are asked.
    pub fn decide(&self, memory: &mut FleetMemory, people: &mut People<'_>) -> Decided<'a> {
        let (desired, inventory, sight) = (self.desired, self.inventory, self.sight);
        let engine = Engine::new(desired, inventory, people.now);
        let is_outside = |row, workload| {
            let resource = inventory.resource_id(row);
            resource.is_some_and(|resource| {
                sight.rules.is_outside(Staged::Workload(workload), resource)
            })
        };
        let under_way = sight.rules.under_way(desired, inventory, self.uids);
        let site = rollouts::Site {
            rules: &under_way,
            is_outside: &is_outside,
            contradicted: sight.contradicted,
        };
        let decision = rollouts::decide(engine, memory, self.outlook, site, people);
        let judged = (&decision.end, &decision.returning);
        let seen = hold::Seen {
            is_whole: sight.is_whole,
            sizes: sight.sizes,
            under_way: &under_way,
        };
        let acceptance = hold::settle(&decision.engine, judged, seen, memory, people);
        let cleared = decision.cleared_now(&acceptance.cleared);
        let Decision {
            engine,
            survey,
            now: plan,
            ..
        } = decision;
        let steps = steps(&engine, &under_way, &cleared, &plan.hand_overs);
        let wants_to_write = !steps.is_empty() || !acceptance.enrolling.is_empty();
        let hold = hold::hold(&engine, sight, wants_to_write, memory, people);
        Decided {
            plan,
            end_state: Survey::end_state(&engine, &survey.rollouts),
            moves: survey.moves,
            left: write::left(&engine, memory),
            engine,
            acceptance,
            steps,
            sight,
            under_way,
            hold,
        }
    }
}

impl Sight {
    /// What is sent in this pass, if anything may be: no more than the pace allows.
    pub fn due(&self, decided: &Decided<'_>) -> Due {
        let is_claimed = matches!(&self.claim, Ok(Some(_)));
        if !is_claimed || decided.hold.is_some() {
            return Due::default();
        }
        write::due(decided)
    }
}
