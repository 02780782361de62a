//! The reconcile loop: git on one side, an estate on the other, and a state file that remembers.
//!
//! A pass reads everything, decides in `diarchy-core`, and carries out what was decided. No decision
//! is taken here: what may be written, what waits and why is a pure function of what was read and of
//! what is remembered.

pub mod audit;
pub mod brakes;
pub mod check;
mod circumstances;
pub mod condition;
pub mod connect;
mod context;
pub mod control_plane;
mod decide;
mod drift;
pub mod error;
pub mod fleet_loop;
mod footprint;
mod gather;
mod history;
mod hold;
mod journal;
mod manual_steps;
pub mod memory;
mod moves;
pub mod next;
mod notify;
mod operator;
pub mod origin;
mod pass;
mod people;
mod read;
pub mod record;
pub mod report;
pub mod requirements;
pub mod revert;
pub mod rollouts;
pub mod said;
pub mod shards;
mod sight;
mod site_rules;
pub mod status;
pub mod store;
mod summary;
mod write;

pub use gather::request;
pub use operator::{CLOCK, GOOD_COMMIT, Operator, Setup};
pub use people::BY_OPTION;
pub use read::{FleetRead, read_fleet};
