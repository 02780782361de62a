//! Microsoft Graph, as far as co-management needs it.

mod applications;
mod directory;
mod eligible_devices;
mod intune_objects;
mod managed_columns;
mod managed_devices;
mod paging;

use serde_json::{Map, Value, json};

use crate::columns::{Column, Context, choose, entity};
use crate::faults::{Failure, Rows, suffer};
use crate::http::{Answer, Call};
use crate::moment::text;
use crate::throttle::{Meter, Throttled};
use crate::token::Credentials;
use crate::world::World;
use paging::Cursor;

/// A request to Graph, and all that its answer depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) call: &'a Call,
    pub(crate) context: Context<'a>,
    /// `https://localhost:port`
    pub(crate) endpoint: &'a str,
    pub(crate) failures: &'a [Failure],
    /// Who may ask.
    pub(crate) credentials: &'a Credentials,
}

/// Entities that a collection of Graph consists of: places, some of them empty.
struct Listing<'a, R: 'static> {
    /// The type's name in error messages.
    type_name: &'static str,
    columns: &'static [Column<R>],
    places: usize,
    at: &'a dyn Fn(usize) -> Option<R>,
}

/// The meters that a request counts in.
pub(crate) fn meters(call: &Call) -> Vec<Meter> {
    let devices = [
        "/deviceManagement/managedDevices",
        "/deviceManagement/comanagementEligibleDevices",
    ]
    .iter()
    .any(|class| call.path.contains(class));
    let mut meters = vec![
        Meter::GraphGlobal,
        if devices {
            Meter::GraphDevices
        } else {
            Meter::GraphOther
        },
    ];
    if call.writes() {
        meters.push(if devices {
            Meter::GraphDeviceWrites
        } else {
            Meter::GraphOtherWrites
        });
    }
    meters
}

/// Too many requests. Some endpoints do not say for how long, some say it in fractions.
pub(crate) fn throttled(call: &Call, world: &World, throttled: Throttled) -> Answer {
    let answer = error(call, world, 429, "TooManyRequests", "Too many requests");
    if call.path.contains("comanagementEligibleDevices") {
        return answer;
    }
    let (seconds, rest) = (throttled.wait / 1000, throttled.wait % 1000);
    let words = if world
        .chance
        .bits("fraction", seconds.unsigned_abs().try_into().unwrap_or(0))
        & 1
        == 0
    {
        format!("{seconds}.{rest:03}")
    } else {
        (seconds + 1).to_string()
    };
    answer.with("retry-after", words)
}

/// An error in the form of Graph.
pub(crate) fn error(call: &Call, world: &World, status: u16, code: &str, message: &str) -> Answer {
    let request = world
        .chance
        .guid(
            "request",
            usize::try_from(world.now.unsigned_abs()).unwrap_or(0),
        )
        .to_string();
    let client = call.header("client-request-id").unwrap_or(&request);
    let inner = json!({
        "date": text(world.now).trim_end_matches('Z'),
        "request-id": request,
        "client-request-id": client,
    });
    // The documented spelling and the one of live answers differ.
    let spelling = if code.len().is_multiple_of(2) {
        "innerError"
    } else {
        "innererror"
    };
    let body = json!({"error": {"code": code, "message": message, spelling: inner}});
    Answer::json(status, &body)
        .with("request-id", request.clone())
        .with("client-request-id", client)
}

/// Answers a request that was let in.
pub(crate) fn answer(mut request: Request<'_>) -> Answer {
    let path = request.call.path.as_str();
    let not_found = |request: &Request<'_>| {
        let message = format!("Resource not found for the segment '{path}'.");
        request.error(404, "BadRequest", &message)
    };
    let Some((version, rest)) = path.trim_start_matches('/').split_once('/') else {
        return not_found(&request);
    };
    request.context.beta = match version {
        "beta" => true,
        "v1.0" => false,
        _ => {
            let message = "Invalid version: expected v1.0 or beta.";
            return request.error(400, "BadRequest", message);
        }
    };
    if request.call.writes() {
        let message = "This operation is not served here.";
        return request.error(405, "Request_BadRequest", message);
    }
    let rest = rest.trim_end_matches('/');
    match rest.split('/').collect::<Vec<_>>()[..] {
        ["applications"] => applications::list(&request, request.credentials),
        ["organization"] => directory::organization(&request),
        ["devices"] => directory::devices(&request),
        ["users"] => directory::users(&request),
        ["groups"] => directory::groups(&request),
        [
            "groups",
            id,
            "transitiveMembers",
            "graph.device" | "microsoft.graph.device",
        ] => directory::device_members(&request, id),
        ["deviceManagement", "managedDevices"] => managed_devices::list(&request),
        ["deviceManagement", "managedDevices", id] => managed_devices::by_id(&request, id),
        ["deviceManagement", "comanagementEligibleDevices"] if request.context.beta => {
            eligible_devices::list(&request)
        }
        [
            root @ ("deviceManagement" | "deviceAppManagement"),
            collection,
            id,
        ] => intune_objects::by_id(&request, &format!("{root}/{collection}"), id),
        [
            root @ ("deviceManagement" | "deviceAppManagement"),
            collection,
            id,
            "assignments",
        ] => intune_objects::assignments(&request, &format!("{root}/{collection}"), id),
        _ => not_found(&request),
    }
}

impl Request<'_> {
    pub(crate) fn error(&self, status: u16, code: &str, message: &str) -> Answer {
        error(self.call, self.context.world, status, code, message)
    }

    fn version(&self) -> &'static str {
        if self.context.beta { "beta" } else { "v1.0" }
    }

    fn metadata(&self, what: &str) -> String {
        format!("{}/{}/$metadata#{what}", self.endpoint, self.version())
    }

    fn no_such_property(&self, name: &str, type_name: &str) -> Answer {
        let message = format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.{type_name}'."
        );
        self.error(400, "BadRequest", &message)
    }

    /// One entity, by its key.
    fn one<R>(
        &self,
        what: &str,
        type_name: &str,
        columns: &'static [Column<R>],
        row: &R,
    ) -> Answer {
        let context = Context {
            by_key: true,
            ..self.context
        };
        let selected = self.call.selected();
        let columns = match choose(columns, &context, selected.as_deref()) {
            Ok(columns) => columns,
            Err(name) => return self.no_such_property(&name, type_name),
        };
        let mut item = entity(&columns, &context, row);
        for failure in self.failures {
            suffer(&mut item, failure);
        }
        item.insert(
            "@odata.context".to_owned(),
            Value::from(self.metadata(&format!("{what}/$entity"))),
        );
        Answer::json(200, &item)
    }

    /// A page of a collection.
    fn list<R>(&self, what: &str, listing: &Listing<'_, R>) -> Answer {
        for (name, _) in &self.call.query {
            let known = ["$select", "$top", "$skiptoken", "$count"].contains(&name.as_str());
            if name.starts_with('$') && !known {
                let message = format!("The query option '{name}' is not served here.");
                return self.error(400, "BadRequest", &message);
            }
        }
        let selected = self.call.selected();
        let columns = match choose(listing.columns, &self.context, selected.as_deref()) {
            Ok(columns) => columns,
            Err(name) => return self.no_such_property(&name, listing.type_name),
        };
        let cursor = match Cursor::read(self.call, self.context.world) {
            Ok(cursor) => cursor,
            Err(words) => return self.error(400, "BadRequest", words),
        };
        let size = match paging::size(self.call, self.context.behaviour) {
            Ok(size) => size,
            Err(words) => return self.error(400, "BadRequest", words),
        };
        let mut before = Map::new();
        before.insert(
            "@odata.context".to_owned(),
            Value::from(self.metadata(what)),
        );
        if self.call.option("$count") == Some("true") && cursor.is_first() {
            let count = (0..listing.places).filter_map(listing.at).count();
            before.insert("@odata.count".to_owned(), Value::from(count));
        }
        let mut rows = Rows::new(self.failures);
        let next = cursor.turn(self, listing.places, size, |place| {
            let row = (listing.at)(place)?;
            rows.push(entity(&columns, &self.context, &row));
            Some(())
        });
        let next = next.map(|next| next.link(self));
        let own = || {
            Cursor::read(self.call, self.context.world)
                .ok()
                .map(|own| own.link(self))
        };
        let next = if self.failures.contains(&Failure::NextLinkLoop) {
            own()
        } else {
            next
        };
        let body = rows.finish(&before, next.as_deref());
        Answer::bytes(
            200,
            "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
            body,
        )
    }
}
