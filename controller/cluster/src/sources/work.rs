//! What differs between git and the cluster, and how it is made the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diarchy_core::resource::{Kind, ObjectName};

use super::apply::{self, Writer};
use super::content::{Content, Resource};
use super::difference::{REVISION, Removal, SIGNER, entry, is_as_written, other_source};
use super::error::SourceError;
use super::live::LiveObjects;
use super::status::{InForce, Outcome};
use crate::tenant::Key;

/// By object, the applies that left it different from git: each is tried again when either has
/// changed.
pub type Tried = BTreeMap<Key, Try>;

/// An apply that left an object different from git.
pub struct Try {
    wanted: Resource,
    version: String,
    held: String,
}

/// What is to be carried out.
pub struct Work {
    /// What git has.
    pub content: Arc<Content>,
    /// What the cluster has.
    pub live: LiveObjects,
    /// What is to be removed in the end.
    pub removals: Vec<Removal>,
    /// What the source has in the cluster, as far as is known.
    pub inventory: BTreeSet<String>,
}

impl Work {
    /// Nothing of it was done.
    pub fn failed(self, error: SourceError) -> Outcome {
        Outcome {
            attempted: Some(self.content.revision.clone()),
            inventory: self.inventory,
            error: Some(error),
            ..Outcome::default()
        }
    }

    /// Applies what differs, stage by stage, and then removes what git has no more.
    pub async fn carry_out(self, writer: &Writer<'_>, tried: &mut Tried) -> Outcome {
        let content = &self.content;
        let mut outcome = Outcome {
            attempted: Some(content.revision.clone()),
            inventory: self.inventory.clone(),
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
            Err(error) => outcome.error = Some(error),
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
            self.apply(stage, &work.live).await?;
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

    async fn apply(&mut self, stage: &[Resource], live: &LiveObjects) -> Result<(), SourceError> {
        let source = &self.writer.source.name;
        let mut differing = Vec::new();
        for resource in stage {
            let key = &resource.key;
            let now = live.get(key);
            if let Some(other) = now.and_then(|now| other_source(now, source, live)) {
                let held = format!("it is from the GitSource `{other}`");
                self.outcome.held.insert(key.clone(), held);
                self.outcome.inventory.remove(&entry(key));
                continue;
            }
            if now.is_none_or(|now| !is_as_written(resource, now, source)) {
                let tried = self.tried.get(key).filter(|tried| {
                    tried.wanted == *resource && now.is_some_and(|now| now.version == tried.version)
                });
                match tried {
                    Some(tried) => {
                        self.outcome.held.insert(key.clone(), tried.held.clone());
                    }
                    None => {
                        differing.push(resource);
                        continue;
                    }
                }
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

    /// Says in a fleet which revision is in force for it, and who has signed that, when everything of
    /// it is applied.
    async fn stamp(&self, fleet: &ObjectName, work: &Work) -> Result<(), SourceError> {
        let Content {
            revision, signer, ..
        } = &*work.content;
        let live = work.live.get(&(Kind::Fleet, fleet.clone()));
        let written = |annotation| live.and_then(|live| live.annotations.get(annotation));
        if written(REVISION) == Some(revision) && written(SIGNER) == signer.as_ref() {
            return Ok(());
        }
        self.writer.stamp(fleet, revision, signer.as_deref()).await
    }
}
