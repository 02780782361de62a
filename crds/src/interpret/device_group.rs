//! `DeviceGroup` documents.

use diarchy_core::code::Code;
use diarchy_core::desired::{GroupSpec, Resources};
use diarchy_core::finding::{FieldPath, Finding, Origin};
use diarchy_core::resource::Kind;

use super::selector::Purpose;
use super::{Findings, interpret, optional, selector};
use crate::DeviceGroup;
use crate::device_group::DeviceGroupSpec;
use crate::manifest::{GitKind, Manifest};
use crate::reference::LocalRef;

impl GitKind for DeviceGroup {
    const KIND: Kind = Kind::DeviceGroup;

    type Spec = DeviceGroupSpec;

    fn interpret(
        origin: Origin,
        manifest: Manifest<DeviceGroupSpec>,
        into: &mut Resources,
    ) -> Vec<Finding> {
        interpret(
            origin,
            Self::KIND,
            &manifest,
            Some(manifest.spec.fleet_ref.name.as_str()),
            into,
            |findings| read(findings, origin, &manifest),
            |resources, group| resources.groups.push(group),
        )
    }
}

fn read(
    findings: &mut Findings,
    origin: Origin,
    manifest: &Manifest<DeviceGroupSpec>,
) -> Option<GroupSpec> {
    let spec = &manifest.spec;
    let path = FieldPath::of("spec");
    judge_emptiness(findings, &path, spec);
    judge_devices(findings, &path.key("devices"), &spec.devices);
    let selector = optional(
        findings,
        &path.key("selector").key("matchAttributes"),
        spec.selector.as_ref(),
        |findings, path, selector| {
            selector::read(findings, path, &selector.match_attributes, Purpose::Group)
        },
    );
    Some(GroupSpec {
        header: manifest.header(origin),
        fleet: spec.fleet_ref.name.to_string(),
        selector: selector.ok()?,
        devices: spec.devices.clone(),
        include: names(&spec.include),
        exclude: names(&spec.exclude),
    })
}

fn names(references: &[LocalRef]) -> Vec<String> {
    references
        .iter()
        .map(|reference| reference.name.to_string())
        .collect()
}

/// A group that says nothing has nobody, which is more likely a slip than a wish, and must never
/// come to mean everybody.
fn judge_emptiness(findings: &mut Findings, path: &FieldPath, spec: &DeviceGroupSpec) {
    match &spec.selector {
        Some(selector) if selector.match_attributes.is_empty() => findings.add(
            Code::EmptyGroup,
            &path.key("selector").key("matchAttributes"),
            "the selector asks for nothing, and would have nobody",
            "write at least one attribute, or leave `selector` out and name `devices`",
        ),
        None if spec.devices.is_empty() && spec.include.is_empty() => findings.add(
            Code::EmptyGroup,
            path,
            "the group has neither `selector` nor `devices` nor `include`, so that nobody is in it",
            "write at least one of them",
        ),
        _ => {}
    }
}

fn judge_devices(findings: &mut Findings, path: &FieldPath, devices: &[String]) {
    for (at, device) in devices.iter().enumerate() {
        if device.trim().is_empty() {
            findings.add(
                Code::InvalidFormat,
                &path.index(at),
                "a device without a name is none",
                "write its name, serial number or id, or delete the line",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixtures::{GROUP, read as read_yaml, read_with};
    use super::*;

    #[test]
    fn reads_every_field() {
        let outcome = read_yaml::<DeviceGroup>(GROUP);
        assert_eq!(outcome.list(), Vec::<String>::new());
        let group = &outcome.resources.groups[0];
        assert_eq!(group.header.name, "alpine-offices");
        assert_eq!(group.fleet, "nordwind");
        assert_eq!(group.devices, ["PC-0815", "5CD1234XYZ"]);
        assert_eq!(group.include, ["zurich"]);
        assert_eq!(group.exclude, ["board"]);
        assert_eq!(group.selector.as_ref().unwrap().requirements.len(), 11);
    }

    #[test]
    fn a_group_that_says_nothing_has_nobody() {
        let cases = [
            (json!({ "fleetRef": { "name": "f" } }), "EmptyGroup spec"),
            (
                json!({ "fleetRef": { "name": "f" }, "devices": [], "include": [], "exclude": [{ "name": "g" }] }),
                "EmptyGroup spec",
            ),
            (
                json!({ "fleetRef": { "name": "f" }, "selector": { "matchAttributes": [] }, "devices": ["PC"] }),
                "EmptyGroup spec.selector.matchAttributes",
            ),
        ];
        for (spec, expected) in cases {
            let outcome = read_with::<DeviceGroup>(GROUP, &[("/spec", spec)]);
            assert_eq!(outcome.list(), [expected]);
            assert_eq!(outcome.resources.named[0].fleet.as_deref(), Some("f"));
        }
    }

    #[test]
    fn one_list_is_enough() {
        for spec in [
            json!({ "fleetRef": { "name": "f" }, "devices": ["PC"] }),
            json!({ "fleetRef": { "name": "f" }, "include": [{ "name": "g" }] }),
        ] {
            let outcome = read_with::<DeviceGroup>(GROUP, &[("/spec", spec)]);
            assert_eq!(outcome.list(), Vec::<String>::new());
            assert_eq!(outcome.resources.groups[0].selector, None);
        }
    }

    #[test]
    fn a_device_has_a_name() {
        let outcome = read_with::<DeviceGroup>(GROUP, &[("/spec/devices/1", json!(" "))]);
        assert_eq!(outcome.list(), ["InvalidFormat spec.devices[1]"]);
    }

    #[test]
    fn a_namespace_may_be_left_to_the_fleet() {
        let outcome = read_with::<DeviceGroup>(GROUP, &[("/metadata/namespace", Value::Null)]);
        assert_eq!(outcome.resources.groups[0].header.namespace, None);
    }
}
