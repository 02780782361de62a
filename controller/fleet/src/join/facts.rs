//! Every fact of one device, from whichever service supplies it.

use std::collections::{BTreeMap, HashMap};

use diarchy_core::fact::Fact;
use diarchy_core::inventory::{
    ClientHealth, Device, Holder, IntuneRecord, JoinType, Mdm, SiteRecord,
};
use diarchy_core::workload::{Workload, WorkloadSet};
use jiff::Timestamp;

use super::JoinOptions;
use super::memberships::{Directory, collections};
use super::site_device::SiteDevice;
use crate::graph::directory::{EntraDevice, User};
use crate::graph::managed_device::ManagedDevice;
use crate::inventory::Readings;
use crate::site::assigned::Assigned;
use crate::site::resources::CombinedResource;

/// The records of one device: absent where a service answered and has none, unread where it did not
/// answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    pub site: Fact<&'a SiteDevice<'a>>,
    pub intune: Fact<&'a ManagedDevice>,
}

/// A property of a record that may be missing itself.
pub(super) fn of<R, T>(record: Fact<R>, property: impl FnOnce(R) -> Fact<T>) -> Fact<T> {
    match record {
        Fact::Known(record) => property(record),
        Fact::Absent => Fact::Absent,
        Fact::Unread => Fact::Unread,
    }
}

/// What all devices share.
pub(super) struct Context<'a> {
    pub options: JoinOptions<'a>,
    directory: Directory<'a>,
    users: Option<Users<'a>>,
    collections: Option<BTreeMap<u32, Vec<String>>>,
    assigned: Option<Assigned>,
}

struct Users<'a> {
    by_id: HashMap<&'a str, &'a User>,
    by_name: HashMap<String, &'a User>,
}

impl<'a> Context<'a> {
    pub(super) fn new(readings: &'a Readings, options: &JoinOptions<'a>) -> Self {
        let users = readings.graph.users.as_ref().ok().map(|listing| Users {
            by_id: listing
                .items
                .iter()
                .filter_map(|user| Some((user.id.as_ref().known()?.as_str(), user)))
                .collect(),
            by_name: listing
                .items
                .iter()
                .filter_map(|user| {
                    Some((user.principal_name.as_ref().known()?.to_lowercase(), user))
                })
                .collect(),
        });
        let state = readings.site.state.as_ref().ok();
        Self {
            options: *options,
            directory: Directory::new(readings, options),
            users,
            collections: collections(readings, options),
            assigned: state.map(|state| state.assigned(options.uids)),
        }
    }

    /// Memberships of pilot collections that end at the next evaluation.
    pub(super) fn leaving(&self) -> u64 {
        self.assigned
            .as_ref()
            .map_or(0, |assigned| assigned.leaving)
    }

    fn user(&self, record: &ManagedDevice) -> Fact<&'a User> {
        let Some(users) = &self.users else {
            return Fact::Unread;
        };
        let by_id = record.user_id.as_ref().known();
        let by_name = record.user.as_ref().known();
        let user = by_id
            .and_then(|id| users.by_id.get(id.as_str()))
            .or_else(|| by_name.and_then(|name| users.by_name.get(&name.to_lowercase())));
        match user {
            Some(user) => Fact::Known(user),
            None if record.user_id == Fact::Absent && record.user == Fact::Absent => Fact::Absent,
            // A user that is named and not listed: a list that came short must not look like a user
            // without a country.
            None => Fact::Unread,
        }
    }
}

/// The device `id`, from everything that is known of it.
pub(super) fn device(id: String, sources: &Sources<'_>, context: &Context<'_>) -> Device {
    let mut device = Device {
        id,
        ..Device::default()
    };
    hardware(&mut device, sources);
    windows(&mut device, sources);
    person(&mut device, sources, context);
    client(&mut device, sources);
    enrollment(&mut device, sources);
    directory(&mut device, sources, context);
    pilots(&mut device, sources, context);
    device.online = online(sources, &context.options);
    device
}

fn hardware(device: &mut Device, Sources { site, intune }: &Sources<'_>) {
    let owned = |text: &'static str| text.to_owned();
    device.name =
        of(*site, |site| site.system.name.clone()).or(of(*intune, |record| record.name.clone()));
    device.serial_number = of(*intune, |record| record.serial_number.clone())
        .or(of(*site, |site| {
            of(site.bios, |bios| bios.serial_number.clone())
        }))
        .or(of(*site, |site| {
            of(site.combined, |row| row.serial_number.clone())
        }));
    device.manufacturer = of(*intune, |record| record.manufacturer.clone()).or(of(*site, |site| {
        of(site.computer, |computer| computer.manufacturer.clone())
    }));
    device.model = of(*intune, |record| record.model.clone()).or(of(*site, |site| {
        of(site.computer, |computer| computer.model.clone())
    }));
    // The firmware's answer is finer: Graph knows no convertible.
    device.chassis = of(*site, |site| {
        of(site.enclosure, |enclosure| enclosure.chassis)
    })
    .or(of(*intune, |record| record.chassis))
    .map(owned);
    device.ownership = of(*intune, |record| record.ownership)
        .or(of(*site, |site| of(site.combined, |row| row.owner)))
        .map(owned);
}

fn windows(device: &mut Device, Sources { site, intune }: &Sources<'_>) {
    device.os_version = of(*intune, |record| record.os_version.clone())
        .or(of(*site, |site| {
            of(site.combined, |row| row.os_build.clone())
        }))
        .or(of(*site, |site| {
            of(site.operating_system, |windows| windows.version.clone())
        }));
    device.os_edition = of(*intune, |record| record.sku_family.clone()).or(of(*site, |site| {
        of(site.operating_system, |windows| match &windows.caption {
            Fact::Known(caption) => Fact::read(edition(caption).map(str::to_owned)),
            Fact::Absent => Fact::Absent,
            Fact::Unread => Fact::Unread,
        })
    }));
    let by_type = of(*site, |site| {
        of(site.operating_system, |windows| {
            windows.product_type.map(|kind| kind != 1)
        })
    });
    let is_server = |name: &String| name.to_ascii_lowercase().contains("server");
    let by_name = of(*site, |site| {
        site.system.operating_system.as_ref().map(is_server)
    });
    let by_intune = of(*intune, |record| {
        record.operating_system.as_ref().map(is_server)
    });
    device.server = by_type.or(by_name).or(by_intune);
}

/// The edition in a caption such as `Microsoft Windows 11 Enterprise`.
fn edition(caption: &str) -> Option<&'static str> {
    const EDITIONS: [(&str, &str); 6] = [
        ("enterprise", "Enterprise"),
        ("education", "Education"),
        ("pro", "Professional"),
        ("home", "Home"),
        ("datacenter", "Datacenter"),
        ("standard", "Standard"),
    ];
    let caption = caption.to_ascii_lowercase();
    let (_, edition) = EDITIONS
        .into_iter()
        .find(|(word, _)| caption.split(' ').any(|part| part == *word))?;
    Some(edition)
}

fn person(device: &mut Device, Sources { site, intune }: &Sources<'_>, context: &Context<'_>) {
    let user = of(*intune, |record| context.user(record));
    device.country = of(user, |user| user.country.clone());
    device.city = of(user, |user| user.city.clone());
    device.department = of(user, |user| user.department.clone());
    device.primary_user = of(*intune, |record| record.user.clone());
    device.category = of(*intune, |record| record.category.clone()).or(of(*site, |site| {
        of(site.combined, |row| row.category.clone())
    }));
}

fn client(device: &mut Device, Sources { site, intune }: &Sources<'_>) {
    device.site_code =
        of(*site, |site| of(site.combined, |row| row.site_code.clone())).or(of(*site, |site| {
            match &site.system.assigned_sites {
                Fact::Known(sites) => Fact::read(sites.first().cloned()),
                Fact::Absent => Fact::Absent,
                Fact::Unread => Fact::Unread,
            }
        }));
    device.ad_site = of(*site, |site| site.system.ad_site.clone());
    device.client_version = of(*site, |site| site.system.client_version.clone())
        .or(of(*intune, |record| record.client_version.clone()));
    device.client_id = of(*site, |site| site.system.client_id.clone())
        .or(of(*intune, |record| record.client_id.clone()));
    device.client_health = of(*site, |site| match site.system.client {
        Fact::Known(false) => Fact::<ClientHealth>::Absent,
        _ => of(site.combined, CombinedResource::client_health),
    })
    .or(of(*intune, |record| record.client_health));
    device.configuration_manager = site.map(|site| SiteRecord {
        resource_id: site.system.resource_id,
        client: site.system.client,
    });
    device.co_management_policy_present =
        of(*site, |site| of(site.state, |state| state.policy_present));
}

fn enrollment(device: &mut Device, sources: &Sources<'_>) {
    let Sources { intune, .. } = sources;
    device.intune = intune.map(|record| IntuneRecord {
        id: record.id.clone(),
        enrolled: record.enrolled,
    });
    device.mdm = mdm(sources);
    device.enrolled_at = of(*intune, |record| record.enrolled_at);
    device.last_sync = of(*intune, |record| record.last_sync);
    device.compliance = of(*intune, |record| record.compliance);
    device.reported_error = of(*intune, |record| record.error);
    device.observed = of(*intune, |record| record.observed);
    device.observed_unread = match intune {
        Fact::Known(record) => record.observed_unread,
        Fact::Absent | Fact::Unread => WorkloadSet::ALL,
    };
}

/// Whose management a device is enrolled with. The client's own word that it is somebody else's
/// outweighs a record in Intune, which may be one left behind.
fn mdm(Sources { site, intune }: &Sources<'_>) -> Fact<Mdm> {
    let enrolled_at_site = of(*site, |site| of(site.state, |state| state.enrolled));
    let authority = of(*site, |site| of(site.state, |state| state.authority));
    let enrolled_at_intune = of(*intune, |record| record.enrolled);
    match (authority, enrolled_at_site, enrolled_at_intune) {
        (Fact::Known(Mdm::ThirdParty), Fact::Known(true) | Fact::Unread | Fact::Absent, _) => {
            Fact::Known(Mdm::ThirdParty)
        }
        (_, _, Fact::Known(true)) => Fact::Known(Mdm::Intune),
        (authority, Fact::Known(true), _) => authority,
        (_, Fact::Unread, _) | (_, _, Fact::Unread) => Fact::Unread,
        _ => Fact::Absent,
    }
}

/// The Entra device id, by whichever service knows it.
fn entra_id(Sources { site, intune }: &Sources<'_>) -> Fact<String> {
    of(*intune, |record| record.entra_id.clone()).or(of(*site, SiteDevice::entra_fact))
}

fn directory(device: &mut Device, sources: &Sources<'_>, context: &Context<'_>) {
    let Sources { site, intune } = sources;
    let entra_id = entra_id(sources);
    let object: Fact<&EntraDevice> = context.directory.device(&entra_id);
    let by_directory = match object {
        Fact::Known(object) => object.join_type,
        // Not in Entra: where it lies in Active Directory, if anywhere.
        Fact::Absent => of(*site, |site| match site.system.distinguished_name {
            Fact::Known(_) => Fact::Known(JoinType::DomainJoined),
            Fact::Absent => Fact::Known(JoinType::None),
            Fact::Unread => Fact::Unread,
        }),
        Fact::Unread => Fact::Unread,
    };
    device.join_type = of(*intune, |record| record.join_type).or(by_directory);
    device.labels = match object {
        Fact::Known(object) => object.extension_attributes.clone(),
        Fact::Absent => Fact::Known(BTreeMap::new()),
        Fact::Unread => Fact::Unread,
    };
    device.entra_groups = context.directory.groups(&entra_id);
    device.config_mgr_collections = match (&context.collections, site) {
        (None, _) | (_, Fact::Unread) => Fact::Unread,
        (Some(_), Fact::Absent) => Fact::Known(Vec::new()),
        (Some(collections), Fact::Known(site)) => site
            .system
            .resource_id
            .map(|resource| collections.get(&resource).cloned().unwrap_or_default()),
    };
}

fn pilots(device: &mut Device, Sources { site, .. }: &Sources<'_>, context: &Context<'_>) {
    let Some(assigned) = &context.assigned else {
        return;
    };
    let holders = |resource: u32| -> BTreeMap<Workload, Vec<Holder>> {
        assigned.holders.get(&resource).cloned().unwrap_or_default()
    };
    device.assigned = match site {
        Fact::Known(site) => site.system.resource_id.map(holders),
        // Only what the site knows is in its collections.
        Fact::Absent => Fact::Known(BTreeMap::new()),
        Fact::Unread => Fact::Unread,
    };
    if site.known().is_some() {
        device.assigned_unread = assigned.unread;
    }
    device.enrollment_pilot = match (&assigned.enrollment, site) {
        // Where there is no such collection nobody has looked into it.
        (Fact::Absent | Fact::Unread, _) | (_, Fact::Unread) => Fact::Unread,
        (Fact::Known(_), Fact::Absent) => Fact::Known(false),
        (Fact::Known(members), Fact::Known(site)) => {
            let resource = site.system.resource_id;
            resource.map(|resource| members.contains(&resource))
        }
    };
}

/// When either service last heard of a device.
pub(super) fn last_contact(Sources { site, intune }: &Sources<'_>) -> Fact<Timestamp> {
    let by_intune = of(*intune, |record| record.last_sync);
    let by_site = of(*site, |site| of(site.combined, |row| row.last_contact));
    // Beta only: worth having, and no reason not to know without.
    let by_client = of(*intune, |record| record.client_last_sync);
    let newest = [by_intune, by_site, by_client]
        .into_iter()
        .filter_map(Fact::known)
        .max();
    match newest {
        Some(time) => Fact::Known(time),
        None => by_intune.or(by_site),
    }
}

fn online(sources: &Sources<'_>, options: &JoinOptions<'_>) -> Fact<bool> {
    let Sources { site, intune } = sources;
    if let Fact::Known(time) = last_contact(sources)
        && options.now.duration_since(time) <= options.online_within
    {
        return Fact::Known(true);
    }
    // A service that was not heard may have heard of it.
    let unheard = of(*intune, |record| record.last_sync).is_unread()
        || of(*site, |site| of(site.combined, |row| row.last_contact)).is_unread();
    if unheard {
        Fact::Unread
    } else {
        Fact::Known(false)
    }
}
