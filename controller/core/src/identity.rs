//! Who a device was before it was renamed, re-imaged or joined anew.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::inventory::Device;

/// The first ids that devices were ever known by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identities {
    /// By id, the first one.
    by_id: HashMap<String, String>,
    /// By serial number, the first id of the device that had it last.
    by_serial: HashMap<String, String>,
    /// By the id of its Configuration Manager client, the first id of the device that had it last.
    #[serde(default)]
    by_client: HashMap<String, String>,
    /// By first id, the id of the device that was known by it last.
    #[serde(default)]
    bearer: HashMap<String, String>,
}

/// What tells a machine from others, whatever its record is called.
const TRAITS: [fn(&Device) -> Option<&String>; 2] = [
    |device| device.serial_number.as_ref().known(),
    |device| device.client_id.as_ref().known(),
];

impl Identities {
    /// Gives every device the first id it was ever known by, and remembers the new ones. No two
    /// devices get the same.
    ///
    /// A device with an id never seen is an old one if its serial number, or else its client's id,
    /// is its alone, belonged to a device known before, and nothing else in the inventory is that
    /// device. Where an old record comes back beside the one that followed it, the one that was there
    /// last is the machine, and the other goes by an id of its own for as long as both are there.
    pub fn carry(&mut self, devices: &mut [Device]) {
        let alone = TRAITS.map(|of| unique(devices, of));
        let mut taken: HashSet<String> = HashSet::with_capacity(devices.len());
        let mut firsts: Vec<Option<String>> = devices
            .iter()
            .map(|device| self.borne(device, &mut taken))
            .collect();
        for (at, device) in devices.iter().enumerate() {
            if firsts[at].is_none() {
                firsts[at] = Some(self.claim(device, &alone, &mut taken));
            }
        }
        for (device, first) in devices.iter_mut().zip(firsts.into_iter().flatten()) {
            self.remember(device, &first, &alone);
            device.first_id = (first != device.id).then_some(first);
        }
    }

    /// Whether a device was known by this first id.
    #[must_use]
    pub fn knows(&self, first: &str) -> bool {
        self.bearer.contains_key(first)
    }

    /// The first id that the device was the last to be known by.
    fn borne(&self, device: &Device, taken: &mut HashSet<String>) -> Option<String> {
        let first = self.by_id.get(&device.id)?;
        let is_bearer = self.bearer.get(first).is_none_or(|id| *id == device.id);
        (is_bearer && taken.insert(first.clone())).then(|| first.clone())
    }

    /// The best first id that nobody else in the inventory has.
    fn claim(
        &self,
        device: &Device,
        alone: &[HashSet<String>; 2],
        taken: &mut HashSet<String>,
    ) -> String {
        let by_trait = [&self.by_serial, &self.by_client]
            .into_iter()
            .zip(TRAITS)
            .zip(alone)
            .filter_map(|((known, of), alone)| {
                known.get(of(device).filter(|value| alone.contains(*value))?)
            });
        let known = self.by_id.get(&device.id).into_iter();
        let mut claims = known
            .chain(&device.first_id)
            .chain(by_trait)
            .chain(std::iter::once(&device.id));
        if let Some(first) = claims.find(|first| !taken.contains(*first)) {
            taken.insert(first.clone());
            return first.clone();
        }
        let mut number = 2_usize;
        loop {
            let first = format!("{}#{number}", device.id);
            if taken.insert(first.clone()) {
                return first;
            }
            number += 1;
        }
    }

    fn remember(&mut self, device: &Device, first: &str, alone: &[HashSet<String>; 2]) {
        // What a record goes by while another is the machine leaves what is known of it as it is.
        if self
            .by_id
            .get(&device.id)
            .is_some_and(|known| known != first)
        {
            return;
        }
        self.by_id.insert(device.id.clone(), first.to_owned());
        self.bearer.insert(first.to_owned(), device.id.clone());
        let known = [&mut self.by_serial, &mut self.by_client];
        for ((known, of), alone) in known.into_iter().zip(TRAITS).zip(alone) {
            if let Some(value) = of(device).filter(|value| alone.contains(*value)) {
                known.insert(value.clone(), first.to_owned());
            }
        }
    }
}

/// The values of a trait that one device has and no other.
fn unique(devices: &[Device], of: fn(&Device) -> Option<&String>) -> HashSet<String> {
    let mut seen: HashMap<&String, bool> = HashMap::new();
    for value in devices.iter().filter_map(of) {
        seen.entry(value)
            .and_modify(|alone| *alone = false)
            .or_insert(true);
    }
    seen.into_iter()
        .filter(|(_, alone)| *alone)
        .map(|(value, _)| value.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Fact;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        /// Whatever records come and go: no two devices are taken for one, the order in which they
        /// are listed does not matter, and one that is seen without a break keeps its first id.
        #[test]
        fn no_two_devices_have_one_first_id(
            passes in vec(vec((0..6_u8, 0..4_u8, 0..4_u8), 0..6), 1..8)
        ) {
            let mut identities = Identities::default();
            let mut last: HashMap<String, String> = HashMap::new();
            for pass in passes {
                let records: HashMap<u8, (u8, u8)> =
                    pass.into_iter().map(|(id, serial, client)| (id, (serial, client))).collect();
                let mut devices: Vec<Device> = records
                    .into_iter()
                    .map(|(id, (serial, client))| Device {
                        client_id: Fact::Known(format!("C{client}")),
                        ..device(&format!("d{id}"), &format!("S{serial}"))
                    })
                    .collect();
                devices.sort_by(|a, b| a.id.cmp(&b.id));
                identities.carry(&mut devices);
                let firsts: HashMap<String, String> = devices
                    .into_iter()
                    .map(|device| (device.id.clone(), device.first_id.unwrap_or(device.id)))
                    .collect();
                let distinct: HashSet<&String> = firsts.values().collect();
                prop_assert_eq!(distinct.len(), firsts.len(), "{:?}", firsts);
                for (id, first) in &firsts {
                    // An id that is only lent ends when the machine goes.
                    if let Some(before) = last.get(id).filter(|_| identities.by_id[id] == last[id]) {
                        prop_assert_eq!(before, first);
                    }
                }
                last = firsts;
            }
        }
    }

    fn device(id: &str, serial: &str) -> Device {
        Device {
            id: id.into(),
            serial_number: Fact::Known(serial.into()),
            ..Device::default()
        }
    }

    fn carried(identities: &mut Identities, mut devices: Vec<Device>) -> Vec<Option<String>> {
        identities.carry(&mut devices);
        devices.into_iter().map(|device| device.first_id).collect()
    }

    #[test]
    fn a_re_imaged_machine_keeps_its_first_id() {
        let mut identities = Identities::default();
        carried(&mut identities, vec![device("a", "S1"), device("b", "S2")]);
        let again = carried(&mut identities, vec![device("c", "S1"), device("b", "S2")]);
        assert_eq!(again, [Some("a".to_owned()), None]);
        let later = carried(&mut identities, vec![device("d", "S1")]);
        assert_eq!(later, [Some("a".to_owned())]);
    }

    #[test]
    fn a_machine_without_a_serial_number_is_known_by_its_client() {
        let client = |id: &str| Device {
            client_id: Fact::Known("7f0c".into()),
            serial_number: Fact::Absent,
            ..device(id, "")
        };
        let mut identities = Identities::default();
        carried(&mut identities, vec![client("a")]);
        assert_eq!(
            carried(&mut identities, vec![client("b")]),
            [Some("a".to_owned())]
        );
    }

    #[test]
    fn an_old_record_that_comes_back_takes_nothing_from_the_one_that_followed_it() {
        let mut identities = Identities::default();
        carried(&mut identities, vec![device("a", "S1")]);
        carried(&mut identities, vec![device("c", "S1")]);
        for _ in 0..2 {
            let both = carried(&mut identities, vec![device("a", "S1"), device("c", "S1")]);
            assert_eq!(both, [Some("a#2".to_owned()), Some("a".to_owned())]);
        }
        // The follower goes, and the old record is the machine again.
        assert_eq!(carried(&mut identities, vec![device("a", "S1")]), [None]);
        let both = carried(&mut identities, vec![device("a", "S1"), device("c", "S1")]);
        assert_eq!(both, [None, None]);
    }

    #[test]
    fn a_serial_number_of_several_devices_says_nothing() {
        let mut identities = Identities::default();
        carried(&mut identities, vec![device("a", "S1")]);
        let again = carried(&mut identities, vec![device("b", "S1"), device("c", "S1")]);
        assert_eq!(again, [None, None]);
    }

    #[test]
    fn a_new_machine_is_not_taken_for_one_that_is_still_there() {
        let mut identities = Identities::default();
        carried(&mut identities, vec![device("a", "S1")]);
        let again = carried(&mut identities, vec![device("a", "S9"), device("b", "S1")]);
        assert_eq!(again, [None, None]);
    }
}
