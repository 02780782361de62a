//! Signatures of `ssh-keygen -Y sign`.

use russh::keys::ssh_key::SshSig;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::envelope::Envelope;
use super::refusal::shown;
use super::{Refusal, Signer, TrustedKeys};

/// What git signs for: a signature made for something else is none of a commit.
const NAMESPACE: &str = "git";

/// Who signed an object. As git has it, a key must count when the object says that it was made.
pub fn judge(envelope: &Envelope, keys: &TrustedKeys) -> Result<Signer, Refusal> {
    let signature = SshSig::from_pem(&envelope.signature)
        .map_err(|error| Refusal::unreadable(error.to_string()))?;
    let data = signature.public_key();
    let key = named(data);
    if keys.revoked.contains(data) {
        return Err(Refusal::Revoked { key });
    }
    let entries: Vec<_> = keys.ssh.iter().filter(|it| it.key == *data).collect();
    if entries.is_empty() {
        let detail = String::new();
        return Err(Refusal::UnknownKey { key, detail });
    }
    fits(&signature, envelope).map_err(|detail| Refusal::Wrong {
        key: key.clone(),
        detail,
    })?;
    let entries: Vec<_> = entries
        .into_iter()
        .filter(|it| it.is_for(NAMESPACE))
        .collect();
    let Some(first) = entries.first() else {
        let detail = " for git, only for other things".to_owned();
        return Err(Refusal::UnknownKey { key, detail });
    };
    let begins = |after: Option<i64>| after.is_none_or(|after| after <= envelope.made);
    let lasts = |before: Option<i64>| before.is_none_or(|before| envelope.made < before);
    let counts = entries
        .iter()
        .find(|it| begins(it.valid_after) && lasts(it.valid_before));
    if let Some(signer) = counts {
        return Ok(Signer {
            name: signer.principals.clone(),
            key,
        });
    }
    let detail = match (first.valid_after, first.valid_before) {
        (Some(after), _) if !begins(Some(after)) => format!("counts only from {} on", shown(after)),
        (_, Some(before)) => format!("counted only until {}", shown(before)),
        _ => "does not count at its time".to_owned(),
    };
    Err(Refusal::Expired { key, detail })
}

/// Whether the signature is one of the content.
fn fits(signature: &SshSig, envelope: &Envelope) -> Result<(), String> {
    if signature.namespace() != NAMESPACE {
        return Err(format!(
            "it was made for `{}` and not for git",
            super::openpgp::one_line(signature.namespace())
        ));
    }
    if signature.algorithm() == (Algorithm::Rsa { hash: None }) {
        return Err("it was made with SHA-1".to_owned());
    }
    PublicKey::from(signature.public_key().clone())
        .verify(NAMESPACE, &envelope.content, signature)
        .map_err(|_| "it is one of something else".to_owned())
}

/// A key as `ssh-keygen -l` names it.
fn named(key: &KeyData) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}
