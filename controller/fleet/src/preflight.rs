//! One small request of each kind that reading a fleet makes: what a fleet needs is looked at without
//! reading all of it.

use jiff::SignedDuration;

use crate::error::EstateError;
use crate::http::Endpoint;

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
