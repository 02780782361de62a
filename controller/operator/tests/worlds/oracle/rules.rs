//! Who decides about a device: the six rules, written down once more.

use diarchy_simulator::{Truth, Workload};

use super::Moment;
use super::site::{Owned, Site};
use crate::repository::{Assignment, Repository};

/// An assignment that may decide.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'h> {
    pub name: &'h str,
    pub assignment: &'h Assignment,
    /// Whether it decides if none before it does. Rollouts may not have let the device in.
    pub is_sure: bool,
    /// Whether it asks and takes back.
    pub is_in_force: bool,
}

impl<'h> Moment<'h> {
    /// The revision in force.
    pub fn repository(&self) -> Option<&'h Repository> {
        self.history.in_force(self.pass)
    }

    /// The device with this number of the site's, as the pass finds it.
    pub fn device(&self, resource: u32) -> Option<&'h Truth> {
        let mut truths = self.pass.truths.iter();
        truths.find(|truth| truth.resource_id == Some(resource))
    }

    /// Whether an assignment asks and takes back.
    pub fn is_in_force(&self, name: &str, one: &Assignment) -> bool {
        !one.observes && !self.is_suspended(name, one)
    }

    /// Whether git or a person has suspended an assignment.
    fn is_suspended(&self, name: &str, one: &Assignment) -> bool {
        one.suspended || self.pass.suspended.contains(name)
    }

    /// Whether something that is suspended may keep the device with Configuration Manager.
    pub fn is_kept_back(&self, truth: &Truth, workload: Workload) -> bool {
        let repository = self.repository().into_iter();
        let mut assignments = repository.flat_map(|one| &one.assignments);
        assignments.any(|(name, one)| {
            one.workload == workload
                && !one.to_intune
                && self.is_suspended(name, one)
                && self.selects(one, truth)
        }) && !truth.actual.contains(&workload)
    }

    /// Whether an assignment's group has the device.
    pub fn selects(&self, one: &Assignment, truth: &Truth) -> bool {
        self.repository().is_some_and(|repository| {
            repository.contains(&one.group, &truth.name, &truth.serial_number)
        })
    }

    /// Those that may decide about the device, the strongest first, to the first that does so for sure.
    pub fn candidates(&self, truth: &Truth, workload: Workload) -> Vec<Candidate<'h>> {
        let mut candidates = Vec::new();
        for candidate in self.contenders(truth, workload) {
            candidates.push(candidate);
            if candidate.is_sure {
                break;
            }
        }
        candidates
    }

    /// Those that select the device, the strongest first.
    fn contenders(&self, truth: &Truth, workload: Workload) -> Vec<Candidate<'h>> {
        let Some(repository) = self.repository() else {
            return Vec::new();
        };
        let mut contenders: Vec<_> = repository
            .assignments
            .iter()
            // One that is suspended stands still, whether or not it would only watch.
            .filter(|(name, one)| {
                one.workload == workload && (!one.observes || self.is_suspended(name, one))
            })
            .filter_map(|(name, one)| self.candidate(name, one, truth))
            .collect();
        contenders.sort_by_key(|one| std::cmp::Reverse(one.assignment.priority));
        contenders
    }

    fn candidate(
        &self,
        name: &'h str,
        assignment: &'h Assignment,
        truth: &Truth,
    ) -> Option<Candidate<'h>> {
        let is_in_force = self.is_in_force(name, assignment);
        let takes_part = if is_in_force {
            self.selects(assignment, truth)
        } else {
            is_where_it_put_it(self.site, name, assignment, truth, || {
                self.selects(assignment, truth)
            })
        };
        takes_part.then_some(Candidate {
            name,
            assignment,
            is_sure: is_in_force && assignment.rollout.is_none(),
            is_in_force,
        })
    }

    /// Whom the device is to have when every rollout is at its end, and none has gone back. `None` where it
    /// cannot be told: an assignment that is frozen may count for it, or a rollout may have gone back.
    pub fn in_the_end(&self, truth: &Truth, workload: Workload) -> Option<bool> {
        if workload == Workload::EndpointProtection
            && self.is_piloted(Workload::DeviceConfiguration)
            && self.in_the_end(truth, Workload::DeviceConfiguration)?
            && let Some(first) = self
                .contenders(truth, Workload::DeviceConfiguration)
                .first()
            && first.is_in_force
        {
            return Some(true);
        }
        let contenders = self.contenders(truth, workload);
        let Some(first) = contenders.first() else {
            return Some(false);
        };
        let may_have_gone_back = first
            .assignment
            .rollout
            .as_ref()
            .is_some_and(|rollout| rollout.rolls_back);
        (first.is_in_force && !may_have_gone_back).then_some(first.assignment.to_intune)
    }

    /// Those that decide about the device in the end, the strongest first: for EndpointProtection those of
    /// DeviceConfiguration before its own, where they take it to Intune.
    pub fn deciding(&self, truth: &Truth, workload: Workload) -> Vec<Candidate<'h>> {
        let mut deciding = Vec::new();
        if workload == Workload::EndpointProtection
            && self.is_piloted(Workload::DeviceConfiguration)
        {
            let configuration = self.contenders(truth, Workload::DeviceConfiguration);
            let takes_along = |one: &&Candidate<'_>| one.assignment.to_intune;
            deciding.extend(configuration.first().filter(takes_along));
        }
        deciding.extend(self.contenders(truth, workload));
        deciding
    }

    /// Whether the assignment decides about the device once its rollout has let it in.
    pub fn is_own(&self, name: &str, truth: &Truth, workload: Workload) -> bool {
        let deciding = self.deciding(truth, workload);
        deciding
            .first()
            .is_some_and(|first| first.name == name && first.is_in_force)
    }

    /// Whether a holder lets a device go that nobody asks for.
    pub fn gives_back(&self, owned: &Owned) -> bool {
        if owned.is_gone {
            return owned.reverts;
        }
        let repository = self.repository();
        let one = repository.and_then(|repository| repository.assignments.get(&owned.owner));
        one.is_some_and(|one| self.is_in_force(&owned.owner, one))
    }

    pub fn is_piloted(&self, workload: Workload) -> bool {
        self.repository()
            .is_some_and(|repository| repository.pilots.contains(&workload))
    }
}

/// Whether a device is where an assignment that is frozen has put it.
fn is_where_it_put_it(
    site: &Site,
    name: &str,
    one: &Assignment,
    truth: &Truth,
    selects: impl Fn() -> bool,
) -> bool {
    let Some(resource) = truth.resource_id else {
        return false;
    };
    if one.to_intune {
        site.is_placed(one.workload, name, resource)
    } else {
        selects() && !site.is_held(one.workload, resource)
    }
}
