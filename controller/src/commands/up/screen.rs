//! What `up` shows while it runs: a bar for each workload on a terminal, a line for each event
//! elsewhere, JSON lines when asked.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diarchy_core::convergence::Missing;
use diarchy_core::resource::ObjectName;
use diarchy_core::rollout::Phase;
use diarchy_core::tally::EnrollmentTally;
use diarchy_core::workload::Workload;
use diarchy_operator::report::{FleetReport, PassReport};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{drift, is_text, rollouts, unmet};
use crate::arguments::Format;
use crate::show::{self, Table, count, plural};

/// The least time between two lines of progress where there is no terminal.
const QUIET: Duration = Duration::from_secs(5);

/// What is shown while passes are made.
pub struct Screen {
    format: Format,
    state: Option<PathBuf>,
    bars: Option<MultiProgress>,
    by_workload: BTreeMap<(ObjectName, Workload), ProgressBar>,
    /// What was said last of each fleet, so that nothing is said twice.
    said: BTreeMap<(ObjectName, &'static str), String>,
    quiet_until: Option<Instant>,
    /// Where each rollout was last.
    rollouts: BTreeMap<ObjectName, (Phase, usize)>,
}

/// One JSON line.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "event", content = "report")]
enum Line<'a> {
    Pass(&'a PassReport),
    Converged(&'a PassReport),
    Stopped(&'a PassReport),
    TimedOut(Option<&'a PassReport>),
    Interrupted,
}

impl Screen {
    /// A screen for a terminal, a pipe or a program.
    pub fn new(format: Format, state: Option<&Path>) -> Self {
        let bars = is_text(format) && io::stderr().is_terminal();
        Self {
            format,
            state: state.map(ToOwned::to_owned),
            bars: bars.then(MultiProgress::new),
            by_workload: BTreeMap::new(),
            said: BTreeMap::new(),
            quiet_until: None,
            rollouts: BTreeMap::new(),
        }
    }

    /// Shows what a pass found and did.
    pub fn pass(&mut self, report: &PassReport) -> io::Result<()> {
        if !is_text(self.format) {
            return json_line(&Line::Pass(report));
        }
        let name = ObjectName::new("", "");
        if let Some(refused) = &report.refused {
            let why = if refused.unread {
                "cannot be taken over"
            } else {
                "does not validate"
            };
            let text = format!(
                "{} {why} and changes nothing; {} stays in force\n{}",
                refused.revision,
                report.revision.as_deref().unwrap_or("nothing"),
                refused.findings.join("\n")
            );
            self.say(&name, "refused", text);
        } else {
            // What comes again after all was well is news.
            self.said.remove(&(name, "refused"));
        }
        for (fleet, problem) in &report.failures {
            self.say(fleet, "failure", format!("{fleet}: {problem}"));
        }
        for fleet in &report.fleets {
            self.fleet(fleet);
        }
        Ok(())
    }

    fn fleet(&mut self, report: &FleetReport) {
        let name = &report.fleet;
        if let Some(waiting) = &report.waiting {
            let file = self.state.as_ref().map_or_else(
                || "run with --state FILE to be able to approve it, or with --approve".to_owned(),
                |state| {
                    format!(
                        "diarchy approve {} --state {}",
                        waiting.digest,
                        state.display()
                    )
                },
            );
            let what = if waiting.changes == 0 {
                "waits for a person".to_owned()
            } else {
                format!(
                    "{} would be made ({} of them back to ConfigurationManager) and wait for a person",
                    plural(waiting.changes, "change"),
                    count(waiting.leaving),
                )
            };
            self.say(
                name,
                "waiting",
                format!("{name}: {what} [{}]\n  {file}", waiting.reason),
            );
        }
        for rollout in &report.rollouts {
            let is_at = (rollout.phase, rollout.step);
            let was_at = self.rollouts.insert(rollout.assignment.clone(), is_at);
            if was_at != Some(is_at)
                && let Some(text) = rollouts::news(rollout, self.state.as_deref())
            {
                self.line(&format!("{:.0}  {text}", report.at));
            }
        }
        if report.unmet.is_empty() {
            self.said.remove(&(name.clone(), "unmet"));
        } else {
            let state = self.state.as_deref();
            let unmet = report.unmet.iter().map(|one| unmet::in_words(one, state));
            let unmet: Vec<String> = unmet.collect();
            self.say(name, "unmet", unmet.join("\n"));
        }
        if let Some(why) = &report.stopped {
            self.say(
                name,
                "stopped",
                format!("{name}: nothing is written: {why}"),
            );
        } else {
            self.said.remove(&(name.clone(), "stopped"));
        }
        self.tell_drift(report);
        for step in &report.manual_steps {
            self.say(name, "manual", format!("{name}: by hand: {step}"));
        }
        if report.problems.is_empty() {
            self.said.remove(&(name.clone(), "problem"));
        } else {
            let problems = report.problems.join("\n  ");
            self.say(name, "problem", format!("{name}: {problems}"));
        }
        if !report.lacking.is_empty() {
            let lacking = report.lacking.join("\n  ");
            let text = format!("{name}: this estate lacks, so that it stays unknown: {lacking}");
            self.say(name, "lacking", text);
        }
        if let Some(until) = report.throttled_until {
            self.say(
                name,
                "throttled",
                format!("{name}: a service asks to wait until {until}"),
            );
        }
        if report.sent > 0 {
            let sent = plural(report.sent, "membership change");
            self.line(&format!("{:.0}  {name}: sent {sent}", report.at));
        }
        match self.bars.clone() {
            Some(bars) => self.move_bars(&bars, report),
            None => self.progress_line(report),
        }
    }

    fn tell_drift(&mut self, report: &FleetReport) {
        let name = &report.fleet;
        match drift::told(name, &report.drift) {
            Some(text) => self.say(name, "drift", text),
            None if self.said.remove(&(name.clone(), "drift")).is_some() => {
                let text = format!("{:.0}  {name}: no device drifts any more", report.at);
                self.line(&text);
            }
            None => {}
        }
    }

    fn move_bars(&mut self, bars: &MultiProgress, report: &FleetReport) {
        for (workload, counts) in &report.convergence {
            let bar = self
                .by_workload
                .entry((report.fleet.clone(), *workload))
                .or_insert_with(|| bars.add(bar(*workload)));
            bar.set_length(counts.online as u64);
            bar.set_position(counts.converged as u64);
            bar.set_message(format!(
                "{} of {}",
                count(counts.converged),
                count(counts.online)
            ));
        }
    }

    /// One line for all workloads, when something has changed and not too often.
    fn progress_line(&mut self, report: &FleetReport) {
        if self.quiet_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let counts: Vec<String> = report
            .convergence
            .iter()
            .map(|(workload, counts)| format!("{workload} {}/{}", counts.converged, counts.online))
            .chain(report.enrollment.iter().map(in_the_pilot))
            .collect();
        let text = format!(
            "{}: observed where they should be: {}",
            report.fleet,
            counts.join(", ")
        );
        let key = (report.fleet.clone(), "progress");
        if self.said.get(&key) != Some(&text) {
            self.line(&format!("{:.0}  {text}", report.at));
            self.said.insert(key, text);
            self.quiet_until = Some(Instant::now() + QUIET);
        }
    }

    /// Says something about a fleet, unless it was said last.
    fn say(&mut self, fleet: &ObjectName, about: &'static str, text: String) {
        let key = (fleet.clone(), about);
        if self.said.get(&key) != Some(&text) {
            self.line(&text);
            self.said.insert(key, text);
        }
    }

    fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| show::line_on_stderr(text)),
            None => show::line_on_stderr(text),
        }
    }

    /// Every online device is where it should be.
    pub fn converged(&mut self, report: &PassReport) -> io::Result<()> {
        if !is_text(self.format) {
            return json_line(&Line::Converged(report));
        }
        self.clear();
        table(report)?;
        show::line(&show::styled(
            show::GOOD,
            "Converged: every online device is observed where it should be.",
        ))
    }

    /// Nothing more happens by itself.
    pub fn has_stopped(&mut self, report: &PassReport) -> io::Result<()> {
        if !is_text(self.format) {
            return json_line(&Line::Stopped(report));
        }
        self.clear();
        table(report)?;
        for fleet in &report.fleets {
            for rollout in fleet.rollouts.iter().filter(|one| one.phase.needs_person()) {
                show::line(&rollouts::in_words(rollout))?;
            }
        }
        show::line(&show::styled(
            show::NOTICE,
            "Not converged: nothing more happens before a person or a commit changes something.",
        ))
    }

    /// Time is up, and something is missing.
    pub fn timed_out(&mut self, report: Option<&PassReport>) -> io::Result<()> {
        if !is_text(self.format) {
            return json_line(&Line::TimedOut(report));
        }
        self.clear();
        match report {
            None => show::line("No pass ended in the time allowed.")?,
            Some(report) => {
                table(report)?;
                for line in report.fleets.iter().flat_map(missing) {
                    show::line(&line)?;
                }
                for (fleet, problem) in &report.failures {
                    show::line(&format!("{fleet}: {problem}"))?;
                }
            }
        }
        show::line(&show::styled(
            show::NOTICE,
            "Not converged in the time allowed.",
        ))
    }

    /// Somebody wants it to end.
    pub fn interrupted(&mut self) {
        if is_text(self.format) {
            self.clear();
            show::line_on_stderr("Stopped; run again with the same --state to go on.");
        } else {
            // Whoever interrupts may have closed the pipe as well.
            let _ = json_line(&Line::Interrupted);
        }
    }

    /// Leaves the terminal as it was.
    pub fn end(&mut self) -> io::Result<()> {
        self.clear();
        io::stdout().flush()
    }

    fn clear(&mut self) {
        for bar in std::mem::take(&mut self.by_workload).into_values() {
            bar.finish_and_clear();
        }
    }
}

fn bar(workload: Workload) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:22} {bar:40} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0)
        .with_style(style)
        .with_prefix(workload.name())
}

fn json_line(line: &Line<'_>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, line)?;
    writeln!(stdout)?;
    stdout.flush()
}

/// The closing table.
fn table(report: &PassReport) -> io::Result<()> {
    for fleet in &report.fleets {
        show::line(&show::styled(
            show::HEADING,
            format!(
                "Fleet {} at {}: {}, {} of them can be moved",
                fleet.fleet,
                fleet.revision,
                plural(fleet.devices, "device"),
                count(fleet.eligible)
            ),
        ))?;
        let mut table = Table::new(&[
            "WORKLOAD",
            "IN PILOT",
            "ONLINE",
            "CONVERGED",
            "OFFLINE",
            "BLOCKED",
            "HELD",
            "FOREIGN",
            "OUTSIDE LIMIT",
        ]);
        for (workload, counts) in &fleet.convergence {
            let tally = fleet.workloads.get(workload).copied().unwrap_or_default();
            table.row([
                workload.name().into(),
                tally.assigned.into(),
                counts.online.into(),
                counts.converged.into(),
                counts.offline.into(),
                tally.blocked.into(),
                tally.held.into(),
                tally.foreign.into(),
                counts.outside_limiting_collection.into(),
            ]);
        }
        if !fleet.convergence.is_empty() {
            for line in table.lines() {
                show::line(&line)?;
            }
        }
        if let Some(enrollment) = &fleet.enrollment {
            show::line(&in_the_pilot(enrollment))?;
        }
    }
    Ok(())
}

/// How far the pilot of automatic enrolment is.
fn in_the_pilot(enrollment: &EnrollmentTally) -> String {
    format!(
        "Automatic enrolment: {} in the pilot, {} on their way, {} blocked",
        plural(enrollment.members, "device"),
        count(enrollment.joining),
        count(enrollment.blocked),
    )
}

/// What is missing and why, workload by workload.
fn missing(fleet: &FleetReport) -> Vec<String> {
    let unmet = fleet.unmet.iter();
    let mut lines: Vec<String> = unmet.map(|one| unmet::in_words(one, None)).collect();
    if let Some(waiting) = &fleet.waiting {
        lines.push(format!(
            "{}: {} waits for an approval",
            fleet.fleet, waiting.digest
        ));
    }
    lines.extend(
        fleet
            .problems
            .iter()
            .map(|problem| format!("{}: {problem}", fleet.fleet)),
    );
    lines.extend(
        fleet
            .manual_steps
            .iter()
            .map(|step| format!("{}: by hand: {step}", fleet.fleet)),
    );
    if fleet.enrolling > 0 {
        lines.push(format!(
            "{}: {} not in the pilot of automatic enrolment yet",
            fleet.fleet,
            plural(fleet.enrolling, "device")
        ));
    }
    for (workload, counts) in &fleet.convergence {
        for (reason, devices) in &counts.missing {
            let example = counts
                .examples
                .iter()
                .find(|(_, why)| why == reason)
                .map(|(device, _)| format!(", for example {device}"))
                .unwrap_or_default();
            lines.push(format!(
                "{}: {workload}: {} {}{example}",
                fleet.fleet,
                plural(*devices, "device"),
                why(*reason)
            ));
        }
    }
    lines
}

const fn why(reason: Missing) -> &'static str {
    match reason {
        Missing::AwaitingApproval => "would move once a person approves",
        Missing::NotSent => "not asked for at the site yet",
        Missing::Pending => "asked for at the site, and not a member of the collection yet",
        Missing::NotReported => "assigned, and not reported by the device itself yet",
        Missing::SliderElsewhere => "reporting otherwise than the slider is wanted to stand",
    }
}
