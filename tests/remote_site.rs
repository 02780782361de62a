//! A repository of a small fleet behind a real https server, for tests of the command line.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::bench::diarchy;
use crate::https_server::{
    HttpsServer, PASSWORD, Reaction, USERNAME, is_allowed, serve_as, unauthorized,
};
use crate::origin::Origin;
use crate::repository::SMALL;

/// How a server behaves, while a test changes it.
pub mod manner {
    pub const GOOD: u8 = 0;
    pub const AWAY: u8 = 1;
    pub const SLOW: u8 = 2;
}

/// A repository of a small fleet behind https, and somebody who may read it.
pub struct Site {
    pub origin: Origin,
    pub server: HttpsServer,
    manner: Arc<AtomicU8>,
    pub runtime: Runtime,
    /// Credentials, the cache and whatever else a test writes.
    pub folder: TempDir,
}

impl Site {
    pub fn new() -> Self {
        let origin = Origin::empty();
        for (name, text) in SMALL {
            origin.write(name, text);
        }
        origin.commit("README.md", "a fleet\n");
        let runtime = Runtime::new().unwrap();
        let manner: Arc<AtomicU8> = Arc::default();
        let now = Arc::clone(&manner);
        let server = runtime.block_on(serve_as(origin.root(), move |asked| {
            match now.load(Ordering::SeqCst) {
                manner::AWAY => Reaction::Say(503, Vec::new(), Vec::new()),
                _ if !is_allowed(asked) => unauthorized(),
                manner::SLOW => Reaction::SlowGit(Duration::from_millis(200)),
                _ => Reaction::Git,
            }
        }));
        let site = Self {
            origin,
            server,
            manner,
            runtime,
            folder: tempfile::tempdir().unwrap(),
        };
        site.secret("username", USERNAME);
        site.secret("password", PASSWORD);
        site.secret("ca.crt", &site.server.ca);
        site
    }

    fn secret(&self, key: &str, value: &str) {
        fs::create_dir_all(self.secrets()).unwrap();
        fs::write(self.secrets().join(key), format!("{value}\n")).unwrap();
    }

    pub fn secrets(&self) -> PathBuf {
        self.folder.path().join("secrets")
    }

    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub fn is(&self, manner: u8) {
        self.manner.store(manner, Ordering::SeqCst);
    }

    /// A command about the repository.
    pub fn command(&self, name: &str) -> Command {
        let mut command = diarchy();
        command
            .env("XDG_CACHE_HOME", self.cache())
            .args([name, &self.server.url(), "--git-secrets"])
            .arg(self.secrets());
        command
    }

    pub fn run(&self, name: &str, arguments: &[&str]) -> Output {
        self.command(name).args(arguments).output().unwrap()
    }

    /// A loop that looks at the repository every second.
    pub fn up(&self) -> Command {
        let mut command = self.command("up");
        command
            .args([
                "--simulate",
                "30",
                "--approve",
                "--git-interval",
                "1s",
                "--state",
            ])
            .arg(self.folder.path().join("state"));
        command
    }

    pub fn head(&self) -> String {
        format!("main@sha1:{}", self.origin.head())
    }

    pub fn group(&self, name: &str) -> String {
        self.origin.commit(
            &format!("groups/{name}.yaml"),
            format!(
                "apiVersion: diarchy.dev/v1alpha1\nkind: DeviceGroup\nmetadata: {{ name: {name} }}\n\
                 spec: {{ fleetRef: {{ name: contoso }}, devices: [ PC-1 ] }}\n"
            ),
        )
    }
}

pub fn revision(report: &Value) -> &str {
    report["revision"].as_str().unwrap_or_default()
}

pub fn findings(report: &Value) -> String {
    report["refused"]["findings"].to_string()
}
