//! Who is a member of which group.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::desired::{Desired, Group, GroupIndex};
use crate::engine::clause::Clause;
use crate::inventory::Inventory;
use crate::selector::{Selector, TextKey, fold};
use crate::ternary::{Membership, Ternary};

/// The members of every group of a fleet.
#[derive(Debug)]
pub struct Groups {
    members: Vec<Membership>,
    entries: HashMap<String, StaticEntry>,
}

/// What one entry of a group's list of devices stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticEntry {
    /// What was found.
    pub found: StaticMatch,
    /// Devices of which neither name nor serial number is known to differ.
    pub may_be: Vec<usize>,
}

/// Whether an entry of a list of devices names one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaticMatch {
    /// No device that was read has this name, serial number or id.
    Nobody,
    /// Exactly one has.
    One(usize),
    /// So many have, so that it names none of them.
    Several(usize),
}

impl Groups {
    pub(super) fn new(desired: &Desired, inventory: &Inventory, now: Timestamp) -> Self {
        let mut groups = Self {
            members: Vec::with_capacity(desired.groups.len()),
            entries: static_entries(desired, inventory),
        };
        for group in &desired.groups {
            let members = groups.evaluate(group, desired, inventory, now);
            groups.members.push(members);
        }
        groups
    }

    /// The members of a group.
    #[must_use]
    pub fn members(&self, group: GroupIndex) -> &Membership {
        &self.members[group.0]
    }

    /// What an entry of a group's list of devices stands for.
    #[must_use]
    pub fn entry(&self, text: &str) -> Option<&StaticEntry> {
        self.entries.get(&fold(text))
    }

    /// (selector's devices or devices or members of include) and not members of exclude.
    fn evaluate(
        &self,
        group: &Group,
        desired: &Desired,
        inventory: &Inventory,
        now: Timestamp,
    ) -> Membership {
        let rows = inventory.rows();
        let unknown = || Membership::uniform(rows, Ternary::Unknown);
        let mut members = match &group.selector {
            Some(selector) => select(selector, desired, inventory, now),
            None => Membership::uniform(rows, Ternary::No),
        };
        for text in &group.devices {
            if let Some(entry) = self.entry(text) {
                add_entry(&mut members, entry);
            }
        }
        for other in &group.include {
            match other {
                Some(other) => members.or(self.members(*other)),
                None => members.or(&unknown()),
            }
        }
        for other in &group.exclude {
            match other {
                Some(other) => members.and_not(self.members(*other)),
                None => members.and_not(&unknown()),
            }
        }
        members
    }
}

/// The devices that every clause of `selector` holds for.
pub(super) fn select(
    selector: &Selector,
    desired: &Desired,
    inventory: &Inventory,
    now: Timestamp,
) -> Membership {
    let rows = inventory.rows();
    let mut members = Membership::uniform(rows, Ternary::Yes);
    for requirement in &selector.requirements {
        let clause = Clause::new(requirement, desired, inventory, now);
        members.and(&Membership::from_rows(rows, |row| clause.evaluate(row)));
    }
    members
}

fn add_entry(members: &mut Membership, entry: &StaticEntry) {
    match entry.found {
        StaticMatch::One(row) => members.set(row, Ternary::Yes),
        StaticMatch::Several(_) => {}
        StaticMatch::Nobody => {
            for row in &entry.may_be {
                let answer = members.get(*row) | Ternary::Unknown;
                members.set(*row, answer);
            }
        }
    }
}

/// Looks up every entry of every list of devices in one walk over the inventory.
fn static_entries(desired: &Desired, inventory: &Inventory) -> HashMap<String, StaticEntry> {
    let mut found: HashMap<String, Vec<usize>> = desired
        .groups
        .iter()
        .flat_map(|group| &group.devices)
        .map(|text| (fold(text), Vec::new()))
        .collect();
    if found.is_empty() {
        return HashMap::new();
    }
    let mut unread = Vec::new();
    let [names, serials] = [TextKey::Name, TextKey::SerialNumber].map(|key| inventory.text(key));
    for row in 0..inventory.rows() {
        let known = [names.get(row), serials.get(row)];
        if known.iter().any(crate::fact::Fact::is_unread) {
            unread.push(row);
        }
        let texts = known.into_iter().filter_map(crate::fact::Fact::known);
        for text in texts.map(|text| &**text).chain([inventory.id(row)]) {
            if let Some(rows) = found.get_mut(&fold(text))
                && rows.last() != Some(&row)
            {
                rows.push(row);
            }
        }
    }
    found
        .into_iter()
        .map(|(text, rows)| {
            let (found, may_be) = match rows.as_slice() {
                [] => (StaticMatch::Nobody, unread.clone()),
                [row] => (StaticMatch::One(*row), Vec::new()),
                several => (StaticMatch::Several(several.len()), Vec::new()),
            };
            (text, StaticEntry { found, may_be })
        })
        .collect()
}
