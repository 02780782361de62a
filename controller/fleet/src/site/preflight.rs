//! One small request of each kind that reading a site takes, and what ends.

use jiff::Timestamp;

use super::{
    COLLECTIONS, DEPLOYMENTS, MEMBERS, SITE, SiteClient, SiteCredentials, SiteOptions, readable,
};
use crate::error::EstateError;
use crate::expiry::{self, Expiry};
use crate::http::{CaBundle, Endpoint};
use crate::preflight::{Preflight, Probe};

/// What ends, and when, as far as that can be told.
pub(super) fn ends(options: &SiteOptions) -> Vec<(&'static str, Timestamp)> {
    let token = match &options.credentials {
        SiteCredentials::Token(token) => expiry::of_token(token),
        // Only the domain knows when a password ends.
        SiteCredentials::Account(_) => None,
    };
    let bundle = options.transport.ca_bundle.as_ref();
    [
        ("token for AdminService", token),
        (
            "CA bundle for AdminService",
            bundle.and_then(CaBundle::until),
        ),
    ]
    .into_iter()
    .filter_map(|(what, until)| Some((what, until?)))
    .collect()
}

impl SiteClient {
    /// Tries to read each class once.
    pub async fn preflight(&self) -> Preflight {
        let mut probes = Vec::new();
        for endpoint in Self::needed() {
            probes.push(Probe::of(endpoint, self.first(endpoint).await));
        }
        Preflight {
            probes,
            ahead: self.transport.ahead(),
        }
    }

    /// When what it signs in with and what it trusts ends, as far as that can be told.
    pub fn expiries(&self, now: Timestamp) -> impl Iterator<Item = Expiry> {
        let ends = self.ends.iter();
        ends.map(move |(what, until)| Expiry::of(what, *until, now))
    }

    /// The classes without which nobody can be moved. Those of hardware inventory are not among them:
    /// not every site collects them.
    fn needed() -> [Endpoint; 7] {
        [
            SITE,
            COLLECTIONS,
            readable("/wmi/SMS_R_System"),
            readable("/wmi/SMS_CombinedDeviceResources"),
            readable("/wmi/SMS_Client_ComanagementState"),
            MEMBERS,
            DEPLOYMENTS,
        ]
    }

    /// Asks for the first entity of a class.
    async fn first(&self, endpoint: Endpoint) -> Result<Vec<u8>, EstateError> {
        let path = endpoint.template.trim_start_matches('/');
        self.get(endpoint, &format!("{path}?$top=1")).await
    }
}
