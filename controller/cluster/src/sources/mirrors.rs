//! The mirrors that sources may have here, until those sources are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use diarchy_git::{Address, remove_mirror};

use super::wanted::Wanted;
use crate::loops::LoopKey;

/// Where the mirrors of every source would be, whether or not this replica has fetched it: it may
/// have before it was started again, or before another took over.
#[derive(Default)]
pub struct Mirrors {
    of_source: BTreeMap<LoopKey, BTreeSet<PathBuf>>,
}

impl Mirrors {
    /// Takes note of where the mirrors of these sources are, in `folder`.
    pub fn see(&mut self, wanted: &BTreeMap<LoopKey, Wanted>, folder: &Path) {
        for (key, source) in wanted {
            let Ok(spec) = &source.spec else { continue };
            let Ok(address) = Address::parse(spec.url.as_str()) else {
                continue;
            };
            let places = self.of_source.entry(key.clone()).or_default();
            places.insert(source.mirror(folder, &address));
        }
    }

    /// The mirrors of the sources that are not `wanted` any more and whose loops have ended. They are
    /// named once.
    pub fn take_gone(
        &mut self,
        wanted: &BTreeMap<LoopKey, Wanted>,
        has_ended: impl Fn(&LoopKey) -> bool,
    ) -> Vec<PathBuf> {
        let is_gone = |key: &LoopKey| !wanted.contains_key(key) && has_ended(key);
        let gone = self.of_source.extract_if(.., |key, _| is_gone(key));
        gone.flat_map(|(_, places)| places).collect()
    }
}

/// Removes mirrors, when nobody fetches into them or reads from them.
pub async fn remove(places: Vec<PathBuf>) {
    let removing = tokio::task::spawn_blocking(move || {
        for place in places {
            if let Err(error) = remove_mirror(&place) {
                let place = place.display();
                tracing::warn!(%place, %error, "a mirror that nobody needs was not removed");
            }
        }
    });
    if let Err(error) = removing.await {
        tracing::error!(%error, "mirrors that nobody needs were not removed");
    }
}
