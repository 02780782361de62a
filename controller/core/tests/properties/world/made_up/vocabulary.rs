//! The few words that made-up worlds consist of, so that they meet.

use diarchy_core::workload::Workload;
use proptest::prelude::*;
use proptest::sample::select;

/// Keys of a group that are text in the inventory, with nothing special about them.
pub(super) const PLAIN_TEXT: [&str; 12] = [
    "manufacturer",
    "model",
    "chassis",
    "osEdition",
    "ownership",
    "country",
    "city",
    "department",
    "primaryUser",
    "category",
    "siteCode",
    "adSite",
];
/// Texts that differ by case, by accents, or by what a pattern makes of them.
pub(super) const TEXTS: [&str; 8] = ["FR", "fr", "DE", "Élan", "éLAN", "ЖУК", "F[R]*", ""];
pub(super) const PATTERNS: [&str; 9] = ["f?", "É*", "*", "?", "*a*", "[f]r", "f[r]**", "ж??", ""];
/// Names and serial numbers come out of one pot, so that a list entry may mean several devices.
pub(super) const NAMES: [&str; 7] = [
    "LAPTOP-1", "laptop-1", "Laptop-2", "SN-7", "sn-7", "É-9", "D1",
];
pub(super) const VERSIONS: [&str; 8] = [
    "10.0.16299",
    "10.0.16298.9999",
    "10.0.22631",
    "10.0.22631.0",
    "10.0.22631.4317",
    "10.0.9200",
    "11",
    "Windows 10",
];
pub(super) const MOMENTS: [&str; 6] = [
    "2026-11-22T08:00:00Z",
    "2026-11-23T08:00:00Z",
    "2026-11-15T08:00:00Z",
    "2026-11-15T07:59:59.999999999Z",
    "2026-11-15T10:00:00+02:00",
    "2026-01-01T00:00:00Z",
];
pub(super) const SPANS: [&str; 4] = ["7d", "168h", "0", "14d"];
pub(super) const IDS: [&str; 4] = ["SMS00001", "sms00001", "PS100100", "Ps100101"];

pub(super) fn texts(of: &'static [&'static str]) -> BoxedStrategy<String> {
    select(of).prop_map(ToOwned::to_owned).boxed()
}

/// Few of the workloads, so that assignments meet; the two that are tied to each other most.
pub(super) const WORKLOADS: [Workload; 4] = [
    Workload::DeviceConfiguration,
    Workload::EndpointProtection,
    Workload::WindowsUpdatePolicies,
    Workload::OfficeClickToRun,
];
