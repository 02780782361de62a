//! The loops that run here: one for each thing that is wanted and held, whatever it is.

use std::collections::BTreeMap;

use diarchy_core::resource::ObjectName;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use crate::holds::Thing;

/// For which object a loop is: its name, and the uid that tells it from namesakes.
pub type LoopKey = (ObjectName, String);

/// What a loop is to carry out.
pub trait Wanted {
    /// Whether something should be done for this at once, after it was done for `before`.
    fn differs_from(&self, before: &Self) -> bool;
}

/// The loops of one kind of thing.
pub struct Loops<W> {
    /// In words, for the log.
    about: &'static str,
    told: BTreeMap<LoopKey, watch::Sender<W>>,
    tasks: JoinSet<()>,
    /// The loops that have not ended yet, those included that are wanted no more.
    running: BTreeMap<Id, (ObjectName, Thing)>,
}

impl<W: Wanted> Loops<W> {
    /// None runs yet.
    pub fn new(about: &'static str) -> Self {
        Self {
            about,
            told: BTreeMap::new(),
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
        }
    }

    /// What the loops that have not ended hold.
    pub fn busy(&self) -> impl Iterator<Item = &Thing> {
        self.running.values().map(|(_, thing)| thing)
    }

    /// Whether there is no loop for `key`, and none in its last turn. There may be one of a namesake.
    pub fn has_ended(&self, key: &LoopKey) -> bool {
        let has_successor = self
            .told
            .keys()
            .any(|other| other.0 == key.0 && other.1 != key.1);
        has_successor || !self.running.values().any(|(name, _)| *name == key.0)
    }

    /// Ends the loops of everything that `is_own` does not name.
    pub fn keep(&mut self, is_own: impl Fn(&LoopKey) -> bool) {
        self.told.retain(|key, _| is_own(key));
    }

    /// Lets the loop for `key`, which holds `thing`, know what it is to carry out. One that `begin`
    /// makes begins if there is none.
    pub fn tell<L>(
        &mut self,
        key: LoopKey,
        thing: Thing,
        wanted: W,
        begin: impl FnOnce(watch::Receiver<W>) -> L,
    ) where
        L: Future<Output = ()> + Send + 'static,
    {
        if let Some(sender) = self.told.get(&key) {
            sender.send_if_modified(|now| {
                let differs = wanted.differs_from(now);
                *now = wanted;
                differs
            });
            return;
        }
        // A namesake's loop may be in its last turn: then this one begins when that has ended.
        if self.running.values().any(|(name, _)| *name == key.0) {
            return;
        }
        let (sender, receiver) = watch::channel(wanted);
        let task = self.tasks.spawn(begin(receiver));
        self.running.insert(task.id(), (key.0.clone(), thing));
        self.told.insert(key, sender);
    }

    /// Ends when a loop has ended.
    pub async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(%error, "the loop of a {} broke", self.about);
                error.id()
            }
        };
        self.running.remove(&id);
        self.told.retain(|_, wanted| !wanted.is_closed());
    }

    /// Has every loop end, and waits until it has.
    pub async fn stop(mut self) {
        self.told.clear();
        while !self.tasks.is_empty() {
            self.ended().await;
        }
    }
}
