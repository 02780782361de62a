//! Which repository, and how it is reached.

use std::path::PathBuf;

use clap::Args;
use diarchy_core::duration::Span;

/// Where resources are read from.
#[derive(Debug, Clone, Args)]
pub struct Repository {
    /// A git repository, a folder within one, or its address: https://…, ssh://…, git@host:path, file://…
    #[arg(value_name = "REPO")]
    pub place: String,
    #[command(flatten)]
    pub reading: Reading,
}

/// How resources are read, wherever they are.
#[derive(Debug, Clone, Args)]
pub struct Reading {
    /// Read only this folder of it
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Read the files as they lie on disk, committed or not
    #[arg(long)]
    pub working_tree: bool,
    #[command(flatten)]
    pub git: Git,
}

/// How a repository on another machine is fetched, and whose word it must bear.
#[derive(Debug, Clone, Args)]
pub struct Git {
    /// Credentials for REPO on another machine, as FOLDER/<key>, such as FOLDER/token
    #[arg(long = "git-secrets", id = "git-secrets", value_name = "FOLDER")]
    pub secrets: Option<PathBuf>,
    /// Accept a revision of REPO only if one of these keys has signed it: of SSH, or of OpenPGP
    #[arg(long = "verify-keys", id = "verify-keys", value_name = "FILE|FOLDER")]
    pub keys: Option<PathBuf>,
    /// How long one fetch of REPO may take
    #[arg(
        long = "git-timeout",
        id = "git-timeout",
        value_name = "DURATION",
        default_value = "60s"
    )]
    pub timeout: Span,
}

impl Git {
    /// An option that was given and means nothing for a repository on this machine.
    pub const fn only_for_remote(&self) -> Option<&'static str> {
        match (&self.secrets, &self.keys) {
            (Some(_), _) => Some("--git-secrets"),
            (None, Some(_)) => Some("--verify-keys"),
            (None, None) => None,
        }
    }
}
