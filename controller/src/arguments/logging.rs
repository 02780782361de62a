//! What is logged, and how.

use std::io::IsTerminal as _;

use clap::Args;

use super::Format;

/// What is logged, to standard error.
#[derive(Debug, Args)]
pub struct Logging {
    /// What to log, such as `info` or `diarchy_fleet=debug`
    #[arg(
        long,
        global = true,
        display_order = 1000,
        env = "DIARCHY_LOG",
        value_name = "FILTER",
        // A client of Kubernetes says itself what the command says then.
        default_value = "warn,kube_client=off",
        hide_default_value = true
    )]
    log: String,
    /// How it is logged: for people, or one JSON object a line
    #[arg(
        long,
        global = true,
        display_order = 1001,
        env = "DIARCHY_LOG_FORMAT",
        value_enum,
        default_value = "text",
        hide_default_value = true
    )]
    log_format: Format,
}

impl Logging {
    /// Starts logging. A filter that cannot be read logs warnings only, and says so.
    pub fn start(&self) {
        let filter = tracing_subscriber::EnvFilter::try_new(&self.log);
        let unreadable = filter.is_err();
        let logging = tracing_subscriber::fmt()
            .with_env_filter(filter.unwrap_or_else(|_| "warn".into()))
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_writer(std::io::stderr);
        match self.log_format {
            Format::Text => logging.init(),
            Format::Json => logging.json().flatten_event(true).init(),
        }
        if unreadable {
            tracing::warn!(filter = self.log, "the log filter cannot be read");
        }
    }
}
