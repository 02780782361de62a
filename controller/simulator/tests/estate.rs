//! A client's walk through the estate, over HTTPS.

#[path = "estate/mishaps.rs"]
mod mishaps;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_simulator::{
    Act, Behaviour, Effect, Failure, Fault, KeyLookup, Limits, LogError, Options, Service, Setup,
    Simulator, SimulatorError, Slider, Workload, resume_time, start,
};
use jiff::Timestamp;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

const PILOT: &str = "PS100021";
const OTHER_PILOT: &str = "PS100022";
const WORKLOAD: Workload = Workload::WindowsUpdatePolicies;

fn setup(devices: u32) -> Setup {
    let mut setup = Setup::new(42, devices)
        .with_pilot(WORKLOAD, PILOT)
        .with_pilot(Workload::OfficeClickToRun, OTHER_PILOT);
    setup.collections.push("PS100030".to_owned());
    setup
        .entra_groups
        .push("6e1b1a5a-2f5b-4d7e-8d44-1f6d0b0f1a11".to_owned());
    setup
}

fn monday() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().expect("a time")
}

/// An estate, its clock, and a client that trusts it.
struct Site {
    simulator: Simulator,
    clock: Clock,
    http: Client,
    token: String,
}

impl Site {
    async fn open(change: impl FnOnce(&mut Options)) -> Self {
        let clock = Clock::manual(monday());
        let mut options = Options::new(setup(400), clock);
        change(&mut options);
        Self::serve(options).await.expect("it starts")
    }

    async fn serve(options: Options) -> Result<Self, SimulatorError> {
        // Every test of this binary installs it; all but the first are told so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = options.clock.clone();
        let simulator = start(options).await?;
        let ca = reqwest::Certificate::from_pem(simulator.ca_pem().as_bytes()).expect("a CA");
        let http = Client::builder()
            .tls_certs_only([ca])
            .build()
            .expect("a client");
        let mut site = Self {
            simulator,
            clock,
            http,
            token: String::new(),
        };
        site.sign_in().await;
        Ok(site)
    }

    async fn sign_in(&mut self) {
        let secret = self.simulator.client_secret();
        let answer = self.ask_token(&secret).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["expires_in"], 3599);
        let token = body["access_token"].as_str().expect("a token");
        token.clone_into(&mut self.token);
    }

    async fn ask_token(&self, secret: &str) -> Response {
        let encode = |text: &str| {
            text.replace(':', "%3A")
                .replace('/', "%2F")
                .replace('~', "%7E")
        };
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
            self.simulator.client_id(),
            encode(secret),
            encode(&format!("{}/.default", self.simulator.graph_endpoint())),
        );
        let tenant = setup(0).tenant_id;
        self.http
            .post(format!(
                "{}/{tenant}/oauth2/v2.0/token",
                self.simulator.authority()
            ))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .expect("an answer")
    }

    async fn graph(&self, path: &str) -> Response {
        let address = if path.starts_with("https://") {
            path.to_owned()
        } else {
            format!("{}{path}", self.simulator.graph_endpoint())
        };
        self.http
            .get(address)
            .bearer_auth(&self.token)
            .header("consistencylevel", "eventual")
            .send()
            .await
            .expect("an answer")
    }

    async fn graph_json(&self, path: &str) -> Value {
        let answer = self.graph(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.expect("JSON")
    }

    /// All pages of a collection, and how many they were and how many of them were empty.
    async fn graph_all(&self, path: &str) -> (Vec<Value>, usize, usize) {
        let (mut all, mut pages, mut empty) = (Vec::new(), 0, 0);
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let page = self.graph_json(&path).await;
            let items = page["value"].as_array().expect("a list").clone();
            pages += 1;
            empty += usize::from(items.is_empty());
            all.extend(items);
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        (all, pages, empty)
    }

    async fn wmi_response(&self, route: &str) -> Response {
        self.http
            .get(format!("{}/{route}", self.simulator.admin_service()))
            .bearer_auth(self.simulator.admin_token())
            .send()
            .await
            .expect("an answer")
    }

    async fn wmi(&self, route: &str) -> Vec<Value> {
        let answer = self.wmi_response(&format!("wmi/{route}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{route}");
        let body: Value = answer.json().await.expect("JSON");
        body["value"].as_array().expect("a list").clone()
    }

    async fn post(&self, route: &str, body: Value) -> (StatusCode, Value) {
        let answer = self
            .http
            .post(format!("{}/wmi/{route}", self.simulator.admin_service()))
            .bearer_auth(self.simulator.admin_token())
            .json(&body)
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    async fn create(&self, name: &str) -> String {
        let pilot = self.wmi(&format!("SMS_Collection('{PILOT}')")).await;
        let wish = json!({
            "Name": name,
            "LimitToCollectionID": pilot[0]["LimitToCollectionID"],
            "Comment": format!("diarchy: contoso/{WORKLOAD} contoso/updates 1"),
            "CollectionType": 2,
        });
        let (status, body) = self.post("SMS_Collection", wish).await;
        assert_eq!(status, StatusCode::CREATED);
        body["CollectionID"].as_str().expect("an id").to_owned()
    }

    async fn refresh(&self, collection: &str) {
        let route = format!("SMS_Collection('{collection}')/AdminService.RequestRefresh");
        let (status, body) = self.post(&route, json!({})).await;
        assert_eq!(
            (status, &body["ReturnValue"]),
            (StatusCode::CREATED, &json!(0))
        );
    }

    async fn members(&self, collection: &str) -> BTreeSet<u64> {
        let filter = format!("SMS_FullCollectionMembership?$filter=CollectionID eq '{collection}'");
        let members = self.wmi(&filter).await;
        members
            .iter()
            .map(|member| member["ResourceID"].as_u64().expect("an id"))
            .collect()
    }

    /// An online, co-managed device that no pilot collection has yet, inside or outside the limit.
    fn device(&self, inside: bool) -> diarchy_simulator::Truth {
        self.simulator
            .control()
            .truths()
            .into_iter()
            .find(|device| {
                device.online
                    && device.follows_sliders
                    && device.outside_limiting_collection != inside
                    && device.actual == [Workload::ResourceAccess]
            })
            .expect("there is one")
    }

    fn pass(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(minutes * 60));
    }
}

fn direct(resource: u32) -> Value {
    json!({
        "@odata.type": "#AdminService.SMS_CollectionRuleDirect",
        "ResourceClassName": "SMS_R_System",
        "RuleName": "somebody",
        "ResourceID": resource,
    })
}

fn include(collection: &str) -> Value {
    json!({
        "@odata.type": "#AdminService.SMS_CollectionRuleIncludeCollection",
        "RuleName": collection,
        "IncludeCollectionID": collection,
    })
}

#[tokio::test]
async fn a_wrong_secret_and_an_expired_token_are_refused() {
    let site = Site::open(|_| {}).await;
    let refused = site.ask_token("wrong").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let body: Value = refused.json().await.expect("JSON");
    assert_eq!(body["error"], "invalid_client");

    assert_eq!(
        site.graph("/v1.0/organization").await.status(),
        StatusCode::OK
    );
    site.pass(61);
    let expired = site.graph("/v1.0/organization").await;
    assert_eq!(expired.status(), StatusCode::UNAUTHORIZED);
    let body: Value = expired.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], "InvalidAuthenticationToken");
}

#[tokio::test]
async fn listings_have_every_device_once_over_all_their_pages() {
    let site = Site::open(|options| options.behaviour.graph_page_size = 10).await;
    let path = "/beta/deviceManagement/managedDevices?$select=id,serialNumber,lastSyncDateTime";
    let (all, pages, empty) = site.graph_all(path).await;
    let ids: BTreeSet<_> = all.iter().map(|item| item["id"].to_string()).collect();
    assert_eq!(ids.len(), all.len());
    assert_eq!(all[0].as_object().expect("an item").len(), 3);
    assert!(pages > 35 && empty > 0, "{pages} pages, {empty} empty");
    let enrolled = site.simulator.control().truths();
    let enrolled: BTreeSet<_> = enrolled
        .into_iter()
        .filter_map(|device| device.intune_id)
        .map(|id| json!(id).to_string())
        .collect();
    assert!(enrolled.is_subset(&ids));
    let (large, pages, _) = site
        .graph_all("/v1.0/deviceManagement/managedDevices?$top=5000")
        .await;
    assert_eq!((large.len(), pages), (all.len(), 1));
}

#[tokio::test]
async fn graph_is_as_particular_as_it_is() {
    let site = Site::open(|_| {}).await;
    let bad = site
        .graph("/v1.0/deviceManagement/managedDevices?$select=id,joinType")
        .await;
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    let eligible = "/v1.0/deviceManagement/comanagementEligibleDevices";
    assert_eq!(site.graph(eligible).await.status(), StatusCode::NOT_FOUND);

    let list = site
        .graph_json("/beta/deviceManagement/managedDevices")
        .await;
    let item = &list["value"][0];
    assert_eq!(item["ethernetMacAddress"], Value::Null);
    let path = format!(
        "/beta/deviceManagement/managedDevices/{}",
        item["id"].as_str().expect("an id")
    );
    let one = site.graph_json(&path).await;
    assert!(one["ethernetMacAddress"].is_string());
    assert_eq!(one["easActivationDateTime"], "0001-01-01T00:00:00Z");

    let taken_apart = list["@odata.nextLink"].as_str().expect("a link");
    let taken_apart = format!("{taken_apart}&$select=id");
    assert_eq!(
        site.graph(&taken_apart).await.status(),
        StatusCode::BAD_REQUEST
    );

    let group = "/v1.0/groups/6e1b1a5a-2f5b-4d7e-8d44-1f6d0b0f1a11/transitiveMembers/graph.device";
    assert_eq!(site.graph(group).await.status(), StatusCode::BAD_REQUEST);
    let members = site.graph_json(&format!("{group}?$count=true")).await;
    let count = members["value"].as_array().expect("a list").len();
    assert!(count > 10);
    assert_eq!(members["@odata.count"], count);
    assert!(members["value"][0].get("extensionAttributes").is_none());
}

#[tokio::test]
async fn the_site_asks_who_is_there_and_hides_what_is_lazy() {
    let site = Site::open(|_| {}).await;
    let address = format!("{}/wmi/SMS_Site", site.simulator.admin_service());
    let stranger = site.http.get(address).send().await.expect("an answer");
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    let offers: Vec<_> = stranger
        .headers()
        .get_all("www-authenticate")
        .iter()
        .collect();
    assert_eq!(offers, ["Negotiate", "NTLM"]);

    let metadata = site
        .wmi_response("wmi/$metadata")
        .await
        .text()
        .await
        .expect("text");
    assert!(metadata.contains("<Property Name=\"AADDeviceID\""));
    let unknown = site.wmi_response("wmi/SMS_r_system").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);

    let list = site.wmi("SMS_Collection").await;
    let listed = list
        .iter()
        .find(|item| item["CollectionID"] == PILOT)
        .expect("listed");
    assert_eq!(listed["CollectionRules"], Value::Null);
    assert_eq!(listed["Comment"], format!("diarchy: contoso/{WORKLOAD}"));
    for key in ["SMS_Collection('PS100021')", "SMS_Collection/PS100021"] {
        let found = site.wmi(key).await;
        assert_eq!(found.len(), 1);
        let rules = found[0]["CollectionRules"].as_array().expect("rules");
        let kinds: BTreeSet<_> = rules
            .iter()
            .map(|rule| rule["@odata.type"].to_string())
            .collect();
        assert_eq!(kinds.len(), 2, "people's direct and query rules");
    }
    let one = site.wmi("SMS_R_System(16777219)").await;
    let name = one[0]["Name"].as_str().expect("a name");
    let named = site
        .wmi(&format!(
            "SMS_R_System?$filter=Name eq '{name}'&$select=ResourceID"
        ))
        .await;
    assert!(named.iter().any(|item| item["ResourceID"] == 16777219));
    let deployments = site.wmi("SMS_DeploymentSummary").await;
    assert!(deployments.iter().any(|item| {
        item["SoftwareName"] == "CoMgmtSettingsPilotWUP" && item["CollectionID"] == PILOT
    }));
}

#[tokio::test]
async fn unconfirmed_answers_can_be_turned_around() {
    let site = Site::open(|options| {
        options.behaviour = Behaviour {
            wmi_query_options: false,
            admin_page_size: Some(50),
            collection_rules: false,
            aad_device_id: false,
            key_lookup: KeyLookup::Object,
            ..Behaviour::default()
        };
    })
    .await;
    let first = site.wmi_response("wmi/SMS_R_System?$top=3").await;
    let first: Value = first.json().await.expect("JSON");
    assert_eq!(first["value"].as_array().map(Vec::len), Some(50));
    assert!(first["value"][0].get("AADDeviceID").is_none());
    let mut seen = 50;
    let mut next = first["@odata.nextLink"].as_str().map(str::to_owned);
    while let Some(address) = next {
        let answer = site
            .http
            .get(address)
            .bearer_auth(site.simulator.admin_token());
        let page: Value = answer
            .send()
            .await
            .expect("sent")
            .json()
            .await
            .expect("JSON");
        seen += page["value"].as_array().map_or(0, Vec::len);
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert!(seen >= 380);
    let one = site.wmi_response("wmi/SMS_Collection('PS100021')").await;
    let one: Value = one.json().await.expect("JSON");
    assert_eq!(one["CollectionID"], PILOT);
    assert_eq!(one["CollectionRules"], Value::Null);
}

#[tokio::test]
async fn a_device_switches_after_evaluation_poll_and_sync() {
    let site = Site::open(|_| {}).await;
    let device = site.device(true);
    let resource = device.resource_id.expect("a record");
    let control = site.simulator.control();
    let keep = Act::SetPresence {
        device: device.device,
        online: true,
    };
    control.act(keep).expect("kept on");

    let owned = site.create("diarchy updates").await;
    let (status, _) = site
        .post(
            "SMS_Collection",
            json!({"Name": "Diarchy Updates",
        "LimitToCollectionID": "SMS00001", "CollectionType": 2}),
        )
        .await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let route = format!("SMS_Collection('{PILOT}')/AdminService.AddMembershipRule");
    let (status, body) = site
        .post(&route, json!({"collectionRule": include(&owned)}))
        .await;
    assert_eq!(
        (status, &body["ReturnValue"]),
        (StatusCode::CREATED, &json!(0))
    );
    let route = format!("SMS_Collection('{owned}')/AdminService.AddMembershipRules");
    let rules = json!({"collectionRules": [direct(resource), direct(4_000_000_000)]});
    let (_, body) = site.post(&route, rules).await;
    assert_eq!(body["QueryIDs"], json!([0, 0]));

    // Nobody asked for an evaluation: nothing happens.
    site.pass(30);
    assert!(site.members(&owned).await.is_empty());
    site.refresh(&owned).await;
    assert_eq!(
        site.wmi(&format!("SMS_Collection('{owned}')")).await[0]["CurrentStatus"],
        5
    );
    site.pass(3);
    assert_eq!(
        site.members(&owned).await,
        BTreeSet::from([u64::from(resource)])
    );
    assert!(site.members(PILOT).await.contains(&u64::from(resource)));
    let truth = |device| control.truth(device).expect("known");
    assert_eq!(truth(device.device).actual, [Workload::ResourceAccess]);

    site.pass(75);
    assert!(truth(device.device).actual.contains(&WORKLOAD));
    assert!(truth(device.device).reported.contains(&WORKLOAD));
    let mut site = site;
    site.sign_in().await;
    let path = format!(
        "/v1.0/deviceManagement/managedDevices/{}",
        device.intune_id.expect("enrolled")
    );
    let seen = site.graph_json(&path).await;
    let features = &seen["configurationManagerClientEnabledFeatures"];
    assert_eq!(features["windowsUpdateForBusiness"], true);
    assert!(features.get("officeApps").is_none());
    site.pass(15);
    let filter = format!("SMS_Client_ComanagementState?$filter=ResourceId eq {resource}");
    assert_eq!(
        site.wmi(&filter).await[0]["mdmworkloads"],
        8192 + 1 + 4 + 16
    );

    let route = format!("SMS_Collection('{owned}')/AdminService.DeleteMembershipRule");
    let gone = json!({"collectionRule": direct(resource)});
    assert_eq!(site.post(&route, gone.clone()).await.1["ReturnValue"], 0);
    assert_ne!(site.post(&route, gone).await.1["ReturnValue"], 0);
    let verdict = control.judge();
    let repeated: Vec<_> = verdict.repeated.iter().map(|one| one.sequence).collect();
    assert_eq!(
        repeated,
        [3, 8],
        "the name that was taken, the rule that was gone"
    );
    assert_eq!(verdict.stray.len(), 1, "the unmarked creation: {verdict:?}");
}

#[tokio::test]
async fn a_client_notification_brings_the_poll_forward() {
    let site = Site::open(|_| {}).await;
    let device = site.device(true);
    let resource = device.resource_id.expect("a record");
    let control = site.simulator.control();
    let keep = Act::SetPresence {
        device: device.device,
        online: true,
    };
    control.act(keep).expect("kept on");
    let route = format!("SMS_Collection('{PILOT}')/AdminService.AddMembershipRule");
    site.post(&route, json!({"collectionRule": direct(resource)}))
        .await;
    site.refresh(PILOT).await;
    site.pass(3);
    let wish = json!({"Type": 8, "TargetCollectionID": PILOT, "RandomizationWindow": 5,
        "TargetResourceIDs": [resource]});
    let (status, body) = site
        .post("SMS_ClientOperation.InitiateClientOperation", wish)
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let status = site.wmi("SMS_ClientOperationStatus").await;
    assert_eq!(status[0]["OperationID"], body["OperationID"]);
    assert_eq!(status[0]["CompletedClients"], 1);
    site.pass(11);
    let truth = control.truth(device.device).expect("known");
    assert!(truth.actual.contains(&WORKLOAD));
}

#[tokio::test]
async fn a_rule_outside_the_limiting_collection_makes_no_member() {
    let site = Site::open(|_| {}).await;
    let device = site.device(false);
    let resource = device.resource_id.expect("a record");
    let route = format!("SMS_Collection('{PILOT}')/AdminService.AddMembershipRule");
    let (_, body) = site
        .post(&route, json!({"collectionRule": direct(resource)}))
        .await;
    assert_eq!(body["ReturnValue"], 0);
    site.refresh(PILOT).await;
    site.pass(3);
    assert!(!site.members(PILOT).await.contains(&u64::from(resource)));
    let rules = site.wmi(&format!("SMS_Collection('{PILOT}')")).await;
    let rules = rules[0]["CollectionRules"]
        .as_array()
        .expect("rules")
        .clone();
    assert!(rules.iter().any(|rule| rule["ResourceID"] == resource));
}

#[tokio::test]
async fn bad_rules_are_answered_with_a_return_value() {
    let site = Site::open(|_| {}).await;
    let post = async |collection: &str, rule: Value| {
        let route = format!("SMS_Collection('{collection}')/AdminService.AddMembershipRule");
        site.post(&route, json!({"collectionRule": rule})).await
    };
    for (collection, rule) in [
        (PILOT, include("PS1FFFFF")),
        (PILOT, include(PILOT)),
        ("SMS00001", direct(16777219)),
        (PILOT, json!({"@odata.type": "#AdminService.Nonsense"})),
    ] {
        let (status, body) = post(collection, rule).await;
        assert!(status.is_success());
        assert_ne!(body["ReturnValue"], 0);
    }
    let refused = |entry: &diarchy_simulator::Entry| matches!(entry.effect, Effect::Refused { .. });
    let log = site.simulator.control().log();
    assert_eq!(log.iter().filter(|entry| refused(entry)).count(), 4);
}

#[tokio::test]
async fn published_limits_are_enforced_and_say_for_how_long() {
    let limits = Limits {
        graph_devices: 5,
        admin_service: 4,
        ..Limits::default()
    };
    let site = Site::open(|options| options.limits = limits).await;
    let path = "/v1.0/deviceManagement/managedDevices?$top=1";
    for _ in 0..5 {
        assert_eq!(site.graph(path).await.status(), StatusCode::OK);
    }
    let throttled = site.graph(path).await;
    assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait = throttled.headers()["retry-after"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(wait.parse::<f64>().expect("a decimal") > 19.0);
    assert_eq!(
        site.graph("/v1.0/users?$top=1").await.status(),
        StatusCode::OK
    );
    let silent = site
        .graph("/beta/deviceManagement/comanagementEligibleDevices")
        .await;
    assert_eq!(silent.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(silent.headers().get("retry-after").is_none());
    site.clock.advance(Duration::from_secs(21));
    assert_eq!(site.graph(path).await.status(), StatusCode::OK);

    for _ in 0..4 {
        site.wmi("SMS_Site").await;
    }
    let throttled = site.wmi_response("wmi/SMS_Site").await;
    assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn services_fail_in_every_way_they_are_told_to() {
    let site = Site::open(|_| {}).await;
    let control = site.simulator.control();
    let path = "/beta/deviceManagement/managedDevices";
    let inject = |failure| control.inject(Fault::new(Service::Graph, "managedDevices", failure));

    let fault = inject(Failure::Status {
        status: 503,
        retry_after: None,
        after_effect: false,
    });
    assert_eq!(
        site.graph(path).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    control.clear(fault);
    let fault = inject(Failure::CutOff);
    assert!(site.graph(path).await.bytes().await.is_err());
    control.clear(fault);
    let fault = inject(Failure::EmptyList);
    assert_eq!(site.graph_json(path).await["value"], json!([]));
    control.clear(fault);
    let fault = inject(Failure::DroppedField("serialNumber".to_owned()));
    assert!(
        site.graph_json(path).await["value"][0]
            .get("serialNumber")
            .is_none()
    );
    control.clear(fault);
    let fault = inject(Failure::MalformedJson);
    assert!(site.graph(path).await.json::<Value>().await.is_err());
    control.clear(fault);
    let fault = inject(Failure::HtmlPage { status: 502 });
    let page = site.graph(path).await;
    assert_eq!(page.status(), StatusCode::BAD_GATEWAY);
    assert!(
        page.text()
            .await
            .expect("text")
            .starts_with("<!DOCTYPE html>")
    );
    control.clear(fault);
    let fault = inject(Failure::NextLinkLoop);
    let page = site.graph_json(path).await;
    let again = site
        .graph_json(page["@odata.nextLink"].as_str().expect("a link"))
        .await;
    assert_eq!(again["value"], page["value"]);
    control.clear(fault);
    control.inject(Fault::new(Service::AdminService, "", Failure::Refused));
    let address = format!("{}/wmi/SMS_Site", site.simulator.admin_service());
    assert!(site.http.get(&address).send().await.is_err());
    control.clear_all();
    site.wmi("SMS_Site").await;
}

#[tokio::test]
async fn a_lost_answer_is_told_from_a_needless_repetition() {
    let site = Site::open(|_| {}).await;
    let control = site.simulator.control();
    let resource = site.device(true).resource_id.expect("a record");
    let fault = Fault::new(Service::AdminService, "AddMembershipRule", Failure::CutOff).times(1);
    control.inject(fault);
    let route = format!("SMS_Collection('{PILOT}')/AdminService.AddMembershipRule");
    let rule = json!({"collectionRule": direct(resource)});
    for _ in 0..3 {
        site.post(&route, rule.clone()).await;
    }
    let verdict = control.judge();
    assert_eq!(verdict.repeated_after_lost_answer.len(), 1);
    assert_eq!(verdict.repeated.len(), 1);
}

#[tokio::test]
async fn people_change_the_estate_under_the_client() {
    let site = Site::open(|_| {}).await;
    let control = site.simulator.control();
    let before = site.device(true);
    let device = before.device;
    control.act(Act::Reimage { device }).expect("reimaged");
    let after = control.truth(device).expect("known");
    assert_ne!(after.resource_id, before.resource_id);
    assert_eq!(after.serial_number, before.serial_number);
    let old = before.resource_id.expect("a record");
    assert_eq!(
        site.wmi(&format!("SMS_R_System({old})")).await[0]["Obsolete"],
        1
    );
    control
        .act(Act::Reenroll { device })
        .expect("enrolled again");
    assert_ne!(
        control.truth(device).expect("known").intune_id,
        before.intune_id
    );
    control.act(Act::Retire { device }).expect("retired");
    assert_eq!(control.truth(device).expect("known").intune_id, None);
    control
        .act(Act::MoveSlider {
            workload: Workload::ClientApps,
            slider: Slider::Intune,
        })
        .expect("moved");
    let other = site.device(true);
    site.pass(240);
    let other = control.truth(other.device).expect("known");
    assert!(!other.online || other.actual.contains(&Workload::ClientApps));
    let windows = Act::SetMaintenanceWindows {
        collection: PILOT.to_owned(),
        count: 1,
    };
    control.act(windows).expect("set");
    assert_eq!(
        site.wmi("SMS_Collection('PS100021')").await[0]["ServiceWindowsCount"],
        1
    );
}

async fn stored(directory: &Path, clock: Clock, setup: Setup) -> Result<Site, SimulatorError> {
    let mut options = Options::new(setup, clock);
    options.directory = Some(directory.to_owned());
    Site::serve(options).await
}

#[tokio::test]
async fn a_killed_world_comes_back_as_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let site = stored(directory.path(), Clock::manual(monday()), setup(400))
        .await
        .expect("it starts");
    let device = site.device(true);
    let resource = device.resource_id.expect("a record");
    let owned = site.create("diarchy updates").await;
    let route = format!("SMS_Collection('{PILOT}')/AdminService.AddMembershipRule");
    site.post(&route, json!({"collectionRule": include(&owned)}))
        .await;
    let route = format!("SMS_Collection('{owned}')/AdminService.AddMembershipRule");
    site.post(&route, json!({"collectionRule": direct(resource)}))
        .await;
    site.refresh(&owned).await;
    site.pass(2);
    let rename = Act::Rename {
        device: 0,
        name: "FR-LT999999".to_owned(),
    };
    site.simulator.control().act(rename).expect("renamed");
    site.pass(120);
    let control = site.simulator.control();
    let (truths, members, log) = (control.truths(), site.members(PILOT).await, control.log());
    let ca = site.simulator.ca_pem().to_owned();
    let lived_until = site.clock.now();
    drop(site);

    let known = resume_time(directory.path())
        .expect("readable")
        .expect("a world");
    assert!(known <= lived_until);
    let behind = Clock::manual(monday());
    let refused = stored(directory.path(), behind, setup(400)).await;
    assert!(matches!(refused, Err(SimulatorError::ClockBehind { .. })));
    let other = stored(directory.path(), Clock::manual(lived_until), setup(300)).await;
    assert!(matches!(
        other,
        Err(SimulatorError::Log(LogError::OtherSetup(_)))
    ));

    let again = stored(directory.path(), Clock::manual(lived_until), setup(400))
        .await
        .expect("it starts again");
    let control = again.simulator.control();
    assert_eq!(control.log(), log);
    assert_eq!(control.truths(), truths);
    assert_eq!(again.members(PILOT).await, members);
    assert_eq!(again.simulator.ca_pem(), ca);
    again.simulator.shutdown().await.expect("it ends");
    assert_eq!(
        resume_time(directory.path()).expect("readable"),
        Some(lived_until)
    );
}
