//! Properties of reading and joining, over random shapes and random estates.

mod joining;
mod shapes;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::error::{EstateError, Service};
use crate::graph::directory::Organization;
use crate::inventory::{GraphReading, InventoryRequest, Readings, SiteReading};
use crate::join::{JoinOptions, Joined, join};
use crate::paging::Listing;

fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn unread() -> EstateError {
    EstateError::Throttled {
        service: Service::Graph,
        until: noon(),
    }
}

fn listing<T>(items: Vec<T>) -> Listing<T> {
    Listing {
        items,
        ..Listing::default()
    }
}

/// An estate in which every service answered and knows nothing.
fn empty_readings() -> Readings {
    Readings {
        graph: GraphReading {
            required: std::collections::BTreeMap::new(),
            managed_devices: Ok(Listing::default()),
            eligible_devices: Ok(None),
            organization: Ok(Organization::default()),
            devices: Ok(Listing::default()),
            users: Ok(Listing::default()),
            groups: Ok(BTreeMap::new()),
        },
        site: SiteReading {
            sites: Ok(Listing::default()),
            schema: None,
            systems: Ok(Listing::default()),
            resources: Ok(Listing::default()),
            states: Ok(Listing::default()),
            enclosures: Ok(Listing::default()),
            computers: Ok(Listing::default()),
            operating_systems: Ok(Listing::default()),
            bios: Ok(Listing::default()),
            memberships: Ok(BTreeMap::new()),
            state: Err(unread()),
        },
        began: noon(),
        took: SignedDuration::ZERO,
    }
}

fn joined(readings: &Readings) -> Joined {
    join(
        readings,
        &JoinOptions {
            request: &InventoryRequest::default(),
            uids: &BTreeMap::new(),
            now: noon(),
            online_within: SignedDuration::from_hours(24),
            stale_after: SignedDuration::from_hours(24 * 30),
        },
    )
}
