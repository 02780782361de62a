//! The published throttling limits, on the world's own time.

use std::collections::{HashMap, VecDeque};

use crate::moment::{Moment, SECOND, millis};
use crate::setup::Limits;

/// A class of requests that is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Meter {
    GraphGlobal,
    GraphDevices,
    GraphDeviceWrites,
    GraphOther,
    GraphOtherWrites,
    /// By address of the client.
    AdminService(std::net::IpAddr),
}

/// How long a throttled caller has to wait, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Throttled {
    pub(crate) wait: i64,
}

/// The recent requests of each class.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    recent: HashMap<Meter, VecDeque<Moment>>,
}

impl Throttle {
    /// Counts a request in each of `meters`; all of them count, also when one is over its limit.
    pub(crate) fn count(
        &mut self,
        limits: &Limits,
        meters: impl IntoIterator<Item = Meter>,
        now: Moment,
    ) -> Result<(), Throttled> {
        let mut wait = 0;
        for meter in meters {
            let (limit, window) = bounds(limits, &meter);
            let recent = self.recent.entry(meter).or_default();
            while recent.front().is_some_and(|at| *at <= now - window) {
                recent.pop_front();
            }
            recent.push_back(now);
            let over = recent.len().saturating_sub(limit as usize);
            if over > 0 {
                // When this request, repeated, would find one place free.
                let free = recent.get(over).copied().unwrap_or(now) + window;
                wait = wait.max((free - now).max(1));
            }
        }
        if wait > 0 {
            return Err(Throttled { wait });
        }
        Ok(())
    }
}

fn bounds(limits: &Limits, meter: &Meter) -> (u32, i64) {
    let window = millis(limits.graph_window);
    match meter {
        Meter::GraphGlobal => (limits.graph_global, millis(limits.graph_global_window)),
        Meter::GraphDevices => (limits.graph_devices, window),
        Meter::GraphDeviceWrites => (limits.graph_devices_writes, window),
        Meter::GraphOther => (limits.graph_other, window),
        Meter::GraphOtherWrites => (limits.graph_other_writes, window),
        Meter::AdminService(_) => (limits.admin_service, SECOND),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_and_refused_requests_count() {
        let limits = Limits {
            graph_devices: 3,
            ..Limits::default()
        };
        let mut throttle = Throttle::default();
        let mut ask = |now| throttle.count(&limits, [Meter::GraphDevices], now);
        for now in [0, 1000, 2000] {
            assert_eq!(ask(now), Ok(()));
        }
        let refused = ask(3000).expect_err("throttled");
        assert_eq!(refused.wait, 18_000);
        assert_eq!(ask(21_500), Ok(()));
        assert!(ask(21_600).is_err());
        assert_eq!(ask(60_000), Ok(()));
    }

    #[test]
    fn classes_do_not_disturb_each_other() {
        let limits = Limits {
            graph_other: 1,
            ..Limits::default()
        };
        let mut throttle = Throttle::default();
        assert!(throttle.count(&limits, [Meter::GraphOther], 0).is_ok());
        assert!(throttle.count(&limits, [Meter::GraphDevices], 0).is_ok());
        assert!(throttle.count(&limits, [Meter::GraphOther], 0).is_err());
    }
}
