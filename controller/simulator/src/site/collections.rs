//! Collections and what may be done to them.

use std::collections::{BTreeMap, BTreeSet};

use fixedbitset::FixedBitSet;

use crate::moment::Moment;
use crate::site::evaluation::Agenda;
use crate::site::resources::Query;
use crate::site::rules::{QueryRule, Rule, RuleKey};

/// All Systems, which every device collection is limited by in the end.
pub(crate) const ALL_SYSTEMS: &str = "SMS00001";

/// A collection.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) comment: String,
    /// 1 user, 2 device.
    pub(crate) kind: u8,
    pub(crate) built_in: bool,
    pub(crate) limit: Option<String>,
    pub(crate) direct: BTreeMap<u32, String>,
    pub(crate) queries: Vec<QueryRule>,
    pub(crate) include: BTreeMap<String, String>,
    pub(crate) exclude: BTreeMap<String, String>,
    pub(crate) members: FixedBitSet,
    /// 1 manual, 2 periodic, 4 incremental, 6 both.
    pub(crate) refresh_type: u8,
    pub(crate) service_windows: u32,
    pub(crate) changed: Moment,
    pub(crate) refreshed: Moment,
    pub(crate) members_changed: Moment,
    pub(crate) fully_refreshed: Moment,
    pub(crate) incrementally_refreshed: Option<Moment>,
    /// Members that came and went at the last full evaluation.
    pub(crate) member_changes: usize,
}

impl Collection {
    /// A device collection without rules.
    pub(crate) fn new(id: &str, name: &str, limit: Option<&str>, at: Moment) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            comment: String::new(),
            kind: 2,
            built_in: false,
            limit: limit.map(str::to_owned),
            direct: BTreeMap::new(),
            queries: Vec::new(),
            include: BTreeMap::new(),
            exclude: BTreeMap::new(),
            members: FixedBitSet::new(),
            refresh_type: 1,
            service_windows: 0,
            changed: at,
            refreshed: at,
            members_changed: at,
            fully_refreshed: at,
            incrementally_refreshed: None,
            member_changes: 0,
        }
    }

    /// Whether it looks at itself every few minutes.
    pub(crate) fn incremental(&self) -> bool {
        self.refresh_type & 4 != 0
    }

    fn holds(&self, key: &RuleKey) -> bool {
        match key {
            RuleKey::Direct(resource) => self.direct.contains_key(resource),
            RuleKey::Query(name) => self.queries.iter().any(|rule| rule.name == *name),
            RuleKey::Include(id) => self.include.contains_key(id),
            RuleKey::Exclude(id) => self.exclude.contains_key(id),
        }
    }

    fn drop_rule(&mut self, key: &RuleKey) {
        match key {
            RuleKey::Direct(resource) => drop(self.direct.remove(resource)),
            RuleKey::Query(name) => self.queries.retain(|rule| rule.name != *name),
            RuleKey::Include(id) => drop(self.include.remove(id)),
            RuleKey::Exclude(id) => drop(self.exclude.remove(id)),
        }
    }

    /// The collections whose members decide about its own.
    pub(crate) fn depends_on(&self) -> impl Iterator<Item = &String> {
        self.limit
            .iter()
            .chain(self.include.keys())
            .chain(self.exclude.keys())
    }
}

/// Something that is deployed to a collection.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) collection: String,
    /// As the console numbers features: 1 application, 5 update, 6 baseline.
    pub(crate) feature: u8,
}

/// A wish that the site does not grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoSuchCollection,
    /// The wish itself is wrong; the words say why.
    Bad(String),
    /// The provider fails, as for a name that is taken.
    Failed(String),
}

/// The collections of the site, and the evaluations it has before it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) code: String,
    pub(crate) collections: BTreeMap<String, Collection>,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) agenda: Agenda,
    next_collection: u32,
    next_query: u32,
}

impl Site {
    pub(crate) fn new(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            collections: BTreeMap::new(),
            deployments: Vec::new(),
            agenda: Agenda::default(),
            next_collection: 0x0_0100,
            next_query: 1,
        }
    }

    /// An id that no collection has.
    pub(crate) fn free_id(&mut self) -> String {
        loop {
            let id = format!("{}{:05X}", self.code, self.next_collection);
            self.next_collection += 1;
            if !self.collections.contains_key(&id) {
                return id;
            }
        }
    }

    /// The next number for a query rule.
    pub(crate) fn next_query_id(&mut self) -> u32 {
        let id = self.next_query;
        self.next_query += 1;
        id
    }

    pub(crate) fn deploy(&mut self, name: &str, collection: &str, feature: u8) {
        let id = 16_777_300 + u32::try_from(self.deployments.len()).unwrap_or(0);
        self.deployments.push(Deployment {
            id,
            name: name.to_owned(),
            collection: collection.to_owned(),
            feature,
        });
    }

    /// Makes a collection, unevaluated and empty.
    ///
    /// # Errors
    ///
    /// [`Refusal::Bad`] for an unknown limit or type, [`Refusal::Failed`] for a name that is taken.
    pub(crate) fn create(&mut self, wish: NewCollection, at: Moment) -> Result<String, Refusal> {
        if wish.name.trim().is_empty() {
            return Err(Refusal::Bad("the collection needs a Name".to_owned()));
        }
        let Some(limit) = self.collections.get(&wish.limit) else {
            return Err(Refusal::Bad(format!(
                "there is no limiting collection '{}'",
                wish.limit
            )));
        };
        if limit.kind != wish.kind {
            return Err(Refusal::Bad(
                "the limiting collection is of another CollectionType".to_owned(),
            ));
        }
        let taken = |other: &Collection| other.name.eq_ignore_ascii_case(&wish.name);
        if self.collections.values().any(taken) {
            return Err(Refusal::Failed(format!(
                "An object with the name '{}' already exists.",
                wish.name
            )));
        }
        let id = self.free_id();
        let mut collection = Collection::new(&id, &wish.name, Some(&wish.limit), at);
        collection.comment = wish.comment;
        collection.kind = wish.kind;
        collection.refresh_type = wish.refresh_type;
        self.collections.insert(id.clone(), collection);
        Ok(id)
    }

    /// The collection, if rules of it may be changed.
    fn changeable(&mut self, id: &str) -> Result<&mut Collection, Refusal> {
        let collection = self
            .collections
            .get_mut(id)
            .ok_or(Refusal::NoSuchCollection)?;
        if collection.built_in {
            return Err(Refusal::Bad(format!("'{id}' is a built-in collection")));
        }
        Ok(collection)
    }

    /// Adds rules, all of them or none; those that are there already stay as they are.
    ///
    /// # Errors
    ///
    /// [`Refusal`], when one of them cannot be.
    pub(crate) fn add_rules(
        &mut self,
        id: &str,
        rules: &[Rule],
        at: Moment,
    ) -> Result<RulesAdded, Refusal> {
        self.changeable(id)?;
        for rule in rules {
            self.check(id, rule)?;
        }
        let mut outcome = RulesAdded::default();
        for rule in rules {
            let query_id = self.next_query;
            let collection = self.changeable(id)?;
            let key = rule.key();
            if collection.holds(&key) {
                outcome.already.push(key);
                outcome.query_ids.push(0);
                continue;
            }
            outcome.added.push(key);
            outcome.query_ids.push(0);
            match rule.clone() {
                Rule::Direct { resource, name } => {
                    collection.direct.insert(resource, name);
                }
                Rule::Include {
                    collection: other,
                    name,
                } => {
                    collection.include.insert(other, name);
                }
                Rule::Exclude {
                    collection: other,
                    name,
                } => {
                    collection.exclude.insert(other, name);
                }
                Rule::Query { name, expression } => {
                    collection.queries.push(QueryRule {
                        id: query_id,
                        name,
                        query: Query::parse(&expression),
                        expression,
                    });
                    self.next_query += 1;
                    if let Some(last) = outcome.query_ids.last_mut() {
                        *last = query_id;
                    }
                }
            }
        }
        if !outcome.added.is_empty() {
            self.touched(id, at);
        }
        Ok(outcome)
    }

    fn check(&self, id: &str, rule: &Rule) -> Result<(), Refusal> {
        let (Rule::Include {
            collection: other, ..
        }
        | Rule::Exclude {
            collection: other, ..
        }) = rule
        else {
            return Ok(());
        };
        let kind = |id: &str| self.collections.get(id).map(|collection| collection.kind);
        if kind(other).is_none() {
            return Err(Refusal::Bad(format!("there is no collection '{other}'")));
        }
        if kind(other) != kind(id) {
            return Err(Refusal::Bad(format!(
                "'{other}' is of another CollectionType"
            )));
        }
        if other == id || self.dependents(id).contains(other) {
            return Err(Refusal::Bad(format!(
                "'{other}' depends on '{id}': the rule would make a circle"
            )));
        }
        Ok(())
    }

    /// Removes the rules that are there.
    ///
    /// # Errors
    ///
    /// [`Refusal`], when the collection cannot be changed.
    pub(crate) fn remove_rules(
        &mut self,
        id: &str,
        rules: &[RuleKey],
        at: Moment,
    ) -> Result<RulesRemoved, Refusal> {
        let collection = self.changeable(id)?;
        let mut outcome = RulesRemoved::default();
        for key in rules {
            if collection.holds(key) {
                collection.drop_rule(key);
                outcome.removed.push(key.clone());
            } else {
                outcome.missing.push(key.clone());
            }
        }
        if !outcome.removed.is_empty() {
            self.touched(id, at);
        }
        Ok(outcome)
    }

    /// Notes that the rules of a collection are not the ones its members came from.
    pub(crate) fn touched(&mut self, id: &str, at: Moment) {
        if let Some(collection) = self.collections.get_mut(id) {
            collection.changed = at;
            if collection.incremental() {
                self.agenda.incremental.insert(id.to_owned());
            }
        }
    }

    /// Every collection that its members decide about, however far away.
    pub(crate) fn dependents(&self, id: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![id.to_owned()];
        while let Some(id) = open.pop() {
            for other in self.collections.values() {
                if other.depends_on().any(|on| *on == id) && found.insert(other.id.clone()) {
                    open.push(other.id.clone());
                }
            }
        }
        found
    }

    /// Removes a collection, and the rules about it.
    pub(crate) fn delete(&mut self, id: &str, at: Moment) -> bool {
        if self.collections.remove(id).is_none() {
            return false;
        }
        self.deployments
            .retain(|deployment| deployment.collection != id);
        let affected: Vec<_> = self
            .collections
            .values_mut()
            .filter_map(|other| {
                let included = other.include.remove(id).is_some();
                let excluded = other.exclude.remove(id).is_some();
                (included || excluded).then(|| other.id.clone())
            })
            .collect();
        for other in affected {
            self.touched(&other, at);
        }
        true
    }
}

/// A collection that somebody wants.
#[derive(Debug, Clone)]
pub(crate) struct NewCollection {
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) limit: String,
    pub(crate) kind: u8,
    pub(crate) refresh_type: u8,
}

/// What adding rules did.
#[derive(Debug, Clone, Default)]
pub(crate) struct RulesAdded {
    pub(crate) added: Vec<RuleKey>,
    pub(crate) already: Vec<RuleKey>,
    /// In the order of the request; 0 for all but query rules.
    pub(crate) query_ids: Vec<u32>,
}

/// What removing rules did.
#[derive(Debug, Clone, Default)]
pub(crate) struct RulesRemoved {
    pub(crate) removed: Vec<RuleKey>,
    pub(crate) missing: Vec<RuleKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let mut site = Site::new("PS1");
        let mut all = Collection::new(ALL_SYSTEMS, "All Systems", None, 0);
        all.built_in = true;
        site.collections.insert(ALL_SYSTEMS.to_owned(), all);
        site
    }

    fn wish(name: &str) -> NewCollection {
        NewCollection {
            name: name.to_owned(),
            comment: String::new(),
            limit: ALL_SYSTEMS.to_owned(),
            kind: 2,
            refresh_type: 1,
        }
    }

    fn include(id: &str) -> Rule {
        Rule::Include {
            collection: id.to_owned(),
            name: String::new(),
        }
    }

    #[test]
    fn names_are_unique_and_limits_exist() {
        let mut site = site();
        let id = site.create(wish("Pilot"), 0).expect("created");
        assert_eq!((id.len(), &id[..3]), (8, "PS1"));
        assert!(matches!(
            site.create(wish("pilot"), 0),
            Err(Refusal::Failed(_))
        ));
        let nowhere = NewCollection {
            limit: "PS1FFFFF".to_owned(),
            ..wish("Other")
        };
        assert!(matches!(site.create(nowhere, 0), Err(Refusal::Bad(_))));
    }

    #[test]
    fn circles_unknown_and_built_in_collections_are_refused_as_a_whole() {
        let mut site = site();
        let a = site.create(wish("A"), 0).expect("created");
        let b = site.create(wish("B"), 0).expect("created");
        site.add_rules(&a, &[include(&b)], 0).expect("added");
        for bad in [include(&a), include("PS1FFFFF"), include(&b)] {
            let direct = Rule::Direct {
                resource: 16777219,
                name: String::new(),
            };
            assert!(site.add_rules(&b, &[direct, bad], 0).is_err());
            assert!(site.collections[&b].direct.is_empty());
        }
        assert!(site.add_rules(ALL_SYSTEMS, &[include(&b)], 0).is_err());
    }

    #[test]
    fn says_what_was_there_already_and_what_was_not_there() {
        let mut site = site();
        let id = site.create(wish("A"), 0).expect("created");
        let rule = |resource| Rule::Direct {
            resource,
            name: String::new(),
        };
        site.add_rules(&id, &[rule(1)], 0).expect("added");
        let added = site.add_rules(&id, &[rule(1), rule(2)], 0).expect("added");
        assert_eq!(added.already, [RuleKey::Direct(1)]);
        assert_eq!(added.added, [RuleKey::Direct(2)]);
        let keys = [RuleKey::Direct(2), RuleKey::Direct(3)];
        let removed = site.remove_rules(&id, &keys, 0).expect("removed");
        assert_eq!(removed.removed, [RuleKey::Direct(2)]);
        assert_eq!(removed.missing, [RuleKey::Direct(3)]);
    }
}
