//! For every rule of a selector's clause, clauses that it lets pass and clauses that it refuses.

use serde_json::{Value, json};

use crate::crds_rule_cases::Case;

/// The cases of all of them, at one of the places where clauses stand.
pub fn all(kind: &'static str, path: &'static str, selector: &'static str) -> Vec<Case> {
    let case = |(says, accepted, refused): Clauses| {
        let change = |clause: Value| vec![(selector, json!({ "matchAttributes": [clause] }))];
        let mut case = Case::new(kind, path, says);
        case.accepted = accepted.into_iter().map(change).collect();
        case.refused = refused.into_iter().map(change).collect();
        case
    };
    numbers_of_values()
        .into_iter()
        .chain(operators())
        .chain(forms())
        .chain(words())
        .map(case)
        .collect()
}

/// What a rule says, what it lets pass, and what it refuses.
type Clauses = (&'static str, Vec<Value>, Vec<Value>);

fn clause(key: &str, operator: &str, values: &[&str]) -> Value {
    json!({ "key": key, "operator": operator, "values": values })
}

fn bare(key: &str, operator: &str) -> Value {
    json!({ "key": key, "operator": operator })
}

fn numbers_of_values() -> Vec<Clauses> {
    vec![
        (
            "take no values",
            vec![
                bare("country", "Exists"),
                clause("enrolledAt", "DoesNotExist", &[]),
            ],
            vec![
                clause("country", "Exists", &["FR"]),
                clause("country", "DoesNotExist", &["FR"]),
            ],
        ),
        (
            "needs `values`",
            vec![clause("country", "NotIn", &["FR", "DE"])],
            vec![
                bare("country", "In"),
                clause("country", "Glob", &[]),
                clause("osVersion", "AtLeast", &[]),
                bare("enrolledAt", "Within"),
            ],
        ),
        (
            "takes exactly one value",
            vec![clause("osVersion", "AtLeast", &["10.0.22631"])],
            vec![
                clause("osVersion", "LessThan", &["10.0.22631", "10.0.26100"]),
                clause("enrolledAt", "Within", &["1d", "2d"]),
            ],
        ),
    ]
}

fn operators() -> Vec<Clauses> {
    vec![
        (
            "`AtLeast` and `LessThan` are for",
            vec![clause("clientVersion", "LessThan", &["5.00.9128"])],
            vec![clause("country", "AtLeast", &["10.0"])],
        ),
        (
            "`Within` and `NotWithin` are for",
            vec![
                clause("enrolledAt", "NotWithin", &["14d"]),
                bare("enrolledAt", "Exists"),
            ],
            vec![
                clause("country", "Within", &["14d"]),
                clause("enrolledAt", "In", &["14d"]),
            ],
        ),
    ]
}

fn forms() -> Vec<Clauses> {
    vec![
        (
            "compare with a version",
            vec![clause("osVersion", "AtLeast", &["11"])],
            vec![
                clause("osVersion", "AtLeast", &["10.0.x"]),
                clause("osVersion", "LessThan", &["23H2"]),
            ],
        ),
        (
            "compare with a duration",
            vec![clause("enrolledAt", "Within", &["1d12h"])],
            vec![
                clause("enrolledAt", "Within", &["14"]),
                clause("enrolledAt", "NotWithin", &["2 weeks"]),
            ],
        ),
    ]
}

fn words() -> Vec<Clauses> {
    vec![
        (
            "`joinType` has no such value",
            vec![
                clause("joinType", "In", &["hybridjoined", "EntraJoined"]),
                clause("joinType", "Glob", &["*Joined"]),
            ],
            vec![
                clause("joinType", "In", &["HybridJoined", "Hybrid"]),
                clause("joinType", "NotIn", &["AzureADJoined"]),
            ],
        ),
        (
            "`compliance` has no such value",
            // As a label it may be anything; a group cannot select by the fact itself.
            vec![clause("labels/compliance", "In", &["Good"])],
            vec![clause("compliance", "In", &["Good"])],
        ),
        (
            "`clientHealth` has no such value",
            vec![clause("labels/clientHealth", "In", &["Good"])],
            vec![clause("clientHealth", "NotIn", &["Good"])],
        ),
    ]
}
