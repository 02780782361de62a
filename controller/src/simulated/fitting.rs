//! A simulated site that fits a repository, as a person would have prepared it.

use std::collections::BTreeSet;

use diarchy_core::desired::Desired;
use diarchy_core::requirement::{IntuneObject, Requires};
use diarchy_core::workload::{Slider, Workload};
use diarchy_fleet::inventory::Wanted;
use diarchy_git::LoadedFleet;
use diarchy_simulator::{IntuneTarget, Limits, Mishap, Setup, SliderSetup};

use super::World;

/// The site for a fleet.
pub fn setup(fleet: &LoadedFleet, world: &World) -> Setup {
    let desired = &fleet.desired;
    let mut setup = Setup::new(world.seed, world.devices);
    setup.fleet.clone_from(&desired.fleet.name);
    setup.site_code = fleet.spec.site_code();
    setup.tenant_id = fleet.spec.tenant_id();
    setup.unprepared = world.unprepared;
    setup.mishaps.clone_from(&world.mishaps);
    if let Some(policy) = &desired.policy {
        for workload in Workload::ASSIGNABLE {
            let Some(slider) = policy.slider(workload) else {
                continue;
            };
            let staged = SliderSetup {
                slider: position(slider),
                pilot_collection: policy.pilot_collection(workload).map(ToOwned::to_owned),
            };
            setup.workloads.insert(counterpart(workload), staged);
        }
        setup
            .enrollment_pilot_collection
            .clone_from(&policy.enrollment.pilot_collection);
    }
    let request = diarchy_operator::request(desired);
    setup.intune = intune(desired);
    if let Wanted::Only(collections) = request.collections {
        setup.collections = collections.iter().map(ToString::to_string).collect();
    }
    if let Wanted::Only(groups) = request.groups {
        setup.entra_groups = groups.into_iter().collect();
    }
    setup
}

/// What the assignments require of Intune, ready.
fn intune(desired: &Desired) -> Vec<diarchy_simulator::IntuneObject> {
    let wanted = |object: &IntuneObject| {
        let requires = desired.assignments.iter().flat_map(|one| &one.requires);
        let groups = requires.filter_map(|one| match one {
            Requires::Intune {
                object: of,
                assigned_to,
            } if of == object => assigned_to.clone(),
            _ => None,
        });
        let groups: BTreeSet<String> = groups.collect();
        groups
    };
    desired
        .required_objects()
        .map(|object| diarchy_simulator::IntuneObject {
            collection: diarchy_fleet::graph::required::path(object.of.collection).to_owned(),
            id: object.id.clone(),
            name: format!("Prepared {}", object.of.name),
            odata_type: object.of.is_derived.then(|| object.of.name.to_owned()),
            beta_only: object.of.in_beta_only,
            assignments: wanted(object)
                .into_iter()
                .map(|group| IntuneTarget::Group(group).into())
                .collect(),
        })
        .collect()
}

/// The mishaps that nobody would ever see at such a site, and why.
pub fn unseen(setup: &Setup) -> Vec<(Mishap, &'static str)> {
    use diarchy_simulator::{Slider, Workload};
    let stands_at = |workload, slider| {
        let staged = setup.workloads.get(&workload);
        staged.map_or(Slider::ConfigurationManager, |staged| staged.slider) == slider
    };
    let why = |mishap: &Mishap| {
        if !stands_at(mishap.workload, Slider::PilotIntune) {
            return Some("the slider of its workload does not stand at Pilot Intune");
        }
        let is_unjudged = mishap.what.is_in_a_verdict()
            && stands_at(Workload::CompliancePolicies, Slider::ConfigurationManager);
        is_unjudged
            .then_some("Configuration Manager has CompliancePolicies, so that Intune judges nobody")
    };
    setup
        .mishaps
        .iter()
        .filter_map(|mishap| Some((*mishap, why(mishap)?)))
        .collect()
}

/// Services that bear any number of requests.
pub fn no_limits() -> Limits {
    Limits {
        graph_devices: u32::MAX,
        graph_devices_writes: u32::MAX,
        graph_other: u32::MAX,
        graph_other_writes: u32::MAX,
        graph_global: u32::MAX,
        admin_service: u32::MAX,
        ..Limits::default()
    }
}

const fn position(slider: Slider) -> diarchy_simulator::Slider {
    match slider {
        Slider::ConfigurationManager => diarchy_simulator::Slider::ConfigurationManager,
        Slider::PilotIntune => diarchy_simulator::Slider::PilotIntune,
        Slider::Intune => diarchy_simulator::Slider::Intune,
    }
}

/// The simulator has words of its own, so that it cannot share a mistake with the client.
const fn counterpart(workload: Workload) -> diarchy_simulator::Workload {
    match workload {
        Workload::CompliancePolicies => diarchy_simulator::Workload::CompliancePolicies,
        Workload::ResourceAccess => diarchy_simulator::Workload::ResourceAccess,
        Workload::DeviceConfiguration => diarchy_simulator::Workload::DeviceConfiguration,
        Workload::WindowsUpdatePolicies => diarchy_simulator::Workload::WindowsUpdatePolicies,
        Workload::EndpointProtection => diarchy_simulator::Workload::EndpointProtection,
        Workload::ClientApps => diarchy_simulator::Workload::ClientApps,
        Workload::OfficeClickToRun => diarchy_simulator::Workload::OfficeClickToRun,
    }
}
