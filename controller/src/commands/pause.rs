//! `diarchy suspend` and `diarchy resume`

use diarchy_core::resource::Kind;
use diarchy_crds::manifest::PAUSED;
use serde_json::json;

use super::named;
use crate::arguments::Pause;
use crate::cluster::Connection;
use crate::failure::{Failure, Outcome};
use crate::{show, state};

/// Has a resource not be carried out, or be carried out again.
pub async fn run(arguments: &Pause, paused: bool) -> Result<Outcome, Failure> {
    let (kind, name) = named::parse(&arguments.what)?;
    match &arguments.place.state {
        Some(file) => {
            let store = state::open(file)?;
            store.pause(&state::find(&store, kind, name)?, paused)?;
        }
        None => {
            let connection = Connection::new(&arguments.place.cluster).await?;
            let value = if paused { json!("true") } else { json!(null) };
            connection.annotate(kind, name, PAUSED, &value).await?;
        }
    }
    show::line(&told(kind, name, paused))?;
    Ok(Outcome::Same)
}

fn told(kind: Kind, name: &str, paused: bool) -> String {
    if paused {
        format!("{kind} {name} is suspended: nothing is written for it, and nothing taken back.")
    } else {
        // What git suspends, git resumes.
        format!(
            "{kind} {name} is not paused by a person any more; `spec.suspend` counts as before."
        )
    }
}
