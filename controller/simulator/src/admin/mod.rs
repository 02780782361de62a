//! Configuration Manager's AdminService, as far as co-management needs it.

mod classes;
mod collections;
pub(crate) mod filter;
mod hardware;
mod metadata;
pub(crate) mod writes;

use std::borrow::Borrow;

use serde_json::{Map, Value};

use crate::columns::{Column, Context, Shown, choose, entity};
use crate::faults::{Failure, Rows, suffer};
use crate::http::{Answer, Call};
use crate::setup::{Behaviour, KeyLookup};
use crate::site::collections::Collection;
use crate::world::World;
use classes::{Record, SiteRow};
use collections::Member;
use filter::Filter;

/// The path that everything is below.
pub(crate) const BASE: &str = "/AdminService";

/// A request to the AdminService, and all that its answer depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) call: &'a Call,
    pub(crate) context: Context<'a>,
    /// `https://localhost:port`
    pub(crate) endpoint: &'a str,
    pub(crate) failures: &'a [Failure],
}

/// A class and what a request wants of it.
struct Query<'a> {
    class: &'a str,
    key: Option<&'a str>,
    /// The property that the key is the value of.
    key_property: &'static str,
    filter: Option<&'a Filter>,
}

fn no_route(call: &Call) -> Answer {
    let message = format!(
        "No HTTP resource was found that matches the request URI '{}'.",
        call.path
    );
    Answer::admin_error(404, &message)
}

/// The path after `/AdminService/wmi/`, if it is there.
pub(crate) fn wmi_route(path: &str) -> Option<&str> {
    path.strip_prefix(BASE)?.strip_prefix("/wmi/")
}

/// Answers a GET that was let in.
pub(crate) fn answer(request: &Request<'_>) -> Answer {
    let Some(path) = request.call.path.strip_prefix(BASE) else {
        return no_route(request.call);
    };
    if path == "/v1.0/$metadata" || path == "/wmi/$metadata" {
        let document = metadata::document(&request.context);
        return Answer::bytes(200, "application/xml", document.into_bytes());
    }
    let Some(route) = wmi_route(&request.call.path) else {
        return no_route(request.call);
    };
    let filter = match request
        .call
        .option("$filter")
        .map(Filter::parse)
        .transpose()
    {
        Ok(filter) => filter,
        Err(message) => {
            let message = format!("The query specified in the URI is not valid. {message}");
            return Answer::admin_error(400, &message);
        }
    };
    let route = route.trim_end_matches('/');
    let (class, key) = match writes::key_of(route) {
        Some((class, key)) => (class, Some(key)),
        None => match route.split_once('/') {
            Some((class, key)) if !key.contains('/') => (class, Some(key.trim_matches('\''))),
            Some(_) => return no_route(request.call),
            None => (route, None),
        },
    };
    request.class(class, key, filter.as_ref())
}

impl Request<'_> {
    fn class(&self, class: &str, key: Option<&str>, filter: Option<&Filter>) -> Answer {
        let context = &self.context;
        let world = context.world;
        let query = |key_property| Query {
            class,
            key,
            key_property,
            filter,
        };
        let by_resource = query("ResourceID");
        match class {
            "SMS_Site" => self.list(&query("SiteCode"), classes::SITE, [SiteRow]),
            "SMS_R_System" => self.list(&by_resource, classes::R_SYSTEM, Record::all(context)),
            "SMS_CombinedDeviceResources" => {
                self.list(&by_resource, classes::COMBINED, Record::all(context))
            }
            "SMS_Client_ComanagementState" => self.list(
                &query("MachineId"),
                classes::STATE,
                Record::clients(context),
            ),
            "SMS_G_System_SYSTEM_ENCLOSURE" => {
                self.list(&by_resource, hardware::ENCLOSURE, Record::clients(context))
            }
            "SMS_G_System_COMPUTER_SYSTEM" => {
                self.list(&by_resource, hardware::COMPUTER, Record::clients(context))
            }
            "SMS_G_System_OPERATING_SYSTEM" => self.list(
                &by_resource,
                hardware::OPERATING_SYSTEM,
                Record::clients(context),
            ),
            "SMS_G_System_PC_BIOS" => {
                self.list(&by_resource, hardware::BIOS, Record::clients(context))
            }
            "SMS_Collection" => self.list(
                &query("CollectionID"),
                collections::COLLECTION,
                world.site.collections.values(),
            ),
            "SMS_FullCollectionMembership" => self.list(
                &by_resource,
                collections::MEMBER,
                Member::all(context, filter),
            ),
            "SMS_DeploymentSummary" => self.list(
                &query("AssignmentID"),
                collections::DEPLOYMENT,
                world.site.deployments.iter(),
            ),
            "SMS_ClientOperationStatus" => {
                self.list(&query("ID"), classes::OPERATIONS, world.operations.iter())
            }
            _ => no_route(self.call),
        }
    }

    fn list<R: 'static, T: Borrow<R>>(
        &self,
        query: &Query<'_>,
        table: &'static [Column<R>],
        rows: impl IntoIterator<Item = T>,
    ) -> Answer {
        let context = Context {
            by_key: query.key.is_some(),
            ..self.context
        };
        let existing = |name: &str| {
            table
                .iter()
                .find(|column| column.exists(&context) && column.name == name)
        };
        if let Some(filter) = query.filter
            && let Some(unknown) = filter
                .names()
                .into_iter()
                .find(|name| existing(name).is_none())
        {
            return no_property(unknown, query.class);
        }
        let options = self.context.behaviour.wmi_query_options;
        let selected = self.call.selected().filter(|_| options);
        let columns = match choose(table, &context, selected.as_deref()) {
            Ok(columns) => columns,
            Err(name) => return no_property(&name, query.class),
        };
        let key = existing(query.key_property);
        let wanted = |row: &R| {
            let keyed = query.key.is_none_or(|wanted| {
                key.is_some_and(|column| plain(&column.read(&context, row)) == wanted)
            });
            keyed
                && query.filter.is_none_or(|filter| {
                    filter.matches(&|name| {
                        existing(name).map_or(Value::Null, |column| column.read(&context, row))
                    })
                })
        };
        let mut chosen: Vec<T> = rows
            .into_iter()
            .filter(|row| wanted(row.borrow()))
            .collect();
        if query.key.is_some() && chosen.is_empty() {
            return Answer::admin_error(404, "The resource was not found.");
        }
        if let Some(order) = self.call.option("$orderby").filter(|_| options)
            && let Err(answer) = sort(&mut chosen, table, &context, order, query.class)
        {
            return answer;
        }
        self.rows(query, &context, &columns, &chosen)
    }

    /// The rows that are left, or the page of them that was asked for.
    fn rows<R, T: Borrow<R>>(
        &self,
        query: &Query<'_>,
        context: &Context<'_>,
        columns: &[&Column<R>],
        chosen: &[T],
    ) -> Answer {
        let behaviour = self.context.behaviour;
        let number = |name: &str| {
            let value = self.call.option(name)?;
            value.parse::<usize>().ok()
        };
        let honoured = |name: &str| behaviour.wmi_query_options.then(|| number(name)).flatten();
        let start = number("$skiptoken")
            .or_else(|| honoured("$skip"))
            .unwrap_or(0)
            .min(chosen.len());
        let top = honoured("$top").unwrap_or(usize::MAX);
        let page = behaviour
            .admin_page_size
            .map_or(usize::MAX, |size| size.max(1) as usize);
        let end = start.saturating_add(top.min(page)).min(chosen.len());
        let metadata = format!("{}{BASE}/wmi/$metadata#{}", self.endpoint, query.class);
        let mut before = Map::new();
        before.insert("@odata.context".to_owned(), Value::from(metadata));
        if behaviour.wmi_query_options && self.call.option("$count") == Some("true") {
            before.insert("@odata.count".to_owned(), Value::from(chosen.len()));
        }
        let item = |row: &T| decorated(columns, context, row.borrow());
        if query.key.is_some() && behaviour.key_lookup == KeyLookup::Object {
            let mut item = chosen.first().map(item).unwrap_or_default();
            for failure in self.failures {
                suffer(&mut item, failure);
            }
            before.append(&mut item);
            return Answer::json(200, &before);
        }
        let mut rows = Rows::new(self.failures);
        for row in &chosen[start..end] {
            rows.push(item(row));
        }
        let more = page < top && end < chosen.len();
        let next = if self.failures.contains(&Failure::NextLinkLoop) {
            Some(self.link(start))
        } else {
            more.then(|| self.link(end))
        };
        Answer::bytes(
            200,
            "application/json; odata.metadata=minimal",
            rows.finish(&before, next.as_deref()),
        )
    }

    /// The address of the page that begins at `start`.
    fn link(&self, start: usize) -> String {
        let options = self.call.options_without(&["$skiptoken", "$skip"]);
        format!(
            "{}{}?{options}$skiptoken={start}",
            self.endpoint, self.call.path
        )
    }
}

fn no_property(name: &str, class: &str) -> Answer {
    let message = format!(
        "The query specified in the URI is not valid. Could not find a property named '{name}' on type 'AdminService.{class}'."
    );
    Answer::admin_error(400, &message)
}

fn sort<R, T: Borrow<R>>(
    rows: &mut [T],
    table: &[Column<R>],
    context: &Context<'_>,
    order: &str,
    class: &str,
) -> Result<(), Answer> {
    let (name, descending) = match order.trim().split_once(' ') {
        Some((name, direction)) => (name, direction.trim() == "desc"),
        None => (order.trim(), false),
    };
    let column = table
        .iter()
        .find(|column| column.exists(context) && column.name == name)
        .ok_or_else(|| no_property(name, class))?;
    let key = |row: &T| {
        let value = column.read(context, row.borrow());
        (value.as_i64(), plain(&value))
    };
    rows.sort_by_cached_key(key);
    if descending {
        rows.reverse();
    }
    Ok(())
}

/// A value without its quotes.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// An item as the provider sends it, with its tag and the names of what it holds back.
fn decorated<R>(columns: &[&Column<R>], context: &Context<'_>, row: &R) -> Map<String, Value> {
    let lazy: Vec<_> = columns
        .iter()
        .filter(|column| column.shown == Shown::Lazy)
        .map(|column| column.name)
        .collect();
    let mut item = entity(columns, context, row);
    item.insert("__LAZYPROPERTIES".to_owned(), Value::from(lazy));
    item.insert("@odata.etag".to_owned(), Value::Null);
    item
}

/// A collection as the answer to its creation shows it.
fn collection_entity(
    world: &World,
    behaviour: &Behaviour,
    collection: &Collection,
) -> Map<String, Value> {
    let context = Context {
        world,
        behaviour,
        beta: false,
        by_key: true,
    };
    let columns: Vec<_> = collections::COLLECTION.iter().collect();
    decorated(&columns, &context, collection)
}
