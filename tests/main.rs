//! End to end: the binary as users run it, against git repositories and simulated estates.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by ending"
)]

mod api_proxy;
mod asking;
mod assertions;
mod bench;
mod beside;
mod chart;
mod chart_approvals;
mod chart_conforms;
mod chart_enough;
mod chart_installs;
mod chart_rendered;
mod chart_rights;
mod chart_values;
mod cluster;
mod cluster_secrets;
mod command_line;
mod conflicts;
mod contoso;
mod control_plane;
mod crds;
mod crds_clause_cases;
mod crds_documents;
mod crds_limits;
mod crds_live;
mod crds_rule_cases;
mod crds_rules;
mod crds_shown;
mod crds_stored;
mod crds_upgrade;
mod crds_values;
mod crds_verdicts;
mod deployed;
mod devices;
mod disguises;
mod drift;
mod enrolling;
mod explaining;
mod faults;
mod fencing;
mod fencing_clusters;
mod fetching;
mod figures;
mod gitsource;
mod gitsource_bench;
mod gitsource_edits;
mod gitsource_half;
mod gitsource_many;
mod gitsource_refused;
mod going_back;
mod graph_credentials;
mod guardrails;
#[path = "../controller/git/tests/remote/https_server.rs"]
#[allow(dead_code, reason = "used in part")]
mod https_server;
mod idle;
mod image;
mod in_cluster;
mod installation;
mod interrupted;
mod inventory_file;
mod killed;
mod killed_between;
mod leaving;
mod main_job;
mod midway;
mod next_pass;
mod not_undone;
#[path = "../controller/git/tests/remote/origin.rs"]
#[allow(dead_code, reason = "used in part")]
mod origin;
mod pages;
mod planning;
mod readiness;
mod real_estate;
mod remote;
mod remote_site;
mod replaying;
mod replicas;
mod repository;
mod required_objects;
mod requirements;
mod reverting;
mod rollout_scenarios;
mod rollouts;
mod rotating;
mod running;
mod signing_in;
mod signing_key;
mod site;
mod spread;
#[path = "../controller/git/tests/remote/ssh_server.rs"]
#[allow(dead_code, reason = "used in part")]
mod ssh_server;
mod stale;
mod tenants;
mod validating;
mod watching;
mod world;
