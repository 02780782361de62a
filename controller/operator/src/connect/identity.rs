//! Who an application is where a fleet names no credentials for its tenant: workload identity.

use std::env;
use std::sync::Arc;

use diarchy_fleet::{FederatedToken, TokenFile};
use diarchy_git::LoadedFleet;

use crate::error::OperatorError;

/// The variables in which Azure's workload identity tells a process who it is.
const CLIENT_ID: &str = "AZURE_CLIENT_ID";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// Tells who an application is that has no secret.
pub trait Identities: Send + Sync {
    /// The application that stands for a fleet.
    ///
    /// # Errors
    ///
    /// [`OperatorError::SecretMissing`] when nobody says who it is.
    fn identity(&self, fleet: &LoadedFleet) -> Result<Identity, OperatorError>;
}

/// An application, for which somebody issues tokens.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The application's id. In a cluster it stands in the annotation
    /// `azure.workload.identity/client-id` of the service account.
    pub client_id: String,
    /// What tells it from another of the same id, such as the service account's name.
    pub name: String,
    /// The tokens.
    pub tokens: Arc<dyn FederatedToken>,
}

/// One application for every fleet, by the environment of the process: `AZURE_CLIENT_ID` and
/// `AZURE_FEDERATED_TOKEN_FILE`, which many who run processes set.
#[derive(Debug, Clone)]
pub struct EnvironmentIdentity {
    client_id: Option<String>,
    file: Option<String>,
}

impl EnvironmentIdentity {
    /// What the environment says now.
    #[must_use]
    pub fn read() -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            client_id: variable(CLIENT_ID),
            file: variable(TOKEN_FILE),
        }
    }
}

impl Identities for EnvironmentIdentity {
    fn identity(&self, fleet: &LoadedFleet) -> Result<Identity, OperatorError> {
        let missing = |variable: &str| OperatorError::SecretMissing {
            what: format!("`{variable}` in the environment"),
            place: format!(
                "fleet {} names no intune.credentialsRef, so workload identity is meant; without a cluster {CLIENT_ID} and {TOKEN_FILE} tell who that is",
                fleet.desired.fleet
            ),
            remedy: "set both, or name a credentialsRef".to_owned(),
        };
        let client_id = self.client_id.clone().ok_or_else(|| missing(CLIENT_ID))?;
        let file = self.file.clone().ok_or_else(|| missing(TOKEN_FILE))?;
        Ok(Identity {
            client_id,
            name: file.clone(),
            tokens: Arc::new(TokenFile::new(file.into())),
        })
    }
}
