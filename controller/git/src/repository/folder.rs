//! The files of a folder, as they lie on disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository};

use super::{
    Content, Listed, Listing, Options, Revision, folder_link, is_hidden, is_yaml, link_out_of_tree,
    no_folder, place_of, shown, steps,
};
use crate::diagnostic::Diagnostic;
use crate::error::LoadError;
use crate::yaml::MAX_FILE_BYTES;

/// Finds the files of `folder`.
pub fn list(folder: &Path, options: &Options) -> Result<Listing, LoadError> {
    let named = folder.display().to_string();
    if let Some(reference) = &options.reference {
        return Err(LoadError::RevisionNotFound {
            place: named,
            reference: reference.clone(),
            cause: ", for a folder on disk has no revisions".to_owned(),
            remedy: "leave the reference out, or read the repository instead of its working tree"
                .to_owned(),
        });
    }
    let root = folder
        .canonicalize()
        .map_err(|error| LoadError::disk(&named, &error))?;
    if !root.is_dir() {
        return Err(no_folder(&named, "this machine"));
    }
    let wanted = options.path.as_deref().unwrap_or_default();
    let path = steps(wanted).ok_or_else(|| no_folder(wanted, &named))?;
    let start = root
        .join(path.join("/"))
        .canonicalize()
        .ok()
        .filter(|start| start.is_dir() && start.starts_with(&root))
        .ok_or_else(|| no_folder(wanted, &named))?;
    let mut walk = Walk {
        tree: tree_of(&root),
        root,
        files: BTreeMap::new(),
        links: Vec::new(),
        diagnostics: Vec::new(),
    };
    walk.files_below(start)?;
    walk.follow_links();
    let mut files = walk
        .files
        .into_iter()
        .map(|(path, name)| read(&path, name))
        .collect::<Result<Vec<_>, _>>()?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Listing {
        revision: Revision {
            commit: None,
            display: "working tree".to_owned(),
        },
        place: place_of(&path),
        files,
        diagnostics: walk.diagnostics,
        store: None,
    })
}

/// How far links may lead: to the whole work tree that the folder lies in, as in a revision of it.
fn tree_of(root: &Path) -> PathBuf {
    Repository::discover(root)
        .ok()
        .and_then(|repository| repository.workdir()?.canonicalize().ok())
        .filter(|workdir| root.starts_with(workdir))
        .unwrap_or_else(|| root.to_owned())
}

struct Walk {
    /// The folder that findings name files from, without links.
    root: PathBuf,
    /// What no link may lead out of.
    tree: PathBuf,
    /// By their paths without links, each with the name that findings give it.
    files: BTreeMap<PathBuf, String>,
    links: Vec<PathBuf>,
    diagnostics: Vec<Diagnostic>,
}

impl Walk {
    fn files_below(&mut self, start: PathBuf) -> Result<(), LoadError> {
        let mut folders = vec![start];
        while let Some(folder) = folders.pop() {
            let failed =
                |error: std::io::Error| LoadError::disk(folder.display().to_string(), &error);
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name();
                let name = name.as_encoded_bytes();
                if is_hidden(name) {
                    continue;
                }
                let kind = entry.file_type().map_err(failed)?;
                let path = entry.path();
                if kind.is_symlink() {
                    self.links.push(path);
                } else if kind.is_dir() && !path.join(".git").exists() {
                    // A folder with `.git` is a submodule: a repository of its own.
                    folders.push(path);
                } else if kind.is_file() && is_yaml(name) {
                    let name = self.name_of(&path);
                    self.files.insert(path, name);
                }
            }
        }
        Ok(())
    }

    fn follow_links(&mut self) {
        let mut links = std::mem::take(&mut self.links);
        links.sort();
        for link in links {
            let name = self.name_of(&link);
            let target = fs::read_link(&link).unwrap_or_default();
            let target = target.as_os_str().as_encoded_bytes();
            match self.within_tree(&link) {
                Some(real) if real.is_dir() => {
                    self.diagnostics.push(folder_link(name.as_bytes(), target));
                }
                _ if !is_yaml(name.as_bytes()) => {}
                Some(real) if real.is_file() => {
                    let name = match real.strip_prefix(&self.root) {
                        Ok(_) => self.name_of(&real),
                        Err(_) => name,
                    };
                    self.files.entry(real).or_insert(name);
                }
                _ => self
                    .diagnostics
                    .push(link_out_of_tree(name.as_bytes(), target)),
            }
        }
    }

    /// Where a link leads, if that belongs to the tree: git's own files do not.
    fn within_tree(&self, link: &Path) -> Option<PathBuf> {
        let real = link.canonicalize().ok()?;
        let below = real.strip_prefix(&self.tree).ok()?;
        let is_git = below.components().any(|part| part.as_os_str() == ".git");
        (!is_git).then_some(real)
    }

    fn name_of(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        shown(below.as_os_str().as_encoded_bytes())
    }
}

fn read(path: &Path, name: String) -> Result<Listed, LoadError> {
    let failed = |error: std::io::Error| LoadError::disk(path.display().to_string(), &error);
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.by_ref()
        .take(MAX_FILE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let content = if bytes.len() > MAX_FILE_BYTES {
        Content::TooLarge(file.metadata().map_err(failed)?.len())
    } else {
        Content::Read(bytes)
    };
    let blob = match &content {
        Content::Read(bytes) => Oid::hash_object(ObjectType::Blob, bytes)
            .map_err(|error| LoadError::git(path.display().to_string(), &error))?,
        Content::Stored | Content::TooLarge(_) => Oid::ZERO_SHA1,
    };
    Ok(Listed {
        name,
        blob,
        content,
    })
}
