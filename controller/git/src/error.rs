//! What keeps a repository from being read at all.

use diarchy_core::code::Code;

/// A failure that no document of the repository is to blame for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The repository, or something in it, cannot be read.
    #[error("`{place}` cannot be read: {cause}")]
    RepositoryNotReadable {
        /// What was to be read.
        place: String,
        /// Why it cannot be, without a full stop.
        cause: String,
        /// How to mend it, without a full stop.
        remedy: String,
    },
    /// There is no such branch, tag or commit.
    #[error("`{place}` has no revision `{reference}`{cause}")]
    RevisionNotFound {
        /// The repository.
        place: String,
        /// What was asked for.
        reference: String,
        /// More about it, after a comma; may be empty.
        cause: String,
        /// How to mend it, without a full stop.
        remedy: String,
    },
    /// There is no such folder in that revision.
    #[error("there is no folder `{path}` in {place}")]
    PathNotFound {
        /// The folder.
        path: String,
        /// Where it was looked for.
        place: String,
        /// How to mend it, without a full stop.
        remedy: String,
    },
}

impl LoadError {
    /// Its stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::RepositoryNotReadable { .. } => Code::RepositoryNotReadable,
            Self::RevisionNotFound { .. } => Code::RevisionNotFound,
            Self::PathNotFound { .. } => Code::PathNotFound,
        }
    }

    /// How to mend it, without a full stop.
    #[must_use]
    pub fn remedy(&self) -> &str {
        match self {
            Self::RepositoryNotReadable { remedy, .. }
            | Self::RevisionNotFound { remedy, .. }
            | Self::PathNotFound { remedy, .. } => remedy,
        }
    }

    pub(crate) fn unreadable(
        place: impl Into<String>,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::RepositoryNotReadable {
            place: place.into(),
            cause: cause.into(),
            remedy: remedy.into(),
        }
    }

    /// A failure of libgit2 while it reads `place`.
    pub(crate) fn git(place: impl Into<String>, error: &git2::Error) -> Self {
        let place = place.into();
        if error.code() == git2::ErrorCode::Owner {
            // What must be trusted is the repository, which may lie above the folder given.
            let quoted = error.message().split('\'').nth(1);
            let repository = quoted.unwrap_or(&place).trim_end_matches('/');
            let remedy = format!(
                "if you trust it, run `git config --global --add safe.directory {repository}`, or run as its owner"
            );
            return Self::unreadable(place, "it belongs to another user of this machine", remedy);
        }
        Self::unreadable(
            place,
            error.message().trim_end_matches('.'),
            "check the repository with `git fsck`",
        )
    }

    /// A failure to read `place` from disk.
    pub(crate) fn disk(place: impl Into<String>, error: &std::io::Error) -> Self {
        Self::unreadable(
            place,
            error.to_string(),
            "check that it exists and that this user may read it",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_of_somebody_else_is_named_with_the_way_to_trust_it() {
        let error = git2::Error::new(
            git2::ErrorCode::Owner,
            git2::ErrorClass::Config,
            "repository path '/srv/fleet/' is not owned by current user",
        );
        let error = LoadError::git("/srv/fleet/contoso", &error);
        assert_eq!(error.code(), Code::RepositoryNotReadable);
        assert!(
            error
                .to_string()
                .starts_with("`/srv/fleet/contoso` cannot be read")
        );
        assert!(
            error.remedy().contains("safe.directory /srv/fleet`"),
            "{}",
            error.remedy()
        );
    }
}
