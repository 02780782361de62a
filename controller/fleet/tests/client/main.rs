//! The estate client against small servers of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::similar_names,
    clippy::needless_pass_by_value,
    clippy::type_complexity,
    reason = "servers of a test fail the test, and take their answers as they are written"
)]

mod account;
mod kerberos;
mod lever;
mod service;
mod site_stub;
mod transport;
