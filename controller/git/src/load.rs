//! From a source to what it asks for, or everything that is wrong with it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread;

use diarchy_core::code::Code;
use diarchy_core::desired::{Assembly, Desired, Resources, assemble};
use diarchy_core::finding::{FieldPath, Finding, Origin, Severity};
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::fleet::FleetSpec;
use git2::Oid;

use crate::cache::Cache;
use crate::diagnostic::{Diagnostic, Position, Problem};
use crate::document::{Body, Document, File};
use crate::error::LoadError;
use crate::repository::{self, Content, Listed, Listing, Options, Revision, Source, Store};
use crate::yaml;

/// Fewer new files than this are parsed faster than threads are started.
const FILES_WORTH_A_THREAD: usize = 64;

/// What a source holds.
#[derive(Debug)]
pub struct Loaded {
    /// What was read.
    pub revision: Revision,
    /// How many documents of group `diarchy.dev` were read.
    pub resources_read: usize,
    /// How many documents of other groups were skipped.
    pub skipped: usize,
    /// What it asks for, one for each fleet, by name; none unless it is valid.
    pub fleets: Vec<LoadedFleet>,
    /// Everything that is wrong, by file, line and column; each thing once.
    pub diagnostics: Vec<Diagnostic>,
    /// What was read.
    pub(crate) files: Files,
}

impl Loaded {
    /// Whether it may be carried out: warnings do not count.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.diagnostics
            .iter()
            .all(|diagnostic| diagnostic.severity != Severity::Error)
    }
}

/// What a source asks of one fleet.
#[derive(Debug, Clone)]
pub struct LoadedFleet {
    /// What decisions need.
    pub desired: Desired,
    /// The fleet as it is written: where its estate is, and who may reach it.
    pub spec: FleetSpec,
}

/// Reads all of `source` and judges it.
///
/// # Errors
/// What no document is to blame for: the repository, the revision or the folder.
pub fn load(source: &Source, options: &Options, cache: &mut Cache) -> Result<Loaded, LoadError> {
    let mut listing = repository::list(source, options)?;
    cache.begin_load();
    let files = parse(&mut listing, cache)?;
    cache.end_load();
    let loaded = judge(listing, files);
    tracing::debug!(
        revision = loaded.revision.display,
        resources = loaded.resources_read,
        findings = loaded.diagnostics.len(),
        "read a revision"
    );
    Ok(loaded)
}

/// The files of a listing, parsed, each with its name.
pub(crate) type Files = Vec<(String, Arc<File>)>;

/// Parses whatever the cache does not hold.
fn parse(listing: &mut Listing, cache: &mut Cache) -> Result<Files, LoadError> {
    let mut known: HashMap<Oid, Arc<File>> = HashMap::new();
    let mut new: Vec<(Oid, Content)> = Vec::new();
    let mut wanted = HashSet::new();
    for listed in &mut listing.files {
        if matches!(listed.content, Content::TooLarge(_)) || !wanted.insert(listed.blob) {
            continue;
        }
        match cache.get(listed.blob) {
            Some(file) => {
                known.insert(listed.blob, file);
            }
            None => new.push((listed.blob, content(listing.store.as_ref(), listed)?)),
        }
    }
    for (blob, file) in parse_all(&new) {
        known.insert(blob, cache.insert(blob, file));
    }
    let files = listing.files.iter().filter_map(|listed| {
        let file = match &listed.content {
            Content::TooLarge(size) => Arc::new(File::refused(yaml::too_large(*size))),
            _ => Arc::clone(known.get(&listed.blob)?),
        };
        Some((listed.name.clone(), file))
    });
    Ok(files.collect())
}

/// The bytes of a file; those on disk are handed over, for nobody needs them twice.
fn content(store: Option<&Store>, listed: &mut Listed) -> Result<Content, LoadError> {
    match store {
        Some(store) => store.read(listed.blob),
        None => Ok(std::mem::replace(&mut listed.content, Content::Stored)),
    }
}

fn parse_all(new: &[(Oid, Content)]) -> Vec<(Oid, File)> {
    let parse = |(blob, content): &(Oid, Content)| {
        let file = match content {
            Content::Read(bytes) => File::parse(bytes),
            Content::TooLarge(size) => File::refused(yaml::too_large(*size)),
            Content::Stored => File::default(),
        };
        (*blob, file)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    if threads == 1 || new.len() < FILES_WORTH_A_THREAD {
        return new.iter().map(parse).collect();
    }
    thread::scope(|scope| {
        let workers: Vec<_> = new
            .chunks(new.len().div_ceil(threads))
            .map(|chunk| scope.spawn(move || chunk.iter().map(parse).collect::<Vec<_>>()))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

/// What is not known because of another mistake, so that one mistake is reported once and not again
/// by everything that it leads to.
#[derive(Default)]
struct Doubt<'d> {
    /// A file or a document could not be read so far that its name is known.
    anything: bool,
    /// Names of documents of which no more than the name is known.
    names: HashSet<&'d str>,
    /// A policy failed, or there is one too many: nobody knows which workloads are managed.
    policy: bool,
    /// What is wrong by itself; how it fits to others is judged when it is mended.
    values: HashSet<(Origin, FieldPath)>,
}

impl<'d> Doubt<'d> {
    fn note_document(&mut self, document: &'d Document) {
        match (&document.body, document.name()) {
            (Body::Unidentified, Some(name)) => {
                self.names.insert(name);
                // Its kind could not be read: it may be the policy.
                self.policy = true;
            }
            (Body::Unidentified, None) => self.anything = true,
            (Body::Known { kind, name }, _) => {
                self.policy |= *kind == Kind::CoManagementPolicy;
                // Without its fleet nobody knows the namespace that it takes.
                if document.fleet().is_none() && document.namespace().is_none() {
                    self.names.insert(name);
                }
            }
            _ => {}
        }
    }

    fn note_finding(&mut self, finding: &Finding, document: &Document) {
        if finding.severity() == Severity::Error {
            self.policy |= matches!(document.body, Body::CoManagementPolicy(_));
            self.values.insert((finding.origin, finding.path.clone()));
        }
    }

    /// Whether `finding`, which is about several documents, may be only a consequence.
    fn explains(&self, finding: &Finding, document: &Document) -> bool {
        let of_wrong_value = || {
            self.values
                .contains(&(finding.origin, finding.path.clone()))
        };
        match finding.code {
            Code::UnknownFleet | Code::UnknownGroup => {
                let named = document.tree.text_at(&finding.path);
                self.anything
                    || named.is_some_and(|name| self.names.contains(name))
                    || of_wrong_value()
            }
            Code::NoEffect => self.anything || self.policy,
            _ => of_wrong_value(),
        }
    }
}

/// What is known of a listing while it is judged.
#[derive(Default)]
struct Judge<'f> {
    /// By their numbers, each with its file's name.
    documents: Vec<(&'f str, &'f Document)>,
    resources: Resources,
    doubt: Doubt<'f>,
    diagnostics: Vec<Diagnostic>,
}

impl<'f> Judge<'f> {
    fn add_file(&mut self, name: &'f str, file: &'f File) {
        self.doubt.anything |= !file.problems.is_empty();
        let of_documents = file
            .documents
            .iter()
            .flat_map(|document| &document.problems);
        let problems = file.problems.iter().chain(of_documents).cloned();
        self.diagnostics
            .extend(problems.map(|problem| problem.of_file(name)));
        for document in &file.documents {
            // No repository has four thousand million documents, each of which is some bytes long.
            let origin = Origin(u32::try_from(self.documents.len()).unwrap_or(u32::MAX));
            self.documents.push((name, document));
            self.doubt.note_document(document);
            for finding in document.add_to(origin, &mut self.resources) {
                self.doubt.note_finding(&finding, document);
                self.diagnostics
                    .push(located(finding, document).of_file(name));
            }
        }
    }

    /// Judges the documents together, and answers with what they ask for.
    fn assemble(&mut self, place: &str) -> Vec<Desired> {
        let lost = self.doubt.anything || !self.doubt.names.is_empty();
        let has_fleet = lost || has_fleet(&self.resources);
        if !has_fleet {
            self.diagnostics.push(no_fleet().of_file(place));
        }
        let Assembly { fleets, findings } = assemble(std::mem::take(&mut self.resources));
        let (of_policies, others): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .partition(|finding| finding.code == Code::SecondPolicy);
        self.doubt.policy |= !of_policies.is_empty();
        for finding in of_policies.into_iter().chain(others) {
            let unfounded = finding.code == Code::UnknownFleet && !has_fleet;
            if let Some((name, document)) = self.documents.get(finding.origin.0 as usize)
                && !unfounded
                && !self.doubt.explains(&finding, document)
            {
                self.diagnostics
                    .push(located(finding, document).of_file(*name));
            }
        }
        fleets
    }
}

fn judge(listing: Listing, files: Files) -> Loaded {
    let links = listing.diagnostics;
    let mut judge = Judge::default();
    judge.doubt.anything = links.iter().any(|link| link.severity == Severity::Error);
    judge.diagnostics = links;
    for (name, file) in &files {
        judge.add_file(name, file);
    }
    let fleets = judge.assemble(&listing.place);
    let Judge {
        documents,
        mut diagnostics,
        ..
    } = judge;
    diagnostics.sort();
    diagnostics.dedup();
    let mut loaded = Loaded {
        revision: listing.revision,
        resources_read: documents.len(),
        skipped: files.iter().map(|(_, file)| file.skipped).sum(),
        fleets: Vec::new(),
        diagnostics,
        files: Files::new(),
    };
    if loaded.is_valid() {
        loaded.fleets = with_specs(fleets, &documents);
    }
    loaded.files = files;
    loaded
}

fn has_fleet(resources: &Resources) -> bool {
    let failed = resources
        .named
        .iter()
        .any(|named| named.kind == Kind::Fleet);
    failed || !resources.fleets.is_empty()
}

fn no_fleet() -> Problem {
    Problem::new(
        Position::START,
        Code::NoFleet,
        "there is no Fleet here",
        "add a document of kind Fleet, or give the folder that has one",
    )
}

fn located(finding: Finding, document: &Document) -> Problem {
    Problem::new(
        document.tree.locate(&finding.path),
        finding.code,
        finding.problem,
        finding.remedy,
    )
}

/// Puts beside each fleet how it is written.
fn with_specs(fleets: Vec<Desired>, documents: &[(&str, &Document)]) -> Vec<LoadedFleet> {
    let spec_of = |name: &ObjectName| {
        documents
            .iter()
            .find_map(|(_, document)| match &document.body {
                Body::Fleet(manifest)
                    if manifest.metadata.name == name.name
                        && manifest
                            .metadata
                            .namespace
                            .as_ref()
                            .is_none_or(|namespace| *namespace == name.namespace) =>
                {
                    Some(manifest.spec.clone())
                }
                _ => None,
            })
    };
    fleets
        .into_iter()
        .filter_map(|desired| {
            let spec = spec_of(&desired.fleet)?;
            Some(LoadedFleet { desired, spec })
        })
        .collect()
}
