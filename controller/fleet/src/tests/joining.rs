//! Properties of the join, and its rules one by one.

use std::collections::BTreeSet;

use diarchy_core::fact::Fact;
use diarchy_core::inventory::{JoinType, Mdm};
use jiff::SignedDuration;
use proptest::prelude::*;

use super::{empty_readings, joined, listing, noon, unread};
use crate::graph::directory::EntraDevice;
use crate::graph::managed_device::ManagedDevice;
use crate::inventory::Readings;
use crate::join::{JoinKey, LeftOutReason, RecordId};
use crate::site::resources::{Bios, ComanagementState, CombinedResource, System};

fn guid(number: u32) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

fn system(resource: u32) -> System {
    System {
        resource_id: Fact::Known(resource),
        name: Fact::Known(format!("PC{resource}")),
        entra_id: Fact::Absent,
        client_id: Fact::Absent,
        client: Fact::Known(true),
        ..System::default()
    }
}

fn managed(id: &str) -> ManagedDevice {
    ManagedDevice {
        id: Fact::Known(id.to_owned()),
        name: Fact::Known(id.to_uppercase()),
        entra_id: Fact::Absent,
        enrolled: Fact::Known(true),
        ..ManagedDevice::default()
    }
}

fn readings(systems: Vec<System>, managed: Vec<ManagedDevice>) -> Readings {
    let mut readings = empty_readings();
    readings.site.systems = Ok(listing(systems));
    readings.graph.managed_devices = Ok(listing(managed));
    readings
}

fn ids(readings: &Readings) -> Vec<String> {
    joined(readings)
        .devices
        .into_iter()
        .map(|device| device.id)
        .collect()
}

#[test]
fn keys_join_in_their_order() {
    let mut readings = readings(
        vec![
            System {
                entra_id: Fact::Known(guid(1)),
                ..system(1)
            },
            System {
                client_id: Fact::Known(guid(20)),
                ..system(2)
            },
            system(3),
        ],
        vec![
            ManagedDevice {
                serial_number: Fact::Known("abc".into()),
                ..managed("i3")
            },
            ManagedDevice {
                client_id: Fact::Known(guid(20)),
                entra_id: Fact::Known(guid(2)),
                ..managed("i2")
            },
            ManagedDevice {
                entra_id: Fact::Known(guid(1)),
                ..managed("i1")
            },
        ],
    );
    readings.site.bios = Ok(listing(vec![Bios {
        resource_id: Fact::Known(3),
        serial_number: Fact::Known(" ABC ".into()),
    }]));
    let joined = joined(&readings);
    let pairs: Vec<_> = joined
        .devices
        .iter()
        .map(|device| {
            let site = device
                .configuration_manager
                .known()
                .and_then(|record| record.resource_id.known());
            let intune = device
                .intune
                .as_ref()
                .known()
                .and_then(|record| record.id.as_ref().known().cloned());
            (device.id.clone(), site, intune)
        })
        .collect();
    assert_eq!(
        pairs,
        [
            (guid(1), Some(1), Some("i1".into())),
            (guid(2), Some(2), Some("i2".into())),
            ("cm:3".into(), Some(3), Some("i3".into())),
        ]
    );
    assert_eq!(joined.report.ambiguities, []);
}

#[test]
fn a_key_that_is_not_unique_joins_nothing() {
    let readings = readings(
        vec![
            System {
                entra_id: Fact::Known(guid(1)),
                ..system(1)
            },
            System {
                entra_id: Fact::Known(guid(1)),
                ..system(2)
            },
        ],
        vec![ManagedDevice {
            entra_id: Fact::Known(guid(1)),
            ..managed("i1")
        }],
    );
    assert_eq!(ids(&readings), [guid(1), "cm:1".into(), "cm:2".into()]);
    let ambiguities = joined(&readings).report.ambiguities;
    assert_eq!(ambiguities.len(), 1);
    assert_eq!(ambiguities[0].key, JoinKey::EntraDeviceId);
    assert_eq!(ambiguities[0].records.len(), 3);
}

#[test]
fn entra_ids_that_contradict_each_other_keep_records_apart() {
    let readings = readings(
        vec![System {
            entra_id: Fact::Known(guid(1)),
            client_id: Fact::Known(guid(9)),
            ..system(1)
        }],
        vec![ManagedDevice {
            entra_id: Fact::Known(guid(2)),
            client_id: Fact::Known(guid(9)),
            ..managed("i1")
        }],
    );
    assert_eq!(ids(&readings), [guid(1), guid(2)]);
    assert_eq!(
        joined(&readings).report.ambiguities[0].key,
        JoinKey::ClientId
    );
}

#[test]
fn of_two_enrolments_the_newer_is_the_devices() {
    let enrolled = |id: &str, hours: i64| ManagedDevice {
        entra_id: Fact::Known(guid(1)),
        enrolled_at: Fact::Known(noon() - SignedDuration::from_hours(hours)),
        ..managed(id)
    };
    let joined = joined(&readings(
        vec![],
        vec![enrolled("new", 1), enrolled("old", 9)],
    ));
    let record = joined.devices[0].intune.as_ref().known().unwrap();
    assert_eq!(record.id, Fact::Known("new".into()));
    assert_eq!(joined.report.left_out_for(LeftOutReason::Duplicate), 1);
}

#[test]
fn records_out_of_use_are_left_out() {
    let joined = joined(&readings(
        vec![
            System {
                obsolete: Fact::Known(true),
                ..system(1)
            },
            System {
                decommissioned: Fact::Known(true),
                ..system(2)
            },
            System {
                operating_system: Fact::Known("Mac OS X 14".into()),
                ..system(3)
            },
            System {
                operating_system: Fact::Known("Microsoft Windows NT Workstation 10.0".into()),
                ..system(4)
            },
        ],
        vec![
            ManagedDevice {
                operating_system: Fact::Known("iOS".into()),
                ..managed("phone")
            },
            ManagedDevice {
                operating_system: Fact::Unread,
                ..managed("who knows")
            },
        ],
    ));
    let ids: Vec<_> = joined
        .devices
        .iter()
        .map(|device| device.id.as_str())
        .collect();
    assert_eq!(ids, ["cm:4", "intune:who knows"]);
    assert_eq!(joined.report.left_out.len(), 4);
}

#[test]
fn a_service_that_failed_leaves_facts_unread_and_one_that_answered_leaves_them_absent() {
    let mut readings = readings(vec![system(1)], vec![]);
    let device = &joined(&readings).devices[0];
    assert_eq!((&device.intune, device.mdm), (&Fact::Absent, Fact::Absent));
    readings.graph.managed_devices = Err(unread());
    let device = &joined(&readings).devices[0];
    assert!(device.intune.is_unread() && device.mdm.is_unread() && device.last_sync.is_unread());
    assert!(device.assigned.is_unread() && device.config_mgr_collections.is_unread());
}

#[test]
fn somebody_elses_management_outweighs_a_record_left_behind() {
    let mut readings = readings(
        vec![System {
            entra_id: Fact::Known(guid(1)),
            ..system(1)
        }],
        vec![ManagedDevice {
            entra_id: Fact::Known(guid(1)),
            ..managed("i1")
        }],
    );
    readings.site.states = Ok(listing(vec![ComanagementState {
        resource_id: Fact::Known(1),
        enrolled: Fact::Known(true),
        authority: Fact::Known(Mdm::ThirdParty),
        ..ComanagementState::default()
    }]));
    let joined = joined(&readings);
    assert_eq!(joined.devices[0].mdm, Fact::Known(Mdm::ThirdParty));
    assert_eq!(joined.report.devices.third_party_mdm, 1);
}

#[test]
fn online_is_whoever_either_service_heard_of_lately() {
    let mut readings = readings(vec![system(1)], vec![]);
    let heard = |hours: i64| {
        Ok(listing(vec![CombinedResource {
            resource_id: Fact::Known(1),
            last_contact: Fact::Known(noon() - SignedDuration::from_hours(hours)),
            ..CombinedResource::default()
        }]))
    };
    readings.site.resources = heard(2);
    assert_eq!(joined(&readings).devices[0].online, Fact::Known(true));
    readings.site.resources = heard(24 * 31);
    let old = joined(&readings);
    assert_eq!(old.devices[0].online, Fact::Known(false));
    assert_eq!(old.report.devices.stale, 1);
    readings.graph.managed_devices = Err(unread());
    assert_eq!(joined(&readings).devices[0].online, Fact::Unread);
}

#[test]
fn the_directory_says_how_a_device_is_joined() {
    let mut readings = readings(
        vec![
            System {
                entra_id: Fact::Known(guid(1)),
                ..system(1)
            },
            System {
                distinguished_name: Fact::Known("CN=PC2".into()),
                ..system(2)
            },
        ],
        vec![],
    );
    readings.graph.devices = Ok(listing(vec![EntraDevice {
        device_id: Fact::Known(guid(1)),
        join_type: Fact::Known(JoinType::HybridJoined),
        ..EntraDevice::default()
    }]));
    let types: Vec<_> = joined(&readings)
        .devices
        .iter()
        .map(|device| device.join_type)
        .collect();
    // Intune answered for neither, and knows neither; the directory knows the first.
    assert_eq!(
        types,
        [
            Fact::Known(JoinType::HybridJoined),
            Fact::Known(JoinType::DomainJoined)
        ]
    );
}

prop_compose! {
    fn any_system()(entra in 0_u32..6, client in 0_u32..6, serial in 0_u32..6, left in 0_u8..12) -> System {
        System {
            entra_id: Fact::read((entra > 1).then(|| guid(entra))),
            client_id: Fact::read((client > 1).then(|| guid(client))),
            name: Fact::Known(format!("S{serial}")),
            obsolete: Fact::Known(left == 0),
            decommissioned: Fact::Known(left == 1),
            ..System::default()
        }
    }
}

prop_compose! {
    fn any_managed()(entra in 0_u32..6, client in 0_u32..6, serial in 0_u32..6, hour in 0_i64..4) -> ManagedDevice {
        ManagedDevice {
            entra_id: Fact::read((entra > 1).then(|| guid(entra))),
            client_id: Fact::read((client > 1).then(|| guid(client))),
            serial_number: Fact::Known(format!("S{serial}")),
            enrolled_at: Fact::Known(noon() - SignedDuration::from_hours(hour)),
            ..ManagedDevice::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_record_ends_once_and_order_does_not_matter(
        systems in prop::collection::vec(any_system(), 0..7),
        managed in prop::collection::vec(any_managed(), 0..7),
        swap in any::<prop::sample::Index>(),
    ) {
        let systems: Vec<System> = (1..).zip(systems)
            .map(|(id, system)| System { resource_id: Fact::Known(id), ..system }).collect();
        let managed: Vec<ManagedDevice> = managed.into_iter().enumerate()
            .map(|(id, record)| ManagedDevice { id: Fact::Known(format!("i{id}")), ..record }).collect();
        let mut readings = readings(systems.clone(), managed.clone());
        readings.site.bios = Ok(listing(systems.iter().map(|system| Bios {
            resource_id: system.resource_id,
            serial_number: system.name.clone(),
        }).collect()));
        let joined_once = joined(&readings);

        let unique: BTreeSet<_> = joined_once.devices.iter().map(|device| &device.id).collect();
        prop_assert_eq!(unique.len(), joined_once.devices.len());
        for system in &systems {
            let rows = joined_once.devices.iter().filter(|device| matches!(
                device.configuration_manager, Fact::Known(record) if record.resource_id == system.resource_id
            )).count();
            let left = joined_once.report.left_out.iter().filter(|left| matches!(
                left.record, RecordId::Site(id, _) if id == system.resource_id
            )).count();
            prop_assert_eq!(rows + left, 1);
        }
        for record in &managed {
            let rows = joined_once.devices.iter().filter(|device| matches!(
                &device.intune, Fact::Known(found) if found.id == record.id
            )).count();
            let left = joined_once.report.left_out.iter().filter(|left| matches!(
                &left.record, RecordId::Intune(id, _) if *id == record.id
            )).count();
            prop_assert_eq!(rows + left, 1);
        }
        // Two records that are joined never name different Entra ids.
        for device in &joined_once.devices {
            if let (Fact::Known(site), Fact::Known(intune)) = (device.configuration_manager, &device.intune) {
                let ours = systems.iter().find(|system| system.resource_id == site.resource_id)
                    .and_then(|system| system.entra_id.as_ref().known());
                let theirs = managed.iter().find(|record| record.id == intune.id)
                    .and_then(|record| record.entra_id.as_ref().known());
                if let (Some(ours), Some(theirs)) = (ours, theirs) {
                    prop_assert_eq!(ours, theirs);
                }
            }
        }

        let mut shuffled = readings.clone();
        if let Ok(listing) = &mut shuffled.site.systems { listing.items.reverse(); }
        if let Ok(listing) = &mut shuffled.site.bios { listing.items.reverse(); }
        if let Ok(listing) = &mut shuffled.graph.managed_devices
            && !listing.items.is_empty()
        {
            let at = swap.index(listing.items.len());
            listing.items.rotate_left(at);
        }
        prop_assert_eq!(joined(&shuffled), joined_once);
    }
}
