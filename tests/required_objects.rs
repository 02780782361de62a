//! The client that reads what is required of Intune, against a served tenant, over HTTPS.

use std::collections::BTreeSet;
use std::sync::Arc;

use diarchy_clock::Clock;
use diarchy_core::requirement::{Found, IntuneObject, IntuneType, Target};
use diarchy_fleet::graph::required::path;
use diarchy_fleet::graph::{GraphClient, GraphOptions};
use diarchy_fleet::{CaBundle, ClientCredentials, ClientProof, Secret, Service, TransportOptions};
use diarchy_simulator::{
    Act, Control, Failure, Fault, IntuneAssignment, IntuneTarget, Options, Setup, Simulator, start,
};

const ID: &str = "0d7c2a34-9a0b-4b55-8f4e-2f1f9f2f6a01";
const GROUP: &str = "5f1c0a52-58f7-4a1c-9f0e-0f3f0a7b9d11";
const OTHER: &str = "5f1c0a52-58f7-4a1c-9f0e-0f3f0a7b9d12";

struct Tenant {
    control: Control,
    client: GraphClient,
    _simulator: Simulator,
}

impl Tenant {
    async fn open() -> Self {
        // Every test of this binary installs it; all but the first are told so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Fast, so that waiting for a service that asks for patience takes no time.
        let monday = "2026-11-23T08:00:00Z".parse().unwrap();
        let clock = Clock::scaled(monday, 1200.0).unwrap();
        let mut options = Options::new(Setup::new(3, 5), clock.clone());
        // Small pages: assignments come on several.
        options.behaviour.graph_page_size = 2;
        let simulator = start(options).await.unwrap();
        let mut transport = TransportOptions::for_service(Service::Graph);
        let roots = CaBundle::read(Service::Graph, simulator.ca_pem().as_bytes());
        transport.ca_bundle = Some(roots.unwrap());
        let options = GraphOptions {
            tenant_id: Setup::new(0, 0).tenant_id,
            endpoint: simulator.graph_endpoint(),
            authority: simulator.authority(),
            beta: true,
            credentials: ClientCredentials {
                client_id: simulator.client_id(),
                proof: ClientProof::Secret(Secret::new(simulator.client_secret())),
            },
            transport,
        };
        Self {
            control: simulator.control(),
            client: GraphClient::new(&options, &clock, &Arc::default()).unwrap(),
            _simulator: simulator,
        }
    }

    /// Has an object of this type in the tenant.
    fn put(&self, of: &str, assignments: Vec<IntuneAssignment>) {
        let object = served(of, assignments);
        self.control.act(Act::PutIntuneObject { object }).unwrap();
    }

    async fn find(&self, of: &str) -> Found {
        self.client.find(&wanted(of)).await
    }
}

fn wanted(of: &str) -> IntuneObject {
    IntuneObject {
        of: IntuneType::named(of).unwrap(),
        id: ID.to_owned(),
    }
}

fn served(of: &str, assignments: Vec<IntuneAssignment>) -> diarchy_simulator::IntuneObject {
    let of = IntuneType::named(of).unwrap();
    diarchy_simulator::IntuneObject {
        collection: path(of.collection).to_owned(),
        // Services write ids as they please.
        id: ID.to_uppercase(),
        name: "Broad".to_owned(),
        odata_type: of.is_derived.then(|| of.name.to_owned()),
        beta_only: of.in_beta_only,
        assignments,
    }
}

const RING: &str = "windowsUpdateForBusinessConfiguration";

#[tokio::test]
async fn what_is_there_tells_its_type_and_whom_it_is_assigned_to() {
    let tenant = Tenant::open().await;
    assert_eq!(tenant.find(RING).await, Found::Missing);
    let targets = [
        IntuneTarget::Group(GROUP.to_uppercase()),
        IntuneTarget::ExcludedGroup(OTHER.to_owned()),
        IntuneTarget::AllDevices,
    ];
    tenant.put(RING, targets.map(IntuneAssignment::from).to_vec());
    let there = Found::There {
        of: Some(RING.to_owned()),
        targets: vec![
            Target::Group(GROUP.to_owned()),
            Target::ExcludedGroup(OTHER.to_owned()),
            Target::AllDevices,
        ],
    };
    assert_eq!(tenant.find(RING).await, there);
    // By a general type it is found too; as another one it says what it is.
    assert_eq!(tenant.find("deviceConfiguration").await, there);
    assert_eq!(tenant.find("windows10CustomConfiguration").await, there);
    // In another collection it is not.
    assert_eq!(tenant.find("deviceCompliancePolicy").await, Found::Missing);
    tenant
        .control
        .act(Act::DeleteIntuneObject {
            collection: "deviceManagement/deviceConfigurations".to_owned(),
            id: ID.to_owned(),
        })
        .unwrap();
    assert_eq!(tenant.find(RING).await, Found::Missing);
}

#[tokio::test]
async fn an_app_that_is_taken_away_is_given_to_nobody() {
    let tenant = Tenant::open().await;
    let with = |intent: &str, target| IntuneAssignment {
        target,
        intent: Some(intent.to_owned()),
    };
    tenant.put(
        "win32LobApp",
        vec![
            with("uninstall", IntuneTarget::Group(GROUP.to_owned())),
            with("available", IntuneTarget::AllUsers),
            with("uninstall", IntuneTarget::ExcludedGroup(OTHER.to_owned())),
        ],
    );
    let Found::There { targets, .. } = tenant.find("win32LobApp").await else {
        panic!("it is not there");
    };
    assert_eq!(
        targets,
        [
            Target::Other,
            Target::AllUsers,
            Target::ExcludedGroup(OTHER.to_owned())
        ]
    );
}

#[tokio::test]
async fn every_type_is_read_where_it_is() {
    let tenant = Tenant::open().await;
    for of in IntuneType::all() {
        tenant.put(of.name, vec![IntuneTarget::AllDevices.into()]);
        let found = tenant.find(of.name).await;
        let expected = Found::There {
            of: of.is_derived.then(|| of.name.to_owned()),
            targets: vec![Target::AllDevices],
        };
        assert_eq!(found, expected, "{}", of.name);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_neither_there_nor_missing() {
    let tenant = Tenant::open().await;
    tenant.put(RING, vec![IntuneTarget::AllDevices.into()]);
    tenant.control.grant_reading_intune_objects(false);
    let Found::Unread { needs, .. } = tenant.find(RING).await else {
        panic!("it was read");
    };
    let permission = "the application permission DeviceManagementConfiguration.Read.All";
    assert_eq!(needs, Some(permission));
    let Found::Unread { needs, .. } = tenant.find("mobileApp").await else {
        panic!("it was read");
    };
    let permission = "the application permission DeviceManagementApps.Read.All";
    assert_eq!(needs, Some(permission));
    tenant.control.grant_reading_intune_objects(true);

    // What is asked for is asked for again after a while.
    let status = |status| Failure::Status {
        status,
        retry_after: Some("1".to_owned()),
        after_effect: false,
    };
    for code in [429, 503] {
        tenant.control.inject(Fault {
            times: Some(1),
            ..Fault::new(diarchy_simulator::Service::Graph, ID, status(code))
        });
        let found = tenant.find(RING).await;
        assert!(matches!(found, Found::There { .. }), "{code}: {found:?}");
    }
    for failure in [
        Failure::MalformedJson,
        Failure::HtmlPage { status: 200 },
        Failure::DroppedField("id".to_owned()),
        Failure::DroppedField("target".to_owned()),
        Failure::UnknownMember {
            field: "target.groupId".to_owned(),
            member: "everybody".to_owned(),
        },
        Failure::DroppedField("target.groupId".to_owned()),
        Failure::NullField("target".to_owned()),
    ] {
        tenant.put(RING, vec![IntuneTarget::Group(GROUP.to_owned()).into()]);
        let graph = diarchy_simulator::Service::Graph;
        let fault = Fault::new(graph, "deviceConfigurations", failure.clone());
        let fault = tenant.control.inject(fault);
        let found = tenant.find(RING).await;
        assert!(
            matches!(found, Found::Unread { needs: None, .. }),
            "{failure:?}: {found:?}"
        );
        tenant.control.clear(fault);
    }
}

#[tokio::test]
async fn several_are_read_at_once_and_each_says_for_itself() {
    let tenant = Tenant::open().await;
    tenant.put(RING, Vec::new());
    let wanted: BTreeSet<IntuneObject> = [RING, "windows10CompliancePolicy"].map(wanted).into();
    let found = tenant.client.required(&wanted).await;
    assert_eq!(found.len(), 2);
    let there = found
        .values()
        .filter(|one| matches!(one, Found::There { .. }));
    assert_eq!(there.count(), 1);
}
