//! How well a device does.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::fact::Fact;
use crate::inventory::{ClientHealth, Compliance, ReportedError};

/// How well a device does, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// How well its Configuration Manager client does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientHealth>,
    /// What its compliance was last judged to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance: Option<Compliance>,
    /// What was reported of it as gone wrong.
    #[serde(default, skip_serializing_if = "Fact::is_unread")]
    pub error: Fact<ReportedError>,
}

/// In what a device does worse than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Worse {
    /// Its Configuration Manager client was healthy and is not.
    Client,
    /// It met its policies, or had some days left, and does no more.
    Compliance,
    /// An error is reported that was not reported before.
    Error,
}

impl Health {
    /// In what it is worse than `before`; what cannot be compared is not worse.
    ///
    /// Who judges compliance changes with the workload of that name, so that only Intune's verdicts are
    /// compared with each other. A client that has not checked in for long is offline, not ill.
    #[must_use]
    pub fn is_worse_than(self, before: Self) -> Option<Worse> {
        let fell_ill = before.client == Some(ClientHealth::Healthy)
            && self.client == Some(ClientHealth::Unhealthy);
        if fell_ill {
            return Some(Worse::Client);
        }
        let compared = rank(self.compliance).zip(rank(before.compliance));
        if compared.is_some_and(|(now, before)| now.cmp(&before) == Ordering::Less) {
            return Some(Worse::Compliance);
        }
        let is_new =
            self.error.known().is_some() && !before.error.is_unread() && self.error != before.error;
        is_new.then_some(Worse::Error)
    }
}

const fn rank(compliance: Option<Compliance>) -> Option<u8> {
    match compliance {
        Some(Compliance::Compliant) => Some(2),
        Some(Compliance::InGracePeriod) => Some(1),
        Some(Compliance::NonCompliant) => Some(0),
        Some(Compliance::ConfigurationManager | Compliance::Unknown) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(client: ClientHealth, compliance: Compliance) -> Health {
        Health {
            client: Some(client),
            compliance: Some(compliance),
            error: Fact::Absent,
        }
    }

    #[test]
    fn is_worse_only_where_both_can_be_compared() {
        use ClientHealth::{Healthy, Inactive, Unhealthy};
        use Compliance::{Compliant, ConfigurationManager, InGracePeriod, NonCompliant};
        let well = health(Healthy, Compliant);
        for (now, worse) in [
            (well, None),
            (health(Unhealthy, Compliant), Some(Worse::Client)),
            (health(Inactive, Compliant), None),
            (health(Healthy, InGracePeriod), Some(Worse::Compliance)),
            (health(Healthy, NonCompliant), Some(Worse::Compliance)),
            (health(Healthy, ConfigurationManager), None),
            (Health::default(), None),
        ] {
            assert_eq!(now.is_worse_than(well), worse, "{now:?}");
        }
        let ill = health(Unhealthy, ConfigurationManager);
        let now = health(Unhealthy, NonCompliant);
        assert_eq!(now.is_worse_than(ill), None);
        assert_eq!(well.is_worse_than(Health::default()), None);
    }

    #[test]
    fn an_error_counts_where_it_is_known_not_to_have_been_there_before() {
        use ReportedError::{ComplianceConflict, ComplianceError};
        let errors = [
            Fact::Unread,
            Fact::Absent,
            Fact::Known(ComplianceError),
            Fact::Known(ComplianceConflict),
        ];
        // Who judges compliance changes with the move itself, and says nothing about an error.
        for compliance in Compliance::ALL {
            let healthy = |error, compliance| Health {
                error,
                ..health(ClientHealth::Healthy, compliance)
            };
            for (before, now) in errors.iter().flat_map(|one| errors.map(|now| (*one, now))) {
                let is_new = match (before, now) {
                    (Fact::Absent, Fact::Known(_)) => true,
                    (Fact::Known(before), Fact::Known(now)) => before != now,
                    (Fact::Unread, _) | (_, Fact::Unread | Fact::Absent) => false,
                };
                let (now, before) = (
                    healthy(now, Compliance::Unknown),
                    healthy(before, *compliance),
                );
                let worse = is_new.then_some(Worse::Error);
                assert_eq!(now.is_worse_than(before), worse, "{before:?} {now:?}");
            }
        }
    }
}
