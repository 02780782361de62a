//! Which collections and groups each device is in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diarchy_core::fact::Fact;

use super::JoinOptions;
use crate::graph::directory::EntraDevice;
use crate::inventory::{Readings, Wanted};
use crate::site::collection::CollectionId;

/// The directory's devices by device id, and the groups that each is in.
#[derive(Debug, Default)]
pub(super) struct Directory<'a> {
    /// `None` when it could not be read. A device id that two objects have names neither.
    devices: Option<HashMap<&'a str, Option<&'a EntraDevice>>>,
    /// `None` when a group could not be read, or none was asked for.
    groups: Option<HashMap<String, BTreeSet<String>>>,
}

impl<'a> Directory<'a> {
    pub(super) fn new(readings: &'a Readings, options: &JoinOptions<'_>) -> Self {
        let devices = readings.graph.devices.as_ref().ok().map(|listing| {
            let mut devices: HashMap<&str, Option<&EntraDevice>> = HashMap::new();
            for device in &listing.items {
                if let Some(id) = device.device_id.as_ref().known() {
                    devices
                        .entry(id)
                        .and_modify(|device| *device = None)
                        .or_insert(Some(device));
                }
            }
            devices
        });
        Self {
            groups: groups(readings, options),
            devices,
        }
    }

    /// The directory's object for a device id.
    pub(super) fn device(&self, entra_id: &Fact<String>) -> Fact<&'a EntraDevice> {
        let Some(devices) = &self.devices else {
            return Fact::Unread;
        };
        match entra_id {
            Fact::Known(id) => match devices.get(id.as_str()) {
                Some(Some(device)) => Fact::Known(device),
                // Twice in the directory, or missing from it although a service names it: a list that
                // came short must not look like a device without labels.
                Some(None) | None => Fact::Unread,
            },
            Fact::Absent => Fact::Absent,
            Fact::Unread => Fact::Unread,
        }
    }

    /// The groups that a device is in.
    pub(super) fn groups(&self, entra_id: &Fact<String>) -> Fact<Vec<String>> {
        let Some(groups) = &self.groups else {
            return Fact::Unread;
        };
        match entra_id {
            Fact::Known(id) => Fact::Known(
                groups
                    .get(id)
                    .map(|groups| groups.iter().cloned().collect())
                    .unwrap_or_default(),
            ),
            Fact::Absent => Fact::Known(Vec::new()),
            Fact::Unread => Fact::Unread,
        }
    }
}

/// The groups of each device id. Members that name their device by its object id only are looked up
/// in the directory; one that cannot be looked up makes every membership unknown, since it might be
/// anybody's.
fn groups(
    readings: &Readings,
    options: &JoinOptions<'_>,
) -> Option<HashMap<String, BTreeSet<String>>> {
    if options.request.groups == Wanted::Only(BTreeSet::new()) {
        return None;
    }
    let members = readings.graph.groups.as_ref().ok()?;
    let objects: HashMap<&str, &Fact<String>> = readings
        .graph
        .devices
        .iter()
        .flat_map(|listing| &listing.items)
        .filter_map(|device| {
            Some((
                device.object_id.as_ref().known()?.as_str(),
                &device.device_id,
            ))
        })
        .collect();
    let mut groups: HashMap<String, BTreeSet<String>> = HashMap::new();
    for (group, members) in members {
        for member in members {
            let device = match (&member.device_id, member.id.as_ref().known()) {
                (Fact::Unread, Some(object)) => *objects.get(object.as_str())?,
                (device, _) => device,
            };
            match device {
                Fact::Known(id) => {
                    groups.entry(id.clone()).or_default().insert(group.clone());
                }
                // Never registered: no device of the inventory.
                Fact::Absent => {}
                Fact::Unread => return None,
            }
        }
    }
    Some(groups)
}

/// The collections that each of the site's numbers is in; `None` when one that was asked for could
/// not be read or does not exist, or none was asked for.
pub(super) fn collections(
    readings: &Readings,
    options: &JoinOptions<'_>,
) -> Option<BTreeMap<u32, Vec<String>>> {
    let state = readings.site.state.as_ref().ok()?;
    let memberships = readings.site.memberships.as_ref().ok()?;
    if let Wanted::Only(ids) = &options.request.collections
        && (ids.is_empty() || !ids.is_subset(&state.collections))
    {
        return None;
    }
    // Their members are what Diarchy decides: nothing may be decided by them.
    let own: BTreeSet<&CollectionId> = state.own_collections().collect();
    let mut collections: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (id, members) in memberships {
        if own.contains(id) {
            continue;
        }
        for &resource in members {
            collections
                .entry(resource)
                .or_default()
                .push(id.to_string());
        }
    }
    Some(collections)
}
