//! No more changes in any hour than the fleet's pace.

use diarchy_simulator::Workload;
use jiff::{SignedDuration, Timestamp};

use super::{Check, Moment, Write};

/// What was changed in the last hour.
#[derive(Debug, Default)]
pub struct Pace {
    /// When, in which pass, and for which device and workload: who is in two collections is taken out of both
    /// at once, which is one change.
    lately: Vec<(Timestamp, usize, (Workload, u32))>,
}

impl Check for Pace {
    fn write(&mut self, moment: &Moment<'_>, write: &Write, found: &mut Vec<String>) {
        let in_force = moment.history.in_force(moment.pass);
        let pace = in_force.and_then(|repository| repository.fleet.pace);
        let owned = moment.site.owned.get(&write.collection);
        let (Some(pace), Some(owned)) = (pace, owned) else {
            return;
        };
        let now = moment.history.log[write.entry].at;
        let hour = SignedDuration::from_hours(1);
        self.lately
            .retain(|(at, ..)| now.duration_since(*at) < hour);
        let pair = (owned.workload, write.resource);
        let is_known = |(_, pass, known): &(_, _, _)| (*pass, *known) == (moment.number, pair);
        if !self.lately.iter().any(is_known) {
            self.lately.push((now, moment.number, pair));
        }
        if self.lately.len() > pace {
            found.push(format!(
                "pass {}: {} changes in an hour, of which {pace} are allowed",
                moment.number,
                self.lately.len()
            ));
        }
    }
}
