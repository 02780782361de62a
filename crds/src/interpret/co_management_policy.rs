//! `CoManagementPolicy` documents.

use std::collections::BTreeMap;

use diarchy_core::code::Code;
use diarchy_core::desired::{
    AutomaticEnrollment, Enrollment, OLDEST_WINDOWS, PolicySpec, Prerequisites, Resources,
    WorkloadSlider,
};
use diarchy_core::finding::{FieldPath, Finding, Origin};
use diarchy_core::resource::Kind;
use diarchy_core::workload::{Slider, Workload};

use super::{Findings, forms, interpret, optional};
use crate::CoManagementPolicy;
use crate::co_management_policy::{
    CoManagementPolicySpec, EnrollmentSpec, PrerequisitesSpec, WorkloadSliderSpec,
};
use crate::manifest::{GitKind, Manifest};
use crate::per_workload::PerWorkload;

impl GitKind for CoManagementPolicy {
    const KIND: Kind = Kind::CoManagementPolicy;

    type Spec = CoManagementPolicySpec;

    fn interpret(
        origin: Origin,
        manifest: Manifest<CoManagementPolicySpec>,
        into: &mut Resources,
    ) -> Vec<Finding> {
        interpret(
            origin,
            Self::KIND,
            &manifest,
            Some(manifest.spec.fleet_ref.name.as_str()),
            into,
            |findings| read(findings, origin, &manifest),
            |resources, policy| resources.policies.push(policy),
        )
    }
}

fn read(
    findings: &mut Findings,
    origin: Origin,
    manifest: &Manifest<CoManagementPolicySpec>,
) -> Option<PolicySpec> {
    let spec = &manifest.spec;
    let path = FieldPath::of("spec");
    let enrollment = match &spec.enrollment {
        Some(spec) => enrollment(findings, &path.key("enrollment"), spec),
        None => Some(Enrollment::default()),
    };
    let prerequisites = prerequisites(findings, &path.key("prerequisites"), &spec.prerequisites);
    let sliders = path.key("workloads");
    let mut workloads: [Option<WorkloadSlider>; 7] = Default::default();
    for (workload, slider) in spec.workloads.iter() {
        workloads[workload.index()] =
            workload_slider(findings, &sliders.key(workload.name()), workload, slider);
    }
    judge_endpoint_protection(findings, &sliders, &spec.workloads);
    judge_collections(findings, &path, spec);
    Some(PolicySpec {
        header: manifest.header(origin),
        fleet: spec.fleet_ref.name.to_string(),
        enrollment: enrollment?,
        prerequisites: prerequisites?,
        workloads,
    })
}

fn enrollment(
    findings: &mut Findings,
    path: &FieldPath,
    spec: &EnrollmentSpec,
) -> Option<Enrollment> {
    let pilot_collection = optional(
        findings,
        &path.key("pilotCollection"),
        spec.pilot_collection.as_ref(),
        forms::collection,
    )
    .ok()?;
    if let Some(group) = &spec.pilot_group_ref
        && spec.automatic == AutomaticEnrollment::Pilot
        && pilot_collection.is_none()
    {
        findings.add(
            Code::PilotGroupNeeded,
            path,
            format!("the devices of `{}` have no collection to join", group.name),
            "write `pilotCollection` with the id of the collection for automatic enrolment, like \
             PS100020",
        );
        return None;
    }
    Some(Enrollment {
        automatic: Some(spec.automatic),
        pilot_group: spec
            .pilot_group_ref
            .as_ref()
            .map(|group| group.name.to_string()),
        pilot_collection,
    })
}

fn prerequisites(
    findings: &mut Findings,
    path: &FieldPath,
    spec: &PrerequisitesSpec,
) -> Option<Prerequisites> {
    let version_path = path.key("minimumOsVersion");
    if spec.join_types.is_empty() {
        findings.add(
            Code::OutOfRange,
            &path.key("joinTypes"),
            "without a way of being joined no device could ever be moved",
            "write at least one, or leave `joinTypes` out for HybridJoined and EntraJoined",
        );
    }
    let minimum_os = forms::version(findings, &version_path, &spec.minimum_os_version)?;
    if minimum_os < Prerequisites::default().minimum_os {
        findings.add(
            Code::MinimumOsTooLow,
            &version_path,
            format!("`{minimum_os}` is older than what co-management needs"),
            format!("write {OLDEST_WINDOWS} or later, or leave it out"),
        );
        return None;
    }
    Some(Prerequisites {
        minimum_os,
        join_types: spec.join_types.clone(),
    })
}

fn workload_slider(
    findings: &mut Findings,
    path: &FieldPath,
    workload: Workload,
    spec: &WorkloadSliderSpec,
) -> Option<WorkloadSlider> {
    if !Workload::ASSIGNABLE.contains(&workload) {
        findings.add(
            Code::WorkloadNotAssignable,
            path,
            format!("`{workload}` is always Intune's, and has no slider any more"),
            format!("delete `{workload}`"),
        );
        return None;
    }
    let collection_path = path.key("pilotCollection");
    let id = optional(
        findings,
        &collection_path,
        spec.pilot_collection.as_ref(),
        forms::collection,
    )
    .ok()?;
    match (spec.slider, &id) {
        (Slider::PilotIntune, None) => findings.add(
            Code::PilotCollectionMissing,
            path,
            format!("the slider of `{workload}` is a pilot without a pilot collection"),
            "write `pilotCollection` with the id of its collection on the Staging tab, like \
             PS100021",
        ),
        (Slider::ConfigurationManager | Slider::Intune, Some(id)) => findings.add(
            Code::PilotCollectionRefused,
            &collection_path,
            format!(
                "`{}` has no use for the pilot collection `{id}`",
                spec.slider
            ),
            "delete `pilotCollection`, or write `slider: PilotIntune`",
        ),
        _ => {}
    }
    Some(WorkloadSlider {
        slider: spec.slider,
        pilot_collection: id,
    })
}

/// Moving `DeviceConfiguration` moves `EndpointProtection` too (memdocs: comanage/workloads.md), so
/// its slider cannot stand behind.
fn judge_endpoint_protection(
    findings: &mut Findings,
    path: &FieldPath,
    workloads: &PerWorkload<WorkloadSliderSpec>,
) {
    let slider = |workload| workloads.get(workload).map(|spec| spec.slider);
    let Some(configuration) = slider(Workload::DeviceConfiguration) else {
        return;
    };
    let protection = slider(Workload::EndpointProtection);
    if protection.unwrap_or(Slider::ConfigurationManager) >= configuration {
        return;
    }
    let (workload, problem) = match protection {
        Some(protection) => (
            Workload::EndpointProtection,
            format!(
                "the slider of EndpointProtection is `{protection}`, behind `{configuration}` of \
                 DeviceConfiguration, which moves it too"
            ),
        ),
        None => (
            Workload::DeviceConfiguration,
            format!(
                "the slider of DeviceConfiguration is `{configuration}`, which moves \
                 EndpointProtection too, and that has no slider here"
            ),
        ),
    };
    let remedy = match configuration {
        Slider::PilotIntune => {
            "write `slider: PilotIntune` with a `pilotCollection` of its own under EndpointProtection"
        }
        _ => "write `slider: Intune` under EndpointProtection",
    };
    findings.add(
        Code::EndpointProtectionBehind,
        &path.key(workload.name()).key("slider"),
        problem,
        remedy,
    );
}

/// Every collection in a policy differs from every other.
fn judge_collections(findings: &mut Findings, path: &FieldPath, spec: &CoManagementPolicySpec) {
    let enrollment = spec.enrollment.as_ref();
    let enrollment = enrollment.and_then(|spec| spec.pilot_collection.as_ref());
    let sliders = path.key("workloads");
    let named = enrollment
        .map(|id| (path.key("enrollment"), id))
        .into_iter()
        .chain(spec.workloads.iter().filter_map(|(workload, slider)| {
            Some((
                sliders.key(workload.name()),
                slider.pilot_collection.as_ref()?,
            ))
        }));
    let mut by_id: BTreeMap<String, Vec<FieldPath>> = BTreeMap::new();
    for (owner, id) in named {
        by_id
            .entry(id.as_str().to_ascii_uppercase())
            .or_default()
            .push(owner);
    }
    for (id, owners) in by_id.iter().filter(|(_, owners)| owners.len() > 1) {
        for owner in owners {
            let others: Vec<String> = owners
                .iter()
                .filter(|other| *other != owner)
                .map(|other| format!("`{other}`"))
                .collect();
            findings.add(
                Code::PilotCollectionTwice,
                &owner.key("pilotCollection"),
                format!(
                    "the collection `{id}` is also that of {}",
                    others.join(" and ")
                ),
                "write the id of a collection of its own",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use diarchy_core::inventory::JoinType;
    use serde_json::{Value, json};

    use super::super::fixtures::{POLICY, read as read_yaml, read_with};
    use super::*;

    fn findings(changes: &[(&str, Value)]) -> Vec<String> {
        read_with::<CoManagementPolicy>(POLICY, changes).list()
    }

    #[test]
    fn reads_every_field() {
        let outcome = read_yaml::<CoManagementPolicy>(POLICY);
        assert_eq!(outcome.list(), Vec::<String>::new());
        let policy = &outcome.resources.policies[0];
        assert_eq!(policy.fleet, "nordwind");
        assert_eq!(
            policy.enrollment,
            Enrollment {
                automatic: Some(AutomaticEnrollment::Pilot),
                pilot_group: Some("zurich".into()),
                pilot_collection: Some("NW10001A".into()),
            }
        );
        assert_eq!(
            policy.prerequisites.minimum_os,
            "10.0.19045".parse().unwrap()
        );
        assert_eq!(policy.prerequisites.join_types, [JoinType::HybridJoined]);
        let slider = |workload: Workload| {
            let slider = policy.workloads[workload.index()].as_ref()?;
            Some((slider.slider, slider.pilot_collection.as_deref()))
        };
        assert_eq!(
            slider(Workload::CompliancePolicies),
            Some((Slider::Intune, None))
        );
        assert_eq!(
            slider(Workload::DeviceConfiguration),
            Some((Slider::PilotIntune, Some("NW10001B")))
        );
        assert_eq!(
            slider(Workload::WindowsUpdatePolicies),
            Some((Slider::PilotIntune, Some("NW10001C")))
        );
        assert_eq!(
            slider(Workload::EndpointProtection),
            Some((Slider::PilotIntune, Some("NW10001D")))
        );
        assert_eq!(
            slider(Workload::ClientApps),
            Some((Slider::ConfigurationManager, None))
        );
        assert_eq!(slider(Workload::OfficeClickToRun), None);
        assert_eq!(slider(Workload::ResourceAccess), None);
    }

    #[test]
    fn takes_the_defaults_that_the_api_promises() {
        let outcome = read_with::<CoManagementPolicy>(
            POLICY,
            &[("/spec", json!({ "fleetRef": { "name": "nordwind" } }))],
        );
        assert_eq!(outcome.list(), Vec::<String>::new());
        let policy = &outcome.resources.policies[0];
        assert_eq!(policy.enrollment, Enrollment::default());
        assert_eq!(policy.prerequisites, Prerequisites::default());
        assert!(policy.workloads.iter().all(Option::is_none));
    }

    #[test]
    fn every_rule_has_its_path() {
        let cases = [
            (
                "/spec/workloads/ResourceAccess",
                json!({ "slider": "Intune" }),
                "WorkloadNotAssignable spec.workloads.ResourceAccess",
            ),
            (
                "/spec/workloads/WindowsUpdatePolicies/pilotCollection",
                Value::Null,
                "PilotCollectionMissing spec.workloads.WindowsUpdatePolicies",
            ),
            (
                "/spec/workloads/CompliancePolicies/pilotCollection",
                json!("NW10001F"),
                "PilotCollectionRefused spec.workloads.CompliancePolicies.pilotCollection",
            ),
            (
                "/spec/workloads/ClientApps/pilotCollection",
                json!("NW10001F"),
                "PilotCollectionRefused spec.workloads.ClientApps.pilotCollection",
            ),
            (
                "/spec/workloads/WindowsUpdatePolicies/pilotCollection",
                json!("NW10001"),
                "InvalidFormat spec.workloads.WindowsUpdatePolicies.pilotCollection",
            ),
            (
                "/spec/workloads/WindowsUpdatePolicies/pilotCollection",
                json!("NW1000G1"),
                "InvalidFormat spec.workloads.WindowsUpdatePolicies.pilotCollection",
            ),
            (
                "/spec/enrollment/pilotCollection",
                json!("N-100001"),
                "InvalidFormat spec.enrollment.pilotCollection",
            ),
            (
                "/spec/enrollment/pilotCollection",
                Value::Null,
                "PilotGroupNeeded spec.enrollment",
            ),
            (
                "/spec/prerequisites/minimumOsVersion",
                json!("10.0.16298"),
                "MinimumOsTooLow spec.prerequisites.minimumOsVersion",
            ),
            (
                "/spec/prerequisites/minimumOsVersion",
                json!("10"),
                "MinimumOsTooLow spec.prerequisites.minimumOsVersion",
            ),
            (
                "/spec/prerequisites/minimumOsVersion",
                json!("22H2"),
                "InvalidFormat spec.prerequisites.minimumOsVersion",
            ),
            (
                "/spec/prerequisites/minimumOsVersion",
                json!("1234567890123456789"),
                "InvalidFormat spec.prerequisites.minimumOsVersion",
            ),
            (
                "/spec/prerequisites/joinTypes",
                json!([]),
                "OutOfRange spec.prerequisites.joinTypes",
            ),
        ];
        for (pointer, value, expected) in cases {
            assert_eq!(findings(&[(pointer, value.clone())]), [expected], "{value}");
        }
    }

    #[test]
    fn a_collection_stands_once_in_whatever_case() {
        assert_eq!(
            findings(&[(
                "/spec/workloads/WindowsUpdatePolicies/pilotCollection",
                json!("nw10001A")
            )]),
            [
                "PilotCollectionTwice spec.enrollment.pilotCollection",
                "PilotCollectionTwice spec.workloads.WindowsUpdatePolicies.pilotCollection",
            ]
        );
        assert_eq!(
            findings(&[(
                "/spec/workloads/EndpointProtection/pilotCollection",
                json!("NW10001B")
            )]),
            [
                "PilotCollectionTwice spec.workloads.DeviceConfiguration.pilotCollection",
                "PilotCollectionTwice spec.workloads.EndpointProtection.pilotCollection",
            ]
        );
    }

    #[test]
    fn a_pilot_group_needs_its_collection_only_for_a_pilot() {
        let without = ("/spec/enrollment/pilotCollection", Value::Null);
        for automatic in ["None", "All"] {
            let changes = [
                ("/spec/enrollment/automatic", json!(automatic)),
                without.clone(),
            ];
            assert_eq!(findings(&changes), Vec::<String>::new(), "{automatic}");
        }
        let alone = [("/spec/enrollment/pilotGroupRef", Value::Null)];
        assert_eq!(findings(&alone), Vec::<String>::new());
    }

    #[test]
    fn endpoint_protection_does_not_stand_behind_device_configuration() {
        let sliders = ["ConfigurationManager", "PilotIntune", "Intune"];
        let rank = |slider: Option<&str>| {
            slider.map_or(0, |slider| {
                sliders.iter().position(|it| *it == slider).unwrap()
            })
        };
        let choices = [None, Some(sliders[0]), Some(sliders[1]), Some(sliders[2])];
        let written = |slider: &str, id: &str| match slider {
            "PilotIntune" => json!({ "slider": slider, "pilotCollection": id }),
            slider => json!({ "slider": slider }),
        };
        for configuration in choices {
            for protection in choices {
                let mut workloads = serde_json::Map::new();
                if let Some(slider) = configuration {
                    workloads.insert("DeviceConfiguration".into(), written(slider, "NW10001B"));
                }
                if let Some(slider) = protection {
                    workloads.insert("EndpointProtection".into(), written(slider, "NW10001D"));
                }
                let found = findings(&[("/spec/workloads", Value::Object(workloads))]);
                let behind = match protection {
                    Some(_) => "EndpointProtectionBehind spec.workloads.EndpointProtection.slider",
                    None => "EndpointProtectionBehind spec.workloads.DeviceConfiguration.slider",
                };
                let expected: Vec<&str> = (rank(protection) < rank(configuration))
                    .then_some(behind)
                    .into_iter()
                    .collect();
                assert_eq!(found, expected, "{configuration:?} {protection:?}");
            }
        }
    }
}
