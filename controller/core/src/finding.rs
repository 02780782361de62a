//! What is wrong, where, and how to mend it.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::code::Code;

/// Which document a finding is about: the caller's own number for it.
///
/// `core` never sees files. Whoever hands documents in numbers them, and maps a finding back to a
/// file and a line, or to an object in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub u32);

/// Whether a finding stops a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The revision changes nothing until it is mended.
    Error,
    /// Worth knowing; changes no exit status.
    Warning,
}

/// One step from a document towards one of its values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The value under this key.
    Key(Cow<'static, str>),
    /// The list's item, from 0.
    Index(usize),
}

/// The way from a document's root to one of its values, such as `spec.rollout.steps[1].devices`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// The document itself.
    pub const ROOT: Self = Self(Vec::new());

    /// Reads a path of plain keys, such as `spec.groupRef.name`.
    #[must_use]
    pub fn of(keys: &'static str) -> Self {
        Self(
            keys.split('.')
                .map(|key| Segment::Key(Cow::Borrowed(key)))
                .collect(),
        )
    }

    /// The path to the value under `key` of this one.
    #[must_use]
    pub fn key(&self, key: impl Into<Cow<'static, str>>) -> Self {
        self.with(Segment::Key(key.into()))
    }

    /// The path to the item `index` of this one, from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// The steps, from the root.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl FromIterator<Segment> for FieldPath {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// One thing that is wrong with one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of mistake it is.
    pub code: Code,
    /// The document.
    pub origin: Origin,
    /// The offending value; its nearest existing parent when something is missing.
    pub path: FieldPath,
    /// What is wrong, without a full stop.
    pub problem: String,
    /// How to mend it, without a full stop.
    pub remedy: String,
}

impl Finding {
    /// A finding about the value at `path` of the document `origin`.
    pub fn new(
        code: Code,
        origin: Origin,
        path: FieldPath,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            code,
            origin,
            path,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// Whether it stops the revision.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}
