//! What passes have decided from, written down so that it can be decided again.
//!
//! The same inputs give the same decisions, byte for byte: whoever doubts one can decide it again from
//! what it was made from, with the same version or with another.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use diarchy_core::desired::Desired;
use diarchy_core::digest::Digest;
use diarchy_core::due::Due;
use diarchy_core::inventory::{Device, Inventory};
use diarchy_core::plan::PlanDocument;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::Said;
use diarchy_core::steps::Step;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::context::{Decided, Revision};
use crate::decide::Basis;
use crate::memory::FleetMemory;
use crate::people::{Notes, People};
use crate::rollouts::Outlook;
use crate::shards;
use crate::sight::Sight;
use crate::store::GivenApproval;

/// The most decisions that are kept; older ones are removed.
const MOST: usize = 1_000;

/// How the files of decisions end.
const ENDING: &str = ".decision.zst";

/// One decision, with everything that it was made from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// The version that has decided it.
    pub version: String,
    /// What it was made from.
    pub inputs: Inputs,
    /// What came of it, byte for byte.
    pub outcome: String,
}

/// Everything that a decision is made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// The moment that is decided for.
    pub at: Timestamp,
    /// What approvals count for.
    pub revision_key: String,
    /// The revision, as people know it.
    pub revision: String,
    /// The id of the installation.
    pub installation: String,
    /// Whether what waits is approved as it arises.
    pub approves: bool,
    /// The yes to what waited when the pass began.
    pub approvals: Vec<GivenApproval>,
    /// What people want of rollouts.
    pub said: Said,
    /// When the pass before looked, in the same process.
    pub last: Option<Timestamp>,
    /// How often there is a pass.
    pub interval: SignedDuration,
    /// What git asks.
    pub desired: Desired,
    /// What is known of the devices.
    pub devices: Vec<Device>,
    /// The uids of the assignments that exist.
    pub uids: BTreeMap<ObjectName, String>,
    /// What was read besides the devices.
    pub sight: Sight,
    /// What is remembered.
    pub memory: FleetMemory,
}

/// What comes of a decision.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    plan: PlanDocument<'a>,
    /// What waits for a person.
    waiting: Option<String>,
    /// Why nothing is written.
    stopped: Option<String>,
    /// What is sent in this pass, in order.
    due: Vec<String>,
    /// A digest of what is remembered from then on.
    memory: Digest,
}

/// Why a decision cannot be made again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// Its devices are no inventory.
    #[error("its devices are no inventory: {0}")]
    NoInventory(String),
}

impl Inputs {
    /// What a pass goes by, and what it remembers.
    pub fn new(
        basis: &Basis<'_>,
        people: &People<'_>,
        devices: Vec<Device>,
        memory: &FleetMemory,
    ) -> Self {
        Self {
            at: people.now,
            revision_key: people.revision.key.to_owned(),
            revision: people.revision.shown.to_owned(),
            installation: people.installation.to_owned(),
            approves: people.approves,
            approvals: people.approvals.to_vec(),
            said: basis.outlook.said.clone(),
            last: basis.outlook.last,
            interval: basis.outlook.interval,
            desired: basis.desired.clone(),
            devices,
            uids: basis.uids.clone(),
            sight: basis.sight.clone(),
            memory: memory.clone(),
        }
    }

    /// Decides again, and gives what comes of it.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] when the devices are no inventory.
    pub fn decide(&self) -> Result<String, ReplayError> {
        let inventory = Inventory::new(self.devices.clone())
            .map_err(|error| ReplayError::NoInventory(error.to_string()))?;
        let basis = Basis {
            desired: &self.desired,
            inventory: &inventory,
            outlook: Outlook {
                said: &self.said,
                last: self.last,
                interval: self.interval,
            },
            uids: &self.uids,
            sight: &self.sight,
        };
        let mut memory = self.memory.clone();
        let mut people = People {
            fleet: &self.desired.fleet,
            revision: Revision {
                key: &self.revision_key,
                shown: &self.revision,
            },
            installation: &self.installation,
            approvals: &self.approvals,
            approves: self.approves,
            now: self.at,
            notes: Notes::default(),
        };
        let decided = basis.decide(&mut memory, &mut people);
        let due = self.sight.due(&decided);
        outcome(&decided, &due, &memory).map_err(|error| ReplayError::Unreadable(error.to_string()))
    }
}

/// What has come of a decision, byte for byte.
///
/// # Errors
///
/// When something has no form in JSON, which nothing has.
pub fn outcome(
    decided: &Decided<'_>,
    due: &Due,
    memory: &FleetMemory,
) -> serde_json::Result<String> {
    let inventory = decided.engine.inventory();
    let waiting = decided.acceptance.waiting.as_ref();
    let joining = due.enrolling.iter();
    let joining = joining.map(|row| format!("enrol {}", inventory.id(*row)));
    let remembered = shards::deal(memory, 1).unwrap_or_default();
    serde_json::to_string(&Outcome {
        plan: PlanDocument::new(&decided.plan, &decided.engine),
        waiting: waiting.map(|waiting| waiting.digest.to_string()),
        stopped: decided.hold.as_ref().map(ToString::to_string),
        due: due
            .steps
            .iter()
            .map(|step| told(decided, step))
            .chain(joining)
            .collect(),
        memory: Digest::of(&remembered.concat()),
    })
}

fn told(decided: &Decided<'_>, step: &Step) -> String {
    let (row, workload) = step.pair();
    let name = |index| &decided.engine.desired().assignment(index).name;
    let device = decided.engine.inventory().id(row);
    match step {
        Step::Place { assignment, .. } => {
            format!("place {device} {workload} {}", name(*assignment))
        }
        Step::TakeOut { but: None, .. } => format!("take {device} out of {workload}"),
        Step::TakeOut {
            but: Some(kept), ..
        } => format!("take {device} out of {workload} but {}", name(*kept)),
        Step::Withdraw { assignment, .. } => {
            format!("withdraw {device} {workload} {}", name(*assignment))
        }
    }
}

/// Writes decisions down, in a folder.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    /// By fleet, what came of the last decision.
    last: Mutex<BTreeMap<ObjectName, Digest>>,
}

/// A decision that was written down, for the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// A digest of the file.
    pub file: Digest,
    /// A digest of what came of it.
    pub outcome: Digest,
}

impl Recorder {
    /// Where it writes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One that writes into `folder`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn new(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            last: Mutex::default(),
        })
    }

    /// Writes a decision down, unless the same has come of the one before it.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn record(&self, inputs: Inputs, outcome: String) -> io::Result<Option<Written>> {
        let came = Digest::of(outcome.as_bytes());
        let fleet = inputs.desired.fleet.clone();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(&fleet) == Some(&came) {
            return Ok(None);
        }
        // In the order of time whatever fleet they are of, so that the oldest go first.
        let at = inputs.at.strftime("%Y-%m-%dT%H%M%S%.9fZ");
        let name = format!("{at}.{}.{}{ENDING}", fleet.namespace, fleet.name);
        let recorded = Recorded {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            inputs,
            outcome,
        };
        let json = serde_json::to_vec(&recorded)?;
        let packed = zstd::encode_all(json.as_slice(), 0)?;
        fs::write(self.folder.join(name), &packed)?;
        last.insert(fleet, came);
        forget_old(&self.folder, MOST)?;
        Ok(Some(Written {
            file: Digest::of(&packed),
            outcome: came,
        }))
    }
}

/// Removes the oldest decisions in a folder where there are more than `most`.
fn forget_old(folder: &Path, most: usize) -> io::Result<()> {
    let files = files(folder)?;
    let surplus = files.len().saturating_sub(most);
    files.iter().take(surplus).try_for_each(fs::remove_file)
}

/// The decisions in a folder, in the order in which they were made.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(ENDING)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Recorded {
    /// Reads one that was written down.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Unreadable`]
    pub fn read(file: &Path) -> Result<Self, ReplayError> {
        let unreadable = |error: &dyn std::error::Error| ReplayError::Unreadable(error.to_string());
        let packed = fs::read(file).map_err(|error| unreadable(&error))?;
        let json = zstd::decode_all(packed.as_slice()).map_err(|error| unreadable(&error))?;
        serde_json::from_slice(&json).map_err(|error| unreadable(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decision about nothing, of a fleet and at so many milliseconds.
    fn inputs(fleet: &str, at: i64) -> Inputs {
        let mut desired = crate::requirements::tests::desired(&[]);
        desired.fleet = ObjectName::new("contoso", fleet);
        Inputs {
            at: Timestamp::from_millisecond(at).unwrap(),
            revision_key: "r".to_owned(),
            revision: "r".to_owned(),
            installation: "i".to_owned(),
            approves: false,
            approvals: Vec::new(),
            said: Said::new(),
            last: None,
            interval: SignedDuration::from_mins(5),
            desired,
            devices: Vec::new(),
            uids: BTreeMap::new(),
            sight: Sight {
                claim: Ok(None),
                is_whole: true,
                sizes: None,
                contradicted: diarchy_core::workload::WorkloadSet::EMPTY,
                rules: crate::site_rules::SiteRules::default(),
            },
            memory: FleetMemory::default(),
        }
    }

    #[test]
    fn the_oldest_go_first_whatever_fleet_they_are_of() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(folder.path()).unwrap();
        for (fleet, at) in [("a", 2_000), ("z", 1_000), ("a", 3_500), ("z", 3_000)] {
            let written = recorder.record(inputs(fleet, at), format!("{fleet}{at}"));
            assert!(written.unwrap().is_some());
        }
        // The same again says nothing new.
        assert_eq!(
            recorder
                .record(inputs("a", 4_000), "a3500".to_owned())
                .unwrap(),
            None
        );
        forget_old(folder.path(), 2).unwrap();
        let left: Vec<i64> = files(folder.path())
            .unwrap()
            .iter()
            .map(|file| Recorded::read(file).unwrap().inputs.at.as_millisecond())
            .collect();
        assert_eq!(left, [3_000, 3_500]);
    }
}
