//! `diarchy reconcile`

use std::time::Duration;

use diarchy_core::code::Code;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_crds::manifest::REQUESTED_AT;
use diarchy_operator::store::Store;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::named;
use crate::arguments::Reconcile;
use crate::cluster::{Connection, failed};
use crate::failure::{Failure, Outcome};
use crate::{show, state};

/// How often it is looked whether it has been done.
const LOOKING: Duration = Duration::from_millis(250);

/// Where it was asked for.
enum Asked {
    OfState(Store, (Kind, ObjectName)),
    OfCluster(Box<Connection>),
}

/// Asks for a pass, and waits for it where that is wanted.
pub async fn run(arguments: &Reconcile) -> Result<Outcome, Failure> {
    let (kind, name) = named::parse(&arguments.what)?;
    let request = Timestamp::now().to_string();
    let asked = match &arguments.place.state {
        Some(file) => {
            let store = state::open(file)?;
            let found = state::find(&store, kind, name)?;
            store.request(&found, &request)?;
            Asked::OfState(store, found)
        }
        None => {
            let connection = Connection::new(&arguments.place.cluster).await?;
            let value = json!(request);
            connection
                .annotate(kind, name, REQUESTED_AT, &value)
                .await?;
            Asked::OfCluster(Box::new(connection))
        }
    };
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

impl Asked {
    async fn status(&self, kind: Kind, name: &str) -> Result<Value, Failure> {
        match self {
            Self::OfState(store, found) => {
                let mut statuses = store.all_statuses()?;
                Ok(statuses.remove(found).unwrap_or_default())
            }
            Self::OfCluster(connection) => {
                let objects = connection.objects(kind, &connection.namespace);
                let object = objects.get(name).await;
                let mut object = object
                    .map_err(|error| failed(&format!("{kind} {name} cannot be read"), &error))?;
                Ok(object.data["status"].take())
            }
        }
    }
}
