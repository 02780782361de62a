//! What each operator says of a fact that is known, that is not there, and that was not read.
//!
//! Every row is asked of the engine and of the slow evaluator.

use diarchy_core::desired::AssignmentIndex;
use diarchy_core::engine::Engine;
use diarchy_core::inventory::JoinType;
use diarchy_core::selector::Operator;
use diarchy_core::ternary::Ternary;
use diarchy_core::workload::{Authority, Slider, Workload};
use serde_json::{Value, json};

use crate::oracle::membership::{self, Answer};
use crate::world::{Assignment, Clause, Device, Group, Policy, Standing, World};

use Operator::{
    AtLeast, DoesNotExist, Exists, Glob, In, LessThan, NotGlob, NotIn, NotWithin, Within,
};
use Ternary::{No, Unknown, Yes};

/// What is under a field of the inventory.
#[derive(Debug, Clone)]
enum Fact {
    Unread,
    Absent,
    Known(Value),
}

fn known(value: impl Into<Value>) -> Fact {
    Fact::Known(value.into())
}

fn clause(key: &str, operator: Operator, values: &[&str]) -> Clause {
    Clause {
        key: key.to_owned(),
        operator,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

/// A fleet of `devices` with one assignment, for the group called `wanted`.
fn fleet(devices: Vec<Device>, groups: Vec<Group>) -> World {
    let mut sliders = [None; 7];
    sliders[Workload::ClientApps.index()] = Some(Slider::PilotIntune);
    World {
        devices,
        groups,
        policy: Some(Policy {
            sliders,
            minimum_os: "10.0.16299".to_owned(),
            join_types: vec![JoinType::HybridJoined],
            enrollment_group: None,
        }),
        assignments: vec![Assignment {
            name: "a0".to_owned(),
            workload: Workload::ClientApps,
            group: "wanted".to_owned(),
            authority: Authority::Intune,
            priority: 0,
            standing: Standing::InForce,
            admit_when: None,
        }],
    }
}

fn group(name: &str) -> Group {
    Group {
        name: name.to_owned(),
        selector: None,
        devices: Vec::new(),
        include: Vec::new(),
        exclude: Vec::new(),
    }
}

/// Whether the engine finds each device of `world` in the group called `wanted`, by order of ids.
fn members(world: &World) -> Vec<Ternary> {
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, crate::world::now());
    let rows = 0..inventory.rows();
    let found: Vec<Ternary> = rows
        .map(|row| engine.contains(AssignmentIndex(0), row))
        .collect();
    let mut devices: Vec<&Device> = world.devices.iter().collect();
    devices.sort_by_key(|device| device["id"].as_str());
    let second: Vec<Ternary> = devices
        .into_iter()
        .map(
            |device| match membership::contains(world, "wanted", device) {
                Answer::No => No,
                Answer::Unknown => Unknown,
                Answer::Yes => Yes,
            },
        )
        .collect();
    assert_eq!(
        found,
        second,
        "the engine, and the second opinion, of\n{}",
        world.told()
    );
    found
}

/// Whether one device of which `field` is `fact` passes `clause`. It stands beside devices that have
/// everything, so that no column is empty.
fn asked(field: &str, fact: Fact, clause: Clause) -> Ternary {
    let mut device = crate::world::device(json!({ "id": "d0" }));
    match fact {
        Fact::Unread => {}
        Fact::Absent => {
            device.insert(field.to_owned(), Value::Null);
        }
        Fact::Known(value) => {
            device.insert(field.to_owned(), value);
        }
    }
    let mut other = device.clone();
    other.insert("id".to_owned(), json!("d1"));
    if let Some(value) = match field {
        "labels" => Some(json!({ "ring": "other" })),
        "configMgrCollections" | "entraGroups" => Some(json!(["OTHER"])),
        "enrolledAt" | "lastSync" => Some(json!("2020-01-01T00:00:00Z")),
        "joinType" | "compliance" | "clientHealth" => None,
        _ => Some(json!("1.2.3")),
    } {
        other.insert(field.to_owned(), value);
    }
    let wanted = Group {
        selector: Some(vec![clause]),
        ..group("wanted")
    };
    let alone = members(&fleet(vec![device.clone()], vec![wanted.clone()]));
    let beside = members(&fleet(vec![device, other], vec![wanted]));
    assert_eq!(alone[0], beside[0], "beside another device");
    alone[0]
}

/// A key with its field, an operator with its negation, a known fact as JSON, and values that the
/// fact passes or fails.
type Row = (
    (&'static str, &'static str),
    (Operator, Operator),
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const EQUALS: (Operator, Operator) = (In, NotIn);
const MATCHES: (Operator, Operator) = (Glob, NotGlob);
const AGE: (Operator, Operator) = (Within, NotWithin);
const LABEL: (&str, &str) = ("labels/ring", "labels");
const COLLECTION: (&str, &str) = ("configMgrCollection", "configMgrCollections");
const ENTRA: (&str, &str) = ("entraGroup", "entraGroups");
const JOIN: (&str, &str) = ("joinType", "joinType");

/// Keys that are not just a text.
#[rustfmt::skip]
const ROWS: [Row; 14] = [
    (LABEL, EQUALS, r#"{"ring":"Early"}"#, &["late", "early"], &["late"]),
    (LABEL, MATCHES, r#"{"ring":"Early"}"#, &["e*"], &["*late"]),
    (COLLECTION, EQUALS, r#"["PS100100","SMS00001"]"#, &["sms00001"], &["sms00002"]),
    (COLLECTION, MATCHES, r#"["PS100100","SMS00001"]"#, &["sms*"], &["sms"]),
    (ENTRA, EQUALS, r#"["6f9619ff-8b86"]"#, &["6F9619FF-8B86"], &["6F9619FF"]),
    (ENTRA, MATCHES, r#"["6f9619ff-8b86"]"#, &["6F96*"], &["?"]),
    (("enrolledAt", "enrolledAt"), AGE, r#""2026-11-20T08:00:00Z""#, &["7d"], &["1d"]),
    (("lastSync", "lastSync"), AGE, r#""2026-11-20T08:00:00Z""#, &["7d"], &["1d"]),
    (("compliance", "compliance"), EQUALS, r#""NonCompliant""#, &["noncompliant"], &["Compliant"]),
    (("clientHealth", "clientHealth"), EQUALS, r#""Unknown""#, &["unknown"], &["Healthy"]),
    (JOIN, EQUALS, r#""HybridJoined""#, &["hybridjoined"], &["EntraJoined"]),
    (JOIN, MATCHES, r#""EntraJoined""#, &["*joined"], &["hybrid*"]),
    (("osVersion", "osVersion"), (AtLeast, LessThan), r#""10.0.22631.4317""#, &["10.0.22631"], &["11"]),
    (("clientVersion", "clientVersion"), (AtLeast, LessThan), r#""5.0""#, &["5"], &["5.0.1"]),
];

/// Keys that are a text and nothing else, or a text as well.
const TEXT_KEYS: [&str; 16] = [
    "name",
    "serialNumber",
    "manufacturer",
    "model",
    "chassis",
    "osVersion",
    "osEdition",
    "ownership",
    "country",
    "city",
    "department",
    "primaryUser",
    "category",
    "siteCode",
    "adSite",
    "clientVersion",
];

fn table() -> Vec<Row> {
    const TEXT: &str = r#""Latitude 7440""#;
    let texts = TEXT_KEYS.into_iter().flat_map(|key| -> [Row; 2] {
        [
            ((key, key), EQUALS, TEXT, &["x", "LATITUDE 7440"], &["7440"]),
            (
                (key, key),
                MATCHES,
                TEXT,
                &["latitude 7*"],
                &["latitude 7?"],
            ),
        ]
    });
    ROWS.into_iter().chain(texts).collect()
}

#[test]
fn every_operator_of_every_key_in_three_values() {
    for ((key, field), (operator, negation), fact, passing, failing) in table() {
        let fact: Value = serde_json::from_str(fact).unwrap();
        let ask = |fact: Fact, operator, values| asked(field, fact, clause(key, operator, values));
        let context = format!("{key} {operator}");
        // `LessThan` is no negation of `AtLeast` where there is no value: both are false of it.
        let negated_absent = if negation == LessThan { No } else { Yes };

        assert_eq!(ask(Fact::Unread, operator, passing), Unknown, "{context}");
        assert_eq!(
            ask(Fact::Unread, negation, passing),
            Unknown,
            "{context}, negated"
        );
        assert_eq!(ask(Fact::Absent, operator, passing), No, "{context}");
        assert_eq!(
            ask(Fact::Absent, negation, passing),
            negated_absent,
            "{context}, negated"
        );
        assert_eq!(
            ask(known(fact.clone()), operator, passing),
            Yes,
            "{context}"
        );
        assert_eq!(
            ask(known(fact.clone()), negation, passing),
            No,
            "{context}, negated"
        );
        assert_eq!(ask(known(fact.clone()), operator, failing), No, "{context}");
        assert_eq!(
            ask(known(fact.clone()), negation, failing),
            Yes,
            "{context}, negated"
        );

        for (fact, exists) in [
            (Fact::Unread, Unknown),
            (Fact::Absent, No),
            (known(fact), Yes),
        ] {
            assert_eq!(ask(fact.clone(), Exists, &[]), exists, "{key} Exists");
            assert_eq!(ask(fact, DoesNotExist, &[]), !exists, "{key} DoesNotExist");
        }
    }
}

#[test]
fn a_set_or_a_map_that_is_empty_is_not_there() {
    for (key, field, empty) in [
        ("configMgrCollection", "configMgrCollections", json!([])),
        ("entraGroup", "entraGroups", json!([])),
        ("labels/ring", "labels", json!({})),
    ] {
        for (operator, expected) in [(In, No), (NotIn, Yes), (Glob, No), (NotGlob, Yes)] {
            let clause = clause(key, operator, &["*", "x"]);
            assert_eq!(
                asked(field, known(empty.clone()), clause),
                expected,
                "{key} {operator}"
            );
        }
        assert_eq!(
            asked(field, known(empty.clone()), clause(key, Exists, &[])),
            No
        );
        assert_eq!(
            asked(field, known(empty), clause(key, DoesNotExist, &[])),
            Yes
        );
    }
}

#[test]
fn a_label_that_is_not_in_a_map_that_was_read_does_not_exist() {
    let exists = |labels: Fact| asked("labels", labels, clause("labels/ring", Exists, &[]));
    assert_eq!(exists(known(json!({ "ring": "" }))), Yes);
    assert_eq!(exists(known(json!({ "ring": null }))), No);
    assert_eq!(exists(known(json!({ "room": "x" }))), No);
    // The name of a label is a name and no value.
    assert_eq!(exists(known(json!({ "Ring": "x" }))), No);
    assert_eq!(exists(Fact::Absent), No);
    assert_eq!(exists(Fact::Unread), Unknown);
}

#[test]
fn a_label_that_no_device_has_does_not_exist_wherever_labels_were_read() {
    for (labels, expected) in [
        (Fact::Unread, Unknown),
        (Fact::Absent, Yes),
        (known(json!({})), Yes),
        (known(json!({ "room": "x" })), Yes),
    ] {
        let mut device = crate::world::device(json!({ "id": "d0" }));
        match labels.clone() {
            Fact::Unread => {}
            Fact::Absent => drop(device.insert("labels".to_owned(), Value::Null)),
            Fact::Known(map) => drop(device.insert("labels".to_owned(), map)),
        }
        for operator in [DoesNotExist, NotIn, NotGlob] {
            let values: &[&str] = if operator == DoesNotExist {
                &[]
            } else {
                &["early"]
            };
            let wanted = Group {
                selector: Some(vec![clause("labels/ring", operator, values)]),
                ..group("wanted")
            };
            let world = fleet(vec![device.clone()], vec![wanted]);
            assert_eq!(members(&world), [expected], "{labels:?} {operator}");
        }
    }
}

#[test]
fn case_is_folded_beyond_ascii() {
    for (one, other) in [
        ("ÉLAN", "élan"),
        ("ЖУК", "жук"),
        ("Ångström", "åNGSTRÖM"),
        ("STRASSE ẞ", "strasse ß"),
        ("ΟΔΟΣ", "οδος"),
        ("ΣΟΦΙΑ", "σοφια"),
        ("İzmir", "i̇zmir"),
        ("ǅ", "ǆ"),
    ] {
        for (known_text, wanted) in [(one, other), (other, one)] {
            let ask = |operator| {
                let clause = clause("city", operator, &[wanted]);
                asked("city", known(known_text), clause)
            };
            assert_eq!(ask(In), Yes, "{known_text} In {wanted}");
            assert_eq!(ask(NotIn), No, "{known_text} NotIn {wanted}");
            assert_eq!(ask(Glob), Yes, "{known_text} Glob {wanted}");
        }
    }
    for (known_text, wanted) in [("strasse", "straße"), ("ı", "i"), ("e\u{301}", "é")] {
        let clause = clause("city", In, &[wanted]);
        assert_eq!(
            asked("city", known(known_text), clause),
            No,
            "{known_text} In {wanted}"
        );
    }
}

/// Lower case writes a sigma in two ways, by what follows it; a pattern does not know what will
/// follow.
#[test]
fn a_glob_takes_a_sigma_for_a_sigma_wherever_it_stands() {
    for (pattern, text) in [
        ("ΟΔΟΣ*", "ΟΔΟΣ ΕΡΜΟΥ"),
        ("ΛΕΣ*", "ΛΕΣΒΟΣ"),
        ("λεσ*", "ΛΕΣ"),
        ("Σ?", "ΣΣ"),
    ] {
        let clause = clause("city", Glob, &[pattern]);
        assert_eq!(
            asked("city", known(text), clause),
            Yes,
            "{pattern} on {text}"
        );
    }
}

#[test]
fn a_glob_knows_star_and_question_mark_and_nothing_else() {
    for (pattern, text, expected) in [
        ("*", "", Yes),
        ("**", "anything", Yes),
        ("?", "", No),
        ("?", "é", Yes),
        ("?", "日", Yes),
        ("??", "é", No),
        ("", "", Yes),
        ("", "x", No),
        ("a*b*c", "aXbYbZc", Yes),
        ("a*b*c", "aXbYbZ", No),
        ("*a", "banana", Yes),
        ("*na*na", "banana", Yes),
        ("*nana*na", "banana", No),
        ("a?c", "abc", Yes),
        ("a?c", "ac", No),
        ("[ab]", "a", No),
        ("[ab]", "[AB]", Yes),
        ("{a,b}", "a", No),
        ("!a", "b", No),
        (r"\*", r"\anything", Yes),
        (r"\*", "*", No),
        (r"\?", "?", No),
        (".", "x", No),
        ("latitude 7", "Latitude 7440", No),
        ("7440", "Latitude 7440", No),
        ("*\n*", "two\nlines", Yes),
        ("*", "two\nlines", Yes),
        ("É*", "éclair", Yes),
    ] {
        let clause = clause("model", Glob, &[pattern]);
        assert_eq!(
            asked("model", known(text), clause),
            expected,
            "{pattern:?} on {text:?}"
        );
    }
}

#[test]
fn a_glob_that_backtracks_much_is_answered_at_once() {
    let text = "a".repeat(20_000);
    let wanted = Group {
        selector: Some(vec![clause("model", Glob, &["*a*a*a*a*a*a*a*a*a*a*b"])]),
        ..group("wanted")
    };
    let world = fleet(
        vec![crate::world::device(json!({ "id": "d0", "model": text }))],
        vec![wanted],
    );
    let (desired, inventory) = (world.desired(), world.inventory());
    let engine = Engine::new(&desired, &inventory, crate::world::now());
    assert_eq!(engine.contains(AssignmentIndex(0), 0), No);
}

#[test]
fn versions_compare_number_by_number() {
    for (version, wanted, at_least) in [
        ("10.0.22631", "10.0.22631", Yes),
        ("10.0.22631", "10.0.22631.0", Yes),
        ("10.0.22631.0.0", "10.0.22631", Yes),
        ("10.0.22631", "10.0.22631.1", No),
        ("10.0.9200", "10.0.22631", No),
        ("10.0.22631", "10.0.9200", Yes),
        ("10", "10.0.0.0", Yes),
        ("9.9.9.9", "10", No),
        ("11", "10.99999", Yes),
        ("010.00.22631", "10.0.22631", Yes),
        ("0", "0.0", Yes),
        ("18446744073709551615", "18446744073709551614.9", Yes),
    ] {
        let ask = |operator| {
            asked(
                "osVersion",
                known(version),
                clause("osVersion", operator, &[wanted]),
            )
        };
        assert_eq!(ask(AtLeast), at_least, "{version} AtLeast {wanted}");
        assert_eq!(ask(LessThan), !at_least, "{version} LessThan {wanted}");
    }
}

#[test]
fn a_version_that_is_none_is_not_known() {
    for text in [
        "",
        "Windows 10",
        "10.",
        ".10",
        "10..0",
        "10.0-beta",
        "10.0 ",
        "+10",
        "-1",
        "1٠",
    ] {
        for operator in [AtLeast, LessThan] {
            let clause = clause("osVersion", operator, &["10.0.22631"]);
            assert_eq!(
                asked("osVersion", known(text), clause),
                Unknown,
                "{text:?} {operator}"
            );
        }
        // As a text it is what it is.
        assert_eq!(
            asked("osVersion", known(text), clause("osVersion", In, &[text])),
            Yes
        );
        assert_eq!(
            asked("osVersion", known(text), clause("osVersion", Exists, &[])),
            Yes
        );
    }
}

#[test]
fn an_age_is_within_up_to_the_exact_moment() {
    for (moment, span, within) in [
        ("2026-11-08T08:00:00Z", "14d", Yes),
        ("2026-11-08T07:59:59.999999999Z", "14d", No),
        ("2026-11-08T08:00:00.000000001Z", "14d", Yes),
        ("2026-11-08T10:00:00+02:00", "14d", Yes),
        ("2026-11-08T09:59:59+02:00", "14d", No),
        ("2026-11-08T08:00:00Z", "336h", Yes),
        ("2026-11-22T08:00:00Z", "0", Yes),
        ("2026-11-22T07:59:59Z", "0", No),
        ("2026-11-22T08:00:01Z", "0", Yes),
        ("2027-11-22T08:00:00Z", "14d", Yes),
        ("0001-01-01T00:00:00Z", "14d", No),
        ("9999-12-01T00:00:00Z", "0", Yes),
    ] {
        let ask = |operator| {
            asked(
                "enrolledAt",
                known(moment),
                clause("enrolledAt", operator, &[span]),
            )
        };
        assert_eq!(ask(Within), within, "{moment} Within {span}");
        assert_eq!(ask(NotWithin), !within, "{moment} NotWithin {span}");
    }
}

#[test]
fn all_clauses_must_hold_and_one_that_fails_settles_it() {
    let device = crate::world::device(json!({ "id": "d0", "country": "FR", "city": null }));
    let yes = || clause("country", In, &["fr"]);
    let no = || clause("city", Exists, &[]);
    let unknown = || clause("model", Exists, &[]);
    for (clauses, expected) in [
        (vec![yes(), yes()], Yes),
        (vec![yes(), no()], No),
        (vec![yes(), unknown()], Unknown),
        (vec![unknown(), no()], No),
        (vec![unknown(), unknown()], Unknown),
    ] {
        let wanted = Group {
            selector: Some(clauses.clone()),
            ..group("wanted")
        };
        let world = fleet(vec![device.clone()], vec![wanted]);
        assert_eq!(members(&world), [expected], "{clauses:?}");
    }
}

/// Every combination of a device being in, out or unknown for the selector, an included group and an
/// excluded one.
#[test]
fn members_are_selected_or_included_and_not_excluded() {
    let device = crate::world::device(json!({ "id": "d0", "country": "FR", "city": null }));
    let of = |answer| match answer {
        Yes => clause("country", In, &["fr"]),
        No => clause("city", Exists, &[]),
        Unknown => clause("model", Exists, &[]),
    };
    let named = |name, answer| Group {
        selector: Some(vec![of(answer)]),
        ..group(name)
    };
    for selected in [No, Unknown, Yes] {
        for included in [No, Unknown, Yes] {
            for excluded in [No, Unknown, Yes] {
                let wanted = Group {
                    include: vec!["friends".to_owned()],
                    exclude: vec!["foes".to_owned()],
                    ..named("wanted", selected)
                };
                let groups = vec![wanted, named("friends", included), named("foes", excluded)];
                let inside = if selected == Yes || included == Yes {
                    Yes
                } else if selected == Unknown || included == Unknown {
                    Unknown
                } else {
                    No
                };
                let expected = if inside == No || excluded == Yes {
                    No
                } else if inside == Unknown || excluded == Unknown {
                    Unknown
                } else {
                    Yes
                };
                let world = fleet(vec![device.clone()], groups);
                assert_eq!(
                    members(&world),
                    [expected],
                    "{selected:?} {included:?} {excluded:?}"
                );
            }
        }
    }
}

#[test]
fn a_group_that_is_missing_has_unknown_members() {
    let device = crate::world::device(json!({ "id": "d0" }));
    let member_of = |groups| members(&fleet(vec![device.clone()], groups))[0];
    let refers = |include: &[&str], exclude: &[&str], devices: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        vec![Group {
            include: owned(include),
            exclude: owned(exclude),
            devices: owned(devices),
            ..group("wanted")
        }]
    };
    assert_eq!(member_of(Vec::new()), Unknown);
    assert_eq!(member_of(refers(&["missing"], &[], &[])), Unknown);
    assert_eq!(member_of(refers(&["missing"], &[], &["d0"])), Yes);
    assert_eq!(member_of(refers(&[], &["missing"], &["d0"])), Unknown);
    assert_eq!(member_of(refers(&[], &["missing"], &[])), No);
}

#[test]
fn a_list_entry_means_the_one_device_that_goes_by_it() {
    let world = |entry: &str| {
        let devices = [
            json!({ "id": "d0", "name": "Éclair", "serialNumber": "SN-1" }),
            json!({ "id": "d1", "name": "TWIN", "serialNumber": null }),
            json!({ "id": "d2", "name": "twin", "serialNumber": "d0" }),
            json!({ "id": "d3", "name": "same", "serialNumber": "SAME" }),
            json!({ "id": "d4", "serialNumber": "SN-4" }),
            json!({ "id": "d5", "name": "unread serial" }),
        ];
        let wanted = Group {
            devices: vec![entry.to_owned()],
            ..group("wanted")
        };
        fleet(devices.map(crate::world::device).to_vec(), vec![wanted])
    };
    for (entry, expected) in [
        ("éCLAIR", [Yes, No, No, No, No, No]),
        ("sn-1", [Yes, No, No, No, No, No]),
        ("D1", [No, Yes, No, No, No, No]),
        // By name two of them, and by id and serial number two of them.
        ("Twin", [No, No, No, No, No, No]),
        ("d0", [No, No, No, No, No, No]),
        // Twice the same device is one device.
        ("Same", [No, No, No, Yes, No, No]),
        ("UNREAD SERIAL", [No, No, No, No, No, Yes]),
        // Whoever has a name or serial number that was not read may go by it.
        ("nobody", [No, No, No, No, Unknown, Unknown]),
        // A list entry is no pattern.
        ("sn-*", [No, No, No, No, Unknown, Unknown]),
    ] {
        assert_eq!(members(&world(entry)), expected, "{entry}");
    }
}
