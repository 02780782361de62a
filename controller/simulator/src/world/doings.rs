//! What changes the estate: the programs' writes and the people's acts.

use crate::acts::{Act, ActError};
use crate::log::Effect;
use crate::moment::SECOND;
use crate::setup::{IntuneObject, Setup, Workload};
use crate::site::collections::{NewCollection, Refusal};
use crate::site::preparation::prepare_more;
use crate::site::resources::{Resource, place_of, resource_id};
use crate::site::rules::{Rule, RuleKey};
use crate::world::device::{Device, IntuneRecord, Kind};
use crate::world::{Operation, World};

/// A client notification that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notification {
    pub(crate) kind: u32,
    pub(crate) collection: String,
    /// Seconds over which the clients spread their answers.
    pub(crate) window: u32,
    /// Empty: every member of the collection.
    pub(crate) resources: Vec<u32>,
}

impl World {
    /// Tells clients to do something at once; only type 8, policy, has consequences here.
    pub(crate) fn notify(&mut self, wish: &Notification) -> Result<Effect, Refusal> {
        const POLICY: u32 = 8;
        let collection = self
            .site
            .collections
            .get(&wish.collection)
            .ok_or(Refusal::NoSuchCollection)?;
        let places: Vec<usize> = if wish.resources.is_empty() {
            collection.members.ones().collect()
        } else {
            wish.resources
                .iter()
                .filter_map(|id| place_of(*id))
                .filter(|place| collection.members.contains(*place))
                .collect()
        };
        let id = 16_777_217 + u32::try_from(self.operations.len()).unwrap_or(0);
        let (mut reached, mut offline) = (0, 0);
        for place in places {
            let number = self.resources[place].device;
            let device = &self.devices[number];
            if !device.kind.has_client() || !self.rhythm(device).online(self.now) {
                offline += 1;
                continue;
            }
            reached += 1;
            if wish.kind == POLICY {
                let question = number.wrapping_mul(17).wrapping_add(self.operations.len());
                let spread = i64::from(wish.window) * SECOND;
                let at = self.now
                    + self
                        .chance
                        .between("notified", question, 2 * SECOND, 20 * SECOND)
                    + self.chance.between("randomized", question, 0, spread);
                self.interventions.entry(number).or_default().polls.push(at);
            }
        }
        self.operations.push(Operation {
            id,
            kind: wish.kind,
            collection: wish.collection.clone(),
            requested: self.now,
            reached,
            offline,
        });
        Ok(Effect::ClientsNotified {
            operation: id,
            reached,
            offline,
        })
    }

    /// Does what a person does.
    pub(crate) fn act(&mut self, act: &Act) -> Result<Effect, ActError> {
        match act {
            Act::AddDirectRule {
                collection,
                resource_id,
            } => {
                let name = place_of(*resource_id)
                    .and_then(|place| self.resources.get(place))
                    .map(|resource| self.devices[resource.device].name.clone())
                    .unwrap_or_default();
                let rule = Rule::Direct {
                    resource: *resource_id,
                    name,
                };
                self.add_by_hand(collection, rule)
            }
            Act::AddQueryRule {
                collection,
                name,
                expression,
            } => {
                let rule = Rule::Query {
                    name: name.clone(),
                    expression: expression.clone(),
                };
                self.add_by_hand(collection, rule)
            }
            Act::IncludeCollection {
                collection,
                included,
            } => {
                let rule = Rule::Include {
                    collection: included.clone(),
                    name: included.clone(),
                };
                self.add_by_hand(collection, rule)
            }
            Act::RemoveDirectRule {
                collection,
                resource_id,
            } => {
                let key = RuleKey::Direct(*resource_id);
                let outcome = self
                    .site
                    .remove_rules(collection, &[key], self.now)
                    .map_err(|refusal| refused(collection, refusal))?;
                Ok(Effect::RulesRemoved {
                    collection: collection.clone(),
                    removed: outcome.removed,
                    missing: outcome.missing,
                })
            }
            Act::MoveSlider { workload, slider } => {
                self.sliders.insert(*workload, *slider);
                self.retarget();
                Ok(Effect::Done)
            }
            Act::Prepare { setup } => self.prepare(setup),
            Act::PutIntuneObject { object } => {
                self.delete_intune_object(&object.collection, &object.id);
                self.intune.push(object.clone());
                Ok(Effect::Done)
            }
            Act::DeleteIntuneObject { collection, id } => {
                self.delete_intune_object(collection, id);
                Ok(Effect::Done)
            }
            Act::StagePilot {
                workload,
                collection,
            } => {
                self.existing(collection)?;
                self.pilots.insert(*workload, collection.clone());
                self.retarget();
                Ok(Effect::Done)
            }
            Act::Reimage { device }
            | Act::Rename { device, .. }
            | Act::Reenroll { device }
            | Act::Retire { device }
            | Act::SetPresence { device, .. } => self.act_on_device(act, *device),
            _ => self.act_on_collection(act),
        }
    }

    fn prepare(&mut self, setup: &Setup) -> Result<Effect, ActError> {
        if !setup.is_same_site(&self.setup) {
            return Err(ActError::Refused("this is another site".to_owned()));
        }
        prepare_more(&mut self.site, setup, self.chance, self.now);
        for workload in Workload::ALL {
            self.sliders.insert(workload, setup.slider(workload));
        }
        self.pilots = setup
            .pilots()
            .map(|(workload, id)| (workload, id.to_owned()))
            .collect();
        for object in &setup.intune {
            let is_it = |known: &IntuneObject| {
                known.collection == object.collection && known.id.eq_ignore_ascii_case(&object.id)
            };
            if !self.intune.iter().any(is_it) {
                self.intune.push(object.clone());
            }
        }
        // Fate is nothing that people prepare.
        let mishaps = std::mem::take(&mut self.setup.mishaps);
        self.setup = Setup {
            mishaps,
            ..setup.clone()
        };
        self.retarget();
        Ok(Effect::Done)
    }

    fn delete_intune_object(&mut self, collection: &str, id: &str) {
        self.intune.retain(|object| {
            object.collection != collection || !object.id.eq_ignore_ascii_case(id)
        });
    }

    fn add_by_hand(&mut self, collection: &str, rule: Rule) -> Result<Effect, ActError> {
        let outcome = self
            .site
            .add_rules(collection, &[rule], self.now)
            .map_err(|refusal| refused(collection, refusal))?;
        Ok(Effect::RulesAdded {
            collection: collection.to_owned(),
            added: outcome.added,
            already: outcome.already,
        })
    }

    fn existing(
        &mut self,
        id: &str,
    ) -> Result<&mut crate::site::collections::Collection, ActError> {
        self.site
            .collections
            .get_mut(id)
            .ok_or_else(|| ActError::NoSuchCollection(id.to_owned()))
    }

    fn act_on_collection(&mut self, act: &Act) -> Result<Effect, ActError> {
        match act {
            Act::CreateCollection {
                name,
                limit,
                comment,
            } => {
                let wish = NewCollection {
                    name: name.clone(),
                    comment: comment.clone(),
                    limit: limit.clone(),
                    kind: 2,
                    refresh_type: 2,
                };
                let collection = self
                    .site
                    .create(wish, self.now)
                    .map_err(|refusal| refused(limit, refusal))?;
                return Ok(Effect::CollectionCreated { collection });
            }
            Act::DeleteCollection { collection } => {
                self.existing(collection)?;
                self.site.delete(collection, self.now);
                self.retarget();
            }
            Act::SetComment {
                collection,
                comment,
            } => {
                self.existing(collection)?.comment.clone_from(comment);
            }
            Act::SetMaintenanceWindows { collection, count } => {
                self.existing(collection)?.service_windows = *count;
            }
            Act::Deploy { collection, name } => {
                self.existing(collection)?;
                self.site.deploy(name, collection, 1);
            }
            Act::RefreshCollection { collection } => {
                self.existing(collection)?;
                let accepted =
                    self.site
                        .request_refresh(collection, self.now, &self.latency, self.chance);
                return Ok(Effect::RefreshRequested {
                    collection: collection.clone(),
                    accepted,
                });
            }
            _ => {
                return Err(ActError::Refused(
                    "this is not done to a collection".to_owned(),
                ));
            }
        }
        Ok(Effect::Done)
    }

    fn act_on_device(&mut self, act: &Act, device: u32) -> Result<Effect, ActError> {
        let number = device as usize;
        if number >= self.devices.len() {
            return Err(ActError::NoSuchDevice(device));
        }
        self.acts += 1;
        let fresh = self.acts.wrapping_mul(1_000_003).wrapping_add(number);
        match act {
            Act::Reimage { .. } => {
                let old = self.devices[number]
                    .resource
                    .ok_or(ActError::NoSuchDevice(device))?;
                self.resources[old].obsolete = true;
                self.devices[number].resource = Some(self.resources.len());
                self.resources.push(Resource {
                    device: number,
                    obsolete: false,
                    client_id: self.chance.guid("client again", fresh),
                    created: self.now,
                });
                self.rediscovered();
                self.target(number, self.now);
            }
            Act::Rename { name, .. } => {
                self.devices[number].name.clone_from(name);
                self.rediscovered();
            }
            Act::Reenroll { .. } => {
                let record = IntuneRecord {
                    id: self.chance.guid("intune again", fresh),
                    enrolled: self.now,
                };
                let device = &mut self.devices[number];
                device.intune = Some(record);
                device.retired = false;
                // Whatever its enrolment failed for has been put right.
                if device.kind == Kind::EnrollmentFails {
                    device.kind = Kind::CoManaged;
                }
            }
            Act::Retire { .. } => {
                let device = &mut self.devices[number];
                device.intune = None;
                device.intune_duplicate = None;
                device.retired = true;
            }
            Act::SetPresence { online, .. } => {
                let now = self.now;
                let made = self.interventions.entry(number).or_default();
                made.presence.push((now, *online));
            }
            _ => return Err(ActError::Refused("this is not done to a device".to_owned())),
        }
        Ok(Effect::Done)
    }

    /// A record is new or reads differently: incremental collections look again.
    fn rediscovered(&mut self) {
        let woken: Vec<_> = self
            .site
            .collections
            .values()
            .filter(|collection| collection.incremental())
            .map(|collection| collection.id.clone())
            .collect();
        self.site.agenda.incremental.extend(woken);
    }

    /// Works the policies of all devices out again.
    fn retarget(&mut self) {
        for device in 0..self.devices.len() {
            self.target(device, self.now);
        }
    }

    /// The device whose newest record has this `ResourceID`.
    pub(crate) fn device_of(&self, id: u32) -> Option<&Device> {
        let resource = self.resources.get(place_of(id)?)?;
        let device = &self.devices[resource.device];
        (device.resource.map(resource_id) == Some(id)).then_some(device)
    }
}

fn refused(collection: &str, refusal: Refusal) -> ActError {
    match refusal {
        Refusal::NoSuchCollection => ActError::NoSuchCollection(collection.to_owned()),
        Refusal::Bad(why) | Refusal::Failed(why) => ActError::Refused(why),
    }
}
