//! What the next pass would do, from what the state remembers: nothing is asked, and nothing written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::accept::{self, Basis, Waiting};
use diarchy_core::decision::Decision;
use diarchy_core::desired::Desired;
use diarchy_core::digest::Digest;
use diarchy_core::due::{Brakes, Due, due};
use diarchy_core::engine::Engine;
use diarchy_core::inventory::Device;
use diarchy_core::plan::Plan;
use diarchy_core::requirement::{Found, IntuneObject};
use diarchy_core::resource::ObjectName;
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::steps::steps;
use jiff::SignedDuration;

use crate::error::OperatorError;
use crate::hold::{Hold, shrink};
use crate::memory::{FleetMemory, Sizes};
use crate::requirements;
use crate::revert::{self, Existing};
use crate::rollouts::{self, Outlook};
use crate::store::Store;
use crate::write::{self, was_sent};

/// What a state file remembers of one fleet, for plans outside of the loop.
#[derive(Debug)]
pub struct Remembered {
    memory: FleetMemory,
    existing: Existing,
    /// The digests of steps and texts that people have approved and the loop has not seen yet.
    said_yes: BTreeSet<String>,
}

/// What the next pass would do.
#[derive(Debug)]
pub struct NextPass<'a> {
    /// The rules, with rollouts where they are.
    pub engine: Engine<'a>,
    /// The plan, cut down to what the next pass would write.
    pub plan: Plan,
    /// What would wait for a person.
    pub waiting: Option<Waiting>,
    /// Why nothing would be written.
    pub stopped: Option<Hold>,
}

impl Remembered {
    /// What `store` remembers of the fleet that git wants as `desired`.
    ///
    /// # Errors
    ///
    /// [`OperatorError::State`]
    pub fn read(store: &Store, desired: &Desired) -> Result<Self, OperatorError> {
        let mut memory = store.memory(&desired.fleet)?;
        let existing = Existing {
            uids: store.known_uids()?,
            said: store.acts()?,
            ..Existing::default()
        };
        let said_yes = store.said_yes(&memory)?;
        let said_yes = said_yes.into_iter().map(|given| given.digest).collect();
        if let Some(waiting) = &memory.waiting {
            // A yes that the loop has not seen yet counts in its next pass.
            let given = store.approval(&waiting.digest.to_string(), &waiting.revision)?;
            if let Some(given) = given.filter(|given| given.at >= waiting.since) {
                memory.say_yes(&given);
            }
        }
        revert::note(desired, &existing, &mut memory);
        Ok(Self {
            memory,
            existing,
            said_yes,
        })
    }

    /// The same of what is remembered after a pass, and of the assignments that exist.
    #[must_use]
    pub const fn after(memory: FleetMemory, existing: Existing) -> Self {
        Self {
            memory,
            existing,
            said_yes: BTreeSet::new(),
        }
    }

    /// The uids of the assignments that were there at the last pass.
    #[must_use]
    pub fn uids(&self) -> &BTreeMap<ObjectName, String> {
        &self.existing.uids
    }

    /// What the loop remembers.
    #[must_use]
    pub fn memory(&self) -> &FleetMemory {
        &self.memory
    }

    /// Gives devices the first ids that they were ever known by.
    pub fn carry(&self, devices: &mut [Device]) {
        self.memory.identities.clone().carry(devices);
    }

    /// What git asks, with the assignments that are gone and take their devices back.
    #[must_use]
    pub fn desired<'a>(&'a self, desired: &'a Desired) -> Cow<'a, Desired> {
        revert::with_stand_ins(desired, &self.existing.uids, &self.memory).0
    }

    /// The same, with assignments in force as far as what they require is ready by what was `found`.
    #[must_use]
    pub fn with_requirements(
        &self,
        desired: &Desired,
        found: &BTreeMap<IntuneObject, Found>,
    ) -> Desired {
        let Existing { uids, said, .. } = &self.existing;
        let is_attested = |digest: &Digest| self.said_yes.contains(&digest.to_string());
        requirements::judge(desired, found, uids, said, &self.memory, &is_attested)
    }

    /// What the next pass would do for `revision` with these `devices`, which `engine` judges.
    #[must_use]
    pub fn next_pass<'a>(
        &self,
        engine: Engine<'a>,
        devices: Sizes,
        revision: &str,
    ) -> NextPass<'a> {
        let mut memory = self.memory.clone();
        memory.forget_approvals(revision, engine.now());
        let outlook = Outlook {
            said: &self.existing.said,
            last: None,
            interval: SignedDuration::ZERO,
        };
        let is_approved = |step: &Digest| self.said_yes.contains(&step.to_string());
        let contradicted = memory.contradicted.keys().copied().collect();
        // Rules that are under way at the site are not in an inventory: what waits for them only
        // comes later than this says.
        let rules = RulesUnderWay::nothing();
        let site = rollouts::Site {
            rules: &rules,
            is_outside: &|_, _| false,
            contradicted,
        };
        let decision = rollouts::foresee(engine, &memory, outlook, site, &is_approved);
        let acceptance = accept::accept(
            &decision.engine,
            &decision.end,
            Basis {
                revision,
                before: memory.accepted.as_ref(),
                approvals: &memory.approved,
                is_whole: devices.site > 0 && devices.intune > 0,
                agreed: &decision.returning,
                under_way: &rules,
            },
        );
        let cleared = decision.cleared_now(&acceptance.cleared);
        let Decision {
            engine,
            survey,
            now: mut plan,
            ..
        } = decision;
        let stopped = Hold::by_git(&engine).or_else(|| shrink(&engine, Some(devices), &mut memory));
        let steps = steps(&engine, &rules, &cleared, &plan.hand_overs);
        let left = write::left(&engine, &mut memory);
        let brakes = Brakes {
            left,
            is_asked: &|step| was_sent(&engine, step, &memory),
            is_enrolling: &|_| false,
            contradicted,
            moves: &survey.moves,
        };
        let due = match &stopped {
            Some(_) => Due::default(),
            None => due(&engine, &steps, &acceptance.enrolling, &brakes),
        };
        plan.keep(&engine, &due);
        NextPass {
            plan,
            waiting: acceptance.waiting,
            stopped,
            engine,
        }
    }
}
