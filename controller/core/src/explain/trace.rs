//! How a group comes to contain a device, clause by clause.

use serde::{Deserialize, Serialize};

use crate::desired::GroupIndex;
use crate::engine::{Engine, StaticMatch};
use crate::fact::Fact;
use crate::inventory::Inventory;
use crate::selector::{Key, Selector};
use crate::ternary::Ternary;

/// How deep included and excluded groups are followed; deeper ones show their result only.
const DEEPEST: usize = 32;

/// How many items of a device's list are shown.
const MOST_ITEMS: usize = 8;

/// How a group comes to contain a device or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupTrace {
    /// The group; `None` is one that is missing or invalid, whose members nobody knows.
    pub group: Option<String>,
    /// Whether it contains the device.
    pub contains: Ternary,
    /// The clauses of its selector, all of which must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<ClauseTrace>,
    /// The entries of its list of devices that concern this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<EntryTrace>,
    /// The groups it includes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Self>,
    /// The groups it excludes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Self>,
}

/// One clause, asked about one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClauseTrace {
    /// The clause: `country In [FR, DE]`.
    pub clause: String,
    /// What is known of the device: its value, `not there` or `not read`.
    pub value: String,
    /// Whether it holds.
    pub holds: Ternary,
}

/// One entry of a list of devices that names, or may name, the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryTrace {
    /// As it is written.
    pub entry: String,
    /// Whether it names the device.
    pub names_it: Ternary,
}

/// How `group` comes to contain the device in `row`.
pub(super) fn group(engine: &Engine<'_>, row: usize, group: GroupIndex) -> GroupTrace {
    follow(engine, row, group, DEEPEST)
}

fn follow(engine: &Engine<'_>, row: usize, index: GroupIndex, deeper: usize) -> GroupTrace {
    let group = engine.desired().group(index);
    let mut trace = GroupTrace {
        group: Some(group.name.to_string()),
        contains: engine.groups().members(index).get(row),
        clauses: Vec::new(),
        devices: Vec::new(),
        include: Vec::new(),
        exclude: Vec::new(),
    };
    let Some(deeper) = deeper.checked_sub(1) else {
        return trace;
    };
    let references = |groups: &[Option<GroupIndex>]| {
        groups
            .iter()
            .map(|group| group.map_or_else(missing, |group| follow(engine, row, group, deeper)))
            .collect()
    };
    trace.clauses = group
        .selector
        .as_ref()
        .map(|selector| clauses(engine, row, selector))
        .unwrap_or_default();
    trace.devices = entries(engine, row, &group.devices);
    trace.include = references(&group.include);
    trace.exclude = references(&group.exclude);
    trace
}

const fn missing() -> GroupTrace {
    GroupTrace {
        group: None,
        contains: Ternary::Unknown,
        clauses: Vec::new(),
        devices: Vec::new(),
        include: Vec::new(),
        exclude: Vec::new(),
    }
}

/// What each clause of `selector` says of the device in `row`.
pub(super) fn clauses(engine: &Engine<'_>, row: usize, selector: &Selector) -> Vec<ClauseTrace> {
    engine
        .clauses(selector)
        .map(|clause| ClauseTrace {
            clause: clause.requirement().text.clone(),
            value: value(engine.inventory(), row, &clause.requirement().key),
            holds: clause.evaluate(row),
        })
        .collect()
}

fn entries(engine: &Engine<'_>, row: usize, devices: &[String]) -> Vec<EntryTrace> {
    let names = |text: &String| {
        let entry = engine.groups().entry(text)?;
        match entry.found {
            StaticMatch::One(named) if named == row => Some(Ternary::Yes),
            StaticMatch::Nobody if entry.may_be.contains(&row) => Some(Ternary::Unknown),
            StaticMatch::One(_) | StaticMatch::Several(_) | StaticMatch::Nobody => None,
        }
    };
    devices
        .iter()
        .filter_map(|text| {
            Some(EntryTrace {
                entry: text.clone(),
                names_it: names(text)?,
            })
        })
        .collect()
}

/// What is known of one attribute of the device in `row`, for people.
fn value(inventory: &Inventory, row: usize, key: &Key) -> String {
    let shown = match key {
        Key::Text(key) => inventory.text(*key).get(row).map(ToString::to_string),
        Key::Time(key) => inventory.time(*key).get(row).map(|time| time.to_string()),
        Key::Label(name) => match inventory.label(name) {
            Some(column) => column.get(row).map(ToString::to_string),
            None if inventory.labels_read().get(row) == Ternary::Unknown => Fact::Unread,
            None => Fact::Absent,
        },
        Key::Set(key) => {
            let column = inventory.set(*key);
            match column.get(row) {
                None => Fact::Unread,
                Some([]) => Fact::Absent,
                Some(ids) => {
                    let text = |place: &u32| &*column.values()[*place as usize];
                    let mut shown: Vec<&str> = ids.iter().take(MOST_ITEMS).map(text).collect();
                    if ids.len() > MOST_ITEMS {
                        shown.push("…");
                    }
                    Fact::Known(shown.join(", "))
                }
            }
        }
    };
    match shown {
        Fact::Unread => "not read".to_owned(),
        Fact::Absent => "not there".to_owned(),
        Fact::Known(value) => value,
    }
}
