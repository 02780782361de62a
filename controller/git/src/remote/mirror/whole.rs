//! Whether a commit is here with all of its files.

use std::collections::HashSet;

use git2::{ErrorCode, ObjectType, Oid, Repository};

/// Whether every folder and every file of `commit` is in the store. Each is looked at once, however
/// often the tree names it.
pub fn is_whole(repository: &Repository, commit: Oid) -> Result<bool, git2::Error> {
    let store = repository.odb()?;
    let root = repository.find_commit(commit)?.tree_id();
    let mut seen = HashSet::from([root]);
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let tree = match repository.find_tree(folder) {
            Ok(tree) => tree,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        for entry in &tree {
            let id = entry.id();
            match entry.kind() {
                Some(ObjectType::Tree) if seen.insert(id) => folders.push(id),
                Some(ObjectType::Blob) if seen.insert(id) && !store.exists(id) => {
                    return Ok(false);
                }
                // Seen already, or a submodule: a repository of its own.
                _ => {}
            }
        }
    }
    Ok(true)
}
