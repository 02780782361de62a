//! Whether an assignment is carried out, by everything that is known of it and of its fleet.
//!
//! A person who must act makes it not ready. Git and time do not: what is suspended, frozen or outside
//! its window stays ready, and says so.

use diarchy_core::desired::{Force, FrozenBy};
use diarchy_core::requirement::Unmet;
use diarchy_core::rollout::{Phase, Progress, rolled_back};

use super::judged::Judged;
use super::trouble::Trouble;
use crate::hold::Hold;
use crate::report::WaitingReport;

/// How much of what is not ready is told in a sentence.
const MOST_UNMET: usize = 5;

/// What decides whether an assignment is carried out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'a> {
    /// How far it counts.
    pub force: Force,
    /// What it requires that is not ready, or not known to be.
    pub unmet: &'a [Unmet],
    /// Whether it is gone, and its devices still go back.
    pub is_going: bool,
    /// How many of its changes wait for a person, and for what.
    pub waiting: Option<(usize, &'a WaitingReport)>,
    /// What is wrong with its fleet, where those that stand on it say so.
    pub trouble: Option<Trouble<'a>>,
    /// Whether a person must do something at the console first.
    pub needs_console: bool,
    /// Why nothing is written.
    pub hold: Option<&'a Hold>,
    /// How many of its steps wait until its window opens.
    pub outside_window: usize,
    /// How far its rollout is, and of how many steps.
    pub rollout: Option<(&'a Progress, usize)>,
}

impl Standing<'_> {
    /// One that counts like this, and nothing else is known.
    pub const fn new(force: Force) -> Self {
        Self {
            force,
            unmet: &[],
            is_going: false,
            waiting: None,
            trouble: None,
            needs_console: false,
            hold: None,
            outside_window: 0,
            rollout: None,
        }
    }

    /// What it says: whether it is carried out, and who is to act if not.
    pub fn judge(&self) -> Judged {
        match self.force {
            Force::InForce => self.in_force(),
            Force::Observing => Judged::ready("Observing", "it only watches".to_owned()),
            Force::Frozen(by) => self.frozen(by),
        }
    }

    fn in_force(&self) -> Judged {
        if let Some((changes, waiting)) = self.waiting {
            let WaitingReport { digest, reason, .. } = waiting;
            let message =
                format!("{changes} of its changes wait for an approval of {digest} ({reason})");
            return Judged::by_person("AwaitingApproval", message);
        }
        if let Some(trouble) = self.trouble {
            return trouble.of_dependent();
        }
        if self.needs_console {
            let message = "a person must do something at the console first: its policy says what";
            return Judged::by_person("ManualStepNeeded", message.to_owned());
        }
        if let Some(stopped) = self.stopped() {
            return stopped;
        }
        let held = self.held();
        if self.is_going {
            let mut message = "it is gone, and its devices go back".to_owned();
            if let Some((_, why)) = held {
                message = format!("{message}: {why}");
            }
            return Judged::not_ready("Reverting", message);
        }
        match held {
            Some((reason, why)) => Judged::ready(reason, why),
            None => self.under_way(),
        }
    }

    /// A rollout that only a person, or git, gets on.
    fn stopped(&self) -> Option<Judged> {
        let (progress, steps) = self.rollout?;
        let at = format!("step {} of {steps}", progress.step + 1);
        let why = progress.stage.stopped().map(|why| why.to_string());
        let why = why.unwrap_or_default();
        let judged = match progress.phase() {
            Phase::AwaitingApproval => {
                let digest = progress.awaits()?;
                let message =
                    format!("{at} has ended: the next one waits for an approval of {digest}");
                Judged::by_person("AwaitingApproval", message)
            }
            Phase::Halted => {
                let message = format!(
                    "{at} has halted: {why}; it stays so until its spec or its group changes, or `diarchy retry`"
                );
                Judged::by_person("Halted", message)
            }
            Phase::RolledBack => {
                let message = format!(
                    "{at} was {}, and it is not tried again until its spec or its group changes, or `diarchy retry`",
                    rolled_back(why)
                );
                Judged::by_person("RolledBack", message)
            }
            Phase::Waiting | Phase::Progressing | Phase::Soaking | Phase::Complete => return None,
        };
        Some(judged)
    }

    fn frozen(&self, by: FrozenBy) -> Judged {
        match by {
            FrozenBy::Suspend => Judged::ready("Suspended", "git suspends it".to_owned()),
            FrozenBy::Pause => Judged::ready("Paused", "a person paused it".to_owned()),
            FrozenBy::Invalid => {
                Judged::by_person("Invalid", "it is wrong and stands still".to_owned())
            }
            FrozenBy::Requires => Judged::not_ready("DependencyNotReady", not_ready(self.unmet)),
        }
    }

    /// What it does while nothing holds it.
    fn under_way(&self) -> Judged {
        let Some((progress, steps)) = self.rollout else {
            return Judged::ready("InForce", "it is carried out".to_owned());
        };
        let at = format!("step {} of {steps}", progress.step + 1);
        match progress.phase() {
            Phase::Waiting => Judged::ready("Waiting", format!("{at} has nobody to move yet")),
            Phase::Progressing => Judged::ready("Progressing", format!("the devices of {at} move")),
            Phase::Soaking => Judged::ready("Soaking", format!("{at} is watched")),
            Phase::Complete => Judged::ready(
                "InForce",
                "it is carried out: its rollout is complete".to_owned(),
            ),
            Phase::AwaitingApproval | Phase::Halted | Phase::RolledBack => {
                Judged::ready("InForce", "it is carried out".to_owned())
            }
        }
    }

    /// What keeps it from being written for now, and is nobody's to mend.
    fn held(&self) -> Option<(&'static str, String)> {
        let reason = match self.hold {
            Some(Hold::Suspended) => Some("FleetSuspended"),
            Some(Hold::Observing) => Some("FleetObserving"),
            Some(Hold::Frozen { .. }) => Some("Frozen"),
            Some(
                Hold::SiteUnread(_)
                | Hold::Shrunk { .. }
                | Hold::HeldBy(_)
                | Hold::Unclaimed { .. },
            )
            | None => None,
        };
        if let (Some(reason), Some(hold)) = (reason, self.hold) {
            return Some((reason, format!("nothing is written: {hold}")));
        }
        (self.outside_window > 0).then(|| {
            let steps = self.outside_window;
            let message = format!("{steps} changes wait until its window opens");
            ("OutsideWindow", message)
        })
    }
}

/// What is required and not ready, in a sentence.
fn not_ready(unmet: &[Unmet]) -> String {
    let told: Vec<String> = unmet
        .iter()
        .take(MOST_UNMET)
        .map(ToString::to_string)
        .collect();
    let told = told.join("; ");
    match unmet.len().saturating_sub(MOST_UNMET) {
        0 => format!("what it requires is not ready: {told}"),
        more => format!("what it requires is not ready: {told}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::condition::ConditionKind;

    const IN_FORCE: Standing<'_> = Standing::new(Force::InForce);

    fn told(standing: Standing<'_>) -> String {
        let truths = standing.judge().truths();
        let holding: Vec<String> = truths
            .iter()
            .filter(|truth| truth.holds)
            .map(|truth| format!("{:?}", truth.kind))
            .collect();
        assert_eq!(truths[0].kind, ConditionKind::Ready);
        format!("{} {}", truths[0].reason, holding.join(" "))
    }

    fn waiting() -> WaitingReport {
        WaitingReport {
            digest: "sha256:0a".to_owned(),
            reason: "MaxLeaving",
            changes: 9,
            leaving: 9,
            since: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn is_ready_unless_a_person_must_act() {
        let waiting = waiting();
        let awaits = Standing {
            waiting: Some((3, &waiting)),
            is_going: true,
            hold: Some(&Hold::Suspended),
            ..IN_FORCE
        };
        assert_eq!(told(IN_FORCE), "InForce Ready");
        assert_eq!(told(awaits), "AwaitingApproval Stalled");
        let message = &awaits.judge().truths()[0].message;
        assert_eq!(
            message,
            "3 of its changes wait for an approval of sha256:0a (MaxLeaving)"
        );
        let console = Standing {
            needs_console: true,
            ..IN_FORCE
        };
        assert_eq!(told(console), "ManualStepNeeded Stalled");
        // Whoever freezes one assignment is not asked about another.
        for (by, says) in [
            (FrozenBy::Suspend, "Suspended Ready"),
            (FrozenBy::Pause, "Paused Ready"),
            (FrozenBy::Invalid, "Invalid Stalled"),
            (FrozenBy::Requires, "DependencyNotReady "),
        ] {
            let force = Force::Frozen(by);
            assert_eq!(told(Standing { force, ..awaits }), says);
        }
    }

    #[test]
    fn time_and_git_leave_it_ready() {
        let until = jiff::Timestamp::UNIX_EPOCH;
        let freeze = Hold::Frozen {
            name: "audit".to_owned(),
            until,
        };
        for (hold, says) in [
            (Hold::Suspended, "FleetSuspended Ready"),
            (Hold::Observing, "FleetObserving Ready"),
            (freeze, "Frozen Ready"),
            (Hold::Unclaimed { epoch: 1 }, "InForce Ready"),
            // What could not be read once is the fleet's to tell.
            (Hold::SiteUnread("it is away".to_owned()), "InForce Ready"),
        ] {
            let standing = Standing {
                hold: Some(&hold),
                ..IN_FORCE
            };
            assert_eq!(told(standing), says, "{hold}");
        }
        let window = Standing {
            outside_window: 2,
            ..IN_FORCE
        };
        assert_eq!(told(window), "OutsideWindow Ready");
    }

    #[test]
    fn what_is_wrong_with_the_fleet_is_wrong_with_it() {
        let of = |needs_person| Standing {
            trouble: Some(Trouble {
                what: "DIA2100: the site is away",
                needs_person,
            }),
            ..IN_FORCE
        };
        assert_eq!(told(of(false)), "DependencyNotReady Reconciling");
        assert_eq!(told(of(true)), "DependencyNotReady ");
    }

    #[test]
    fn what_is_gone_is_not_ready_while_its_devices_go_back() {
        let going = Standing {
            is_going: true,
            outside_window: 4,
            ..IN_FORCE
        };
        assert_eq!(told(going), "Reverting ");
        assert_eq!(
            going.judge().truths()[0].message,
            "it is gone, and its devices go back: 4 changes wait until its window opens"
        );
    }
}
