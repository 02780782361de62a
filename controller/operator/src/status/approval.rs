//! What became of a person's approval of a waiting plan.

use std::collections::BTreeSet;

use diarchy_core::digest::Digest;
use diarchy_crds::approval::ApprovalStatus;
use jiff::Timestamp;
use serde_json::Value;

use crate::condition::{ConditionKind, Truth, merge};
use crate::memory::{FleetMemory, counts_until};

/// An approval of a fleet's waiting plan or of a rollout's step, as a person has written it.
#[derive(Debug, Clone, Copy)]
pub struct WrittenApproval<'a> {
    /// Its own id, under which it is remembered once it was taken.
    pub id: &'a str,
    /// The uid of the fleet, or of the assignment, that it is for.
    pub target: &'a str,
    /// The digest that it approves.
    pub digest: &'a str,
    /// Who approves.
    pub approver: &'a str,
    /// When it was made, where that is known.
    pub made: Option<Timestamp>,
    /// Until when it says that it counts; nothing if that cannot be read.
    pub expires: Option<Timestamp>,
}

/// The fleet, or the assignment of one, that a yes is said to.
#[derive(Debug, Clone, Copy)]
pub struct Approved<'a> {
    /// Its uid.
    pub uid: &'a str,
    /// Who has signed the newest revisions that changed it, where signatures are verified.
    pub signers: &'a BTreeSet<String>,
    /// The assignment, `namespace/name`, whose step is approved or whose text is attested; none where it
    /// is the fleet's plan.
    pub step_of: Option<&'a str>,
}

impl Approved<'_> {
    /// Whether `approver` may say yes to what they have not signed themselves.
    #[must_use]
    pub fn may_be_approved_by(&self, approver: &str) -> bool {
        let mut names = self.signers.iter().flat_map(|signer| names(signer));
        !names.any(|name| name.eq_ignore_ascii_case(approver))
    }
}

/// What a signer is called: several names with commas between them, as allowed signers are; or
/// `Name <address>`, as keys of OpenPGP are, and then by the address too.
fn names(signer: &str) -> impl Iterator<Item = &str> {
    let each = signer.split(',').map(str::trim);
    let addresses = each.clone().filter_map(|name| {
        let (_, rest) = name.rsplit_once('<')?;
        Some(rest.strip_suffix('>')?.trim())
    });
    std::iter::once(signer).chain(each).chain(addresses)
}

/// The status of an approval after a pass over `fleet`; `old` is the status reported last.
#[must_use]
pub fn approval(
    written: WrittenApproval<'_>,
    fleet: Approved<'_>,
    memory: &FleetMemory,
    old: Option<&Value>,
    now: Timestamp,
) -> Value {
    let old = read(old);
    let judged = judge(written, fleet, memory, was_taken(&old), now);
    told(&old, judged, now)
}

/// The status of an approval for a fleet that is not there; `old` is the status reported last.
#[must_use]
pub fn approval_without_fleet(old: Option<&Value>, now: Timestamp) -> Value {
    let old = read(old);
    if was_taken(&old) {
        return told(&old, taken(), now);
    }
    let message =
        "its namespace has no fleet of this name: approve what waits in the fleet that is meant";
    told(&old, (false, "NoFleet", message.to_owned()), now)
}

fn read(old: Option<&Value>) -> ApprovalStatus {
    old.and_then(|old| serde::Deserialize::deserialize(old).ok())
        .unwrap_or_default()
}

fn was_taken(old: &ApprovalStatus) -> bool {
    old.conditions
        .iter()
        .any(|condition| condition.reason == TAKEN)
}

fn told(old: &ApprovalStatus, judged: Judged, now: Timestamp) -> Value {
    let (holds, reason, message) = judged;
    let ready = Truth {
        kind: ConditionKind::Ready,
        holds,
        reason,
        message,
    };
    let status = ApprovalStatus {
        conditions: merge(&old.conditions, vec![ready], now),
        ..old.clone()
    };
    serde_json::to_value(status).unwrap_or_default()
}

const TAKEN: &str = "Taken";

/// Whether it counts or has done its work, and why.
type Judged = (bool, &'static str, String);

/// It has done what it is for.
fn taken() -> Judged {
    let message = "it was taken for what waited, and counts for nothing else";
    (true, TAKEN, message.to_owned())
}

fn judge(
    written: WrittenApproval<'_>,
    fleet: Approved<'_>,
    memory: &FleetMemory,
    was_taken: bool,
    now: Timestamp,
) -> Judged {
    let no = |reason, message: &str| (false, reason, message.to_owned());
    // Which ones were taken is remembered until they expire.
    if was_taken || memory.spent.contains_key(written.id) {
        return taken();
    }
    if written.target != fleet.uid {
        return match fleet.step_of {
            None => no(
                "AnotherFleet",
                "it is for a fleet of this name that is there no more: approve what waits now",
            ),
            Some(_) => no(
                "AnotherAssignment",
                "it is for an assignment of this name that is there no more: approve what waits now",
            ),
        };
    }
    let Some(expires) = written.expires else {
        return no("Invalid", "it cannot be read until when it counts");
    };
    if now >= counts_until(written.made.unwrap_or(now), Some(expires)) {
        return no("Expired", "it has expired and counts for nothing any more");
    }
    if !fleet.may_be_approved_by(written.approver) {
        return no(
            "OwnRevision",
            "its approver has signed the newest revision that changed it: somebody else approves what it changes",
        );
    }
    let (waiting, what): (Vec<Digest>, _) = match fleet.step_of {
        None => (
            memory.waiting.iter().map(|one| one.digest).collect(),
            "plan",
        ),
        Some(name) => {
            let awaited = memory.awaited().filter(|(of, ..)| *of == name);
            (
                awaited.map(|(_, digest, _)| digest).collect(),
                "step or text",
            )
        }
    };
    let waiting: Vec<String> = waiting.iter().map(Digest::to_string).collect();
    if waiting.iter().any(|digest| digest == written.digest) {
        let message = format!("it is for the {what} that waits, and is taken by the next pass");
        return (true, "Counts", message);
    }
    match waiting.first() {
        Some(digest) => no(
            "NothingWaiting",
            &format!("no {what} waits under its digest; {digest} does"),
        ),
        None => no("NothingWaiting", &format!("no {what} waits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Waiting, WaitingFor};

    const NOW: &str = "2026-11-23T08:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn reason(status: &Value) -> &str {
        status["conditions"][0]["reason"].as_str().unwrap()
    }

    #[test]
    fn tells_what_became_of_it() {
        let digest = Digest::of_lines(["a plan"]);
        let text = digest.to_string();
        let mut memory = FleetMemory {
            waiting: Some(Waiting {
                digest,
                revision: "r".to_owned(),
                since: at(NOW),
                what: WaitingFor::Claim {
                    holder: "other".to_owned(),
                    epoch: 2,
                },
            }),
            ..FleetMemory::default()
        };
        let written = WrittenApproval {
            id: "yes",
            target: "u1",
            digest: &text,
            approver: "adele@contoso.com",
            made: Some(at(NOW)),
            expires: Some(at("2026-11-23T09:00:00Z")),
        };
        let fleet = Approved {
            uid: "u1",
            signers: &BTreeSet::from(["megan@contoso.com".to_owned()]),
            step_of: None,
        };
        let told = |written, memory: &FleetMemory, now| {
            let status = approval(written, fleet, memory, None, at(now));
            (
                status["conditions"][0]["status"] == "True",
                reason(&status).to_owned(),
            )
        };
        assert_eq!(told(written, &memory, NOW), (true, "Counts".to_owned()));
        let late = told(written, &memory, "2026-11-23T09:00:00Z");
        assert_eq!(late, (false, "Expired".to_owned()));
        // Whatever it says, it counts for a day.
        let long = WrittenApproval {
            expires: Some(at("2026-11-30T08:00:00Z")),
            ..written
        };
        let day = told(long, &memory, "2026-11-24T07:59:59Z");
        assert_eq!(day, (true, "Counts".to_owned()));
        let late = told(long, &memory, "2026-11-24T08:00:00Z");
        assert_eq!(late, (false, "Expired".to_owned()));
        let other = WrittenApproval {
            target: "u0",
            ..written
        };
        assert_eq!(
            told(other, &memory, NOW),
            (false, "AnotherFleet".to_owned())
        );
        let other = WrittenApproval {
            approver: "megan@contoso.com",
            ..written
        };
        assert_eq!(told(other, &memory, NOW), (false, "OwnRevision".to_owned()));
        let other = WrittenApproval {
            digest: "sha256:00",
            ..written
        };
        assert_eq!(
            told(other, &memory, NOW),
            (false, "NothingWaiting".to_owned())
        );
        memory
            .spent
            .insert("yes".to_owned(), at("2026-11-23T09:00:00Z"));
        assert_eq!(told(written, &memory, NOW), (true, TAKEN.to_owned()));
    }

    #[test]
    fn a_signer_is_known_by_every_name_of_theirs() {
        let may = |signer: &str, approver: &str| {
            let signers = BTreeSet::from(["lena@contoso.com".to_owned(), signer.to_owned()]);
            let approved = Approved {
                uid: "u1",
                signers: &signers,
                step_of: None,
            };
            approved.may_be_approved_by(approver)
        };
        let megan = "megan@contoso.com";
        for signer in [
            megan,
            "Megan Bowen <megan@contoso.com>",
            "Bowen, Megan (work) <Megan@Contoso.com>",
            "megan,megan@contoso.com",
        ] {
            assert!(!may(signer, megan), "{signer}");
        }
        assert!(!may(
            "Megan Bowen <megan@contoso.com>",
            "Megan Bowen <megan@contoso.com>"
        ));
        assert!(!may(megan, "lena@contoso.com"));
        for signer in [
            "alex@contoso.com",
            "Alex <alex@contoso.com>",
            "megan@contoso.com.example",
            "<megan@contoso.com> of sales",
        ] {
            assert!(may(signer, megan), "{signer}");
        }
    }

    #[test]
    fn what_was_taken_stays_so_when_that_is_forgotten() {
        let written = WrittenApproval {
            id: "yes",
            target: "u1",
            digest: "sha256:00",
            approver: "adele@contoso.com",
            made: Some(at(NOW)),
            expires: Some(at("2026-11-23T09:00:00Z")),
        };
        let mut memory = FleetMemory::default();
        memory
            .spent
            .insert("yes".to_owned(), at("2026-11-23T09:00:00Z"));
        let fleet = Approved {
            uid: "u1",
            signers: &BTreeSet::new(),
            step_of: None,
        };
        let taken = approval(written, fleet, &memory, None, at(NOW));
        let later = at("2026-11-24T09:00:00Z");
        let later = approval(written, fleet, &FleetMemory::default(), Some(&taken), later);
        assert_eq!(later, taken);
    }
}
