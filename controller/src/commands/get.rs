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

    /// What devices wait for, the first things first; empty where none waits.
    fn waits(&self) -> String {
        let waits = self.status["waits"].as_array();
        let waits = waits.map(Vec::as_slice).unwrap_or_default();
        let mut told: Vec<String> = waits
            .iter()
            .take(MOST_WAITS)
            .map(|one| {
                let reason = one["reason"].as_str().unwrap_or_default();
                format!("{reason} ({})", one["devices"])
            })
            .collect();
        if waits.len() > MOST_WAITS {
            told.push("...".to_owned());
        }
        told.join(", ")
    }

    /// A condition's status; empty where there is none.
    fn condition(&self, kind: &str, part: &str) -> &str {
        let conditions = self.status["conditions"].as_array();
        let of_kind = conditions.and_then(|all| all.iter().find(|one| one["type"] == kind));
        of_kind.and_then(|one| one[part].as_str()).unwrap_or("")
    }
}

/// How many of the things that devices wait for are shown; JSON has all of them.
const MOST_WAITS: usize = 2;

/// Shows resources, and how far each is.
pub async fn run(arguments: &Get) -> Result<Outcome, Failure> {
    let kinds = match arguments.kind {
        Some(shown) => vec![shown.kind()],
        None => Shown::ALL.map(Shown::kind).to_vec(),
    };
    let (mut found, place) = match &arguments.place.state {
        Some(file) => (of_state(&state::open(file)?, &kinds)?, String::new()),
        None => {
            let connection = Connection::new(&arguments.place.cluster).await?;
            let namespace = (!arguments.all_namespaces).then_some(connection.namespace.as_str());
            let found = of_cluster(&connection, namespace, &kinds).await?;
            let place = namespace.map(|name| format!(" in namespace {name}"));
            (found, place.unwrap_or_default())
        }
    };
    if let Some(name) = &arguments.name {
        found.retain(|one| one.name.name == *name);
        if found.is_empty() {
            return Err(Failure::argument(
                format!("there is no such resource named `{name}`{place}"),
                "see what there is with `diarchy get`",
            ));
        }
    }
    match arguments.output {
        Format::Json => show::json(&found)?,
        Format::Text if found.is_empty() => show::note(&format!("there is nothing{place}")),
        Format::Text => table(&found, arguments.all_namespaces)?,
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

/// What there is in a namespace, or without one in all of them.
async fn of_cluster(
    connection: &Connection,
    namespace: Option<&str>,
    kinds: &[Kind],
) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    for kind in kinds {
        let objects = match namespace {
            Some(namespace) => connection.objects(*kind, namespace),
            None => connection.all(*kind),
        };
        let objects = objects.list(&ListParams::default()).await;
        let objects =
            objects.map_err(|error| failed(&format!("{kind} cannot be listed"), &error))?;
        found.extend(objects.into_iter().map(|mut object| {
            let name = ObjectName::new(object.namespace().unwrap_or_default(), object.name_any());
            Found::new(*kind, name, object.data["status"].take())
        }));
    }
    Ok(found)
}

fn table(found: &[Found], with_namespaces: bool) -> Result<(), Failure> {
    let headings = [
        "NAMESPACE",
        "RESOURCE",
        "READY",
        "CONVERGED",
        "WAITS FOR",
        "STATUS",
    ];
    let left_out = usize::from(!with_namespaces);
    let mut table = Table::new(&headings[left_out..]);
    for one in found {
        let row = [
            one.name.namespace.clone().into(),
            format!("{}/{}", one.kind.name().to_lowercase(), one.name.name).into(),
            one.condition("Ready", "status").into(),
            one.condition("Converged", "status").into(),
            one.waits().into(),
            one.condition("Ready", "message").into(),
        ];
        table.row(row.into_iter().skip(left_out));
    }
    Ok(show::table(&table)?)
}
