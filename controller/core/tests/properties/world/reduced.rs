//! The least of a world in which something still goes wrong, so that a person can see why.

use diarchy_core::workload::Workload;

use super::{Clause, World};

/// Leaves out of `world` whatever can be left out while `fails` holds.
pub fn reduced(mut world: World, fails: impl Fn(&World) -> bool) -> World {
    while let Some(smaller) = lesser(&world).into_iter().find(|smaller| fails(smaller)) {
        world = smaller;
    }
    world
}

/// Every world that is `world` with one thing less.
fn lesser(world: &World) -> Vec<World> {
    let mut worlds = Vec::new();
    for at in 0..world.devices.len() {
        worlds.push(changed(world, |w| drop(w.devices.remove(at))));
    }
    for at in 0..world.assignments.len() {
        without_some_of_assignment(world, at, &mut worlds);
    }
    for at in 0..world.groups.len() {
        without_some_of_group(world, at, &mut worlds);
    }
    for at in 0..world.devices.len() {
        without_some_of_device(world, at, &mut worlds);
    }
    if let Some(policy) = &world.policy {
        if policy.enrollment_group.is_some() {
            let mut policy = policy.clone();
            policy.enrollment_group = None;
            worlds.push(changed(world, |w| w.policy = Some(policy)));
        }
        for at in (0..7).filter(|at| policy.sliders[*at].is_some()) {
            let mut policy = policy.clone();
            policy.sliders[at] = None;
            // A world that validation would refuse shows nothing.
            let [protection, configuration] =
                [Workload::EndpointProtection, Workload::DeviceConfiguration]
                    .map(|workload| policy.sliders[workload.index()]);
            if protection < configuration {
                continue;
            }
            worlds.push(changed(world, |w| w.policy = Some(policy)));
        }
    }
    worlds
}

fn without_some_of_assignment(world: &World, at: usize, worlds: &mut Vec<World>) {
    worlds.push(changed(world, |w| drop(w.assignments.remove(at))));
    for clauses in fewer(world.assignments[at].admit_when.as_deref()) {
        worlds.push(changed(world, |w| w.assignments[at].admit_when = clauses));
    }
}

fn without_some_of_group(world: &World, at: usize, worlds: &mut Vec<World>) {
    worlds.push(changed(world, |w| drop(w.groups.remove(at))));
    let group = &world.groups[at];
    for clauses in fewer(group.selector.as_deref()) {
        worlds.push(changed(world, |w| w.groups[at].selector = clauses));
    }
    for entry in 0..group.devices.len() {
        worlds.push(changed(world, |w| {
            drop(w.groups[at].devices.remove(entry));
        }));
    }
    for entry in 0..group.include.len() {
        worlds.push(changed(world, |w| {
            drop(w.groups[at].include.remove(entry));
        }));
    }
    for entry in 0..group.exclude.len() {
        worlds.push(changed(world, |w| {
            drop(w.groups[at].exclude.remove(entry));
        }));
    }
}

fn without_some_of_device(world: &World, at: usize, worlds: &mut Vec<World>) {
    let device = &world.devices[at];
    for key in device.keys().filter(|key| *key != "id") {
        worlds.push(changed(world, |w| drop(w.devices[at].remove(key))));
    }
    let assigned = device
        .get("assigned")
        .and_then(|assigned| assigned.as_object());
    for key in assigned.into_iter().flat_map(|assigned| assigned.keys()) {
        worlds.push(changed(world, |w| {
            let assigned = w.devices[at]["assigned"].as_object_mut();
            drop(assigned.and_then(|assigned| assigned.remove(key)));
        }));
    }
}

fn changed(world: &World, change: impl FnOnce(&mut World)) -> World {
    let mut world = world.clone();
    change(&mut world);
    world
}

/// No clauses at all, and the clauses with one less, of which there must be one at least.
fn fewer(clauses: Option<&[Clause]>) -> Vec<Option<Vec<Clause>>> {
    let Some(clauses) = clauses else {
        return Vec::new();
    };
    let mut all = vec![None];
    for left_out in 0..clauses.len() {
        let mut rest = clauses.to_vec();
        rest.remove(left_out);
        if !rest.is_empty() {
            all.push(Some(rest));
        }
    }
    all
}
