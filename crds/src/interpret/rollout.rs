//! Rollouts.

use diarchy_core::amount::Amount;
use diarchy_core::code::Code;
use diarchy_core::desired::{Rollout, Step, Window};
use diarchy_core::duration::Span;
use diarchy_core::finding::FieldPath;

use super::{Findings, each, forms, optional};
use crate::rollout::{RolloutSpec, StepApproval, StepSpec, WindowSpec};
use crate::text::AmountText;

pub(super) fn read(
    findings: &mut Findings,
    path: &FieldPath,
    spec: &RolloutSpec,
) -> Option<Rollout> {
    let steps = steps(findings, &path.key("steps"), &spec.steps);
    let max_concurrency = optional(
        findings,
        &path.key("maxConcurrency"),
        spec.max_concurrency.as_ref(),
        forms::positive_amount,
    );
    let max_failures = optional(
        findings,
        &path.key("maxFailures"),
        spec.max_failures.as_ref(),
        forms::amount,
    );
    let min_observed = optional(
        findings,
        &path.key("minObserved"),
        spec.min_observed.as_ref(),
        forms::amount,
    );
    let progress_deadline = optional(
        findings,
        &path.key("progressDeadline"),
        spec.progress_deadline.as_ref(),
        forms::positive_duration,
    );
    let window = optional(findings, &path.key("window"), spec.window.as_ref(), window);
    Some(Rollout {
        steps: steps?,
        max_concurrency: max_concurrency.ok()?,
        max_failures: max_failures.ok()?,
        min_observed: min_observed.ok()?,
        progress_deadline: progress_deadline.ok()?,
        on_failure: spec.on_failure,
        window: window.ok()?,
    })
}

fn steps(findings: &mut Findings, path: &FieldPath, specs: &[StepSpec]) -> Option<Vec<Step>> {
    let steps = each(path, specs, |path, spec| {
        let devices = forms::positive_amount(findings, &path.key("devices"), &spec.devices);
        let soak = forms::duration(findings, &path.key("soak"), &spec.soak);
        Some((devices?, soak?, spec.approval == StepApproval::Required))
    });
    let mut steps: Vec<Step> = steps?
        .into_iter()
        .map(|(devices, soak, approval_required)| Step {
            devices,
            soak,
            approval_required,
        })
        .collect();
    judge_increase(findings, path, specs, &steps);
    if steps.last().is_none_or(|last| last.devices != Amount::ALL) {
        steps.push(Step {
            devices: Amount::ALL,
            soak: Span::minutes(0),
            approval_required: false,
        });
    }
    Some(steps)
}

/// Each step must have more devices than those before it, as far as that can be said without
/// knowing how many are selected.
fn judge_increase(findings: &mut Findings, path: &FieldPath, specs: &[StepSpec], steps: &[Step]) {
    for (at, step) in steps.iter().enumerate() {
        let before = (0..at)
            .rev()
            .find(|before| !may_follow(steps[*before].devices, step.devices));
        if let Some(before) = before {
            findings.add(
                Code::StepsNotIncreasing,
                &path.index(at).key("devices"),
                format!(
                    "step {} has `{}`, not more than step {} with `{}`; steps are cumulative",
                    at + 1,
                    specs[at].devices,
                    before + 1,
                    specs[before].devices
                ),
                remedy(&specs[before].devices),
            );
        }
    }
}

/// Whether a step of `later` can have more devices than one of `earlier` has.
fn may_follow(earlier: Amount, later: Amount) -> bool {
    match (earlier, later) {
        (Amount::Count(earlier), Amount::Count(later)) => earlier < later,
        (Amount::BasisPoints(earlier), Amount::BasisPoints(later)) => earlier < later,
        // Nothing is more than everybody; otherwise it depends on how many are selected.
        (earlier, _) => earlier != Amount::ALL,
    }
}

fn remedy(before: &AmountText) -> String {
    match before {
        AmountText::Percent(text) if text.parse() == Ok(Amount::ALL) => {
            "delete this step: the one before it has everybody".to_owned()
        }
        before => format!("write more than {before}, or delete the step"),
    }
}

fn window(findings: &mut Findings, path: &FieldPath, spec: &WindowSpec) -> Option<Window> {
    let from = forms::time_of_day(findings, &path.key("from"), &spec.from);
    let to = forms::time_of_day(findings, &path.key("to"), &spec.to);
    let time_zone = forms::time_zone(findings, &path.key("timeZone"), &spec.time_zone);
    let (from, to) = (from?, to?);
    if from == to {
        findings.add(
            Code::InvalidSpan,
            &path.key("to"),
            format!("the window ends at `{}`, when it begins", spec.to),
            "write another time, or leave `window` out if writes may always be made",
        );
        return None;
    }
    Some(Window {
        days: spec.days.iter().copied().map(Into::into).collect(),
        from,
        to,
        time_zone: time_zone?,
    })
}

#[cfg(test)]
mod tests {
    use diarchy_core::desired::OnFailure;
    use diarchy_core::finding::Origin;
    use jiff::civil::{Weekday, time};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::fixtures::{ASSIGNMENT, changed};
    use super::*;
    use crate::manifest::Manifest;
    use crate::workload_assignment::WorkloadAssignmentSpec;

    fn read_json(value: Value) -> (Option<Rollout>, Vec<String>) {
        let spec: RolloutSpec = serde_json::from_value(value).unwrap();
        let mut findings = Findings::new(Origin(0));
        let rollout = read(&mut findings, &FieldPath::of("rollout"), &spec);
        let list = findings
            .list
            .iter()
            .map(|finding| format!("{:?} {}", finding.code, finding.path))
            .collect();
        (rollout, list)
    }

    fn step_findings(devices: &[Value]) -> Vec<String> {
        let steps: Vec<Value> = devices.iter().map(|it| json!({ "devices": it })).collect();
        read_json(json!({ "steps": steps })).1
    }

    #[test]
    fn reads_every_field() {
        let manifest: Manifest<WorkloadAssignmentSpec> =
            serde_json::from_value(changed(ASSIGNMENT, &[])).unwrap();
        let spec = manifest.spec.rollout.unwrap();
        let mut findings = Findings::new(Origin(0));
        let rollout = read(&mut findings, &FieldPath::ROOT, &spec).unwrap();
        assert!(findings.list.is_empty());
        let step = |devices, soak, approval_required| Step {
            devices,
            soak,
            approval_required,
        };
        assert_eq!(
            rollout.steps,
            [
                step(Amount::Count(10), Span::hours(4), false),
                step(Amount::percent(25), Span::days(1), true),
                step(Amount::percent(80), Span::minutes(0), false),
                step(Amount::ALL, Span::minutes(0), false),
            ]
        );
        assert_eq!(rollout.max_concurrency, Some(Amount::percent(5)));
        assert_eq!(rollout.max_failures, Some(Amount::Count(3)));
        assert_eq!(rollout.min_observed, Some(Amount::BasisPoints(9_250)));
        assert_eq!(rollout.progress_deadline, Some(Span::hours(48)));
        assert_eq!(rollout.on_failure, OnFailure::Rollback);
        let window = rollout.window.unwrap();
        assert_eq!(window.days, [Weekday::Monday, Weekday::Sunday]);
        assert_eq!(
            (window.from, window.to),
            (time(22, 0, 0, 0), time(4, 30, 0, 0))
        );
        assert_eq!(window.time_zone.iana_name(), Some("Europe/Zurich"));
    }

    #[test]
    fn everybody_at_once_is_the_default() {
        let (rollout, findings) = read_json(json!({}));
        let rollout = rollout.unwrap();
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!(rollout.steps.len(), 1);
        assert_eq!(rollout.steps[0].devices, Amount::ALL);
        assert_eq!(rollout.on_failure, OnFailure::Halt);
        assert_eq!(rollout.max_concurrency, None);
        assert_eq!(rollout.window, None);
    }

    #[test]
    fn a_last_step_of_everybody_is_not_doubled() {
        let (rollout, _) = read_json(
            json!({ "steps": [{ "devices": "5%" }, { "devices": "100.0%", "soak": "1h" }] }),
        );
        let steps = rollout.unwrap().steps;
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[1].soak, Span::hours(1));
    }

    #[test]
    fn steps_increase_like_with_like() {
        let not = |at: usize| format!("StepsNotIncreasing rollout.steps[{at}].devices");
        assert_eq!(step_findings(&[json!("5%"), json!("5%")]), [not(1)]);
        assert_eq!(step_findings(&[json!(50), json!(20)]), [not(1)]);
        assert_eq!(
            step_findings(&[json!("10%"), json!(500), json!("9%")]),
            [not(2)]
        );
        assert_eq!(step_findings(&[json!("100%"), json!(9000)]), [not(1)]);
        assert_eq!(step_findings(&[json!("100%"), json!("100%")]), [not(1)]);
        assert_eq!(
            step_findings(&[json!(90), json!("1%"), json!(91), json!("100%")]),
            Vec::<String>::new()
        );
        for zero in [json!(0), json!("0%"), json!("0.00%")] {
            assert_eq!(
                step_findings(&[zero]),
                ["OutOfRange rollout.steps[0].devices"]
            );
        }
    }

    #[test]
    fn every_rule_has_its_path() {
        let window = |key: &str, value: &str| {
            let mut window = json!({ "from": "08:00", "to": "16:00", "timeZone": "Europe/Paris" });
            window[key] = json!(value);
            json!({ "window": window })
        };
        let cases = [
            (
                json!({ "steps": [{ "devices": "5", "soak": "x" }] }),
                vec![
                    "InvalidFormat rollout.steps[0].devices",
                    "InvalidFormat rollout.steps[0].soak",
                ],
            ),
            (
                json!({ "maxConcurrency": 0 }),
                vec!["OutOfRange rollout.maxConcurrency"],
            ),
            (
                json!({ "maxConcurrency": "0%" }),
                vec!["OutOfRange rollout.maxConcurrency"],
            ),
            (
                json!({ "maxFailures": "200%" }),
                vec!["OutOfRange rollout.maxFailures"],
            ),
            (json!({ "maxFailures": 0, "minObserved": "0%" }), vec![]),
            (
                json!({ "minObserved": "most" }),
                vec!["InvalidFormat rollout.minObserved"],
            ),
            (
                json!({ "progressDeadline": "0" }),
                vec!["OutOfRange rollout.progressDeadline"],
            ),
            (
                json!({ "progressDeadline": "3 d" }),
                vec!["InvalidFormat rollout.progressDeadline"],
            ),
            (
                window("from", "8:00"),
                vec!["InvalidFormat rollout.window.from"],
            ),
            (
                window("from", "24:00"),
                vec!["InvalidFormat rollout.window.from"],
            ),
            (
                window("to", "16:60"),
                vec!["InvalidFormat rollout.window.to"],
            ),
            (window("to", "08:00"), vec!["InvalidSpan rollout.window.to"]),
            (
                window("timeZone", "Europe/Gotham"),
                vec!["UnknownValue rollout.window.timeZone"],
            ),
            (
                window("timeZone", "CET+1"),
                vec!["UnknownValue rollout.window.timeZone"],
            ),
        ];
        for (value, expected) in cases {
            let (rollout, findings) = read_json(value.clone());
            assert_eq!(findings, expected, "{value}");
            assert_eq!(rollout.is_some(), expected.is_empty(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn percentages_are_accepted_exactly_when_they_increase(
            points in prop::collection::vec(1_u16..=10_000, 1..6)
        ) {
            let steps: Vec<Value> = points
                .iter()
                .map(|it| json!({ "devices": Amount::BasisPoints(*it).to_string() }))
                .collect();
            let (rollout, findings) = read_json(json!({ "steps": steps }));
            let increase = points.windows(2).all(|pair| pair[0] < pair[1]);
            prop_assert_eq!(findings.is_empty(), increase);
            if increase {
                let steps = rollout.unwrap().steps;
                prop_assert_eq!(steps.last().unwrap().devices, Amount::ALL);
                prop_assert_eq!(steps.len(), points.len() + usize::from(points.last() != Some(&10_000)));
            }
        }
    }
}
