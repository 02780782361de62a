//! Decisions as sentences, in the tense that is true: nothing of this has happened.

use crate::desired::{AssignmentIndex, Force, FrozenBy};
use crate::engine::{BlockReason, Engine, Ineligible, Kept, Outcome, StayReason, Verdict};
use crate::workload::{Authority, Workload};

/// What becomes of the device in `row` and `workload`, and why.
pub(super) fn summary(
    engine: &Engine<'_>,
    row: usize,
    workload: Workload,
    verdict: &Verdict,
) -> String {
    let name = |index: &AssignmentIndex| engine.desired().assignment(*index).name.to_string();
    match verdict {
        Verdict::Unmanaged => "no policy of the fleet manages this workload".to_owned(),
        Verdict::Settled(authority) => {
            format!("its slider gives it to {authority} for every device")
        }
        Verdict::Kept(kept) => keep(engine, row, workload, kept),
        Verdict::Change { to, because } => change(engine, row, workload, *to, *because),
        Verdict::HandOver { to } => format!(
            "it would pass to the collection of {}, with Intune before and after",
            name(to)
        ),
        Verdict::Blocked { reason, because } => {
            let who = because.as_ref().map(name);
            block(engine, row, workload, *reason, who.as_deref())
        }
    }
}

fn change(
    engine: &Engine<'_>,
    row: usize,
    workload: Workload,
    to: Authority,
    because: AssignmentIndex,
) -> String {
    let assignment = engine.desired().assignment(because);
    let name = &assignment.name;
    if assignment.workload != workload && to == Authority::Intune {
        return format!(
            "it would move to Intune with DeviceConfiguration, which {name} gives to Intune"
        );
    }
    if to == Authority::ConfigurationManager && assignment.authority == Authority::Intune {
        let rival = match engine.outcome(row, workload) {
            Some(Outcome::Winner(winner)) => Some(&engine.desired().assignment(winner).name),
            _ => None,
        };
        return match rival {
            Some(rival) => format!("it would move to {to}, as {rival} asks"),
            None => format!(
                "it would move back to {to}: {name} placed it, and no assignment in force asks for it any more"
            ),
        };
    }
    format!("it would move to {to}, as {name} asks")
}

fn keep(engine: &Engine<'_>, row: usize, workload: Workload, kept: &Kept) -> String {
    match kept {
        Kept::AsAsked(winner) => {
            let assignment = engine.desired().assignment(*winner);
            let frozen = match assignment.force {
                Force::Frozen(FrozenBy::Suspend) => ", which is suspended",
                Force::Frozen(FrozenBy::Pause) => ", which is paused",
                Force::Frozen(FrozenBy::Invalid) => ", which is frozen until it is valid again",
                Force::Frozen(FrozenBy::Requires) => {
                    ", which is frozen until what it requires is ready"
                }
                Force::InForce | Force::Observing => "",
            };
            let authority = if assignment.workload == workload {
                assignment.authority
            } else {
                Authority::Intune
            };
            format!(
                "it is with {authority}, as {} asks{frozen}",
                assignment.name
            )
        }
        Kept::NobodyAsks => {
            "no assignment asks for it, so it stays with ConfigurationManager".to_owned()
        }
        Kept::HeldBy(reason) => held_by(engine, row, workload, *reason),
        Kept::WithDeviceConfiguration => {
            "it stays with Intune because DeviceConfiguration does".to_owned()
        }
        Kept::UnknownWithoutEffect => {
            "whether it is a member is not known, but no answer would change anything".to_owned()
        }
        Kept::Ineligible(reason) => {
            format!(
                "it would change, but cannot be moved: {}",
                ineligible(*reason)
            )
        }
    }
}

fn held_by(engine: &Engine<'_>, row: usize, workload: Workload, reason: StayReason) -> String {
    let holding = engine.holding(row, workload).cloned().unwrap_or_default();
    match reason {
        StayReason::Retained => {
            let names: Vec<_> = holding.retained.iter().map(ToString::to_string).collect();
            format!(
                "it stays with Intune: {} placed it and is gone, and nobody takes it back",
                names.join(", ")
            )
        }
        StayReason::Foreign => {
            "it stays with Intune: something that Diarchy did not make holds it in the pilot collection".to_owned()
        }
        StayReason::NotInForce => {
            let names: Vec<_> = holding
                .owners
                .iter()
                .map(|owner| engine.desired().assignment(*owner))
                .filter(|assignment| !assignment.force.is_in_force())
                .map(|assignment| assignment.name.to_string())
                .collect();
            format!(
                "it stays with Intune: {} placed it and is not in force",
                names.join(", ")
            )
        }
    }
}

fn block(
    engine: &Engine<'_>,
    row: usize,
    workload: Workload,
    reason: BlockReason,
    because: Option<&str>,
) -> String {
    let by = because.unwrap_or("several assignments");
    let (has, its) = match because {
        Some(_) => ("has", "its"),
        None => ("have", "their"),
    };
    match reason {
        BlockReason::Ineligible(reason) => {
            format!(
                "{by} would change it, but it cannot be moved: {}",
                ineligible(reason)
            )
        }
        BlockReason::AmbiguousAssignment => match engine.outcome(row, workload) {
            Some(Outcome::Ambiguous(rivals)) => {
                let [one, other] =
                    rivals.map(|index| engine.desired().assignment(index).name.to_string());
                format!(
                    "it is blocked: {one} and {other} have the same priority and disagree; give one a higher priority"
                )
            }
            _ => "it is blocked: assignments of equal priority disagree".to_owned(),
        },
        BlockReason::Foreign => format!(
            "{by} would take it back, but something that Diarchy did not make holds it in the pilot collection"
        ),
        BlockReason::Unread => {
            format!("{by} may concern it, but its pilot collection could not be read")
        }
        BlockReason::Held => {
            format!("it is held: whether {by} {has} it is not known, and it would matter")
        }
        BlockReason::AdmitWhen => {
            format!("{by} would move it to Intune once {its} admitWhen holds")
        }
    }
}

/// Why a device cannot be moved, as the end of a sentence.
pub(super) fn ineligible(reason: Ineligible) -> &'static str {
    match reason {
        Ineligible::NotAWindowsClient => "it runs a server operating system",
        Ineligible::NoClient => "it has no Configuration Manager client",
        Ineligible::NotEnrolled => "it is not enrolled in Intune",
        Ineligible::OtherMdm => {
            "it is enrolled with another device management, or nobody knows whose"
        }
        Ineligible::NoPolicy => "the co-management policy has not reached it",
        Ineligible::EnrolledFirst => "it was enrolled in Intune first and ignores the sliders",
        Ineligible::OsUnknown => "the version of its operating system is not known",
        Ineligible::OsTooOld => "its operating system is older than the policy's minimum",
        Ineligible::JoinType => "it is not joined in a way that counts",
    }
}
