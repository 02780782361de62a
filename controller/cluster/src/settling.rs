//! When objects that come one by one are taken together.
//!
//! `kubectl apply` of a repository is a hundred changes. Until nothing has changed for a while, what
//! was settled before stays in force, so that a half-applied repository moves nobody.

use std::collections::BTreeMap;
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
    since: Instant,
    is_settled: bool,
}

impl<V: PartialEq> Settling<V> {
    /// Nothing is known yet.
    pub const fn new(after: Duration) -> Self {
        Self {
            after,
            namespaces: BTreeMap::new(),
        }
    }

    /// Takes note of what there is at `now`, by namespace. The namespaces that have settled with it,
    /// those that are gone included.
    pub fn look(&mut self, there: BTreeMap<String, V>, now: Instant) -> Vec<String> {
        let mut gone: Vec<String> = Vec::new();
        self.namespaces.retain(|name, _| {
            let stays = there.contains_key(name);
            if !stays {
                gone.push(name.clone());
            }
            stays
        });
        for (name, version) in there {
            match self.namespaces.get_mut(&name) {
                Some(state) if state.last == version => {}
                Some(state) => {
                    *state = State {
                        last: version,
                        since: now,
                        is_settled: false,
                    };
                }
                None => {
                    let state = State {
                        last: version,
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
            .filter(|(_, state)| !state.is_settled && now >= state.since + after)
            .map(|(name, state)| {
                state.is_settled = true;
                name.clone()
            });
        gone.into_iter().chain(settled).collect()
    }

    /// When the next namespace settles if nothing changes.
    pub fn next(&self) -> Option<Instant> {
        let open = self.namespaces.values().filter(|state| !state.is_settled);
        open.map(|state| state.since + self.after).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(settling.look(there(&[("a", 1)]), at(0)).is_empty());
        assert_eq!(settling.next(), Some(at(10)));
        // Another change begins the wait anew, for that namespace alone.
        assert!(
            settling
                .look(there(&[("a", 2), ("b", 1)]), at(6))
                .is_empty()
        );
        assert!(
            settling
                .look(there(&[("a", 2), ("b", 1)]), at(15))
                .is_empty()
        );
        assert!(
            settling
                .look(there(&[("a", 2), ("b", 2)]), at(15))
                .is_empty()
        );
        assert_eq!(settling.look(there(&[("a", 2), ("b", 2)]), at(16)), ["a"]);
        // Once.
        assert!(
            settling
                .look(there(&[("a", 2), ("b", 2)]), at(20))
                .is_empty()
        );
        assert_eq!(settling.look(there(&[("a", 2), ("b", 2)]), at(25)), ["b"]);
        assert_eq!(settling.next(), None);
    }

    #[test]
    fn a_namespace_that_is_gone_is_told_at_once() {
        let start = Instant::now();
        let mut settling = Settling::new(SETTLE);
        settling.look(there(&[("a", 1)]), start);
        assert_eq!(settling.look(there(&[]), start), ["a"]);
        assert!(settling.look(there(&[]), start).is_empty());
    }
}
