//! Why a source could not be carried out, typed by what it asks for.

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_fleet::endpoints::NotAllowed;
use diarchy_git::signature::{KeysError, VerifyError};
use diarchy_git::{FetchError, LoadError};
use diarchy_operator::error::OperatorError;

/// Why a source could not be carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// What the source itself asks for is wrong.
    #[error("{problem}")]
    Spec {
        /// The code of the mistake.
        code: Code,
        /// What is wrong.
        problem: String,
        /// How to mend it.
        remedy: String,
    },
    /// A Secret is missing, or cannot be used.
    #[error(transparent)]
    Secret(#[from] OperatorError),
    /// The trusted keys cannot be used.
    #[error("Secret {secret}: {error}")]
    Keys {
        /// The Secret.
        secret: String,
        /// What is wrong with it.
        error: KeysError,
    },
    /// The repository is where none may be.
    #[error("{refused}, and repositories may be at these hosts only: {allowed}")]
    HostNotAllowed {
        /// Where it is.
        refused: NotAllowed,
        /// Where it may be.
        allowed: String,
    },
    /// The repository cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Nobody who is trusted has signed the revision.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The revision cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The revision does not validate.
    #[error("{revision} is not applied, for {}: {first}", mistakes(*count))]
    Invalid {
        /// The revision.
        revision: String,
        /// The code of the first mistake.
        code: Code,
        /// How many mistakes there are.
        count: usize,
        /// The first ones, by file and line.
        first: String,
    },
    /// The revision has documents for other namespaces.
    #[error("{revision} is not applied: {}", strangers.iter().take(3).cloned().collect::<Vec<_>>().join("; "))]
    OtherNamespace {
        /// The revision.
        revision: String,
        /// The namespace of the source.
        namespace: String,
        /// The documents.
        strangers: Vec<String>,
    },
    /// The account may not do what is to be done.
    #[error("{account} may not {verb} {what}: {detail}")]
    Forbidden {
        /// The service account.
        account: String,
        /// What it may not do.
        verb: &'static str,
        /// With which object.
        what: String,
        /// In the server's words.
        detail: String,
        /// How to mend it.
        remedy: String,
    },
    /// The API server does not take an object.
    #[error("the API server does not take {what}: {detail}")]
    Refused {
        /// The object.
        what: String,
        /// In the server's words.
        detail: String,
    },
    /// The API server could not be asked.
    #[error("{what} was not written: {detail}")]
    NotWritten {
        /// The object.
        what: String,
        /// Why not.
        detail: String,
    },
    /// Another replica may be the one that writes.
    #[error("the source is not held by this replica any more, or not for long enough")]
    NotHolder,
    /// Something failed that should not have.
    #[error("{0}")]
    Internal(String),
}

fn mistakes(count: usize) -> String {
    match count {
        1 => "a mistake".to_owned(),
        count => format!("{count} mistakes"),
    }
}

impl SourceError {
    /// The stable code under which this is documented.
    pub const fn code(&self) -> Code {
        match self {
            Self::Spec { code, .. } | Self::Invalid { code, .. } => *code,
            Self::Secret(error) => error.code(),
            Self::Keys { error, .. } => error.code(),
            Self::HostNotAllowed { .. } => Code::EndpointNotAllowed,
            Self::Fetch(error) => error.code(),
            Self::Verify(error) => error.code(),
            Self::Load(error) => error.code(),
            Self::OtherNamespace { .. } => Code::OtherNamespace,
            Self::Forbidden { .. } => Code::ApplyForbidden,
            Self::Refused { .. } => Code::ApplyRefused,
            Self::NotWritten { .. } => Code::ClusterNotUsable,
            Self::NotHolder => Code::NotHolder,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// What it asks for.
    pub const fn consequence(&self) -> Consequence {
        match self {
            Self::Spec { .. }
            | Self::Keys { .. }
            | Self::HostNotAllowed { .. }
            | Self::Load(LoadError::RevisionNotFound { .. } | LoadError::PathNotFound { .. })
            | Self::Invalid { .. }
            | Self::OtherNamespace { .. }
            | Self::Forbidden { .. }
            | Self::Refused { .. } => Consequence::FixInput,
            Self::Secret(error) => error.consequence(),
            Self::Fetch(error) => error.consequence(),
            Self::Verify(error) => error.consequence(),
            Self::Load(LoadError::RepositoryNotReadable { .. })
            | Self::NotWritten { .. }
            | Self::NotHolder
            | Self::Internal(_) => Consequence::Retry,
        }
    }

    /// Whether the server refused who asks: asking again and again may lock an account.
    pub const fn is_refusal_of_credentials(&self) -> bool {
        matches!(
            self,
            Self::Fetch(FetchError::Refused { .. } | FetchError::Forbidden { .. })
        )
    }

    /// What it is, in a word, as conditions name it.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Spec { .. } => "Invalid",
            Self::Secret(error) => error.reason(),
            Self::Keys { .. } => "SecretNotUsable",
            Self::HostNotAllowed { .. } => "EndpointNotAllowed",
            Self::Fetch(_) | Self::Load(_) => "RepositoryNotReadable",
            Self::Verify(_) => "RevisionNotVerified",
            Self::Invalid { .. } => "RevisionInvalid",
            Self::OtherNamespace { .. } => "OtherNamespace",
            Self::Forbidden { .. } => "Forbidden",
            Self::Refused { .. } => "Refused",
            Self::NotWritten { .. } => "NotWritten",
            Self::NotHolder => "NotHolder",
            Self::Internal(_) => "Internal",
        }
    }

    /// Everything that a person needs: code, problem and remedy. The mistakes of a revision bear
    /// codes and remedies of their own.
    pub fn told(&self) -> String {
        match self {
            Self::Invalid { .. } => self.to_string(),
            _ => format!("{}: {self}: {}", self.code(), self.remedy()),
        }
    }

    fn remedy(&self) -> String {
        match self {
            Self::Spec { remedy, .. } | Self::Forbidden { remedy, .. } => remedy.clone(),
            Self::Secret(OperatorError::SecretMissing { .. }) => {
                "create the Secret in the namespace of the source, with the keys that it needs"
                    .to_owned()
            }
            Self::Secret(error) => error.remedy(),
            Self::Keys { error, .. } => error.remedy().to_owned(),
            Self::HostNotAllowed { .. } => {
                "correct the address, or have whoever runs Diarchy allow the host".to_owned()
            }
            Self::Fetch(error) => error.remedy().to_owned(),
            Self::Verify(error) => error.remedy().to_owned(),
            Self::Load(error) => error.remedy().to_owned(),
            Self::Invalid { .. } => "correct the files named".to_owned(),
            Self::OtherNamespace { namespace, .. } => format!(
                "write `{namespace}`, or leave the namespace out; another namespace needs a GitSource of its own"
            ),
            Self::Refused { .. } => {
                "correct the object in git, or have whoever runs the cluster allow it".to_owned()
            }
            Self::NotWritten { .. } => {
                "see whether the API server can be reached; it is tried again".to_owned()
            }
            Self::NotHolder => {
                "nothing is to be done: the replica that holds it carries on".to_owned()
            }
            Self::Internal(_) => "please report it".to_owned(),
        }
    }
}
