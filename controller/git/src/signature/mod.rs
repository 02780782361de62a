//! Who signed a revision.
//!
//! Everything here is decided from bytes: the object as git stores it, the keys that are trusted,
//! and the time. A signature of git's signs the object without the signature, so what is judged is
//! cut out of the object itself and nothing that was parsed and written again.

mod allowed_signers;
mod envelope;
mod openpgp;
mod refusal;
mod ssh;
mod trusted_keys;

use git2::Repository;
use jiff::Timestamp;

use crate::remote::{Fetched, reading};

pub use refusal::{Refusal, VerifyError};
pub use trusted_keys::{KeysError, TrustedKeys};

use envelope::{Envelope, Kind};

/// Who signed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The principal of an `allowed_signers` file, or the user id of an OpenPGP key.
    pub name: String,
    /// The key's fingerprint, as `ssh-keygen -l` or `gpg --list-keys` shows it.
    pub key: String,
}

/// Who signed a commit.
///
/// `commit` is the commit as git stores it, without the header that says its length. `now` is for
/// keys that expire by the calendar.
///
/// # Errors
///
/// [`Refusal`], typed by why it is not accepted.
pub fn verify_commit(commit: &[u8], keys: &TrustedKeys, now: Timestamp) -> Result<Signer, Refusal> {
    judge(&Envelope::of_commit(commit)?, keys, now)
}

/// Who signed a tag, which must be called `name` and stand for the object `id`: a signature on one
/// tag must not vouch for another.
///
/// # Errors
///
/// [`Refusal`], typed by why it is not accepted.
pub fn verify_tag(
    tag: &[u8],
    name: &str,
    id: &str,
    keys: &TrustedKeys,
    now: Timestamp,
) -> Result<Signer, Refusal> {
    let envelope = Envelope::of_tag(tag)?;
    let signer = judge(&envelope, keys, now)?;
    let names = |key: &str, value: &str| envelope.header(key) == Some(value);
    if names("tag", name) && names("object", id) {
        return Ok(signer);
    }
    Err(Refusal::Wrong {
        key: signer.key,
        detail: format!("it signs another tag than `{name}`"),
    })
}

/// Who signed what was fetched: the tag, if it is a signed one; otherwise the commit.
///
/// # Errors
///
/// [`VerifyError::Refused`] with why it is not accepted, [`VerifyError::Unreadable`] when the mirror
/// cannot be read.
pub fn verify(
    fetched: &Fetched,
    keys: &TrustedKeys,
    now: Timestamp,
) -> Result<Signer, VerifyError> {
    let refused = |refusal: Refusal| VerifyError::Refused {
        revision: fetched.revision.clone(),
        refusal,
    };
    let _reading =
        reading(&fetched.mirror).map_err(|error| VerifyError::unreadable(fetched, &error))?;
    let git = |error: git2::Error| VerifyError::unreadable(fetched, &error);
    let repository = Repository::open_bare(&fetched.mirror).map_err(git)?;
    let bytes = |id: &str| -> Result<Vec<u8>, git2::Error> {
        let store = repository.odb()?;
        Ok(store.read(id.parse()?)?.data().to_vec())
    };
    if let Some(tag) = &fetched.tag
        && let Some(object) = &tag.object
    {
        let text = bytes(object).map_err(git)?;
        match verify_tag(&text, &tag.name, &fetched.commit, keys, now) {
            // A tag that nobody signed says nothing; the commit may.
            Err(Refusal::Unsigned) => {}
            outcome => return outcome.map_err(refused),
        }
    }
    let commit = bytes(&fetched.commit).map_err(git)?;
    verify_commit(&commit, keys, now).map_err(refused)
}

fn judge(envelope: &Envelope, keys: &TrustedKeys, now: Timestamp) -> Result<Signer, Refusal> {
    match envelope.kind {
        Kind::Ssh => ssh::judge(envelope, keys),
        Kind::OpenPgp => openpgp::judge(envelope, keys, now),
    }
}
