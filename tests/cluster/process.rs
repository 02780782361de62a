//! A server as a process: its log, its end, and whether it answers.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use super::Keeper;

/// How long to wait before a server is asked again. It is somebody else's program, which has no
/// other way to say that it is ready.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// A server that runs.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a server whose output goes to `log`.
    pub(super) fn start(
        keeper: &Keeper,
        name: &'static str,
        log: PathBuf,
        command: &mut Command,
    ) -> Self {
        let output = File::create(&log).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        Self {
            child: keeper.spawn(command),
            name,
            log,
        }
    }

    /// What it said last, if it has ended.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().unwrap()?;
        Some(format!("{} ended, {status}: {}", self.name, self.said()))
    }

    /// The end of its log.
    pub(super) fn said(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Kills it, as a crash would.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended before, or by the keeper: then there is nothing left to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Ports of the loopback that nobody has at this moment.
pub(super) fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until all are known, so that they differ.
    let held = std::array::from_fn::<_, N, _>(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}
