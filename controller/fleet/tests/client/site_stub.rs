//! A site of a few collections: enough of the administration service to pull the lever on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use crate::service::{Asked, Reply};

#[derive(Debug, Clone, Default)]
pub struct Collection {
    pub name: String,
    pub comment: String,
    pub limiting: String,
    pub windows: u32,
    pub direct: BTreeSet<u32>,
    pub includes: BTreeSet<String>,
    pub members: BTreeSet<u32>,
    pub changed: u32,
    pub refreshed: u32,
}

#[derive(Debug, Default)]
pub struct Site {
    pub collections: BTreeMap<String, Collection>,
    pub deployments: Vec<(String, String)>,
    /// Whether a look-up tells a collection's rules.
    pub tells_rules: bool,
    /// Whether a look-up answers with a list of one.
    pub lists_of_one: bool,
    /// A collection that lists leave out.
    pub unlisted: Option<String>,
    /// A collection whose look-up ends in this status.
    pub failing: Option<(String, u16)>,
    /// The devices of the limiting collection.
    pub all: BTreeSet<u32>,
    /// Every write, as method and collection.
    pub writes: Vec<String>,
    /// The write of this number, from 1, happens, and its answer is lost.
    pub lose: usize,
    /// Whether every write is asked to come again in a minute.
    pub throttles: bool,
    /// What every method returns.
    pub return_value: i64,
    pub tick: u32,
}

pub type Shared = Arc<Mutex<Site>>;

impl Site {
    /// Evaluates whatever was asked for.
    fn evaluate(&mut self, id: &str) {
        self.tick += 1;
        let found = self.collections[id].clone();
        let mut members = found.direct.clone();
        for included in &found.includes {
            members.extend(self.collections[included].members.iter());
        }
        let collection = self.collections.get_mut(id).unwrap();
        collection.members = members.intersection(&self.all).copied().collect();
        collection.refreshed = self.tick;
    }

    pub fn reply(&mut self, asked: &Asked) -> Reply {
        let target = asked.target.replace("%20", " ").replace("%27", "'");
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let filter = query.split('\'').nth(1);
        let key = path.split('\'').nth(1);
        if asked.method == "POST" {
            return self.write(path, key, &asked.body);
        }
        if path.ends_with("SMS_FullCollectionMembership") {
            let rows = self
                .collections
                .iter()
                .filter(|(id, _)| filter.is_none_or(|wanted| wanted == *id));
            let rows = rows.flat_map(|(id, collection)| {
                collection
                    .members
                    .iter()
                    .map(move |resource| json!({ "CollectionID": id, "ResourceID": resource }))
            });
            return Reply::list(rows.collect());
        }
        if path.ends_with("SMS_DeploymentSummary") {
            let rows = self.deployments.iter().filter(|(id, _)| filter == Some(id));
            let rows = rows.enumerate().map(|(at, (id, name))| json!({ "DeploymentID": at, "CollectionID": id, "SoftwareName": name }));
            return Reply::list(rows.collect());
        }
        if let Some(id) = key {
            if let Some((_, status)) = self.failing.as_ref().filter(|(failing, _)| failing == id) {
                return Reply::new(*status, "");
            }
            let entity = self.entity(id, self.tells_rules);
            return if self.lists_of_one {
                Reply::list(json!([entity]))
            } else {
                Reply::ok(entity)
            };
        }
        let ids = self.collections.keys();
        let ids = ids.filter(|id| self.unlisted.as_ref() != Some(id));
        Reply::list(ids.map(|id| self.entity(id, false)).collect())
    }

    fn entity(&self, id: &str, rules: bool) -> Value {
        let collection = &self.collections[id];
        let time = |tick: u32| (tick > 0).then(|| format!("2026-11-23T12:00:00.{tick:06}Z"));
        let mut entity = json!({
            "CollectionID": id, "Name": collection.name, "Comment": collection.comment,
            "CollectionType": 2, "IsBuiltIn": false, "LimitToCollectionID": collection.limiting,
            "IncludeExcludeCollectionsCount": collection.includes.len(),
            "ServiceWindowsCount": collection.windows, "MemberCount": collection.members.len(),
            "LastRefreshTime": time(collection.refreshed), "LastChangeTime": time(collection.changed),
            "__LAZYPROPERTIES": ["CollectionRules"],
        });
        if rules {
            let direct = collection.direct.iter().map(|resource| {
                json!({
                "@odata.type": "#AdminService.SMS_CollectionRuleDirect", "ResourceID": resource })
            });
            let includes = collection.includes.iter().map(|included| json!({
                "@odata.type": "#AdminService.SMS_CollectionRuleIncludeCollection", "IncludeCollectionID": included }));
            entity["CollectionRules"] = direct.chain(includes).collect();
        }
        entity
    }

    fn write(&mut self, path: &str, key: Option<&str>, body: &str) -> Reply {
        let body: Map<String, Value> = serde_json::from_str(body).unwrap();
        let method = path.rsplit(['.', '/']).next().unwrap().to_owned();
        self.writes.push(
            format!("{method} {}", key.unwrap_or_default())
                .trim()
                .to_owned(),
        );
        if self.throttles {
            let mut later = Reply::new(429, "");
            later.headers.push(("retry-after", "60".to_owned()));
            return later;
        }
        if self.return_value != 0 {
            return Reply::ok(json!({ "ReturnValue": self.return_value }));
        }
        self.tick += 1;
        let mut answer = json!({ "ReturnValue": 0 });
        match (method.as_str(), key) {
            ("SMS_Collection", None) => {
                let id = format!("PS1{:05X}", 0x100 + self.collections.len());
                let text = |name: &str| body[name].as_str().unwrap().to_owned();
                let made = Collection {
                    name: text("Name"),
                    comment: text("Comment"),
                    limiting: text("LimitToCollectionID"),
                    changed: self.tick,
                    ..Collection::default()
                };
                answer = json!({ "CollectionID": id });
                self.collections.insert(id, made);
            }
            (_, Some(id)) => self.change(id, &method, &body),
            _ => {}
        }
        if self.lose == self.writes.len() {
            return Reply::new(0, "");
        }
        Reply::new(201, answer)
    }

    fn change(&mut self, id: &str, method: &str, body: &Map<String, Value>) {
        if method == "RequestRefresh" {
            return self.evaluate(id);
        }
        let rules: Vec<Value> = match body.get("collectionRules") {
            Some(rules) => rules.as_array().unwrap().clone(),
            None => vec![body["collectionRule"].clone()],
        };
        let tick = self.tick;
        let collection = self.collections.get_mut(id).unwrap();
        collection.changed = tick;
        for rule in rules {
            if let Some(included) = rule.get("IncludeCollectionID") {
                assert!(
                    collection
                        .includes
                        .insert(included.as_str().unwrap().to_owned()),
                    "included twice"
                );
                continue;
            }
            let resource = u32::try_from(rule["ResourceID"].as_u64().unwrap()).unwrap();
            let changed = match method {
                "AddMembershipRules" => collection.direct.insert(resource),
                "DeleteMembershipRules" => collection.direct.remove(&resource),
                other => panic!("an unexpected method: {other}"),
            };
            assert!(
                changed,
                "{method} repeated what had taken effect for {resource}"
            );
        }
    }
}
