//! The preflight of a fleet: everything that it needs, looked at before it hurts.
//!
//! Nothing is written, and no inventory is read: one small request of each kind, the collections that
//! the policy names, clocks, and what ends soon. Whether the site lets its collections be changed is
//! known only by changing them, so it is not said.

use std::collections::BTreeMap;
use std::fmt;

use diarchy_clock::Clock;
use diarchy_core::code::Code;
use diarchy_core::desired::Desired;
use diarchy_core::requirement::{Known, Lack, Unmet};
use diarchy_core::rollout::{Rollouts, Said};
use diarchy_core::workload::Staged;
use diarchy_fleet::graph::application::CLIENT_SECRET;
use diarchy_fleet::graph::directory::MdmAuthority;
use diarchy_fleet::inventory::Estate;
use diarchy_fleet::preflight::Preflight;
use diarchy_fleet::site::pilot::PilotState;
use diarchy_fleet::{EstateError, Expiry};
use diarchy_git::LoadedFleet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::connect::Connect;
use crate::gather;

/// Tokens and Kerberos tickets are refused when clocks differ by more than five minutes.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// Something is wrong with a clock that differs by more than this.
const NOTABLE_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// The code under which it is documented, where it is not well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How to mend it, where it is not well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How something is that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckState {
    /// As it should be.
    Well,
    /// It works, and will not for ever, or not for everything.
    Notice,
    /// It does not work.
    Failed,
}

impl Check {
    /// Something that is as it should be.
    pub fn well(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            state: CheckState::Well,
            found: found.into(),
            code: None,
            remedy: None,
        }
    }

    /// Something that is not, and how to mend it.
    pub fn not_well(
        state: CheckState,
        what: impl Into<String>,
        code: Code,
        found: impl fmt::Display,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            state,
            found: found.to_string(),
            code: Some(code.to_string()),
            remedy: Some(remedy.into()),
        }
    }

    /// A resource that stands still, for a problem that says its code and remedy itself.
    #[must_use]
    pub fn invalid(resource: &str, problem: &str) -> Self {
        let (code, found) = match problem.split_once(": ") {
            Some((code, found)) if code.starts_with("DIA") => (Some(code.to_owned()), found),
            _ => (None, problem),
        };
        Self {
            what: resource.to_owned(),
            state: CheckState::Failed,
            found: found.to_owned(),
            code,
            remedy: None,
        }
    }

    fn failed(what: impl Into<String>, error: &EstateError) -> Self {
        let remedy = match error {
            EstateError::Forbidden { .. } => "grant what is missing",
            _ => "see the page of this code for what to check",
        };
        Self::not_well(CheckState::Failed, what, error.code(), error, remedy)
    }
}

/// Looks at everything that `fleet` needs.
pub async fn fleet(fleet: &LoadedFleet, connect: &dyn Connect, clock: &Clock) -> Vec<Check> {
    let clients = match connect.connect(fleet) {
        Ok(clients) => clients,
        Err(error) => {
            return vec![Check::not_well(
                CheckState::Failed,
                "Credentials",
                error.code(),
                &error,
                error.remedy(),
            )];
        }
    };
    let estate = &clients.estate;
    let mut checks = vec![Check::well("Credentials", "they can be read")];
    let now = clock.now();
    checks.extend(estate.graph.certificate_expiry(now).map(expiry));
    checks.extend(estate.site.expiries(now).map(expiry));
    let (graph, site) = (
        estate.graph.preflight().await,
        estate.site.preflight().await,
    );
    checks.extend(requests("Microsoft Graph", &graph));
    checks.extend(client_secret(estate, &graph, now).await);
    checks.extend(tenant(estate, &graph).await);
    checks.extend(required(&fleet.desired, estate, &graph).await);
    checks.extend(requests("AdminService", &site));
    checks.extend(hierarchy(fleet, estate, &site).await);
    checks
}

/// Whether each kind of request is answered, and the service's clock.
fn requests(service: &str, preflight: &Preflight) -> Vec<Check> {
    let failures = preflight
        .probes
        .iter()
        .filter_map(|probe| Some((probe, probe.failure.as_ref()?)));
    let mut checks: Vec<Check> = failures
        .map(|(probe, error)| Check::failed(format!("{service} {}", probe.what), error))
        .collect();
    // One that is not there or lets nobody in says so once.
    let all = preflight.probes.len();
    if checks.len() == all
        && checks
            .iter()
            .all(|check| check.found == checks[0].found || check.code == checks[0].code)
    {
        checks.truncate(1);
        service.clone_into(&mut checks[0].what);
        return checks;
    }
    let answered = all - checks.len();
    if answered == all {
        checks.push(Check::well(
            service,
            format!("answers all {all} kinds of requests that reading takes"),
        ));
    }
    checks.extend(preflight.ahead.map(|ahead| clocks(service, ahead)));
    checks
}

fn clocks(service: &str, ahead: SignedDuration) -> Check {
    let what = format!("Clock of {service}");
    let by = SignedDuration::from_secs(ahead.abs().as_secs());
    let direction = if ahead.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    let found = format!("{by:#} {direction} this machine's");
    let state = match ahead.abs() {
        skew if skew > SKEW => CheckState::Failed,
        skew if skew > NOTABLE_SKEW => CheckState::Notice,
        _ => return Check::well(what, found),
    };
    let remedy = "set this machine's clock by a time server";
    Check::not_well(state, what, Code::ClockSkew, found, remedy)
}

fn expiry_of(what: &str) -> String {
    format!("Expiry of the {what}")
}

fn expiry(expiry: Expiry) -> Check {
    let what = expiry_of(expiry.what);
    if !expiry.soon {
        return Check::well(what, expiry.until.to_string());
    }
    let remedy =
        "make another in time, and let it be known where it is shown before it is used here";
    let found = expiry.until;
    let state = CheckState::Notice;
    Check::not_well(state, what, Code::CredentialExpires, found, remedy)
}

/// When the client secret ends. To tell that takes a permission that nothing else needs: it works
/// without.
async fn client_secret(estate: &Estate, graph: &Preflight, now: Timestamp) -> Option<Check> {
    if graph.probes.iter().all(|probe| probe.failure.is_some()) {
        return None;
    }
    Some(match estate.graph.secret_expiry(now).await {
        Ok(found) => expiry(found?),
        Err(EstateError::Forbidden { needs, .. }) => Check::well(
            expiry_of(CLIENT_SECRET),
            format!("not told: that takes {needs}, which nothing else needs"),
        ),
        Err(error) => Check::failed(expiry_of(CLIENT_SECRET), &error),
    })
}

async fn tenant(estate: &Estate, graph: &Preflight) -> Option<Check> {
    if graph.probes.iter().all(|probe| probe.failure.is_some()) {
        return None;
    }
    let organization = estate.graph.organization().await.ok()?;
    let authority = organization.mdm_authority.known()?;
    Some(match authority {
        MdmAuthority::Intune => Check::well("MDM authority", "it is Intune"),
        other => Check::not_well(
            CheckState::Failed,
            "MDM authority",
            Code::EstateAnswer,
            format!("it is {other:?}, and co-management needs Intune"),
            "set the MDM authority of the tenant to Intune",
        ),
    })
}

/// Whether the objects of Intune that assignments require are ready. What a person attests, only a loop
/// knows.
async fn required(desired: &Desired, estate: &Estate, graph: &Preflight) -> Vec<Check> {
    let wanted = gather::request(desired).required;
    if wanted.is_empty() || graph.probes.iter().all(|probe| probe.failure.is_some()) {
        return Vec::new();
    }
    let found = estate.graph.required(&wanted).await;
    let judged = desired.with_requirements(&Known {
        objects: &found,
        uids: &BTreeMap::new(),
        is_attested: &|_| false,
        rollouts: &Rollouts::new(),
        said: &Said::new(),
    });
    let unmet = judged.assignments.iter().flat_map(|assignment| {
        let unmet = assignment.unmet.iter();
        unmet.map(move |unmet| (&assignment.name.name, unmet))
    });
    let mut checks: Vec<Check> = unmet
        .filter_map(|(name, unmet)| unready(name, unmet))
        .collect();
    if checks.is_empty() {
        let found = format!("all {} objects that are required are ready", wanted.len());
        checks.push(Check::well("Required of Intune", found));
    }
    checks
}

fn unready(assignment: &str, unmet: &Unmet) -> Option<Check> {
    let (state, code) = match unmet.lack {
        Lack::NotCarriedOut | Lack::NotLookedAt | Lack::NotAttested { .. } => return None,
        Lack::Forbidden { .. } => (CheckState::Failed, Code::EstateForbidden),
        Lack::Unread { .. } => (CheckState::Failed, Code::EstateAnswer),
        Lack::NotFound
        | Lack::OtherType { .. }
        | Lack::NotAssigned { .. }
        | Lack::Excluded { .. }
        | Lack::InBetaOnly => (CheckState::Notice, Code::RequirementNotReady),
    };
    let what = format!("Required by {assignment}");
    let remedy = unmet.way_on().to_string();
    Some(Check::not_well(state, what, code, unmet, remedy))
}

/// Whether the site is the one that is meant, who has claimed the fleet, and the pilot collections.
async fn hierarchy(fleet: &LoadedFleet, estate: &Estate, site: &Preflight) -> Vec<Check> {
    if site.probes.iter().all(|probe| probe.failure.is_some()) {
        return Vec::new();
    }
    let mut checks = Vec::new();
    let code = fleet.spec.site_code();
    if let Ok(sites) = estate.site.sites().await {
        let known: Vec<&str> = sites
            .items
            .iter()
            .filter_map(|site| site.code.as_ref().known())
            .map(String::as_str)
            .collect();
        checks.push(if known.contains(&code.as_str()) {
            Check::well("Site", format!("{code} is there"))
        } else {
            Check::not_well(
                CheckState::Failed,
                "Site",
                Code::EstateAnswer,
                format!("{code} is not there; there are: {}", known.join(", ")),
                "correct spec.configurationManager.siteCode",
            )
        });
    }
    let desired = &fleet.desired;
    match estate.site.state(&gather::request(desired).state).await {
        Err(error) => checks.push(Check::failed("Collections", &error)),
        Ok(state) => {
            let claim = state.claim_in_force();
            let claim = claim.map_or_else(
                || "nobody has claimed the fleet".to_owned(),
                |claim| format!("epoch {} is in force", claim.epoch),
            );
            checks.push(Check::well("Claim", claim));
            let pilots = state.pilots.iter();
            checks.extend(pilots.map(|(staged, pilot)| {
                pilot_collection(desired, *staged, pilot.id.as_str(), &pilot.state)
            }));
        }
    }
    checks
}

fn pilot_collection(desired: &Desired, staged: Staged, id: &str, state: &PilotState) -> Check {
    let what = format!("Collection {id} for {staged}");
    let found: String = match state {
        PilotState::Marked => return Check::well(what, "it is marked and safe to write to"),
        PilotState::Unreadable(error) => return Check::failed(what, error),
        PilotState::NotMarked => "it does not carry the mark".to_owned(),
        PilotState::Unsafe(hazards) => {
            let hazards: Vec<String> = hazards.iter().map(ToString::to_string).collect();
            format!(
                "it is marked, and not safe to write to: {}",
                hazards.join("; ")
            )
        }
    };
    let remedy = match state {
        PilotState::NotMarked => format!(
            "write `diarchy: {}/{staged}` into its Comment, once it is what the Staging tab names",
            desired.fleet.name
        ),
        _ => "make it a collection of its own for the pilot, with nothing else depending on it"
            .to_owned(),
    };
    let code = Code::CollectionNotUsable;
    Check::not_well(CheckState::Failed, what, code, found, remedy)
}
