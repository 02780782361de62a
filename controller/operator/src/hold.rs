//! What keeps a pass from writing, and what waits for a person.

use std::collections::BTreeSet;
use std::fmt;

use diarchy_core::accept::{self, Acceptance, ApprovedChange, Basis, Waiting as WaitingChanges};
use diarchy_core::desired::Mode;
use diarchy_core::engine::Engine;
use diarchy_core::plan::{Change, Plan};
use diarchy_core::rules::RulesUnderWay;
use diarchy_fleet::site::state::Claim;
use jiff::Timestamp;

use crate::memory::{FleetMemory, Sizes, Waiting, WaitingFor};
use crate::people::People;
use crate::sight::Sight;

/// Why a pass writes nothing; the first that applies.
#[derive(Debug, Clone, PartialEq)]
pub enum Hold {
    /// `suspend: true` on the fleet.
    Suspended,
    /// `mode: Observe` on the fleet.
    Observing,
    /// A freeze is open.
    Frozen {
        /// Its name.
        name: String,
        /// When it ends.
        until: Timestamp,
    },
    /// What the site's collections say could not be read.
    SiteUnread(String),
    /// An inventory lost more devices than it may, and nobody has approved that.
    Shrunk {
        /// What was believed last.
        before: Sizes,
        /// What was read now.
        now: Sizes,
    },
    /// Another installation holds the fleet.
    HeldBy(String),
    /// Nobody holds the fleet yet: this installation has to claim it first.
    Unclaimed {
        /// The epoch to claim.
        epoch: u64,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspended => f.write_str("the fleet is suspended"),
            Self::Observing => f.write_str("the fleet is only observed"),
            Self::Frozen { name, until } => write!(f, "freeze `{name}` lasts until {until}"),
            Self::SiteUnread(error) => {
                write!(f, "the site's collections could not be read: {error}")
            }
            Self::Shrunk { before, now } => write!(
                f,
                "an inventory lost more devices than maxInventoryShrink allows: the site went from {} to {}, Intune from {} to {}",
                before.site, now.site, before.intune, now.intune
            ),
            Self::HeldBy(installation) => {
                write!(f, "installation {installation} holds the fleet")
            }
            Self::Unclaimed { .. } => f.write_str("the fleet is claimed first"),
        }
    }
}

impl Hold {
    /// What git itself keeps from being written.
    pub fn by_git(engine: &Engine<'_>) -> Option<Self> {
        let desired = engine.desired();
        if desired.suspend {
            return Some(Self::Suspended);
        }
        if desired.mode == Mode::Observe {
            return Some(Self::Observing);
        }
        let freeze = desired.guardrails.open_freeze(engine.now())?;
        Some(Self::Frozen {
            name: freeze.name.clone(),
            until: freeze.to,
        })
    }
}

/// What was read of the estate, as far as acceptance goes by it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Whether everything that was asked for was read, and both services know devices.
    pub is_whole: bool,
    /// How many devices each service has told, where both have told all.
    pub sizes: Option<Sizes>,
    /// Rules at the site that its memberships do not show yet.
    pub under_way: &'a RulesUnderWay,
}

/// Which changes of the end state may be written, with the approvals that people have given: the plan
/// for it, and what of it nobody is asked about.
pub fn settle(
    engine: &Engine<'_>,
    decision: (&Plan, &BTreeSet<Change>),
    seen: Seen<'_>,
    memory: &mut FleetMemory,
    people: &mut People<'_>,
) -> Acceptance {
    let (end, agreed) = decision;
    memory.forget_approvals(people.revision.key, engine.now());
    people.answer(memory);
    // Of an inventory that lost devices, nobody knows what they would have changed. Once they are back,
    // they are believed before anything is asked: a shrunk inventory would keep that from being asked.
    let is_whole = seen.is_whole && shrink(engine, seen.sizes, memory).is_none();
    let judge = |memory: &FleetMemory, revision: &str| {
        let basis = Basis {
            revision,
            before: memory.accepted.as_ref(),
            approvals: &memory.approved,
            is_whole,
            agreed,
            under_way: seen.under_way,
        };
        accept::accept(engine, end, basis)
    };
    let mut acceptance = judge(memory, people.revision.key);
    if let Some(waiting) = &acceptance.waiting {
        // What keeps every write back is to be approved first.
        let is_stopped = memory.waiting.as_ref();
        if !is_stopped.is_some_and(Waiting::stops_everything) {
            let waiting = waiting_changes(engine, people.revision.key, waiting, engine.now());
            people.ask(memory, waiting);
        }
        if people.say_yes_unasked(memory) {
            acceptance = judge(memory, people.revision.key);
        }
    } else {
        memory.stop_waiting(|what| matches!(what, WaitingFor::Changes { .. }));
    }
    memory.accepted.clone_from(&acceptance.accepted);
    acceptance
}

/// Why nothing may be written, and what a person would have to approve for that to end.
pub fn hold(
    engine: &Engine<'_>,
    sight: &Sight,
    wants_to_write: bool,
    memory: &mut FleetMemory,
    people: &mut People<'_>,
) -> Option<Hold> {
    let shrunk = shrink(engine, sight.sizes, memory);
    if let Some(Hold::Shrunk { before, now }) = shrunk {
        let lines = [before.site, now.site, before.intune, now.intune].map(|n| n.to_string());
        people.ask_for(memory, "shrink", &lines, WaitingFor::Shrink { before, now });
        if !people.say_yes_unasked(memory) {
            return shrunk;
        }
    }
    if let Some(hold) = Hold::by_git(engine) {
        return Some(hold);
    }
    match &sight.claim {
        // Nothing is written before there is something that a person has allowed, a claim neither.
        Ok(in_force) => claim(in_force.as_ref(), wants_to_write, memory, people),
        Err(why) => Some(Hold::SiteUnread(why.clone())),
    }
}

/// Whether either inventory lost more than it may; if not, what was read is believed from now on.
pub fn shrink(engine: &Engine<'_>, sizes: Option<Sizes>, memory: &mut FleetMemory) -> Option<Hold> {
    let now = sizes?;
    let Some(before) = memory.sizes else {
        memory.sizes = Some(now);
        return None;
    };
    let most = &engine.desired().guardrails.max_inventory_shrink;
    let stricter = memory
        .accepted
        .as_ref()
        .map(|accepted| &accepted.guardrails);
    let lost_too_many = |before: usize, now: usize| {
        let limit = stricter.map_or(*most, |accepted| {
            most.stricter(accepted.max_inventory_shrink, before)
        });
        before.saturating_sub(now) > limit.round_up(before)
    };
    if lost_too_many(before.site, now.site) || lost_too_many(before.intune, now.intune) {
        return Some(Hold::Shrunk { before, now });
    }
    memory.sizes = Some(now);
    memory.stop_waiting(|what| matches!(what, WaitingFor::Shrink { .. }));
    None
}

/// One installation at a time writes to a fleet.
fn claim(
    in_force: Option<&Claim>,
    wants_to_write: bool,
    memory: &mut FleetMemory,
    people: &mut People<'_>,
) -> Option<Hold> {
    let own = people.installation;
    match in_force {
        Some(claim) if claim.installation == own => {
            memory.epoch = Some(claim.epoch);
            memory.stop_waiting(|what| matches!(what, WaitingFor::Claim { .. }));
            None
        }
        Some(claim) => {
            let epoch = claim.epoch + 1;
            if memory.take_over == Some(epoch) {
                return Some(Hold::Unclaimed { epoch });
            }
            let what = WaitingFor::Claim {
                holder: claim.installation.clone(),
                epoch,
            };
            people.ask_for(memory, "claim", &[epoch.to_string(), own.to_owned()], what);
            if people.say_yes_unasked(memory) {
                return Some(Hold::Unclaimed { epoch });
            }
            Some(Hold::HeldBy(claim.installation.clone()))
        }
        None => wants_to_write.then(|| Hold::Unclaimed {
            epoch: memory.epoch.unwrap_or(0) + 1,
        }),
    }
}

fn waiting_changes(
    engine: &Engine<'_>,
    revision: &str,
    waiting: &WaitingChanges,
    since: Timestamp,
) -> Waiting {
    let approvable = |change: &Change| ApprovedChange {
        device: engine.inventory().first_id(change.row).to_owned(),
        workload: change.workload,
        to: change.to,
    };
    Waiting {
        digest: waiting.digest,
        revision: revision.to_owned(),
        since,
        what: WaitingFor::Changes {
            reason: waiting.reason,
            changes: waiting.changes.iter().map(approvable).collect(),
            enrolling: waiting
                .enrolling
                .iter()
                .map(|row| engine.inventory().first_id(*row).to_owned())
                .collect(),
        },
    }
}
