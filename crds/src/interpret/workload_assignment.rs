//! `WorkloadAssignment` documents.

use diarchy_core::code::Code;
use diarchy_core::desired::{AssignmentSpec, Resources};
use diarchy_core::finding::{FieldPath, Finding, Origin};
use diarchy_core::resource::Kind;
use diarchy_core::selector::Selector;
use diarchy_core::workload::{Authority, Workload};

use super::selector::Purpose;
use super::{Findings, interpret, optional, requires, rollout, selector};
use crate::WorkloadAssignment;
use crate::manifest::{GitKind, Manifest};
use crate::selector::AdmissionSelectorSpec;
use crate::workload_assignment::WorkloadAssignmentSpec;

impl GitKind for WorkloadAssignment {
    const KIND: Kind = Kind::WorkloadAssignment;

    type Spec = WorkloadAssignmentSpec;

    fn interpret(
        origin: Origin,
        manifest: Manifest<WorkloadAssignmentSpec>,
        into: &mut Resources,
    ) -> Vec<Finding> {
        interpret(
            origin,
            Self::KIND,
            &manifest,
            Some(manifest.spec.fleet_ref.name.as_str()),
            into,
            |findings| read(findings, origin, &manifest),
            |resources, assignment| resources.assignments.push(assignment),
        )
    }
}

fn read(
    findings: &mut Findings,
    origin: Origin,
    manifest: &Manifest<WorkloadAssignmentSpec>,
) -> Option<AssignmentSpec> {
    let spec = &manifest.spec;
    let path = FieldPath::of("spec");
    judge_workload(findings, &path.key("workload"), spec.workload);
    let priority = priority(findings, &path.key("priority"), spec.priority);
    let admit_when = optional(
        findings,
        &path.key("admitWhen"),
        spec.admit_when.as_ref(),
        |findings, path, admission_spec| admission(findings, path, admission_spec, spec.authority),
    );
    let requires = requires::read(findings, &path.key("requires"), &spec.requires);
    let rollout = optional(
        findings,
        &path.key("rollout"),
        spec.rollout.as_ref(),
        rollout::read,
    );
    Some(AssignmentSpec {
        header: manifest.header(origin),
        fleet: spec.fleet_ref.name.to_string(),
        workload: spec.workload,
        group: spec.group_ref.name.to_string(),
        authority: spec.authority,
        priority: priority?,
        mode: spec.mode,
        suspend: spec.suspend,
        paused: manifest.is_paused(),
        admit_when: admit_when.ok()?,
        requires: requires?,
        rollout: rollout.ok()?,
        on_delete: spec.on_delete,
    })
}

fn judge_workload(findings: &mut Findings, path: &FieldPath, workload: Workload) {
    if !Workload::ASSIGNABLE.contains(&workload) {
        findings.add(
            Code::WorkloadNotAssignable,
            path,
            format!("`{workload}` is always Intune's, and cannot be assigned"),
            format!(
                "delete the assignment, or write one of {}",
                Workload::ASSIGNABLE.map(Workload::name).join(", ")
            ),
        );
    }
}

fn priority(findings: &mut Findings, path: &FieldPath, written: i64) -> Option<i32> {
    let priority = i32::try_from(written).ok();
    if priority.is_none() {
        findings.add(
            Code::OutOfRange,
            path,
            format!("`{written}` is no priority"),
            format!("write a number from {} to {}", i32::MIN, i32::MAX),
        );
    }
    priority
}

fn admission(
    findings: &mut Findings,
    path: &FieldPath,
    spec: &AdmissionSelectorSpec,
    authority: Authority,
) -> Option<Selector> {
    if authority != Authority::Intune {
        findings.add(
            Code::AdmitWhenNotForAuthority,
            path,
            format!("authority `{authority}` asks nobody to join"),
            "delete `admitWhen`, or write `authority: Intune`",
        );
    }
    let path = path.key("matchAttributes");
    if spec.match_attributes.is_empty() {
        findings.add(
            Code::OutOfRange,
            &path,
            "nothing is asked of a device that would join",
            "write at least one attribute, or leave `admitWhen` out",
        );
    }
    selector::read(findings, &path, &spec.match_attributes, Purpose::Admission)
}

#[cfg(test)]
mod tests {
    use diarchy_core::amount::Amount;
    use diarchy_core::desired::{Mode, OnDelete};
    use diarchy_core::requirement::Requires;
    use serde_json::{Value, json};

    use super::super::fixtures::{ASSIGNMENT, read as read_yaml, read_with};
    use super::*;

    fn findings(changes: &[(&str, Value)]) -> Vec<String> {
        let mut all = vec![("/spec/requires", Value::Null)];
        all.extend(changes.iter().cloned());
        read_with::<WorkloadAssignment>(ASSIGNMENT, &all).list()
    }

    #[test]
    fn reads_every_field() {
        let outcome = read_yaml::<WorkloadAssignment>(ASSIGNMENT);
        assert_eq!(outcome.list(), ["FrozenByRequires spec.requires"]);
        let assignment = &outcome.resources.assignments[0];
        assert_eq!(assignment.fleet, "nordwind");
        assert_eq!(assignment.workload, Workload::WindowsUpdatePolicies);
        assert_eq!(assignment.group, "alpine-offices");
        assert_eq!(assignment.authority, Authority::Intune);
        assert_eq!(assignment.priority, -5);
        assert_eq!(assignment.mode, Mode::Observe);
        assert!(assignment.suspend);
        assert!(assignment.paused);
        assert_eq!(
            assignment.admit_when.as_ref().unwrap().requirements.len(),
            4
        );
        assert_eq!(
            assignment.requires,
            [Requires::Resource {
                kind: Kind::UpdateRing,
                name: "broad".into()
            }]
        );
        let steps = &assignment.rollout.as_ref().unwrap().steps;
        assert_eq!(steps[0].devices, Amount::Count(10));
        assert_eq!(assignment.on_delete, OnDelete::Revert);
    }

    #[test]
    fn takes_the_defaults_that_the_api_promises() {
        let spec = json!({
            "fleetRef": { "name": "nordwind" },
            "workload": "ClientApps",
            "groupRef": { "name": "zurich" },
            "authority": "ConfigurationManager",
        });
        let changes = [("/spec", spec), ("/metadata/annotations", Value::Null)];
        let outcome = read_with::<WorkloadAssignment>(ASSIGNMENT, &changes);
        assert_eq!(outcome.list(), Vec::<String>::new());
        let assignment = &outcome.resources.assignments[0];
        assert_eq!(assignment.priority, 0);
        assert_eq!(assignment.mode, Mode::Enforce);
        assert!(!assignment.suspend);
        assert!(!assignment.paused);
        assert_eq!(assignment.admit_when, None);
        assert_eq!(assignment.requires, []);
        assert_eq!(assignment.rollout, None);
        assert_eq!(assignment.on_delete, OnDelete::Retain);
    }

    #[test]
    fn every_rule_has_its_path() {
        let cases = [
            (
                "/spec/workload",
                json!("ResourceAccess"),
                "WorkloadNotAssignable spec.workload",
            ),
            (
                "/spec/authority",
                json!("ConfigurationManager"),
                "AdmitWhenNotForAuthority spec.admitWhen",
            ),
            (
                "/spec/admitWhen/matchAttributes",
                json!([]),
                "OutOfRange spec.admitWhen.matchAttributes",
            ),
            (
                "/spec/admitWhen/matchAttributes/0/values",
                json!(["soon"]),
                "InvalidFormat spec.admitWhen.matchAttributes[0].values[0]",
            ),
            (
                "/spec/priority",
                json!(2_147_483_648_i64),
                "OutOfRange spec.priority",
            ),
            (
                "/spec/priority",
                json!(-2_147_483_649_i64),
                "OutOfRange spec.priority",
            ),
        ];
        for (pointer, value, expected) in cases {
            assert_eq!(findings(&[(pointer, value.clone())]), [expected], "{value}");
        }
        for kind in ["DeviceGroup", "RemoteAction", "Ring"] {
            let requires =
                json!([{ "kind": "UpdateRing", "name": "a" }, { "kind": kind, "name": "b" }]);
            assert_eq!(
                findings(&[("/spec/requires", requires)]),
                ["UnknownValue spec.requires[1].kind"]
            );
        }
        assert_eq!(
            findings(&[(
                "/spec/requires",
                json!([{ "kind": "CompanyPortal", "name": "A" }])
            )]),
            [
                "FrozenByRequires spec.requires",
                "InvalidName spec.requires[0].name"
            ]
        );
    }

    #[test]
    fn a_warning_alone_keeps_the_assignment() {
        let outcome = read_yaml::<WorkloadAssignment>(ASSIGNMENT);
        assert!(outcome.resources.named.is_empty());
        assert_eq!(outcome.resources.assignments.len(), 1);
    }
}
