//! What can go wrong in the loop, typed by what it asks for.

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_fleet::EstateError;
use diarchy_fleet::endpoints::NotAllowed;
use diarchy_git::signature::VerifyError;
use diarchy_git::{FetchError, LoadError};

/// Why the loop, or a part of a pass, could not go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OperatorError {
    /// The state file cannot be used.
    #[error("the state file {file} cannot be used: {cause}")]
    State {
        /// The file.
        file: String,
        /// Why not.
        cause: String,
        /// How to mend it.
        remedy: String,
    },
    /// A credential is missing.
    #[error("{what} is missing: {place}")]
    SecretMissing {
        /// Which credential.
        what: String,
        /// Where it was looked for.
        place: String,
        /// How to mend it.
        remedy: String,
    },
    /// It is not known yet whether a credential is there.
    #[error("{0} has not been read yet")]
    SecretUnread(String),
    /// It cannot be known whether a credential is there, or what it is.
    #[error("{what} cannot be read: {why}")]
    SecretUnreadable {
        /// Which credential.
        what: String,
        /// Why not, in the words of whoever was asked.
        why: String,
        /// Whether a person has to allow it first.
        is_refused: bool,
    },
    /// A credential is there and cannot be used.
    #[error("Secret {secret}: {detail}")]
    SecretNotUsable {
        /// Which Secret.
        secret: String,
        /// What is wrong with it.
        detail: String,
        /// How to mend it.
        remedy: String,
    },
    /// What stands in a Secret cannot be used for a service.
    #[error("Secret {secret}: {error}")]
    Credential {
        /// Which Secret.
        secret: String,
        /// Why not.
        error: EstateError,
    },
    /// A fleet would have credentials sent where they may not go.
    #[error("{refused}, and credentials may go to these only: {allowed}")]
    EndpointNotAllowed {
        /// Where.
        refused: NotAllowed,
        /// Where they may go.
        allowed: String,
    },
    /// A service failed.
    #[error(transparent)]
    Estate(#[from] EstateError),
    /// The repository cannot be read.
    #[error(transparent)]
    Repository(#[from] LoadError),
    /// The repository cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Nobody who is trusted has signed the newest revision.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Another process may be the one that acts.
    #[error("{0} is not held by this replica any more, or not for long enough")]
    NotHolder(String),
    /// Nothing waits under a digest.
    #[error("nothing waits under {0}")]
    NothingWaiting(String),
    /// Something failed that should not have.
    #[error("{0}")]
    Internal(String),
}

impl OperatorError {
    /// The stable code under which this is documented.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::State { .. } => Code::StateNotUsable,
            Self::SecretMissing { .. } | Self::SecretUnread(_) | Self::SecretUnreadable { .. } => {
                Code::SecretMissing
            }
            Self::SecretNotUsable { .. } => Code::SecretNotUsable,
            Self::EndpointNotAllowed { .. } => Code::EndpointNotAllowed,
            Self::Estate(error) | Self::Credential { error, .. } => error.code(),
            Self::Repository(error) => error.code(),
            Self::Fetch(error) => error.code(),
            Self::Verify(error) => error.code(),
            Self::NotHolder(_) => Code::NotHolder,
            Self::NothingWaiting(_) => Code::NothingWaiting,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// What it asks for.
    #[must_use]
    pub const fn consequence(&self) -> Consequence {
        match self {
            Self::SecretMissing { .. }
            | Self::SecretUnreadable {
                is_refused: true, ..
            }
            | Self::SecretNotUsable { .. }
            | Self::EndpointNotAllowed { .. }
            | Self::NothingWaiting(_) => Consequence::FixInput,
            Self::Estate(error) | Self::Credential { error, .. } => error.consequence(),
            Self::Fetch(error) => error.consequence(),
            Self::Verify(error) => error.consequence(),
            Self::State { .. }
            | Self::SecretUnread(_)
            | Self::SecretUnreadable { .. }
            | Self::Repository(_)
            | Self::NotHolder(_)
            | Self::Internal(_) => Consequence::Retry,
        }
    }

    /// What it is, in a word, as conditions name it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::State { .. } => "StateNotUsable",
            Self::SecretMissing { .. } => "SecretMissing",
            Self::SecretUnread(_) => "SecretUnread",
            Self::SecretUnreadable { .. } => "SecretNotReadable",
            Self::SecretNotUsable { .. } | Self::Credential { .. } => "SecretNotUsable",
            Self::EndpointNotAllowed { .. } => "EndpointNotAllowed",
            Self::Estate(_) => "EstateNotReadable",
            Self::Repository(_) | Self::Fetch(_) => "RepositoryNotReadable",
            Self::Verify(_) => "RevisionNotVerified",
            Self::NotHolder(_) => "NotHolder",
            Self::NothingWaiting(_) => "NothingWaiting",
            Self::Internal(_) => "Internal",
        }
    }

    /// How to mend it, without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::State { remedy, .. }
            | Self::SecretMissing { remedy, .. }
            | Self::SecretNotUsable { remedy, .. } => remedy.clone(),
            Self::SecretUnreadable {
                is_refused: true, ..
            } => "give the controller's service account the rights of its chart there".to_owned(),
            Self::SecretUnread(_) | Self::SecretUnreadable { .. } => {
                "see whether the API server can be reached; it is tried again".to_owned()
            }
            Self::EndpointNotAllowed { .. } => {
                "correct the address, or have whoever runs Diarchy allow the host".to_owned()
            }
            Self::Estate(_) | Self::Credential { .. } => {
                "see the page of this code for what to check".to_owned()
            }
            Self::Repository(error) => error.remedy().to_owned(),
            Self::Fetch(error) => error.remedy().to_owned(),
            Self::Verify(error) => error.remedy().to_owned(),
            Self::NotHolder(_) => {
                "nothing is to be done: the replica that holds it carries on".to_owned()
            }
            Self::NothingWaiting(_) => {
                "give a digest that `up` or its status shows; it changes when the plan does"
                    .to_owned()
            }
            Self::Internal(_) => "please report it".to_owned(),
        }
    }
}
