//! The estate's real protocols: Microsoft Graph, Configuration Manager's administration service, and
//! the join of what both know into one record for each device.
//!
//! Everything that is read is a fact that may be missing: a service that fails, or leaves a property
//! out, makes facts unknown and nothing else. Everything that is written goes through
//! [`site::lever`], into collections that Diarchy made itself.

mod address;
pub mod endpoints;
pub mod enrollment;
mod error;
mod expiry;
pub mod graph;
mod http;
pub mod inventory;
pub mod join;
mod paging;
pub mod preflight;
mod record;
mod secret;
pub mod site;
#[cfg(test)]
mod tests;
mod token;

pub use error::{EstateError, Refusal, Service};
pub use expiry::Expiry;
pub use http::{
    CaBundle, Carried, Carrier, Counters, DomainAccount, Lost, Outcome, Pace, Patience,
    RequestCount, TransportOptions, http_date,
};
pub use paging::{Listing, Problem};
pub use secret::Secret;
pub use token::{ClientCertificate, ClientCredentials, ClientProof, FederatedToken, TokenFile};
