//! Fetching over ssh.

use diarchy_core::code::Code;
use diarchy_core::consequence::Consequence;
use diarchy_git::{Address, Credentials, FetchError, FetchRequest, Fetched, Limits, Wanted, fetch};
use tempfile::TempDir;

use crate::client::{assert_sound, files, noise};
use crate::origin::Origin;
use crate::ssh_server::{Key, Manners, SshServer, path_of, serve, sshd, user};

struct Client {
    _folder: TempDir,
    request: FetchRequest,
}

impl Client {
    fn with(address: &str, keys: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys.iter().map(|(key, value)| (*key, *value));
        Self {
            request: FetchRequest {
                address: Address::parse(address).unwrap(),
                wanted: Wanted::Branch("main".to_owned()),
                mirror: folder.path().join("mirror"),
                credentials: Credentials::from_keys(keys).unwrap(),
                limits: Limits::default(),
                afresh: false,
            },
            _folder: folder,
        }
    }

    async fn fetch(&self) -> Result<Fetched, FetchError> {
        fetch(&self.request).await
    }
}

fn address(server: &SshServer, origin: &Origin) -> String {
    let (user, port) = (user(), server.port);
    format!("ssh://{user}@127.0.0.1:{port}{}", path_of(origin.root()))
}

fn manners(origin: &Origin, key: &Key) -> Manners {
    Manners {
        known: key.public.clone(),
        root: origin.root().to_owned(),
        passes_environment: true,
        refuses: None,
    }
}

async fn library(origin: &Origin, host: &Key, key: &Key) -> SshServer {
    serve(&[host], manners(origin, key)).await
}

/// Everything that a server of either kind must let happen.
async fn fetches_all_there_is(origin: &Origin, server: &SshServer, host: &Key, key: &Key) {
    let known = server.known_as(host);
    let mut client = Client::with(
        &address(server, origin),
        &[("identity", &key.private), ("known_hosts", &known)],
    );
    let first = client.fetch().await.unwrap();
    assert_eq!(first.revision, format!("main@sha1:{}", origin.head()));
    assert_eq!(client.fetch().await.unwrap(), first);
    let name = format!("more-{}.yaml", &origin.head()[..8]);
    origin.commit(&name, noise(300_000));
    let second = client.fetch().await.unwrap();
    assert_eq!(second.commit, origin.head());
    assert!(files(&second).contains(&name));
    assert_sound(&second);
    client.request.wanted = Wanted::Commit(first.commit.clone());
    assert_eq!(client.fetch().await.unwrap().commit, first.commit);
    client.request.wanted = Wanted::Branch("nosuch".to_owned());
    let error = client.fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::RevisionNotFound, "{error}");
}

#[tokio::test]
async fn a_repository_is_fetched_with_every_kind_of_key() {
    let origin = Origin::new();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let (host, key) = (Key::new(kind), Key::new(kind));
        let server = library(&origin, &host, &key).await;
        fetches_all_there_is(&origin, &server, &host, &key).await;
    }
}

#[tokio::test]
async fn a_server_that_knows_the_old_protocol_alone_is_understood() {
    let origin = Origin::new();
    origin.at_server(&["config", "uploadpack.allowReachableSHA1InWant", "true"]);
    let (host, key) = (Key::new("ed25519"), Key::new("ed25519"));
    let old = Manners {
        passes_environment: false,
        ..manners(&origin, &key)
    };
    let server = serve(&[&host], old).await;
    fetches_all_there_is(&origin, &server, &host, &key).await;
}

#[tokio::test]
async fn the_server_of_openssh_is_fetched_from() {
    let origin = Origin::new();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let (host, key) = (Key::new(kind), Key::new(kind));
        let server = sshd(&host, &key.public);
        fetches_all_there_is(&origin, &server, &host, &key).await;
        let stranger = Key::new(kind);
        let known = server.known_as(&host);
        let keys = [
            ("identity", stranger.private.as_str()),
            ("known_hosts", &known),
        ];
        let error = Client::with(&address(&server, &origin), &keys)
            .fetch()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::GitRefused, "{error}");
        let known = server.known_as(&stranger);
        let keys = [("identity", key.private.as_str()), ("known_hosts", &known)];
        let error = Client::with(&address(&server, &origin), &keys)
            .fetch()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::GitHostKey, "{error}");
        let nowhere = format!("{}x", address(&server, &origin));
        let known = server.known_as(&host);
        let keys = [("identity", key.private.as_str()), ("known_hosts", &known)];
        let error = Client::with(&nowhere, &keys).fetch().await.unwrap_err();
        assert_eq!(error.code(), Code::GitNotFound, "{error}");
    }
}

#[tokio::test]
async fn an_unknown_or_changed_host_key_is_refused_with_what_was_seen() {
    let origin = Origin::new();
    let (host, key, other) = (
        Key::new("ed25519"),
        Key::new("ed25519"),
        Key::new("ed25519"),
    );
    let server = library(&origin, &host, &key).await;
    let elsewhere = format!("git.contoso.com {}", host.public);
    let revoked = format!("@revoked {}", server.known_as(&host));
    for (known, says) in [
        (server.known_as(&other), "line 1 of `known_hosts` has"),
        (elsewhere, "has no key of it"),
        (String::new(), "has no key of it"),
        (revoked, "revokes"),
    ] {
        let keys = [("identity", key.private.as_str()), ("known_hosts", &known)];
        let client = Client::with(&address(&server, &origin), &keys);
        let error = client.fetch().await.unwrap_err();
        assert_eq!(error.code(), Code::GitHostKey, "{error}");
        assert_eq!(error.consequence(), Consequence::FixInput);
        let said = error.to_string();
        assert!(
            said.contains(says) && said.contains(&host.fingerprint()),
            "{said}"
        );
    }
    // A host that has no key of the known kind is told from one that is not known.
    let ecdsa = Key::new("ecdsa");
    let known = server.known_as(&ecdsa);
    let keys = [("identity", key.private.as_str()), ("known_hosts", &known)];
    let error = Client::with(&address(&server, &origin), &keys)
        .fetch()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::GitHostKey, "{error}");
    assert!(error.to_string().contains("ssh-ed25519"), "{error}");
}

#[tokio::test]
async fn a_host_with_several_keys_shows_the_one_that_is_known() {
    let origin = Origin::new();
    let (first, second, key) = (Key::new("ed25519"), Key::new("rsa"), Key::new("ed25519"));
    let server = serve(&[&first, &second], manners(&origin, &key)).await;
    let known = server.known_as(&second);
    let keys = [("identity", key.private.as_str()), ("known_hosts", &known)];
    let client = Client::with(&address(&server, &origin), &keys);
    assert_eq!(client.fetch().await.unwrap().commit, origin.head());
}

#[tokio::test]
async fn a_key_without_rights_is_refused() {
    let origin = Origin::new();
    let (host, key, stranger) = (
        Key::new("ed25519"),
        Key::new("ed25519"),
        Key::new("ed25519"),
    );
    let server = library(&origin, &host, &key).await;
    let known = server.known_as(&host);
    let keys = [
        ("identity", stranger.private.as_str()),
        ("known_hosts", &known),
    ];
    let error = Client::with(&address(&server, &origin), &keys)
        .fetch()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::GitRefused, "{error}");
    // The half that may be shown is shown, so that it can be looked for at the server.
    assert!(
        error.to_string().contains(&stranger.fingerprint()),
        "{error}"
    );

    for (words, code) in [
        (
            "ERROR: Permission to contoso/fleet denied to deploy key.\n",
            Code::GitForbidden,
        ),
        ("ERROR: Repository not found.\n", Code::GitNotFound),
        ("the disk is full\n", Code::GitAnswer),
    ] {
        let refusing = Manners {
            refuses: Some(words),
            ..manners(&origin, &key)
        };
        let server = serve(&[&host], refusing).await;
        let known = server.known_as(&host);
        let keys = [("identity", key.private.as_str()), ("known_hosts", &known)];
        let error = Client::with(&address(&server, &origin), &keys)
            .fetch()
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(
            error
                .to_string()
                .contains(words.trim().trim_end_matches('.')),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_said_not_to_be() {
    let origin = Origin::new();
    let (host, key) = (Key::new("ed25519"), Key::new("ed25519"));
    let server = library(&origin, &host, &key).await;
    let known = server.known_as(&host);
    let keys = [("identity", key.private.as_str()), ("known_hosts", &known)];
    let address = format!("{}/no'such", address(&server, &origin));
    let error = Client::with(&address, &keys).fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::GitNotFound, "{error}");
}

#[tokio::test]
async fn an_encrypted_key_needs_its_passphrase() {
    let origin = Origin::new();
    let host = Key::new("ed25519");
    let key = Key::encrypted("ed25519", "s3cret-of-the-key");
    let server = library(&origin, &host, &key).await;
    let known = server.known_as(&host);
    let keys = [("identity", key.private.as_str()), ("known_hosts", &known)];
    let address = address(&server, &origin);
    let error = Client::with(&address, &keys).fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::GitCredentials);
    assert!(error.to_string().contains("encrypted"), "{error}");
    let wrong = [&keys[..], &[("password", "hunter2")]].concat();
    let error = Client::with(&address, &wrong).fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::GitCredentials);
    assert!(!format!("{error:?}").contains("hunter2"));
    let right = [&keys[..], &[("password", "s3cret-of-the-key")]].concat();
    let fetched = Client::with(&address, &right).fetch().await.unwrap();
    assert_eq!(fetched.commit, origin.head());
}

#[tokio::test]
async fn what_is_no_key_is_refused_before_anybody_is_asked() {
    let key = Key::new("ed25519");
    let other = Key::new("ed25519");
    for (keys, says) in [
        (
            vec![("identity", "no key"), ("known_hosts", "")],
            "no private key",
        ),
        (
            vec![("identity", key.public.as_str()), ("known_hosts", "")],
            "no private key",
        ),
        (vec![("identity", &key.private)], "known_hosts"),
        (vec![("known_hosts", "")], "identity"),
        (
            vec![
                ("identity", &key.private),
                ("identity.pub", &other.public),
                ("known_hosts", ""),
            ],
            "not its other half",
        ),
        (
            vec![("identity", &key.private), ("known_hosts", "nonsense")],
            "line 1",
        ),
    ] {
        let error = Client::with("git@127.0.0.1:fleet.git", &keys)
            .fetch()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::GitCredentials, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_said_to_be() {
    let key = Key::new("ed25519");
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let keys = [("identity", key.private.as_str()), ("known_hosts", "")];
    let client = Client::with(&format!("ssh://git@127.0.0.1:{port}/x"), &keys);
    let error = client.fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::GitUnreachable, "{error}");
    // One that listens and is no ssh server.
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut stream, _)) = other.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let client = Client::with(&format!("ssh://git@127.0.0.1:{port}/x"), &keys);
    let error = client.fetch().await.unwrap_err();
    assert_eq!(error.code(), Code::GitUnreachable, "{error}");
}
