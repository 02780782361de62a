//! What is remembered of the rollout, each version kept once and known by a number, so that states
//! of the small world are small.
//!
//! In the small world it is always the same moment: when time passes, what is remembered is made
//! older instead. What is older than anything that the protocol compares it with is as old as that, so
//! that there are finitely many versions. No decision can tell the difference.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use diarchy_core::rollout::{Course, Progress, Stage, StopReason};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The one moment of the small world.
pub fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// How much time passes at once.
pub const TICK: SignedDuration = SignedDuration::from_hours(1);

/// Beyond these ages, nothing is told apart.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    /// The longest soak.
    pub soak: SignedDuration,
    /// The longest time that a device may take.
    pub deadline: SignedDuration,
    /// A tick more than the longest time that counts as having looked.
    pub gap: SignedDuration,
}

/// Everything that was ever remembered.
#[derive(Debug, Default)]
pub struct Remembered {
    versions: RwLock<Versions>,
}

#[derive(Debug, Default)]
struct Versions {
    by_text: HashMap<Vec<u8>, u32>,
    all: Vec<Arc<Progress>>,
    /// By number, the number of the same a tick older.
    older: HashMap<u32, u32>,
}

impl Remembered {
    /// The version with this number.
    pub fn get(&self, number: u32) -> Arc<Progress> {
        Arc::clone(&self.versions.read().unwrap().all[number as usize])
    }

    /// The number of `progress`.
    pub fn keep(&self, mut progress: Progress) -> u32 {
        forget_what_only_people_read(&mut progress);
        let text = serde_json::to_vec(&progress).unwrap();
        let known = self.versions.read().unwrap().by_text.get(&text).copied();
        known.unwrap_or_else(|| {
            let mut versions = self.versions.write().unwrap();
            let next = u32::try_from(versions.all.len()).unwrap();
            let number = *versions.by_text.entry(text).or_insert(next);
            if number == next {
                versions.all.push(Arc::new(progress));
            }
            number
        })
    }

    /// The number of the same a tick later.
    pub fn older(&self, number: u32, ages: Ages) -> u32 {
        if let Some(older) = self.versions.read().unwrap().older.get(&number) {
            return *older;
        }
        let mut progress = Progress::clone(&self.get(number));
        if let Stage::Soaking { since } = &mut progress.stage {
            *since = (*since - TICK).max(now() - ages.soak);
        }
        for course in progress.courses.values_mut() {
            grow_older(course, ages);
        }
        let older = self.keep(progress);
        self.versions.write().unwrap().older.insert(number, older);
        older
    }
}

/// Sets to one value what statuses show and no decision goes by.
fn forget_what_only_people_read(progress: &mut Progress) {
    match &mut progress.stage {
        Stage::Soaking { .. } => {}
        Stage::Moving { since } | Stage::AwaitingApproval { since } | Stage::Complete { since } => {
            *since = now();
        }
        Stage::Halted { since, reason } | Stage::RolledBack { since, reason } => {
            *since = now();
            *reason = StopReason::Aborted;
        }
    }
    for course in progress.courses.values_mut() {
        if let Some(failure) = &mut course.failure {
            failure.since = now();
        }
    }
}

/// The clocks of a course are its own affair, so that they are reached as they are stored.
fn grow_older(course: &mut Course, ages: Ages) {
    let mut stored = serde_json::to_value(&*course).unwrap();
    let waited: SignedDuration = read(&stored, "waited");
    stored["waited"] = json!(waited.min(ages.deadline));
    if let Some(since) = read::<Option<Timestamp>>(&stored, "online_since") {
        let older = since - TICK;
        stored["online_since"] = json!(older.max((now() - ages.gap).min(since)));
    }
    *course = serde_json::from_value(stored).unwrap();
}

fn read<T: serde::de::DeserializeOwned>(stored: &Value, field: &str) -> T {
    let value = stored.get(field).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).unwrap()
}
