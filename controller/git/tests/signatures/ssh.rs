//! Signatures of ssh-keygen.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use diarchy_core::code::Code;
use diarchy_git::signature::{Refusal, TrustedKeys, verify_commit};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::origin::Origin;
use crate::{judged, object, tampered};

/// A key pair made by ssh-keygen.
pub struct Key {
    _folder: TempDir,
    pub file: PathBuf,
    pub public: String,
}

impl Key {
    pub fn new(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let status = Command::new("ssh-keygen")
            .args(["-q", "-N", "", "-C", "", "-f"])
            .arg(&file)
            .args(arguments)
            .status()
            .unwrap();
        assert!(status.success());
        Self {
            public: fs::read_to_string(file.with_extension("pub"))
                .unwrap()
                .trim()
                .to_owned(),
            file,
            _folder: folder,
        }
    }

    pub fn ed25519() -> Self {
        Self::new(&["-t", "ed25519"])
    }

    /// As `ssh-keygen -l` names it.
    fn fingerprint(&self) -> String {
        let output = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(&self.file)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split(' ').nth(1).unwrap().to_owned()
    }
}

/// A repository whose commits are signed with `key`.
pub fn signing(key: &Key) -> Origin {
    let origin = Origin::empty();
    let file = key.file.to_str().unwrap();
    for (name, value) in [
        ("gpg.format", "ssh"),
        ("user.signingkey", file),
        ("commit.gpgsign", "true"),
        ("tag.gpgsign", "true"),
    ] {
        origin.git(&["config", name, value]);
    }
    origin.commit("fleet.yaml", "one: 1\n");
    origin
}

#[test]
fn every_kind_of_key_can_sign() {
    for kind in [
        &["-t", "ed25519"][..],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "ecdsa", "-b", "521"],
        &["-t", "rsa", "-b", "3072"],
    ] {
        let key = Key::new(kind);
        let origin = signing(&key);
        let trusted = format!("lena@contoso.com namespaces=\"git\" {}\n", key.public);
        let signer = judged(&origin, &[("allowed_signers", &trusted)]).unwrap();
        assert_eq!(signer.name, "lena@contoso.com");
        assert!(signer.key.ends_with(&key.fingerprint()), "{}", signer.key);
        // And git itself comes to the same.
        let file = origin.root().join("allowed");
        fs::write(&file, &trusted).unwrap();
        origin.git(&[
            "-c",
            &format!("gpg.ssh.allowedSignersFile={}", file.display()),
            "verify-commit",
            "HEAD",
        ]);
        let changed = tampered(&object(&origin, "HEAD"));
        let keys = TrustedKeys::read([("a", &trusted)]).unwrap();
        let error = verify_commit(&changed, &keys, Timestamp::now()).unwrap_err();
        assert_eq!(error.code(), Code::SignatureWrong, "{error}");
    }
}

#[test]
fn who_is_not_trusted_is_named() {
    let (key, other) = (Key::ed25519(), Key::ed25519());
    let origin = signing(&key);
    let trusted = format!("paul@contoso.com {}", other.public);
    let error = judged(&origin, &[("signers", &trusted)]).unwrap_err();
    assert_eq!(error.code(), Code::SignerUnknown);
    assert!(error.to_string().contains(&key.fingerprint()), "{error}");
    // One that may sign other things may not sign commits.
    let files = format!("lena@contoso.com namespaces=\"file,email\" {}", key.public);
    let error = judged(&origin, &[("signers", &files)]).unwrap_err();
    assert_eq!(error.code(), Code::SignerUnknown);
    assert!(
        error.to_string().contains("only for other things"),
        "{error}"
    );
}

#[test]
fn the_keys_of_many_files_count_together() {
    let (key, other) = (Key::ed25519(), Key::ed25519());
    let origin = signing(&key);
    let one = format!("# the first\npaul@contoso.com {}\n", other.public);
    let two = format!("lena@contoso.com {}\n", key.public);
    let signer = judged(&origin, &[("one", &one), ("two", &two), ("empty", "")]).unwrap();
    assert_eq!(signer.name, "lena@contoso.com");
}

#[test]
fn a_key_counts_within_its_time() {
    let key = Key::ed25519();
    let origin = signing(&key);
    let with = |options: &str| {
        let line = format!("lena@contoso.com {options} {}", key.public);
        judged(&origin, &[("signers", line.as_str())])
    };
    for options in [
        "valid-after=\"20200101\"",
        "valid-before=\"20990101Z\"",
        "namespaces=\"git\",valid-after=\"20200101000000\",valid-before=\"209901010000\"",
    ] {
        assert!(with(options).is_ok(), "{options}");
    }
    for (options, says) in [
        (
            "valid-after=\"20990101\"",
            "only from 2099-01-01T00:00:00Z on",
        ),
        (
            "valid-before=\"20200101\"",
            "only until 2020-01-01T00:00:00Z",
        ),
    ] {
        let error = with(options).unwrap_err();
        assert_eq!(error.code(), Code::SignerExpired);
        assert!(error.to_string().contains(says), "{error}");
    }
    // A key that stands there twice counts if it does so once.
    let twice = format!(
        "lena valid-before=\"20200101\" {key}\nlena valid-after=\"20200101\" {key}",
        key = key.public
    );
    assert!(judged(&origin, &[("signers", twice.as_str())]).is_ok());
}

#[test]
fn a_key_that_was_revoked_counts_no_longer() {
    let (key, other) = (Key::ed25519(), Key::ed25519());
    let origin = signing(&key);
    let trusted = format!("lena@contoso.com {}", key.public);
    let revoked = format!("# stolen\n{}\n{}\n", other.public, key.public);
    let keys = [("signers", trusted.as_str()), ("revoked_keys", &revoked)];
    let error = judged(&origin, &keys).unwrap_err();
    assert_eq!(error.code(), Code::SignerRevoked, "{error}");
}

#[test]
fn what_nobody_signed_is_not_signed() {
    let origin = Origin::new();
    let trusted = format!("lena@contoso.com {}", Key::ed25519().public);
    let error = judged(&origin, &[("signers", trusted.as_str())]).unwrap_err();
    assert_eq!(error, Refusal::Unsigned);
    assert_eq!(error.code(), Code::NotSigned);
}

#[test]
fn a_signature_that_was_made_for_something_else_is_none_of_a_commit() {
    let key = Key::ed25519();
    let origin = signing(&key);
    let commit = String::from_utf8(object(&origin, "HEAD")).unwrap();
    let begin = commit.find("gpgsig ").unwrap();
    let end = commit.find("-----END SSH SIGNATURE-----\n").unwrap() + 28;
    let unsigned = format!("{}{}", &commit[..begin], &commit[end..]);
    let file = origin.root().join("content");
    fs::write(&file, &unsigned).unwrap();
    let status = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", "file", "-f"])
        .arg(&key.file)
        .arg(&file)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let signature = fs::read_to_string(file.with_extension("sig")).unwrap();
    let header = format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n "));
    let signed = format!("{}{header}{}", &unsigned[..begin], &unsigned[begin..]);
    let trusted = format!("lena@contoso.com {}", key.public);
    let keys = TrustedKeys::read([("signers", trusted)]).unwrap();
    let error = verify_commit(signed.as_bytes(), &keys, Timestamp::now()).unwrap_err();
    assert_eq!(error.code(), Code::SignatureWrong);
    assert!(error.to_string().contains("made for `file`"), "{error}");
}

#[test]
fn a_signature_that_is_no_signature_is_unreadable() {
    let key = Key::ed25519();
    let origin = signing(&key);
    let commit = String::from_utf8(object(&origin, "HEAD")).unwrap();
    let trusted = format!("lena@contoso.com {}", key.public);
    let keys = TrustedKeys::read([("signers", trusted)]).unwrap();
    let line = commit.lines().nth(5).unwrap();
    for broken in [
        commit.replace(line, " !!!!"),
        commit.replace(line, " AAAA"),
        commit.replace("BEGIN SSH SIGNATURE", "BEGIN SIGNED MESSAGE"),
        commit.replace("BEGIN SSH SIGNATURE", "BEGIN NONSENSE"),
    ] {
        let error = verify_commit(broken.as_bytes(), &keys, Timestamp::now()).unwrap_err();
        assert_eq!(error.code(), Code::SignatureUnreadable, "{error}\n{broken}");
    }
}

#[test]
fn files_that_hold_no_keys_are_refused() {
    let key = Key::ed25519();
    let private = fs::read_to_string(&key.file).unwrap();
    for (name, text, says) in [
        ("signers", "nonsense", "no key"),
        ("signers", "", "there is no key"),
        ("signers", "# nobody yet\n", "there is no key"),
        ("signers", &key.public, "no key"),
        ("signers", &private, "private key"),
        ("signers", "lena ssh-ed25519 AAAA", "line 1"),
        (
            "signers",
            &format!("lena cert-authority {}", key.public),
            "certificates",
        ),
        ("revoked_keys", "nonsense", "line 1"),
        ("revoked_keys", &key.public, "there is no key"),
        (
            "keys.asc",
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n",
            "keys.asc",
        ),
    ] {
        let error = TrustedKeys::read([(name, text)]).unwrap_err();
        assert_eq!(error.code(), Code::TrustedKeysNotUsable);
        assert!(error.to_string().contains(says), "{text}: {error}");
        assert!(!error.to_string().contains("OPENSSH"), "{error}");
    }
    let error = TrustedKeys::read([("keys.gpg", [0xFF, 0x00, 0x81])]).unwrap_err();
    assert_eq!(error.code(), Code::TrustedKeysNotUsable, "{error}");
}
