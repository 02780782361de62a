//! `diarchy explain`

use diarchy_core::engine::Engine;
use diarchy_core::explain::{
    self, AssignmentTrace, ClauseTrace, EnrollmentExplanation, Explanation, GroupTrace,
    WorkloadExplanation,
};
use diarchy_core::ternary::Ternary;
use diarchy_core::workload::{Authority, Workload};
use diarchy_git::Cache;

use crate::arguments::{Explain, Format, Repository};
use crate::cluster::Controller;
use crate::failure::{Failure, Outcome};
use crate::{devices, show, sources};

/// Explains why one device is where it is.
pub async fn run(arguments: &Explain) -> Result<Outcome, Failure> {
    let explanation = match arguments.names.as_slice() {
        [device] => of_cluster(device, arguments).await?,
        [place, device] => of_repository(place, device, arguments).await?,
        _ => {
            return Err(Failure::argument(
                "one device is explained at a time",
                "give REPO and DEVICE, or DEVICE alone to ask a cluster",
            ));
        }
    };
    match arguments.output {
        Format::Json => show::json(&explanation)?,
        Format::Text => print(&explanation)?,
    }
    Ok(Outcome::Same)
}

/// As the controller of a cluster sees it.
async fn of_cluster(device: &str, arguments: &Explain) -> Result<Explanation, Failure> {
    arguments.devices.none_for_cluster()?;
    if arguments.reference.is_some() {
        return Err(Failure::argument(
            "--ref is for the resources of a repository",
            "give REPO, or leave the option out to ask a cluster",
        ));
    }
    let controller = Controller::reach(&arguments.asked, &arguments.fleet).await?;
    let mut terms = vec![("device", device)];
    let workload = arguments.workload.map(Workload::name);
    terms.extend(workload.map(|workload| ("workload", workload)));
    controller.ask("explain", &terms).await
}

async fn of_repository(
    place: &str,
    device: &str,
    arguments: &Explain,
) -> Result<Explanation, Failure> {
    arguments.devices.some_for_repository()?;
    let repository = Repository {
        place: place.to_owned(),
        reading: arguments.reading.clone(),
    };
    let reference = arguments.reference.as_deref();
    let state = arguments.devices.state.as_deref();
    let mut cache = Cache::default();
    let loaded = sources::load_valid(&repository, reference, state, &mut cache).await?;
    let fleet = sources::choose(&loaded, &arguments.fleet)?;
    let remembered = devices::remembered(fleet, arguments.devices.state.as_deref())?;
    let read = devices::read(fleet, &arguments.devices, remembered.as_ref()).await?;
    let desired = sources::remembering(&fleet.desired, remembered.as_ref());
    let desired = sources::as_far_as_ready(&desired, remembered.as_ref(), &read.required);
    let inventory = sources::columns(read.devices)?;
    let row = inventory.find(device)?;
    let engine = Engine::new(&desired, &inventory, read.now);
    let workloads = match arguments.workload {
        Some(workload) => vec![workload],
        None => Workload::ALL.to_vec(),
    };
    Ok(explain::explain(&engine, row, &workloads))
}

fn print(explanation: &Explanation) -> Result<(), Failure> {
    let name = match &explanation.name {
        Some(name) if *name != explanation.device => format!("{name} ({})", explanation.device),
        _ => explanation.device.clone(),
    };
    let fleet = &explanation.fleet;
    let can = match explanation.ineligible {
        None => show::styled(show::GOOD, "can be moved"),
        Some(reason) => show::styled(show::NOTICE, format!("cannot be moved: {reason:?}")),
    };
    show::line(&format!(
        "{} in fleet {fleet}: {can}",
        show::styled(show::HEADING, show::printable(&name))
    ))?;
    for workload in &explanation.workloads {
        print_workload(workload)?;
    }
    match &explanation.enrollment {
        Some(enrollment) => print_enrollment(enrollment),
        None => Ok(()),
    }
}

fn print_enrollment(explanation: &EnrollmentExplanation) -> Result<(), Failure> {
    show::line("")?;
    show::line(&show::styled(show::HEADING, "Automatic enrolment"))?;
    print_summary(
        &explanation.verdict,
        explanation.reason.as_deref(),
        &explanation.summary,
    )?;
    match &explanation.group {
        Some(group) => print_group(group, 1, "group"),
        None => Ok(show::line(
            "    ? its pilot group is missing, so nobody knows its members",
        )?),
    }
}

/// A verdict as a sentence, with its reason in a word.
fn print_summary(verdict: &str, reason: Option<&str>, summary: &str) -> Result<(), Failure> {
    let style = match verdict {
        "Blocked" => show::NOTICE,
        _ => show::GOOD,
    };
    let reason = reason
        .map(|reason| format!(" [{reason}]"))
        .unwrap_or_default();
    Ok(show::line(&format!(
        "  {}{reason}",
        show::styled(style, summary)
    ))?)
}

fn print_workload(explanation: &WorkloadExplanation) -> Result<(), Failure> {
    let authority = |authority: Option<Authority>| authority.map_or("unknown", Authority::name);
    show::line("")?;
    let slider = explanation.slider.map_or_else(
        || "not managed".to_owned(),
        |slider| format!("slider {slider}"),
    );
    let heading = show::styled(show::HEADING, explanation.workload);
    show::line(&format!("{heading} ({slider})"))?;
    if explanation.slider.is_some() {
        show::line(&format!(
            "  desired {}, assigned {}, observed {}",
            authority(explanation.desired),
            authority(explanation.assigned),
            authority(explanation.observed),
        ))?;
    }
    print_summary(
        &explanation.verdict,
        explanation.reason.as_deref(),
        &explanation.summary,
    )?;
    // What comes first is the reason; the others would stand in the way after it.
    let words = std::iter::once("waits").chain(std::iter::repeat("then"));
    for (word, wait) in words.zip(&explanation.waits) {
        let text = format!("  {word}: {}", wait.message);
        show::line(&show::styled(show::NOTICE, text))?;
        show::line(&format!("    on: {}", wait.way_on))?;
    }
    if let Some(holders) = explanation
        .holders
        .as_deref()
        .filter(|holders| !holders.is_empty())
    {
        show::line(&format!(
            "  in the pilot collection by {}",
            holders.join(", ")
        ))?;
    }
    for assignment in &explanation.assignments {
        print_assignment(explanation.workload, assignment)?;
    }
    Ok(())
}

fn print_assignment(workload: Workload, trace: &AssignmentTrace) -> Result<(), Failure> {
    let also = if trace.workload == workload {
        String::new()
    } else {
        format!(", for {}", trace.workload)
    };
    let admitted = if trace.admitted {
        ""
    } else {
        ", not admitted by its rollout yet"
    };
    show::line(&format!(
        "  {} {}: {}, priority {}, {}{also}{admitted}",
        mark(trace.contains),
        trace.assignment,
        trace.authority,
        trace.priority,
        trace.force,
    ))?;
    for unmet in &trace.unmet {
        let text = format!("      requires: {unmet}");
        show::line(&show::styled(show::NOTICE, show::printable(&text)))?;
        show::line(&format!("        on: {}", unmet.way_on()))?;
    }
    match &trace.group {
        Some(group) => print_group(group, 2, "group")?,
        None => show::line("      ? its group is missing, so nobody knows its members")?,
    }
    if !trace.admit_when.is_empty() {
        show::line("      admitWhen")?;
        print_clauses(&trace.admit_when, 4)?;
    }
    Ok(())
}

fn print_group(trace: &GroupTrace, depth: usize, role: &str) -> Result<(), Failure> {
    let indent = "  ".repeat(depth + 1);
    let name = trace.group.as_deref().unwrap_or("(missing)");
    show::line(&format!("{indent}{} {role} {name}", mark(trace.contains)))?;
    print_clauses(&trace.clauses, depth + 2)?;
    for entry in &trace.devices {
        let mark = mark(entry.names_it);
        show::line(&format!(
            "{indent}  {mark} devices: {}",
            show::printable(&entry.entry)
        ))?;
    }
    for group in &trace.include {
        print_group(group, depth + 1, "include")?;
    }
    for group in &trace.exclude {
        print_group(group, depth + 1, "exclude")?;
    }
    Ok(())
}

fn print_clauses(clauses: &[ClauseTrace], depth: usize) -> Result<(), Failure> {
    let indent = "  ".repeat(depth);
    for clause in clauses {
        show::line(&format!(
            "{indent}{} {} {}",
            mark(clause.holds),
            show::printable(&clause.clause),
            show::styled(show::FAINT, show::printable(&format!("({})", clause.value))),
        ))?;
    }
    Ok(())
}

/// A sign that reads without colour too.
fn mark(answer: Ternary) -> String {
    match answer {
        Ternary::Yes => show::styled(show::GOOD, "✓"),
        Ternary::No => show::styled(show::FAINT, "✗"),
        Ternary::Unknown => show::styled(show::NOTICE, "?"),
    }
}
