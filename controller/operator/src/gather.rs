//! What a pass has to read for what git asks.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::desired::Desired;
use diarchy_core::requirement::IntuneObject;
use diarchy_core::selector::{Key, Requirement, Selector, SetKey, Test};
use diarchy_core::workload::{Slider, Staged, Workload};
use diarchy_fleet::inventory::{InventoryRequest, Wanted};
use diarchy_fleet::site::collection::CollectionId;
use diarchy_fleet::site::state::StateRequest;

/// What a pass has to read: memberships only of the collections and groups that selectors name.
pub fn request(desired: &Desired) -> InventoryRequest {
    let requirements: Vec<&Requirement> = selectors(desired)
        .flat_map(|selector| &selector.requirements)
        .collect();
    let of = |key: SetKey| {
        requirements
            .iter()
            .filter(move |requirement| requirement.key == Key::Set(key))
    };
    let named = |key: SetKey| -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for requirement in of(key) {
            match &requirement.test {
                Test::In(ids) => names.extend(ids.iter().cloned()),
                // Which ones a pattern means, or whether there is any, only the whole list tells.
                _ => return None,
            }
        }
        Some(names)
    };
    InventoryRequest {
        collections: named(SetKey::ConfigMgrCollection).map_or(Wanted::All, |ids| {
            // A value that is no id of a collection matches none.
            Wanted::Only(ids.iter().filter_map(|id| collection(id)).collect())
        }),
        groups: named(SetKey::EntraGroup).map_or(Wanted::All, Wanted::Only),
        required: required(desired),
        state: StateRequest {
            fleet: desired.fleet.name.clone(),
            pilots: pilots(desired),
        },
    }
}

/// The objects that assignments require, as far as the fleet lets them be read.
fn required(desired: &Desired) -> BTreeSet<IntuneObject> {
    let objects = desired.required_objects();
    objects
        .filter(|object| desired.beta || !object.of.in_beta_only)
        .cloned()
        .collect()
}

fn selectors(desired: &Desired) -> impl Iterator<Item = &Selector> {
    let groups = desired
        .groups
        .iter()
        .filter_map(|group| group.selector.as_ref());
    let admissions = desired
        .assignments
        .iter()
        .filter_map(|assignment| assignment.admit_when.as_ref());
    groups.chain(admissions)
}

fn pilots(desired: &Desired) -> BTreeMap<Staged, CollectionId> {
    let Some(policy) = &desired.policy else {
        return BTreeMap::new();
    };
    let enrollment = policy
        .enrollment_pilot
        .as_ref()
        .and_then(|pilot| Some((Staged::Enrollment, collection(&pilot.collection)?)));
    Workload::ASSIGNABLE
        .into_iter()
        .filter(|workload| policy.slider(*workload) == Some(Slider::PilotIntune))
        .filter_map(|workload| {
            let pilot = collection(policy.pilot_collection(workload)?)?;
            Some((Staged::Workload(workload), pilot))
        })
        .chain(enrollment)
        .collect()
}

/// Ids are compared without regard to case; the site writes them in upper case.
fn collection(id: &str) -> Option<CollectionId> {
    id.to_uppercase().parse().ok()
}
