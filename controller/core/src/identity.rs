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
}

impl Identities {
    /// Gives every device the first id it was ever known by, and remembers the new ones.
    ///
    /// A device with an id never seen is an old one if its serial number is its alone, belonged to
    /// a device known before, and nothing else in the inventory is that device.
    pub fn carry(&mut self, devices: &mut [Device]) {
        let mut serials: HashMap<String, usize> = HashMap::new();
        for serial in devices.iter().filter_map(serial) {
            *serials.entry(serial).or_default() += 1;
        }
        let mut present: HashSet<String> = devices
            .iter()
            .filter_map(|device| self.by_id.get(&device.id).cloned())
            .collect();
        for device in devices {
            let serial = serial(device).filter(|serial| serials.get(serial) == Some(&1));
            let first = self.first_id(device, serial.as_ref(), &present);
            present.insert(first.clone());
            self.by_id.insert(device.id.clone(), first.clone());
            if let Some(serial) = serial {
                self.by_serial.insert(serial, first.clone());
            }
            device.first_id = (first != device.id).then_some(first);
        }
    }

    fn first_id(
        &self,
        device: &Device,
        serial: Option<&String>,
        present: &HashSet<String>,
    ) -> String {
        if let Some(first) = self.by_id.get(&device.id) {
            return first.clone();
        }
        if let Some(first) = &device.first_id {
            return first.clone();
        }
        serial
            .and_then(|serial| self.by_serial.get(serial))
            .filter(|first| !present.contains(*first))
            .unwrap_or(&device.id)
            .clone()
    }
}

fn serial(device: &Device) -> Option<String> {
    device.serial_number.as_ref().known().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Fact;

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
