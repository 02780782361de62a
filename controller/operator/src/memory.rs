//! What the loop remembers of a fleet between passes and across restarts.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::accept::{self, Accepted, Approved, ApprovedChange, WaitReason};
use diarchy_core::digest::Digest;
use diarchy_core::drift::Drifts;
use diarchy_core::history::History;
use diarchy_core::identity::Identities;
use diarchy_core::inventory::Device;
use diarchy_core::requirement::Ready;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::{Progress, Rollouts};
use diarchy_core::workload::{Authority, Workload};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::footprint::Footprint;
use crate::requirements::Attestation;
use crate::revert::LastGood;
use crate::store::GivenApproval;

/// What the loop remembers of one fleet.
///
/// Losing it moves no device: without an accepted end state everything waits for a person, and
/// without its claim nothing is written at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FleetMemory {
    /// The epoch of the claim that this installation holds, or held last.
    pub epoch: Option<u64>,
    /// The epoch that a person has allowed this installation to claim from another.
    pub take_over: Option<u64>,
    /// Who devices were before they were renamed or joined anew.
    pub identities: Identities,
    /// By assignment (`namespace/name`), how far its rollout is.
    #[serde(default)]
    pub rollouts: BTreeMap<String, Progress>,
    /// The end state that was last accepted.
    pub accepted: Option<Accepted>,
    /// What people have approved and is not past yet.
    pub approved: Vec<Approved>,
    /// By digest, what people are asked to attest, and have attested.
    #[serde(default)]
    pub attestations: BTreeMap<Digest, Attestation>,
    /// What was ready when it was last looked at of that which assignments require.
    #[serde(default)]
    pub ready: Ready,
    /// By id, approvals that were taken and may be met again until they expire.
    #[serde(default)]
    pub spent: BTreeMap<String, Timestamp>,
    /// What waits for a person.
    pub waiting: Option<Waiting>,
    /// The last write for each device, by first id, and workload.
    pub writes: BTreeMap<String, BTreeMap<Workload, LastWrite>>,
    /// When membership changes were sent in the last hour, and how many at a time. Noted before they are
    /// sent: should the process end in the middle, all of them count.
    pub sent: Vec<(Timestamp, usize)>,
    /// How many devices the last believed inventories had.
    pub sizes: Option<Sizes>,
    /// What the site had when the loop last looked.
    #[serde(default, rename = "stands")]
    pub footprint: Option<Footprint>,
    /// What somebody else has changed, and is so still.
    #[serde(default)]
    pub drifts: Drifts,
    /// What has happened lately.
    #[serde(default)]
    pub history: History,
    /// Workloads whose slider most devices contradict, and since when.
    #[serde(default)]
    pub contradicted: BTreeMap<Workload, Timestamp>,
    /// The last good version of each assignment, by name.
    #[serde(default)]
    pub last_good: BTreeMap<String, LastGood>,
    /// Assignments that are gone and take their devices back, by name.
    #[serde(default)]
    pub reverting: BTreeMap<String, LastGood>,
}

/// The last thing written for a device and a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWrite {
    /// When.
    pub at: Timestamp,
    /// Where it went.
    pub to: Authority,
    /// Whether the client was asked to poll its policy since.
    #[serde(default)]
    pub notified: bool,
}

/// How many devices each inventory had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Devices with a record at the site.
    pub site: usize,
    /// Devices with a record in Intune.
    pub intune: usize,
}

impl Sizes {
    /// How many of `devices` each service knows.
    #[must_use]
    pub fn of(devices: &[Device]) -> Self {
        let count = |knows: fn(&Device) -> bool| devices.iter().filter(|one| knows(one)).count();
        Self {
            site: count(|device| device.configuration_manager.as_ref().known().is_some()),
            intune: count(|device| device.intune.as_ref().known().is_some()),
        }
    }
}

/// Something that waits for a person, under a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What to approve.
    pub digest: Digest,
    /// The revision it is for.
    pub revision: String,
    /// Since when.
    pub since: Timestamp,
    /// What it is.
    pub what: WaitingFor,
}

/// What waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitingFor {
    /// Changes of authority.
    Changes {
        /// Why they wait.
        reason: WaitReason,
        /// The changes, by first id.
        changes: BTreeSet<ApprovedChange>,
        /// First ids of devices that would join the pilot of automatic enrolment.
        #[serde(default)]
        enrolling: BTreeSet<String>,
    },
    /// Another installation holds the fleet: this one would take it over.
    Claim {
        /// Who holds it.
        holder: String,
        /// The epoch that this installation would claim.
        epoch: u64,
    },
    /// An inventory lost more devices than it may.
    Shrink {
        /// What was believed last.
        before: Sizes,
        /// What was read now.
        now: Sizes,
    },
}

impl Waiting {
    /// Why, in a word: as statuses name it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match &self.what {
            WaitingFor::Changes { reason, .. } => match reason {
                WaitReason::NoBaseline => "NoBaseline",
                WaitReason::MaxChangedDevices => "MaxChangedDevices",
                WaitReason::MaxLeaving => "MaxLeaving",
            },
            WaitingFor::Claim { .. } => "ClaimedByAnother",
            WaitingFor::Shrink { .. } => "MaxInventoryShrink",
        }
    }

    /// Whether nothing at all is written until it is approved.
    #[must_use]
    pub const fn stops_everything(&self) -> bool {
        match self.what {
            WaitingFor::Changes { .. } => false,
            WaitingFor::Claim { .. } | WaitingFor::Shrink { .. } => true,
        }
    }

    /// How many changes wait, those that join the pilot of automatic enrolment included, and how many
    /// of them hand a device back.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        match &self.what {
            WaitingFor::Changes {
                changes, enrolling, ..
            } => {
                let leaving = changes
                    .iter()
                    .filter(|change| change.to == Authority::ConfigurationManager);
                (changes.len() + enrolling.len(), leaving.count())
            }
            WaitingFor::Claim { .. } | WaitingFor::Shrink { .. } => (0, 0),
        }
    }
}

impl FleetMemory {
    /// Whether devices are still to go back for the assignment with this uid.
    pub fn brings_back(&self, uid: &str) -> bool {
        let remembered = self.reverting.values().chain(self.last_good.values());
        remembered
            .into_iter()
            .any(|last| last.uid == uid && last.reverts)
    }

    /// Forgets the assignments with these uids, so that no device goes back for them.
    pub fn let_go(&mut self, uids: &BTreeSet<String>) {
        self.reverting.retain(|_, last| !uids.contains(&last.uid));
        self.last_good.retain(|_, last| !uids.contains(&last.uid));
    }

    /// Takes a person's yes to what waits. Whether anything waited.
    pub fn say_yes(&mut self, given: &GivenApproval) -> bool {
        let Some(waiting) = self.waiting.take() else {
            return false;
        };
        let expires = counts_until(given.at, given.expires);
        self.spend(given);
        match waiting.what {
            WaitingFor::Changes {
                changes, enrolling, ..
            } => {
                self.approved.push(Approved {
                    changes,
                    enrolling,
                    revision: waiting.revision,
                    expires,
                });
            }
            WaitingFor::Claim { epoch, .. } => self.take_over = Some(epoch),
            WaitingFor::Shrink { now, .. } => self.sizes = Some(now),
        }
        true
    }

    /// Remembers that a yes was taken: met again, it counts no more.
    pub fn spend(&mut self, given: &GivenApproval) {
        if let Some(id) = &given.id {
            let expires = counts_until(given.at, given.expires);
            let last = given.expires.unwrap_or(expires);
            self.spent.insert(id.clone(), last);
        }
    }

    /// Forgets the end state: what is remembered is older than what was done, so that there is nothing
    /// to compare with any more, and everything waits for a person.
    pub fn forget_end_state(&mut self) {
        if let Some(accepted) = &mut self.accepted {
            accepted.lose();
        }
        self.waiting = None;
        self.approved.clear();
    }

    /// Waits no more for what is so.
    pub fn stop_waiting(&mut self, is_so: impl Fn(&WaitingFor) -> bool) {
        if self
            .waiting
            .as_ref()
            .is_some_and(|waiting| is_so(&waiting.what))
        {
            self.waiting = None;
        }
    }

    /// Forgets approvals that are past, or for another revision.
    pub fn forget_approvals(&mut self, revision: &str, now: Timestamp) {
        self.approved
            .retain(|approved| now < approved.expires && approved.revision == revision);
        self.spent.retain(|_, expires| now < *expires);
    }

    /// How many membership changes were sent in the hour before `now`; older ones are forgotten.
    pub fn sent_lately(&mut self, now: Timestamp) -> usize {
        let hour = SignedDuration::from_hours(1);
        self.sent.retain(|(at, _)| now.duration_since(*at) < hour);
        self.sent.iter().map(|(_, rules)| rules).sum()
    }

    /// Notes that so many membership changes are about to be sent.
    pub fn will_send(&mut self, now: Timestamp, changes: usize) {
        self.sent.push((now, changes));
    }

    /// Notes how many of those that were about to be sent at `planned` have been, and until when.
    pub fn has_sent(&mut self, planned: Timestamp, now: Timestamp, changes: usize) {
        self.sent.retain(|(at, _)| *at != planned);
        if changes > 0 {
            self.sent.push((now, changes));
        }
    }

    /// Notes that something was written for a device and a workload.
    pub fn wrote(&mut self, first_id: &str, workload: Workload, write: LastWrite) {
        self.writes
            .entry(first_id.to_owned())
            .or_default()
            .insert(workload, write);
    }

    /// The last write for a device and a workload.
    #[must_use]
    pub fn last_write(&self, first_id: &str, workload: Workload) -> Option<LastWrite> {
        self.writes.get(first_id)?.get(&workload).copied()
    }

    /// Forgets a write that has nothing left to prove.
    pub fn arrived(&mut self, first_id: &str, workload: Workload) {
        if let Some(writes) = self.writes.get_mut(first_id) {
            writes.remove(&workload);
            if writes.is_empty() {
                self.writes.remove(first_id);
            }
        }
    }
}

/// Until when a yes counts that was given at `at` and says until when itself: no longer than a day.
#[must_use]
pub fn counts_until(at: Timestamp, says: Option<Timestamp>) -> Timestamp {
    let day = SignedDuration::try_from(accept::DAY).unwrap_or(SignedDuration::MAX);
    let longest = at.checked_add(day).unwrap_or(Timestamp::MAX);
    says.map_or(longest, |says| says.min(longest))
}

/// How long a write may take to show: until then a report that contradicts it says nothing else.
const SETTLING: SignedDuration = SignedDuration::from_hours(24);

impl FleetMemory {
    /// Whether a write of ours for a device and a workload may not have shown yet at `now`.
    pub fn in_flight(&self, now: Timestamp) -> impl Fn(&Device, Workload) -> bool + '_ {
        move |device, workload| {
            let first = device.first_id.as_ref().unwrap_or(&device.id);
            self.last_write(first, workload)
                .is_some_and(|write| now.duration_since(write.at) < SETTLING)
        }
    }

    /// How far the rollouts are, by assignment.
    pub fn rollouts(&self) -> Rollouts {
        let name = |text: &String| {
            let (namespace, name) = text.split_once('/')?;
            Some(ObjectName::new(namespace, name))
        };
        self.rollouts
            .iter()
            .filter_map(|(text, progress)| Some((name(text)?, progress.clone())))
            .collect()
    }

    /// Remembers how far the rollouts are; those that are gone are forgotten.
    pub fn set_rollouts(&mut self, rollouts: &Rollouts) {
        self.rollouts = rollouts
            .iter()
            .map(|(name, progress)| (name.to_string(), progress.clone()))
            .collect();
    }

    /// What assignments wait for a person for: by assignment, the digest of a step that must be approved
    /// or of a text that must be attested, and since when it waits.
    pub fn awaited(&self) -> impl Iterator<Item = (&String, Digest, Timestamp)> {
        let steps = self.rollouts.iter();
        let steps = steps.filter_map(|(name, progress)| {
            Some((name, progress.awaits()?, progress.stage.since()))
        });
        let asked = self.attestations.iter();
        let asked = asked.filter(|(_, one)| one.given.is_none());
        steps.chain(asked.map(|(digest, one)| (&one.assignment, *digest, one.since)))
    }

    /// Whether a person has attested what has this digest.
    #[must_use]
    pub fn has_attested(&self, digest: &Digest) -> bool {
        let known = self.attestations.get(digest);
        known.is_some_and(|one| one.given.is_some())
    }
}
