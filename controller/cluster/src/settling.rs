//! When objects that come one by one are taken together.
//!
//! `kubectl apply` of a repository is a hundred changes. Until nothing has changed for a while, what
//! was settled before stays in force, so that a half-applied repository moves nobody. Where it is
//! known that more is to come, no while is long enough.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// How long nothing must have changed.
pub const SETTLE: Duration = Duration::from_secs(10);

/// What changes, by namespace, and since when it has not.
#[derive(Debug)]
pub struct Settling<V> {
    after: Duration,
    namespaces: BTreeMap<String, State<V>>,
}

#[derive(Debug)]
struct State<V> {
    last: V,
    /// Whether more is to come.
    is_half: bool,
    since: Instant,
    is_settled: bool,
}

impl<V: PartialEq> State<V> {
    fn see(&mut self, version: V, is_half: bool, now: Instant) {
        if self.last != version {
            (self.last, self.since, self.is_settled) = (version, now, false);
        }
        // The last part may be known later than that it was the last.
        if self.is_half != is_half {
            (self.is_half, self.since) = (is_half, now);
        }
    }

    const fn is_open(&self) -> bool {
        !self.is_settled && !self.is_half
    }
}

impl<V: PartialEq> Settling<V> {
    /// Nothing is known yet.
    pub const fn new(after: Duration) -> Self {
        Self {
            after,
            namespaces: BTreeMap::new(),
        }
    }

    /// Takes note of what there is at `now`, by namespace, and in which namespaces that is `half` of
    /// what is to come. The namespaces that have settled with it, those that are gone included.
    pub fn look(
        &mut self,
        there: BTreeMap<String, V>,
        half: &BTreeSet<String>,
        now: Instant,
    ) -> Vec<String> {
        let mut gone: Vec<String> = Vec::new();
        self.namespaces.retain(|name, _| {
            let stays = there.contains_key(name);
            if !stays {
                gone.push(name.clone());
            }
            stays
        });
        for (name, version) in there {
            let is_half = half.contains(&name);
            match self.namespaces.get_mut(&name) {
                Some(state) => state.see(version, is_half, now),
                None => {
                    let state = State {
                        last: version,
                        is_half,
                        since: now,
                        is_settled: false,
                    };
                    self.namespaces.insert(name, state);
                }
            }
        }
        let after = self.after;
        let settled = self
            .namespaces
            .iter_mut()
            .filter(|(_, state)| state.is_open() && now >= state.since + after)
            .map(|(name, state)| {
                state.is_settled = true;
                name.clone()
            });
        gone.into_iter().chain(settled).collect()
    }

    /// When the next namespace settles if nothing changes.
    pub fn next(&self) -> Option<Instant> {
        let open = self.namespaces.values().filter(|state| state.is_open());
        open.map(|state| state.since + self.after).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: BTreeSet<String> = BTreeSet::new();

    fn there(versions: &[(&str, u32)]) -> BTreeMap<String, u32> {
        versions
            .iter()
            .map(|(name, version)| ((*name).to_owned(), *version))
            .collect()
    }

    #[test]
    fn what_changes_settles_when_it_has_not_for_long_enough() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut settling = Settling::new(SETTLE);
        assert!(settling.look(there(&[("a", 1)]), &NONE, at(0)).is_empty());
        assert_eq!(settling.next(), Some(at(10)));
        // Another change begins the wait anew, for that namespace alone.
        assert!(
            settling
                .look(there(&[("a", 2), ("b", 1)]), &NONE, at(6))
                .is_empty()
        );
        assert!(
            settling
                .look(there(&[("a", 2), ("b", 1)]), &NONE, at(15))
                .is_empty()
        );
        assert!(
            settling
                .look(there(&[("a", 2), ("b", 2)]), &NONE, at(15))
                .is_empty()
        );
        assert_eq!(
            settling.look(there(&[("a", 2), ("b", 2)]), &NONE, at(16)),
            ["a"]
        );
        // Once.
        assert!(
            settling
                .look(there(&[("a", 2), ("b", 2)]), &NONE, at(20))
                .is_empty()
        );
        assert_eq!(
            settling.look(there(&[("a", 2), ("b", 2)]), &NONE, at(25)),
            ["b"]
        );
        assert_eq!(settling.next(), None);
    }

    #[test]
    fn a_namespace_that_is_gone_is_told_at_once() {
        let start = Instant::now();
        let mut settling = Settling::new(SETTLE);
        settling.look(there(&[("a", 1)]), &NONE, start);
        assert_eq!(settling.look(there(&[]), &NONE, start), ["a"]);
        assert!(settling.look(there(&[]), &NONE, start).is_empty());
    }

    #[test]
    fn half_of_what_is_to_come_does_not_settle_however_long_it_lasts() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let half = BTreeSet::from(["a".to_owned()]);
        let mut settling = Settling::new(SETTLE);
        settling.look(there(&[("a", 1)]), &NONE, at(0));
        assert_eq!(settling.look(there(&[("a", 1)]), &NONE, at(10)), ["a"]);
        let both = || there(&[("a", 2), ("b", 1)]);
        assert!(settling.look(both(), &half, at(20)).is_empty());
        assert_eq!(settling.look(both(), &half, at(90)), ["b"]);
        assert_eq!(settling.next(), None);
        // The rest may be known later than that it has come.
        assert!(settling.look(both(), &NONE, at(99)).is_empty());
        assert_eq!(settling.next(), Some(at(109)));
        assert_eq!(settling.look(both(), &NONE, at(109)), ["a"]);
        // What was settled is still so when something was begun and nothing came of it.
        assert!(settling.look(both(), &half, at(110)).is_empty());
        assert!(settling.look(both(), &NONE, at(111)).is_empty());
        assert_eq!(settling.next(), None);
        assert!(settling.look(both(), &NONE, at(130)).is_empty());
    }
}
