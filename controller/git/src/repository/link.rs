//! Symbolic links within the tree of a revision.

use std::collections::VecDeque;

use git2::{ObjectType, Oid, Repository, Tree};

/// How many links may lead to each other; the kernel's own limit.
const MAX_LINKS: usize = 40;

/// The file mode by which git marks a link.
pub const LINK_MODE: i32 = 0o120_000;

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Destination {
    /// To this file of the tree, by its path from the root.
    File(Vec<u8>, Oid),
    /// To a folder of the tree.
    Folder,
    /// Out of the tree, to nothing, into a submodule, or in a circle.
    Nowhere,
}

/// Follows a link to `target` that lies in the folder `folder` (from the root of `tree`), through
/// any other links on the way.
///
/// # Errors
/// Objects that cannot be read.
pub fn follow(
    repository: &Repository,
    tree: &Tree<'_>,
    folder: &[u8],
    target: &[u8],
) -> Result<Destination, git2::Error> {
    let mut walk = Walk {
        repository,
        root: tree.id(),
        path: Vec::new(),
        links: 0,
        pending: steps(folder).chain(steps(target)).collect(),
    };
    if target.starts_with(b"/") {
        return Ok(Destination::Nowhere);
    }
    walk.run()
}

fn steps(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + use<'_> {
    path.split(|byte| *byte == b'/')
        .filter(|step| !matches!(*step, b"" | b"."))
        .map(<[u8]>::to_vec)
}

struct Walk<'r> {
    repository: &'r Repository,
    root: Oid,
    /// The folders entered, with their trees.
    path: Vec<(Vec<u8>, Oid)>,
    links: usize,
    pending: VecDeque<Vec<u8>>,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<Destination, git2::Error> {
        while let Some(step) = self.pending.pop_front() {
            if step == b".." {
                if self.path.pop().is_none() {
                    return Ok(Destination::Nowhere);
                }
                continue;
            }
            if let Some(destination) = self.enter(step)? {
                return Ok(destination);
            }
        }
        Ok(Destination::Folder)
    }

    /// Goes one step down; where it ends, if it does.
    fn enter(&mut self, step: Vec<u8>) -> Result<Option<Destination>, git2::Error> {
        let here = self.path.last().map_or(self.root, |(_, tree)| *tree);
        let tree = self.repository.find_tree(here)?;
        let Some(entry) = tree.get_name_bytes(&step) else {
            return Ok(Some(Destination::Nowhere));
        };
        match entry.kind() {
            Some(ObjectType::Tree) => self.path.push((step, entry.id())),
            Some(ObjectType::Blob) if entry.filemode() == LINK_MODE => {
                return self.redirect(entry.id());
            }
            Some(ObjectType::Blob) if self.pending.is_empty() => {
                let mut path: Vec<&[u8]> = self.path.iter().map(|(name, _)| &name[..]).collect();
                path.push(&step);
                return Ok(Some(Destination::File(path.join(&b'/'), entry.id())));
            }
            _ => return Ok(Some(Destination::Nowhere)),
        }
        Ok(None)
    }

    fn redirect(&mut self, link: Oid) -> Result<Option<Destination>, git2::Error> {
        self.links += 1;
        let blob = self.repository.find_blob(link)?;
        let target = blob.content();
        if self.links > MAX_LINKS || target.starts_with(b"/") {
            return Ok(Some(Destination::Nowhere));
        }
        for step in steps(target).collect::<Vec<_>>().into_iter().rev() {
            self.pending.push_front(step);
        }
        Ok(None)
    }
}
