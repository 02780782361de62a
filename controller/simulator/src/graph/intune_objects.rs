//! Policies, profiles and apps of Intune, as far as somebody asks whether one is there and whom it is
//! assigned to.
//!
//! Any collection of the two roots is served, whatever it is called: what is not in one is not there.

use serde_json::{Map, Value, json};

use crate::faults::{Rows, suffer};
use crate::graph::Request;
use crate::graph::paging::{self, Cursor};
use crate::http::Answer;
use crate::setup::{IntuneAssignment, IntuneObject, IntuneTarget};

/// The object at a path below the version, such as `deviceManagement/deviceConfigurations/{id}`.
fn at<'a>(request: &Request<'a>, collection: &str, id: &str) -> Option<&'a IntuneObject> {
    let objects = request.context.world.intune.iter();
    let mut objects = objects.filter(|object| request.context.beta || !object.beta_only);
    objects.find(|object| object.collection == collection && object.id.eq_ignore_ascii_case(id))
}

fn refused(request: &Request<'_>) -> Option<Answer> {
    if request.credentials.reads_intune_objects {
        return None;
    }
    let message = "Application is not authorized to perform this operation. Application must have \
                   one of the scopes that this collection needs.";
    Some(request.error(403, "Forbidden", message))
}

fn not_found(request: &Request<'_>, id: &str) -> Answer {
    let message = format!("Resource not found: {id}");
    request.error(404, "ResourceNotFound", &message)
}

/// GET {collection}/{id}
pub(super) fn by_id(request: &Request<'_>, collection: &str, id: &str) -> Answer {
    if let Some(refused) = refused(request) {
        return refused;
    }
    let Some(object) = at(request, collection, id) else {
        return not_found(request, id);
    };
    let mut item = Map::new();
    item.insert(
        "@odata.context".to_owned(),
        Value::from(request.metadata(&format!("{collection}/$entity"))),
    );
    if let Some(of) = &object.odata_type {
        let of = format!("#microsoft.graph.{of}");
        item.insert("@odata.type".to_owned(), Value::from(of));
    }
    item.insert("id".to_owned(), json!(object.id));
    item.insert("displayName".to_owned(), json!(object.name));
    item.insert("description".to_owned(), Value::Null);
    item.insert("roleScopeTagIds".to_owned(), json!(["0"]));
    item.insert("version".to_owned(), json!(3));
    for failure in request.failures {
        suffer(&mut item, failure);
    }
    Answer::json(200, &item)
}

/// GET {collection}/{id}/assignments
pub(super) fn assignments(request: &Request<'_>, collection: &str, id: &str) -> Answer {
    if let Some(refused) = refused(request) {
        return refused;
    }
    let Some(object) = at(request, collection, id) else {
        return not_found(request, id);
    };
    let cursor = match Cursor::read(request.call, request.context.world) {
        Ok(cursor) => cursor,
        Err(words) => return request.error(400, "BadRequest", words),
    };
    let size = match paging::size(request.call, request.context.behaviour) {
        Ok(size) => size,
        Err(words) => return request.error(400, "BadRequest", words),
    };
    let mut before = Map::new();
    let metadata = request.metadata(&format!("{collection}('{id}')/assignments"));
    before.insert("@odata.context".to_owned(), Value::from(metadata));
    let mut rows = Rows::new(request.failures);
    let places = object.assignments.len();
    let next = cursor.turn(request, places, size, |place| {
        rows.push(assignment(object, object.assignments.get(place)?));
        Some(())
    });
    let next = next.map(|next| next.link(request));
    let body = rows.finish(&before, next.as_deref());
    Answer::bytes(200, "application/json;charset=utf-8", body)
}

fn assignment(object: &IntuneObject, assignment: &IntuneAssignment) -> Map<String, Value> {
    let (of, group) = match &assignment.target {
        IntuneTarget::Group(id) => ("groupAssignmentTarget", Some(id)),
        IntuneTarget::ExcludedGroup(id) => ("exclusionGroupAssignmentTarget", Some(id)),
        IntuneTarget::AllDevices => ("allDevicesAssignmentTarget", None),
        IntuneTarget::AllUsers => ("allLicensedUsersAssignmentTarget", None),
    };
    let mut target = Map::new();
    let of = format!("#microsoft.graph.{of}");
    target.insert("@odata.type".to_owned(), Value::from(of));
    target.insert(
        "deviceAndAppManagementAssignmentFilterId".to_owned(),
        Value::Null,
    );
    if let Some(id) = group {
        target.insert("groupId".to_owned(), json!(id));
    }
    let mut item = Map::new();
    let suffix = group.map_or("adadadad-808e-44e2-905a-0b7873a8a531", String::as_str);
    item.insert("id".to_owned(), json!(format!("{}_{suffix}", object.id)));
    if let Some(intent) = &assignment.intent {
        item.insert("intent".to_owned(), json!(intent));
    }
    item.insert("target".to_owned(), Value::Object(target));
    item
}
