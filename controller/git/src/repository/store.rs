//! The files of a commit, out of a repository's object store.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, Repository, Tree};
use url::Url;

use super::link::{self, Destination, LINK_MODE};
use super::{
    Content, Listed, Listing, Options, Revision, folder_link, is_hidden, is_yaml, link_out_of_tree,
    no_folder, place_of, revision, shown, steps,
};
use crate::diagnostic::Diagnostic;
use crate::error::LoadError;
use crate::remote::{self, Address, Fetched};
use crate::yaml::MAX_FILE_BYTES;

/// How many files and folders are looked at: a tree may name one folder any number of times, so that
/// a few kilobytes become more files than there is memory for.
const MAX_ENTRIES: usize = 1_000_000;

/// An open repository.
pub struct Store {
    repository: Repository,
    place: String,
    /// Keeps a mirror's packs where they are.
    _reading: Option<File>,
}

impl Store {
    /// The content of the blob `id`.
    pub(crate) fn read(&self, id: Oid) -> Result<Content, LoadError> {
        let read = || {
            let odb = self.repository.odb()?;
            let (size, _) = odb.read_header(id)?;
            if size > MAX_FILE_BYTES {
                return Ok(Content::TooLarge(size as u64));
            }
            Ok(Content::Read(odb.read(id)?.data().to_vec()))
        };
        read().map_err(|error| LoadError::git(&self.place, &error))
    }
}

/// Finds the files of a revision of the repository at `place`.
pub fn list(place: &str, options: &Options) -> Result<Listing, LoadError> {
    let folder = local(place)?;
    let (repository, within) = open(&folder, place)?;
    let (commit, revision) = revision::resolve(&repository, place, options.reference.as_deref())?;
    let store = Store {
        repository,
        place: place.to_owned(),
        _reading: None,
    };
    listing(store, commit, revision, &within, options)
}

/// Finds the files of what was fetched.
pub fn list_fetched(fetched: &Fetched, options: &Options) -> Result<Listing, LoadError> {
    let place = fetched.address.as_str();
    let reading = remote::reading(&fetched.mirror)
        .map_err(|error| LoadError::disk(fetched.mirror.display().to_string(), &error))?;
    let git = |error: git2::Error| LoadError::git(place, &error);
    let repository = Repository::open_bare(&fetched.mirror).map_err(git)?;
    let reference = options.reference.as_deref().unwrap_or(&fetched.commit);
    let (commit, mut revision) =
        revision::resolve(&repository, place, Some(reference)).map_err(|error| {
            // What was fetched is there, or the mirror is damaged.
            if options.reference.is_none() {
                let mirror = fetched.mirror.display();
                let cause = format!("its mirror in {mirror} is damaged");
                LoadError::unreadable(place, cause, "delete that folder: it is fetched anew")
            } else {
                error
            }
        })?;
    if options.reference.is_none() {
        revision.display.clone_from(&fetched.revision);
    }
    let store = Store {
        repository,
        place: place.to_owned(),
        _reading: Some(reading),
    };
    listing(store, commit, revision, "", options)
}

fn listing(
    store: Store,
    commit: Oid,
    revision: Revision,
    within: &str,
    options: &Options,
) -> Result<Listing, LoadError> {
    let repository = &store.repository;
    let place = &store.place;
    let git = |error: git2::Error| LoadError::git(place, &error);
    let root = repository
        .find_commit(commit)
        .and_then(|commit| commit.tree())
        .map_err(git)?;
    let wanted = options.path.as_deref().unwrap_or_default();
    let below = steps(wanted).ok_or_else(|| no_folder(wanted, &revision.display))?;
    let path: Vec<&str> = steps(within)
        .unwrap_or_default()
        .into_iter()
        .chain(below)
        .collect();
    let start = descend(repository, &root, &path)
        .map_err(git)?
        .ok_or_else(|| no_folder(&path.join("/"), &revision.display))?;
    let mut walk = Walk {
        repository,
        root: &root,
        entries: 0,
        files: BTreeMap::new(),
        links: Vec::new(),
        diagnostics: Vec::new(),
    };
    walk.files_below(&path, start).map_err(git)?;
    if walk.entries > MAX_ENTRIES {
        return Err(LoadError::unreadable(
            place,
            format!("it has more than {MAX_ENTRIES} files and folders"),
            "keep the fleet in a repository or a folder of its own",
        ));
    }
    walk.follow_links().map_err(git)?;
    let Walk {
        files, diagnostics, ..
    } = walk;
    let place_read = place_of(&path);
    drop(root);
    Ok(Listing {
        revision,
        place: place_read,
        files: files.into_iter().map(listed).collect(),
        diagnostics,
        store: Some(store),
    })
}

fn listed((path, blob): (Vec<u8>, Oid)) -> Listed {
    Listed {
        name: shown(&path),
        blob,
        content: Content::Stored,
    }
}

/// The folder that the user named.
fn local(place: &str) -> Result<PathBuf, LoadError> {
    if place.starts_with("file:") {
        return Url::parse(place)
            .ok()
            .and_then(|url| url.to_file_path().ok())
            .ok_or_else(|| {
                LoadError::unreadable(
                    place,
                    "it is no URL of a folder on this machine",
                    "write it like file:///srv/git/fleet.git",
                )
            });
    }
    let folder = Path::new(place);
    if !folder.exists() && Address::is_remote(place) {
        return Err(LoadError::unreadable(
            place,
            "it is on another machine, and was not fetched",
            "clone it, and give the clone's folder",
        ));
    }
    Ok(folder.to_owned())
}

/// The repository that `folder` is, or lies in; and the folder's path within its work tree.
fn open(folder: &Path, place: &str) -> Result<(Repository, String), LoadError> {
    let real = folder
        .canonicalize()
        .map_err(|error| LoadError::disk(place, &error))?;
    let repository = Repository::discover(&real).map_err(|error| match error.code() {
        ErrorCode::NotFound => LoadError::unreadable(
            place,
            "it is no git repository and lies in none",
            "give a repository, or read the files as they lie on disk (--working-tree)",
        ),
        _ => LoadError::git(place, &error),
    })?;
    let within = repository
        .workdir()
        .and_then(|workdir| workdir.canonicalize().ok())
        .and_then(|workdir| {
            // The repository's own folder (`.git`) may be given too.
            let git = repository.path().canonicalize().ok()?;
            let below = real.strip_prefix(workdir).ok()?;
            (!real.starts_with(git)).then(|| below.to_string_lossy().into_owned())
        });
    Ok((repository, within.unwrap_or_default()))
}

/// The tree at `path`, if there is one.
fn descend<'r>(
    repository: &'r Repository,
    root: &Tree<'r>,
    path: &[&str],
) -> Result<Option<Tree<'r>>, git2::Error> {
    let mut tree = root.clone();
    for step in path {
        let entry = tree
            .get_name(step)
            .filter(|entry| entry.kind() == Some(ObjectType::Tree))
            .map(|entry| entry.id());
        match entry {
            Some(id) => tree = repository.find_tree(id)?,
            None => return Ok(None),
        }
    }
    Ok(Some(tree))
}

struct Walk<'r> {
    repository: &'r Repository,
    root: &'r Tree<'r>,
    entries: usize,
    files: BTreeMap<Vec<u8>, Oid>,
    /// The folder and the name of each link, and the blob that holds its target.
    links: Vec<(Vec<u8>, Vec<u8>, Oid)>,
    diagnostics: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn files_below(&mut self, path: &[&str], start: Tree<'_>) -> Result<(), git2::Error> {
        let mut folders = vec![(path.join("/").into_bytes(), start)];
        while let Some((path, tree)) = folders.pop() {
            self.entries += tree.len();
            if self.entries > MAX_ENTRIES {
                break;
            }
            for entry in &tree {
                let name = entry.name_bytes();
                if is_hidden(name) {
                    continue;
                }
                match entry.kind() {
                    Some(ObjectType::Tree) => {
                        let below = self.repository.find_tree(entry.id())?;
                        folders.push((join(&path, name), below));
                    }
                    Some(ObjectType::Blob) if entry.filemode() == LINK_MODE => {
                        self.links.push((path.clone(), name.to_vec(), entry.id()));
                    }
                    Some(ObjectType::Blob) if is_yaml(name) => {
                        self.files.insert(join(&path, name), entry.id());
                    }
                    // Other files, and submodules: those are repositories of their own.
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn follow_links(&mut self) -> Result<(), git2::Error> {
        for (folder, name, blob) in std::mem::take(&mut self.links) {
            let blob = self.repository.find_blob(blob)?;
            let target = blob.content();
            let link = join(&folder, &name);
            match link::follow(self.repository, self.root, &folder, target)? {
                Destination::Folder => self.diagnostics.push(folder_link(&link, target)),
                Destination::File(path, id) if is_yaml(&name) => {
                    self.files.insert(path, id);
                }
                Destination::Nowhere if is_yaml(&name) => {
                    self.diagnostics.push(link_out_of_tree(&link, target));
                }
                Destination::File(..) | Destination::Nowhere => {}
            }
        }
        Ok(())
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() {
        name.to_vec()
    } else {
        [folder, b"/", name].concat()
    }
}
