//! The rollouts of a fleet in one pass: what they go by, and what has become of them.

use diarchy_core::decision::Decision;
use diarchy_core::desired::{AssignmentIndex, Desired};
use diarchy_core::digest::Digest;
use diarchy_core::engine::Engine;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_core::rollout::{Look, Progress, Rejected, Said, Signals, Stage, step_digest};
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::workload::{Workload, WorkloadSet};
use diarchy_crds::workload_assignment::WorkloadAssignmentStatus;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize as _;
use serde_json::Value;

use crate::audit::Event;
use crate::control_plane::Statuses;
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

/// Remembers again what only statuses say any more to have been rolled back, so that it is not tried
/// again: what was remembered is lost, as after a cluster was rebuilt. What people have said until now was
/// about what is lost.
pub fn restore(
    desired: &Desired,
    statuses: &Statuses,
    said: &Said,
    memory: &mut FleetMemory,
    now: Timestamp,
) {
    for (at, assignment) in desired.assignments.iter().enumerate() {
        let name = &assignment.name;
        if memory.rollouts.contains_key(&name.to_string()) {
            continue;
        }
        let status = statuses.get(&(Kind::WorkloadAssignment, name.clone()));
        let heeded = said.get(name).cloned().unwrap_or_default();
        let rejected = status.and_then(|status| rejected(status, now));
        let restored = rejected.and_then(|rejected| {
            Progress::restored(desired, AssignmentIndex(at), rejected, heeded)
        });
        if let Some(progress) = restored {
            memory.rollouts.insert(name.to_string(), progress);
        }
    }
}

/// What a status says to have been rolled back.
fn rejected(status: &Value, now: Timestamp) -> Option<Rejected> {
    let status = WorkloadAssignmentStatus::deserialize(status).ok()?;
    let rollout = status.rollout.as_ref();
    let step = rollout.and_then(|rollout| usize::try_from(rollout.step).ok()?.checked_sub(1));
    let since = rollout.and_then(|rollout| rollout.since.as_ref());
    Some(Rejected {
        spec: status.rejected_spec?.parse().ok()?,
        step: step.unwrap_or_default(),
        since: since.map_or(now, |since| since.0),
    })
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

#[cfg(test)]
mod tests {
    use diarchy_core::desired::{Group, GroupIndex};
    use diarchy_core::rollout::{Act, Phase, spec_digest};
    use serde_json::json;

    use super::*;

    const AT: AssignmentIndex = AssignmentIndex(0);

    fn desired() -> Desired {
        let mut desired = crate::requirements::tests::desired(&[]);
        desired.groups.push(Group {
            name: ObjectName::new("contoso", "all"),
            selector: None,
            devices: vec!["d0".to_owned()],
            include: Vec::new(),
            exclude: Vec::new(),
        });
        desired.assignments[0].group = Some(GroupIndex(0));
        desired
    }

    /// What is remembered of the rollout after a start with this status, and this remembered before.
    fn restored(status: Value, before: Option<Progress>) -> Option<Progress> {
        let desired = desired();
        let name = desired.assignment(AT).name.clone();
        let statuses = [((Kind::WorkloadAssignment, name.clone()), status)].into();
        let said = [(name.clone(), [(Act::Retry, "once".to_owned())].into())].into();
        let mut memory = FleetMemory::default();
        let key = name.to_string();
        memory
            .rollouts
            .extend(before.map(|before| (key.clone(), before)));
        restore(
            &desired,
            &statuses,
            &said,
            &mut memory,
            Timestamp::UNIX_EPOCH,
        );
        memory.rollouts.remove(&key)
    }

    #[test]
    fn what_was_rolled_back_is_known_again_by_its_status() {
        let spec = spec_digest(&desired(), AT).unwrap();
        let rollout =
            json!({ "step": 2, "of": 3, "phase": "RolledBack", "since": "2026-11-22T08:00:00Z" });
        let status = json!({ "rejectedSpec": spec.to_string(), "rollout": rollout });
        let known = restored(status.clone(), None).unwrap();
        assert_eq!((known.phase(), known.step), (Phase::RolledBack, 1));
        assert_eq!(known.rejected(), Some(spec));
        assert_eq!(known.stage.since().to_string(), "2026-11-22T08:00:00Z");
        // What a person had said before is not heard as if it were new.
        assert_eq!(known.heeded[&Act::Retry], "once");

        // What is remembered goes before what a status says.
        let mut remembered = known;
        remembered.stage = Stage::Moving {
            since: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(restored(status, Some(remembered.clone())), Some(remembered));
    }

    #[test]
    fn a_status_that_says_less_is_taken_at_its_word() {
        let spec = spec_digest(&desired(), AT).unwrap().to_string();
        let known = restored(json!({ "rejectedSpec": spec }), None).unwrap();
        assert_eq!(
            (known.step, known.stage.since()),
            (0, Timestamp::UNIX_EPOCH)
        );
        let other = Digest::of(b"another spec").to_string();
        for status in [
            json!({ "rejectedSpec": other }),
            json!({ "rejectedSpec": "sha256:00" }),
            json!({}),
            Value::Null,
        ] {
            assert_eq!(restored(status, None), None);
        }
    }
}
