//! What the loop of one source is to carry out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use diarchy_core::desired::Resources;
use diarchy_core::finding::{Origin, Severity};
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::git_source::GitSourceSpec;
use diarchy_crds::manifest::REQUESTED_AT;
use diarchy_crds::{GitKind as _, GitSource, Manifest};
use diarchy_git::{Address, mirror_in};
use kube::{Resource as _, ResourceExt as _};

use super::error::SourceError;
use crate::credentials;
use crate::loops::{self, LoopKey};
use crate::objects::{Guarded, Objects};
use crate::tenant::{Version, key};

/// What the loop of one source is to carry out.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The source.
    pub name: ObjectName,
    /// Which version of it.
    pub version: Version,
    /// What it asks for, or why that cannot be carried out.
    pub spec: Result<GitSourceSpec, SourceError>,
    /// The look that a person asks for.
    pub requested: Option<String>,
}

impl Wanted {
    /// What there is to carry out now.
    pub fn all(objects: &Objects) -> BTreeMap<LoopKey, Self> {
        let sources = objects.sources.all();
        let wanted = sources
            .iter()
            .filter(|source| source.meta().deletion_timestamp.is_none())
            .map(|source| {
                let one = Self::of(source);
                ((one.name.clone(), one.version.uid.clone()), one)
            });
        wanted.collect()
    }

    fn of(source: &Guarded<GitSource>) -> Self {
        Self {
            name: key(Kind::GitSource, source).1,
            version: Version::of(source),
            spec: match &source.0 {
                Ok(source) => judged(source),
                Err(invalid) => Err(SourceError::Spec {
                    code: diarchy_core::code::Code::WrongType,
                    problem: format!("it cannot be decoded: {}", invalid.error),
                    remedy: "apply it again as this version of Diarchy wants it".to_owned(),
                }),
            },
            requested: source.annotations().get(REQUESTED_AT).cloned(),
        }
    }

    /// Whether nothing is to be fetched or applied.
    pub fn is_stopped(&self) -> bool {
        self.version.paused || self.spec.as_ref().is_ok_and(|spec| spec.suspend)
    }

    /// The account whose rights count.
    pub fn account(&self, spec: &GitSourceSpec) -> ObjectName {
        let name = credentials::account(&spec.service_account_name);
        ObjectName::new(&self.name.namespace, name)
    }

    /// Where its repository at `address` is fetched into, below `folder`.
    pub fn mirror(&self, folder: &Path, address: &Address) -> PathBuf {
        let owner = format!("{}/{}", self.name.namespace, self.version.uid);
        mirror_in(folder, &owner, address)
    }

    /// The Secrets that it names.
    pub fn secrets(&self) -> BTreeSet<ObjectName> {
        let Ok(spec) = &self.spec else {
            return BTreeSet::new();
        };
        let keys = spec.verify.as_ref().map(|verify| &verify.trusted_keys_ref);
        let names = spec.secret_ref.iter().chain(keys);
        names
            .map(|name| ObjectName::new(&self.name.namespace, name.name.as_str()))
            .collect()
    }
}

impl loops::Wanted for Wanted {
    fn differs_from(&self, before: &Self) -> bool {
        self.version != before.version || self.requested != before.requested
    }
}

/// What a source asks for, if there is nothing wrong with it.
fn judged(source: &GitSource) -> Result<GitSourceSpec, SourceError> {
    let manifest = Manifest::of_object(source);
    let findings = GitSource::interpret(Origin(0), manifest, &mut Resources::default());
    let error = findings
        .into_iter()
        .find(|finding| finding.severity() == Severity::Error);
    match error {
        None => Ok(source.spec.clone()),
        Some(finding) => Err(SourceError::Spec {
            code: finding.code,
            problem: format!("{} ({})", finding.problem, finding.path),
            remedy: finding.remedy,
        }),
    }
}
