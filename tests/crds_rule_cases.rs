//! For every rule of the definitions, documents that it lets pass and documents that it refuses.

use serde_json::{Value, json};

use crate::crds_clause_cases;
use crate::crds_documents::Change;

/// The cases of one rule. Every list of changes makes one document out of the smallest of the kind.
pub struct Case {
    pub kind: &'static str,
    /// Where the rule stands in the schema, such as `.spec.selector.matchAttributes[]`.
    pub path: String,
    /// A part of its message that no other rule at that place has.
    pub says: &'static str,
    pub accepted: Vec<Vec<Change>>,
    pub refused: Vec<Vec<Change>>,
    /// Whether the documents are changes of the smallest one that is stored already.
    pub of_stored: bool,
}

impl Case {
    /// Without a document yet.
    pub fn new(kind: &'static str, path: impl Into<String>, says: &'static str) -> Self {
        Self {
            kind,
            path: path.into(),
            says,
            accepted: Vec::new(),
            refused: Vec::new(),
            of_stored: false,
        }
    }

    /// A rule that lets a stored object change in this way and not in that.
    fn of_stored(
        kind: &'static str,
        path: &str,
        says: &'static str,
        accepted: Change,
        refused: Change,
    ) -> Self {
        let mut case = Self::new(kind, path, says).accepts([accepted]);
        case.of_stored = true;
        case.refuses([refused])
    }

    fn accepts(mut self, changes: impl Into<Vec<Change>>) -> Self {
        self.accepted.push(changes.into());
        self
    }

    fn refuses(mut self, changes: impl Into<Vec<Change>>) -> Self {
        self.refused.push(changes.into());
        self
    }
}

const ASSIGNABLE: [&str; 6] = [
    "CompliancePolicies",
    "DeviceConfiguration",
    "WindowsUpdatePolicies",
    "EndpointProtection",
    "ClientApps",
    "OfficeClickToRun",
];

/// All of them.
pub fn all() -> Vec<Case> {
    let mut cases = immutable();
    cases.extend(policy());
    for workload in ASSIGNABLE {
        cases.extend(slider(workload));
    }
    cases.extend(crds_clause_cases::all(
        "DeviceGroup",
        ".spec.selector.matchAttributes[]",
        "/spec/selector",
    ));
    cases.extend(crds_clause_cases::all(
        "WorkloadAssignment",
        ".spec.admitWhen.matchAttributes[]",
        "/spec/admitWhen",
    ));
    cases.extend(others());
    cases.extend(requirements());
    cases.extend(durations());
    cases.extend(source());
    cases
}

fn immutable() -> Vec<Case> {
    let other = || json!({ "name": "fabrikam" });
    let fleet = |kind, says, accepted| {
        let refused = ("/spec/fleetRef", other());
        Case::of_stored(kind, ".spec.fleetRef", says, accepted, refused)
    };
    vec![
        Case::of_stored(
            "Approval",
            ".spec",
            "an approval cannot change",
            ("/metadata/labels", json!({ "change": "4711" })),
            ("/spec/expires", json!("2026-11-24T08:00:00Z")),
        ),
        fleet(
            "CoManagementPolicy",
            "`fleetRef` cannot change",
            ("/spec/enrollment", json!({ "automatic": "All" })),
        ),
        fleet(
            "DeviceGroup",
            "`fleetRef` cannot change",
            ("/spec/devices", json!(["LAPTOP-0043"])),
        ),
        fleet(
            "WorkloadAssignment",
            "`fleetRef` cannot change",
            ("/spec/groupRef", other()),
        ),
        Case::of_stored(
            "WorkloadAssignment",
            ".spec.workload",
            "`workload` cannot change",
            ("/spec/authority", json!("ConfigurationManager")),
            ("/spec/workload", json!("ClientApps")),
        ),
    ]
}

fn pilot(collection: usize) -> Value {
    json!({ "slider": "PilotIntune", "pilotCollection": format!("PS1000{collection:02X}") })
}

fn policy() -> Vec<Case> {
    let configuration = "/spec/workloads/DeviceConfiguration";
    let protection = "/spec/workloads/EndpointProtection";
    let stands = |slider: &str| json!({ "slider": slider });
    let behind = Case::new("CoManagementPolicy", ".spec", "stands behind")
        .accepts([(configuration, pilot(1)), (protection, pilot(2))])
        .accepts([(configuration, pilot(1)), (protection, stands("Intune"))])
        .accepts([(protection, stands("Intune"))])
        .accepts([(configuration, stands("ConfigurationManager"))])
        .refuses([(configuration, pilot(1))])
        .refuses([(configuration, stands("Intune")), (protection, pilot(2))])
        .refuses([
            (configuration, pilot(1)),
            (protection, stands("ConfigurationManager")),
        ]);
    let oldest = "/spec/prerequisites/minimumOsVersion";
    let mut versions = Case::new(
        "CoManagementPolicy",
        ".spec.prerequisites.minimumOsVersion",
        "co-management needs Windows 10 1709",
    );
    for version in ["10.0.16299", "10.0.16299.1", "10.0.22631", "10.1", "11"] {
        versions = versions.accepts([(oldest, json!(version))]);
    }
    for version in ["10.0.16298.9", "10.0", "10", "9.9.99999", "0"] {
        versions = versions.refuses([(oldest, json!(version))]);
    }
    let group = (
        "/spec/enrollment/pilotGroupRef",
        json!({ "name": "pilots" }),
    );
    let collection = ("/spec/enrollment/pilotCollection", json!("PS100020"));
    let automatic = |how: &str| ("/spec/enrollment/automatic", json!(how));
    let enrollment = Case::new(
        "CoManagementPolicy",
        ".spec.enrollment",
        "`pilotGroupRef` needs",
    )
    .accepts([automatic("Pilot"), group.clone(), collection])
    .accepts([automatic("All"), group.clone()])
    .refuses([automatic("Pilot"), group]);
    vec![behind, versions, enrollment, distinct_collections()]
}

/// Every pair of those that may name a collection.
fn distinct_collections() -> Case {
    let owners: Vec<&str> = ASSIGNABLE
        .iter()
        .map(|workload| pointer(workload))
        .chain(["/spec/enrollment"])
        .collect();
    let named = |owner: &'static str, collection: &str| {
        let value = match owner {
            "/spec/enrollment" => json!({ "automatic": "Pilot", "pilotCollection": collection }),
            _ => json!({ "slider": "PilotIntune", "pilotCollection": collection }),
        };
        (owner, value)
    };
    // DeviceConfiguration alone would be ahead of EndpointProtection.
    let filled = |one: &'static str, other: &'static str, collections: [&str; 2]| {
        vec![
            (pointer("EndpointProtection"), json!({ "slider": "Intune" })),
            named(one, collections[0]),
            named(other, collections[1]),
        ]
    };
    let mut case = Case::new(
        "CoManagementPolicy",
        ".spec",
        "a collection stands in the policy twice",
    );
    for (at, one) in owners.iter().enumerate() {
        for other in &owners[at + 1..] {
            case = case
                .accepts(filled(one, other, ["PS10002A", "PS10002B"]))
                // The site does not tell small letters from capitals.
                .refuses(filled(one, other, ["PS10002A", "ps10002a"]));
        }
    }
    case
}

fn pointer(workload: &str) -> &'static str {
    match workload {
        "CompliancePolicies" => "/spec/workloads/CompliancePolicies",
        "DeviceConfiguration" => "/spec/workloads/DeviceConfiguration",
        "WindowsUpdatePolicies" => "/spec/workloads/WindowsUpdatePolicies",
        "EndpointProtection" => "/spec/workloads/EndpointProtection",
        "ClientApps" => "/spec/workloads/ClientApps",
        "OfficeClickToRun" => "/spec/workloads/OfficeClickToRun",
        other => panic!("{other} cannot be assigned"),
    }
}

fn slider(workload: &'static str) -> [Case; 2] {
    let place = pointer(workload);
    let path = place.replace('/', ".");
    let ahead = (pointer("EndpointProtection"), json!({ "slider": "Intune" }));
    let with = |value: Value| vec![ahead.clone(), (place, value)];
    [
        Case::new(
            "CoManagementPolicy",
            path.clone(),
            "`PilotIntune` needs the collection",
        )
        .accepts(with(pilot(1)))
        .refuses(with(json!({ "slider": "PilotIntune" }))),
        Case::new(
            "CoManagementPolicy",
            path,
            "only `PilotIntune` has a `pilotCollection`",
        )
        .accepts(with(json!({ "slider": "Intune" })))
        .refuses(with(
            json!({ "slider": "Intune", "pilotCollection": "PS100021" }),
        )),
    ]
}

fn others() -> Vec<Case> {
    let selector = |key: &str| {
        let clause = json!({ "key": key, "operator": "Exists" });
        [("/spec/selector", json!({ "matchAttributes": [clause] }))]
    };
    let mut passing = Case::new(
        "DeviceGroup",
        ".spec.selector.matchAttributes",
        "come and go and cannot select",
    )
    .accepts(selector("labels/lastSync"));
    for key in ["lastSync", "compliance", "clientHealth"] {
        passing = passing.refuses(selector(key));
    }
    let nobody = || ("/spec/devices", Value::Null);
    let empty = Case::new("DeviceGroup", ".spec", "has nobody")
        .accepts([nobody(), ("/spec/include", json!([{ "name": "pilots" }]))])
        .accepts([nobody(), selector("country")[0].clone()])
        .refuses([nobody()])
        .refuses([("/spec/devices", json!([])), ("/spec/include", json!([]))]);
    let freeze = |to: &str| {
        let freeze = json!({ "name": "year-end", "from": "2026-12-15T00:00:00Z", "to": to });
        [("/spec/guardrails/freeze", json!([freeze]))]
    };
    let freezes = Case::new(
        "Fleet",
        ".spec.guardrails.freeze[]",
        "must end after it begins",
    )
    .accepts(freeze("2026-12-15T00:00:01Z"))
    // Later by the clock on the wall, and earlier in truth.
    .accepts(freeze("2026-12-14T23:00:00-02:00"))
    .refuses(freeze("2026-12-15T01:00:00+02:00"))
    .refuses(freeze("2026-12-15T00:00:00Z"))
    .refuses(freeze("2026-12-14T00:00:00Z"));
    let admission = selector("country")[0].1.clone();
    let admit = Case::new("WorkloadAssignment", ".spec", "only for authority `Intune`")
        .accepts([("/spec/admitWhen", admission.clone())])
        .refuses([
            ("/spec/admitWhen", admission),
            ("/spec/authority", json!("ConfigurationManager")),
        ]);
    let window = |to: &str| {
        let window = json!({ "from": "08:00", "to": to, "timeZone": "Europe/Paris" });
        [("/spec/rollout/window", window)]
    };
    let windows = Case::new(
        "WorkloadAssignment",
        ".spec.rollout.window",
        "must not end when it begins",
    )
    .accepts(window("07:59"))
    .refuses(window("08:00"));
    vec![passing, empty, freezes, admit, windows]
}

fn requirements() -> Vec<Case> {
    let case = |says| Case::new("WorkloadAssignment", ".spec.requires[]", says);
    let requires = |entry: Value| [("/spec/requires", json!([entry]))];
    let of = "windowsUpdateForBusinessConfiguration";
    let id = "0d7c2a34-9a0b-4b55-8f4e-2f1f9f2f6a01";
    let resource = || json!({ "kind": "UpdateRing", "name": "broad" });
    let object = || json!({ "graph": of, "id": id });
    let assigned = || json!({ "graph": of, "id": id, "assignedTo": id });
    let attested = || json!({ "attest": "the helpdesk knows" });
    vec![
        case("exactly one of `kind`, `graph` and `attest`")
            .accepts(requires(resource()))
            .accepts(requires(object()))
            .accepts(requires(attested()))
            .refuses(requires(json!({})))
            .refuses(requires(json!({ "graph": of, "id": id, "attest": "x" })))
            .refuses(requires(
                json!({ "kind": "UpdateRing", "name": "broad", "attest": "x" }),
            )),
        case("`kind` and `name` belong together")
            .accepts(requires(resource()))
            .refuses(requires(json!({ "kind": "UpdateRing" })))
            .refuses(requires(json!({ "attest": "x", "name": "broad" }))),
        case("`graph` and `id` belong together")
            .accepts(requires(object()))
            .refuses(requires(json!({ "graph": of })))
            .refuses(requires(json!({ "attest": "x", "id": id }))),
        case("`assignedTo` is for an object of Intune")
            .accepts(requires(assigned()))
            .refuses(requires(json!({ "attest": "x", "assignedTo": id }))),
    ]
}

fn durations() -> [Case; 2] {
    let case = |kind, place: &'static str, says| {
        Case::new(kind, place.replace('/', "."), says)
            .accepts([(place, json!("0h1m"))])
            .refuses([(place, json!("0"))])
            .refuses([(place, json!("0.0h0s"))])
    };
    [
        case(
            "Fleet",
            "/spec/inventory/interval",
            "a pass needs some time",
        ),
        case(
            "WorkloadAssignment",
            "/spec/rollout/progressDeadline",
            "a deadline of no time",
        ),
    ]
}

fn source() -> Vec<Case> {
    let case = |path, says| Case::new("GitSource", path, says);
    let reference = |value: Value| [("/spec/ref", value)];
    let commit = || "1f".repeat(20);
    let path = |path: &str| [("/spec/path", json!(path))];
    let interval = |interval: &str| [("/spec/interval", json!(interval))];
    let timeout = |timeout: &str| [("/spec/timeout", json!(timeout))];
    vec![
        case(".spec.ref", "exactly one of")
            .accepts(reference(json!({ "tag": "v1" })))
            .accepts(reference(json!({ "commit": commit() })))
            .refuses(reference(json!({})))
            .refuses(reference(json!({ "branch": "main", "tag": "v1" })))
            .refuses(reference(json!({ "branch": "main", "commit": commit() }))),
        case(".spec.path", "leads downwards")
            .accepts(path("fleets/contoso..old"))
            .refuses(path(".."))
            .refuses(path("fleets/../contoso"))
            .refuses(path("fleets/..")),
        case(".spec.interval", "every 10 seconds")
            .accepts(interval("10s"))
            .accepts(interval("1d"))
            .refuses(interval("9s"))
            .refuses(interval("0s")),
        case(".spec.timeout", "up to 10 minutes")
            .accepts(timeout("10m"))
            .accepts(timeout("1s"))
            .refuses(timeout("0s"))
            .refuses(timeout("601s"))
            .refuses(timeout("1d")),
    ]
}
