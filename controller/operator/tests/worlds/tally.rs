//! How much was lived.

use std::fmt;

use crate::history::{Deed, History};

#[derive(Debug, Default)]
pub struct Tally {
    worlds: usize,
    passes: usize,
    writes: usize,
    commits: usize,
    kills: usize,
    faults: usize,
    device_days: f64,
}

impl Tally {
    pub fn count(&mut self, history: &History) {
        let deeds = |is_meant: fn(&Deed) -> bool| {
            let deeds = history.deeds.iter();
            deeds.filter(|done| is_meant(&done.deed)).count()
        };
        self.worlds += 1;
        self.passes += history.passes.len();
        self.writes += history.verdict.writes;
        self.commits += history.revisions.len();
        let ended_early = history.passes.iter().filter(|pass| pass.report.is_none());
        self.kills += ended_early.count() + deeds(|deed| matches!(deed, Deed::Restart));
        self.faults += deeds(|deed| matches!(deed, Deed::Fault(_)));
        if let (Some(first), Some(last)) = (history.passes.first(), history.passes.last()) {
            let days = last.ended.duration_since(first.began).as_secs_f64() / 86_400.0;
            let devices = u32::try_from(history.truths.len()).expect("few devices");
            self.device_days += days * f64::from(devices);
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.passes += other.passes;
        self.writes += other.writes;
        self.commits += other.commits;
        self.kills += other.kills;
        self.faults += other.faults;
        self.device_days += other.device_days;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} worlds: {} passes, {} requests that write, {} commits, {} processes that ended early, \
             {} faults, {:.0} simulated device-days",
            self.worlds,
            self.passes,
            self.writes,
            self.commits,
            self.kills,
            self.faults,
            self.device_days
        )
    }
}
