//! What the assignments of a fleet require, in one pass: what people have attested, and what is ready.

use std::collections::BTreeMap;

use diarchy_core::desired::{Desired, Force, FrozenBy};
use diarchy_core::digest::Digest;
use diarchy_core::requirement::{Found, IntuneObject, Known};
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::Said;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::Event;
use crate::memory::FleetMemory;
use crate::people::People;

/// Something that an assignment requires a person to attest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The assignment, `namespace/name`.
    pub assignment: String,
    /// Since when a person is asked.
    pub since: Timestamp,
    /// Who has attested it, if anybody has. That does not expire: another text, or another assignment
    /// of the name, is asked about anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Attested>,
}

/// Who has attested something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attested {
    /// Who.
    pub approver: String,
    /// When.
    pub at: Timestamp,
}

/// What git asks, with assignments in force as far as what they require is ready.
pub fn judge(
    desired: &Desired,
    found: &BTreeMap<IntuneObject, Found>,
    uids: &BTreeMap<ObjectName, String>,
    said: &Said,
    memory: &FleetMemory,
    is_attested: &dyn Fn(&Digest) -> bool,
) -> Desired {
    desired.with_requirements(&Known {
        objects: found,
        uids,
        is_attested: &|digest| is_attested(digest) || memory.has_attested(digest),
        rollouts: &memory.rollouts(),
        said,
    })
}

/// Asks people for what is to be attested, takes what they have said, and forgets what nobody asks any
/// more.
pub fn attest(
    desired: &Desired,
    uids: &BTreeMap<ObjectName, String>,
    memory: &mut FleetMemory,
    people: &mut People<'_>,
) {
    let mut known = std::mem::take(&mut memory.attestations);
    let mut asked = BTreeMap::new();
    for (name, text, digest) in desired.attestations(uids) {
        let mut one = known.remove(&digest).unwrap_or_else(|| {
            people.note(Event::Waiting {
                digest: digest.to_string(),
                reason: "NotAttested".to_owned(),
                changes: 0,
            });
            Attestation {
                assignment: name.to_string(),
                since: people.now,
                given: None,
            }
        });
        if one.given.is_none()
            && let Some(given) = people.approval_of(&digest)
        {
            memory.spend(&given);
            people.note(Event::Attested {
                assignment: name.as_assignment(),
                text: text.to_owned(),
                digest: given.digest,
                approver: given.approver.clone(),
            });
            one.given = Some(Attested {
                approver: given.approver,
                at: given.at,
            });
        }
        asked.insert(digest, one);
    }
    // What cannot be read for now is asked for again once it can be.
    let is_unreadable = |one: &Attestation| {
        let mut assignments = desired.assignments.iter();
        assignments.any(|assignment| {
            assignment.force == Force::Frozen(FrozenBy::Invalid)
                && assignment.name.to_string() == one.assignment
        })
    };
    asked.extend(known.into_iter().filter(|(_, one)| is_unreadable(one)));
    memory.attestations = asked;
}

/// Notes what has come to be ready of that which `desired` requires, and what is so no more, once each.
pub fn note(desired: &Desired, memory: &mut FleetMemory, people: &mut People<'_>) {
    let (turned, ready) = desired.readiness(&memory.ready);
    for one in turned {
        let assignment = one.assignment.as_assignment();
        let what = one.what;
        people.note(match one.unmet {
            None => Event::RequirementMet { assignment, what },
            Some(unmet) => Event::RequirementUnmet {
                assignment,
                what,
                why: unmet.to_string(),
            },
        });
    }
    memory.ready = ready;
}

#[cfg(test)]
pub(crate) mod tests {
    use diarchy_core::desired::{Assignment, Guardrails, Mode, OnDelete};
    use diarchy_core::requirement::{Requires, attestation_digest};
    use diarchy_core::workload::{Authority, Workload};

    use super::*;
    use crate::context::Revision;
    use crate::people::Notes;
    use crate::store::GivenApproval;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const TEXT: &str = "the helpdesk knows";

    fn name() -> ObjectName {
        ObjectName::new("contoso", "updates")
    }

    /// A fleet of one assignment that requires these to be attested.
    pub(crate) fn desired(texts: &[&str]) -> Desired {
        let requires = texts.iter();
        let requires: Vec<Requires> = requires
            .map(|text| Requires::Attested((*text).to_owned()))
            .collect();
        Desired {
            fleet: ObjectName::new("contoso", "contoso"),
            suspend: false,
            mode: Mode::Enforce,
            guardrails: Guardrails::default(),
            stale_after: std::time::Duration::from_hours(1),
            online_within: std::time::Duration::from_hours(1),
            beta: true,
            policy: None,
            groups: Vec::new(),
            assignments: vec![Assignment {
                name: name(),
                workload: Workload::WindowsUpdatePolicies,
                group: None,
                group_name: "all".to_owned(),
                authority: Authority::Intune,
                priority: 0,
                force: Force::Frozen(FrozenBy::Requires),
                admit_when: None,
                unmet: requires.iter().map(Requires::not_looked_at).collect(),
                requires,
                rollout: None,
                on_delete: OnDelete::Retain,
            }],
        }
    }

    fn people<'a>(
        desired: &'a Desired,
        approvals: &'a [GivenApproval],
        now: Timestamp,
    ) -> People<'a> {
        People {
            fleet: &desired.fleet,
            revision: Revision {
                key: "r1",
                shown: "r1",
            },
            installation: "i1",
            approvals,
            approves: false,
            now,
            notes: Notes::default(),
        }
    }

    /// One pass at `now` in which these were approved: what is noted, and whether it is in force then.
    fn pass(
        desired: &Desired,
        memory: &mut FleetMemory,
        (approvals, now): (&[GivenApproval], Timestamp),
    ) -> (Vec<Event>, bool) {
        let uids = BTreeMap::from([(name(), "u1".to_owned())]);
        let mut people = people(desired, approvals, now);
        attest(desired, &uids, memory, &mut people);
        let entries = people.notes.entries.into_iter();
        let events = entries.map(|entry| entry.event).collect();
        let judged = judge(
            desired,
            &BTreeMap::new(),
            &uids,
            &Said::new(),
            memory,
            &|_| false,
        );
        (events, judged.assignments[0].force.is_in_force())
    }

    fn yes(digest: Digest) -> GivenApproval {
        GivenApproval {
            digest: digest.to_string(),
            revision: String::new(),
            approver: "adele@contoso.com".to_owned(),
            at: NOW,
            expires: None,
            id: Some("yes".to_owned()),
        }
    }

    #[test]
    fn a_yes_is_taken_once_named_and_remembered_as_long_as_the_text() {
        let digest = attestation_digest(&name(), "u1", TEXT);
        let (mut memory, git) = (FleetMemory::default(), desired(&[TEXT]));
        let (events, in_force) = pass(&git, &mut memory, (&[], NOW));
        assert!(!in_force);
        assert!(matches!(&events[..], [Event::Waiting { .. }]), "{events:?}");
        let awaited: Vec<_> = memory
            .awaited()
            .map(|(name, digest, _)| (name.as_str(), digest))
            .collect();
        assert_eq!(awaited, [("contoso/updates", digest)]);
        // It waits, and is not asked again.
        assert_eq!(pass(&git, &mut memory, (&[], NOW)), (Vec::new(), false));
        let (events, in_force) = pass(&git, &mut memory, (&[yes(digest)], NOW));
        assert!(in_force);
        let expected = Event::Attested {
            assignment: name().as_assignment(),
            text: TEXT.to_owned(),
            digest: digest.to_string(),
            approver: "adele@contoso.com".to_owned(),
        };
        assert_eq!(events, [expected]);
        assert_eq!(memory.awaited().count(), 0);
        assert!(memory.spent.contains_key("yes"));
        // Long after an approval would have expired, and after a restart.
        let text = serde_json::to_string(&memory).unwrap();
        let mut memory: FleetMemory = serde_json::from_str(&text).unwrap();
        let later = NOW + jiff::SignedDuration::from_hours(1000);
        assert_eq!(pass(&git, &mut memory, (&[], later)), (Vec::new(), true));
        // One more text waits, and what was attested stays so.
        let more = desired(&[TEXT, "another"]);
        assert!(!pass(&more, &mut memory, (&[], later)).1);
        assert!(memory.has_attested(&digest));
        // What git asks for no more is forgotten.
        pass(&desired(&["another"]), &mut memory, (&[], later));
        assert!(!memory.has_attested(&digest));
        assert!(!pass(&git, &mut memory, (&[], later)).1);
    }

    #[test]
    fn what_turns_is_noted_once_and_not_again_after_a_restart() {
        let digest = attestation_digest(&name(), "u1", TEXT);
        let (mut memory, git) = (FleetMemory::default(), desired(&[TEXT]));
        let look = |memory: &mut FleetMemory, is_attested: bool| -> Vec<Event> {
            let uids = BTreeMap::from([(name(), "u1".to_owned())]);
            let is_attested = |_: &Digest| is_attested;
            let none = BTreeMap::new();
            let judged = judge(&git, &none, &uids, &Said::new(), memory, &is_attested);
            let mut people = people(&git, &[], NOW);
            note(&judged, memory, &mut people);
            let entries = people.notes.entries.into_iter();
            entries.map(|entry| entry.event).collect()
        };
        let assignment = || name().as_assignment();
        let what = || format!("\"{TEXT}\"");
        assert_eq!(look(&mut memory, false), []);
        let met = Event::RequirementMet {
            assignment: assignment(),
            what: what(),
        };
        assert_eq!(look(&mut memory, true), [met]);
        assert_eq!(look(&mut memory, true), []);
        let text = serde_json::to_string(&memory).unwrap();
        let mut memory: FleetMemory = serde_json::from_str(&text).unwrap();
        assert_eq!(look(&mut memory, true), []);
        let unmet = Event::RequirementUnmet {
            assignment: assignment(),
            what: what(),
            why: format!("nobody has attested \"{TEXT}\": it waits for an approval of {digest}"),
        };
        assert_eq!(look(&mut memory, false), [unmet]);
        assert_eq!(look(&mut memory, false), []);
    }

    #[test]
    fn a_yes_that_is_too_old_counts_for_nothing() {
        let digest = attestation_digest(&name(), "u1", TEXT);
        let mut memory = FleetMemory::default();
        let late = NOW + jiff::SignedDuration::from_hours(25);
        assert!(!pass(&desired(&[TEXT]), &mut memory, (&[yes(digest)], late)).1);
    }

    #[test]
    fn what_is_wrong_for_a_while_is_not_forgotten() {
        let digest = attestation_digest(&name(), "u1", TEXT);
        let mut memory = FleetMemory::default();
        let git = desired(&[TEXT]);
        assert!(pass(&git, &mut memory, (&[yes(digest)], NOW)).1);
        let mut wrong = desired(&[]);
        wrong.assignments[0].force = Force::Frozen(FrozenBy::Invalid);
        pass(&wrong, &mut memory, (&[], NOW));
        assert!(memory.has_attested(&digest));
        assert!(pass(&git, &mut memory, (&[], NOW)).1);
    }
}
