//! The statuses of a fleet whose pass could not be made, and of what stands on it.

use std::collections::BTreeMap;

use diarchy_core::consequence::Consequence;
use diarchy_core::desired::Desired;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::fleet::FleetStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::judged::Judged;
use super::standing::Standing;
use super::trouble::Trouble;
use crate::condition::{ConditionKind, Truth, amend, merge};
use crate::control_plane::{Report, Statuses};
use crate::error::OperatorError;

/// The field of a status that says which request for a look was answered last.
const HANDLED: &str = "lastHandledReconcileAt";

/// The statuses after a pass over the fleet of `desired` that ended in `error`: what was known stays,
/// and is no longer sure. `old` are the statuses reported last.
///
/// What stands on the fleet is told of when the failure is everybody's; or when a person has asked for
/// a look at it, by one of `requests` that is not answered yet: then this is the answer.
#[must_use]
pub fn failed(
    error: &OperatorError,
    desired: &Desired,
    old: &Statuses,
    requests: &BTreeMap<(Kind, ObjectName), String>,
    now: Timestamp,
) -> Vec<Report> {
    let what = format!("{}: {error}: {}", error.code(), error.remedy());
    let trouble = Trouble {
        what: &what,
        needs_person: error.consequence() == Consequence::FixInput,
    };
    let fleet = old
        .get(&(Kind::Fleet, desired.fleet.clone()))
        .and_then(|old| FleetStatus::deserialize(old).ok())
        .unwrap_or_default();
    let is_everybodys = trouble.is_everybodys(&fleet.conditions);
    let mut reports = vec![Report {
        kind: Kind::Fleet,
        name: desired.fleet.clone(),
        status: json!(of_fleet(fleet, trouble, error.reason(), now)),
    }];
    for (kind, name, truths) in dependents(desired, trouble) {
        let key = (kind, name.clone());
        let known = old.get(&key);
        let is_asked = requests
            .get(&key)
            .is_some_and(|request| known.is_none_or(|old| old[HANDLED] != *request));
        if is_everybodys || is_asked {
            reports.push(Report {
                kind,
                name: name.clone(),
                status: of_dependent(known, truths, now),
            });
        }
    }
    reports
}

fn of_fleet(
    old: FleetStatus,
    trouble: Trouble<'_>,
    reason: &'static str,
    now: Timestamp,
) -> FleetStatus {
    let truths = unsure(trouble.of_fleet(reason));
    let conditions = merge(&old.conditions, truths, now);
    FleetStatus { conditions, ..old }
}

/// What is said of something that devices have to arrive for: where it is not ready, whether they have
/// is not sure.
fn unsure(judged: Judged) -> Vec<Truth> {
    let mut truths = judged.truths().to_vec();
    let converged = Truth {
        kind: ConditionKind::Converged,
        ..truths[0].clone()
    };
    if !converged.holds {
        truths.insert(1, converged);
    }
    truths
}

/// What stands on a fleet, and what is said of it while something is wrong with that.
fn dependents<'d>(
    desired: &'d Desired,
    trouble: Trouble<'d>,
) -> impl Iterator<Item = (Kind, &'d ObjectName, Vec<Truth>)> {
    let policy = desired.policy.iter().map(|policy| &policy.name);
    let groups = desired.groups.iter().map(|group| &group.name);
    let stuck = move |kind| move |name| (kind, name, trouble.of_dependent().truths().to_vec());
    let assignments = desired.assignments.iter().map(move |assignment| {
        let standing = Standing {
            trouble: Some(trouble),
            ..Standing::new(assignment.force)
        };
        let truths = unsure(standing.judge());
        (Kind::WorkloadAssignment, &assignment.name, truths)
    });
    policy
        .map(stuck(Kind::CoManagementPolicy))
        .chain(groups.map(stuck(Kind::DeviceGroup)))
        .chain(assignments)
}

/// A status as it was, but for what is said now.
fn of_dependent(old: Option<&Value>, truths: Vec<Truth>, now: Timestamp) -> Value {
    let mut status = old.cloned().unwrap_or_else(|| json!({}));
    let said: Vec<Condition> = Vec::deserialize(&status["conditions"]).unwrap_or_default();
    status["conditions"] = json!(amend(&said, &said, truths, now));
    status
}

#[cfg(test)]
mod tests {
    use diarchy_core::desired::{Assignment, Force, FrozenBy, Group, Guardrails, Mode, OnDelete};
    use diarchy_core::workload::{Authority, Workload};

    use super::*;

    const NOW: &str = "2026-11-23T08:00:00Z";

    fn assignment(name: &str, force: Force) -> Assignment {
        Assignment {
            requires: Vec::new(),
            unmet: Vec::new(),
            name: ObjectName::new("contoso", name),
            workload: Workload::ClientApps,
            group: None,
            group_name: "all".to_owned(),
            authority: Authority::Intune,
            priority: 0,
            force,
            admit_when: None,
            rollout: None,
            on_delete: OnDelete::Retain,
        }
    }

    fn desired() -> Desired {
        Desired {
            fleet: ObjectName::new("contoso", "contoso"),
            suspend: false,
            mode: Mode::Enforce,
            guardrails: Guardrails::default(),
            stale_after: std::time::Duration::from_hours(1),
            online_within: std::time::Duration::from_hours(1),
            beta: true,
            policy: None,
            groups: vec![Group {
                name: ObjectName::new("contoso", "all"),
                selector: None,
                devices: Vec::new(),
                include: Vec::new(),
                exclude: Vec::new(),
            }],
            assignments: vec![
                assignment("apps", Force::InForce),
                assignment("paused", Force::Frozen(FrozenBy::Pause)),
            ],
        }
    }

    fn secret_missing() -> OperatorError {
        OperatorError::SecretMissing {
            what: "Secret contoso/cm-admin".to_owned(),
            place: "it is not there".to_owned(),
            remedy: "make it".to_owned(),
        }
    }

    /// What becomes of everything when the pass fails, and nobody has asked for it.
    fn fails(error: &OperatorError, old: &Statuses) -> Vec<Report> {
        let now = NOW.parse().unwrap();
        failed(error, &desired(), old, &BTreeMap::new(), now)
    }

    /// The conditions that hold, and the reason of the first, of each resource that is told of.
    fn told(reports: &[Report]) -> BTreeMap<String, String> {
        reports
            .iter()
            .map(|report| {
                let conditions: Vec<Condition> =
                    Vec::deserialize(&report.status["conditions"]).unwrap();
                let holding: Vec<&str> = conditions
                    .iter()
                    .filter(|one| one.status == "True")
                    .map(|one| one.type_.as_str())
                    .collect();
                let told = format!("{} {}", conditions[0].reason, holding.join(" "));
                (report.name.name.clone(), told)
            })
            .collect()
    }

    /// What was said when everything was well.
    fn well() -> Statuses {
        let at: Timestamp = NOW.parse().unwrap();
        let truth = |kind| Truth {
            kind,
            holds: true,
            reason: "Well",
            message: "all is well".to_owned(),
        };
        let truths = vec![truth(ConditionKind::Ready), truth(ConditionKind::Converged)];
        let status = json!({ "conditions": merge(&[], truths, at), "devices": { "held": 1 } });
        let name = |name| ObjectName::new("contoso", name);
        Statuses::from([
            ((Kind::Fleet, name("contoso")), status.clone()),
            ((Kind::DeviceGroup, name("all")), status.clone()),
            ((Kind::WorkloadAssignment, name("apps")), status.clone()),
            ((Kind::WorkloadAssignment, name("paused")), status),
        ])
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, told): &(&str, &str)| ((*name).to_owned(), (*told).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn one_failure_is_the_fleets_alone_and_the_second_everybodys() {
        let error = OperatorError::Internal("a fault".to_owned());
        let mut statuses = well();
        let first = fails(&error, &statuses);
        assert_eq!(told(&first), map(&[("contoso", "Internal Reconciling")]));
        for report in first {
            statuses.insert((report.kind, report.name), report.status);
        }
        let second = fails(&error, &statuses);
        assert_eq!(
            told(&second),
            map(&[
                ("contoso", "Internal Reconciling"),
                ("all", "DependencyNotReady Reconciling Converged"),
                ("apps", "DependencyNotReady Reconciling"),
                ("paused", "Paused Ready Converged"),
            ])
        );
        assert_eq!(second[1].status["devices"]["held"], 1);
    }

    #[test]
    fn what_a_person_must_mend_is_everybodys_at_once() {
        let told = told(&fails(&secret_missing(), &well()));
        assert_eq!(told["contoso"], "SecretMissing Stalled");
        assert_eq!(told["apps"], "DependencyNotReady ");
    }

    #[test]
    fn who_asks_is_answered_once() {
        let apps = (Kind::WorkloadAssignment, ObjectName::new("contoso", "apps"));
        let requests = BTreeMap::from([(apps.clone(), "now".to_owned())]);
        let error = OperatorError::Internal("a fault".to_owned());
        let mut statuses = well();
        let asked = |statuses: &Statuses| {
            let now = NOW.parse().unwrap();
            told(&failed(&error, &desired(), statuses, &requests, now))
        };
        assert_eq!(
            asked(&statuses),
            map(&[
                ("contoso", "Internal Reconciling"),
                ("apps", "DependencyNotReady Reconciling"),
            ])
        );
        statuses.get_mut(&apps).unwrap()[HANDLED] = json!("now");
        assert_eq!(asked(&statuses).len(), 1);
    }
}
