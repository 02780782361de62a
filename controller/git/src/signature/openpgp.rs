//! Signatures of OpenPGP.
//!
//! The library knows the formats and the mathematics; which key counts is decided here, as gpg
//! decides it: one that its owner bound to himself, that may sign, that has not expired now, and
//! that was not revoked.

use jiff::Timestamp;
use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails, Tag, VerifyingKey};

use super::envelope::Envelope;
use super::refusal::shown;
use super::{Refusal, Signer, TrustedKeys};

pub(super) use crate::remote::one_line;

/// Who signed an object.
pub fn judge(envelope: &Envelope, keys: &TrustedKeys, now: Timestamp) -> Result<Signer, Refusal> {
    let armoured = envelope.signature.as_bytes();
    let signature = DetachedSignature::from_armor_single(armoured)
        .map_err(|error| Refusal::unreadable(one_line(&error.to_string())))?
        .0
        .signature;
    if !matches!(
        signature.typ(),
        Some(SignatureType::Binary | SignatureType::Text)
    ) {
        return Err(Refusal::unreadable("it signs no content"));
    }
    let mut best = None;
    for trusted in &keys.openpgp {
        for candidate in Candidate::all(trusted) {
            if !candidate.is_named_by(&signature) {
                continue;
            }
            match candidate.judge(&signature, envelope, now) {
                Ok(signer) => return Ok(signer),
                // A key may stand in several files, in one of them newer than in another.
                Err(refusal) => best = Some(refusal),
            }
        }
    }
    Err(best.unwrap_or_else(|| Refusal::UnknownKey {
        key: issuer(&signature),
        detail: String::new(),
    }))
}

/// A key that may have made a signature: the primary one, or one bound to it.
struct Candidate<'k> {
    owner: &'k SignedPublicKey,
    subkey: Option<&'k SignedPublicSubKey>,
}

impl<'k> Candidate<'k> {
    fn all(owner: &'k SignedPublicKey) -> impl Iterator<Item = Self> {
        let subkeys = owner.public_subkeys.iter().map(Some);
        std::iter::once(None)
            .chain(subkeys)
            .map(move |subkey| Self { owner, subkey })
    }

    fn details(&self) -> &dyn KeyDetails {
        match self.subkey {
            Some(subkey) => &subkey.key,
            None => &self.owner.primary_key,
        }
    }

    fn fingerprint(&self) -> String {
        format!("{:X}", self.details().fingerprint())
    }

    /// Whether the signature names this key. One that names none is of nobody.
    fn is_named_by(&self, signature: &Signature) -> bool {
        let fingerprint = self.details().fingerprint();
        let id = self.details().legacy_key_id();
        signature.issuer_fingerprint().contains(&&fingerprint)
            || signature.issuer_key_id().contains(&&id)
    }

    fn judge(
        &self,
        signature: &Signature,
        envelope: &Envelope,
        now: Timestamp,
    ) -> Result<Signer, Refusal> {
        let key = self.fingerprint();
        let wrong = |detail: &str| Refusal::Wrong {
            key: key.clone(),
            detail: detail.to_owned(),
        };
        let made = signature
            .created()
            .map(|made| i64::from(made.as_secs()))
            .ok_or_else(|| wrong("it does not say when it was made"))?;
        if !signature.hash_alg().is_some_and(is_strong) {
            return Err(wrong("it was made with a hash that is broken"));
        }
        let content = envelope.content.as_slice();
        match self.subkey {
            Some(subkey) => signature.verify(&subkey.key, content),
            None => signature.verify(&self.owner.primary_key, content),
        }
        .map_err(|_| wrong("it is one of something else"))?;
        if made < i64::from(self.details().created_at().as_secs()) {
            return Err(wrong("it is older than the key"));
        }
        self.counts(&key, now)?;
        ends(
            signature.created(),
            signature.signature_expiration_time(),
            now,
        )
        .map_or(Ok(()), |end| expired(&key, end))?;
        Ok(Signer {
            name: self.user(),
            key,
        })
    }

    /// Whether the key may sign, and still may.
    fn counts(&self, key: &str, now: Timestamp) -> Result<(), Refusal> {
        let primary = &self.owner.primary_key;
        let revoked = |signatures: &[Signature]| {
            signatures
                .iter()
                .any(|signature| signature.verify_key(primary).is_ok())
        };
        if revoked(&self.owner.details.revocation_signatures) {
            return Err(Refusal::Revoked {
                key: key.to_owned(),
            });
        }
        let not_for_this = |detail: &str| Refusal::UnknownKey {
            key: key.to_owned(),
            detail: detail.to_owned(),
        };
        let binding = self
            .own_word()
            .ok_or_else(|| not_for_this(": nothing binds it to its owner"))?;
        let created = primary.created_at();
        if let Some(end) = ends(Some(created), binding.key_expiration_time(), now) {
            return expired(key, end);
        }
        let Some(subkey) = self.subkey else {
            return if may_sign(binding, true) {
                Ok(())
            } else {
                Err(not_for_this(" to sign with"))
            };
        };
        if subkey.signatures.iter().any(|signature| {
            signature.typ() == Some(SignatureType::SubkeyRevocation)
                && signature
                    .verify_subkey_binding(primary, &subkey.key)
                    .is_ok()
        }) {
            return Err(Refusal::Revoked {
                key: key.to_owned(),
            });
        }
        let binding = bound(subkey, primary)
            .ok_or_else(|| not_for_this(": nothing binds it to its owner"))?;
        if !may_sign(binding, false) {
            return Err(not_for_this(" to sign with"));
        }
        let created = subkey.key.created_at();
        match ends(Some(created), binding.key_expiration_time(), now) {
            Some(end) => expired(key, end),
            None => Ok(()),
        }
    }

    /// What the owner says last of the primary key: until when it counts, and what for.
    fn own_word(&self) -> Option<&'k Signature> {
        let primary = &self.owner.primary_key;
        let details = &self.owner.details;
        let direct = details
            .direct_signatures
            .iter()
            .filter(|signature| signature.verify_key(primary).is_ok());
        let of_users = details.users.iter().flat_map(|user| {
            user.signatures.iter().filter(|signature| {
                signature.typ() != Some(SignatureType::CertRevocation)
                    && signature
                        .verify_certification(primary, Tag::UserId, &user.id)
                        .is_ok()
            })
        });
        direct.chain(of_users).max_by_key(|it| it.created())
    }

    /// The user id that the owner prefers, or the first that he stands by.
    fn user(&self) -> String {
        let primary = &self.owner.primary_key;
        let own = |user: &&pgp::types::SignedUser| {
            let is_good = |signature: &&Signature| {
                signature
                    .verify_certification(primary, Tag::UserId, &user.id)
                    .is_ok()
            };
            let mut good = user.signatures.iter().filter(is_good).peekable();
            good.peek().is_some() && good.all(|it| it.typ() != Some(SignatureType::CertRevocation))
        };
        let users: Vec<_> = self.owner.details.users.iter().filter(own).collect();
        users
            .iter()
            .find(|user| user.is_primary())
            .or_else(|| users.first())
            .map(|user| one_line(&String::from_utf8_lossy(user.id.id())))
            .unwrap_or_default()
    }
}

/// The newest signature that binds a subkey to its owner, and, if it may sign, its owner to it: a
/// subkey that is not agreed to by itself may be somebody else's.
fn bound<'k, V>(subkey: &'k SignedPublicSubKey, primary: &V) -> Option<&'k Signature>
where
    V: VerifyingKey + Serialize,
{
    subkey
        .signatures
        .iter()
        .filter(|signature| {
            signature.typ() == Some(SignatureType::SubkeyBinding)
                && signature
                    .verify_subkey_binding(primary, &subkey.key)
                    .is_ok()
        })
        .filter(|signature| {
            !signature.key_flags().sign()
                || signature.embedded_signature().is_some_and(|back| {
                    back.verify_primary_key_binding(&subkey.key, primary)
                        .is_ok()
                })
        })
        .max_by_key(|signature| signature.created())
}

/// Whether a key may sign; an old primary key that does not say what it is for may do everything.
fn may_sign(binding: &Signature, unless_said: bool) -> bool {
    let says = binding.config().is_some_and(|config| {
        config
            .hashed_subpackets()
            .any(|subpacket| matches!(subpacket.data, SubpacketData::KeyFlags(_)))
    });
    if says {
        binding.key_flags().sign()
    } else {
        unless_said
    }
}

/// When something ended, if it has.
fn ends(
    begin: Option<pgp::types::Timestamp>,
    length: Option<pgp::types::Duration>,
    now: Timestamp,
) -> Option<i64> {
    let length = i64::from(length?.as_secs());
    let end = i64::from(begin?.as_secs()) + length;
    // A length of 0 is no end.
    (length > 0 && end <= now.as_second()).then_some(end)
}

fn expired(key: &str, end: i64) -> Result<(), Refusal> {
    Err(Refusal::Expired {
        key: key.to_owned(),
        detail: format!("expired at {}", shown(end)),
    })
}

const fn is_strong(hash: HashAlgorithm) -> bool {
    matches!(
        hash,
        HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha224
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512
    )
}

/// The key that a signature says it is of.
fn issuer(signature: &Signature) -> String {
    let fingerprint = signature.issuer_fingerprint();
    let id = signature.issuer_key_id();
    fingerprint
        .first()
        .map(|fingerprint| format!("{fingerprint:X}"))
        .or_else(|| id.first().map(|id| format!("{id}").to_uppercase()))
        .unwrap_or_else(|| "a key that it does not name".to_owned())
}
