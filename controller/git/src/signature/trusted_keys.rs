//! The keys that revisions may be signed with.

use pgp::composed::{Deserializable as _, SignedPublicKey};
use russh::keys::ssh_key::public::KeyData;

use super::allowed_signers::{self, AllowedSigner};
use crate::remote::one_line;

/// The file of SSH keys that count no longer, whatever other files say.
const REVOKED: &str = "revoked_keys";
const ARMOUR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Keys that are trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys {
    pub(super) ssh: Vec<AllowedSigner>,
    pub(super) revoked: Vec<KeyData>,
    pub(super) openpgp: Vec<SignedPublicKey>,
}

/// Why keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{file}`{} cannot be used: {problem}", line.map(|line| format!(", line {line},")).unwrap_or_default())]
pub struct KeysError {
    /// The file, or the key of the Secret.
    pub file: String,
    /// The line, where it is about one.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl KeysError {
    /// The stable code under which this is documented.
    #[must_use]
    pub const fn code(&self) -> diarchy_core::code::Code {
        diarchy_core::code::Code::TrustedKeysNotUsable
    }

    /// How to mend it, without a full stop.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        "give `allowed_signers` files of ssh-keygen, or public keys of OpenPGP"
    }
}

impl TrustedKeys {
    /// Reads any number of files, each with its name: `allowed_signers` files of SSH, and public
    /// keys of OpenPGP in armour or without. What a file is shows in what it holds; only the keys of
    /// a file `revoked_keys` count no longer.
    ///
    /// # Errors
    ///
    /// [`KeysError`] for a file that is none of these, and when there is no key at all: nothing
    /// could be accepted.
    pub fn read<N, B>(files: impl IntoIterator<Item = (N, B)>) -> Result<Self, KeysError>
    where
        N: AsRef<str>,
        B: AsRef<[u8]>,
    {
        let mut keys = Self::default();
        let mut names = Vec::new();
        for (name, bytes) in files {
            keys.add(name.as_ref(), bytes.as_ref())?;
            names.push(name.as_ref().to_owned());
        }
        if keys.ssh.is_empty() && keys.openpgp.is_empty() {
            return Err(KeysError {
                file: names.join(", "),
                line: None,
                problem: "there is no key in it".to_owned(),
            });
        }
        Ok(keys)
    }

    /// How many keys are trusted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ssh.len() + self.openpgp.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), KeysError> {
        let refused = |line: Option<usize>, problem: &str| KeysError {
            file: name.to_owned(),
            line,
            problem: problem.to_owned(),
        };
        let at_line = |(line, problem): (usize, String)| refused(Some(line), &problem);
        let text = str::from_utf8(bytes).ok();
        if text.is_some_and(|text| text.contains("PRIVATE KEY")) {
            return Err(refused(
                None,
                "it holds a private key, which nobody else may have",
            ));
        }
        match text {
            Some(text) if name == REVOKED => {
                let revoked = allowed_signers::read_keys(text).map_err(at_line)?;
                self.revoked.extend(revoked);
            }
            Some(text) if text.contains(ARMOUR) => {
                for block in text.split(ARMOUR).skip(1) {
                    let block = format!("{ARMOUR}{block}");
                    let (read, _) = SignedPublicKey::from_armor_many(block.as_bytes())
                        .map_err(|error| refused(None, &one_line(&error.to_string())))?;
                    self.take(read).map_err(|problem| refused(None, &problem))?;
                }
            }
            Some(text) if allowed_signers::is_one(text) || text.trim().is_empty() => {
                self.ssh
                    .extend(allowed_signers::read(text).map_err(at_line)?);
            }
            Some(text) if text.lines().all(|line| line.trim_start().starts_with('#')) => {}
            Some(_) => return Err(refused(None, "it holds no key that can be read")),
            None => {
                let read = SignedPublicKey::from_bytes_many(bytes)
                    .map_err(|error| refused(None, &one_line(&error.to_string())))?;
                self.take(read).map_err(|problem| refused(None, &problem))?;
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        keys: impl Iterator<Item = pgp::errors::Result<SignedPublicKey>>,
    ) -> Result<(), String> {
        let before = self.openpgp.len();
        for key in keys {
            self.openpgp
                .push(key.map_err(|error| one_line(&error.to_string()))?);
        }
        if self.openpgp.len() == before {
            return Err("it holds no public key of OpenPGP".to_owned());
        }
        Ok(())
    }
}
