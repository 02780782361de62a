//! A resource that a person says something of, wherever its loop runs.

use diarchy_core::resource::Kind;
use diarchy_operator::said::Named;
use diarchy_operator::store::Store;
use serde_json::Value;

use crate::arguments::Place;
use crate::cluster::{Connection, failed};
use crate::failure::Failure;
use crate::state;

/// Where a resource is.
pub enum Asked {
    /// In the state of a loop without a cluster.
    OfState(Store, Named),
    /// In a cluster.
    OfCluster(Box<Connection>),
}

impl Asked {
    /// The resource of this kind and name at `place`.
    pub async fn find(place: &Place, kind: Kind, name: &str) -> Result<Self, Failure> {
        Ok(match &place.state {
            Some(file) => {
                let store = state::open(file)?;
                let found = state::find(&store, kind, name)?;
                Self::OfState(store, found)
            }
            None => Self::OfCluster(Box::new(Connection::new(&place.cluster).await?)),
        })
    }

    /// Its status, as it was reported last.
    pub async fn status(&self, kind: Kind, name: &str) -> Result<Value, Failure> {
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
