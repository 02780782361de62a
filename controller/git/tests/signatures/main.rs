//! Who signed a commit or a tag: made with git, ssh-keygen, gpg and the OpenPGP library, judged by
//! what is in the repository.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by ending"
)]

#[path = "../remote/origin.rs"]
#[allow(dead_code, reason = "used in part")]
mod origin;

mod openpgp;
mod ssh;
mod tags;

use diarchy_git::signature::{Refusal, Signer, TrustedKeys, verify_commit};
use git2::Repository;
use jiff::Timestamp;

use origin::Origin;

/// An object as git stores it.
fn object(origin: &Origin, id: &str) -> Vec<u8> {
    let repository = Repository::open(origin.tree()).unwrap();
    let store = repository.odb().unwrap();
    let id = repository.revparse_single(id).unwrap().id();
    store.read(id).unwrap().data().to_vec()
}

/// What is said of the newest commit.
fn judged(origin: &Origin, keys: &[(&str, &str)]) -> Result<Signer, Refusal> {
    let keys = TrustedKeys::read(keys.iter().copied()).unwrap();
    verify_commit(&object(origin, "HEAD"), &keys, Timestamp::now())
}

/// A commit with its signature over something else.
fn tampered(commit: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(commit.to_vec()).unwrap();
    text.replace("fleet.yaml", "other.yaml").into_bytes()
}
