//! Rules across the resources of one fleet.

use std::collections::HashMap;

use crate::code::Code;
use crate::desired::assemble::Tenant;
use crate::desired::order::Order;
use crate::desired::{AssignmentSpec, Mode, PolicySpec};
use crate::finding::{FieldPath, Finding};
use crate::selector::{Key, Selector, SetKey, Test, fold};
use crate::workload::{Authority, Slider, Workload};

/// Judges everything that the documents of one fleet may not be together.
pub(super) fn judge(tenant: &Tenant, order: &Order, findings: &mut Vec<Finding>) {
    judge_policies(tenant, findings);
    judge_circles(tenant, order, findings);
    judge_contradictions(&tenant.assignments, findings);
    judge_endpoint_protection(&tenant.assignments, findings);
    if let [policy] = tenant.policies.as_slice() {
        judge_selectors(tenant, policy, findings);
    }
    warn_of_no_effect(tenant, findings);
}

/// A fleet has one policy.
fn judge_policies(tenant: &Tenant, findings: &mut Vec<Finding>) {
    if tenant.policies.len() + tenant.failed_policies.len() < 2 {
        return;
    }
    for policy in &tenant.policies {
        findings.push(Finding::new(
            Code::SecondPolicy,
            policy.header.origin,
            FieldPath::of("spec.fleetRef.name"),
            format!(
                "Fleet `{}` has more than one CoManagementPolicy",
                policy.fleet
            ),
            "keep one and delete the others",
        ));
    }
}

/// Groups do not include or exclude each other in a circle.
fn judge_circles(tenant: &Tenant, order: &Order, findings: &mut Vec<Finding>) {
    let circle_of: HashMap<&str, usize> = order
        .circles
        .iter()
        .map(|(position, circle)| (tenant.groups[*position].header.name.as_str(), *circle))
        .collect();
    for group in &tenant.groups {
        let Some(circle) = circle_of.get(group.header.name.as_str()) else {
            continue;
        };
        for (list, names) in [("include", &group.include), ("exclude", &group.exclude)] {
            for (at, name) in names.iter().enumerate() {
                if circle_of.get(name.as_str()) != Some(circle) {
                    continue;
                }
                findings.push(Finding::new(
                    Code::GroupCycle,
                    group.header.origin,
                    FieldPath::of("spec").key(list).index(at).key("name"),
                    format!(
                        "DeviceGroup `{}` refers to `{name}`, which leads back to it",
                        group.header.name
                    ),
                    "take one of the references of the circle out",
                ));
            }
        }
    }
}

/// Two assignments of one workload, group and priority must agree.
fn judge_contradictions(assignments: &[AssignmentSpec], findings: &mut Vec<Finding>) {
    type Contest<'a> = (Workload, &'a str, i32);
    let mut contests: HashMap<Contest<'_>, Vec<&AssignmentSpec>> = HashMap::new();
    for assignment in enforced(assignments) {
        contests
            .entry((assignment.workload, &assignment.group, assignment.priority))
            .or_default()
            .push(assignment);
    }
    for rivals in contests.into_values() {
        for assignment in &rivals {
            let Some(other) = rivals
                .iter()
                .find(|other| other.authority != assignment.authority)
            else {
                continue;
            };
            findings.push(Finding::new(
                Code::Contradiction,
                assignment.header.origin,
                FieldPath::of("spec.authority"),
                format!(
                    "`{}` gives {} for group `{}` to {}, and `{}` with the same priority {} to {}",
                    assignment.header.name,
                    assignment.workload,
                    assignment.group,
                    assignment.authority,
                    other.header.name,
                    assignment.priority,
                    other.authority
                ),
                "give one of them a higher priority, or delete it",
            ));
        }
    }
}

/// Who gets DeviceConfiguration gets EndpointProtection too, so that must not be assigned against.
fn judge_endpoint_protection(assignments: &[AssignmentSpec], findings: &mut Vec<Finding>) {
    let of = |workload, authority| {
        enforced(assignments).filter(move |assignment| {
            assignment.workload == workload && assignment.authority == authority
        })
    };
    let mut report = |one: &AssignmentSpec, problem: String| {
        findings.push(Finding::new(
            Code::EndpointProtectionContradiction,
            one.header.origin,
            FieldPath::of("spec.authority"),
            problem,
            "moving DeviceConfiguration moves EndpointProtection: delete one of the two, or use different groups",
        ));
    };
    let protections: Vec<_> = of(
        Workload::EndpointProtection,
        Authority::ConfigurationManager,
    )
    .collect();
    let configurations: Vec<_> = of(Workload::DeviceConfiguration, Authority::Intune).collect();
    for protection in &protections {
        if let Some(other) = configurations.iter().find(|c| c.group == protection.group) {
            report(
                protection,
                format!(
                    "`{}` keeps EndpointProtection of group `{}` with ConfigurationManager, and `{}` gives its DeviceConfiguration to Intune",
                    protection.header.name, protection.group, other.header.name
                ),
            );
        }
    }
    for configuration in &configurations {
        if let Some(other) = protections.iter().find(|p| p.group == configuration.group) {
            report(
                configuration,
                format!(
                    "`{}` gives DeviceConfiguration of group `{}` to Intune, and `{}` keeps its EndpointProtection with ConfigurationManager",
                    configuration.header.name, configuration.group, other.header.name
                ),
            );
        }
    }
}

/// A group whose members depend on a pilot collection would depend on what it decides itself.
fn judge_selectors(tenant: &Tenant, policy: &PolicySpec, findings: &mut Vec<Finding>) {
    let pilots: Vec<String> = policy
        .workloads
        .iter()
        .flatten()
        .filter_map(|workload| workload.pilot_collection.as_deref())
        .chain(policy.enrollment.pilot_collection.as_deref())
        .map(fold)
        .collect();
    let groups = tenant.groups.iter().filter_map(|group| {
        let path = FieldPath::of("spec.selector.matchAttributes");
        Some((group.header.origin, group.selector.as_ref()?, path))
    });
    let assignments = tenant.assignments.iter().filter_map(|assignment| {
        let path = FieldPath::of("spec.admitWhen.matchAttributes");
        Some((
            assignment.header.origin,
            assignment.admit_when.as_ref()?,
            path,
        ))
    });
    for (origin, selector, path) in groups.chain(assignments) {
        for (clause, value, id) in collections_named(selector) {
            if pilots.contains(id) {
                findings.push(Finding::new(
                    Code::PilotCollectionAsSelector,
                    origin,
                    path.index(clause).key("values").index(value),
                    format!("`{}` is a pilot collection, whose members Diarchy decides", id.to_uppercase()),
                    "select by another collection, or by what that collection's members have in common",
                ));
            }
        }
    }
}

/// The ConfigMgr collections that a selector names, with the places of clause and value.
fn collections_named(selector: &Selector) -> impl Iterator<Item = (usize, usize, &String)> {
    selector
        .requirements
        .iter()
        .enumerate()
        .filter(|(_, requirement)| requirement.key == Key::Set(SetKey::ConfigMgrCollection))
        .filter_map(|(at, requirement)| match &requirement.test {
            Test::In(ids) => Some((at, ids)),
            _ => None,
        })
        .flat_map(|(at, ids)| {
            ids.iter()
                .enumerate()
                .map(move |(value, id)| (at, value, id))
        })
}

/// An assignment for a workload whose slider is not a pilot changes nothing.
fn warn_of_no_effect(tenant: &Tenant, findings: &mut Vec<Finding>) {
    let policy = match (
        tenant.policies.as_slice(),
        tenant.failed_policies.as_slice(),
    ) {
        ([policy], []) => Some(policy),
        ([], []) => None,
        // Which sliders are meant is known when the policies are mended.
        _ => return,
    };
    for assignment in &tenant.assignments {
        let slider = policy.and_then(|policy| {
            policy.workloads[assignment.workload.index()]
                .as_ref()
                .map(|workload| workload.slider)
        });
        let because = match slider {
            Some(Slider::PilotIntune) => continue,
            Some(Slider::Intune) => "its slider stands at Intune, for every device",
            Some(Slider::ConfigurationManager) => {
                "its slider stands at ConfigurationManager, for every device"
            }
            None => "no CoManagementPolicy of the fleet manages that workload",
        };
        findings.push(Finding::new(
            Code::NoEffect,
            assignment.header.origin,
            FieldPath::of("spec.workload"),
            format!("the assignment of {} has no effect: {because}", assignment.workload),
            format!(
                "set `workloads.{}.slider: PilotIntune` with a pilotCollection, or delete the assignment",
                assignment.workload
            ),
        ));
    }
}

fn enforced(assignments: &[AssignmentSpec]) -> impl Iterator<Item = &AssignmentSpec> {
    assignments
        .iter()
        .filter(|assignment| assignment.mode == Mode::Enforce)
}

/// The name among `known` that somebody who wrote `name` most likely meant.
pub(super) fn nearest<'a>(
    name: &str,
    known: impl Iterator<Item = &'a String>,
) -> Option<&'a String> {
    known
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters must be changed, added or left out to make one text the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, character) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, candidate) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(character != *candidate);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{
        Enrollment, FleetSpec, Guardrails, Header, Named, OnDelete, Prerequisites, Resources,
        assemble,
    };
    use crate::duration::Span;
    use crate::finding::Origin;
    use crate::resource::Kind;

    const FLEET: &str = "contoso";

    fn header(name: &str) -> Header {
        Header {
            origin: Origin(0),
            namespace: Some(FLEET.to_owned()),
            name: name.to_owned(),
        }
    }

    fn policy(name: &str) -> PolicySpec {
        PolicySpec {
            header: header(name),
            fleet: FLEET.to_owned(),
            enrollment: Enrollment::default(),
            prerequisites: Prerequisites::default(),
            workloads: [const { None }; 7],
        }
    }

    fn failed_policy(name: &str) -> Named {
        Named {
            header: header(name),
            kind: Kind::CoManagementPolicy,
            fleet: Some(FLEET.to_owned()),
        }
    }

    /// How often an assignment is said to have no effect beside these policies.
    fn warnings(policies: Vec<PolicySpec>, named: Vec<Named>) -> usize {
        let fleet = FleetSpec {
            header: header(FLEET),
            suspend: false,
            mode: Mode::Enforce,
            guardrails: Guardrails::default(),
            stale_after: Span::days(30),
            online_within: Span::days(1),
            beta: true,
        };
        let assignment = AssignmentSpec {
            header: header("apps"),
            fleet: FLEET.to_owned(),
            workload: Workload::ClientApps,
            group: "desks".to_owned(),
            authority: Authority::Intune,
            priority: 0,
            mode: Mode::Enforce,
            suspend: false,
            paused: false,
            admit_when: None,
            requires: Vec::new(),
            rollout: None,
            on_delete: OnDelete::Retain,
        };
        let resources = Resources {
            fleets: vec![fleet],
            policies,
            assignments: vec![assignment],
            named,
            ..Resources::default()
        };
        let is_it = |finding: &&Finding| finding.code == Code::NoEffect;
        assemble(resources).findings.iter().filter(is_it).count()
    }

    #[test]
    fn an_assignment_has_no_effect_without_a_policy_or_beside_one_that_leaves_it_out() {
        assert_eq!(warnings(vec![], vec![]), 1);
        assert_eq!(warnings(vec![policy("one")], vec![]), 1);
    }

    #[test]
    fn nothing_is_said_of_effects_while_the_policy_is_in_doubt() {
        assert_eq!(warnings(vec![], vec![failed_policy("one")]), 0);
        assert_eq!(warnings(vec![policy("one")], vec![failed_policy("two")]), 0);
        assert_eq!(warnings(vec![policy("one"), policy("two")], vec![]), 0);
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let known = ["emea-laptops".to_owned(), "executives".to_owned()];
        assert_eq!(nearest("emea-laptop", known.iter()), Some(&known[0]));
        assert_eq!(nearest("printers", known.iter()), None);
    }

    #[test]
    fn distances_count_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
