//! End to end: the binary as users run it, against git repositories and simulated estates.

mod bench;
mod command_line;
mod main_job;
mod repository;
mod running;
mod world;
