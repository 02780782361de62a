//! Single steps at a site that evaluates its collections when it pleases: safe at every moment, and
//! in the end where the plan said.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::desired::{AssignmentIndex, Desired};
use diarchy_core::engine::{Engine, Outcome};
use diarchy_core::inventory::{Holder, Inventory};
use diarchy_core::plan::Plan;
use diarchy_core::rules::RulesUnderWay;
use diarchy_core::steps::{Step, steps};
use diarchy_core::workload::{Authority, Slider, Workload};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::world::plain::{assignment, hold, holders, listed, movable, pilot};
use crate::world::{Standing, World, made_up, now};

const CONFIGURATION: Workload = Workload::DeviceConfiguration;
const PROTECTION: Workload = Workload::EndpointProtection;

/// A device by its place in the world, and a workload.
type Pair = (usize, Workload);
/// A collection: of a workload, and whose.
type Collection = (Workload, String);

/// The site: what its collections' rules name, and who their members are as last evaluated.
struct Site {
    world: World,
    /// By [`Workload::index`].
    sliders: [Option<Slider>; 7],
    rules: BTreeMap<Collection, BTreeSet<usize>>,
    members: BTreeMap<Collection, BTreeSet<usize>>,
}

/// One step as the site gets it.
enum Request {
    Add(usize, Collection),
    /// Out of every owned collection of the workload but one.
    Remove(usize, Workload, Option<String>),
    /// Out of this one, of which it is no member yet.
    Withdraw(usize, Collection),
}

/// What one pass decides.
struct Pass {
    requests: Vec<Request>,
    /// What is in a pilot collection, by a rule that stands, and would stay there.
    staying: BTreeSet<Pair>,
}

impl Site {
    fn new(world: &World) -> Self {
        let mut members: BTreeMap<Collection, BTreeSet<usize>> = BTreeMap::new();
        for (at, device) in world.devices.iter().enumerate() {
            for workload in Workload::ALL {
                for holder in holders(device, workload) {
                    members.entry((workload, holder)).or_default().insert(at);
                }
            }
        }
        Self {
            world: world.clone(),
            sliders: world
                .policy
                .as_ref()
                .map_or([None; 7], |policy| policy.sliders),
            rules: members.clone(),
            members,
        }
    }

    /// What Diarchy sees: the members.
    fn seen(&self) -> World {
        let mut world = self.world.clone();
        for (at, device) in world.devices.iter_mut().enumerate() {
            if device.get("assigned").is_none() {
                continue;
            }
            for workload in Workload::ALL {
                let of = |(collection, members): (&Collection, &BTreeSet<usize>)| {
                    (collection.0 == workload && members.contains(&at))
                        .then(|| collection.1.clone())
                };
                let held: Vec<String> = self.members.iter().filter_map(of).collect();
                hold(device, workload, &held);
            }
        }
        world
    }

    /// What Diarchy sees of rules beyond the members.
    fn under_way(&self, desired: &Desired, inventory: &Inventory) -> RulesUnderWay {
        let mut under_way = RulesUnderWay::default();
        for ((workload, holder), rules) in &self.rules {
            let owner = match holder.parse().unwrap() {
                Holder::Foreign => continue,
                Holder::Retained(_) => None,
                Holder::Owned(name) => desired
                    .find_assignment(&name)
                    .filter(|owner| desired.places_in(*owner, *workload)),
            };
            let members = &self.members[&(*workload, holder.clone())];
            let row = |device: &usize| inventory.row_of(self.id(*device)).unwrap();
            for device in rules.difference(members) {
                under_way.arrives(row(device), *workload, owner);
            }
            for device in members.difference(rules) {
                under_way.leaves(row(device), *workload, owner);
            }
        }
        under_way
    }

    fn id(&self, device: usize) -> &str {
        self.world.devices[device]["id"].as_str().unwrap()
    }

    /// One pass: the requests that it would send.
    fn pass(&self) -> Pass {
        let seen = self.seen();
        let (desired, inventory) = (seen.desired(), seen.inventory());
        let engine = Engine::new(&desired, &inventory, now());
        let plan = Plan::new(&engine);
        let under_way = self.under_way(&desired, &inventory);
        let place = |row: usize| {
            let is_it = |device: &crate::world::Device| device["id"] == inventory.id(row);
            seen.devices.iter().position(is_it).unwrap()
        };
        let name = |index: AssignmentIndex| desired.assignment(index).name.as_assignment();
        let requests = steps(&engine, &under_way, &plan.changes, &plan.hand_overs);
        let mut staying = BTreeSet::new();
        for row in 0..inventory.rows() {
            for workload in Workload::ALL {
                let firm = engine
                    .holding(row, workload)
                    .is_some_and(|holding| under_way.is_firm(row, workload, holding));
                let moves = |change: &diarchy_core::plan::Change| {
                    (change.row, change.workload) == (row, workload)
                };
                if firm && !plan.changes.iter().any(moves) {
                    staying.insert((place(row), workload));
                }
            }
        }
        let requests = requests.into_iter().map(|step| {
            let request = match step {
                Step::Place {
                    row,
                    workload,
                    assignment,
                } => Request::Add(place(row), (workload, name(assignment))),
                Step::TakeOut {
                    row, workload, but, ..
                } => Request::Remove(place(row), workload, but.map(name)),
                Step::Withdraw {
                    row,
                    workload,
                    assignment,
                } => Request::Withdraw(place(row), (workload, name(assignment))),
            };
            // What counts for the pace is what changes rules.
            let is_asked = step.is_asked(&engine, &under_way);
            assert_eq!(is_asked, !self.has_to_change(&request), "{step:?}");
            request
        });
        Pass {
            requests: requests.collect(),
            staying,
        }
    }

    /// Whether any rule is changed by the request.
    fn has_to_change(&self, request: &Request) -> bool {
        let has = |collection: &Collection, device: &usize| {
            let rules = self.rules.get(collection);
            rules.is_some_and(|rules| rules.contains(device))
        };
        match request {
            Request::Add(device, collection) => !has(collection, device),
            Request::Withdraw(device, collection) => has(collection, device),
            Request::Remove(device, workload, but) => {
                let owned = self.rules.keys().filter(|(of, holder)| {
                    of == workload && holder != "foreign" && but.as_ref() != Some(holder)
                });
                owned.into_iter().any(|collection| has(collection, device))
            }
        }
    }

    fn send(&mut self, request: &Request) {
        match request {
            Request::Add(device, collection) => {
                self.rules
                    .entry(collection.clone())
                    .or_default()
                    .insert(*device);
                self.members.entry(collection.clone()).or_default();
            }
            Request::Remove(device, workload, but) => {
                for ((of, holder), rules) in &mut self.rules {
                    let is_owned = holder != "foreign" && but.as_ref() != Some(holder);
                    if of == workload && is_owned {
                        rules.remove(device);
                    }
                }
            }
            Request::Withdraw(device, collection) => {
                let was_there = self.rules.get_mut(collection).unwrap().remove(device);
                assert!(was_there, "what is withdrawn was not there");
            }
        }
    }

    /// A commit, by number: one assignment asks for something else.
    fn commit(&mut self, number: usize) {
        let groups: Vec<String> = self
            .world
            .groups
            .iter()
            .map(|group| group.name.clone())
            .collect();
        let count = self.world.assignments.len();
        let Some(assignment) = self.world.assignments.get_mut(number % count.max(1)) else {
            return;
        };
        let choice = number / count.max(1);
        match choice % 4 {
            0 if !groups.is_empty() => {
                assignment
                    .group
                    .clone_from(&groups[choice / 4 % groups.len()]);
            }
            1 => assignment.authority = assignment.authority.other(),
            2 => assignment.priority = -assignment.priority - 1,
            _ => {
                assignment.standing = match assignment.standing {
                    Standing::InForce => Standing::Suspended,
                    _ => Standing::InForce,
                }
            }
        }
    }

    /// Lets the site evaluate one collection, by number.
    fn evaluate(&mut self, number: usize) {
        let count = self.rules.len().max(1);
        if let Some((collection, rules)) = self.rules.iter().nth(number % count) {
            self.members.insert(collection.clone(), rules.clone());
        }
    }

    fn evaluate_all(&mut self) {
        self.members.clone_from(&self.rules);
    }

    fn is_member(&self, (device, workload): Pair) -> bool {
        self.members
            .iter()
            .any(|((of, _), members)| *of == workload && members.contains(&device))
    }

    fn is_at_intune(&self, (device, workload): Pair) -> bool {
        match self.sliders[workload.index()] {
            Some(Slider::Intune) => true,
            Some(Slider::PilotIntune) => self.is_member((device, workload)),
            Some(Slider::ConfigurationManager) | None => false,
        }
    }

    /// Devices with `DeviceConfiguration` at Intune and `EndpointProtection` with Configuration
    /// Manager, which Configuration Manager does not know.
    fn impossible(&self) -> BTreeSet<usize> {
        (0..self.world.devices.len())
            .filter(|device| {
                self.is_at_intune((*device, CONFIGURATION))
                    && !self.is_at_intune((*device, PROTECTION))
            })
            .collect()
    }
}

/// What a plan says of the end.
struct Ends {
    changes: BTreeMap<Pair, Authority>,
    /// Changes that wait while it is not known what becomes of `DeviceConfiguration`, or where
    /// `EndpointProtection` is.
    doubtful: BTreeSet<Pair>,
}

fn ends(world: &World) -> Ends {
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, now());
    let plan = Plan::new(&engine);
    let mut ends = Ends {
        changes: BTreeMap::new(),
        doubtful: BTreeSet::new(),
    };
    for change in plan.changes {
        let is_it = |device: &crate::world::Device| device["id"] == inventory.id(change.row);
        let device = world.devices.iter().position(is_it).unwrap();
        let pair = (device, change.workload);
        ends.changes.insert(pair, change.to);
        let waits = match (change.workload, change.to) {
            (PROTECTION, Authority::ConfigurationManager) => {
                desired.slider(CONFIGURATION) == Some(Slider::PilotIntune)
                    && !matches!(
                        engine.outcome(change.row, CONFIGURATION),
                        Some(Outcome::Nobody | Outcome::Winner(_))
                    )
            }
            (CONFIGURATION, Authority::Intune) => {
                desired.slider(PROTECTION) == Some(Slider::PilotIntune)
                    && engine.holding(change.row, PROTECTION).is_none()
            }
            _ => false,
        };
        if waits {
            ends.doubtful.insert(pair);
        }
    }
    ends
}

/// What was wrong after something happened at `site`, if anything.
fn wrong(site: &Site, at_first: &BTreeSet<usize>, stay: &BTreeSet<Pair>) -> Result<(), String> {
    let impossible = site.impossible();
    if let Some(device) = impossible.difference(at_first).next() {
        return Err(format!(
            "device {device} has {CONFIGURATION} without {PROTECTION}"
        ));
    }
    match stay.iter().find(|pair| !site.is_member(**pair)) {
        Some((device, workload)) => Err(format!("device {device} lost {workload}")),
        None => Ok(()),
    }
}

/// Passes of which only some steps are sent, in any order, while collections are evaluated or not.
fn muddle_through(world: &World, script: &[(u8, u32)]) -> Result<(), String> {
    let start = ends(world);
    let mut site = Site::new(world);
    let mut at_first = site.impossible();
    let stay: BTreeSet<Pair> = (0..world.devices.len())
        .flat_map(|device| Workload::ALL.map(|workload| (device, workload)))
        .filter(|pair| site.is_member(*pair))
        .filter(|pair| start.changes.get(pair) != Some(&Authority::ConfigurationManager))
        .collect();
    for (what, number) in script {
        if *what == 0 {
            let mut requests = site.pass().requests;
            let count = requests.len().max(1);
            requests.rotate_left(*number as usize % count);
            if number & 1 == 1 {
                requests.reverse();
            }
            for (at, request) in requests.iter().enumerate() {
                match number >> (at % 16 * 2) & 3 {
                    0 => continue,
                    1 => site.evaluate(at),
                    _ => {}
                }
                site.send(request);
                wrong(&site, &at_first, &stay)?;
            }
        } else {
            site.evaluate(*number as usize);
            wrong(&site, &at_first, &stay)?;
        }
        // Who has been mended stays whole.
        at_first = at_first.intersection(&site.impossible()).copied().collect();
    }
    settle(&mut site)?;
    wrong(&site, &at_first, &stay)?;
    arrived(&site, world, &start)
}

/// Lets the site catch up until no step is left.
fn settle(site: &mut Site) -> Result<(), String> {
    for _ in 0..8 {
        site.evaluate_all();
        let requests = site.pass().requests;
        if requests.is_empty() {
            return Ok(());
        }
        for request in &requests {
            site.send(request);
        }
    }
    Err("it never comes to rest".to_owned())
}

fn arrived(site: &Site, world: &World, start: &Ends) -> Result<(), String> {
    let left = ends(&site.seen());
    if let Some(pair) = left
        .changes
        .keys()
        .find(|pair| !left.doubtful.contains(pair))
    {
        return Err(format!("{pair:?} is left, and no step is made of it"));
    }
    let before = Site::new(world);
    let pairs = (0..world.devices.len())
        .flat_map(|device| Workload::ALL.map(|workload| (device, workload)));
    for pair in pairs.filter(|pair| !left.doubtful.contains(pair)) {
        let expected = match start.changes.get(&pair) {
            Some(to) => *to == Authority::Intune,
            None => before.is_member(pair),
        };
        if site.is_member(pair) != expected {
            return Err(format!(
                "{pair:?}: at Intune was planned to be {expected}, and is the opposite"
            ));
        }
    }
    Ok(())
}

/// The same with commits in between, so that passes find what others have left half done. Whatever
/// a pass leaves where it is must be there until the next.
fn commit_and_muddle_through(world: &World, script: &[(u8, u32)]) -> Result<(), String> {
    let mut site = Site::new(world);
    let mut at_first = site.impossible();
    let mut staying = site.pass().staying;
    for (what, number) in script {
        match what {
            0 => site.commit(*number as usize),
            1 => {
                let pass = site.pass();
                staying = pass.staying;
                for (at, request) in pass.requests.iter().enumerate() {
                    match number >> (at % 16 * 2) & 3 {
                        0 => continue,
                        1 => site.evaluate(at),
                        _ => {}
                    }
                    site.send(request);
                    wrong(&site, &at_first, &staying)?;
                }
            }
            _ => {
                site.evaluate(*number as usize);
                wrong(&site, &at_first, &staying)?;
            }
        }
        at_first = at_first.intersection(&site.impossible()).copied().collect();
    }
    settle(&mut site)?;
    let left = ends(&site.seen());
    match left
        .changes
        .keys()
        .find(|pair| !left.doubtful.contains(pair))
    {
        Some(pair) => Err(format!("{pair:?} is left, and no step is made of it")),
        None => Ok(()),
    }
}

fn script(kinds: u8) -> impl Strategy<Value = Vec<(u8, u32)>> {
    vec((0..kinds, any::<u32>()), 0..24)
}

#[test]
fn every_moment_is_safe_and_the_end_is_as_planned() {
    made_up::check(2_000, script(3), |world, script| {
        muddle_through(world, script)
    });
}

#[test]
fn every_moment_is_safe_whatever_is_committed_meanwhile() {
    made_up::check(4_000, script(5), |world, script| {
        commit_and_muddle_through(world, script)
    });
}

// ---- One device, step by step ----

fn told(site: &Site) -> Vec<String> {
    site.pass()
        .requests
        .iter()
        .map(|request| match request {
            Request::Add(_, (workload, holder)) => format!("{workload} into {}", last(holder)),
            Request::Remove(_, workload, None) => format!("{workload} out"),
            Request::Remove(_, workload, Some(but)) => {
                format!("{workload} out but of {}", last(but))
            }
            Request::Withdraw(_, (workload, holder)) => {
                format!("{workload} withdrawn from {}", last(holder))
            }
        })
        .collect()
}

fn last(holder: &str) -> &str {
    holder.rsplit('/').next().unwrap()
}

fn send_all(site: &mut Site) {
    for request in site.pass().requests {
        site.send(&request);
    }
}

fn one_device(assignments: Vec<crate::world::Assignment>) -> World {
    World {
        devices: vec![movable("d0")],
        groups: vec![listed("all", ["d0"]), listed("none", [""; 0])],
        policy: Some(pilot(&[CONFIGURATION, PROTECTION])),
        assignments,
    }
}

fn configuration(group: &str) -> crate::world::Assignment {
    assignment("conf", CONFIGURATION, group, Authority::Intune)
}

#[test]
fn protection_goes_to_intune_first() {
    let mut site = Site::new(&one_device(vec![configuration("all")]));
    assert_eq!(told(&site), ["EndpointProtection into conf"]);
    send_all(&mut site);
    // Asked for is not there.
    assert_eq!(told(&site), ["EndpointProtection into conf"]);
    site.evaluate_all();
    assert_eq!(told(&site), ["DeviceConfiguration into conf"]);
    send_all(&mut site);
    site.evaluate_all();
    assert!(told(&site).is_empty());
}

#[test]
fn protection_comes_back_last() {
    let mut world = one_device(vec![configuration("none")]);
    let holder = [world.assignments[0].reference()];
    hold(&mut world.devices[0], CONFIGURATION, &holder);
    hold(&mut world.devices[0], PROTECTION, &holder);
    let mut site = Site::new(&world);
    assert_eq!(told(&site), ["DeviceConfiguration out"]);
    send_all(&mut site);
    assert_eq!(told(&site), ["DeviceConfiguration out"]);
    site.evaluate_all();
    assert_eq!(told(&site), ["EndpointProtection out"]);
    send_all(&mut site);
    site.evaluate_all();
    assert!(told(&site).is_empty());
}

/// What is not known about `DeviceConfiguration` keeps `EndpointProtection` only if some answer would
/// give `DeviceConfiguration` to Intune.
#[test]
fn protection_comes_back_although_others_may_ask_for_the_same() {
    let back = Authority::ConfigurationManager;
    let mut world = one_device(vec![
        assignment("may-be", CONFIGURATION, "missing", back),
        assignment("old", PROTECTION, "none", Authority::Intune),
    ]);
    let holder = [world.assignments[1].reference()];
    hold(&mut world.devices[0], PROTECTION, &holder);
    let planned = ends(&world).changes;
    assert_eq!(planned, BTreeMap::from([((0, PROTECTION), back)]));
    assert_eq!(told(&Site::new(&world)), ["EndpointProtection out"]);
}

#[test]
fn protection_is_there_already_where_the_slider_gives_it_to_all() {
    let mut world = one_device(vec![configuration("all")]);
    world.policy.as_mut().unwrap().sliders[PROTECTION.index()] = Some(Slider::Intune);
    assert_eq!(told(&Site::new(&world)), ["DeviceConfiguration into conf"]);
}

#[test]
fn a_hand_over_adds_first_and_removes_once_the_site_shows_it() {
    let old = assignment("old", PROTECTION, "all", Authority::Intune);
    let mut new = assignment("new", PROTECTION, "all", Authority::Intune);
    new.priority = 1;
    let mut world = one_device(vec![old, new]);
    let holder = [world.assignments[0].reference()];
    hold(&mut world.devices[0], PROTECTION, &holder);
    let mut site = Site::new(&world);
    assert_eq!(told(&site), ["EndpointProtection into new"]);
    send_all(&mut site);
    assert_eq!(told(&site), ["EndpointProtection into new"]);
    site.evaluate_all();
    assert_eq!(told(&site), ["EndpointProtection out but of new"]);
    send_all(&mut site);
    site.evaluate_all();
    assert!(told(&site).is_empty());
    assert!(site.is_member((0, PROTECTION)));
}

// ---- A commit while something is under way ----

/// The site in the middle of bringing `DeviceConfiguration` to Intune: the rule is there, the
/// membership is not.
fn configuration_on_its_way() -> Site {
    let mut site = Site::new(&one_device(vec![configuration("all")]));
    send_all(&mut site);
    site.evaluate_all();
    send_all(&mut site);
    site
}

#[test]
fn protection_stays_while_configuration_is_on_its_way() {
    let mut site = configuration_on_its_way();
    site.world.assignments[0].group = "none".to_owned();
    assert_eq!(told(&site), ["DeviceConfiguration withdrawn from conf"]);
    send_all(&mut site);
    assert_eq!(told(&site), ["EndpointProtection out"]);
}

#[test]
fn configuration_waits_while_protection_is_leaving() {
    let mut site = Site::new(&one_device(vec![configuration("all")]));
    send_all(&mut site);
    site.evaluate_all();
    site.world.assignments[0].group = "none".to_owned();
    assert_eq!(told(&site), ["EndpointProtection out"]);
    send_all(&mut site);
    site.world.assignments[0].group = "all".to_owned();
    assert!(told(&site).is_empty(), "{:?}", told(&site));
    site.evaluate_all();
    assert_eq!(told(&site), ["EndpointProtection into conf"]);
}

#[test]
fn a_membership_that_is_ending_keeps_nobody_at_a_hand_over() {
    let mut new = assignment("new", PROTECTION, "all", Authority::Intune);
    new.priority = 1;
    let old = assignment("old", PROTECTION, "all", Authority::Intune);
    let mut world = one_device(vec![old, new]);
    let both: Vec<String> = world
        .assignments
        .iter()
        .map(crate::world::Assignment::reference)
        .collect();
    hold(&mut world.devices[0], PROTECTION, &both);
    let mut site = Site::new(&world);
    let ending = (PROTECTION, both[1].clone());
    site.rules.get_mut(&ending).unwrap().clear();
    assert_eq!(told(&site), ["EndpointProtection into new"]);
}
