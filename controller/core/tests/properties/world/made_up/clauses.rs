//! Random clauses of selectors: every operator, and every class of key.

use diarchy_core::selector::Operator;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::vocabulary::{IDS, NAMES, PATTERNS, PLAIN_TEXT, SPANS, TEXTS, VERSIONS, texts};
use crate::world::Clause;

fn clause_of(
    key: String,
    operators: &[Operator],
    values: BoxedStrategy<String>,
) -> BoxedStrategy<Clause> {
    let single = !operators.iter().any(|operator| {
        matches!(
            operator,
            Operator::In | Operator::NotIn | Operator::Glob | Operator::NotGlob
        )
    });
    (
        select(operators.to_vec()),
        vec(values, if single { 1..2 } else { 1..3 }),
    )
        .prop_map(move |(operator, values)| Clause {
            key: key.clone(),
            operator,
            values: match operator {
                Operator::Exists | Operator::DoesNotExist => Vec::new(),
                _ => values,
            },
        })
        .boxed()
}

const EXISTENCE: [Operator; 2] = [Operator::Exists, Operator::DoesNotExist];
const EQUALITY: [Operator; 2] = [Operator::In, Operator::NotIn];
const SHAPE: [Operator; 2] = [Operator::Glob, Operator::NotGlob];
const ORDER: [Operator; 2] = [Operator::AtLeast, Operator::LessThan];
const AGE: [Operator; 2] = [Operator::Within, Operator::NotWithin];

/// Clauses about a text whose values come out of `values`.
fn text_clause(key: &str, values: &'static [&'static str]) -> BoxedStrategy<Clause> {
    let clause = |operators: &[Operator], values| clause_of(key.to_owned(), operators, values);
    prop_oneof![
        3 => clause(&EQUALITY, texts(values)),
        2 => clause(&SHAPE, prop_oneof![texts(&PATTERNS), texts(values)].boxed()),
        1 => clause(&EXISTENCE, texts(values)),
    ]
    .boxed()
}

fn version_clause(key: &str) -> BoxedStrategy<Clause> {
    prop_oneof![
        2 => clause_of(key.to_owned(), &ORDER, texts(&VERSIONS[..7])),
        1 => text_clause(key, &VERSIONS),
    ]
    .boxed()
}

fn time_clause(key: &str) -> BoxedStrategy<Clause> {
    prop_oneof![
        4 => clause_of(key.to_owned(), &AGE, texts(&SPANS)),
        1 => clause_of(key.to_owned(), &EXISTENCE, texts(&SPANS)),
    ]
    .boxed()
}

/// A clause that a group's selector may have.
pub(super) fn group_clause() -> BoxedStrategy<Clause> {
    prop_oneof![
        3 => select(&PLAIN_TEXT[..]).prop_flat_map(|key| text_clause(key, &TEXTS)),
        1 => text_clause("name", &NAMES),
        1 => text_clause("serialNumber", &NAMES),
        1 => text_clause("joinType", &["hybridjoined", "EntraJoined", "None"]),
        2 => select(&["labels/ring", "labels/Pilot", "labels/pilot"][..])
            .prop_flat_map(|key| text_clause(key, &TEXTS)),
        2 => select(&["configMgrCollection", "entraGroup"][..])
            .prop_flat_map(|key| text_clause(key, &IDS)),
        2 => select(&["osVersion", "clientVersion"][..]).prop_flat_map(version_clause),
        1 => time_clause("enrolledAt"),
    ]
    .boxed()
}

/// A clause that `admitWhen` may have.
pub(super) fn admission_clause() -> BoxedStrategy<Clause> {
    prop_oneof![
        1 => group_clause(),
        1 => time_clause("lastSync"),
        1 => text_clause("clientHealth", &["Healthy", "unknown", "Inactive"]),
        1 => text_clause("compliance", &["Compliant", "unknown"]),
    ]
    .boxed()
}
