//! Which sources have a loop here.

use std::collections::BTreeMap;
use std::sync::Arc;

use diarchy_core::resource::ObjectName;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};

use super::wanted::{SourceKey, Wanted};
use super::{SourcesShared, task};
use crate::holds::Thing;

/// For whom Secrets are watched.
const WHO: &str = "sources";

/// Keeps a loop for each source that this replica holds.
pub struct Sources {
    shared: Arc<SourcesShared>,
    loops: BTreeMap<SourceKey, watch::Sender<Wanted>>,
    tasks: JoinSet<()>,
    /// The loops that have not ended yet, those included that are wanted no more.
    running: BTreeMap<Id, ObjectName>,
    wanted: BTreeMap<SourceKey, Wanted>,
}

impl Sources {
    /// None has a loop yet.
    pub fn new(shared: SourcesShared) -> Self {
        Self {
            shared: Arc::new(shared),
            loops: BTreeMap::new(),
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
            wanted: BTreeMap::new(),
        }
    }

    /// Looks at what there is now, and adds it to the `things` that there are to hold.
    pub fn look(&mut self, things: &mut BTreeMap<Thing, bool>) {
        self.wanted = Wanted::all(&self.shared.objects);
        for (name, _) in self.wanted.keys() {
            things.insert(Thing::source(name), false);
        }
        for name in self.running.values() {
            things.insert(Thing::source(name), true);
        }
    }

    /// Lets each loop here know what it is to carry out. Those whose source is gone, or is for another
    /// replica, end.
    pub fn carry_on(&mut self) {
        let shared = Arc::clone(&self.shared);
        let holds = &shared.holds;
        let mut own = std::mem::take(&mut self.wanted);
        own.retain(|(name, _), _| holds.has(&Thing::source(name)));
        self.loops.retain(|key, _| own.contains_key(key));
        let secrets = &shared.credentials.secrets;
        secrets.want(WHO, own.values().flat_map(Wanted::secrets).collect());
        for (key, wanted) in own {
            // A look would only find missing what has not been read yet.
            if !wanted.secrets().iter().all(|name| secrets.is_read(name)) {
                continue;
            }
            match self.loops.get(&key) {
                Some(sender) => {
                    sender.send_if_modified(|now| {
                        let differs = wanted.differs_from(now);
                        *now = wanted;
                        differs
                    });
                }
                None => self.begin(key, wanted),
            }
        }
    }

    fn begin(&mut self, key: SourceKey, wanted: Wanted) {
        // A namesake's loop may be at its last look: then this one begins when that has ended.
        if self.running.values().any(|name| *name == key.0) {
            return;
        }
        let (sender, receiver) = watch::channel(wanted);
        let task = self
            .tasks
            .spawn(task::run(Arc::clone(&self.shared), receiver));
        self.running.insert(task.id(), key.0.clone());
        self.loops.insert(key, sender);
    }

    /// Ends when a loop has ended.
    pub async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(%error, "the loop of a source broke");
                error.id()
            }
        };
        self.running.remove(&id);
        self.loops.retain(|_, wanted| !wanted.is_closed());
    }

    /// Ends when every loop has.
    pub async fn stop(mut self) {
        self.loops.clear();
        while !self.tasks.is_empty() {
            self.ended().await;
        }
    }
}
