//! Carrying out what a pass has decided.

use std::collections::BTreeMap;

use diarchy_core::due::{self, Brakes, Due, Wait};
use diarchy_core::engine::Engine;
use diarchy_core::resource::{Kind, ObjectName};
use diarchy_core::steps::Step;
use diarchy_core::workload::{Authority, Staged, Workload};
use diarchy_fleet::inventory::Readings;
use diarchy_fleet::site::lever::{Blocked, Claimant, LeverMemory, LeverOptions, Stopped};
use diarchy_fleet::site::state::SiteState;

use crate::audit::{Entry, Event};
use crate::context::{Decided, FleetPass};
use crate::control_plane::ControlPlane;
use crate::error::OperatorError;
use crate::hold::Hold;
use crate::journal::{AuditJournal, SentRule};
use crate::memory::{FleetMemory, LastWrite};
use crate::{history, moves, notify};

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// Membership changes that were sent.
    pub rules: usize,
    /// Requests that this took.
    pub requests: usize,
    /// What was not done, and why.
    pub problems: Vec<String>,
}

/// Carries out the steps that are due, or claims the fleet first.
///
/// # Errors
///
/// [`OperatorError::State`] when the audit trail cannot be written: then nothing more was sent.
pub async fn carry_out<P: ControlPlane>(
    pass: &FleetPass<'_, P>,
    decided: &Decided<'_>,
    due: &Due,
    readings: &Readings,
    memory: &mut FleetMemory,
    lever: &mut LeverMemory,
) -> Result<Written, OperatorError> {
    let Ok(state) = &readings.site.state else {
        return Ok(Written::default());
    };
    match &decided.hold {
        Some(Hold::Unclaimed { epoch }) => return claim(pass, state, *epoch, memory).await,
        Some(_) => return Ok(Written::default()),
        // Nobody holds the fleet as long as there is nothing to write.
        None if state.claim_in_force().is_none() => return Ok(Written::default()),
        None => {}
    }
    let asked = asked(pass, decided, due, memory);
    history::keep(&mut memory.history, decided.engine.inventory(), &asked);
    pass.plane.audit(&asked).await?;
    let own = Claimant {
        epoch: memory.epoch.unwrap_or(0),
        installation: pass.installation.to_owned(),
    };
    let engine = &decided.engine;
    let mut changes =
        moves::membership_changes(engine, &due.steps, &decided.sight.rules, pass.uids);
    changes.extend(moves::enrollment(engine, &due.enrolling, &own.installation));
    let journal = AuditJournal::new(pass, Some(state));
    let report = pass
        .estate
        .site
        .carry_out(
            state,
            &own,
            &changes,
            lever,
            &journal,
            &LeverOptions::default(),
        )
        .await;
    notify::notify(pass, decided, state, memory, &journal).await?;
    let (rules, requests) = journal.finish();
    memory.has_sent(engine.now(), pass.clock.now(), rules.len());
    remember(engine, &due.steps, &rules, memory);
    let mut problems: Vec<String> = report.blocked.iter().filter_map(blocked).collect();
    match report.stopped {
        None => {}
        Some(Stopped::Journal(error)) => {
            pass.plane.may_send()?;
            return Err(OperatorError::Internal(error.to_string()));
        }
        Some(Stopped::NotHolder(_)) => {
            problems.push("another installation took the fleet over".to_owned());
        }
        Some(Stopped::Estate(error)) => problems.push(format!("{}: {error}", error.code())),
        Some(Stopped::Unknown(detail)) => problems.push(format!(
            "the answer to the last request was lost, so it is read back first: {detail}"
        )),
    }
    Ok(Written {
        rules: rules.len(),
        requests,
        problems,
    })
}

async fn claim<P: ControlPlane>(
    pass: &FleetPass<'_, P>,
    state: &SiteState,
    epoch: u64,
    memory: &mut FleetMemory,
) -> Result<Written, OperatorError> {
    let claimant = Claimant {
        epoch,
        installation: pass.installation.to_owned(),
    };
    let journal = AuditJournal::new(pass, Some(state));
    pass.estate
        .site
        .create_claim(&state.fleet, &claimant, &journal)
        .await
        .map_err(|error| OperatorError::Internal(error.to_string()))?;
    let (_, requests) = journal.finish();
    memory.take_over = None;
    Ok(Written {
        requests,
        ..Written::default()
    })
}

/// What a pilot collection refuses is said once, with the manual steps.
fn blocked((staged, owner, why): &(Staged, ObjectName, Blocked)) -> Option<String> {
    match why {
        Blocked::Pilot(_) => None,
        _ => Some(format!("{staged}, {owner}: {why}")),
    }
}

/// What is sent in a pass in which something may be: no more than the pace allows.
pub fn due(decided: &Decided<'_>) -> Due {
    let Decided {
        engine,
        steps,
        acceptance,
        ..
    } = decided;
    braked(decided, |brakes| {
        due::due(engine, steps, &acceptance.enrolling, brakes)
    })
}

/// The steps that are not, and why.
pub fn held_back<'d>(decided: &'d Decided<'_>) -> Vec<(&'d Step, Wait)> {
    braked(decided, |brakes| {
        due::waiting(&decided.engine, &decided.steps, brakes)
    })
}

/// What `see` makes of what the steps of a pass are held against.
fn braked<T>(decided: &Decided<'_>, see: impl FnOnce(&Brakes<'_>) -> T) -> T {
    see(&Brakes {
        left: decided.left,
        is_asked: &|step| step.is_asked(&decided.engine, &decided.under_way),
        is_enrolling: &|row| is_enrolling(decided, row),
        contradicted: decided.sight.contradicted,
        moves: &decided.moves,
    })
}

/// How many more rules the pace allows to change now.
pub fn left(engine: &Engine<'_>, memory: &mut FleetMemory) -> usize {
    let spent = memory.sent_lately(engine.now());
    let allowed = engine.desired().guardrails.max_changes_per_hour as usize;
    allowed.saturating_sub(spent)
}

/// Whether the site has a rule that has the device join the pilot of automatic enrolment.
fn is_enrolling(decided: &Decided<'_>, row: usize) -> bool {
    let resource = decided.engine.inventory().resource_id(row);
    resource.is_some_and(|resource| decided.sight.rules.has_rule(Staged::Enrollment, resource))
}

/// Where the device is once the step has taken effect.
fn goes_to(engine: &Engine<'_>, step: &Step) -> Authority {
    match step {
        Step::Place { .. } | Step::TakeOut { but: Some(_), .. } => Authority::Intune,
        Step::TakeOut { but: None, .. } => Authority::ConfigurationManager,
        // It stays where it is.
        Step::Withdraw { row, workload, .. } => match engine.holding(*row, *workload) {
            Some(holding) if !holding.is_empty() => Authority::Intune,
            _ => Authority::ConfigurationManager,
        },
    }
}

/// Whether the last thing written for the step's device was the same.
pub fn was_sent(engine: &Engine<'_>, step: &Step, memory: &FleetMemory) -> bool {
    let (row, workload) = step.pair();
    memory
        .last_write(engine.inventory().first_id(row), workload)
        .is_some_and(|write| write.to == goes_to(engine, step))
}

/// What is asked for the first time, for the audit trail.
fn asked<P>(
    pass: &FleetPass<'_, P>,
    decided: &Decided<'_>,
    due: &Due,
    memory: &FleetMemory,
) -> Vec<Entry> {
    let engine = &decided.engine;
    let device = |row: usize| engine.inventory().id(row).to_owned();
    let entry = |event| pass.entry(engine.now(), event);
    let steps = due.steps.iter();
    let asked = steps
        .filter(|step| !was_sent(engine, step, memory))
        .map(|step| {
            let (row, workload) = step.pair();
            let asking = engine.desired().assignment(step.because());
            entry(Event::Asked {
                device: device(row),
                workload,
                to: goes_to(engine, step),
                because: asking.name.as_assignment(),
            })
        });
    let rows = due.enrolling.iter();
    let enrolling = rows
        .filter(|row| !is_enrolling(decided, **row))
        .filter_map(|row| {
            let policy = engine.desired().policy.as_ref()?;
            Some(entry(Event::AskedToEnroll {
                device: device(*row),
                because: format!("{}/{}", Kind::CoManagementPolicy, policy.name),
            }))
        });
    asked.chain(enrolling).collect()
}

/// Remembers what was sent, for telling old reports from new ones.
fn remember(engine: &Engine<'_>, steps: &[Step], rules: &[SentRule], memory: &mut FleetMemory) {
    if rules.is_empty() {
        return;
    }
    let inventory = engine.inventory();
    // A device that is placed anew while an older rule is withdrawn goes where it is placed: the
    // earlier step counts.
    let asked: BTreeMap<(Workload, u32), &Step> = steps
        .iter()
        .rev()
        .filter_map(|step| {
            let (row, workload) = step.pair();
            Some(((workload, inventory.resource_id(row)?), step))
        })
        .collect();
    for rule in rules {
        let workload = rule.staged.workload();
        let step = workload.and_then(|workload| asked.get(&(workload, rule.resource)));
        let Some(step) = step else {
            continue;
        };
        let (row, workload) = step.pair();
        let write = LastWrite {
            at: rule.at,
            to: goes_to(engine, step),
            notified: false,
        };
        memory.wrote(inventory.first_id(row), workload, write);
    }
}
