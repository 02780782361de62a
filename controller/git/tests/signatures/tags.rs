//! Signed tags, and what is judged when one is fetched.

use diarchy_core::code::Code;
use diarchy_git::signature::{Refusal, TrustedKeys, VerifyError, verify, verify_tag};
use diarchy_git::{Address, Fetched, FetchedTag};
use git2::{Repository, RepositoryInitOptions};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::object;
use crate::origin::Origin;
use crate::ssh::{Key, signing};

fn trusting(key: &Key) -> TrustedKeys {
    TrustedKeys::read([("signers", format!("lena@contoso.com {}", key.public))]).unwrap()
}

#[test]
fn a_signed_tag_is_told_from_others() {
    let (key, other) = (Key::ed25519(), Key::ed25519());
    let origin = signing(&key);
    origin.git(&["tag", "-sm", "first", "v1.0"]);
    let (tag, commit) = (object(&origin, "v1.0"), origin.head());
    let now = Timestamp::now();
    let judged = |tag: &[u8], name: &str, id: &str, key: &Key| {
        verify_tag(tag, name, id, &trusting(key), now)
    };
    let signer = judged(&tag, "v1.0", &commit, &key).unwrap();
    assert_eq!(signer.name, "lena@contoso.com");
    let code = |outcome: Result<_, Refusal>| outcome.map(drop).unwrap_err().code();
    assert_eq!(
        code(judged(&tag, "v1.0", &commit, &other)),
        Code::SignerUnknown
    );
    // An old tag under a new name, or over another commit, is vouched for by nobody.
    assert_eq!(
        code(judged(&tag, "v2.0", &commit, &key)),
        Code::SignatureWrong
    );
    let elsewhere = "4e7c9f861a9a77094d93887aa82b54fd5cfecbf0";
    assert_eq!(
        code(judged(&tag, "v1.0", elsewhere, &key)),
        Code::SignatureWrong
    );
    let changed = String::from_utf8(tag).unwrap().replace("first", "worst");
    assert_eq!(
        code(judged(changed.as_bytes(), "v1.0", &commit, &key)),
        Code::SignatureWrong
    );
    origin.git(&["tag", "--no-sign", "-am", "second", "plain"]);
    let plain = object(&origin, "plain");
    assert_eq!(
        code(judged(&plain, "plain", &commit, &key)),
        Code::NotSigned
    );
}

/// What a fetch of `name` would have brought.
fn fetched(origin: &Origin, name: &str, tag: bool) -> (Fetched, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = RepositoryInitOptions::new();
    options.bare(true);
    let mirror = Repository::init_opts(folder.path(), &options).unwrap();
    let from = Repository::open(origin.tree()).unwrap();
    let (from, to) = (from.odb().unwrap(), mirror.odb().unwrap());
    from.foreach(|id| {
        let object = from.read(*id).unwrap();
        to.write(object.kind(), object.data()).unwrap();
        true
    })
    .unwrap();
    let id = |what: &str| origin.git(&["rev-parse", what]);
    let (commit, object) = (id(&format!("{name}^{{commit}}")), id(name));
    let fetched = Fetched {
        address: Address::parse("https://git.contoso.com/fleet.git").unwrap(),
        mirror: folder.path().to_owned(),
        tag: tag.then(|| FetchedTag {
            name: name.to_owned(),
            object: (object != commit).then_some(object),
        }),
        revision: format!("{name}@sha1:{commit}"),
        commit,
    };
    (fetched, folder)
}

#[test]
fn what_was_fetched_is_vouched_for_by_its_tag_or_by_its_commit() {
    let (key, other) = (Key::ed25519(), Key::ed25519());
    let origin = signing(&key);
    origin.git(&["tag", "-sm", "by the key", "signed"]);
    origin.git(&["tag", "--no-sign", "-am", "by nobody", "plain"]);
    origin.git(&["tag", "--no-sign", "light"]);
    let now = Timestamp::now();
    for (name, is_tag) in [
        ("main", false),
        ("signed", true),
        ("plain", true),
        ("light", true),
    ] {
        let (fetched, _folder) = fetched(&origin, name, is_tag);
        assert_eq!(
            verify(&fetched, &trusting(&key), now).unwrap().name,
            "lena@contoso.com"
        );
        let error = verify(&fetched, &trusting(&other), now).unwrap_err();
        assert_eq!(error.code(), Code::SignerUnknown, "{error}");
        assert!(error.to_string().contains(&fetched.revision), "{error}");
    }
    // A commit that nobody signed is vouched for by the tag alone.
    origin.git(&["config", "commit.gpgsign", "false"]);
    origin.commit("two.yaml", "2\n");
    origin.git(&["tag", "-sm", "by the key", "later"]);
    let (tag, _folder) = fetched(&origin, "later", true);
    assert!(verify(&tag, &trusting(&key), now).is_ok());
    let (branch, _folder) = fetched(&origin, "main", false);
    let error = verify(&branch, &trusting(&key), now).unwrap_err();
    assert_eq!(error.code(), Code::NotSigned);
    assert!(error.remedy().contains("git commit -S"));
}

#[test]
fn a_mirror_that_is_gone_is_no_verdict() {
    let key = Key::ed25519();
    let origin = signing(&key);
    let (fetched, folder) = fetched(&origin, "main", false);
    drop(folder);
    let error = verify(&fetched, &trusting(&key), Timestamp::now()).unwrap_err();
    assert!(matches!(error, VerifyError::Unreadable { .. }), "{error}");
}
