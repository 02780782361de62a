//! End to end: the binary as users run it, against git repositories and simulated estates.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by ending"
)]

mod assertions;
mod bench;
mod command_line;
mod devices;
mod enrolling;
mod explaining;
mod faults;
mod fencing;
mod graph_credentials;
mod guardrails;
mod inventory_file;
mod killed;
mod main_job;
mod next_pass;
mod pages;
mod planning;
mod real_estate;
mod repository;
mod rotating;
mod running;
mod signing_in;
mod site;
mod validating;
mod world;
