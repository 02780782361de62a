//! What is wrong with a fleet, and when what stands on it says so too.

use diarchy_core::consequence::Consequence;
use diarchy_fleet::inventory::Readings;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::judged::Judged;
use crate::report::FleetReport;

/// Why a fleet is not carried out, which nobody wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trouble<'a> {
    /// What went wrong.
    pub what: &'a str,
    /// Whether a person must mend it first; otherwise it is tried again.
    pub needs_person: bool,
}

impl<'a> Trouble<'a> {
    /// What went wrong in a pass that was made.
    pub fn of_pass(report: &'a FleetReport, readings: &Readings) -> Option<Self> {
        let needs_person = readings
            .failures()
            .iter()
            .any(|error| error.consequence() == Consequence::FixInput);
        Some(Self {
            what: report.problems.first()?,
            needs_person,
        })
    }

    /// Whether what stands on the fleet says so too, where the fleet said `before`: a failure that is
    /// over at the next look is the fleet's alone.
    pub fn is_everybodys(self, before: &[Condition]) -> bool {
        let was_ready = before
            .iter()
            .any(|one| one.type_ == "Ready" && one.status == "True");
        self.needs_person || !was_ready
    }

    /// What the fleet says.
    pub fn of_fleet(self, reason: &'static str) -> Judged {
        self.judged(reason, self.what.to_owned())
    }

    /// What everything says that stands on the fleet.
    pub fn of_dependent(self) -> Judged {
        let message = format!("its fleet is not ready: {}", self.what);
        if self.needs_person {
            // It is the fleet that a person must mend.
            return Judged::not_ready("DependencyNotReady", message);
        }
        Judged::tried_again("DependencyNotReady", message)
    }

    fn judged(self, reason: &'static str, message: String) -> Judged {
        if self.needs_person {
            Judged::by_person(reason, message)
        } else {
            Judged::tried_again(reason, message)
        }
    }
}
