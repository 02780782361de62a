//! What is wrong with a document's shape.

use std::fmt;

use diarchy_core::code::Code;
use serde::de::{Error, Expected, Unexpected};

use crate::diagnostic::{Position, Problem};

/// A mistake found while decoding. It is raised where it is noticed, and gets its place from the
/// innermost value or key around it.
#[derive(Debug)]
pub struct ShapeError {
    position: Option<Position>,
    code: Code,
    problem: String,
    remedy: String,
}

impl ShapeError {
    pub fn new(code: Code, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            position: None,
            code,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The same, at `position` unless a place nearer to it is known already.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position.get_or_insert(position);
        self
    }

    pub fn into_problem(self) -> Problem {
        Problem::new(
            self.position.unwrap_or(Position::START),
            self.code,
            self.problem,
            self.remedy,
        )
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem, self.remedy)
    }
}

impl std::error::Error for ShapeError {}

impl Error for ShapeError {
    /// Types that read themselves say what is wrong and how to mend it, with a semicolon between.
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        match message.split_once("; ") {
            Some((problem, remedy)) => Self::new(Code::InvalidFormat, problem, remedy),
            None => Self::new(Code::InvalidFormat, message, "correct the value"),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(
            Code::WrongType,
            format!("{} stands here", described(unexpected)),
            format!("write {expected}"),
        )
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let code = match unexpected {
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => {
                Code::OutOfRange
            }
            _ => Code::InvalidFormat,
        };
        Self::new(
            code,
            format!("{} cannot stand here", described(unexpected)),
            format!("write {expected}"),
        )
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(
            Code::OutOfRange,
            format!("{length} items cannot stand here"),
            format!("write {expected}"),
        )
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(
            Code::UnknownValue,
            format!("`{variant}` is none of the values that can stand here"),
            format!("use {}", one_of(expected)),
        )
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let remedy = if expected.is_empty() {
            "remove it".to_owned()
        } else {
            format!("remove it, or use {}", one_of(expected))
        };
        Self::new(
            Code::UnknownField,
            format!("there is no field `{field}` here"),
            remedy,
        )
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(
            Code::MissingField,
            format!("the field `{field}` is missing here"),
            format!("add `{field}`"),
        )
    }
}

fn described(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("the boolean `{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(value) => format!("the text `{value}`"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [name] => (*name).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
