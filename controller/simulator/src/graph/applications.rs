//! Entra: the application that asks, as the tenant has it registered.

use serde_json::json;

use crate::graph::Request;
use crate::http::Answer;
use crate::moment::{DAY, text};
use crate::token::Credentials;

/// GET applications. Who may read devices may not read these.
pub(super) fn list(request: &Request<'_>, credentials: &Credentials) -> Answer {
    if !credentials.reads_applications {
        let message = "Insufficient privileges to complete the operation.";
        return request.error(403, "Authorization_RequestDenied", message);
    }
    let meant = request.call.option("$filter").unwrap_or_default();
    let Some(id) = meant
        .strip_prefix("appId eq '")
        .and_then(|rest| rest.strip_suffix('\''))
    else {
        let message = "Invalid filter clause: this property is not served here.";
        return request.error(400, "Request_UnsupportedQuery", message);
    };
    let found: Vec<_> = (id == credentials.client_id)
        .then(|| registration(request, credentials))
        .into_iter()
        .collect();
    let body = json!({
        "@odata.context": request.metadata("applications(appId,passwordCredentials)"),
        "value": found,
    });
    Answer::json(200, &body)
}

/// Secrets are listed by how they begin, with those that have ended.
fn registration(request: &Request<'_>, credentials: &Credentials) -> serde_json::Value {
    let guid = |number| {
        request
            .context
            .world
            .chance
            .guid("password", number)
            .to_string()
    };
    let password = |number, secret: &str, from, until: i64| {
        json!({
            "customKeyIdentifier": null,
            "displayName": null,
            "endDateTime": text(until),
            "hint": secret.chars().take(3).collect::<String>(),
            "keyId": guid(number),
            "secretText": null,
            "startDateTime": text(from),
        })
    };
    let now = request.context.world.now;
    let first = now - now.rem_euclid(DAY) - 400 * DAY;
    json!({
        "appId": credentials.client_id,
        "passwordCredentials": [
            password(0, "old", first, first + 180 * DAY),
            password(1, &credentials.client_secret, first, credentials.secret_until),
        ],
    })
}
