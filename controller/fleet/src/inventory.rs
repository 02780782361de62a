//! Reading both inventories: what each service says, or why it said nothing.

use std::collections::{BTreeMap, BTreeSet};

use diarchy_clock::Clock;
use diarchy_core::requirement::{Found, IntuneObject};
use futures::FutureExt;
use futures::future::{join, join4, join5};
use jiff::{SignedDuration, Timestamp};

use crate::error::EstateError;
use crate::graph::GraphClient;
use crate::graph::directory::{EntraDevice, Member, Organization, User};
use crate::graph::managed_device::{EligibleDevice, ManagedDevice};
use crate::paging::Listing;
use crate::site::collection::CollectionId;
use crate::site::release::release;
use crate::site::resources::{
    Bios, ComanagementState, CombinedResource, ComputerSystem, Enclosure, OperatingSystem,
    SiteInfo, System,
};
use crate::site::schema::Schema;
use crate::site::state::{SiteState, StateRequest};
use crate::site::{Memberships, SiteClient};

/// What a service said, or why it did not.
pub type Reading<T> = Result<T, EstateError>;

/// Which collections or groups a device's memberships are wanted of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted<T> {
    /// These; often none.
    Only(BTreeSet<T>),
    /// Every one.
    All,
}

impl<T> Default for Wanted<T> {
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

/// What is wanted of an inventory.
#[derive(Debug, Clone, Default)]
pub struct InventoryRequest {
    /// ConfigMgr collections; pilot and owned ones are left out whatever is asked for.
    pub collections: Wanted<CollectionId>,
    /// Entra groups, by object id.
    pub groups: Wanted<String>,
    /// Objects of Intune that something requires.
    pub required: BTreeSet<IntuneObject>,
    /// The fleet's pilots.
    pub state: StateRequest,
}

/// What Microsoft Graph said.
#[derive(Debug, Clone)]
pub struct GraphReading {
    /// Intune's records.
    pub managed_devices: Reading<Listing<ManagedDevice>>,
    /// The devices that could be co-managed; `None` without beta.
    pub eligible_devices: Reading<Option<Listing<EligibleDevice>>>,
    /// The tenant.
    pub organization: Reading<Organization>,
    /// The directory's devices.
    pub devices: Reading<Listing<EntraDevice>>,
    /// The directory's users.
    pub users: Reading<Listing<User>>,
    /// The members of the groups asked for.
    pub groups: Reading<BTreeMap<String, Vec<Member>>>,
    /// The objects of Intune asked for: each is there, is not, or says why it could not be read. That is
    /// no failure of an inventory: whoever requires one says so.
    pub required: BTreeMap<IntuneObject, Found>,
}

/// What the site said.
#[derive(Debug, Clone)]
pub struct SiteReading {
    /// The sites of the hierarchy.
    pub sites: Reading<Listing<SiteInfo>>,
    /// What the metadata declares; `None` when it could not be read.
    pub schema: Option<Schema>,
    /// Discovery records.
    pub systems: Reading<Listing<System>>,
    /// The console's rows.
    pub resources: Reading<Listing<CombinedResource>>,
    /// What clients reported about co-management.
    pub states: Reading<Listing<ComanagementState>>,
    /// Hardware inventory: cases.
    pub enclosures: Reading<Listing<Enclosure>>,
    /// Hardware inventory: makers and models.
    pub computers: Reading<Listing<ComputerSystem>>,
    /// Hardware inventory: Windows.
    pub operating_systems: Reading<Listing<OperatingSystem>>,
    /// Hardware inventory: serial numbers.
    pub bios: Reading<Listing<Bios>>,
    /// The members of the collections asked for.
    pub memberships: Reading<Memberships>,
    /// What the collections say about the fleet.
    pub state: Reading<SiteState>,
}

/// Everything that was read in one pass.
#[derive(Debug, Clone)]
pub struct Readings {
    /// What Microsoft Graph said.
    pub graph: GraphReading,
    /// What the site said.
    pub site: SiteReading,
    /// When reading began, by the injected clock.
    pub began: Timestamp,
    /// How long it took, by the injected clock.
    pub took: SignedDuration,
}

impl Readings {
    /// Everything that went wrong, in a fixed order. What a service does not have is no failure:
    /// see [`Readings::lacking`].
    #[must_use]
    pub fn failures(&self) -> Vec<&EstateError> {
        let (mut failures, not_everywhere) = self.errors();
        failures.extend(
            not_everywhere
                .into_iter()
                .filter(|error| !is_missing(error)),
        );
        failures
    }

    /// What the services do not have, of what not every estate has: classes of hardware inventory
    /// are there only where the site collects them (memdocs: clients/deploy/about-client-settings.md),
    /// and the list of eligible devices is in beta. What they would tell stays unknown.
    #[must_use]
    pub fn lacking(&self) -> Vec<&EstateError> {
        let (_, mut not_everywhere) = self.errors();
        not_everywhere.retain(|error| is_missing(error));
        not_everywhere
    }

    /// What went wrong with what every estate has, and with what not every estate has.
    fn errors(&self) -> (Vec<&EstateError>, Vec<&EstateError>) {
        let GraphReading {
            managed_devices,
            eligible_devices,
            organization,
            devices,
            users,
            groups,
            required: _,
        } = &self.graph;
        let SiteReading {
            sites,
            schema: _,
            systems,
            resources,
            states,
            enclosures,
            computers,
            operating_systems,
            bios,
            memberships,
            state,
        } = &self.site;
        let everywhere = [
            managed_devices.as_ref().err(),
            organization.as_ref().err(),
            devices.as_ref().err(),
            users.as_ref().err(),
            groups.as_ref().err(),
            sites.as_ref().err(),
            systems.as_ref().err(),
            resources.as_ref().err(),
            states.as_ref().err(),
            memberships.as_ref().err(),
            state.as_ref().err(),
        ];
        let not_everywhere = [
            eligible_devices.as_ref().err(),
            enclosures.as_ref().err(),
            computers.as_ref().err(),
            operating_systems.as_ref().err(),
            bios.as_ref().err(),
        ];
        (
            everywhere.into_iter().flatten().collect(),
            not_everywhere.into_iter().flatten().collect(),
        )
    }

    /// The site's version, as administrators know it: `2503` of `5.00.9135.1000`.
    #[must_use]
    pub fn site_version(&self) -> Option<&str> {
        let sites = self.site.sites.as_ref().ok()?;
        sites
            .items
            .iter()
            .find_map(|site| site.version.as_ref().known())
            .map(|version| release(version))
    }
}

const fn is_missing(error: &EstateError) -> bool {
    matches!(error, EstateError::NotFound { .. })
}

/// The clients of one fleet's services.
#[derive(Debug, Clone)]
pub struct Estate {
    /// Microsoft Graph.
    pub graph: GraphClient,
    /// The site.
    pub site: SiteClient,
    /// The clock that all of it goes by.
    pub clock: Clock,
}

impl Estate {
    /// Reads both inventories. Nothing fails as a whole: each reading says for itself.
    pub async fn read(&self, request: &InventoryRequest) -> Readings {
        let began = self.clock.now();
        let (graph, site) = join(
            read_graph(&self.graph, request).boxed(),
            read_site(&self.site, request).boxed(),
        )
        .await;
        Readings {
            graph,
            site,
            began,
            took: self.clock.now().duration_since(began),
        }
    }
}

async fn read_graph(graph: &GraphClient, request: &InventoryRequest) -> GraphReading {
    let groups = async {
        let ids = match &request.groups {
            Wanted::Only(ids) => ids.iter().cloned().collect(),
            Wanted::All => graph.group_ids().await?,
        };
        graph.memberships(ids).await
    };
    let directory = join4(graph.devices(), graph.users(), groups, graph.organization());
    let (managed_devices, eligible_devices, directory, required) = futures::join!(
        graph.managed_devices(),
        graph.eligible_devices(),
        directory,
        graph.required(&request.required)
    );
    let (devices, users, groups, organization) = directory;
    GraphReading {
        managed_devices,
        eligible_devices,
        organization,
        devices,
        users,
        groups,
        required,
    }
}

async fn read_site(site: &SiteClient, request: &InventoryRequest) -> SiteReading {
    let memberships = async {
        match &request.collections {
            Wanted::Only(ids) => site.members_of(ids.iter().cloned()).await,
            Wanted::All => site.all_members().await,
        }
    };
    let hardware = join4(
        site.class("/wmi/SMS_G_System_SYSTEM_ENCLOSURE"),
        site.class("/wmi/SMS_G_System_COMPUTER_SYSTEM"),
        site.class("/wmi/SMS_G_System_OPERATING_SYSTEM"),
        site.class("/wmi/SMS_G_System_PC_BIOS"),
    );
    let records = join5(
        site.sites(),
        site.class("/wmi/SMS_R_System"),
        site.class("/wmi/SMS_CombinedDeviceResources"),
        site.class("/wmi/SMS_Client_ComanagementState"),
        hardware,
    );
    let (schema, records, memberships, state) = futures::join!(
        site.schema(),
        records,
        memberships,
        site.state(&request.state)
    );
    let (sites, systems, resources, states, hardware) = records;
    let (enclosures, computers, operating_systems, bios) = hardware;
    SiteReading {
        sites,
        schema,
        systems,
        resources,
        states,
        enclosures,
        computers,
        operating_systems,
        bios,
        memberships,
        state,
    }
}
