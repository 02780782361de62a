//! What differs between git and the cluster, and how it is made the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::git_source::{AppliedContent, GitSourceStatus};

use super::apply::{self, Held, Writer};
use super::content::{Content, Resource};
use super::difference::{REVISION, Removal, entry, is_as_written, other_source};
use super::error::SourceError;
use super::live::LiveObjects;
use super::signed;
use super::status::{InForce, Outcome};
use crate::tenant::Key;

/// By object, the applies that left it different from git: each is tried again when either has
/// changed.
pub type Tried = BTreeMap<Key, Try>;

/// An apply that left an object different from git.
pub struct Try {
    wanted: Resource,
    version: String,
    held: Held,
}

/// What is to be carried out.
pub struct Work {
    /// What git has.
    pub content: Arc<Content>,
    /// What the cluster has.
    pub live: LiveObjects,
    /// What is to be removed in the end.
    pub removals: Vec<Removal>,
    /// What was known of the source before.
    pub before: GitSourceStatus,
}

/// How an object is, beside git.
enum Standing<'a> {
    /// As git has it.
    Same,
    /// Another source's.
    OfOther(&'a str),
    /// Not as git has it, for this reason, and that was tried.
    Held(&'a Held),
    /// To be applied.
    Differs,
}

impl Work {
    /// Nothing of it was done.
    pub fn failed(self, error: SourceError) -> Outcome {
        let attempted = Some(self.content.revision.clone());
        Outcome {
            attempted,
            ..Outcome::failed(&self.before, error)
        }
    }

    /// What is in the cluster when this is carried out, and who has signed it.
    pub fn signed(&self) -> AppliedContent {
        signed::applied(&self.content, self.before.content.as_ref())
    }

    /// Whether something is to be written that was not tried before.
    pub fn changes(&self, source: &str, tried: &Tried) -> bool {
        let is_new = |resource: &Resource| {
            let is_known = || {
                tried
                    .get(&resource.key)
                    .is_some_and(|one| one.wanted == *resource)
            };
            matches!(self.standing(resource, source, tried), Standing::Differs) && !is_known()
        };
        !self.removals.is_empty() || self.content.resources().any(is_new)
    }

    fn standing<'w>(&'w self, resource: &Resource, source: &str, tried: &'w Tried) -> Standing<'w> {
        let key = &resource.key;
        let Some(now) = self.live.get(key) else {
            return Standing::Differs;
        };
        if let Some(other) = other_source(now, source, &self.live) {
            return Standing::OfOther(other);
        }
        if is_as_written(resource, now, source) {
            return Standing::Same;
        }
        let tried = tried.get(key);
        match tried.filter(|one| one.wanted == *resource && one.version == now.version) {
            Some(tried) => Standing::Held(&tried.held),
            None => Standing::Differs,
        }
    }

    /// Applies what differs, stage by stage, and then removes what git has no more.
    pub async fn carry_out(self, writer: &Writer<'_>, tried: &mut Tried) -> Outcome {
        let content = &self.content;
        let changes = self.changes(&writer.source.name, tried);
        let mut outcome = Outcome {
            attempted: Some(content.revision.clone()),
            inventory: self.before.inventory.iter().cloned().collect(),
            signed: Some(self.signed()),
            ..Outcome::default()
        };
        let mut step = Step {
            writer,
            tried,
            outcome: &mut outcome,
        };
        match step.make(&self).await {
            Ok(()) => {
                outcome.applied = Some(InForce {
                    revision: content.revision.clone(),
                    resources: content.resources().count(),
                    skipped: content.skipped,
                });
            }
            Err(error) => {
                outcome.error = Some(error);
                if changes && writer.has_written() {
                    outcome.half = Some(content.revision.clone());
                } else {
                    outcome.half.clone_from(&self.before.applying_revision);
                    outcome.signed.clone_from(&self.before.content);
                }
            }
        }
        outcome
    }
}

/// A part of the work being done.
struct Step<'a> {
    writer: &'a Writer<'a>,
    tried: &'a mut Tried,
    outcome: &'a mut Outcome,
}

impl Step<'_> {
    async fn make(&mut self, work: &Work) -> Result<(), SourceError> {
        for stage in &work.content.stages {
            self.apply(stage, work).await?;
        }
        let keys = work.content.resources().map(|resource| &resource.key);
        for fleet in apply::fleets(keys.filter(|key| self.is_ours(key))) {
            self.stamp(fleet, work).await?;
        }
        for removal in &work.removals {
            self.writer.remove(removal).await?;
            self.outcome.inventory.remove(&entry(&removal.key));
        }
        let resources = work.content.resources();
        let ours = resources.filter(|resource| self.is_ours(&resource.key));
        self.outcome.inventory = ours.map(|resource| entry(&resource.key)).collect();
        Ok(())
    }

    /// Whether an object is in the cluster by this source.
    fn is_ours(&self, key: &Key) -> bool {
        self.outcome.inventory.contains(&entry(key))
    }

    async fn apply(&mut self, stage: &[Resource], work: &Work) -> Result<(), SourceError> {
        let source = &self.writer.source.name;
        let mut differing = Vec::new();
        for resource in stage {
            let key = &resource.key;
            match work.standing(resource, source, self.tried) {
                Standing::Differs => {
                    differing.push(resource);
                    continue;
                }
                Standing::OfOther(other) => {
                    let held = Held {
                        what: format!("it is from the GitSource `{other}`"),
                        is_left: true,
                    };
                    self.outcome.held.insert(key.clone(), held);
                    self.outcome.inventory.remove(&entry(key));
                    continue;
                }
                Standing::Held(held) => {
                    self.outcome.held.insert(key.clone(), held.clone());
                }
                Standing::Same => {}
            }
            self.outcome.inventory.insert(entry(key));
        }
        let outcomes = self.writer.apply_all(&differing).await;
        let mut failure = Ok(());
        for (resource, outcome) in differing.into_iter().zip(outcomes) {
            match outcome {
                Ok(applied) => self.note(resource, applied),
                // The first is told; the others are met again when that is mended.
                Err(error) => failure = failure.and(Err(error)),
            }
        }
        failure
    }

    fn note(&mut self, resource: &Resource, applied: apply::Applied) {
        let apply::Applied { key, version, held } = applied;
        self.outcome.inventory.insert(entry(&key));
        match held {
            None => {
                self.tried.remove(&key);
            }
            Some(held) => {
                self.outcome.held.insert(key.clone(), held.clone());
                let wanted = resource.clone();
                self.tried.insert(
                    key,
                    Try {
                        wanted,
                        version,
                        held,
                    },
                );
            }
        }
    }

    /// Says in a fleet which revision is in force for it, when everything of it is applied.
    async fn stamp(&self, fleet: &ObjectName, work: &Work) -> Result<(), SourceError> {
        let revision = &work.content.revision;
        let live = work.live.get(&(Kind::Fleet, fleet.clone()));
        if live.and_then(|live| live.annotations.get(REVISION)) == Some(revision) {
            return Ok(());
        }
        self.writer.stamp(fleet, revision).await
    }
}
