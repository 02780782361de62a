//! `diarchy history`

use diarchy_core::history::{
    AssignmentHistory, DeviceEvent, DeviceHistory, History, RequirementRecord, RevisionRecord,
    StepRecord,
};
use diarchy_core::resource::Kind;
use diarchy_operator::store::Store;

use super::named;
use crate::arguments::{Format, History as Arguments};
use crate::cluster::Controller;
use crate::failure::{Failure, Outcome};
use crate::show::{self, Table};
use crate::state;

/// How many lines of the audit trail are read at a time.
const AT_A_TIME: usize = 1_000;

/// What is asked about.
enum Subject<'a> {
    Everything,
    Assignment(&'a str),
    Device(&'a str),
}

impl<'a> Subject<'a> {
    fn parse(what: Option<&'a str>) -> Result<Self, Failure> {
        let Some(what) = what else {
            return Ok(Self::Everything);
        };
        if let Some(device) = what.strip_prefix("device/").filter(|name| !name.is_empty()) {
            return Ok(Self::Device(device));
        }
        let remedy = "write assignment/NAME or device/NAME, or leave it out for everything";
        match named::parse(what) {
            Ok((Kind::WorkloadAssignment, name)) => Ok(Self::Assignment(name)),
            _ => Err(Failure::argument(
                format!("of `{what}` no history is kept"),
                remedy,
            )),
        }
    }

    /// The terms in which a controller is asked.
    fn terms(&self) -> Vec<(&'static str, &'a str)> {
        match self {
            Self::Everything => Vec::new(),
            Self::Assignment(name) => vec![("assignment", name)],
            Self::Device(name) => vec![("device", name)],
        }
    }

    fn of(&self, history: &History) -> History {
        match self {
            Self::Everything => history.clone(),
            Self::Assignment(name) => history.of_assignment(name),
            Self::Device(named) => history.of_device(named),
        }
    }
}

/// Shows what has happened lately.
pub async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let subject = Subject::parse(arguments.what.as_deref())?;
    let history = match &arguments.state {
        Some(file) => {
            let store = state::open(file)?;
            if arguments.trail {
                return trail(&store);
            }
            let mut all = History::default();
            for memory in store.memories()? {
                all.join(memory.history);
            }
            subject.of(&all)
        }
        None => {
            let controller = Controller::reach(&arguments.asked, &arguments.fleet).await?;
            controller.ask("history", &subject.terms()).await?
        }
    };
    match arguments.output {
        Format::Json => show::json(&history)?,
        Format::Text if history == History::default() => nothing(&subject),
        Format::Text => print(&history, &subject)?,
    }
    Ok(Outcome::Same)
}

/// Every line of the audit trail, as it was written.
fn trail(store: &Store) -> Result<Outcome, Failure> {
    let mut last = 0;
    loop {
        let lines = store.audit_trail(last, AT_A_TIME)?;
        let Some((number, _)) = lines.last() else {
            return Ok(Outcome::Same);
        };
        last = *number;
        for (_, entry) in &lines {
            let line = serde_json::to_string(entry).map_err(std::io::Error::from)?;
            show::line(&line)?;
        }
    }
}

fn nothing(subject: &Subject<'_>) {
    let text = match subject {
        Subject::Everything => "nothing has been moved yet".to_owned(),
        Subject::Assignment(name) => {
            format!("of the assignment `{name}` nothing has happened lately, or there is none")
        }
        Subject::Device(named) => {
            format!("of the device `{named}` nothing has happened lately, or there is none")
        }
    };
    show::note(&text);
}

fn print(history: &History, subject: &Subject<'_>) -> Result<(), Failure> {
    let mut is_first = true;
    for (name, of) in &history.assignments {
        if !std::mem::take(&mut is_first) {
            show::line("")?;
        }
        print_assignment(name, of)?;
    }
    if matches!(subject, Subject::Device(_)) {
        for (id, device) in &history.devices {
            print_device(id, device)?;
        }
    }
    Ok(())
}

fn print_assignment(name: &str, of: &AssignmentHistory) -> Result<(), Failure> {
    show::line(&show::styled(show::HEADING, show::printable(name)))?;
    let tables = [
        (!of.revisions.is_empty()).then(|| revisions(&of.revisions)),
        (!of.steps.is_empty()).then(|| steps(&of.steps)),
        (!of.requirements.is_empty()).then(|| requirements(&of.requirements)),
    ];
    for (at, table) in tables.iter().flatten().enumerate() {
        if at > 0 {
            show::line("")?;
        }
        show::table(table)?;
    }
    Ok(())
}

/// What each revision has moved.
fn revisions(records: &[RevisionRecord]) -> Table {
    let mut table = Table::new(&[
        "FIRST",
        "LAST",
        "TO INTUNE",
        "TO CONFIGMGR",
        "ARRIVED",
        "REVISION",
    ]);
    for one in records {
        table.row([
            show::moment(one.since).into(),
            show::moment(one.until).into(),
            one.to_intune.into(),
            one.to_configuration_manager.into(),
            one.observed.into(),
            one.revision.clone().into(),
        ]);
    }
    table
}

/// What the rollout has done.
fn steps(records: &[StepRecord]) -> Table {
    let mut table = Table::new(&[
        "TIME", "STEP", "PHASE", "ONLINE", "ARRIVED", "FAILED", "OFFLINE", "WHY",
    ]);
    for one in records {
        table.row([
            show::moment(one.at).into(),
            format!("{}/{}", one.step, one.of).into(),
            format!("{:?}", one.phase).into(),
            one.counts.online.into(),
            one.counts.arrived.into(),
            one.counts.failed.into(),
            one.counts.offline.into(),
            one.why.clone().unwrap_or_default().into(),
        ]);
    }
    table
}

/// How what is required has turned.
fn requirements(records: &[RequirementRecord]) -> Table {
    let mut table = Table::new(&["TIME", "REQUIRES", "READY", "WHY NOT"]);
    for one in records {
        let ready = if one.unmet.is_none() { "yes" } else { "no" };
        table.row([
            show::moment(one.at).into(),
            one.what.clone().into(),
            ready.into(),
            one.unmet.clone().unwrap_or_default().into(),
        ]);
    }
    table
}

fn print_device(id: &str, device: &DeviceHistory) -> Result<(), Failure> {
    let name = match &device.name {
        Some(name) if name != id => format!("{name} ({id})"),
        _ => id.to_owned(),
    };
    show::line(&show::styled(show::HEADING, show::printable(&name)))?;
    let mut table = Table::new(&["TIME", "WORKLOAD", "WHAT", "REVISION"]);
    for record in &device.records {
        table.row([
            show::moment(record.at).into(),
            record.workload.name().into(),
            told(&record.what).into(),
            record.revision.clone().into(),
        ]);
    }
    Ok(show::table(&table)?)
}

fn told(event: &DeviceEvent) -> String {
    match event {
        DeviceEvent::Asked { to, because } => format!("asked to go to {to} by {because}"),
        DeviceEvent::Observed { authority } => format!("reported to be with {authority}"),
        DeviceEvent::Drifted { kind, wanted } => {
            format!("drifted: {}; it should be with {wanted}", kind.told())
        }
        DeviceEvent::DriftEnded { kind, end } => format!("drift ended ({kind}): {}", end.told()),
    }
}
