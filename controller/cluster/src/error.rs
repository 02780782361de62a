//! Why the controller cannot run at all.

use diarchy_core::code::Code;
use diarchy_web::ServeError;

use crate::in_words;

/// Why the controller cannot run at all.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no way to the API server.
    #[error("the cluster cannot be reached: {0}")]
    NoCluster(String),
    /// Nobody can ask anything.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The namespace that the controller runs in cannot be read.
    #[error("the controller's own namespace {namespace} cannot be read: {}", in_words::of(.cause))]
    OwnNamespace {
        /// The namespace.
        namespace: String,
        /// Why not.
        cause: kube::Error,
    },
}

impl ClusterError {
    /// The stable code under which this is documented.
    #[must_use]
    pub const fn code(&self) -> Code {
        Code::ClusterNotUsable
    }

    /// How to mend it, without a full stop.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoCluster(_) => {
                "run it in a cluster, or name one with KUBECONFIG that can be reached"
            }
            Self::Serve(_) => "give another address with --listen or --api-listen",
            Self::OwnNamespace { cause, .. } => match cause {
                kube::Error::Api(status) if status.is_not_found() => {
                    "name the namespace that the controller is installed in with --namespace"
                }
                kube::Error::Api(status) if status.is_forbidden() => {
                    "give the controller's service account the rights of its chart"
                }
                _ => "see whether the API server can be reached",
            },
        }
    }
}
