//! How a fleet's services are reached.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use diarchy_clock::Clock;
use diarchy_core::resource::ObjectName;
use diarchy_fleet::graph::{GraphClient, GraphOptions};
use diarchy_fleet::inventory::Estate;
use diarchy_fleet::site::{SiteClient, SiteCredentials, SiteOptions};
use diarchy_fleet::{CaBundle, ClientCredentials, Counters, Secret, Service, TransportOptions};
use diarchy_git::LoadedFleet;

use crate::error::OperatorError;

/// Reaches the services of fleets.
pub trait Connect: Send + Sync {
    /// The clients of a fleet's services, by what the fleet says and by credentials of its own.
    ///
    /// # Errors
    ///
    /// [`OperatorError`] when a credential is missing or cannot be used.
    fn connect(&self, fleet: &LoadedFleet) -> Result<Estate, OperatorError>;
}

/// Credentials from a folder: `<folder>/<namespace>/<name>/<key>`.
#[derive(Debug, Clone)]
pub struct SecretsFolder {
    folder: Option<PathBuf>,
    clock: Clock,
}

impl SecretsFolder {
    /// Credentials from `folder`; without one every credential is missing.
    #[must_use]
    pub const fn new(folder: Option<PathBuf>, clock: Clock) -> Self {
        Self { folder, clock }
    }

    fn place(&self, fleet: &ObjectName, secret: &str) -> Result<PathBuf, OperatorError> {
        let folder = self
            .folder
            .as_ref()
            .ok_or_else(|| OperatorError::SecretMissing {
                what: format!("Secret {}/{secret}", fleet.namespace),
                place: "no --secrets folder was given".to_owned(),
            })?;
        Ok(folder.join(&fleet.namespace).join(secret))
    }

    fn site(
        &self,
        fleet: &LoadedFleet,
        counters: &Arc<Counters>,
    ) -> Result<SiteClient, OperatorError> {
        let name = &fleet.desired.fleet;
        let spec = &fleet.spec;
        let place = self.place(name, spec.site_credentials())?;
        let credentials = if place.join("token").exists() {
            SiteCredentials::Token(read(&place, "token")?)
        } else {
            SiteCredentials::Basic {
                username: read_text(&place, "username")?,
                password: read(&place, "password")?,
            }
        };
        let mut transport = TransportOptions::for_service(Service::AdminService);
        if let Some(roots) = spec.site_roots() {
            let text = read_text(&self.place(name, roots)?, "ca.crt")?;
            transport.ca_bundle = Some(CaBundle::read(Service::AdminService, text.as_bytes())?);
        }
        let options = SiteOptions {
            admin_service: spec.admin_services().map(ToOwned::to_owned).collect(),
            credentials,
            transport,
        };
        Ok(SiteClient::new(&options, &self.clock, counters)?)
    }

    fn graph(
        &self,
        fleet: &LoadedFleet,
        counters: &Arc<Counters>,
    ) -> Result<GraphClient, OperatorError> {
        let spec = &fleet.spec;
        let Some(secret) = spec.tenant_credentials() else {
            return Err(OperatorError::SecretMissing {
                what: "intune.credentialsRef".to_owned(),
                place: "workload identity needs a cluster".to_owned(),
            });
        };
        let place = self.place(&fleet.desired.fleet, secret)?;
        let options = GraphOptions {
            tenant_id: spec.tenant_id(),
            endpoint: spec.graph_endpoint().to_owned(),
            authority: spec.token_authority().to_owned(),
            beta: spec.intune.beta,
            credentials: ClientCredentials {
                client_id: read_text(&place, "clientId")?,
                client_secret: read(&place, "clientSecret")?,
            },
            transport: TransportOptions::for_service(Service::Graph),
        };
        Ok(GraphClient::new(&options, &self.clock, counters)?)
    }
}

impl Connect for SecretsFolder {
    fn connect(&self, fleet: &LoadedFleet) -> Result<Estate, OperatorError> {
        let counters = Arc::new(Counters::default());
        Ok(Estate {
            graph: self.graph(fleet, &counters)?,
            site: self.site(fleet, &counters)?,
            clock: self.clock.clone(),
        })
    }
}

fn read(folder: &Path, key: &str) -> Result<Secret, OperatorError> {
    read_text(folder, key).map(Secret::new)
}

/// The text of a key, without the line break that a file often ends in.
fn read_text(folder: &Path, key: &str) -> Result<String, OperatorError> {
    let file = folder.join(key);
    let text = std::fs::read_to_string(&file).map_err(|error| OperatorError::SecretMissing {
        what: format!("key `{key}`"),
        place: format!("{}: {error}", file.display()),
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
