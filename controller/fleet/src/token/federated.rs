//! Workload identity: a token of somebody whom Entra trusts, in place of a secret
//! (entra: workload-id/workload-identity-federation.md).

use std::fmt;
use std::path::PathBuf;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::error::{EstateError, Service};
use crate::secret::Secret;

/// Somebody who issues tokens for an application: a cluster for one of its service accounts, or
/// whoever keeps a file up to date.
///
/// Entra takes tokens that are signed with RSA, whose issuer, subject and audience a federated
/// credential of the application names.
pub trait FederatedToken: fmt::Debug + Send + Sync {
    /// A token that is valid now. It is asked for whenever Entra is, about once an hour.
    ///
    /// # Errors
    ///
    /// [`EstateError::Configuration`] when a person must mend something, and
    /// [`EstateError::Unreachable`] when asking again may help.
    fn token(&self) -> BoxFuture<'_, Result<Secret, EstateError>>;
}

/// Tokens from a file that somebody else keeps up to date, as `AZURE_FEDERATED_TOKEN_FILE` names it.
/// It is read each time, so that a new token is used as soon as it is there.
#[derive(Debug, Clone)]
pub struct TokenFile(PathBuf);

impl TokenFile {
    /// The tokens in `file`.
    #[must_use]
    pub const fn new(file: PathBuf) -> Self {
        Self(file)
    }

    async fn read(&self) -> Result<Secret, EstateError> {
        let unusable = |detail: String| EstateError::Configuration {
            service: Service::Entra,
            detail: format!("the token file {} {detail}", self.0.display()),
        };
        let file = self.0.clone();
        let text = tokio::task::spawn_blocking(move || std::fs::read_to_string(file))
            .await
            .map_err(|error| unusable(format!("cannot be read: {error}")))?
            .map_err(|error| unusable(format!("cannot be read: {error}")))?;
        let token = Secret::new(text.trim());
        if token.is_empty() {
            return Err(unusable("is empty".to_owned()));
        }
        Ok(token)
    }
}

impl FederatedToken for TokenFile {
    fn token(&self) -> BoxFuture<'_, Result<Secret, EstateError>> {
        self.read().boxed()
    }
}
