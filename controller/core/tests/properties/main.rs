//! What `core` promises, tried with made-up fleets and by hand.
//!
//! One program, with a module for each promise: what makes fleets up is large, and compiled once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program: what is impossible fails the test, and how far a model went is told"
)]

mod acceptance;
mod admission;
mod agreement;
mod convergence;
mod decisions;
mod difference;
mod drift;
mod enrollment;
mod error_pages;
mod history;
mod laws;
mod obstacles;
mod oracle;
mod protocol;
mod requirements;
mod rollout_model;
mod rollouts;
mod selectors;
mod steps;
mod ways_on;
mod world;
