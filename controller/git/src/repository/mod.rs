//! The files of a revision, or of a folder as it lies on disk.

mod folder;
mod link;
mod revision;
mod store;

use std::path::PathBuf;

use diarchy_core::code::Code;
use git2::Oid;
use serde::Serialize;

pub use store::Store;

use crate::diagnostic::{Diagnostic, Position, Problem};
use crate::error::LoadError;
use crate::remote::Fetched;

/// Where resources are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A git repository: its folder, a folder within its work tree, or a `file://` URL of one.
    /// Objects are read from its store; what lies in the work tree does not count.
    Repository(String),
    /// What was fetched of a repository on another machine.
    Fetched(Box<Fetched>),
    /// A folder, with its files as they lie on disk.
    WorkingTree(PathBuf),
}

/// What is read of a [`Source`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// A branch, a tag or a commit, looked for in this order; `None` is `HEAD`, and of what was
    /// fetched that very commit. A folder on disk has none.
    pub reference: Option<String>,
    /// A folder below the source's own.
    pub path: Option<String>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Revision {
    /// The commit's full id; `None` for a folder on disk.
    pub commit: Option<String>,
    /// How people are told: `main@sha1:…`, `v1.0@sha1:…`, `sha1:…`, or `working tree`.
    pub display: String,
}

impl Revision {
    /// What tells it from others, whichever branch it was read from.
    #[must_use]
    pub fn key(&self) -> &str {
        self.commit.as_deref().unwrap_or(&self.display)
    }
}

/// The files found, before any of them is parsed.
pub(crate) struct Listing {
    pub revision: Revision,
    /// The folder that was read, as findings name it; `.` is the root.
    pub place: String,
    /// By name.
    pub files: Vec<Listed>,
    /// What is wrong with links.
    pub diagnostics: Vec<Diagnostic>,
    /// The repository that [`Content::Stored`] lies in.
    pub store: Option<Store>,
}

/// One file.
pub(crate) struct Listed {
    /// As findings name it.
    pub name: String,
    /// What git calls its content.
    pub blob: Oid,
    pub content: Content,
}

/// The bytes of a file.
pub(crate) enum Content {
    /// Still in the repository.
    Stored,
    /// Read from disk.
    Read(Vec<u8>),
    /// So many that they are not read.
    TooLarge(u64),
}

/// Finds the files of `source`.
pub(crate) fn list(source: &Source, options: &Options) -> Result<Listing, LoadError> {
    match source {
        Source::Repository(place) => store::list(place, options),
        Source::Fetched(fetched) => store::list_fetched(fetched, options),
        Source::WorkingTree(folder) => folder::list(folder, options),
    }
}

/// Whether `place`, a folder, lies in a git repository: one that cannot be opened counts too, so that
/// nobody takes its work tree for what was committed.
#[must_use]
pub fn is_in_repository(place: &str) -> bool {
    git2::Repository::discover(place)
        .map_or_else(|error| error.code() != git2::ErrorCode::NotFound, |_| true)
}

/// Whether a file or folder of this name is read at all.
fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(b".")
}

/// Whether a file of this name holds resources.
fn is_yaml(name: &[u8]) -> bool {
    name.ends_with(b".yaml") || name.ends_with(b".yml")
}

/// A name as one line of text: what is not UTF-8, or would break the line, is replaced.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace(char::is_control, "\u{FFFD}")
}

/// The steps of a path of the user's, without `.` and empty ones; `None` if one leads upwards.
fn steps(path: &str) -> Option<Vec<&str>> {
    path.split('/')
        .filter(|step| !matches!(*step, "" | "."))
        .map(|step| (step != "..").then_some(step))
        .collect()
}

/// The steps as findings name the folder.
fn place_of(steps: &[&str]) -> String {
    if steps.is_empty() {
        ".".to_owned()
    } else {
        steps.join("/")
    }
}

fn no_folder(path: &str, place: impl Into<String>) -> LoadError {
    LoadError::PathNotFound {
        path: path.to_owned(),
        place: place.into(),
        remedy: "give a folder of that revision, relative to the repository".to_owned(),
    }
}

fn link_out_of_tree(link: &[u8], target: &[u8]) -> Diagnostic {
    Problem::new(
        Position::START,
        Code::LinkOutOfTree,
        format!(
            "the link to `{}` leads to no file of this tree",
            shown(target)
        ),
        "link to a file of the same revision, or put the file itself here",
    )
    .of_file(shown(link))
}

fn folder_link(link: &[u8], target: &[u8]) -> Diagnostic {
    Problem::new(
        Position::START,
        Code::FolderLink,
        format!("the link to the folder `{}` is not followed", shown(target)),
        "link to the files in it, or move the folder here",
    )
    .of_file(shown(link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_people_write_them() {
        assert_eq!(steps("./contoso//emea/"), Some(vec!["contoso", "emea"]));
        assert_eq!(steps("."), Some(vec![]));
        assert_eq!(steps("a/../b"), None);
    }

    #[test]
    fn a_name_stays_on_its_line() {
        assert_eq!(shown(b"a\nb\xFF.yaml"), "a\u{FFFD}b\u{FFFD}.yaml");
    }
}
