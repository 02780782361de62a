//! Credentials of fleets in a cluster: Secrets of their own namespace, and tokens of their service
//! accounts.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use diarchy_core::resource::ObjectName;
use diarchy_crds::fleet::FleetSpec;
use diarchy_fleet::{EstateError, FederatedToken, Secret as Hidden, Service};
use diarchy_git::LoadedFleet;
use diarchy_operator::connect::{Identities, Identity, SecretData, Secrets, Source};
use diarchy_operator::error::OperatorError;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;

use crate::in_words;
use crate::named::{Known, Named};

/// Names the application that a service account stands for, as Azure's workload identity does:
/// <https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html>.
const CLIENT_ID: &str = "azure.workload.identity/client-id";
/// Whom the tokens are for, as federated credentials have it by default.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// How long a token is asked for: Entra is shown it at once.
const TOKEN_SECONDS: i64 = 3600;

/// The credentials that the fleets of this replica name.
#[derive(Clone)]
pub struct Credentials {
    client: Client,
    /// The Secrets.
    pub secrets: Named<Secret>,
    accounts: Named<ServiceAccount>,
    changes: Arc<watch::Sender<u64>>,
}

/// What a fleet names.
#[derive(Debug, Default)]
struct Names {
    secrets: BTreeSet<ObjectName>,
    account: Option<ObjectName>,
}

impl Names {
    fn of(fleet: &ObjectName, spec: &FleetSpec) -> Self {
        let own = |name: &str| ObjectName::new(&fleet.namespace, name);
        let site = std::iter::once(spec.site_credentials());
        let tenant = spec.tenant_credentials();
        Self {
            secrets: site
                .chain(spec.site_roots())
                .chain(tenant)
                .map(own)
                .collect(),
            account: tenant
                .is_none()
                .then(|| own(account(&spec.intune.service_account_name))),
        }
    }
}

/// The service account that is meant by a name that may be left out.
pub fn account(name: &str) -> &str {
    if name.is_empty() { "default" } else { name }
}

impl Credentials {
    /// Watches nothing yet.
    pub fn new(client: &Client) -> Self {
        let changes = Arc::new(watch::Sender::new(0));
        Self {
            client: client.clone(),
            secrets: Named::new(client.clone(), Arc::clone(&changes)),
            accounts: Named::new(client.clone(), Arc::clone(&changes)),
            changes,
        }
    }

    /// Watches what these fleets name, for whoever makes their passes, and nothing else any more.
    pub fn want<'a>(&self, fleets: impl Iterator<Item = (&'a ObjectName, &'a FleetSpec)>) {
        const WHO: &str = "fleets";
        let mut secrets = BTreeSet::new();
        let mut accounts = BTreeSet::new();
        for (fleet, spec) in fleets {
            let names = Names::of(fleet, spec);
            secrets.extend(names.secrets);
            accounts.extend(names.account);
        }
        self.secrets.want(WHO, secrets);
        self.accounts.want(WHO, accounts);
    }

    /// What is known of each credential that a fleet names, in an order that only the fleet changes;
    /// nothing while nobody has looked at one of them.
    pub fn known(&self, fleet: &ObjectName, spec: &FleetSpec) -> Option<Vec<Known>> {
        let Names { secrets, account } = Names::of(fleet, spec);
        let secrets = secrets.iter().map(|name| self.secrets.known(name));
        let account = account.iter().map(|name| self.accounts.known(name));
        secrets.chain(account).collect()
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Secrets for Credentials {
    fn get(&self, name: &ObjectName) -> Result<SecretData, OperatorError> {
        let secret = self.secrets.get(name)?;
        let keys = secret.data.unwrap_or_default();
        let keys = keys.into_iter().map(|(key, bytes)| (key, bytes.0));
        Ok(SecretData::new(
            name.clone(),
            Source::Cluster,
            keys.collect(),
        ))
    }
}

impl Identities for Credentials {
    fn identity(&self, fleet: &LoadedFleet) -> Result<Identity, OperatorError> {
        let named = &fleet.desired.fleet;
        let name = account(&fleet.spec.intune.service_account_name);
        let name = ObjectName::new(&named.namespace, name);
        let found = self.accounts.get(&name)?;
        let client_id = found.annotations().get(CLIENT_ID);
        let client_id = client_id.ok_or_else(|| OperatorError::SecretMissing {
            what: format!("annotation `{CLIENT_ID}` of ServiceAccount {name}"),
            place: format!(
                "fleet {named} names no intune.credentialsRef, so workload identity is meant"
            ),
            remedy: format!(
                "set it with `kubectl annotate serviceaccount {} --namespace {}`, or name a credentialsRef",
                name.name, name.namespace
            ),
        })?;
        Ok(Identity {
            client_id: client_id.clone(),
            name: name.to_string(),
            tokens: Arc::new(AccountTokens {
                api: Api::namespaced(self.client.clone(), &name.namespace),
                name,
            }),
        })
    }
}

/// Tokens of a service account, which the API server issues.
struct AccountTokens {
    api: Api<ServiceAccount>,
    name: ObjectName,
}

impl fmt::Debug for AccountTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountTokens({})", self.name)
    }
}

impl AccountTokens {
    async fn issue(&self) -> Result<Hidden, EstateError> {
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: Some(vec![AUDIENCE.to_owned()]),
                expiration_seconds: Some(TOKEN_SECONDS),
                bound_object_ref: None,
            }),
            ..TokenRequest::default()
        };
        let issued = self
            .api
            .create_token_request(&self.name.name, &PostParams::default(), &request)
            .await;
        match issued.map(|issued| issued.status.and_then(|status| status.token)) {
            Ok(Some(token)) => Ok(Hidden::new(token)),
            Ok(None) => Err(self.failed("the API server issued none")),
            Err(error @ kube::Error::Api(_)) => Err(EstateError::Configuration {
                service: Service::Entra,
                detail: format!(
                    "the API server issues no token of ServiceAccount {}: {}",
                    self.name,
                    in_words::of(&error)
                ),
            }),
            Err(error) => Err(self.failed(&in_words::of(&error))),
        }
    }

    fn failed(&self, detail: &str) -> EstateError {
        EstateError::Unreachable {
            service: Service::Entra,
            host: "the API server".to_owned(),
            detail: format!("no token of ServiceAccount {}: {detail}", self.name),
            perhaps_received: false,
        }
    }
}

impl FederatedToken for AccountTokens {
    fn token(&self) -> BoxFuture<'_, Result<Hidden, EstateError>> {
        Box::pin(self.issue())
    }
}
