//! Why a question is not answered, as the one who asks is told.

use std::net::SocketAddr;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use diarchy_core::code::Code;
use diarchy_core::inventory::NotOneDevice;
use diarchy_core::resource::ObjectName;
use serde::{Deserialize, Serialize};

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
#[error("nothing can be served at {address}: {cause}")]
pub struct ServeError {
    /// Where.
    pub address: SocketAddr,
    /// Why not.
    pub cause: std::io::Error,
}

/// Why somebody is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// They do not say who they are, or nobody knows them.
    #[error("the question does not say who asks: {0}")]
    Unknown(String),
    /// They may not.
    #[error("{who} may not get fleets/devices of {fleet}")]
    Forbidden {
        /// Who asks.
        who: String,
        /// The fleet.
        fleet: ObjectName,
    },
    /// Whether they may could not be found out.
    #[error("whether this may be answered could not be found out: {0}")]
    NotFoundOut(String),
}

/// An error as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadError {
    /// Its stable code.
    pub code: String,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub remedy: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("no replica has looked at fleet {0} yet")]
    NotYet(ObjectName),
    #[error("the replica that has fleet {fleet} cannot be asked: {cause}")]
    Elsewhere { fleet: ObjectName, cause: String },
    #[error("what the next pass over fleet {fleet} would do is not known: {cause}")]
    NotKnown { fleet: ObjectName, cause: String },
    #[error(transparent)]
    Device(#[from] NotOneDevice),
    #[error("{0}")]
    Question(String),
    #[error("the answer could not be made: {0}")]
    Internal(String),
}

impl NoAnswer {
    fn status(&self) -> StatusCode {
        match self {
            Self::Refused(Refusal::Unknown(_)) => StatusCode::UNAUTHORIZED,
            Self::Refused(Refusal::Forbidden { .. }) => StatusCode::FORBIDDEN,
            // Not 503: clients of an API server take that for its own, and ask again for minutes.
            Self::Refused(Refusal::NotFoundOut(_))
            | Self::Elsewhere { .. }
            | Self::NotKnown { .. } => StatusCode::BAD_GATEWAY,
            Self::Device(_) | Self::NotYet(_) => StatusCode::NOT_FOUND,
            Self::Question(_) => StatusCode::BAD_REQUEST,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Refused(Refusal::NotFoundOut(_))
            | Self::NotYet(_)
            | Self::Elsewhere { .. }
            | Self::NotKnown { .. } => Code::NoAnswerYet,
            Self::Refused(_) => Code::ReadRefused,
            Self::Device(_) => Code::DeviceNotFound,
            Self::Question(_) => Code::InvalidArgument,
            Self::Internal(_) => Code::Internal,
        }
    }

    fn remedy(&self) -> String {
        match self {
            Self::Refused(Refusal::Unknown(_)) => {
                "sign in to the cluster again, or send a token of the cluster".to_owned()
            }
            Self::Refused(Refusal::Forbidden { .. }) => {
                "ask for the role diarchy-view in that namespace".to_owned()
            }
            Self::Refused(Refusal::NotFoundOut(_))
            | Self::Elsewhere { .. }
            | Self::NotKnown { .. } => {
                "ask again in a moment; the controller's log says more".to_owned()
            }
            Self::NotYet(_) => {
                "wait for the first pass, and see the status of the Fleet".to_owned()
            }
            Self::Device(error) => error.remedy(),
            Self::Question(_) => "correct the question".to_owned(),
            Self::Internal(_) => "report it, with the controller's log".to_owned(),
        }
    }
}

impl IntoResponse for NoAnswer {
    fn into_response(self) -> Response {
        let error = ReadError {
            code: self.code().to_string(),
            problem: self.to_string(),
            remedy: self.remedy(),
        };
        (self.status(), Json(error)).into_response()
    }
}
