//! What a text says, and exactly where.

mod decoding;
mod properties;
mod reading;

use diarchy_core::finding::{FieldPath, Segment};

use super::{Tree, read};
use crate::diagnostic::Problem;

/// The only document of a text that has nothing wrong with it.
fn tree(text: &str) -> Tree {
    let mut stream = read(text);
    assert_eq!(stream.problems, [], "{text}");
    assert_eq!(stream.trees.len(), 1, "{text}");
    stream.trees.remove(0)
}

/// A path as people write it: `spec.steps.1.devices`.
fn path(text: &str) -> FieldPath {
    text.split('.')
        .filter(|step| !step.is_empty())
        .map(|step| match step.parse() {
            Ok(index) => Segment::Index(index),
            Err(_) => Segment::Key(step.to_owned().into()),
        })
        .collect()
}

/// Where the value at a path lies, as `line:column`.
fn at(text: &str, steps: &str) -> String {
    tree(text).locate(&path(steps)).to_string()
}

/// A problem as `line:column DIA1xxx`.
fn brief(problem: &Problem) -> String {
    format!("{} {}", problem.position, problem.code)
}

/// What is wrong with a text, each as `line:column DIA1xxx`.
fn problems(text: &str) -> Vec<String> {
    read(text).problems.iter().map(brief).collect()
}
