//! The estates of a cluster are spread over its replicas, and move only where they must.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cluster::{ADMIN, ok, with_definitions};
use crate::deployed::{Controller, Deployment, Tenant, wait};
use crate::site::Site;

const ESTATES: usize = 8;

/// By Lease of an estate, who holds it.
fn holders(deployment: &Deployment<'_>) -> BTreeMap<String, String> {
    let mut get = deployment.home.kubectl(&ADMIN);
    let leases: Value =
        serde_json::from_str(&ok(get.args(["get", "leases", "-o", "json"]))).unwrap();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    leases["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                word(&one["metadata"]["name"]),
                word(&one["spec"]["holderIdentity"]),
            )
        })
        .filter(|(name, holder)| name.starts_with("diarchy-estate-") && !holder.is_empty())
        .collect()
}

/// Waits until every estate is held, by these replicas and each of them.
fn spread(deployment: &Deployment<'_>, over: &[&str]) -> BTreeMap<String, String> {
    wait("estates to be spread", || {
        let holders = holders(deployment);
        let names: BTreeSet<&str> = holders.values().map(String::as_str).collect();
        let is_spread = holders.len() == ESTATES && names == over.iter().copied().collect();
        if is_spread {
            Ok(holders)
        } else {
            Err(json!(holders))
        }
    })
}

#[test]
fn estates_are_spread_over_replicas_and_those_of_a_dead_one_move() {
    let site = Site::open();
    let tenant = Tenant::of(with_definitions(), &site);
    let deployment = Deployment::of(with_definitions(), &[&tenant]);
    // Estates that differ in the tenant, which is enough to be held.
    let known = "7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10";
    let fleet = tenant.text("fleet.yaml");
    assert!(fleet.contains(known), "{fleet}");
    let fleets: Vec<String> = (0..ESTATES)
        .map(|at| {
            let other = known.replace("4b3f9a10", &format!("4b3f9a{at:02}"));
            let name = format!("name: contoso-{at}");
            fleet.replace("name: contoso", &name).replace(known, &other)
        })
        .collect();
    tenant.apply_text(&fleets.join("\n---\n"));
    let start = |name: &&str| {
        // Long enough for eight to be let go one after the other, however busy the machine is.
        let mut command = deployment.command_with_lease(name, "6s");
        Controller::start(&mut command)
    };
    let mut names = vec!["one", "two", "three"];
    let mut replicas: Vec<Controller> = names.iter().map(start).collect();
    let before = spread(&deployment, &names);

    replicas.remove(0).kill();
    names.remove(0);
    let after = spread(&deployment, &names);
    for (lease, holder) in &before {
        if holder != "one" {
            assert_eq!(after.get(lease), Some(holder), "{lease} moved");
        }
    }
    for replica in replicas {
        replica.stop();
    }
    assert!(holders(&deployment).is_empty(), "somebody holds one still");
}
