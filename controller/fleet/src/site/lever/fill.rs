//! Which owned collection takes which device.

use std::collections::BTreeSet;

use diarchy_core::resource::ObjectName;
use diarchy_core::workload::Staged;

use super::super::collection::CollectionId;
use super::MOST_RULES;

/// Where devices go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    /// Into a collection that exists.
    Existing(CollectionId),
    /// Into one that has to be made.
    New,
}

/// Fills the room left in `existing` (collection, and how many rules it has), then new collections.
pub(super) fn fill(existing: &[(CollectionId, usize)], devices: &[u32]) -> Vec<(Slot, Vec<u32>)> {
    let mut left = devices;
    let mut filled = Vec::new();
    for (id, rules) in existing {
        let room = MOST_RULES.saturating_sub(*rules).min(left.len());
        let (here, rest) = left.split_at(room);
        if !here.is_empty() {
            filled.push((Slot::Existing(id.clone()), here.to_vec()));
        }
        left = rest;
    }
    filled.extend(
        left.chunks(MOST_RULES)
            .map(|chunk| (Slot::New, chunk.to_vec())),
    );
    filled
}

/// The longest name that a collection may have.
const LONGEST_NAME: usize = 255;

/// A name for an owned collection that no collection in `taken` (in lower case) has.
pub(super) fn name(
    fleet: &str,
    staged: Staged,
    owner: &ObjectName,
    uid: &str,
    taken: &BTreeSet<String>,
) -> String {
    let uid: String = uid.chars().take(8).collect();
    let mut number = 1_u32;
    loop {
        // What tells names apart comes first: the rest may be cut off.
        let name = format!("Diarchy {uid}-{number} {fleet}/{staged} {owner}");
        let name: String = name.chars().take(LONGEST_NAME).collect();
        if !taken.contains(&name.to_lowercase()) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> CollectionId {
        text.parse().unwrap()
    }

    #[test]
    fn fills_what_is_there_before_making_more() {
        let devices: Vec<u32> = (0..25_000).collect();
        let filled = fill(
            &[
                (id("PS100001"), 9_990),
                (id("PS100002"), 10_000),
                (id("PS100003"), 10_500),
            ],
            &devices,
        );
        let sizes: Vec<_> = filled.iter().map(|(_, devices)| devices.len()).collect();
        assert_eq!(sizes, [10, 10_000, 10_000, 4_990]);
        assert_eq!(filled[0].0, Slot::Existing(id("PS100001")));
        let all: Vec<u32> = filled
            .into_iter()
            .flat_map(|(_, devices)| devices)
            .collect();
        assert_eq!(all, devices);
    }

    #[test]
    fn names_are_unique_and_short_enough() {
        let owner = ObjectName::new("n".repeat(63), "a".repeat(253));
        let mut taken = BTreeSet::new();
        for _ in 0..5 {
            let name = name(
                "contoso",
                diarchy_core::workload::Workload::ClientApps.into(),
                &owner,
                "0123456789",
                &taken,
            );
            assert!(name.len() <= LONGEST_NAME);
            assert!(taken.insert(name.to_lowercase()));
        }
    }
}
