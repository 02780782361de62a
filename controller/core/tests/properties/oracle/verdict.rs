//! What becomes of one workload on one device, rule by rule.

use diarchy_core::workload::{Authority, Slider, Workload};
use serde_json::Value;

use super::eligibility::obstacle;
use super::membership::{Answer, Read, contains, read, selects};
use crate::world::{Assignment, Device, Standing, World};

/// What holds a device in a pilot collection and is nothing of ours.
pub const FOREIGN: &str = "foreign";

/// Only where the slider is `PilotIntune` does anything depend on assignments; without a policy no
/// workload is managed.
pub fn is_pilot(world: &World, workload: Workload) -> bool {
    let Some(policy) = &world.policy else {
        return false;
    };
    policy.sliders[workload.index()] == Some(Slider::PilotIntune)
}

/// What becomes of one workload on one device.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It stays where it is, and nobody need be told.
    Stays,
    /// It stays with Intune, by another assignment.
    HandedOver,
    /// Its authority changes.
    Moves { to: Authority, because: String },
    /// It would change, or might, and does not.
    Blocked {
        reason: &'static str,
        because: Option<String>,
    },
}

impl Verdict {
    fn is_leaving(&self) -> bool {
        matches!(
            self,
            Self::Moves {
                to: Authority::ConfigurationManager,
                ..
            }
        )
    }
}

/// Who wins among the assignments of a workload for a device.
struct Contest<'w> {
    winner: Option<&'w Assignment>,
    /// Two of the highest priority want different authorities.
    is_ambiguous: bool,
    /// Those that may or may not contain the device and would matter if they did.
    unknown: Vec<&'w Assignment>,
}

/// One workload on one device.
#[derive(Clone, Copy)]
pub struct Case<'w> {
    pub world: &'w World,
    pub device: &'w Device,
    pub workload: Workload,
}

impl<'w> Case<'w> {
    /// The same device's `DeviceConfiguration`.
    fn device_configuration(self) -> Self {
        Self {
            workload: Workload::DeviceConfiguration,
            ..self
        }
    }

    /// Who holds the device in the workload's pilot collection; `None` if that was not read.
    pub fn holders(self) -> Option<Vec<String>> {
        let unread = match read(self.device, "assignedUnread") {
            Read::Known(Value::Array(workloads)) => workloads
                .iter()
                .any(|unread| unread == self.workload.name()),
            _ => false,
        };
        if unread {
            return None;
        }
        match read(self.device, "assigned") {
            Read::Unread => None,
            Read::Absent => Some(Vec::new()),
            Read::Known(map) => Some(match map.get(self.workload.name()) {
                Some(Value::Array(holders)) => holders
                    .iter()
                    .map(|holder| holder.as_str().unwrap().to_owned())
                    .collect(),
                _ => Vec::new(),
            }),
        }
    }

    /// The assignments of this workload.
    fn assignments(self) -> Vec<&'w Assignment> {
        self.world
            .assignments
            .iter()
            .filter(|assignment| assignment.workload == self.workload)
            .collect()
    }

    /// The assignment whose owned collection for this workload a holder is: one of this workload,
    /// or of `DeviceConfiguration`, which places devices at `EndpointProtection` too. `None` for what is
    /// foreign, and for what is retained because its assignment is gone or was made anew since.
    fn owner(self, holder: &str) -> Option<&'w Assignment> {
        self.world.assignments.iter().find(|assignment| {
            let places_here = assignment.workload == self.workload
                || (assignment.workload == Workload::DeviceConfiguration
                    && self.workload == Workload::EndpointProtection);
            places_here && assignment.reference() == holder
        })
    }

    pub fn is_retained(self, holder: &str) -> bool {
        holder != FOREIGN && self.owner(holder).is_none()
    }

    fn group_contains(self, assignment: &Assignment) -> Answer {
        contains(self.world, &assignment.group, self.device)
    }

    /// `admitWhen` must be true for a device that the assignment has not placed yet. Unknown is not
    /// yet.
    fn admits(self, assignment: &Assignment, holders: &[String]) -> bool {
        match &assignment.admit_when {
            None => true,
            Some(clauses) => {
                has_placed(assignment, holders) || selects(clauses, self.device) == Answer::Yes
            }
        }
    }

    /// Whether an assignment takes part in the contest for the device.
    fn takes_part(self, assignment: &Assignment, holders: &[String]) -> Answer {
        if is_observing(assignment) {
            // It neither asks nor takes back.
            return Answer::No;
        }
        if is_in_force(assignment) {
            if self.admits(assignment, holders) {
                return self.group_contains(assignment);
            }
            return Answer::No;
        }
        // A frozen one counts only for devices that are where it put them.
        match assignment.authority {
            Authority::Intune if has_placed(assignment, holders) => Answer::Yes,
            Authority::ConfigurationManager if holders.is_empty() => {
                self.group_contains(assignment)
            }
            _ => Answer::No,
        }
    }

    fn contest(self, holders: &[String]) -> Contest<'w> {
        let mut certain = Vec::new();
        let mut possible = Vec::new();
        for assignment in self.assignments() {
            match self.takes_part(assignment, holders) {
                Answer::Yes => certain.push(assignment),
                Answer::Unknown => possible.push(assignment),
                Answer::No => {}
            }
        }
        // The highest priority that any certain one has, and all that have it.
        let highest = certain.iter().map(|assignment| assignment.priority).max();
        let mut first: Vec<&Assignment> = certain
            .into_iter()
            .filter(|assignment| Some(assignment.priority) == highest)
            .collect();
        first.sort_by_key(|assignment| &assignment.name);
        // Equal priority and different authority.
        if first
            .iter()
            .any(|assignment| assignment.authority != first[0].authority)
        {
            return Contest {
                winner: None,
                is_ambiguous: true,
                unknown: Vec::new(),
            };
        }
        // Equal priority and same authority: the first by name is the reason.
        let winner = first.first().copied();
        // Of higher priority than the winner, or of equal priority and different authority, or if
        // there is no winner: any.
        possible.retain(|assignment| match winner {
            None => true,
            Some(winner) => {
                assignment.priority > winner.priority
                    || (assignment.priority == winner.priority
                        && assignment.authority != winner.authority)
            }
        });
        Contest {
            winner,
            is_ambiguous: false,
            unknown: possible,
        }
    }

    /// What becomes of it, all told.
    pub fn verdict(self) -> Verdict {
        let verdict = self.verdict_if_eligible();
        let Some(reason) = obstacle(self.world, self.device) else {
            return verdict;
        };
        // Not eligible: no change, ever. It is worth a word where something would have happened
        // otherwise and somebody in force asks for the device.
        let because = match verdict {
            Verdict::Stays | Verdict::HandedOver => return Verdict::Stays,
            Verdict::Moves { because, .. } => Some(because),
            Verdict::Blocked { because, .. } => because,
        };
        if self.asking().is_empty() {
            Verdict::Stays
        } else {
            Verdict::Blocked { reason, because }
        }
    }

    /// The assignments in force that select the device, or may, whatever else keeps them from it.
    /// For `EndpointProtection` those that would take `DeviceConfiguration` to Intune ask as well.
    fn asking(self) -> Vec<&'w Assignment> {
        let mut asking = self.assignments();
        if self.workload == Workload::EndpointProtection
            && is_pilot(self.world, Workload::DeviceConfiguration)
        {
            let others = self.device_configuration().assignments();
            asking.extend(
                others
                    .into_iter()
                    .filter(|assignment| assignment.authority == Authority::Intune),
            );
        }
        asking.retain(|assignment| {
            is_in_force(assignment) && self.group_contains(assignment).is_possible()
        });
        asking
    }

    /// What would become of it if the device were eligible.
    fn verdict_if_eligible(self) -> Verdict {
        let Some(holders) = self.holders() else {
            // Nothing is planned where it is not known who holds the device.
            let asking = self.asking();
            return if asking.is_empty() {
                Verdict::Stays
            } else {
                blocked("Unread", &asking)
            };
        };
        if self.workload != Workload::EndpointProtection {
            return self.verdict_by_assignments(&holders, false);
        }
        if let Some(winner) = self.winner_at_device_configuration() {
            // Desired at Intune for DeviceConfiguration by an assignment in force: desired at Intune
            // for EndpointProtection too, whatever its own assignments say.
            return verdict_of_winner(winner, &holders);
        }
        let is_kept = self.stays_at_device_configuration();
        let verdict = self.verdict_by_assignments(&holders, is_kept);
        if is_kept && verdict.is_leaving() {
            Verdict::Stays
        } else {
            verdict
        }
    }

    /// The assignment in force that wants the device's `DeviceConfiguration` at Intune.
    fn winner_at_device_configuration(self) -> Option<&'w Assignment> {
        let other = self.device_configuration();
        if !is_pilot(self.world, other.workload) {
            return None;
        }
        let contest = other.contest(&other.holders()?);
        if contest.is_ambiguous || !contest.unknown.is_empty() {
            return None;
        }
        contest
            .winner
            .filter(|winner| is_in_force(winner) && winner.authority == Authority::Intune)
    }

    /// Whether `DeviceConfiguration` stays at Intune, as far as is known, so that `EndpointProtection`
    /// is not taken back.
    fn stays_at_device_configuration(self) -> bool {
        let other = self.device_configuration();
        if !is_pilot(self.world, other.workload) {
            return false;
        }
        match other.holders() {
            None => true,
            Some(holders) => !holders.is_empty() && !other.verdict_if_eligible().is_leaving(),
        }
    }

    /// What the workload's own assignments say. `is_kept`: it would not be taken back if they say so.
    fn verdict_by_assignments(self, holders: &[String], is_kept: bool) -> Verdict {
        let contest = self.contest(holders);
        if contest.is_ambiguous {
            // Both are named, so none is.
            return Verdict::Blocked {
                reason: "AmbiguousAssignment",
                because: None,
            };
        }
        let verdict = if contest.unknown.is_empty() {
            match contest.winner {
                Some(winner) => verdict_of_winner(winner, holders),
                None => self.verdict_without_winner(holders),
            }
        } else if self.could_change(&contest, holders, is_kept) {
            blocked("Held", &contest.unknown)
        } else {
            Verdict::Stays
        };
        if verdict == Verdict::Stays && holders.is_empty() {
            self.verdict_of_the_unadmitted(contest.winner, holders)
        } else {
            verdict
        }
    }

    /// Whether some answer to what is unknown leads anywhere else than where the device is.
    fn could_change(self, contest: &Contest<'_>, holders: &[String], is_kept: bool) -> bool {
        let mut outcomes: Vec<Authority> = contest
            .unknown
            .iter()
            .map(|assignment| assignment.authority)
            .collect();
        match contest.winner {
            Some(winner) => outcomes.push(winner.authority),
            None if self.verdict_without_winner(holders).is_leaving() => {
                outcomes.push(Authority::ConfigurationManager);
            }
            None => {}
        }
        if is_kept {
            outcomes.retain(|outcome| *outcome == Authority::Intune);
        }
        outcomes
            .iter()
            .any(|outcome| *outcome != at_present(holders))
    }

    /// Nobody asks: the device leaves if every membership that it has was placed by assignments in
    /// force. The reason is the assignment that holds it, the first by name.
    fn verdict_without_winner(self, holders: &[String]) -> Verdict {
        let mut owners = Vec::new();
        for holder in holders {
            match self.owner(holder) {
                Some(owner) if is_in_force(owner) => owners.push(owner),
                _ => return Verdict::Stays,
            }
        }
        owners.sort_by_key(|owner| &owner.name);
        match owners.first() {
            Some(owner) => Verdict::Moves {
                to: Authority::ConfigurationManager,
                because: owner.reference(),
            },
            None => Verdict::Stays,
        }
    }

    /// A device that stays outside is worth a word if assignments in force would take it in, were it
    /// not for their `admitWhen`.
    fn verdict_of_the_unadmitted(self, winner: Option<&Assignment>, holders: &[String]) -> Verdict {
        let mut kept_out = self.assignments();
        kept_out.retain(|assignment| {
            is_in_force(assignment)
                && assignment.authority == Authority::Intune
                && self.group_contains(assignment).is_possible()
                && !self.admits(assignment, holders)
                && winner.is_none_or(|winner| assignment.priority > winner.priority)
        });
        if kept_out.is_empty() {
            Verdict::Stays
        } else {
            blocked("AdmitWhen", &kept_out)
        }
    }
}

/// An assignment has placed a device when its own owned collection has it.
fn has_placed(assignment: &Assignment, holders: &[String]) -> bool {
    holders.contains(&assignment.reference())
}

/// What an assignment that has won brings about.
fn verdict_of_winner(winner: &Assignment, holders: &[String]) -> Verdict {
    let moves = Verdict::Moves {
        to: winner.authority,
        because: winner.reference(),
    };
    if !is_in_force(winner) {
        // It causes no write.
        return Verdict::Stays;
    }
    match winner.authority {
        Authority::Intune if holders.is_empty() => moves,
        Authority::Intune => {
            let held_by_another = holders
                .iter()
                .any(|holder| holder != FOREIGN && *holder != winner.reference());
            if held_by_another {
                Verdict::HandedOver
            } else {
                Verdict::Stays
            }
        }
        Authority::ConfigurationManager if holders.is_empty() => Verdict::Stays,
        Authority::ConfigurationManager => {
            // It takes the device out of every owned collection; a foreign membership nobody
            // takes out.
            if holders.iter().any(|holder| holder == FOREIGN) {
                blocked("Foreign", &[winner])
            } else {
                moves
            }
        }
    }
}

/// Blocked, because of the one assignment concerned, or of nobody in particular if there are more.
fn blocked(reason: &'static str, concerned: &[&Assignment]) -> Verdict {
    Verdict::Blocked {
        reason,
        because: match concerned {
            [one] => Some(one.reference()),
            _ => None,
        },
    }
}

/// Where a device is by its pilot collections: any membership means Intune.
fn at_present(holders: &[String]) -> Authority {
    if holders.is_empty() {
        Authority::ConfigurationManager
    } else {
        Authority::Intune
    }
}

fn is_in_force(assignment: &Assignment) -> bool {
    assignment.standing == Standing::InForce
}

fn is_observing(assignment: &Assignment) -> bool {
    matches!(
        assignment.standing,
        Standing::Observing | Standing::ObservingSuspended
    )
}
