//! How well a device does.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::inventory::{ClientHealth, Compliance};

/// How well a device does, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// How well its Configuration Manager client does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientHealth>,
    /// What its compliance was last judged to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance: Option<Compliance>,
}

/// In what a device does worse than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Worse {
    /// Its Configuration Manager client was healthy and is not.
    Client,
    /// It met its policies, or had some days left, and does no more.
    Compliance,
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
        compared
            .is_some_and(|(now, before)| now.cmp(&before) == Ordering::Less)
            .then_some(Worse::Compliance)
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
}
