//! Secrets in a folder: `<folder>/<namespace>/<name>/<key>`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use diarchy_core::resource::ObjectName;

use super::secret::{SecretData, Secrets, Source};
use crate::error::OperatorError;

/// A cluster takes no larger Secret.
const LARGEST: u64 = 1 << 20;

/// Secrets in a folder. They are read each time, so that what is changed there is used by the next
/// pass.
#[derive(Debug, Clone)]
pub struct SecretsFolder(Option<PathBuf>);

impl SecretsFolder {
    /// The Secrets in `folder`; without one there is none.
    #[must_use]
    pub const fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }
}

impl Secrets for SecretsFolder {
    fn get(&self, name: &ObjectName) -> Result<SecretData, OperatorError> {
        let missing = |what: String, place: String| OperatorError::SecretMissing {
            what,
            place,
            remedy: Source::Folder.remedy(name),
        };
        let Some(folder) = &self.0 else {
            return Err(missing(
                format!("Secret {name}"),
                "no --secrets folder was given".to_owned(),
            ));
        };
        let place = folder.join(&name.namespace).join(&name.name);
        let entries = fs::read_dir(&place)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .map_err(|error| {
                let place = format!("{}: {error}", place.display());
                missing(format!("Secret {name}"), place)
            })?;
        let mut keys = BTreeMap::new();
        for entry in entries {
            let Ok(key) = entry.file_name().into_string() else {
                continue;
            };
            // A Secret that a cluster mounts has folders and links of its own beside its keys.
            if key.starts_with("..") || entry.path().is_dir() {
                continue;
            }
            let bytes = read(&entry.path()).map_err(|error| {
                let place = format!("{}: {error}", entry.path().display());
                missing(format!("key `{key}` of Secret {name}"), place)
            })?;
            keys.insert(key, bytes);
        }
        Ok(SecretData::new(name.clone(), Source::Folder, keys))
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(file)?.len() > LARGEST {
        return Err(io::Error::other("larger than a Secret may be"));
    }
    fs::read(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_file_as_a_key_and_leaves_out_what_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("contoso/cm-admin");
        fs::create_dir_all(place.join("..2026_11_23")).unwrap();
        fs::write(place.join("..2026_11_23/username"), "svc").unwrap();
        std::os::unix::fs::symlink("..2026_11_23", place.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/username", place.join("username")).unwrap();
        fs::write(place.join("password"), "hunter2").unwrap();
        let secrets = SecretsFolder::new(Some(folder.path().to_owned()));
        let name = ObjectName::new("contoso", "cm-admin");
        let data = secrets.get(&name).unwrap();
        assert_eq!(data.listed(), "`password`, `username`");
        assert_eq!(data.text("username").unwrap(), "svc");
        fs::write(place.join("password"), "another").unwrap();
        assert_eq!(
            secrets.get(&name).unwrap().text("password").unwrap(),
            "another"
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let name = ObjectName::new("contoso", "cm-admin");
        let secrets = SecretsFolder::new(Some(folder.path().to_owned()));
        let error = secrets.get(&name).unwrap_err().to_string();
        assert!(error.contains("Secret contoso/cm-admin") && error.contains("contoso/cm-admin:"));
        let place = folder.path().join("contoso/cm-admin");
        fs::create_dir_all(&place).unwrap();
        std::os::unix::fs::symlink("nowhere", place.join("password")).unwrap();
        let error = secrets.get(&name).unwrap_err().to_string();
        assert!(error.contains("key `password`"), "{error}");
        let error = SecretsFolder::new(None).get(&name).unwrap_err().to_string();
        assert!(error.contains("--secrets"), "{error}");
    }
}
