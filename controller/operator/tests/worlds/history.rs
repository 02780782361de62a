//! What happened in one world, as somebody saw who stood beside it: what the oracle judges by.

use std::collections::BTreeSet;

use diarchy_operator::report::{FleetReport, RolloutReport};
use diarchy_simulator::{Act, Truth, Workload};
use jiff::Timestamp;

use crate::repository::Repository;

/// Something that was done between two passes.
#[derive(Debug, Clone)]
pub enum Deed {
    /// A revision was committed; its place among the revisions.
    Commit(usize),
    /// A person approved the plan that waited.
    ApprovePlan,
    /// A person let a rollout's next step begin.
    ApproveStep(String),
    /// A person said this of a rollout.
    Say(String, &'static str),
    /// A person suspended an assignment or, without a name, the fleet.
    #[expect(dead_code, reason = "for whoever reads a history")]
    Suspend(Option<String>),
    #[expect(dead_code, reason = "for whoever reads a history")]
    Resume(Option<String>),
    /// Somebody did something at the site.
    Estate(Act),
    /// Something began to go wrong with a service.
    #[expect(dead_code, reason = "for whoever reads a history")]
    Fault(String),
    /// Services are well again.
    Mend,
    /// The process was ended and begun again.
    Restart,
    /// The state file takes only so many more writes.
    #[expect(dead_code, reason = "for whoever reads a history")]
    Fuse(usize),
}

/// A deed, and when.
#[derive(Debug, Clone)]
pub struct Done {
    pub at: Timestamp,
    pub deed: Deed,
}

/// One pass.
#[derive(Debug, Clone)]
pub struct Pass {
    pub began: Timestamp,
    pub ended: Timestamp,
    /// The deeds before it.
    pub deeds: usize,
    /// The first entry of the site's log that is its own, and the first that is not any more.
    pub log: (usize, usize),
    /// The revision that was in force.
    pub revision: Option<usize>,
    /// Whether a person had suspended the fleet.
    pub fleet_suspended: bool,
    /// The assignments that people had suspended.
    pub suspended: BTreeSet<String>,
    /// What is true of the devices as it begins.
    pub truths: Vec<Truth>,
    /// Whether it ended by itself, with nothing going wrong around it.
    pub is_clean: bool,
    /// Whether lists may have ended early in it.
    pub is_cut: bool,
    /// What it reported of the fleet.
    pub report: Option<FleetReport>,
    /// How it ended, in a word.
    pub ending: String,
}

impl Pass {
    /// Whether a service may have left something out without a word.
    pub fn may_hide(&self) -> bool {
        let tells_all = |report: &FleetReport| report.problems.is_empty();
        !self.is_clean && (self.is_cut || self.report.as_ref().is_none_or(tells_all))
    }

    /// What it reported of an assignment's rollout.
    pub fn rollout(&self, assignment: &str) -> Option<&RolloutReport> {
        let report = self.report.as_ref()?;
        let mut rollouts = report.rollouts.iter();
        rollouts.find(|one| one.assignment.name == assignment)
    }
}

/// Everything.
#[derive(Debug, Default)]
pub struct History {
    pub revisions: Vec<Repository>,
    pub deeds: Vec<Done>,
    pub passes: Vec<Pass>,
    /// Whether nothing happened any more in the end.
    pub is_at_rest: bool,
    pub log: Vec<diarchy_simulator::Entry>,
    pub audit: Vec<diarchy_operator::audit::Entry>,
    pub verdict: diarchy_simulator::Verdict,
    /// The members of the pilot collections as the world begins, by the site's number, and devices that
    /// Intune has then.
    pub first_members: BTreeSet<(Workload, u32)>,
    /// What is true in the end.
    pub truths: Vec<Truth>,
}

impl History {
    /// The revision that was in force in a pass.
    pub fn in_force(&self, pass: &Pass) -> Option<&Repository> {
        Some(&self.revisions[pass.revision?])
    }
}
