//! Who ends servers when the tests end, in whatever way they end.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Waits until nobody holds the other end of its standard input any more. Then the files go, and
/// its process group with everything in it.
///
/// The files first: with the group goes the shell itself. A server may still write meanwhile, hence
/// the second time.
const SCRIPT: &str = "cat >/dev/null; rm -rf \"$1\" || rm -rf \"$1\"; kill -KILL 0";

/// A process that outlives this one by just so long as it takes to end what was started, and to
/// remove a folder.
///
/// A pipe tells it, which the system closes when this process is gone, even if that was killed. No
/// pipe is inherited by other children, so that none of them can hold it open.
pub struct Keeper {
    shell: Child,
    alive: Option<ChildStdin>,
}

impl Keeper {
    /// Starts to watch over `directory`.
    pub fn of(directory: &Path) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "keeper"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let alive = shell.stdin.take();
        Self { shell, alive }
    }

    /// Starts a command that ends with the keeper.
    pub fn spawn(&self, command: &mut Command) -> Child {
        let group = i32::try_from(self.shell.id()).unwrap();
        command
            .stdin(Stdio::null())
            .process_group(group)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.alive.take());
        // It was never anything but killed: there is no status to judge.
        drop(self.shell.wait());
    }
}

/// A new folder for one cluster, which a keeper must remove.
pub(super) fn directory() -> PathBuf {
    let directory = tempfile::Builder::new()
        .prefix("diarchy-cluster-")
        .tempdir()
        .unwrap();
    directory.keep()
}
