//! Both inventories as one: each device once, whoever knows it.
//!
//! A pure function of what was read. It never guesses: a key that is not unique joins nothing, and is
//! reported.

mod facts;
mod matching;
mod memberships;
mod report;
mod site_device;

use std::collections::{BTreeMap, HashMap};

use diarchy_core::fact::Fact;
use diarchy_core::inventory::Device;
use diarchy_core::resource::ObjectName;
use jiff::{SignedDuration, Timestamp};

use crate::graph::managed_device::ManagedDevice;
use crate::inventory::{InventoryRequest, Readings};

pub use matching::{Ambiguity, JoinKey};
pub use report::{
    DeviceCounts, Enrollment, EnrollmentError, JoinReport, LeftOut, LeftOutReason, RecordId,
};

use facts::{Context, Sources};
use matching::{Candidate, Matched};
use report::Reporter;
use site_device::SiteDevice;

/// What a join has to know besides what was read.
#[derive(Debug, Clone, Copy)]
pub struct JoinOptions<'a> {
    /// What was asked for.
    pub request: &'a InventoryRequest,
    /// The uids of the assignments that exist.
    pub uids: &'a BTreeMap<ObjectName, String>,
    /// The time of the pass.
    pub now: Timestamp,
    /// How long ago a device may last have been heard of and count as online.
    pub online_within: SignedDuration,
    /// How long ago makes a device stale.
    pub stale_after: SignedDuration,
}

/// Every device once, and what could not be joined.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// Sorted by id, each id once.
    pub devices: Vec<Device>,
    /// The rest.
    pub report: JoinReport,
}

/// Joins what both services said. The order in which they said it does not matter.
#[must_use]
pub fn join(readings: &Readings, options: &JoinOptions<'_>) -> Joined {
    let mut reporter = Reporter::new(readings);
    let site = site_device::site_devices(readings, &mut reporter);
    let intune = intune_records(readings, &mut reporter);
    let matched = matching::matched(site.as_deref(), intune.as_deref());
    let ids = device_ids(
        site.as_deref().unwrap_or_default(),
        intune.as_deref().unwrap_or_default(),
        &matched,
        &mut reporter,
    );
    let context = Context::new(readings, options);
    let mut devices = Vec::with_capacity(ids.len());
    for (id, (site_at, intune_at)) in ids {
        let sources = Sources {
            site: found(site.as_deref(), site_at),
            intune: found(intune.as_deref(), intune_at),
        };
        let device = facts::device(id, &sources, &context);
        reporter.count(&device, &sources, &context);
        devices.push(device);
    }
    devices.sort_by(|a, b| a.id.cmp(&b.id));
    let assigned_leaving = context.leaving();
    Joined {
        devices,
        report: reporter.finish(matched.ambiguities, assigned_leaving),
    }
}

/// The record at `at` of a service's; absent when it answered and has none, unread when it did not
/// answer.
fn found<T>(records: Option<&[T]>, at: Option<usize>) -> Fact<&T> {
    match (records, at) {
        (None, _) => Fact::Unread,
        (Some(_), None) => Fact::Absent,
        (Some(records), Some(at)) => Fact::read(records.get(at)),
    }
}

/// Intune's records of Windows devices, one for each Entra device id: the newest enrolment is the
/// device's. `None` when they could not be read.
fn intune_records(readings: &Readings, reporter: &mut Reporter) -> Option<Vec<ManagedDevice>> {
    let listing = readings.graph.managed_devices.as_ref().ok()?;
    let mut records = Vec::new();
    let mut by_entra_id: BTreeMap<&str, Vec<&ManagedDevice>> = BTreeMap::new();
    for record in &listing.items {
        let windows = record
            .operating_system
            .as_ref()
            .known()
            .is_none_or(|system| system.to_ascii_lowercase().contains("windows"));
        if !windows {
            reporter.leave_out(RecordId::intune(record), LeftOutReason::NotWindows);
            continue;
        }
        match record.entra_id.as_ref().known() {
            Some(id) => by_entra_id.entry(id).or_default().push(record),
            None => records.push(record.clone()),
        }
    }
    for same in by_entra_id.into_values() {
        records.push(newest(&same, reporter));
    }
    records.sort_by(|a, b| (&a.id, &a.entra_id, &a.name).cmp(&(&b.id, &b.entra_id, &b.name)));
    Some(records)
}

/// The newest enrolment of one device. If it cannot be told, nothing is known of any.
fn newest(same: &[&ManagedDevice], reporter: &mut Reporter) -> ManagedDevice {
    let age = |record: &ManagedDevice| (record.enrolled_at.known(), record.last_sync.known());
    let newest = same.iter().map(|record| age(record)).max();
    let mut winners = same.iter().filter(|record| Some(age(record)) == newest);
    let winner = match (winners.next(), winners.next()) {
        (Some(winner), None) => Some(*winner),
        _ => None,
    };
    for record in same {
        if winner.is_none_or(|winner| !std::ptr::eq(winner, *record)) {
            reporter.leave_out(RecordId::intune(record), LeftOutReason::Duplicate);
        }
    }
    winner.cloned().unwrap_or_else(|| ManagedDevice {
        entra_id: same
            .first()
            .map_or(Fact::Unread, |record| record.entra_id.clone()),
        ..ManagedDevice::default()
    })
}

type Row = (Option<usize>, Option<usize>);

/// The id of each device: the Entra device id where it is one device's alone, else the number or id
/// of the record it comes from. Records without any are left out.
fn device_ids(
    site: &[SiteDevice<'_>],
    intune: &[ManagedDevice],
    matched: &Matched,
    reporter: &mut Reporter,
) -> Vec<(String, Row)> {
    let rows = rows(site.len(), intune.len(), matched);
    let entra_of = |row: &Row| {
        let of_intune = row.1.and_then(|at| intune[at].entra_id());
        of_intune.or_else(|| row.0.and_then(|at| site[at].entra_id()))
    };
    let mut holders: HashMap<&str, (usize, usize)> = HashMap::new();
    for row in &rows {
        if let Some(id) = entra_of(row) {
            let by_intune = usize::from(row.1.is_some());
            let (all, intune) = holders.entry(id).or_default();
            *all += 1;
            *intune += by_intune;
        }
    }
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        let entra = entra_of(&row).filter(|id| match holders.get(id) {
            Some((1, _)) => true,
            // Intune's records have different ids by now: the one that has it is the device.
            Some((_, 1)) => row.1.is_some(),
            _ => false,
        });
        let number = row.0.and_then(|at| site[at].system.resource_id.known());
        let intune_id = row.1.and_then(|at| intune[at].id.as_ref().known());
        let id = entra
            .map(str::to_owned)
            .or_else(|| number.map(|number| format!("cm:{number}")))
            .or_else(|| intune_id.map(|id| format!("intune:{id}")));
        match id {
            Some(id) => ids.push((id, row)),
            None => {
                for record in [
                    row.0.map(|at| RecordId::site(site[at].system)),
                    row.1.map(|at| RecordId::intune(&intune[at])),
                ]
                .into_iter()
                .flatten()
                {
                    reporter.leave_out(record, LeftOutReason::Unidentified);
                }
            }
        }
    }
    ids
}

/// Each record once: with its partner, or alone.
fn rows(site: usize, intune: usize, matched: &Matched) -> Vec<Row> {
    let mut taken = vec![false; intune];
    let mut rows: Vec<Row> = (0..site)
        .map(|at| {
            let partner = matched.partner_of.get(&at).copied();
            if let Some(partner) = partner {
                taken[partner] = true;
            }
            (Some(at), partner)
        })
        .collect();
    let alone = (0..intune).filter(|&at| !taken[at]);
    rows.extend(alone.map(|at| (None, Some(at))));
    rows
}
