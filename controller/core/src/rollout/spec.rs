//! What is rolled out, as a digest: another one is another rollout.

use crate::desired::{AssignmentIndex, Desired, Group, GroupIndex};
use crate::digest::Digest;

/// The digest of what an assignment rolls out: fleet, workload, group and its definition with that of
/// the groups it refers to, authority, priority and rollout. `None` while a part of it is not known,
/// such as a group that is missing: that is no other spec.
#[must_use]
pub fn spec_digest(desired: &Desired, index: AssignmentIndex) -> Option<Digest> {
    let assignment = desired.assignment(index);
    let mut lines = vec![
        format!("fleet {:?}", desired.fleet.to_string()),
        format!("workload {}", assignment.workload),
        format!("authority {}", assignment.authority),
        format!("priority {}", assignment.priority),
        // It has no maps with keys other than text, so that it always serialises.
        format!(
            "rollout {}",
            serde_json::to_string(&assignment.rollout).ok()?
        ),
    ];
    add_group(desired, assignment.group?, &mut lines)?;
    Some(Digest::of_lines(lines.iter().map(String::as_str)))
}

/// The digest of one step of a rollout, from 0: what a person approves to let the next one begin.
#[must_use]
pub fn step_digest(spec: &Digest, step: usize) -> Digest {
    Digest::of_lines([spec.to_string().as_str(), &format!("step {}", step + 1)])
}

/// Groups refer only to those before them, so that this ends.
fn add_group(desired: &Desired, index: GroupIndex, lines: &mut Vec<String>) -> Option<()> {
    let Group {
        name,
        selector,
        devices,
        include,
        exclude,
    } = desired.group(index);
    lines.push(format!("group {:?}", name.to_string()));
    let requirements = selector.iter().flat_map(|selector| &selector.requirements);
    lines.extend(requirements.map(|requirement| format!("requirement {:?}", requirement.text)));
    lines.extend(devices.iter().map(|device| format!("device {device:?}")));
    for (word, groups) in [("include", include), ("exclude", exclude)] {
        for group in groups {
            lines.push(word.to_owned());
            add_group(desired, (*group)?, lines)?;
        }
    }
    lines.push("end".to_owned());
    Some(())
}
