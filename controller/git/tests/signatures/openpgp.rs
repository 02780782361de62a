//! Signatures of OpenPGP: by gpg where the machine has it, and by the library.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use diarchy_core::code::Code;
use diarchy_git::signature::{Refusal, Signer, TrustedKeys, verify_commit};
use jiff::{SignedDuration, Timestamp};
use pgp::composed::{
    ArmorOptions, DetachedSignature, EncryptionCaps, KeyType, SecretKeyParamsBuilder,
    SignedPublicKey, SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::types::Password;
use rand_of_pgp::thread_rng;
use tempfile::TempDir;

use crate::origin::Origin;
use crate::{judged, object, tampered};

/// A commit signed with one of the library's keys.
struct Made {
    origin: Origin,
    commit: Vec<u8>,
}

/// Commits something, and signs it as git would.
fn signed(sign: impl Fn(&[u8]) -> DetachedSignature) -> Made {
    let origin = Origin::new();
    let unsigned = object(&origin, "HEAD");
    let armour = sign(&unsigned)
        .to_armored_string(ArmorOptions::default())
        .unwrap();
    let text = String::from_utf8(unsigned).unwrap();
    let (head, rest) = text.split_once("\n\n").unwrap();
    let header = armour.trim_end().replace("\r\n", "\n").replace('\n', "\n ");
    let commit = format!("{head}\ngpgsig {header}\n\n{rest}").into_bytes();
    Made { origin, commit }
}

fn primary(kind: KeyType) -> SignedSecretKey {
    SecretKeyParamsBuilder::default()
        .key_type(kind)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("Lena <lena@contoso.com>".into())
        .build()
        .unwrap()
        .generate(thread_rng())
        .unwrap()
}

fn armoured(key: &SignedSecretKey) -> String {
    let public = SignedPublicKey::from(key.clone());
    public.to_armored_string(ArmorOptions::default()).unwrap()
}

fn by(key: &SignedSecretKey, hash: HashAlgorithm) -> impl Fn(&[u8]) -> DetachedSignature {
    let key = key.primary_key.clone();
    move |content| {
        DetachedSignature::sign_binary_data(thread_rng(), &key, &Password::empty(), hash, content)
            .unwrap()
    }
}

fn judge(made: &Made, keys: &[&str], now: Timestamp) -> Result<Signer, Refusal> {
    let keys = TrustedKeys::read(keys.iter().map(|key| ("key.asc", *key))).unwrap();
    verify_commit(&made.commit, &keys, now)
}

#[test]
fn every_kind_of_key_can_sign() {
    for kind in [KeyType::Ed25519Legacy, KeyType::Rsa(2048), KeyType::Ed25519] {
        let key = primary(kind);
        let made = signed(by(&key, HashAlgorithm::Sha512));
        let now = Timestamp::now();
        let signer = judge(&made, &[&armoured(&key)], now).unwrap();
        assert_eq!(signer.name, "Lena <lena@contoso.com>");
        let changed = Made {
            commit: tampered(&made.commit),
            origin: made.origin,
        };
        let error = judge(&changed, &[&armoured(&key)], now).unwrap_err();
        assert_eq!(error.code(), Code::SignatureWrong, "{error}");
        let other = armoured(&primary(KeyType::Ed25519Legacy));
        let error = judge(&changed, &[&other], now).unwrap_err();
        assert_eq!(error.code(), Code::SignerUnknown, "{error}");
        assert!(error.to_string().contains(&signer.key), "{error}");
    }
}

#[test]
fn keys_are_read_in_armour_and_without() {
    use pgp::ser::Serialize as _;

    let (one, two) = (
        primary(KeyType::Ed25519Legacy),
        primary(KeyType::Ed25519Legacy),
    );
    let made = signed(by(&two, HashAlgorithm::Sha256));
    let mut bytes = Vec::new();
    for key in [&one, &two] {
        SignedPublicKey::from(key.clone())
            .to_writer(&mut bytes)
            .unwrap();
    }
    let keys = TrustedKeys::read([("keys.gpg", bytes)]).unwrap();
    assert_eq!(keys.len(), 2);
    assert!(verify_commit(&made.commit, &keys, Timestamp::now()).is_ok());
    // Several blocks in one file, as people put them together.
    let both = format!("{}\n{}", armoured(&one), armoured(&two));
    assert!(judge(&made, &[&both], Timestamp::now()).is_ok());
    let secret = one.to_armored_string(ArmorOptions::default()).unwrap();
    let error = TrustedKeys::read([("secret.asc", secret)]).unwrap_err();
    assert!(error.to_string().contains("private key"), "{error}");
}

#[test]
fn a_hash_that_is_broken_is_not_believed() {
    let key = primary(KeyType::Rsa(2048));
    let made = signed(by(&key, HashAlgorithm::Sha1));
    let error = judge(&made, &[&armoured(&key)], Timestamp::now()).unwrap_err();
    assert_eq!(error.code(), Code::SignatureWrong);
    assert!(error.to_string().contains("hash that is broken"), "{error}");
}

#[test]
fn a_key_that_may_not_sign_does_not_count() {
    let key = SecretKeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(false)
        .primary_user_id("Lena <lena@contoso.com>".into())
        .build()
        .unwrap()
        .generate(thread_rng())
        .unwrap();
    let made = signed(by(&key, HashAlgorithm::Sha256));
    let error = judge(&made, &[&armoured(&key)], Timestamp::now()).unwrap_err();
    assert_eq!(error.code(), Code::SignerUnknown);
    assert!(error.to_string().contains("to sign with"), "{error}");
}

fn with_subkey(can_sign: bool) -> SignedSecretKey {
    let subkey = SubkeyParamsBuilder::default()
        .key_type(if can_sign {
            KeyType::Ed25519Legacy
        } else {
            KeyType::Rsa(2048)
        })
        .can_sign(can_sign)
        .can_encrypt(if can_sign {
            EncryptionCaps::None
        } else {
            EncryptionCaps::All
        })
        .build()
        .unwrap();
    SecretKeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(false)
        .primary_user_id("Lena <lena@contoso.com>".into())
        .subkeys(vec![subkey])
        .build()
        .unwrap()
        .generate(thread_rng())
        .unwrap()
}

fn by_subkey(key: &SignedSecretKey) -> impl Fn(&[u8]) -> DetachedSignature {
    let key = key.secret_subkeys[0].key.clone();
    move |content| {
        let hash = HashAlgorithm::Sha256;
        DetachedSignature::sign_binary_data(thread_rng(), &key, &Password::empty(), hash, content)
            .unwrap()
    }
}

#[test]
fn a_subkey_signs_for_its_owner() {
    let key = with_subkey(true);
    let made = signed(by_subkey(&key));
    let now = Timestamp::now();
    let signer = judge(&made, &[&armoured(&key)], now).unwrap();
    assert_eq!(signer.name, "Lena <lena@contoso.com>");
    // One for encryption does not, whatever it has signed.
    let key = with_subkey(false);
    let made = signed(by_subkey(&key));
    let error = judge(&made, &[&armoured(&key)], now).unwrap_err();
    assert_eq!(error.code(), Code::SignerUnknown, "{error}");
    // Nor does one that was put beside somebody else's key without a word of theirs.
    let (key, stranger) = (with_subkey(true), with_subkey(true));
    let made = signed(by_subkey(&stranger));
    let mut forged = SignedPublicKey::from(key);
    forged.public_subkeys = SignedPublicKey::from(stranger).public_subkeys;
    let forged = forged.to_armored_string(ArmorOptions::default()).unwrap();
    let error = judge(&made, &[&forged], now).unwrap_err();
    assert_eq!(error.code(), Code::SignerUnknown, "{error}");
    assert!(error.to_string().contains("nothing binds it"), "{error}");
}

#[test]
fn what_is_no_signature_is_unreadable() {
    let key = primary(KeyType::Ed25519Legacy);
    let made = signed(by(&key, HashAlgorithm::Sha256));
    let text = String::from_utf8(made.commit).unwrap();
    let line = text
        .lines()
        .find(|line| line.len() > 60 && line.starts_with(' '))
        .unwrap();
    for broken in [text.replace(line, " !!!!"), text.replace(line, " AAAA")] {
        let broken = Made {
            origin: Origin::empty(),
            commit: broken.into_bytes(),
        };
        let error = judge(&broken, &[&armoured(&key)], Timestamp::now()).unwrap_err();
        assert_eq!(error.code(), Code::SignatureUnreadable, "{error}");
    }
}

/// gpg with a home of its own.
struct Gpg {
    home: TempDir,
}

impl Gpg {
    fn new() -> Self {
        Self {
            home: tempfile::Builder::new()
                .prefix("g")
                .tempdir_in("/tmp")
                .unwrap(),
        }
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new("gpg")
            .env("GNUPGHOME", self.home.path())
            .args(["--batch", "--quiet", "--yes", "--pinentry-mode", "loopback"])
            .args(["--passphrase", ""])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        crate::origin::assert_good(&output, arguments);
        String::from_utf8(output.stdout).unwrap()
    }

    fn key(&self, kind: &str, expires: &str) -> String {
        self.run(&[
            "--quick-generate-key",
            "Lena <lena@contoso.com>",
            kind,
            "sign",
            expires,
        ]);
        let listed = self.run(&["--list-keys", "--with-colons"]);
        let line = listed
            .lines()
            .find(|line| line.starts_with("fpr:"))
            .unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    fn export(&self) -> String {
        self.run(&["--armor", "--export"])
    }

    fn signing(&self, key: &str) -> Origin {
        let origin = Origin::empty();
        let program = origin.root().join("gpg");
        let home = self.home.path().display();
        let script = format!("#!/bin/sh\nGNUPGHOME={home} exec gpg --batch \"$@\"\n");
        write_program(&program, &script);
        for (name, value) in [
            ("gpg.program", program.to_str().unwrap()),
            ("user.signingkey", key),
            ("commit.gpgsign", "true"),
        ] {
            origin.git(&["config", name, value]);
        }
        origin.commit("fleet.yaml", "one: 1\n");
        origin
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agent that gpg has started would outlive its home.
        let _ = Command::new("gpgconf")
            .env("GNUPGHOME", self.home.path())
            .args(["--kill", "all"])
            .status();
    }
}

fn write_program(place: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;

    fs::write(place, text).unwrap();
    fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn gpg_and_diarchy_agree_on_who_signed() {
    for kind in ["ed25519", "rsa2048"] {
        let gpg = Gpg::new();
        let key = gpg.key(kind, "never");
        let origin = gpg.signing(&key);
        let exported = gpg.export();
        let signer = judged(&origin, &[("lena.asc", &exported)]).unwrap();
        assert_eq!(signer.name, "Lena <lena@contoso.com>");
        assert_eq!(signer.key, key);
        origin.git(&["verify-commit", "HEAD"]);
    }
}

#[test]
fn a_key_of_gpg_that_has_expired_or_was_revoked_counts_no_longer() {
    let gpg = Gpg::new();
    let key = gpg.key("ed25519", "2d");
    let origin = gpg.signing(&key);
    let exported = gpg.export();
    let keys = TrustedKeys::read([("lena.asc", &exported)]).unwrap();
    let commit = object(&origin, "HEAD");
    let now = Timestamp::now();
    assert!(verify_commit(&commit, &keys, now).is_ok());
    let later = now.checked_add(SignedDuration::from_hours(72)).unwrap();
    let error = verify_commit(&commit, &keys, later).unwrap_err();
    assert_eq!(error.code(), Code::SignerExpired, "{error}");
    // Prolonged by its owner, it counts again.
    gpg.run(&["--quick-set-expire", &key, "10d"]);
    let prolonged = gpg.export();
    let keys = TrustedKeys::read([("lena.asc", &prolonged)]).unwrap();
    assert!(verify_commit(&commit, &keys, later).is_ok());

    let certificate = gpg.home.path().join(format!("openpgp-revocs.d/{key}.rev"));
    let text = fs::read_to_string(&certificate).unwrap();
    let usable = text.replace(":-----BEGIN", "-----BEGIN");
    fs::write(&certificate, usable).unwrap();
    gpg.run(&["--import", certificate.to_str().unwrap()]);
    let revoked = gpg.export();
    let error = judged(&origin, &[("lena.asc", &revoked)]).unwrap_err();
    assert_eq!(error.code(), Code::SignerRevoked, "{error}");
}
