//! Writes: what a POST asks for, and doing it.

use serde_json::{Map, Value, json};

use crate::http::Answer;
use crate::log::Effect;
use crate::setup::{BadRule, Behaviour};
use crate::site::collections::{NewCollection, Refusal};
use crate::site::rules::{Rule, RuleKey};
use crate::world::World;
use crate::world::doings::Notification;

/// What a POST asks for.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Create(NewCollection),
    Add {
        collection: String,
        rules: Vec<Rule>,
        many: bool,
    },
    Remove {
        collection: String,
        rules: Vec<RuleKey>,
    },
    Refresh {
        collection: String,
    },
    Notify(Notification),
}

/// A POST that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misunderstood {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// The method was understood, a rule in it was not.
    pub(crate) rule: bool,
}

impl Misunderstood {
    /// Nothing is served there.
    pub(crate) fn no_route(route: &str) -> Self {
        let message = format!("No HTTP resource was found that matches the request URI '{route}'.");
        misunderstood(404, message)
    }

    /// Only GET and POST are.
    pub(crate) fn method(method: &str) -> Self {
        let message = format!("The requested resource does not support http method '{method}'.");
        misunderstood(405, message)
    }
}

fn misunderstood(status: u16, message: impl Into<String>) -> Misunderstood {
    Misunderstood {
        status,
        message: message.into(),
        rule: false,
    }
}

/// `SMS_Collection('PS100021')` taken apart.
pub(crate) fn key_of(segment: &str) -> Option<(&str, &str)> {
    let (class, rest) = segment.split_once('(')?;
    let key = rest.strip_suffix(')')?;
    Some((class, key.trim_matches('\'')))
}

/// What a POST to `route`, the path after `/AdminService/wmi/`, asks for.
///
/// # Errors
///
/// [`Misunderstood`].
pub(crate) fn parse(route: &str, body: &Value) -> Result<Write, Misunderstood> {
    let segments: Vec<_> = route.trim_end_matches('/').split('/').collect();
    match segments[..] {
        ["SMS_Collection"] => create(body),
        ["SMS_ClientOperation.InitiateClientOperation"] => notify(body),
        [entity, method] => match key_of(entity) {
            Some(("SMS_Collection", id)) => on_collection(id, method, body),
            _ => Err(Misunderstood::no_route(route)),
        },
        ["SMS_Collection", id, method] => on_collection(id.trim_matches('\''), method, body),
        _ => Err(Misunderstood::no_route(route)),
    }
}

fn create(body: &Value) -> Result<Write, Misunderstood> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str, default: u64| {
        let value = body.get(key).map_or(Some(default), Value::as_u64);
        value
            .and_then(|value| u8::try_from(value).ok())
            .ok_or_else(|| misunderstood(400, format!("The property '{key}' is not a number.")))
    };
    Ok(Write::Create(NewCollection {
        name: text("Name").ok_or_else(|| misunderstood(400, "The property 'Name' is missing."))?,
        comment: text("Comment").unwrap_or_default(),
        limit: text("LimitToCollectionID")
            .ok_or_else(|| misunderstood(400, "The property 'LimitToCollectionID' is missing."))?,
        kind: number("CollectionType", 2)?,
        refresh_type: number("RefreshType", 1)?,
    }))
}

fn on_collection(id: &str, method: &str, body: &Value) -> Result<Write, Misunderstood> {
    let collection = id.to_owned();
    let method = method.trim_start_matches("AdminService.");
    let rules = |key: &str, many: bool| -> Result<Vec<Rule>, Misunderstood> {
        let missing = || misunderstood(400, format!("The parameter '{key}' is missing."));
        let value = body.get(key).ok_or_else(missing)?;
        let list = if many {
            value.as_array().map(Vec::as_slice).ok_or_else(missing)?
        } else {
            std::slice::from_ref(value)
        };
        list.iter()
            .map(|rule| {
                Rule::read(rule).map_err(|message| Misunderstood {
                    status: 400,
                    message,
                    rule: true,
                })
            })
            .collect()
    };
    let keys = |rules: Vec<Rule>| rules.iter().map(Rule::key).collect();
    match method {
        "AddMembershipRule" => Ok(Write::Add {
            collection,
            rules: rules("collectionRule", false)?,
            many: false,
        }),
        "AddMembershipRules" => Ok(Write::Add {
            collection,
            rules: rules("collectionRules", true)?,
            many: true,
        }),
        "DeleteMembershipRule" => Ok(Write::Remove {
            collection,
            rules: keys(rules("collectionRule", false)?),
        }),
        "DeleteMembershipRules" => Ok(Write::Remove {
            collection,
            rules: keys(rules("collectionRules", true)?),
        }),
        "RequestRefresh" => Ok(Write::Refresh { collection }),
        other => Err(misunderstood(404, format!("There is no method '{other}'."))),
    }
}

fn notify(body: &Value) -> Result<Write, Misunderstood> {
    let number = |key: &str| {
        let value = body.get(key).and_then(Value::as_u64);
        value.and_then(|value| u32::try_from(value).ok())
    };
    let missing = |key: &str| misunderstood(400, format!("The parameter '{key}' is missing."));
    let resources = body
        .get("TargetResourceIDs")
        .and_then(Value::as_array)
        .map(|ids| {
            ids.iter()
                .filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
                .collect()
        })
        .unwrap_or_default();
    Ok(Write::Notify(Notification {
        kind: number("Type").ok_or_else(|| missing("Type"))?,
        collection: body
            .get("TargetCollectionID")
            .and_then(Value::as_str)
            .ok_or_else(|| missing("TargetCollectionID"))?
            .to_owned(),
        window: number("RandomizationWindow").unwrap_or(1),
        resources,
    }))
}

/// How the service puts it.
#[derive(Debug)]
pub(crate) struct Voice<'a> {
    pub(crate) behaviour: &'a Behaviour,
    /// `https://localhost:port/AdminService/wmi/$metadata`
    pub(crate) metadata: String,
}

impl Voice<'_> {
    fn returned(&self, method: &str, value: u32, more: Option<(&str, Value)>) -> Answer {
        let mut body = Map::new();
        let context = format!("{}#AdminService.{method}", self.metadata);
        body.insert("@odata.context".to_owned(), Value::from(context));
        body.insert("ReturnValue".to_owned(), Value::from(value));
        if let Some((name, value)) = more {
            body.insert(name.to_owned(), value);
        }
        Answer::json(self.behaviour.method_status, &body)
    }

    /// The answer to a rule that cannot be, and to what else cannot be.
    pub(crate) fn refuse(&self, misunderstood: &Misunderstood) -> Answer {
        if misunderstood.rule && self.behaviour.bad_rule == BadRule::ReturnValue {
            return self.returned("MembershipRule", FAILED, None);
        }
        Answer::admin_error(misunderstood.status, &misunderstood.message)
    }

    fn refusal(&self, refusal: Refusal, method: bool) -> (Effect, Answer) {
        let (status, message) = match refusal {
            Refusal::NoSuchCollection => (404, "The collection was not found.".to_owned()),
            Refusal::Bad(message) => (400, message),
            Refusal::Failed(message) => (500, message),
        };
        let answer = self.refuse(&Misunderstood {
            status,
            message: message.clone(),
            rule: method && status == 400,
        });
        (Effect::Refused { reason: message }, answer)
    }
}

/// `WBEM_E_FAILED`, as providers return it.
const FAILED: u32 = 0x8004_1001;

/// Does what was asked.
pub(crate) fn perform(world: &mut World, write: Write, voice: &Voice<'_>) -> (Effect, Answer) {
    match write {
        Write::Create(wish) => match world.site.create(wish, world.now) {
            Ok(id) => {
                let answer = created(world, &id, voice);
                (Effect::CollectionCreated { collection: id }, answer)
            }
            Err(refusal) => voice.refusal(refusal, false),
        },
        Write::Add {
            collection,
            rules,
            many,
        } => add(world, collection, &rules, many, voice),
        Write::Remove { collection, rules } => remove(world, collection, &rules, voice),
        Write::Refresh { collection } => refresh(world, collection, voice),
        Write::Notify(wish) => match world.notify(&wish) {
            Ok(effect) => {
                let operation = match &effect {
                    Effect::ClientsNotified { operation, .. } => *operation,
                    _ => 0,
                };
                let more = Some(("OperationID", json!(operation)));
                (effect, voice.returned("InitiateClientOperation", 0, more))
            }
            Err(refusal) => voice.refusal(refusal, true),
        },
    }
}

fn add(
    world: &mut World,
    collection: String,
    rules: &[Rule],
    many: bool,
    voice: &Voice<'_>,
) -> (Effect, Answer) {
    let done = match world.site.add_rules(&collection, rules, world.now) {
        Ok(done) => done,
        Err(refusal) => return voice.refusal(refusal, true),
    };
    let answer = if many {
        let ids = json!(done.query_ids);
        voice.returned("AddMembershipRules", 0, Some(("QueryIDs", ids)))
    } else {
        let id = done.query_ids.first().copied().unwrap_or(0);
        voice.returned("AddMembershipRule", 0, Some(("QueryID", json!(id))))
    };
    let effect = Effect::RulesAdded {
        collection,
        added: done.added,
        already: done.already,
    };
    (effect, answer)
}

fn remove(
    world: &mut World,
    collection: String,
    rules: &[RuleKey],
    voice: &Voice<'_>,
) -> (Effect, Answer) {
    let done = match world.site.remove_rules(&collection, rules, world.now) {
        Ok(done) => done,
        Err(refusal) => return voice.refusal(refusal, true),
    };
    let value = if done.missing.is_empty() { 0 } else { FAILED };
    let effect = Effect::RulesRemoved {
        collection,
        removed: done.removed,
        missing: done.missing,
    };
    (effect, voice.returned("DeleteMembershipRule", value, None))
}

fn refresh(world: &mut World, collection: String, voice: &Voice<'_>) -> (Effect, Answer) {
    if !world.site.collections.contains_key(&collection) {
        return voice.refusal(Refusal::NoSuchCollection, false);
    }
    let accepted = world
        .site
        .request_refresh(&collection, world.now, &world.latency, world.chance);
    let effect = Effect::RefreshRequested {
        collection,
        accepted,
    };
    (effect, voice.returned("RequestRefresh", 0, None))
}

fn created(world: &World, id: &str, voice: &Voice<'_>) -> Answer {
    let mut body = world
        .site
        .collections
        .get(id)
        .map(|collection| super::collection_entity(world, voice.behaviour, collection))
        .unwrap_or_default();
    let context = format!("{}#SMS_Collection/$entity", voice.metadata);
    body.insert("@odata.context".to_owned(), Value::from(context));
    Answer::json(201, &body)
}
