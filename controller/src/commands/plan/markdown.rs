//! A plan as a comment on a pull request.

use super::Report;
use super::text::{conclusion, enrollment, notices, numbers};
use crate::failure::Failure;
use crate::show::{self, count};

/// How many differences are listed before the rest is only counted.
const MOST_LISTED: usize = 50;

/// Prints the plan.
pub fn print(report: &Report<'_>) -> Result<(), Failure> {
    show::line(&format!("### Diarchy: fleet `{}`", report.summary.fleet))?;
    show::line("")?;
    match report.change {
        None => show::line(&format!("`{}`: {}", report.revision, conclusion(report)))?,
        Some(change) => show::line(&format!(
            "From `{}` to `{}`: **{}** devices and workloads would end elsewhere.",
            change.from,
            report.revision,
            count(change.differences.len()),
        ))?,
    }
    for warning in notices(report) {
        show::line("")?;
        show::line(&format!("> **{warning}**"))?;
    }
    print_workloads(report)?;
    if let Some(line) = enrollment(report.summary) {
        show::line("")?;
        show::line(&line)?;
    }
    print_differences(report)
}

fn print_workloads(report: &Report<'_>) -> Result<(), Failure> {
    show::line("")?;
    show::line(
        "| workload | slider | in pilot | joining | leaving | handed over | blocked | then in pilot |",
    )?;
    show::line("|---|---|--:|--:|--:|--:|--:|--:|")?;
    for line in &report.summary.workloads {
        let Some(slider) = line.slider else {
            continue;
        };
        let numbers = numbers(line).map(count);
        show::line(&format!(
            "| {} | {slider} | {} |",
            line.workload,
            numbers.join(" | ")
        ))?;
    }
    Ok(())
}

fn print_differences(report: &Report<'_>) -> Result<(), Failure> {
    let Some(change) = report
        .change
        .filter(|change| !change.differences.is_empty())
    else {
        return Ok(());
    };
    show::line("")?;
    show::line("<details><summary>Devices</summary>")?;
    show::line("")?;
    show::line("| device | workload | from | to | because of |")?;
    show::line("|---|---|---|---|---|")?;
    for difference in change.differences.iter().take(MOST_LISTED) {
        show::line(&format!(
            "| `{}` | {} | {} | {} | `{}` |",
            cell(&difference.device),
            difference.workload,
            difference.from,
            difference.to,
            difference.because
        ))?;
    }
    if let Some(more) = change.differences.len().checked_sub(MOST_LISTED + 1) {
        show::line("")?;
        show::line(&format!("and {} more", count(more + 1)))?;
    }
    show::line("")?;
    show::line("</details>")?;
    Ok(())
}

/// A text that ends no cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r', '`'], " ")
}
