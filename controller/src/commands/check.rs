//! `diarchy check`

use diarchy_git::Cache;
use diarchy_operator::check::{self, Check, CheckState};

use crate::arguments::{self, Format, Repository};
use crate::cluster::{Connection, Controller, preflight};
use crate::failure::{Failure, Outcome};
use crate::show::{self, Table};
use crate::{devices, sources};

/// Looks at everything that a fleet needs.
pub async fn run(arguments: &arguments::Check) -> Result<Outcome, Failure> {
    let checks = match &arguments.place {
        Some(place) => of_repository(place, arguments).await?,
        None => of_cluster(arguments).await?,
    };
    match arguments.output {
        Format::Json => show::json(&checks)?,
        Format::Text => print(&checks)?,
    }
    let is_well = checks.iter().all(|check| check.state != CheckState::Failed);
    Ok(if is_well {
        Outcome::Same
    } else {
        Outcome::Differs
    })
}

async fn of_repository(place: &str, arguments: &arguments::Check) -> Result<Vec<Check>, Failure> {
    let repository = Repository {
        place: place.to_owned(),
        reading: arguments.reading.clone(),
    };
    let (reference, state) = (
        arguments.reference.as_deref(),
        arguments.estate.state.as_deref(),
    );
    let mut cache = Cache::default();
    let loaded = sources::load_valid(&repository, reference, state, &mut cache).await?;
    let fleet = sources::choose(&loaded, &arguments.fleet)?;
    devices::with_estate(fleet, &arguments.estate, async |connect, clock| {
        Ok(check::fleet(fleet, connect, clock).await)
    })
    .await
}

/// What can be seen from here, and then what the controller sees.
async fn of_cluster(arguments: &arguments::Check) -> Result<Vec<Check>, Failure> {
    if arguments.estate.simulate.is_some() || arguments.estate.secrets.is_some() {
        return Err(Failure::argument(
            "--simulate and --secrets are for the fleet of a repository",
            "give REPO, or leave the option out to ask a cluster",
        ));
    }
    let connection = Connection::new(&arguments.asked.cluster).await?;
    let mut checks = preflight::cluster(&connection).await;
    let controller = Controller::new(connection, &arguments.asked, &arguments.fleet).await?;
    let of_fleet: Vec<Check> = controller.ask("check", &[]).await?;
    checks.push(Check::well(
        "Controller",
        format!("answers for Fleet {}", controller.fleet),
    ));
    checks.extend(of_fleet);
    Ok(checks)
}

fn print(checks: &[Check]) -> Result<(), Failure> {
    let mut table = Table::new(&["", "CHECKED", "FOUND"]);
    for check in checks {
        let sign = match check.state {
            CheckState::Well => "✓",
            CheckState::Notice => "!",
            CheckState::Failed => "✗",
        };
        let code = check.code.iter().map(|code| format!("{code}: "));
        let remedy = check.remedy.iter().map(|remedy| format!(": {remedy}"));
        let found: String = code.chain([check.found.clone()]).chain(remedy).collect();
        table.row([sign.into(), check.what.as_str().into(), found.into()]);
    }
    show::table(&table)?;
    let failed = |state| checks.iter().filter(|check| check.state == state).count();
    let (failed, notices) = (failed(CheckState::Failed), failed(CheckState::Notice));
    show::line("")?;
    Ok(show::line(&match (failed, notices) {
        (0, 0) => show::styled(show::GOOD, "All is well."),
        (0, _) => show::styled(
            show::GOOD,
            format!("All is well, with {}.", show::plural(notices, "notice")),
        ),
        _ => show::styled(
            show::NOTICE,
            format!(
                "{} of {} are not well.",
                show::count(failed),
                show::count(checks.len())
            ),
        ),
    })?)
}
