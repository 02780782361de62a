//! Questions to the controller, through the API server's proxy of its Service.

use diarchy_core::code::Code;
use diarchy_core::resource::ObjectName;
use diarchy_web::{ReadError, TOKEN};
use http_body_util::BodyExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::client::Body;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::{Connection, token};
use crate::arguments::{Asked, Fleet};
use crate::failure::Failure;

/// The port of the Service, by its name.
const PORT: &str = "api";

/// The controller of a cluster, asked about one fleet.
pub struct Controller {
    connection: Connection,
    /// The fleet.
    pub fleet: ObjectName,
    namespace: String,
    service: String,
    token: String,
}

impl Controller {
    /// The controller that is meant, and the fleet, with a token that shows who asks.
    pub async fn new(
        connection: Connection,
        arguments: &Asked,
        choice: &Fleet,
    ) -> Result<Self, Failure> {
        let pair = |text: &str, option: &str| match text.split_once('/') {
            Some((namespace, name)) => Ok((namespace.to_owned(), name.to_owned())),
            None => Err(Failure::argument(
                format!("`{text}` names nothing in a namespace"),
                format!("write {option} as NAMESPACE/NAME"),
            )),
        };
        let (namespace, service) = pair(&arguments.controller, "--controller")?;
        let (lends, account) = match &arguments.account {
            Some(account) => pair(account, "--account")?,
            None => (namespace.clone(), format!("{service}-reader")),
        };
        Ok(Self {
            fleet: connection.choose(choice).await?,
            token: token::token(&connection, (&lends, &account)).await?,
            connection,
            namespace,
            service,
        })
    }

    /// The same, through the cluster that the arguments name.
    pub async fn reach(arguments: &Asked, choice: &Fleet) -> Result<Self, Failure> {
        let connection = Connection::new(&arguments.cluster).await?;
        Self::new(connection, arguments, choice).await
    }

    /// The answer to a question about the fleet, with its `terms`.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        question: &str,
        terms: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let terms: Vec<String> = terms
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let path = format!(
            "/api/v1/namespaces/{}/services/https:{}:{PORT}/proxy/api/v1/namespaces/{}/fleets/{}/{question}?{}",
            self.namespace,
            self.service,
            self.fleet.namespace,
            self.fleet.name,
            terms.join("&")
        );
        let request = http::Request::get(path)
            .header(TOKEN, &self.token)
            .body(Body::empty());
        let request = request.map_err(|error| {
            Failure::argument(error.to_string(), "correct the name of the fleet")
        })?;
        let unasked = |error: &dyn std::error::Error| self.unasked(&error.to_string());
        let answer = self.connection.client.send(request).await;
        let answer = answer.map_err(|error| unasked(&error))?;
        let is_answer = answer.status().is_success();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| unasked(&error))?.to_bytes();
        if is_answer {
            return serde_json::from_slice(&body).map_err(|error| {
                let why = format!("the controller's answer cannot be read: {error}");
                Failure::new(
                    Code::ControllerNotFound,
                    why,
                    "use the version of Diarchy that the cluster has",
                )
            });
        }
        Err(self.refused(&body))
    }

    /// What the controller, or the API server in between, said instead of answering.
    fn refused(&self, body: &[u8]) -> Failure {
        if let Ok(error) = serde_json::from_slice::<ReadError>(body) {
            let number = error.code.trim_start_matches("DIA").parse().ok();
            let code = number.and_then(Code::from_number);
            return Failure::new(code.unwrap_or(Code::Internal), error.problem, error.remedy);
        }
        let told = serde_json::from_slice::<Status>(body)
            .ok()
            .and_then(|status| status.message);
        self.unasked(&told.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()))
    }

    fn unasked(&self, why: &str) -> Failure {
        let Self {
            namespace, service, ..
        } = self;
        Failure::new(
            Code::ControllerNotFound,
            format!("the controller {namespace}/{service} cannot be asked: {why}"),
            "name its Service with --controller, and see that a replica is ready and that you may use the Service's proxy",
        )
    }
}
