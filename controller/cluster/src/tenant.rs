//! A namespace's objects together: what decisions need, and what is wrong with whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diarchy_core::code::Code;
use diarchy_core::desired::{self, Desired, Force, FrozenBy, Header, Named, Resources};
use diarchy_core::digest::Digest;
use diarchy_core::finding::{Finding, Origin, Severity};
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::fleet::FleetSpec;
use diarchy_crds::manifest::PAUSED;
use diarchy_crds::{
    CoManagementPolicy, DeviceGroup, Fleet, GitKind, GitSource, Manifest, WorkloadAssignment,
};
use diarchy_git::LoadedFleet;
use diarchy_operator::fleet_loop::Revision;
use diarchy_operator::revert::Existing;
use kube::core::object::HasSpec;
use kube::{Resource, ResourceExt as _};

use crate::objects::Guarded;
use crate::snapshot::Snapshot;
use crate::sources::signers;

/// One object, by kind and name.
pub type Key = (Kind, ObjectName);

/// What is wrong with one version of an object.
pub type Problem = (Version, String);

/// What a namespace's objects ask for together.
#[derive(Debug, Clone, Default)]
pub struct Tenant {
    /// One for each valid fleet that is not being deleted.
    pub fleets: Vec<TenantFleet>,
    /// What is wrong, by object: then it is not carried out.
    pub problems: BTreeMap<Key, String>,
    /// Those of them that no pass reports of.
    pub unreported: Vec<Key>,
    /// Which version of each object this was made of.
    pub versions: BTreeMap<Key, Version>,
}

/// What a namespace's objects ask of one fleet.
#[derive(Debug, Clone)]
pub struct TenantFleet {
    /// What decisions need.
    pub loaded: LoadedFleet,
    /// The fleet's uid.
    pub uid: String,
    /// Another one whenever what is asked of the fleet is another.
    pub revision: String,
    /// The revision of its source that it was applied at, where one says so.
    pub source_revision: Option<String>,
    /// The assignments that exist.
    pub existing: Existing,
    /// Who has signed what its sources have applied of it.
    pub signers: BTreeSet<String>,
}

/// Which version of an object was looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version {
    /// Tells it from namesakes.
    pub uid: String,
    /// Grows with every change of what it asks for.
    pub generation: i64,
    /// Whether a person has paused it.
    pub paused: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
}

impl Version {
    /// The version of an object.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        let annotations = object.annotations();
        Self {
            uid: object.uid().unwrap_or_default(),
            generation: object.meta().generation.unwrap_or_default(),
            paused: annotations.get(PAUSED).is_some_and(|value| value == "true"),
            deleting: object.meta().deletion_timestamp.is_some(),
        }
    }
}

/// The kind and name of an object.
pub fn key<K: Resource<DynamicType = ()>>(kind: Kind, object: &K) -> Key {
    let namespace = object.namespace().unwrap_or_default();
    (kind, ObjectName::new(namespace, object.name_any()))
}

/// Puts the objects of `namespace` together, as they were when the snapshot was taken.
pub fn assemble(there: &Snapshot, namespace: &str) -> Tenant {
    let mut assembly = Assembly::default();
    let of_namespace = |found: Option<String>| found.as_deref() == Some(namespace);
    let fleets = there.fleets.iter();
    let fleets: Vec<_> = fleets.filter(|one| of_namespace(one.namespace())).collect();
    for object in &fleets {
        assembly.add::<Fleet>(object);
    }
    for object in &there.groups {
        if of_namespace(object.namespace()) {
            assembly.add::<DeviceGroup>(object);
        }
    }
    let policies = there.policies.iter();
    let mut policies: Vec<_> = policies
        .filter(|one| of_namespace(one.namespace()))
        .collect();
    // One for each fleet: the elder stays, the younger waits.
    policies.sort_by_key(|one| (one.creation_timestamp(), one.name_any()));
    let mut governed: BTreeMap<String, String> = BTreeMap::new();
    for object in policies {
        assembly.add_policy(object, &mut governed);
    }
    for object in &there.assignments {
        if of_namespace(object.namespace()) {
            assembly.add::<WorkloadAssignment>(object);
        }
    }
    let specs = fleets
        .iter()
        .filter_map(|one| Some((one.name_any(), one.0.as_ref().ok()?.spec.clone())))
        .collect();
    assembly.finish(&specs, &there.sources)
}

/// A tenant in the making.
#[derive(Default)]
struct Assembly {
    resources: Resources,
    /// By [`Origin`].
    keys: Vec<Key>,
    findings: Vec<Finding>,
    tenant: Tenant,
}

impl Assembly {
    fn add<K>(&mut self, object: &Guarded<K>)
    where
        K: GitKind + Resource<DynamicType = ()> + HasSpec<Spec = <K as GitKind>::Spec>,
    {
        let key = key(K::KIND, object);
        let version = Version::of(object);
        let is_gone = version.deleting;
        self.tenant.versions.insert(key.clone(), version);
        // What is being deleted asks for nothing any more.
        if is_gone {
            return;
        }
        let origin = self.origin(key.clone());
        match &object.0 {
            Ok(decoded) => {
                let manifest = Manifest::of_object(decoded);
                let findings = K::interpret(origin, manifest, &mut self.resources);
                self.findings.extend(findings);
            }
            Err(invalid) => {
                self.resources.named.push(Named {
                    header: Header {
                        origin,
                        namespace: Some(key.1.namespace.clone()),
                        name: key.1.name.clone(),
                    },
                    kind: K::KIND,
                    fleet: None,
                });
                let problem = format!(
                    "{}: it cannot be decoded: {}: apply it again as this version of Diarchy wants it",
                    Code::WrongType,
                    invalid.error
                );
                self.tenant.problems.insert(key, problem);
            }
        }
    }

    fn add_policy(
        &mut self,
        object: &Guarded<CoManagementPolicy>,
        governed: &mut BTreeMap<String, String>,
    ) {
        let fleet = match &object.0 {
            Ok(policy) if object.meta().deletion_timestamp.is_none() => {
                policy.spec.fleet_ref.name.to_string()
            }
            _ => return self.add(object),
        };
        if let Some(elder) = governed.get(&fleet) {
            let problem = format!(
                "{}: fleet `{fleet}` has the policy `{elder}` already, which is older: delete one of the two",
                Code::SecondPolicy
            );
            let key = key(Kind::CoManagementPolicy, object);
            self.tenant
                .versions
                .insert(key.clone(), Version::of(object));
            self.tenant.problems.insert(key, problem);
            return;
        }
        governed.insert(fleet, object.name_any());
        self.add(object);
    }

    fn origin(&mut self, key: Key) -> Origin {
        self.keys.push(key);
        Origin(u32::try_from(self.keys.len() - 1).unwrap_or(u32::MAX))
    }

    /// Judges everything together. What is wrong stands still.
    fn finish(
        mut self,
        specs: &BTreeMap<String, FleetSpec>,
        sources: &[Arc<Guarded<GitSource>>],
    ) -> Tenant {
        let assembled = desired::assemble(std::mem::take(&mut self.resources));
        self.findings.extend(assembled.findings);
        for finding in &self.findings {
            if finding.severity() == Severity::Error
                && let Some(key) = self.keys.get(finding.origin.0 as usize)
            {
                let told = format!(
                    "{}: {} ({}): {}",
                    finding.code, finding.problem, finding.path, finding.remedy
                );
                self.tenant.problems.entry(key.clone()).or_insert(told);
            }
        }
        for mut desired in assembled.fleets {
            for assignment in &mut desired.assignments {
                let key = (Kind::WorkloadAssignment, assignment.name.clone());
                if self.tenant.problems.contains_key(&key) && assignment.force.may_come_into_force()
                {
                    assignment.force = Force::Frozen(FrozenBy::Invalid);
                }
            }
            let key = (Kind::Fleet, desired.fleet.clone());
            let Some(spec) = specs.get(&desired.fleet.name) else {
                continue;
            };
            let uid = self.tenant.versions.get(&key).map(|one| one.uid.clone());
            let fleet = TenantFleet {
                uid: uid.unwrap_or_default(),
                revision: self.tenant.revision(&desired),
                source_revision: None,
                existing: self.tenant.existing(&desired),
                signers: signers(sources, Tenant::of_fleet(&desired)),
                loaded: LoadedFleet {
                    desired,
                    spec: spec.clone(),
                },
            };
            self.tenant.fleets.push(fleet);
        }
        self.tenant.unreported = self.tenant.without_pass();
        self.tenant
    }
}

impl TenantFleet {
    /// The revision in force: what its source says, or else what was applied.
    pub fn revision(&self) -> Revision<'_> {
        Revision {
            key: &self.revision,
            shown: self.source_revision.as_deref().unwrap_or(&self.revision),
        }
    }
}

impl Tenant {
    /// What is asked of the fleet of this name, if it is valid.
    pub fn of_name(&self, fleet: &ObjectName) -> Option<&TenantFleet> {
        let mut fleets = self.fleets.iter();
        fleets.find(|one| one.loaded.desired.fleet == *fleet)
    }

    /// The objects that a pass over `desired` reports of.
    pub fn of_fleet(desired: &Desired) -> impl Iterator<Item = Key> + '_ {
        let name = |kind: Kind| move |name: &ObjectName| (kind, name.clone());
        let policy = desired.policy.iter().map(|policy| &policy.name);
        let groups = desired.groups.iter().map(|group| &group.name);
        let assignments = desired.assignments.iter().map(|one| &one.name);
        std::iter::once(&desired.fleet)
            .map(name(Kind::Fleet))
            .chain(policy.map(name(Kind::CoManagementPolicy)))
            .chain(groups.map(name(Kind::DeviceGroup)))
            .chain(assignments.map(name(Kind::WorkloadAssignment)))
    }

    /// What is asked of a fleet, in a word: the generations of its objects.
    fn revision(&self, desired: &Desired) -> String {
        let lines: Vec<String> = Self::of_fleet(desired)
            .filter_map(|key| {
                let version = self.versions.get(&key)?;
                let (kind, name) = key;
                let Version {
                    uid, generation, ..
                } = version;
                Some(format!("{kind} {name} {uid} {generation}"))
            })
            .collect();
        Digest::of_lines(lines.iter().map(String::as_str)).to_string()
    }

    fn existing(&self, desired: &Desired) -> Existing {
        let mut existing = Existing::default();
        for ((kind, name), version) in &self.versions {
            if *kind != Kind::WorkloadAssignment || version.deleting {
                continue;
            }
            let (name, uid) = (name.clone(), version.uid.clone());
            if desired.find_assignment(&name).is_some() {
                existing.uids.insert(name, uid);
            } else {
                existing.invalid.insert(name, uid);
            }
        }
        existing
    }

    /// What is wrong with an object, and which version of it that is about.
    pub fn problem(&self, key: &Key) -> Option<Problem> {
        let version = self.versions.get(key)?.clone();
        Some((version, self.problems.get(key)?.clone()))
    }

    /// What is wrong and no pass reports of.
    fn without_pass(&self) -> Vec<Key> {
        let reported: BTreeSet<Key> = self
            .fleets
            .iter()
            .flat_map(|fleet| Self::of_fleet(&fleet.loaded.desired))
            .collect();
        let wrong = self.problems.keys();
        wrong
            .filter(|key| !reported.contains(key))
            .cloned()
            .collect()
    }
}
