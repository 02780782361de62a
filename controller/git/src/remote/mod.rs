//! Repositories on other machines, brought into a mirror on this one.
//!
//! [`Fetcher::fetch`] starts a process that does it and ends. What comes of it, [`Fetched`], is read
//! like any other repository, by [`crate::load`] with [`crate::Source::Fetched`]. Nothing is ever
//! checked out.

mod address;
mod child;
mod connection;
mod credentials;
mod error;
mod fetcher;
mod https;
mod mirror;
mod mirrors;
mod protocol;
mod request;
mod secret;
mod ssh;

pub use address::Address;
pub use child::{fetch, serve};
pub use credentials::Credentials;
pub use error::FetchError;
pub use fetcher::Fetcher;
pub use mirror::remove as remove_mirror;
pub use mirrors::mirror_in;
pub use request::{FetchRequest, Fetched, FetchedTag, Limits, Wanted};

pub(crate) use error::one_line;
pub(crate) use mirror::reading;

/// How this program calls itself: some servers answer only what begins like git.
const AGENT: &str = concat!("git/2.0 (diarchy ", env!("CARGO_PKG_VERSION"), ")");

/// TLS needs one provider of cryptography for the process; a binary that chose one keeps it.
fn provide_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only when another thread has just installed one, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
