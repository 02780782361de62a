//! How a command ends: what its exit status says, and what is shown when it could not be done.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use diarchy_cluster::ClusterError;
use diarchy_core::code::Code;
use diarchy_core::inventory::NotOneDevice;
use diarchy_git::signature::{KeysError, VerifyError};
use diarchy_git::{Diagnostic, FetchError, LoadError};

use crate::show;

/// What a command that was carried out has to say in its exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit 0: valid, nothing would change, converged.
    Same,
    /// Exit 1: invalid, something would change, not converged.
    Differs,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Same => Self::SUCCESS,
            Outcome::Differs => Self::from(1),
        }
    }
}

/// Why a command could not be carried out; exit 2.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// One thing is wrong.
    #[error("{code}: {problem}: {remedy}")]
    Coded {
        /// Its stable code.
        code: Code,
        /// What is wrong.
        problem: String,
        /// How to mend it.
        remedy: String,
    },
    /// The revision does not validate.
    #[error("the revision {revision} does not validate")]
    Invalid {
        /// The revision, as people are told.
        revision: String,
        /// What is wrong with it.
        diagnostics: Vec<Diagnostic>,
    },
    /// Lines of a file are wrong.
    #[error("{file} cannot be used")]
    Lines {
        /// The file.
        file: String,
        /// What is wrong with its lines.
        problems: Vec<diarchy_core::inventory::LineProblem>,
    },
    /// What was asked for cannot be written.
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
}

impl Failure {
    /// A failure with a code, a problem and a remedy, both without a full stop.
    pub fn new(code: Code, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Coded {
            code,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// An argument that clap could not know to be wrong.
    pub fn argument(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, problem, remedy)
    }

    /// A file or folder that cannot be written.
    pub fn not_writable(place: &std::path::Path, error: &std::io::Error) -> Self {
        Self::argument(
            format!("`{}` cannot be written: {error}", place.display()),
            "give a place that exists and that this user may write to",
        )
    }

    /// Shows the failure on standard error. A reader that has gone away is no failure to tell of.
    pub fn show(&self) {
        match self {
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            Self::Coded { .. } | Self::Output(_) => show::error(&self.to_string()),
            Self::Invalid { diagnostics, .. } => {
                for diagnostic in diagnostics {
                    show::line_on_stderr(&show::printable(&diagnostic.to_string()));
                }
                show::error(&self.to_string());
            }
            Self::Lines { file, problems } => {
                for problem in problems {
                    show::line_on_stderr(&format!("{file}:{problem}"));
                }
                show::error(&self.to_string());
            }
        }
    }
}

impl From<diarchy_operator::error::OperatorError> for Failure {
    fn from(error: diarchy_operator::error::OperatorError) -> Self {
        Self::new(error.code(), error.to_string(), error.remedy())
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        Self::new(error.code(), error.to_string(), error.remedy())
    }
}

impl From<NotOneDevice> for Failure {
    fn from(error: NotOneDevice) -> Self {
        Self::new(Code::DeviceNotFound, error.to_string(), error.remedy())
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::new(error.code(), error.to_string(), error.remedy())
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::new(error.code(), error.to_string(), error.remedy())
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self::new(error.code(), error.to_string(), error.remedy())
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        Self::new(error.code(), error.to_string(), error.remedy())
    }
}

/// How an error's label looks.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
