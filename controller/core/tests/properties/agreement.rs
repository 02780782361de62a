//! The engine and a slow, obvious evaluator of the same rules agree on every plan.

use std::fmt::Write as _;

use diarchy_core::code::Code;
use proptest::prelude::Just;
use serde_json::Value;

use crate::world::World;
use crate::world::made_up;

/// The fields that the two must have in common.
const FIELDS: [&str; 6] = [
    "changes",
    "blocked",
    "counts",
    "enrollment",
    "retained",
    "foreign",
];

/// Where the two differ, for people; empty if they agree.
fn differences(engine: &Value, oracle: &Value) -> String {
    let mut text = String::new();
    for field in FIELDS {
        match (&engine[field], &oracle[field]) {
            (same, other) if same == other => {}
            (Value::Array(one), Value::Array(other)) => {
                for entry in one.iter().filter(|entry| !other.contains(entry)) {
                    let _ = writeln!(text, "{field}: only the engine has {entry}");
                }
                for entry in other.iter().filter(|entry| !one.contains(entry)) {
                    let _ = writeln!(text, "{field}: only the rules have {entry}");
                }
                if one.iter().all(|entry| other.contains(entry)) && one.len() == other.len() {
                    let _ = writeln!(text, "{field}: in another order");
                }
            }
            (one, other) => {
                let _ = writeln!(text, "{field}: the engine says {one}, the rules {other}");
            }
        }
    }
    text
}

fn agree(world: &World) -> Result<(), String> {
    let difference = differences(&world.document(), &crate::oracle::plan(world));
    if difference.is_empty() {
        Ok(())
    } else {
        Err(difference)
    }
}

#[test]
fn engine_and_rules_agree() {
    made_up::check(4_000, Just(()), |world, ()| agree(world));
}

#[test]
fn made_up_worlds_pass_validation() {
    made_up::check(500, Just(()), |world, ()| {
        let refusals = world.assembly().findings;
        let expected = |code| matches!(code, Code::UnknownGroup | Code::NoEffect);
        if refusals.iter().all(|finding| expected(finding.code)) {
            Ok(())
        } else {
            Err(format!("{refusals:?}"))
        }
    });
}
