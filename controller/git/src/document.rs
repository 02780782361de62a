//! Documents: what they say of themselves first, then what they ask for, as their kind decides.

use diarchy_core::code::Code;
use diarchy_core::desired::{Header, Named, Resources};
use diarchy_core::finding::{FieldPath, Finding, Origin};
use diarchy_core::resource::{GROUP, Kind, Stage, VERSION};
use diarchy_crds::co_management_policy::CoManagementPolicySpec;
use diarchy_crds::device_group::DeviceGroupSpec;
use diarchy_crds::fleet::FleetSpec;
use diarchy_crds::git_source::GitSourceSpec;
use diarchy_crds::workload_assignment::WorkloadAssignmentSpec;
use diarchy_crds::{
    CoManagementPolicy, DeviceGroup, Fleet, GitKind, GitSource, Manifest, WorkloadAssignment,
};

use crate::diagnostic::Problem;
use crate::yaml::{self, Tree};

/// What a file holds, whatever it is called.
#[derive(Debug, Default)]
pub struct File {
    /// The documents of group [`GROUP`], and those that cannot be told.
    pub documents: Vec<Document>,
    /// How many documents belong to other groups.
    pub skipped: usize,
    /// What is wrong with the file itself.
    pub problems: Vec<Problem>,
}

/// One document of group [`GROUP`].
#[derive(Debug)]
pub struct Document {
    /// Its values, by their places.
    pub tree: Tree,
    /// What it is.
    pub body: Body,
    /// What is wrong with its shape.
    pub problems: Vec<Problem>,
}

/// What a document is.
#[derive(Debug)]
pub enum Body {
    /// A fleet.
    Fleet(Manifest<FleetSpec>),
    /// A group.
    DeviceGroup(Manifest<DeviceGroupSpec>),
    /// A policy.
    CoManagementPolicy(Manifest<CoManagementPolicySpec>),
    /// An assignment.
    WorkloadAssignment(Manifest<WorkloadAssignmentSpec>),
    /// A source.
    GitSource(Manifest<GitSourceSpec>),
    /// One that is only known to exist: it failed, or its kind is not carried out yet.
    Known {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// One of no kind that is known.
    Unidentified,
}

impl File {
    /// A file that cannot be read at all.
    pub fn refused(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
            ..Self::default()
        }
    }

    /// Reads a file: first what holds for any file, then its documents.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = match yaml::text(bytes) {
            Ok(text) => text,
            Err(problem) => return Self::refused(problem),
        };
        let stream = yaml::read(text);
        let mut file = Self {
            problems: stream.problems,
            ..Self::default()
        };
        for tree in stream.trees {
            match Document::read(tree) {
                Some(document) => file.documents.push(document),
                None => file.skipped += 1,
            }
        }
        file
    }
}

/// What a document says of itself.
enum Identity {
    /// It belongs to another group.
    Foreign,
    /// It is of this kind.
    Kind(Kind),
}

impl Document {
    /// `None` for a document of another group.
    fn read(tree: Tree) -> Option<Self> {
        let (body, problems) = match identify(&tree) {
            Ok(Identity::Foreign) => return None,
            Ok(Identity::Kind(kind)) => interpret_shape(&tree, kind),
            Err(problem) => (Body::Unidentified, vec![problem]),
        };
        Some(Self {
            tree,
            body,
            problems,
        })
    }

    /// Its name, as far as it can be read.
    pub fn name(&self) -> Option<&str> {
        self.tree.text_at(&FieldPath::of("metadata.name"))
    }

    /// Its namespace, as far as it can be read.
    pub fn namespace(&self) -> Option<&str> {
        self.tree.text_at(&FieldPath::of("metadata.namespace"))
    }

    /// Its fleet's name, as far as it can be read.
    pub fn fleet(&self) -> Option<&str> {
        self.tree.text_at(&FieldPath::of("spec.fleetRef.name"))
    }

    /// Judges it by itself and adds it to the others.
    pub fn add_to(&self, origin: Origin, resources: &mut Resources) -> Vec<Finding> {
        match &self.body {
            Body::Fleet(manifest) => Fleet::interpret(origin, manifest.clone(), resources),
            Body::DeviceGroup(manifest) => {
                DeviceGroup::interpret(origin, manifest.clone(), resources)
            }
            Body::CoManagementPolicy(manifest) => {
                CoManagementPolicy::interpret(origin, manifest.clone(), resources)
            }
            Body::WorkloadAssignment(manifest) => {
                WorkloadAssignment::interpret(origin, manifest.clone(), resources)
            }
            Body::GitSource(manifest) => GitSource::interpret(origin, manifest.clone(), resources),
            Body::Known { kind, name } => {
                resources.named.push(Named {
                    header: Header {
                        origin,
                        namespace: self.namespace().map(ToOwned::to_owned),
                        name: name.clone(),
                    },
                    kind: *kind,
                    fleet: self.fleet().map(ToOwned::to_owned),
                });
                Vec::new()
            }
            Body::Unidentified => Vec::new(),
        }
    }
}

/// Which group and kind a document says it is of.
fn identify(tree: &Tree) -> Result<Identity, Problem> {
    let root = tree.root();
    if tree.entries(root).is_none() {
        return Err(Problem::new(
            tree.position(root),
            Code::NotAMapping,
            "this document is no mapping",
            "begin it with `apiVersion:` and `kind:`, or take it out of the file",
        ));
    }
    let version = word(tree, "apiVersion")?;
    let kind = word(tree, "kind")?;
    let group = version
        .1
        .split_once('/')
        .map_or(version.1, |(group, _)| group);
    if group != GROUP {
        return Ok(Identity::Foreign);
    }
    if version.1 != format!("{GROUP}/{VERSION}") {
        return Err(Problem::new(
            tree.position(version.0),
            Code::UnknownVersion,
            format!("`{}` is no API version", version.1),
            format!("write {GROUP}/{VERSION}"),
        ));
    }
    let known = Kind::from_name(kind.1).ok_or_else(|| {
        let served = Kind::ALL
            .into_iter()
            .filter(|kind| kind.stage() == Stage::Served);
        let names: Vec<&str> = served.map(Kind::name).collect();
        Problem::new(
            tree.position(kind.0),
            Code::UnknownKind,
            format!("`{}` is no kind of {GROUP}", kind.1),
            format!("write one of {}", names.join(", ")),
        )
    })?;
    Ok(Identity::Kind(known))
}

/// The text under one of the two keys that every document has.
fn word<'t>(tree: &'t Tree, key: &str) -> Result<(yaml::NodeId, &'t str), Problem> {
    let missing = || {
        Problem::new(
            tree.position(tree.root()),
            Code::NoKind,
            format!("this document has no `{key}`"),
            format!("add `{key}`, or take the document out of the folder"),
        )
    };
    let id = tree.get(tree.root(), key).ok_or_else(missing)?;
    match (tree.text(id), tree.is_scalar(id)) {
        (Some(text), _) => Ok((id, text)),
        (None, true) => Err(missing()),
        (None, false) => Err(Problem::new(
            tree.position(id),
            Code::WrongType,
            format!("`{key}` is no text"),
            "write one word",
        )),
    }
}

/// Reads the rest of a document as its kind wants it.
fn interpret_shape(tree: &Tree, kind: Kind) -> (Body, Vec<Problem>) {
    let root = tree.root();
    let at_kind = |code, problem: String, remedy: &str| {
        let position = tree
            .get(root, "kind")
            .map_or_else(|| tree.position(root), |id| tree.position(id));
        Problem::new(position, code, problem, remedy)
    };
    if kind.stage() == Stage::NeverInGit {
        let problem = at_kind(
            Code::KindNotForGit,
            format!("kind {kind} does not belong in a repository"),
            "delete this document",
        );
        return (Body::Unidentified, vec![problem]);
    }
    let mut problems = tree.duplicate_keys();
    let mut body = Err(None);
    if kind.stage() == Stage::Planned {
        problems.push(at_kind(
            Code::KindNotBuilt,
            format!("kind {kind} is not carried out yet"),
            "keep it for a later version, or delete it",
        ));
    } else if problems.is_empty() {
        body = decode(tree, kind).map_err(Some);
    }
    let body = body.unwrap_or_else(|problem| {
        problems.extend(problem);
        match tree.text_at(&FieldPath::of("metadata.name")) {
            Some(name) => Body::Known {
                kind,
                name: name.to_owned(),
            },
            None => Body::Unidentified,
        }
    });
    (body, problems)
}

fn decode(tree: &Tree, kind: Kind) -> Result<Body, Problem> {
    match kind {
        Kind::Fleet => manifest::<Fleet>(tree).map(Body::Fleet),
        Kind::DeviceGroup => manifest::<DeviceGroup>(tree).map(Body::DeviceGroup),
        Kind::CoManagementPolicy => {
            manifest::<CoManagementPolicy>(tree).map(Body::CoManagementPolicy)
        }
        Kind::GitSource => manifest::<GitSource>(tree).map(Body::GitSource),
        _ => manifest::<WorkloadAssignment>(tree).map(Body::WorkloadAssignment),
    }
}

fn manifest<K: GitKind>(tree: &Tree) -> Result<Manifest<K::Spec>, Problem> {
    yaml::decode(tree, tree.root())
}
