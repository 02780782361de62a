//! `diarchy get`

use diarchy_core::resource::{Kind, ObjectName};
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde::Serialize;
use serde_json::Value;

use crate::arguments::{Format, Get, Shown};
use crate::cluster::{Connection, failed};
use crate::failure::{Failure, Outcome};
use crate::show::{self, Table};
use crate::state;

/// A resource, and what is reported of it.
#[derive(Serialize)]
struct Found {
    kind: Kind,
    #[serde(flatten)]
    name: Name,
    status: Value,
}

#[derive(Serialize)]
struct Name {
    namespace: String,
    name: String,
}

impl Found {
    fn new(kind: Kind, name: ObjectName, status: Value) -> Self {
        let ObjectName { namespace, name } = name;
        Self {
            kind,
            name: Name { namespace, name },
            status,
        }
    }

    /// A condition's status; empty where there is none.
    fn condition(&self, kind: &str, part: &str) -> &str {
        let conditions = self.status["conditions"].as_array();
        let of_kind = conditions.and_then(|all| all.iter().find(|one| one["type"] == kind));
        of_kind.and_then(|one| one[part].as_str()).unwrap_or("")
    }
}

/// Shows resources, and how far each is.
pub async fn run(arguments: &Get) -> Result<Outcome, Failure> {
    let kinds = match arguments.kind {
        Some(shown) => vec![shown.kind()],
        None => Shown::ALL.map(Shown::kind).to_vec(),
    };
    let found = match &arguments.place.state {
        Some(file) => of_state(&state::open(file)?, &kinds)?,
        None => of_cluster(&Connection::new(&arguments.place.cluster).await?, &kinds).await?,
    };
    match arguments.output {
        Format::Json => show::json(&found)?,
        Format::Text if found.is_empty() => show::note("there is nothing"),
        Format::Text => table(&found)?,
    }
    Ok(Outcome::Same)
}

fn of_state(store: &diarchy_operator::store::Store, kinds: &[Kind]) -> Result<Vec<Found>, Failure> {
    let mut statuses = store.all_statuses()?;
    let mut found = Vec::new();
    for kind in kinds {
        let of_kind = statuses.extract_if(.., |(of, _), _| of == kind);
        found.extend(of_kind.map(|((kind, name), status)| Found::new(kind, name, status)));
    }
    Ok(found)
}

async fn of_cluster(connection: &Connection, kinds: &[Kind]) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    for kind in kinds {
        let objects = connection.objects(*kind, &connection.namespace);
        let objects = objects.list(&ListParams::default()).await;
        let objects =
            objects.map_err(|error| failed(&format!("{kind} cannot be listed"), &error))?;
        found.extend(objects.into_iter().map(|mut object| {
            let name = ObjectName::new(&connection.namespace, object.name_any());
            Found::new(*kind, name, object.data["status"].take())
        }));
    }
    Ok(found)
}

fn table(found: &[Found]) -> Result<(), Failure> {
    let mut table = Table::new(&["RESOURCE", "READY", "CONVERGED", "STATUS"]);
    for one in found {
        table.row([
            format!("{}/{}", one.kind.name().to_lowercase(), one.name.name).into(),
            one.condition("Ready", "status").into(),
            one.condition("Converged", "status").into(),
            one.condition("Ready", "message").into(),
        ]);
    }
    Ok(show::table(&table)?)
}
