//! The Configuration Manager site: its records, collections, deployments, and how it evaluates.

pub(crate) mod collections;
pub(crate) mod evaluation;
pub(crate) mod preparation;
pub(crate) mod resources;
pub(crate) mod rules;
