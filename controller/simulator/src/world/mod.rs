//! The estate itself: a function of the seed, the time, and what was done to it.

pub(crate) mod device;
pub(crate) mod doings;
pub(crate) mod health;
pub(crate) mod people;
pub(crate) mod schedule;
pub(crate) mod vocabulary;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::authority::{Authority, ENABLED, Switch};
use crate::mishap::Mishap;
use crate::moment::{Moment, SECOND};
use crate::random::Chance;
use crate::setup::{IntuneObject, Latency, Setup, Slider, Workload};
use crate::site::collections::Site;
use crate::site::preparation::prepare;
use crate::site::resources::{Records, Resource, resource_id};
use device::{Device, IntuneRecord, Kind};
use schedule::{Interventions, Rhythm};

/// A client notification that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: u32,
    pub(crate) kind: u32,
    pub(crate) collection: String,
    pub(crate) requested: Moment,
    /// The devices that were online, and how many were not.
    pub(crate) reached: usize,
    pub(crate) offline: usize,
}

/// What is true of a device, whoever knows it or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, for tests to read"
)]
pub struct Truth {
    pub device: u32,
    pub name: String,
    pub serial_number: String,
    /// `ResourceID` of its record at the site, the newest one.
    pub resource_id: Option<u32>,
    pub entra_device_id: Option<String>,
    /// Its record in Intune, if it is enrolled.
    pub intune_id: Option<String>,
    /// An older record in Intune that was left behind, of the same name and serial number.
    pub intune_duplicate_id: Option<String>,
    pub online: bool,
    /// Whether it is enrolled and does what the sliders and pilot collections say.
    pub follows_sliders: bool,
    /// Enrolled into Intune before the client came: Intune has every workload.
    pub enrolled_first: bool,
    /// Whether the collection that limits the pilot collections lacks it.
    pub outside_limiting_collection: bool,
    /// The workloads that Intune rules on it, in truth.
    pub actual: Vec<Workload>,
    /// The workloads that Graph says Intune rules, but for those that it is `silent` about.
    pub reported: Vec<Workload>,
    /// The workloads of which Graph never says anything for it.
    pub silent: Vec<Workload>,
    /// What befalls it once Intune has the workload that each is about.
    pub mishaps: Vec<Mishap>,
}

/// The whole estate.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) latency: Latency,
    pub(crate) chance: Chance,
    pub(crate) now: Moment,
    pub(crate) devices: Vec<Device>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) site: Site,
    pub(crate) sliders: BTreeMap<Workload, Slider>,
    pub(crate) pilots: BTreeMap<Workload, String>,
    /// What is in Intune besides devices.
    pub(crate) intune: Vec<IntuneObject>,
    pub(crate) authority: Authority,
    pub(crate) interventions: HashMap<usize, Interventions>,
    pub(crate) operations: Vec<Operation>,
    /// How many acts of people changed which entries a listing has.
    pub(crate) acts: usize,
}

impl World {
    /// The estate as `setup` describes it at `epoch`.
    pub(crate) fn new(setup: Setup, latency: Latency, epoch: Moment) -> Self {
        let chance = Chance::new(setup.seed);
        let mut devices: Vec<_> = (0..setup.devices as usize)
            .map(|number| Device::new(chance, number, epoch))
            .collect();
        let resources = discover(&mut devices, chance, epoch);
        let records = Records {
            resources: &resources,
            devices: &devices,
        };
        let mut site = prepare(&setup, chance, records, epoch);
        site.start_routine(epoch, &latency);
        let sliders = Workload::ALL
            .into_iter()
            .map(|workload| (workload, setup.slider(workload)))
            .collect();
        let pilots = setup
            .pilots()
            .map(|(workload, id)| (workload, id.to_owned()))
            .collect();
        let intune = if setup.unprepared {
            Vec::new()
        } else {
            setup.intune.clone()
        };
        let mut world = Self {
            setup,
            latency,
            chance,
            now: epoch,
            devices,
            resources,
            site,
            sliders,
            pilots,
            intune,
            authority: Authority::default(),
            interventions: HashMap::new(),
            operations: Vec::new(),
            acts: 0,
        };
        let first = (0..world.devices.len())
            .map(|device| world.policy(device))
            .collect();
        world.authority = Authority::new(first);
        world
    }

    /// Lets everything happen that is due by `now`. Time does not go back.
    pub(crate) fn advance(&mut self, now: Moment) {
        loop {
            let records = Records {
                resources: &self.resources,
                devices: &self.devices,
            };
            let Some((at, differences)) = self.site.step(now, records, &self.latency) else {
                break;
            };
            for (collection, places) in differences {
                let decides = self.pilots.values().any(|pilot| *pilot == collection)
                    || self.setup.enrollment_pilot_collection.as_ref() == Some(&collection);
                if decides {
                    for place in places.ones() {
                        self.target(self.resources[place].device, at);
                    }
                }
            }
        }
        self.now = self.now.max(now);
    }

    /// Gives a device the policy that the site's state means for it, from `at` on.
    fn target(&mut self, device: usize, at: Moment) {
        let policy = self.policy(device);
        self.authority.want(device, at, policy);
    }

    /// The capability bits of all policies that apply to a device.
    fn policy(&self, number: usize) -> u8 {
        let device = &self.devices[number];
        if !device.kind.has_policy() {
            return 0;
        }
        let member = |collection: &str| {
            let place = device.resource;
            self.site
                .collections
                .get(collection)
                .zip(place)
                .is_some_and(|(collection, place)| collection.members.contains(place))
        };
        let enrolls = device.kind != Kind::Eligible
            || self
                .setup
                .enrollment_pilot_collection
                .as_deref()
                .is_some_and(member);
        let mut capabilities = if enrolls { ENABLED } else { 0 };
        capabilities |= Workload::ResourceAccess.bit();
        if !device.kind.follows_sliders() {
            return capabilities;
        }
        for (workload, slider) in &self.sliders {
            let given = match slider {
                Slider::Intune => true,
                Slider::PilotIntune => self.pilots.get(workload).is_some_and(|id| member(id)),
                Slider::ConfigurationManager => false,
            };
            if given {
                capabilities |= workload.bit();
            }
        }
        capabilities
    }

    /// When a device is there.
    pub(crate) fn rhythm(&self, device: &Device) -> Rhythm<'_> {
        Rhythm {
            chance: self.chance,
            latency: &self.latency,
            device: device.number,
            gone_since: device.last_seen,
            interventions: self.interventions.get(&device.number),
        }
    }

    /// The switches of a device up to a distant future.
    pub(crate) fn switches(&self, device: &Device) -> Vec<Switch> {
        self.authority.switches(&self.rhythm(device))
    }

    /// The device's record in Intune at this time.
    pub(crate) fn intune_record(&self, device: &Device) -> Option<IntuneRecord> {
        if device.intune.is_some() || device.retired {
            return device.intune.clone();
        }
        let enrolled = match device.kind {
            Kind::Scheduled => self.rhythm(device).next_online(device.enrolls)?,
            Kind::Eligible => {
                let switches = self.switches(device);
                let first = switches
                    .iter()
                    .find(|switch| switch.capabilities & ENABLED != 0)?;
                let wait =
                    self.chance
                        .between("enrollment", device.number, 300 * SECOND, 1800 * SECOND);
                first.applied + wait
            }
            _ => return None,
        };
        (enrolled <= self.now).then(|| IntuneRecord {
            id: self.chance.guid("intune", device.number),
            enrolled,
        })
    }

    /// What the device does, in capability bits.
    pub(crate) fn actual(&self, device: &Device) -> u8 {
        if device.kind == Kind::EnrolledFirst {
            return u8::MAX;
        }
        let now = self.now;
        self.authority
            .after(device.number, &self.switches(device), |switch| {
                switch.applied <= now
            })
    }

    /// When the device last synced with Intune, and the capability bits it reported then.
    pub(crate) fn last_sync(&self, device: &Device, record: &IntuneRecord) -> (Moment, u8) {
        let now = self.now;
        let switches = self.switches(device);
        let regular = self.rhythm(device).last_regular_sync(now);
        let synced = switches
            .iter()
            .filter_map(|switch| switch.synced)
            .filter(|synced| *synced <= now)
            .fold(regular.max(record.enrolled.min(now)), Moment::max);
        if device.kind == Kind::EnrolledFirst {
            return (synced, u8::MAX);
        }
        let capabilities = self.told(device, &switches, |switch| switch.applied <= synced);
        (synced, capabilities)
    }

    /// The capability bits that the site's last state message from the device had.
    pub(crate) fn known_to_site(&self, device: &Device) -> u8 {
        self.told(device, &self.switches(device), |switch| {
            self.is_reported(switch)
        })
    }

    /// Whether the device's client says nothing about the two workloads that came last, as a few do.
    pub(crate) fn is_silent(&self, device: usize) -> bool {
        self.chance.per_mille("silent", device, 8)
    }

    /// What is true of a device.
    pub(crate) fn truth(&self, device: &Device) -> Truth {
        let record = self.intune_record(device);
        let workloads = |capabilities: u8| -> Vec<_> {
            Workload::ALL
                .into_iter()
                .filter(|workload| record.is_some() && capabilities & workload.bit() != 0)
                .collect()
        };
        let reported = record
            .as_ref()
            .map_or(0, |record| self.last_sync(device, record).1);
        Truth {
            device: u32::try_from(device.number).unwrap_or(u32::MAX),
            name: device.name.clone(),
            serial_number: device.serial.clone(),
            resource_id: device.resource.map(resource_id),
            entra_device_id: device
                .entra
                .as_ref()
                .map(|entra| entra.device_id.to_string()),
            intune_id: record.as_ref().map(|record| record.id.to_string()),
            intune_duplicate_id: device
                .intune_duplicate
                .as_ref()
                .map(|record| record.id.to_string()),
            online: self.rhythm(device).online(self.now),
            follows_sliders: record.is_some() && device.kind.follows_sliders(),
            enrolled_first: device.kind == Kind::EnrolledFirst,
            outside_limiting_collection: device.outside_limit,
            actual: match device.kind {
                Kind::IntuneOnly | Kind::Phone => workloads(u8::MAX),
                _ => workloads(self.actual(device)),
            },
            reported: workloads(reported),
            silent: if self.is_silent(device.number) {
                vec![Workload::EndpointProtection, Workload::OfficeClickToRun]
            } else {
                Vec::new()
            },
            mishaps: self.mishaps(device).collect(),
        }
    }
}

/// Gives every device at the site its record; some have an older one as well.
fn discover(devices: &mut [Device], chance: Chance, epoch: Moment) -> Vec<Resource> {
    let mut resources = Vec::with_capacity(devices.len());
    let age = |number| chance.between("discovered", number, 1, 900) * crate::moment::DAY;
    for device in devices.iter_mut().filter(|device| device.kind.at_site()) {
        device.resource = Some(resources.len());
        resources.push(Resource {
            device: device.number,
            obsolete: false,
            client_id: chance.guid("client", device.number),
            created: epoch - age(device.number),
        });
    }
    for device in devices.iter() {
        if device.kind.has_client() && chance.per_mille("installed anew", device.number, 10) {
            resources.push(Resource {
                device: device.number,
                obsolete: true,
                client_id: chance.guid("earlier client", device.number),
                created: epoch - age(device.number) - 200 * crate::moment::DAY,
            });
        }
    }
    resources
}
