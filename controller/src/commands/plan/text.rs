//! A plan as tables.

use std::collections::BTreeMap;

use diarchy_core::desired::{AssignmentIndex, Force, FrozenBy};
use diarchy_core::guardrail::{Guardrail, Judgement};
use diarchy_core::workload::{Authority, Slider, Workload};

use super::{Planned, Report, RevisionChange};
use crate::failure::Failure;
use crate::show::{self, Table, count, plural};

/// How many differences are listed before the rest is only counted.
const MOST_LISTED: usize = 20;

/// Prints the plan.
pub fn print(report: &Report<'_>) -> Result<(), Failure> {
    let planned = report.planned;
    show::line(&headline(report))?;
    show::line("")?;
    print_table(&workloads(planned))?;
    if !planned.engine.desired().assignments.is_empty() {
        show::line("")?;
        print_table(&assignments(planned))?;
    }
    if !planned.plan.blocked.is_empty() {
        show::line("")?;
        print_table(&blocked(planned))?;
    }
    if let Some(line) = enrollment(planned) {
        show::line("")?;
        show::line(&line)?;
    }
    show::line("")?;
    if let Some(change) = report.change {
        print_change(change)?;
    }
    for line in notices(report) {
        show::line(&show::styled(show::NOTICE, line))?;
    }
    show::line(&conclusion(planned))?;
    Ok(())
}

fn print_table(table: &Table) -> Result<(), Failure> {
    let lines = table.lines();
    let mut lines = lines.iter();
    if let Some(heading) = lines.next() {
        show::line(&show::styled(show::HEADING, heading))?;
    }
    for line in lines {
        show::line(line)?;
    }
    Ok(())
}

fn headline(report: &Report<'_>) -> String {
    let Planned { engine, plan, .. } = report.planned;
    format!(
        "Fleet {} at {}: {}, {} of them can be moved",
        engine.desired().fleet,
        report.revision,
        plural(plan.devices, "device"),
        count(plan.eligible),
    )
}

/// One row for each workload.
pub fn workloads(planned: &Planned<'_>) -> Table {
    let mut table = Table::new(&[
        "WORKLOAD",
        "SLIDER",
        "IN PILOT",
        "JOINING",
        "LEAVING",
        "HANDED OVER",
        "BLOCKED",
        "THEN IN PILOT",
    ]);
    for workload in Workload::ALL {
        let slider = planned.engine.desired().slider(workload);
        let name = slider.map_or("not managed", Slider::name);
        if slider != Some(Slider::PilotIntune) {
            // No assignment decides, so there is nothing to count.
            table.row([workload.name().into(), name.into()]);
            continue;
        }
        let [in_pilot, joining, leaving, handed_over, blocked, then] = numbers(planned, workload);
        table.row([
            workload.name().into(),
            name.into(),
            in_pilot.into(),
            joining.into(),
            leaving.into(),
            handed_over.into(),
            blocked.into(),
            then.into(),
        ]);
    }
    table
}

/// The numbers of a workload: in the pilot, joining, leaving, handed over, blocked, then in the pilot.
pub fn numbers(planned: &Planned<'_>, workload: Workload) -> [usize; 6] {
    let counts = planned.tally.workloads[workload.index()];
    let joining = planned.plan.count_of(workload, Authority::Intune);
    let leaving = planned
        .plan
        .count_of(workload, Authority::ConfigurationManager);
    [
        counts.assigned,
        joining,
        leaving,
        planned.plan.handed_over(workload),
        counts.blocked,
        counts.assigned + joining - leaving,
    ]
}

/// One row for each assignment.
pub fn assignments(planned: &Planned<'_>) -> Table {
    let mut table = Table::new(&[
        "ASSIGNMENT",
        "WORKLOAD",
        "AUTHORITY",
        "PRIORITY",
        "STATE",
        "SELECTED",
        "ELIGIBLE",
        "MOVING",
        "BLOCKED",
        "HELD",
    ]);
    let desired = planned.engine.desired();
    for (at, assignment) in desired.assignments.iter().enumerate() {
        let counts = planned.tally.assignments[at];
        table.row([
            assignment.name.name.as_str().into(),
            assignment.workload.name().into(),
            assignment.authority.name().into(),
            assignment.priority.to_string().into(),
            state(planned, AssignmentIndex(at)).into(),
            counts.selected.into(),
            counts.eligible.into(),
            planned
                .plan
                .count_because(&planned.engine, AssignmentIndex(at))
                .into(),
            counts.blocked.into(),
            counts.held.into(),
        ]);
    }
    table
}

fn state(planned: &Planned<'_>, index: AssignmentIndex) -> String {
    let desired = planned.engine.desired();
    let assignment = desired.assignment(index);
    let state = match assignment.force {
        Force::Observing => {
            let watched = planned.tally.assignments[index.0].watched;
            return format!("observing, would move at most {}", count(watched));
        }
        Force::Frozen(FrozenBy::Suspend) => "suspended",
        Force::Frozen(FrozenBy::Pause) => "paused",
        Force::Frozen(FrozenBy::Requires) => "waits for requires",
        Force::Frozen(FrozenBy::Invalid) => "invalid",
        Force::InForce if desired.slider(assignment.workload).is_none() => "no effect",
        Force::InForce => "in force",
    };
    state.to_owned()
}

/// Why something is blocked, and the assignment concerned.
type Cause = (&'static str, Workload, Option<AssignmentIndex>);

/// One row for each reason and assignment.
pub fn blocked(planned: &Planned<'_>) -> Table {
    let mut table = Table::new(&[
        "BLOCKED BY",
        "WORKLOAD",
        "BECAUSE OF",
        "DEVICES",
        "FOR EXAMPLE",
    ]);
    let mut causes: BTreeMap<Cause, (usize, usize)> = BTreeMap::new();
    for blocked in &planned.plan.blocked {
        let cause = (blocked.reason.name(), blocked.workload, blocked.because);
        causes.entry(cause).or_insert((0, blocked.row)).0 += 1;
    }
    for ((reason, workload, because), (devices, example)) in causes {
        let because = because.map_or("several", |index| {
            &planned.engine.desired().assignment(index).name.name
        });
        table.row([
            reason.into(),
            workload.name().into(),
            because.into(),
            devices.into(),
            planned.engine.inventory().id(example).into(),
        ]);
    }
    table
}

fn print_change(change: &RevisionChange) -> Result<(), Failure> {
    let differences = &change.differences;
    if !change.enrolling.is_empty() {
        show::line(&format!(
            "Compared with {}, {} more would join the pilot of automatic enrolment.",
            change.from,
            plural(change.enrolling.len(), "device"),
        ))?;
    }
    if differences.is_empty() {
        show::line(&format!(
            "Compared with {}, nothing would end elsewhere.",
            change.from
        ))?;
        return Ok(show::line("")?);
    }
    show::line(&format!(
        "Compared with {}, {} would end elsewhere:",
        change.from,
        devices_and_workloads(differences.len()),
    ))?;
    let mut table = Table::new(&["DEVICE", "WORKLOAD", "FROM", "TO", "BECAUSE OF"]);
    for difference in differences.iter().take(MOST_LISTED) {
        table.row([
            difference.device.as_str().into(),
            difference.workload.name().into(),
            difference.from.name().into(),
            difference.to.name().into(),
            difference.because.as_str().into(),
        ]);
    }
    print_table(&table)?;
    if let Some(more) = differences
        .len()
        .checked_sub(MOST_LISTED)
        .filter(|more| *more > 0)
    {
        show::line(&format!(
            "and {} more (-o json lists them all)",
            count(more)
        ))?;
    }
    show::line("")?;
    Ok(())
}

/// Who would join the pilot of automatic enrolment, and what keeps others from it.
pub fn enrollment(planned: &Planned<'_>) -> Option<String> {
    let plan = &planned.plan;
    let policy = planned.engine.desired().policy.as_ref()?;
    let collection = &policy.enrollment_pilot.as_ref()?.collection;
    let mut reasons: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (_, reason) in &plan.not_enrolling {
        *reasons.entry(reason.name()).or_default() += 1;
    }
    let blocked: Vec<String> = reasons
        .into_iter()
        .map(|(reason, devices)| format!("{reason} {}", count(devices)))
        .collect();
    let but = if blocked.is_empty() {
        String::new()
    } else {
        format!("; others would, but for: {}", blocked.join(", "))
    };
    Some(format!(
        "Automatic enrolment: {} would join {collection}{but}.",
        plural(plan.enrolling.len(), "device"),
    ))
}

/// What a reader must know besides the numbers: what would wait, what stands still, and what nobody
/// can know here.
pub fn notices(report: &Report<'_>) -> Vec<String> {
    let planned = report.planned;
    let retained = planned.plan.retained;
    let forgotten = (report.forgotten && retained > 0).then(|| {
        format!(
            "{} would stay where assignments that are gone have put them; whether one of those said `onDelete: Revert` only the state of the loop knows: give --state, or --from.",
            devices_and_workloads(retained),
        )
    });
    let Some(next) = &planned.next else {
        let exceeded = planned.plan.guardrails.iter();
        let exceeded = exceeded.filter(|judgement| judgement.exceeded);
        return exceeded
            .map(would_wait)
            .chain(standing_still(planned))
            .chain(forgotten)
            .collect();
    };
    let stopped = next
        .stopped
        .iter()
        .map(|why| format!("The next pass would write nothing: {why}."));
    let waiting = next.waiting.iter().map(|waiting| {
        format!(
            "{} would wait for a person ({:?}): diarchy approve {} --state FILE",
            plural(waiting.changes, "change"),
            waiting.reason,
            waiting.digest,
        )
    });
    stopped.chain(waiting).chain(forgotten).collect()
}

fn devices_and_workloads(number: usize) -> String {
    plural(number, "device and workload").replace("device and workloads", "devices and workloads")
}

/// What a guardrail would do.
fn would_wait(judgement: &Judgement) -> String {
    let what = match judgement.name {
        Guardrail::MaxChangedDevices => "would change",
        Guardrail::MaxLeaving => "would go back to ConfigurationManager",
    };
    format!(
        "{} {what}, and {} allows {} ({}): these changes would wait for a person's approval.",
        plural(judgement.devices, "device"),
        match judgement.name {
            Guardrail::MaxChangedDevices => "maxChangedDevices",
            Guardrail::MaxLeaving => "maxLeaving",
        },
        count(judgement.limit),
        judgement.allowed,
    )
}

/// Why nothing of the plan would be written for now.
fn standing_still(planned: &Planned<'_>) -> Vec<String> {
    let desired = planned.engine.desired();
    let mut lines = Vec::new();
    if desired.suspend {
        lines.push("The fleet is suspended: nothing would be written to its estate.".to_owned());
    }
    if desired.mode == diarchy_core::desired::Mode::Observe {
        lines
            .push("The fleet is only observed: nothing would be written to its estate.".to_owned());
    }
    if let Some(freeze) = desired.guardrails.open_freeze(planned.engine.now()) {
        lines.push(format!(
            "Freeze `{}` lasts until {}: nothing would be written before.",
            freeze.name, freeze.to
        ));
    }
    lines
}

/// What it comes to, in one sentence.
pub fn conclusion(planned: &Planned<'_>) -> String {
    let plan = &planned.plan;
    let when = match planned.next {
        Some(_) => "The next pass would",
        None => "Would",
    };
    if plan.is_empty() {
        return match planned.next {
            Some(_) => "Nothing would change in the next pass.".to_owned(),
            None => "Nothing would change.".to_owned(),
        };
    }
    let (joining, leaving) = (
        plan.count_to(Authority::Intune),
        plan.count_to(Authority::ConfigurationManager),
    );
    let mut parts = Vec::new();
    if joining > 0 {
        parts.push(format!("move {} to Intune", count(joining)));
    }
    if leaving > 0 {
        parts.push(format!("move {} to ConfigurationManager", count(leaving)));
    }
    if !plan.hand_overs.is_empty() {
        let handed = count(plan.hand_overs.len());
        parts.push(format!("hand {handed} over between assignments"));
    }
    let moves =
        (!parts.is_empty()).then(|| format!("{} (devices and workloads)", parts.join(", ")));
    let enrolling = (!plan.enrolling.is_empty()).then(|| {
        let devices = plural(plan.enrolling.len(), "device");
        format!("have {devices} join the pilot of automatic enrolment")
    });
    let what: Vec<String> = moves.into_iter().chain(enrolling).collect();
    format!(
        "{when} {}. {}",
        what.join(", and "),
        plan.digest(&planned.engine)
    )
}
