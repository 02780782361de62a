//! What one rollout sees of each device, by everything that a pass knows.

use fixedbitset::FixedBitSet;

use super::advance::{Limits, Turn};
use super::progress::{Counts, Progress};
use super::survey::{Moves, Signals};
use super::{Health, Seen};
use crate::desired::AssignmentIndex;
use crate::engine::{Engine, Kept, Verdict};
use crate::inventory::{ClientHealth, Compliance};
use crate::rules::RulesUnderWay;
use crate::selector::TextKey;
use crate::ternary::Ternary;
use crate::workload::{Authority, Workload};

/// What one rollout sees.
pub(super) struct Sight<'e> {
    rows: Vec<usize>,
    /// The devices of its group, and those that it has placed.
    pub(super) devices: Vec<Seen<'e>>,
    /// How many its group surely contains.
    pub(super) selected: usize,
    /// How many devices may be on their way without being counted there.
    perhaps_in_flight: usize,
}

impl<'e> Sight<'e> {
    /// What the rollout of an assignment sees in a pass.
    pub(super) fn new(
        engine: &'e Engine<'_>,
        index: AssignmentIndex,
        signals: &Signals<'_>,
    ) -> Self {
        let workload = engine.desired().assignment(index).workload;
        let mut sight = Self {
            rows: Vec::new(),
            devices: Vec::new(),
            selected: 0,
            perhaps_in_flight: 0,
        };
        for row in 0..engine.inventory().rows() {
            let contains = engine.contains(index, row);
            let is_placed = is_placed(engine, index, row, signals.rules);
            if contains.is_possible() || is_placed {
                let seen = seen(engine, index, row, signals);
                let perhaps = perhaps_in_flight(engine, row, &seen)
                    && !never_comes(row, workload, signals)
                    && !(is_silent(engine, row, workload) && (signals.is_evidence)(row, workload));
                sight.perhaps_in_flight += usize::from(perhaps);
                sight.selected += usize::from(contains.is_certain());
                sight.rows.push(row);
                sight.devices.push(seen);
            }
        }
        sight
    }

    /// What comes of what it saw: whom it has admitted, what may be written, and what to remember.
    pub(super) fn moves(
        &self,
        engine: &Engine<'_>,
        turn: Option<Turn>,
    ) -> (FixedBitSet, Moves, Option<Progress>) {
        let rows = engine.inventory().rows();
        let set = |places: &mut dyn Iterator<Item = usize>| {
            let mut set = FixedBitSet::with_capacity(rows);
            set.extend(places.map(|at| self.rows[at]));
            set
        };
        let Some(turn) = turn else {
            // Of a group that is missing, and was never seen, nobody is known.
            let placed = |at: &usize| self.devices[*at].is_placed;
            let limits = Limits {
                may_move: false,
                more: 0,
            };
            let placed = set(&mut (0..self.rows.len()).filter(placed));
            let moves = Moves {
                limits,
                counts: Counts::default(),
                moved: placed.clone(),
            };
            return (placed, moves, None);
        };
        let moves = Moves {
            limits: Limits {
                more: turn.limits.more.saturating_sub(self.perhaps_in_flight),
                ..turn.limits
            },
            counts: turn.counts,
            // Who waits for what never comes takes no turn of those who could move.
            moved: set(&mut (0..self.rows.len())
                .filter(|at| self.devices[*at].is_under_way() || self.devices[*at].is_lost)),
        };
        let admitted = set(&mut turn.admitted.iter().copied());
        (admitted, moves, Some(turn.progress))
    }
}

/// Whether nobody knows if the device is online, or what it reports, so that it may be on its way. Who is
/// known to have left Intune reports nothing, however long it is waited for.
fn perhaps_in_flight(engine: &Engine<'_>, row: usize, seen: &Seen<'_>) -> bool {
    let inventory = engine.inventory();
    let may_report =
        inventory.online.get(row) != Ternary::No && inventory.enrolled.get(row) != Ternary::No;
    may_report && !seen.is_online && !seen.has_arrived && seen.is_under_way()
}

/// Whether the device is online, and reports some workloads and not this one, as a few clients do for
/// ever: waiting for it does not make it tell.
fn is_silent(engine: &Engine<'_>, row: usize, workload: Workload) -> bool {
    let inventory = engine.inventory();
    let tells = |workload: Workload| inventory.observed(workload).get(row) != Ternary::Unknown;
    inventory.online.yes().contains(row) && !tells(workload) && Workload::ALL.into_iter().any(tells)
}

fn seen<'e>(
    engine: &'e Engine<'_>,
    index: AssignmentIndex,
    row: usize,
    signals: &Signals<'_>,
) -> Seen<'e> {
    let assignment = engine.desired().assignment(index);
    let (workload, authority) = (assignment.workload, assignment.authority);
    let inventory = engine.inventory();
    let holding = engine.holding(row, workload);
    let is_there =
        holding.is_some_and(|holding| holding.is_empty() != (authority == Authority::Intune));
    let is_evidence = (signals.is_evidence)(row, workload);
    let is_reported = engine.desired().is_reported(workload);
    let report = inventory.observed(workload).get(row);
    let verdict = engine.verdict(row, workload);
    let is_placed = authority == Authority::Intune && is_placed(engine, index, row, signals.rules);
    let is_sent = (signals.is_sent)(row, workload, authority);
    let reports_it = report == Ternary::from(authority == Authority::Intune);
    let is_read = report != Ternary::Unknown || !is_reported;
    Seen {
        id: inventory.first_id(row),
        selected: engine.contains(index, row),
        is_own: is_own(&verdict, index, authority)
            && engine.eligibility().judge(row).is_none()
            && !(signals.is_outside)(row, workload),
        is_lost: decides(&verdict).is_some_and(|one| one != index)
            || inventory.enrolled.get(row) == Ternary::No
            || never_comes(row, workload, signals),
        is_placed,
        is_sent,
        is_out: holding.is_some() && !(is_there || is_placed || is_sent),
        has_arrived: is_there && is_evidence && (reports_it || !is_reported),
        is_online: inventory.online.yes().contains(row) && holding.is_some() && is_read,
        health: if is_evidence {
            health(engine, row)
        } else {
            Health::default()
        },
    }
}

/// Whether a rule that has the device at Intune never makes it a member. DeviceConfiguration waits for
/// EndpointProtection, and comes no more where that cannot.
fn never_comes(row: usize, workload: Workload, signals: &Signals<'_>) -> bool {
    let is_outside = signals.is_outside;
    is_outside(row, workload)
        || workload == Workload::DeviceConfiguration
            && is_outside(row, Workload::EndpointProtection)
}

/// Whether the assignment's collection has the device, or is about to.
fn is_placed(
    engine: &Engine<'_>,
    index: AssignmentIndex,
    row: usize,
    rules: &RulesUnderWay,
) -> bool {
    let workload = engine.desired().assignment(index).workload;
    let holding = engine.holding(row, workload);
    holding.is_some_and(|holding| holding.is_placed_by(index))
        || rules.is_arriving_for(row, workload, Some(index))
}

/// The assignment that decides about a device with this verdict; for one that leaves since nobody asks,
/// the one that holds it.
fn decides(verdict: &Verdict) -> Option<AssignmentIndex> {
    match verdict {
        Verdict::Kept(Kept::AsAsked(one))
        | Verdict::HandOver { to: one }
        | Verdict::Change { because: one, .. } => Some(*one),
        Verdict::Kept(_) | Verdict::Blocked { .. } | Verdict::Unmanaged | Verdict::Settled(_) => {
            None
        }
    }
}

/// Whether a device with this verdict is one that the assignment decides about, and asks for.
fn is_own(verdict: &Verdict, index: AssignmentIndex, authority: Authority) -> bool {
    let is_let_go = matches!(verdict, Verdict::Change { to, .. } if *to != authority);
    decides(verdict) == Some(index) && !is_let_go
}

fn health(engine: &Engine<'_>, row: usize) -> Health {
    let text = |key| engine.inventory().text(key).get(row).known();
    let client = text(TextKey::ClientHealth).map(|word| &**word);
    let compliance = text(TextKey::Compliance).map(|word| &**word);
    let of_name = |name: &str| {
        ClientHealth::ALL
            .iter()
            .copied()
            .find(|one| one.name() == name)
    };
    let compliance_of = |name: &str| {
        Compliance::ALL
            .iter()
            .copied()
            .find(|one| one.name() == name)
    };
    Health {
        client: client.and_then(of_name),
        compliance: compliance.and_then(compliance_of),
        error: engine.inventory().reported_error(row),
    }
}
