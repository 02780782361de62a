//! The classes of the site that are about collections, as tables.

use serde_json::{Value, json};

use crate::admin::filter::Filter;
use crate::columns::{Column, Context, Shown, always, shown};
use crate::moment::{DAY, HOUR, text};
use crate::site::collections::{Collection, Deployment};
use crate::site::resources::resource_id;
use crate::site::rules::{direct_json, exclude_json, include_json, query_json};

fn null<R>(_: &Context<'_>, _: &R) -> Value {
    Value::Null
}

/// Name of the limiting collection.
fn limit_name(context: &Context<'_>, row: &Collection) -> Value {
    let limit = row.limit.as_ref();
    let limit = limit.and_then(|id| context.world.site.collections.get(id));
    json!(limit.map_or("", |limit| &limit.name))
}

/// The four o'clock after the last one.
fn next_refresh(context: &Context<'_>) -> i64 {
    let now = context.world.now;
    let four = now - now.rem_euclid(DAY) + 4 * HOUR;
    if four > now { four } else { four + DAY }
}

pub(super) static COLLECTION: &[Column<Collection>] = &[
    always("CollectionID", "Edm.String", |_, row| json!(row.id)),
    always("Name", "Edm.String", |_, row| json!(row.name)),
    always("Comment", "Edm.String", |_, row| json!(row.comment)),
    always("CollectionType", "Edm.Int64", |_, row| json!(row.kind)),
    always("CloudServicesEnabled", "Edm.Boolean", |_, _| json!(false)),
    always("CurrentStatus", "Edm.Int64", |c, row| {
        json!(c.world.site.status(&row.id))
    }),
    always(
        "FullEvaluation",
        "AdminService.SMS_CollectionEvaluation",
        |c, row| {
            json!({
                "RunTime": 62,
                "MemberChanges": row.member_changes,
                "MemberChangeTime": text(row.members_changed),
                "LastRefreshTime": text(row.fully_refreshed),
                "NextRefreshTime": text(next_refresh(c)),
            })
        },
    ),
    always(
        "IncrementalEvaluation",
        "AdminService.SMS_CollectionEvaluation",
        |_, row| {
            json!(row.incrementally_refreshed.map(|at| json!({
                "RunTime": 31,
                "LastRefreshTime": text(at),
            })))
        },
    ),
    always("IncludeExcludeCollectionsCount", "Edm.Int64", |_, row| {
        json!(row.include.len() + row.exclude.len())
    }),
    always("IsBuiltIn", "Edm.Boolean", |_, row| json!(row.built_in)),
    always("IsReferenceCollection", "Edm.Boolean", |_, row| {
        json!(row.built_in)
    }),
    always("LastChangeTime", "Edm.DateTimeOffset", |_, row| {
        json!(text(row.changed))
    }),
    always("LastMemberChangeTime", "Edm.DateTimeOffset", |_, row| {
        json!(text(row.members_changed))
    }),
    always("LastRefreshTime", "Edm.DateTimeOffset", |_, row| {
        json!(text(row.refreshed))
    }),
    always("LimitToCollectionID", "Edm.String", |_, row| {
        json!(row.limit.as_deref().unwrap_or(""))
    }),
    always("LimitToCollectionName", "Edm.String", limit_name),
    always("LocalMemberCount", "Edm.Int64", |_, row| {
        json!(row.members.count_ones(..))
    }),
    always("MemberClassName", "Edm.String", |_, row| {
        json!(format!("SMS_CM_RES_COLL_{}", row.id))
    }),
    always("MemberCount", "Edm.Int64", |_, row| {
        json!(row.members.count_ones(..))
    }),
    always("OwnedByThisSite", "Edm.Boolean", |_, _| json!(true)),
    always("ReplicateToSubSites", "Edm.Boolean", |_, _| json!(true)),
    always("ServiceWindowsCount", "Edm.Int64", |_, row| {
        json!(row.service_windows)
    }),
    always("UseCluster", "Edm.Boolean", |_, _| json!(false)),
    shown(
        "CollectionRules",
        "Collection(AdminService.SMS_CollectionRule)",
        Shown::Lazy,
        rules,
    ),
    shown("RefreshType", "Edm.Int64", Shown::Lazy, |_, row| {
        json!(row.refresh_type)
    }),
    shown(
        "RefreshSchedule",
        "Collection(AdminService.SMS_ScheduleToken)",
        Shown::Lazy,
        |_, row| {
            if row.refresh_type & 2 == 0 {
                return json!([]);
            }
            json!([{
                "@odata.type": "#AdminService.SMS_ST_RecurInterval",
                "DaySpan": 1, "HourSpan": 0, "MinuteSpan": 0, "IsGMT": false,
                "StartTime": "2023-01-01T04:00:00Z",
            }])
        },
    ),
    shown("ObjectPath", "Edm.String", Shown::Lazy, |_, _| json!("/")),
    always("CollectionVariablesCount", "Edm.Int64", |_, _| json!(0)),
    always("ISVData", "Edm.Binary", null),
];

fn rules(context: &Context<'_>, row: &Collection) -> Value {
    if !context.behaviour.collection_rules {
        return Value::Null;
    }
    let direct = row.direct.iter().map(|(id, name)| direct_json(*id, name));
    let queries = row.queries.iter().map(query_json);
    let include = row.include.iter().map(|(id, name)| include_json(id, name));
    let exclude = row.exclude.iter().map(|(id, name)| exclude_json(id, name));
    direct
        .chain(queries)
        .chain(include)
        .chain(exclude)
        .collect()
}

/// A device in a collection.
pub(super) struct Member {
    collection: String,
    place: usize,
}

impl Member {
    /// The members of the collections that a filter can be about.
    pub(super) fn all(context: &Context<'_>, filter: Option<&Filter>) -> Vec<Self> {
        let wanted = filter.and_then(|filter| filter.values_of("CollectionID"));
        let wanted = |id: &str| {
            wanted.as_ref().is_none_or(|ids| {
                ids.iter().any(|wanted| {
                    wanted
                        .as_str()
                        .is_some_and(|wanted| wanted.eq_ignore_ascii_case(id))
                })
            })
        };
        let collections = context.world.site.collections.values();
        collections
            .filter(|collection| wanted(&collection.id))
            .flat_map(|collection| {
                collection.members.ones().map(|place| Self {
                    collection: collection.id.clone(),
                    place,
                })
            })
            .collect()
    }

    fn direct(&self, context: &Context<'_>) -> bool {
        let collection = context.world.site.collections.get(&self.collection);
        collection
            .is_some_and(|collection| collection.direct.contains_key(&resource_id(self.place)))
    }
}

pub(super) static MEMBER: &[Column<Member>] = &[
    always("CollectionID", "Edm.String", |_, row| json!(row.collection)),
    always("ResourceID", "Edm.Int64", |_, row| {
        json!(resource_id(row.place))
    }),
    always("ResourceType", "Edm.Int64", |_, _| json!(5)),
    always("Name", "Edm.String", |c, row| {
        json!(c.world.devices[c.world.resources[row.place].device].name)
    }),
    always("SMSID", "Edm.String", |c, row| {
        let id = c.world.resources[row.place].client_id.to_string();
        json!(format!("GUID:{}", id.to_uppercase()))
    }),
    always("SiteCode", "Edm.String", |c, _| json!(c.world.site.code)),
    always("Domain", "Edm.String", |_, _| json!("CONTOSO")),
    always("IsDirect", "Edm.Boolean", |c, row| json!(row.direct(c))),
    always("IsClient", "Edm.Boolean", |c, row| {
        json!(
            c.world.devices[c.world.resources[row.place].device]
                .kind
                .has_client()
        )
    }),
    always("IsObsolete", "Edm.Boolean", |c, row| {
        json!(c.world.resources[row.place].obsolete)
    }),
    always("IsApproved", "Edm.Int64", |_, _| json!(1)),
    always("IsAssigned", "Edm.Boolean", |_, _| json!(true)),
    always("IsBlocked", "Edm.Boolean", |_, _| json!(false)),
];

pub(super) static DEPLOYMENT: &[Column<Deployment>] = &[
    always("DeploymentID", "Edm.String", |c, row| {
        let id = c
            .world
            .chance
            .guid("deployment", row.id as usize)
            .to_string();
        json!(format!("{{{}}}", id.to_uppercase()))
    }),
    always("AssignmentID", "Edm.Int64", |_, row| json!(row.id)),
    always("CollectionID", "Edm.String", |_, row| json!(row.collection)),
    always("CollectionName", "Edm.String", |c, row| {
        let collection = c.world.site.collections.get(&row.collection);
        json!(collection.map(|collection| &collection.name))
    }),
    always("SoftwareName", "Edm.String", |_, row| json!(row.name)),
    always("ApplicationName", "Edm.String", |_, row| json!(row.name)),
    always("FeatureType", "Edm.Int64", |_, row| json!(row.feature)),
    always("DeploymentIntent", "Edm.Int64", |_, _| json!(1)),
    always("DesiredConfigType", "Edm.Int64", |_, _| json!(1)),
    always("NumberTargeted", "Edm.Int64", |c, row| {
        let collection = c.world.site.collections.get(&row.collection);
        json!(collection.map_or(0, |collection| collection.members.count_ones(..)))
    }),
    always("EnforcementDeadline", "Edm.DateTimeOffset", null),
];
