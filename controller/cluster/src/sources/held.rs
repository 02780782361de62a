//! Which sources have a loop here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mirrors::{self, Mirrors};
use super::wanted::Wanted;
use super::{SourcesShared, task};
use crate::holds::Thing;
use crate::loops::{LoopKey, Loops};

/// For whom Secrets are watched.
const WHO: &str = "sources";

/// Keeps a loop for each source that this replica holds.
pub struct Sources {
    shared: Arc<SourcesShared>,
    loops: Loops<Wanted>,
    mirrors: Mirrors,
}

impl Sources {
    /// None has a loop yet.
    pub fn new(shared: SourcesShared) -> Self {
        Self {
            shared: Arc::new(shared),
            loops: Loops::new("source"),
            mirrors: Mirrors::default(),
        }
    }

    /// What there is now.
    pub fn wanted(&self) -> BTreeMap<LoopKey, Wanted> {
        Wanted::all(&self.shared.objects)
    }

    /// Adds what there is to hold, and what of it is in use here, to `things`.
    pub fn hold(&self, wanted: &BTreeMap<LoopKey, Wanted>, things: &mut BTreeMap<Thing, bool>) {
        for (name, _) in wanted.keys() {
            things.insert(Thing::source(name), false);
        }
        for thing in self.loops.busy() {
            things.insert(thing.clone(), true);
        }
    }

    /// Lets each loop here know what it is to carry out. Those whose source is gone, or is for another
    /// replica, end.
    pub fn carry_on(&mut self, wanted: BTreeMap<LoopKey, Wanted>) {
        self.mirrors.see(&wanted, &self.shared.setup.mirrors);
        let gone = self
            .mirrors
            .take_gone(&wanted, |key| self.loops.has_ended(key));
        if !gone.is_empty() {
            tokio::spawn(mirrors::remove(gone));
        }
        let mut own = wanted;
        let holds = &self.shared.holds;
        own.retain(|(name, _), _| holds.has(&Thing::source(name)));
        self.loops.keep(|key| own.contains_key(key));
        let secrets = &self.shared.credentials.secrets;
        secrets.want(WHO, own.values().flat_map(Wanted::secrets).collect());
        for (key, wanted) in own {
            // A look would only find missing what has not been read yet.
            if !wanted
                .secrets()
                .iter()
                .all(|name| secrets.known(name).is_some())
            {
                continue;
            }
            let thing = Thing::source(&key.0);
            let shared = &self.shared;
            self.loops.tell(key, thing, wanted, |wanted| {
                task::run(Arc::clone(shared), wanted)
            });
        }
    }

    /// Ends when a loop has ended.
    pub async fn ended(&mut self) {
        self.loops.ended().await;
    }

    /// Ends when every loop has.
    pub async fn stop(self) {
        self.loops.stop().await;
    }
}
