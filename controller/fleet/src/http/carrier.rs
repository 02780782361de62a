//! The way that a request leaves: the network, or something in its place.
//!
//! Everything that makes a client persistent, patient and polite lies above this, so that it is the
//! same whichever way a request takes.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use hyper::{Request, Response};
use rustls::ClientConfig;

use super::attempt::Fault;
use super::{TransportOptions, USER};

/// What comes of a request that was carried.
pub type Carried<'a> = BoxFuture<'a, Result<Response<Vec<u8>>, Lost>>;

/// Carries requests to a service in place of the network.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// Carries `request` there, and the answer back.
    fn carry(&self, request: Request<Vec<u8>>) -> Carried<'_>;
}

/// Why no answer came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The service has not seen the request.
    #[error("no connection")]
    Unconnected,
    /// Anything may have happened.
    #[error("the connection broke")]
    Broken,
}

impl From<Lost> for Fault {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Unconnected => Self::unconnected(&lost.to_string()),
            Lost::Broken => Self::broken(lost.to_string()),
        }
    }
}

/// The way that requests of a client leave.
#[derive(Debug)]
pub(super) enum Way {
    Network(reqwest::Client),
    Carried(Arc<dyn Carrier>),
}

impl Way {
    /// The way that `options` name; the network is trusted as `tls` says.
    pub(super) fn new(
        options: &TransportOptions,
        tls: &ClientConfig,
    ) -> Result<Self, reqwest::Error> {
        if let Some(carrier) = &options.carrier {
            return Ok(Self::Carried(Arc::clone(carrier)));
        }
        let mut pooled = tls.clone();
        pooled.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = reqwest::Client::builder()
            .user_agent(USER)
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            // No service used here redirects, and credentials must not follow one.
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(pooled)
            .build()?;
        Ok(Self::Network(client))
    }

    /// Sends `request` once, and reads at most `longest` bytes of the answer.
    pub(super) async fn send(
        &self,
        request: Request<Vec<u8>>,
        longest: usize,
    ) -> Result<Response<Vec<u8>>, Fault> {
        match self {
            Self::Network(client) => over_network(client, request, longest).await,
            Self::Carried(carrier) => {
                let response = carrier.carry(request).await?;
                if response.body().len() > longest {
                    return Err(Fault::too_long(longest));
                }
                Ok(response)
            }
        }
    }
}

async fn over_network(
    client: &reqwest::Client,
    request: Request<Vec<u8>>,
    longest: usize,
) -> Result<Response<Vec<u8>>, Fault> {
    let mut response = client.execute(request.try_into()?).await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > longest {
            return Err(Fault::too_long(longest));
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = Response::new(body);
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}
