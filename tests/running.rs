//! A loop that runs while a test goes on.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// After this long a test does not wait any more: far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running `up -o json`. It ends with the test.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    said: File,
    last: Value,
}

impl Running {
    /// Starts the command, which must print JSON lines.
    pub fn start(command: &mut Command) -> Self {
        let said = tempfile::tempfile().unwrap();
        let mut child = command
            .args(["-o", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said.try_clone().unwrap())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            said,
            last: Value::Null,
        }
    }

    /// The next report of a pass; none when the loop has ended.
    fn next(&mut self, deadline: Instant) -> Option<Value> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                let mut line: Value = serde_json::from_str(&line).unwrap();
                self.last = line["report"].take();
                Some(self.last.clone())
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("no report any more; the last: {:#}", self.last)
            }
        }
    }

    /// Waits for a report of which `is` is true, and gives it.
    pub fn wait_for(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.next(deadline) {
                Some(report) if is(&report) => return report,
                Some(_) => {}
                None => panic!(
                    "the loop ended while waiting for: {what}\n{}\nthe last report: {:#}",
                    self.said(),
                    self.last
                ),
            }
        }
        panic!(
            "waited too long for: {what}\nthe last report: {:#}",
            self.last
        );
    }

    /// The report of a pass that began after this was called.
    pub fn fresh(&mut self) -> Value {
        while self.lines.try_recv().is_ok() {}
        // The pass that is under way may have begun before.
        self.wait_for("the pass under way", |_| true);
        self.wait_for("a pass that began later", |_| true)
    }

    /// Kills it without a warning. Whether it was still running.
    pub fn kill(mut self) -> bool {
        let was_running = self.child.try_wait().unwrap().is_none();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        was_running
    }

    /// What it has written to standard error.
    fn said(&mut self) -> String {
        let mut text = String::new();
        self.said.rewind().unwrap();
        self.said.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The only fleet of a report.
pub fn fleet(report: &Value) -> &Value {
    &report["fleets"][0]
}

/// Everything that a report says is wrong: with the fleet, or with reaching it.
pub fn problems(report: &Value) -> String {
    let fleet = fleet(report);
    [&fleet["problems"], &fleet["stopped"], &report["failures"]]
        .map(ToString::to_string)
        .join("\n")
}

/// Whether every online device is where it should be, and nothing is left to do.
pub fn is_converged(report: &Value) -> bool {
    let fleet = fleet(report);
    let nothing = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    let Some(workloads) = fleet["convergence"].as_object() else {
        return false;
    };
    fleet["waiting"].is_null()
        && nothing(&fleet["unmet"])
        && report["refused"].is_null()
        && nothing(&fleet["problems"])
        && fleet["handingOver"] == 0
        && workloads
            .values()
            .all(|workload| workload["online"] == workload["converged"])
}
