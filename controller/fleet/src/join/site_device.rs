//! The site's records of one device, from all its classes.

use std::collections::HashMap;

use diarchy_core::fact::Fact;

use super::matching::Candidate;
use super::report::{LeftOutReason, RecordId, Reporter};
use crate::inventory::{Reading, Readings};
use crate::paging::Listing;
use crate::site::resources::{
    Bios, ComanagementState, CombinedResource, ComputerSystem, Enclosure, OperatingSystem, System,
};

/// Everything the site has about one device. A class that could not be read is unread; one without a
/// row for it is absent.
#[derive(Debug)]
pub(super) struct SiteDevice<'a> {
    pub system: &'a System,
    pub combined: Fact<&'a CombinedResource>,
    pub state: Fact<&'a ComanagementState>,
    pub enclosure: Fact<&'a Enclosure>,
    pub computer: Fact<&'a ComputerSystem>,
    pub operating_system: Fact<&'a OperatingSystem>,
    pub bios: Fact<&'a Bios>,
}

impl Candidate for SiteDevice<'_> {
    fn entra_id(&self) -> Option<&str> {
        let console = self
            .combined
            .known()
            .and_then(|row| row.entra_id.as_ref().known());
        self.system
            .entra_id
            .as_ref()
            .known()
            .or(console)
            .map(String::as_str)
    }

    fn client_id(&self) -> Option<&str> {
        self.system.client_id.as_ref().known().map(String::as_str)
    }

    fn serial_numbers(&self) -> impl Iterator<Item = &str> {
        let bios = self
            .bios
            .known()
            .and_then(|bios| bios.serial_number.as_ref().known());
        let console = self
            .combined
            .known()
            .and_then(|row| row.serial_number.as_ref().known());
        // The firmware's own is asked first: the console's may be the case's.
        bios.or(console).map(String::as_str).into_iter()
    }

    fn record(&self) -> RecordId {
        RecordId::site(self.system)
    }
}

impl SiteDevice<'_> {
    /// The Entra device id by both classes that may have it.
    pub(super) fn entra_fact(&self) -> Fact<String> {
        match self.entra_id() {
            Some(id) => Fact::Known(id.to_owned()),
            None => self.system.entra_id.clone().map_unknown(),
        }
    }
}

trait MapUnknown {
    fn map_unknown(self) -> Self;
}

impl<T> MapUnknown for Fact<T> {
    /// A site whose build lacks the property has not been read in that respect.
    fn map_unknown(self) -> Self {
        match self {
            Self::Absent => Self::Absent,
            _ => Self::Unread,
        }
    }
}

/// The site's devices that are in use and run Windows, or may; `None` when they could not be read.
pub(super) fn site_devices<'a>(
    readings: &'a Readings,
    reporter: &mut Reporter,
) -> Option<Vec<SiteDevice<'a>>> {
    let site = &readings.site;
    let systems = site.systems.as_ref().ok()?;
    let combined = Index::new(&site.resources, |row| row.resource_id);
    let states = Index::new(&site.states, |row| row.resource_id);
    let states_by_client = by_client(&site.states);
    let enclosures = Index::new(&site.enclosures, |row| row.resource_id);
    let computers = Index::new(&site.computers, |row| row.resource_id);
    let operating_systems = Index::new(&site.operating_systems, |row| row.resource_id);
    let bios = Index::new(&site.bios, |row| row.resource_id);
    let mut devices = Vec::with_capacity(systems.items.len());
    for system in &systems.items {
        if let Some(reason) = left_out(system) {
            reporter.leave_out(RecordId::site(system), reason);
            continue;
        }
        let id = system.resource_id;
        let client = system.client_id.as_ref().known();
        let state = match states.of(id, |_| 0) {
            Fact::Absent => client
                .and_then(|client| states_by_client.get(client.as_str()).copied().flatten())
                .map_or(Fact::Absent, Fact::Known),
            found => found,
        };
        devices.push(SiteDevice {
            system,
            combined: combined.of(id, |_| 0),
            state,
            // A docking station is an enclosure too; the first group is the device's own.
            enclosure: enclosures.of(id, |row| {
                let known = row.chassis.known().is_some();
                (row.group.known().unwrap_or(i64::MAX) << 1) | i64::from(!known)
            }),
            computer: computers.of(id, |_| 0),
            operating_system: operating_systems.of(id, |_| 0),
            bios: bios.of(id, |_| 0),
        });
    }
    devices.sort_by(|a, b| {
        let key = |device: &SiteDevice<'a>| (device.system.resource_id, &device.system.name);
        key(a).cmp(&key(b))
    });
    Some(devices)
}

fn left_out(system: &System) -> Option<LeftOutReason> {
    let is = |flag: Fact<bool>| flag == Fact::Known(true);
    let windows = system
        .operating_system
        .as_ref()
        .known()
        .is_none_or(|name| name.to_ascii_lowercase().contains("windows"));
    if is(system.obsolete) {
        Some(LeftOutReason::Obsolete)
    } else if is(system.decommissioned) {
        Some(LeftOutReason::Decommissioned)
    } else if is(system.placeholder) {
        Some(LeftOutReason::Placeholder)
    } else if !windows {
        Some(LeftOutReason::NotWindows)
    } else {
        None
    }
}

/// The rows of one class by the site's number for a device.
struct Index<'a, T>(Option<HashMap<u32, Vec<&'a T>>>);

impl<'a, T> Index<'a, T> {
    fn new(reading: &'a Reading<Listing<T>>, resource: impl Fn(&T) -> Fact<u32>) -> Self {
        Self(reading.as_ref().ok().map(|listing| {
            let mut rows: HashMap<u32, Vec<&'a T>> = HashMap::with_capacity(listing.items.len());
            for row in &listing.items {
                if let Some(resource) = resource(row).known() {
                    rows.entry(resource).or_default().push(row);
                }
            }
            rows
        }))
    }

    /// The row of the device that comes first by `order`. Rows that contradict each other without an
    /// order between them are not read.
    fn of(&self, resource: Fact<u32>, order: impl Fn(&T) -> i64) -> Fact<&'a T>
    where
        T: PartialEq,
    {
        let Some(rows) = &self.0 else {
            return Fact::Unread;
        };
        let Some(resource) = resource.known() else {
            return Fact::Unread;
        };
        let Some(rows) = rows.get(&resource) else {
            return Fact::Absent;
        };
        let Some(first) = rows.iter().copied().min_by_key(|row| order(row)) else {
            return Fact::Absent;
        };
        let mut rivals = rows.iter().filter(|row| order(row) == order(first));
        if rivals.all(|row| *row == first) {
            Fact::Known(first)
        } else {
            Fact::Unread
        }
    }
}

/// Rows that name a device by its client's id only; one that is not unique names none.
fn by_client(
    states: &Reading<Listing<ComanagementState>>,
) -> HashMap<&str, Option<&ComanagementState>> {
    let mut rows: HashMap<&str, Option<&ComanagementState>> = HashMap::new();
    for row in states.iter().flat_map(|listing| &listing.items) {
        if let (None, Some(client)) = (row.resource_id.known(), row.client_id.as_ref().known()) {
            rows.entry(client)
                .and_modify(|row| *row = None)
                .or_insert(Some(row));
        }
    }
    rows
}
