//! One device, a function of the seed and its number.

use uuid::Uuid;

use crate::moment::{DAY, HOUR, Moment};
use crate::random::Chance;
use crate::world::people::{person, user_of};
use crate::world::vocabulary::{
    Build, CATEGORIES, CLIENT_BUILDS, CLIENT_MODELS, CLIENT_VERSIONS, Chassis, ENROLLMENT_ERRORS,
    Model, OLD_BUILD, PHONE_MODELS, PLACES, Place, RINGS, SERVER_BUILDS, SERVER_MODELS,
};

/// Where a device stands between the two managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    CoManaged,
    /// Co-managed, but not seen for 40 days and more.
    Stale,
    /// Co-managed, but Intune holds no Entra device id for it.
    Unregistered,
    /// Enrolled into Intune before the client came: ignores the sliders.
    EnrolledFirst,
    ThirdPartyMdm,
    Server,
    TooOld,
    /// Has a client and could enrol, once the policy for automatic enrolment reaches it.
    Eligible,
    /// Will enrol by itself within days.
    Scheduled,
    EnrollmentFails,
    /// Joined to Active Directory only.
    DomainJoined,
    /// Discovered by the site, without a client.
    NoClient,
    IntuneOnly,
    Phone,
    /// Registered in Entra, not joined; has client and enrolment all the same.
    WorkplaceJoined,
}

/// How many of 200 consecutive devices are what; every 200 devices have them all.
const SHARES: [(u32, Kind); 15] = [
    (174, Kind::CoManaged),
    (2, Kind::Stale),
    (1, Kind::EnrolledFirst),
    (2, Kind::ThirdPartyMdm),
    (4, Kind::Server),
    (2, Kind::TooOld),
    (1, Kind::Eligible),
    (1, Kind::Scheduled),
    (3, Kind::EnrollmentFails),
    (2, Kind::DomainJoined),
    (1, Kind::NoClient),
    (3, Kind::IntuneOnly),
    (2, Kind::Phone),
    (1, Kind::WorkplaceJoined),
    (1, Kind::Unregistered),
];

impl Kind {
    fn of(chance: Chance, number: usize) -> Self {
        // A stride without a common factor visits each of 200 places once in 200 devices.
        let start = chance.below("kind", 0, 200) as usize;
        let mut place = (number.wrapping_mul(7919).wrapping_add(start)) % 200;
        for (share, kind) in SHARES {
            if place < share as usize {
                return kind;
            }
            place -= share as usize;
        }
        Self::CoManaged
    }

    /// Whether the site has a record of it.
    pub(crate) fn at_site(self) -> bool {
        !matches!(self, Self::IntuneOnly | Self::Phone)
    }

    /// Whether it runs a Configuration Manager client.
    pub(crate) fn has_client(self) -> bool {
        self.at_site() && self != Self::NoClient
    }

    /// Whether Intune had it when the world began.
    pub(crate) fn enrolled_from_start(self) -> bool {
        matches!(
            self,
            Self::CoManaged
                | Self::Stale
                | Self::Unregistered
                | Self::EnrolledFirst
                | Self::IntuneOnly
                | Self::Phone
                | Self::WorkplaceJoined
        )
    }

    /// Whether it follows the sliders once it is enrolled.
    pub(crate) fn follows_sliders(self) -> bool {
        matches!(
            self,
            Self::CoManaged | Self::Stale | Self::Unregistered | Self::Eligible | Self::Scheduled
        )
    }

    /// Whether the co-management policy applies to it at all.
    pub(crate) fn has_policy(self) -> bool {
        self.follows_sliders()
            || matches!(
                self,
                Self::EnrolledFirst | Self::EnrollmentFails | Self::WorkplaceJoined
            )
    }
}

/// `trustType` of the Entra device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Hybrid,
    Entra,
    Workplace,
}

/// The device's object in Entra.
#[derive(Debug, Clone)]
pub(crate) struct EntraDevice {
    pub(crate) device_id: Uuid,
    pub(crate) object_id: Uuid,
    pub(crate) trust: Trust,
}

/// The device's record in Intune.
#[derive(Debug, Clone)]
pub(crate) struct IntuneRecord {
    pub(crate) id: Uuid,
    pub(crate) enrolled: Moment,
}

/// A machine or a phone.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent accident that may befall a device"
)]
pub(crate) struct Device {
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) serial: String,
    pub(crate) model: &'static Model,
    pub(crate) build: &'static Build,
    pub(crate) revision: u32,
    pub(crate) user: Option<usize>,
    pub(crate) place: &'static Place,
    pub(crate) category: Option<&'static str>,
    pub(crate) ring: Option<&'static str>,
    pub(crate) personal: bool,
    pub(crate) client_version: &'static str,
    pub(crate) entra: Option<EntraDevice>,
    pub(crate) intune: Option<IntuneRecord>,
    /// An older record of the same machine that Intune did not forget.
    pub(crate) intune_duplicate: Option<IntuneRecord>,
    /// Its place among the site's records; the record of an earlier installation is another.
    pub(crate) resource: Option<usize>,
    pub(crate) unhealthy: bool,
    /// The site's record does not say which Entra device it is.
    pub(crate) no_entra_at_site: bool,
    /// Intune does not say which client it is.
    pub(crate) no_client_id_in_intune: bool,
    /// Outside the collection that limits the pilot collections.
    pub(crate) outside_limit: bool,
    pub(crate) enrollment_error: u32,
    /// When it was seen for the last time, for a stale one.
    pub(crate) last_seen: Option<Moment>,
    /// Somebody took it out of Intune.
    pub(crate) retired: bool,
    /// When a scheduled enrolment takes place.
    pub(crate) enrolls: Moment,
}

impl Device {
    /// The device with this number in a world that began at `epoch`.
    pub(crate) fn new(chance: Chance, number: usize, epoch: Moment) -> Self {
        let kind = Kind::of(chance, number);
        let model = model_of(chance, number, kind);
        let build = build_of(chance, number, kind);
        let enrolled = enrolled(chance, number, epoch);
        Self {
            number,
            kind,
            name: name(chance, number, kind),
            serial: serial(chance, number, model.manufacturer),
            model,
            build,
            revision: *chance.pick("revision", number, build.revisions),
            user: (kind != Kind::Server)
                .then(|| user_of(chance, number))
                .flatten(),
            place: place_of(chance, number),
            category: *chance.weighted("category", number, &CATEGORIES),
            ring: *chance.weighted("ring", number, &RINGS),
            personal: kind == Kind::WorkplaceJoined || chance.per_mille("personal", number, 20),
            client_version: *chance.weighted::<&str>("client", number, &CLIENT_VERSIONS),
            entra: entra(chance, number, kind),
            intune: kind.enrolled_from_start().then(|| IntuneRecord {
                id: chance.guid("intune", number),
                enrolled,
            }),
            intune_duplicate: (kind == Kind::CoManaged
                && chance.per_mille("intune duplicate", number, 7))
            .then(|| IntuneRecord {
                id: chance.guid("intune duplicate", number),
                enrolled: enrolled - 200 * DAY,
            }),
            resource: None,
            unhealthy: kind == Kind::CoManaged && chance.per_mille("unhealthy", number, 4),
            no_entra_at_site: chance.per_mille("no entra at site", number, 15),
            no_client_id_in_intune: chance.per_mille("no client id", number, 200),
            outside_limit: kind == Kind::Server || chance.per_mille("outside limit", number, 6),
            enrollment_error: *chance.weighted("enrollment error", number, &ENROLLMENT_ERRORS),
            last_seen: (kind == Kind::Stale)
                .then(|| epoch - chance.between("stale", number, 40 * DAY, 160 * DAY)),
            retired: false,
            enrolls: epoch + chance.between("enrolls", number, HOUR, 72 * HOUR),
        }
    }

    /// `10.0.22631.4317`, or what a phone says.
    pub(crate) fn os_version(&self) -> String {
        match self.phone_system() {
            Some("iOS") => format!("18.{}.1", self.revision % 7),
            Some(_) => "14.0".to_owned(),
            None => format!("10.0.{}.{}", self.build.number, self.revision),
        }
    }

    /// `iOS` or `Android` for a phone.
    pub(crate) fn phone_system(&self) -> Option<&'static str> {
        (self.kind == Kind::Phone).then(|| {
            if self.model.manufacturer == "Apple" {
                "iOS"
            } else {
                "Android"
            }
        })
    }

    /// The marketing name of its operating system, as hardware inventory has it.
    pub(crate) fn caption(&self) -> &'static str {
        match (self.kind, self.build.number) {
            (Kind::Server, 17763) => "Microsoft Windows Server 2019 Standard",
            (Kind::Server, 20348) => "Microsoft Windows Server 2022 Standard",
            (Kind::Server, _) => "Microsoft Windows Server 2025 Standard",
            (_, ..22000) => "Microsoft Windows 10 Enterprise",
            _ => "Microsoft Windows 11 Enterprise",
        }
    }
}

fn model_of(chance: Chance, number: usize, kind: Kind) -> &'static Model {
    match kind {
        Kind::Server => chance.weighted("model", number, &SERVER_MODELS),
        Kind::Phone => chance.weighted("model", number, &PHONE_MODELS),
        _ => chance.weighted("model", number, &CLIENT_MODELS),
    }
}

fn build_of(chance: Chance, number: usize, kind: Kind) -> &'static Build {
    match kind {
        Kind::Server => chance.weighted("build", number, &SERVER_BUILDS),
        Kind::TooOld => &OLD_BUILD,
        _ => chance.weighted("build", number, &CLIENT_BUILDS),
    }
}

/// Most enrolled long ago, some in the last two weeks.
fn enrolled(chance: Chance, number: usize, epoch: Moment) -> Moment {
    let ago = if chance.per_mille("new", number, 60) {
        chance.between("enrolled", number, HOUR, 14 * DAY)
    } else {
        chance.between("enrolled", number, 14 * DAY, 900 * DAY)
    };
    epoch - ago
}

/// Where its user works, or where it stands.
fn place_of(chance: Chance, number: usize) -> &'static Place {
    user_of(chance, number).map_or_else(
        || chance.weighted("place", number, &PLACES),
        |user| person(chance, user).place,
    )
}

fn name(chance: Chance, number: usize, kind: Kind) -> String {
    // A machine that was named after another one, or cloned from it.
    let named_after = if number > 0 && chance.per_mille("duplicate name", number, 5) {
        number - 1
    } else {
        number
    };
    let kind = if named_after == number {
        kind
    } else {
        Kind::of(chance, named_after)
    };
    let chassis: Chassis = model_of(chance, named_after, kind).chassis;
    let country = place_of(chance, named_after).country;
    format!("{country}-{}{named_after:06}", chassis.prefix())
}

fn serial(chance: Chance, number: usize, manufacturer: &str) -> String {
    let random = chance.bits("serial", number);
    let unique = base36(number as u64, 5);
    match manufacturer {
        "Dell Inc." => format!("{}{unique}", base36(random, 2)),
        "HP" | "HPE" => format!("5CG{}{unique}", base36(random, 2)),
        "LENOVO" => format!("PF{}{unique}", base36(random, 1)),
        "Microsoft Corporation" => format!("0{:05}{number:06}57", random % 100_000),
        _ => format!("{}{unique}", base36(random, 6)),
    }
}

/// The last `digits` digits of `value` to the base 36.
fn base36(mut value: u64, digits: usize) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut text = vec!['0'; digits];
    for digit in text.iter_mut().rev() {
        *digit = char::from(DIGITS[usize::try_from(value % 36).unwrap_or(0)]);
        value /= 36;
    }
    text.into_iter().collect()
}

fn entra(chance: Chance, number: usize, kind: Kind) -> Option<EntraDevice> {
    let trust = match kind {
        Kind::DomainJoined | Kind::NoClient | Kind::Server | Kind::TooOld => return None,
        Kind::WorkplaceJoined | Kind::Phone => Trust::Workplace,
        Kind::IntuneOnly | Kind::EnrolledFirst => Trust::Entra,
        _ if chance.per_mille("entra joined", number, 250) => Trust::Entra,
        _ => Trust::Hybrid,
    };
    Some(EntraDevice {
        device_id: chance.guid("entra device", number),
        object_id: chance.guid("entra object", number),
        trust,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn fleet(seed: u64, devices: usize) -> Vec<Device> {
        (0..devices)
            .map(|number| Device::new(Chance::new(seed), number, 1_800_000_000_000))
            .collect()
    }

    #[test]
    fn every_kind_is_there_in_two_hundred_devices_in_its_share() {
        assert_eq!(SHARES.iter().map(|(share, _)| share).sum::<u32>(), 200);
        let devices = fleet(9, 1000);
        for (share, kind) in SHARES {
            let count = devices.iter().filter(|device| device.kind == kind).count();
            assert_eq!(count, share as usize * 5, "{kind:?}");
        }
    }

    #[test]
    fn serial_numbers_differ_and_a_few_names_do_not() {
        let devices = fleet(3, 5000);
        let serials: HashSet<_> = devices.iter().map(|device| &device.serial).collect();
        assert_eq!(serials.len(), devices.len());
        let names: HashSet<_> = devices.iter().map(|device| &device.name).collect();
        assert!((10..=45).contains(&(devices.len() - names.len())));
        assert!(devices.iter().all(|device| device.name.len() <= 15));
    }

    #[test]
    fn a_seed_makes_one_fleet() {
        let one: Vec<_> = fleet(1, 50)
            .iter()
            .map(|device| format!("{device:?}"))
            .collect();
        let same: Vec<_> = fleet(1, 50)
            .iter()
            .map(|device| format!("{device:?}"))
            .collect();
        let other: Vec<_> = fleet(2, 50)
            .iter()
            .map(|device| format!("{device:?}"))
            .collect();
        assert_eq!(one, same);
        assert_ne!(one, other);
    }
}
