//! Repositories on other machines: what the command line says of them, and one fetch.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use diarchy_core::code::Code;
use diarchy_git::signature::{self, TrustedKeys};
use diarchy_git::{
    Address, Credentials, FetchRequest, Fetched, Fetcher, Limits, Wanted, mirror_in,
};
use jiff::Timestamp;

use crate::arguments::Repository;
use crate::failure::Failure;

/// The hidden command that a process of its own is started with for each fetch.
pub const FETCH: &str = "fetch-repository";

/// A repository on another machine, as the command line has it.
pub struct Remote {
    pub fetcher: Fetcher,
    pub request: FetchRequest,
    pub keys: Option<TrustedKeys>,
}

impl Remote {
    /// The repository on another machine that is meant; none if it is one on this machine.
    ///
    /// Its mirror is kept beside the state file, where there is one.
    pub fn of(
        repository: &Repository,
        reference: Option<&str>,
        state: Option<&Path>,
    ) -> Result<Option<Self>, Failure> {
        let given = &repository.reading.git;
        if !Address::is_remote(&repository.place) {
            return match given.only_for_remote() {
                Some(option) => Err(Failure::argument(
                    format!("{option} is for repositories on other machines"),
                    "leave it out, or give the address of one as REPO",
                )),
                None => Ok(None),
            };
        }
        if repository.reading.working_tree {
            return Err(Failure::argument(
                "a repository on another machine has no working tree",
                "leave --working-tree out, or give a folder as REPO",
            ));
        }
        let address = Address::parse(&repository.place)?;
        let credentials = match &given.secrets {
            Some(folder) => credentials(folder)?,
            None => Credentials::default(),
        };
        credentials.fit(&address)?;
        let keys = given.keys.as_deref().map(keys).transpose()?;
        let mirror = mirror_in(&mirrors(state)?, "", &address);
        Ok(Some(Self {
            fetcher: Fetcher::of_this_program([FETCH])?,
            request: FetchRequest {
                address,
                wanted: reference.map_or(Wanted::Head, |name| Wanted::Any(name.to_owned())),
                mirror,
                credentials,
                limits: Limits {
                    timeout: given.timeout.length(),
                    ..Limits::default()
                },
                afresh: false,
            },
            keys,
        }))
    }

    /// Fetches, and judges who signed what was fetched.
    pub async fn fetch(&self) -> Result<Fetched, Failure> {
        self.fetch_as(&self.request).await
    }

    /// The same into an empty mirror, when what was fetched cannot be read.
    pub async fn fetch_afresh(&self) -> Result<Fetched, Failure> {
        let request = FetchRequest {
            afresh: true,
            ..self.request.clone()
        };
        self.fetch_as(&request).await
    }

    async fn fetch_as(&self, request: &FetchRequest) -> Result<Fetched, Failure> {
        let fetched = self.fetcher.fetch(request).await?;
        if let Some(keys) = &self.keys {
            signature::verify(&fetched, keys, Timestamp::now())?;
        }
        Ok(fetched)
    }

    /// A commit that was fetched before, out of the mirror as it is.
    pub fn remembered(&self, commit: &str) -> Fetched {
        Fetched {
            address: self.request.address.clone(),
            mirror: self.request.mirror.clone(),
            commit: commit.to_owned(),
            tag: None,
            revision: format!("sha1:{commit}"),
        }
    }
}

/// Where mirrors are kept: beside the state, or in the user's cache.
fn mirrors(state: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(state) = state {
        let mut name = state.as_os_str().to_owned();
        name.push(".mirrors");
        return Ok(PathBuf::from(name));
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")))
        .map(|cache| cache.join("diarchy/mirrors"))
        .ok_or_else(|| {
            Failure::argument(
                "there is no folder to keep what is fetched in",
                "set HOME or XDG_CACHE_HOME to a folder of this user",
            )
        })
}

/// The keys of a Secret as a folder holds them, one file each.
fn credentials(folder: &Path) -> Result<Credentials, Failure> {
    let missing = |what: String| {
        Failure::new(
            Code::SecretMissing,
            what,
            "give a folder with one file for each key: username, password, token, identity, known_hosts, ca.crt",
        )
    };
    if !folder.is_dir() {
        return Err(missing(format!(
            "there is no folder `{}`",
            folder.display()
        )));
    }
    let mut keys = Vec::new();
    for key in Credentials::KEYS {
        let file = folder.join(key);
        match fs::read(&file) {
            Ok(value) => keys.push((key, value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(missing(format!(
                    "`{}` cannot be read: {error}",
                    file.display()
                )));
            }
        }
    }
    if keys.is_empty() {
        return Err(missing(format!(
            "`{}` has no credentials",
            folder.display()
        )));
    }
    Ok(Credentials::from_keys(keys)?)
}

/// The keys in a file, or in every file of a folder.
fn keys(place: &Path) -> Result<TrustedKeys, Failure> {
    let unreadable = |file: &Path, error: &io::Error| {
        Failure::new(
            Code::TrustedKeysNotUsable,
            format!("`{}` cannot be read: {error}", file.display()),
            "give a file of keys that exists, or a folder of such files",
        )
    };
    let mut files = Vec::new();
    if place.is_dir() {
        let entries = fs::read_dir(place).map_err(|error| unreadable(place, &error))?;
        for entry in entries {
            files.push(entry.map_err(|error| unreadable(place, &error))?.path());
        }
        // What is hidden is not the user's: a mounted Secret has such files.
        files.retain(|file| {
            let name = file.file_name().unwrap_or_default();
            file.is_file() && !name.as_encoded_bytes().starts_with(b".")
        });
        files.sort();
    } else {
        files.push(place.to_owned());
    }
    let mut read = Vec::new();
    for file in files {
        let bytes = fs::read(&file).map_err(|error| unreadable(&file, &error))?;
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        read.push((name, bytes));
    }
    Ok(TrustedKeys::read(read)?)
}
