//! How a device fares: what Intune's policies find, and what its client finds of itself.

use crate::authority::Switch;
use crate::mishap::{Mishap, MishapKind};
use crate::moment::Moment;
use crate::world::World;
use crate::world::device::Device;

/// The verdict of Intune on a device that is fine.
pub(crate) const COMPLIANT: &str = "compliant";

impl World {
    /// What Intune's policies find of a device that nothing befalls. It stays so: moving a workload makes
    /// nothing worse by itself.
    pub(crate) fn usual_verdict(&self, device: &Device) -> &'static str {
        match self.chance.below("compliance", device.number, 1000) {
            ..30 => "noncompliant",
            30..45 => "inGracePeriod",
            45..50 => "unknown",
            _ => COMPLIANT,
        }
    }

    /// What befalls a device once the workloads have moved, by lot. Only who is fine can fare badly.
    pub(crate) fn mishaps(&self, device: &Device) -> impl Iterator<Item = Mishap> {
        let is_fine = || {
            device.kind.follows_sliders()
                && !device.unhealthy
                && self.usual_verdict(device) == COMPLIANT
        };
        self.setup
            .mishaps
            .iter()
            .copied()
            .filter(move |mishap| is_fine() && mishap.is_drawn(self.chance, device.number))
    }

    /// The workloads after whose move this has befallen a device, in capability bits: those that have
    /// moved by switches that `counts`.
    pub(crate) fn befallen(
        &self,
        device: &Device,
        what: MishapKind,
        counts: impl Fn(&Switch) -> bool,
    ) -> u8 {
        let drawn = self
            .mishaps(device)
            .filter(|mishap| mishap.what == what)
            .fold(0, |bits, mishap| bits | mishap.workload.bit());
        if drawn == 0 {
            return 0;
        }
        let switches = self.switches(device);
        drawn & self.authority.gained(device.number, &switches, counts)
    }

    /// What a device says that it does, in capability bits, when it has switched as far as `counts`.
    pub(crate) fn told(
        &self,
        device: &Device,
        switches: &[Switch],
        counts: impl Fn(&Switch) -> bool,
    ) -> u8 {
        let does = self.authority.after(device.number, switches, &counts);
        does & !self.befallen(device, MishapKind::Silent, counts)
    }

    /// What Intune's policies found of a device at its sync at `synced`.
    pub(crate) fn verdict(&self, device: &Device, synced: Moment) -> &'static str {
        let has_moved = |switch: &Switch| switch.applied <= synced;
        let has_befallen = |what| self.befallen(device, what, has_moved) != 0;
        if has_befallen(MishapKind::ComplianceError) {
            // Without an evaluation there is nothing to be found.
            "error"
        } else if has_befallen(MishapKind::NotCompliant) {
            "noncompliant"
        } else {
            self.usual_verdict(device)
        }
    }

    /// Whether a device's client was ill when it synced with Intune at `synced`.
    pub(crate) fn is_ill(&self, device: &Device, synced: Moment) -> bool {
        let has_moved = |switch: &Switch| switch.applied <= synced;
        device.unhealthy || self.befallen(device, MishapKind::ClientUnhealthy, has_moved) != 0
    }

    /// Whether a device's client is ill, as far as the site was told.
    pub(crate) fn is_known_ill(&self, device: &Device) -> bool {
        let is_reported = |switch: &Switch| self.is_reported(switch);
        device.unhealthy || self.befallen(device, MishapKind::ClientUnhealthy, is_reported) != 0
    }

    /// When the site was last told how a client does that a move makes ill; none for all others, of whom
    /// no switch says anything new.
    pub(crate) fn told_health(&self, device: &Device) -> Option<Moment> {
        let falls_ill = self
            .mishaps(device)
            .any(|mishap| mishap.what == MishapKind::ClientUnhealthy);
        if !falls_ill {
            return None;
        }
        let switches = self.switches(device);
        let reported = switches.iter().filter_map(|switch| switch.reported);
        reported.filter(|reported| *reported <= self.now).max()
    }

    /// Whether the site has the state message about a switch.
    pub(crate) fn is_reported(&self, switch: &Switch) -> bool {
        switch.reported.is_some_and(|reported| reported <= self.now)
    }
}
