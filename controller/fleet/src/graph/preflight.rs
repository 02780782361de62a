//! One small request of each kind that reading a tenant takes.

use super::{DEVICES, ELIGIBLE_DEVICES, GROUPS, GraphClient, MANAGED_DEVICES, ORGANIZATION, USERS};
use crate::address::endpoint_under;
use crate::error::EstateError;
use crate::http::Endpoint;
use crate::preflight::{Preflight, Probe};

impl GraphClient {
    /// Tries each kind of request once.
    pub async fn preflight(&self) -> Preflight {
        let mut probes = Vec::new();
        for (path, endpoint) in self.readable() {
            probes.push(Probe::of(endpoint, self.first(path, endpoint).await));
        }
        Preflight {
            probes,
            ahead: self.transport.ahead(),
        }
    }

    /// Everything that is read, by path and by what it needs.
    fn readable(&self) -> Vec<(&'static str, Endpoint)> {
        let always = [
            ("v1.0/organization", ORGANIZATION),
            ("v1.0/deviceManagement/managedDevices", MANAGED_DEVICES),
            ("v1.0/devices", DEVICES),
            ("v1.0/users", USERS),
            ("v1.0/groups", GROUPS),
        ];
        let in_beta = (
            "beta/deviceManagement/comanagementEligibleDevices",
            ELIGIBLE_DEVICES,
        );
        let in_beta = self.beta.then_some(in_beta);
        always.into_iter().chain(in_beta).collect()
    }

    /// Asks for the first of what is at `path`.
    async fn first(&self, path: &str, endpoint: Endpoint) -> Result<Vec<u8>, EstateError> {
        let mut url = endpoint_under(&self.base, path);
        url.set_query(Some("$select=id&$top=1"));
        self.get(url, endpoint, &[]).await
    }
}
