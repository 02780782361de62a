//! What is wrong, by line and column.

use std::fmt;

use diarchy_core::code::Code;
use diarchy_core::finding::Severity;
use serde::Serialize;

/// A place in a text: line and column from 1, the column counted in characters.
///
/// A byte-order mark at the beginning of a file is not a character of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// Where a text begins, and what is said of a file as a whole.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place behind the last character of `text`.
    #[must_use]
    pub fn behind(text: &str) -> Self {
        let mut position = Self::START;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let ends_line = character == '\n'
                || (character == '\r' && characters.peek().is_none_or(|next| *next != '\n'));
            if ends_line {
                position.line += 1;
                position.column = 1;
            } else {
                position.column += 1;
            }
        }
        position
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong with a text, wherever the text is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "named as in the findings it becomes"
)]
pub struct Problem {
    /// Where.
    pub position: Position,
    /// What kind of mistake it is.
    pub code: Code,
    /// What is wrong, without a full stop.
    pub problem: String,
    /// How to mend it, without a full stop.
    pub remedy: String,
}

impl Problem {
    /// A problem at `position`.
    pub fn new(
        position: Position,
        code: Code,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            position,
            code,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The same, said of `file`.
    #[must_use]
    pub fn of_file(self, file: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: file.into(),
            line: self.position.line,
            column: self.position.column,
            severity: self.code.severity(),
            code: self.code,
            problem: self.problem,
            remedy: self.remedy,
        }
    }
}

/// One thing that is wrong with a file of a repository.
///
/// They order by file, line and column, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Diagnostic {
    /// The file: below the repository's root, or below the folder when no git is read.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Whether it stops the revision.
    pub severity: Severity,
    /// What kind of mistake it is.
    pub code: Code,
    /// What is wrong, without a full stop.
    pub problem: String,
    /// How to mend it, without a full stop.
    pub remedy: String,
}

impl fmt::Display for Diagnostic {
    /// `file:line:column: DIA1xxx: what is wrong: how to mend it`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            code,
            problem,
            remedy,
            ..
        } = self;
        write!(f, "{file}:{line}:{column}: {code}: {problem}: {remedy}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_reads_as_editors_and_people_expect() {
        let problem = Problem::new(
            Position { line: 3, column: 7 },
            Code::UnknownKind,
            "`Fleeet` is no kind",
            "use Fleet",
        );
        assert_eq!(
            problem.of_file("a/b.yaml").to_string(),
            "a/b.yaml:3:7: DIA1103: `Fleeet` is no kind: use Fleet"
        );
    }

    #[test]
    fn every_kind_of_line_end_counts_once() {
        for text in ["a\nb\nc", "a\r\nb\r\nc", "a\rb\rc"] {
            assert_eq!(Position::behind(text), Position { line: 3, column: 2 });
        }
        assert_eq!(Position::behind("é日"), Position { line: 1, column: 3 });
    }
}
