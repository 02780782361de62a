//! How often each call was made, and what came of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::error::Service;

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// An answer with this HTTP status.
    Status(u16),
    /// No answer.
    NoAnswer,
}

/// How often one call had one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCount {
    /// Whom.
    pub service: Service,
    /// GET or POST.
    pub method: &'static str,
    /// The call, with placeholders for its values: a metric must not grow with the fleet.
    pub endpoint: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// How often, attempts counted one by one.
    pub count: u64,
}

type Key = (Service, &'static str, &'static str, Outcome);

/// Requests since the start, by call and outcome.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<Key, u64>>);

impl Counters {
    pub(crate) fn count(
        &self,
        service: Service,
        method: &'static str,
        endpoint: &'static str,
        outcome: Outcome,
    ) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts
            .entry((service, method, endpoint, outcome))
            .or_default() += 1;
    }

    /// The counts now, in a fixed order.
    #[must_use]
    pub fn snapshot(&self) -> Vec<RequestCount> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(
                |(&(service, method, endpoint, outcome), &count)| RequestCount {
                    service,
                    method,
                    endpoint,
                    outcome,
                    count,
                },
            )
            .collect()
    }
}
