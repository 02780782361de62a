//! What Configuration Manager knows, and the one lever: the administration service of a site.

pub mod assigned;
pub mod collection;
pub mod lever;
pub mod mark;
pub mod notify;
pub mod pending;
pub mod pilot;
mod preflight;
pub mod release;
pub mod resources;
pub mod schema;
pub mod state;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diarchy_clock::Clock;
use diarchy_core::fact::Fact;
use futures::stream;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use serde_json::Value;
use tracing::warn;
use url::Url;

use crate::address::{base_address, endpoint_under};
use crate::error::{EstateError, Service};
use crate::http::{
    Account, Authorization, Call, Counters, DomainAccount, Endpoint, Transport, TransportOptions,
};
use crate::paging::{Entity, Listing, Pages, read, strip_bom};
use crate::secret::Secret;

use collection::{Collection, CollectionId, Deployment, Membership};
use resources::SiteInfo;
use schema::Schema;

/// How a caller proves itself to the administration service.
#[derive(Debug, Clone)]
pub enum SiteCredentials {
    /// A bearer token.
    Token(Secret),
    /// An administrative user of the domain, by Windows authentication: Negotiate or NTLM, whichever
    /// the site offers. By HTTP Basic only where it offers nothing better, within TLS.
    Account(DomainAccount),
}

/// Where a site is, and who asks.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// Addresses of the service on each SMS Provider, tried in order, such as
    /// `https://cm01.contoso.com/AdminService`.
    pub admin_service: Vec<String>,
    /// The administrative user.
    pub credentials: SiteCredentials,
    /// How the service is reached.
    pub transport: TransportOptions,
    /// How long one write may take in real time, waiting for its turn included. Whoever may write for
    /// a while only must have stopped by the end of it.
    pub write_deadline: Duration,
}

/// How long a write may take where nobody else can come to write in the meantime.
pub const WRITE_DEADLINE: Duration = Duration::from_mins(5);

/// A client of one site's administration service.
#[derive(Debug, Clone)]
pub struct SiteClient {
    bases: Arc<[Url]>,
    /// The provider that answered last: the first to be asked next.
    current: Arc<AtomicUsize>,
    authorization: Authorization,
    transport: Transport,
    write_deadline: Duration,
    /// What ends, and when.
    ends: Vec<(&'static str, Timestamp)>,
}

const READ_RIGHT: &str = "an administrative user of the site with Read on the class";
pub(crate) const MODIFY_RIGHT: &str =
    "an administrative user of the site with Read, Modify and Modify Resource on Collection";

const SITE: Endpoint = readable("/wmi/SMS_Site");
const METADATA_SQL: Endpoint = readable("/v1.0/$metadata");
const METADATA_WMI: Endpoint = readable("/wmi/$metadata");
const COLLECTIONS: Endpoint = readable("/wmi/SMS_Collection");
const COLLECTION: Endpoint = readable("/wmi/SMS_Collection('{id}')");
const MEMBERS: Endpoint = readable("/wmi/SMS_FullCollectionMembership");
const DEPLOYMENTS: Endpoint = readable("/wmi/SMS_DeploymentSummary");

const fn readable(template: &'static str) -> Endpoint {
    Endpoint {
        template,
        needs: READ_RIGHT,
    }
}

/// How many collections are read at once.
const AT_ONCE: usize = 8;

/// The members of collections, by collection.
pub type Memberships = BTreeMap<CollectionId, BTreeSet<u32>>;

impl SiteClient {
    /// A client for one site.
    ///
    /// # Errors
    ///
    /// [`EstateError::Configuration`] for addresses, an account or a CA bundle that cannot be used.
    pub fn new(
        options: &SiteOptions,
        clock: &Clock,
        counters: &Arc<Counters>,
    ) -> Result<Self, EstateError> {
        let bases = options
            .admin_service
            .iter()
            .map(|text| base_address(Service::AdminService, text))
            .collect::<Result<Arc<[Url]>, _>>()?;
        if bases.is_empty() {
            return Err(EstateError::Configuration {
                service: Service::AdminService,
                detail: "no address of an SMS Provider is given".to_owned(),
            });
        }
        let authorization = match &options.credentials {
            SiteCredentials::Token(token) => Authorization::Bearer(token.clone()),
            SiteCredentials::Account(account) => {
                Authorization::Account(Arc::new(Account::new(account)?))
            }
        };
        let transport = Transport::new(
            Service::AdminService,
            &options.transport,
            clock.clone(),
            Arc::clone(counters),
        )?;
        Ok(Self {
            bases,
            current: Arc::default(),
            authorization,
            transport,
            write_deadline: options.write_deadline,
            ends: preflight::ends(options),
        })
    }

    /// Until when the site asked to be left alone, if that is still ahead.
    #[must_use]
    pub fn throttled_until(&self) -> Option<Timestamp> {
        self.transport.throttled_until()
    }

    /// The clock that every wait goes by.
    pub(crate) fn clock(&self) -> &Clock {
        self.transport.clock()
    }

    /// The sites of the hierarchy.
    ///
    /// # Errors
    ///
    /// Any [`EstateError`]; a list that cannot be read to its end is an error.
    pub async fn sites(&self) -> Result<Listing<SiteInfo>, EstateError> {
        self.list(SITE, "wmi/SMS_Site", None).await
    }

    /// What classes and properties the site says that it has; `None` when neither route tells.
    pub async fn schema(&self) -> Option<Schema> {
        for (endpoint, path) in [
            (METADATA_WMI, "wmi/$metadata"),
            (METADATA_SQL, "v1.0/$metadata"),
        ] {
            match self.get(endpoint, path).await {
                Ok(body) => {
                    let schema = Schema::read(&String::from_utf8_lossy(&body));
                    if schema.is_some() {
                        return schema;
                    }
                    warn!(endpoint = endpoint.template, "no metadata in the answer");
                }
                Err(error) => warn!(%error, "the site's metadata cannot be read"),
            }
        }
        None
    }

    /// Every entity of a class of resources, such as `SMS_R_System`.
    pub(crate) async fn class<T: Entity>(
        &self,
        template: &'static str,
    ) -> Result<Listing<T>, EstateError> {
        self.list(readable(template), template.trim_start_matches('/'), None)
            .await
    }

    /// Every collection, without the lazy properties.
    ///
    /// # Errors
    ///
    /// As [`SiteClient::sites`].
    pub async fn collections(&self) -> Result<Listing<Collection>, EstateError> {
        self.list(COLLECTIONS, "wmi/SMS_Collection", None).await
    }

    /// One collection, with its rules if the service tells them. A look-up by key answers with a
    /// list of one on this route, or with the entity itself.
    ///
    /// # Errors
    ///
    /// As [`SiteClient::sites`].
    pub async fn collection(&self, id: &CollectionId) -> Result<Collection, EstateError> {
        let path = format!("wmi/SMS_Collection('{id}')");
        let body = self.get(COLLECTION, &path).await?;
        let unusable =
            |detail| EstateError::unusable(Service::AdminService, COLLECTION.template, detail);
        let answer: Value = serde_json::from_slice(strip_bom(&body))
            .map_err(|_| unusable("something that is not JSON"))?;
        let entity = match answer {
            Value::Object(mut fields) => match fields.remove("value") {
                Some(Value::Array(mut entities)) if entities.len() == 1 => entities.pop(),
                Some(Value::Array(entities)) if entities.is_empty() => {
                    return Err(EstateError::NotFound {
                        service: Service::AdminService,
                        endpoint: COLLECTION.template,
                        detail: format!("no collection {id}"),
                    });
                }
                Some(_) => None,
                None => Some(Value::Object(fields)),
            },
            _ => None,
        };
        let Some(Value::Object(fields)) = entity else {
            return Err(unusable("something that is not one collection"));
        };
        let (collection, problems) = read::<Collection>(fields);
        if let Some(problem) = problems.first() {
            warn!(%id, %problem, "a collection could not be read in full");
        }
        match &collection.id {
            Fact::Known(found) if found == id => Ok(collection),
            _ => Err(unusable("another collection, or one without an id")),
        }
    }

    /// The resources in a collection, as last evaluated.
    ///
    /// # Errors
    ///
    /// As [`SiteClient::sites`]; also when a member cannot be told from the others, since that would
    /// look like a device that left.
    pub async fn members(&self, id: &CollectionId) -> Result<BTreeSet<u32>, EstateError> {
        let filter = format!("$filter=CollectionID eq '{id}'");
        let rows = self.membership_rows(Some(&filter)).await?;
        Ok(rows
            .into_iter()
            // A service that ignores filters answers with every collection's members.
            .filter(|(collection, _)| collection.as_ref().is_none_or(|found| found == id))
            .map(|(_, resource)| resource)
            .collect())
    }

    /// The resources in each of `ids`.
    ///
    /// # Errors
    ///
    /// The first error of any collection.
    pub async fn members_of(
        &self,
        ids: impl IntoIterator<Item = CollectionId>,
    ) -> Result<Memberships, EstateError> {
        let ids: Vec<CollectionId> = ids.into_iter().collect();
        // Boxed, since the compiler does not see that the futures of such a stream can be sent.
        let reads = ids.into_iter().map(|id| {
            let read = async move {
                let members = self.members(&id).await;
                members.map(|members| (id, members))
            };
            read.boxed()
        });
        let mut reads = stream::iter(reads).buffer_unordered(AT_ONCE);
        let mut all = BTreeMap::new();
        while let Some(read) = reads.next().await {
            let (id, members) = read?;
            all.insert(id, members);
        }
        Ok(all)
    }

    /// The resources in every collection that has any.
    ///
    /// # Errors
    ///
    /// As [`SiteClient::members`].
    pub async fn all_members(&self) -> Result<Memberships, EstateError> {
        let mut all = Memberships::new();
        for (collection, resource) in self.membership_rows(None).await? {
            let Some(collection) = collection else {
                return Err(EstateError::unusable(
                    Service::AdminService,
                    MEMBERS.template,
                    "a member without a collection",
                ));
            };
            all.entry(collection).or_default().insert(resource);
        }
        Ok(all)
    }

    async fn membership_rows(
        &self,
        filter: Option<&str>,
    ) -> Result<Vec<(Option<CollectionId>, u32)>, EstateError> {
        let listing = self
            .list::<Membership>(MEMBERS, "wmi/SMS_FullCollectionMembership", filter)
            .await?;
        let rows: Option<Vec<_>> = listing
            .items
            .into_iter()
            .map(|row| Some((row.collection.known(), row.resource.known()?)))
            .collect();
        match rows {
            Some(rows) if listing.unreadable == 0 => Ok(rows),
            _ => Err(EstateError::unusable(
                Service::AdminService,
                MEMBERS.template,
                "a member without a ResourceID",
            )),
        }
    }

    /// What is deployed to a collection.
    ///
    /// # Errors
    ///
    /// As [`SiteClient::sites`].
    pub async fn deployments(&self, id: &CollectionId) -> Result<Vec<Deployment>, EstateError> {
        let filter = format!("$filter=CollectionID eq '{id}'");
        let listing = self
            .list::<Deployment>(DEPLOYMENTS, "wmi/SMS_DeploymentSummary", Some(&filter))
            .await?;
        let mut deployments = listing.items;
        // One that cannot be read is one that is not known to be harmless.
        deployments.resize_with(
            deployments.len() + usize::try_from(listing.unreadable).unwrap_or(1),
            Deployment::default,
        );
        deployments.retain(|deployment| {
            let collection = deployment.collection.as_ref().known();
            collection.is_none_or(|found| found == id)
        });
        Ok(deployments)
    }

    /// Reads a whole list from the first provider that answers; from its beginning at another if one
    /// fails on the way.
    async fn list<T: Entity>(
        &self,
        endpoint: Endpoint,
        path: &str,
        query: Option<&str>,
    ) -> Result<Listing<T>, EstateError> {
        let mut failure = None;
        for (at, base) in self.bases_from_current() {
            let mut first = endpoint_under(base, path);
            first.set_query(query);
            match self.list_at(first, endpoint).await {
                Err(error @ EstateError::Unreachable { .. }) => failure = Some(error),
                result => {
                    self.current.store(at, Ordering::Relaxed);
                    return result;
                }
            }
        }
        Err(failure.unwrap_or_else(no_provider))
    }

    async fn list_at<T: Entity>(
        &self,
        first: Url,
        endpoint: Endpoint,
    ) -> Result<Listing<T>, EstateError> {
        let mut pages = Pages::<T>::new(Service::AdminService, endpoint.template, &first);
        let mut next = Some(first);
        while let Some(url) = next {
            let call = Call::get(url, endpoint, self.authorization.clone());
            next = pages.take(&self.transport.send(&call).await?)?;
        }
        Ok(pages.listing)
    }

    async fn get(&self, endpoint: Endpoint, path: &str) -> Result<Vec<u8>, EstateError> {
        let mut failure = None;
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        for (at, base) in self.bases_from_current() {
            let mut url = endpoint_under(base, path);
            url.set_query(query);
            let mut call = Call::get(url, endpoint, self.authorization.clone());
            if path.ends_with("$metadata") {
                call.headers = vec![("accept", "application/xml")];
            }
            match self.transport.send(&call).await {
                Err(error @ EstateError::Unreachable { .. }) => failure = Some(error),
                result => {
                    self.current.store(at, Ordering::Relaxed);
                    return result;
                }
            }
        }
        Err(failure.unwrap_or_else(no_provider))
    }

    /// Every provider once, beginning with the one that answered last.
    fn bases_from_current(&self) -> impl Iterator<Item = (usize, &Url)> {
        let start = self.current.load(Ordering::Relaxed);
        (0..self.bases.len()).map(move |step| {
            let at = (start + step) % self.bases.len();
            (at, &self.bases[at])
        })
    }
}

fn no_provider() -> EstateError {
    EstateError::Configuration {
        service: Service::AdminService,
        detail: "no SMS Provider is given".to_owned(),
    }
}
