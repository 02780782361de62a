//! `diarchy reconcile`

use std::time::Duration;

use diarchy_core::code::Code;
use diarchy_crds::manifest::REQUESTED_AT;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::asked::Asked;
use super::named;
use crate::arguments::Reconcile;
use crate::failure::{Failure, Outcome};
use crate::show;

/// How often it is looked whether it has been done.
const LOOKING: Duration = Duration::from_millis(250);

/// Asks for a pass, and waits for it where that is wanted.
pub async fn run(arguments: &Reconcile) -> Result<Outcome, Failure> {
    let (kind, name) = named::parse(&arguments.what)?;
    let request = Timestamp::now().to_string();
    let asked = Asked::find(&arguments.place, kind, name).await?;
    match &asked {
        Asked::OfState(store, found) => store.request(found, &request)?,
        Asked::OfCluster(connection) => {
            let value = json!(request);
            connection
                .annotate(kind, name, REQUESTED_AT, &value)
                .await?;
        }
    }
    if !arguments.wait {
        show::line(&format!("Asked for {kind} {name} to be looked at now."))?;
        return Ok(Outcome::Same);
    }
    let deadline = Instant::now() + arguments.timeout.length();
    loop {
        let status = asked.status(kind, name).await?;
        if status["lastHandledReconcileAt"] == request {
            return answer(&format!("{kind} {name}"), &status);
        }
        if Instant::now() > deadline {
            return Err(Failure::new(
                Code::NoAnswerYet,
                format!("{kind} {name} was not looked at in time"),
                "see its conditions, and whether a loop runs; it will still be done",
            ));
        }
        tokio::time::sleep(LOOKING).await;
    }
}

/// Says what a look at something has found.
fn answer(what: &str, status: &Value) -> Result<Outcome, Failure> {
    let conditions = status["conditions"].as_array();
    let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
    if ready.is_some_and(|ready| ready["status"] == "True") {
        show::line(&format!("{what} was looked at."))?;
        return Ok(Outcome::Same);
    }
    let why = ready.and_then(|ready| ready["message"].as_str());
    let why = why.unwrap_or("its status does not say why");
    show::line(&format!("{what} was looked at, and is not ready: {why}"))?;
    Ok(Outcome::Differs)
}
