//! Repositories on other machines: real git behind a real TLS server and behind real ssh, and
//! servers that misbehave.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on says so by ending"
)]

mod client;
mod hostile;
mod https_server;
mod https_trust;
mod mirrors;
mod origin;
mod over_https;
mod over_ssh;
mod ssh_server;
