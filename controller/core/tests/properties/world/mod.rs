//! Small made-up fleets: what git asks for and what is known of a handful of devices, as plain
//! records, and the way from there to the engine's input.

#![allow(
    dead_code,
    reason = "several test programs share this module, and none of them uses all of it"
)]

pub mod made_up;
pub mod plain;
pub mod reduced;

use std::fmt::Write as _;

use diarchy_core::desired::{
    Assembly, AssignmentSpec, AutomaticEnrollment, Desired, Enrollment, FleetSpec, GroupSpec,
    Guardrails, Header, Mode, OnDelete, PolicySpec, Prerequisites, Resources, WorkloadSlider,
    assemble,
};
use diarchy_core::duration::Span;
use diarchy_core::engine::Engine;
use diarchy_core::finding::Origin;
use diarchy_core::inventory::{Inventory, JoinType, read};
use diarchy_core::plan::{Plan, PlanDocument};
use diarchy_core::requirement::Requires;
use diarchy_core::resource::Kind;
use diarchy_core::selector::{Key, Operator, Requirement, Selector, Test, fold};
use diarchy_core::workload::{Authority, Slider, Workload};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The namespace of everything here.
pub const NAMESPACE: &str = "contoso";
/// The name of the fleet.
pub const FLEET: &str = "contoso";
/// The moment at which every plan is made.
pub const NOW: &str = "2026-11-22T08:00:00Z";

/// One device, as its line of an inventory file says: a key that is missing was not read, `null`
/// was read and is not there.
pub type Device = Map<String, Value>;

/// A clause as users write it.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    pub key: String,
    pub operator: Operator,
    pub values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub name: String,
    /// All must hold.
    pub selector: Option<Vec<Clause>>,
    pub devices: Vec<String>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
}

/// How far an assignment counts, by the field that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    InForce,
    Suspended,
    Paused,
    /// It requires something that nobody can judge yet.
    Requiring,
    Observing,
    /// `mode: Observe` and `suspend: true`
    ObservingSuspended,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    pub name: String,
    pub workload: Workload,
    pub group: String,
    pub authority: Authority,
    pub priority: i32,
    pub standing: Standing,
    pub admit_when: Option<Vec<Clause>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// By [`Workload::index`].
    pub sliders: [Option<Slider>; 7],
    pub minimum_os: String,
    pub join_types: Vec<JoinType>,
    /// Whose devices join the pilot of automatic enrolment.
    pub enrollment_group: Option<String>,
}

/// A fleet and everything that is known and wanted of it.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    pub devices: Vec<Device>,
    pub groups: Vec<Group>,
    pub policy: Option<Policy>,
    pub assignments: Vec<Assignment>,
}

impl Assignment {
    /// How plans and holders name it.
    pub fn reference(&self) -> String {
        format!("WorkloadAssignment/{NAMESPACE}/{}", self.name)
    }
}

/// The moment at which every plan is made.
pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A device with these fields.
pub fn device(fields: Value) -> Device {
    match fields {
        Value::Object(fields) => fields,
        other => panic!("{other} is no device"),
    }
}

/// The core's form of a clause.
pub fn requirement(clause: &Clause) -> Requirement {
    let folded = || clause.values.iter().map(|value| fold(value)).collect();
    let first = || clause.values[0].as_str();
    let (test, negated) = match clause.operator {
        Operator::In => (Test::In(folded()), false),
        Operator::NotIn => (Test::In(folded()), true),
        Operator::Glob => (Test::Glob(folded()), false),
        Operator::NotGlob => (Test::Glob(folded()), true),
        Operator::AtLeast => (Test::AtLeast(first().parse().unwrap()), false),
        Operator::LessThan => (Test::LessThan(first().parse().unwrap()), false),
        Operator::Within => (Test::Within(first().parse().unwrap()), false),
        Operator::NotWithin => (Test::Within(first().parse().unwrap()), true),
        Operator::Exists => (Test::Exists, false),
        Operator::DoesNotExist => (Test::Exists, true),
    };
    Requirement {
        key: Key::from_name(&clause.key).unwrap(),
        test,
        negated,
        text: format!("{} {} {:?}", clause.key, clause.operator, clause.values),
    }
}

fn selector(clauses: &[Clause]) -> Selector {
    Selector {
        requirements: clauses.iter().map(requirement).collect(),
    }
}

impl World {
    /// What git holds.
    pub fn resources(&self) -> Resources {
        let mut origins = 0..;
        let mut header = |name: &str| Header {
            origin: Origin(origins.next().unwrap()),
            namespace: Some(NAMESPACE.to_owned()),
            name: name.to_owned(),
        };
        Resources {
            fleets: vec![fleet_spec(header(FLEET))],
            groups: self
                .groups
                .iter()
                .map(|group| group_spec(group, header(&group.name)))
                .collect(),
            policies: self
                .policy
                .iter()
                .map(|policy| policy_spec(policy, header(FLEET)))
                .collect(),
            assignments: self
                .assignments
                .iter()
                .map(|assignment| assignment_spec(assignment, header(&assignment.name)))
                .collect(),
            named: Vec::new(),
        }
    }

    /// What git asks for, judged together.
    pub fn assembly(&self) -> Assembly {
        assemble(self.resources())
    }

    pub fn desired(&self) -> Desired {
        self.assembly().fleets.remove(0)
    }

    /// The inventory file of its devices.
    pub fn inventory_file(&self) -> String {
        self.devices
            .iter()
            .map(|device| serde_json::to_string(device).unwrap() + "\n")
            .collect()
    }

    pub fn inventory(&self) -> Inventory {
        let devices = read(self.inventory_file().as_bytes()).unwrap();
        Inventory::new(devices).unwrap()
    }

    /// The engine's plan, in the bytes that `plan -o json` would print.
    pub fn document_text(&self) -> String {
        let desired = self.desired();
        let inventory = self.inventory();
        let engine = Engine::new(&desired, &inventory, now());
        let plan = Plan::new(&engine);
        serde_json::to_string(&PlanDocument::new(&plan, &engine)).unwrap()
    }

    /// The world as somebody would write it, for the report of a failure.
    pub fn told(&self) -> String {
        let mut text = self.inventory_file();
        let _ = writeln!(text, "{:?}", self.policy);
        for group in &self.groups {
            let _ = writeln!(text, "{group:?}");
        }
        for assignment in &self.assignments {
            let _ = writeln!(text, "{assignment:?}");
        }
        text
    }

    /// The engine's plan.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.document_text()).unwrap()
    }
}

fn fleet_spec(header: Header) -> FleetSpec {
    FleetSpec {
        header,
        suspend: false,
        mode: Mode::Enforce,
        guardrails: Guardrails::default(),
        stale_after: Span::days(30),
        online_within: Span::days(1),
        beta: true,
    }
}

fn group_spec(group: &Group, header: Header) -> GroupSpec {
    GroupSpec {
        header,
        fleet: FLEET.to_owned(),
        selector: group.selector.as_deref().map(selector),
        devices: group.devices.clone(),
        include: group.include.clone(),
        exclude: group.exclude.clone(),
    }
}

fn policy_spec(policy: &Policy, header: Header) -> PolicySpec {
    let workloads = Workload::ALL.map(|workload| {
        policy.sliders[workload.index()].map(|slider| WorkloadSlider {
            slider,
            pilot_collection: (slider == Slider::PilotIntune)
                .then(|| format!("PS10002{}", workload.index())),
        })
    });
    PolicySpec {
        header,
        fleet: FLEET.to_owned(),
        enrollment: match &policy.enrollment_group {
            None => Enrollment::default(),
            Some(group) => Enrollment {
                automatic: Some(AutomaticEnrollment::Pilot),
                pilot_group: Some(group.clone()),
                pilot_collection: Some("PS100020".to_owned()),
            },
        },
        prerequisites: Prerequisites {
            minimum_os: policy.minimum_os.parse().unwrap(),
            join_types: policy.join_types.clone(),
        },
        workloads,
    }
}

fn assignment_spec(assignment: &Assignment, header: Header) -> AssignmentSpec {
    let standing = assignment.standing;
    let observes = matches!(standing, Standing::Observing | Standing::ObservingSuspended);
    AssignmentSpec {
        header,
        fleet: FLEET.to_owned(),
        workload: assignment.workload,
        group: assignment.group.clone(),
        authority: assignment.authority,
        priority: assignment.priority,
        mode: if observes {
            Mode::Observe
        } else {
            Mode::Enforce
        },
        suspend: matches!(standing, Standing::Suspended | Standing::ObservingSuspended),
        paused: standing == Standing::Paused,
        admit_when: assignment.admit_when.as_deref().map(selector),
        requires: (standing == Standing::Requiring)
            .then(|| Requires::Resource {
                kind: Kind::UpdateRing,
                name: "broad".to_owned(),
            })
            .into_iter()
            .collect(),
        rollout: None,
        on_delete: OnDelete::Retain,
    }
}
