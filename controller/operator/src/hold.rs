//! What keeps a pass from writing, and what waits for a person.

use std::fmt;

use diarchy_core::accept::{self, Acceptance, ApprovedChange, Basis, Waiting as WaitingChanges};
use diarchy_core::desired::Mode;
use diarchy_core::digest::Digest;
use diarchy_core::engine::Engine;
use diarchy_core::plan::{Change, Plan};
use diarchy_fleet::EstateError;
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::site::state::Claim;
use jiff::Timestamp;

use crate::audit::{Entry, Event};
use crate::context::FleetPass;
use crate::error::OperatorError;
use crate::memory::{FleetMemory, Sizes, Waiting, WaitingFor};
use crate::store::GivenApproval;

/// Who approves when `up` was told to approve by itself.
pub const BY_OPTION: &str = "--approve";

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
    SiteUnread(EstateError),
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

/// Which changes may be written, with the approvals that people have given. `is_whole`: see
/// [`Basis::is_whole`].
pub fn settle(
    pass: &FleetPass<'_>,
    engine: &Engine<'_>,
    plan: &Plan,
    is_whole: bool,
    memory: &mut FleetMemory,
) -> Result<Acceptance, OperatorError> {
    let now = engine.now();
    memory.forget_approvals(pass.revision, now);
    take_approval(pass, memory, now)?;
    let judge = |memory: &FleetMemory| {
        let basis = Basis {
            revision: pass.revision,
            before: memory.accepted.as_ref(),
            approvals: &memory.approved,
            is_whole,
        };
        accept::accept(engine, plan, basis)
    };
    let mut acceptance = judge(memory);
    if let Some(waiting) = &acceptance.waiting {
        // What keeps every write back is to be approved first.
        if !memory
            .waiting
            .as_ref()
            .is_some_and(Waiting::stops_everything)
        {
            let waiting = waiting_changes(engine, pass.revision, waiting, now);
            wait(pass, memory, now, waiting)?;
        }
        if pass.approve && give(pass, memory, now)? {
            acceptance = judge(memory);
        }
    } else if matches!(
        memory.waiting,
        Some(Waiting {
            what: WaitingFor::Changes { .. },
            ..
        })
    ) {
        memory.waiting = None;
    }
    memory.accepted.clone_from(&acceptance.accepted);
    Ok(acceptance)
}

/// Why nothing may be written, and what a person would have to approve for that to end.
pub fn hold(
    pass: &FleetPass<'_>,
    engine: &Engine<'_>,
    readings: &Readings,
    sizes: Option<Sizes>,
    wants_to_write: bool,
    memory: &mut FleetMemory,
) -> Result<Option<Hold>, OperatorError> {
    let now = engine.now();
    let shrunk = shrink(engine, sizes, memory);
    if let Some(Hold::Shrunk { before, now: found }) = &shrunk {
        let what = WaitingFor::Shrink {
            before: *before,
            now: *found,
        };
        let lines = [before.site, found.site, before.intune, found.intune].map(|n| n.to_string());
        wait(
            pass,
            memory,
            now,
            waiting_for("shrink", pass, &lines, what, now),
        )?;
        if pass.approve && give(pass, memory, now)? {
            return hold_without_shrink(pass, engine, readings, wants_to_write, memory);
        }
        return Ok(shrunk);
    }
    hold_without_shrink(pass, engine, readings, wants_to_write, memory)
}

fn hold_without_shrink(
    pass: &FleetPass<'_>,
    engine: &Engine<'_>,
    readings: &Readings,
    wants_to_write: bool,
    memory: &mut FleetMemory,
) -> Result<Option<Hold>, OperatorError> {
    if let Some(hold) = Hold::by_git(engine) {
        return Ok(Some(hold));
    }
    let state = match &readings.site.state {
        Ok(state) => state,
        Err(error) => return Ok(Some(Hold::SiteUnread(error.clone()))),
    };
    // Nothing is written before there is something that a person has allowed, a claim neither.
    claim(
        pass,
        state.claim_in_force(),
        wants_to_write,
        engine.now(),
        memory,
    )
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
    if matches!(
        memory.waiting,
        Some(Waiting {
            what: WaitingFor::Shrink { .. },
            ..
        })
    ) {
        memory.waiting = None;
    }
    None
}

/// One installation at a time writes to a fleet.
fn claim(
    pass: &FleetPass<'_>,
    in_force: Option<&Claim>,
    wants_to_write: bool,
    now: Timestamp,
    memory: &mut FleetMemory,
) -> Result<Option<Hold>, OperatorError> {
    let own = pass.store.installation()?;
    match in_force {
        Some(claim) if claim.installation == own => {
            memory.epoch = Some(claim.epoch);
            if matches!(
                memory.waiting,
                Some(Waiting {
                    what: WaitingFor::Claim { .. },
                    ..
                })
            ) {
                memory.waiting = None;
            }
            Ok(None)
        }
        Some(claim) => {
            let epoch = claim.epoch + 1;
            if memory.take_over == Some(epoch) {
                return Ok(Some(Hold::Unclaimed { epoch }));
            }
            let what = WaitingFor::Claim {
                holder: claim.installation.clone(),
                epoch,
            };
            let lines = [epoch.to_string(), own];
            wait(
                pass,
                memory,
                now,
                waiting_for("claim", pass, &lines, what, now),
            )?;
            if pass.approve && give(pass, memory, now)? {
                return Ok(Some(Hold::Unclaimed { epoch }));
            }
            Ok(Some(Hold::HeldBy(claim.installation.clone())))
        }
        None if wants_to_write => Ok(Some(Hold::Unclaimed {
            epoch: memory.epoch.unwrap_or(0) + 1,
        })),
        None => Ok(None),
    }
}

/// Looks whether a person has approved what waits.
fn take_approval(
    pass: &FleetPass<'_>,
    memory: &mut FleetMemory,
    now: Timestamp,
) -> Result<(), OperatorError> {
    let Some(waiting) = &memory.waiting else {
        return Ok(());
    };
    let given = pass
        .store
        .approval(&waiting.digest.to_string(), &waiting.revision)?;
    // A yes to an earlier plan that happened to look the same was for that one.
    match given.filter(|given| given.at >= waiting.since) {
        Some(given) => approve(pass, memory, &given, now),
        None => Ok(()),
    }
}

/// Approves what waits, because `up` was told to. Whether there was anything.
fn give(
    pass: &FleetPass<'_>,
    memory: &mut FleetMemory,
    now: Timestamp,
) -> Result<bool, OperatorError> {
    let Some(waiting) = &memory.waiting else {
        return Ok(false);
    };
    let given = GivenApproval {
        digest: waiting.digest.to_string(),
        revision: waiting.revision.clone(),
        approver: BY_OPTION.to_owned(),
        at: now,
    };
    pass.store.approve(&given)?;
    approve(pass, memory, &given, now)?;
    Ok(true)
}

fn approve(
    pass: &FleetPass<'_>,
    memory: &mut FleetMemory,
    given: &GivenApproval,
    now: Timestamp,
) -> Result<(), OperatorError> {
    if !memory.say_yes(given.at) {
        return Ok(());
    }
    pass.store.audit(&[Entry {
        at: now,
        fleet: pass.name(),
        revision: pass.revision.to_owned(),
        event: Event::Approved {
            digest: given.digest.clone(),
            approver: given.approver.clone(),
        },
    }])
}

/// Lets something wait, under the time since which it already does.
fn wait(
    pass: &FleetPass<'_>,
    memory: &mut FleetMemory,
    now: Timestamp,
    waiting: Waiting,
) -> Result<(), OperatorError> {
    if memory
        .waiting
        .as_ref()
        .is_some_and(|known| known.digest == waiting.digest && known.revision == waiting.revision)
    {
        return Ok(());
    }
    let (changes, _) = waiting.counts();
    pass.store.audit(&[Entry {
        at: now,
        fleet: pass.name(),
        revision: pass.revision.to_owned(),
        event: Event::Waiting {
            digest: waiting.digest.to_string(),
            reason: waiting.reason().to_owned(),
            changes,
        },
    }])?;
    memory.waiting = Some(waiting);
    Ok(())
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

fn waiting_for(
    kind: &str,
    pass: &FleetPass<'_>,
    lines: &[String],
    what: WaitingFor,
    since: Timestamp,
) -> Waiting {
    let name = pass.name();
    let lines = [kind, &name]
        .into_iter()
        .chain(lines.iter().map(String::as_str));
    Waiting {
        digest: Digest::of_lines(lines),
        revision: pass.revision.to_owned(),
        since,
        what,
    }
}
