//! A plan as tables.

use diarchy_core::guardrail::{Guardrail, Judgement};
use diarchy_core::plan::{
    AssignmentLine, AssignmentState, PlanSummary, Still, WorkloadCounts, WorkloadLine,
};
use diarchy_core::workload::Slider;
use diarchy_web::Standing;

use super::{Report, RevisionChange, When};
use crate::failure::Failure;
use crate::show::{self, Table, count, plural};

/// How many differences are listed before the rest is only counted.
const MOST_LISTED: usize = 20;

/// Prints the plan.
pub fn print(report: &Report<'_>) -> Result<(), Failure> {
    let summary = report.summary;
    show::line(&headline(report))?;
    show::line("")?;
    show::table(&workloads(summary))?;
    if !summary.assignments.is_empty() {
        show::line("")?;
        show::table(&assignments(summary))?;
    }
    if !summary.blocked.is_empty() {
        show::line("")?;
        show::table(&blocked(summary))?;
    }
    if let Some(line) = enrollment(summary) {
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
    show::line(&conclusion(report))?;
    Ok(())
}

fn headline(report: &Report<'_>) -> String {
    let PlanSummary {
        fleet,
        devices,
        eligible,
        ..
    } = report.summary;
    format!(
        "Fleet {fleet} at {}: {}, {} of them can be moved",
        report.revision,
        plural(*devices, "device"),
        count(*eligible),
    )
}

/// One row for each workload.
fn workloads(summary: &PlanSummary) -> Table {
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
    for line in &summary.workloads {
        let name = line.slider.map_or("not managed", Slider::name);
        let mut row = vec![line.workload.name().into(), name.into()];
        // Where no assignment decides, there is nothing to count.
        if line.counts.is_some() {
            row.extend(numbers(line).map(Into::into));
        }
        table.row(row);
    }
    table
}

/// The numbers of a workload: in the pilot, joining, leaving, handed over, blocked, then in the pilot.
pub fn numbers(line: &WorkloadLine) -> [usize; 6] {
    let Some(counts) = line.counts else {
        return [0; 6];
    };
    let WorkloadCounts {
        in_pilot,
        joining,
        leaving,
        handed_over,
        blocked,
    } = counts;
    let then = counts.then_in_pilot();
    [in_pilot, joining, leaving, handed_over, blocked, then]
}

/// One row for each assignment.
fn assignments(summary: &PlanSummary) -> Table {
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
    for line in &summary.assignments {
        table.row([
            line.name.as_str().into(),
            line.workload.name().into(),
            line.authority.name().into(),
            line.priority.to_string().into(),
            state(line.state).into(),
            line.selected.into(),
            line.eligible.into(),
            line.moving.into(),
            line.blocked.into(),
            line.held.into(),
        ]);
    }
    table
}

fn state(state: AssignmentState) -> String {
    let state = match state {
        AssignmentState::Observing(watched) => {
            return format!("observing, would move at most {}", count(watched));
        }
        AssignmentState::Suspended => "suspended",
        AssignmentState::Paused => "paused",
        AssignmentState::WaitsForRequires => "waits for requires",
        AssignmentState::Invalid => "invalid",
        AssignmentState::NoEffect => "no effect",
        AssignmentState::InForce => "in force",
    };
    state.to_owned()
}

/// One row for each reason and assignment.
fn blocked(summary: &PlanSummary) -> Table {
    let mut table = Table::new(&[
        "BLOCKED BY",
        "WORKLOAD",
        "BECAUSE OF",
        "DEVICES",
        "FOR EXAMPLE",
    ]);
    for line in &summary.blocked {
        table.row([
            line.reason.as_str().into(),
            line.workload.name().into(),
            line.because.as_deref().unwrap_or("several").into(),
            line.devices.into(),
            line.example.as_str().into(),
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
    show::table(&table)?;
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
pub fn enrollment(summary: &PlanSummary) -> Option<String> {
    let line = summary.enrollment.as_ref()?;
    let blocked: Vec<String> = line
        .blocked
        .iter()
        .map(|(reason, devices)| format!("{reason} {}", count(*devices)))
        .collect();
    let but = if blocked.is_empty() {
        String::new()
    } else {
        format!("; others would, but for: {}", blocked.join(", "))
    };
    Some(format!(
        "Automatic enrolment: {} would join {}{but}.",
        plural(line.joining, "device"),
        line.collection,
    ))
}

/// What a reader must know besides the numbers: what would wait, what stands still, what nobody can
/// know here, and what going back would not undo.
pub fn notices(report: &Report<'_>) -> Vec<String> {
    let summary = report.summary;
    let retained = summary.retained;
    let forgotten = (report.forgotten && retained > 0).then(|| {
        format!(
            "{} would stay where assignments that are gone have put them; whether one of those said `onDelete: Revert` only the state of the loop knows: give --state, or --from.",
            devices_and_workloads(retained),
        )
    });
    let unready = summary.assignments.iter().flat_map(unready);
    let Some(standing) = report.standing else {
        let exceeded = summary.guardrails.iter();
        let exceeded = exceeded.filter(|judgement| judgement.exceeded);
        return exceeded
            .map(would_wait)
            .chain(summary.still.iter().map(standing_still))
            .chain(unready)
            .chain(forgotten)
            .chain(summary.undone())
            .collect();
    };
    let (writes, waits) = match report.when {
        When::NextPass => ("The next pass would write nothing", "would wait"),
        When::End if is_one(standing) => ("Nothing is written", "waits"),
        When::End => ("Nothing is written", "wait"),
    };
    let stopped = standing.stopped.iter();
    let stopped = stopped.map(|why| format!("{writes}: {why}."));
    let waiting = standing.waiting.iter().map(|waiting| {
        format!(
            "{} {waits} for a person ({}): diarchy approve {} {}",
            plural(waiting.changes, "change"),
            waiting.reason,
            waiting.digest,
            report.approve,
        )
    });
    stopped
        .chain(waiting)
        .chain(unready)
        .chain(forgotten)
        .chain(summary.undone())
        .collect()
}

/// What an assignment waits for that it requires, and what gets on from there.
fn unready(line: &AssignmentLine) -> Vec<String> {
    if line.state != AssignmentState::WaitsForRequires {
        return Vec::new();
    }
    let told = line.unmet.iter().map(|unmet| {
        format!(
            "{} moves nobody before what it requires is ready: {unmet}. On: {}",
            line.name,
            unmet.way_on(),
        )
    });
    told.collect()
}

fn is_one(standing: &Standing) -> bool {
    let waiting = standing.waiting.as_ref();
    waiting.is_some_and(|waiting| waiting.changes == 1)
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
fn standing_still(still: &Still) -> String {
    match still {
        Still::Suspended => {
            "The fleet is suspended: nothing would be written to its estate.".to_owned()
        }
        Still::Observed => {
            "The fleet is only observed: nothing would be written to its estate.".to_owned()
        }
        Still::Frozen { name, to } => {
            format!("Freeze `{name}` lasts until {to}: nothing would be written before.")
        }
    }
}

/// What it comes to, in one sentence.
pub fn conclusion(report: &Report<'_>) -> String {
    let summary = report.summary;
    let when = match report.when {
        When::NextPass => "The next pass would",
        When::End => "Would",
    };
    if summary.is_empty() {
        return match report.when {
            When::NextPass => "Nothing would change in the next pass.".to_owned(),
            When::End => "Nothing would change.".to_owned(),
        };
    }
    let mut parts = Vec::new();
    if summary.joining > 0 {
        parts.push(format!("move {} to Intune", count(summary.joining)));
    }
    if summary.leaving > 0 {
        let leaving = count(summary.leaving);
        parts.push(format!("move {leaving} to ConfigurationManager"));
    }
    if summary.handed_over > 0 {
        let handed = count(summary.handed_over);
        parts.push(format!("hand {handed} over between assignments"));
    }
    let moves =
        (!parts.is_empty()).then(|| format!("{} (devices and workloads)", parts.join(", ")));
    let enrolling = (summary.enrolling() > 0).then(|| {
        let devices = plural(summary.enrolling(), "device");
        format!("have {devices} join the pilot of automatic enrolment")
    });
    let what: Vec<String> = moves.into_iter().chain(enrolling).collect();
    format!("{when} {}. {}", what.join(", and "), summary.digest)
}
