//! What the site's people had made before anything connected.

use std::collections::BTreeSet;

use crate::moment::{DAY, Moment};
use crate::random::Chance;
use crate::setup::{Setup, Slider};
use crate::site::collections::{ALL_SYSTEMS, Collection, Site};
use crate::site::resources::{Query, Records, resource_id};
use crate::site::rules::QueryRule;
use crate::world::device::Kind;
use crate::world::vocabulary::PLACES;

/// The collection that limits the pilot collections.
const LIMITING: &str = "Workstations - All";

/// Makes the site that `setup` describes, evaluated.
pub(crate) fn prepare(setup: &Setup, chance: Chance, records: Records<'_>, at: Moment) -> Site {
    let mut site = Site::new(&setup.site_code);
    let long_ago = at - 400 * DAY;
    built_in(&mut site, long_ago);
    let limit = limiting_collection(&mut site, setup, long_ago);
    pilot_collections(&mut site, setup, &limit, at);
    for (number, id) in setup.collections.iter().enumerate() {
        query_collection(&mut site, chance, number, id, long_ago);
    }
    foreign_members(&mut site, setup, chance, records);
    deployments(&mut site, setup, &limit);
    site.evaluate_all(at, records);
    site
}

/// Prepares a site that is in use already for what `setup` has more than it has.
pub(crate) fn prepare_more(site: &mut Site, setup: &Setup, chance: Chance, at: Moment) {
    let known: BTreeSet<String> = site.collections.keys().cloned().collect();
    let limit = site
        .collections
        .values()
        .find(|collection| collection.name == LIMITING)
        .map_or_else(
            || ALL_SYSTEMS.to_owned(),
            |collection| collection.id.clone(),
        );
    pilot_collections(site, setup, &limit, at);
    for (number, id) in setup.collections.iter().enumerate() {
        query_collection(site, chance, number, id, at);
    }
    let fresh: BTreeSet<String> = site
        .collections
        .keys()
        .filter(|id| !known.contains(*id))
        .cloned()
        .collect();
    pilot_deployments(site, setup, |id| fresh.contains(id));
    // Collections with queries look at themselves at the next occasion.
    site.agenda.incremental.extend(fresh);
}

fn built_in(site: &mut Site, at: Moment) {
    for (id, name, query) in [
        (ALL_SYSTEMS, "All Systems", Query::Everything),
        (
            "SMSDM003",
            "All Desktop and Server Clients",
            Query::HasClient,
        ),
    ] {
        let limit = (id != ALL_SYSTEMS).then_some(ALL_SYSTEMS);
        let mut collection = Collection::new(id, name, limit, at);
        collection.built_in = true;
        collection.refresh_type = 6;
        let condition = match query {
            Query::HasClient => " where SMS_R_System.Client = 1",
            _ => "",
        };
        collection.queries.push(QueryRule {
            id: 0,
            name: name.to_owned(),
            expression: format!("select * from SMS_R_System{condition}"),
            query,
        });
        site.collections.insert(id.to_owned(), collection);
    }
    let mut users = Collection::new("SMS00002", "All Users", None, at);
    users.built_in = true;
    users.kind = 1;
    site.collections.insert(users.id.clone(), users);
}

/// An id that neither the setup nor the site uses for anything else.
fn unused_id(site: &mut Site, setup: &Setup) -> String {
    loop {
        let id = site.free_id();
        let used = setup.collections.contains(&id)
            || setup.enrollment_pilot_collection.as_ref() == Some(&id)
            || setup.pilots().any(|(_, pilot)| pilot == id);
        if !used {
            return id;
        }
    }
}

/// The collection of an organisational unit, which does not have quite everything.
fn limiting_collection(site: &mut Site, setup: &Setup, at: Moment) -> String {
    let id = unused_id(site, setup);
    let mut collection = Collection::new(&id, LIMITING, Some(ALL_SYSTEMS), at);
    collection
        .comment
        .push_str("Everything below the OU Workstations");
    collection.refresh_type = 6;
    let expression = "select SMS_R_System.ResourceId from SMS_R_System where \
                      SMS_R_System.SystemOUName = \"CONTOSO.COM/WORKSTATIONS\"";
    push_query(site, &mut collection, "OU Workstations", expression);
    site.collections.insert(id.clone(), collection);
    id
}

fn push_query(site: &mut Site, collection: &mut Collection, name: &str, expression: &str) {
    collection.queries.push(QueryRule {
        id: site.next_query_id(),
        name: name.to_owned(),
        query: Query::parse(expression),
        expression: expression.to_owned(),
    });
}

fn pilot_collections(site: &mut Site, setup: &Setup, limit: &str, at: Moment) {
    let marked = |mark: String| {
        if setup.unprepared {
            String::new()
        } else {
            mark
        }
    };
    let pilots = setup
        .pilots()
        .map(|(workload, id)| {
            (
                id,
                format!("Co-management pilot - {workload}"),
                setup.mark(workload),
            )
        })
        .chain(setup.enrollment_pilot_collection.as_deref().map(|id| {
            (
                id,
                "Co-management pilot - automatic enrollment".to_owned(),
                setup.enrollment_mark(),
            )
        }));
    for (id, name, mark) in pilots {
        if let Some(known) = site.collections.get_mut(id) {
            if known.comment.is_empty() {
                known.comment = marked(mark);
            }
            continue;
        }
        let mut collection = Collection::new(id, &name, Some(limit), at - DAY);
        collection.comment = marked(mark);
        collection.refresh_type = 2;
        site.collections.insert(id.to_owned(), collection);
    }
}

/// A collection that selectors mention: the machines of one office.
fn query_collection(site: &mut Site, chance: Chance, number: usize, id: &str, at: Moment) {
    if site.collections.contains_key(id) {
        return;
    }
    let office = chance.weighted("office", number, &PLACES);
    let name = format!("Office {} ({id})", office.city);
    let mut collection = Collection::new(id, &name, Some(ALL_SYSTEMS), at);
    collection.refresh_type = 6;
    let expression = format!(
        "select SMS_R_System.ResourceId from SMS_R_System where SMS_R_System.ADSiteName = \"{}\"",
        office.ad_site
    );
    push_query(site, &mut collection, office.ad_site, &expression);
    site.collections.insert(id.to_owned(), collection);
}

/// People put machines of their own into about half of the pilot collections.
fn foreign_members(site: &mut Site, setup: &Setup, chance: Chance, records: Records<'_>) {
    let candidates: Vec<_> = records
        .resources
        .iter()
        .enumerate()
        .filter(|(_, resource)| {
            !resource.obsolete && records.devices[resource.device].kind == Kind::CoManaged
        })
        .map(|(place, resource)| (place, &records.devices[resource.device].name))
        .collect();
    if candidates.is_empty() {
        return;
    }
    for (number, (_, id)) in setup.pilots().enumerate() {
        let Some(mut collection) = site.collections.remove(id) else {
            continue;
        };
        // Every second one, whatever the seed, so that no fleet is without them.
        if number % 2 == 0 {
            for turn in 0..3 {
                let (place, name) = chance.pick("foreign member", number * 8 + turn, &candidates);
                collection
                    .direct
                    .insert(resource_id(*place), (*name).clone());
            }
            let (_, name) = chance.pick("foreign query", number, &candidates);
            let expression = format!(
                "select SMS_R_System.ResourceId from SMS_R_System where SMS_R_System.Name like \"{name}%\""
            );
            push_query(site, &mut collection, "Service desk pilots", &expression);
        }
        site.collections.insert(id.to_owned(), collection);
    }
}

/// The kind of deployment that the policies of co-management are.
const BASELINE: u8 = 6;

/// What the site deploys to those of the pilot collections that are meant.
fn pilot_deployments(site: &mut Site, setup: &Setup, is_meant: impl Fn(&str) -> bool) {
    for (workload, id) in setup.pilots() {
        if setup.slider(workload) == Slider::PilotIntune && is_meant(id) {
            let name = format!("CoMgmtSettingsPilot{}", workload.policy_suffix());
            site.deploy(&name, id, BASELINE);
        }
    }
    if let Some(id) = &setup.enrollment_pilot_collection
        && !setup.unprepared
        && is_meant(id)
    {
        site.deploy("CoMgmtSettingsPilotAutoEnroll", id, BASELINE);
    }
}

fn deployments(site: &mut Site, setup: &Setup, limit: &str) {
    site.deploy("CoMgmtSettingsProd", ALL_SYSTEMS, BASELINE);
    pilot_deployments(site, setup, |_| true);
    site.deploy("7-Zip 24.09 (x64)", "SMSDM003", 1);
    site.deploy("Office and Windows updates", limit, 5);
    for id in &setup.collections {
        site.deploy("Printer drivers", id, 1);
    }
}
