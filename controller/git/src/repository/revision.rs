//! Which commit is meant.

use git2::{Commit, ErrorCode, Oid, Reference, Repository};

use super::Revision;
use crate::error::LoadError;

/// The commit that `reference` names, or `HEAD` without one.
pub fn resolve(
    repository: &Repository,
    place: &str,
    reference: Option<&str>,
) -> Result<(Oid, Revision), LoadError> {
    let (commit, revision) = match reference {
        None | Some("HEAD") => head(repository, place)?,
        Some(name) => named(repository, place, name)?,
    };
    Ok((commit.id(), revision))
}

fn head<'r>(repository: &'r Repository, place: &str) -> Result<(Commit<'r>, Revision), LoadError> {
    let head = repository.head().map_err(|error| match error.code() {
        ErrorCode::UnbornBranch | ErrorCode::NotFound => LoadError::RevisionNotFound {
            place: place.to_owned(),
            reference: "HEAD".to_owned(),
            cause: ", for nothing has been committed there".to_owned(),
            remedy: "commit something, name a branch, or read the files as they lie on disk (--working-tree)".to_owned(),
        },
        _ => LoadError::git(place, &error),
    })?;
    let branch = head.is_branch().then(|| shorthand(&head));
    let commit = head
        .peel_to_commit()
        .map_err(|error| LoadError::git(place, &error))?;
    Ok(with_revision(commit, branch.as_deref()))
}

fn named<'r>(
    repository: &'r Repository,
    place: &str,
    name: &str,
) -> Result<(Commit<'r>, Revision), LoadError> {
    let not_found = |cause: &str| LoadError::RevisionNotFound {
        place: place.to_owned(),
        reference: name.to_owned(),
        cause: cause.to_owned(),
        remedy: "name a branch, a tag or a commit that it has".to_owned(),
    };
    let prefixes = ["refs/heads/", "refs/tags/", "refs/remotes/", ""];
    let found = prefixes
        .iter()
        .filter(|prefix| !prefix.is_empty() || name.starts_with("refs/"))
        .find_map(|prefix| repository.find_reference(&format!("{prefix}{name}")).ok());
    if let Some(reference) = found {
        let commit = reference
            .peel_to_commit()
            .map_err(|_| not_found(" that is a commit"))?;
        return Ok(with_revision(commit, Some(&shorthand(&reference))));
    }
    let commit = repository
        .revparse_single(name)
        .and_then(|object| object.peel_to_commit())
        .map_err(|error| match error.code() {
            ErrorCode::Ambiguous => not_found(", for several commits begin so"),
            ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Peel => not_found(""),
            _ => LoadError::git(place, &error),
        })?;
    Ok(with_revision(commit, None))
}

fn shorthand(reference: &Reference<'_>) -> String {
    super::shown(reference.shorthand_bytes())
}

fn with_revision<'r>(commit: Commit<'r>, name: Option<&str>) -> (Commit<'r>, Revision) {
    let id = commit.id().to_string();
    let display = match name {
        Some(name) => format!("{name}@sha1:{id}"),
        None => format!("sha1:{id}"),
    };
    let revision = Revision {
        commit: Some(id),
        display,
    };
    (commit, revision)
}
