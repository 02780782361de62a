//! What is remembered of a fleet, in `FleetRecord` objects.
//!
//! One replica writes them at a time. Each write says which version it replaces, so that whoever
//! wrote in between is noticed and nothing is lost.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use diarchy_core::digest::Digest;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::FleetRecord;
use diarchy_crds::fleet_record::{FleetRecordSpec, MOST_DATA};
use diarchy_operator::error::OperatorError;
use diarchy_operator::memory::FleetMemory;
use diarchy_operator::shards;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, Client, ResourceExt as _};

use crate::in_words;
use crate::statuses;

/// More parts than this no fleet needs: the largest hierarchy has 700,000 devices.
const MOST_PARTS: usize = 4096;

/// The records of one fleet.
pub struct Records {
    api: Api<FleetRecord>,
    fleet: ObjectName,
    owner: OwnerReference,
    known: Option<Known>,
    /// The highest serial that this process has seen.
    highest: i64,
}

/// The records as the API server has them.
struct Known {
    memory: FleetMemory,
    serial: i64,
    /// How many parts together are what is remembered.
    count: usize,
    /// Those that exist, by how many there are of their kind, and which of them.
    parts: BTreeMap<(usize, usize), Part>,
}

struct Part {
    resource_version: String,
    data: String,
}

impl Records {
    /// The records of `fleet`, which go when the fleet with this `uid` goes.
    pub fn new(client: Client, fleet: ObjectName, uid: &str) -> Self {
        Self {
            api: Api::namespaced(client, &fleet.namespace),
            owner: owner(&fleet, uid),
            fleet,
            known: None,
            highest: 0,
        }
    }

    /// What is remembered. Read once; afterwards this replica knows, being the only one that writes.
    ///
    /// What cannot be read, or has gone back in time, is lost: then everything waits for a person.
    pub async fn load(&mut self) -> Result<FleetMemory, OperatorError> {
        if let Some(known) = &self.known {
            return Ok(known.memory.clone());
        }
        let known = self.read().await?;
        let memory = known.memory.clone();
        self.known = Some(known);
        Ok(memory)
    }

    /// What is remembered, as far as it is known here.
    pub fn known(&self) -> Option<&FleetMemory> {
        self.known.as_ref().map(|known| &known.memory)
    }

    async fn read(&mut self) -> Result<Known, OperatorError> {
        let found = self.api.list(&ListParams::default()).await;
        let mut records = found.map_err(|error| self.failed(&error))?.items;
        records.retain(|record| record.spec.fleet_ref.name.as_str() == self.fleet.name);
        let serial = records.iter().map(|record| record.spec.serial).max();
        let serial = serial.unwrap_or(0);
        let is_own = |record: &&FleetRecord| record.owner_references().contains(&self.owner);
        let own: Vec<&FleetRecord> = records.iter().filter(is_own).collect();
        let (count, remembered) = remembered(&own);
        let mut memory = remembered.unwrap_or_else(|why| {
            tracing::error!(fleet = %self.fleet, why, "what was remembered is lost");
            FleetMemory::default()
        });
        if serial < self.highest {
            tracing::error!(
                fleet = %self.fleet,
                serial,
                seen = self.highest,
                "what was remembered has gone back in time"
            );
            memory.forget_end_state();
        }
        self.highest = self.highest.max(serial);
        Ok(Known {
            memory,
            serial: self.highest,
            count,
            parts: records.into_iter().map(Part::of).collect(),
        })
    }

    /// Remembers: durably, before this returns. After a failure the next load reads again.
    pub async fn save(&mut self, memory: &FleetMemory) -> Result<(), OperatorError> {
        let mut known = match self.known.take() {
            Some(known) => known,
            None => self.read().await?,
        };
        let dealt = deal(memory, known.count)?;
        let serial = known.serial + 1;
        let count = dealt.len();
        // The first part counts what was accepted unasked: written first, a kill in between makes
        // later passes count a change twice, and never forget one. Where there are more parts than
        // before, all of them are new, and those before count until the last is written.
        for (at, data) in dealt.into_iter().enumerate() {
            let before = known.parts.get(&(count, at));
            let is_same = before.is_some_and(|part| part.data == data);
            if is_same && at > 0 && count == known.count {
                continue;
            }
            let record = self.record(at, count, serial, data, before);
            let part = self.write(record, before.is_some()).await?;
            known.parts.insert((count, at), part);
        }
        self.drop_others(&mut known, count).await?;
        self.highest = serial;
        known.count = count;
        known.serial = serial;
        known.memory.clone_from(memory);
        self.known = Some(known);
        Ok(())
    }

    /// Deletes what does not count any more.
    async fn drop_others(&self, known: &mut Known, count: usize) -> Result<(), OperatorError> {
        let others: Vec<(usize, usize)> = known
            .parts
            .keys()
            .copied()
            .filter(|(of, at)| *of != count || *at >= count)
            .collect();
        for (of, at) in others {
            let name = name(&self.fleet.name, of, at);
            match self.api.delete(&name, &DeleteParams::default()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => return Err(self.failed(&error)),
            }
            known.parts.remove(&(of, at));
        }
        Ok(())
    }

    fn record(
        &self,
        part: usize,
        parts: usize,
        serial: i64,
        data: String,
        before: Option<&Part>,
    ) -> FleetRecord {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        FleetRecord {
            metadata: ObjectMeta {
                name: Some(name(&self.fleet.name, parts, part)),
                namespace: Some(self.fleet.namespace.clone()),
                owner_references: Some(vec![self.owner.clone()]),
                resource_version: before.map(|part| part.resource_version.clone()),
                ..ObjectMeta::default()
            },
            spec: FleetRecordSpec {
                fleet_ref: self.fleet.name.as_str().into(),
                part: number(part),
                parts: number(parts),
                serial,
                data,
            },
        }
    }

    async fn write(&self, record: FleetRecord, exists: bool) -> Result<Part, OperatorError> {
        let options = PostParams::default();
        let written = if exists {
            let name = record.name_any();
            self.api.replace(&name, &options, &record).await
        } else {
            self.api.create(&options, &record).await
        };
        let written = written.map_err(|error| self.failed(&error))?;
        Ok(Part::of(written).1)
    }

    fn failed(&self, error: &kube::Error) -> OperatorError {
        let remedy = match error {
            kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => {
                "somebody else has written it: it is read again in the next pass"
            }
            kube::Error::Api(status) if status.is_forbidden() => {
                "give the controller's service account the rights of its chart"
            }
            _ => "see whether the API server can be reached; it is tried again in the next pass",
        };
        OperatorError::State {
            file: format!("FleetRecords of {}", self.fleet),
            cause: in_words::of(error),
            remedy: remedy.to_owned(),
        }
    }
}

fn owner(fleet: &ObjectName, uid: &str) -> OwnerReference {
    let resource = statuses::resource(Kind::Fleet);
    OwnerReference {
        api_version: resource.api_version,
        kind: resource.kind,
        name: fleet.name.clone(),
        uid: uid.to_owned(),
        ..OwnerReference::default()
    }
}

impl Part {
    /// Which part it is, of how many, and what it has.
    fn of(record: FleetRecord) -> ((usize, usize), Self) {
        let place = (record.spec.parts as usize, record.spec.part as usize);
        let part = Self {
            resource_version: record.resource_version().unwrap_or_default(),
            data: record.spec.data,
        };
        (place, part)
    }
}

/// What records hold together, and how many parts that is; none at all is nothing remembered.
///
/// Where there was not enough room the parts are made anew, more of them: the most count of which all
/// are there.
fn remembered(records: &[&FleetRecord]) -> (usize, Result<FleetMemory, String>) {
    let mut by_count: BTreeMap<usize, BTreeMap<usize, &FleetRecord>> = BTreeMap::new();
    for record in records {
        let of_count = by_count.entry(record.spec.parts as usize).or_default();
        of_count.insert(record.spec.part as usize, record);
    }
    let whole = by_count
        .iter()
        .rev()
        .find(|(count, parts)| parts.len() == **count && parts.keys().copied().eq(0..parts.len()));
    match whole {
        Some((count, parts)) => (*count, gathered(parts.values().copied())),
        None if records.is_empty() => (1, Ok(FleetMemory::default())),
        None => (1, Err("not all of its parts are there".to_owned())),
    }
}

fn gathered<'a>(parts: impl Iterator<Item = &'a FleetRecord>) -> Result<FleetMemory, String> {
    let dealt = parts
        .map(|record| BASE64.decode(&record.spec.data))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    shards::gather(&dealt).map_err(|error| error.to_string())
}

/// Parts that are small enough, as few as that takes and never fewer than there were.
fn deal(memory: &FleetMemory, known: usize) -> Result<Vec<String>, OperatorError> {
    let mut parts = known.max(1);
    loop {
        let dealt = shards::deal(memory, parts)
            .map_err(|error| OperatorError::Internal(error.to_string()))?;
        let dealt: Vec<String> = dealt.iter().map(|part| BASE64.encode(part)).collect();
        if dealt.iter().all(|part| part.len() <= MOST_DATA) {
            return Ok(dealt);
        }
        if parts >= MOST_PARTS {
            let why = format!("what is remembered does not fit into {parts} FleetRecords");
            return Err(OperatorError::Internal(why));
        }
        parts *= 2;
    }
}

/// The longest name of an object.
const LONGEST_NAME: usize = 253;

/// The name of one of a fleet's records.
fn name(fleet: &str, count: usize, part: usize) -> String {
    let name = format!("{fleet}-{count}-{part}");
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let digest = Digest::of_lines([fleet]).to_string();
    let digest: String = digest.chars().skip("sha256:".len()).take(16).collect();
    let fleet: String = fleet.chars().take(200).collect();
    format!("{fleet}-{digest}-{count}-{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(part: u32, parts: u32, data: &str) -> FleetRecord {
        FleetRecord {
            metadata: ObjectMeta::default(),
            spec: FleetRecordSpec {
                fleet_ref: "contoso".into(),
                part,
                parts,
                serial: 1,
                data: data.to_owned(),
            },
        }
    }

    /// What is remembered under this epoch, in so many parts.
    fn records(epoch: u64, parts: u32) -> Vec<FleetRecord> {
        let dealt = deal(&memory(epoch), parts as usize).unwrap();
        let numbered = (0..).zip(&dealt);
        numbered
            .map(|(part, data)| record(part, parts, data))
            .collect()
    }

    fn memory(epoch: u64) -> FleetMemory {
        FleetMemory {
            epoch: Some(epoch),
            ..FleetMemory::default()
        }
    }

    #[test]
    fn what_is_not_whole_is_lost() {
        let three = records(2, 3);
        let three: Vec<&FleetRecord> = three.iter().collect();
        assert_eq!(remembered(&three), (3, Ok(memory(2))));
        assert_eq!(remembered(&[]), (1, Ok(FleetMemory::default())));
        assert!(remembered(&three[..2]).1.is_err());
        assert!(remembered(&three[1..]).1.is_err());
        assert!(remembered(&[&record(0, 1, "no base64 !")]).1.is_err());
        assert!(remembered(&[&record(0, 1, "bm8genN0ZA==")]).1.is_err());
    }

    #[test]
    fn more_parts_count_when_the_last_of_them_is_there() {
        let (before, after) = (records(1, 2), records(2, 4));
        let all: Vec<&FleetRecord> = before.iter().chain(&after).collect();
        for written in 0..4 {
            let killed = &all[..2 + written];
            assert_eq!(remembered(killed), (2, Ok(memory(1))), "{written}");
        }
        assert_eq!(remembered(&all), (4, Ok(memory(2))));
        // Those before are deleted one by one.
        assert_eq!(remembered(&all[1..]), (4, Ok(memory(2))));
    }

    #[test]
    fn names_are_short_enough_and_differ() {
        let long = "f".repeat(253);
        assert_eq!(name("contoso", 4, 3), "contoso-4-3");
        assert!(name(&long, 4096, 4095).len() <= LONGEST_NAME);
        let other = format!("{}g", &long[..252]);
        assert_ne!(name(&long, 2, 1), name(&other, 2, 1));
    }
}
