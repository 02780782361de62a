//! What Diarchy tells over HTTP: whether it is well, metrics, and a small read API about fleets.
//!
//! Nothing is decided here and nothing changed: questions are answered from what the last pass over a
//! fleet has decided from.

mod answer;
mod board;
mod error;
mod forward;
mod health;
mod metrics;
mod read_api;
mod tls;

pub use answer::{PlanAnswer, Standing, WaitingChanges};
pub use board::{Board, Shown};
pub use error::{ReadError, Refusal, ServeError};
pub use forward::Replica;
pub use health::Health;
pub use metrics::{FleetMetrics, Metrics};
pub use read_api::{Backend, ReadApi, TOKEN};
pub use tls::Identity;
