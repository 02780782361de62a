//! What the parts of a pass hand to each other.

use std::collections::BTreeMap;

use diarchy_clock::Clock;
use diarchy_core::accept::Acceptance;
use diarchy_core::desired::{AssignmentIndex, Desired};
use diarchy_core::engine::{Admitted, Engine};
use diarchy_core::plan::Plan;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::Moves;
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::steps::Step;
use diarchy_fleet::inventory::Estate;
use diarchy_git::LoadedFleet;
use jiff::Timestamp;

use crate::audit::{Entry, Event};
use crate::hold::Hold;
use crate::record::Recorder;
use crate::rollouts::Outlook;
use crate::sight::Sight;

/// The revision in force.
#[derive(Debug, Clone, Copy)]
pub struct Revision<'a> {
    /// Another one whenever what is asked of the fleet is another: what a person approves counts for it.
    pub key: &'a str,
    /// As people know it.
    pub shown: &'a str,
}

/// Everything that a pass over one fleet needs.
pub struct FleetPass<'a, P> {
    /// The fleet as git has it.
    pub fleet: &'a LoadedFleet,
    /// What git asks, and what goes back because git asks for it no more.
    pub desired: &'a Desired,
    /// The revision in force.
    pub revision: Revision<'a>,
    /// The services.
    pub estate: &'a Estate,
    /// Where what is known is kept.
    pub plane: &'a P,
    /// The id of this installation.
    pub installation: &'a str,
    /// The loop's clock.
    pub clock: &'a Clock,
    /// Whether what waits is approved as it arises.
    pub approve: bool,
    /// Where decisions are written down, if they are.
    pub recorder: Option<&'a Recorder>,
    /// Whether this loop has not looked at the fleet before.
    pub is_first: bool,
    /// What rollouts go by.
    pub outlook: Outlook<'a>,
    /// The uids of the assignments that exist.
    pub uids: &'a BTreeMap<ObjectName, String>,
}

/// What a pass has decided, before anything is written.
pub struct Decided<'a> {
    /// The rules, with rollouts where they are.
    pub engine: Engine<'a>,
    /// What would change with rollouts where they are.
    pub plan: Plan,
    /// Whom the rollouts would have admitted at their ends.
    pub end_state: Admitted,
    /// By assignment, what its rollout may do.
    pub moves: BTreeMap<AssignmentIndex, Moves>,
    /// What may be written and what waits.
    pub acceptance: Acceptance,
    /// The steps to take now.
    pub steps: Vec<Step>,
    /// How many rules the pace allows to change in this pass.
    pub left: usize,
    /// What was read besides the devices.
    pub sight: &'a Sight,
    /// What the site's rules say that its memberships do not show yet.
    pub under_way: RulesUnderWay,
    /// Why none is taken.
    pub hold: Option<Hold>,
}

impl<P> FleetPass<'_, P> {
    /// The name of the fleet, as the audit trail has it.
    pub fn name(&self) -> String {
        self.desired.fleet.to_string()
    }

    /// Something for the audit trail, that happens at `at`.
    pub fn entry(&self, at: Timestamp, event: Event) -> Entry {
        Entry {
            at,
            fleet: self.name(),
            revision: self.revision.shown.to_owned(),
            event,
        }
    }
}
