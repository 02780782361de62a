//! Collections of the site, their rules, members and deployments.

use std::fmt;
use std::str::FromStr;

use diarchy_core::fact::Fact;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::paging::Entity;
use crate::record::Record;

/// A collection's id: a site's code and five hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CollectionId(String);

impl CollectionId {
    /// The built-in collection of all systems, which every site has.
    #[must_use]
    pub fn all_systems() -> Self {
        Self("SMS00001".to_owned())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no collection's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no collection id; it has eight letters and digits, like PS100021")]
pub struct InvalidCollectionId(pub String);

impl FromStr for CollectionId {
    type Err = InvalidCollectionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err(InvalidCollectionId(text.to_owned()))
        }
    }
}

impl TryFrom<String> for CollectionId {
    type Error = InvalidCollectionId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CollectionId> for String {
    fn from(id: CollectionId) -> Self {
        id.0
    }
}

impl fmt::Display for CollectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What makes resources members of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// This resource.
    Direct(u32),
    /// The members of that collection.
    Include(CollectionId),
    /// None of the members of that collection.
    Exclude(CollectionId),
    /// Whatever a query finds.
    Query,
    /// Something that was not understood.
    Unknown,
}

impl Rule {
    /// The other collection that it goes by.
    #[must_use]
    pub const fn collection(&self) -> Option<&CollectionId> {
        match self {
            Self::Include(id) | Self::Exclude(id) => Some(id),
            Self::Direct(_) | Self::Query | Self::Unknown => None,
        }
    }
}

/// A collection (memdocs: `SMS_Collection`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collection {
    /// Its id.
    pub id: Fact<CollectionId>,
    /// Its name.
    pub name: Fact<String>,
    /// What people and Diarchy wrote about it.
    pub comment: Fact<String>,
    /// 1 is of users, 2 of devices.
    pub kind: Fact<i64>,
    /// Whether the product made it.
    pub built_in: Fact<bool>,
    /// The collection that all members must be members of.
    pub limiting: Fact<CollectionId>,
    /// How many include and exclude rules it has.
    pub include_exclude_count: Fact<i64>,
    /// How many maintenance windows it has.
    pub maintenance_windows: Fact<i64>,
    /// How many members it has.
    pub member_count: Fact<i64>,
    /// When its members were last evaluated.
    pub last_refresh: Fact<Timestamp>,
    /// When it was last changed.
    pub last_change: Fact<Timestamp>,
    /// Its rules; a lazy property that lists leave out, and some services never tell.
    pub rules: Fact<Vec<Rule>>,
}

/// The kind of a collection of devices.
pub const DEVICES: i64 = 2;

impl Entity for Collection {
    const NAME: &'static str = "SMS_Collection";

    fn read(record: &mut Record) -> Self {
        Self {
            id: collection_id(record, "CollectionID"),
            name: record.text("Name"),
            comment: record.text("Comment"),
            kind: record.number("CollectionType"),
            built_in: record.flag("IsBuiltIn"),
            limiting: collection_id(record, "LimitToCollectionID"),
            include_exclude_count: record.number("IncludeExcludeCollectionsCount"),
            maintenance_windows: record.number("ServiceWindowsCount"),
            member_count: record.number("MemberCount"),
            last_refresh: record.time("LastRefreshTime"),
            last_change: record.time("LastChangeTime"),
            rules: rules(record),
        }
    }

    fn key(&self) -> Option<String> {
        self.id.as_ref().known().map(ToString::to_string)
    }
}

fn collection_id(record: &mut Record, name: &str) -> Fact<CollectionId> {
    match record.text(name) {
        Fact::Known(text) => text.parse().map_or(Fact::Unread, Fact::Known),
        Fact::Absent => Fact::Absent,
        Fact::Unread => Fact::Unread,
    }
}

/// A collection without rules and one whose rules are not told may both have `null` here.
fn rules(record: &mut Record) -> Fact<Vec<Rule>> {
    match record.list("CollectionRules") {
        Fact::Known(rules) => Fact::Known(rules.into_iter().map(rule).collect()),
        Fact::Absent | Fact::Unread => Fact::Unread,
    }
}

fn rule(value: Value) -> Rule {
    let Value::Object(fields) = value else {
        return Rule::Unknown;
    };
    let mut record = Record::new(fields);
    let class = record.text("@odata.type").known().unwrap_or_default();
    let named = |suffix: &str| class.is_empty() || class.ends_with(suffix);
    if named("SMS_CollectionRuleIncludeCollection")
        && let Fact::Known(id) = collection_id(&mut record, "IncludeCollectionID")
    {
        return Rule::Include(id);
    }
    if named("SMS_CollectionRuleExcludeCollection")
        && let Fact::Known(id) = collection_id(&mut record, "ExcludeCollectionID")
    {
        return Rule::Exclude(id);
    }
    if named("SMS_CollectionRuleDirect")
        && let Fact::Known(resource) = record.unsigned("ResourceID")
    {
        return Rule::Direct(resource);
    }
    if named("SMS_CollectionRuleQuery") && record.text("QueryExpression").known().is_some()
        || class.ends_with("SMS_CollectionRuleQuery")
    {
        return Rule::Query;
    }
    Rule::Unknown
}

/// One resource in one collection (field use: `SMS_FullCollectionMembership`).
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Membership {
    pub collection: Fact<CollectionId>,
    pub resource: Fact<u32>,
}

impl Entity for Membership {
    const NAME: &'static str = "SMS_FullCollectionMembership";

    fn read(record: &mut Record) -> Self {
        Self {
            collection: collection_id(record, "CollectionID"),
            resource: record.unsigned("ResourceID"),
        }
    }

    fn key(&self) -> Option<String> {
        let resource = self.resource.known()?;
        let collection = self.collection.as_ref().known().map(CollectionId::as_str);
        Some(format!("{}/{resource}", collection.unwrap_or_default()))
    }
}

/// Something deployed to a collection (memdocs: `SMS_DeploymentSummary`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deployment {
    /// To which.
    pub collection: Fact<CollectionId>,
    /// What.
    pub name: Fact<String>,
    id: Fact<String>,
}

/// The policies that a pilot collection is there for are deployed to it under such a name.
const CO_MANAGEMENT: &str = "CoMgmtSettings";

impl Deployment {
    /// Whether it is the co-management policy itself.
    #[must_use]
    pub fn is_co_management(&self) -> bool {
        let name = self.name.as_ref().known();
        name.is_some_and(|name| name.starts_with(CO_MANAGEMENT))
    }
}

impl Entity for Deployment {
    const NAME: &'static str = "SMS_DeploymentSummary";

    fn read(record: &mut Record) -> Self {
        let name = record.text("SoftwareName");
        Self {
            collection: collection_id(record, "CollectionID"),
            name: name.or(record.text("ApplicationName")),
            id: record.text_or_number("DeploymentID"),
        }
    }

    fn key(&self) -> Option<String> {
        self.id.as_ref().known().cloned()
    }
}
