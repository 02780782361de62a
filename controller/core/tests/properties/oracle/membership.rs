//! Which devices a group has, clause by clause, in three-valued logic.

use diarchy_core::selector::Operator;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::world::{self, Clause, Device, Group, World};

/// Yes, no, or nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    No,
    Unknown,
    Yes,
}

use Answer::{No, Unknown, Yes};

impl Answer {
    pub fn is_possible(self) -> bool {
        self != No
    }

    fn of(known: bool) -> Self {
        if known { Yes } else { No }
    }

    fn opposite(self) -> Self {
        match self {
            No => Yes,
            Unknown => Unknown,
            Yes => No,
        }
    }
}

/// False if any is false, else unknown if any is unknown.
fn all(answers: &[Answer]) -> Answer {
    if answers.contains(&No) {
        No
    } else if answers.contains(&Unknown) {
        Unknown
    } else {
        Yes
    }
}

/// True if any is true, else unknown if any is unknown.
fn any(answers: &[Answer]) -> Answer {
    if answers.contains(&Yes) {
        Yes
    } else if answers.contains(&Unknown) {
        Unknown
    } else {
        No
    }
}

/// What was read under a key: a missing key was not read, and `null` is not there.
pub enum Read<'a> {
    Unread,
    Absent,
    Known(&'a Value),
}

pub fn read<'a>(device: &'a Device, field: &str) -> Read<'a> {
    match device.get(field) {
        None => Read::Unread,
        Some(Value::Null) => Read::Absent,
        Some(value) => Read::Known(value),
    }
}

/// Lower case, character by character. A sigma at the end of a word is the same letter.
fn lower(text: &str) -> String {
    let folded = text.chars().flat_map(char::to_lowercase);
    folded
        .map(|letter| if letter == 'ς' { 'σ' } else { letter })
        .collect()
}

/// members = (selector's devices or devices or members of include) and not members of exclude
pub fn contains(world: &World, group: &str, device: &Device) -> Answer {
    let Some(group) = world.groups.iter().find(|other| other.name == group) else {
        // A group that is missing has unknown members, all of them.
        return Unknown;
    };
    if leads_back(world, group) {
        // So has one that is invalid.
        return Unknown;
    }
    let mut ways_in = Vec::new();
    if let Some(clauses) = &group.selector {
        ways_in.push(selects(clauses, device));
    }
    for entry in &group.devices {
        ways_in.push(is_listed(world, entry, device));
    }
    for included in &group.include {
        ways_in.push(contains(world, included, device));
    }
    let mut ways_out = Vec::new();
    for excluded in &group.exclude {
        ways_out.push(contains(world, excluded, device));
    }
    all(&[any(&ways_in), any(&ways_out).opposite()])
}

/// Whether following includes and excludes from `group` comes back to it.
fn leads_back(world: &World, group: &Group) -> bool {
    let mut reached: Vec<&str> = Vec::new();
    let mut next: Vec<&str> = references(group);
    while let Some(name) = next.pop() {
        if name == group.name {
            return true;
        }
        if !reached.contains(&name) {
            reached.push(name);
            if let Some(other) = world.groups.iter().find(|other| other.name == name) {
                next.extend(references(other));
            }
        }
    }
    false
}

fn references(group: &Group) -> Vec<&str> {
    let names = group.include.iter().chain(&group.exclude);
    names.map(String::as_str).collect()
}

/// Whether a list entry means this device: it must equal the id, name or serial number of exactly
/// one device. If it equals none, it may be that of any device whose own was not read.
fn is_listed(world: &World, entry: &str, device: &Device) -> Answer {
    match how_many_are_called(world, entry) {
        0 => {
            let unread = ["name", "serialNumber"]
                .iter()
                .any(|field| matches!(read(device, field), Read::Unread));
            if unread { Unknown } else { No }
        }
        1 => Answer::of(is_called(device, entry)),
        _ => No,
    }
}

/// How many devices have `entry` as their id, name or serial number.
pub fn how_many_are_called(world: &World, entry: &str) -> usize {
    let called = |device: &&Device| is_called(device, entry);
    world.devices.iter().filter(called).count()
}

fn is_called(device: &Device, entry: &str) -> bool {
    ["id", "name", "serialNumber"]
        .iter()
        .any(|field| match read(device, field) {
            Read::Known(Value::String(text)) => lower(text) == lower(entry),
            _ => false,
        })
}

/// Whether all clauses hold.
pub fn selects(clauses: &[Clause], device: &Device) -> Answer {
    let answers: Vec<Answer> = clauses.iter().map(|clause| holds(clause, device)).collect();
    all(&answers)
}

fn holds(clause: &Clause, device: &Device) -> Answer {
    // `NotX` is the negation of `X`.
    let (operator, negated) = match clause.operator {
        Operator::NotIn => (Operator::In, true),
        Operator::NotGlob => (Operator::Glob, true),
        Operator::NotWithin => (Operator::Within, true),
        Operator::DoesNotExist => (Operator::Exists, true),
        operator => (operator, false),
    };
    let answer = match values(&clause.key, device) {
        // What was not read is unknown.
        None => Unknown,
        Some(values) => is_true_of(operator, &clause.values, &values),
    };
    if negated { answer.opposite() } else { answer }
}

/// The values that a device has under a key, as text: none if there is none, one, or, of sets,
/// several. `None` if they were not read.
fn values(key: &str, device: &Device) -> Option<Vec<String>> {
    let (field, label) = match key.split_once('/') {
        Some((_, label)) => ("labels", Some(label)),
        None if key == "configMgrCollection" => ("configMgrCollections", None),
        None if key == "entraGroup" => ("entraGroups", None),
        None => (key, None),
    };
    let value = match read(device, field) {
        Read::Unread => return None,
        Read::Absent => return Some(Vec::new()),
        Read::Known(value) => value,
    };
    let value = match label {
        // A label that is not in a map that was read does not exist.
        Some(label) => value.get(label).unwrap_or(&Value::Null),
        None => value,
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Some(match value {
        Value::Null => Vec::new(),
        Value::Array(ids) => ids.iter().map(text).collect(),
        value => vec![text(value)],
    })
}

/// Of a value that does not exist each of them is false; of several, true if true of any.
fn is_true_of(operator: Operator, wanted: &[String], values: &[String]) -> Answer {
    let answers: Vec<Answer> = values
        .iter()
        .map(|value| is_true_of_one(operator, wanted, value))
        .collect();
    any(&answers)
}

fn is_true_of_one(operator: Operator, wanted: &[String], value: &str) -> Answer {
    match operator {
        Operator::Exists => Yes,
        Operator::In => Answer::of(wanted.iter().any(|wanted| lower(wanted) == lower(value))),
        Operator::Glob => Answer::of(wanted.iter().any(|pattern| {
            let pattern: Vec<char> = lower(pattern).chars().collect();
            let text: Vec<char> = lower(value).chars().collect();
            fits(&pattern, &text)
        })),
        Operator::AtLeast | Operator::LessThan => match is_older(value, &wanted[0]) {
            // A version that is none says nothing.
            None => Unknown,
            Some(older) => Answer::of(older == (operator == Operator::LessThan)),
        },
        Operator::Within => Answer::of(is_within(value, &wanted[0])),
        other => panic!("{other} is the negation of something"),
    }
}

/// `*` is any characters, `?` is one, and everything else is itself.
fn fits(pattern: &[char], text: &[char]) -> bool {
    let Some(first) = pattern.first() else {
        return text.is_empty();
    };
    match first {
        '*' => (0..=text.len()).any(|swallowed| fits(&pattern[1..], &text[swallowed..])),
        '?' => !text.is_empty() && fits(&pattern[1..], &text[1..]),
        character => text.first() == Some(character) && fits(&pattern[1..], &text[1..]),
    }
}

/// The numbers of a version, if it is one.
fn version(text: &str) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    for part in text.split('.') {
        if part.is_empty() || !part.chars().all(|character| character.is_ascii_digit()) {
            return None;
        }
        numbers.push(part.parse().ok()?);
    }
    Some(numbers)
}

/// Whether `one` is an older version than `other`, number by number, where missing parts are 0.
/// `None` if either is no version.
pub fn is_older(one: &str, other: &str) -> Option<bool> {
    let (mut one, mut other) = (version(one)?, version(other)?);
    while one.len() < other.len() {
        one.push(0);
    }
    while other.len() < one.len() {
        other.push(0);
    }
    for position in 0..one.len() {
        if one[position] != other[position] {
            return Some(one[position] < other[position]);
        }
    }
    Some(false)
}

/// At most so long before now; what lies ahead is within.
fn is_within(moment: &str, span: &str) -> bool {
    let moment: Timestamp = moment.parse().unwrap();
    let age = world::now().duration_since(moment);
    let hours = match span.strip_suffix('d') {
        Some(days) => days.parse::<i64>().unwrap() * 24,
        None => match span.strip_suffix('h') {
            Some(hours) => hours.parse().unwrap(),
            None => span.parse::<i64>().unwrap(),
        },
    };
    age <= SignedDuration::from_hours(hours)
}
