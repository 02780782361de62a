//! From documents to what they ask for together: references resolved, rules across resources judged.

use std::collections::{BTreeMap, HashMap};

use crate::code::Code;
use crate::desired::order::{Order, References, order};
use crate::desired::rules;
use crate::desired::{
    Assignment, AssignmentSpec, AutomaticEnrollment, Desired, Enrollment, EnrollmentPilot,
    FleetSpec, Force, FrozenBy, Group, GroupIndex, GroupSpec, Header, Mode, Policy, PolicySpec,
    Resources,
};
use crate::finding::{FieldPath, Finding, Origin};
use crate::requirement::Requires;
use crate::resource::{Kind, ObjectName};

/// The namespace of a fleet that names none.
const DEFAULT_NAMESPACE: &str = "default";

/// What documents ask for together, and what is wrong with them.
///
/// [`Assembly::fleets`] is complete even when there are findings, and then errs on the side of
/// moving nobody: a group that is missing or invalid has unknown members, all of them. A caller
/// that has whole revisions uses it only when no finding is an error.
#[derive(Debug, Clone, Default)]
pub struct Assembly {
    /// One for each fleet, by name.
    pub fleets: Vec<Desired>,
    /// Everything that is wrong across resources.
    pub findings: Vec<Finding>,
}

/// Judges documents together and resolves their references.
#[must_use]
pub fn assemble(resources: Resources) -> Assembly {
    let mut assembler = Assembler::new(&resources);
    assembler.judge_names(&resources);
    assembler.judge_references(&resources);
    let mut tenants = assembler.by_fleet(resources);
    let mut fleets: Vec<Desired> = tenants
        .values_mut()
        .map(|tenant| tenant.resolve(&mut assembler.findings))
        .collect();
    fleets.sort_by(|a, b| a.fleet.cmp(&b.fleet));
    Assembly {
        fleets,
        findings: assembler.findings,
    }
}

/// What is known while documents are judged.
struct Assembler {
    /// The namespaces that have a fleet of this name, failed ones included.
    fleets: HashMap<String, Vec<String>>,
    /// Everything that exists, failed or not, with its fleet where that is known.
    existing: HashMap<(Kind, ObjectName), Option<String>>,
    findings: Vec<Finding>,
}

/// A reference that one document makes to another by name.
struct Reference<'a> {
    from: &'a Header,
    fleet: &'a str,
    name: &'a str,
    path: FieldPath,
}

impl Assembler {
    fn new(resources: &Resources) -> Self {
        let mut assembler = Self {
            fleets: HashMap::new(),
            existing: HashMap::new(),
            findings: Vec::new(),
        };
        for (kind, header, _) in documents(resources) {
            if kind == Kind::Fleet {
                let namespace = own_namespace(header).to_owned();
                assembler
                    .fleets
                    .entry(header.name.clone())
                    .or_default()
                    .push(namespace);
            }
        }
        for (kind, header, fleet) in documents(resources) {
            let name = assembler.name(header, fleet);
            assembler
                .existing
                .insert((kind, name), fleet.map(ToOwned::to_owned));
        }
        assembler
    }

    /// The full name of a document: without a namespace it takes its fleet's.
    fn name(&self, header: &Header, fleet: Option<&str>) -> ObjectName {
        let namespace = header
            .namespace
            .as_deref()
            .or_else(|| Some(self.fleets.get(fleet?)?.first()?.as_str()))
            .unwrap_or(DEFAULT_NAMESPACE);
        ObjectName::new(namespace, header.name.clone())
    }

    /// Two documents of one kind must not have one name.
    fn judge_names(&mut self, resources: &Resources) {
        let mut by_name: BTreeMap<(Kind, ObjectName), Vec<Origin>> = BTreeMap::new();
        for (kind, header, fleet) in documents(resources) {
            let key = (kind, self.name(header, fleet));
            by_name.entry(key).or_default().push(header.origin);
        }
        for ((kind, name), origins) in by_name {
            if origins.len() < 2 {
                continue;
            }
            for origin in origins {
                self.findings.push(Finding::new(
                    Code::DuplicateName,
                    origin,
                    FieldPath::of("metadata.name"),
                    format!("there is more than one {kind} `{name}`"),
                    "give each a name of its own, or delete the one that is not wanted",
                ));
            }
        }
    }

    /// What a document refers to must exist, in its namespace and its fleet.
    fn judge_references(&mut self, resources: &Resources) {
        for (_, header, fleet) in documents(resources) {
            if let Some(fleet) = fleet {
                self.judge_fleet(header, fleet);
            }
        }
        for group in &resources.groups {
            for (list, names) in [("include", &group.include), ("exclude", &group.exclude)] {
                for (at, name) in names.iter().enumerate() {
                    self.judge_group(&Reference {
                        from: &group.header,
                        fleet: &group.fleet,
                        name,
                        path: FieldPath::of("spec").key(list).index(at).key("name"),
                    });
                }
            }
        }
        for assignment in &resources.assignments {
            self.judge_group(&Reference {
                from: &assignment.header,
                fleet: &assignment.fleet,
                name: &assignment.group,
                path: FieldPath::of("spec.groupRef.name"),
            });
        }
        for policy in &resources.policies {
            if let Some(name) = &policy.enrollment.pilot_group {
                self.judge_group(&Reference {
                    from: &policy.header,
                    fleet: &policy.fleet,
                    name,
                    path: FieldPath::of("spec.enrollment.pilotGroupRef.name"),
                });
            }
        }
    }

    fn judge_fleet(&mut self, header: &Header, fleet: &str) {
        let Some(namespaces) = self.fleets.get(fleet) else {
            self.findings.push(Finding::new(
                Code::UnknownFleet,
                header.origin,
                FieldPath::of("spec.fleetRef.name"),
                format!("there is no Fleet `{fleet}`"),
                format!("name one of: {}", listed(self.fleets.keys())),
            ));
            return;
        };
        match header.namespace.as_deref() {
            Some(namespace) if !namespaces.iter().any(|of| of == namespace) => {
                self.findings.push(Finding::new(
                    Code::NamespaceDiffers,
                    header.origin,
                    FieldPath::of("metadata.namespace"),
                    format!("`{namespace}` is not the namespace of Fleet `{fleet}`"),
                    format!(
                        "write `{}`, or leave the namespace out",
                        namespaces.join("` or `")
                    ),
                ));
            }
            None if namespaces
                .iter()
                .any(|namespace| namespace != &namespaces[0]) =>
            {
                self.findings.push(Finding::new(
                    Code::NamespaceDiffers,
                    header.origin,
                    FieldPath::of("metadata"),
                    format!("there is a Fleet `{fleet}` in more than one namespace"),
                    format!(
                        "write `namespace:` with one of: {}",
                        listed(namespaces.iter())
                    ),
                ));
            }
            _ => {}
        }
    }

    fn judge_group(&mut self, reference: &Reference<'_>) {
        let name = ObjectName::new(
            self.name(reference.from, Some(reference.fleet)).namespace,
            reference.name,
        );
        match self.existing.get(&(Kind::DeviceGroup, name)) {
            None => {
                let known = self
                    .existing
                    .keys()
                    .filter_map(|(kind, name)| (*kind == Kind::DeviceGroup).then_some(&name.name));
                let remedy = rules::nearest(reference.name, known).map_or_else(
                    || "add a DeviceGroup of that name, or name one that exists".to_owned(),
                    |near| {
                        format!("did you mean `{near}`? Otherwise add a DeviceGroup of that name")
                    },
                );
                self.findings.push(Finding::new(
                    Code::UnknownGroup,
                    reference.from.origin,
                    reference.path.clone(),
                    format!("there is no DeviceGroup `{}`", reference.name),
                    remedy,
                ));
            }
            Some(Some(fleet)) if fleet != reference.fleet => {
                self.findings.push(Finding::new(
                    Code::OtherFleet,
                    reference.from.origin,
                    reference.path.clone(),
                    format!(
                        "DeviceGroup `{}` belongs to Fleet `{fleet}`, not to `{}`",
                        reference.name, reference.fleet
                    ),
                    format!("name a group of Fleet `{}`", reference.fleet),
                ));
            }
            Some(_) => {}
        }
    }

    /// Sorts documents by the fleet that they belong to; what belongs to none is left out.
    fn by_fleet(&self, resources: Resources) -> BTreeMap<ObjectName, Tenant> {
        let mut tenants: BTreeMap<ObjectName, Tenant> = BTreeMap::new();
        for fleet in resources.fleets {
            let name = ObjectName::new(own_namespace(&fleet.header), fleet.header.name.clone());
            tenants.entry(name).or_insert_with(|| Tenant::new(fleet));
        }
        let fleet_of = |header: &Header, fleet: &str| {
            ObjectName::new(self.name(header, Some(fleet)).namespace, fleet)
        };
        for group in resources.groups {
            if let Some(tenant) = tenants.get_mut(&fleet_of(&group.header, &group.fleet)) {
                tenant.groups.push(group);
            }
        }
        for policy in resources.policies {
            if let Some(tenant) = tenants.get_mut(&fleet_of(&policy.header, &policy.fleet)) {
                tenant.policies.push(policy);
            }
        }
        for assignment in resources.assignments {
            let fleet = fleet_of(&assignment.header, &assignment.fleet);
            if let Some(tenant) = tenants.get_mut(&fleet) {
                tenant.assignments.push(assignment);
            }
        }
        for named in &resources.named {
            let Some(fleet) = &named.fleet else { continue };
            if named.kind == Kind::CoManagementPolicy
                && let Some(tenant) = tenants.get_mut(&fleet_of(&named.header, fleet))
            {
                tenant.failed_policies.push(named.header.origin);
            }
        }
        tenants
    }
}

/// The documents of one fleet.
pub(super) struct Tenant {
    fleet: FleetSpec,
    pub(super) groups: Vec<GroupSpec>,
    pub(super) policies: Vec<PolicySpec>,
    pub(super) failed_policies: Vec<Origin>,
    pub(super) assignments: Vec<AssignmentSpec>,
}

impl Tenant {
    const fn new(fleet: FleetSpec) -> Self {
        Self {
            fleet,
            groups: Vec::new(),
            policies: Vec::new(),
            failed_policies: Vec::new(),
            assignments: Vec::new(),
        }
    }

    /// Judges the rules within a fleet and resolves what its documents refer to.
    fn resolve(&mut self, findings: &mut Vec<Finding>) -> Desired {
        let namespace = own_namespace(&self.fleet.header).to_owned();
        self.groups
            .sort_by(|a, b| a.header.name.cmp(&b.header.name));
        self.assignments
            .sort_by(|a, b| a.header.name.cmp(&b.header.name));
        let order = order(&self.references());
        rules::judge(self, &order, findings);
        let (groups, places) = self.resolve_groups(&namespace, &order);
        let assignments = self
            .assignments
            .iter()
            .map(|spec| resolve_assignment(spec, &namespace, &places))
            .collect();
        // With two policies neither can be believed, so no workload is managed.
        let policy = match self.policies.as_slice() {
            [policy] if self.failed_policies.is_empty() => {
                Some(resolve_policy(policy, &namespace, &places))
            }
            _ => None,
        };
        Desired {
            fleet: ObjectName::new(namespace, self.fleet.header.name.clone()),
            suspend: self.fleet.suspend,
            mode: self.fleet.mode,
            guardrails: self.fleet.guardrails.clone(),
            stale_after: self.fleet.stale_after.length(),
            online_within: self.fleet.online_within.length(),
            beta: self.fleet.beta,
            policy,
            groups,
            assignments,
        }
    }

    fn references(&self) -> References {
        let positions: HashMap<&str, usize> = self
            .groups
            .iter()
            .enumerate()
            .map(|(position, group)| (group.header.name.as_str(), position))
            .collect();
        let known = |names: &[String]| {
            names
                .iter()
                .filter_map(|name| positions.get(name.as_str()).copied())
                .collect::<Vec<_>>()
        };
        References(
            self.groups
                .iter()
                .map(|group| [known(&group.include), known(&group.exclude)].concat())
                .collect(),
        )
    }

    fn resolve_groups(
        &self,
        namespace: &str,
        order: &Order,
    ) -> (Vec<Group>, HashMap<String, GroupIndex>) {
        let mut places = HashMap::new();
        let mut groups = Vec::new();
        for position in &order.sorted {
            let spec = &self.groups[*position];
            let resolve = |names: &[String]| {
                names
                    .iter()
                    .map(|name| places.get(name).copied())
                    .collect::<Vec<_>>()
            };
            let group = Group {
                name: ObjectName::new(namespace, spec.header.name.clone()),
                selector: spec.selector.clone(),
                devices: spec.devices.clone(),
                include: resolve(&spec.include),
                exclude: resolve(&spec.exclude),
            };
            places.insert(spec.header.name.clone(), GroupIndex(groups.len()));
            groups.push(group);
        }
        (groups, places)
    }
}

fn resolve_assignment(
    spec: &AssignmentSpec,
    namespace: &str,
    groups: &HashMap<String, GroupIndex>,
) -> Assignment {
    Assignment {
        name: ObjectName::new(namespace, spec.header.name.clone()),
        workload: spec.workload,
        group: groups.get(&spec.group).copied(),
        group_name: spec.group.clone(),
        authority: spec.authority,
        priority: spec.priority,
        force: force(spec),
        admit_when: spec.admit_when.clone(),
        requires: spec.requires.clone(),
        unmet: spec.requires.iter().map(Requires::not_looked_at).collect(),
        rollout: spec.rollout.clone(),
        on_delete: spec.on_delete,
    }
}

fn force(spec: &AssignmentSpec) -> Force {
    match spec.mode {
        Mode::Observe => Force::Observing,
        Mode::Enforce if spec.suspend => Force::Frozen(FrozenBy::Suspend),
        Mode::Enforce if spec.paused => Force::Frozen(FrozenBy::Pause),
        Mode::Enforce if !spec.requires.is_empty() => Force::Frozen(FrozenBy::Requires),
        Mode::Enforce => Force::InForce,
    }
}

fn resolve_policy(
    spec: &PolicySpec,
    namespace: &str,
    groups: &HashMap<String, GroupIndex>,
) -> Policy {
    let Enrollment {
        automatic,
        pilot_group,
        pilot_collection,
    } = &spec.enrollment;
    let pilots = *automatic == Some(AutomaticEnrollment::Pilot);
    let pilot = pilot_group.as_ref().zip(pilot_collection.as_ref());
    Policy {
        name: ObjectName::new(namespace, spec.header.name.clone()),
        enrollment_pilot: pilot
            .filter(|_| pilots)
            .map(|(group, collection)| EnrollmentPilot {
                group: groups.get(group).copied(),
                collection: collection.clone(),
            }),
        enrollment: spec.enrollment.clone(),
        prerequisites: spec.prerequisites.clone(),
        workloads: spec.workloads.clone(),
    }
}

/// Every document, with its fleet where it names one.
fn documents(resources: &Resources) -> impl Iterator<Item = (Kind, &Header, Option<&str>)> {
    let fleets = resources
        .fleets
        .iter()
        .map(|fleet| (Kind::Fleet, &fleet.header, None));
    let groups = resources
        .groups
        .iter()
        .map(|group| (Kind::DeviceGroup, &group.header, Some(group.fleet.as_str())));
    let policies = resources.policies.iter().map(|policy| {
        let fleet = Some(policy.fleet.as_str());
        (Kind::CoManagementPolicy, &policy.header, fleet)
    });
    let assignments = resources.assignments.iter().map(|assignment| {
        let fleet = Some(assignment.fleet.as_str());
        (Kind::WorkloadAssignment, &assignment.header, fleet)
    });
    let named = resources
        .named
        .iter()
        .map(|named| (named.kind, &named.header, named.fleet.as_deref()));
    fleets
        .chain(groups)
        .chain(policies)
        .chain(assignments)
        .chain(named)
}

fn own_namespace(header: &Header) -> &str {
    header.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
}

/// Names in order, for a sentence.
fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return "(there are none)".to_owned();
    }
    names.join(", ")
}
