//! Devices that fare badly once Intune has a workload of theirs.

use diarchy_clock::Clock;
use diarchy_simulator::{
    Act, Mishap, MishapKind, Setup, SimulatorError, Slider, SliderSetup, Truth, Workload,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{OTHER_PILOT, PILOT, Site, WORKLOAD, monday, setup, stored};

fn mishap(what: MishapKind) -> Mishap {
    Mishap {
        workload: WORKLOAD,
        share: 1000,
        what,
    }
}

/// An estate whose compliance is judged by Intune.
fn judged_by_intune() -> Setup {
    let mut setup = setup(400);
    let everybody = SliderSetup {
        slider: Slider::Intune,
        pilot_collection: None,
    };
    setup
        .workloads
        .insert(Workload::CompliancePolicies, everybody);
    setup
}

/// One where this befalls whoever is fine.
async fn befallen_by(what: MishapKind) -> Site {
    let mut setup = judged_by_intune();
    setup.mishaps.push(mishap(what));
    Site::open(|options| options.setup = setup).await
}

/// One that bears being asked about many devices at once.
async fn patient(setup: Setup) -> Site {
    Site::open(|options| {
        options.setup = setup;
        options.limits.admin_service = 10_000;
    })
    .await
}

/// What both services say of one device.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    intune: Value,
    combined: Value,
    state: Value,
}

impl Said {
    fn health(&self) -> &Value {
        &self.intune["configurationManagerClientHealthState"]
    }

    fn reports_the_move(&self) -> bool {
        self.intune["configurationManagerClientEnabledFeatures"]["windowsUpdateForBusiness"] == true
    }

    fn has_bit_at_site(&self) -> bool {
        let bits = self.state["mdmworkloads"].as_u64().expect("a number");
        bits & 16 != 0
    }
}

fn time(value: &Value) -> Timestamp {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a time")
}

impl Site {
    /// Online, fine, and not yet moved.
    fn well(&self, befalls: Option<MishapKind>) -> Truth {
        let drawn = |device: &Truth| device.mishaps.iter().map(|mishap| mishap.what).next();
        self.simulator
            .control()
            .truths()
            .into_iter()
            .find(|device| {
                device.online
                    && device.follows_sliders
                    && !device.outside_limiting_collection
                    && !device.actual.contains(&WORKLOAD)
                    && drawn(device) == befalls
            })
            .expect("there is one")
    }

    fn act(&self, act: Act) {
        self.simulator.control().act(act).expect("done");
    }

    fn keep_on(&self, device: &Truth) {
        self.act(Act::SetPresence {
            device: device.device,
            online: true,
        });
    }

    fn truth(&self, device: &Truth) -> Truth {
        let control = self.simulator.control();
        control.truth(device.device).expect("known")
    }

    /// Moves devices, or hands them back, and waits until both services have heard of it.
    async fn carry(&mut self, collection: &str, devices: &[&Truth], to_intune: bool) {
        for device in devices {
            let collection = collection.to_owned();
            let resource_id = device.resource_id.expect("a record");
            self.act(if to_intune {
                Act::AddDirectRule {
                    collection,
                    resource_id,
                }
            } else {
                Act::RemoveDirectRule {
                    collection,
                    resource_id,
                }
            });
        }
        let collection = collection.to_owned();
        self.act(Act::RefreshCollection { collection });
        self.pass(3);
        self.pass(95);
        self.sign_in().await;
    }

    async fn said(&self, device: &Truth) -> Said {
        let id = device.intune_id.as_ref().expect("enrolled");
        let path = format!("/beta/deviceManagement/managedDevices/{id}");
        let resource = device.resource_id.expect("a record");
        let row = async |class: &str, key: &str| {
            let route = format!("{class}?$filter={key} eq {resource}");
            self.wmi(&route).await.remove(0)
        };
        Said {
            intune: self.graph_json(&path).await,
            combined: row("SMS_CombinedDeviceResources", "ResourceID").await,
            state: row("SMS_Client_ComanagementState", "ResourceId").await,
        }
    }
}

#[tokio::test]
async fn a_device_is_found_noncompliant_while_intune_has_the_workload() {
    let mut site = befallen_by(MishapKind::NotCompliant).await;
    let device = site.well(Some(MishapKind::NotCompliant));
    let other = site.well(None);
    site.keep_on(&device);
    let before = site.said(&device).await;
    assert_eq!(before.intune["complianceState"], "compliant");
    let others = site.said(&other).await.intune["complianceState"].clone();

    let moved = site.clock.now();
    site.carry(PILOT, &[&device, &other], true).await;
    let after = site.said(&device).await;
    assert_eq!(after.intune["complianceState"], "noncompliant");
    assert!(time(&after.intune["lastSyncDateTime"]) > moved);
    assert!(after.reports_the_move() && after.has_bit_at_site());
    assert_eq!(after.health()["state"], "healthy");
    assert_eq!(after.combined["ClientCheckPass"], 1);
    assert_eq!(site.said(&other).await.intune["complianceState"], others);
    let (registered, _, _) = site
        .graph_all("/v1.0/devices?$select=deviceId,isCompliant")
        .await;
    let entra = registered
        .iter()
        .find(|item| item["deviceId"].as_str() == device.entra_device_id.as_deref());
    assert_eq!(entra.expect("registered")["isCompliant"], false);

    site.carry(PILOT, &[&device], false).await;
    let back = site.said(&device).await;
    assert_eq!(back.intune["complianceState"], "compliant");
    assert!(!back.reports_the_move());
}

#[tokio::test]
async fn a_device_whose_policies_cannot_be_evaluated_is_reported_with_an_error() {
    let mut site = befallen_by(MishapKind::ComplianceError).await;
    let device = site.well(Some(MishapKind::ComplianceError));
    site.keep_on(&device);
    let before = site.said(&device).await;
    assert_eq!(before.intune["complianceState"], "compliant");

    let moved = site.clock.now();
    site.carry(PILOT, &[&device], true).await;
    let after = site.said(&device).await;
    assert_eq!(after.intune["complianceState"], "error");
    assert!(time(&after.intune["lastSyncDateTime"]) > moved);
    assert_eq!(after.health()["state"], "healthy");
    assert!(after.reports_the_move());

    site.carry(PILOT, &[&device], false).await;
    let back = site.said(&device).await;
    assert_eq!(back.intune["complianceState"], "compliant");
}

#[tokio::test]
async fn a_verdict_comes_with_the_first_sync_after_the_move_and_not_before() {
    let mut site = befallen_by(MishapKind::NotCompliant).await;
    let device = site.well(Some(MishapKind::NotCompliant));
    site.keep_on(&device);
    site.act(Act::AddDirectRule {
        collection: PILOT.to_owned(),
        resource_id: device.resource_id.expect("a record"),
    });
    site.act(Act::RefreshCollection {
        collection: PILOT.to_owned(),
    });
    for _ in 0..80 {
        site.pass(1);
        site.sign_in().await;
        let said = site.said(&device).await;
        let is_judged = said.intune["complianceState"] == "noncompliant";
        assert_eq!(is_judged, said.reports_the_move());
        if !site.truth(&device).actual.contains(&WORKLOAD) {
            assert!(!is_judged);
        }
    }
    assert!(site.said(&device).await.reports_the_move());
}

#[tokio::test]
async fn a_client_falls_ill_as_both_services_say_and_recovers() {
    let mut site = befallen_by(MishapKind::ClientUnhealthy).await;
    let device = site.well(Some(MishapKind::ClientUnhealthy));
    site.keep_on(&device);
    let before = site.said(&device).await;
    assert_eq!(before.health()["state"], "healthy");
    assert_eq!(before.combined["ClientCheckPass"], 1);

    let moved = site.clock.now();
    site.carry(PILOT, &[&device], true).await;
    let after = site.said(&device).await;
    assert_eq!(after.health()["state"], "communicationError");
    assert!(after.health()["errorCode"].as_i64().expect("a code") < 0);
    assert_eq!(after.combined["ClientCheckPass"], 2);
    assert_eq!(
        after.combined["ClientActiveStatus"], 1,
        "it is ill, not away"
    );
    assert!(time(&after.combined["LastClientCheckTime"]) > moved);
    assert!(time(&after.intune["lastSyncDateTime"]) > moved);
    assert_eq!(after.intune["complianceState"], "compliant");
    assert!(after.reports_the_move());

    let handed_back = site.clock.now();
    site.carry(PILOT, &[&device], false).await;
    let back = site.said(&device).await;
    assert_eq!(back.health()["state"], "healthy");
    assert_eq!(back.combined["ClientCheckPass"], 1);
    assert!(time(&back.combined["LastClientCheckTime"]) > handed_back);
}

#[tokio::test]
async fn a_silent_device_syncs_and_says_what_it_said_before() {
    let mut site = befallen_by(MishapKind::Silent).await;
    let device = site.well(Some(MishapKind::Silent));
    site.keep_on(&device);
    let before = site.said(&device).await;
    let moved = site.clock.now();
    site.carry(PILOT, &[&device], true).await;
    let after = site.said(&device).await;
    let features = "configurationManagerClientEnabledFeatures";
    assert_eq!(after.intune[features], before.intune[features]);
    assert_eq!(after.state["mdmworkloads"], before.state["mdmworkloads"]);
    assert!(time(&after.intune["lastSyncDateTime"]) > moved);
    assert!(time(&after.combined["LastPolicyRequest"]) > moved);
    let truth = site.truth(&device);
    assert!(truth.actual.contains(&WORKLOAD) && !truth.reported.contains(&WORKLOAD));

    // What it says of another workload is as true as ever.
    site.carry(OTHER_PILOT, &[&device], true).await;
    let truth = site.truth(&device);
    assert!(truth.reported.contains(&Workload::OfficeClickToRun));
    assert!(!truth.reported.contains(&WORKLOAD));
}

#[tokio::test]
async fn a_move_alone_makes_nothing_worse() {
    let mut site = patient(judged_by_intune()).await;
    let truths = site.simulator.control().truths();
    let movable = |device: &&Truth| {
        device.online && device.follows_sliders && !device.actual.contains(&WORKLOAD)
    };
    let devices: Vec<&Truth> = truths.iter().filter(movable).take(120).collect();
    let mut before = Vec::new();
    for device in &devices {
        site.keep_on(device);
        before.push(site.said(device).await);
    }
    site.carry(PILOT, &devices, true).await;
    let mut moved = 0;
    for (device, before) in devices.iter().zip(before) {
        let after = site.said(device).await;
        moved += usize::from(after.reports_the_move());
        let name = &device.name;
        assert_eq!(
            after.intune["complianceState"], before.intune["complianceState"],
            "{name}"
        );
        assert_eq!(after.health()["state"], before.health()["state"], "{name}");
        for fact in ["ClientCheckPass", "ClientActiveStatus"] {
            assert_eq!(
                after.combined[fact], before.combined[fact],
                "{name}: {fact}"
            );
        }
    }
    assert!(moved > 100, "{moved}");
}

#[tokio::test]
async fn compliance_that_moves_is_judged_by_intune_from_then_on() {
    let compliance = "PS100023";
    let setup = setup(400).with_pilot(Workload::CompliancePolicies, compliance);
    let mut site = patient(setup).await;
    let truths = site.simulator.control().truths();
    let movable = |device: &&Truth| {
        device.follows_sliders
            && !device.outside_limiting_collection
            && !device.actual.contains(&Workload::CompliancePolicies)
    };
    let devices: Vec<&Truth> = truths.iter().filter(movable).take(120).collect();
    for device in &devices {
        site.keep_on(device);
        let said = site.said(device).await;
        assert_eq!(said.intune["complianceState"], "configManager");
    }
    site.carry(compliance, &devices, true).await;
    let mut compliant = 0;
    for device in &devices {
        let said = site.said(device).await;
        assert_ne!(
            said.intune["complianceState"], "configManager",
            "{}",
            device.name
        );
        compliant += usize::from(said.intune["complianceState"] == "compliant");
    }
    assert!((105..=119).contains(&compliant), "{compliant} of 120");
}

#[tokio::test]
async fn lots_are_drawn_by_the_seed_among_those_who_are_fine() {
    let drawn = async |share, seed| -> Vec<u32> {
        let mut setup = judged_by_intune();
        setup.devices = 4000;
        setup.seed = seed;
        setup.mishaps.push(Mishap {
            share,
            ..mishap(MishapKind::NotCompliant)
        });
        let site = Site::open(|options| options.setup = setup).await;
        let truths = site.simulator.control().truths();
        let fare_badly = truths.iter().filter(|device| !device.mishaps.is_empty());
        fare_badly.map(|device| device.device).collect()
    };
    let some = drawn(100, 42).await;
    assert!((280..=420).contains(&some.len()), "{}", some.len());
    assert_eq!(drawn(100, 42).await, some);
    assert_ne!(drawn(100, 43).await, some);
    let more = drawn(300, 42).await;
    assert!(some.iter().all(|device| more.contains(device)));
    let everybody = drawn(1000, 42).await.len();
    assert!((3300..=3480).contains(&everybody), "{everybody} are fine");
}

#[tokio::test]
async fn a_stored_world_keeps_its_mishaps() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut setup = judged_by_intune();
    setup.mishaps.push(mishap(MishapKind::Silent));
    let open = async |setup: &Setup, now| {
        stored(directory.path(), Clock::manual(now), setup.clone()).await
    };
    let site = open(&setup, monday()).await.expect("it starts");
    let truths = site.simulator.control().truths();
    site.simulator.shutdown().await.expect("it ends");

    let unsaid = judged_by_intune();
    let site = open(&unsaid, monday()).await.expect("it starts again");
    let control = site.simulator.control();
    assert_eq!(control.truths(), truths);
    assert_eq!(control.log(), [], "nobody had to prepare anything");
    // People prepare more, and know of nothing that may befall a device.
    let more = unsaid.clone().with_pilot(Workload::ClientApps, "PS100040");
    control.prepare(more).expect("prepared");
    let kept = |before: &Truth, after: &Truth| before.mishaps == after.mishaps;
    let after = control.truths();
    assert!(
        truths
            .iter()
            .zip(&after)
            .all(|(before, after)| kept(before, after))
    );
    site.simulator.shutdown().await.expect("it ends");

    let mut other = unsaid;
    other.mishaps.push(mishap(MishapKind::NotCompliant));
    let Err(refused) = open(&other, monday()).await else {
        panic!("it has other mishaps");
    };
    assert_eq!(
        refused.to_string(),
        "the stored world has the mishaps WindowsUpdatePolicies=100%:Silent, and keeps to that"
    );
    let again = open(&setup, monday()).await.expect("it starts again");
    assert_eq!(again.simulator.control().truths(), after);
}

#[tokio::test]
async fn nobody_fares_badly_after_a_move_that_cannot_be() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for (workload, share) in [
        (Workload::ResourceAccess, 10),
        (WORKLOAD, 0),
        (WORKLOAD, 1001),
    ] {
        let mut setup = setup(10);
        setup.mishaps.push(Mishap {
            workload,
            share,
            what: MishapKind::Silent,
        });
        let options = diarchy_simulator::Options::new(setup, Clock::manual(monday()));
        let refused = diarchy_simulator::start(options).await;
        assert!(matches!(refused, Err(SimulatorError::Setup(_))), "{share}");
    }
}
