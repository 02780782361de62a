//! How a fleet's services are reached, and with which credentials.
//!
//! Credentials are looked at before each pass. Clients that were made for others are replaced then,
//! never within a pass; clients whose credentials are the same are kept, so that what was refused is
//! not tried again.

mod folder;
mod identity;
mod keys;
mod secret;

use std::sync::Arc;
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::resource::ObjectName;
use diarchy_crds::fleet::FleetSpec;
use diarchy_fleet::endpoints::{AllowedEndpoints, NamedAddress, Protocol};
use diarchy_fleet::graph::{GraphClient, GraphOptions};
use diarchy_fleet::inventory::Estate;
use diarchy_fleet::site::{SiteClient, SiteOptions, WRITE_DEADLINE};
use diarchy_fleet::{ClientCredentials, ClientProof, Counters, Service, TransportOptions};
use diarchy_git::LoadedFleet;
use tracing::warn;

use crate::error::OperatorError;

pub use folder::SecretsFolder;
pub use identity::{EnvironmentIdentity, Identities, Identity};
pub use secret::{Fingerprint, SecretData, Secrets, Source};

/// Reaches the services of fleets.
pub trait Connect: Send + Sync {
    /// The clients of a fleet's services, by what the fleet says and by credentials of its own.
    ///
    /// # Errors
    ///
    /// [`OperatorError`] when a credential is missing or cannot be used, or an address is not allowed.
    fn connect(&self, fleet: &LoadedFleet) -> Result<Clients, OperatorError>;

    /// Clients for the credentials as they are now, if they are others than those that `known` is the
    /// fingerprint of.
    ///
    /// # Errors
    ///
    /// As [`Connect::connect`].
    fn renew(
        &self,
        fleet: &LoadedFleet,
        known: &Fingerprint,
    ) -> Result<Option<Clients>, OperatorError>;
}

/// The clients of one fleet's services.
#[derive(Debug)]
pub struct Clients {
    /// The clients.
    pub estate: Estate,
    /// What tells the credentials that they were made for from others.
    pub fingerprint: Fingerprint,
}

/// Makes clients from Secrets.
pub struct Connector {
    secrets: Box<dyn Secrets>,
    identities: Box<dyn Identities>,
    allowed: Option<AllowedEndpoints>,
    write_deadline: Duration,
    clock: Clock,
}

/// The Secrets that a fleet names, as they are now.
struct Named {
    site: SecretData,
    roots: Option<SecretData>,
    tenant: Tenant,
}

enum Tenant {
    Secret(SecretData),
    Workload(Identity),
}

impl Connector {
    /// Clients with the credentials in `secrets`, and as one of `identities` where a fleet names no
    /// credentials for its tenant.
    #[must_use]
    pub fn new(
        secrets: impl Secrets + 'static,
        identities: impl Identities + 'static,
        clock: Clock,
    ) -> Self {
        Self {
            secrets: Box::new(secrets),
            identities: Box::new(identities),
            allowed: None,
            write_deadline: WRITE_DEADLINE,
            clock,
        }
    }

    /// Credentials go to these addresses and nowhere else.
    #[must_use]
    pub fn only_to(mut self, allowed: AllowedEndpoints) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// No write to a site takes longer than `deadline`.
    #[must_use]
    pub fn writing_within(mut self, deadline: Duration) -> Self {
        self.write_deadline = deadline;
        self
    }

    fn read(&self, fleet: &LoadedFleet) -> Result<Named, OperatorError> {
        let spec = &fleet.spec;
        let namespace = &fleet.desired.fleet.namespace;
        let secret = |name: &str| self.secrets.get(&ObjectName::new(namespace, name));
        Ok(Named {
            site: secret(spec.site_credentials())?,
            roots: spec.site_roots().map(secret).transpose()?,
            tenant: match spec.tenant_credentials() {
                Some(name) => Tenant::Secret(secret(name)?),
                None => Tenant::Workload(self.identities.identity(fleet)?),
            },
        })
    }

    fn check(&self, spec: &FleetSpec, named: &Named) -> Result<(), OperatorError> {
        let Some(allowed) = &self.allowed else {
            return Ok(());
        };
        let kdc = keys::kdc(&named.site)?;
        let mut addresses = addresses(spec);
        if let Some(kdc) = &kdc {
            let field = format!("key `{}` of Secret {}", keys::KDC, named.site.name());
            addresses.push((field, kdc.clone(), Protocol::Kerberos));
        }
        let refused =
            allowed.refuse(
                addresses
                    .iter()
                    .map(|(field, address, protocol)| NamedAddress {
                        field,
                        address,
                        protocol: *protocol,
                    }),
            );
        match refused.first() {
            None => Ok(()),
            Some(refused) => Err(OperatorError::EndpointNotAllowed {
                refused: refused.clone(),
                allowed: allowed.to_string(),
            }),
        }
    }

    fn clients(&self, fleet: &LoadedFleet, named: &Named) -> Result<Clients, OperatorError> {
        let spec = &fleet.spec;
        self.check(spec, named)?;
        let counters = Arc::new(Counters::default());
        let mut transport = TransportOptions::for_service(Service::AdminService);
        if let Some(roots) = &named.roots {
            transport.ca_bundle = Some(keys::roots(roots)?);
        }
        let site = SiteOptions {
            write_deadline: self.write_deadline,
            admin_service: spec.admin_services().map(ToOwned::to_owned).collect(),
            credentials: keys::site(&named.site)?,
            transport,
        };
        let site = SiteClient::new(&site, &self.clock, &counters)
            .map_err(|error| named.site.blame(error))?;
        let now = self.clock.now();
        let credentials = match &named.tenant {
            Tenant::Secret(secret) => keys::application(secret, now)?,
            Tenant::Workload(identity) => ClientCredentials {
                client_id: identity.client_id.clone(),
                proof: ClientProof::Federated(Arc::clone(&identity.tokens)),
            },
        };
        let graph = GraphOptions {
            tenant_id: spec.tenant_id(),
            endpoint: spec.graph_endpoint().to_owned(),
            authority: spec.token_authority().to_owned(),
            beta: spec.intune.beta,
            credentials,
            transport: TransportOptions::for_service(Service::Graph),
        };
        let graph = GraphClient::new(&graph, &self.clock, &counters)?;
        if let Some(expiry) = graph.certificate_expiry(now).filter(|expiry| expiry.soon) {
            let code = diarchy_core::code::Code::CredentialExpires;
            warn!(fleet = %fleet.desired.fleet, "{code}: {expiry}: make another in time");
        }
        Ok(Clients {
            estate: Estate {
                graph,
                site,
                clock: self.clock.clone(),
            },
            fingerprint: named.fingerprint(),
        })
    }
}

impl Named {
    fn fingerprint(&self) -> Fingerprint {
        let mut parts = vec![&self.site];
        parts.extend(&self.roots);
        let identity = match &self.tenant {
            Tenant::Secret(secret) => {
                parts.push(secret);
                String::new()
            }
            Tenant::Workload(identity) => format!("{} {}", identity.client_id, identity.name),
        };
        Fingerprint::of(parts, &identity)
    }
}

impl Connect for Connector {
    fn connect(&self, fleet: &LoadedFleet) -> Result<Clients, OperatorError> {
        self.clients(fleet, &self.read(fleet)?)
    }

    fn renew(
        &self,
        fleet: &LoadedFleet,
        known: &Fingerprint,
    ) -> Result<Option<Clients>, OperatorError> {
        let named = self.read(fleet)?;
        if named.fingerprint() == *known {
            return Ok(None);
        }
        self.clients(fleet, &named).map(Some)
    }
}

/// Every address to which a fleet has credentials sent, with the field that it stands in.
fn addresses(spec: &FleetSpec) -> Vec<(String, String, Protocol)> {
    let site = spec.admin_services().enumerate().map(|(place, address)| {
        let field = format!("spec.configurationManager.adminService[{place}]");
        (field, address.to_owned(), Protocol::Web)
    });
    let tenant = [
        ("spec.intune.endpoint", spec.graph_endpoint()),
        ("spec.intune.authority", spec.token_authority()),
    ];
    let tenant = tenant.map(|(field, address)| {
        let (field, address) = (field.to_owned(), address.to_owned());
        (field, address, Protocol::Web)
    });
    site.chain(tenant).collect()
}
