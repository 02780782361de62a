//! The application that signs in, as the tenant has it registered.

use jiff::Timestamp;
use serde::Deserialize;

use super::GraphClient;
use crate::address::endpoint_under;
use crate::error::{EstateError, Service};
use crate::expiry::Expiry;
use crate::http::Endpoint;
use crate::secret::Secret;
use crate::token::ClientProof;

/// What a client secret is called.
pub const CLIENT_SECRET: &str = "client secret for Entra ID";

const APPLICATIONS: Endpoint = Endpoint {
    template: "/applications",
    needs: "the application permission Application.Read.All",
};

#[derive(Deserialize)]
struct Applications {
    value: Vec<Application>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    #[serde(default)]
    password_credentials: Vec<PasswordCredential>,
}

/// One of the application's secrets
/// (<https://learn.microsoft.com/graph/api/resources/passwordcredential>).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordCredential {
    /// How it begins: three characters.
    hint: Option<String>,
    end_date_time: Option<Timestamp>,
}

impl GraphClient {
    /// When the client secret ends, if one is signed in with and the tenant says so. Several secrets may
    /// begin alike: then it is the first that ends.
    ///
    /// # Errors
    ///
    /// [`EstateError::Forbidden`] without the permission, which nothing else needs, and any other.
    pub async fn secret_expiry(&self, now: Timestamp) -> Result<Option<Expiry>, EstateError> {
        let credentials = self.tokens.credentials();
        let ClientProof::Secret(secret) = &credentials.proof else {
            return Ok(None);
        };
        let mut url = endpoint_under(&self.base, "v1.0/applications");
        url.query_pairs_mut()
            .append_pair(
                "$filter",
                &format!("appId eq '{}'", quoted(&credentials.client_id)),
            )
            .append_pair("$select", "appId,passwordCredentials");
        let body = self.get(url, APPLICATIONS, &[]).await?;
        let found: Applications = serde_json::from_slice(&body).map_err(|error| {
            EstateError::unusable(Service::Graph, APPLICATIONS.template, error.to_string())
        })?;
        let until = end_of(secret, found.value, now);
        Ok(until.map(|until| Expiry::of(CLIENT_SECRET, until, now)))
    }
}

/// When `secret`, which is good at `now`, ends.
fn end_of(secret: &Secret, found: Vec<Application>, now: Timestamp) -> Option<Timestamp> {
    let passwords = found.into_iter().flat_map(|one| one.password_credentials);
    let is_meant = |password: &PasswordCredential| {
        let hint = password.hint.as_deref();
        hint.is_none_or(|hint| secret.reveal().starts_with(hint))
    };
    passwords
        .filter(is_meant)
        .filter_map(|password| password.end_date_time)
        .filter(|until| now < *until)
        .min()
}

/// Text within a literal of OData.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_secrets_that_begin_alike_the_first_that_has_not_ended_counts() {
        let now: Timestamp = "2026-11-26T08:00:00Z".parse().unwrap();
        let end = |passwords: &str| {
            let text =
                format!(r#"{{"value":[{{"appId":"a","passwordCredentials":{passwords}}}]}}"#);
            let found: Applications = serde_json::from_str(&text).unwrap();
            end_of(&Secret::new("abcdef"), found.value, now).map(|end| end.to_string())
        };
        let one = |hint: &str, end: &str| {
            format!(r#"{{"keyId":"k","hint":{hint},"endDateTime":"{end}","secretText":null}}"#)
        };
        let other = one(r#""xyz""#, "2026-12-01T00:00:00Z");
        let past = one(r#""abc""#, "2026-11-01T00:00:00Z");
        let first = one(r#""abc""#, "2027-01-01T00:00:00.1234567Z");
        let second = one("null", "2027-02-01T00:00:00Z");
        let all = end(&format!("[{other},{second},{past},{first}]"));
        assert_eq!(all.as_deref(), Some("2027-01-01T00:00:00.1234567Z"));
        assert_eq!(
            end(&format!("[{second}]")).as_deref(),
            Some("2027-02-01T00:00:00Z")
        );
        assert_eq!(end(&format!("[{other},{past}]")), None);
        assert_eq!(end("[]"), None);
    }
}
