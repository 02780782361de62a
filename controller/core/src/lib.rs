//! Decisions: who should have authority over which workload on which device, and why.
//!
//! Everything here is a pure function of its inputs. There is no I/O, no async, no clock and no
//! randomness: time is an argument, time-zone data is compiled in, and the same inputs give the
//! same plan, byte for byte.

pub mod accept;
pub mod amount;
pub mod circumstances;
pub mod code;
pub mod consequence;
pub mod convergence;
pub mod decision;
pub mod desired;
pub mod digest;
pub mod drift;
pub mod due;
pub mod duration;
pub mod engine;
pub mod explain;
pub mod fact;
pub mod finding;
pub mod glob;
pub mod guardrail;
pub mod history;
pub mod identity;
pub mod inference;
pub mod inventory;
pub mod last_pass;
pub mod obstacle;
pub mod plan;
pub mod requirement;
pub mod resource;
pub mod rollout;
pub mod rules;
pub mod selector;
pub mod steps;
pub mod tally;
pub mod ternary;
pub mod version;
pub mod workload;
