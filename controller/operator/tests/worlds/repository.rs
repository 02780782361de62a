//! What a repository says, in the test's own words, and as YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use diarchy_simulator::Workload;
use jiff::{Timestamp, tz::TimeZone};

/// Fleet, policy and namespace have this name.
pub const NAME: &str = "contoso";

/// How far apart passes are at most, and how the fleet is told so.
pub const INTERVAL_HOURS: usize = 6;

/// A revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    pub fleet: Fleet,
    /// Workloads at Pilot Intune.
    pub pilots: Vec<Workload>,
    /// Whether compliance is Intune's for everybody, so that its verdicts can be compared.
    pub judges_compliance: bool,
    pub groups: BTreeMap<String, Group>,
    pub assignments: BTreeMap<String, Assignment>,
    /// Whether it has a mistake, so that nothing of it counts.
    pub is_broken: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    pub suspended: bool,
    pub observes: bool,
    pub max_changed: usize,
    pub max_leaving: usize,
    /// How many rules may change in an hour, where that is said.
    pub pace: Option<usize>,
    /// From when, and until when.
    pub freeze: Option<(Timestamp, Timestamp)>,
}

/// Devices whose names end in one of some digits, those of some serial numbers, and not those of another
/// group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub digits: BTreeSet<usize>,
    pub serials: BTreeSet<String>,
    pub without: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of its own in a repository"
)]
pub struct Assignment {
    pub workload: Workload,
    pub group: String,
    pub to_intune: bool,
    /// Another one for each assignment of a world.
    pub priority: usize,
    pub suspended: bool,
    pub observes: bool,
    pub reverts: bool,
    pub rollout: Option<Rollout>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Without the last step, which is everybody.
    pub steps: Vec<Step>,
    pub max_concurrency: Option<usize>,
    pub max_failures: Option<usize>,
    pub deadline_hours: usize,
    pub rolls_back: bool,
    /// The hours of a day, in UTC, in which writes may be made.
    pub window: Option<(usize, usize)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub devices: usize,
    pub soak_hours: usize,
    pub needs_approval: bool,
}

impl Repository {
    /// Whether the group has a device of this name and serial number.
    pub fn contains(&self, group: &str, name: &str, serial: &str) -> bool {
        let Some(group) = self.groups.get(group) else {
            return false;
        };
        let ends_in = |digit: &usize| name.ends_with(&digit.to_string());
        let is_meant = group.digits.iter().any(ends_in) || group.serials.contains(serial);
        let is_left_out = group
            .without
            .as_ref()
            .is_some_and(|other| self.contains(other, name, serial));
        is_meant && !is_left_out
    }

    /// The only file of the revision.
    pub fn yaml(&self) -> String {
        let mut text = self.fleet_yaml();
        text.push_str(&self.policy_yaml());
        for (name, group) in &self.groups {
            text.push_str(&group_yaml(name, group));
        }
        for (name, assignment) in &self.assignments {
            text.push_str(&assignment_yaml(name, assignment));
        }
        if self.is_broken {
            text.push_str(&header("DeviceGroup", "broken"));
            text.push_str("spec: { fleetRef: { name: contoso }, include: [ { name: nobody } ] }\n");
        }
        text
    }

    fn fleet_yaml(&self) -> String {
        let Fleet {
            suspended,
            observes,
            max_changed,
            max_leaving,
            pace,
            freeze,
        } = &self.fleet;
        let mode = mode(*observes);
        let mut text = header("Fleet", NAME);
        let _ = write!(
            text,
            "spec:
  suspend: {suspended}
  mode: {mode}
  configurationManager:
    adminService: [ https://site.localhost/AdminService ]
    siteCode: PS1
    credentialsRef: {{ name: site }}
  intune:
    tenantId: 7b1f2c1e-5a1d-4d6e-9a51-1f0f4b3f9a10
    credentialsRef: {{ name: graph }}
  inventory: {{ interval: {INTERVAL_HOURS}h, onlineWithin: 24h, staleAfter: 90d }}
  guardrails:
    maxChangedDevices: {max_changed}
    maxLeaving: {max_leaving}
    maxInventoryShrink: 40%
"
        );
        if let Some(pace) = pace {
            let _ = writeln!(text, "    maxChangesPerHour: {pace}");
        }
        if let Some((from, to)) = freeze {
            let _ = writeln!(
                text,
                "    freeze: [ {{ name: quiet, from: {from}, to: {to} }} ]"
            );
        }
        text
    }

    fn policy_yaml(&self) -> String {
        let mut text = header("CoManagementPolicy", NAME);
        text.push_str("spec:\n  fleetRef: { name: contoso }\n  workloads:\n");
        if self.judges_compliance {
            text.push_str("    CompliancePolicies: { slider: Intune }\n");
        }
        for workload in &self.pilots {
            let id = pilot(*workload);
            let _ = writeln!(
                text,
                "    {workload}: {{ slider: PilotIntune, pilotCollection: {id} }}"
            );
        }
        text
    }
}

/// The id of a workload's pilot collection.
pub fn pilot(workload: Workload) -> String {
    format!("PS10002{}", workload as usize)
}

fn header(kind: &str, name: &str) -> String {
    format!(
        "---\napiVersion: diarchy.dev/v1alpha1\nkind: {kind}\nmetadata: {{ name: {name}, namespace: {NAME} }}\n"
    )
}

const fn mode(observes: bool) -> &'static str {
    if observes { "Observe" } else { "Enforce" }
}

fn group_yaml(name: &str, group: &Group) -> String {
    let mut text = header("DeviceGroup", name);
    text.push_str("spec:\n  fleetRef: { name: contoso }\n");
    if !group.digits.is_empty() {
        let globs: Vec<_> = group.digits.iter().map(|d| format!("\"*{d}\"")).collect();
        let _ = writeln!(
            text,
            "  selector:\n    matchAttributes:\n      - {{ key: name, operator: Glob, values: [ {} ] }}",
            globs.join(", ")
        );
    }
    if !group.serials.is_empty() {
        let serials: Vec<_> = group.serials.iter().map(|s| format!("\"{s}\"")).collect();
        let _ = writeln!(text, "  devices: [ {} ]", serials.join(", "));
    }
    if let Some(other) = &group.without {
        let _ = writeln!(text, "  exclude: [ {{ name: {other} }} ]");
    }
    text
}

fn assignment_yaml(name: &str, assignment: &Assignment) -> String {
    let Assignment {
        workload,
        group,
        priority,
        suspended,
        ..
    } = assignment;
    let authority = if assignment.to_intune {
        "Intune"
    } else {
        "ConfigurationManager"
    };
    let on_delete = if assignment.reverts {
        "Revert"
    } else {
        "Retain"
    };
    let mode = mode(assignment.observes);
    let mut text = header("WorkloadAssignment", name);
    let _ = write!(
        text,
        "spec:
  fleetRef: {{ name: contoso }}
  workload: {workload}
  groupRef: {{ name: {group} }}
  authority: {authority}
  priority: {priority}
  suspend: {suspended}
  mode: {mode}
  onDelete: {on_delete}
"
    );
    if let Some(rollout) = &assignment.rollout {
        text.push_str(&rollout_yaml(rollout));
    }
    text
}

fn rollout_yaml(rollout: &Rollout) -> String {
    let mut text = "  rollout:\n    steps:\n".to_owned();
    for step in &rollout.steps {
        let approval = if step.needs_approval {
            ", approval: Required"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "      - {{ devices: {}, soak: {}h{approval} }}",
            step.devices, step.soak_hours
        );
    }
    text.push_str("      - { devices: 100% }\n");
    if let Some(most) = rollout.max_concurrency {
        let _ = writeln!(text, "    maxConcurrency: {most}");
    }
    if let Some(most) = rollout.max_failures {
        let _ = writeln!(text, "    maxFailures: {most}");
    }
    let on_failure = if rollout.rolls_back {
        "Rollback"
    } else {
        "Halt"
    };
    let _ = writeln!(
        text,
        "    minObserved: 80%\n    progressDeadline: {}h\n    onFailure: {on_failure}",
        rollout.deadline_hours
    );
    if let Some((from, to)) = rollout.window {
        let _ = writeln!(
            text,
            "    window: {{ days: [Mon, Tue, Wed, Thu, Fri, Sat, Sun], from: \"{from:02}:00\", to: \"{to:02}:00\", timeZone: UTC }}"
        );
    }
    text
}

impl Rollout {
    /// Whether writes may be made at `time`.
    pub fn is_open(&self, time: Timestamp) -> bool {
        self.window.is_none_or(|(from, to)| {
            let hour = time.to_zoned(TimeZone::UTC).hour();
            let hour = usize::try_from(hour).expect("an hour of a day");
            (from..to).contains(&hour)
        })
    }
}
