//! How an application proves itself to Entra ID.

use std::sync::Arc;

use jiff::Timestamp;
use url::Url;

use super::certificate::ClientCertificate;
use super::federated::FederatedToken;
use crate::error::EstateError;
use crate::secret::Secret;

/// What an assertion is (RFC 7523, section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An application registration that may call Microsoft Graph.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The application's id.
    pub client_id: String,
    /// What shows that it is this application that asks.
    pub proof: ClientProof,
}

/// What shows that it is an application that asks.
#[derive(Debug, Clone)]
pub enum ClientProof {
    /// A secret that Entra knows as well.
    Secret(Secret),
    /// A certificate that Entra knows, with its key, which never leaves this machine.
    Certificate(ClientCertificate),
    /// Tokens of an issuer whom Entra trusts to vouch for the application, such as a cluster.
    Federated(Arc<dyn FederatedToken>),
}

/// What is shown to Entra once.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) fields: Vec<(&'static str, Secret)>,
    /// What was issued by somebody else, and is another thing after a while.
    pub(super) changing: Option<Secret>,
}

impl ClientCredentials {
    /// What to show to the token endpoint `url` now.
    ///
    /// # Errors
    ///
    /// [`EstateError`] when a certificate is not valid now, or nobody issues a token.
    pub(super) async fn show(&self, url: &Url, now: Timestamp) -> Result<Shown, EstateError> {
        let assertion = |value: Secret| {
            let kind = Secret::new(JWT_BEARER);
            vec![("client_assertion_type", kind), ("client_assertion", value)]
        };
        Ok(match &self.proof {
            ClientProof::Secret(secret) => Shown {
                fields: vec![("client_secret", secret.clone())],
                changing: None,
            },
            ClientProof::Certificate(certificate) => Shown {
                fields: assertion(certificate.assert(&self.client_id, url.as_str(), now)?),
                changing: None,
            },
            ClientProof::Federated(source) => {
                let token = source.token().await?;
                Shown {
                    fields: assertion(token.clone()),
                    changing: Some(token),
                }
            }
        })
    }
}

impl Shown {
    /// `text` without what was shown: a service may echo it.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        let secrets = self
            .fields
            .iter()
            .filter(|(name, _)| *name != "client_assertion_type");
        secrets.fold(text.to_owned(), |text, (_, secret)| secret.hidden_in(&text))
    }

    /// `error` without what was shown.
    pub(super) fn hidden_from(&self, mut error: EstateError) -> EstateError {
        if let EstateError::Refused { detail, .. }
        | EstateError::Forbidden { detail, .. }
        | EstateError::NotFound { detail, .. }
        | EstateError::Answer { detail, .. } = &mut error
        {
            *detail = self.hidden_in(detail);
        }
        error
    }
}
