//! The oracle: what a history must be like, worked out apart from the code that made it.
//!
//! It knows what the seed had people commit, say and do, the site's log of writes, and what is true of the
//! devices. Of the loop it takes nothing but what waited and where it said a rollout was, and that only to
//! explain an end. Where the loop may know less than is true (a service failed, a process was killed), the
//! oracle demands only what must hold all the same.

mod asked;
mod end;
mod eras;
mod ledger;
mod pace;
mod rails;
mod rules;
mod site;
mod steps;
mod stops;

use diarchy_simulator::{Effect, Finding};
use jiff::SignedDuration;

use crate::history::{History, Pass};
use site::Site;

/// What a check looks at: the site, as one write or one pass finds it.
pub struct Moment<'h> {
    pub history: &'h History,
    /// The number of the pass.
    pub number: usize,
    pub pass: &'h Pass,
    pub site: &'h Site,
}

impl Moment<'_> {
    /// Whether a rule is taken back that may never have made a member: that changes nothing for the device.
    pub fn is_withdrawn(&self, write: &Write) -> bool {
        let made = self.site.made(&write.collection, write.resource);
        let at = self.history.log[write.entry].at;
        let is_new =
            made.is_some_and(|made| at.duration_since(made) < SignedDuration::from_hours(12));
        // The site may have been kept from evaluating it for longer.
        let owned = self.site.owned.get(&write.collection);
        let is_elsewhere = owned
            .zip(self.device(write.resource))
            .is_some_and(|(owned, truth)| !truth.actual.contains(&owned.workload));
        !write.adds && (is_new || is_elsewhere)
    }
}

/// A direct rule that was made or taken away.
#[derive(Debug, Clone)]
pub struct Write {
    /// Its entry in the log.
    pub entry: usize,
    pub collection: String,
    pub resource: u32,
    pub adds: bool,
}

/// Something that is watched over a whole history.
pub trait Check {
    /// A pass begins, or would have.
    fn begin(&mut self, _moment: &Moment<'_>, _found: &mut Vec<String>) {}
    /// A rule is about to change.
    fn write(&mut self, _moment: &Moment<'_>, _write: &Write, _found: &mut Vec<String>) {}
    /// Everything has happened.
    fn end(&mut self, _history: &History, _site: &Site, _found: &mut Vec<String>) {}
}

/// Whether what was there was asked for once more because a service that failed did not show it. The site
/// has refused that, so that nothing came of it.
fn was_hidden(history: &History, finding: &Finding) -> bool {
    let at = usize::try_from(finding.sequence).unwrap_or(usize::MAX) - 1;
    let was_refused = matches!(history.log[at].effect, Effect::Refused { .. });
    let mut passes = history.passes.iter();
    let pass = passes.find(|pass| (pass.log.0..pass.log.1).contains(&at));
    was_refused && pass.is_some_and(|pass| !pass.is_clean)
}

/// What is wrong with a history: nothing, or lines for people to read.
pub fn judge(history: &History) -> Vec<String> {
    let mut found = Vec::new();
    let mut verdict = history.verdict.clone();
    verdict
        .repeated
        .retain(|finding| !was_hidden(history, finding));
    if !verdict.is_clean() {
        found.push(format!("the site's own judge: {verdict:?}"));
    }
    let mut checks: Vec<Box<dyn Check>> = vec![
        Box::new(asked::Asked),
        Box::new(rails::Rails::default()),
        Box::new(steps::Steps::default()),
        Box::new(stops::Stops::default()),
        Box::new(ledger::Ledger),
        Box::new(pace::Pace::default()),
        Box::new(end::End),
    ];
    let mut site = Site::new(&history.first_members);
    let mut entry = 0;
    for (number, pass) in history.passes.iter().enumerate() {
        // What people did at the site before the pass.
        while entry < pass.log.0 {
            site.take(&history.log[entry]);
            entry += 1;
        }
        site.forget_owners(history.in_force(pass));
        for check in &mut checks {
            let moment = Moment {
                history,
                number,
                pass,
                site: &site,
            };
            check.begin(&moment, &mut found);
        }
        while entry < pass.log.1 {
            for write in site::writes(&history.log[entry], entry) {
                for check in &mut checks {
                    let moment = Moment {
                        history,
                        number,
                        pass,
                        site: &site,
                    };
                    check.write(&moment, &write, &mut found);
                }
                site.change(&write, history.log[entry].at);
            }
            site.take(&history.log[entry]);
            entry += 1;
        }
    }
    for check in &mut checks {
        check.end(history, &site, &mut found);
    }
    found
}
