//! The rollouts of a fleet in one pass: what they go by, and what has become of them.

use diarchy_core::decision::Decision;
use diarchy_core::digest::Digest;
use diarchy_core::engine::Engine;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{Look, Progress, Said, Signals, Stage, step_digest};
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::workload::{Workload, WorkloadSet};
use jiff::{SignedDuration, Timestamp};

use crate::audit::Event;
use crate::memory::FleetMemory;
use crate::people::People;
use crate::summary;

/// What the rollouts of a fleet go by, besides what is remembered and read.
#[derive(Debug, Clone, Copy)]
pub struct Outlook<'a> {
    /// What people want of rollouts, as they said it last.
    pub said: &'a Said,
    /// When the pass before looked, in the same process.
    pub last: Option<Timestamp>,
    /// How often there is a pass.
    pub interval: SignedDuration,
}

/// Two passes further apart than this many intervals have not seen what was between them.
const INTERVALS_APART: i32 = 3;

/// The shortest time that counts as looking away.
const LEAST_GAP: SignedDuration = SignedDuration::from_hours(1);

impl Outlook<'_> {
    fn look(self, now: Timestamp) -> Look {
        let apart = self.interval.checked_mul(INTERVALS_APART);
        Look {
            now,
            last: self.last,
            longest_gap: apart.unwrap_or(SignedDuration::MAX).max(LEAST_GAP),
        }
    }
}

/// What is known of the site's collections, as far as rollouts go by it.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// See [`Signals::rules`].
    pub rules: &'a RulesUnderWay,
    /// See [`Signals::is_outside`].
    pub is_outside: &'a dyn Fn(usize, Workload) -> bool,
    /// See [`Signals::contradicted`].
    pub contradicted: WorkloadSet,
}

/// What `engine`'s rules come to with the rollouts that are remembered, of which nothing is changed.
pub fn foresee<'a>(
    engine: Engine<'a>,
    memory: &FleetMemory,
    outlook: Outlook<'_>,
    site: Site<'_>,
    is_approved: &dyn Fn(&Digest) -> bool,
) -> Decision<'a> {
    let inventory = engine.inventory();
    let look = outlook.look(engine.now());
    let is_sent = |row, workload, authority| {
        memory
            .last_write(inventory.first_id(row), workload)
            .is_some_and(|write| write.to == authority)
    };
    let signals = Signals {
        look,
        is_sent: &is_sent,
        rules: site.rules,
        is_evidence: &summary::is_evidence(inventory, memory),
        is_outside: site.is_outside,
        contradicted: site.contradicted,
        is_approved,
        said: outlook.said,
    };
    Decision::new(engine, &memory.rollouts(), &signals)
}

/// The same in a pass: remembers how far they are now, and notes what has changed.
pub fn decide<'a>(
    engine: Engine<'a>,
    memory: &mut FleetMemory,
    outlook: Outlook<'_>,
    site: Site<'_>,
    people: &mut People<'_>,
) -> Decision<'a> {
    let is_approved = |digest: &Digest| people.approval_of(digest).is_some();
    let decision = foresee(engine, memory, outlook, site, &is_approved);
    let before = memory.rollouts();
    memory.set_rollouts(&decision.survey.rollouts);
    for (name, progress) in &decision.survey.rollouts {
        note(name, before.get(name), progress, &decision, memory, people);
    }
    decision
}

fn note(
    name: &ObjectName,
    before: Option<&Progress>,
    after: &Progress,
    decision: &Decision<'_>,
    memory: &mut FleetMemory,
    people: &mut People<'_>,
) {
    if let Some(before) = before
        && matches!(before.stage, Stage::AwaitingApproval { .. })
        && before.spec == after.spec
        && before.step < after.step
    {
        people.take_step(memory, &step_digest(&before.spec, before.step));
    }
    let is_same = before.is_some_and(|before| {
        (before.spec, before.step, before.phase()) == (after.spec, after.step, after.phase())
    });
    if is_same {
        return;
    }
    let desired = decision.engine.desired();
    let index = desired.find_assignment(name);
    let rollout = index.and_then(|index| desired.assignment(index).rollout.as_ref());
    let steps = rollout.map(|rollout| rollout.steps.len());
    let moves = index.and_then(|index| decision.survey.moves.get(&index));
    let counts = moves.map(|moves| moves.counts);
    people.note(Event::Rollout {
        assignment: name.as_assignment(),
        phase: after.phase(),
        step: after.step + 1,
        of: steps.unwrap_or_default(),
        counts: counts.unwrap_or_default(),
        why: after.stage.stopped().map(|reason| reason.to_string()),
    });
}
