//! Somebody who fetches over https, and what came of it.

use diarchy_git::{Address, Credentials, FetchError, FetchRequest, Fetched, Limits, Wanted, fetch};
use tempfile::TempDir;

use crate::https_server::{HttpsServer, PASSWORD, USERNAME};

/// A mirror, and what it is asked for.
pub struct Client {
    pub folder: TempDir,
    pub request: FetchRequest,
}

impl Client {
    /// One with the right credentials.
    pub fn of(server: &HttpsServer) -> Self {
        Self::with(
            server,
            &[
                ("username", USERNAME),
                ("password", PASSWORD),
                ("ca.crt", &server.ca),
            ],
        )
    }

    pub fn with(server: &HttpsServer, keys: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys.iter().map(|(key, value)| (*key, *value));
        Self {
            request: FetchRequest {
                address: Address::parse(&server.url()).unwrap(),
                wanted: Wanted::Branch("main".to_owned()),
                mirror: folder.path().join("mirror"),
                credentials: Credentials::from_keys(keys).unwrap(),
                limits: Limits::default(),
                afresh: false,
            },
            folder,
        }
    }

    pub async fn fetch(&self) -> Result<Fetched, FetchError> {
        fetch(&self.request).await
    }

    pub async fn want(&mut self, wanted: Wanted) -> Result<Fetched, FetchError> {
        self.request.wanted = wanted;
        self.fetch().await
    }
}

/// The names of the YAML files of what was fetched: read, as the loader reads them.
pub fn files(fetched: &Fetched) -> Vec<String> {
    let repository = git2::Repository::open_bare(&fetched.mirror).unwrap();
    let commit = fetched.commit.parse().unwrap();
    let tree = repository.find_commit(commit).unwrap().tree().unwrap();
    let mut names = Vec::new();
    tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        if entry.kind() == Some(git2::ObjectType::Blob) {
            repository.find_blob(entry.id()).unwrap();
            names.push(format!("{folder}{}", entry.name().unwrap()));
        }
        git2::TreeWalkResult::Ok
    })
    .unwrap();
    names.sort();
    names
}

pub fn packs(client: &Client) -> usize {
    let folder = client.request.mirror.join("objects/pack");
    let names = std::fs::read_dir(folder).unwrap();
    names
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|it| it == "pack"))
        .count()
}

/// Checks a mirror with git's own tool.
pub fn assert_sound(fetched: &Fetched) {
    let output = crate::origin::git()
        .args(["--git-dir", fetched.mirror.to_str().unwrap()])
        .args([
            "-c",
            "safe.directory=*",
            "fsck",
            "--strict",
            "--no-dangling",
        ])
        .output()
        .unwrap();
    crate::origin::assert_good(&output, &["fsck"]);
}

/// Bytes that do not compress.
pub fn noise(size: usize) -> Vec<u8> {
    use rand::{RngExt as _, SeedableRng as _};

    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    (0..size).map(|_| random.random()).collect()
}
