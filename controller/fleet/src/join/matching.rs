//! Which of the site's records and which of Intune's are the same device.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::graph::managed_device::ManagedDevice;

use super::RecordId;
use super::site_device::SiteDevice;

/// What two records are joined by, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JoinKey {
    /// The Entra device id.
    EntraDeviceId,
    /// The id of the Configuration Manager client.
    ClientId,
    /// The manufacturer's serial number.
    SerialNumber,
}

const KEYS: [JoinKey; 3] = [
    JoinKey::EntraDeviceId,
    JoinKey::ClientId,
    JoinKey::SerialNumber,
];

/// A key that would have joined records, and did not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ambiguity {
    /// Which key.
    pub key: JoinKey,
    /// Its value.
    pub value: String,
    /// Who shares it. Two records: their Entra device ids contradict each other.
    pub records: BTreeSet<RecordId>,
}

/// A record that may have a partner.
pub(super) trait Candidate {
    fn entra_id(&self) -> Option<&str>;
    fn client_id(&self) -> Option<&str>;
    fn serial_numbers(&self) -> impl Iterator<Item = &str>;
    fn record(&self) -> RecordId;

    fn values(&self, key: JoinKey) -> BTreeSet<String> {
        let text = |id: Option<&str>| id.map(str::to_owned).into_iter().collect();
        match key {
            JoinKey::EntraDeviceId => text(self.entra_id()),
            JoinKey::ClientId => text(self.client_id()),
            JoinKey::SerialNumber => self.serial_numbers().filter_map(serial_number).collect(),
        }
    }
}

impl Candidate for ManagedDevice {
    fn entra_id(&self) -> Option<&str> {
        self.entra_id.as_ref().known().map(String::as_str)
    }

    fn client_id(&self) -> Option<&str> {
        self.client_id.as_ref().known().map(String::as_str)
    }

    fn serial_numbers(&self) -> impl Iterator<Item = &str> {
        self.serial_number
            .as_ref()
            .known()
            .map(String::as_str)
            .into_iter()
    }

    fn record(&self) -> RecordId {
        RecordId::intune(self)
    }
}

/// The partner of each of the site's records, and what could not be joined.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub partner_of: HashMap<usize, usize>,
    pub ambiguities: Vec<Ambiguity>,
}

/// Joins by each key in turn. A key joins two records only if nobody else on either side has its
/// value, joined already or not, and never against contradicting Entra device ids.
pub(super) fn matched(
    site: Option<&[SiteDevice<'_>]>,
    intune: Option<&[ManagedDevice]>,
) -> Matched {
    let (Some(site), Some(intune)) = (site, intune) else {
        return Matched::default();
    };
    let mut matched = Matched::default();
    let mut taken: HashSet<usize> = HashSet::new();
    for key in KEYS {
        let ours = index(site, key);
        let theirs = index(intune, key);
        for (value, ours) in ours {
            let empty = Vec::new();
            let theirs = theirs.get(&value).unwrap_or(&empty);
            if let ([ours], [theirs]) = (ours.as_slice(), theirs.as_slice()) {
                if matched.partner_of.contains_key(ours) || taken.contains(theirs) {
                    continue;
                }
                if !contradict(&site[*ours], &intune[*theirs]) {
                    matched.partner_of.insert(*ours, *theirs);
                    taken.insert(*theirs);
                    continue;
                }
            }
            let free = ours.iter().any(|at| !matched.partner_of.contains_key(at));
            let wanted = theirs.iter().any(|at| !taken.contains(at));
            // Two of the site's records with one Entra id contradict each other by themselves.
            let alone = key == JoinKey::EntraDeviceId && ours.len() > 1;
            if (free && wanted) || alone {
                let ours = ours.iter().map(|&at| site[at].record());
                let theirs = theirs.iter().map(|&at| intune[at].record());
                matched.ambiguities.push(Ambiguity {
                    key,
                    value,
                    records: ours.chain(theirs).collect(),
                });
            }
        }
    }
    matched.ambiguities.sort();
    matched
}

fn index<T: Candidate>(records: &[T], key: JoinKey) -> BTreeMap<String, Vec<usize>> {
    let mut index: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        for value in record.values(key) {
            index.entry(value).or_default().push(at);
        }
    }
    index
}

fn contradict(site: &SiteDevice<'_>, intune: &ManagedDevice) -> bool {
    match (site.entra_id(), intune.entra_id()) {
        (Some(ours), Some(theirs)) => ours != theirs,
        _ => false,
    }
}

/// What firmware says when nobody wrote a serial number into it.
const NO_SERIAL_NUMBERS: [&str; 12] = [
    "NONE",
    "N/A",
    "NA",
    "UNKNOWN",
    "DEFAULT STRING",
    "NOT SPECIFIED",
    "NOT APPLICABLE",
    "INVALID",
    "SYSTEM SERIAL NUMBER",
    "TO BE FILLED BY O.E.M.",
    "TO BE FILLED BY OEM",
    "0123456789",
];

/// A serial number in one spelling; `None` for what is none.
fn serial_number(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_uppercase();
    let blank = text.chars().all(|c| matches!(c, '0' | '.' | '-' | ' '));
    (!blank && !NO_SERIAL_NUMBERS.contains(&text.as_str())).then_some(text)
}
