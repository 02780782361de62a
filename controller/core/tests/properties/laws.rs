//! The laws that every plan obeys, whatever is asked and whatever is known.

use diarchy_core::inventory::JoinType;
use diarchy_core::selector::Operator;
use diarchy_core::workload::{Authority, Slider, Workload};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::oracle::eligibility::obstacle;
use crate::oracle::membership::{Answer, contains, how_many_are_called};
use crate::world::{Assignment, Clause, Device, Group, NAMESPACE, Standing, World, made_up};

/// One change of a plan.
#[derive(Debug, Clone, PartialEq)]
struct Change {
    device: String,
    workload: Workload,
    to: Authority,
    because: String,
}

impl Change {
    /// The same change, for whatever reason.
    fn is_also_in(&self, others: &[Self]) -> bool {
        others.iter().any(|other| {
            (&other.device, other.workload, other.to) == (&self.device, self.workload, self.to)
        })
    }
}

fn changes(world: &World) -> Vec<Change> {
    let document = world.document();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entries = document["changes"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| Change {
            device: text(entry, "device"),
            workload: text(entry, "workload").parse().unwrap(),
            to: serde_json::from_value(entry["to"].clone()).unwrap(),
            because: text(entry, "because"),
        })
        .collect()
}

/// The changes of `after` that `before` does not have.
fn new_changes(before: &World, after: &World) -> Vec<Change> {
    let known = changes(before);
    let mut new = changes(after);
    new.retain(|change| !change.is_also_in(&known));
    new
}

fn none(new: &[Change], what: &str) -> Result<(), String> {
    if new.is_empty() {
        Ok(())
    } else {
        Err(format!("{what}: {new:#?}"))
    }
}

fn device<'w>(world: &'w World, id: &str) -> &'w Device {
    let found = world.devices.iter().find(|device| device["id"] == id);
    found.unwrap()
}

fn holders(device: &Device, workload: Workload) -> Vec<&str> {
    let list = device
        .get("assigned")
        .and_then(|assigned| assigned.get(workload.name()));
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.map(|holder| holder.as_str().unwrap()).collect()
}

fn shuffled<T>(things: &mut [T], keys: &[u32]) {
    for at in (1..things.len()).rev() {
        things.swap(at, keys[at % keys.len()] as usize % (at + 1));
    }
}

#[test]
fn the_same_inputs_in_any_order_give_the_same_bytes() {
    made_up::check(1_000, vec(any::<u32>(), 12), |world, keys| {
        let mut other = world.clone();
        shuffled(&mut other.devices, keys);
        shuffled(&mut other.groups, keys);
        shuffled(&mut other.assignments, keys);
        let (one, other) = (world.document_text(), other.document_text());
        if one == other {
            Ok(())
        } else {
            Err(format!("{one}\n{other}"))
        }
    });
}

#[test]
fn only_eligible_devices_change_and_only_because_of_an_assignment() {
    made_up::check(1_000, Just(()), |world, ()| {
        for change in changes(world) {
            let asked = world
                .assignments
                .iter()
                .any(|assignment| assignment.reference() == change.because);
            let slider = world.policy.as_ref().unwrap().sliders[change.workload.index()];
            if obstacle(world, device(world, &change.device)).is_some()
                || !asked
                || slider != Some(Slider::PilotIntune)
            {
                return Err(format!("{change:?}"));
            }
        }
        Ok(())
    });
}

/// Facts whose absence from a reading is no obstacle, as the rules of eligibility say: a device is
/// no server, and was not enrolled first, unless it is known.
const ASSUMED: [&str; 2] = ["server", "enrolledFirst"];

/// What may be forgotten of a device.
fn forgettable(key: &str) -> bool {
    key != "id" && key != "assignedUnread" && !ASSUMED.contains(&key)
}

/// The world with some cells of the inventory not read: a device and a field each, by place. Beyond
/// the fields of a device come the workloads' pilot collections, one by one.
fn with_cells_unread(world: &World, cells: &[(usize, usize)]) -> World {
    let mut world = world.clone();
    for (row, column) in cells {
        let rows = world.devices.len().max(1);
        let Some(device) = world.devices.get_mut(row % rows) else {
            continue;
        };
        let fields: Vec<String> = device
            .keys()
            .filter(|key| forgettable(key))
            .cloned()
            .collect();
        match column % (fields.len() + Workload::ALL.len()) {
            field if field < fields.len() => {
                device.remove(&fields[field]);
            }
            beyond => {
                let workload = Workload::ALL[beyond - fields.len()];
                let unread = device.entry("assignedUnread").or_insert(json!([]));
                unread.as_array_mut().unwrap().push(json!(workload));
            }
        }
    }
    world
}

/// The world with one field read of no device.
fn with_column_unread(world: &World, column: usize) -> World {
    let mut world = world.clone();
    let mut fields: Vec<String> = world
        .devices
        .iter()
        .flat_map(|device| device.keys().filter(|key| forgettable(key)).cloned())
        .collect();
    fields.sort_unstable();
    fields.dedup();
    if let Some(field) = fields.get(column % fields.len().max(1)) {
        for device in &mut world.devices {
            device.remove(field);
        }
    }
    world
}

/// `EndpointProtection` goes with `DeviceConfiguration` once it is certain that an assignment in force
/// asks for that, and is kept with it where `DeviceConfiguration` is at Intune already. Where it is
/// neither, because what is not read might be an assignment's reason to ask, nothing in the rules
/// keeps a device's `EndpointProtection` at Intune.
fn is_taken_back_beside_a_doubt(world: &World, change: &Change) -> bool {
    let sliders = world.policy.as_ref().unwrap().sliders;
    change.workload == Workload::EndpointProtection
        && change.to == Authority::ConfigurationManager
        && sliders[Workload::DeviceConfiguration.index()] == Some(Slider::PilotIntune)
        && holders(device(world, &change.device), Workload::DeviceConfiguration).is_empty()
}

/// An assignment that has not placed a device takes no part for it while its `admitWhen` is false or
/// unknown, even where another one has placed the device, and even where it is not known whether the
/// group contains it; then a lower priority may win, or nobody. It never is itself the reason to join.
fn is_not_admitted_yet(world: &World, change: &Change) -> bool {
    let device = device(world, &change.device);
    world.assignments.iter().any(|assignment| {
        (assignment.workload == change.workload
            || (change.workload == Workload::EndpointProtection
                && assignment.workload == Workload::DeviceConfiguration))
            && assignment.standing == Standing::InForce
            && assignment.admit_when.is_some()
            && !is_placed(device, assignment)
            && contains(world, &assignment.group, device).is_possible()
            && (change.to == Authority::ConfigurationManager
                || change.because != assignment.reference())
    })
}

/// A list entry that several devices go by means none of them; if the name of one of them is not
/// read, it means the other. Such entries are reported, and are left out here.
fn without_equivocal_entries(world: &World) -> World {
    let mut without = world.clone();
    for group in &mut without.groups {
        group
            .devices
            .retain(|entry| how_many_are_called(world, entry) < 2);
    }
    without
}

/// Whatever is done to a world by reading less of it moves nobody, but for what the rules say of it
/// in so many words.
fn moves_nobody(world: &World, reading_less: impl Fn(&World) -> World) -> Result<(), String> {
    let world = without_equivocal_entries(world);
    let after = reading_less(&world);
    let mut new = new_changes(&world, &after);
    new.retain(|change| {
        !is_taken_back_beside_a_doubt(&after, change) && !is_not_admitted_yet(&after, change)
    });
    none(&new, "only with less known")
}

#[test]
fn what_is_not_read_moves_nobody() {
    let cells = vec((0..12_usize, 0..64_usize), 1..6);
    made_up::check(4_000, cells, |world, cells| {
        moves_nobody(world, |world| with_cells_unread(world, cells))
    });
}

#[test]
fn a_column_that_goes_missing_moves_nobody() {
    made_up::check(4_000, 0..64_usize, |world, column| {
        moves_nobody(world, |world| with_column_unread(world, *column))
    });
}

#[test]
fn nothing_is_planned_where_nobody_could_read_who_holds_whom() {
    made_up::check(500, Just(()), |world, ()| {
        let mut blind = world.clone();
        for device in &mut blind.devices {
            device.remove("assigned");
        }
        none(&changes(&blind), "although `assigned` was not read")
    });
}

/// The world in which the assignment at `at` stands otherwise, and that assignment.
fn restood(world: &World, at: usize, standing: Standing) -> Option<(World, Assignment)> {
    let mut other = world.clone();
    let count = other.assignments.len();
    let assignment = other.assignments.get_mut(at % count.max(1))?;
    assignment.standing = standing;
    let assignment = assignment.clone();
    Some((other, assignment))
}

/// Whether the assignment's own owned collection for its own workload has the device.
fn is_placed(device: &Device, assignment: &Assignment) -> bool {
    holders(device, assignment.workload).contains(&assignment.reference().as_str())
}

/// Whether the assignment asks with certainty for what the change does, on that device.
fn asks_for(world: &World, assignment: &Assignment, change: &Change) -> bool {
    let device = device(world, &change.device);
    assignment.reference() == change.because
        && assignment.standing == Standing::InForce
        && assignment.authority == change.to
        && (assignment.workload == change.workload
            || (assignment.workload == Workload::DeviceConfiguration
                && change.workload == Workload::EndpointProtection))
        && contains(world, &assignment.group, device) == Answer::Yes
}

fn somebody_asks_for(world: &World, change: &Change) -> bool {
    world
        .assignments
        .iter()
        .any(|assignment| asks_for(world, assignment, change))
}

#[test]
fn suspending_an_assignment_keeps_its_devices_where_it_put_them() {
    let beside = (0..10_usize, any::<bool>());
    made_up::check(4_000, beside, |world, (at, by_a_person)| {
        let standing = if *by_a_person {
            Standing::Paused
        } else {
            Standing::Suspended
        };
        let Some((after, suspended)) = restood(world, *at, standing) else {
            return Ok(());
        };
        if world.assignments.iter().any(|assignment| {
            assignment.name == suspended.name && assignment.standing != Standing::InForce
        }) {
            return Ok(());
        }
        // It causes no write.
        let mut by_it = changes(&after);
        by_it.retain(|change| change.because == suspended.reference());
        none(&by_it, "by what is suspended")?;
        // It counts for devices that are where it put them, so that those stay; and those whose
        // DeviceConfiguration stays keep their EndpointProtection. Elsewhere it does not count, so
        // that another one may win.
        let mut new = new_changes(world, &after);
        new.retain(|change| {
            let device = device(&after, &change.device);
            let own = holders(device, suspended.workload);
            let is_where_it_was_put = match suspended.authority {
                Authority::Intune => is_placed(device, &suspended),
                Authority::ConfigurationManager => {
                    own.is_empty() && contains(&after, &suspended.group, device) == Answer::Yes
                }
            };
            let goes_along = change.workload == Workload::EndpointProtection
                && suspended.workload == Workload::DeviceConfiguration;
            (change.workload == suspended.workload || goes_along) && is_where_it_was_put
        });
        none(&new, "only once it is suspended")
    });
}

#[test]
fn an_assignment_that_only_observes_neither_asks_nor_takes_back() {
    made_up::check(4_000, 0..10_usize, |world, at| {
        let Some((after, observing)) = restood(world, *at, Standing::Observing) else {
            return Ok(());
        };
        let mut by_it = changes(&after);
        by_it.retain(|change| change.because == observing.reference());
        none(&by_it, "by what observes")?;
        // Those that it holds leave only if another one asks for that.
        let mut new = changes(&after);
        new.retain(|change| {
            holders(device(&after, &change.device), change.workload)
                .contains(&observing.reference().as_str())
                && !somebody_asks_for(&after, change)
        });
        none(&new, "of devices that it holds")
    });
}

#[test]
fn deleting_an_assignment_leaves_its_devices_where_they_are() {
    made_up::check(4_000, 0..10_usize, |world, at| {
        if world.assignments.is_empty() {
            return Ok(());
        }
        let mut after = world.clone();
        let deleted = after.assignments.remove(at % world.assignments.len());
        let mut new = new_changes(world, &after);
        // An assignment that wins in its stead may ask for them; nobody leaves because nobody asks.
        new.retain(|change| {
            holders(device(&after, &change.device), change.workload)
                .contains(&deleted.reference().as_str())
                && !somebody_asks_for(&after, change)
        });
        none(&new, "of devices that it held")
    });
}

#[test]
fn deleting_a_group_moves_nobody() {
    made_up::check(4_000, 0..7_usize, |world, at| {
        if world.groups.is_empty() {
            return Ok(());
        }
        let mut after = world.clone();
        after.groups.remove(at % world.groups.len());
        let mut new = new_changes(world, &after);
        new.retain(|change| !is_taken_back_beside_a_doubt(&after, change));
        none(&new, "without the group")
    });
}

#[test]
fn deleting_the_policy_or_everything_moves_nobody() {
    made_up::check(500, Just(()), |world, ()| {
        let mut after = world.clone();
        after.policy = None;
        none(&changes(&after), "without a policy")?;
        let mut after = world.clone();
        after.assignments.clear();
        none(&changes(&after), "without assignments")?;
        let mut after = world.clone();
        after.groups.clear();
        let mut new = new_changes(world, &after);
        new.retain(|change| !is_taken_back_beside_a_doubt(&after, change));
        none(&new, "without groups")
    });
}

/// A device that can be moved, in no pilot collection, with or without a known country.
fn movable(id: &str, country: Option<Value>) -> Device {
    let mut device = crate::world::device(json!({
        "id": id,
        "server": false,
        "configurationManager": { "client": true },
        "intune": { "enrolled": true },
        "mdm": "Intune",
        "coManagementPolicyPresent": true,
        "enrolledFirst": false,
        "osVersion": "10.0.22631.4317",
        "joinType": "HybridJoined",
        "assigned": {},
    }));
    if let Some(country) = country {
        device.insert("country".to_owned(), country);
    }
    device
}

fn pilot(workload: Workload) -> crate::world::Policy {
    let mut sliders = [None; 7];
    sliders[workload.index()] = Some(Slider::PilotIntune);
    crate::world::Policy {
        sliders,
        minimum_os: "10.0.16299".to_owned(),
        join_types: vec![JoinType::HybridJoined],
        enrollment_group: None,
    }
}

fn group(name: String) -> Group {
    Group {
        name,
        selector: None,
        devices: Vec::new(),
        include: Vec::new(),
        exclude: Vec::new(),
    }
}

fn to_intune(name: &str, group: &str) -> Assignment {
    Assignment {
        name: name.to_owned(),
        workload: Workload::ClientApps,
        group: group.to_owned(),
        authority: Authority::Intune,
        priority: 0,
        standing: Standing::InForce,
        admit_when: None,
    }
}

#[test]
fn groups_nest_as_deep_as_users_please() {
    const DEPTH: usize = 5_000;
    let french = Group {
        selector: Some(vec![Clause {
            key: "country".to_owned(),
            operator: Operator::In,
            values: vec!["FR".to_owned()],
        }]),
        ..group("g0".to_owned())
    };
    let everybody = Group {
        selector: Some(vec![Clause {
            key: "osVersion".to_owned(),
            operator: Operator::Exists,
            values: Vec::new(),
        }]),
        ..group(String::new())
    };
    // Each either has the members of the one before, or everybody else.
    let nested = (1..=DEPTH).map(|depth| {
        let before = vec![format!("g{}", depth - 1)];
        let name = format!("g{depth}");
        if depth % 3 == 0 {
            Group {
                name,
                exclude: before,
                ..everybody.clone()
            }
        } else {
            Group {
                include: before,
                ..group(name)
            }
        }
    });
    let exclusions = (1..=DEPTH).filter(|depth| depth % 3 == 0).count();
    let world = World {
        devices: vec![
            movable("french", Some(json!("fr"))),
            movable("german", Some(json!("DE"))),
            movable("nobody-knows", None),
        ],
        groups: std::iter::once(french).chain(nested).collect(),
        policy: Some(pilot(Workload::ClientApps)),
        assignments: vec![to_intune("a0", &format!("g{DEPTH}"))],
    };
    let expected = if exclusions % 2 == 0 {
        "french"
    } else {
        "german"
    };
    let moved: Vec<_> = changes(&world)
        .into_iter()
        .map(|change| change.device)
        .collect();
    assert_eq!(moved, [expected]);
    let document = world.document();
    assert_eq!(
        document["blocked"],
        json!([{
            "device": "nobody-knows",
            "workload": "ClientApps",
            "reason": "Held",
            "because": format!("WorkloadAssignment/{NAMESPACE}/a0"),
        }])
    );
}

#[test]
fn groups_in_a_circle_have_unknown_members() {
    let circle = |name: &str, other: &str| Group {
        devices: vec!["d0".to_owned()],
        include: vec![other.to_owned()],
        ..group(name.to_owned())
    };
    let world = World {
        devices: vec![movable("d0", None), movable("d1", None)],
        groups: vec![circle("g0", "g1"), circle("g1", "g0")],
        policy: Some(pilot(Workload::ClientApps)),
        assignments: vec![to_intune("a0", "g0")],
    };
    assert_eq!(changes(&world), []);
    assert_eq!(world.document()["counts"]["held"], 2);
}
