//! `FleetRecord`: what the controller remembers of a fleet, in a cluster.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::reference::LocalRef;

/// The most bytes that one record's `data` has: far below what the API server takes at once.
pub const MOST_DATA: usize = 256 * 1024;

/// A part of what the controller remembers of a fleet. Internal: its form may change with any
/// version, and whoever edits one makes the fleet wait for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "diarchy.dev",
    version = "v1alpha1",
    kind = "FleetRecord",
    doc = "Internal: a part of what the controller remembers of a fleet. Not for users to write.",
    namespaced,
    derive = "PartialEq",
    printcolumn(json_path = ".spec.fleetRef.name", name = "Fleet", type_ = "string"),
    printcolumn(json_path = ".spec.part", name = "Part", type_ = "integer"),
    printcolumn(json_path = ".spec.parts", name = "Parts", type_ = "integer"),
    printcolumn(
        json_path = ".metadata.creationTimestamp",
        name = "Age",
        type_ = "date"
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetRecordSpec {
    /// The fleet.
    pub fleet_ref: LocalRef,
    /// Which part this is, from 0. The first has what is not about single devices.
    #[schemars(range(min = 0, max = 65535))]
    pub part: u32,
    /// How many parts there were when it was written.
    #[schemars(range(min = 1, max = 65536))]
    pub parts: u32,
    /// Grows with every change of what is remembered: a record that has gone back in time is known
    /// by it.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub serial: i64,
    /// JSON, compressed with zstd, in base64.
    #[schemars(length(max = 262_144))]
    pub data: String,
}
