//! One small request of each kind that reading a fleet makes: what a fleet needs is looked at without
//! reading all of it.

use jiff::SignedDuration;

use crate::error::EstateError;
use crate::graph::GraphClient;
use crate::http::Endpoint;
use crate::site::SiteClient;

/// One kind of request, tried.
#[derive(Debug)]
pub struct Probe {
    /// What was asked for, such as `/deviceManagement/managedDevices`.
    pub what: &'static str,
    /// What allows it, in words: `the application permission Device.Read.All`.
    pub needs: &'static str,
    /// Why it was not answered.
    pub failure: Option<EstateError>,
}

impl Probe {
    pub(crate) fn of<T>(endpoint: Endpoint, result: Result<T, EstateError>) -> Self {
        Self {
            what: endpoint.template,
            needs: endpoint.needs,
            failure: result.err(),
        }
    }
}

/// What a service answered to one small request of each kind.
#[derive(Debug)]
pub struct Preflight {
    /// Each kind of request.
    pub probes: Vec<Probe>,
    /// How far the service's clock is ahead of ours, by the `Date` of its last answer, to a second.
    pub ahead: Option<SignedDuration>,
}

impl GraphClient {
    /// Tries each kind of request once.
    pub async fn preflight(&self) -> Preflight {
        let mut probes = Vec::new();
        for (path, endpoint) in self.readable() {
            probes.push(Probe::of(endpoint, self.first(path, endpoint).await));
        }
        Preflight {
            probes,
            ahead: self.ahead(),
        }
    }
}

impl SiteClient {
    /// Tries to read each class once.
    pub async fn preflight(&self) -> Preflight {
        let mut probes = Vec::new();
        for endpoint in Self::readable() {
            probes.push(Probe::of(endpoint, self.first(endpoint).await));
        }
        Preflight {
            probes,
            ahead: self.ahead(),
        }
    }
}
