//! The private key that a server is shown the other half of.

use russh::keys::{Error, PrivateKey, PublicKey, decode_secret_key};

use crate::remote::credentials::{Credentials, identity_unusable};
use crate::remote::error::FetchError;
use crate::remote::secret::Secret;

/// Reads a private key, and deciphers it with `password` where it is encrypted.
///
/// # Errors
///
/// [`FetchError::Credentials`] for what is no key, or not the one of `identity.pub`.
pub fn read(identity: &Secret, credentials: &Credentials) -> Result<PrivateKey, FetchError> {
    let password = credentials.password.as_ref().map(Secret::reveal);
    let key = decode_secret_key(identity.reveal(), password).map_err(|error| match error {
        Error::KeyIsEncrypted => identity_unusable(
            "it is encrypted",
            "give what it is encrypted with as `password`, or a deploy key without encryption",
        ),
        _ => identity_unusable(
            if password.is_some() {
                "it is no private key that can be read, or `password` is not what it is encrypted with"
            } else {
                "it is no private key that can be read"
            },
            // The library stumbles over a leading zero, which one ECDSA key in 256 has.
            "give the whole file that ssh-keygen made, from BEGIN to END; some ECDSA keys cannot be read: best is one of kind ed25519",
        ),
    })?;
    let Some(public) = &credentials.identity_pub else {
        return Ok(key);
    };
    let same = PublicKey::from_openssh(public.trim())
        .is_ok_and(|public| public.key_data() == key.public_key().key_data());
    if same {
        Ok(key)
    } else {
        Err(identity_unusable(
            "`identity.pub` is not its other half",
            "give both files of the same key, or leave `identity.pub` out",
        ))
    }
}
