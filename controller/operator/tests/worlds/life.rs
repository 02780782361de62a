//! One world's life: what its seed has people, services and processes do.

use std::collections::BTreeSet;
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_core::rollout::{Act as Saying, Phase};
use diarchy_operator::report::FleetReport;
use diarchy_operator::store::GivenApproval;
use diarchy_simulator::{Act, Options, Setup, Truth, Workload};

use crate::draw::Draw;
use crate::history::{Deed, Done, History, Pass};
use crate::house::{Ending, House};
use crate::post::Kill;
use crate::repository::{INTERVAL_HOURS, NAME, Repository};
use crate::{commits, estate, faults, fleet};

/// How the services behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Services {
    Well,
    /// They fail, and say so.
    Failing,
    /// They may end lists early without a word.
    Cutting,
}

/// A world on its way.
pub struct Life {
    pub house: House,
    pub draw: Draw,
    pub history: History,
    /// What was committed last, valid or not.
    head: Repository,
    /// The revision that is in force, and the valid one that comes into force.
    in_force: Option<usize>,
    wanted: Option<usize>,
    fleet_suspended: bool,
    suspended: BTreeSet<String>,
    report: Option<FleetReport>,
    services: Services,
    has_fuse: bool,
    said: usize,
}

/// So many passes without anything are longer than any soak, deadline or window of a world.
const LONGEST_WAIT: usize = 24;
const MOST_PASSES_TO_REST: usize = 300;

/// Whether nothing was written, and nothing waits.
fn is_quiet(pass: &Pass) -> bool {
    let is_idle = |report: &FleetReport| report.waiting.is_none() && report.stopped.is_none();
    pass.log.0 == pass.log.1 && pass.report.as_ref().is_some_and(is_idle)
}

/// Whether every rollout has ended.
fn is_done(pass: &Pass) -> bool {
    let has_ended = |phase| matches!(phase, Phase::Complete | Phase::Halted | Phase::RolledBack);
    let mut rollouts = pass.report.iter().flat_map(|report| &report.rollouts);
    rollouts.all(|rollout| has_ended(rollout.phase))
}

/// Lives the world of `seed` to its end.
pub fn live(seed: u64) -> History {
    let mut draw = Draw::new(seed);
    let clock = Clock::manual(fleet::beginning());
    let setup = fleet::setup(&mut draw, seed);
    let mut options = Options::new(setup.clone(), clock.clone());
    options.behaviour.admin_page_size = draw.happens(30).then_some(7);
    options.behaviour.graph_page_size = *draw.pick(&[5, 20, 250]);
    let world = diarchy_simulator::unserved(options).unwrap();
    let truths = world.control().truths();
    let head = fleet::first(&mut draw, seed, &setup, &truths);
    let mut life = Life {
        house: House::new(clock, world),
        draw,
        history: History::default(),
        head: head.clone(),
        in_force: None,
        wanted: None,
        fleet_suspended: false,
        suspended: BTreeSet::new(),
        report: None,
        services: Services::Well,
        has_fuse: false,
        said: 0,
    };
    life.history.first_members = life.first_members(&setup);
    life.commit(head);
    for _ in 0..life.draw.between(20, 40) {
        life.round();
    }
    life.come_to_rest();
    life.end()
}

impl Life {
    fn did(&mut self, deed: Deed) {
        let at = self.house.clock.now();
        self.history.deeds.push(Done { at, deed });
    }

    fn commit(&mut self, next: Repository) {
        let number = self.history.revisions.len();
        self.house.commit(&next.yaml());
        if !next.is_broken {
            self.wanted = Some(number);
        }
        self.history.revisions.push(next.clone());
        self.head = next;
        self.did(Deed::Commit(number));
    }

    fn first_members(&self, setup: &Setup) -> BTreeSet<(Workload, u32)> {
        let control = self.house.world.control();
        let mut first = BTreeSet::new();
        for (workload, slider) in &setup.workloads {
            let pilot = slider.pilot_collection.as_ref();
            let members = pilot.and_then(|pilot| control.members(pilot));
            let members = members.into_iter().flatten();
            first.extend(members.map(|resource| (*workload, resource)));
        }
        for truth in self.truths() {
            let there = truth.resource_id.into_iter();
            first.extend(there.flat_map(|resource| {
                let workloads = truth.actual.iter();
                workloads.map(move |workload| (*workload, resource))
            }));
        }
        first
    }

    pub fn truths(&self) -> Vec<Truth> {
        self.house.world.control().truths()
    }

    /// Some time passes, things happen, and the loop looks.
    fn round(&mut self) {
        let hours = if self.draw.happens(6) {
            self.draw.between(8, 60)
        } else {
            self.draw.between(1, INTERVAL_HOURS)
        };
        self.wait(hours);
        self.people();
        self.accidents();
        let kill = self.draw.happens(14).then(|| {
            let number = self.draw.between(1, 45);
            if self.draw.happens(50) {
                Kill::Before(number)
            } else {
                Kill::After(number)
            }
        });
        self.pass(kill);
    }

    fn wait(&self, hours: usize) {
        self.house.clock.advance(Duration::from_hours(hours as u64));
    }

    fn people(&mut self) {
        if self.draw.happens(28) {
            let (now, truths) = (self.house.clock.now(), self.truths());
            let next = commits::next(&mut self.draw, &self.head, &truths, now);
            self.commit(next);
        }
        if self.draw.happens(60) {
            self.approve();
        }
        if self.draw.happens(8) {
            self.say();
        }
        if self.draw.happens(9) {
            self.suspend_or_resume();
        }
        if self.draw.happens(14)
            && let Some(act) = estate::act(self)
        {
            self.at_site(act);
        }
    }

    pub fn at_site(&mut self, act: Act) {
        if self.house.world.control().act(act.clone()).is_ok() {
            self.did(Deed::Estate(act));
        }
    }

    fn accidents(&mut self) {
        let control = self.house.world.control();
        if self.services != Services::Well && self.draw.happens(55) {
            control.clear_all();
            self.services = Services::Well;
            self.did(Deed::Mend);
        }
        if self.draw.happens(22) {
            let fault = faults::fault(&mut self.draw);
            self.services = self.services.max(if faults::cuts(&fault) {
                Services::Cutting
            } else {
                Services::Failing
            });
            self.did(Deed::Fault(format!("{fault:?}")));
            control.inject(fault);
        }
        if self.draw.happens(5) {
            self.house.restart();
            self.did(Deed::Restart);
        }
        if self.draw.happens(5) {
            let writes = self.draw.below(12);
            self.house.blow_after(Some(writes));
            self.has_fuse = true;
            self.did(Deed::Fuse(writes));
        }
    }

    /// Says yes to everything that was seen to wait for a person.
    fn approve(&mut self) {
        let Some(report) = self.report.clone() else {
            return;
        };
        let plan = report.waiting.iter();
        let plan = plan.filter(|waiting| {
            // An inventory that has shrunk is a fault here, which nobody approves.
            waiting.reason != "MaxInventoryShrink" && waiting.reason != "ClaimedByAnother"
        });
        let plans = plan.map(|waiting| (waiting.digest.clone(), Deed::ApprovePlan));
        let steps = report.rollouts.iter().filter_map(|rollout| {
            let deed = Deed::ApproveStep(rollout.assignment.name.clone());
            Some((rollout.digest.clone()?, deed))
        });
        for (digest, deed) in plans.chain(steps) {
            let store = &self.house.store;
            if let Some(revision) = store.waiting_revision(&digest).unwrap() {
                let approval = GivenApproval {
                    digest,
                    revision,
                    approver: "somebody".to_owned(),
                    at: self.house.clock.now(),
                    expires: None,
                    id: None,
                };
                store.approve(&approval).unwrap();
                self.did(deed);
            }
        }
    }

    /// Has a rollout do what makes sense where it was seen last.
    fn say(&mut self) {
        let rollouts = self
            .report
            .iter()
            .flat_map(|report| report.rollouts.clone());
        let rollouts: Vec<_> = rollouts.collect();
        if rollouts.is_empty() {
            return;
        }
        let rollout = self.draw.pick(&rollouts);
        let saying = match rollout.phase {
            Phase::Halted | Phase::RolledBack => Saying::Retry,
            Phase::Complete | Phase::AwaitingApproval => return,
            _ if self.draw.happens(60) => Saying::Promote,
            _ => Saying::Abort,
        };
        self.said += 1;
        let text = self.said.to_string();
        let (store, name) = (&self.house.store, &rollout.assignment);
        store.act(name, saying, &text).unwrap();
        self.did(Deed::Say(name.name.clone(), saying.name()));
    }

    fn suspend_or_resume(&mut self) {
        let names: Vec<_> = self.head.assignments.keys().cloned().collect();
        if self.fleet_suspended {
            self.pause(None, false);
        } else if let Some(name) = self.suspended.first().cloned() {
            self.pause(Some(name), false);
        } else if names.is_empty() || self.draw.happens(40) {
            self.pause(None, true);
        } else {
            let name = self.draw.pick(&names).clone();
            self.pause(Some(name), true);
        }
    }

    fn pause(&mut self, assignment: Option<String>, is_paused: bool) {
        let named = match &assignment {
            None => (Kind::Fleet, ObjectName::new(NAME, NAME)),
            Some(name) => (Kind::WorkloadAssignment, ObjectName::new(NAME, name)),
        };
        self.house.store.pause(&named, is_paused).unwrap();
        match &assignment {
            None => self.fleet_suspended = is_paused,
            Some(name) if is_paused => drop(self.suspended.insert(name.clone())),
            Some(name) => drop(self.suspended.remove(name)),
        }
        self.did(if is_paused {
            Deed::Suspend(assignment)
        } else {
            Deed::Resume(assignment)
        });
    }

    fn pass(&mut self, kill: Option<Kill>) {
        let control = self.house.world.control();
        let (began, first, truths) = (self.house.clock.now(), control.logged(), self.truths());
        // A revision that is valid comes into force as soon as it is seen.
        self.in_force = if self.head.is_broken {
            self.in_force
        } else {
            self.wanted
        };
        let ending = self.house.pass(kill);
        let has_fuse = std::mem::take(&mut self.has_fuse);
        if has_fuse {
            self.house.blow_after(None);
        }
        let report = match &ending {
            Ending::Ended(report) => report.fleets.first().cloned(),
            Ending::Failed(_) | Ending::Killed => None,
        };
        let is_whole = |report: &FleetReport| report.problems.is_empty();
        let pass = Pass {
            began,
            ended: self.house.clock.now(),
            deeds: self.history.deeds.len(),
            log: (first, control.logged()),
            revision: self.in_force,
            fleet_suspended: self.fleet_suspended,
            suspended: self.suspended.clone(),
            truths,
            is_clean: self.services == Services::Well
                && !has_fuse
                && report.as_ref().is_some_and(is_whole),
            is_cut: self.services == Services::Cutting,
            ending: in_words(&ending),
            report: report.clone(),
        };
        self.history.passes.push(pass);
        self.report = report.or(self.report.take());
        // Whoever was killed, or could not write, is begun anew.
        if !matches!(ending, Ending::Ended(_)) {
            self.house.restart();
        }
    }

    /// Everything is mended, resumed and turned on; what waits is approved, until nothing happens any
    /// more.
    fn come_to_rest(&mut self) {
        self.house.world.control().clear_all();
        self.services = Services::Well;
        self.did(Deed::Mend);
        if self.fleet_suspended {
            self.pause(None, false);
        }
        for name in self.suspended.clone() {
            self.pause(Some(name), false);
        }
        for truth in self.truths() {
            let (device, online) = (truth.device, true);
            self.at_site(Act::SetPresence { device, online });
        }
        let mut last = self.head.clone();
        last.is_broken = false;
        (last.fleet.suspended, last.fleet.observes) = (false, false);
        self.commit(last);
        let (mut quiet, mut done) = (0, 0);
        for _ in 0..MOST_PASSES_TO_REST {
            self.wait(INTERVAL_HOURS);
            self.approve();
            self.pass(None);
            (quiet, done) = match self.history.passes.last() {
                Some(pass) if is_quiet(pass) => {
                    (quiet + 1, if is_done(pass) { done + 1 } else { 0 })
                }
                _ => (0, 0),
            };
            if done == 5 || quiet == LONGEST_WAIT {
                self.history.is_at_rest = true;
                return;
            }
        }
    }

    fn end(mut self) -> History {
        let control = self.house.world.control();
        self.history.truths = self.truths();
        self.history.log = control.log();
        self.history.verdict = control.judge();
        let trail = self.house.store.audit_trail(0, usize::MAX).unwrap();
        self.history.audit = trail.into_iter().map(|(_, entry)| entry).collect();
        self.history
    }
}

fn in_words(ending: &Ending) -> String {
    match ending {
        Ending::Ended(report) if report.refused.is_some() => "ended, refused".to_owned(),
        Ending::Ended(_) => "ended".to_owned(),
        // The error names a file, which is another one each time.
        Ending::Failed(_) => "failed".to_owned(),
        Ending::Killed => "killed".to_owned(),
    }
}
