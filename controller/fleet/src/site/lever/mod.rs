//! The one lever: membership of the pilot collections.
//!
//! Each assignment owns collections of its own, which the workload's pilot collection includes.
//! Nothing else is ever written to, and nothing is sent that the site has already.

mod fill;
mod memory;
mod pull;

use std::collections::BTreeMap;
use std::fmt;

use diarchy_core::resource::ObjectName;
use diarchy_core::workload::Staged;
use serde_json::json;

use super::collection::CollectionId;
use super::mark::Mark;
use super::state::Claim;
use super::{MODIFY_RIGHT, SiteClient};
use crate::error::{EstateError, Service};
use crate::http::Endpoint;

pub use super::write::Outcome;
pub use memory::LeverMemory;

/// The most direct rules of one owned collection.
pub const MOST_RULES: usize = 10_000;

/// What one assignment wants changed in one workload's pilot, or a policy in that of enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipChange {
    /// Which pilot.
    pub staged: Staged,
    /// Which assignment or policy.
    pub owner: ObjectName,
    /// Which one of that name.
    pub uid: String,
    /// Devices to place, by the site's numbers.
    pub add: Vec<u32>,
    /// Devices to take out, by the owned collection that holds them, by rule or by membership, and
    /// which may be another assignment's.
    pub remove: BTreeMap<CollectionId, Vec<u32>>,
}

/// Who pulls the lever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// The epoch of its claim.
    pub epoch: u64,
    /// The installation's id.
    pub installation: String,
}

/// How the lever is pulled.
#[derive(Debug, Clone, Copy)]
pub struct LeverOptions {
    /// How many rules go into one request.
    pub batch: usize,
    /// How long an evaluation that was asked for is waited for before it is asked for again.
    pub refresh_again: std::time::Duration,
}

impl Default for LeverOptions {
    fn default() -> Self {
        Self {
            batch: 1000,
            refresh_again: std::time::Duration::from_mins(15),
        }
    }
}

/// One request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// A new collection.
    CreateCollection {
        /// Its name.
        name: String,
        /// Its Comment.
        mark: Mark,
        /// What limits it.
        limiting: CollectionId,
    },
    /// The pilot collection includes an owned one.
    Include {
        /// The pilot collection.
        pilot: CollectionId,
        /// The owned one.
        owned: CollectionId,
    },
    /// An owned collection gets direct rules.
    AddRules {
        /// The owned collection.
        collection: CollectionId,
        /// For these devices.
        resources: Vec<u32>,
    },
    /// An owned collection loses direct rules.
    DeleteRules {
        /// The owned collection.
        collection: CollectionId,
        /// For these devices.
        resources: Vec<u32>,
    },
    /// A collection's members are evaluated now.
    Refresh {
        /// The collection.
        collection: CollectionId,
    },
    /// Clients are asked to poll their policy.
    Notify {
        /// A collection that they are members of.
        collection: CollectionId,
        /// Which of its members.
        resources: Vec<u32>,
    },
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateCollection { name, .. } => write!(f, "create the collection {name}"),
            Self::Include { pilot, owned } => write!(f, "include {owned} in {pilot}"),
            Self::AddRules {
                collection,
                resources,
            } => write!(f, "add {} rules to {collection}", resources.len()),
            Self::DeleteRules {
                collection,
                resources,
            } => write!(f, "delete {} rules from {collection}", resources.len()),
            Self::Refresh { collection } => write!(f, "evaluate {collection}"),
            Self::Notify {
                collection,
                resources,
            } => write!(f, "notify {} clients in {collection}", resources.len()),
        }
    }
}

/// A journal that could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be written: {0}")]
pub struct JournalError(pub String);

/// Where every write is noted before it leaves and after its answer came.
pub trait Journal: Sync {
    /// Called before a request leaves. An error keeps it, and all that would follow, from leaving.
    fn about_to_send(&self, write: &Write)
    -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Called when the outcome is known, or known not to be known. An error stops what would follow.
    fn sent(
        &self,
        write: &Write,
        outcome: &Outcome,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;
}

/// Why a change was not carried out although nothing failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// The workload has no pilot collection, or one that may not be written to.
    Pilot(String),
    /// The collection to take devices out of is not one that Diarchy made for the workload.
    NotOwned(CollectionId),
    /// A collection of the same owner could not be read: another might be made beside it, for devices that
    /// it has.
    Unread(CollectionId),
    /// Devices that are handed over stay where they are, since they could not be placed anew.
    HandOver(u64),
    /// The site refused to make the collection they belong into.
    Refused(String),
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pilot(why) => write!(f, "the pilot collection may not be written to: {why}"),
            Self::NotOwned(id) => write!(f, "{id} is no collection made for this pilot"),
            Self::Unread(id) => write!(f, "nothing is placed while {id} cannot be read"),
            Self::HandOver(devices) => {
                write!(f, "{devices} devices stay until they are placed anew")
            }
            Self::Refused(why) => write!(f, "the site refused: {why}"),
        }
    }
}

/// Why the lever was let go before the end.
#[derive(Debug, Clone, PartialEq)]
pub enum Stopped {
    /// Another installation, or none, holds the fleet.
    NotHolder(Option<Claim>),
    /// The journal could not be written.
    Journal(JournalError),
    /// The site cannot be written to now.
    Estate(EstateError),
    /// The last write may have happened or not.
    Unknown(String),
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeverReport {
    /// Every request, in order, and what came of it.
    pub writes: Vec<(Write, Outcome)>,
    /// What was not done, and why.
    pub blocked: Vec<(Staged, ObjectName, Blocked)>,
    /// Rules that were there already, or gone already: nothing was sent for them.
    pub already: u64,
    /// Set when it ended early; what was not sent is asked for again by the next plan.
    pub stopped: Option<Stopped>,
}

const CREATE: Endpoint = modifying("/wmi/SMS_Collection");
const ADD_ONE: Endpoint = modifying("/wmi/SMS_Collection('{id}')/AdminService.AddMembershipRule");
const ADD: Endpoint = modifying("/wmi/SMS_Collection('{id}')/AdminService.AddMembershipRules");
const DELETE: Endpoint =
    modifying("/wmi/SMS_Collection('{id}')/AdminService.DeleteMembershipRules");
const REFRESH: Endpoint = modifying("/wmi/SMS_Collection('{id}')/AdminService.RequestRefresh");

const fn modifying(template: &'static str) -> Endpoint {
    Endpoint {
        template,
        needs: MODIFY_RIGHT,
    }
}

impl SiteClient {
    /// Claims a fleet: makes the empty collection whose Comment says so. Whoever claims reads the
    /// site's state afterwards, to see which claim is in force.
    ///
    /// # Errors
    ///
    /// [`JournalError`] when the journal could not be written; before the request left, nothing
    /// happened.
    pub async fn create_claim<J: Journal>(
        &self,
        fleet: &str,
        claimant: &Claimant,
        journal: &J,
    ) -> Result<Outcome, JournalError> {
        let write = Write::CreateCollection {
            name: format!(
                "Diarchy claim {fleet} {} {}",
                claimant.epoch, claimant.installation
            ),
            mark: Mark::Claim {
                fleet: fleet.to_owned(),
                epoch: claimant.epoch,
                installation: claimant.installation.clone(),
            },
            limiting: CollectionId::all_systems(),
        };
        journal.about_to_send(&write).await?;
        let (outcome, _) = self.send_write(&write).await;
        journal.sent(&write, &outcome).await?;
        Ok(outcome)
    }

    /// Sends one write of a collection. A created collection's id comes with it.
    pub(crate) async fn send_write(&self, write: &Write) -> (Outcome, Option<CollectionId>) {
        let method = |id: &CollectionId, name: &str| {
            format!("wmi/SMS_Collection('{id}')/AdminService.{name}")
        };
        let (endpoint, path, body) = match write {
            Write::CreateCollection {
                name,
                mark,
                limiting,
            } => return self.create_collection(name, mark, limiting).await,
            Write::Include { pilot, owned } => (
                ADD_ONE,
                method(pilot, "AddMembershipRule"),
                json!({ "collectionRule": {
                    "@odata.type": "#AdminService.SMS_CollectionRuleIncludeCollection",
                    "RuleName": format!("Diarchy {owned}"),
                    "IncludeCollectionID": owned.as_str(),
                } }),
            ),
            Write::AddRules {
                collection,
                resources,
            } => (
                ADD,
                method(collection, "AddMembershipRules"),
                json!({ "collectionRules": direct_rules(resources) }),
            ),
            Write::DeleteRules {
                collection,
                resources,
            } => (
                DELETE,
                method(collection, "DeleteMembershipRules"),
                json!({ "collectionRules": direct_rules(resources) }),
            ),
            Write::Refresh { collection } => {
                (REFRESH, method(collection, "RequestRefresh"), json!({}))
            }
            Write::Notify { .. } => {
                let error = EstateError::Configuration {
                    service: Service::AdminService,
                    detail: "a notification is no write of a collection".to_owned(),
                };
                return (Outcome::NotSent(error), None);
            }
        };
        (self.post(endpoint, &path, &body).await.outcome, None)
    }

    async fn create_collection(
        &self,
        name: &str,
        mark: &Mark,
        limiting: &CollectionId,
    ) -> (Outcome, Option<CollectionId>) {
        // Left out, RefreshType is 1: evaluated when asked for, never incrementally.
        let body = json!({
            "Name": name,
            "LimitToCollectionID": limiting.as_str(),
            "Comment": mark.to_string(),
            "CollectionType": super::collection::DEVICES,
        });
        let written = self.post(CREATE, "wmi/SMS_Collection", &body).await;
        if written.outcome != Outcome::Sent {
            return (written.outcome, None);
        }
        let entity = written
            .body
            .get("value")
            .and_then(|value| value.get(0).or(Some(value)))
            .unwrap_or(&written.body);
        let id = entity
            .get("CollectionID")
            .and_then(|id| id.as_str()?.parse().ok());
        if id.is_some() {
            return (Outcome::Sent, id);
        }
        let detail = "the site made a collection and did not say which".to_owned();
        (Outcome::Unknown { detail }, None)
    }
}

/// A rule's name is its device's number: it must be the same when the rule is deleted, which a
/// computer name need not be.
fn direct_rules(resources: &[u32]) -> serde_json::Value {
    resources
        .iter()
        .map(|resource| {
            json!({
                "@odata.type": "#AdminService.SMS_CollectionRuleDirect",
                "ResourceClassName": "SMS_R_System",
                "RuleName": resource.to_string(),
                "ResourceID": resource,
            })
        })
        .collect()
}
