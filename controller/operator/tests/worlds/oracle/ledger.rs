//! What is written is written down first, and what was done is not taken for somebody else's.

use diarchy_operator::audit::Event;
use diarchy_simulator::{Act, Effect, Entry, RuleKey};
use jiff::Timestamp;

use super::Check;
use super::site::{Site, writes};
use crate::history::{Deed, History, Pass};

/// The audit trail against the site's log.
pub struct Ledger;

impl Check for Ledger {
    fn end(&mut self, history: &History, _site: &Site, found: &mut Vec<String>) {
        unannounced(history, found);
        if history.deeds.iter().any(|done| is_hand_edit(&done.deed)) {
            return;
        }
        for entry in &history.audit {
            // What a service left out without a word may look like the work of somebody else.
            let is_within = |pass: &&Pass| pass.began <= entry.at && entry.at <= pass.ended;
            let mut passes = history.passes.iter().filter(is_within);
            if matches!(entry.event, Event::Forgotten { .. }) && passes.any(|pass| pass.is_clean) {
                found.push(format!("what was its own doing was forgotten: {entry:?}"));
            }
        }
    }
}

fn is_hand_edit(deed: &Deed) -> bool {
    matches!(
        deed,
        Deed::Estate(
            Act::AddDirectRule { .. } | Act::RemoveDirectRule { .. } | Act::Reimage { .. }
        )
    )
}

/// Each change of rules has its line in the audit trail from before it was sent, and no line stands for two.
fn unannounced(history: &History, found: &mut Vec<String>) {
    let mut announced: Vec<_> = history
        .audit
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Sending { resources, .. } => {
                let mut resources = resources.clone();
                resources.sort_unstable();
                Some((entry.at, resources))
            }
            _ => None,
        })
        .collect();
    for (number, entry) in history.log.iter().enumerate() {
        let named = named(entry);
        if named.is_empty() || writes(entry, number).is_empty() {
            continue;
        }
        // The log's times have no more than milliseconds.
        let is_meant = |(at, announced): &(Timestamp, Vec<u32>)| {
            at.as_millisecond() <= entry.at.as_millisecond() && *announced == named
        };
        match announced.iter().rposition(is_meant) {
            Some(place) => drop(announced.remove(place)),
            None => found.push(format!(
                "entry {} was never written down: {entry:?}",
                number + 1
            )),
        }
    }
}

/// The devices that a request is about, whether or not it changed anything for them.
fn named(entry: &Entry) -> Vec<u32> {
    let (some, others) = match &entry.effect {
        Effect::RulesAdded { added, already, .. } => (added, already),
        Effect::RulesRemoved {
            removed, missing, ..
        } => (removed, missing),
        _ => return Vec::new(),
    };
    let direct = some.iter().chain(others).filter_map(|rule| match rule {
        RuleKey::Direct(resource) => Some(*resource),
        _ => None,
    });
    let mut named: Vec<_> = direct.collect();
    named.sort_unstable();
    named
}
