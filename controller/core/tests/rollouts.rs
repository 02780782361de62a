//! Rollouts, pass by pass: when steps end, what counts as a failure, what stopping does, and what becomes
//! of devices when what is asked for changes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test program: what is impossible fails the test"
)]

mod by_hand;
