//! What has happened lately: to each assignment, and to each device.
//!
//! The audit trail keeps everything. This is the part of it that is asked for most, and that stays small
//! enough to be remembered beside everything else: the last steps of each rollout, and the last moves of
//! the devices that moved last.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::drift::{DriftEnd, DriftKind};
use crate::rollout::{Counts, Phase};
use crate::workload::{Authority, Workload};

/// The most revisions that are kept of an assignment.
pub const MOST_REVISIONS: usize = 10;
/// The most steps that are kept of an assignment.
pub const MOST_STEPS: usize = 50;
/// The most turns of what it requires that are kept of an assignment.
pub const MOST_REQUIREMENTS: usize = 50;
/// The most records that are kept of a device.
pub const MOST_RECORDS: usize = 16;
/// The most devices that are kept: those of which something was noted last.
pub const MOST_DEVICES: usize = 20_000;
/// The most assignments that are kept: those of which something was noted last.
pub const MOST_ASSIGNMENTS: usize = 1_000;

/// What has happened lately in one fleet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct History {
    /// By assignment, as plans name it.
    pub assignments: BTreeMap<String, AssignmentHistory>,
    /// By id.
    pub devices: BTreeMap<String, DeviceHistory>,
}

/// What has happened lately to one assignment, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AssignmentHistory {
    /// The revisions that have moved devices for it.
    pub revisions: Vec<RevisionRecord>,
    /// What its rollout has done.
    pub steps: Vec<StepRecord>,
    /// What it requires and has come to be ready, or is so no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<RequirementRecord>,
}

/// What one revision has moved for an assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionRecord {
    /// The revision.
    pub revision: String,
    /// When the first device was asked for.
    pub since: Timestamp,
    /// When the last one was.
    pub until: Timestamp,
    /// How many times a device was asked to go to Intune.
    pub to_intune: usize,
    /// How many times a device was asked to go to Configuration Manager.
    pub to_configuration_manager: usize,
    /// How many of those have reported to have arrived since.
    pub observed: usize,
}

/// What a rollout has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// When.
    pub at: Timestamp,
    /// The revision in force.
    pub revision: String,
    /// At which step, from 1.
    pub step: usize,
    /// Of how many.
    pub of: usize,
    /// What it has done from then on.
    pub phase: Phase,
    /// How many of its devices did what then.
    pub counts: Counts,
    /// Why it has stopped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

/// How something turned that an assignment requires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequirementRecord {
    /// When.
    pub at: Timestamp,
    /// The revision in force.
    pub revision: String,
    /// What is required.
    pub what: String,
    /// Why it is ready no more; none where it has come to be ready.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unmet: Option<String>,
}

/// What has happened lately to one device, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceHistory {
    /// Its name when something happened last, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What happened.
    pub records: Vec<DeviceRecord>,
}

/// What has happened to a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRecord {
    /// When.
    pub at: Timestamp,
    /// The revision in force.
    pub revision: String,
    /// For which workload.
    pub workload: Workload,
    /// What.
    #[serde(flatten)]
    pub what: DeviceEvent,
}

/// What may happen to a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "event"
)]
pub enum DeviceEvent {
    /// It was asked to move.
    Asked {
        /// Who shall get authority.
        to: Authority,
        /// The assignment that asks.
        because: String,
    },
    /// It reported to be where it was asked to be.
    Observed {
        /// Who has authority by its own report.
        authority: Authority,
    },
    /// Somebody else has changed it.
    Drifted {
        /// How.
        kind: DriftKind,
        /// Who should have authority.
        wanted: Authority,
    },
    /// It drifts no more.
    DriftEnded {
        /// How it drifted.
        kind: DriftKind,
        /// What has ended it.
        end: DriftEnd,
    },
}

impl History {
    /// Notes what has happened to the device with this id.
    pub fn note_device(&mut self, id: &str, name: Option<&str>, record: DeviceRecord) {
        match &record.what {
            DeviceEvent::Asked { to, because } => self.count_asked(because, *to, &record),
            DeviceEvent::Observed { .. } => self.count_observed(id, record.workload),
            DeviceEvent::Drifted { .. } | DeviceEvent::DriftEnded { .. } => {}
        }
        let device = self.devices.entry(id.to_owned()).or_default();
        if let Some(name) = name {
            device.name = Some(name.to_owned());
        }
        push(&mut device.records, record, MOST_RECORDS);
    }

    /// Notes what the rollout of an assignment has done.
    pub fn note_step(&mut self, assignment: &str, record: StepRecord) {
        let of = self.assignments.entry(assignment.to_owned()).or_default();
        push(&mut of.steps, record, MOST_STEPS);
    }

    /// Notes how something turned that an assignment requires.
    pub fn note_requirement(&mut self, assignment: &str, record: RequirementRecord) {
        let of = self.assignments.entry(assignment.to_owned()).or_default();
        push(&mut of.requirements, record, MOST_REQUIREMENTS);
    }

    fn count_asked(&mut self, because: &str, to: Authority, record: &DeviceRecord) {
        let of = self.assignments.entry(because.to_owned()).or_default();
        let is_same = |last: &RevisionRecord| last.revision == record.revision;
        if !of.revisions.last().is_some_and(is_same) {
            let begun = RevisionRecord {
                revision: record.revision.clone(),
                since: record.at,
                until: record.at,
                to_intune: 0,
                to_configuration_manager: 0,
                observed: 0,
            };
            push(&mut of.revisions, begun, MOST_REVISIONS);
        }
        if let Some(last) = of.revisions.last_mut() {
            last.until = last.until.max(record.at);
            match to {
                Authority::Intune => last.to_intune += 1,
                Authority::ConfigurationManager => last.to_configuration_manager += 1,
            }
        }
    }

    /// Counts the arrival for what has asked for it.
    fn count_observed(&mut self, id: &str, workload: Workload) {
        let records = self.devices.get(id).map(|device| &device.records);
        let asked = records.into_iter().flatten().rev().find_map(|record| {
            let DeviceEvent::Asked { because, .. } = &record.what else {
                return None;
            };
            (record.workload == workload).then_some((because, &record.revision))
        });
        let Some((because, revision)) = asked else {
            return;
        };
        let of = self.assignments.get_mut(because);
        let revisions = of.into_iter().flat_map(|of| &mut of.revisions);
        if let Some(asked) = revisions.rev().find(|one| one.revision == *revision) {
            asked.observed += 1;
        }
    }

    /// Forgets those of which nothing was noted for the longest, where there are too many.
    pub fn trim(&mut self) {
        trim(&mut self.devices, MOST_DEVICES, |device| {
            device.records.last().map(|record| record.at)
        });
        trim(&mut self.assignments, MOST_ASSIGNMENTS, |one| {
            let moved = one.revisions.last().map(|record| record.until);
            let turned = one.requirements.last().map(|record| record.at);
            moved
                .max(one.steps.last().map(|record| record.at))
                .max(turned)
        });
    }

    /// Adds what has happened in another fleet.
    pub fn join(&mut self, other: Self) {
        self.assignments.extend(other.assignments);
        self.devices.extend(other.devices);
    }

    /// What is kept of the assignments with this name, of whatever namespace, or with
    /// `namespace/name`.
    #[must_use]
    pub fn of_assignment(&self, name: &str) -> Self {
        let suffix = format!("/{name}");
        let assignments = self.assignments.iter();
        let assignments = assignments.filter(|(known, _)| known.ends_with(&suffix));
        Self {
            assignments: assignments
                .map(|(known, one)| (known.clone(), one.clone()))
                .collect(),
            devices: BTreeMap::new(),
        }
    }

    /// What is kept of the device with this id or name, alone.
    #[must_use]
    pub fn of_device(&self, named: &str) -> Self {
        let device = self.device(named).into_iter();
        Self {
            assignments: BTreeMap::new(),
            devices: device.map(|(id, one)| (id.clone(), one.clone())).collect(),
        }
    }

    /// What is kept of the device with this id or name; an id goes before a name.
    #[must_use]
    pub fn device(&self, named: &str) -> Option<(&String, &DeviceHistory)> {
        let by_name = || {
            let mut devices = self.devices.iter();
            devices.find(|(_, device)| {
                let name = device.name.as_deref();
                name.is_some_and(|name| name.eq_ignore_ascii_case(named))
            })
        };
        self.devices.get_key_value(named).or_else(by_name)
    }
}

/// Adds the newest, and drops the oldest where there are more than `most`.
fn push<T>(records: &mut Vec<T>, record: T, most: usize) {
    if records.len() >= most {
        records.drain(..=records.len() - most);
    }
    records.push(record);
}

fn trim<T>(all: &mut BTreeMap<String, T>, most: usize, last: impl Fn(&T) -> Option<Timestamp>) {
    let surplus = all.len().saturating_sub(most);
    if surplus == 0 {
        return;
    }
    let mut by_age: Vec<(Option<Timestamp>, String)> = all
        .iter()
        .map(|(key, one)| (last(one), key.clone()))
        .collect();
    by_age.sort_unstable();
    for (_, key) in by_age.into_iter().take(surplus) {
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn asked(minute: i64, revision: &str, to: Authority) -> DeviceRecord {
        DeviceRecord {
            at: at(minute),
            revision: revision.to_owned(),
            workload: Workload::ClientApps,
            what: DeviceEvent::Asked {
                to,
                because: "WorkloadAssignment/contoso/apps".to_owned(),
            },
        }
    }

    fn observed(minute: i64, workload: Workload) -> DeviceRecord {
        DeviceRecord {
            at: at(minute),
            revision: "r9".to_owned(),
            workload,
            what: DeviceEvent::Observed {
                authority: Authority::Intune,
            },
        }
    }

    #[test]
    fn arrivals_count_for_the_revision_that_asked() {
        let mut history = History::default();
        history.note_device("d0", Some("PC-0"), asked(1, "r1", Authority::Intune));
        history.note_device("d1", None, asked(2, "r1", Authority::Intune));
        history.note_device("d1", None, asked(3, "r2", Authority::ConfigurationManager));
        history.note_device("d0", None, observed(4, Workload::ClientApps));
        // Of what nobody here has asked for, nothing is counted.
        history.note_device("d0", None, observed(5, Workload::OfficeClickToRun));
        history.note_device("d7", None, observed(5, Workload::ClientApps));
        let of = &history.assignments["WorkloadAssignment/contoso/apps"];
        let counts: Vec<_> = of
            .revisions
            .iter()
            .map(|one| {
                (
                    one.revision.as_str(),
                    one.to_intune,
                    one.to_configuration_manager,
                    one.observed,
                )
            })
            .collect();
        assert_eq!(counts, [("r1", 2, 0, 1), ("r2", 0, 1, 0)]);
        assert_eq!(
            (of.revisions[0].since, of.revisions[0].until),
            (at(1), at(2))
        );
        let (id, device) = history.device("pc-0").unwrap();
        assert_eq!((id.as_str(), device.records.len()), ("d0", 3));
        assert_eq!(history.device("d1").unwrap().1.records.len(), 2);
        assert_eq!(history.device("d9"), None);
    }

    #[test]
    fn it_stays_small_and_keeps_what_is_newest() {
        let mut history = History::default();
        for minute in 0..100 {
            let revision = format!("r{minute}");
            history.note_device("d0", None, asked(minute, &revision, Authority::Intune));
            let step = StepRecord {
                at: at(minute),
                revision,
                step: 1,
                of: 2,
                phase: Phase::Progressing,
                counts: Counts::default(),
                why: None,
            };
            history.note_step("WorkloadAssignment/contoso/apps", step);
            let turned = RequirementRecord {
                at: at(minute),
                revision: format!("r{minute}"),
                what: "\"the helpdesk knows\"".to_owned(),
                unmet: None,
            };
            history.note_requirement("WorkloadAssignment/contoso/apps", turned);
        }
        let of = &history.assignments["WorkloadAssignment/contoso/apps"];
        assert_eq!(
            (of.revisions.len(), of.steps.len()),
            (MOST_REVISIONS, MOST_STEPS)
        );
        assert_eq!(of.revisions.last().unwrap().revision, "r99");
        assert_eq!(of.steps[0].revision, "r50");
        assert_eq!(of.requirements.len(), MOST_REQUIREMENTS);
        assert_eq!(of.requirements.last().unwrap().revision, "r99");
        assert_eq!(history.devices["d0"].records.len(), MOST_RECORDS);
        for device in 0..MOST_DEVICES {
            let minute = i64::try_from(device).unwrap() + 200;
            history.note_device(
                &format!("e{device}"),
                None,
                asked(minute, "r", Authority::Intune),
            );
        }
        history.trim();
        assert_eq!(history.devices.len(), MOST_DEVICES);
        assert!(!history.devices.contains_key("d0"), "the oldest goes");
        assert!(history.devices.contains_key("e0"));
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        let mut history = History::default();
        history.note_device("d0", Some("PC-0"), asked(1, "r1", Authority::Intune));
        history.note_device("d0", None, observed(2, Workload::ClientApps));
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
    }
}
