//! An inventory as columns: what decisions read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::fact::Fact;
use crate::inventory::column::{Flag, SetColumn, TextColumn, TimeColumn, WordColumn};
use crate::inventory::{Device, Holder, Mdm, ReportedError};
use crate::selector::{SetKey, TextKey, TimeKey, fold};
use crate::workload::Workload;

/// A fleet's devices as columns, one row each, sorted by id.
#[derive(Debug, Clone)]
pub struct Inventory {
    ids: Vec<Box<str>>,
    first_ids: HashMap<usize, Box<str>>,
    texts: Vec<TextColumn>,
    labels: BTreeMap<String, TextColumn>,
    labels_read: Flag,
    enrolled_at: TimeColumn,
    last_sync: TimeColumn,
    collections: SetColumn,
    groups: SetColumn,
    /// A server operating system.
    pub server: Flag,
    /// The ConfigMgr client is installed.
    pub client: Flag,
    /// Enrolled in Intune.
    pub enrolled: Flag,
    /// Enrolled with Intune and nobody else.
    pub mdm_is_intune: Flag,
    /// Enrolled with somebody else's device management.
    pub mdm_is_other: Flag,
    /// Ignores the sliders.
    pub enrolled_first: Flag,
    /// The co-management policy has reached it.
    pub policy_present: Flag,
    /// A member of the collection for automatic enrolment.
    pub enrollment_pilot: Flag,
    /// Heard of lately.
    pub online: Flag,
    resource_ids: Vec<Option<u32>>,
    assigned: Vec<WordColumn<Vec<Holder>>>,
    observed: Vec<Flag>,
    reported_errors: WordColumn<ReportedError>,
}

/// Two devices with one id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is more than one device `{0}`")]
pub struct DuplicateId(pub String);

/// How many devices are named when several answer to a name.
const MOST_CANDIDATES: usize = 10;

/// No device is meant, or nobody can say which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOneDevice {
    /// None answers to the name.
    #[error("no device has the id, name or serial number `{0}`")]
    None(String),
    /// Several do.
    #[error("{devices} devices are called `{wanted}`")]
    Several {
        /// What was asked for.
        wanted: String,
        /// How many there are.
        devices: usize,
        /// The ids of the first.
        ids: Vec<String>,
    },
}

impl NotOneDevice {
    /// How to mend it, without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::None(_) => "check the spelling, or that the inventory has it".to_owned(),
            Self::Several { ids, .. } => format!("give the id of one: {}", ids.join(", ")),
        }
    }
}

impl Inventory {
    /// The row of the one device with this id, name or serial number, in upper or lower case.
    ///
    /// # Errors
    ///
    /// [`NotOneDevice`] when there is none, or more than one.
    pub fn find(&self, wanted: &str) -> Result<usize, NotOneDevice> {
        let folded = fold(wanted);
        let is_it = |row: &usize| {
            let matches = |key| {
                let value: Fact<&Box<str>> = self.text(key).get(*row);
                value.known().is_some_and(|text| fold(text) == folded)
            };
            fold(self.id(*row)) == folded
                || [TextKey::Name, TextKey::SerialNumber]
                    .into_iter()
                    .any(matches)
        };
        let found: Vec<usize> = (0..self.rows()).filter(is_it).collect();
        match found.as_slice() {
            [row] => Ok(*row),
            [] => Err(NotOneDevice::None(wanted.to_owned())),
            several => Err(NotOneDevice::Several {
                wanted: wanted.to_owned(),
                devices: several.len(),
                ids: several
                    .iter()
                    .take(MOST_CANDIDATES)
                    .map(|row| self.id(*row).to_owned())
                    .collect(),
            }),
        }
    }

    /// The columns of `devices`, in whatever order they come.
    ///
    /// # Errors
    ///
    /// [`DuplicateId`] when two of them have the same id.
    pub fn new(mut devices: Vec<Device>) -> Result<Self, DuplicateId> {
        devices.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(pair) = devices.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(DuplicateId(pair[0].id.clone()));
        }
        Ok(Self::from_sorted(&devices))
    }

    fn from_sorted(devices: &[Device]) -> Self {
        let rows = devices.len();
        let flag = |of: &dyn Fn(&Device) -> Fact<bool>| Flag::new(rows, devices.iter().map(of));
        Self {
            ids: devices.iter().map(|d| d.id.as_str().into()).collect(),
            first_ids: first_ids(devices),
            texts: TextKey::ALL
                .iter()
                .map(|(key, _)| TextColumn::new(devices.iter().map(|d| text(d, *key))))
                .collect(),
            labels: labels(devices),
            labels_read: flag(&|d| {
                // Labels that were read and are not there were read all the same.
                if d.labels.is_unread() {
                    Fact::Unread
                } else {
                    Fact::Known(true)
                }
            }),
            enrolled_at: TimeColumn::new(devices.iter().map(|d| d.enrolled_at)),
            last_sync: TimeColumn::new(devices.iter().map(|d| d.last_sync)),
            collections: set(devices, |d| &d.config_mgr_collections),
            groups: set(devices, |d| &d.entra_groups),
            server: flag(&|d| d.server),
            client: flag(&|d| within(&d.configuration_manager, |record| record.client)),
            enrolled: flag(&|d| within(&d.intune, |record| record.enrolled)),
            mdm_is_intune: flag(&|d| d.mdm.map(|mdm| mdm == Mdm::Intune)),
            mdm_is_other: flag(&|d| d.mdm.map(|mdm| mdm != Mdm::Intune)),
            enrolled_first: flag(&|d| d.enrolled_first),
            policy_present: flag(&|d| d.co_management_policy_present),
            enrollment_pilot: flag(&|d| d.enrollment_pilot),
            online: flag(&|d| d.online),
            resource_ids: devices
                .iter()
                .map(|d| within(&d.configuration_manager, |record| record.resource_id).known())
                .collect(),
            assigned: Workload::ALL
                .into_iter()
                .map(|w| WordColumn::new(devices.iter().map(move |d| holders(d, w))))
                .collect(),
            observed: Workload::ALL
                .into_iter()
                .map(|w| Flag::new(rows, devices.iter().map(move |d| observed(d, w))))
                .collect(),
            reported_errors: WordColumn::new(devices.iter().map(|d| d.reported_error)),
        }
    }

    /// How many devices there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The device's id.
    #[must_use]
    pub fn id(&self, row: usize) -> &str {
        &self.ids[row]
    }

    /// The first id that the device was ever known by.
    #[must_use]
    pub fn first_id(&self, row: usize) -> &str {
        self.first_ids.get(&row).map_or(&self.ids[row], |id| id)
    }

    /// The row of the device with this id.
    #[must_use]
    pub fn row_of(&self, id: &str) -> Option<usize> {
        self.ids.binary_search_by(|other| (**other).cmp(id)).ok()
    }

    /// The site's number for the device.
    #[must_use]
    pub fn resource_id(&self, row: usize) -> Option<u32> {
        self.resource_ids[row]
    }

    /// The column of a text.
    #[must_use]
    pub fn text(&self, key: TextKey) -> &TextColumn {
        &self.texts[key.index()]
    }

    /// The column of a moment.
    #[must_use]
    pub fn time(&self, key: TimeKey) -> &TimeColumn {
        match key {
            TimeKey::EnrolledAt => &self.enrolled_at,
            TimeKey::LastSync => &self.last_sync,
        }
    }

    /// The column of a set.
    #[must_use]
    pub fn set(&self, key: SetKey) -> &SetColumn {
        match key {
            SetKey::ConfigMgrCollection => &self.collections,
            SetKey::EntraGroup => &self.groups,
        }
    }

    /// The column of a label, if any device has it.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&TextColumn> {
        self.labels.get(name)
    }

    /// For which devices the labels were read.
    #[must_use]
    pub fn labels_read(&self) -> &Flag {
        &self.labels_read
    }

    /// Who holds devices in the pilot collection of `workload`. Nobody is an empty list; a cell is
    /// never absent.
    #[must_use]
    pub fn assigned(&self, workload: Workload) -> &WordColumn<Vec<Holder>> {
        &self.assigned[workload.index()]
    }

    /// Which devices report that `workload` is Intune's.
    #[must_use]
    pub fn observed(&self, workload: Workload) -> &Flag {
        &self.observed[workload.index()]
    }

    /// What Intune reports of the device as gone wrong.
    #[must_use]
    pub fn reported_error(&self, row: usize) -> Fact<ReportedError> {
        self.reported_errors.get(row).map(|error| *error)
    }
}

/// A fact within a record that may itself be missing.
fn within<R, T>(record: &Fact<R>, of: impl Fn(&R) -> Fact<T>) -> Fact<T> {
    match record {
        Fact::Unread => Fact::Unread,
        Fact::Absent => Fact::Absent,
        Fact::Known(record) => of(record),
    }
}

fn first_ids(devices: &[Device]) -> HashMap<usize, Box<str>> {
    devices
        .iter()
        .enumerate()
        .filter_map(|(row, device)| Some((row, device.first_id.as_deref()?.into())))
        .collect()
}

fn text(device: &Device, key: TextKey) -> Fact<Box<str>> {
    let fact = match key {
        TextKey::Name => &device.name,
        TextKey::SerialNumber => &device.serial_number,
        TextKey::Manufacturer => &device.manufacturer,
        TextKey::Model => &device.model,
        TextKey::Chassis => &device.chassis,
        TextKey::OsVersion => &device.os_version,
        TextKey::OsEdition => &device.os_edition,
        TextKey::JoinType => return device.join_type.map(|word| word.name().into()),
        TextKey::Ownership => &device.ownership,
        TextKey::Country => &device.country,
        TextKey::City => &device.city,
        TextKey::Department => &device.department,
        TextKey::PrimaryUser => &device.primary_user,
        TextKey::Category => &device.category,
        TextKey::SiteCode => &device.site_code,
        TextKey::AdSite => &device.ad_site,
        TextKey::ClientVersion => &device.client_version,
        TextKey::Compliance => return device.compliance.map(|word| word.name().into()),
        TextKey::ClientHealth => return device.client_health.map(|word| word.name().into()),
    };
    fact.as_ref().map(|text| text.as_str().into())
}

fn labels(devices: &[Device]) -> BTreeMap<String, TextColumn> {
    let names: BTreeSet<&String> = devices
        .iter()
        .filter_map(|device| device.labels.as_ref().known())
        .flat_map(BTreeMap::keys)
        .collect();
    let column = |name: &String| {
        TextColumn::new(devices.iter().map(|device| match &device.labels {
            Fact::Unread => Fact::Unread,
            Fact::Absent => Fact::Absent,
            // A label that is not in a map that was read does not exist.
            Fact::Known(labels) => match labels.get(name) {
                Some(Some(value)) => Fact::Known(value.as_str().into()),
                Some(None) | None => Fact::Absent,
            },
        }))
    };
    names
        .into_iter()
        .map(|name| (name.clone(), column(name)))
        .collect()
}

fn set(devices: &[Device], of: impl Fn(&Device) -> &Fact<Vec<String>>) -> SetColumn {
    SetColumn::new(
        devices.len(),
        devices
            .iter()
            .map(|device| of(device).as_ref().map(Vec::as_slice)),
    )
}

fn holders(device: &Device, workload: Workload) -> Fact<Vec<Holder>> {
    if device.assigned_unread.contains(workload) {
        return Fact::Unread;
    }
    match &device.assigned {
        Fact::Unread => Fact::Unread,
        Fact::Absent => Fact::Known(Vec::new()),
        Fact::Known(assigned) => {
            let mut holders = assigned.get(&workload).cloned().unwrap_or_default();
            holders.sort();
            holders.dedup();
            Fact::Known(holders)
        }
    }
}

fn observed(device: &Device, workload: Workload) -> Fact<bool> {
    if device.observed_unread.contains(workload) {
        return Fact::Unread;
    }
    match &device.observed {
        Fact::Unread => Fact::Unread,
        Fact::Absent => Fact::Known(false),
        Fact::Known(observed) => Fact::Known(observed.contains(workload)),
    }
}
