//! One clause of a selector, compiled for one inventory at one moment.

use jiff::{SignedDuration, Timestamp};

use crate::desired::Desired;
use crate::fact::Fact;
use crate::glob;
use crate::inventory::{Flag, Inventory, SetColumn, TextColumn, TimeColumn};
use crate::selector::{Key, Requirement, SetKey, Test, fold};
use crate::ternary::Ternary;
use crate::version::Version;

/// One clause of a selector, ready to be asked about any row.
///
/// Clauses on text are answered once for each value of the column's dictionary, so that a row costs
/// one look at a table.
#[derive(Debug)]
pub struct Clause<'a> {
    requirement: &'a Requirement,
    column: Column<'a>,
}

#[derive(Debug)]
enum Column<'a> {
    Text {
        column: &'a TextColumn,
        answers: Vec<Ternary>,
    },
    Time {
        column: &'a TimeColumn,
        now: Timestamp,
    },
    Set {
        column: &'a SetColumn,
        /// By place in the dictionary, whether that id passes the test.
        passes: Vec<bool>,
    },
    /// A label that no device has.
    NoLabel { read: &'a Flag },
}

impl<'a> Clause<'a> {
    /// Compiles `requirement`. Pilot collections never count as collections of a device, since
    /// their members are what is being decided.
    #[must_use]
    pub fn new(
        requirement: &'a Requirement,
        desired: &Desired,
        inventory: &'a Inventory,
        now: Timestamp,
    ) -> Self {
        let text = |column: &'a TextColumn| Column::Text {
            column,
            answers: column
                .table(|fact| positive(fact.map(|value| test_text(&requirement.test, value)))),
        };
        let column = match &requirement.key {
            Key::Text(key) => text(inventory.text(*key)),
            Key::Label(name) => match inventory.label(name) {
                Some(column) => text(column),
                None => Column::NoLabel {
                    read: inventory.labels_read(),
                },
            },
            Key::Time(key) => Column::Time {
                column: inventory.time(*key),
                now,
            },
            Key::Set(key) => {
                let column = inventory.set(*key);
                let counts = |id: &str| *key == SetKey::EntraGroup || !is_pilot(desired, id);
                let passes = |id: &str| counts(id) && test_text(&requirement.test, id).is_certain();
                Column::Set {
                    column,
                    passes: column.values().iter().map(|id| passes(id)).collect(),
                }
            }
        };
        Self {
            requirement,
            column,
        }
    }

    /// What it asks.
    #[must_use]
    pub fn requirement(&self) -> &'a Requirement {
        self.requirement
    }

    /// Whether it holds for the device in `row`.
    #[must_use]
    pub fn evaluate(&self, row: usize) -> Ternary {
        let answer = match &self.column {
            Column::Text { column, answers } => column.look_up(answers, row),
            Column::Time { column, now } => {
                positive(column.get(row).map(|time| self.test_time(time, *now)))
            }
            Column::Set { column, passes } => column
                .get(row)
                .map(|ids| ids.iter().any(|place| passes[*place as usize]))
                .into(),
            Column::NoLabel { read } => !read.get(row) & Ternary::Unknown,
        };
        if self.requirement.negated {
            !answer
        } else {
            answer
        }
    }

    fn test_time(&self, time: Timestamp, now: Timestamp) -> Ternary {
        match &self.requirement.test {
            Test::Within(span) => {
                let age = now.duration_since(time);
                let most = SignedDuration::try_from(span.length()).unwrap_or(SignedDuration::MAX);
                Ternary::from(age <= most)
            }
            Test::Exists => Ternary::Yes,
            // No other test is allowed for a moment.
            Test::In(_) | Test::Glob(_) | Test::AtLeast(_) | Test::LessThan(_) => Ternary::Unknown,
        }
    }
}

/// A test that asks for something is false of what does not exist, and unknown of what was not read.
fn positive(answer: Fact<Ternary>) -> Ternary {
    match answer {
        Fact::Unread => Ternary::Unknown,
        Fact::Absent => Ternary::No,
        Fact::Known(answer) => answer,
    }
}

fn test_text(test: &Test, value: &str) -> Ternary {
    match test {
        Test::In(wanted) => Ternary::from(wanted.contains(&fold(value))),
        Test::Glob(patterns) => {
            let folded = fold(value);
            let found = patterns
                .iter()
                .any(|pattern| glob::matches(pattern, &folded));
            Ternary::from(found)
        }
        // A text that is no version says nothing about which version it is.
        Test::AtLeast(least) => Ternary::from(compare(value, |version| version >= least)),
        Test::LessThan(limit) => Ternary::from(compare(value, |version| version < limit)),
        Test::Exists => Ternary::Yes,
        // Not allowed for text.
        Test::Within(_) => Ternary::Unknown,
    }
}

fn compare(value: &str, holds: impl Fn(&Version) -> bool) -> Option<bool> {
    value.parse().ok().map(|version| holds(&version))
}

fn is_pilot(desired: &Desired, id: &str) -> bool {
    desired
        .policy
        .as_ref()
        .is_some_and(|policy| policy.collections().any(|pilot| fold(pilot) == fold(id)))
}
