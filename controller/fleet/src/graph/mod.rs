//! What Microsoft Graph knows: Intune's records, and the directory.

pub mod application;
pub mod directory;
pub mod managed_device;
mod preflight;
pub mod required;

use std::collections::BTreeMap;
use std::sync::Arc;

use diarchy_clock::Clock;
use diarchy_core::fact::Fact;
use futures::stream;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use url::Url;

use crate::address::{base_address, endpoint_under};
use crate::error::{EstateError, Service};
use crate::expiry::Expiry;
use crate::http::{Authorization, Call, Counters, Endpoint, Transport, TransportOptions};
use crate::paging::{Entity, Listing, Pages};
use crate::token::{ClientCredentials, ClientProof, TokenSource};

use directory::{EntraDevice, Group, Member, Organization, User};
use managed_device::{EligibleDevice, ManagedDevice};

/// Where a tenant is, and who asks.
#[derive(Debug, Clone)]
pub struct GraphOptions {
    /// The tenant's id, a GUID.
    pub tenant_id: String,
    /// `https://graph.microsoft.com`, a national cloud's, or a simulator's.
    pub endpoint: String,
    /// `https://login.microsoftonline.com`, or another's.
    pub authority: String,
    /// Whether calls that are in beta only may be made.
    pub beta: bool,
    /// The application.
    pub credentials: ClientCredentials,
    /// How Graph is reached.
    pub transport: TransportOptions,
}

/// A client of Microsoft Graph for one tenant.
#[derive(Debug, Clone)]
pub struct GraphClient {
    base: Url,
    beta: bool,
    transport: Transport,
    tokens: Arc<TokenSource>,
}

const MANAGED_DEVICES: Endpoint = Endpoint {
    template: "/deviceManagement/managedDevices",
    needs: "the application permission DeviceManagementManagedDevices.Read.All",
};
const ELIGIBLE_DEVICES: Endpoint = Endpoint {
    template: "/deviceManagement/comanagementEligibleDevices",
    needs: "the application permission DeviceManagementManagedDevices.Read.All",
};
const ORGANIZATION: Endpoint = Endpoint {
    template: "/organization",
    needs: "the application permission DeviceManagementServiceConfig.Read.All",
};
const DEVICES: Endpoint = Endpoint {
    template: "/devices",
    needs: "the application permission Device.Read.All",
};
const USERS: Endpoint = Endpoint {
    template: "/users",
    needs: "the application permission User.Read.All",
};
const GROUPS: Endpoint = Endpoint {
    template: "/groups",
    needs: "the application permission GroupMember.Read.All",
};
const GROUP_MEMBERS: Endpoint = Endpoint {
    template: "/groups/{id}/transitiveMembers/graph.device",
    needs: "the application permission GroupMember.Read.All",
};

type Headers = &'static [(&'static str, &'static str)];

/// An OData cast is an advanced query, which Graph answers only when told so.
const ADVANCED_QUERY: Headers = &[("consistencylevel", "eventual")];

/// How many entities a page is asked to hold.
const PAGE: u32 = 999;
/// How many groups are read at once.
const AT_ONCE: usize = 4;

impl GraphClient {
    /// A client for one tenant.
    ///
    /// # Errors
    ///
    /// [`EstateError::Configuration`] for an address, a tenant or a CA bundle that cannot be used.
    pub fn new(
        options: &GraphOptions,
        clock: &Clock,
        counters: &Arc<Counters>,
    ) -> Result<Self, EstateError> {
        let base = base_address(Service::Graph, &options.endpoint)?;
        let authority = base_address(Service::Entra, &options.authority)?;
        if !matches!(
            crate::record::guid(&options.tenant_id),
            Some(Fact::Known(_))
        ) {
            return Err(EstateError::Configuration {
                service: Service::Entra,
                detail: "the tenant id is no GUID".to_owned(),
            });
        }
        let token_url = endpoint_under(
            &authority,
            &format!("{}/oauth2/v2.0/token", options.tenant_id),
        );
        let entra = TransportOptions {
            ca_bundle: options.transport.ca_bundle.clone(),
            carrier: options.transport.carrier.clone(),
            patience: options.transport.patience,
            longest_answer: 1 << 20,
            ..TransportOptions::for_service(Service::Entra)
        };
        let entra = Transport::new(Service::Entra, &entra, clock.clone(), Arc::clone(counters))?;
        let scope = format!("{}/.default", options.endpoint.trim_end_matches('/'));
        let tokens = TokenSource::new(entra, token_url, options.credentials.clone(), scope);
        Ok(Self {
            base,
            beta: options.beta,
            transport: Transport::new(
                Service::Graph,
                &options.transport,
                clock.clone(),
                Arc::clone(counters),
            )?,
            tokens: Arc::new(tokens),
        })
    }

    /// Until when Graph asked to be left alone, if that is still ahead.
    #[must_use]
    pub fn throttled_until(&self) -> Option<Timestamp> {
        self.transport.throttled_until()
    }

    /// When the client certificate ends, if it signs in with one.
    #[must_use]
    pub fn certificate_expiry(&self, now: Timestamp) -> Option<Expiry> {
        match &self.tokens.credentials().proof {
            ClientProof::Certificate(certificate) => Some(certificate.expiry(now)),
            ClientProof::Secret(_) | ClientProof::Federated(_) => None,
        }
    }

    /// Whether calls that are in beta only may be made.
    #[must_use]
    pub const fn reads_beta(&self) -> bool {
        self.beta
    }

    /// Every device that Intune has a record of.
    ///
    /// # Errors
    ///
    /// Any [`EstateError`]; a list that cannot be read to its end is an error.
    pub async fn managed_devices(&self) -> Result<Listing<ManagedDevice>, EstateError> {
        let select = ManagedDevice::select(self.beta);
        let url = self.paged(self.version(), "deviceManagement/managedDevices", &select);
        self.list(url, MANAGED_DEVICES, &[]).await
    }

    /// The devices that could be co-managed, as Intune sees it; `None` without beta.
    ///
    /// # Errors
    ///
    /// As [`GraphClient::managed_devices`].
    pub async fn eligible_devices(&self) -> Result<Option<Listing<EligibleDevice>>, EstateError> {
        if !self.beta {
            return Ok(None);
        }
        let url = endpoint_under(
            &self.base,
            "beta/deviceManagement/comanagementEligibleDevices",
        );
        self.list(url, ELIGIBLE_DEVICES, &[]).await.map(Some)
    }

    /// The tenant, with the MDM authority that is set for it.
    ///
    /// # Errors
    ///
    /// As [`GraphClient::managed_devices`]; also when Graph names no organization.
    pub async fn organization(&self) -> Result<Organization, EstateError> {
        let mut url = endpoint_under(&self.base, "v1.0/organization");
        url.set_query(Some("$select=id,mobileDeviceManagementAuthority"));
        let listing = self.list::<Organization>(url, ORGANIZATION, &[]).await?;
        listing.items.into_iter().next().ok_or_else(|| {
            EstateError::unusable(Service::Graph, ORGANIZATION.template, "no organization")
        })
    }

    /// Every device in the directory.
    ///
    /// # Errors
    ///
    /// As [`GraphClient::managed_devices`].
    pub async fn devices(&self) -> Result<Listing<EntraDevice>, EstateError> {
        let url = self.paged(self.version(), "devices", EntraDevice::select(self.beta));
        self.list(url, DEVICES, &[]).await
    }

    /// Every user in the directory.
    ///
    /// # Errors
    ///
    /// As [`GraphClient::managed_devices`].
    pub async fn users(&self) -> Result<Listing<User>, EstateError> {
        self.list(self.paged("v1.0", "users", User::SELECT), USERS, &[])
            .await
    }

    /// The ids of every group in the directory.
    ///
    /// # Errors
    ///
    /// As [`GraphClient::managed_devices`]; also when a group has no id.
    pub async fn group_ids(&self) -> Result<Vec<String>, EstateError> {
        let url = self.paged("v1.0", "groups", "id");
        let listing = self.list::<Group>(url, GROUPS, &[]).await?;
        complete(&listing, GROUPS)?;
        let ids = listing.items.into_iter().map(|group| group.id.known());
        ids.collect::<Option<Vec<_>>>().ok_or_else(|| {
            EstateError::unusable(Service::Graph, GROUPS.template, "a group without an id")
        })
    }

    /// The object ids and device ids of the devices in `group`, through nested groups too.
    ///
    /// # Errors
    ///
    /// As [`GraphClient::managed_devices`]; also when a member cannot be told from the others, since
    /// that would look like a device that left.
    pub async fn device_members(&self, group: &str) -> Result<Vec<Member>, EstateError> {
        let Some(Fact::Known(id)) = crate::record::guid(group) else {
            return Err(EstateError::Configuration {
                service: Service::Graph,
                detail: format!("the group id {group} is no GUID"),
            });
        };
        let mut url = endpoint_under(
            &self.base,
            &format!("v1.0/groups/{id}/transitiveMembers/graph.device"),
        );
        url.set_query(Some(&format!(
            "$select=id,deviceId&$count=true&$top={PAGE}"
        )));
        let listing = self
            .list::<Member>(url, GROUP_MEMBERS, ADVANCED_QUERY)
            .await?;
        complete(&listing, GROUP_MEMBERS)?;
        if listing
            .items
            .iter()
            .any(|member| member.id.is_unread() && member.device_id.is_unread())
        {
            return Err(EstateError::unusable(
                Service::Graph,
                GROUP_MEMBERS.template,
                "a member without an id",
            ));
        }
        Ok(listing.items)
    }

    /// The members of each of `groups`.
    ///
    /// # Errors
    ///
    /// The first error of any group.
    pub async fn memberships(
        &self,
        groups: impl IntoIterator<Item = String>,
    ) -> Result<BTreeMap<String, Vec<Member>>, EstateError> {
        let groups: Vec<String> = groups.into_iter().collect();
        // Boxed, since the compiler does not see that the futures of such a stream can be sent.
        let reads = groups.into_iter().map(|group| {
            let read = async move {
                let members = self.device_members(&group).await;
                members.map(|members| (group, members))
            };
            read.boxed()
        });
        let mut reads = stream::iter(reads).buffer_unordered(AT_ONCE);
        let mut all = BTreeMap::new();
        while let Some(read) = reads.next().await {
            let (group, members) = read?;
            all.insert(group, members);
        }
        Ok(all)
    }

    const fn version(&self) -> &'static str {
        if self.beta { "beta" } else { "v1.0" }
    }

    fn paged(&self, version: &str, path: &str, select: &str) -> Url {
        let mut url = endpoint_under(&self.base, &format!("{version}/{path}"));
        url.set_query(Some(&format!("$select={select}&$top={PAGE}")));
        url
    }

    async fn list<T: Entity>(
        &self,
        first: Url,
        endpoint: Endpoint,
        headers: Headers,
    ) -> Result<Listing<T>, EstateError> {
        let mut pages = Pages::<T>::new(Service::Graph, endpoint.template, &first);
        let mut next = Some(first);
        while let Some(url) = next {
            let body = self.get(url, endpoint, headers).await?;
            next = pages.take(&body)?;
        }
        Ok(pages.listing)
    }

    async fn get(
        &self,
        url: Url,
        endpoint: Endpoint,
        headers: Headers,
    ) -> Result<Vec<u8>, EstateError> {
        let token = self.tokens.token().await?;
        let mut call = Call::get(url, endpoint, Authorization::Bearer(token.clone()));
        call.headers.extend_from_slice(headers);
        match self.transport.send(&call).await {
            // The token may have been revoked, or expired by a clock that runs ahead of ours.
            Err(EstateError::Refused { .. }) => {
                call.authorization = Authorization::Bearer(self.tokens.other_than(&token).await?);
                self.transport.send(&call).await
            }
            // The size of a page is a wish that some calls reject.
            Err(EstateError::Answer {
                status: Some(400), ..
            }) if without_top(&call.url).is_some() => {
                call.url = without_top(&call.url).unwrap_or(call.url);
                self.transport.send(&call).await
            }
            result => result,
        }
    }
}

/// The address of a first page without its wish for a size; `None` for any other.
fn without_top(url: &Url) -> Option<Url> {
    let query = url.query()?;
    let shorter = query.strip_suffix(&format!("&$top={PAGE}"))?;
    let mut url = url.clone();
    url.set_query(Some(shorter));
    Some(url)
}

/// A membership with an entry that cannot be read is not known.
fn complete<T>(listing: &Listing<T>, endpoint: Endpoint) -> Result<(), EstateError> {
    if listing.unreadable == 0 {
        return Ok(());
    }
    Err(EstateError::unusable(
        Service::Graph,
        endpoint.template,
        "entries that cannot be read",
    ))
}
