//! What of all that assignments require has come to be ready, and what is so no more.

use std::collections::{BTreeMap, BTreeSet};

use super::Unmet;
use crate::desired::{Desired, Force, FrozenBy};
use crate::resource::ObjectName;

/// What is ready of that which each assignment (`namespace/name`) requires.
pub type Ready = BTreeMap<String, BTreeSet<String>>;

/// Something that an assignment requires and that has come to be ready, or is so no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned<'a> {
    /// The assignment.
    pub assignment: &'a ObjectName,
    /// What it requires.
    pub what: String,
    /// Why it is ready no more, or not known to be; none where it is ready now.
    pub unmet: Option<&'a Unmet>,
}

impl Desired {
    /// What is ready now, and what of it has turned since `before` was ready. Here it must be known what
    /// is not ready: see [`Desired::with_requirements`].
    ///
    /// An assignment begins with nothing ready. What it requires no more has not turned.
    #[must_use]
    pub fn readiness(&self, before: &Ready) -> (Vec<Turned<'_>>, Ready) {
        let (mut turned, mut ready) = (Vec::new(), Ready::new());
        let none = BTreeSet::new();
        for assignment in &self.assignments {
            let key = assignment.name.to_string();
            let known = before.get(&key).unwrap_or(&none);
            let mut now = BTreeSet::new();
            if assignment.force == Force::Frozen(FrozenBy::Invalid) {
                // What it requires cannot be read for now, and says nothing about whether it is ready.
                now.clone_from(known);
            }
            let required: BTreeSet<String> = assignment
                .requires
                .iter()
                .map(ToString::to_string)
                .collect();
            for what in required {
                let unmet = assignment.unmet.iter().find(|unmet| unmet.what == what);
                if unmet.is_none() != known.contains(&what) {
                    turned.push(Turned {
                        assignment: &assignment.name,
                        what: what.clone(),
                        unmet,
                    });
                }
                match unmet {
                    None => now.insert(what),
                    Some(_) => now.remove(&what),
                };
            }
            if !now.is_empty() {
                ready.insert(key, now);
            }
        }
        (turned, ready)
    }
}
