//! What a join found besides devices: counts, and what could not be joined.

use std::collections::BTreeMap;

use diarchy_core::fact::Fact;
use diarchy_core::inventory::{Device, Mdm};

use super::facts::{Context, Sources, last_contact, of};
use super::matching::Ambiguity;
use crate::enrollment::error_name;
use crate::graph::managed_device::{Eligibility, ManagedDevice};
use crate::inventory::{Reading, Readings};
use crate::paging::{Listing, Problem};
use crate::site::resources::{ComanagementState, System};

/// One service's record of a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordId {
    /// The site's, by its number, or by name where that could not be read.
    Site(Fact<u32>, Fact<String>),
    /// Intune's, by its id, or by name where that could not be read.
    Intune(Fact<String>, Fact<String>),
}

impl RecordId {
    pub(super) fn site(system: &System) -> Self {
        Self::Site(system.resource_id, system.name.clone())
    }

    pub(super) fn intune(record: &ManagedDevice) -> Self {
        Self::Intune(record.id.clone(), record.name.clone())
    }
}

/// Why a record is no device of the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftOutReason {
    /// A newer record of the same machine has replaced it.
    Obsolete,
    /// It was taken out of service.
    Decommissioned,
    /// It stands for machines that the site does not know.
    Placeholder,
    /// It does not run Windows.
    NotWindows,
    /// Another record of the same device was enrolled later, or as late.
    Duplicate,
    /// Nothing in it tells it from others.
    Unidentified,
}

/// A record that is no device of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Why.
    pub reason: LeftOutReason,
    /// Which.
    pub record: RecordId,
}

/// How many devices there are of each kind, as the fleet's status shows them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceCounts {
    /// All of them.
    pub total: u64,
    /// Enrolled in Intune, with a client and the co-management policy.
    pub co_managed: u64,
    /// Known to the site, and not enrolled anywhere.
    pub configuration_manager_only: u64,
    /// Known to Intune only.
    pub intune_only: u64,
    /// Enrolled with somebody else's management.
    pub third_party_mdm: u64,
    /// One service says that the other should know them, and it does not.
    pub unmatched: u64,
    /// Not heard of for long.
    pub stale: u64,
}

/// How far enrolment has come; `None` where no service told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enrollment {
    /// Devices that can be co-managed, those that are included.
    pub eligible: Option<u64>,
    /// Devices that wait for their turn.
    pub scheduled: Option<u64>,
    /// Devices that have begun.
    pub initiated: Option<u64>,
    /// Devices that are enrolled.
    pub enrolled: Option<u64>,
    /// Devices that failed.
    pub failed: Option<u64>,
}

/// Why devices failed to enrol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentError {
    /// As the console shows it.
    pub code: u32,
    /// Its name, if it has one.
    pub name: Option<&'static str>,
    /// How many devices.
    pub devices: u64,
}

/// What a join found besides devices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JoinReport {
    /// How many devices of each kind.
    pub devices: DeviceCounts,
    /// How far enrolment has come.
    pub enrollment: Enrollment,
    /// Why it failed: the most frequent first.
    pub enrollment_errors: Vec<EnrollmentError>,
    /// Every record that is no device.
    pub left_out: Vec<LeftOut>,
    /// Keys that would have joined records, and did not.
    pub ambiguities: Vec<Ambiguity>,
    /// Ids of devices that one service says the other should know, and it does not.
    pub unmatched: Vec<String>,
    /// How many records carry an all-zero Entra device id.
    pub zero_ids: u64,
    /// Memberships of pilot collections that no rule explains any more.
    pub leaving: u64,
    /// How many things in the answers could not be read.
    pub problem_count: u64,
    /// Some of them.
    pub problems: Vec<Problem>,
    /// Entries that were not even objects.
    pub unreadable: u64,
    /// Whether the site's records have the Entra device id, as its metadata says; `None` when it
    /// does not say.
    pub site_has_entra_ids: Option<bool>,
}

impl JoinReport {
    /// How many records were left out for `reason`.
    #[must_use]
    pub fn left_out_for(&self, reason: LeftOutReason) -> usize {
        let same = |left: &&LeftOut| left.reason == reason;
        self.left_out.iter().filter(same).count()
    }
}

/// Gathers a report.
pub(super) struct Reporter {
    report: JoinReport,
    errors: BTreeMap<u32, u64>,
    states_read: bool,
}

impl Reporter {
    pub(super) fn new(readings: &Readings) -> Self {
        let mut report = JoinReport::default();
        let (graph, site) = (&readings.graph, &readings.site);
        problems(&mut report, &graph.managed_devices);
        problems(&mut report, &graph.devices);
        problems(&mut report, &graph.users);
        if let Ok(Some(eligible)) = &graph.eligible_devices {
            add_problems(&mut report, eligible);
        }
        problems(&mut report, &site.systems);
        problems(&mut report, &site.resources);
        problems(&mut report, &site.states);
        problems(&mut report, &site.enclosures);
        problems(&mut report, &site.computers);
        problems(&mut report, &site.operating_systems);
        problems(&mut report, &site.bios);
        report.zero_ids = zero_ids(readings);
        let schema = site.schema.as_ref();
        report.site_has_entra_ids =
            schema.and_then(|schema| schema.has("SMS_R_System", "AADDeviceID"));
        let states_read = site.states.is_ok() && site.systems.is_ok();
        let count = states_read.then_some(0);
        report.enrollment = Enrollment {
            initiated: count,
            enrolled: count,
            failed: count,
            ..eligible(readings)
        };
        Self {
            report,
            errors: BTreeMap::new(),
            states_read,
        }
    }

    pub(super) fn leave_out(&mut self, record: RecordId, reason: LeftOutReason) {
        self.report.left_out.push(LeftOut { reason, record });
    }

    /// Counts a device.
    pub(super) fn count(&mut self, device: &Device, sources: &Sources<'_>, context: &Context<'_>) {
        let counts = &mut self.report.devices;
        counts.total += 1;
        if is_unmatched(sources) {
            counts.unmatched += 1;
            self.report.unmatched.push(device.id.clone());
        }
        if let Fact::Known(time) = last_contact(sources)
            && context.options.now.duration_since(time) > context.options.stale_after
        {
            counts.stale += 1;
        }
        let has_site = sources.site.known().is_some();
        let has_intune = of(sources.intune, |record| record.enrolled) == Fact::Known(true);
        if device.mdm == Fact::Known(Mdm::ThirdParty) {
            counts.third_party_mdm += 1;
        } else if is_co_managed(sources) {
            counts.co_managed += 1;
        } else if has_site && !has_intune {
            counts.configuration_manager_only += 1;
        } else if !has_site {
            counts.intune_only += 1;
        }
        if self.states_read {
            self.count_enrollment(sources);
        }
    }

    fn count_enrollment(&mut self, sources: &Sources<'_>) {
        let Fact::Known(state) = of(sources.site, |site| site.state) else {
            return;
        };
        let enrollment = &mut self.report.enrollment;
        let add = |count: &mut Option<u64>| *count = count.map(|count| count + 1);
        if state.enrolled == Fact::Known(true) {
            add(&mut enrollment.enrolled);
        } else if let Fact::Known(code) = state.error {
            add(&mut enrollment.failed);
            *self.errors.entry(code).or_default() += 1;
        } else if state.provisioned == Fact::Known(true) {
            add(&mut enrollment.initiated);
        }
    }

    pub(super) fn finish(mut self, ambiguities: Vec<Ambiguity>, leaving: u64) -> JoinReport {
        let mut errors: Vec<EnrollmentError> = self
            .errors
            .into_iter()
            .map(|(code, devices)| EnrollmentError {
                code,
                name: error_name(code),
                devices,
            })
            .collect();
        errors.sort_by_key(|error| (std::cmp::Reverse(error.devices), error.code));
        self.report.enrollment_errors = errors;
        self.report.left_out.sort();
        self.report.unmatched.sort();
        self.report.ambiguities = ambiguities;
        self.report.leaving = leaving;
        self.report
    }
}

/// The documented rule where the site told; what Intune makes of its record elsewhere.
fn is_co_managed(sources: &Sources<'_>) -> bool {
    match of(sources.site, |site| {
        of(site.state, ComanagementState::co_managed)
    }) {
        Fact::Known(co_managed) => co_managed,
        Fact::Absent => false,
        Fact::Unread => {
            let both = of(sources.intune, |record| record.has_client);
            let enrolled = of(sources.intune, |record| record.enrolled);
            both == Fact::Known(true) && enrolled == Fact::Known(true)
        }
    }
}

/// Whether one service says that the other should know a device that it does not know.
fn is_unmatched(sources: &Sources<'_>) -> bool {
    match (sources.site, sources.intune) {
        (Fact::Absent, Fact::Known(record)) => record.has_client == Fact::Known(true),
        (Fact::Known(site), Fact::Absent) => {
            let enrolled = of(site.state, |state| state.enrolled);
            let authority = of(site.state, |state| state.authority);
            enrolled == Fact::Known(true) && authority == Fact::Known(Mdm::Intune)
        }
        _ => false,
    }
}

fn eligible(readings: &Readings) -> Enrollment {
    let Ok(Some(listing)) = &readings.graph.eligible_devices else {
        return Enrollment::default();
    };
    let count = |states: &[Eligibility]| {
        let items = listing.items.iter();
        let matching = items.filter(|device| {
            let status = device.status.known();
            status.is_some_and(|status| states.contains(&status))
        });
        u64::try_from(matching.count()).ok()
    };
    Enrollment {
        eligible: count(&[
            Eligibility::Eligible,
            Eligibility::Scheduled,
            Eligibility::CoManaged,
        ]),
        scheduled: count(&[Eligibility::Scheduled]),
        ..Enrollment::default()
    }
}

fn zero_ids(readings: &Readings) -> u64 {
    let intune = readings.graph.managed_devices.iter();
    let intune = intune.flat_map(|listing| &listing.items);
    let site = readings.site.systems.iter();
    let site = site.flat_map(|listing| &listing.items);
    let zero = intune.filter(|record| record.unregistered).count()
        + site.filter(|record| record.unregistered).count();
    u64::try_from(zero).unwrap_or(u64::MAX)
}

fn problems<T>(report: &mut JoinReport, reading: &Reading<Listing<T>>) {
    if let Ok(listing) = reading {
        add_problems(report, listing);
    }
}

fn add_problems<T>(report: &mut JoinReport, listing: &Listing<T>) {
    report.problem_count += listing.problem_count;
    report.unreadable += listing.unreadable;
    report.problems.extend(listing.problems.iter().cloned());
}
