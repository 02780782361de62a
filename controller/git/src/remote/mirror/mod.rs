//! The bare repository on this machine that holds what was fetched of one on another.
//!
//! ```text
//! <mirror>/fetch.lock      held while something is fetched: one fetch at a time
//! <mirror>/read.lock       held, together with others, while a revision is read
//! <mirror>/refs/diarchy/…  what was fetched, each by a digest of its name
//! <mirror>/shallow         which of those have no history here
//! ```
//!
//! Whatever is fetched is written as one pack, checked to be whole, and only then named by a
//! reference. A fetch that is killed leaves pieces that nothing names; the next one removes them. A
//! mirror that is found damaged is emptied and fetched anew: everything in it can be had again.

mod lock;
mod receiving;
mod repair;
mod tidy;
mod whole;

use std::fs;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryInitOptions};

use super::error::{FetchError, one_line};
use super::protocol::Target;
use super::request::FetchRequest;

pub use lock::{reading, remove};
pub use receiving::Receiving;

use lock::Lock;

/// Where the references of a mirror are.
const NAMESPACE: &str = "refs/diarchy/";
/// How many of them are kept: what was asked for long ago can be fetched again.
const MOST_REFERENCES: usize = 16;
/// The file in which git keeps the commits whose parents are not here.
const SHALLOW: &str = "shallow";

/// A mirror that this process alone fetches into.
pub struct Mirror {
    folder: PathBuf,
    repository: Repository,
    _lock: Lock,
}

impl Mirror {
    /// Opens the mirror in `folder`, made or mended where that is needed, once no other process
    /// fetches into it. What it holds is thrown away if that is asked for.
    ///
    /// # Errors
    ///
    /// [`FetchError::Mirror`] when the folder cannot be used.
    pub fn open(folder: &Path, afresh: bool) -> Result<Self, FetchError> {
        let lock = Lock::take(folder)?;
        if afresh {
            repair::empty(folder)?;
        }
        repair::remove_pieces(folder)?;
        let repository = match Repository::open_bare(folder) {
            Ok(repository) => repository,
            Err(_) => {
                repair::empty(folder)?;
                make(folder)?
            }
        };
        Ok(Self {
            folder: folder.to_owned(),
            repository,
            _lock: lock,
        })
    }

    /// Whether what is wanted is here, with everything that it leads to.
    ///
    /// A mirror that says so and lacks something is damaged, and emptied: nothing else that it says
    /// can be believed either.
    ///
    /// # Errors
    ///
    /// [`FetchError::Mirror`] when a damaged mirror cannot be emptied.
    pub fn is_complete(&mut self, target: &Target) -> Result<bool, FetchError> {
        let named = self.tips().contains(&target.id);
        if !named {
            return Ok(false);
        }
        let whole = self
            .commit_of(target.id)
            .and_then(|commit| whole::is_whole(&self.repository, commit));
        if whole.is_ok_and(|whole| whole) {
            return Ok(true);
        }
        self.start_afresh()?;
        Ok(false)
    }

    /// Commits that are here.
    pub fn haves(&self) -> Vec<Oid> {
        let mut commits: Vec<Oid> = self
            .tips()
            .into_iter()
            .filter_map(|tip| self.commit_of(tip).ok())
            .collect();
        commits.sort_unstable();
        commits.dedup();
        commits
    }

    /// Those of [`Mirror::haves`] that have no history here.
    pub fn shallow(&self) -> Vec<Oid> {
        let haves = self.haves();
        let text = fs::read_to_string(self.folder.join(SHALLOW)).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.trim().parse().ok())
            .filter(|id| haves.contains(id))
            .collect()
    }

    /// Notes commits that come without their history.
    ///
    /// # Errors
    ///
    /// [`FetchError::Mirror`] when that cannot be written.
    pub fn cut_off(&mut self, ids: &[Oid]) -> Result<(), FetchError> {
        let mut all = self.shallow();
        all.extend(ids);
        all.sort_unstable();
        all.dedup();
        let lines: Vec<String> = all.iter().map(Oid::to_string).collect();
        let text = lines.join("\n") + "\n";
        let new = self.folder.join("shallow.lock");
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, self.folder.join(SHALLOW)))
            .map_err(|error| unusable(&self.folder, &error))
    }

    /// Takes in a pack that `host` sends.
    ///
    /// # Errors
    ///
    /// [`FetchError::Mirror`] when none can be written.
    pub fn receive(&self, host: &str) -> Result<Receiving, FetchError> {
        Receiving::start(&self.folder, host)
    }

    /// Names what was fetched, once it is found to be whole, and says which commit it is.
    ///
    /// # Errors
    ///
    /// [`FetchError::NoRevision`] for what is no commit, [`FetchError::Answer`] for a pack that
    /// leaves something out, [`FetchError::Mirror`] when the reference cannot be written.
    pub fn accept(&mut self, target: &Target, request: &FetchRequest) -> Result<Oid, FetchError> {
        let commit = self.commit_of(target.id).map_err(|error| {
            let detail = match error.code() {
                ErrorCode::NotFound => String::new(),
                _ => ", which is a commit".to_owned(),
            };
            FetchError::NoRevision {
                address: request.address.to_string(),
                reference: request.wanted.as_str().to_owned(),
                detail,
            }
        })?;
        if !whole::is_whole(&self.repository, commit).map_err(|error| damaged(&error))? {
            // What made the server think that the rest is here cannot be believed.
            self.start_afresh()?;
            return Err(FetchError::Answer {
                host: request.address.host(),
                detail: "the pack leaves out objects of the revision".to_owned(),
            });
        }
        let name = reference_of(target).map_err(|error| damaged(&error))?;
        self.repository
            .reference(&name, target.id, true, "fetched")
            .map_err(|error| damaged(&error))?;
        tidy::references(&self.folder, &self.repository, &name);
        tidy::packs(&self.folder, &self.repository);
        Ok(commit)
    }

    /// What the references stand for.
    fn tips(&self) -> Vec<Oid> {
        let references = self.repository.references_glob(&format!("{NAMESPACE}*"));
        references
            .into_iter()
            .flatten()
            .filter_map(|reference| reference.ok()?.target())
            .collect()
    }

    /// The commit that an object is, or that a tag stands for.
    fn commit_of(&self, id: Oid) -> Result<Oid, git2::Error> {
        let object = self.repository.find_object(id, None)?;
        Ok(object.peel(ObjectType::Commit)?.id())
    }

    fn start_afresh(&mut self) -> Result<(), FetchError> {
        repair::empty(&self.folder)?;
        self.repository = make(&self.folder)?;
        Ok(())
    }
}

fn make(folder: &Path) -> Result<Repository, FetchError> {
    let mut options = RepositoryInitOptions::new();
    // Nothing of the user's own set-up belongs in here.
    options.bare(true).external_template(false);
    Repository::init_opts(folder, &options).map_err(|error| damaged(&error))
}

/// By a digest, since one name may be a folder of another's.
fn reference_of(target: &Target) -> Result<String, git2::Error> {
    let name = target.name.clone().unwrap_or_else(|| target.id.to_string());
    let digest = Oid::hash_object(ObjectType::Blob, name.as_bytes())?;
    Ok(format!("{NAMESPACE}{digest}"))
}

fn unusable(place: &Path, error: &std::io::Error) -> FetchError {
    FetchError::Mirror {
        detail: format!("{}: {error}", place.display()),
    }
}

fn damaged(error: &git2::Error) -> FetchError {
    FetchError::Mirror {
        detail: one_line(error.message()),
    }
}
