//! What the site's collections say about a fleet: who may write, where, and who put which device
//! there.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use diarchy_core::fact::Fact;
use diarchy_core::resource::ObjectName;
use diarchy_core::workload::Staged;
use futures::stream;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use tracing::warn;

use super::collection::{Collection, CollectionId, DEVICES, Rule};
use super::mark::Mark;
use super::pilot::{PilotState, RulesRead, Surroundings, hazards, is_marked};
use super::{AT_ONCE, COLLECTIONS, MEMBERS, SiteClient};
use crate::error::{EstateError, Service};

/// Which fleet, and which collections its pilots use.
#[derive(Debug, Clone, Default)]
pub struct StateRequest {
    /// The fleet's name, as in the marks.
    pub fleet: String,
    /// The pilot collection of each workload whose slider stands at Pilot Intune, and that of
    /// automatic enrolment where devices join it.
    pub pilots: BTreeMap<Staged, CollectionId>,
}

/// A claim on a fleet: an empty collection whose Comment says who may write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The collection that is the claim.
    pub collection: CollectionId,
    /// The highest is in force.
    pub epoch: u64,
    /// Who holds it.
    pub installation: String,
}

/// The pilot collection of a workload, or of automatic enrolment.
#[derive(Debug, Clone)]
pub struct Pilot {
    /// Its id.
    pub id: CollectionId,
    /// Whether it may be written to.
    pub state: PilotState,
    /// What limits it.
    pub limiting: Option<CollectionId>,
    /// Its rules, if the service tells them.
    pub rules: Option<Vec<Rule>>,
    /// How many include and exclude rules it has.
    pub include_count: Option<i64>,
    /// Its members, as last evaluated; `None` when they could not be read.
    pub members: Option<BTreeSet<u32>>,
    /// The members of the collections that it includes and Diarchy did not make; `None` for one
    /// that could not be read.
    pub foreign_includes: BTreeMap<CollectionId, Option<BTreeSet<u32>>>,
    /// When its members were last evaluated.
    pub last_refresh: Option<Timestamp>,
}

/// A collection that Diarchy made for an assignment, or for a policy.
#[derive(Debug, Clone)]
pub struct Owned {
    /// Its id.
    pub id: CollectionId,
    /// Its name.
    pub name: String,
    /// What the collection that includes it is the pilot of.
    pub staged: Staged,
    /// The assignment that it was made for; for enrolment, the policy.
    pub owner: ObjectName,
    /// Which one of that name.
    pub uid: String,
    /// What limits it.
    pub limiting: Option<CollectionId>,
    /// The resources that its direct rules name, if the service tells rules.
    pub direct: Option<BTreeSet<u32>>,
    /// Its members, as last evaluated; `None` when they could not be read.
    pub members: Option<BTreeSet<u32>>,
    /// When its members were last evaluated.
    pub last_refresh: Option<Timestamp>,
    /// When it was last changed.
    pub last_change: Option<Timestamp>,
}

/// What a site's collections say about a fleet.
#[derive(Debug, Clone)]
pub struct SiteState {
    /// The fleet.
    pub fleet: String,
    /// When it was read.
    pub read_at: Timestamp,
    /// The claims on the fleet, the one in force first.
    pub claims: Vec<Claim>,
    /// The pilot collections asked for.
    pub pilots: BTreeMap<Staged, Pilot>,
    /// The collections that Diarchy made for the fleet.
    pub owned: BTreeMap<CollectionId, Owned>,
    /// The ids of all collections.
    pub collections: BTreeSet<CollectionId>,
    /// The names of all collections, in lower case: names should be unique.
    pub names: BTreeSet<String>,
}

impl SiteState {
    /// The claim in force: the highest epoch and, should two have made it at once, the older one.
    #[must_use]
    pub fn claim_in_force(&self) -> Option<&Claim> {
        self.claims.first()
    }

    /// The pilot and owned collections: never a device's own choice of collections.
    pub fn own_collections(&self) -> impl Iterator<Item = &CollectionId> {
        self.pilots
            .values()
            .map(|pilot| &pilot.id)
            .chain(self.owned.keys())
    }

    /// Whether the pilot collection of its workload includes `owned`; `None` when rules are not told.
    #[must_use]
    pub fn includes(&self, owned: &Owned) -> Option<bool> {
        let rules = self.pilots.get(&owned.staged)?.rules.as_ref()?;
        Some(rules.contains(&Rule::Include(owned.id.clone())))
    }
}

impl SiteClient {
    /// Reads what the site's collections say about a fleet.
    ///
    /// A pilot collection that cannot be read is [`PilotState::Unreadable`]; members and rules that
    /// cannot be read are `None`.
    ///
    /// # Errors
    ///
    /// Any [`EstateError`] when the collections cannot be listed in full, with their Comments:
    /// without them, what Diarchy made would look foreign.
    pub async fn state(&self, request: &StateRequest) -> Result<SiteState, EstateError> {
        let read_at = self.clock().now();
        let collections = self.collections_with_comments().await?;
        let (claims, owned_ids) = marked(&collections, request);
        let mut owned: BTreeMap<_, _> = stream::iter(owned_ids)
            .map(|(id, mark)| self.read_owned(id, mark).boxed())
            .buffer_unordered(AT_ONCE)
            .filter_map(futures::future::ready)
            .map(|owned| (owned.id.clone(), owned))
            .collect()
            .await;
        let mut rules = self.including_rules(&collections).await;
        rules.retain(|(id, rules)| {
            let is_told = matches!(rules, Ok(rules) if !rules.is_unread());
            is_told || !explained(id, &collections, request, &owned)
        });
        let surroundings = Surroundings {
            collections: &collections,
            rules: &rules,
        };
        let mut pilots = BTreeMap::new();
        for (staged, id) in &request.pilots {
            let pilot = self
                .read_pilot(request, *staged, id, &surroundings, &owned)
                .await;
            pilots.insert(*staged, pilot);
        }
        self.refuse_a_part(&collections, &pilots).await?;
        owned.retain(|id, _| request.pilots.values().all(|pilot| pilot != id));
        Ok(SiteState {
            fleet: request.fleet.clone(),
            read_at,
            claims,
            pilots,
            owned,
            collections: collections
                .iter()
                .filter_map(|collection| collection.id.as_ref().known().cloned())
                .collect(),
            names: names(&collections),
        })
    }

    async fn collections_with_comments(&self) -> Result<Vec<Collection>, EstateError> {
        let listing = self.collections().await?;
        let unusable =
            |detail| EstateError::unusable(Service::AdminService, COLLECTIONS.template, detail);
        if listing.items.is_empty() {
            // Every site has built-in collections.
            return Err(unusable("no collection at all"));
        }
        if listing.unreadable > 0
            || listing
                .items
                .iter()
                .any(|collection| collection.id.as_ref().known().is_none())
        {
            return Err(unusable("a collection without an id"));
        }
        if listing
            .items
            .iter()
            .any(|collection| collection.comment.is_unread())
        {
            return Err(unusable("a collection without its Comment"));
        }
        Ok(listing.items)
    }

    /// Refuses a list of collections that lacks one which a pilot collection is or names, and which is
    /// there: what Diarchy made would look foreign, or gone.
    async fn refuse_a_part(
        &self,
        collections: &[Collection],
        pilots: &BTreeMap<Staged, Pilot>,
    ) -> Result<(), EstateError> {
        for pilot in pilots.values() {
            let named = pilot.rules.iter().flatten().filter_map(Rule::collection);
            for id in named.chain([&pilot.id]) {
                if !is_listed(collections, id) && self.collection(id).await.is_ok() {
                    let detail = format!("a list of collections without {id}, which there is");
                    return Err(EstateError::unusable(
                        Service::AdminService,
                        COLLECTIONS.template,
                        detail,
                    ));
                }
            }
        }
        Ok(())
    }

    async fn read_owned(&self, id: CollectionId, mark: OwnedMark) -> Option<Owned> {
        let collection = match self.collection(&id).await {
            Ok(collection) => collection,
            Err(error) => {
                warn!(%id, %error, "an owned collection cannot be read");
                Collection::default()
            }
        };
        // The mark alone does not make it ours: whatever else carries it must not be written to.
        if matches!(collection.kind, Fact::Known(kind) if kind != DEVICES)
            || collection.built_in == Fact::Known(true)
        {
            return None;
        }
        let direct = collection.rules.clone().known().map(|rules| {
            let direct = rules.into_iter().filter_map(|rule| match rule {
                Rule::Direct(resource) => Some(resource),
                _ => None,
            });
            direct.collect()
        });
        Some(Owned {
            members: known(self.counted_members(&collection, &id).await, &id),
            id,
            name: mark.name,
            staged: mark.staged,
            owner: mark.owner,
            uid: mark.uid,
            limiting: collection.limiting.known(),
            direct,
            last_refresh: collection.last_refresh.known(),
            last_change: collection.last_change.known(),
        })
    }

    /// The members of a collection, unless none are listed where it counts some itself.
    async fn counted_members(
        &self,
        collection: &Collection,
        id: &CollectionId,
    ) -> Result<BTreeSet<u32>, EstateError> {
        let members = self.members(id).await?;
        let counted = matches!(collection.member_count, Fact::Known(count) if count > 0);
        if counted && members.is_empty() {
            return Err(EstateError::unusable(
                Service::AdminService,
                MEMBERS.template,
                format!("no member of {id}, which counts some"),
            ));
        }
        Ok(members)
    }

    /// The rules of every collection that has include or exclude rules, or may have.
    async fn including_rules(&self, collections: &[Collection]) -> Vec<RulesRead> {
        let ids: Vec<CollectionId> = collections
            .iter()
            .filter(|collection| collection.include_exclude_count != Fact::Known(0))
            .filter_map(|collection| collection.id.as_ref().known().cloned())
            .collect();
        stream::iter(ids)
            .map(|id| {
                let read = async move {
                    let read = self.collection(&id).await;
                    let rules = read.map(|collection| collection.rules).inspect_err(
                        |error| warn!(%id, %error, "a collection's rules cannot be read"),
                    );
                    (id, rules)
                };
                read.boxed()
            })
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    async fn read_pilot(
        &self,
        request: &StateRequest,
        staged: Staged,
        id: &CollectionId,
        surroundings: &Surroundings<'_>,
        owned: &BTreeMap<CollectionId, Owned>,
    ) -> Pilot {
        let mut pilot = Pilot {
            id: id.clone(),
            state: PilotState::NotMarked,
            limiting: None,
            rules: None,
            include_count: None,
            members: None,
            foreign_includes: BTreeMap::new(),
            last_refresh: None,
        };
        let collection = match self.collection(id).await {
            Ok(collection) => collection,
            Err(error) => {
                pilot.state = PilotState::Unreadable(error);
                return pilot;
            }
        };
        let members = self.counted_members(&collection, id).await;
        pilot.limiting = collection.limiting.as_ref().known().cloned();
        pilot.rules = collection.rules.as_ref().known().cloned();
        pilot.include_count = collection.include_exclude_count.known();
        pilot.last_refresh = collection.last_refresh.known();
        for rule in pilot.rules.iter().flatten() {
            if let Rule::Include(included) = rule
                && owned
                    .get(included)
                    .is_none_or(|owned| owned.staged != staged)
            {
                // Whose it is, nobody knows of one that is not listed.
                let members = if is_listed(surroundings.collections, included) {
                    known(self.members(included).await, included)
                } else {
                    None
                };
                pilot.foreign_includes.insert(included.clone(), members);
            }
        }
        if is_marked(&collection, &request.fleet, staged) {
            pilot.state = self.safety(id, &collection, surroundings).await;
        }
        if let (PilotState::Marked, Err(error)) = (&pilot.state, &members) {
            pilot.state = PilotState::Unreadable(error.clone());
        }
        pilot.members = known(members, id);
        pilot
    }

    /// Whether a marked collection is safe to write to.
    async fn safety(
        &self,
        id: &CollectionId,
        collection: &Collection,
        surroundings: &Surroundings<'_>,
    ) -> PilotState {
        let deployments = match self.deployments(id).await {
            Ok(deployments) => deployments,
            Err(error) => return PilotState::Unreadable(error),
        };
        if let Some(error) = surroundings.passing(id) {
            return PilotState::Unreadable(error.clone());
        }
        let hazards = hazards(id, collection, surroundings, &deployments);
        if hazards.is_empty() {
            PilotState::Marked
        } else {
            PilotState::Unsafe(hazards)
        }
    }
}

#[derive(Debug)]
struct OwnedMark {
    name: String,
    staged: Staged,
    owner: ObjectName,
    uid: String,
}

/// The claims on the fleet, the one in force first, and the collections made for it.
fn marked(
    collections: &[Collection],
    request: &StateRequest,
) -> (Vec<Claim>, Vec<(CollectionId, OwnedMark)>) {
    let (mut claims, mut owned) = (Vec::new(), Vec::new());
    for collection in collections {
        let (Fact::Known(id), Fact::Known(comment)) = (&collection.id, &collection.comment) else {
            continue;
        };
        for mark in Mark::all_in(comment) {
            match mark {
                Mark::Claim {
                    fleet,
                    epoch,
                    installation,
                } if fleet == request.fleet => claims.push(Claim {
                    collection: id.clone(),
                    epoch,
                    installation,
                }),
                Mark::Owned {
                    fleet,
                    staged,
                    owner,
                    uid,
                } if fleet == request.fleet => {
                    let name = collection.name.as_ref().known();
                    let mark = OwnedMark {
                        name: name.cloned().unwrap_or_default(),
                        staged,
                        owner,
                        uid,
                    };
                    owned.push((id.clone(), mark));
                    break;
                }
                _ => {}
            }
        }
    }
    claims.sort_by(|a, b| (b.epoch, &a.collection).cmp(&(a.epoch, &b.collection)));
    (claims, owned)
}

/// Whether the include rules of a pilot collection can only be those that Diarchy made: where a
/// service does not tell rules, the pilots would otherwise speak against each other.
fn explained(
    id: &CollectionId,
    collections: &[Collection],
    request: &StateRequest,
    owned: &BTreeMap<CollectionId, Owned>,
) -> bool {
    let Some(staged) = request
        .pilots
        .iter()
        .find_map(|(staged, pilot)| (pilot == id).then_some(staged))
    else {
        return false;
    };
    let made = owned.values().filter(|owned| owned.staged == *staged);
    let made = i64::try_from(made.count()).unwrap_or(0);
    collections.iter().any(|collection| {
        collection.id.as_ref() == Fact::Known(id)
            && matches!(collection.include_exclude_count, Fact::Known(count) if count <= made)
    })
}

/// The members of a collection, if they could be read.
fn known(members: Result<BTreeSet<u32>, EstateError>, id: &CollectionId) -> Option<BTreeSet<u32>> {
    members
        .inspect_err(|error| warn!(%id, %error, "the members of a collection cannot be read"))
        .ok()
}

fn is_listed(collections: &[Collection], id: &CollectionId) -> bool {
    let mut collections = collections.iter();
    collections.any(|collection| collection.id.as_ref() == Fact::Known(id))
}

fn names(collections: &[Collection]) -> BTreeSet<String> {
    collections
        .iter()
        .filter_map(|collection| collection.name.as_ref().known())
        .map(|name| name.to_lowercase())
        .collect()
}
