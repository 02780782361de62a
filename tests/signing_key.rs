//! A key of SSH that commits are signed with.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::origin::Origin;

/// The key, in a folder that goes with it.
pub struct SigningKey(TempDir);

impl SigningKey {
    /// A new one.
    pub fn new() -> Self {
        let key = Self(tempfile::tempdir().unwrap());
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(key.file())
            .status();
        assert!(made.unwrap().success());
        key
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("signing")
    }

    /// The public key.
    pub fn public(&self) -> String {
        fs::read_to_string(self.file().with_extension("pub")).unwrap()
    }

    /// A file of allowed signers that takes the key for that of `principal`.
    pub fn allowed(&self, principal: &str) -> String {
        format!("{principal} {}", self.public())
    }

    /// Has every later commit of `origin` signed.
    pub fn sign_commits_of(&self, origin: &Origin) {
        for (name, value) in [
            ("gpg.format", "ssh"),
            ("user.signingkey", self.file().to_str().unwrap()),
            ("commit.gpgsign", "true"),
        ] {
            origin.git(&["config", name, value]);
        }
    }
}
