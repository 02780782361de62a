//! Services that fail, answer empty or leave something out, and people who do things at the site:
//! nobody is moved who should not be, and the report says what is wrong.

use diarchy_simulator::{Act, Behaviour, Effect, Failure, Fault, Service};
use serde_json::Value;

use crate::running::{Running, fleet, is_converged, problems};
use crate::site::{PILOT, Site};

/// A site whose repository is carried out, and the loop that does it.
struct Case {
    site: Site,
    running: Running,
    /// The ring that is left out of `updates` now, and the one that is next.
    rings: [&'static str; 2],
}

impl Case {
    fn new() -> Self {
        let site = Site::open();
        let running = site.carried_out();
        Self {
            site,
            running,
            rings: ["[ canary ]", "[ early ]"],
        }
    }

    /// Commits something that moves some devices, for `WindowsUpdatePolicies` alone.
    fn commit(&mut self) -> String {
        let [now, next] = self.rings;
        self.site.repository.edit("resources.yaml", now, next);
        self.rings = [next, now];
        self.site.repository.commit()
    }

    /// Waits until a commit is carried out.
    fn carried_out(&mut self, commit: &str) {
        self.running
            .wait_for("the commit to be carried out", |report| {
                let revision = report["revision"].as_str();
                revision.is_some_and(|revision| revision.contains(commit)) && is_converged(report)
            });
    }

    /// What is wrong with how the loop lives through `fault` while a commit wants devices moved.
    fn outage(&mut self, fault: &Fault, says: &str) -> Result<(), String> {
        let members = self.site.members();
        let id = self.site.control.inject(fault.clone());
        // A pass that began before the fault may still write.
        self.running.fresh();
        let before = self.site.writes();
        let commit = self.commit();
        self.running.fresh();
        let report = self.running.fresh();
        let mut wrong = self.unmoved(&members, before.len());
        if !told(&report).contains(says) {
            wrong.push(format!("does not say {says}: {}", told(&report)));
        }
        self.site.control.clear(id);
        self.carried_out(&commit);
        complain(fault, &wrong)
    }

    /// The same for a fault that leaves the loop able to do some of what git asks: nothing is asked.
    fn omission(&mut self, fault: &Fault) -> Result<(), String> {
        let members = self.site.members();
        let before = self.site.writes();
        let id = self.site.control.inject(fault.clone());
        self.running.fresh();
        self.running.fresh();
        let wrong = self.unmoved(&members, before.len());
        self.site.control.clear(id);
        self.running.wait_for("the fault to be over", is_converged);
        complain(fault, &wrong)
    }

    fn unmoved(&self, members: &[Vec<u32>], before: usize) -> Vec<String> {
        let writes = self.site.writes();
        let mut wrong = Vec::new();
        if writes.len() > before {
            wrong.push(format!("wrote {:#?}", &writes[before..]));
        }
        if self.site.members() != members {
            wrong.push("somebody was moved".to_owned());
        }
        wrong
    }
}

fn complain(fault: &Fault, wrong: &[String]) -> Result<(), String> {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{fault:?}:\n  {}", wrong.join("\n  ")))
}

/// What a report says is wrong, and what waits.
fn told(report: &Value) -> String {
    let fleet = fleet(report);
    let steps = &fleet["manualSteps"];
    format!("{}\n{steps}\n{}", problems(report), fleet["waiting"])
}

fn status(service: Service, path: &str, status: u16, retry_after: Option<&str>) -> Fault {
    let retry_after = retry_after.map(ToOwned::to_owned);
    let failure = Failure::Status {
        status,
        retry_after,
        after_effect: false,
    };
    Fault::new(service, path, failure)
}

/// Lives through all of them and tells of every one that went wrong.
fn live_through(faults: &[(Fault, &str)]) {
    let mut case = Case::new();
    let wrong: Vec<String> = faults
        .iter()
        .filter_map(|(fault, says)| case.outage(fault, says).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    case.site.assert_clean();
}

#[test]
fn a_graph_that_fails_moves_nobody() {
    use Service::Graph;
    live_through(&[
        (status(Graph, "", 500, None), "DIA21"),
        (status(Graph, "", 503, Some("1")), "DIA21"),
        (status(Graph, "", 503, None), "DIA21"),
        (status(Graph, "", 429, Some("0.5")), "DIA21"),
        (status(Graph, "", 429, None), "DIA21"),
        (Fault::new(Graph, "", Failure::MalformedJson), "DIA2105"),
        (
            Fault::new(Graph, "", Failure::HtmlPage { status: 502 }),
            "DIA21",
        ),
        (Fault::new(Graph, "", Failure::Refused), "DIA2101"),
        (
            Fault::new(Graph, "managedDevices", Failure::NextLinkLoop),
            "DIA2105",
        ),
        (
            Fault::new(Graph, "managedDevices", Failure::CutOff),
            "DIA21",
        ),
    ]);
}

#[test]
fn a_site_that_fails_moves_nobody() {
    use Service::AdminService;
    live_through(&[
        (status(AdminService, "", 503, None), "DIA21"),
        (status(AdminService, "", 500, None), "DIA21"),
        (Fault::new(AdminService, "", Failure::Refused), "DIA2101"),
        (
            Fault::new(AdminService, "", Failure::MalformedJson),
            "DIA2105",
        ),
        (status(AdminService, "SMS_R_System", 500, None), "DIA21"),
        (status(AdminService, "SMS_Collection", 500, None), "DIA21"),
        (
            status(AdminService, "SMS_FullCollectionMembership", 500, None),
            "DIA21",
        ),
        (
            Fault::new(AdminService, "SMS_Collection", Failure::EmptyList),
            "DIA21",
        ),
        (
            Fault::new(
                AdminService,
                "SMS_FullCollectionMembership",
                Failure::EmptyList,
            ),
            "DIA21",
        ),
    ]);
}

#[test]
fn half_an_inventory_stops_all_writes_and_says_so() {
    let lists = [
        (Service::Graph, "managedDevices"),
        (Service::AdminService, "SMS_R_System"),
    ];
    let faults: Vec<(Fault, &str)> = lists
        .into_iter()
        .flat_map(|(service, path)| {
            [Failure::Truncated { keep: 0.5 }, Failure::EmptyList]
                .map(|failure| (Fault::new(service, path, failure), "MaxInventoryShrink"))
        })
        .collect();
    live_through(&faults);
}

/// Not every site collects hardware inventory: what it would tell is unknown, and no fault.
#[test]
fn a_site_without_classes_of_hardware_is_carried_out_and_told_of() {
    let site = Site::open();
    let classes = [
        "SMS_G_System_COMPUTER_SYSTEM",
        "SMS_G_System_SYSTEM_ENCLOSURE",
        "SMS_G_System_OPERATING_SYSTEM",
        "SMS_G_System_PC_BIOS",
    ];
    for class in classes {
        let fault = status(Service::AdminService, class, 404, None);
        site.control.inject(fault);
    }
    let report = site.carried_out().fresh();
    let lacking = fleet(&report)["lacking"].to_string();
    for class in classes {
        assert!(lacking.contains(class), "{class} in {lacking}");
    }
    site.assert_clean();
}

#[test]
fn lists_that_are_empty_or_short_move_nobody() {
    let mut case = Case::new();
    let lists = [
        (Service::Graph, "/users"),
        // A group that has fewer members is no fault that anybody could see: maxLeaving is for that.
        (Service::Graph, "organization"),
        (Service::AdminService, "SMS_CombinedDeviceResources"),
        (Service::AdminService, "SMS_Client_ComanagementState"),
        (Service::AdminService, "SMS_G_System_COMPUTER_SYSTEM"),
        (Service::AdminService, "SMS_G_System_SYSTEM_ENCLOSURE"),
        (Service::AdminService, "SMS_G_System_OPERATING_SYSTEM"),
        (Service::AdminService, "SMS_G_System_PC_BIOS"),
    ];
    let mut wrong = Vec::new();
    for (service, path) in lists {
        for failure in [Failure::EmptyList, Failure::Truncated { keep: 0.5 }] {
            wrong.extend(case.omission(&Fault::new(service, path, failure)).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn devices_that_the_directory_does_not_have_any_more_are_not_moved() {
    let mut case = Case::new();
    let missing = [
        Failure::EmptyList,
        Failure::Truncated { keep: 0.5 },
        Failure::DroppedField("deviceId".to_owned()),
    ];
    let wrong: Vec<String> = missing
        .into_iter()
        .filter_map(|failure| {
            let fault = Fault::new(Service::Graph, "/devices", failure);
            case.omission(&fault).err()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn dropped(service: Service, path: &str, fields: &[&str]) -> Vec<Fault> {
    let fault =
        |field: &&str| Fault::new(service, path, Failure::DroppedField((*field).to_owned()));
    fields.iter().map(fault).collect()
}

#[test]
fn a_column_that_graph_drops_moves_nobody() {
    let mut faults = dropped(
        Service::Graph,
        "managedDevices",
        &[
            "azureADDeviceId",
            "serialNumber",
            "manufacturer",
            "model",
            "operatingSystem",
            "osVersion",
            "managementAgent",
            "managedDeviceOwnerType",
            "userId",
            "userPrincipalName",
            "enrolledDateTime",
            "lastSyncDateTime",
            "joinType",
            "chassisType",
            "configurationManagerClientEnabledFeatures",
            "configurationManagerClientInformation",
        ],
    );
    faults.extend(dropped(
        Service::Graph,
        "/devices",
        &["trustType", "extensionAttributes"],
    ));
    faults.extend(dropped(
        Service::Graph,
        "/users",
        &["id", "country", "city", "department"],
    ));
    faults.extend(dropped(Service::Graph, "/groups", &["id", "deviceId"]));
    dropped_columns(&faults);
}

#[test]
fn a_column_that_the_site_drops_moves_nobody() {
    let site = Service::AdminService;
    let mut faults = dropped(
        site,
        "SMS_R_System",
        &[
            "ResourceID",
            "SMSUniqueIdentifier",
            "AADDeviceID",
            "Client",
            "ClientVersion",
            "Obsolete",
            "OperatingSystemNameandVersion",
        ],
    );
    faults.extend(dropped(
        site,
        "SMS_CombinedDeviceResources",
        &["ResourceID", "SerialNumber", "SiteCode", "DeviceOSBuild"],
    ));
    faults.extend(dropped(
        site,
        "SMS_Client_ComanagementState",
        &[
            "MachineId",
            "MDMEnrolled",
            "ComgmtPolicyPresent",
            "Authority",
            "MDMProvisioned",
        ],
    ));
    faults.extend(dropped(site, "SMS_G_System_COMPUTER_SYSTEM", &["Model"]));
    faults.extend(dropped(
        site,
        "SMS_G_System_SYSTEM_ENCLOSURE",
        &["ChassisTypes"],
    ));
    faults.extend(dropped(site, "SMS_G_System_OPERATING_SYSTEM", &["Version"]));
    faults.extend(dropped(
        site,
        "SMS_FullCollectionMembership",
        &["ResourceID", "CollectionID"],
    ));
    faults.extend(dropped(
        site,
        "SMS_Collection",
        &[
            "CollectionID",
            "Comment",
            "CollectionType",
            "LimitToCollectionID",
        ],
    ));
    dropped_columns(&faults);
}

fn dropped_columns(faults: &[Fault]) {
    let mut case = Case::new();
    let wrong: Vec<String> = faults
        .iter()
        .filter_map(|fault| case.omission(fault).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    case.site.assert_clean();
}

#[test]
fn a_site_that_does_not_tell_rules_is_written_to_once() {
    let site = Site::behaving(Behaviour {
        collection_rules: false,
        ..Behaviour::default()
    });
    let mut running = site.carried_out();
    let before = site.writes();
    running.fresh();
    running.fresh();
    assert_eq!(site.writes(), before);
    site.assert_clean();
}

/// Lets people do something to the pilot collection and asserts that nothing is written there.
fn blocked_by(acts: impl FnOnce(&Site)) {
    let mut case = Case::new();
    acts(&case.site);
    case.running.fresh();
    let before = case.site.writes();
    let commit = case.commit();
    case.running.wait_for("the commit", |report| {
        let revision = report["revision"].as_str();
        revision.is_some_and(|revision| revision.contains(&commit))
    });
    let report = case.running.fresh();
    let steps = fleet(&report)["manualSteps"].to_string();
    assert!(steps.contains(PILOT), "{report:#}");
    assert_eq!(case.site.writes(), before);
}

fn act(site: &Site, act: Act) -> Effect {
    site.control.act(act).unwrap()
}

#[test]
fn nothing_is_written_where_a_person_took_the_mark_away() {
    blocked_by(|site| {
        let (collection, comment) = (PILOT.to_owned(), String::new());
        act(
            site,
            Act::SetComment {
                collection,
                comment,
            },
        );
    });
}

#[test]
fn nothing_is_written_to_a_collection_with_a_maintenance_window() {
    blocked_by(|site| {
        let (collection, count) = (PILOT.to_owned(), 1);
        act(site, Act::SetMaintenanceWindows { collection, count });
    });
}

#[test]
fn nothing_is_written_to_a_collection_that_something_is_deployed_to() {
    blocked_by(|site| {
        let (collection, name) = (PILOT.to_owned(), "Seven Zip".to_owned());
        act(site, Act::Deploy { collection, name });
    });
}

#[test]
fn nothing_is_written_to_a_collection_that_another_includes() {
    blocked_by(|site| {
        let made = act(
            site,
            Act::CreateCollection {
                name: "Everything new".to_owned(),
                limit: "SMS00001".to_owned(),
                comment: String::new(),
            },
        );
        let Effect::CollectionCreated { collection } = made else {
            panic!("{made:?}");
        };
        let included = PILOT.to_owned();
        act(
            site,
            Act::IncludeCollection {
                collection,
                included,
            },
        );
    });
}

#[test]
fn a_foreign_member_stays_whatever_git_says() {
    let mut case = Case::new();
    let members = case.site.control.members(PILOT).unwrap();
    let everybody = case.site.control.members("SMSDM003").unwrap();
    let foreign = everybody.iter().find(|id| !members.contains(id));
    let resource_id = *foreign.expect("somebody is no member");
    let collection = PILOT.to_owned();
    act(
        &case.site,
        Act::AddDirectRule {
            collection,
            resource_id,
        },
    );
    let collection = PILOT.to_owned();
    act(&case.site, Act::RefreshCollection { collection });
    case.running
        .wait_for("the foreign member to be seen", |report| {
            fleet(report)["workloads"]["WindowsUpdatePolicies"]["foreign"] != 0
        });
    let commit = case.commit();
    case.carried_out(&commit);
    let members = case.site.control.members(PILOT).unwrap();
    assert!(members.contains(&resource_id), "it was taken out");
    case.site.assert_clean();
}
