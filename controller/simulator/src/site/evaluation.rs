//! How and when rules become members.
//!
//! A request waits, then its graph runs: the collection that was asked for is read when the graph
//! begins, and its members, and those of every collection that depends on it, change when it ends.
//! A request for a collection inside a graph that runs is dropped, so rules that arrive meanwhile
//! wait for another request or for the night (memdocs: best practices for collections).

use std::collections::{BTreeMap, BTreeSet};

use fixedbitset::FixedBitSet;

use crate::moment::{DAY, HOUR, Moment, millis};
use crate::random::Chance;
use crate::setup::Latency;
use crate::site::collections::Site;
use crate::site::resources::{Records, place_of};

/// Something that the site does at a time.
#[derive(Debug, Clone)]
enum Task {
    Begin(String),
    End { root: String, members: FixedBitSet },
    Incremental,
    Nightly,
}

/// Where the graph of a collection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Graph {
    Waiting,
    Running(BTreeSet<String>),
}

/// What the site has before it.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    tasks: BTreeMap<(Moment, u64), Task>,
    graphs: BTreeMap<String, Graph>,
    /// Collections with incremental updates whose rules changed.
    pub(crate) incremental: BTreeSet<String>,
    count: u64,
}

impl Agenda {
    fn add(&mut self, at: Moment, task: Task) {
        self.count += 1;
        self.tasks.insert((at, self.count), task);
    }

    fn due(&self, now: Moment) -> Option<(Moment, u64)> {
        self.tasks
            .keys()
            .next()
            .copied()
            .filter(|(at, _)| *at <= now)
    }
}

/// A membership that an evaluation changed: collection, and the places whose membership differs.
pub(crate) type Difference = (String, FixedBitSet);

impl Site {
    /// Starts the site's own routine: every night at four, and the incremental cycle.
    pub(crate) fn start_routine(&mut self, at: Moment, latency: &Latency) {
        let four = at - at.rem_euclid(DAY) + 4 * HOUR;
        let first = if four > at { four } else { four + DAY };
        self.agenda.add(first, Task::Nightly);
        let cycle = millis(latency.incremental_evaluation).max(1);
        self.agenda
            .add(at - at.rem_euclid(cycle) + cycle, Task::Incremental);
    }

    /// Asks for an evaluation; says whether the request was taken, or fell into a graph.
    pub(crate) fn request_refresh(
        &mut self,
        id: &str,
        at: Moment,
        latency: &Latency,
        chance: Chance,
    ) -> bool {
        let inside = self.agenda.graphs.iter().any(|(root, graph)| match graph {
            Graph::Waiting => root == id,
            Graph::Running(collections) => collections.contains(id),
        });
        if inside {
            return false;
        }
        let number = usize::try_from(self.agenda.count).unwrap_or(0);
        let whole = latency
            .collection_evaluation
            .draw(chance, "evaluation", number);
        // Longest is the wait for the evaluator; the run itself takes a fifth.
        self.agenda
            .add(at + whole * 4 / 5, Task::Begin(id.to_owned()));
        self.agenda.add(
            at + whole,
            Task::End {
                root: id.to_owned(),
                members: FixedBitSet::new(),
            },
        );
        self.agenda.graphs.insert(id.to_owned(), Graph::Waiting);
        true
    }

    /// `CurrentStatus`: 1 ready, 4 evaluating, 5 awaiting refresh.
    pub(crate) fn status(&self, id: &str) -> u8 {
        let mut status = 1;
        for (root, graph) in &self.agenda.graphs {
            match graph {
                Graph::Running(collections) if collections.contains(id) => return 4,
                Graph::Waiting if root == id => status = 5,
                _ => {}
            }
        }
        status
    }

    /// Does the next task that is due by `now`; none is left when it answers none.
    pub(crate) fn step(
        &mut self,
        now: Moment,
        records: Records<'_>,
        latency: &Latency,
    ) -> Option<(Moment, Vec<Difference>)> {
        let key = self.agenda.due(now)?;
        let task = self.agenda.tasks.remove(&key)?;
        let at = key.0;
        let differences = match task {
            Task::Begin(root) => {
                self.begin(&root, records);
                Vec::new()
            }
            Task::End { root, members } => self.end(&root, members, at, records),
            Task::Nightly => {
                self.agenda.add(at + DAY, Task::Nightly);
                self.evaluate_all(at, records)
            }
            Task::Incremental => {
                let cycle = millis(latency.incremental_evaluation).max(1);
                self.agenda.add(at + cycle, Task::Incremental);
                self.evaluate_incremental(at, records)
            }
        };
        Some((at, differences))
    }

    fn begin(&mut self, root: &str, records: Records<'_>) {
        let mut graph = self.dependents(root);
        graph.insert(root.to_owned());
        self.agenda
            .graphs
            .insert(root.to_owned(), Graph::Running(graph));
        let read = self.selection(root, records);
        for task in self.agenda.tasks.values_mut() {
            if let Task::End {
                root: other,
                members,
            } = task
                && other == root
            {
                *members = read;
                return;
            }
        }
    }

    fn end(
        &mut self,
        root: &str,
        members: FixedBitSet,
        at: Moment,
        records: Records<'_>,
    ) -> Vec<Difference> {
        self.agenda.graphs.remove(root);
        let mut differences = Vec::new();
        differences.extend(self.settle(root, members, at, true));
        for id in self.in_order(&self.dependents(root)) {
            let members = self.selection(&id, records);
            differences.extend(self.settle(&id, members, at, true));
        }
        self.wake_incremental(&differences);
        differences
    }

    /// Evaluates everything, each after what it depends on.
    pub(crate) fn evaluate_all(&mut self, at: Moment, records: Records<'_>) -> Vec<Difference> {
        let all = self.collections.keys().cloned().collect();
        let mut differences = Vec::new();
        for id in self.in_order(&all) {
            let members = self.selection(&id, records);
            differences.extend(self.settle(&id, members, at, true));
        }
        self.agenda.incremental.clear();
        differences
    }

    fn evaluate_incremental(&mut self, at: Moment, records: Records<'_>) -> Vec<Difference> {
        let woken = std::mem::take(&mut self.agenda.incremental);
        let mut differences = Vec::new();
        for id in self.in_order(&woken) {
            let members = self.selection(&id, records);
            differences.extend(self.settle(&id, members, at, false));
        }
        self.wake_incremental(&differences);
        differences
    }

    fn wake_incremental(&mut self, differences: &[Difference]) {
        for (id, _) in differences {
            let woken: Vec<_> = self
                .collections
                .values()
                .filter(|other| other.incremental() && other.depends_on().any(|on| on == id))
                .map(|other| other.id.clone())
                .collect();
            self.agenda.incremental.extend(woken);
        }
    }

    /// `(direct ∪ query ∪ include − exclude) ∩ limit`, from the members that others have now.
    fn selection(&self, id: &str, records: Records<'_>) -> FixedBitSet {
        let mut selected = FixedBitSet::with_capacity(records.resources.len());
        let Some(collection) = self.collections.get(id) else {
            return selected;
        };
        for place in collection.direct.keys().filter_map(|id| place_of(*id)) {
            if place < records.resources.len() {
                selected.insert(place);
            }
        }
        for rule in &collection.queries {
            selected.union_with(&rule.query.select(records));
        }
        let members = |id: &String| self.collections.get(id).map(|other| &other.members);
        for other in collection.include.keys().filter_map(members) {
            selected.union_with(other);
        }
        for other in collection.exclude.keys().filter_map(members) {
            selected.difference_with(other);
        }
        if let Some(limit) = &collection.limit {
            match members(limit) {
                Some(limit) => selected.intersect_with(limit),
                None => selected.clear(),
            }
        }
        selected
    }

    fn settle(
        &mut self,
        id: &str,
        members: FixedBitSet,
        at: Moment,
        full: bool,
    ) -> Option<Difference> {
        let collection = self.collections.get_mut(id)?;
        let mut difference = members.clone();
        difference.symmetric_difference_with(&collection.members);
        collection.members = members;
        collection.refreshed = at;
        let changes = difference.count_ones(..);
        if full {
            collection.fully_refreshed = at;
            collection.member_changes = changes;
        } else {
            collection.incrementally_refreshed = Some(at);
        }
        if changes == 0 {
            return None;
        }
        collection.members_changed = at;
        Some((id.to_owned(), difference))
    }

    /// `chosen`, each after those of them that it depends on. Rules cannot make a circle.
    fn in_order(&self, chosen: &BTreeSet<String>) -> Vec<String> {
        let mut order = Vec::with_capacity(chosen.len());
        let mut done = BTreeSet::new();
        for id in chosen {
            self.visit(id, chosen, &mut done, &mut order);
        }
        order
    }

    fn visit(
        &self,
        id: &str,
        chosen: &BTreeSet<String>,
        done: &mut BTreeSet<String>,
        order: &mut Vec<String>,
    ) {
        if !done.insert(id.to_owned()) {
            return;
        }
        if let Some(collection) = self.collections.get(id) {
            for other in collection.depends_on() {
                self.visit(other, chosen, done, order);
            }
        }
        if chosen.contains(id) {
            order.push(id.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::moment::SECOND;
    use crate::setup::Span;
    use crate::site::collections::{ALL_SYSTEMS, Collection, NewCollection};
    use crate::site::resources::{Query, Resource, resource_id};
    use crate::site::rules::{QueryRule, Rule};
    use crate::world::device::Device;

    const START: Moment = 1_800_000_000_000;

    /// Ten machines, and a site that has a record of each.
    struct Fixture {
        devices: Vec<Device>,
        resources: Vec<Resource>,
        site: Site,
        latency: Latency,
    }

    impl Fixture {
        fn new() -> Self {
            let mut site = Site::new("PS1");
            let mut all = Collection::new(ALL_SYSTEMS, "All Systems", None, START);
            all.queries.push(QueryRule {
                id: 0,
                name: "All".to_owned(),
                expression: String::new(),
                query: Query::Everything,
            });
            site.collections.insert(ALL_SYSTEMS.to_owned(), all);
            let record = |device| Resource {
                device,
                obsolete: false,
                client_id: Uuid::nil(),
                created: START,
            };
            let mut fixture = Self {
                devices: (0..10)
                    .map(|number| Device::new(Chance::new(1), number, START))
                    .collect(),
                resources: (0..10).map(record).collect(),
                site,
                latency: Latency {
                    collection_evaluation: Span::seconds(100, 100),
                    ..Latency::default()
                },
            };
            fixture.evaluate_all();
            fixture
        }

        fn create(&mut self, name: &str, limit: &str) -> String {
            let wish = NewCollection {
                name: name.to_owned(),
                comment: String::new(),
                limit: limit.to_owned(),
                kind: 2,
                refresh_type: 1,
            };
            self.site.create(wish, START).expect("created")
        }

        fn add(&mut self, id: &str, rule: Rule) {
            self.site.add_rules(id, &[rule], START).expect("added");
        }

        fn evaluate_all(&mut self) {
            let records = Records {
                resources: &self.resources,
                devices: &self.devices,
            };
            self.site.evaluate_all(START, records);
        }

        /// Lets everything happen that is due by so many seconds.
        fn pass(&mut self, seconds: i64) {
            let records = Records {
                resources: &self.resources,
                devices: &self.devices,
            };
            let now = START + seconds * SECOND;
            while self.site.step(now, records, &self.latency).is_some() {}
        }

        fn refresh(&mut self, id: &str, seconds: i64) -> bool {
            let at = START + seconds * SECOND;
            self.site
                .request_refresh(id, at, &self.latency, Chance::new(1))
        }

        fn members(&self, id: &str) -> Vec<usize> {
            self.site.collections[id].members.ones().collect()
        }
    }

    fn direct(place: usize) -> Rule {
        Rule::Direct {
            resource: resource_id(place),
            name: String::new(),
        }
    }

    fn include(id: &str) -> Rule {
        Rule::Include {
            collection: id.to_owned(),
            name: String::new(),
        }
    }

    #[test]
    fn members_are_what_the_rules_say_within_the_limit() {
        let mut site = Fixture::new();
        let limit = site.create("Limit", ALL_SYSTEMS);
        let inner = site.create("Inner", ALL_SYSTEMS);
        let not = site.create("Not", ALL_SYSTEMS);
        let pilot = site.create("Pilot", &limit);
        for place in 0..5 {
            site.add(&limit, direct(place));
        }
        for place in [1, 2, 9] {
            site.add(&inner, direct(place));
        }
        site.add(&not, direct(2));
        site.add(&pilot, direct(3));
        site.add(&pilot, include(&inner));
        let exclude = Rule::Exclude {
            collection: not,
            name: String::new(),
        };
        site.add(&pilot, exclude);
        site.evaluate_all();
        assert_eq!(site.members(&pilot), [1, 3]);
    }

    #[test]
    fn a_refresh_takes_its_time_and_reaches_those_that_depend_on_it() {
        let mut site = Fixture::new();
        let owned = site.create("Owned", ALL_SYSTEMS);
        let pilot = site.create("Pilot", ALL_SYSTEMS);
        site.add(&pilot, include(&owned));
        site.add(&owned, direct(4));
        assert!(site.refresh(&owned, 0));
        assert_eq!(site.site.status(&owned), 5);
        site.pass(99);
        assert!(site.members(&pilot).is_empty());
        site.pass(100);
        assert_eq!(
            (site.members(&owned), site.members(&pilot)),
            (vec![4], vec![4])
        );
        assert_eq!(site.site.status(&owned), 1);
    }

    #[test]
    fn a_request_inside_a_running_graph_is_dropped_and_its_rules_wait() {
        let mut site = Fixture::new();
        let owned = site.create("Owned", ALL_SYSTEMS);
        site.add(&owned, direct(1));
        assert!(site.refresh(&owned, 0));
        assert!(!site.refresh(&owned, 1), "one waits already");
        site.add(&owned, direct(2));
        site.pass(90);
        assert_eq!(site.site.status(&owned), 4);
        site.add(&owned, direct(3));
        assert!(!site.refresh(&owned, 90), "its graph runs");
        site.pass(400);
        assert_eq!(site.members(&owned), [1, 2]);
        assert!(site.refresh(&owned, 400));
        site.pass(500);
        assert_eq!(site.members(&owned), [1, 2, 3]);
    }
}
