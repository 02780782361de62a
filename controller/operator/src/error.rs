//! What can go wrong in the loop, typed by what it asks for.

use diarchy_core::code::Code;
use diarchy_fleet::EstateError;
use diarchy_fleet::endpoints::NotAllowed;
use diarchy_git::LoadError;

/// Why the loop, or a part of a pass, could not go on.
#[derive(Debug, thiserror::Error)]
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
    /// A credential is missing or cannot be read.
    #[error("{what} is missing: {place}")]
    SecretMissing {
        /// Which credential.
        what: String,
        /// Where it was looked for.
        place: String,
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
            Self::SecretMissing { .. } => Code::SecretMissing,
            Self::SecretNotUsable { .. } => Code::SecretNotUsable,
            Self::Credential { error, .. } => error.code(),
            Self::EndpointNotAllowed { .. } => Code::EndpointNotAllowed,
            Self::Estate(error) => error.code(),
            Self::Repository(error) => error.code(),
            Self::NothingWaiting(_) => Code::NothingWaiting,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// How to mend it, without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::State { remedy, .. } => remedy.clone(),
            Self::SecretMissing { .. } => {
                "put it there, one file for each key, or name another folder with --secrets"
                    .to_owned()
            }
            Self::SecretNotUsable { remedy, .. } => remedy.clone(),
            Self::EndpointNotAllowed { .. } => {
                "correct the address, or have whoever runs Diarchy allow the host".to_owned()
            }
            Self::Estate(_) | Self::Credential { .. } => {
                "see the page of this code for what to check".to_owned()
            }
            Self::Repository(error) => error.remedy().to_owned(),
            Self::NothingWaiting(_) => {
                "give a digest that `up` or its status shows; it changes when the plan does"
                    .to_owned()
            }
            Self::Internal(_) => "please report it".to_owned(),
        }
    }
}
