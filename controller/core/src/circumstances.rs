//! What a pass has found to keep its fleet from moving, and what of it stands in one device's way.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::desired::{Assignment, AssignmentIndex, Desired, Force, FrozenBy};
use crate::digest::Digest;
use crate::due::{Wait, held_to};
use crate::engine::{Engine, Kept, Verdict};
use crate::obstacle::Obstacle;
use crate::rollout::{Phase, Progress, Rollouts, Stage};
use crate::ternary::Ternary;
use crate::workload::{Authority, Workload};

/// A device's row, and a workload of it.
type Pair = (usize, Workload);

/// What a pass has found to keep its fleet from moving.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// What keeps everything back.
    pub fleet: Option<Obstacle>,
    /// What waits for a person: the digest to approve, and the changes.
    pub waiting: Option<(Digest, BTreeSet<Pair>)>,
    /// Workloads for which a person must do something at the console.
    pub by_hand: BTreeSet<Workload>,
    /// How far the rollouts are.
    pub rollouts: Rollouts,
    /// What was not sent in this pass, and why.
    pub held_back: BTreeMap<Pair, Wait>,
    /// What was sent and is not proved yet.
    pub sent: BTreeSet<Pair>,
    /// Rules that never become memberships, since the pilot's limiting collection lacks the device.
    pub outside: BTreeSet<Pair>,
}

impl Circumstances {
    /// What stands in the way of the device in `row`, in the one order of obstacles. `end` are the rules
    /// with every rollout at its end, `has_admitted` whom the rollouts have admitted now. Nothing stands
    /// in the way of who is where it shall be.
    #[must_use]
    pub fn obstacles(
        &self,
        end: &Engine<'_>,
        (row, workload): Pair,
        has_admitted: &dyn Fn(AssignmentIndex) -> bool,
    ) -> Vec<Obstacle> {
        let mut obstacles = match end.verdict(row, workload) {
            Verdict::Change { because, to } => {
                let mut obstacles = self.of_change(end, (row, workload), because, to);
                let admitted = has_admitted(because);
                obstacles.extend(self.of_rollout(end.desired(), because, admitted));
                obstacles
            }
            Verdict::Kept(Kept::NobodyAsks | Kept::HeldBy(_)) => {
                let mut obstacles = self.of_those_not_in_force(end, (row, workload));
                obstacles.extend(self.of_report(end, (row, workload)));
                obstacles
            }
            Verdict::HandOver { .. } | Verdict::Kept(_) => {
                self.of_report(end, (row, workload)).into_iter().collect()
            }
            Verdict::Blocked { .. } | Verdict::Unmanaged | Verdict::Settled(_) => Vec::new(),
        };
        Obstacle::sort(&mut obstacles);
        obstacles
    }

    /// For each assignment, what stands in the way of its devices, in the one order, and of how many:
    /// of several obstacles of a device the first.
    #[must_use]
    pub fn by_assignment(
        &self,
        end: &Engine<'_>,
        has_admitted: &dyn Fn(AssignmentIndex, usize) -> bool,
    ) -> BTreeMap<AssignmentIndex, Vec<(Obstacle, usize)>> {
        let mut counted: BTreeMap<AssignmentIndex, Vec<(Obstacle, usize)>> = BTreeMap::new();
        let workloads: Vec<Workload> = end.desired().pilot_workloads().collect();
        for row in 0..end.inventory().rows() {
            for workload in &workloads {
                if !end.is_touched(row, *workload) {
                    continue;
                }
                let pair = (row, *workload);
                for (index, obstacle) in self.first_of_each(end, pair, has_admitted) {
                    let known = counted.entry(index).or_default();
                    match known.iter_mut().find(|(one, _)| *one == obstacle) {
                        Some((_, devices)) => *devices += 1,
                        None => known.push((obstacle, 1)),
                    }
                }
            }
        }
        for obstacles in counted.values_mut() {
            obstacles.sort_by_key(|(obstacle, _)| obstacle.rank());
        }
        counted
    }

    /// By assignment, what stands first in the way of the device: of the one that it would move for, or
    /// of those that would move it and are not in force.
    fn first_of_each(
        &self,
        end: &Engine<'_>,
        pair: Pair,
        has_admitted: &dyn Fn(AssignmentIndex, usize) -> bool,
    ) -> Vec<(AssignmentIndex, Obstacle)> {
        let index = match end.verdict(pair.0, pair.1) {
            Verdict::Change { because, .. } => because,
            Verdict::HandOver { to } => to,
            Verdict::Kept(Kept::AsAsked(index)) => index,
            Verdict::Kept(Kept::NobodyAsks | Kept::HeldBy(_)) => {
                let aside = not_in_force(end, pair).filter_map(|index| {
                    let mut obstacles = self.of_one_not_in_force(end.desired().assignment(index));
                    Obstacle::sort(&mut obstacles);
                    Some((index, obstacles.into_iter().next()?))
                });
                return aside.collect();
            }
            Verdict::Kept(_)
            | Verdict::Blocked { .. }
            | Verdict::Unmanaged
            | Verdict::Settled(_) => return Vec::new(),
        };
        let admitted = |index| has_admitted(index, pair.0);
        let first = self.obstacles(end, pair, &admitted).into_iter().next();
        first
            .map(|obstacle| (index, obstacle))
            .into_iter()
            .collect()
    }

    /// What keeps a change from being written, or from taking effect.
    fn of_change(
        &self,
        end: &Engine<'_>,
        pair: Pair,
        because: AssignmentIndex,
        to: Authority,
    ) -> Vec<Obstacle> {
        let mut obstacles: Vec<Obstacle> = self.fleet.iter().cloned().collect();
        if self.by_hand.contains(&pair.1) {
            obstacles.push(Obstacle::ManualStepNeeded);
        }
        if let Some((digest, changes)) = &self.waiting
            && changes.contains(&pair)
        {
            obstacles.push(Obstacle::AwaitingApproval { digest: *digest });
        }
        let windows = held_to(end, pair, because, to)
            .filter_map(|index| end.desired().assignment(index).window());
        let closed = windows.filter(|window| !window.is_open(end.now()));
        // Of several, the one that opens last lets it go.
        let opens = closed.map(|window| window.opens_after(end.now()));
        let last = opens.max_by_key(|opens| opens.unwrap_or(Timestamp::MAX));
        obstacles.extend(last.map(|opens| Obstacle::OutsideWindow { opens }));
        match self.held_back.get(&pair) {
            Some(Wait::MaxConcurrency) => obstacles.push(Obstacle::MaxConcurrency),
            Some(Wait::Pace) => obstacles.push(Obstacle::MaxChangesPerHour),
            // These are told by what the slider, the rollout and the window say themselves.
            Some(Wait::SliderElsewhere | Wait::Stopped | Wait::OutsideWindow) | None => {}
        }
        if self.outside.contains(&pair) {
            obstacles.push(Obstacle::OutsideLimitingCollection);
        } else if self.sent.contains(&pair) {
            obstacles.push(Obstacle::Pending);
        }
        obstacles
    }

    /// What the assignment's rollout has to say about a change.
    fn of_rollout(
        &self,
        desired: &Desired,
        because: AssignmentIndex,
        is_admitted: bool,
    ) -> Option<Obstacle> {
        let assignment = desired.assignment(because);
        let steps = &assignment.rollout.as_ref()?.steps;
        let progress = self.rollouts.get(&assignment.name)?;
        match progress.phase() {
            Phase::Halted => Some(Obstacle::Halted),
            Phase::RolledBack => Some(Obstacle::RolledBack),
            _ if is_admitted => None,
            Phase::AwaitingApproval => {
                let digest = progress.awaits()?;
                Some(Obstacle::StepAwaitingApproval { digest })
            }
            Phase::Waiting | Phase::Progressing | Phase::Soaking | Phase::Complete => {
                let soak = steps.get(progress.step).map(|step| step.soak.length());
                Some(Obstacle::NotAdmitted {
                    step: progress.step + 1,
                    of: steps.len(),
                    until: soak.and_then(|soak| soak_ends(progress, soak)),
                })
            }
        }
    }

    /// What keeps assignments from asking that would have the device elsewhere.
    fn of_those_not_in_force(&self, end: &Engine<'_>, pair: Pair) -> Vec<Obstacle> {
        not_in_force(end, pair)
            .flat_map(|index| self.of_one_not_in_force(end.desired().assignment(index)))
            .collect()
    }

    fn of_one_not_in_force(&self, assignment: &Assignment) -> Vec<Obstacle> {
        let one = match assignment.force {
            Force::Frozen(FrozenBy::Requires) => {
                let unmet = assignment.unmet.iter().cloned();
                return unmet
                    .map(|unmet| Obstacle::DependencyNotReady { unmet })
                    .collect();
            }
            Force::Frozen(FrozenBy::Suspend) => Some(Obstacle::Suspended),
            Force::Frozen(FrozenBy::Pause) => Some(Obstacle::Paused),
            Force::Frozen(FrozenBy::Invalid) => Some(Obstacle::Invalid),
            Force::Observing => Some(Obstacle::Observing),
            Force::InForce => {
                let progress = self.rollouts.get(&assignment.name);
                let rejected = progress.and_then(Progress::rejected);
                rejected.map(|_| Obstacle::RolledBack)
            }
        };
        one.into_iter().collect()
    }

    /// Whether the device has yet to report where the site has it.
    fn of_report(&self, end: &Engine<'_>, pair: Pair) -> Option<Obstacle> {
        let (row, workload) = pair;
        let holding = end.holding(row, workload)?;
        let authority = if holding.is_empty() {
            Authority::ConfigurationManager
        } else {
            Authority::Intune
        };
        let report = end.inventory().observed(workload).get(row);
        let differs = report == !Ternary::from(authority == Authority::Intune);
        let online = end.inventory().online.yes().contains(row);
        (self.sent.contains(&pair) || differs).then_some(Obstacle::NotReported { online })
    }
}

/// The assignments that would have a device elsewhere than it is.
fn not_in_force<'e>(
    end: &'e Engine<'_>,
    (row, workload): Pair,
) -> impl Iterator<Item = AssignmentIndex> + 'e {
    let is_at_intune = end.holding(row, workload).map(|one| !one.is_empty());
    let assignments = end.assignments_of(workload).iter().copied();
    assignments.filter(move |index| {
        let wants_intune = end.desired().assignment(*index).authority == Authority::Intune;
        is_at_intune == Some(!wants_intune) && end.contains(*index, row).is_certain()
    })
}

/// When the soak of the step that a rollout is at ends, while it is watched.
#[must_use]
pub fn soak_ends(progress: &Progress, soak: std::time::Duration) -> Option<Timestamp> {
    let Stage::Soaking { since } = progress.stage else {
        return None;
    };
    let soak = SignedDuration::try_from(soak).ok()?;
    since.checked_add(soak).ok()
}
