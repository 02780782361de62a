//! The difference that a change of revision makes: what a pull request shows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::desired::AssignmentIndex;
use crate::digest::Digest;
use crate::engine::Engine;
use crate::plan::{Change, Plan};
use crate::workload::{Authority, Staged, Workload};

/// One device whose authority in the end would be another under another revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The device's id.
    pub device: String,
    /// The workload.
    pub workload: Workload,
    /// Who would have authority in the end under the old revision.
    pub from: Authority,
    /// Who would have it under the new one.
    pub to: Authority,
    /// The assignment that makes the difference, as a plan names it: the one that moves the device
    /// under the new revision, or that moved it under the old.
    pub because: String,
}

/// The digest of some changes: SHA-256 over one line for each, of device, workload, from, to and
/// because, separated by tabs; then one for each of `enrolling`, of device and `Enrollment`.
pub(super) fn digest_of(changes: &[Difference], enrolling: &[&str]) -> Digest {
    // Escaped, since an id of somebody else's making could hold the separators.
    let escape = |device: &str| device.escape_default().to_string();
    let line = |change: &Difference| {
        let device = escape(&change.device);
        let Difference {
            workload,
            from,
            to,
            because,
            ..
        } = change;
        format!("{device}\t{workload}\t{from}\t{to}\t{because}")
    };
    let joining = enrolling
        .iter()
        .map(|device| format!("{}\t{}", escape(device), Staged::Enrollment));
    let lines: Vec<String> = changes.iter().map(line).chain(joining).collect();
    Digest::of_lines(lines.iter().map(String::as_str))
}

/// How two plans for the same inventory differ in their end states, by device and workload.
///
/// A plan changes what it lists and leaves the rest where it is, so only what either lists can
/// differ.
#[must_use]
pub fn differences(
    (old, old_engine): (&Plan, &Engine<'_>),
    (new, new_engine): (&Plan, &Engine<'_>),
) -> Vec<Difference> {
    type Ends = BTreeMap<(usize, Workload), (Authority, AssignmentIndex)>;
    let ends = |plan: &Plan| -> Ends {
        let end = |change: &Change| ((change.row, change.workload), (change.to, change.because));
        plan.changes.iter().map(end).collect()
    };
    let (before, after) = (ends(old), ends(new));
    let pairs: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    pairs
        .into_iter()
        .filter_map(|(row, workload)| {
            let (old, new) = (before.get(&(row, workload)), after.get(&(row, workload)));
            let name = |engine: &Engine<'_>, index: AssignmentIndex| {
                engine.desired().assignment(index).name.as_assignment()
            };
            // Whichever does not change the pair leaves it where the other's change begins.
            let (from, to, because) = match (old, new) {
                (Some((from, _)), Some((to, _))) if from == to => return None,
                (Some((from, _)), Some((to, because))) => (*from, *to, name(new_engine, *because)),
                (None, Some((to, because))) => (to.other(), *to, name(new_engine, *because)),
                (Some((from, because)), None) => (*from, from.other(), name(old_engine, *because)),
                (None, None) => return None,
            };
            Some(Difference {
                device: new_engine.inventory().id(row).to_owned(),
                workload,
                from,
                to,
                because,
            })
        })
        .collect()
}
