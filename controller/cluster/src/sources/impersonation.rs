//! Requests in the name of a service account.

use diarchy_core::resource::ObjectName;
use http::{HeaderValue, Request};
use kube::Client;
use kube::client::Body;
use tower::service_fn;

/// How the API server calls a service account.
pub fn user(account: &ObjectName) -> String {
    let ObjectName { namespace, name } = account;
    format!("system:serviceaccount:{namespace}:{name}")
}

/// A client that has the rights of `account` and no others.
///
/// The server adds the groups of every service account by itself, as no group is named. None for a
/// name that no header can bear.
pub fn client_as(account: &ObjectName, own: &Client) -> Option<Client> {
    let user = HeaderValue::try_from(user(account)).ok()?;
    let own = own.clone();
    let service = service_fn(move |mut request: Request<Body>| {
        let headers = request.headers_mut();
        headers.insert("impersonate-user", user.clone());
        let own = own.clone();
        async move { own.send(request).await }
    });
    Some(Client::new(service, account.namespace.clone()))
}
